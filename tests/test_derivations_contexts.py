"""The derivations of contexts, cost and approximate delight: every step holds, the results are closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from derived_claims import derived

from kondo_theory import approximate, contexts
from kondo_theory.derivations import step_cost
from kondo_theory.derivations.proof import Proof

CLAIMS = ("context-allocation", "step-cost", "approximate-delight")


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
    assert not step_cost.derive().ok


def test_negative_control_a_wrong_prefix_is_caught(monkeypatch):
    monkeypatch.setattr(step_cost, "_prefix", lambda: step_cost._T * step_cost._survival())
    proof = Proof("x", "s", ())
    step_cost._tokens(proof)
    assert not all(step.ok for step in proof.steps)


def test_contexts_results_are_the_closed_forms():
    results = derived("context-allocation").results
    p, n_arms, b = 0.3, 5, 0.4
    at = {"p": p, "K": n_arms, "b": b}
    assert evaluate(results["pg_weight"], **at) == contexts.context_weights("pg", p, n_arms, b)
    assert evaluate(results["zero_price_weight"], **at) == pytest.approx(
        contexts.context_weights("kondo", p, n_arms, b)
    )
    right, wrong = 1 / (1 + p ** (1 - b)), 1 / (1 + ((n_arms - 1) / (1 - p)) ** b)
    weight = evaluate(results["gated_weight"], **at, w_plus=right, w_minus=wrong)
    assert weight == pytest.approx(contexts.context_weights("dg", p, n_arms, b), rel=1e-12)
    probabilities = np.array([0.1, 0.3])
    mass = (1 - probabilities) ** 2 * probabilities
    critical = evaluate(results["critical_probability"], A=mass.sum(), Q=(mass * probabilities).sum())
    assert critical == pytest.approx(contexts.critical_probability(probabilities, 4, [True, True]), rel=1e-12)


def test_noise_results_are_the_closed_forms():
    results = derived("approximate-delight").results
    keep = evaluate(results["keep_probability"], chi=0.4, tau=0.7, **{"lambda": 0.1})
    assert keep == pytest.approx(approximate.noisy_keep(0.4, 0.7, price=0.1), rel=1e-12)
    right, wrong = approximate.noisy_weights(0.2, 6, 0.3, 0.5)
    moments = approximate.noisy_moments(0.2, 6, 0.3, 0.5)
    at = {"p": 0.2, "K": 6, "b": 0.3, "w_plus": right, "w_minus": wrong}
    assert evaluate(results["var_parallel"], **at) == pytest.approx(moments.var_parallel, rel=1e-11)
    assert evaluate(results["var_perpendicular"], **at) == pytest.approx(moments.var_perpendicular, rel=1e-11)
    assert evaluate(results["backward_rate"], **at) == pytest.approx(approximate.noisy_rate(0.2, 6, 0.3, 0.5))
    assert isinstance(results["kappa"], sp.Expr)
