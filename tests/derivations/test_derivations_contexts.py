"""The derivations of contexts, cost and approximate delight: every step holds, the results are closed forms."""

from __future__ import annotations

import importlib

import pytest
import sympy as sp
from derived_claims import derived
from first_failure import first_failure

from kondo_theory import cost
from kondo_theory.derivations import context_delightful, optimal_gate, stale_actors, step_cost, symmetric_context
from kondo_theory.derivations import gates_under_adam as adam
from kondo_theory.derivations import kept_sums as sums

p = symmetric_context.p
CLAIMS = (
    "context-allocation",
    "step-cost",
    "approximate-delight",
    "stale-actors",
    "disfavoured-actions",
    "unbiased-gates",
    "least-error-blend",
    "optimal-baseline",
    "decision-price",
    "cascade",
)
TIMES = ("pg", "backward", "value_backward", "value_forward")


def evaluate(expression, **values):
    symbols = {str(symbol): symbol for symbol in expression.free_symbols}
    return float(expression.subs({symbols[name]: value for name, value in values.items() if name in symbols}))


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_step_holds(claim):
    derivation = derived(claim)
    assert derivation.claim == claim
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert len(derivation.steps) >= 10
    assert all(step.latex for step in derivation.steps)
    assert derivation.latex().startswith("\\begin{align*}")


def test_negative_control_a_wrong_break_even_is_caught(monkeypatch):
    monkeypatch.setattr(step_cost, "_PHYSICAL", step_cost._LOGICAL)
    assert first_failure(step_cost)


def test_negative_control_a_wrong_prefix_is_caught(monkeypatch):
    monkeypatch.setattr(step_cost, "_prefix", lambda: step_cost._T * step_cost._survival())
    assert first_failure(step_cost, step_cost._tokens)


def swapped_mass(mass, square):
    """Return 2A/Q for 2Q/A."""
    return 2 * mass / square


