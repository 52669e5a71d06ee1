"""From the JSON of ``kondo verify`` to ``index.html``."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paper_figs.drawing import figures_of
from simulations.errors import ResultError
from simulations.report import answers, wording
from simulations.report.document import ClaimEntry, Document, Measured, Simulated, TableEntry, read_document
from simulations.report.explorers import explorers
from simulations.report.formulas import mathml
from simulations.report.pictures import Picture, draw_pictures
from simulations.results.atomic import atomic_path, require_writable
from simulations.results.merging import MeasuredTables

__all__ = ["report_from_json", "require_page", "write_report"]

GENERATOR = '<meta name="generator" content="kondo report">'
"""By this line a page of ours is known, which may be replaced."""

SHOWN = 5  # rows of a table that is folded beyond
FOLDED_FROM = 12  # rows from which a table is folded
OTHER = "Other claims"
FRONT, TOP = "hero", "top"
"""The figure of the page's beginning, and the id of that."""
VENDORED = Path(__file__).with_name("vendor")
FORMULA_FONT = VENDORED / "stix-two-math-subset.woff"
"""A part of STIX Two Math: signs of formulas, with brackets that grow. Not every machine has such a font."""


def write_report(document: Mapping[str, Any], directory: Path, tables: MeasuredTables | Path | None = None) -> Path:
    """Write the page of all claims into a directory and return its path, ``directory/index.html``.

    Parameters
    ----------
    document : mapping
        What :meth:`simulations.verification.outcomes.Report.to_json` returns.
    directory : Path
        Made if it is not there. A page of ours in it is replaced, in one step.
    tables : MeasuredTables or Path, optional
        A user's own tables, or the directory that holds them: figures show them before the committed ones.

    Raises
    ------
    InputError
        If the document is not the JSON of ``kondo verify``.
    ResultError
        If there is an ``index.html`` that is no report, the directory cannot be written, or ``tables`` not read.
    """
    return _write(Document.of(document, "the report"), directory, tables)


def report_from_json(path: Path, directory: Path, tables: MeasuredTables | Path | None = None) -> Path:
    """Write the page from a file that ``kondo verify --json`` wrote; otherwise as :func:`write_report`.

    Raises
    ------
    InputError
        If the file is not there, cannot be read, or is not that JSON.
    """
    return _write(Document.of(read_document(path), str(path)), directory, tables)


def require_page(directory: Path) -> Path:
    """Return ``directory/index.html``, and refuse early what could not be written in the end.

    Raises
    ------
    ResultError
        If the directory cannot be made or written, or has an ``index.html`` that is no report.
    """
    page = directory / "index.html"
    require_writable(page, overwrite=True)
    try:
        ours = not page.exists() or GENERATOR in page.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResultError(f"cannot read {page}: {error.strerror or error}") from error
    if not ours:
        raise ResultError(f"{page} exists and is no report of kondo: name another directory")
    return page


def _write(document: Document, directory: Path, tables: MeasuredTables | Path | None) -> Path:
    own = MeasuredTables.read(tables) if isinstance(tables, Path) else tables
    page = require_page(directory)
    names = [name for claim in document.claims for name in figures_of(claim.id)]
    if _answered(document):
        names.append(FRONT)
    text = render(document, draw_pictures(names, own))
    try:
        with atomic_path(page) as temporary:
            # The name of a table's file can hold bytes that are no text.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write {page}: {error.strerror or error}") from error
    return page


