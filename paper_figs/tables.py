"""The tables that figures draw: those committed with the project, or a user's own, of sweeps and experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import pandas as pd

from simulations.results import COMMITTED, SWEEP, ResultError, Table, load
from simulations.reversal_tables import Curves, committed_curves, curves_in, joined, with_shared

__all__ = ["measured", "names_in", "own_tables", "points", "results_from", "reversal_curves", "rows", "table"]


_results: ContextVar[Path | None] = ContextVar("results", default=None)


@contextmanager
def results_from(directory: Path | None) -> Iterator[None]:
    """Let figures read ``directory/NAME.parquet`` or ``directory/*/NAME.parquet`` where there is one."""
    token = _results.set(directory)
    try:
        yield
    finally:
        _results.reset(token)


def names_in(directory: Path) -> list[str]:
    """Return the names of the tables in a directory and the ones below it.

    Raises
    ------
    ResultError
        If there is none, or two have one name.
    """
    found = sorted(path.stem for path in _tables(directory, "*"))
    if not found:
        raise ResultError(f"no table in {directory}: looked for *.parquet and */*.parquet")
    for name in found:
        _find(directory, name)
    return found


def table(name: str) -> pd.DataFrame:
    """Return the table of a named sweep.

    Raises
    ------
    ResultError
        If it is missing or cannot be read.
    """
    return measured(SWEEP, name).frame


def measured(kind: str, *names: str) -> Table:
    """Return the table of an experiment with its sidecar: the first of these names, a user's own before a committed.

    Raises
    ------
    ResultError
        If there is none, or it cannot be read or is of another kind.
    """
    directory = _results.get()
    own = [_find(directory, name) for name in names] if directory is not None else []
    committed = [COMMITTED / f"{name}.parquet" for name in names]
    found = [path for path in (*own, *committed) if path is not None and path.exists()]
    path = found[0] if found else committed[0]
    return _load(path, kind, path.stat().st_mtime_ns if path.exists() else 0)


def reversal_curves(study: str) -> Curves:
    """Return the learning curves of a study of token reversal: a user's own, completed by the committed ones.

    Raises
    ------
    ResultError
        If there are none, or a table cannot be read or is of another kind.
    """
    directory = _results.get()
    own = [] if directory is None else _tables(directory, f"reversal-{study}*")
    return with_shared(joined([committed_curves(study), *curves_in(own, study)]), study, reversal_curves)


def own_tables(*patterns: str) -> list[Table]:
    """Return a user's own tables whose names, without a suffix, match one of the patterns."""
    directory = _results.get()
    if directory is None:
        return []
    return [load(path) for pattern in patterns for path in _tables(directory, pattern)]


@lru_cache(maxsize=64)
def _load(path: Path, kind: str, modified: int) -> Table:
    return load(path, kind=kind)


def rows(name: str, **where: float | str) -> pd.DataFrame:
    """Return the rows of a named sweep at these values of its columns, in their order.

    Raises
    ------
    ResultError
        If the table has none: what a figure shows must not depend on what happens to be there.
    """
    frame = table(name)
    for column, value in where.items():
        if column not in frame:
            raise ResultError(f"table {name} has no column {column!r}")
        frame = frame[frame[column] == value]
    if frame.empty:
        values = ", ".join(f"{column} = {value}" for column, value in where.items())
        raise ResultError(f"table {name} has no row at {values}: the figure needs the grid of sweep {name}")
    return frame


def points(name: str, quantity: str, **where: float | str) -> pd.DataFrame:
    """Return :func:`rows` of one quantity of a simulated sweep."""
    return rows(name, quantity=quantity, **where)


def _find(directory: Path, name: str) -> Path | None:
    found = _tables(directory, name)
    if len(found) > 1:
        raise ResultError(f"{name} is in {directory} more than once: {', '.join(map(str, found))}")
    return found[0] if found else None


def _tables(directory: Path, name: str) -> list[Path]:
    """Return finished tables of this name, or pattern; a sweep's shards are not tables."""
    if not directory.is_dir():
        raise ResultError(f"no directory {directory}")
    found = [*directory.glob(f"{name}.parquet"), *directory.glob(f"*/{name}.parquet")]
    return sorted(path for path in found if path.with_suffix(".json").exists())
