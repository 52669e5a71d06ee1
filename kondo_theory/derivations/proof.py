"""How a derivation is written down: a list of steps, each checked when it is made.

A step is either *checked by SymPy* (an identity that simplifies to zero, or a condition SymPy decides) or *argued*
(a short exact argument in words, for what SymPy cannot decide). A step that fails does not raise: it is kept,
marked as failed, and makes the derivation's ``ok`` false, so that ``kondo verify`` can report it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp

__all__ = ["Derivation", "Proof", "Step"]


@dataclass(frozen=True)
class Step:
    """One step: what it says (text and LaTeX), how it was checked, and whether the check succeeded."""

    text: str
    latex: str
    method: str  # "sympy", or "argument: ..." with the argument itself
    ok: bool


@dataclass(frozen=True)
class Derivation:
    """A checked derivation: the statement, what it assumes, its steps, and the formulas it ends with."""

    claim: str
    statement: str
    assumptions: tuple[str, ...]
    steps: tuple[Step, ...]
    results: Mapping[str, sp.Basic]

    @property
    def ok(self) -> bool:
        """True if there is at least one step and every step's check succeeded."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def latex(self) -> str:
        """Return the results as an ``align*`` environment, one line a result."""
        lines = [rf"\text{{{name.replace('_', ' ')}}} &= {sp.latex(value)}" for name, value in self.results.items()]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _vanishes(expression: sp.Expr) -> bool:
    """Decide whether an expression is zero; rational functions are settled by cancelling, which is fast and exact."""
    if sp.cancel(sp.together(expression)) == 0:
        return True
    return not expression.is_rational_function() and bool(sp.simplify(expression) == 0)


@dataclass
class Proof:
    """Collects the steps of one derivation.

    ``identity`` and ``check`` let SymPy decide; ``argue`` records an exact argument in words, beside a condition
    that would catch a slip in it.
    """

    claim: str
    statement: str
    assumptions: Sequence[str]
    steps: list[Step] = field(default_factory=list)

    def identity(self, text: str, left: sp.Expr, right: sp.Expr, latex: str = "") -> sp.Expr:
        """Record ``left == right``, checked by simplifying the difference to zero; return ``right``.

        An unevaluated ``Derivative``, ``Integral``, ``Limit`` or ``Sum`` is printed as it stands and evaluated for
        the check. ``latex`` replaces the printed equation where the left side is too long to read.
        """
        left, right = sp.sympify(left), sp.sympify(right)
        ok = _vanishes(left.doit() - right.doit())
        # ``left`` is printed as it was built, so that the reader sees what was compared with what.
        self.steps.append(Step(text, latex or sp.latex(sp.Eq(left, right, evaluate=False)), "sympy", ok))
        return right

    def check(self, text: str, condition: object, latex: str = "") -> None:
        """Record a condition that SymPy decided: only a true value passes, an undecided relation fails."""
        ok = condition is True or condition is sp.true
        self.steps.append(Step(text, latex, "sympy", bool(ok)))

    def argue(self, text: str, argument: str, condition: object, latex: str = "") -> None:
        """Record an exact argument in words; ``condition`` is an independent check that would fail if it slipped."""
        ok = condition is True or condition is sp.true
        self.steps.append(Step(text, latex, f"argument: {argument}", bool(ok)))

    def conclude(self, **results: sp.Basic) -> Derivation:
        """Return the finished derivation with its named result formulas."""
        return Derivation(self.claim, self.statement, tuple(self.assumptions), tuple(self.steps), dict(results))
