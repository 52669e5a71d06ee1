"""Leading forms of the gambling floors against the exact rest points, and statements that a random search attacks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kondo_theory import gambling
from kondo_theory.gambling import equal_noise as gambling_equal_noise
from kondo_theory.gambling import top_rate as gambling_top_rate
from kondo_theory.gambling.means import isoperimetric, positive_part


def error(r, gate="zero-price", eta=1.0):
    """log of x* over its leading form."""
    return gambling.log_fixed_point(r, gate, eta) - float(gambling.log_small_noise_floor(r, gate, eta))


def test_the_temperature_is_one_unless_given():
    for call in (
        lambda *eta: gambling.fixed_point(0.7, "dg", *eta),
        lambda *eta: gambling.log_fixed_point(0.7, "dg", *eta),
        lambda *eta: float(gambling.drift(0.2, 0.7, "dg", *eta)),
        lambda *eta: float(gambling.dg_threshold(0.7, *eta)),
        lambda *eta: float(gambling.log_small_noise_floor(0.7, "dg", *eta)),
    ):
        assert call() == call(1.0) != call(2.0)


def test_without_a_fixed_point_there_is_no_logarithm_of_one():
    for r, gate in ((gambling.CRITICAL_NOISE_RATIO, "zero-price"), (3.0, "zero-price"), (1.0, "pg")):
        assert gambling.log_fixed_point(r, gate) is None
        assert gambling.fixed_point(r, gate) is None


@pytest.mark.parametrize("distance", [1e-9, 1e-12])
def test_next_to_the_critical_ratio_the_fixed_point_keeps_its_digits(distance):
    """1 − x* = 2(1 − r/r_c) to first order; a search would have as many digits as 1 − x* has above rounding."""
    r = gambling.CRITICAL_NOISE_RATIO * (1 - distance)
    gap = 2 * (1 - r / gambling.CRITICAL_NOISE_RATIO)
    assert gambling.log_fixed_point(r) == pytest.approx(-gap, rel=20 * distance, abs=0)


def test_the_threshold_of_dg_on_both_sides_of_one_and_far_beyond():
    """In k = 2η/r²: one up to k = 1, the smaller root of x = e^{−k(1−x)} above, e^{−k} for large k."""
    k = np.array([0.3, 1.0, 1.01, 1.5, 2.0, 5.0, 39.0, 45.0, 700.0])
    x = gambling.dg_threshold(1.0, k / 2)
    assert x.dtype == np.float64
    np.testing.assert_array_equal(x[:2], 1)
    assert (np.diff(x[1:]) < 0).all()
    np.testing.assert_allclose(np.log(x[2:]), -k[2:] * (1 - x[2:]), rtol=1e-12)
    np.testing.assert_allclose(x[-2:], np.exp(-k[-2:]), rtol=1e-13)


def test_false_positives_in_logarithms_are_those_of_the_probability():
    x, r = np.linspace(0, 1, 9), np.array([[0.2], [1.0], [30.0]])
    found = gambling.log_false_positive_probability(x, r)
    np.testing.assert_allclose(found, np.log(gambling.false_positive_probability(x, r)), rtol=1e-12)


@pytest.mark.parametrize("gate", gambling.GATES)
def test_drifts_have_the_shape_of_all_arguments_together(gate):
    for shapes in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        x, r, eta = (np.full(shape, value) for shape, value in zip(shapes, (0.2, 0.7, 1.5), strict=True))
        found = gambling.drift(x, r, gate, eta)
        assert found.shape == (3,)
        np.testing.assert_array_equal(found, gambling.drift(0.2, 0.7, gate, 1.5))


def test_the_zero_price_floor_is_approached_like_three_r_squared():
    for r in (0.02, 0.05, 0.1):
        assert error(r) / r**2 == pytest.approx(-3, rel=10 * r**2)


@pytest.mark.parametrize("eta", [0.3, 0.4, 0.5, 1.0, 4.0])
def test_the_warm_floor_is_approached_exponentially(eta):
    """The safe arm's x/2 is a share e^{−(2η − 1/2)/r²}, times a power of 1/r, of the gamble's size: slow near 1/4."""
    for r in (0.02, 0.05, 0.1, 0.2):
        if (2 * eta - 0.5) / r**2 > 10:
            assert abs(error(r, "dg", eta)) < math.exp(-(2 * eta - 0.5) / r**2) / r**6 + 1e-11
    assert error(0.1, "dg", 0.26) < -6


@pytest.mark.parametrize("eta", [0.02, 0.1, 0.2])
def test_the_cold_floor_is_approached_like_r_squared_log_r(eta):
    rates = [abs(error(r, "dg", eta)) / (r**2 * math.log(1 / r)) for r in (0.001, 0.003, 0.01)]
    assert max(rates) < 2 * min(rates)


@pytest.mark.parametrize("eta", [0.1, 0.3, 0.5])
def test_the_large_noise_gap_is_approached_like_one_over_r_squared(eta):
    errors = [(1 - gambling.fixed_point(r, "dg", eta)) * r**2 / (4 * eta) - 1 for r in (30.0, 100.0, 300.0)]
    assert abs(errors[2]) < 2e-3
    assert abs(errors[0] / errors[1]) == pytest.approx((100 / 30) ** 2, rel=0.2)


def test_the_floor_of_the_top_rate_is_the_lowest_rest_point():
    for rate in (0.01, 0.1, 0.5, 0.9):
        for r in (0.06, 0.1):
            lowest = gambling_top_rate.top_rate_points(r, rate)[0]
            assert lowest.stable
            assert math.log(lowest.x) == pytest.approx(float(gambling_top_rate.log_top_rate_floor(r, rate)), abs=1e-9)


def test_the_drift_of_dg_never_falls_for_any_number_of_arms():
    generator = np.random.default_rng(11)
    for _ in range(200):
        x = np.sort(1 / (1 + np.exp(-generator.uniform(-12, 12, 20))))
        r, eta = np.exp(generator.uniform([-3, -4], [5, 4]))
        drift = gambling.drift(x, r, "dg", eta, n_arms=int(generator.integers(2, 50)))
        assert np.diff(drift).min() > -1e-9 * max(1, r)


def test_the_corner_attracts_exactly_above_its_noise_ratio():
    generator = np.random.default_rng(12)
    for _ in range(100):
        rate = generator.uniform(0.01, 0.99)
        edge = float(gambling_top_rate.corner_noise_ratio(rate))
        below, above = (float(gambling_top_rate.top_rate_drift(1 - 1e-9, edge * f, rate)) for f in (0.99, 1.01))
        assert below > 0 > above


def test_rest_points_at_random_rates():
    """The lowest is stable; below the corner's ratio there is one; above it they come in pairs, or there is none."""
    generator = np.random.default_rng(13)
    seen = set()
    for _ in range(60):
        rate, r = generator.uniform(0.005, 0.995), float(np.exp(generator.uniform(-2, 2)))
        points = gambling_top_rate.top_rate_points(r, rate)
        attracts = bool(r > gambling_top_rate.corner_noise_ratio(rate))
        assert len(points) % 2 == (0 if attracts else 1)
        assert [point.stable for point in points] == [k % 2 == 0 for k in range(len(points))]
        seen.add((attracts, len(points)))
    assert {(False, 1), (True, 0)} <= seen


