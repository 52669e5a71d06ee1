"""The derivations of the token claims: every step holds, and their results agree with the code that computes them."""

import numpy as np
import pytest
import sympy as sp

from kondo_theory import token_trap as trap
from kondo_theory.derivations import row_gate, token_dg
from kondo_theory.derivations import token_trap as derived_trap
from simulations.checks.token_examples import EXAMPLES, PREDICTED


@pytest.mark.parametrize("module", [derived_trap, row_gate, token_dg], ids=lambda module: module.__name__)
def test_every_step_holds(module):
    derivation = module.derive()
    assert derivation.ok, [step.text for step in derivation.steps if not step.ok]
    assert derivation.latex().startswith("\\begin{align*}")


def test_the_enumerated_mean_field_is_the_code():
    chance = sp.Rational(2, 5)
    found = derived_trap.mean_field(3, lambda right, n: sp.Integer(n == 2), chance)  # only with two right neighbours
    probability = 0.4
    expected = probability * (1 - probability) * probability**2 * (0.6 - (2 / 3 - 0.4))
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_the_counterexamples_are_those_that_are_sampled():
    assert {name: float(value) for name, value in row_gate.COUNTEREXAMPLES.items()} == pytest.approx(PREDICTED)
    for name, build in EXAMPLES.items():
        mass, value = build()
        assert mass.sum() == pytest.approx(1)
        assert mass @ value == pytest.approx(PREDICTED[name], rel=1e-12)


def test_results_agree_with_the_closed_forms():
    results = token_dg.derive().results
    M, p = sp.Symbol("M", positive=True), sp.Symbol("p", positive=True)
    curve = sp.lambdify(p, results["critical_temperature"].subs(M, 300))
    grid = np.linspace(0.5, 0.9, 4001)
    assert trap.critical_temperature(300) == pytest.approx(curve(grid).max(), rel=1e-7)
    critical = derived_trap.derive().results["two_token_critical_rate"]
    assert trap.critical_rate(1000, 2) == pytest.approx(float(critical), abs=1e-9)


def test_negative_control_a_wrong_threshold_is_caught():
    assert not derived_trap._never_leads(5, 2, limit=150)
    assert not derived_trap._never_leads(2, 48, limit=150)
