"""The gamble where both arms are as noisy, against quadrature and another solver."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gaussian_quadrature import quadrature
from scipy import optimize, stats
from scipy.special import expit

from kondo_theory.gambling import equal_noise as gambling_equal_noise


def equal_by_price(x, r, rate):
    safe, gamble, m = -math.log1p(-x), -math.log(x), 1 - x
    kept = lambda p: m * stats.norm.sf((p / safe - x) / r) + x * stats.norm.sf((p / gamble + m) / r) - rate  # noqa: E731
    reach = (60 * r + 2) * max(safe, gamble)
    price = optimize.brentq(kept, -reach, reach, xtol=1e-16, rtol=1e-15)

    def mean(cut, centre):
        z = (cut - centre) / r
        return centre * stats.norm.sf(z) + r * stats.norm.pdf(z)

    return mean(price / safe, x) - mean(price / gamble, -m)


@pytest.mark.parametrize(
    ("x", "r", "rate"), list(itertools.product((0.01, 0.3, 0.8, 0.99), (0.3, 1.5, 20.0), (0.03, 0.4, 0.8)))
)
def test_equal_noise_top_rate_against_another_solver(x, r, rate):
    value = float(gambling_equal_noise.equal_noise_top_rate_drift(x, r, rate))
    assert value == pytest.approx(equal_by_price(x, r, rate), abs=1e-8 * max(1, r))


@pytest.mark.parametrize(("x", "r"), list(itertools.product((1e-6, 0.2, 0.5, 0.999), (0.2, 1.0, 30.0))))
def test_equal_noise_drifts_against_quadrature(x, r):
    hard = quadrature(lambda u: max(u, 0.0), x, r) - quadrature(lambda u: max(u, 0.0), x - 1, r)
    assert float(gambling_equal_noise.equal_noise_drift(x, r)) == pytest.approx(hard, abs=1e-8)
    safe, gamble = -math.log1p(-x), -math.log(x)
    soft = quadrature(lambda u: u * float(expit(u * safe / 0.7)), x, r) - quadrature(
        lambda u: u * float(expit(u * gamble / 0.7)), x - 1, r
    )
    assert float(gambling_equal_noise.equal_noise_drift(x, r, "dg", 0.7)) == pytest.approx(soft, abs=1e-8 * max(1, r))


def test_equal_noise_conclusions():
    x = np.concatenate([np.geomspace(1e-12, 0.5, 60), 1 - np.geomspace(1e-12, 0.5, 60)])
    for r in (0.05, 1.0, 100.0):
        assert np.all(gambling_equal_noise.equal_noise_drift(x, r) > 0)
        assert gambling_equal_noise.equal_noise_fixed_point(r) is None
        for eta in (0.1, 1.0, 10.0):
            point = gambling_equal_noise.equal_noise_fixed_point(r, "dg", eta)
            assert 0 <= point < 0.5
            if point > 1e-12:
                assert float(gambling_equal_noise.equal_noise_drift(point, r, "dg", eta)) == pytest.approx(
                    0, abs=1e-9 * max(1, r)
                )
    for rate in (0.03, 0.1, 0.3, 0.9):
        edge = gambling_equal_noise.equal_noise_floor_ratio(rate)
        near = [gambling_equal_noise.equal_noise_top_rate_drift(1e-200, edge * f, rate) for f in (0.9, 1.1)]
        assert near[0] > 0 > near[1]
        assert gambling_equal_noise.equal_noise_top_rate_drift(1 - 1e-12, edge * 5, rate) > 0.5
    assert math.isinf(gambling_equal_noise.equal_noise_floor_ratio(0.5))
    assert gambling_equal_noise.equal_noise_top_rate_points(0.5, 0.1) == ()
    assert [p.stable for p in gambling_equal_noise.equal_noise_top_rate_points(1.5, 0.1)] == [False, True]
    assert gambling_equal_noise.equal_noise_top_rate_drift(0.3, 2.0, 1.0) == pytest.approx(1.0)
