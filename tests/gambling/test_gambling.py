"""The gambling closed forms against quadrature, 50-digit arithmetic and their limits."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from scipy.special import expit

from kondo_theory import gambling
from kondo_theory.gambling import CRITICAL_NOISE_RATIO, drift, fixed_point
from kondo_theory.gambling import equal_noise as gambling_equal_noise
from kondo_theory.gambling import top_rate as gambling_top_rate
from kondo_theory.gambling.means import log_positive_part, positive_part, soft_part, soft_part_log
from kondo_theory.gambling.roots import rest_points

PLACES = [1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6, 1 - 1e-12]
NOISE = [1e-3, 0.1, 0.7, 2.5, 30.0, 1e3]


def quadrature(function, mean, r, scale=1.0):
    """E[function(U)], U ~ N(mean, r²), split around the mean and, at the scale of the gate, around zero."""
    near = [side * scale * 10.0**k for side in (-1, 1) for k in range(6)]
    cuts = sorted({mean - 12 * r, mean - 4 * r, mean, mean + 4 * r, mean + 12 * r, 0.0, *near})
    cuts = [c for c in cuts if mean - 12 * r <= c <= mean + 12 * r]
    density = stats.norm(mean, r).pdf
    return sum(
        integrate.quad(lambda u: function(u) * density(u), low, high, epsabs=1e-14, epsrel=1e-13, limit=400)[0]
        for low, high in itertools.pairwise(cuts)
    )


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
@settings(max_examples=150, deadline=None)
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


# --- fixed points


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


# --- top rate


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


def test_a_close_pair_of_zeros_is_found():
    points = rest_points(lambda x: (np.log(x / (1 - x)) - 0.123) ** 2 - 1e-10, -40.0)
    assert [point.stable for point in points] == [False, True]
    assert rest_points(lambda x: (np.log(x / (1 - x)) - 0.123) ** 2 + 1e-10, -40.0) == ()


# --- equal noise


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
