"""What a worker does: call the function on a chunk of cells, and return their rows as Arrow tables."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from simulations.devices import describe, describe_cpu, resolve
from simulations.errors import ReportedError
from simulations.shards import CELL_KEY
from simulations.sweeps.fingerprint import code_version
from simulations.sweeps.grid import Cell, load_cell

__all__ = ["Chunk", "ChunkResult", "Failure", "Job", "compute_here", "compute_in_worker"]

Chunk = Sequence[Cell]
Columns = dict[str, list[Any]]
Signature = tuple[tuple[str, str], ...]
"""The names of the columns that a cell returned, each with its Arrow type."""

_ARROW = {bool: "bool", int: "int64", float: "float64", str: "string"}


@dataclass(frozen=True)
class Job:
    """What is the same for every chunk: the function, the hash of its code, and the types of its keywords."""

    cell: Callable[..., Any] | str
    version: str
    column_types: Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """A cell that raised, and what."""

    config: Mapping[str, Any]
    error: str

    def __str__(self) -> str:
        return f"{', '.join(f'{key}={value}' for key, value in self.config.items())}: {self.error}"


@dataclass(frozen=True)
class ChunkResult:
    """What became of a chunk.

    Attributes
    ----------
    cells : int
        How many it had.
    tables : tuple of pa.Table
        The rows of those that ran, cells that returned the same columns of the same types together: so a cell's types
        do not depend on its company.
    failures : tuple of Failure
    seconds : float
        Time of all.
    device : str
        What computed them.
    """

    cells: int
    tables: tuple[pa.Table, ...]
    failures: tuple[Failure, ...]
    seconds: float = 0.0
    device: str = ""


def compute_here(job: Job, chunk: Chunk) -> ChunkResult:
    """Compute a chunk in this process, with one thread, and leave the process as it was."""
    with threadpool_limits(limits=1):
        return _compute(job, chunk)


def compute_in_worker(job: Job, chunk: Chunk) -> ChunkResult:
    """Compute a chunk in a process that does nothing else, on any of its threads; it keeps to one thread a chunk.

    Raises
    ------
    ReportedError
        If this process, on another machine perhaps, runs other code than the one that asked.
    """
    _keep_to_one_thread()
    return _compute(job, chunk)


@functools.cache
def _keep_to_one_thread() -> threadpool_limits:
    """Limit the process for good: undoing it after a chunk would undo it for the chunks of other threads."""
    return threadpool_limits(limits=1)


def _compute(job: Job, chunk: Chunk) -> ChunkResult:
    """Compute a chunk of cells. A cell's failure is reported and leaves the others alone.

    One thread a chunk: the order of a sum, and so its last bits, depends on the number of threads.
    """
    started = time.perf_counter()
    function = load_cell(job.cell) if isinstance(job.cell, str) else job.cell
    if isinstance(job.cell, str):
        here = code_version(function)
        if here != job.version:
            raise ReportedError(f"a worker runs other code or libraries for {job.cell}: {here}, not {job.version}")
    alike: dict[Signature, Columns] = {}
    failures, devices = [], set()
    for cell in chunk:
        try:
            device = _device(cell.config.get("device"))
            rows = _rows(function(**cell.config))
            signature = _signature(rows, job.column_types)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit in a cell too is that cell's failure
            if isinstance(error.__cause__, KeyboardInterrupt):  # it came while a compiled kernel ran
                raise KeyboardInterrupt from error
            failures.append(Failure(cell.config, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"))
            continue
        _extend(alike.setdefault(signature, {}), cell, rows)
        devices.add(device)
    tables = tuple(_table(columns, {**job.column_types, **dict(signature)}) for signature, columns in alike.items())
    seconds = time.perf_counter() - started
    return ChunkResult(len(chunk), tables, tuple(failures), seconds, "; ".join(sorted(devices)))


@functools.cache
def _device(name: Any) -> str:
    """Describe the device that a configuration names: the CPU for a function that has no choice.

    Raises
    ------
    ValueError
        If this machine has no such device.
    """
    return describe(resolve(name)) if name in ("auto", "cuda") else describe_cpu()


def _rows(found: Any) -> Columns:
    """Return what a cell returned as columns of equal length, of plain Python values."""
    if isinstance(found, pd.DataFrame):
        columns = {name: found[name].tolist() for name in found.columns}
    else:
        records = [found] if isinstance(found, Mapping) else found
        if not isinstance(records, Sequence) or not all(isinstance(record, Mapping) for record in records):
            raise TypeError(f"a cell must return a mapping, several or a DataFrame, got {type(found).__name__}")
        names = list(records[0]) if records else []
        if any(list(record) != names for record in records):
            raise ValueError("the rows of a cell must have the same columns")
        columns = {name: [record[name] for record in records] for name in names}
    if not columns or not next(iter(columns.values())):
        raise ValueError("the cell returned no row")
    return {name: [_plain(name, value) for value in values] for name, values in columns.items()}


def _plain(name: str, value: Any) -> bool | int | float | str | None:
    """Return a value as bool, int, float, str or None."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or plain is pd.NA:
        return None
    if type(plain) not in _ARROW:
        raise TypeError(f"column {name} must hold numbers, text, bool or None, got {type(value).__name__}")
    if type(plain) is int and not -(2**63) <= plain < 2**63:
        raise ValueError(f"column {name}: whole numbers must fit 64 bits")
    if type(plain) is str:
        plain.encode()  # a lone surrogate is no text
    found: bool | int | float | str = plain
    return found


def _signature(rows: Columns, keywords: Mapping[str, str]) -> Signature:
    taken = [name for name in rows if name in keywords or name == CELL_KEY or not isinstance(name, str)]
    if taken:
        raise ValueError(f"the cell returned a column {taken[0]!r}, which is one of its keywords or no text")
    return tuple((name, _arrow_type(name, values)) for name, values in rows.items())


def _arrow_type(name: str, values: Iterable[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return "float64"
    if len(kinds) > 1:
        raise TypeError(f"column {name} mixes {', '.join(sorted(kind.__name__ for kind in kinds))}")
    return _ARROW[kinds.pop()] if kinds else "null"


def _extend(columns: Columns, cell: Cell, rows: Columns) -> None:
    added = len(next(iter(rows.values())))
    columns.setdefault(CELL_KEY, []).extend([cell.key] * added)
    for name, value in cell.config.items():
        columns.setdefault(name, []).extend([value] * added)
    for name, values in rows.items():
        columns.setdefault(name, []).extend(values)


def _table(columns: Columns, types: Mapping[str, str]) -> pa.Table:
    return pa.table({name: pa.array(values, types.get(name), from_pandas=False) for name, values in columns.items()})
