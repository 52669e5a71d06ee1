"""Tables of one kind put together: parts become a whole, and of wholes the largest counts.

Parts are what one call could have measured: the same columns, the same protocol, and no run twice. They differ in
their seeds, their methods or their tasks; what they are called, or labelled with, does not count.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from simulations.errors import ResultError
from simulations.results.table_sizes import sizes_of
from simulations.results.tables import SWEEP, Table

__all__ = ["largest", "named", "names", "size", "wholes"]

_TASK: Mapping[str, Sequence[str]] = {
    "mnist": (),
    "reversal": ("vocab_size", "length", "reward", "learning_rate"),
    "language-model": ("row_surprisal", "task", "trainable", "learning_rate"),
}
"""By experiment, columns that tell runs of a label apart; on MNIST the learning rate is one for all methods."""
_BATCHES = ("updates", "eval_every", "prompts", "answers", "eval_prompts")
_PROTOCOL: Mapping[str, Sequence[str]] = {
    "mnist": ("updates", "batch_size", "learning_rate", "eval_every", "hidden"),
    "reversal": _BATCHES,
    "language-model": (*_BATCHES, "model", "most_tokens"),
}
"""Columns of which all runs of a call have the same values."""


def wholes(tables: Sequence[Table]) -> list[Table]:
    """Return tables of one kind with their parts merged, from the smallest to the largest.

    Raises
    ------
    ResultError
        If a table lacks a column that its kind has.
    """
    groups: list[list[Table]] = []
    for table in sorted(tables, key=_in_order, reverse=True):
        home = next((group for group in groups if all(_are_parts(table, other) for other in group)), None)
        if home is None:
            groups.append([table])
        else:
            home.append(table)
    found = [whole for group in groups for whole in _merged(group)]
    return sorted(found, key=_in_order)


def largest(tables: Sequence[Table]) -> Table | None:
    """Return the largest whole of tables of one kind, None if there is none.

    Raises
    ------
    ResultError
        If two are equally large, or two tables could be the same part of it; the message names both.
    """
    found = wholes(tables)
    if not found:
        return None
    best = found[-1]
    chosen = best.parts or (best,)
    left = [table for whole in found[:-1] for table in (whole.parts or (whole,))]
    for whole in found[:-1]:
        if size(whole) == size(best):
            _refuse(best, whole)
    for table in left:
        for part in chosen:
            if size(table) == size(part) and _protocol(table) == _protocol(part):
                _refuse(part, table)
    return best


def size(table: Table) -> tuple[int, ...]:
    """Return what tables of one kind are compared by: their sizes, then how many rows they have."""
    return (*sizes_of(table).values(), len(table.frame))


def names(table: Table) -> str:
    """Return the file of a table, or the files of its parts."""
    return " and ".join(str(part.path) for part in table.parts or (table,))


def named(table: Table) -> str:
    """Return what a table holds: its kind, or ``sweep NAME``, by the file where a sweep's table names none."""
    return f"sweep {table.config.get('name', table.path.stem)}" if table.kind == SWEEP else table.kind


def _in_order(table: Table) -> tuple[tuple[int, ...], str, str]:
    return size(table), str(table.sidecar.get("date", "")), str(table.path)


def _refuse(first: Table, second: Table) -> None:
    sizes = ", ".join(f"{value:,} {name}" for name, value in sizes_of(first).items())
    both = " and ".join(sorted((names(first), names(second))))
    raise ResultError(f"{both} are equally large tables of {named(first)} ({sizes}): move one of them away")


def _are_parts(first: Table, second: Table) -> bool:
    """Whether two tables could come from one call: the same protocol, and no run in both."""
    mine, theirs = _runs(first), _runs(second)
    return bool(mine and theirs) and mine.isdisjoint(theirs) and _protocol(first) == _protocol(second)


def _runs(table: Table) -> set[Hashable]:
    """Return what names each run, or each cell of a sweep; empty where tables of a kind have no parts."""
    if table.kind == SWEEP:
        columns = _axes(table)
    elif {"label", "seed", "update"} <= set(table.frame):
        columns = ["label", *_TASK[_experiment(table)], "seed"]
    else:
        return set()
    return set(map(tuple, table.frame[columns].astype(str).drop_duplicates().to_numpy()))


def _experiment(table: Table) -> str:
    """Return what learning curves are of; a kind of no known experiment is read as one of MNIST."""
    return next((name for name in _TASK if table.kind.startswith(f"{name}-")), "mnist")


def _axes(table: Table) -> list[str]:
    axes = {name for grid in table.config.get("grids", []) for name in grid}
    return [name for name in table.frame.columns if name in axes]


def _protocol(table: Table) -> tuple[Any, ...]:
    """Return what parts of one whole share."""
    frame = table.frame
    if table.kind == SWEEP:
        return (
            tuple(frame.columns),
            table.config.get("function"),
            table.config.get("version"),
            sizes_of(table)["draws"],
        )
    names = _PROTOCOL[_experiment(table)]
    if table.kind == "mnist-learning-curves":  # elsewhere the format is one of the methods' own
        names = (*names, "dtype")
    shared = [(name, *sorted(frame[name].astype(str).unique())) for name in names if name in frame]
    return tuple(frame.columns), tuple(shared), int(frame["update"].max()) if "update" in frame else None


def _merged(group: Sequence[Table]) -> list[Table]:
    """Return a group of parts as one table; apart where methods of MNIST would be compared at different seeds."""
    if len(group) == 1:
        return list(group)
    parts = sorted(group, key=lambda table: table.path)
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    if "label" in frame and _experiment(parts[0]) == "mnist":
        seeds = {tuple(sorted(runs.unique())) for _, runs in frame.groupby("label")["seed"]}
        if len(seeds) > 1:
            return list(group)
    steps = [part.sidecar.get("step_seconds", {}) for part in parts]
    sidecar = {"step_seconds": {label: times for each in steps for label, times in each.items()}}
    return [replace(parts[0], frame=frame, sidecar=sidecar, parts=tuple(parts))]
