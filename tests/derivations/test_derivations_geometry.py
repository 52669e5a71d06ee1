"""The derivations of one context's geometry against brute force in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from context_enumeration import CONTEXTS, brute_force, evaluate, symmetric
from derived_claims import derived
from scipy import integrate, optimize, stats


@pytest.mark.parametrize(("n_arms", "p_correct", "baseline"), CONTEXTS)
@pytest.mark.parametrize(("plus", "minus"), [(1.0, 0.0), (0.7, 0.2), (1.0, 1.0)])
@pytest.mark.parametrize("drawn", [True, False])
def test_zero_price_geometry_against_enumeration(n_arms, p_correct, baseline, plus, minus, drawn):
    results = derived("zero-price-geometry").results
    policy, rewards = symmetric(n_arms, p_correct)
    weights = np.where(rewards > 0, plus, minus)
    second = weights if drawn else weights**2
    mean, gradient, parallel, perpendicular = brute_force(policy, rewards, baseline, weights, second)
    at = {"K": n_arms, "p": p_correct, "b": baseline, "w_plus": plus, "w_minus": minus, "B": 16}
    at |= {"s_plus": second[0], "s_minus": second[1]}
    np.testing.assert_allclose(mean, evaluate(results["kappa"], **at) * gradient, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(gradient @ gradient, evaluate(results["gradient_norm_squared"], **at), rtol=1e-11)
    np.testing.assert_allclose(parallel, evaluate(results["var_parallel"], **at), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(perpendicular, evaluate(results["var_perpendicular"], **at), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(policy @ weights, evaluate(results["backward_rate"], **at), rtol=1e-12)
    cosine = mean @ gradient / np.linalg.norm(mean) / np.linalg.norm(gradient)
    assert cosine == pytest.approx(evaluate(results["cosine"], **at), abs=1e-12)
    efficiency = mean @ mean / (mean @ mean + (parallel + perpendicular) / 16)
    assert efficiency == pytest.approx(evaluate(results["efficiency"], **at), rel=1e-11)


def test_dg_noise_ratio_against_enumeration_and_the_published_numbers():
    results = derived("dg-noise-ratio").results
    for n_arms, p_correct, baseline in [(3, 0.05, 0.25), (10, 0.6, 0.6), (57, 0.9, 0.1)]:
        policy, rewards = symmetric(n_arms, p_correct)
        soft = 1 / (1 + np.exp(-((rewards - baseline) * -np.log(policy)) / 0.8))
        mean, gradient, _, noise = brute_force(policy, rewards, baseline, soft, soft**2)
        ones = np.ones(n_arms)
        _, _, _, plain = brute_force(policy, rewards, baseline, ones, ones)
        at = {"K": n_arms, "p": p_correct, "b": baseline, "eta": 0.8}
        assert noise / plain == pytest.approx(evaluate(results["noise_ratio"], **at), rel=1e-10)
        gap = (noise / (mean @ mean)) / (plain / (gradient @ gradient))
        assert gap == pytest.approx(evaluate(results["cosine_gap_ratio"], **at), rel=1e-10)
    printed = [evaluate(results["cosine_gap_ratio"], K=100, p=p_, b=0.5, eta=1.0) for p_ in (0.5, 0.9)]
    assert printed == pytest.approx([0.0414, 0.0128], abs=1e-4)


@pytest.mark.parametrize(("n_arms", "p_correct", "baseline"), CONTEXTS)
def test_baselines_and_forward_efficiency_against_enumeration(n_arms, p_correct, baseline):
    policy, rewards = symmetric(n_arms, p_correct)
    ones, at = np.ones(n_arms), {"K": n_arms, "p": p_correct, "b": baseline}

    def ratio(base, weights):
        mean, _, parallel, perpendicular = brute_force(policy, rewards, base, weights, weights)
        return (parallel + perpendicular) / (mean @ mean)

    _, gradient, _, noise = brute_force(policy, rewards, baseline, ones, ones)
    dependence, efficiency = derived("baseline-dependence").results, derived("forward-efficiency").results
    np.testing.assert_allclose(noise, evaluate(dependence["var_perpendicular_pg"], **at), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        noise / (gradient @ gradient), evaluate(dependence["noise_to_signal"], **at), rtol=1e-9, atol=1e-12
    )
    assert ratio(baseline, rewards) == pytest.approx(evaluate(efficiency["zero_price"], **at), rel=1e-9)
    assert ratio(baseline, ones) == pytest.approx(evaluate(efficiency["pg"], **at), rel=1e-9)
    best = optimize.minimize_scalar(lambda base: ratio(base, ones), bounds=(-1, 2), method="bounded")
    assert best.x == pytest.approx(evaluate(efficiency["best_baseline"], **at), abs=1e-4)
    assert best.fun == pytest.approx(evaluate(efficiency["pg_best"], **at), abs=1e-7)
    crossing = evaluate(efficiency["value_baseline_crossing"], **at)
    assert (ratio(p_correct, ones) < (1 - p_correct) / p_correct) == (p_correct < crossing)


@pytest.mark.parametrize("n", [1, 29, 30, 100])
def test_graded_family_against_explicit_vectors(n):
    policy = np.concatenate([[0.4], np.full(n, 0.1 / n), np.full(n, 0.5 / n)])
    rewards = np.concatenate([[0.3], np.ones(n), np.zeros(n)])
    value = policy @ rewards
    kept, _, _, _ = brute_force(policy, rewards, value, 1.0 * (rewards > value), np.ones(2 * n + 1))
    _, gradient, _, _ = brute_force(policy, rewards, value, np.ones(2 * n + 1), np.ones(2 * n + 1))
    cosine = kept @ gradient / np.linalg.norm(kept) / np.linalg.norm(gradient)
    results = derived("graded-rewards").results
    assert cosine == pytest.approx(evaluate(results["family_cosine"], n=n), abs=1e-12)
    assert (cosine < 0) == (n >= int(results["family_first_negative_n"]))


def test_graded_sufficient_condition_on_random_bandits():
    generator = np.random.default_rng(7)
    negative = 0
    for _ in range(3000):
        size = int(generator.integers(2, 7))
        policy = generator.dirichlet(np.full(size, 0.3)) + 1e-6
        policy /= policy.sum()
        rewards = generator.random(size)
        base = generator.choice([policy @ rewards, rewards.min() + 0.7 * np.ptp(rewards)])
        kept = np.maximum(rewards - base, 0)
        z = policy * (kept - policy @ kept)
        gradient = policy * (rewards - policy @ rewards)
        in_gap = (policy @ rewards < rewards) & (rewards < base + policy @ kept)
        if size == 2 or not in_gap.any():
            assert z @ gradient > 0
        negative += bool(z @ gradient < 0)
    assert negative > 0  # the condition is not empty: some of these bandits do turn by more than a right angle


def test_backward_passes_zero_price_and_chi_square_against_sampling():
    results = derived("backward-passes-to-align").results
    n_forward = evaluate(results["zero_price_forward"], p=0.07, delta=0.05)
    assert (1 - 0.07) ** n_forward == pytest.approx(0.05, rel=1e-12)
    assert evaluate(results["zero_price_backward"], p=0.07, delta=0.05) < math.log(1 / 0.05)
    n_arms, p_correct, baseline, target, delta = 10, 0.01, 0.5, 0.9, 0.1
    quantile = stats.chi2.ppf(1 - delta, n_arms - 2)
    n_samples = evaluate(results["pg"], K=n_arms, p=p_correct, b=baseline, c_0=target, q=quantile)
    policy, rewards = symmetric(n_arms, p_correct)
    counts = np.random.default_rng(11).multinomial(round(n_samples), policy, size=20_000)
    updates = (counts * (rewards - baseline)) @ (np.eye(n_arms) - policy)
    direction = rewards - policy
    cosines = updates @ direction / np.linalg.norm(updates, axis=1) / np.linalg.norm(direction)
    # Four standard errors of the frequency (0.0085), and 0.01 for the neglected parallel noise (relative size 0.003).
    assert np.mean(cosines >= target) == pytest.approx(1 - delta, abs=4 * math.sqrt(0.09 / 20_000) + 0.01)


@pytest.mark.parametrize("n_arms", [3, 30])
def test_learning_time_against_quadrature_of_the_enumerated_speed(n_arms):
    results = derived("learning-time").results
    start, end, baseline = 1 / n_arms, 0.95, 0.3

    def speed(p_correct, base, weights):
        policy, rewards = symmetric(n_arms, p_correct)
        mean, gradient, _, _ = brute_force(policy, rewards, base, weights(rewards), weights(rewards))
        return gradient @ mean  # dp/dt = ∇p·ż, and ∇p = ∇J

    def time(base, weights, cost):
        def integrand(x):
            return cost(x) / speed(x, base(x), weights)

        return integrate.quad(integrand, start, end, epsabs=0, epsrel=1e-9, limit=200)[0]

    at = {"K": n_arms, "b": baseline, "p_0": start, "p_1": end}
    cases = {
        "pg": (lambda x: baseline, np.ones_like, lambda x: 1.0),
        "zero_price_forward": (lambda x: baseline, lambda r: r, lambda x: 1.0),
        "zero_price_backward": (lambda x: baseline, lambda r: r, lambda x: x),
        "zero_price_value_forward": (lambda x: x, lambda r: r, lambda x: 1.0),
        "zero_price_value_backward": (lambda x: x, lambda r: r, lambda x: x),
    }
    for name, case in cases.items():
        assert evaluate(results[name], **at) == pytest.approx(time(*case), rel=1e-8), name
