"""Computing a sweep: what is missing, into a directory that may be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from simulations.devices import resolve
from simulations.errors import InputError
from simulations.results import Table
from simulations.shards import CELL_KEY
from simulations.sweeps.compute import ChunkResult, Failure, Job, compute_here
from simulations.sweeps.executors import Executor, SweepError, executor
from simulations.sweeps.grid import Cell, Sweep, load_cell
from simulations.sweeps.store import Store, done_cells, require_table

__all__ = ["Estimate", "Progress", "SweepError", "estimate", "require_devices", "run_sweep"]

Progress = Callable[[int, int], None]
"""Told after each chunk how many cells are done, and of how many."""

_IN_PROCESS_SECONDS = 0.5
_CHUNK_SECONDS = 1.0
_LARGEST_CHUNK = 2_000
_CHUNKS_A_WORKER = 4
_WORKERS_FOR_A_SECOND = 50
_FLUSH_SECONDS = 2.0
_FLUSH_SHARE = 0.01
_SHOWN_FAILURES = 5
_TIMED_CELLS = 5
_TIMING_SECONDS = 3.0
_WARM_UP_SECONDS = 20.0


def run_sweep(
    sweep: Sweep,
    out: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Table:
    """Compute the cells that ``out`` lacks and return the finished table.

    Parameters
    ----------
    sweep : Sweep
    out : Path
        The sweep's directory; what was computed there before, by this code, is not computed again.
    workers : int, optional
        Processes, by default one a core. The table does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``: its workers compute, and this process alone writes.
    overwrite : bool
        Replace the finished table of another grid in ``out``.
    progress : callable

    Raises
    ------
    ValueError, TypeError
        If the sweep or the number of workers is not allowed, this machine lacks a device that it names (workers of
        a scheduler report theirs as failed cells), or no scheduler answers.
    ResultError
        If ``out`` cannot be used; see :class:`~simulations.sweeps.store.Store`.
    SweepError
        If cells failed, after all others were computed and kept.
    """
    sweep, started = sweep.checked(), time.perf_counter()
    if scheduler is None:
        require_devices(sweep)
    job = Job(_by_name(sweep), sweep.version, sweep.column_types)
    with executor(workers, scheduler) as workers_found:
        require_table(out, sweep, overwrite=overwrite)
        with Store(out, sweep) as store:
            cells = list(sweep.cells())
            missing = [cell for cell in cells if cell.key not in store.done]
            progress(len(cells) - len(missing), len(cells))
            results = _results(
                job, missing, workers_found, in_process=sweep.kind != "experiment" and scheduler is None
            )
            failures = _keep(store, results, len(cells) - len(missing), len(cells), progress)
            if failures:
                raise SweepError(_describe(failures, len(cells), out))
            seconds = round(time.perf_counter() - started, 3)
            last = {"seconds": seconds, "cells_computed": len(missing), "workers": workers_found.name}
            return store.finish({"last_run": last})


def require_devices(sweep: Sweep) -> None:
    """Refuse a sweep whose configurations name a device that this machine lacks.

    Raises
    ------
    InputError
        If it lacks one.
    """
    for grid in sweep.grids:
        if "cuda" in grid.get("device", ()):
            try:
                resolve("cuda")
            except ValueError:
                raise InputError(f"sweep {sweep.name}: device is cuda, which this machine lacks") from None


def _by_name(sweep: Sweep) -> Callable[..., object] | str:
    """Return the function's importable name; the function itself if it has none, to be sent by value."""
    if isinstance(sweep.cell, str):
        return sweep.cell
    try:
        named = load_cell(sweep.function_name)
    except TypeError:
        named = None
    return sweep.function_name if named is sweep.cell and sweep.cell.__module__ != "__main__" else sweep.cell


