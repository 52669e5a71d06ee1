"""What ``kondo sweep`` does with what the user asked for."""

from __future__ import annotations

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
        raise ValueError(f"a sweep must be a file *.toml or one of {', '.join(SWEEPS)}, got {name!r}")
    sweep = sweep.with_values(parse_settings(settings, sweep)).checked()
    return sweep, out or default


def list_sweeps(preset: str) -> RichTable:
    """Return the named sweeps with their kind and number of cells."""
    table = RichTable("sweep", "kind", "cells", "about", box=None)
    for name, sweep in SWEEPS.items():
        cells = sum(1 for _ in sweep.at_preset(preset).checked().configs())
        table.add_row(name, sweep.kind, f"{cells:,}", sweep.title)
    return table


def show_estimate(sweep: Sweep, out: Path) -> str:
    """Return what the sweep would take, in one line."""
    found = run.estimate(sweep, out)
    done = f" ({found.cells - found.missing:,} of them done)" if found.missing < found.cells else ""
    cost = f"about {found.core_seconds:.2g} core seconds and at most {decimal(int(found.bytes))}"
    return f"{sweep.name}: {found.cells:,} cells{done}, {cost}, in {out}"


class _RateColumn(ProgressColumn):
    """Cells a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.3g} cells/s")


@contextmanager
def progress_bar(name: str) -> Iterator[run.Progress]:
    """Show cells done, rate and time left on standard error."""
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)

        def update(done: int, total: int) -> None:
            if bar.tasks[0].total is None:  # what was there before does not count as speed
                bar.reset(task, total=total, completed=done)
            else:
                bar.update(task, completed=done)

        yield update
