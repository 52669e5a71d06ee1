"""Every formula that a derivation concludes is the package's, at random parameters, for all claims."""

from __future__ import annotations

import closed_forms
import numpy as np
import pytest
import sympy as sp
from closed_forms import ClosedForm
from derived_claims import DERIVED, derived

from kondo_theory import gate

DRAWS = 25
FORMS = closed_forms.collect("CLOSED_FORMS")


def worst_difference(result: sp.Basic, form: ClosedForm, seed: int, draws: int = DRAWS) -> float:
    """Largest difference of formula and package over the draws, in units of the tolerance; NaN is infinite."""
    generator = np.random.default_rng(seed)
    worst = 0.0
    for _ in range(draws if result.free_symbols or form.draw(np.random.default_rng(0)) else 1):
        values = form.draw(generator)
        formula, package = form.evaluate(result, values), float(form.function(**values))
        scale = form.relative * max(abs(formula), abs(package), 1e-300)
        difference = abs(formula - package) / scale
        worst = max(worst, difference if difference == difference else np.inf)
    return worst


@pytest.mark.parametrize("claim", DERIVED)
def test_every_result_has_one_closed_form(claim):
    expected, found = set(derived(claim).results), set(FORMS.get(claim, {}))
    missing, stale = sorted(expected - found), sorted(found - expected)
    assert not missing, f"claim {claim}: no closed form for the results {', '.join(missing)}"
    assert not stale, f"claim {claim}: closed forms without a result: {', '.join(stale)}"


def test_only_derived_claims_have_closed_forms():
    assert set(FORMS) <= set(DERIVED)


@pytest.mark.parametrize("claim", [claim for claim in DERIVED if claim in FORMS])
def test_results_are_the_closed_forms(claim):
    for index, (name, result) in enumerate(derived(claim).results.items()):
        worst = worst_difference(result, FORMS[claim][name], seed=index)
        assert worst <= 1, f"claim {claim}: {name} is {worst:.3g} tolerances from the package's closed form"


@pytest.mark.parametrize("claim", [claim for claim in DERIVED if claim in FORMS])
def test_negative_control_a_result_off_by_a_millionth_fails(claim):
    for index, (name, result) in enumerate(derived(claim).results.items()):
        form = FORMS[claim][name]
        off = ClosedForm(
            form.draw,
            form.function,
            form.relative,
            lambda found, values, form=form: form.evaluate(found, values) * (1 + 3 * max(form.relative, 1e-6)),
        )
        worst = worst_difference(result, off, seed=index, draws=10)
        assert worst > 1 or result == 0, f"claim {claim}: {name} is zero wherever it is compared"


def test_negative_control_a_mutated_formula_and_a_nan_fail():
    chi, price, eta = sp.Symbol("chi"), sp.Symbol("lambda"), sp.Symbol("eta")
    form = ClosedForm(
        lambda rng: {"chi": rng.normal(), "lambda": rng.normal(), "eta": rng.uniform(0.1, 2)},
        lambda **at: gate.gate_probability(np.array([at["chi"]]), at["lambda"], at["eta"])[0],
    )
    assert worst_difference(1 / (1 + sp.exp(-(chi - price) / eta)), form, 0) <= 1
    assert worst_difference(1 / (1 + sp.exp(-(chi + price) / eta)), form, 0) > 1
    assert worst_difference(1 / (2 + sp.exp(-(chi - price) / eta)), form, 0) > 1
    assert worst_difference(sp.nan, form, 0) == np.inf
