"""Files that are there whole or not at all: written beside their place, and put there in one step."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simulations.errors import ResultError

__all__ = ["TakenError", "atomic_path", "put", "require_writable", "written_beside"]


class TakenError(ResultError):
    """Another run was faster: its file is left alone, and ours is ``kept`` beside it."""

    def __init__(self, path: Path, kept: Path) -> None:
        super().__init__(f"{path} was written by another run in the meantime: this one's is {kept}")
        self.kept = kept


def require_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse early, before hours of work, what could not be written in the end; nothing is left behind.

    Raises
    ------
    ResultError
        If the file exists and ``overwrite`` is not set, or its directory cannot be made or written.
    """
    if path.is_dir():
        raise ResultError(f"cannot write {path}: it is a directory")
    if path.exists() and not path.is_file():
        raise ResultError(f"cannot write {path}: it is no regular file")
    if path.exists() and not overwrite:
        raise ResultError(f"{path} exists: pass --overwrite to replace it, or name another place")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        for parent in made:  # the innermost first; another process may have put something there since
            with suppress(OSError):
                parent.rmdir()


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, to be :func:`put` there; it is removed on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files that only their owner can read
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_path(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place on success and is removed on failure.

    Without ``overwrite``, a file that somebody else put at ``path`` in the meantime is left alone, and the result is
    kept beside it under another name, which the :class:`TakenError` gives.
    """
    with written_beside(path) as temporary:
        yield temporary
    put(temporary, path, overwrite=overwrite)


def put(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Move a finished file to its place, in one step; what cannot be moved there is kept, never removed.

    Raises
    ------
    ResultError
        If there is a file already and ``overwrite`` is not set, or the file system refuses; the message names the
        file that has the result.
    """
    try:
        there = False if overwrite else _put_new(temporary, path)
        if overwrite:
            os.replace(temporary, path)
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}; the result is {temporary}") from error
    if there:
        kept = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
        os.replace(temporary, kept)
        raise TakenError(path, kept)


def _put_new(temporary: Path, path: Path) -> bool:
    """Move a file to a place that is free; return whether it was taken, and then leave both alone."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return True
    except OSError:  # a file system without hard links
        return _put_new_without_links(temporary, path)
    temporary.unlink(missing_ok=True)
    return False


def _put_new_without_links(temporary: Path, path: Path) -> bool:
    """Do the same where there are no hard links: a claim that only one run can make stands for the link.

    A claim that a killed run left makes the place look taken; that costs a name, and no result.
    """
    claim = path.with_name(f".{path.name}.claim")
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return True
    try:
        if path.exists():
            return True
        os.replace(temporary, path)
        return False
    finally:
        claim.unlink(missing_ok=True)
