"""Progress of a sweep: cells done, rate and time left, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["Report", "progress_bar"]

Report = Callable[[int, int], None]
"""Told after each chunk how many cells are done, and of how many."""


class _RateColumn(ProgressColumn):
    """Cells a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.3g} cells/s")


@contextmanager
def progress_bar(name: str) -> Iterator[Report]:
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
