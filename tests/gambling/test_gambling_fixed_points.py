"""Fixed points of the gamble and the laws of small and large noise, against independent roots."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gaussian_quadrature import quadrature
from scipy import optimize, stats
from scipy.special import expit

from kondo_theory import gambling
from kondo_theory.gambling import CRITICAL_NOISE_RATIO, drift, fixed_point
from kondo_theory.gambling.roots import rest_points


@pytest.mark.parametrize("r", [0.3, 0.7, 1.0, 2.0, 2.5, 2.5066])
def test_zero_price_fixed_point_against_an_independent_root(r):
    def naive(x):
        m = 1 - x
        return x - (r * stats.norm.pdf(m / r) - m * stats.norm.sf(m / r))

    root = optimize.bisect(naive, 0, 1, xtol=1e-15)
    assert fixed_point(r) == pytest.approx(root, abs=1e-9)


@pytest.mark.parametrize(("gate", "eta"), [("zero-price", 1.0), ("dg", 0.05), ("dg", 1.0), ("dg", 9.0)])
@pytest.mark.parametrize("r", [0.05, 0.3, 1.0, 2.4, 2.6, 50.0, 1e3])
def test_the_fixed_point_is_a_stable_zero(gate, eta, r):
    x = fixed_point(r, gate, eta)
    if gate == "zero-price" and r >= CRITICAL_NOISE_RATIO:
        assert x is None
        return
    assert gambling.log_fixed_point(r, gate, eta) == pytest.approx(math.log(x), rel=1e-9) if x > 0 else x == 0
    if x < 1e-200:  # the gated gamble underflows
        return
    step = min(1e-6 * x, 1e-3 * (1 - x))
    sides = x - step, x + step
    assert drift(sides[0], r, gate, eta) < 0 < drift(sides[1], r, gate, eta)


def test_the_critical_ratio():
    assert pytest.approx(2.5066282746310002) == CRITICAL_NOISE_RATIO
    assert fixed_point(CRITICAL_NOISE_RATIO) is None
    near = CRITICAL_NOISE_RATIO * (1 - 1e-9)
    assert 1 - fixed_point(near) == pytest.approx(2e-9, rel=1e-6)
    assert 1 - fixed_point(CRITICAL_NOISE_RATIO * (1 - 2e-8)) == pytest.approx(4e-8, rel=1e-5)
    assert fixed_point(np.nextafter(CRITICAL_NOISE_RATIO, 0)) <= 1
    assert fixed_point(1.0, "pg") is None


def test_small_noise_forms():
    for r, tolerance in ((0.1, 0.04), (0.02, 2e-3), (1e-3, 4e-6)):
        assert gambling.log_fixed_point(r) - gambling.log_small_noise_floor(r) == pytest.approx(
            -3 * r * r, abs=tolerance
        )
        for eta in (0.3, 1.0, 5.0):
            exact = gambling.log_fixed_point(min(r, 0.05), "dg", eta)
            assert exact == pytest.approx(float(gambling.log_small_noise_floor(min(r, 0.05), "dg", eta)), rel=1e-4)
    # Below η = 1/4 the correction is of order r² log(1/r).
    for eta in (0.02, 0.1, 0.2):
        errors = [
            abs(gambling.log_fixed_point(r, "dg", eta) - float(gambling.log_small_noise_floor(r, "dg", eta)))
            for r in (0.1, 0.01, 0.001)
        ]
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 1e-3
    # The naive law fails below 1/4: e^(−2η/r²) would be far too large.
    assert gambling.log_fixed_point(0.1, "dg", 0.1) < -2 * 0.1 / 0.1**2 - 30


def test_dg_threshold():
    for r, eta in ((0.3, 0.2), (1.0, 1.0), (0.5, 3.0)):
        x = float(gambling.dg_threshold(r, eta))
        assert -math.log(x) == pytest.approx(2 * eta * (1 - x) / r**2, rel=1e-12)
        assert fixed_point(r, "dg", eta) < x
        for factor, sign in ((0.99, 1), (1.01, -1)):
            gamble = -math.log(x * factor)
            mean = quadrature(lambda u, g=gamble: u * float(expit(u * g / eta)), x * factor - 1, r)  # noqa: B023
            assert np.sign(mean) == sign
    assert float(gambling.dg_threshold(2.0, 1.0)) == 1.0
    assert gambling.dg_threshold([0.5, 1.0], 1.0).shape == (2,)


def test_large_noise_of_dg():
    assert (1 - fixed_point(300.0, "dg", 2.0)) * 300**2 / 8 == pytest.approx(1, abs=0.02)


def test_a_close_pair_of_zeros_is_found():
    points = rest_points(lambda x: (np.log(x / (1 - x)) - 0.123) ** 2 - 1e-10, -40.0)
    assert [point.stable for point in points] == [False, True]
    assert rest_points(lambda x: (np.log(x / (1 - x)) - 0.123) ** 2 + 1e-10, -40.0) == ()
