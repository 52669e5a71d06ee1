"""The derivations: every step holds, a wrong formula is caught, and the results agree with brute force in NumPy."""

from __future__ import annotations

import importlib
import itertools
import math

import numpy as np
import pytest
import sympy as sp
from derived_claims import derived
from scipy import integrate, optimize, stats

from kondo_theory.derivations import symmetric_context
from kondo_theory.derivations.proof import Proof

CLAIMS = (
    "gate-law",
    "price-rate-duality",
    "quality-cost-frontier",
    "zero-price-geometry",
    "dg-noise-ratio",
    "baseline-dependence",
    "forward-efficiency",
    "graded-rewards",
    "backward-passes-to-align",
    "learning-time",
    "additive-threshold",
    "additive-never-fixed",
    "screening-at-rate",
    "exact-k-or-price",
)
# Symbols that a result may contain: the papers' quantities, indices of sums and integrals, and named statistics.
KNOWN_SYMBOLS = {
    *(
        "K",
        "B",
        "N",
        "p",
        "b",
        "k",
        "n",
        "r",
        "u",
        "L",
        "X",
        "Y",
        "alpha",
        "Delta",
        "delta",
        "eta",
        "lambda",
        "rho",
        "chi",
    ),
    *("w_plus", "w_minus", "s_plus", "s_minus", "p_0", "p_1", "R_high", "R_low", "c_0", "q", "m", "v", "f", "h"),
}
CONTEXTS = [(2, 0.3, 0.5), (3, 0.05, 0.25), (10, 0.6, 0.6), (57, 0.9, 0.1), (4, 0.25, 0.0)]


def module_of(claim: str):
    return importlib.import_module("kondo_theory.derivations." + claim.replace("-", "_"))


def evaluate(expression: sp.Basic, **values: float) -> float:
    """Lambdify a result formula and call it with values given by symbol name."""
    symbols = sorted(expression.free_symbols, key=str)
    return float(sp.lambdify(symbols, expression, "numpy")(*[float(values[str(s)]) for s in symbols]))


def brute_force(policy, rewards, baseline, first, second):
    """Moments of one sample's gradient by plain enumeration: mean, ∇J, Var_∥ and Var_⊥ about the mean."""
    policy, rewards = np.asarray(policy), np.asarray(rewards)
    scores = np.eye(len(policy)) - policy  # row a is φ_a
    gradient = (policy * rewards) @ scores
    unit = gradient / np.linalg.norm(gradient)
    advantage = rewards - baseline
    mean = (policy * first * advantage) @ scores
    covariance = np.einsum("a,ai,aj->ij", policy * second * advantage**2, scores, scores) - np.outer(mean, mean)
    parallel = unit @ covariance @ unit
    return mean, gradient, parallel, np.trace(covariance) - parallel


def symmetric(n_arms: int, p: float):
    policy = np.full(n_arms, (1 - p) / (n_arms - 1))
    policy[0] = p
    return policy, np.eye(n_arms)[0]


# --- every derivation


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_step_holds_and_is_written_down(claim):
    derivation = derived(claim)
    assert derivation.claim == claim
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert len(derivation.steps) >= 4
    assert derivation.statement
    assert derivation.assumptions
    for step in derivation.steps:
        assert step.text
        assert step.latex.strip(), step.text
        assert (len(step.argument) > 20) == (step.kind == "argued"), step.text
        assert (step.points > 0) or step.kind != "checked", step.text


@pytest.mark.parametrize("claim", CLAIMS)
def test_results_are_formulas_in_known_symbols(claim):
    derivation = derived(claim)
    assert derivation.results
    for name, formula in derivation.results.items():
        assert isinstance(formula, sp.Basic), name
        assert {str(symbol) for symbol in formula.free_symbols} <= KNOWN_SYMBOLS, name
        assert not formula.has(sp.nan, sp.zoo), name
    assert derivation.latex().count("&=") == len(derivation.results)


@pytest.mark.parametrize("claim", CLAIMS)
def test_derive_is_the_only_public_name(claim):
    module = module_of(claim)
    assert module.__all__ == ["derive"]
    assert "arXiv" in module.__doc__ or "this project" in module.__doc__


# --- negative controls


def test_a_wrong_identity_is_kept_and_fails():
    x = sp.Symbol("x", positive=True)
    proof = Proof("control", "wrong", ())
    proof.identity("wrong", (x + 1) ** 2, x**2 + 2 * x)
    proof.identity("right", sp.Derivative(x**2, x), 2 * x)
    derivation = proof.conclude(value=x)
    assert [step.ok for step in derivation.steps] == [False, True]
    assert not derivation.ok


