"""A sweep's directory, open for writing: append-only shards, an index, and the finished table.

::

    DIR/index.json           the function, and every shard with its SHA-256, cells, code and devices
    DIR/cells-000001.parquet a shard: cell keys, configurations, results
    DIR/NAME.parquet, .json  the finished table with its sidecar: the grid's cells in the grid's order
    DIR/.lock                held by the one process that writes here; the kernel frees it when the process dies

A shard is renamed into place before the index names it, and the index is replaced in one step. So whatever moment a
run is killed at, the index tells the truth; what it does not name is removed, under the lock, by the next run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from simulations.errors import ResultError
from simulations.results.atomic import atomic_path
from simulations.results.provenance import provenance
from simulations.results.shards import (
    CELL_KEY,
    INDEX,
    SHARD,
    Index,
    Shard,
    digest,
    float_columns,
    join,
    read_shard,
    shards_with_keys,
    to_frame,
    wide_columns,
)
from simulations.results.tables import SWEEP, Table, load, save
from simulations.sweeps.grid import Sweep

__all__ = ["Store", "done_cells", "require_table"]

_TEMPORARY = re.compile(r"\..+\.(parquet|json)\.\w+(\.(parquet|json))?")
"""Names of :func:`~simulations.results.atomic.atomic_path`."""


class Store:
    """The directory of one sweep, open for writing; a context manager that holds the lock.

    Parameters
    ----------
    directory : Path
        Made if it is missing.
    sweep : Sweep
        Checked; its function must be the directory's.

    Attributes
    ----------
    done : set of str
        Keys of the cells that this code has computed, of this grid or any other.

    Raises
    ------
    ResultError
        If the directory cannot be written, is in use, holds something else or another function's cells, or a shard
        is damaged.
    """

    def __init__(self, directory: Path, sweep: Sweep) -> None:
        self.directory, self.sweep = directory, sweep
        self.done: set[str] = set()
        self._index = Index(function=sweep.stored_function)
        self._kinds: dict[str, str | None] = {}
        self._wide: set[str] = set()
        self._floats: set[str] = set()
        self._lock = FileLock(directory / ".lock", timeout=0)

    def __enter__(self) -> Store:
        with _writing(self.directory):
            _refuse_foreign(self.directory)
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise ResultError(
                    f"another run is writing to {self.directory}: wait for it, or take another"
                ) from error
            try:
                self._open()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _open(self) -> None:
        if (self.directory / INDEX).exists():
            self._index = _index_of(self.directory, self.sweep)
        else:
            self._write_index([])
        known = {shard.file for shard in self._index.shards}
        for path in self.directory.iterdir():  # what a killed run left: it is in no index, or has a passing name
            left = _TEMPORARY.fullmatch(path.name) or (SHARD.fullmatch(path.name) and path.name not in known)
            if left and path.is_file():
                path.unlink()
        for shard, keys in shards_with_keys(self.directory, self._index.of_version(self.sweep.version)):
            self.done |= keys
            self._note(read_shard(self.directory, shard))

    def mismatch(self, table: pa.Table) -> str | None:
        """Return how the columns of some cells differ from those of the cells before them, None if they agree."""
        found, before = _kinds(table.schema, self.sweep), self._kinds
        if before and list(found) != list(before):
            return f"returned the columns {', '.join(found)}, other cells {', '.join(before)}"
        for name, kind in found.items():
            if kind and before.get(name) not in (None, kind):
                return f"returned {kind} in column {name}, other cells {before[name]}"
        wide, floats = wide_columns(table), float_columns(table)
        for name in (wide & self._floats) | (floats & self._wide):
            both = ("whole numbers beyond 2^53", "floats")
            here, there = both if name in wide else reversed(both)
            return f"returned {here} in column {name}, other cells {there}, which cannot stand in one column"
        self._note(table)
        return None

    def _note(self, table: pa.Table) -> None:
        for name, kind in _kinds(table.schema, self.sweep).items():
            self._kinds[name] = self._kinds.get(name) or kind
        self._wide |= wide_columns(table)
        self._floats |= float_columns(table)

    def append(self, parts: Sequence[tuple[pa.Table, str]]) -> None:
        """Write rows of whole cells, each part with what computed it, as one more shard for each set of types."""
        alike: dict[tuple[str, ...], list[tuple[pa.Table, str]]] = {}
        for table, device in parts:
            alike.setdefault(tuple(map(str, table.schema.types)), []).append((table, device))
        with _writing(self.directory):
            shards = [self._write_shard(same) for same in alike.values()]
            self._write_index([*self._index.shards, *shards])

    def _write_shard(self, parts: Sequence[tuple[pa.Table, str]]) -> Shard:
        table = join([table for table, _ in parts])
        keys = set(table[CELL_KEY].to_pylist())
        self.done |= keys
        taken = [int(match[1]) for path in self.directory.iterdir() if (match := SHARD.fullmatch(path.name))]
        path = self.directory / f"cells-{max(taken, default=0) + 1:06d}.parquet"
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
            sha256 = digest(temporary)
        devices = sorted({device for _, device in parts})
        version = self.sweep.version
        return Shard(file=path.name, sha256=sha256, cells=len(keys), version=version, devices=devices)

    def _write_index(self, shards: list[Shard]) -> None:
        index = self._index.model_copy(update={"shards": shards})
        with atomic_path(self.directory / INDEX) as temporary:
            temporary.write_text(index.model_dump_json(indent=1) + "\n", encoding="utf-8")
        self._index = index

    def finish(self, record: dict[str, Any]) -> Table:
        """Write the table of the sweep's grid, which must be complete, unless it is there already; return it.

        ``record`` is what the sidecar says of this run, beside versions, commit, devices and date.
        """
        path = _table_path(self.directory, self.sweep)
        with _writing(self.directory):
            if not (path.with_suffix(".json").exists() and _is_current(path, self.sweep)):
                frame, devices = self._in_order()
                sidecar = provenance("; ".join(sorted(devices))) | record
                save(frame, path, kind=SWEEP, config=self.sweep.describe(), sidecar=sidecar, overwrite=True)
            return load(path, kind=SWEEP)

    def _in_order(self) -> tuple[pd.DataFrame, set[str]]:
        """Return the rows of the grid's cells in its order, without their keys, and the devices behind them.

        The types of the columns come from these rows alone: shards hold other grids' cells too.
        """
        keys = pa.array([cell.key for cell in self.sweep.cells()])
        parts, places, devices = [], [], set()
        for shard in self._index.of_version(self.sweep.version):
            table = read_shard(self.directory, shard)
            place = pc.index_in(table[CELL_KEY], value_set=keys)
            wanted = pc.is_valid(place)
            if pc.any(wanted).as_py():
                parts.append(table.filter(wanted).drop_columns([CELL_KEY]))
                places.append(place.filter(wanted).to_numpy())
                devices |= set(shard.devices)
        order = np.concatenate(places)
        assert len(np.unique(order)) == len(keys), "a cell of the grid is missing"
        return to_frame(join(parts).take(np.argsort(order, kind="stable"))), devices


def done_cells(directory: Path, sweep: Sweep) -> set[str]:
    """Return the keys of the cells that a directory holds, empty if there is none; raises as :class:`Store` does."""
    if not (directory / INDEX).exists():
        _refuse_foreign(directory)
        return set()
    shards = _index_of(directory, sweep).of_version(sweep.version)
    return set().union(*(keys for _, keys in shards_with_keys(directory, shards)))


def require_table(directory: Path, sweep: Sweep, *, overwrite: bool) -> None:
    """Refuse to replace the finished table of another grid; that of this grid and other code may be replaced.

    Raises
    ------
    ResultError
        If there is one, or what is in its place cannot be read, and ``overwrite`` is not set.
    """
    path = _table_path(directory, sweep)
    if path.exists() and not overwrite and not _is_current(path, sweep, any_version=True):
        raise ResultError(
            f"{path} holds another grid: overwrite=True (--overwrite) replaces it, another directory keeps both"
        )


def _table_path(directory: Path, sweep: Sweep) -> Path:
    return directory / f"{sweep.name}.parquet"


def _is_current(path: Path, sweep: Sweep, *, any_version: bool = False) -> bool:
    """Whether a finished table has this grid and this code."""
    if not path.exists():
        return False
    described, found = json.loads(json.dumps(sweep.describe())), load(path, kind=SWEEP).config
    return bool(found == described | ({"version": found.get("version")} if any_version else {}))


def _index_of(directory: Path, sweep: Sweep) -> Index:
    index = Index.read(directory)
    if index.function != sweep.stored_function:
        raise ResultError(
            f"{directory} holds cells of {index.function}, not of {sweep.stored_function}: take another directory"
        )
    return index


def _kinds(schema: pa.Schema, sweep: Sweep) -> dict[str, str | None]:
    """Return what each result column holds: numbers, text, bool, or None where it is empty."""
    keywords = {CELL_KEY, *sweep.column_types}
    kinds = {"int64": "numbers", "double": "numbers", "string": "text", "bool": "bool", "null": None}
    return {field.name: kinds[str(field.type)] for field in schema if field.name not in keywords}


def _refuse_foreign(directory: Path) -> None:
    """Refuse a directory that holds what no run of ours leaves before it has written its index."""
    if not directory.exists() or (directory / INDEX).exists():
        return
    if not directory.is_dir():
        raise ResultError(f"{directory} is not a directory")
    foreign = sorted(path.name for path in directory.iterdir() if not path.name.startswith((".lock", f".{INDEX}.")))
    if foreign:
        raise ResultError(f"{directory} is not a sweep's directory: it holds {foreign[0]}")


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, ResultError):
            raise
        raise ResultError(f"cannot write {directory}: {error.strerror or error}") from error
