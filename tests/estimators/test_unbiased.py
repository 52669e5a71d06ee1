"""Gates of weight 1/w, draws and masks: closed forms against enumeration of every gate, draw and mask."""

from itertools import product

import numpy as np
import pytest

from kondo_theory.estimators import (
    best_sure_count,
    biased_below,
    draws_variance,
    effective_share,
    least_unbiased_cost,
    mask_variance,
    mean_squared_error,
    symmetric_weighted_moments,
    weighted_moments,
)
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_gate, best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import screen_context

GRADED = evenly_graded(10, 0.3, 0.65)
SYMMETRIC = (5, 0.3, 0.4)


def gradients(policy, advantage):
    return advantage[:, None] * (np.eye(len(policy)) - policy)


def unbiased_cost(policy, advantage, rate):
    """Cost of signal of the best gate of weight 1/w, written out."""
    keep, g = best_unbiased_gate(policy, advantage, rate), gradients(policy, advantage)
    return rate * np.sum(policy * (g**2).sum(axis=1) / keep) / np.sum((policy @ g) ** 2)


def enumerated(policy, advantage, keep, weight):
    """Mean and covariance trace of one gated sample, by all outcomes."""
    g = gradients(policy, advantage)
    outcomes = [(p * w, x * g_a) for p, w, x, g_a in zip(policy, keep, weight, g, strict=True)]
    mean = sum(chance * value for chance, value in outcomes)
    return mean, sum(chance * value @ value for chance, value in outcomes) - mean @ mean


@pytest.mark.parametrize("arms", [GRADED, symmetric_arms(*SYMMETRIC)], ids=["graded", "symmetric"])
def test_the_mean_is_kept_and_the_noise_is_that_of_the_outcomes(arms):
    policy, advantage = arms
    keep = np.random.default_rng(0).uniform(0.1, 1, len(policy))
    mean, total = enumerated(policy, advantage, keep, 1 / keep)
    found = weighted_moments(policy, advantage, keep)
    np.testing.assert_allclose(mean, policy @ gradients(policy, advantage), atol=1e-15)
    assert found.perpendicular_bias == pytest.approx(0, abs=1e-15)
    assert found.var_parallel + found.var_perpendicular == pytest.approx(total, rel=1e-12)
    square = (gradients(policy, advantage) ** 2).sum(axis=1)
    plain = enumerated(policy, advantage, np.ones(len(policy)), np.ones(len(policy)))[1]
    assert total == pytest.approx(plain + np.sum(policy * (1 / keep - 1) * square), rel=1e-12)


def test_negative_control_other_weights_have_another_mean_or_noise():
    policy, advantage = GRADED
    keep = np.random.default_rng(0).uniform(0.1, 1, len(policy))
    true = policy @ gradients(policy, advantage)
    for weight in (np.ones_like(keep), keep**-0.5, keep**-2):
        assert np.linalg.norm(enumerated(policy, advantage, keep, weight)[0] - true) > 0.1 * np.linalg.norm(true)


def test_a_symmetric_context_agrees_with_the_moments_of_any_gate():
    n_arms, p, b = SYMMETRIC
    exact = weighted_moments(*symmetric_arms(n_arms, p, b), np.array([0.2, *[0.7] * (n_arms - 1)]))
    found = symmetric_weighted_moments(p, n_arms, b, 0.2, 0.7)
    for field in ("signal", "var_parallel", "var_perpendicular"):
        assert getattr(found, field) == pytest.approx(getattr(exact, field), rel=1e-12)


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_least_cost_is_that_of_the_best_gate(rate):
    n_arms, p, b = SYMMETRIC
    assert unbiased_cost(*symmetric_arms(n_arms, p, b), rate) == pytest.approx(least_unbiased_cost(p, n_arms, b))
    policy, advantage = GRADED
    g = gradients(policy, advantage)
    bound = (policy @ np.linalg.norm(g, axis=1)) ** 2 / np.sum((policy @ g) ** 2)
    assert unbiased_cost(policy, advantage, rate) == pytest.approx(bound, rel=1e-6)


@pytest.mark.parametrize("at", [(0.3, 5, 0.4), (0.8, 4, 0.6), (0.95, 10, 0.5)])
def test_both_errors_agree_at_the_batch_size(at):
    p, n_arms, b = at
    policy, advantage = symmetric_arms(n_arms, p, b)
    least, kept = best_unbiased_gate(policy, advantage, p), (advantage > 0) * 1.0
    where = float(biased_below(p, n_arms, b))

    def errors(size):
        return [float(mean_squared_error(policy, advantage, *gate, size)) for gate in ((1, 1 / least), (kept, kept))]

    assert errors(where)[0] == pytest.approx(errors(where)[1], rel=1e-9)
    assert errors(0.9 * where)[0] > errors(0.9 * where)[1]
    assert errors(1.1 * where)[0] < errors(1.1 * where)[1]


