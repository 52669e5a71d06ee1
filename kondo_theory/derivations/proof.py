"""How a derivation is written down: a list of steps, each checked when it is made.

A step is of one of four kinds, and says which:

* ``proved``: SymPy decided it for every value that the symbols allow (an identity that simplifies to zero, or a
  condition that it finds true);
* ``argued``: an exact argument in words, for what SymPy cannot decide, with a side condition where a slip would show;
* ``checked``: compared at a number of points, which it names. A check at points is evidence, not a proof;
* ``defined``: a definition, or a rewriting by it. Nothing is claimed, so nothing is checked.

A step that fails does not raise: it is kept, marked as failed, and makes the derivation's ``ok`` false, so that
``kondo verify`` can report it. A step that could not fail is refused when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sympy as sp

from kondo_theory.words import one_line

__all__ = ["KINDS", "Derivation", "Kind", "Proof", "Step", "every"]

Kind = Literal["proved", "argued", "checked", "defined"]
KINDS: tuple[Kind, ...] = ("proved", "argued", "checked", "defined")


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Attributes
    ----------
    text, latex : str
        What it says.
    kind : {"proved", "argued", "checked", "defined"}
    ok : bool
        Whether the check succeeded; of an argued step, whether its side condition did.
    argument : str
        Of an argued step, the argument.
    points : int
        At how many points a checked step was compared, or the side condition of an argued one; 0 where it was none.
    """

    text: str
    latex: str
    kind: Kind
    ok: bool
    argument: str = ""
    points: int = 0

    def __repr__(self) -> str:
        return one_line(self, self.text, self.how, ok=self.ok)

    @property
    def how(self) -> str:
        """How the step was checked, in a few words: ``proved by SymPy``, ``argued``, ``checked at 12 points``."""
        at = f"{self.points} point{'s' if self.points != 1 else ''}"
        if self.kind == "argued":
            return f"argued, a side condition checked at {at}" if self.points else "argued"
        return {"checked": f"checked at {at}", "defined": "definition"}.get(self.kind, "proved by SymPy")

    def to_json(self) -> dict[str, Any]:
        """Return the step as ``kondo verify --json`` writes it."""
        return {
            "text": self.text,
            "latex": self.latex,
            "kind": self.kind,
            "how": self.how,
            "argument": self.argument,
            "points": self.points,
            "ok": self.ok,
        }


@dataclass(frozen=True)
class Derivation:
    """A checked derivation: the statement, what it assumes, its steps, and the formulas it ends with."""

    claim: str
    statement: str
    assumptions: tuple[str, ...]
    steps: tuple[Step, ...]
    results: Mapping[str, sp.Basic]

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {kind}" for kind, n in self.counts.items() if n)
        return one_line(self, self.claim, ok=self.ok, steps=counts, results=", ".join(self.results))

    @property
    def ok(self) -> bool:
        """True if something is claimed and every step's check succeeded."""
        return any(step.kind != "defined" for step in self.steps) and all(step.ok for step in self.steps)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many steps there are of each kind."""
        return {kind: sum(step.kind == kind for step in self.steps) for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Return the derivation as ``kondo verify --json`` writes it: ``ok``, counts by kind, steps, results."""
        return {
            "ok": self.ok,
            "proved": self.counts["proved"],
            "argued": self.counts["argued"],
            "checked": self.counts["checked"],
            "assumptions": list(self.assumptions),
            "steps": [step.to_json() for step in self.steps],
            "results": {name: sp.latex(value) for name, value in self.results.items()},
        }

    def latex(self) -> str:
        """Return the results as an ``align*`` environment, one line a result."""
        lines = [rf"\text{{{name.replace('_', ' ')}}} &= {sp.latex(value)}" for name, value in self.results.items()]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _vanishes(expression: sp.Expr) -> bool:
    """Decide whether an expression is zero; rational functions are settled by cancelling, which is fast and exact."""
    if sp.cancel(sp.together(expression)) == 0:
        return True
    if expression.is_rational_function():
        return False
    return bool(sp.expand(_open_logarithms(expression)) == 0 or sp.simplify(expression) == 0)


def _open_logarithms(expression: sp.Expr) -> sp.Expr:
    """Write each logarithm of a product as a sum, as far as its factors are known to be positive."""
    return expression.replace(sp.log, lambda argument: sp.expand_log(sp.log(sp.factor(sp.together(argument)))))


@dataclass
class Proof:
    """Collects the steps of one derivation.

    ``identity`` and ``check`` let SymPy decide and are proofs; ``argue`` records an exact argument in words;
    ``sample`` compares at points where neither will do; ``define`` only says what a name means.
    """

    claim: str
    statement: str
    assumptions: Sequence[str]
    steps: list[Step] = field(default_factory=list)

    def __repr__(self) -> str:
        return one_line(self, self.claim, self.statement, steps=len(self.steps))

    def identity(self, text: str, left: sp.Expr, right: sp.Expr, latex: str = "") -> sp.Expr:
        """Record ``left == right``, checked by simplifying the difference to zero; return ``right``.

        An unevaluated ``Derivative``, ``Integral``, ``Limit`` or ``Sum`` is printed as it stands and evaluated for
        the check. ``latex`` replaces the printed equation where the left side is too long to read.

        Raises
        ------
        ValueError
            If both sides are the same expression as they stand: such a step could not fail.
        """
        left, right = sp.sympify(left), sp.sympify(right)
        if left == right:
            raise ValueError(f"both sides are {left}: this step cannot fail: {text}")
        ok = _vanishes(left.doit() - right.doit())
        # ``left`` is printed as it was built, so that the reader sees what was compared with what.
        self.steps.append(Step(text, latex or sp.latex(sp.Eq(left, right, evaluate=False)), "proved", ok))
        return right

    def define(self, text: str, latex: str) -> None:
        """Record a definition: it is shown, not checked."""
        self.steps.append(Step(text, latex, "defined", True))

    def check(self, text: str, condition: object, latex: str = "") -> None:
        """Record a condition that SymPy decided: only a true value passes, an undecided relation fails."""
        self.steps.append(Step(text, latex, "proved", _true(condition)))

    def argue(self, text: str, argument: str, condition: object = True, latex: str = "", *, points: int = 0) -> None:
        """Record an exact argument in words.

        ``condition`` is an independent side condition that would fail if the argument slipped; ``points`` says at how
        many points it was compared, if it is not symbolic.
        """
        self.steps.append(Step(text, latex, "argued", _true(condition), argument, points))

    def sample(self, text: str, conditions: Iterable[object], latex: str = "") -> None:
        """Record a statement compared at points only, one condition a point; every one must be true.

        Raises
        ------
        ValueError
            If there is no point.
        """
        found = list(conditions)
        if not found:
            raise ValueError(f"a step checked at points needs at least one: {text}")
        self.steps.append(Step(text, latex, "checked", every(found), points=len(found)))

    def conclude(self, **results: sp.Basic) -> Derivation:
        """Return the finished derivation with its named result formulas."""
        return Derivation(self.claim, self.statement, tuple(self.assumptions), tuple(self.steps), dict(results))


def every(conditions: Iterable[object]) -> bool:
    """Return whether each of the conditions is true: what derivations use in place of ``all``, which nothing passes.

    Raises
    ------
    ValueError
        If there is no condition: such a check could not fail.
    """
    found = [_true(condition) for condition in conditions]
    if not found:
        raise ValueError("a check of no conditions cannot fail")
    return all(found)


def _true(condition: object) -> bool:
    return condition is True or condition is sp.true
