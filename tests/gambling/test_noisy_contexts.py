"""Contexts that share a budget, against sorted populations, the closed forms of one context, and drawn batches."""

import math

import numpy as np
import pytest
from scipy.special import expit, ndtri

from kondo_theory.gambling.equal_noise import equal_noise_fixed_point, equal_noise_top_rate_drift
from kondo_theory.gambling.first_batches import first_batch, taken_in_noise
from kondo_theory.gambling.noise_aware import extremes_drift
from kondo_theory.gambling.noisy_contexts import (
    BUDGET_RULES,
    entropy_weight,
    priced_gamble_drift,
    priced_gamble_floor,
    shared_budget,
    shut_out_noise,
    soft_rest_odds,
)
from kondo_theory.gambling.single_arm import drift
from kondo_theory.gambling.top_rate import top_rate_drift

CLASSES = {
    "share": [0.2, 0.3, 0.1, 0.4],
    "mean": [0.3, -0.4, 0.1, -0.2],
    "noise": [0.0, 0.7, 2.0, 0.0],
    "surprisal": [0.5, 1.2, 0.1, 2.0],
}


def sorted_population(rate, rule, n=200_000):
    """Keep the top of a population that has every class at its share, normal deviates at even ranks."""
    share, mean, noise, surprisal = (np.array(CLASSES[name]) for name in CLASSES)
    sizes = (share * n).astype(int)
    kind = np.repeat(np.arange(4), sizes)
    deviate = np.concatenate([ndtri((np.arange(size) + 0.5) / size) for size in sizes])
    U = mean[kind] + noise[kind] * deviate
    score = {"delight": U * surprisal[kind], "advantage": U, "abs-advantage": np.abs(U)}[rule]
    k = round(rate * n)
    price = np.sort(score)[-k]
    keep = (score > price).astype(float)
    keep[score == price] = (k - keep.sum()) / (score == price).sum()
    kept = np.bincount(kind, keep) / sizes
    return kept, np.bincount(kind, keep * U) / sizes


@pytest.mark.parametrize("rule", BUDGET_RULES)
@pytest.mark.parametrize("rate", [0.03, 0.2, 0.25, 0.6, 0.95, 1.0])
def test_a_shared_budget_is_the_top_of_a_sorted_population(rule, rate):
    found = shared_budget(**CLASSES, rate=rate, rule=rule)
    kept, gained = sorted_population(rate, rule)
    np.testing.assert_allclose(found.kept, kept, atol=2e-4)
    np.testing.assert_allclose(found.gated_mean, gained, atol=1e-3)
    assert np.array(CLASSES["share"]) @ found.kept == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize("x", [0.05, 0.4, 0.8])
@pytest.mark.parametrize("rate", [0.03, 0.3])
def test_one_context_is_the_gamble_of_the_other_claims(x, rate):
    ells = [-math.log1p(-x), -math.log(x)]
    r = 0.7

    def gap(noise, rule="delight"):
        found = shared_budget([1 - x, x], [x, x - 1], noise, ells, rate, rule)
        return found.gated_mean[0] - found.gated_mean[1]

    assert gap([r, r]) == pytest.approx(float(equal_noise_top_rate_drift(x, r, rate)), abs=1e-9)
    assert gap([0, r]) == pytest.approx(float(top_rate_drift(x, r, rate)), abs=1e-9)
    assert gap([0, r], "abs-advantage") == pytest.approx(float(extremes_drift(x, r, rate)), abs=1e-9)


def test_shut_out_is_where_the_noisy_fill_the_budget():
    assert shut_out_noise(0.03, 0.5) == pytest.approx(1 / 1.5547735945968535, rel=1e-12)
    assert shut_out_noise(0.25, 0.5, "abs-advantage") == pytest.approx(1 / 0.6744897501960817, rel=1e-12)
    assert np.isinf(shut_out_noise([0.25, 0.5], 0.5)).all()
    assert np.isinf(shut_out_noise(0.5, 0.5, "abs-advantage"))
    for factor, gets in ((0.9, True), (1.1, False)):
        sigma = factor * float(shut_out_noise(0.1, 0.5)) * 0.4 / 0.2
        found = shared_budget([0.5, 0.5], [0.0, 0.4], [sigma, 0.0], [0.2, 1.0], 0.1)
        assert bool(found.kept[1] > 0) is gets


