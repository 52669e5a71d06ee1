"""Answers whose tokens depend on each other: gradients by finite differences, plain loops, and what is refused."""

import itertools

import numpy as np
import pytest

from kondo_theory.screening import kept_at_rate
from kondo_theory.token_trap.autoregressive_rows import (
    answer_law,
    enumerated_balance,
    tied_drift,
    tied_stall_point,
    tied_tokens,
)
from kondo_theory.token_trap.row_balance import row_balance
from kondo_theory.token_trap.rows import row_drift

SIZES = [(1, 3), (2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (4, 3)]


def logits_of(T, M, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1.5, (M,) * (t + 1)) for t in range(T)]


def softmax(logits):
    return [np.exp(each) / np.exp(each).sum(axis=-1, keepdims=True) for each in logits]


def objective(logits, weight):
    """The mean of log π over the answers, weighted: its gradient is the expected update."""
    T, M = len(logits), logits[0].shape[-1]
    total = 0.0
    for row, value in zip(itertools.product(range(M), repeat=T), weight, strict=True):
        for t, each in enumerate(logits):
            at = each[row[:t]]
            total += value * (at[row[t]] - np.log(np.exp(at).sum()))
    return total


def gradient(logits, weight, step=1e-4):
    """By central differences of the fourth order, as one vector; those of right words, one a prefix."""
    found, right = [], []
    for table in logits:
        for place in np.ndindex(table.shape):
            values = []
            for distance in (1, -1, 2, -2):
                table[place] += distance * step
                values.append(objective(logits, weight))
                table[place] -= distance * step
            found.append((8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step))
            right.append(place[-1] == 0)
    return np.array(found), np.array(right)


def gate(law, rng):
    keep = np.where(rng.random(law.mass.size) < 0.4, 0.0, rng.random(law.mass.size))
    reward = law.right.mean(axis=1)
    return keep, reward - law.mass @ reward


@pytest.mark.parametrize(("T", "M"), SIZES[:5])
def test_the_sum_is_that_of_the_gradients_on_the_right_logits_of_all_prefixes(T, M):
    rng = np.random.default_rng(T + 10 * M)
    logits = logits_of(T, M, 1)
    law = answer_law(softmax(logits))
    keep, advantage = gate(law, rng)
    found = row_balance(law.right, law.right_probability, advantage, keep, mass=law.mass)
    slopes, right = gradient(logits, law.mass * keep * advantage)
    assert found.drift == pytest.approx(slopes[right].sum(), abs=1e-9)


@pytest.mark.parametrize(("T", "M"), SIZES)
def test_identity_and_sides_by_a_plain_loop_over_all_answers(T, M):
    rng = np.random.default_rng(T + 10 * M)
    policies = softmax(logits_of(T, M, 2))
    law = answer_law(policies)
    keep, advantage = gate(law, rng)
    masses, sums = [], np.zeros(4)
    for index, row in enumerate(itertools.product(range(M), repeat=T)):
        chances = [policies[t][row[:t]] for t in range(T)]
        mass = np.prod([chance[word] for chance, word in zip(chances, row, strict=True)])
        n, c = row.count(0), sum(chance[0] for chance in chances)
        masses.append((mass, n, c))
        sums += mass * np.array([keep[index] * advantage[index] * (n - c), n, c, 1.0])
    drift, mean, compensator, one = sums
    assert one == pytest.approx(1, abs=1e-12)
    assert compensator == pytest.approx(mean, abs=1e-12)
    sides = np.zeros(3)
    for g, (mass, n, c) in zip(keep, masses, strict=True):
        sides += mass * g * np.array([(n - mean) ** 2, (c - mean) ** 2, (n - mean) * (c - mean)])
    found = row_balance(law.right, law.right_probability, advantage, keep, mass=law.mass)
    assert found.drift == pytest.approx(drift, abs=1e-12)
    assert found.drift == pytest.approx((sides[0] - sides[2]) / T, abs=1e-12)
    assert (found.reward_side, found.prefix_side) == pytest.approx(tuple(sides[:2]), abs=1e-12)
    assert found.slope == pytest.approx(sides[2] / sides[0], abs=1e-12)
    assert found.margin == pytest.approx(2 * T * drift - sum(
        mass * g * (n - c) ** 2 for g, (mass, n, c) in zip(keep, masses, strict=True)
    ), abs=1e-12)  # fmt: skip


@pytest.mark.parametrize("group_size", [2, 3])
def test_the_mean_of_a_group_by_a_plain_loop_over_groups(group_size):
    policies = softmax(logits_of(2, 2, 3))
    law, rate = answer_law(policies), 0.37
    outcomes = []
    for group in itertools.product(range(4), repeat=group_size):
        own, n = group[0], law.right[list(group)].sum(axis=1)
        mass = float(np.prod(law.mass[list(group)]))
        advantage = (n[0] - n.mean()) / 2
        outcomes.append((advantage * -np.log(law.mass[own]), mass, advantage, n[0], law.right_probability[own].sum()))
    drift, left = 0.0, rate
    for _, mass, advantage, n, c in sorted(outcomes, reverse=True):
        drift += min(mass, max(left, 0.0)) * advantage * (n - c)
        left -= mass
    assert enumerated_balance(policies, rate, group_size=group_size).drift == pytest.approx(drift, abs=1e-12)


