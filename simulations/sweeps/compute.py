"""What a worker does: call the function on a chunk of cells, and return their rows as Arrow tables."""

from __future__ import annotations

import functools
import math
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from simulations.devices import describe, describe_cpu, resolve
from simulations.errors import ReportedError
from simulations.results.shards import CELL_KEY, LARGEST_EXACT
from simulations.resuming.fingerprint import code_version
from simulations.sweeps.grid import Cell, load_cell

__all__ = ["Chunk", "ChunkResult", "Failure", "Job", "compute_in_worker"]

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
    """A cell that failed, why in one line, and the traceback of what it raised."""

    config: Mapping[str, Any]
    error: str
    traceback: str = ""

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


def compute_in_worker(job: Job, chunk: Chunk, begun: Callable[[int], None] = lambda index: None) -> ChunkResult:
    """Compute a chunk in a process that does nothing else, on any of its threads; it keeps to one thread a chunk.

    A cell's failure is reported and leaves the others alone. ``begun`` is told each cell's index before it is
    computed.

    Raises
    ------
    ReportedError
        If this process, on another machine perhaps, runs other code than the one that asked.
    """
    started = time.perf_counter()
    _keep_to_one_thread()
    function = load_cell(job.cell) if isinstance(job.cell, str) else job.cell
    if isinstance(job.cell, str):
        here = code_version(function)
        if here != job.version:
            raise ReportedError(f"a worker runs other code or libraries for {job.cell}: {here}, not {job.version}")
    alike: dict[Signature, Columns] = {}
    failures, devices = [], set()
    for index, cell in enumerate(chunk):
        begun(index)
        try:
            device = _device(cell.config.get("device"))
            signature, rows = _typed(_rows(function(**cell.config)), job.column_types)
        except BaseException as error:  # sys.exit in a cell too is that cell's failure
            failures.append(_failure(cell, error))
            continue
        _extend(alike.setdefault(signature, {}), cell, rows)
        devices.add(device)
    tables = tuple(_table(columns, {**job.column_types, **dict(signature)}) for signature, columns in alike.items())
    seconds = time.perf_counter() - started
    return ChunkResult(len(chunk), tables, tuple(failures), seconds, "; ".join(sorted(devices)))


@functools.cache
def _keep_to_one_thread() -> threadpool_limits:
    """Limit the process for good: undoing it after a chunk would undo it for the chunks of other threads.

    The order of a sum, and so its last bits, depends on the number of threads.
    """
    return threadpool_limits(limits=1)


def _failure(cell: Cell, error: BaseException) -> Failure:
    """Return a failure with its traceback, which begins in the cell."""
    lines = traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    first = next(iter(str(error).splitlines()), "")
    return Failure(cell.config, f"{type(error).__name__}: {first}", "".join(lines))


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
        columns = _frame_columns(found)
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


def _frame_columns(frame: pd.DataFrame) -> Columns:
    """Return the columns of a frame, those of a named index first; unnamed numbers of rows say nothing."""
    names = list(frame.index.names)
    if names != [None]:
        if None in names:
            raise ValueError("a level of the frame's index has no name: name it, or reset the index")
        frame = pd.concat([frame.index.to_frame(index=False), frame.reset_index(drop=True)], axis=1)
    elif not pd.api.types.is_integer_dtype(frame.index.dtype) and len(frame):
        raise ValueError(f"the frame's index holds {frame.index.inferred_type} and has no name: name it, or reset it")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ValueError(f"the frame has two columns, or a column and an index, named {twice[0]!r}")
    return {name: frame[name].tolist() for name in frame.columns}


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


def _typed(rows: Columns, keywords: Mapping[str, str]) -> tuple[Signature, Columns]:
    """Return the type of every column, and the columns with None for every missing value where NaN cannot be."""
    taken = [name for name in rows if name in keywords or name == CELL_KEY or not isinstance(name, str)]
    if taken:
        raise ValueError(f"the cell returned a column {taken[0]!r}, which is one of its keywords or no text")
    typed = {name: _typed_column(name, values) for name, values in rows.items()}
    signature = tuple((name, arrow_type) for name, (arrow_type, _) in typed.items())
    return signature, {name: values for name, (_, values) in typed.items()}


def _typed_column(name: str, values: list[Any]) -> tuple[str, list[Any]]:
    kinds = _kinds(values)
    wide = next((value for value in values if type(value) is int and abs(value) > LARGEST_EXACT), None)
    if float in kinds and len(kinds) > 1 and (kinds != {int, float} or wide is not None):
        values = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        kinds = _kinds(values)
    if kinds == {int, float}:
        if wide is not None:
            raise TypeError(f"column {name} mixes floats and {wide}, a whole number that no float holds")
        return "float64", values
    if len(kinds) > 1:
        raise TypeError(f"column {name} mixes {', '.join(sorted(kind.__name__ for kind in kinds))}")
    return _ARROW[kinds.pop()] if kinds else "null", values


def _kinds(values: Iterable[Any]) -> set[type]:
    return {type(value) for value in values if value is not None}


def _extend(columns: Columns, cell: Cell, rows: Columns) -> None:
    added = len(next(iter(rows.values())))
    columns.setdefault(CELL_KEY, []).extend([cell.key] * added)
    for name, value in cell.config.items():
        columns.setdefault(name, []).extend([value] * added)
    for name, values in rows.items():
        columns.setdefault(name, []).extend(values)


def _table(columns: Columns, types: Mapping[str, str]) -> pa.Table:
    return pa.table({name: pa.array(values, types.get(name), from_pandas=False) for name, values in columns.items()})
