"""Computing a sweep: what is missing, into a directory that may be resumed."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from simulations.devices import resolve
from simulations.errors import InputError
from simulations.results.shards import CELL_KEY
from simulations.results.tables import Table
from simulations.sweeps.compute import ChunkResult, Failure, Job
from simulations.sweeps.executors import Executor, executor
from simulations.sweeps.failures import MOST_TRACEBACKS, report_failures
from simulations.sweeps.grid import Cell, Sweep, load_cell
from simulations.sweeps.processes import SweepError
from simulations.sweeps.progress import Report, progress_bar
from simulations.sweeps.store import Store, require_table

__all__ = ["SweepError", "job_of", "require_devices", "run_sweep"]

_CHUNK_SECONDS = 1.0
_LARGEST_CHUNK = 2_000
_CHUNKS_A_WORKER = 4
_WORKERS_FOR_A_SECOND = 50
_FLUSH_SECONDS = 2.0
_FLUSH_SHARE = 0.01


def run_sweep(
    sweep: Sweep,
    out: Path | str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: bool | Report = False,
) -> Table:
    """Compute the cells that ``out`` lacks and return the finished table.

    Cells are computed in other processes, be it one: a cell that ends its process, out of memory perhaps, is tried
    again alone, and then reported as failed; the others finish. A cell that never returns is waited for. What was
    computed is kept whatever stops the run, Ctrl-C included, and the same call goes on from there.

    Parameters
    ----------
    sweep : Sweep
    out : Path or str
        The sweep's directory; what was computed there before, by this code, is not computed again.
    workers : int, optional
        Processes, by default one a core. The table does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``: its workers compute, and this process alone writes.
    overwrite : bool
        Replace the finished table of another grid in ``out``. That of this grid and older code is replaced anyway.
    progress : bool or callable
        True for a bar on standard error; or what is told how many cells are done, and of how many.

    Raises
    ------
    ValueError, TypeError
        If the sweep or the number of workers is not allowed, this machine lacks a device that it names (workers of
        a scheduler report theirs as failed cells), or no scheduler answers.
    ResultError
        If ``out`` cannot be used; see :class:`~simulations.sweeps.store.Store`.
    SweepError
        If cells failed, after all others were computed and kept; their tracebacks are in ``out/failures.txt`` and in
        its ``failures``.
    """
    out = Path(out)
    sweep, started = sweep.checked(), time.perf_counter()
    if scheduler is None:
        require_devices(sweep)
    job = job_of(sweep)
    with executor(workers, scheduler, at_once=sweep.kind == "experiment") as workers_found:
        require_table(out, sweep, overwrite=overwrite)
        with Store(out, sweep) as store:
            cells = list(sweep.cells())
            missing = [cell for cell in cells if cell.key not in store.done]
            with _reporter(progress, sweep.name) as report, closing(_results(job, missing, workers_found)) as results:
                _keep(store, results, len(cells) - len(missing), len(cells), report)
            seconds = round(time.perf_counter() - started, 3)
            last = {"seconds": seconds, "cells_computed": len(missing), "workers": workers_found.name}
            return store.finish({"last_run": last})


@contextmanager
def _reporter(progress: bool | Report, name: str) -> Iterator[Report]:
    if progress is True:
        with progress_bar(name) as report:
            yield report
    else:
        yield progress or (lambda done, total: None)


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


def job_of(sweep: Sweep) -> Job:
    """Return what workers need of a sweep: of its function the importable name, or itself, to be sent by value."""
    cell = sweep.cell
    if not isinstance(cell, str):
        try:
            named = load_cell(sweep.function_name)
        except TypeError:
            named = None
        cell = sweep.function_name if named is cell and cell.__module__ != "__main__" else cell
    return Job(cell, sweep.version, sweep.column_types)


def _results(job: Job, missing: Sequence[Cell], workers: Executor) -> Generator[ChunkResult]:
    """Yield results in any order."""
    largest = min(_LARGEST_CHUNK, -(-len(missing) // (_CHUNKS_A_WORKER * workers.workers)))
    chunks = _Chunks(iter(missing), _CHUNK_SECONDS * max(1.0, workers.workers / _WORKERS_FOR_A_SECOND), largest)
    for result in workers.run(job, iter(chunks.following, [])):
        yield chunks.measured(result)


class _Chunks:
    """Cuts what is left into chunks of about equal seconds, by the cost of the cells so far."""

    def __init__(self, todo: Iterator[Cell], seconds: float, largest: int) -> None:
        self.todo, self.seconds, self.largest = todo, seconds, max(1, largest)
        self.cost: float | None = None
        self.size = 1

    def following(self) -> list[Cell]:
        """Return the next chunk, empty at the end; at most twice the one before, as the first cell may compile."""
        if self.cost is not None:
            fitting = int(self.seconds / max(self.cost, 1e-9))
            self.size = max(1, min(fitting, 2 * self.size, self.largest))
        return list(islice(self.todo, self.size))

    def measured(self, result: ChunkResult) -> ChunkResult:
        """Note what a chunk cost, seconds a cell."""
        self.cost = result.seconds / result.cells
        return result


def _keep(store: Store, results: Iterator[ChunkResult], done: int, total: int, report: Report) -> None:
    """Write results as they come, a shard every few seconds and fewer as a run grows old.

    Raises
    ------
    SweepError
        If cells failed.
    """
    waiting: list[tuple[pa.Table, str]] = []
    failures: list[Failure] = []
    started = flushed = time.monotonic()
    said = ""
    try:
        report(done, total)
        for result in results:
            for failure in (*result.failures, *_take(store, result, waiting)):
                failures.append(failure if len(failures) < MOST_TRACEBACKS else replace(failure, traceback=""))
            done += result.cells
            report(done, total)
            now = time.monotonic()
            if waiting and now - flushed > max(_FLUSH_SECONDS, _FLUSH_SHARE * (now - started)):
                written, waiting, flushed = waiting, [], now  # emptied first: no interrupt makes us write it twice
                store.append(written)
    finally:  # an interrupted run keeps what it has
        if waiting:
            store.append(waiting)
        said = report_failures(store.directory, failures, total)
    if failures:
        raise SweepError(said, tuple(failures))


def _take(store: Store, result: ChunkResult, waiting: list[tuple[pa.Table, str]]) -> Iterator[Failure]:
    """Put rows among those that wait to be written; of those that do not fit the others, yield their cells."""
    for table in result.tables:
        problem = store.mismatch(table)
        if problem is None:
            waiting.append((table, result.device))
        else:
            yield from (Failure(config, problem) for config in _configs(table, store.sweep))


def _configs(table: pa.Table, sweep: Sweep) -> list[dict[str, Any]]:
    """Return the configurations of the cells in a table."""
    columns = [CELL_KEY, *sweep.column_types]
    rows = {row[CELL_KEY]: row for row in table.select(columns).to_pylist()}
    return [{name: row[name] for name in sweep.column_types} for row in rows.values()]
