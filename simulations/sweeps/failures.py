"""What is said of cells that failed: a few lines, and a file ``failures.txt`` with every cell and its traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulations.errors import ResultError
from simulations.results.atomic import atomic_path
from simulations.sweeps.compute import Failure

__all__ = ["FAILURES", "MOST_TRACEBACKS", "report_failures"]

FAILURES = "failures.txt"
"""The file in a sweep's directory; gone once a run leaves no cell out."""
MOST_TRACEBACKS = 1_000
"""Of further failures only the line is kept: a million tracebacks are gigabytes."""

_SHOWN = 5


def report_failures(directory: Path, failures: Sequence[Failure], total: int) -> str:
    """Write the failures of a run into the directory, or remove what an earlier run left; return what to tell.

    Raises
    ------
    ResultError
        If the file cannot be written.
    """
    path = directory / FAILURES
    try:
        if not failures:
            path.unlink(missing_ok=True)
            return ""
        with atomic_path(path) as temporary:
            text = "\n".join(f"{failure}\n{failure.traceback}" for failure in failures)
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        if isinstance(error, ResultError):
            raise
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error
    shown = "".join(f"\n  {failure}" for failure in failures[:_SHOWN])
    more = f"\n  and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    found = f"{len(failures)} of {total} cells failed; the others are kept in {directory}, tracebacks in {path}"
    return f"{found}{shown}{more}"
