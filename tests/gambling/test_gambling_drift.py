"""Means and drifts of the gamble against quadrature, 50-digit arithmetic and their limits; false positives."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from gaussian_quadrature import quadrature
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from kondo_theory import gambling
from kondo_theory.gambling import drift, fixed_point
from kondo_theory.gambling import equal_noise as gambling_equal_noise
from kondo_theory.gambling import top_rate as gambling_top_rate
from kondo_theory.gambling.means import log_positive_part, positive_part, soft_part, soft_part_log

PLACES = [1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6, 1 - 1e-12]
NOISE = [1e-3, 0.1, 0.7, 2.5, 30.0, 1e3]


# --- means


@pytest.mark.parametrize("s", [-40.0, -3.0, -1e-4, 0.0, 1e-9, 0.5, 3.0, 11.99, 12.01, 37.0, 200.0, 1000.0])
def test_positive_part_against_fifty_digits(s):
    with mp.workdps(50):
        exact = mp.npdf(s) * (1 - s * mp.sqrt(mp.pi / 2) * mp.exp(mp.mpf(s) ** 2 / 2) * mp.erfc(s / mp.sqrt(2)))
        reference = float(mp.log(exact))
    assert float(log_positive_part(s)) == pytest.approx(reference, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(
    ("s", "sharpness"),
    [
        (0, 0.3),
        (0.5, 1e-6),
        (0.5, 0.4),
        (1, 40),
        (3, 2.9),
        (3, 1e5),
        (12, 11),
        (12, 13),
        (12, 900),
        (100, 0.5),
        (1000, 1e-3),
    ],
)
def test_soft_part_against_high_precision(s, sharpness):
    sign, size = soft_part_log(s, sharpness)
    with mp.workdps(30):
        scale = mp.mpf(float(size))  # mpmath's tolerance is absolute, so divide the answer out
        a, centre = mp.mpf(sharpness), -mp.mpf(s) + (2 * mp.mpf(sharpness) if sharpness < s else 0)

        def integrand(z):
            return mp.exp(-((z + s) ** 2) / 2 - scale) * z / (1 + mp.exp(-2 * a * z)) / mp.sqrt(2 * mp.pi)

        cuts = {centre + k for k in range(-16, 17, 2)} | {mp.mpf(k) for k in (0, 4, 16)}
        cuts |= {side * c / max(a, mp.mpf(s), 1) for c in (0.3, 1, 3, 10, 30) for side in (-1, 1)}
        ratio = mp.quad(integrand, sorted(cuts))
    assert float(ratio) == pytest.approx(float(sign), abs=1e-10)


def test_soft_part_limits():
    s = np.linspace(0, 30, 50)
    assert soft_part(s, np.inf) == pytest.approx(positive_part(s), rel=1e-12)
    assert soft_part(s, 0.0) == pytest.approx(-s / 2, rel=1e-12)
    assert np.all(soft_part(s[1:], s[1:]) == 0)


# --- drift


@pytest.mark.parametrize(("x", "r"), list(itertools.product(PLACES, NOISE)))
def test_zero_price_drift_against_quadrature_and_fifty_digits(x, r):
    with mp.workdps(50):
        m = 1 - mp.mpf(x)
        h = r * mp.npdf(m / r) - m * mp.erfc(m / r / mp.sqrt(2)) / 2
        if m / r > 12:  # where even 50 digits cancel
            h = mp.mpf(float(r * positive_part(float(m) / r)))
        reference = float(mp.mpf(x) - h)
    assert float(drift(x, r)) == pytest.approx(reference, rel=1e-12, abs=1e-15 * max(1, r))
    assert float(drift(x, r)) == pytest.approx(x - quadrature(lambda u: max(u, 0.0), x - 1, r), abs=1e-9 * max(1, r))


@pytest.mark.parametrize(("x", "r", "eta"), list(itertools.product(PLACES, NOISE, (0.1, 1.0, 20.0))))
def test_dg_drift_against_quadrature(x, r, eta):
    safe, gamble = -math.log1p(-x), -math.log(x)
    second = quadrature(lambda u: u * float(expit(u * gamble / eta)), x - 1, r, eta / gamble)
    assert float(drift(x, r, "dg", eta)) == pytest.approx(
        x * float(expit(x * safe / eta)) - second, abs=1e-8 * max(1, r)
    )


def test_small_terms_keep_their_digits():
    # Far below double cancellation: the drift at x = 1e-12 is x − h(1−x, 0.1), with h = 7.5e-26.
    assert float(1e-12 - drift(1e-12, 0.1)) == pytest.approx(0, abs=1e-24)
    with mp.workdps(60):
        h = float(mp.mpf(0.05) * mp.npdf(20) - mp.erfc(20 / mp.sqrt(2)) / 2)
    assert float(drift(0.0, 0.05)) == pytest.approx(-h, rel=1e-12)


def test_the_ends_and_pg():
    r = np.array(NOISE)
    assert drift(1.0, r) == pytest.approx(1 - r / math.sqrt(2 * math.pi), rel=1e-12)
    assert drift(0.0, r, "dg") == pytest.approx(drift(0.0, r), rel=1e-12)
    assert drift(1.0, r, "dg") == pytest.approx(1.0)
    assert np.all(drift(np.array(PLACES)[:, None], r, "pg") == 1)
    assert drift(np.full((3, 1), 0.5), np.ones(4), "dg", 2.0).shape == (3, 4)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 1 - 1e-6), st.floats(0.01, 300), st.floats(0.01, 100))
@settings(max_examples=150)
def test_the_drift_never_falls(x, y, r, eta):
    low, high = min(x, y), max(x, y)
    for values in (
        drift([low, high], r),
        drift([low, high], r, "dg", eta),
        gambling_equal_noise.equal_noise_drift([low, high], r),
        gambling_equal_noise.equal_noise_drift([low, high], r, "dg", eta),
    ):
        assert values[0] <= values[1] + 1e-10 * max(1, r)


def test_more_safe_arms():
    x, r = 0.3, 1.5
    assert drift(x, r, n_arms=50) == drift(x, r)
    direct = x * expit(x * math.log(49 / 0.7)) - (x * expit(x * math.log(1 / 0.7)) - drift(x, r, "dg"))
    assert drift(x, r, "dg", n_arms=50) == pytest.approx(direct, rel=1e-12)
    assert fixed_point(r, "dg", n_arms=50) < fixed_point(r, "dg")
    assert fixed_point(r, n_arms=50) == fixed_point(r)


# --- false positives


def test_false_positives():
    assert float(gambling.false_positive_probability(0.3, 0.5)) == pytest.approx(stats.norm.sf(1.4), rel=1e-13)
    assert float(gambling.log_false_positive_probability(1e-12, 1e-3)) == pytest.approx(
        stats.norm.logsf(1e3), rel=1e-11
    )
    x, r = np.meshgrid(np.linspace(0, 1, 30), np.geomspace(0.05, 100, 30))
    values = gambling.false_positive_probability(x, r)
    assert np.all(values <= 0.5 * np.exp(-(((1 - x) / r) ** 2) / 2) * (1 + 1e-12))
    assert np.all(np.diff(values, axis=0) >= 0)
    assert np.all(np.diff(values, axis=1) >= 0)


# --- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drift(1.2, 1.0), r"x must be in \[0, 1\], got 1.2"),
        (lambda: drift(0.2, 0.0), r"noise_ratio must be in \(0, inf\), got 0.0"),
        (lambda: drift(0.2, 1.0, "kondo"), "gate must be one of zero-price, dg, pg, got 'kondo'"),
        (lambda: drift(0.2, 1.0, "dg", 0.0), r"temperature must be in \(0, inf\), got 0.0"),
        (lambda: drift(0.2, 1.0, "dg", n_arms=1), "n_arms must be an integer ≥ 2, got 1.0"),
        (lambda: fixed_point(math.nan), r"noise_ratio must be in \(0, inf\), got nan"),
        (lambda: gambling.log_small_noise_floor(0.1, "dg", 0.25), "temperature must be other than 1/4, got 0.25"),
        (lambda: gambling_top_rate.top_rate_drift(0.0, 1.0, 0.1), r"x must be in \(0, 1\), got 0.0"),
        (lambda: gambling_top_rate.top_rate_points(1.0, 1.0), r"rate must be in \(0, 1\), got 1.0"),
        (lambda: gambling_equal_noise.equal_noise_floor_ratio(0.0), r"rate must be in \(0, 1\), got 0.0"),
    ],
)
def test_values_out_of_the_domain_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