def _results(job: Job, missing: Sequence[Cell], workers: Executor, *, in_process: bool) -> Iterator[ChunkResult]:
    """Yield results in any order: of the first half second from this process, so that a small sweep starts none."""
    largest = min(_LARGEST_CHUNK, -(-len(missing) // (_CHUNKS_A_WORKER * workers.workers)))
    chunks = _Chunks(iter(missing), _CHUNK_SECONDS * max(1.0, workers.workers / _WORKERS_FOR_A_SECOND), largest)
    started = time.perf_counter()
    while in_process and time.perf_counter() - started < _IN_PROCESS_SECONDS:
        chunk = chunks.following(_IN_PROCESS_SECONDS / 4)
        if not chunk:
            return
        yield chunks.measured(compute_here(job, chunk))
    for result in workers.run(job, iter(chunks.following, [])):
        yield chunks.measured(result)


class _Chunks:
    """Cuts what is left into chunks of about equal seconds, by the cost of the cells so far."""

    def __init__(self, todo: Iterator[Cell], seconds: float, largest: int) -> None:
        self.todo, self.seconds, self.largest = todo, seconds, max(1, largest)
        self.cost: float | None = None
        self.size = 1

    def following(self, seconds: float | None = None) -> list[Cell]:
        """Return the next chunk, empty at the end; at most twice the one before, as the first cell may compile."""
        if self.cost is not None:
            fitting = int((seconds or self.seconds) / max(self.cost, 1e-9))
            self.size = max(1, min(fitting, 2 * self.size, self.largest))
        return list(islice(self.todo, self.size))

    def measured(self, result: ChunkResult) -> ChunkResult:
        """Note what a chunk cost, seconds a cell."""
        self.cost = result.seconds / result.cells
        return result


def _keep(
    store: Store, results: Iterator[ChunkResult], done: int, total: int, progress: Progress
) -> tuple[Failure, ...]:
    """Write results as they come, a shard every few seconds and fewer as a run grows old; return the failures."""
    waiting: list[tuple[pa.Table, str]] = []
    failures: list[Failure] = []
    started = flushed = time.monotonic()
    try:
        for result in results:
            failures.extend(result.failures)
            for table in result.tables:
                problem = store.mismatch(table)
                if problem is None:
                    waiting.append((table, result.device))
                else:
                    failures.extend(Failure(config, problem) for config in _configs(table, store.sweep))
            done += result.cells
            progress(done, total)
            now = time.monotonic()
            if waiting and now - flushed > max(_FLUSH_SECONDS, _FLUSH_SHARE * (now - started)):
                written, waiting, flushed = waiting, [], now  # emptied first: no interrupt makes us write it twice
                store.append(written)
    finally:  # an interrupted run keeps what it has
        if waiting:
            store.append(waiting)
    return tuple(failures)


def _configs(table: pa.Table, sweep: Sweep) -> list[dict[str, Any]]:
    """Return the configurations of the cells in a table."""
    columns = [CELL_KEY, *sweep.column_types]
    rows = {row[CELL_KEY]: row for row in table.select(columns).to_pylist()}
    return [{name: row[name] for name in sweep.column_types} for row in rows.values()]


def _describe(failures: Sequence[Failure], total: int, out: Path) -> str:
    shown = "".join(f"\n  {failure}" for failure in failures[:_SHOWN_FAILURES])
    more = f"\n  and {len(failures) - _SHOWN_FAILURES} more" if len(failures) > _SHOWN_FAILURES else ""
    return f"{len(failures)} of {total} cells failed; the others are kept in {out}{shown}{more}"


@dataclass(frozen=True)
class Estimate:
    """What a sweep would take.

    Attributes
    ----------
    cells, missing : int
        In all, and those that ``out`` does not hold yet.
    core_seconds : float
        For those missing, on one core of this machine.
    bytes : float
        Of the shards and the table, before compression.
    failures : tuple of Failure
        Of the cells that were timed.
    """

    cells: int
    missing: int
    core_seconds: float
    bytes: float
    failures: tuple[Failure, ...]


def estimate(sweep: Sweep, out: Path) -> Estimate:
    """Return what a sweep would take, by timing a few of its missing cells, spread over the grid; writes nothing.

    Raises
    ------
    ValueError, TypeError
        If the sweep is not allowed, or names a device that this machine lacks.
    ResultError
        If ``out`` holds something else.
    """
    sweep = sweep.checked()
    require_devices(sweep)
    job = Job(_by_name(sweep), sweep.version, sweep.column_types)
    done = done_cells(out, sweep)
    cells = list(sweep.cells())
    missing = [cell for cell in cells if cell.key not in done]
    places = sorted({round(i * (len(missing) - 1) / (_TIMED_CELLS - 1)) for i in range(_TIMED_CELLS)})
    seconds, size, timed = 0.0, 0.0, 0
    failures: list[Failure] = []
    for place in places if missing else []:
        cell, factor = _probe(sweep, missing[place])
        result = compute_here(job, [cell])
        if timed == 0 and result.seconds < _WARM_UP_SECONDS:  # the first one also imports and compiles
            result = compute_here(job, [cell])
        failures.extend(result.failures)
        seconds, timed = seconds + factor * result.seconds, timed + 1
        size += factor * sum(table.nbytes for table in result.tables)
        if seconds > _TIMING_SECONDS:
            break
    share = len(missing) / max(timed, 1)
    return Estimate(len(cells), len(missing), share * seconds, share * 2 * size, tuple(failures))


def _probe(sweep: Sweep, cell: Cell) -> tuple[Cell, float]:
    """Return a cheaper cell to time in place of this one, and the factor between their costs."""
    if sweep.probe is None:
        return cell, 1.0
    name, value = sweep.probe
    size = cell.config[name]
    assert isinstance(size, int | float)
    cheaper = Cell(cell.key, {**cell.config, name: min(size, value)})
    return cheaper, size / min(size, value)