def test_a_smaller_rate_has_the_higher_floor_at_small_noise():
    generator = np.random.default_rng(14)
    for _ in range(40):
        r, (low, high) = generator.uniform(0.1, 0.5), np.sort(generator.uniform(0.005, 0.5, 2))
        floors = [gambling_top_rate.top_rate_points(r, rate)[0].x for rate in (low, high)]
        assert floors[0] > floors[1] or high < 1.001 * low


def test_equal_noise_at_random_rates():
    """Above the ratio one stable point; below it none, or a pair whose upper point is the stable one."""
    generator, seen = np.random.default_rng(15), set()
    for _ in range(16):
        rate, factor = generator.uniform(0.02, 0.98), float(np.exp(generator.uniform(-1, 1)))
        if abs(rate - 0.5) < 0.03:
            continue
        r = factor * gambling_equal_noise.equal_noise_floor_ratio(rate)
        points = tuple(point.stable for point in gambling_equal_noise.equal_noise_top_rate_points(r, rate))
        assert points == (True,) if factor > 1 else points in ((), (False, True))
        seen.add(points)
    assert seen == {(True,), (), (False, True)}


def test_equal_noise_under_dg_has_one_floor_below_one_half():
    generator = np.random.default_rng(16)
    for _ in range(60):
        r, eta = (float(value) for value in np.exp(generator.uniform([-1, -3], [4, 3])))
        floor = gambling_equal_noise.equal_noise_fixed_point(r, "dg", eta)
        assert 0 < floor < 0.5
        x = np.unique(np.concatenate([np.geomspace(max(floor * 1e-3, 1e-290), 0.5, 60), np.linspace(0.5, 0.999, 30)]))
        signs = np.sign(gambling_equal_noise.equal_noise_drift(x, r, "dg", eta))
        assert np.count_nonzero(np.diff(signs)) <= 1
        assert signs[-1] == 1


def test_the_floor_ratio_solves_its_equation():
    for rate, ratio in ((0.03, 0.91), (0.1, 1.74), (0.4, 39.28)):
        found = gambling_equal_noise.equal_noise_floor_ratio(rate)
        assert found == pytest.approx(ratio, abs=5e-3)
        assert float(positive_part(1 / found)) == pytest.approx(float(isoperimetric(rate)), rel=1e-12)
