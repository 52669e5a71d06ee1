"""Processes on this machine that compute chunks of cells, and outlive the cells that kill them.

A cell that its process died at is tried again when all others are done, alone: memory may have run out because of its
neighbours. Only what kills its process then is at fault.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import cloudpickle

from simulations.errors import ReportedError
from simulations.sweeps.compute import Chunk, ChunkResult, Failure, Job
from simulations.sweeps.grid import Cell
from simulations.sweeps.worker import CHUNK, END, NO_CELL, SETUP, THREADS, Died, Place, Setup, ended

__all__ = ["SweepError", "compute_in_processes"]

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = "from simulations.sweeps.worker import main; main()"
_ALONE_SECONDS = 0.5
_MOST_STILLBORN = 3


class SweepError(ReportedError, RuntimeError):
    """Cells failed, or workers cannot run; what was computed is kept, and another run goes on from there.

    Attributes
    ----------
    failures : tuple of Failure
        The cells that failed, each with its error and traceback.
    """

    def __init__(self, message: str, failures: tuple[Failure, ...] = ()) -> None:
        super().__init__(message)
        self.failures = failures


def compute_in_processes(job: Job, chunks: Iterator[Chunk], workers: int, *, at_once: bool) -> Generator[ChunkResult]:
    """Yield the results of chunks in any order.

    Parameters
    ----------
    job : Job
    chunks : iterator of Chunk
        Advanced only when a process is free.
    workers : int
        Processes at most; unless ``at_once``, one alone computes for the first half second, so that a small sweep
        starts no more.
    at_once : bool

    Raises
    ------
    SweepError
        If processes die again and again before they have begun a cell.
    """
    with _Staff(_message(job)) as staff:
        yield from _Run(staff, chunks, workers, at_once=at_once).results()


class _Run:
    """The chunks of one sweep on their way through the workers."""

    def __init__(self, staff: _Staff, chunks: Iterator[Chunk], workers: int, *, at_once: bool) -> None:
        self.staff, self.chunks, self.workers = staff, chunks, workers
        self.from_now = time.monotonic() + (0.0 if at_once else _ALONE_SECONDS)
        self.again: deque[Chunk] = deque()
        self.suspects: list[Cell] = []
        self.few = self.alone = False
        self.busy: dict[Any, tuple[_Worker, Chunk]] = {}
        self.stillborn = 0

    def results(self) -> Iterator[ChunkResult]:
        """Yield results until nothing is left."""
        while True:
            self._hand_out()
            if not self.busy:
                return
            left = self.from_now - time.monotonic() if self.few else None
            for connection in wait(self.busy, None if left is None else max(0.0, left)):
                worker, chunk = self.busy.pop(connection)
                answer = worker.answer()
                self.staff.release(worker)
                if isinstance(answer, Died):
                    yield from self._after_death(worker, chunk, answer)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    self.stillborn = 0
                    yield answer

    def _hand_out(self) -> None:
        self.few = time.monotonic() < self.from_now
        allowed = 1 if self.few else self.workers
        self.alone = False
        while len(self.busy) < allowed:
            chunk = self.again.popleft() if self.again else next(self.chunks, None)
            if chunk is None:
                break
            self._give(chunk)
        if not self.busy and self.suspects:
            self.alone = True
            self._give([self.suspects.pop()])

    def _give(self, chunk: Chunk) -> None:
        worker = self.staff.hire()
        worker.give(chunk)
        self.busy[worker.connection] = worker, chunk

    def _after_death(self, worker: _Worker, chunk: Chunk, died: Died) -> Iterator[ChunkResult]:
        at = worker.place.read()
        if at == NO_CELL:
            self.stillborn += 1
            if self.stillborn >= _MOST_STILLBORN:
                raise SweepError(f"worker processes die before their first cell: {died.how}")
            self.again.append(chunk)
        elif self.alone:
            error = f"killed its process twice, the second time alone: {died.how}"
            yield ChunkResult(1, (), (Failure(chunk[at].config, error),))
        else:
            self.suspects.append(chunk[at])
            self.again.extend(part for part in (chunk[:at], chunk[at + 1 :]) if part)


class _Staff:
    """The workers of one sweep; those that are left over wait for the next sweep of this process.

    None that read other code of this project than there is now is taken again.
    """

    _idle: list[_Worker] = []  # noqa: RUF012 (shared: workers outlive a sweep)

    def __init__(self, setup: bytes) -> None:
        self.setup, self.code = setup, _state_of_the_code()
        self.free: list[_Worker] = []
        self.hired: list[_Worker] = []

    def __enter__(self) -> _Staff:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.hired:
            if worker in self.free and worker.send(END):
                self._idle.append(worker)
            else:
                worker.kill()

    @classmethod
    def dismiss(cls) -> None:
        """End the workers that wait for a sweep of this process."""
        while cls._idle:
            worker = cls._idle.pop()
            if worker.made_for[0] == os.getpid():
                worker.kill()

    def hire(self) -> _Worker:
        """Return a worker that knows the sweep and has nothing to do."""
        if self.free:
            return self.free.pop()
        while self._idle:
            worker = self._idle.pop()
            if worker.made_for == (os.getpid(), self.code) and worker.send(SETUP + self.setup):
                break
            if worker.made_for[0] == os.getpid():  # a copy of this process does not end the workers of the original
                worker.kill()
        else:
            worker = _Worker((os.getpid(), self.code))
            worker.send(SETUP + self.setup)
        self.hired.append(worker)
        return worker

    def release(self, worker: _Worker) -> None:
        """Take back a worker that has answered, and let one go that is dead."""
        if worker.gone:
            worker.kill()
            self.hired.remove(worker)
        else:
            self.free.append(worker)


atexit.register(_Staff.dismiss)


class _Worker:
    """A process of :mod:`~simulations.sweeps.worker` and the connection to it."""

    def __init__(self, made_for: tuple[int, int]) -> None:
        self.made_for, self.gone = made_for, False
        self.connection, theirs = Pipe()
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        with theirs, tempfile.TemporaryFile() as shared:
            shared.truncate(Place.length())
            self.place = Place(shared.fileno())
            descriptors = (theirs.fileno(), shared.fileno())
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM, *map(str, descriptors)],
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                    env=os.environ | THREADS | {"PYTHONPATH": path},
                    process_group=0,  # a terminal's Ctrl-C is for this process alone
                )
            except OSError as error:
                raise SweepError(f"a worker process cannot be started: {error.strerror or error}") from error

    def send(self, message: bytes) -> bool:
        """Send a message, and return whether anyone is there to read it."""
        try:
            self.connection.send_bytes(message)
        except OSError:
            self.gone = True
        return not self.gone

    def give(self, chunk: Chunk) -> None:
        """Send a chunk."""
        self.place.write(NO_CELL)
        self.send(CHUNK + pickle.dumps(chunk))

    def answer(self) -> ChunkResult | BaseException | Died:
        """Return what became of the chunk, waiting for it."""
        try:
            found: ChunkResult | BaseException | Died = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            self.gone = True
            self.kill()
            return Died(ended(self.process.returncode))
        return found

    def kill(self) -> None:
        """End the process and the one that computes for it."""
        self.connection.close()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _message(job: Job) -> bytes:
    """Return the setup of a sweep; a function that no worker can import travels by value.

    Raises
    ------
    TypeError
        If it cannot.
    """
    try:
        pickled = cloudpickle.dumps(job)
    except Exception as error:  # whatever an object of the user's raises
        raise TypeError(
            f"the function cannot be sent to a worker process: {type(error).__name__}: {error}"
        ) from error
    return pickle.dumps(Setup(list(sys.path), Path.cwd(), dict(os.environ), pickled))


def _state_of_the_code() -> int:
    """Return what differs whenever a file of this project does: workers read them when they start."""
    files = [file for package in ("kondo_theory", "simulations") for file in (_ROOT / package).rglob("*.py")]
    return hash(tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(files)))
