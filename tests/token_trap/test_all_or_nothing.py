"""Answers paid whole: drifts against enumeration, gradients by finite differences, groups one by one, refusals."""

import itertools

import numpy as np
import pytest

from kondo_theory.screening import kept_at_rate
from kondo_theory.token_trap.all_or_nothing import all_or_nothing_drift, expected_update
from kondo_theory.token_trap.drifts import drift

POINTS = [(3, 2, 0.6), (2, 3, 0.2), (2, 3, 1 / 3), (4, 2, 0.9), (1, 5, 0.3)]


def independent(p, T, M):
    first = np.array([p, *[(1 - p) / (M - 1)] * (M - 1)])
    return [np.broadcast_to(first, (M,) * (t + 1)) for t in range(T)]


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.7, 1.0])
@pytest.mark.parametrize(("T", "M", "p"), POINTS)
def test_equal_chances_against_all_answers(T, M, p, rate):
    at_each = [update[..., 0].sum() for update in expected_update(independent(p, T, M), rate)]
    assert at_each == pytest.approx([float(all_or_nothing_drift(p, T, M, rate))] * T, rel=1e-12)


@pytest.mark.parametrize(("T", "M", "p"), POINTS)
@pytest.mark.parametrize("S", [2, 3])
def test_groups_against_all_groups(T, M, p, S):
    """Every token of every group of S answers, gated together."""
    rate, right = 0.2, list(itertools.product((1, 0), repeat=T))
    mass, score, push = [], [], []
    for group in itertools.product(right, repeat=S):
        chance = np.prod([p if x else 1 - p for row in group for x in row])
        mean = np.mean([all(row) for row in group])
        for row in group:
            advantage = all(row) - mean
            mass += [chance / (S * T)] * T
            score += [round(advantage * -np.log(p if x else (1 - p) / (M - 1)), 12) for x in row]
            push += [advantage * (x - p) for x in row]
    mass, push = np.array(mass), np.array(push)
    expected = (mass * push * kept_at_rate(mass, np.array(score), rate)).sum()
    assert float(all_or_nothing_drift(p, T, M, rate, S)) == pytest.approx(expected, rel=1e-9)


def reward_of(logits, paid):
    total = 0.0
    for row in itertools.product(*(range(each) for each in paid.shape)):
        chance = 1.0
        for t, each in enumerate(logits):
            at = each[row[:t]]
            chance *= np.exp(at[row[t]]) / np.exp(at).sum()
        total += chance * paid[row]
    return total


def test_at_rate_one_it_is_the_gradient_of_the_mean_reward():
    rng = np.random.default_rng(5)
    logits = [rng.normal(size=(3,) * (t + 1)) for t in range(3)]
    paid = rng.random((3, 3, 3)) < 0.3
    policies = [np.exp(each) / np.exp(each).sum(-1, keepdims=True) for each in logits]
    found = expected_update(policies, 1.0, paid)
    for t, at in ((0, (1,)), (1, (2, 0)), (2, (0, 1, 2))):
        sides = []
        for step in (1e-5, -1e-5):
            moved = [each.copy() for each in logits]
            moved[t][at] += step
            sides.append(reward_of(moved, paid))
        assert found[t][at] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-9)


def test_the_updates_of_a_beginning_add_up_to_zero_and_words_that_never_come_get_none():
    policies = [np.array([0.5, 0.5, 0.0]), np.full((3, 3), 1 / 3)]
    for update in expected_update(policies, 0.1):
        assert np.abs(update.sum(-1)).max() < 1e-15
        assert np.isfinite(update).all()
    assert not expected_update(policies, 0.1)[1][2].any()


def test_where_parts_are_paid_the_same_gate_stalls():
    """T = 10, M = 2, ρ = 3 %: the drift of token-trap has two signs, this one has one."""
    p = np.linspace(0.501, 0.999, 400)
    assert (all_or_nothing_drift(p, 10, 2, 0.03) > 0).all()
    assert (drift(p, 10, 2, 0.03) < 0).any()


def test_of_one_token_both_rewards_are_the_same():
    p = np.linspace(0.05, 0.95, 19)
    for rate in (0.1, 0.6):
        assert all_or_nothing_drift(p, 1, 4, rate) == pytest.approx(drift(p, 1, 4, rate), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 1.0}, "p must be in"),
        ({"rate": 0.0}, "rate must be in"),
        ({"n_tokens": 0}, "n_tokens must be an integer ≥ 1"),
        ({"vocab_size": 1}, "vocab_size must be an integer ≥ 2"),
        ({"group_size": 1}, "group_size must be an integer ≥ 2, got 1"),
        ({"group_size": 2.5}, "group_size must be an integer ≥ 2, got 2.5"),
    ],
)
def test_what_is_outside_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        all_or_nothing_drift(**{"p": 0.5, "n_tokens": 3, "vocab_size": 2, "rate": 0.1} | arguments)


@pytest.mark.parametrize("paid", [np.ones((2, 2)), np.ones(4, dtype=bool)])
def test_answers_that_are_paid_are_booleans_of_the_answers_shape(paid):
    with pytest.raises(ValueError, match=r"paid must be booleans of shape \(2, 2\)"):
        expected_update(independent(0.5, 2, 2), 0.1, paid)
