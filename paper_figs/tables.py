"""The tables that figures draw: a user's own, found by what they hold as in ``kondo verify``, or the committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pandas as pd

from simulations.errors import ResultError
from simulations.language_model import tables as language_model_tables
from simulations.results.merging import MeasuredTables
from simulations.results.tables import COMMITTED, SWEEP, Table, load
from simulations.reversal import tables as reversal_tables
from simulations.reversal.tables import STEP_TIMES, Curves, committed_curves, joined, own_curves, with_shared

__all__ = [
    "NotCommittedError",
    "Reading",
    "every",
    "feed",
    "language_model",
    "measured",
    "points",
    "results_from",
    "reversal_curves",
    "rows",
    "step_times",
    "table",
]


class NotCommittedError(ResultError):
    """A table that a figure needs is not among the committed ones yet."""


@dataclass
class Reading:
    """What a figure has read so far: what it asked for, with the files of the user's own where there were some.

    Attributes
    ----------
    tables : MeasuredTables
        The user's own.
    own : dict of str to str
        By kind, or ``sweep NAME``.
    committed : list of str
        What was asked for and is not among the user's own.
    lenient : bool
        Rows that a table lacks are none, and no error: a figure is drawn with parameters of the user's own, where the
        closed forms go on and nothing was simulated.
    """

    tables: MeasuredTables = field(default_factory=MeasuredTables)
    own: dict[str, str] = field(default_factory=dict)
    committed: list[str] = field(default_factory=list)
    lenient: bool = False

    @property
    def summary(self) -> str:
        """What was read, and whose it is."""
        own = [f"{source} from {files}" for source, files in self.own.items()]
        return "; ".join([*own, *(f"{source} as committed" for source in self.committed)])


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def results_from(own: MeasuredTables | Path | None, *, lenient: bool = False) -> Iterator[Reading]:
    """Let figures read a user's own tables, or those of a directory and the ones below it, and yield what they read.

    ``lenient`` lets a table lack rows.

    Raises
    ------
    ResultError
        If there is no such directory, or it holds no table or one that cannot be read.
    """
    tables = MeasuredTables() if own is None else own if isinstance(own, MeasuredTables) else MeasuredTables.read(own)
    reading = Reading(tables, lenient=lenient)
    token = _reading.set(reading)
    try:
        yield reading
    finally:
        _reading.reset(token)


def feed(source: str, *own: Table | None) -> bool:
    """Note that a figure asked for a kind, or ``sweep NAME``, and whether it got the user's own."""
    return _note(source, [part.path.name for table in own if table is not None for part in table.parts or (table,)])


def _note(source: str, files: Iterable[str]) -> bool:
    reading, named = _reading.get(), " and ".join(dict.fromkeys(files))
    if reading is not None and named:
        reading.own[source] = named
    elif reading is not None and source not in reading.committed:
        reading.committed.append(source)
    return bool(named)


def _own() -> MeasuredTables:
    reading = _reading.get()
    return MeasuredTables() if reading is None else reading.tables


def table(name: str) -> pd.DataFrame:
    """Return the table of a named sweep: a user's own, or the committed one.

    Raises
    ------
    ResultError
        If it is missing or cannot be read, or two of the user's own are equally large.
    """
    own = _own().sweep(name)
    feed(f"{SWEEP} {name}", own)
    return (own or _committed(SWEEP, name)).frame


def measured(kind: str, *names: str) -> Table:
    """Return the table of an experiment with its sidecar: a user's own, or the first of these that is committed.

    Raises
    ------
    ResultError
        If there is none, or it cannot be read or is of another kind, or two of the user's own are equally large.
    """
    own = _own().find(kind)
    feed(kind, own)
    return own or _committed(kind, *names)


def language_model(study: str) -> Table:
    """Return the table of a study of a language model: a user's own, or the committed one, put together from parts.

    Raises
    ------
    NotCommittedError
        If there is none.
    ResultError
        If it cannot be read, or two of the user's own are equally large.
    """
    kind = language_model_tables.kind_of(study)
    own = _own().find(kind)
    feed(kind, own)
    found = own or language_model_tables.committed(study)
    if found is None:
        how = f"kondo experiment language-model --study {study} --preset paper"
        raise NotCommittedError(f"no table of kind {kind} is committed yet: {how}")
    return found


def every(kind: str) -> list[Table]:
    """Return all of a user's own tables of a kind."""
    return _own().parts(kind)


def reversal_curves(study: str) -> Curves:
    """Return the learning curves of a study of token reversal: a user's own, completed by the committed ones.

    Raises
    ------
    ResultError
        If there are none, or a table cannot be read or is of another kind, or two have a method at one size.
    """
    kind = f"reversal-{study}"
    tables = _own().parts(kind)
    own = own_curves(tables) if tables else None
    used = [] if own is None else [str(source.table) for source in own.sources()]
    _note(kind, used)
    _own().smaller |= {table.path: " and ".join(used) for table in tables if table.path.name not in used}
    curves = [committed_curves(study), *([] if own is None else [own])]
    return with_shared(joined(curves), study, reversal_curves)


def reversal_scaling() -> Table:
    """Return the table of reversal's study scaling: a user's own, completed by the committed ones.

    Raises
    ------
    ResultError
        If there is none, or one cannot be read or is of another kind.
    """
    kind = "reversal-scaling"
    own = _own().parts(kind)
    found = reversal_tables.scaling_searches(own)
    used = {} if found is None else {table.path: table for table in found.parts or (found,)}
    feed(kind, *(table for table in own if table.path in used))
    return found or _committed(kind, f"{kind}-quick")


def step_times(device: str | None = None) -> dict[str, Table]:
    """Return the tables of an update's seconds by device, or of one device alone, as a figure asks for them."""
    own = _own().parts(STEP_TIMES)
    found = reversal_tables.step_times(own)
    if device is not None:
        found = {name: table for name, table in found.items() if name == device}
    files = {table.path for table in own}
    feed(STEP_TIMES, *(table for table in found.values() if table.path in files))
    return found


def _committed(kind: str, *names: str) -> Table:
    paths = [COMMITTED / f"{name}.parquet" for name in names]
    path = next((path for path in paths if path.exists()), paths[0])
    return _load(path, kind, path.stat().st_mtime_ns if path.exists() else 0)


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
    reading = _reading.get()
    if frame.empty and not (reading is not None and reading.lenient):
        values = ", ".join(f"{column} = {value}" for column, value in where.items())
        raise ResultError(f"table {name} has no row at {values}: the figure needs the grid of sweep {name}")
    return frame


def points(name: str, quantity: str, **where: float | str) -> pd.DataFrame:
    """Return :func:`rows` of one quantity of a simulated sweep."""
    return rows(name, quantity=quantity, **where)