def test_independent_tokens_are_the_mean_field_of_rows():
    policies = [np.broadcast_to([0.4, 0.3, 0.3], (3,) * (t + 1)) for t in range(4)]
    for rate in (0.03, 0.3, 0.8):
        found = enumerated_balance(policies, rate)
        assert found.prefix_side == pytest.approx(0, abs=1e-24)
        expected = float(row_drift(np.array([0.4]), 4, 3, rate)[0])  # a token's; the sum has four
        assert found.drift == pytest.approx(4 * expected, abs=1e-12)


def test_no_gate_on_answers_rests_where_every_prefix_has_its_logits_even_where_the_sum_is_negative():
    """At the negative sum of row-gate's example the whole gradient is not small, and root's right logit falls."""
    policies = [np.array([0.5, 0.5]), np.array([[0.001, 0.999], [0.9, 0.1]])]
    law = answer_law(policies)
    found = enumerated_balance(policies, 0.4505)
    assert found.drift == pytest.approx(-32493599 / 8e9, abs=1e-12)
    assert found.margin < 0
    assert found.slope > 1
    advantage = law.right.mean(axis=1) - law.mass @ law.right.mean(axis=1)
    keep = kept_at_rate(law.mass, advantage * law.surprisal, 0.4505)
    slopes, _ = gradient([np.log(each) for each in policies], law.mass * keep * advantage)
    assert np.abs(slopes).max() > 0.005


def test_rounding_parts_no_ties_of_a_group():
    """By |advantage| an answer and its mirror image tie: rounding of a group's mean must not choose between them."""
    rng = np.random.default_rng(np.random.SeedSequence((0, 3, 2)))
    policies = [rng.dirichlet(np.full(2, 0.7), (2,) * t) for t in range(3)]
    found = [enumerated_balance(policies, rate, "abs-advantage", 2).drift for rate in (0.3, 0.3 + 1e-9)]
    mirrored = enumerated_balance(policies, 0.3, lambda a, s, e: -np.exp(-np.abs(np.round(6 * a))), 2).drift
    assert found == pytest.approx([mirrored] * 2, abs=1e-8)


def test_the_stall_of_one_logit_by_the_signs_of_the_drift_on_a_fine_grid():
    for u, v in ((1e-3, 8.0), (5e-4, 12.0)):
        reward = tied_stall_point(u, v, 0.3)
        at = reward / (1 - reward)
        odds = at * np.exp(np.linspace(-3, 0.2, 200))
        below = odds < at
        found = tied_drift(odds, u, v, 0.3)
        assert np.all(found[below] > 0)
        assert np.all(found[~below] < 0)
        first, second = tied_tokens(at, u, v)
        law = answer_law((first, second))
        assert law.mass @ law.right.mean(axis=1) == pytest.approx(reward, abs=1e-15)
    assert np.isnan(tied_stall_point([1e-3, 1.0, 2.0, 0.5], [8.0, 8.0, 8.0, 2.0], [1.0, 0.3, 0.3, 0.3])).all()
    learns = np.exp(np.linspace(-6, 12, 100))
    for rule in ("advantage", "abs-advantage"):
        assert np.all(tied_drift(learns, 1e-3, 8.0, 0.3, rule=rule) > 0)


def test_errors_are_those_between_groups():
    """Against the spread of the answer over many samples; errors between single answers would be too small."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(200):
        difficulty = np.repeat(rng.uniform(0.1, 0.9, 50), 4)[:, None] * np.ones(3)
        right = rng.random((200, 3)) < difficulty
        reward = right.mean(axis=1)
        advantage = reward - np.repeat(reward.reshape(50, 4).mean(axis=1), 4)
        found.append(row_balance(right, difficulty, advantage, advantage > 0, groups=np.repeat(np.arange(50), 4)))
    for name, error in (
        ("drift", "drift_error"), ("reward_side", "reward_error"), ("prefix_side", "prefix_error"),
        ("margin", "margin_error"), ("slope", "slope_error"),
    ):  # fmt: skip
        values = np.array([[getattr(each, name), getattr(each, error)] for each in found])
        assert values[:, 1].mean() == pytest.approx(values[:, 0].std(ddof=1), rel=4 * np.sqrt(0.5 / 199)), name
    one = row_balance([[1, 0]], [[0.5, 0.5]], [0.1])
    assert np.isnan(one.drift_error)
    assert np.isnan(row_balance([[1, 0]], [[0.5, 0.5]], [0.0]).slope)


def test_bad_input_is_named():
    right, p, a = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [0.1, -0.1]
    for arguments, message in (
        (([1, 0], p, a), r"right must be \(B, T\) with an answer and a token, got shape \(2,\)"),
        ((right, [[0.5, 0.5]], a), r"right_probability must have shape \(2, 2\), got \(1, 2\)"),
        ((right, [[0.5, 1.5], [0, 0]], a), r"right_probability must be in \[0, 1\], got 1.5"),
        ((right, p, [0.1]), r"advantage must have shape \(2,\), got \(1,\)"),
        ((right, p, a, [1, -1]), r"keep must be in \[0, inf\), got -1.0"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            row_balance(*arguments)
    for policies, message in (
        ([], "policies must have a token, got none"),
        ([[0.5, 0.5], [0.5, 0.5]], r"policies at token 1 must have shape \(2, 2\), got \(2,\)"),
        ([np.full(400, 1 / 400)] * 2, r"policies must have at most 100,000 answers, got 400\^2"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            answer_law(policies)
    with pytest.raises(ValueError, match=r"^group_size must leave at most 100,000 groups, got 4\^9$"):
        enumerated_balance([[0.5, 0.5], np.full((2, 2), 0.5)], 0.3, group_size=9)
