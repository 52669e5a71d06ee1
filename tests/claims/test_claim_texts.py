"""The formulas and numbers in a claim's text are its derivation's, and none hides outside of ``Claim.formulas``."""

from __future__ import annotations

import dataclasses
import re

import closed_forms
import numpy as np
import pytest
import sympy as sp
from derived_claims import DERIVED, derived
from plain_notation import parse

from kondo_theory.claims import CLAIMS
from kondo_theory.claims.registry import Claim

FORMS = closed_forms.collect("CLOSED_FORMS")
WHERE = closed_forms.collect("WHERE")
QUOTED = closed_forms.collect("QUOTED")
DRAWS = 25

# A number with a decimal point or a percent sign is printed to so many digits, and is right to half of the last.
PRINTED = re.compile(r"(?P<sign>[−-]?)(?P<whole>\d*)(?:\.(?P<decimals>\d+))?(?P<percent> ?%)?")
# What makes a stretch of text a formula or a number that somebody computed.
FORMULA = re.compile(
    r"[√½¼π^]|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]"  # roots, powers, constants
    r"|\d[.,]\d|\d ?%"  # decimals, thousands, percent
    r"|[^\W_*]\)?[₀-₉₊₋*]?\)? ?[/·+−] ?[(\[]?[^\W_]"  # an operator between two terms
    r"|(?:log|ln|exp|min|max|Φ|φ|σ|∫|Σ)[({⁻_ ]"  # a function of something
    r"|\d{2,}"  # whole numbers of two digits or more
)


def agrees(text: str, result: sp.Basic, claim: str, name: str) -> bool:
    """Whether a formula as printed is the derivation's result: exactly, or to the digits that are printed."""
    printed = PRINTED.fullmatch(text)
    if printed and (printed["decimals"] or printed["percent"]):
        value = float(parse(text))
        digits = len(printed["decimals"] or "") + (2 if printed["percent"] else 0)
        return abs(closed_forms.number(result, {}) - value) <= 0.5000001 * 10.0**-digits
    formula = parse(text, WHERE.get(claim))
    symbols = {str(symbol): symbol for symbol in result.free_symbols}
    formula = formula.subs({s: symbols[str(s)] for s in formula.free_symbols if str(s) in symbols})
    if not formula.free_symbols <= result.free_symbols:
        return False
    if result.is_rational_function() and formula.is_rational_function():
        return sp.cancel(sp.together(formula - result)) == 0
    generator = np.random.default_rng(0)
    for _ in range(DRAWS if result.free_symbols else 1):
        at = FORMS[claim][name].draw(generator) if result.free_symbols else {}
        left, right = closed_forms.number(formula, at), closed_forms.number(result, at)
        if not abs(left - right) <= 1e-13 * max(abs(left), abs(right)):
            return False
    return True


def hidden(claim: Claim, texts: dict[str, str]) -> list[str]:
    """Return the stretches of the claim's text that look like formulas and are neither checked nor accounted for."""
    covered = sorted([*claim.formulas.values(), *texts], key=len, reverse=True)
    found = []
    for text in (claim.statement, claim.regime):
        for known in covered:
            # Whole terms only: a formula ``p`` must not cover the p of ``p²``.
            text = re.sub(rf"(?<![\w.]){re.escape(known)}(?![\w²³⁻^])", "□", text)
        found += [text[max(0, m.start() - 15) : m.end() + 15] for m in FORMULA.finditer(text)]
    return found


@pytest.mark.parametrize("claim", DERIVED)
def test_printed_formulas_are_results_of_the_derivation(claim):
    for name, text in CLAIMS[claim].formulas.items():
        results = derived(claim).results
        assert name in results, f"claim {claim} prints {text} as {name}, which its derivation does not conclude"
        assert agrees(text, results[name], claim, name), f"claim {claim} prints {text}, derived: {results[name]}"


