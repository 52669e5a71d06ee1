"""Moments of arms that another policy drew, by enumeration, and the closed forms of broken actors."""

from __future__ import annotations

import numpy as np
import pytest

from kondo_theory.moments import gradient_moments
from kondo_theory.off_policy import (
    METHODS,
    SURPRISALS,
    chi_square,
    contaminated_pg_cosine,
    failing_weight_bound,
    imitation_floor,
    mixed_behaviour,
    off_policy_moments,
)


def enumerated(method, policy, behaviour, reward, b, corruption, eta, rate, surprisal, jacobian):
    """Return signal, bias, both variances and the backward rate from a list of all outcomes."""
    n = len(policy)
    scores = (np.eye(n) - policy) @ jacobian
    true = (policy * reward) @ scores
    u = true / np.linalg.norm(true)
    seen = policy if surprisal == "learner" else behaviour
    paid = reward + corruption * (1 - reward)
    outcomes = [
        (-advantage * np.log(seen[a]), advantage, chance, a)
        for a in range(n)
        for advantage, chance in ((1 - b, behaviour[a] * paid[a]), (-b, behaviour[a] * (1 - paid[a])))
    ]
    left, drawn = rate, []
    for delight, advantage, chance, a in sorted(outcomes, key=lambda each: -each[0]):
        share = float(np.clip(left / chance, 0, 1)) if chance > 0 else 0.0
        left -= chance
        keep = {"zero-price": float(advantage > 0), "rate": share}.get(method, 1.0)
        weight = {"dg": 1 / (1 + np.exp(-delight / eta)), "importance-weighted": policy[a] / behaviour[a]}.get(
            method, 1.0
        )
        drawn += [(chance * keep, weight * advantage * scores[a]), (chance * (1 - keep), 0 * u)]
    chances, gradients = np.array([c for c, _ in drawn]), np.array([g for _, g in drawn])
    mean = chances @ gradients
    apart = gradients - mean
    parallel = chances @ (apart @ u) ** 2
    across = np.linalg.norm(mean - (mean @ u) * u)
    return [mean @ u, across, parallel, chances @ (apart**2).sum(axis=1) - parallel, chances[::2].sum()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("surprisal", SURPRISALS)
def test_moments_are_those_of_the_enumeration(method, surprisal):
    rng = np.random.default_rng(3)
    for trial in range(30):
        n = int(rng.integers(2, 7))
        policy, behaviour = rng.dirichlet(np.ones(n), 2)
        reward = (np.arange(n) == 0) * 1.0 if trial % 2 else rng.random(n)
        b, corruption, eta, rate = (
            rng.uniform(0.05, 0.9),
            rng.random() * (trial % 3 == 0),
            rng.uniform(0.3, 2),
            rng.random(),
        )
        jacobian = rng.normal(size=(n, n)) if trial % 5 == 0 else np.eye(n)
        found = off_policy_moments(
            method, policy, behaviour, reward, b, corruption=corruption, temperature=eta, rate=rate,
            surprisal=surprisal, kernel=jacobian @ jacobian.T if trial % 5 == 0 else None,
        )  # fmt: skip
        m = found.moments
        expected = enumerated(method, policy, behaviour, reward, b, corruption, eta, rate, surprisal, jacobian)
        got = [m.signal, m.perpendicular_bias, m.var_parallel, m.var_perpendicular, found.backward_rate]
        scale = max(1.0, float(np.max(np.abs(expected))))
        assert np.delete(got, 1) == pytest.approx(np.delete(expected, 1), abs=1e-12 * scale)
        assert got[1] == pytest.approx(expected[1], abs=1e-7 * scale)  # a square root of rounding where it is zero


def test_a_behaviour_that_is_the_policy_changes_nothing():
    policy, advantage = [0.5, 0.3, 0.2], [0.5, -0.5, -0.2]
    on = gradient_moments(policy, advantage, 0.7, 0.7)
    off = gradient_moments(policy, advantage, 0.7, 0.7, behaviour=policy)
    for name in ("signal", "perpendicular_bias", "var_parallel", "var_perpendicular", "cosine"):
        assert getattr(off, name) == pytest.approx(float(getattr(on, name)), rel=1e-13, abs=1e-15)


def test_what_is_no_behaviour_is_refused():
    with pytest.raises(ValueError, match=r"behaviour must be zero where the policy is, got 0.5"):
        gradient_moments([1.0, 0.0, 0.0], [1.0, 0.5, 0.0], 1.0, 1.0, direction=[1, 0, 0], behaviour=[0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match="behaviour must be positive wherever the policy is"):
        off_policy_moments("importance-weighted", [0.5, 0.5], [1.0, 0.0], [1, 0], 0.5)
    with pytest.raises(ValueError, match="surprisal must be one of learner, actor"):
        off_policy_moments("dg", [0.5, 0.5], [0.5, 0.5], [1, 0], 0.5, surprisal="teacher")
    with pytest.raises(ValueError, match="method must be"):
        off_policy_moments("ppo", [0.5, 0.5], [0.5, 0.5], [1, 0], 0.5)
    with pytest.raises(ValueError, match="length of the true gradient must be positive"):
        off_policy_moments("pg", [0.5, 0.5], [0.5, 0.5], [1, 1], 0.5)


def test_the_variance_of_importance_weights():
    policy, behaviour = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5])
    ratios = policy / behaviour
    assert chi_square(policy, behaviour) == pytest.approx(behaviour @ ratios**2 - (behaviour @ ratios) ** 2)
    assert chi_square(policy, policy) == 0
    assert chi_square(policy, [0.0, 0.5, 0.5]) == np.inf


