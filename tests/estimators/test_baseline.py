"""Baselines of least noise and the best step, against minima over a grid, enumeration and second derivatives."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from kondo_theory.estimators import (
    best_baseline,
    best_step,
    dg_baseline,
    least_gated_cost,
    least_unbiased_cost,
    median_baseline,
    reward_smoothness,
    soft_baseline,
    wrong_score_ratio,
)
from kondo_theory.geometry.optimal import best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import (
    dg_weights,
    optimal_pg_baseline,
    pg_moments,
    symmetric_arms,
    symmetric_moments,
)
from kondo_theory.moments import gradient_moments

POLICY, REWARDS = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.2, 1.0, 0.0, 0.6])
KEEP = np.array([0.3, 0.9, 0.5, 0.8])
PHI = np.eye(4) - POLICY
TRUE = (POLICY * REWARDS) @ PHI


def noise(b, keep, soft=False):
    """E‖g‖²/(E g·u)², by the outcomes of one sample."""
    g = (REWARDS - b)[:, None] * PHI
    second = POLICY * (keep**2 if soft else keep) @ (g**2).sum(axis=1)
    return second / ((POLICY * keep) @ g @ TRUE / np.linalg.norm(TRUE)) ** 2


@pytest.mark.parametrize(("keep", "soft"), [(np.ones(4), False), (KEEP, False), (KEEP, True)])
def test_no_baseline_has_less_noise(keep, soft):
    found = best_baseline(POLICY, REWARDS, keep, soft=soft)
    assert found.noise == pytest.approx(noise(found.baseline, keep, soft), rel=1e-12)
    searched = minimize_scalar(lambda b: noise(b, keep, soft), bounds=(-1, 1.5), method="bounded")
    assert found.baseline == pytest.approx(searched.x, abs=1e-4)
    assert found.noise <= searched.fun * (1 + 1e-12)


def test_pg_has_the_classical_baseline_and_a_gate_another():
    square = POLICY * (PHI**2).sum(axis=1)
    classical = square @ REWARDS / square.sum()
    assert best_baseline(POLICY, REWARDS).baseline == pytest.approx(classical, rel=1e-12)
    kept = (square * KEEP) @ REWARDS / (square @ KEEP)  # PG's formula over what is kept: not the gate's best
    assert noise(kept, KEEP) > 1.02 * best_baseline(POLICY, REWARDS, KEEP).noise


@pytest.mark.parametrize(("p", "n_arms"), [(0.3, 10), (0.7, 3)])
def test_drawn_gates_share_the_baseline_in_a_symmetric_context(p, n_arms):
    policy, rewards = symmetric_arms(n_arms, p, 0.0)
    for up, down in ((1.0, 0.1), (0.2, 0.9)):
        keep = np.where(rewards > 0, up, down)
        found = best_baseline(policy, rewards, keep)
        assert found.baseline == pytest.approx(optimal_pg_baseline(p, n_arms), rel=1e-10)
        assert cost_of_signal(policy, rewards - found.baseline, keep) == pytest.approx(
            least_gated_cost(p, n_arms, up, down), rel=1e-10
        )
        weighted = best_baseline(policy, rewards, keep, soft=True)
        assert weighted.baseline == pytest.approx(soft_baseline(p, n_arms, up, down), rel=1e-10)
        assert weighted.noise == pytest.approx(best_baseline(policy, rewards).noise, rel=1e-10)


@pytest.mark.parametrize("eta", [0.02, 0.05, 0.1, 0.3, 1.0, 20.0])
@pytest.mark.parametrize(("p", "n_arms"), [(0.3, 10), (0.001, 1000), (1e-6, 3), (0.9, 2)])
def test_dg_at_its_own_baseline_has_pgs_noise(p, n_arms, eta):
    def excess(b):
        up, down = dg_weights(p, n_arms, b, eta)
        return np.log(up) + np.log1p(-b) - np.log(down) - np.log(b) - np.log(p / (1 - p)) - 2 * np.log(D)

    b, D = float(dg_baseline(p, n_arms, eta)), float(wrong_score_ratio(p, n_arms))
    smaller = np.geomspace(1e-3 * min(b, 1e-3), min(b, 1 - 1e-12) * (1 - 1e-9), 2_000)
    assert (np.array([float(excess(x)) for x in smaller]) > 0).all()  # of several it is the least
    if b < 1 - 1e-6:
        assert float(excess(b)) == pytest.approx(0, abs=1e-9)
        found = symmetric_moments(p, n_arms, b, *dg_weights(p, n_arms, b, eta))
        pg = pg_moments(p, n_arms, optimal_pg_baseline(p, n_arms))
        noises = [(x.var_parallel + x.var_perpendicular) / x.signal**2 for x in (found, pg)]
        assert noises[0] == pytest.approx(noises[1], rel=1e-6, abs=1e-9)
    if (p, eta) == (0.3, 0.1):
        assert 1 - b == pytest.approx(0.7e-10, rel=0.05)


def test_negative_control_the_fixed_point_is_not_the_best_of_a_gate_that_moves():
    def cost(b):
        policy, advantage = symmetric_arms(10, 0.3, b)
        return float(cost_of_signal(policy, advantage, 1 / (1 + policy ** (advantage / 0.3))))

    fixed = cost(float(optimal_pg_baseline(0.3, 10)))
    assert (round(fixed, 2), round(cost(0.6), 2)) == (1.34, 1.06)


def test_the_median_is_the_best_for_the_best_unbiased_gate():
    rate = 0.02

    def cost(b):
        g = ((REWARDS - b)[:, None] * PHI) ** 2
        keep = best_unbiased_gate(POLICY, REWARDS - b, rate)
        return rate * np.sum(POLICY * g.sum(axis=1) / np.where(keep > 0, keep, 1.0)) / (TRUE @ TRUE)

    found = median_baseline(POLICY, REWARDS)
    assert found.noise == pytest.approx(cost(found.baseline), rel=1e-6)
    assert found.noise < min(cost(b) for b in np.linspace(-0.2, 1.2, 30)) * (1 + 1e-9)
    policy, rewards = symmetric_arms(6, 0.4, 0.0)
    assert median_baseline(policy, rewards).baseline == 0
    assert median_baseline(policy, rewards).noise == pytest.approx(float(least_unbiased_cost(0.4, 6, 0.0)))


def test_the_step_and_its_gain():
    moments = gradient_moments(POLICY, REWARDS - 0.4, KEEP, KEEP)
    length = float(np.linalg.norm(TRUE))
    best = float(best_step(moments, length, 7, 0.5))

    def gain(eta):
        second = moments.signal**2 + moments.perpendicular_bias**2
        second += (moments.var_parallel + moments.var_perpendicular) / 7
        return eta * length * moments.signal - 0.25 * eta**2 * second

    assert gain(best) == pytest.approx(length**2 * moments.efficiency(7), rel=1e-12)
    assert gain(best) > max(gain(0.99 * best), gain(1.01 * best))


def test_the_softmax_is_as_smooth_as_said_and_not_much_smoother():
    rng, largest = np.random.default_rng(0), 0.0
    for _ in range(300):
        n = int(rng.integers(2, 6))
        policy, rewards, v = rng.dirichlet(np.full(n, 0.5)), rng.random(n).round(), rng.normal(size=n)
        v /= np.linalg.norm(v)
        z = (v - policy @ v) ** 2
        largest = max(largest, abs(policy @ (rewards * (z - policy @ z))))
    assert 0.15 < largest < reward_smoothness(1.0) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_baseline(POLICY, REWARDS, [0, 1, 0, 0]), "n₂s₀ − n₁s₁ must be positive, or no baseline"),
        (lambda: best_baseline(POLICY, np.ones(4)), "the length of the true gradient must be positive"),
        (lambda: dg_baseline(0.3, 4, 0.0), r"temperature must be in \(0"),
        (lambda: soft_baseline(0.3, 4, 0.0, 1.0), r"weight_correct must be in \(0"),
        (lambda: least_gated_cost(0.3, 4, 0.0, 1.0), r"keep_correct must be in \(0"),
        (lambda: reward_smoothness(0.0), r"spread must be in \(0"),
        (lambda: best_step(pg_moments(0.3, 4, 0.5), 0.0, 5, 1.0), r"length must be in \(0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
