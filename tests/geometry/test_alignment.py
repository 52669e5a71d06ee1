"""Samples until the gradient is aligned, against sampled batches and in the regimes of the closed forms."""

import numpy as np
import pytest

from kondo_theory import geometry as geo


def test_zero_price_needs_one_success():
    p = np.array([1e-12, 1e-3, 0.5, 0.9])
    forward = geo.forward_samples_to_align("zero-price", p, 10, 0.5, 0.99, 0.95)
    np.testing.assert_allclose((1 - p[1:3]) ** forward[1:3], 0.05, rtol=1e-12)
    np.testing.assert_allclose(forward[3], np.log10(20), rtol=1e-15)
    backward = geo.backward_passes_to_align("zero-price", p, 10, 0.5, 0.99, 0.95)
    np.testing.assert_allclose(backward, p * forward, rtol=1e-15)
    np.testing.assert_allclose(backward[0], np.log(20), rtol=1e-11)
    assert np.all(backward <= np.log(20))
    for n in (1, 7, 300):
        probability = geo.alignment_probability("zero-price", p, 10, 0.5, n, 0.99)
        np.testing.assert_allclose(probability, -np.expm1(n * np.log1p(-p)), rtol=1e-9)


def test_pg_formula_and_its_regime():
    """PG's closed form gives the promised confidence as p/b² → 0, and with the wrong power of p it does not."""
    p, n_arms, b = np.array([1e-2, 1e-3, 1e-4]), np.array([[3], [10], [100]]), 0.5
    forward = geo.forward_samples_to_align("pg", p, n_arms, b, 0.9, 0.95)
    np.testing.assert_array_equal(geo.backward_passes_to_align("pg", p, n_arms, b, 0.9, 0.95), forward)
    reached = geo.alignment_probability("pg", p, n_arms, b, np.ceil(forward), 0.9)
    gap = np.abs(reached - 0.95)
    assert np.all(gap[:, 2] < 1.5e-3)
    assert np.all(gap[:, 2] < gap[:, 0])
    wrong = geo.alignment_probability("pg", p[2], n_arms[:, 0], b, np.ceil(forward[:, 2] * p[2] / p[1]), 0.9)
    assert np.all(np.abs(wrong - 0.95) > 0.1)
    # Written out for K = 3, where χ² with one degree of freedom has the 95 % quantile 3.8415.
    np.testing.assert_allclose(
        forward[0, 2], 0.81 / 0.19 * 0.25 * 3.841458820694124 / (3 * (1 - 1e-4) * 1e-8), rtol=1e-9
    )


def test_value_baseline_makes_pg_as_quick_as_one_success():
    p = np.array([1e-2, 1e-3, 1e-4])
    forward = geo.forward_samples_to_align("pg", p, 10, "value", 0.9, 0.95)
    np.testing.assert_allclose(forward * p, np.log(20), rtol=6e-3)
    reached = geo.alignment_probability("pg", p, 10, "value", np.ceil(forward), 0.9)
    np.testing.assert_allclose(reached, 0.95, atol=2e-3)
    constant = geo.forward_samples_to_align("pg", p, 10, 0.5, 0.9, 0.95)
    np.testing.assert_allclose(constant[1:] / constant[:-1], 100, rtol=0.01)  # Θ(1/p²) instead


def test_dg_formula_in_its_regime():
    p, n_arms = np.array([1e-3, 1e-5]), 5
    forward = geo.forward_samples_to_align("dg", p, n_arms, 0.5, 0.9, 0.95)
    reached = geo.alignment_probability("dg", p, n_arms, 0.5, np.ceil(forward), 0.9)
    assert abs(reached[1] - 0.95) < 2e-4
    assert np.all(forward < geo.forward_samples_to_align("pg", p, n_arms, 0.5, 0.9, 0.95))
    hot = geo.forward_samples_to_align("dg", p, n_arms, 0.5, 0.9, 0.95, temperature=np.inf)
    np.testing.assert_allclose(hot, geo.forward_samples_to_align("pg", p, n_arms, 0.5, 0.9, 0.95), rtol=1e-14)


def test_two_arms_need_one_sample():
    assert geo.backward_passes_to_align("pg", 0.01, 2, 0.5, 0.9, 0.95) == 1
    assert geo.backward_passes_to_align("dg", 0.01, 2, 0.5, 0.9, 0.95) == 1
    assert geo.alignment_probability("pg", 0.01, 2, 0.5, 1, 0.9) == pytest.approx(1, abs=1e-12)
    # Without a baseline a failure moves nothing, and PG waits for a success as zero price does.
    none = geo.forward_samples_to_align("pg", 0.01, 2, 0.0, 0.9, 0.95)
    assert none == geo.forward_samples_to_align("zero-price", 0.01, 2, 0.0, 0.9, 0.95)


@pytest.mark.parametrize(("method", "b", "c"), [("pg", 0.5, 0.8), ("pg", 0.05, 0.998), ("dg", 0.5, 0.97)])
def test_alignment_probability_matches_sampled_batches(method, b, c):
    rng = np.random.default_rng(2)
    p, n_arms, n, runs = 0.05, 6, 300, 40_000
    policy = np.concatenate([[p], np.full(n_arms - 1, (1 - p) / (n_arms - 1))])
    right, wrong = geo.dg_weights(p, n_arms, b, 1.0) if method == "dg" else (1.0, 1.0)
    weighted = rng.multinomial(n, policy, size=runs) * np.where(np.arange(n_arms) == 0, right * (1 - b), -wrong * b)
    gradient = weighted - weighted.sum(axis=1, keepdims=True) * policy
    truth = (np.arange(n_arms) == 0) - policy
    cosine = gradient @ truth / np.linalg.norm(gradient, axis=1) / np.linalg.norm(truth)
    reached = np.mean(cosine >= c)
    predicted = geo.alignment_probability(method, p, n_arms, b, n, c)
    error = np.sqrt(reached * (1 - reached) / runs)
    assert abs(reached - predicted) < 4 * error + 2e-3  # normal counts: 57 failures an arm
    other = geo.alignment_probability(method, p, n_arms, b + 0.1, n, c)  # negative control: another baseline
    assert abs(reached - other) > 4 * error + 2e-3


def test_alignment_is_not_monotone_near_p_one():
    n = np.arange(1, 40)
    reached = geo.alignment_probability("pg", 0.9, 100, 0.5, n, 0.9)
    assert reached[0] == pytest.approx(0.9)
    assert np.any(np.diff(reached) < -0.01)
    assert np.any(np.diff(reached) > 0.01)
