"""What ``kondo verify`` and ``kondo derive`` print."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from kondo_theory.derivations.proof import Derivation
    from simulations.verification.checks.evidence import Measured, Simulated
    from simulations.verification.verify import Report

__all__ = ["console", "show_derivation", "show_outcome", "show_verdicts", "time_left"]

_SHOWN = 5  # simulated quantities printed when all agree; the JSON has all of them
_COLOURS = {
    "holds": "green",
    "holds in regime": "green",
    "fails": "red",
    "contradicted": "red",
    "broken": "red",
    "undecided": "yellow",
}


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console for standard output, or one that prints nothing.

    It is as wide as the terminal or as ``COLUMNS`` says, and wide enough for the tables where there is neither.
    """
    found = Console(stderr=stderr, quiet=quiet)
    if found.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return found
    return Console(stderr=stderr, quiet=quiet, width=118)


def time_left(report: Report) -> str:
    """Say how long the rest takes if its claims take as long as those that are done; empty where none is left."""
    left = len(report.chosen) - len(report.outcomes)
    seconds = sum(outcome.seconds for outcome in report.outcomes) / max(1, len(report.outcomes)) * left
    if left <= 0:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {math.ceil(seconds)} s left"


def show_verdicts(report: Report, console: Console) -> None:
    """Print the table of verdicts."""
    title = f"preset {report.preset}, {report.device}, commit {report.commit[:12]}"
    if not report.complete:
        title += f", {len(report.outcomes)} of {len(report.chosen)} claims"
    table = Table(title=title, title_justify="left")
    for column in ("claim", "source", "derived", "simulated", "measured", "verdict"):
        table.add_column(column, no_wrap=column in ("claim", "verdict"))
    for outcome in report.outcomes:
        derived = _derived(outcome.derived)
        agreed = sum(row.within is True for row in outcome.simulated)
        simulated = f"{agreed} of {len(outcome.simulated)}" if outcome.simulated else "–"
        known = sum(not math.isnan(row.value) for row in outcome.measured)
        measured = str(known) if outcome.measured else "–"
        verdict = _coloured(outcome.verdict)
        source = outcome.claim.source.partition(";")[0]  # in full above, with the claim
        table.add_row(outcome.claim.id, source, derived, simulated, measured, verdict)
    console.print(table)


def _derived(derivation: Mapping[str, Any] | None) -> str:
    """Return how many steps were proved, argued and checked at points, and whether one failed."""
    if derivation is None:
        return "–"
    counts = ", ".join(f"{derivation[kind]} {kind}" for kind in ("proved", "argued", "checked") if derivation[kind])
    return counts if derivation["ok"] else f"[red]NO[/red], {counts}"


def show_outcome(report: Report, console: Console) -> None:
    """Print the last claim that is done, with its numbers, how many are done, and how long the others may take."""
    outcome = report.outcomes[-1]
    claim = outcome.claim
    place = ", ".join(filter(None, [f"{len(report.outcomes)} of {len(report.chosen)}", time_left(report)]))
    console.print(f"[bold]{claim.id}[/bold] ({place})  {escape(claim.statement)}")
    console.print(f"  source: {escape(claim.source)}", style="dim")
    console.print(f"  regime: {escape(claim.regime)}", style="dim")
    if outcome.simulated:
        _show_simulated(outcome.simulated, console)
    if outcome.measured:
        _show_measured(outcome.measured, console)
    demanded = "demanded beforehand" if claim.rule.beforehand else "demanded, when the numbers had been seen"
    for criterion in claim.rule.criteria:
        published = "" if criterion.published is None else f", published {_number(criterion.published)}"
        console.print(f"  {demanded}: {escape(str(criterion))} ({escape(criterion.why)}{published})")
    console.print(f"  {_coloured(outcome.verdict)}: {escape(outcome.reason)}\n")


def _show_simulated(rows: Sequence[Simulated], console: Console) -> None:
    """Print the quantities that disagree or are too noisy, and of the others those furthest from their prediction."""
    by_distance = sorted(rows, key=lambda row: (row.within is True, -row.distance))
    bad = sum(row.within is not True for row in rows)
    shown = by_distance[: max(bad, _SHOWN)]
    if len(rows) > len(shown):
        console.print(f"  {len(rows)} simulated quantities; the {len(shown)} furthest from their predictions:")
    table = Table("simulated quantity", "predicted", "estimate", "standard error", "distance", "within", box=None)
    for row in shown:
        within = {True: "yes", False: "[red]NO[/red]", None: "[yellow]too noisy[/yellow]"}[row.within]
        numbers = (_number(value) for value in (row.predicted, row.estimate, row.standard_error))
        table.add_row(escape(row.quantity), *numbers, f"{row.distance:.1f} s.e.", within)
    console.print(table)


def _show_measured(rows: Sequence[Measured], console: Console) -> None:
    """Print the quantities; what their origins say beyond the table they come from stands beside them."""
    sources, _, notes = zip(*(row.origin.partition("; ") for row in rows), strict=True)
    columns = [
        "measured quantity",
        "median",
        "95 % interval",
        "seeds",
        "published",
        *(["note"] if any(notes) else []),
    ]
    table = Table(*columns, box=None)
    for row, note in zip(rows, notes, strict=True):
        interval = f"{_number(row.low)} … {_number(row.high)}" + ("" if row.seeds >= 5 else " (range)")
        published = "–" if row.published is None else _number(row.published)
        cells = [escape(row.quantity), _number(row.value), interval, str(row.seeds), published, escape(note)]
        table.add_row(*cells[: len(columns)])
    console.print(table)
    console.print(f"  origin: {escape('; '.join(dict.fromkeys(sources)))}", style="dim")


def show_derivation(derivation: Derivation, console: Console) -> None:
    """Print a derivation: statement, assumptions, each step with how it was checked, and the results."""
    console.print(f"[bold]{derivation.claim}[/bold]  {escape(derivation.statement)}\n")
    for assumption in derivation.assumptions:
        console.print(f"  assume {escape(assumption)}")
    console.print()
    for number, step in enumerate(derivation.steps, start=1):
        mark = "green" if step.ok else "red"
        how = step.how if step.ok else f"FAILED, {step.how}"
        console.print(f"{number:3}. {escape(step.text)}  [{mark}]{escape(f'[{how}]')}[/{mark}]", highlight=False)
        if step.argument:
            console.print(f"     because {escape(step.argument)}", highlight=False)
        if step.latex:
            console.print(f"       {escape(step.latex)}", style="dim", highlight=False)
    counts = ", ".join(f"{n} {kind}" for kind, n in derivation.counts.items() if n)
    console.print(f"\n{len(derivation.steps)} steps: {counts}", highlight=False)
    console.print("\nresults", style="bold")
    for name, value in derivation.results.items():
        console.print(f"  {name} = {escape(str(value))}", highlight=False)


def _coloured(verdict: str) -> str:
    colour = _COLOURS.get(verdict, "cyan")
    return f"[{colour}]{verdict}[/{colour}]"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.4g}"