def test_pg_under_contamination_is_the_enumeration():
    rng = np.random.default_rng(5)
    for _ in range(40):
        learner, actor = rng.dirichlet(np.full(4, 0.5), 2)
        error, share, b, right = rng.uniform(0.01, 0.99, 4)
        policy = np.concatenate([[1 - error], error * learner])
        behaviour = mixed_behaviour(policy, share, np.concatenate([[right], (1 - right) * actor]))
        found = off_policy_moments("pg", policy, behaviour, np.eye(5)[0], b).moments.cosine
        closed = contaminated_pg_cosine(error, learner, share, actor, b, actor_correct=right)
        assert closed == pytest.approx(float(found), abs=1e-10)


def test_the_published_example_stays_bounded():
    even, one = np.full(99, 1 / 99), np.arange(99) == 0
    policy = np.concatenate([[1 - 1e-5], 1e-5 * even])
    behaviour = mixed_behaviour(policy, 0.1, np.concatenate([[0], one]))
    cosine = {
        whose: float(off_policy_moments("dg", policy, behaviour, np.eye(100)[0], 0.5, surprisal=whose).moments.cosine)
        for whose in SURPRISALS
    }
    assert contaminated_pg_cosine(1e-5, even, 0.1, one, 0.5) == pytest.approx(0.71073, abs=1e-5)
    assert cosine == pytest.approx({"learner": 0.75554, "actor": 0.71073}, abs=1e-5)


@pytest.mark.parametrize(
    ("corruption", "share", "right", "floor"),
    [
        (0.1, 0.2, 0.0, 0.02 / 0.72),
        (0.6, 0.6, 0.0, 1.0),
        (0.0, 0.5, 0.3, 0.0),
        (0.3, 0.0, 0.0, 0.0),
        (0.2, 1.0, 0.5, 1 / 6),
    ],
)
def test_the_floor_of_imitation(corruption, share, right, floor):
    assert imitation_floor(corruption, share, actor_correct=right) == pytest.approx(floor)


def test_the_floor_has_all_its_digits_where_learning_is_nearly_lost():
    """r + δ is next to one, where both roots are."""
    r, share = 0.5, 0.5 - 1e-9
    assert 1 - imitation_floor(r, share) == pytest.approx(1 - r * share / ((1 - r) * (1 - share)), rel=1e-6)


def test_the_bound_is_met_by_no_weight():
    assert failing_weight_bound(0.01, -0.5) == pytest.approx(0.1)
    assert failing_weight_bound(0.3, 0.0) == 1


def test_with_the_actors_own_mean_as_baseline_pg_never_turns_away():
    """Its mean is μ_y(e_y − μ), in which π is not; with the learner's confidence it can point the other way."""
    rng = np.random.default_rng(3)
    policy, behaviour = rng.dirichlet(np.full(5, 0.3), (2, 200))
    reward = np.eye(5)[0]
    direction = reward - policy
    for baseline, least in ((behaviour[:, 0], 0.0), (np.sum(policy**2, axis=1), -1.0)):
        found = off_policy_moments("pg", policy, behaviour, reward, np.minimum(baseline, 0.999999)).moments
        if least == 0:
            expected = behaviour[:, :1] * (reward - behaviour)
            unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
            assert found.signal == pytest.approx(np.sum(expected * unit, axis=1), abs=1e-12)
            assert (found.cosine > 0).all()
        else:
            assert (found.cosine < -0.5).any(), "a control"
