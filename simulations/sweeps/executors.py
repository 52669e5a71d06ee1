"""Where chunks of cells run: in processes on this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import joblib

from simulations.errors import InputError
from simulations.sweeps.compute import Chunk, ChunkResult, Failure, Job, compute_in_worker
from simulations.sweeps.processes import SweepError, compute_in_processes

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Executor", "executor"]

_CONNECT_SECONDS = 10
_WAIT_FOR_WORKERS_SECONDS = 60
_LOOK_SECONDS = 10
_LOOK_FOR_WORKERS_SECONDS = 1
"""While there is none: those that a cell kills, and a nanny starts again, are there for moments."""
_POLL_SECONDS = 0.01
_IN_FLIGHT = 2
"""Chunks handed out for each worker: one to compute, and one waiting so that the worker does not."""


@dataclass(frozen=True)
class Executor:
    """Workers: how many, what they are, and how to run a lazy sequence of chunks on them in any order."""

    workers: int
    name: str
    run: Callable[[Job, Iterator[Chunk]], Iterator[ChunkResult]]


@contextmanager
def executor(workers: int | None, scheduler: str | None, *, at_once: bool) -> Iterator[Executor]:
    """Open the workers: ``workers`` processes, one a core by default, or those of the Dask scheduler at an address.

    ``at_once`` starts all processes, however short the sweep.

    Raises
    ------
    ValueError
        If ``workers`` is below 1, or given together with a scheduler, or the scheduler does not answer or has no
        worker, or Dask is not installed.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    if scheduler is None:
        yield _processes(workers or joblib.cpu_count(), at_once=at_once)
        return
    if workers is not None:
        raise InputError(f"a cluster has its own workers: give workers {workers} or the scheduler, not both")
    with _cluster(scheduler) as cluster:
        yield cluster


def _processes(workers: int, *, at_once: bool) -> Executor:
    def run(job: Job, chunks: Iterator[Chunk]) -> Iterator[ChunkResult]:
        return compute_in_processes(job, chunks, workers, at_once=at_once)

    return Executor(workers, f"{workers} processes", run)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client, TimeoutError
    except ModuleNotFoundError as error:
        raise InputError("a scheduler needs Dask: pip install 'kondo-theory[cluster]'") from error
    _require_listener(address)
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise InputError(f"no Dask scheduler answers at {address}: {str(error).splitlines()[0]}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WAIT_FOR_WORKERS_SECONDS)
        except TimeoutError as error:
            raise InputError(f"the Dask scheduler at {address} has no worker") from error
        workers = sum(client.nthreads().values())
        yield Executor(
            workers, f"Dask, {workers} threads at the start", lambda job, chunks: _run(client, job, chunks)
        )


def _require_listener(address: str) -> None:
    """Refuse an address that nothing listens at, before Dask tries for long and fails in several threads."""
    match = re.fullmatch(r"(?:tcp|tls)://([^/:\s]+|\[[^\]]+\]):(\d{1,5})", address)
    if match is None:
        raise InputError(f"a scheduler's address is tcp://host:port or tls://host:port, got {address!r}")
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Dask scheduler answers at {address}: {error}") from error


def _run(client: Client, job: Job, chunks: Iterator[Chunk]) -> Iterator[ChunkResult]:
    """Keep every worker busy and no more: the scheduler holds a few chunks a worker, however large the sweep.

    A scheduler blames whatever waits on a worker that dies. So a cell that it gave up on is tried again when nothing
    else is left, alone: only what kills its worker then is at fault.
    """
    from distributed import KilledWorker, as_completed

    running: dict[Any, Chunk] = {}
    suspects: list[Chunk] = []
    alone: Chunk | None = None
    finished = as_completed(loop=client.loop)
    room = _Room(client)

    def submit(chunk: Chunk) -> None:
        future = client.submit(compute_in_worker, job, chunk, pure=False)
        running[future.key] = chunk
        finished.add(future)

    for chunk in islice(chunks, room.chunks()):
        submit(chunk)
    while running:
        room.wait(finished)
        future = next(finished)
        chunk = running.pop(future.key)
        try:
            error = future.exception()
        except (CancelledError, OSError) as lost:
            raise SweepError("the Dask scheduler was lost: run again to go on") from lost
        if isinstance(error, KilledWorker) and len(chunk) > 1:  # find the cell that does it
            for cell in chunk:
                submit([cell])
        elif isinstance(error, KilledWorker) and chunk is not alone:
            suspects.append(chunk)
        elif isinstance(error, KilledWorker):  # the scheduler tried it on several workers
            yield ChunkResult(1, (), (Failure(chunk[0].config, "killed its worker, again and again"),))
        elif error is not None:
            raise error
        else:
            yield future.result()
        for following in islice(chunks, max(0, room.chunks() - len(running))):
            submit(following)
        if suspects and not running:
            alone = suspects.pop()
            submit(alone)


class _Room:
    """How many chunks a cluster may hold, and whether it has workers at all, looked up now and then."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._found, self._looked, self._seen = 0, -math.inf, time.monotonic()

    def chunks(self) -> int:
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._look()
        return _IN_FLIGHT * max(1, self._found)

    def wait(self, finished: Any) -> None:
        """Wait until a chunk is done; workers may all be away for a while, but not for ever.

        Raises
        ------
        SweepError
            If there is no worker and none comes.
        """
        while not finished.has_ready():
            time.sleep(_POLL_SECONDS)
            if time.monotonic() - self._looked > (_LOOK_SECONDS if self._found else _LOOK_FOR_WORKERS_SECONDS):
                self._look()
            if time.monotonic() - self._seen > _WAIT_FOR_WORKERS_SECONDS + _LOOK_SECONDS:
                raise SweepError("all Dask workers are gone: start some and run again to go on")

    def _look(self) -> None:
        try:
            self._found = sum(self.client.nthreads().values())
        except (CancelledError, OSError) as lost:
            raise SweepError("the Dask scheduler was lost: run again to go on") from lost
        self._looked = time.monotonic()
        if self._found:
            self._seen = self._looked
