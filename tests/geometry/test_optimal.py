"""The best gates of a rate, against every vertex, a general optimiser and the iteration that fails."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_gate, best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.moments import gradient_moments
from kondo_theory.screening import kept_at_rate, screen_context


def bandits(n, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        k = int(rng.integers(2, 6))
        yield rng.dirichlet(np.ones(k)), rng.normal(size=k), float(rng.uniform(0.02, 0.98))


def arms(policy, advantage):
    """a and ‖g‖² of each arm, written out."""
    phi = np.eye(len(policy)) - policy
    direction = (policy * advantage) @ phi
    return advantage * (phi @ direction) / np.linalg.norm(direction), advantage**2 * (phi**2).sum(axis=1)


def vertices(policy, rate):
    """All gates of the rate that split at most one arm."""
    for chosen in itertools.product((0.0, 1.0), repeat=len(policy)):
        left = rate - policy @ chosen
        for arm in np.flatnonzero(np.array(chosen) == 0):
            if 0 <= left <= policy[arm]:
                yield np.array([left / policy[arm] if a == arm else one for a, one in enumerate(chosen)])


def test_it_is_the_best_of_all_gates_that_split_at_most_one_arm():
    for policy, advantage, rate in bandits(60):
        found = best_gate(policy, advantage, rate)
        least = min(float(cost_of_signal(policy, advantage, gate)) for gate in vertices(policy, rate))
        np.testing.assert_allclose(found.cost_of_signal, least, rtol=1e-10)
        np.testing.assert_allclose(cost_of_signal(policy, advantage, found.keep), least, rtol=1e-10)
        np.testing.assert_allclose(policy @ found.keep, rate, rtol=1e-12)
        assert np.sum((found.keep > 1e-12) & (found.keep < 1 - 1e-12)) <= 1


def test_no_gate_of_the_rate_is_better():
    rng = np.random.default_rng(1)
    for policy, advantage, rate in bandits(15, seed=2):
        least = float(best_gate(policy, advantage, rate).cost_of_signal)
        assert least >= 1 - 1e-12
        for _ in range(40):
            scores = rng.normal(size=len(policy))
            mixed = rng.random() * kept_at_rate(policy, scores, rate)
            mixed = (
                mixed + (1 - mixed @ policy / rate) * rate
                if rng.random() < 0.5
                else kept_at_rate(policy, scores, rate)
            )
            if np.all(mixed <= 1):
                assert float(cost_of_signal(policy, advantage, mixed)) >= least - 1e-9


def test_it_keeps_the_top_by_its_own_exchange_rate():
    for policy, advantage, rate in bandits(40, seed=3):
        found = best_gate(policy, advantage, rate)
        along, square = arms(policy, advantage)
        again = kept_at_rate(policy, along - found.exchange / 2 * square, rate)
        np.testing.assert_allclose(cost_of_signal(policy, advantage, again), found.cost_of_signal, rtol=1e-9)


def test_the_cost_is_that_of_the_exact_moments():
    for policy, advantage, rate in bandits(20, seed=4):
        keep = kept_at_rate(policy, np.abs(advantage), rate)
        m = gradient_moments(policy, advantage, keep, keep)
        power = m.signal**2 + m.perpendicular_bias**2 + m.var_parallel + m.var_perpendicular
        expected = rate * power / m.signal**2 if m.signal > 0 else np.inf
        np.testing.assert_allclose(cost_of_signal(policy, advantage, keep), expected, rtol=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.3])
def test_delight_is_the_best_in_a_symmetric_context_while_it_keeps_successes_alone(rate):
    policy, advantage = symmetric_arms(10, 0.3, 0.25)
    keep = screen_context(policy, advantage, "delight", rate).keep
    np.testing.assert_allclose(cost_of_signal(policy, advantage, keep), 1.0, rtol=1e-12)
    np.testing.assert_allclose(best_gate(policy, advantage, rate).cost_of_signal, 1.0, rtol=1e-12)


def test_with_graded_rewards_delight_can_have_next_to_no_signal():
    policy, advantage = evenly_graded(10, 0.3, 0.65)
    delight = screen_context(policy, advantage, "delight", 0.1).keep
    assert round(float(cost_of_signal(policy, advantage, delight))) == 29
    assert round(float(best_gate(policy, advantage, 0.1).cost_of_signal), 1) == 1.3
    assert cost_of_signal(policy, advantage, screen_context(policy, advantage, "delight", 0.03).keep) == np.inf


def test_iterating_the_exchange_rate_can_end_far_from_the_best():
    policy, advantage, rate = np.array([0.8, 0.15, 0.05]), np.array([0.5, 0.25, 1.0]), 0.2
    along, square = arms(policy, advantage)
    keep = np.full(3, rate)
    for _ in range(30):
        before = keep
        exchange = policy @ (keep * along) / (policy @ (keep * square))
        keep = kept_at_rate(policy, along - exchange / 2 * square, rate)
    np.testing.assert_array_equal(keep, before)
    np.testing.assert_allclose(cost_of_signal(policy, advantage, keep), 13.80, atol=0.005)
    np.testing.assert_allclose(best_gate(policy, advantage, rate).cost_of_signal, 3.58, atol=0.005)


def test_the_unbiased_gate_against_a_general_optimiser():
    for policy, advantage, rate in bandits(15, seed=6):
        square = arms(policy, advantage)[1]
        found = best_unbiased_gate(policy, advantage, rate)
        np.testing.assert_allclose(policy @ found, rate, rtol=1e-12)
        result = minimize(
            lambda w, p=policy, q=square: float(np.sum(p * q / w)),
            np.full(len(policy), rate),
            jac=lambda w, p=policy, q=square: -p * q / w**2,
            bounds=[(1e-4, 1.0)] * len(policy),
            constraints={"type": "eq", "fun": lambda w, p=policy, r=rate: p @ w - r, "jac": lambda w, p=policy: p},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert np.sum(policy * square / found) <= result.fun * (1 + 1e-6)


def test_the_unbiased_gate_where_few_samples_have_a_gradient():
    policy, advantage = np.array([0.1, 0.2, 0.7]), np.array([1.0, 0.5, 0.0])
    np.testing.assert_allclose(best_unbiased_gate(policy, advantage, 0.6), [1, 1, 3 / 7])
    np.testing.assert_allclose(best_unbiased_gate(policy, advantage, 0.3), [1, 1, 0], atol=1e-12)
    assert best_unbiased_gate(policy, advantage, 0.2)[2] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_gate([0.5, 0.5], [1.0, 1.0], 0.1), "the length of the true gradient must be positive, got 0.0"),
        (lambda: best_gate([0.5, 0.5], [1.0, 0.0], 0.0), r"rate must be in \(0, 1\], got 0.0"),
        (lambda: cost_of_signal([0.5, 0.5], [1.0, 0.0], [2.0, 0.0]), r"keep must be in \[0, 1\], got 2.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