def test_numbers_that_the_claim_quotes():
    rate = 0.1
    delight = screen_context(*GRADED, "delight", rate).keep
    costs = cost_of_signal(*GRADED, delight), unbiased_cost(*GRADED, rate), best_gate(*GRADED, rate).cost_of_signal
    assert [float(f"{float(cost):.2g}") for cost in costs] == [29, 4.0, 1.3]


def test_the_effective_sample_size_is_no_measure_of_noise():
    policy, advantage = GRADED
    least, chance = best_unbiased_gate(policy, advantage, 0.2), np.full(10, 0.2)
    assert effective_share(policy, chance) == pytest.approx(0.2)
    assert effective_share(policy, least) < 0.1
    square = (gradients(policy, advantage) ** 2).sum(axis=1)
    moving = square > 0
    assert np.sum((policy * square)[moving] / least[moving]) < np.sum(policy * square / chance)
    assert effective_share([0.5, 0.3, 0.2], [0.5, 0.25, 0]) == pytest.approx(0.8**2 / (0.5 / 0.5 + 0.3 / 0.25))


def draws_enumerated(g, scores, n_draws, n_sure):
    """Mean and noise of winner take all over every sequence of draws."""
    order = np.argsort(-scores)
    sure, rest = order[:n_sure], order[n_sure:]
    share = scores[rest].sum() / scores.sum()
    chance = scores[rest] / scores[rest].sum()
    mean, square = 0.0, 0.0
    for drawn in product(range(len(rest)), repeat=n_draws - n_sure):
        worth = sum(g[rest[i]] / chance[i] for i in drawn) / (n_draws - n_sure)
        value, weight = g[sure].sum(axis=0) + worth, np.prod(chance[list(drawn)])
        mean, square = mean + weight * value, square + weight * value @ value
    assert share <= 1
    return mean, square - mean @ mean


@pytest.mark.parametrize(("n_draws", "n_sure"), [(1, 0), (3, 0), (3, 1), (3, 2), (4, 2)])
def test_draws_against_every_sequence(n_draws, n_sure):
    rng = np.random.default_rng(1)
    g, scores = rng.normal(size=(5, 2)), rng.uniform(0.2, 2, 5)
    mean, noise = draws_enumerated(g, scores, n_draws, n_sure)
    np.testing.assert_allclose(mean, g.sum(axis=0), atol=1e-12)
    assert draws_variance(g, scores, n_draws, n_sure) == pytest.approx(noise, rel=1e-10)


def test_the_top_for_certain_can_be_worse_where_it_has_less_than_its_share():
    g, even = np.array([[1.0], [1.0], [1.0], [-1.0]]), np.ones(4)
    assert draws_variance(g, even, 2, 1) > draws_variance(g, even, 2, 0)
    assert draws_variance(g, even, 4, 4) == 0
    assert best_sure_count(even, 2) == 0
    assert best_sure_count([8.0, 1, 1, 1, 1], 3) == 1
    assert best_sure_count([1.0, 2], 5) == 2


def test_masks_against_every_mask_and_every_cut():
    g, keep = np.random.default_rng(2).normal(size=(3, 2)), np.array([0.9, 0.5, 0.2])
    whole = g.sum(axis=0)
    apart = sum(
        np.prod(np.where(mask, keep, 1 - keep)) * np.sum(((np.array(mask) / keep) @ g - whole) ** 2)
        for mask in product((0, 1), repeat=3)
    )
    assert mask_variance(g, keep, "tokens") == pytest.approx(apart, rel=1e-12)
    chances = [0.1, 0.4, 0.3, 0.2]  # of no token, one, two, three
    cut = sum(
        chance * np.sum(((np.arange(3) < length) / keep @ g - whole) ** 2) for length, chance in enumerate(chances)
    )
    assert mask_variance(g, keep, "prefix") == pytest.approx(cut, rel=1e-12)
    assert mask_variance(g, 0.25, "prefix") == pytest.approx(3 * whole @ whole, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weighted_moments([0.5, 0.5], [1, -1], [0.0, 1]), "keep must be positive where a sample has"),
        (lambda: biased_below(0.3, 4, 0.0), "baseline must be positive"),
        (lambda: draws_variance([[1.0]], [1.0, 2.0], 1), r"gradients must have shape \(2, d\)"),
        (lambda: draws_variance([[1.0], [1.0]], [1.0, 2.0], 1, 1), "n_sure must be an integer from 0 to 2, below"),
        (lambda: best_sure_count([1.0], 0), "n_draws must be an integer ≥ 1"),
        (lambda: mask_variance([[1.0], [1.0]], [0.1, 0.2], "prefix"), "the step of keep over a prefix must be at"),
        (lambda: mask_variance([[1.0]], [0.1], "suffix"), "kind must be"),
        (lambda: mask_variance([1.0], [0.1]), r"gradients must have shape \(..., T, d\)"),
        (lambda: effective_share([0.5, 0.5], [0, 0]), "keep must be positive somewhere"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