@dataclass(frozen=True)
class Section:
    """A claim as the page shows it: its entry, its figures, and those that another claim's section shows.

    ``elsewhere`` are the figure's title and the claim that shows it.
    """

    claim: ClaimEntry
    pictures: Sequence[Picture]
    elsewhere: Sequence[tuple[str, str]]

    @property
    def furthest(self) -> Sequence[Simulated]:
        """The simulated quantities that disagree, and of the others those furthest from their predictions."""
        rows = self.claim.simulated
        if len(rows) <= FOLDED_FROM:
            return rows
        bad = sum(row.within is not True for row in rows)
        return sorted(rows, key=lambda row: (row.within is True, -_size(row.number("distance"))))[: max(bad, SHOWN)]

    @property
    def judged(self) -> Sequence[Measured]:
        """The measured quantities that a criterion or a published number is about, or all if they are few."""
        rows = self.claim.measured
        named = {criterion.quantity for criterion in self.claim.criteria}
        chosen = [row for row in rows if row.quantity in named or row.published is not None]
        return rows if len(rows) <= FOLDED_FROM or not chosen else chosen

    def measured(self, quantity: str) -> Measured | None:
        """Return the measured row of a criterion; None if the quantity was not measured."""
        return next((row for row in self.claim.measured if row.quantity == quantity), None)

    def sizes(self, table: TableEntry) -> str:
        """Say how much of a table, or of what was measured now, was used: its largest sizes, in words."""
        rows = [row for row in self.claim.measured if _is_from(row, table)]
        largest: dict[str, int] = {}
        for row in rows:
            for name, size in (row.sizes or {"seeds": row.seeds}).items():
                largest[name] = max(size, largest.get(name, 0))
        return wording.sizes(largest)


def _is_from(row: Measured, table: TableEntry) -> bool:
    if table.table is None:
        return row.table is None
    return row.table is not None and table.table in row.table.split(", ")


def _size(distance: float | None) -> float:
    return -1.0 if distance is None else math.inf if math.isnan(distance) else distance


def _answered(document: Document) -> bool:
    """Whether the page begins with what the gate does, when it saves and when it stalls, and their figure."""
    return {claim.id for claim in document.claims} >= answers.CLAIMS


def _sections(
    document: Document, pictures: Mapping[str, Picture], front: Picture | None
) -> Mapping[str, Sequence[Section]]:
    """Return the sections by family; a figure that shows several claims stands with the first, or at the front."""
    families: dict[str, list[Section]] = {}
    shown_by = {} if front is None else {front.name: TOP}
    for claim in document.claims:
        names = figures_of(claim.id)
        here = [pictures[name] for name in names if shown_by.setdefault(name, claim.id) == claim.id]
        there = [(pictures[name].title, shown_by[name]) for name in names if shown_by[name] != claim.id]
        families.setdefault(claim.family or OTHER, []).append(Section(claim, here, there))
    return families


def _compared() -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the columns and the rows of the comparison of rules and estimates."""
    from simulations.report.comparison import HEAD, committed, compared_rows  # a command of its own, too

    return HEAD, list(compared_rows(*committed()))


def render(document: Document, pictures: Mapping[str, Picture]) -> str:
    """Return the page."""
    counts: Counter[str] = Counter(claim.verdict for claim in document.claims)
    steps = [step for claim in document.claims if claim.derived for step in claim.derived.steps]
    simulated = [row for claim in document.claims for row in claim.simulated]
    front = pictures.get(FRONT) if _answered(document) else None
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            document=document,
            generator=Markup(GENERATOR),
            front=front,
            families=_sections(document, pictures, front),
            counts={verdict: counts[verdict] for verdict in wording.VERDICTS if counts[verdict]},
            kinds=Counter(step.kind for step in steps),
            derivations=sum(claim.derived is not None for claim in document.claims),
            simulated=len(simulated),
            agreeing=sum(row.within is True for row in simulated),
            measured=sum(len(claim.measured) for claim in document.claims),
            criteria=[criterion for claim in document.claims for criterion in claim.criteria],
            seconds=sum(claim.seconds for claim in document.claims),
            ids={claim.id for claim in document.claims},
            explorers=explorers(),
            answered=_answered(document),
            numbers=answers.numbers_that_hold(document),
            compared=_compared() if _answered(document) else None,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("simulations.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = environment.loader.get_source  # type: ignore[union-attr]
    environment.globals |= {
        "verdicts": wording.VERDICTS,
        "as_it_is": lambda name: Markup(source(environment, name)[0]),
        "vendored": lambda name: Markup((VENDORED / name).read_text(encoding="utf-8")),
        "formula_font": base64.b64encode(FORMULA_FONT.read_bytes()).decode("ascii"),
    }
    environment.filters |= {
        "number": wording.number,
        "sizes": wording.sizes,
        "duration": wording.duration,
        "mathml": mathml,
        "notation": wording.notation,
    }
    return environment
