"""The derivations of one context: every step holds, its results are formulas, and a wrong one is caught."""

from __future__ import annotations

import importlib

import pytest
import sympy as sp
from carried_out_once import carried_out_once
from derived_claims import derived
from first_failure import first_failure

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
    "corner-escape",
    "additive-threshold",
    "additive-never-fixed",
    "screening-at-rate",
    "answer-rules",
    "prompt-skipping",
    "exact-k-or-price",
    "normalised-price-gate",
    "optimal-gate",
    "gates-under-adam",
    "quantile-bernoulli-gate",
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
        "s",
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
    *(
        "w_plus",
        "w_minus",
        "s_plus",
        "s_minus",
        "p_0",
        "p_1",
        "R_high",
        "R_low",
        "c_0",
        "q",
        "m",
        "v",
        "g",
        "f",
        "h",
        "S",
        "Q",
        "x",
        "y",
        "G",
        "a",
        "c",
        "T",
        "xi",
    ),
}


def module_of(claim: str):
    return importlib.import_module("kondo_theory.derivations." + claim.replace("-", "_"))


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
    ("answer-rules", "answer_rules", "_group_mean", lambda: sp.Symbol("x", nonnegative=True)),
    ("answer-rules", "answer_rules", "_kept_mean", lambda: sp.Symbol("x", nonnegative=True) ** 2),
    ("answer-rules", "answer_rules", "largest", lambda group, n_kept: [tuple(range(n_kept))]),
    ("answer-rules", "answer_rules", "widest", lambda group, n_kept: [tuple(range(n_kept))]),
    ("prompt-skipping", "prompt_skipping", "_idle", lambda: sp.Symbol("p", positive=True) ** 2),
    ("prompt-skipping", "prompt_skipping", "_share", lambda: 1 - sp.Symbol("q", positive=True)),
    ("prompt-skipping", "prompt_skipping", "_epochs", lambda cap: 1 / sp.Symbol("xi", positive=True) ** cap),
    ("prompt-skipping", "prompt_skipping", "_wait", lambda: sp.Symbol("T", positive=True, integer=True)),
    ("answer-rules", "answer_rules", "nests", lambda rewards: len(rewards) < 5),
    ("exact-k-or-price", "exact_k_or_price", "_gap_above", lambda: sp.Integer(0)),
]


@pytest.mark.parametrize(("claim", "owner", "name", "wrong"), MUTATIONS)
def test_a_wrong_formula_is_caught(monkeypatch, claim, owner, name, wrong):
    monkeypatch.setattr(importlib.import_module("kondo_theory.derivations." + owner), name, wrong)
    assert first_failure(module_of(claim))


def test_a_gate_that_keeps_the_failures_is_caught(monkeypatch):
    """The enumeration itself is fed a gate that keeps wrong samples where the formulas say it drops them."""
    monkeypatch.setattr(
        symmetric_context, "by_sign", lambda correct, wrong, n_arms: (wrong, *[correct] * (n_arms - 1))
    )
    assert first_failure(module_of("zero-price-geometry"))


def test_what_is_carried_out_once_is_what_sympy_finds_and_kinds_and_hints_are_told_apart():
    x, n = sp.symbols("x n", positive=True)
    parts = (sp.Integral(sp.exp(-x), (x, 0, 1)), sp.Sum(n, (n, 1, 3)), sp.Limit(sp.sin(x) / x, x, 0))
    nested = sp.Integral(sp.Sum(x * n, (n, 1, 3)), (x, 0, 1))
    expected = [*(part.doit() for part in parts), nested.doit(), nested.doit(deep=False)]
    doit = sp.Integral.doit
    with carried_out_once():
        assert sp.Integral.doit is not doit
        for _ in range(2):
            assert [*(part.doit() for part in parts), nested.doit(), nested.doit(deep=False)] == expected
    assert sp.Integral.doit is doit
