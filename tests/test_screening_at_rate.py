"""What a screening rule keeps of a context at a rate: probabilities, moments, and the limit of exact selection."""

import numpy as np
import pytest

from kondo_theory.gate import select
from kondo_theory.moments import gradient_moments
from kondo_theory.screening import RULES, SAMPLE_RULES, TOKEN_RULES, additive_threshold, kept_at_rate, screen_context


def test_kept_at_rate():
    policy, score = [0.1, 0.2, 0.3, 0.4], [3.0, 1.0, 1.0, -np.inf]
    np.testing.assert_allclose(kept_at_rate(policy, score, 0.05), [0.5, 0, 0, 0])
    np.testing.assert_allclose(kept_at_rate(policy, score, 0.1), [1, 0, 0, 0])
    np.testing.assert_allclose(kept_at_rate(policy, score, 0.35), [1, 0.5, 0.5, 0])
    np.testing.assert_allclose(kept_at_rate(policy, score, 1.0), [1, 1, 1, 0])
    batch = kept_at_rate(policy, score, np.array([[0.05], [1.0]]))
    assert batch.shape == (2, 1, 4)
    np.testing.assert_allclose(batch[:, 0], [[0.5, 0, 0, 0], [1, 1, 1, 0]])


@pytest.mark.parametrize("name", sorted({**SAMPLE_RULES, **TOKEN_RULES}))
def test_screened_context_is_the_limit_of_exact_selection(name):
    """A large batch that keeps exactly the top ρ, ties at random, has the composition of the limit."""
    rng = np.random.default_rng(3)
    policy, advantage, size, rate = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.4, -0.6, 1.0, -0.6]), 400_000, 0.12
    screened = screen_context(policy, advantage, name, rate)
    arms = rng.choice(4, size=size, p=policy)
    entropy = np.full(size, -np.sum(policy * np.log(policy)))
    score = RULES[name](advantage[arms], -np.log(policy)[arms], entropy)
    kept = select(score, rate, rng)
    share = np.bincount(arms[kept], minlength=4) / size
    expected = policy * screened.keep
    assert np.all(np.abs(share - expected) < 5 * np.sqrt(policy / size))
    np.testing.assert_allclose(screened.backward_rate, expected.sum())
    np.testing.assert_allclose(screened.composition, expected / expected.sum())
    np.testing.assert_allclose(screened.composition.sum(), 1)
    if name != "uniform":  # negative control: the rule reversed keeps something else
        reverse = kept_at_rate(policy, -score_of(name, policy, advantage), rate)
        if not np.allclose(reverse, screened.keep):
            assert np.any(np.abs(share - policy * reverse) > 5 * np.sqrt(policy / size))


def score_of(name, policy, advantage):
    return RULES[name](advantage, -np.log(policy), np.full_like(policy, -np.sum(policy * np.log(policy))))


def test_screened_moments_and_efficiency():
    policy, advantage = np.array([0.5, 0.3, 0.2]), np.array([0.4, -0.6, 1.0])
    screened = screen_context(policy, advantage, "delight", 0.1)
    np.testing.assert_allclose(screened.keep, [0, 0, 0.5])
    expected = gradient_moments(policy, advantage, screened.keep, screened.keep)
    assert screened.moments.signal == expected.signal
    np.testing.assert_allclose(screened.efficiency_per_backward(10), expected.efficiency(100))


def test_arms_that_are_never_played_take_no_share():
    np.testing.assert_allclose(kept_at_rate([0.5, 0.0, 0.5], [3.0, 2.0, 1.0], 0.6)[[0, 2]], [1, 0.2])
    np.testing.assert_array_equal(screen_context([0.5, 0.0, 0.5], [1, 0.5, -1], "advantage", 0.6).composition[1], 0)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("score", [[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [1.0, 3.0, 2.0]])
def test_an_arm_that_is_never_played_has_the_limit_of_a_rare_one(score, rate):
    def policy(rare):
        return [rare, 0.6 - rare, 0.4]

    np.testing.assert_allclose(
        kept_at_rate(policy(0.0), score, rate), kept_at_rate(policy(2.0**-40), score, rate), atol=1e-3
    )


def test_policies_scores_and_rates_broadcast():
    policies, scores = np.random.default_rng(6).dirichlet(np.ones(3), size=4), np.array([[1.0, 2, 3], [3, 2, 1]])
    found = kept_at_rate(policies[:, None], scores[None], 0.3)
    assert found.shape == (4, 2, 3)
    for i, j in np.ndindex(4, 2):
        np.testing.assert_array_equal(found[i, j], kept_at_rate(policies[i], scores[j], 0.3))
    np.testing.assert_array_equal(kept_at_rate(policies, scores[0], 0.3), found[:, 0])
    np.testing.assert_array_equal(kept_at_rate(policies[0], scores, 0.3), found[0])


def test_a_rule_of_your_own_sees_the_entropy_of_each_context():
    policies = np.array([[0.5, 0.5, 0.0], [0.9, 0.05, 0.05]])
    seen = []

    def own(advantage, surprisal, policy_entropy):
        seen.append(policy_entropy)
        return advantage

    screen_context(policies, [1.0, 0.0, -1.0], own, 0.5)
    expected = np.array([[np.log(2)], [-0.9 * np.log(0.9) - 0.1 * np.log(0.05)]])
    np.testing.assert_allclose(seen[0], expected * np.ones(3), rtol=1e-15)


def test_rules_in_one_correct_arm_context():
    """At p > 1/K and a low rate, surprisal keeps only failures, delight and advantage only successes."""
    policy = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    advantage = np.where(np.arange(5) == 0, 0.5, -0.5)
    correct = {
        name: float(screen_context(policy, advantage, name, 0.2).composition[0])
        for name in ("delight", "advantage", "surprisal", "uniform", "positive-surprisal")
    }
    assert correct == pytest.approx(dict(zip(correct, (1, 1, 0, 0.6, 1), strict=True)))
    threshold = additive_threshold(0.6, 5)
    for alpha, share in ((threshold - 1e-6, 0), (threshold + 1e-6, 1)):
        screened = screen_context(policy, advantage, "additive", 0.2, alpha=alpha)
        assert screened.composition[0] == pytest.approx(share)
    assert screen_context(policy, advantage, "surprisal", 0.2).moments.cosine == pytest.approx(1)  # failures aim true
    assert screen_context(policy, advantage, "surprisal", 0.2).moments.var_perpendicular > 0
    assert screen_context(policy, advantage, "delight", 0.2).moments.var_perpendicular == 0


def test_screening_broadcasts_over_contexts_and_rates():
    policy = np.random.default_rng(4).dirichlet(np.ones(4), size=3)
    screened = screen_context(policy, [1.0, 0.0, -1.0, 0.5], "delight", np.array([[0.1], [0.5]]))
    assert screened.keep.shape == (2, 3, 4)
    assert screened.moments.signal.shape == screened.backward_rate.shape == (2, 3)
    closed = screen_context([0.5, 0.5], [1.0, -1.0], lambda u, s, h: np.full_like(u, -np.inf), 0.5)
    assert closed.backward_rate == 0
    assert np.all(np.isnan(closed.composition))
    assert closed.efficiency_per_backward(5) == 0