@pytest.mark.parametrize("undecided", [sp.Symbol("y") > 0, None, False, 1, sp.false])
def test_only_true_passes_a_check(undecided):
    proof = Proof("control", "undecided", ())
    proof.check("undecided", undecided)
    proof.argue("undecided", "no reason", undecided)
    assert [step.ok for step in proof.steps] == [False, False]


def test_a_derivation_without_steps_is_not_ok():
    assert not Proof("control", "empty", ()).conclude().ok


K, p, b = symmetric_context.K, symmetric_context.p, symmetric_context.b
eta, log_odds, ratio, gap = symmetric_context.eta, *sp.symbols("L r Delta", positive=True)
s_minus, w_plus, w_minus = symmetric_context.s_minus, symmetric_context.w_plus, symmetric_context.w_minus


def wrong_kappa(baseline=b, correct=w_plus, wrong=w_minus):
    """Treat a wrong sample's advantage as 1 − b."""
    return (correct + wrong) * (1 - baseline)


def wrong_var_perpendicular(baseline=b, wrong_second=s_minus):
    """K − 1 for K − 2: count the parallel direction as perpendicular."""
    return (1 - p) * wrong_second * baseline**2 * (K - 1) / (K - 1)


def wrong_kept(order):
    """Fill the other group first."""
    rate = sp.Symbol("rho", positive=True)
    return sp.Max(rate - (1 - p), 0), sp.Min(rate, 1 - p)


# claim, where the formula lives (None: shared by all), its name, the wrong formula
MUTATIONS = [
    ("gate-law", "gate_law", "_gate", lambda x, eta=eta: 1 / (1 + sp.exp(x / eta))),
    ("gate-law", "gate_law", "_value", lambda x, eta=eta: sp.log(1 + sp.exp(x / eta))),
    ("price-rate-duality", "price_rate_duality", "_quantile_value", lambda rate, atoms=(0, 0, 0): rate * atoms[0]),
    ("quality-cost-frontier", "symmetric_context", "kappa", wrong_kappa),
    ("zero-price-geometry", "symmetric_context", "kappa", wrong_kappa),
    ("zero-price-geometry", "symmetric_context", "var_perpendicular", wrong_var_perpendicular),
    ("zero-price-geometry", "zero_price_geometry", "_backward_rate", lambda: p * w_plus),
    ("zero-price-geometry", "symmetric_context", "delights", lambda baseline=b: (-baseline, 1 - baseline)),
    ("dg-noise-ratio", "dg_noise_ratio", "_noise_ratio", lambda: 1 / (1 + ((K - 1) / (1 - p)) ** (1 - b))),
    ("baseline-dependence", "symmetric_context", "var_perpendicular", wrong_var_perpendicular),
    ("forward-efficiency", "forward_efficiency", "_crossing", lambda: (1 + 1 / K) / 3),
    ("forward-efficiency", "forward_efficiency", "_zero_price_noise_to_signal", lambda: (1 - b) * (1 - p) / p),
    ("graded-rewards", "graded_rewards", "_positive_part", lambda advantage: advantage),
    ("graded-rewards", "graded_rewards", "_positive_part", lambda advantage: sp.Max(-advantage, 0)),
    ("backward-passes-to-align", "backward_passes_to_align", "_parallel_parts", lambda: ((1 - b) * (1 - p), -b * p)),
    ("learning-time", "learning_time", "_backward_primitive", lambda x: sp.log(x / (1 - x)) - 1 / x),
    ("learning-time", "learning_time", "_value_backward_primitive", lambda x: sp.log(x / (1 - x)) + 1 / (1 - x)),
    (
        "additive-threshold",
        "additive_threshold",
        "_threshold",
        lambda log_odds=log_odds: log_odds / (1 + log_odds),
    ),
    (
        "additive-never-fixed",
        "additive_never_fixed",
        "_critical_odds",
        lambda ratio=ratio: sp.exp(ratio * gap) / K,
    ),
    ("screening-at-rate", "screening_at_rate", "_kept", wrong_kept),
    ("exact-k-or-price", "exact_k_or_price", "_gap_above", lambda: sp.Integer(0)),
]


@pytest.mark.parametrize(("claim", "owner", "name", "wrong"), MUTATIONS)
def test_a_wrong_formula_is_caught(monkeypatch, claim, owner, name, wrong):
    monkeypatch.setattr(importlib.import_module("kondo_theory.derivations." + owner), name, wrong)
    derivation = module_of(claim).derive()  # not the cached one
    assert not derivation.ok


def test_a_gate_that_keeps_the_failures_is_caught(monkeypatch):
    """The enumeration itself is fed a gate that keeps wrong samples where the formulas say it drops them."""
    monkeypatch.setattr(
        symmetric_context, "by_sign", lambda correct, wrong, n_arms: (wrong, *[correct] * (n_arms - 1))
    )
    assert not module_of("zero-price-geometry").derive().ok


# --- independent oracles


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
