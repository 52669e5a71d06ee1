"""What a new claim, rule, figure or sweep consists of: the templates, and the file and the place of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from places import last_of

__all__ = ["FAMILIES", "KINDS", "ROOT", "Family", "Piece"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Family:
    """Where the pieces of a family's claims live; empty where a family has none, or a room of its own.

    Attributes
    ----------
    theory : str
        Package of its closed forms, or module.
    checks, figures, cells : str
        Rooms of simulations/verification/checks, paper_figs, and simulations/sweeps/cells.
    sweeps : str
        Module of simulations/sweeps/named.
    """

    theory: str = ""
    checks: str = ""
    figures: str = ""
    cells: str = ""
    sweeps: str = ""


def _one_context(theory: str, sweeps: str = "gates") -> Family:
    return Family(f"kondo_theory/{theory}", "bandits", "bandits", "bandits", sweeps)


FAMILIES = {
    "gate": _one_context("gate"),
    "geometry": _one_context("geometry", "contexts"),
    "screening": _one_context("screening"),
    "gambling": Family("kondo_theory/gambling", "gambling", "gambling", "gambling", "gambling"),
    "contexts": _one_context("contexts", "contexts"),
    "cost": _one_context("cost.py", "contexts"),
    "estimators": Family("kondo_theory/estimators", "estimators", "estimators", "bandits"),
    "tokens": Family("kondo_theory/token_trap", "tokens", "tokens", "tokens", "tokens"),
    "mnist": Family("", "mnist", "mnist"),
    "reversal": Family("", "reversal", "reversal"),
    "devices": Family(),
}


@dataclass(frozen=True)
class Piece:
    """A template and where it goes.

    Attributes
    ----------
    template : str
        File of templates/.
    path : str
        File of the repository, from its root; new unless ``name`` or ``at_end`` says otherwise.
    name : str
        The tuple, list, dict or ``Literal`` of this name gets it as its last item; in order of the alphabet where it
        is ``__all__``.
    before : str
        It stands before the assignment of this name.
    at_end : bool
        It stands at the end of the file.
    row_after : str
        It is a row of a table, after that of this id.
    """

    template: str
    path: str
    name: str = ""
    before: str = ""
    at_end: bool = False
    row_after: str = ""

    @property
    def is_file(self) -> bool:
        return not (self.name or self.before or self.at_end or self.row_after)


def claim(new: Mapping[str, str], family: Family) -> list[Piece]:
    """Return the pieces of a claim; without closed forms it is one that is measured."""
    measured = "" if family.theory else ".measured"
    entries = f"kondo_theory/claims{measured.replace('.', '/')}/{new['family']}.py"
    pieces = [
        Piece(f"claim{measured}.entry", entries, name="CLAIMS"),
        Piece(f"check{measured}.py.in", new["check_file"]),
        Piece("check.line", "simulations/verification/verify.py", name="CHECKS"),
        Piece(f"control{measured}.py.in", new["control_file"]),
        Piece("claim.row", "docs/results.md", row_after=last_of(ROOT / entries, "CLAIMS", "id")),
    ]
    if family.theory:
        pieces += [
            Piece("derivation.py.in", f"kondo_theory/derivations/{new['module']}.py"),
            Piece("closed_forms.py.in", f"tests/closed_forms/{new['module']}.py"),
        ]
    if family.theory.endswith(".py"):
        pieces += [
            Piece("theory.function", family.theory, at_end=True),
            Piece("theory.name", family.theory, "__all__"),
        ]
    elif family.theory:
        pieces.append(Piece("theory.py.in", new["theory_file"]))
    return pieces + figure(new, family)


def figure(new: Mapping[str, str], family: Family) -> list[Piece]:
    """Return the pieces of a figure."""
    return [
        Piece("figure.py.in", new["figure_file"]),
        Piece("figure.entry", "paper_figs/catalogue.py", name="FIGURES"),
    ]


def rule(new: Mapping[str, str], family: Family) -> list[Piece]:
    """Return the pieces of a screening rule; its kernel code and its claimed order are the writer's."""
    return [
        Piece("rule.function", "kondo_theory/screening/rules.py", before="SAMPLE_RULES"),
        Piece("rule.entry", "kondo_theory/screening/rules.py", name="SAMPLE_RULES"),
        Piece("rule.name", "simulations/sweeps/cells/types.py", name="Rule"),
        Piece("rule.style", "paper_figs/style.py", name="METHODS"),
    ]


def sweep(new: Mapping[str, str], family: Family) -> list[Piece]:
    """Return the pieces of a named sweep."""
    named = f"simulations/sweeps/named/{family.sweeps}.py"
    return [
        Piece("cell.py.in", new["cell_file"]),
        Piece("sweep.entry", named, name=family.sweeps.upper()),
        Piece("sweep.row", "docs/sweeps.md", row_after=last_of(ROOT / named, family.sweeps.upper(), "name")),
    ]


KINDS = {"claim": claim, "rule": rule, "figure": figure, "sweep": sweep}
