"""A process that computes cells for another; :mod:`~simulations.sweeps.processes` starts it.

It never computes itself. It forks a child that does, passes chunks to it and results back, and where the child dies
says how and forks the next: a cell that ends its process takes nothing else with it, and the next process need not
import all again. Each sweep gets a child of its own, which imports the user's code as it is now.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from simulations.sweeps.compute import Chunk, compute_in_worker

__all__ = ["CHUNK", "END", "NO_CELL", "SETUP", "THREADS", "Died", "Place", "Setup", "ended", "main"]

SETUP, CHUNK, END = b"s", b"c", b"e"
"""What a message is: the setup of a sweep, a chunk of its cells, or the end."""
NO_CELL = -1
THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process that forks: it must have no threads, and a chunk keeps to one."""

_IDLE_SECONDS = 60.0
_WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Setup:
    """What a child needs before its first chunk: where modules are found, the environment, and the pickled job."""

    path: list[str]
    directory: Path
    environment: dict[str, str]
    job: bytes


@dataclass(frozen=True)
class Died:
    """The answer in place of a result: how the child ended, in words."""

    how: str


class Place:
    """Which cell of its chunk a child is at, in memory shared with the process that asked: it outlives the child."""

    _BYTES = 8

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, self._BYTES)

    @classmethod
    def length(cls) -> int:
        """Return the number of bytes that the file behind it must have."""
        return cls._BYTES

    def write(self, index: int) -> None:
        """Note that this cell is about to be computed."""
        self._memory[:] = index.to_bytes(self._BYTES, "little", signed=True)

    def read(self) -> int:
        """Return the cell last noted, ``NO_CELL`` where none was begun."""
        return int.from_bytes(self._memory[:], "little", signed=True)


def ended(status: int) -> str:
    """Return how a process ended, in words, from its exit code: below 0 a signal's number."""
    if status >= 0:
        return f"exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, as when memory runs out" if -status == signal.SIGKILL else name


class _Child:
    """The process that computes."""

    def __init__(self, parent: Connection, place: Place, setup: bytes) -> None:
        self.connection, theirs = Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: there are none of ours
            self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                parent.close()
                self.connection.close()
                _compute_chunks(theirs, place, setup)
                code = 0
            finally:
                os._exit(code)
        theirs.close()

    def end(self) -> str:
        """End the process if it still runs, and return how it ended."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return ended(os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]))


def main() -> None:
    """Serve the process that started this one, as its arguments say: the descriptors of a connection and a place."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the process that writes what there is
    connection, place = map(int, sys.argv[1:])
    serve(Connection(connection), Place(place))


def serve(parent: Connection, place: Place) -> None:
    """Do what the parent asks until it is gone, or asks for nothing for a minute."""
    setup, child = b"", None
    try:
        while child is not None or parent.poll(_IDLE_SECONDS):
            message = parent.recv_bytes()
            kind, body = message[:1], message[1:]
            if kind == CHUNK:
                child = child or _Child(parent, place, setup)
                answer = _answer(parent, child, body)
                if answer is None:
                    answer, child = pickle.dumps(Died(_reaped(child))), None
                parent.send_bytes(answer)
                continue
            if child is not None:
                child.end()
                child = None
            setup = body
    except (EOFError, OSError):  # the parent is gone
        pass
    finally:
        if child is not None:
            child.end()


def _answer(parent: Connection, child: _Child, chunk: bytes) -> bytes | None:
    """Return the child's answer, None if it died; raises EOFError if the parent does meanwhile."""
    try:
        child.connection.send_bytes(chunk)
        if parent in wait([child.connection, parent]):
            raise EOFError
        return child.connection.recv_bytes()
    except (EOFError, OSError):
        if parent.poll():  # it sends nothing while it waits: this is its end
            raise EOFError from None
        return None


def _reaped(child: _Child) -> str:
    """Return how a child ended that closed its connection; it gets a moment to end by itself."""
    for _ in range(100):
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid:
            child.connection.close()
            return ended(os.waitstatus_to_exitcode(status))
        time.sleep(0.005)
    return child.end()


def _compute_chunks(supervisor: Connection, place: Place, setup: bytes) -> None:
    """Answer chunk after chunk with its result or with the exception that it ended in."""
    _die_with(os.getppid())
    job: Any = None
    while True:
        try:
            chunk: Chunk = pickle.loads(supervisor.recv_bytes())
        except EOFError:
            return
        place.write(NO_CELL)
        try:
            job = _job(setup) if job is None else job
            answer = _pickled(compute_in_worker(job, chunk, place.write))
        except BaseException as error:
            error.add_note(traceback.format_exc())
            answer = _pickled(error)
        supervisor.send_bytes(answer)


def _job(setup: bytes) -> Any:
    found: Setup = pickle.loads(setup)
    sys.path[:] = found.path
    os.environ.clear()
    os.environ.update(found.environment | THREADS)
    os.chdir(found.directory)
    return pickle.loads(found.job)


def _pickled(answer: Any) -> bytes:
    """Return an answer as bytes; of an exception that cannot be sent, its traceback."""
    try:
        text = pickle.dumps(answer)
        pickle.loads(text)
    except Exception:
        return pickle.dumps(RuntimeError("".join(getattr(answer, "__notes__", [traceback.format_exc()]))))
    return text


def _die_with(parent: int) -> None:
    """Make this process end soon after its parent, which may have been killed without a word to anyone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
