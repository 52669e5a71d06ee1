"""What a derivation's results are held against, one module a family of claims.

A module of this package may define

* ``CLOSED_FORMS[claim][result]``: which function of the package computes the result, and how its symbols are drawn.
  A test demands an entry for every result of every derivation and compares the two at random parameters;
* ``WHERE[claim][name]``: the abbreviations that the claim's text uses (``"L": "log(p(K−1)/(1−p))"``), in plain
  notation; ``ε`` is 1 − p everywhere;
* ``QUOTED[claim][text]``: formulas and numbers in the claim's text that are no result of the derivation, each with
  the reason: settings of an example, a definition, a formula that another one implies.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

__all__ = ["ClosedForm", "Draw", "collect", "number"]

Draw = Callable[[np.random.Generator], Mapping[str, float]]
_DIGITS = 30  # enough for a difference that doubles would lose


def number(expression: sp.Basic, values: Mapping[str, float]) -> float:
    """Evaluate an expression in high precision, its symbols given by name; sums and integrals are carried out.

    Whole numbers are put in as such.
    """
    symbols, function = _compiled(expression)
    at = [int(v) if float(v).is_integer() else float(v) for v in (values[str(symbol)] for symbol in symbols)]
    if function is not None:
        with mpmath.workdps(_DIGITS):
            return float(mpmath.re(function(*(v if isinstance(v, int) else mpmath.mpf(v) for v in at))))
    exact = (sp.Integer(v) if isinstance(v, int) else sp.Float(v, _DIGITS) for v in at)
    return float(sp.re(expression.subs(dict(zip(symbols, exact, strict=True))).doit().evalf(_DIGITS)))


@cache
def _compiled(expression: sp.Basic) -> tuple[list[sp.Symbol], Callable[..., Any] | None]:
    """Return the symbols in order, and the compiled expression if it is made of known functions alone."""
    symbols = sorted(expression.free_symbols, key=str)
    slow = (sp.Sum, sp.Product, sp.Integral, sp.Derivative, sp.Limit, sp.Subs, sp.core.function.AppliedUndef)
    return symbols, None if expression.has(*slow) else sp.lambdify(symbols, expression, "mpmath", dummify=True)


@dataclass(frozen=True)
class ClosedForm:
    """How a concluded formula is compared with the package.

    Attributes
    ----------
    draw : callable
        Draws a value for each free symbol of the formula, by the symbol's name; whole numbers are passed on exactly.
        It may draw more, for a formula that must not depend on it.
    function : callable
        Takes those values as keywords and returns the package's number: from a public function of ``kondo_theory``,
        never from the formula itself.
    relative : float
        Largest relative difference; rounding unless there is a reason.
    evaluate : callable
        Turns the result and the values into a number, for results with undefined functions or slow integrals.
    """

    draw: Draw
    function: Callable[..., float]
    relative: float = 1e-10
    evaluate: Callable[[sp.Basic, Mapping[str, float]], float] = number


def collect(name: str) -> dict[str, dict[str, Any]]:
    """Return what every module of this package defines under ``name``, by claim.

    Raises
    ------
    ValueError
        If two modules speak of the same claim.
    """
    found: dict[str, dict[str, Any]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for claim, entries in getattr(importlib.import_module(f"{__name__}.{module}"), name, {}).items():
            if claim in found:
                raise ValueError(f"{name}[{claim!r}] is defined twice, the second time in {module}")
            found[claim] = dict(entries)
    return found
