"""The gamble at a rate, against a bisected price and quadrature."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gaussian_quadrature import quadrature
from scipy import integrate, stats

from kondo_theory.gambling import CRITICAL_NOISE_RATIO, drift
from kondo_theory.gambling import top_rate as gambling_top_rate


def top_rate_by_price(x, r, rate):
    """The same drift from a bisected price and quadrature: no region, no quantile function."""
    safe, gamble, m = -math.log1p(-x), -math.log(x), 1 - x
    above = lambda price: x * stats.norm.sf((price / gamble + m) / r)  # noqa: E731
    kept = lambda price: above(price) + m * (x * safe > price)  # noqa: E731
    low, high = -(50 * r + 2) * gamble, (50 * r + 2) * gamble + 1
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) > rate else (low, middle)
    price = (low + high) / 2
    share = min(max((rate - above(price)) / m, 0.0), 1.0)
    gated = quadrature(lambda u: u if u > price / gamble else 0.0, -m, r) if r > 0 else 0.0
    cut = price / gamble
    gated = integrate.quad(
        lambda u: u * stats.norm.pdf(u, -m, r), cut, max(cut, -m) + 12 * r, epsabs=1e-13, limit=300
    )[0]
    return x * share - gated


@pytest.mark.parametrize(
    ("x", "r", "rate"), list(itertools.product((1e-4, 0.05, 0.3, 0.72, 0.95), (0.3, 1.0, 4.0), (0.02, 0.3, 0.5, 0.9)))
)
def test_top_rate_drift_against_a_bisected_price(x, r, rate):
    assert float(gambling_top_rate.top_rate_drift(x, r, rate)) == pytest.approx(
        top_rate_by_price(x, r, rate), abs=1e-8 * max(1, r)
    )


def test_top_rate_ends():
    rates = np.array([0.01, 0.1, 0.5, 0.9])
    assert gambling_top_rate.top_rate_drift(1 - 1e-13, 3.0, rates) == pytest.approx(
        1 - 3.0 / gambling_top_rate.corner_noise_ratio(rates), abs=1e-8
    )
    assert gambling_top_rate.top_rate_drift(1e-14, 1.0, rates) == pytest.approx(float(drift(0.0, 1.0)), rel=1e-9)
    assert gambling_top_rate.top_rate_drift([0.2, 0.9], 3.0, 1.0) == pytest.approx(1.0)
    assert float(gambling_top_rate.corner_noise_ratio(0.5)) == pytest.approx(CRITICAL_NOISE_RATIO)
    (low,) = gambling_top_rate.top_rate_points(0.1, 0.1)
    assert math.log(low.x) == pytest.approx(float(gambling_top_rate.log_top_rate_floor(0.1, 0.1)), rel=1e-6)


def test_several_points_coexist():
    points = gambling_top_rate.top_rate_points(0.365, 0.01)
    assert [point.stable for point in points] == [True, False, True]
    assert [point.stable for point in gambling_top_rate.top_rate_points(3.5, 0.3)] == [True, False]
    assert gambling_top_rate.top_rate_points(6.0, 0.3) == ()
    # A smaller rate: higher floor at small r, later corner.
    floors = [gambling_top_rate.top_rate_points(0.3, rate)[0].x for rate in (0.03, 0.1, 0.3)]
    assert floors == sorted(floors, reverse=True)
