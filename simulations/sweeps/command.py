"""What ``kondo sweep`` does with what the user asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from kondo_theory.words import nearest
from simulations.sweeps import run
from simulations.sweeps.catalogue import SWEEPS
from simulations.sweeps.grid import Sweep
from simulations.sweeps.toml import parse_settings, read_sweep

__all__ = ["choose", "list_sweeps", "progress_bar", "show_estimate"]


def choose(name: str, preset: str, settings: Sequence[str], out: Path | None) -> tuple[Sweep, Path]:
    """Return the checked sweep behind a name or a TOML file, and its directory.

    Sizes come from the preset, then from the file, then from the settings, each overriding the one before.

    Raises
    ------
    ValueError, TypeError
        If the name, the file or a setting is not allowed.
    """
    if name.endswith(".toml"):
        sweep = read_sweep(Path(name), {known: sweep.at_preset(preset) for known, sweep in SWEEPS.items()})
        default = Path("results") / sweep.name
    elif name in SWEEPS:
        sweep = SWEEPS[name].at_preset(preset)
        default = Path("results") / f"{name}-{preset}"
    else:
        raise ValueError(
            f"a sweep must be a file *.toml or one of {', '.join(SWEEPS)}, got {name!r}{nearest(name, SWEEPS)}"
        )
    try:
        sweep = sweep.with_values(parse_settings(settings, sweep)).checked()
    except ValueError as error:
        raise ValueError(f"{name}: {error}" if name.endswith(".toml") else str(error)) from None
    return sweep, out or default


def list_sweeps(preset: str) -> RichTable:
    """Return the named sweeps with their kind and number of cells."""
    table = RichTable("sweep", "kind", "cells", "about", box=None)
    for name, sweep in SWEEPS.items():
        # Counted without a look at the functions, whose modules take seconds to import.
        sizes = dict.fromkeys(sweep.presets.get(preset, {}), 1)
        cells = sum(math.prod({**{key: len(grid[key]) for key in grid}, **sizes}.values()) for grid in sweep.grids)
        table.add_row(name, sweep.kind, f"{cells:,}", sweep.title)
    return table


def show_estimate(sweep: Sweep, out: Path) -> str:
    """Return what the sweep would take, in one line, and a second one if a timed cell failed."""
    found = run.estimate(sweep, out)
    done = f" ({found.cells - found.missing:,} of them done)" if found.missing < found.cells else ""
    cost = f"about {found.core_seconds:.2g} core seconds and at most {decimal(int(found.bytes))}"
    failed = f"\n{len(found.failures)} of the timed cells failed: {found.failures[0]}" if found.failures else ""
    return f"{sweep.name}: {found.cells:,} cells{done}, {cost}, in {out}{failed}"


class _RateColumn(ProgressColumn):
    """Cells a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.3g} cells/s")


@contextmanager
def progress_bar(name: str) -> Iterator[run.Progress]:
    """Show cells done, rate and time left on standard error."""
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True))

    def update(done: int, total: int) -> None:
        if not bar.tasks:  # only now: a refusal is one line, and what was there before does not count as speed
            bar.add_task(name, total=total, completed=done)
            bar.start()
        bar.update(bar.task_ids[0], completed=done)

    try:
        yield update
    finally:
        if bar.tasks:
            bar.stop()
