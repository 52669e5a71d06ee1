"""What a sweep would take, from a few of its cells; writes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from simulations.results.shards import CELL_KEY
from simulations.sweeps.compute import ChunkResult, Failure, Job
from simulations.sweeps.grid import Cell, Sweep
from simulations.sweeps.processes import compute_in_processes
from simulations.sweeps.run import job_of, require_devices
from simulations.sweeps.store import done_cells

__all__ = ["Estimate", "estimate"]

_TIMED_CELLS = 5
_TIMING_SECONDS = 3.0
_WARM_UP_SECONDS = 20.0


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


def estimate(sweep: Sweep, out: Path | str) -> Estimate:
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
    job = job_of(sweep)
    done = done_cells(Path(out), sweep)
    cells = list(sweep.cells())
    missing = [cell for cell in cells if cell.key not in done]
    places = sorted({round(i * (len(missing) - 1) / (_TIMED_CELLS - 1)) for i in range(_TIMED_CELLS)})
    seconds, size, failures = _timed(job, [_probe(sweep, missing[place]) for place in places if missing])
    return Estimate(len(cells), len(missing), len(missing) * seconds, 2 * len(missing) * size, failures)


def _timed(job: Job, probes: Sequence[tuple[Cell, float]]) -> tuple[float, float, tuple[Failure, ...]]:
    """Return seconds and bytes of a mean cell, each cell's times its factor, and the failures."""
    factors = {cell.key: factor for cell, factor in probes}
    todo = deque(cell for cell, _ in probes)
    costs: dict[str, tuple[float, float]] = {}
    failures: dict[str, Failure] = {}
    chunks = iter(lambda: [todo.popleft()] if todo else [], [])
    with closing(compute_in_processes(job, chunks, 1, at_once=True)) as results:
        for number, result in enumerate(results):
            failed = next(iter(result.failures), None)
            key = next(cell.key for cell, _ in probes if failed.config == cell.config) if failed else _key(result)
            if failed:
                failures[key] = failed
            size = sum(table.nbytes for table in result.tables)
            costs[key] = factors[key] * result.seconds, factors[key] * size
            if number == 0 and result.seconds < _WARM_UP_SECONDS:  # the first one also imports and compiles
                todo.appendleft(probes[0][0])
            elif sum(seconds for seconds, _ in costs.values()) > _TIMING_SECONDS:
                break
    mean = [sum(values) / max(len(costs), 1) for values in zip(*costs.values(), strict=True)] or [0.0, 0.0]
    return mean[0], mean[1], tuple(failures.values())


def _key(result: ChunkResult) -> str:
    key: str = result.tables[0][CELL_KEY][0].as_py()
    return key


def _probe(sweep: Sweep, cell: Cell) -> tuple[Cell, float]:
    """Return a cheaper cell to time in place of this one, and the factor between their costs."""
    if sweep.probe is None:
        return cell, 1.0
    name, value = sweep.probe
    size = cell.config[name]
    assert isinstance(size, int | float)
    cheaper = Cell(cell.key, {**cell.config, name: min(size, value)})
    return cheaper, size / min(size, value)
