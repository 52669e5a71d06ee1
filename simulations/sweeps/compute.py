"""What a worker does: call the function on a chunk of cells, and return their rows as one Arrow table."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from simulations.devices import describe, describe_cpu, resolve
from simulations.errors import ReportedError
from simulations.shards import CELL_KEY
from simulations.sweeps.fingerprint import code_version
from simulations.sweeps.grid import Cell, load_cell

__all__ = ["Chunk", "ChunkResult", "Failure", "Job", "compute"]


@dataclass(frozen=True)
class Job:
    """What is the same for every chunk: the function, the hash of its code, and the types of its keywords."""

    cell: Callable[..., Any] | str
    version: str
    column_types: Mapping[str, str]


Chunk = Sequence[Cell]


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
    table : pa.Table or None
        The rows of those that ran; None if none did.
    failures : tuple of Failure
    seconds : float
        Time of all.
    device : str
        What computed them.
    """

    cells: int
    table: pa.Table | None
    failures: tuple[Failure, ...]
    seconds: float = 0.0
    device: str = ""


def compute(job: Job, chunk: Chunk) -> ChunkResult:
    """Compute a chunk of cells. A cell's failure is reported and leaves the others alone.

    One thread a process: the order of a sum, and so its last bits, depends on the number of threads.

    Raises
    ------
    ReportedError
        If this process, on another machine perhaps, runs other code than the one that asked.
    """
    if isinstance(job.cell, str):
        here = _version(job.cell)
        if here != job.version:
            raise ReportedError(f"a worker runs other code or libraries for {job.cell}: {here}, not {job.version}")
    started = time.perf_counter()
    function = load_cell(job.cell) if isinstance(job.cell, str) else job.cell
    columns: dict[str, list[Any]] = {CELL_KEY: [], **{name: [] for name in job.column_types}}
    failures = []
    with threadpool_limits(limits=1):
        for cell in chunk:
            try:
                rows = _rows(function(**cell.config), job.column_types)
                _require_columns(
                    rows, [name for name in columns if name != CELL_KEY and name not in job.column_types]
                )
            except Exception as error:
                failures.append(Failure(cell.config, f"{type(error).__name__}: {error}"))
                continue
            _extend(columns, cell, rows)
    table = None
    if columns[CELL_KEY]:
        table = pa.table({name: _array(values, job.column_types.get(name)) for name, values in columns.items()})
    seconds = time.perf_counter() - started
    return ChunkResult(len(chunk), table, tuple(failures), seconds, _device(chunk[0].config.get("device")))


@functools.cache
def _version(cell: str) -> str:
    return code_version(load_cell(cell))


@functools.cache
def _device(name: Any) -> str:
    """Describe the device that a configuration names: the CPU for a function that has no choice."""
    return describe_cpu() if name in (None, "cpu") else describe(resolve(name))


def _rows(found: Any, reserved: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return what a cell returned as columns of equal length."""
    if isinstance(found, pd.DataFrame):
        rows = {str(name): found[name].tolist() for name in found.columns}
    else:
        records = [found] if isinstance(found, Mapping) else found
        if not isinstance(records, Sequence) or not all(isinstance(record, Mapping) for record in records):
            raise TypeError(f"a cell must return a mapping, several or a DataFrame, got {type(found).__name__}")
        names = dict.fromkeys(name for record in records for name in record)
        rows = {str(name): [record.get(name) for record in records] for name in names}
    if not rows or not next(iter(rows.values())):
        raise ValueError("the cell returned no row")
    taken = [name for name in rows if name in reserved or name == CELL_KEY]
    if taken:
        raise ValueError(f"the cell returned a column {taken[0]!r}, which is one of its keywords")
    return rows


def _require_columns(rows: Mapping[str, list[Any]], expected: Sequence[str]) -> None:
    if expected and list(rows) != list(expected):
        raise ValueError(f"every cell must return the same columns: {', '.join(expected)}, got {', '.join(rows)}")


def _extend(columns: dict[str, list[Any]], cell: Cell, rows: Mapping[str, list[Any]]) -> None:
    added = len(next(iter(rows.values())))
    columns[CELL_KEY].extend([cell.key] * added)
    for name, value in cell.config.items():
        columns[name].extend([value] * added)
    for name, values in rows.items():
        columns.setdefault(name, []).extend(values)


def _array(values: list[Any], kind: str | None) -> pa.Array:
    if kind is None and any(isinstance(value, float) for value in values):
        kind = "float64"  # whole numbers among numbers
    return pa.array(values, type=kind, from_pandas=False)
