"""The frontier of quality and cost against the gate itself, the value of a rate against linear programs."""

import numpy as np
import pytest
from scipy.optimize import linprog

from kondo_theory import geometry as geo
from kondo_theory.gate import gate_probability
from kondo_theory.moments import gradient_moments


def test_frontier_traces_the_gate():
    policy, advantage = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.array([1.0, -0.5, 0.2])
    prices, etas = np.linspace(-1, 1, 5), np.array([0.0, 0.2, 1.0])
    grid = geo.frontier(policy, advantage, prices, etas[:, None])
    assert grid.backward_rate.shape == grid.cosine.shape == (2, 3, 5)
    assert grid.price.shape == (3, 5)
    delight = geo.arm_delight(policy, advantage)
    np.testing.assert_allclose(delight, advantage * -np.log(policy), rtol=1e-14)
    for i, j, k in np.ndindex(2, 3, 5):
        weight = gate_probability(delight[i], float(prices[k]), float(etas[j]))
        one = gradient_moments(policy[i], advantage, weight, weight)
        np.testing.assert_allclose(grid.backward_rate[i, j, k], policy[i] @ weight, rtol=1e-13)
        np.testing.assert_allclose(grid.cosine[i, j, k], one.cosine, rtol=1e-13)
        np.testing.assert_allclose(grid.efficiency(50)[i, j, k], one.efficiency(50), rtol=1e-12)
        np.testing.assert_allclose(geo.expected_rate(delight[i], policy[i], prices[k], etas[j]), policy[i] @ weight)
    single = geo.frontier(policy[0], advantage, 0.0)
    assert np.shape(single.cosine) == ()


def test_frontier_limits():
    policy, advantage = [0.5, 0.3, 0.2], [1.0, -0.5, 0.2]
    free = geo.frontier(policy, advantage, -1e6)
    assert free.backward_rate == pytest.approx(1)
    assert free.cosine == pytest.approx(1, abs=1e-14)
    closed = geo.frontier(policy, advantage, 1e6)
    assert closed.backward_rate == 0
    assert np.isnan(closed.cosine)
    assert closed.efficiency_per_backward(10) == 0
    np.testing.assert_allclose(free.efficiency_per_backward(10), free.efficiency(10))
    hot = geo.frontier(policy, advantage, 0.0, 1e9)
    assert hot.backward_rate == pytest.approx(0.5)


def quantile_integral(values, mass, rate):
    """∫_{1−ρ}^{1} Q(u) du as a linear program: the gate w in [0, 1] with E w = ρ that collects most."""
    result = linprog(-(values * mass), A_eq=[mass], b_eq=[rate], bounds=[(0, 1)] * len(values))
    return -result.fun


def test_rate_value_is_the_best_gate():
    rng = np.random.default_rng(4)
    for _ in range(10):
        values = rng.integers(-3, 4, size=6).astype(float)
        mass = rng.dirichlet(np.ones(6))
        for rate in (0.01, 0.3, 0.77, 1.0):
            found = geo.rate_value(values, mass, rate)
            assert float(found.value) == pytest.approx(quantile_integral(values, mass, rate), abs=1e-9)
            step = 1e-7
            if rate < 1:
                ahead = (geo.rate_value(values, mass, rate + step).value - found.value) / step
                assert found.price_low - 1e-6 <= ahead <= found.price_high + 1e-6
        curve = geo.rate_value(values, mass, np.linspace(0, 1, 101)).value
        assert np.all(np.diff(curve, 2) <= 1e-12)  # concave
        budget = np.sum(mass[values > 0])
        best = geo.rate_value(values, mass, budget)
        assert best.value == pytest.approx(curve.max(), abs=0.05)
        assert best.value >= curve.max() - 1e-12


def test_price_interval_at_atoms():
    found = geo.rate_value([2.0, 1.0, -3.0], [0.3, 0.2, 0.5], [0.0, 0.1, 0.3, 0.4, 0.5, 1.0])
    np.testing.assert_allclose(found.value, [0, 0.2, 0.6, 0.7, 0.8, -0.7], atol=1e-15)
    np.testing.assert_array_equal(found.price_low, [2, 2, 1, 1, -3, -np.inf])
    np.testing.assert_array_equal(found.price_high, [np.inf, 2, 2, 1, 1, -3])