def test_the_first_batch_is_what_drawn_batches_keep():
    rng, sigma, rate = np.random.default_rng(0), 0.3, 0.25
    reward = rng.binomial(10, 0.5, (4_000, 10, 10)) / 10
    right = 10 * reward
    noise = sigma * rng.standard_normal((4_000, 5, 10))
    paid = reward.copy()
    paid[:, :5] += noise
    for rule in ("delight", "abs-advantage"):
        drifts = []
        for each in (paid, reward):
            advantage = (each - each.mean(2, keepdims=True)).reshape(4_000, -1)
            score = np.abs(advantage) if rule == "abs-advantage" else advantage
            score = score + 1e-9 * rng.standard_normal(score.shape)
            keep = score >= np.partition(score, -25, axis=1)[:, -25, None]
            pull = (keep * advantage).reshape(4_000, 10, 10) * (right - 5)
            drifts.append((keep.reshape(4_000, 10, 10)[:, :5].mean() / rate / 2, pull[:, 5:].mean()))
        found = first_batch(sigma, rate, rule)
        assert found.noisy == pytest.approx(drifts[0][0], abs=0.01)
        assert found.clean_drift == pytest.approx(drifts[0][1] / drifts[1][1], abs=0.03)


def test_the_first_batch_in_limits():
    assert first_batch(0.0, 0.1) == first_batch(0.0, 0.1, "advantage")
    assert first_batch(0.0, 0.1).noisy == pytest.approx(0.5)
    assert first_batch(0.0, 0.1).clean_drift == pytest.approx(1.0)
    assert first_batch(50.0, 0.25, "abs-advantage", noisy_share=0.3).noisy == pytest.approx(1.0, abs=1e-3)
    assert first_batch(0.7, 1.0, noisy_share=0.3).noisy == pytest.approx(0.3)
    with pytest.raises(ValueError, match="n_tokens must be an integer ≥ 1, got 2"):
        first_batch(0.7, 0.1, n_tokens=2.5)


@pytest.mark.parametrize(("rate", "rule"), [(0.03, "delight"), (0.25, "abs-advantage")])
def test_a_gate_is_taken_in_where_a_tenth_of_the_drift_is_left(rate, rule):
    noise = taken_in_noise(rate, rule)
    assert first_batch(noise, rate, rule).clean_drift == pytest.approx(0.1, abs=1e-6)


def test_a_gate_with_budget_to_spare_is_never_taken_in():
    assert taken_in_noise(0.3) == math.inf


@pytest.mark.parametrize("weight", [0.3, 0.5, 1.0])
def test_dg_rests_where_the_entropy_balances_the_gap(weight):
    eta = 400.0  # so warm that the second order is all
    noise = math.sqrt(4 * eta * weight)
    assert float(entropy_weight(noise, eta)) == pytest.approx(weight)
    found = equal_noise_fixed_point(noise, "dg", eta)
    assert found / (1 - found) == pytest.approx(float(soft_rest_odds(1.0, noise, eta)), rel=0.02)


def test_the_entropy_weight_is_what_noise_adds_to_dg():
    x, r, eta = 0.2, 3.0, 100.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def gated(mean, surprisal):
        U = mean + r * nodes
        return float(weights @ (U * expit(U * surprisal / eta)))

    found = gated(x, -math.log1p(-x)) - gated(x - 1, -math.log(x))
    of_the_means = (-math.log1p(-x) * x**2 + math.log(x) * (1 - x) ** 2) / (4 * eta)
    expected = 0.5 + float(entropy_weight(r, eta)) * math.log(x / (1 - x)) + of_the_means
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_price_gives_the_gamble_a_floor():
    price = 0.01
    floor = float(priced_gamble_floor(price))
    assert -floor * math.log1p(-floor) == pytest.approx(price, rel=1e-10)
    for r in (0.02, 0.3, 1.0):
        assert priced_gamble_drift(floor * 0.999, r, price) <= 0
        assert drift(floor * 0.999, 0.02) > 0, "alone, the drift is away from the gamble"
    assert priced_gamble_drift(floor * 1.001, 0.02, price) > 0
    x = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(priced_gamble_drift(x, 0.8, 0.0), drift(x, 0.8), atol=1e-12)
    assert priced_gamble_floor(1e-14) == pytest.approx(1e-7, rel=1e-6)


def test_classes_that_are_no_distribution_are_refused():
    with pytest.raises(ValueError, match="sum of share must be 1"):
        shared_budget([0.5, 0.4], 0.0, 1.0, 1.0, 0.1)
    with pytest.raises(ValueError, match="rule must be one of delight, advantage, abs-advantage, got 'joy'"):
        shared_budget([0.5, 0.5], 0.0, 1.0, 1.0, 0.1, "joy")