@pytest.mark.parametrize("claim", [claim for claim in DERIVED if CLAIMS[claim].formulas])
def test_negative_control_a_changed_formula_is_found(claim):
    for name, text in CLAIMS[claim].formulas.items():
        assert not agrees(f"({text}) + 1", derived(claim).results[name], claim, name), text


@pytest.mark.parametrize("claim", DERIVED)
def test_no_formula_hides_in_the_text(claim):
    found = hidden(CLAIMS[claim], QUOTED.get(claim, {}))
    assert not found, f"claim {claim}: neither a formula of the claim nor quoted with a reason: {found}"


@pytest.mark.parametrize("claim", sorted(QUOTED))
def test_quoted_texts_stand_in_the_claim_and_have_a_reason(claim):
    for text, reason in QUOTED[claim].items():
        assert text in CLAIMS[claim].statement + CLAIMS[claim].regime, text
        assert len(reason) > 10, text
        assert text not in CLAIMS[claim].formulas.values(), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("√(2π)", "sqrt(2*pi)"),
        ("√π", "sqrt(pi)"),
        ("εb²(K−2)/(K−1)", "(1-p)*b**2*(K-2)/(K-1)"),
        ("e^{αΔ/(1−α)}/(K−1)", "exp(alpha*Delta/(1-alpha))/(K-1)"),
        ("½e^{−(1−x)²/2r²}", "exp(-(1-x)**2/(2*r**2))/2"),
        ("2(2πη)²cos(2πη)/sin²(2πη)·r³φ(1/r)", "8*pi**2*eta**2*cos(2*pi*eta)/sin(2*pi*eta)**2*r**3"
         "*exp(-1/(2*r**2))/sqrt(2*pi)"),
        ("1 − (1−ρ)^T", "1-(1-rho)**T"),
        ("(ρ−p)₊", "Max(rho-p, 0)"),
        ("[1/p₁ − w₋⁻¹]κ", "(1/p_1-1/w_minus)*kappa"),
        ("min(ρ, p)", "Min(rho, p)"),
        ("0.4 %", "1/250"),
        ("1/φ(Φ⁻¹(1−ρ))", "sqrt(2*pi)*exp(erfinv(1-2*rho)**2)"),
    ],
)  # fmt: skip
def test_the_notation(text, expected):
    found = parse(text)
    names = {str(symbol): symbol for symbol in found.free_symbols}
    difference = found - sp.sympify(expected, locals=names)
    at = {symbol: sp.Rational(37 + 5 * i, 101) for i, symbol in enumerate(sorted(found.free_symbols, key=str))}
    assert abs(difference.subs(at).evalf(30)) < 1e-25


@pytest.mark.parametrize("text", ["√", "(K−1", "K−1)", "a ≤ b", "2·", "Φ⁻¹", ""])
def test_what_is_not_in_the_notation_is_refused(text):
    with pytest.raises((ValueError, KeyError)):
        parse(text)


def test_negative_control_another_formula_or_digit_is_found():
    square = sp.sqrt(2 * sp.pi)
    assert agrees("√(2π)", square, "gate-law", "x")
    assert agrees("2.51", square, "gate-law", "x")
    for wrong in ("√π", "2√π", "2.50", "2.5 %", "3"):
        assert not agrees(wrong, square, "gate-law", "x")


def test_negative_control_a_formula_written_past_the_derivation_is_found():
    bare = dataclasses.replace(CLAIMS["gate-law"], statement="", regime="", formulas={})
    claim = dataclasses.replace(bare, statement="r < {critical}", formulas={"critical": "√(2π)"})
    assert claim.statement == "r < √(2π)"
    assert hidden(claim, {}) == []
    for wrong in ("r < √π", "r < 2.51", "4 %", "a rate of 1/K", "K−1 arms", "b²", "φ(r)", "log K", "in 30 cases"):
        assert hidden(dataclasses.replace(bare, statement=wrong), {}), wrong
    changed = dataclasses.replace(bare, statement=claim.statement.replace("√(2π)", "√π"))
    assert hidden(changed, {"√(2π)": "the number that stood there"})
