"""The steps of all derivations bite: an identity fails when its left side is changed, a check is no float comparison.

What a program can hold of "a step that cannot fail": both sides the same expression (refused when it is written); an
identity whose left side may be changed anywhere without consequence; a check or a side condition that is a literal,
or that comes from floating-point numbers and so belongs in ``sample``. It cannot tell a Python ``True`` that SymPy
decided from one that compares two things built from the same source: that is for the reader, and for the mutants.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import sympy as sp
from carried_out_once import carried_out_once
from derived_claims import DERIVED, derived, identities

from kondo_theory.claims import CLAIMS
from kondo_theory.derivations.proof import every

NUMERIC = {"float", "N", "evalf", "n", "round", "isclose", "int"}


def mutants(expression: sp.Basic) -> Iterator[sp.Basic]:
    """Yield the expression with one leaf changed: a number raised by one, a symbol doubled; not in limits."""
    if isinstance(expression, sp.Symbol):
        yield 2 * expression
    elif isinstance(expression, sp.Number):
        yield expression + 1
    else:
        bound = isinstance(expression, sp.Derivative | sp.Integral | sp.Limit | sp.Sum | sp.Subs)
        for place, part in enumerate(expression.args[:1] if bound else expression.args):
            for changed in mutants(part):
                arguments = list(expression.args)
                arguments[place] = changed
                yield expression.func(*arguments)


def bites(left: sp.Expr, right: sp.Expr) -> bool:
    """Whether some change of one leaf on the left makes the two sides differ at a random point."""
    generator = np.random.default_rng(0)
    right = right.doit()
    for changed in mutants(left):
        try:
            difference = changed.doit() - right
        except (NotImplementedError, ValueError, ZeroDivisionError):
            continue
        at = {s: sp.Rational(int(generator.integers(20, 80)), 101) for s in difference.free_symbols}
        value = sp.N(difference.subs(at), 20)
        # What is no number holds a function without a definition, or does not converge: different all the same.
        if not value.is_number or value.has(sp.zoo, sp.nan, sp.oo) or abs(value) > 1e-9:
            return True
    return False


@pytest.mark.parametrize("claim", DERIVED)
def test_every_identity_can_fail(claim):
    for text, left, right in identities(claim):
        assert left != right, text
        with carried_out_once():
            found = bites(left, right)
        assert found, f"claim {claim}: nothing on the left matters: {text}"


def test_negative_control_an_identity_that_cannot_fail_is_found():
    x = sp.Symbol("x", positive=True)
    assert bites((x + 1) ** 2, x**2 + 2 * x + 1)
    assert bites(sp.Limit(1 / x, x, sp.oo), sp.Integer(0))
    assert not bites(sp.Limit(1 / x**2, x, sp.oo), sp.Integer(0))


def conditions(claim: str) -> Iterator[tuple[int, str, ast.expr]]:
    """Yield line, kind and condition of every ``proof.check`` and ``proof.argue`` of a derivation's module."""
    tree = ast.parse(inspect.getsource(sys.modules[CLAIMS[claim].derivation_module]))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        kind = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        place = {"check": 1, "argue": 2}.get(kind)
        if place is None or any(word.arg == "points" for word in call.keywords):
            continue
        named = [word.value for word in call.keywords if word.arg == "condition"]
        for found in [*call.args[place : place + 1], *named]:
            yield call.lineno, kind, found


def faults(condition: ast.expr) -> str:
    """Return what is wrong with a condition that claims to be symbolic, or nothing."""
    if isinstance(condition, ast.Constant):
        return "a literal"
    for node in ast.walk(condition):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            return f"the float {node.value}"
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in NUMERIC:
                return f"a number from {name}()"
        if isinstance(node, ast.Compare) and ast.dump(node.left) == ast.dump(node.comparators[0]):
            return "an expression compared with itself"
    return ""


@pytest.mark.parametrize("claim", DERIVED)
def test_checks_and_side_conditions_are_symbolic(claim):
    derived(claim)
    found = {line: fault for line, _, condition in conditions(claim) if (fault := faults(condition))}
    assert not found, f"{CLAIMS[claim].derivation_module}: compare at points with sample: {found}"


@pytest.mark.parametrize("condition", ["True", "abs(float(x) - 1) < 1e-3", "sp.N(x) > 9", "x.y == x.y", "x < 0.5"])
def test_negative_control_a_condition_in_floats_is_found(condition):
    assert faults(ast.parse(condition, mode="eval").body)
    assert not faults(ast.parse("x.is_positive is True and sp.expand(x) == 0", mode="eval").body)


@pytest.mark.parametrize("claim", DERIVED)
def test_no_check_passes_because_it_has_nothing_to_check(claim):
    """``all`` of nothing is true; ``every`` refuses it."""
    derived(claim)
    tree = ast.parse(inspect.getsource(sys.modules[CLAIMS[claim].derivation_module]))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "all"]


def test_every_condition_counts_and_none_is_refused():
    assert every([True, sp.true])
    assert not every([True, None])
    assert not every([True, 1])  # a number is no truth
    with pytest.raises(ValueError, match="no conditions"):
        every(zip(strict=True))


@pytest.mark.parametrize("claim", DERIVED)
def test_something_is_proved_and_every_kind_is_counted(claim):
    derivation = derived(claim)
    counts = derivation.counts
    assert sum(counts.values()) == len(derivation.steps)
    assert counts["proved"] > 0
    assert {kind: derivation.to_json()[kind] for kind in ("proved", "argued", "checked")} == {
        kind: counts[kind] for kind in ("proved", "argued", "checked")
    }
