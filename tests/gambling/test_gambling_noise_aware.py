"""Gates that noise does not take in, against quadrature, a bisected price, enumerated groups, and draws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gaussian_quadrature import quadrature
from scipy import stats

from kondo_theory import gambling
from kondo_theory.gambling import noise_aware
from kondo_theory.gambling.top_rate import top_rate_drift
from kondo_theory.screening import screen_context
from kondo_theory.token_trap import stall_point

POINTS = list(itertools.product((1e-4, 0.05, 0.3, 0.72, 0.95), (0.3, 1.0, 4.0)))
GRID = 1 / (1 + np.exp(-np.linspace(-30, 30, 301)))


def extremes_by_price(x, r, rate):
    """The same drift from a bisected price and quadrature."""
    m = 1 - x
    above = lambda price: x * (stats.norm.sf((price + m) / r) + stats.norm.cdf((m - price) / r))  # noqa: E731
    low, high = 0.0, 60 * r + 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) + m * (x > middle) > rate else (low, middle)
    price = (low + high) / 2
    share = min(max((rate - above(price)) / m, 0.0), 1.0)
    # E[U; |U| > c] folded onto u > c, so that no jump of the gate is left to be integrated.
    span = (price, max(price, m) + 14 * r)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = (span[1] - span[0]) * (nodes + 1) / 2 + span[0]
    lean = stats.norm.pdf(u, -m, r) - stats.norm.pdf(-u, -m, r)
    return x * share - float(np.sum(weights * u * lean)) * (span[1] - span[0]) / 2


@pytest.mark.parametrize(("x", "r"), POINTS)
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_extremes_against_a_bisected_price(x, r, rate):
    found = float(noise_aware.extremes_drift(x, r, rate))
    assert found == pytest.approx(extremes_by_price(x, r, rate), rel=1e-9, abs=1e-10)


def test_extremes_have_no_floor_where_delight_has():
    noise = np.array([[0.05], [1.0], [4.0], [1e3]])
    for rate in (0.01, 0.3, 0.99):
        assert np.all(noise_aware.extremes_drift(GRID, noise, rate) > 0)
        assert np.all(top_rate_drift(1e-12, noise[1:], rate) < 0)
    assert noise_aware.extremes_drift(GRID, noise, 1.0) == pytest.approx(1.0, abs=1e-9)  # PG
    assert noise_aware.extremes_drift(1e-9, noise, 0.03) == pytest.approx(1.0, abs=1e-6)
    near = noise_aware.extremes_drift(1 - 1e-7, 3.0, 0.1) / 1e-7  # 2Φ(−z) + 2zφ(z), which is ρ times the efficiency
    assert near == pytest.approx(0.1 * float(noise_aware.extremes_efficiency(0.1)), rel=1e-5)


@pytest.mark.parametrize("noise", ["laplace", "uniform", "student"])
@pytest.mark.parametrize("group_size", [2, 3])
def test_extremes_of_other_symmetric_noises_and_group_baselines_keep_the_signs(noise, group_size):
    """Mean of the group as the baseline, its spread divided out or not: drawn, not derived."""
    rng = np.random.default_rng(5)
    draw = {"laplace": rng.laplace, "uniform": lambda size: rng.uniform(-3, 3, size), "student": None}[noise]
    draw = draw or (lambda size: rng.standard_t(3, size))
    n = 300_000
    gamble = rng.random((n, group_size)) < 0.6
    reward = np.where(gamble, -1 + 3 * draw(size=(n, group_size)), 0.0)
    advantage = reward - reward.mean(1, keepdims=True)
    for divided in (advantage, advantage / (reward.std(1, keepdims=True) + 1e-6)):
        kept = np.abs(divided) > np.quantile(np.abs(divided), 0.9)
        gated = np.where(kept, divided, 0.0)
        for arm, sign in ((gamble, -1), (~gamble, 1)):
            mean, error = gated[arm].mean(), gated[arm].std() / math.sqrt(arm.sum())
            assert sign * mean > -3 * error
        assert gated[~gamble].mean() - gated[gamble].mean() > 0


def test_negative_control_a_lottery_takes_extremes_in():
    """Skewed noise, 3 with probability 1/5 and −2 else: at x = 1/2 the tenth of largest |U| are wins."""
    advantage, chance = np.array([0.5, 3.5, -1.5]), np.array([0.5, 0.1, 0.4])
    kept = screen_context(chance, advantage, "abs-advantage", 0.1).keep
    gated = kept * advantage
    assert gated[0] - (0.2 * gated[1] + 0.8 * gated[2]) == pytest.approx(-0.2 * 3.5)
    assert 0.2 * advantage[1] + 0.8 * advantage[2] == pytest.approx(-0.5)


def test_the_size_of_delight_stalls_on_tokens_and_that_of_the_advantage_does_not():
    assert 0.2 < stall_point(0.03, 10, 3, rule=lambda advantage, surprisal, _: abs(advantage) * surprisal) < 0.3
    assert stall_point(0.03, 10, 3, rule="abs-advantage") is None


@pytest.mark.parametrize(("x", "r"), POINTS)
@pytest.mark.parametrize("margin", [0.0, 0.7, 2.0])
def test_margin_against_quadrature(x, r, margin):
    span = (margin * r, margin * r + 14 * r)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u = (span[1] - span[0]) * (nodes + 1) / 2 + span[0]
    gated = float(np.sum(weights * u * stats.norm.pdf(u, x - 1, r))) * (span[1] - span[0]) / 2
    assert float(noise_aware.margin_drift(x, r, margin)) == pytest.approx(x - gated, abs=1e-11)


def test_a_margin_lowers_the_floor_and_leaves_one():
    assert noise_aware.margin_fixed_point(1.5, 0.0) == pytest.approx(gambling.fixed_point(1.5), rel=1e-10)
    assert noise_aware.margin_drift(0.3, 1.5, 0.0) == pytest.approx(gambling.drift(0.3, 1.5))
    floors = noise_aware.margin_fixed_point(2.0, np.array([0.0, 0.5, 1.0, 3.0, 6.0]))
    assert np.all(np.diff(floors) < 0)
    assert floors[-1] > 0
    for floor, margin in zip(floors, (0.0, 0.5, 1.0, 3.0, 6.0), strict=True):
        assert float(noise_aware.margin_drift(floor, 2.0, margin)) == pytest.approx(0, abs=1e-12)
    critical = float(noise_aware.margin_critical_noise_ratio(1.0))
    assert critical == pytest.approx(math.sqrt(2 * math.pi * math.e))
    assert noise_aware.margin_fixed_point(critical, 1.0) is None
    assert noise_aware.margin_fixed_point(critical * (1 - 1e-7), 1.0) == pytest.approx(1, abs=1e-6)
    near, at = (noise_aware.margin_fixed_point(critical * (1 - gap), 1.0) for gap in (0.999e-8, 1.001e-8))
    assert 1 - near == pytest.approx(1 - at, rel=0.01)
    assert np.all(noise_aware.margin_drift(GRID, 1.01 * critical, 1.0) < 0)


@pytest.mark.parametrize(("x", "r"), POINTS)
def test_a_second_draw_against_quadrature(x, r):
    kept = quadrature(lambda u: float(u > 0), x - 1, r)
    assert float(noise_aware.second_draw_drift(x, r)) == pytest.approx(x + kept * (1 - x), abs=1e-9)


def test_a_second_draw_keeps_the_sign_under_a_lottery():
    """Enumerated: keep or drop by one draw, learn from the other."""
    wins, masses = np.array([3.5, -1.5]), np.array([0.2, 0.8])
    gated = sum(masses[i] * masses[j] * (wins[i] > 0) * wins[j] for i, j in itertools.product(range(2), repeat=2))
    assert gated == pytest.approx(0.2 * (wins @ masses))
    assert gated < 0


def test_what_extremes_are_worth():
    """Squared signal over variance of the kept, over that of all, where the gap is a thousandth of the noise."""
    for rate in (0.03, 0.3, 1.0):
        z, gap = stats.norm.isf(rate / 2), 1e-3
        kept = lambda u, z=z: u * (abs(u) > z)  # noqa: E731
        mean = quadrature(kept, gap, 1.0, scale=max(z, 1e-3)) / rate
        square = quadrature(lambda u, z=z: u * u * (abs(u) > z), gap, 1.0, scale=max(z, 1e-3)) / rate
        worth = mean**2 / square / gap**2
        assert float(noise_aware.extremes_efficiency(rate)) == pytest.approx(worth, rel=2e-2)
    assert float(noise_aware.extremes_efficiency(0.03)) == pytest.approx(6.479, abs=1e-3)
