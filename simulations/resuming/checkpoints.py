"""Checkpoints of a long run: a directory beside its table, from which the same command goes on after a kill.

* ``.lock`` is held by the one process that writes there; the kernel frees it when that process dies.
* ``identity.json`` says what runs: configuration, code, device. Another run is refused.
* ``NAME.pt`` is the last state of one part of the run, with its hash; replaced whole, never half-written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout

from simulations.errors import ReportedError
from simulations.results.atomic import atomic_path

__all__ = [
    "CheckpointDirectory",
    "CheckpointFile",
    "kept_or_measured",
    "load_frame",
    "measured_in_turn",
    "save_frame",
    "working_for",
]

_IDENTITY, _LOCK = "identity.json", ".lock"
_DIGEST_BYTES = hashlib.sha256().digest_size


class CheckpointFile:
    """The last state of one part of a run.

    Parameters
    ----------
    path : Path
        In a directory that exists; the file need not.
    seconds : float
        How often a state is due; 0 whenever there is occasion.
    owner : int or None
        Process that this one works for: once it is dead, nothing is saved any more and the worker ends.
    """

    def __init__(self, path: Path, *, seconds: float = 30.0, owner: int | None = None) -> None:
        self.path, self.seconds, self.owner = path, seconds, owner
        self._saved_at = time.monotonic()

    def is_due(self) -> bool:
        """Return whether a state should be saved now.

        Raises
        ------
        SystemExit
            If the owner is dead: another run may own the directory by now.
        """
        if self.owner is not None and self.owner not in (os.getpid(), os.getppid()):
            raise SystemExit(1)
        return time.monotonic() - self._saved_at >= self.seconds

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the state: tensors, numbers, strings, and lists and dictionaries of them."""
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        body = buffer.getvalue()
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the last state, on the CPU; None if there is none.

        Raises
        ------
        ReportedError
            If the file is damaged.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        body = content[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != content[:_DIGEST_BYTES]:
            raise ReportedError(f"checkpoint {self.path} is damaged")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError) as error:
            raise ReportedError(f"checkpoint {self.path} cannot be read: {str(error).splitlines()[0]}") from error
        return state


@contextmanager
def working_for(owner: int) -> Iterator[None]:
    """Let a pool's worker process end with the run that it works for, process ``owner``, once that is dead.

    The pool would hold the exception, and all its memory, for minutes. In the owner's own process, where a single
    worker runs, or in a thread of it, nobody's process is ended: the exception goes to the caller.
    """
    try:
        yield
    except SystemExit:
        if os.getpid() == owner:
            raise
        os._exit(1)


def save_frame(file: CheckpointFile, frame: pd.DataFrame) -> None:
    """Keep the table of a part that is done; columns of numbers, strings or lists of numbers."""
    file.save({str(name): column.tolist() for name, column in frame.items()})


def load_frame(file: CheckpointFile) -> pd.DataFrame | None:
    """Return the table that was kept; None if there is none."""
    saved = file.load()
    return None if saved is None else pd.DataFrame(saved)


def kept_or_measured(file: CheckpointFile | None, measure: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the table of a part that was kept; measure it, and keep it, if there is none."""
    found = None if file is None else load_frame(file)
    if found is None:
        found = measure()
        if file is not None:
            save_frame(file, found)
    return found


def measured_in_turn(
    jobs: Sequence[tuple[str, str, Callable[[], pd.DataFrame]]],
    checkpoints: CheckpointDirectory | None,
    progress: Callable[[str], None],
) -> pd.DataFrame:
    """Measure parts one after the other and join their tables; those in ``checkpoints`` are kept.

    Parameters
    ----------
    jobs : sequence of (str, str, callable)
        The name of the part's checkpoint, what ``progress`` says of it, and what measures it.
    checkpoints : CheckpointDirectory or None
    progress : callable
        Told of each part before it is measured.
    """
    frames = []
    for number, (name, label, measure) in enumerate(jobs, start=1):
        progress(f"{number} of {len(jobs)}: {label}")
        file = None if checkpoints is None else checkpoints.file(name)
        frames.append(kept_or_measured(file, measure))
    return pd.concat(frames, ignore_index=True)


class CheckpointDirectory:
    """The directory of one run's checkpoints; a context manager that holds the lock.

    Parameters
    ----------
    path : Path
        Made if it is missing.
    identity : mapping
        JSON values that say what runs: a directory with another identity is refused.

    Attributes
    ----------
    damaged : list of Path
        Checkpoints that were found damaged on entering, and removed: those parts start afresh.

    Raises
    ------
    ReportedError
        On entering, if another process writes here, the directory belongs to another run or to none, or cannot be
        written.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path, self._identity = path, json.loads(json.dumps(identity))
        self.damaged: list[Path] = []
        self._lock = FileLock(path / _LOCK, timeout=0)

    def __enter__(self) -> CheckpointDirectory:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ReportedError(f"another run is writing to {self.path}: wait, or name another table") from error
        except OSError as error:
            raise ReportedError(f"cannot write {self.path}: {error.strerror or error}") from error
        try:
            self._require_identity()
            self._remove_damaged()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def file(self, name: str, *, seconds: float = 30.0) -> CheckpointFile:
        """Return the file of one part of the run."""
        return CheckpointFile(self.path / f"{name}.pt", seconds=seconds, owner=os.getpid())

    def remove(self) -> None:
        """Remove the directory: the run is over, and its table written.

        What says whose it is goes last: a directory that was removed in part is still this run's.
        """
        for path in self.path.iterdir():
            if path.name not in (_IDENTITY, _LOCK):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.path)

    def _require_identity(self) -> None:
        file = self.path / _IDENTITY
        if not file.exists():
            strange = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
            if strange:
                raise ReportedError(f"{self.path} is no directory of checkpoints, it has {strange[0]}: move it away")
            with atomic_path(file) as temporary:
                temporary.write_text(json.dumps(self._identity, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            keys = sorted(found.keys() | self._identity)
            other = [key for key in keys if found.get(key) != self._identity.get(key)]
        except (OSError, ValueError, AttributeError) as error:
            raise ReportedError(f"{file} is damaged: remove {self.path} to start afresh") from error
        if other:
            raise ReportedError(
                f"{self.path} has checkpoints with another {' and '.join(other)}: remove it to start afresh, or name"
                " another table"
            )

    def _remove_damaged(self) -> None:
        for path in sorted(self.path.glob("*.pt")):
            if path.name.startswith("."):  # left by a killed save
                path.unlink()
                continue
            try:
                CheckpointFile(path).load()
            except ReportedError:
                path.unlink()
                self.damaged.append(path)
