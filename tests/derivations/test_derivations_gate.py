"""The derivations of the gate, its price and its rules against brute force in NumPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from context_enumeration import CONTEXTS, brute_force, evaluate, symmetric
from derived_claims import derived
from scipy import optimize, stats


@pytest.mark.parametrize("excess", [-2.0, 0.0, 0.3])
@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_gate_law_against_numerical_maximisation(excess, temperature):
    def loss(w):
        return -(w * excess + temperature * (-w * math.log(w) - (1 - w) * math.log1p(-w)))

    best = optimize.minimize_scalar(loss, bounds=(1e-12, 1 - 1e-12), method="bounded", options={"xatol": 1e-12})
    at = {"chi": excess + 0.5, "lambda": 0.5, "eta": temperature}
    assert best.x == pytest.approx(evaluate(derived("gate-law").results["gate"], **at), abs=1e-6)
    assert -best.fun == pytest.approx(evaluate(derived("gate-law").results["value"], **at), rel=1e-10)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.31, 0.8, 1.0])
def test_price_rate_duality_against_linear_programming(rate):
    n_arms, p_correct, baseline = 7, 0.3, 0.4
    policy, rewards = symmetric(n_arms, p_correct)
    delight = (rewards - baseline) * -np.log(policy)
    best = optimize.linprog(-policy * delight, A_eq=[policy], b_eq=[rate], bounds=(0, 1))
    at = {"K": n_arms, "p": p_correct, "b": baseline, "rho": rate}
    assert -best.fun == pytest.approx(
        evaluate(derived("price-rate-duality").results["symmetric_value"], **at), rel=1e-9
    )
    soft = policy @ (1 / (1 + np.exp(-delight / 0.7)))
    rate_formula = derived("price-rate-duality").results["symmetric_soft_rate"]
    assert soft == pytest.approx(evaluate(rate_formula, eta=0.7, **at), rel=1e-12)


@pytest.mark.parametrize(("n_arms", "p_correct", "baseline"), [c for c in CONTEXTS if c[2] > 0])
@pytest.mark.parametrize(("price", "temperature"), [(0.0, 0.5), (0.3, 0.2), (-0.5, 2.0)])
def test_quality_cost_frontier_against_enumeration(n_arms, p_correct, baseline, price, temperature):
    results = derived("quality-cost-frontier").results
    policy, rewards = symmetric(n_arms, p_correct)
    gate = 1 / (1 + np.exp(-((rewards - baseline) * -np.log(policy) - price) / temperature))
    mean, _, parallel, perpendicular = brute_force(policy, rewards, baseline, gate, gate)
    at = {"K": n_arms, "p": p_correct, "b": baseline, "lambda": price, "eta": temperature, "B": 10}
    noise = (parallel + perpendicular) / (mean @ mean)
    assert policy @ gate == pytest.approx(evaluate(results["backward_rate"], **at), rel=1e-11)
    assert evaluate(results["efficiency"], **at) == pytest.approx(1 / (1 + noise / 10), rel=1e-9)
    per_pass = evaluate(results["noise_per_backward_pass"], **at)
    assert per_pass == pytest.approx(policy @ gate * noise, rel=1e-9)
    assert per_pass + policy @ gate >= 1 - 1e-12  # the lower bound on the cost of signal


@pytest.mark.parametrize(("n_arms", "p_correct", "gap"), [(3, 0.5, 1.0), (10, 0.9, 0.4), (100, 0.02, 2.0)])
def test_additive_threshold_separates_the_orders(n_arms, p_correct, gap):
    star = evaluate(derived("additive-threshold").results["threshold"], K=n_arms, p=p_correct, Delta=gap)
    policy, rewards = symmetric(n_arms, p_correct)
    for alpha, failure_wins in ((star - 1e-9, True), (star + 1e-9, False)):
        scores = alpha * (gap * rewards - 0.123) + (1 - alpha) * -np.log(policy)
        assert (scores[1] > scores[0]) == failure_wins
    results = derived("additive-never-fixed").results
    turn = evaluate(results["critical_probability"], K=n_arms, Delta=gap, alpha=star)
    assert turn == pytest.approx(p_correct, rel=1e-9)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rule", ["delight", "surprisal", "absolute"])
def test_screening_at_rate_against_sorting_a_population(rule, rate):
    n_arms, p_correct, baseline, size = 5, 0.4, 0.7, 1000
    policy, rewards = symmetric(n_arms, p_correct)
    arms = np.repeat(np.arange(n_arms), np.rint(policy * size).astype(int))  # an exact population: 400 and 4 × 150
    advantage, surprisal = rewards[arms] - baseline, -np.log(policy[arms])
    score = {"delight": advantage * surprisal, "surprisal": surprisal, "absolute": np.abs(advantage)}[rule]
    kept = arms[np.argsort(-score, kind="stable")[: round(rate * size)]]
    order = "correct_first" if rule == "delight" else "wrong_first"
    results = derived("screening-at-rate").results
    masses = {name: evaluate(results[f"{order}_{name}"], p=p_correct, rho=rate) for name in ("correct", "wrong")}
    assert np.mean(kept == 0) * rate == pytest.approx(masses["correct"], abs=1e-12)
    weights = np.where(rewards > 0, masses["correct"] / p_correct, masses["wrong"] / (1 - p_correct))
    mean, _, parallel, perpendicular = brute_force(policy, rewards, baseline, weights, weights)
    at = {"K": n_arms, "p": p_correct, "b": baseline, "X": masses["correct"], "Y": masses["wrong"]}
    assert np.linalg.norm(mean) == pytest.approx(evaluate(results["signal"], **at), rel=1e-11)
    assert perpendicular == pytest.approx(evaluate(results["var_perpendicular"], **at), abs=1e-13)
    cost = rate * (parallel + perpendicular + mean @ mean) / (mean @ mean)
    assert cost == pytest.approx(evaluate(results["cost_of_signal"], **at), rel=1e-10)


@pytest.mark.parametrize(("batch", "keep"), [(4, 1), (4, 3), (5, 2), (3, 3)])
def test_exact_k_against_enumeration_of_batches(batch, keep):
    n_arms, p_correct, baseline = 3, 0.35, 0.2
    policy, rewards = symmetric(n_arms, p_correct)
    scores = np.eye(n_arms) - policy
    unit = scores[0] / np.linalg.norm(scores[0])
    first, second, total, mean = 0.0, 0.0, 0.0, np.zeros(n_arms)
    for draw in itertools.product(range(n_arms), repeat=batch):
        arms = np.array(draw)
        delight = (rewards[arms] - baseline) * -np.log(policy[arms])
        for order in (kept for kept in itertools.combinations(range(batch), keep)):
            # Every kept set is a top k for some tie-break, or for none; the valid ones are equally likely.
            dropped = [i for i in range(batch) if i not in order]
            if dropped and min(delight[list(order)]) < max(delight[dropped]) - 1e-12:
                continue
            valid = math.comb(int(np.sum(arms == 0)), keep) if np.sum(arms == 0) >= keep else None
            if valid is None:
                valid = math.comb(int(np.sum(arms != 0)), keep - int(np.sum(arms == 0)))
            chosen = arms[list(order)]
            update = (rewards[chosen] - baseline) @ scores[chosen] / batch
            weight = np.prod(policy[arms]) / valid
            mean += weight * update
            first += weight * (update @ unit)
            second += weight * (update @ unit) ** 2
            total += weight * (update @ update)
    results = derived("exact-k-or-price").results
    tallies = stats.binom.pmf(np.arange(batch + 1), batch, p_correct)
    kept_successes = np.minimum(np.arange(batch + 1), keep)
    mean_s = tallies @ kept_successes
    var_s = tallies @ kept_successes**2 - mean_s**2
    at = {"K": n_arms, "B": batch, "k": keep, "p": p_correct, "b": baseline, "m": mean_s, "v": var_s}
    assert first == pytest.approx(evaluate(results["signal"], **at), rel=1e-11)
    assert second - first**2 == pytest.approx(evaluate(results["batch_var_parallel"], **at), abs=1e-14)
    assert total - second - (mean @ mean - first**2) == pytest.approx(
        evaluate(results["batch_var_perpendicular"], **at), abs=1e-14
    )
    symbols = {str(s): s for s in results["variance_kept_successes"].free_symbols}
    values = {symbols["B"]: batch, symbols["k"]: keep, symbols["p"]: sp.Rational(7, 20)}
    for name, expected in (("expected_kept_successes", mean_s), ("variance_kept_successes", var_s)):
        assert float(results[name].subs(values).doit()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "baseline", "name"), [(0.2, 0.4, "below"), (0.5, 0.4, "above"), (0.5, 0.9, "above")]
)
def test_exact_k_limit_against_a_large_batch(rate, baseline, name):
    n_arms, p_correct, batch = 10, 0.3, 40_000
    tallies = stats.binom.pmf(np.arange(batch + 1), batch, p_correct)
    kept = np.minimum(np.arange(batch + 1), round(rate * batch))
    variance = tallies @ (kept - tallies @ kept) ** 2
    results = derived("exact-k-or-price").results
    at = {"K": n_arms, "p": p_correct, "b": baseline, "B": batch, "rho": rate}
    exact = batch * evaluate(results["batch_var_parallel"], v=variance, **at)
    policy, rewards = symmetric(n_arms, p_correct)
    wrong = max(0.0, (rate - p_correct) / (1 - p_correct))
    gate = np.where(rewards > 0, min(1.0, rate / p_correct), wrong)
    _, _, price, _ = brute_force(policy, rewards, baseline, gate, gate)
    # At 40,000 samples rate and p are more than 40 standard deviations apart: the limit is reached to rounding.
    assert price - exact == pytest.approx(evaluate(results[f"limit_gap_{name}"], **at), rel=1e-8)
