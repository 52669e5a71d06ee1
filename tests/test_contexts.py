"""Many contexts: weights and cosines against explicit gradients, the best price against every set."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

from kondo_theory.contexts import (
    METHODS,
    best_price,
    context_weights,
    cosine_to_cross_entropy,
    critical_probability,
    dg_closer_limit,
    gap_to_cross_entropy,
    self_consistent_counts,
)

BASELINES = (0.0, 0.3, "value", "confidence")


def explicit_gradient(method, p, n_arms, baseline, price, temperature):
    """Enumerate the arms of one context."""
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    b = {"value": p, "confidence": policy @ policy}.get(baseline, baseline)
    advantage = np.where(np.arange(n_arms) == 0, 1.0, 0.0) - b
    delight = -advantage * np.log(policy)
    weight = {
        "pg": np.ones(n_arms),
        "dg": 1 / (1 + np.exp(-delight / temperature)),
        "kondo": (delight > price).astype(float),
    }
    scores = np.eye(n_arms) - policy
    return scores[0] if method == "oracle" else (policy * weight[method] * advantage) @ scores


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("method", METHODS)
def test_cosine_against_explicit_vectors(method, baseline):
    rng = np.random.default_rng(1)
    for _ in range(20):
        p, n_arms = rng.uniform(0.01, 0.99, 6), rng.integers(2, 8, 6)
        price, temperature = float(rng.uniform(0, 0.2)), float(rng.uniform(0.2, 3))
        blocks = [
            explicit_gradient(method, q, k, baseline, price, temperature) for q, k in zip(p, n_arms, strict=True)
        ]
        oracle = [explicit_gradient("oracle", q, k, 0.0, 0.0, 1.0) for q, k in zip(p, n_arms, strict=True)]
        left, right = np.concatenate(blocks), np.concatenate(oracle)
        weights = context_weights(method, p, n_arms, baseline, price=price, temperature=temperature)
        for block, weight, d in zip(blocks, weights, oracle, strict=True):
            assert np.allclose(block, weight * d, rtol=0, atol=1e-14)
        expected = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
        assert cosine_to_cross_entropy(weights, p, n_arms) == pytest.approx(expected, abs=1e-13)
        assert gap_to_cross_entropy(weights, p, n_arms) == pytest.approx(1 - expected, abs=1e-13)


def test_gap_keeps_its_digits_near_agreement():
    error = np.array([1e-9, 3e-9, 2e-8])
    found = gap_to_cross_entropy(1 - error, 1 - error, 10, p_error=error)
    with mpmath.workdps(60):
        e = [mpmath.mpf(float(x)) for x in error]
        w, c = [x**2 for x in e], [mpmath.mpf(float(1 - x)) for x in error]
        mean = sum(a * b for a, b in zip(w, c, strict=True))
        square = sum(a * b**2 for a, b in zip(w, c, strict=True))
        expected = float(1 - mean / mpmath.sqrt(square * sum(w)))
    assert found == pytest.approx(expected, rel=1e-6)  # the weights 1 − ε themselves are rounded at 1e-16
    assert 0 < found < 1e-15


def test_broadcasting_scale_and_signs():
    p = np.array([0.2, 0.7])
    stack = cosine_to_cross_entropy(np.ones((3, 1, 2)), np.stack([p, p]), 4)
    assert stack.shape == (3, 2)
    assert np.allclose(stack, 1.0)
    assert cosine_to_cross_entropy([1e-200, 1e-200], p, 3) == pytest.approx(1.0, abs=1e-15)
    assert cosine_to_cross_entropy([-1.0, -1.0], p, 3) == pytest.approx(-1.0)
    assert gap_to_cross_entropy([-1.0, -1.0], p, 3) == pytest.approx(2.0)
    assert np.isnan(cosine_to_cross_entropy([0.0, 0.0], p, 3))


def test_constant_baseline_zero_price_is_pg_and_value_goes_both_ways():
    rng = np.random.default_rng(2)
    for _ in range(50):
        p, n_arms = rng.uniform(0.001, 0.999, 7), int(rng.integers(2, 20))
        pg = cosine_to_cross_entropy(context_weights("pg", p, n_arms), p, n_arms)
        zero = cosine_to_cross_entropy(context_weights("kondo", p, n_arms, 0.7), p, n_arms)
        assert zero == pytest.approx(pg, abs=1e-14)
        half = p / 2  # all at most 1/2: never worse
        value = gap_to_cross_entropy(context_weights("kondo", half, n_arms, "value"), half, n_arms)
        assert value <= gap_to_cross_entropy(context_weights("pg", half, n_arms), half, n_arms) + 1e-15
    for pair, better in (([0.1, 0.9], True), ([0.9, 0.99], False)):
        gaps = [gap_to_cross_entropy(context_weights(m, pair, 5, "value"), pair, 5) for m in ("kondo", "pg")]
        assert (gaps[0] < gaps[1]) == better


def random_contexts(rng):
    size = int(rng.integers(1, 9))
    p = rng.random(size) ** rng.choice([0.3, 1, 3]) * 0.98 + 0.01
    return (np.round(p, 1).clip(0.1, 0.9) if rng.random() < 0.3 else p), rng.integers(2, 5, size)


def test_best_price_beats_every_set_with_a_constant_baseline():
    rng = np.random.default_rng(3)
    for _ in range(150):
        p, n_arms = random_contexts(rng)
        found = best_price(p, n_arms, 0.3)
        sets = [np.array(s) for s in itertools.product([0, 1], repeat=len(p)) if any(s)]
        best = max(cosine_to_cross_entropy(p * s, p, n_arms) for s in sets)
        assert found.cosine == pytest.approx(best, abs=1e-13)
        assert np.array_equal(context_weights("kondo", p, n_arms, 0.3, price=found.price) > 0, found.kept)
        critical = critical_probability(p, n_arms, found.kept)
        assert np.array_equal(p <= critical, found.kept)
        assert int(found.kept.sum()) in self_consistent_counts(p, n_arms)
        assert found.rate == pytest.approx((p * found.kept).mean())


@pytest.mark.parametrize("baseline", ["value", "confidence"])
def test_best_price_beats_every_price(baseline):
    rng = np.random.default_rng(4)
    for _ in range(60):
        p, n_arms = random_contexts(rng)
        found = best_price(p, n_arms, baseline)
        prices = np.concatenate([[0.0], np.geomspace(1e-4, 5, 100)])
        cosines = [
            cosine_to_cross_entropy(context_weights("kondo", p, n_arms, baseline, price=x), p, n_arms) for x in prices
        ]
        assert np.nanmax(cosines) <= found.cosine + 1e-13


def test_best_price_is_vectorised_and_a_stationary_condition_is_not_enough():
    p = np.array([[0.1, 0.1, 0.35], [0.1, 0.34, 0.35]])
    found = best_price(p, 2)
    assert found.kept.tolist() == [[True, True, False], [True, True, True]]
    assert self_consistent_counts(p[0], 2) == [2, 3]  # the iteration from all contexts would stop at three
    assert best_price(p[0], 2).price == found.price[0]


@pytest.mark.parametrize(
    ("n_arms", "baseline", "temperature"), [(2, 0.5, 1.0), (10, 0.5, 1.0), (50, 0.2, 0.4), (3, 0.9, 1)]
)
def test_dg_is_closer_than_pg_up_to_the_limit(n_arms, baseline, temperature):
    limit = dg_closer_limit(n_arms, baseline, temperature)
    grid = np.linspace(0.002, 0.9999, 4000)
    product = context_weights("dg", grid, n_arms, baseline, temperature=temperature)
    assert grid[np.argmax(product)] == pytest.approx(limit, abs=5e-4)
    rng = np.random.default_rng(5)
    for _ in range(100):
        p = rng.random(6) * limit
        dg = context_weights("dg", p, n_arms, baseline, temperature=temperature)
        assert gap_to_cross_entropy(dg, p, n_arms) <= gap_to_cross_entropy(p, p, n_arms) + 1e-15


def test_dg_is_farther_than_pg_when_all_are_near_one_and_the_limit_can_be_one():
    error = np.array([1e-5, 1e-4])
    weights = context_weights("dg", 1 - error, 2, 0.5, p_error=error)
    assert gap_to_cross_entropy(weights, 1 - error, 2, p_error=error) > gap_to_cross_entropy(1 - error, 1 - error, 2)
    assert dg_closer_limit(10, 0.0) == 1.0
    assert dg_closer_limit(10, 0.6, 0.6) == 1.0  # at b = η the slope at one is finite, here positive


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosine_to_cross_entropy(1.0, 0.5, 2), "contexts on the last axis"),
        (lambda: cosine_to_cross_entropy([1.0], [1.0], 2), r"p_correct must be in \(0, 1\), got 1.0"),
        (lambda: cosine_to_cross_entropy([np.nan], [0.5], 2), "weights must be finite, got nan"),
        (lambda: context_weights("sgd", 0.5, 2), "method must be one of oracle, pg, dg, kondo, got 'sgd'"),
        (lambda: context_weights("kondo", 0.5, 2, price=-1.0), r"price must be in \[0, inf\), got -1.0"),
        (lambda: context_weights("kondo", 0.5, 2, 1.0), r"baseline must be in \[0, 1\), got 1.0"),
        (lambda: critical_probability([0.5], 2, [False]), "kept must be booleans with at least one true context"),
        (lambda: self_consistent_counts([[0.5]], 2), r"p_correct must be a vector of contexts, got shape \(1, 1\)"),
        (lambda: dg_closer_limit(3, 0.5, 0.4), r"baseline must be in \[0, 0.4\], got 0.5"),
        (lambda: best_price(0.5, 2), "contexts on the last axis"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