# module of the steps, the function that writes them, where the formula lives, its name, the wrong formula
MUTATIONS = [
    ("context_allocation", "_best_set", None, "_critical", swapped_mass),
    ("context_allocation", "_blocks", "symmetric_context", "kappa", lambda b=0.5, plus=1, minus=1: plus + minus * b),
    ("context_delightful", "near_one", None, "cosine_squared", lambda group, weights: 1 + sum(weights)),
    ("context_delightful", "near_one", None, "_weights", lambda: (1 / (1 + p), context_delightful._error)),
    ("context_delightful", "while_weights_rise", None, "_weights", lambda: (1 / (2 + p), context_delightful._error)),
    ("approximate_delight", "_gaussian", None, "_cdf", lambda x: (1 - sp.erf(x)) / 2),
    ("approximate_delight", "_gaussian", None, "_keep_probability", lambda: sp.Rational(1, 2)),
    ("decision_price", "_gaussian", None, "_gaussian_price", lambda: sp.Symbol("c", real=True)),
    ("decision_price", "_two_points", None, "_two_point_price", lambda: sp.Symbol("a", real=True) / 2),
    ("decision_price", "_gaussian", None, "_upper", lambda at: (1 + sp.erf(at / sp.sqrt(2))) / 2),
    ("cascade", "_posterior", None, "_variance", lambda: sp.Symbol("d", positive=True) ** 2),
    ("cascade", "_window", None, "_loss", lambda at: sp.exp(-(at**2) / 2)),
    ("approximate_delight", "_bounded", None, "_band", lambda delta: (1 - delta, 1 + delta)),
    ("quality_cost_frontier", "_temperature_path", None, "_cost_of_gates", lambda: symmetric_context.eta + 1),
    ("backward_passes_to_align", "_zero_price", None, "_forward_zero_price", lambda: 1 / p),
    ("price_rate_duality", "_finite_batches", None, "_smooth_gap", lambda: 1 / symmetric_context.B),
    ("exact_k_or_price", "_what_agrees", None, "_signal", lambda: sp.Symbol("m")),
    ("exact_k_or_price", "_what_does_not", None, "_gap_below", lambda: sp.Integer(1)),
    ("normalised_price_gate", "_variate", None, "with_variate", lambda c: sums.rho * (sums.v + (sums.g - c) ** 2)),
    ("normalised_price_gate", "_divided_by_the_kept", None, "_normalised", lambda: sums.rho * sums.h * sums.v),
    ("normalised_price_gate", "_best_of_the_batch", None, "mixture", lambda *at: sums.best(*at[:3], at[3] + 1)),
    ("normalised_price_gate", "_compare", None, "_gap", lambda: sums.noise * (2 * sums.m - sums.g) * sums.g),
    ("count_under_adam", "under_adam", None, "spread", 1 / sp.sqrt(sums.rho * sums.B)),
    ("optimal_gate", "_the_top", None, "_value", lambda: optimal_gate._S / optimal_gate._Q),
    ("optimal_gate", "_without_bias", None, "_unbiased", lambda scale: scale * optimal_gate._q),
    ("optimal_gate", "_iteration", None, "_iterated", lambda: sp.Integer(4)),
    ("unbiased_gates", "_without_bias", None, "_added", lambda: sp.Integer(0)),
    ("unbiased_gates", "_symmetric", None, "_wrong_ratio", lambda: sp.Integer(1)),
    ("unbiased_gates", "_errors", None, "_crossing", lambda: 1 / p),
    ("unbiased_gates", "_winner_takes_all", None, "_top_kept", lambda: p),
    ("unbiased_gates", "_masks", None, "_prefix", lambda: p),
    ("least_error_blend", "_any_two", None, "_weight", lambda: p),
    ("least_error_blend", "_a_gate", None, "_gated_weight", lambda: p),
    ("least_error_blend", "_symmetric", None, "_zero_price", lambda: p),
    ("optimal_baseline", "_any_context", None, "_best", lambda: p),
    ("optimal_baseline", "_symmetric", None, "_drawn", lambda: p),
    ("optimal_baseline", "_symmetric", None, "_cost", lambda: p),
    ("optimal_baseline", "_symmetric", None, "_soft", lambda: p),
    ("optimal_baseline", "_moves", None, "_moving", lambda baseline: sp.Integer(1)),
    ("optimal_baseline", "_step", None, "_step_pg", lambda: p),
    ("stale_actors", "_corrupted", None, "_floor", lambda: sp.Rational(1, 10)),
    ("stale_actors", "_corrupted", None, "_never_right", lambda: stale_actors._r),
    ("stale_actors", "_many_contexts", None, "_pg_coefficient", lambda: p),
    ("disfavoured_actions", "_decomposition", None, "_parts", lambda: (symmetric_context.epsilon, sp.Integer(0))),
    ("disfavoured_actions", "_where_it_grows", None, "_growth", lambda: sp.Rational(1, 2)),
    ("gates_under_adam", "_factor", None, "_step", lambda: adam.m / sp.sqrt(adam.m + adam.s / adam.B)),
    ("gates_under_adam", "_one_context", None, "_right", lambda: 1 / sp.sqrt(1 + adam.b**2 / (adam.B * adam.p))),
    ("gates_under_adam", "_divisor_and_contexts", None, "_kept_pays", lambda: (1 - adam.rho) / adam.h),
    ("corner_escape", "_two_arms", None, "_two_arm_times", lambda: dict.fromkeys(TIMES, sp.log(p))),
    ("corner_escape", "shared_logits", "shared_logits", "_push", lambda minority: p * (1 - p) * (1 - 2 * minority)),
    ("corner_escape", "delightful", "shared_logits", "_weights", lambda success: (sp.Integer(1), sp.Integer(0))),
    ("autoregressive_rows", "_tied", None, "_place", lambda u, v: (1 - 1 / v) / (1 + u)),
    ("autoregressive_rows", "_per_position", None, "_ascent", lambda: sp.Rational(7, 200)),
    ("quantile_bernoulli_gate", "_limits", None, "_sigma", lambda z: 1 / (1 + sp.exp(z))),
    ("quantile_bernoulli_gate", "_monotone", None, "_slope", lambda z: 1 / (2 * sp.cosh(z / 2) ** 2)),
    ("quantile_bernoulli_gate", "_shares", None, "_sigma", lambda z: sp.Rational(1, 2)),
    ("screening_ties", "_late", None, "_late_loss_advantage", lambda: 1 - p),
    ("screening_ties", "_late", None, "_late_loss_abs_advantage", lambda: 1 - p),
    ("screening_ties", "_extremes", None, "_mixed", lambda: p),
    ("stall_escape", "_drift", None, "_rate_zero", lambda: p),
    ("stall_escape", "_noise", None, "_diffusion", lambda: p),
    ("row_gate", "_vanishing", None, "_one_right_drift", lambda: p),
    ("row_gate", "_zero_price", None, "_two_tokens_at_zero_price", lambda: p),
    ("token_trap", "_two_tokens", None, "_two_token_rate", lambda: p / 2),
    ("token_trap", "_jumps", None, "_lead", lambda n_tokens, vocab_size, chance: sp.Integer(1)),
]


@pytest.mark.parametrize(("claim", "steps", "owner", "name", "wrong"), MUTATIONS)
def test_negative_control_a_wrong_formula_is_caught(monkeypatch, claim, steps, owner, name, wrong):
    module = importlib.import_module(f"kondo_theory.derivations.{claim}")
    write = getattr(module, steps)
    assert first_failure(module, write) is None
    monkeypatch.setattr(importlib.import_module(f"kondo_theory.derivations.{owner or claim}"), name, wrong)
    assert first_failure(module, write)


def test_cost_results_are_the_closed_forms():
    results = derived("step-cost").results
    at = {"rho": 0.2, "c": 3.0, "s": 0.7, "T": 6}
    for name in ("full", "logical", "physical"):
        assert evaluate(results[name], **at) == pytest.approx(cost.step_cost(0.2, 3.0, name, screening_cost=0.7))
    assert evaluate(results["break_even_rate"], **at) == pytest.approx(cost.break_even_rate(3.0, 0.7))
    assert evaluate(results["surviving_rows"], **at) == pytest.approx(cost.surviving_rows(0.2, 6))
    assert evaluate(results["expected_prefix"], **at) == pytest.approx(cost.expected_prefix(0.2, 6))
