"""The runs of one table while they are trained: what names them, what goes on, and what is shown of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from simulations.resuming.checkpoints import CheckpointDirectory

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["LATE", "Shown", "progress_bar", "records", "under_way"]

Shown = Callable[[int, str], None]
"""Told, as each part is done, how many runs are done and in a few words which was the last."""


LATE = MappingProxyType({"late": True})
"""Metadata of a field that older tables were written without: a record has it where it is not the default."""


def records(configs: Iterable[DataclassInstance]) -> list[dict[str, Any]]:
    """Return configurations as JSON values; see ``LATE``."""
    chosen = list(configs)
    values: list[dict[str, Any]] = json.loads(json.dumps([asdict(config) for config in chosen]))
    for config, value in zip(chosen, values, strict=True):
        for each in fields(config):
            if each.metadata.get("late") and getattr(config, each.name) == _default(each):
                del value[each.name]
    return values


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


@contextmanager
def under_way(directory: Path, identity: Mapping[str, Any]) -> Iterator[CheckpointDirectory]:
    """Open the checkpoints of unfinished runs, and say on standard error which of them start afresh.

    Parameters and errors are those of :class:`~simulations.resuming.checkpoints.CheckpointDirectory`.
    """
    with CheckpointDirectory(directory, identity) as checkpoints:
        for path in checkpoints.damaged:
            Console(stderr=True).print(f"{path} was damaged: that part starts afresh", soft_wrap=True)
        yield checkpoints


@contextmanager
def progress_bar(name: str, total: int, *, quiet: bool = False) -> Iterator[Shown]:
    """Show on standard error, unless ``quiet``, how many of the runs are done, and yield what is told of each."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True, quiet=quiet)) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done, words: bar.update(task, completed=done, description=f"{name}: {words}")
