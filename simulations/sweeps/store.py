"""A sweep's directory, open for writing: append-only shards, an index, and the finished table.

::

    DIR/index.json           the function, and every shard with its SHA-256, cells and devices
    DIR/cells-000001.parquet a shard: cell keys, configurations, results
    DIR/NAME.parquet, .json  the finished table with its sidecar: the grid's cells in the grid's order
    DIR/.lock                held by the one process that writes here; the kernel frees it when the process dies

A shard is renamed into place before the index names it, and the index is replaced in one step. So whatever moment a
run is killed at, the index tells the truth; what it does not name is removed, under the lock, by the next run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from simulations.results import SWEEP, ResultError, Table, atomic_path, load, provenance, save
from simulations.shards import CELL_KEY, INDEX, INDEX_VERSION, SHARD, Shard, digest, join, read_index, read_shards
from simulations.sweeps.grid import Sweep

__all__ = ["Store", "done_cells", "require_table"]


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
        Keys of the cells that the shards hold, of this grid or any other.

    Raises
    ------
    ResultError
        If the directory cannot be written, is in use, holds something else or another function's cells, or a shard
        is damaged.
    """

    def __init__(self, directory: Path, sweep: Sweep) -> None:
        self.directory, self.sweep = directory, sweep
        self.done: set[str] = set()
        self._shards: list[Shard] = []
        self._schema: list[pa.Table] = []  # empty, of the columns that all shards have
        self._lock = FileLock(directory / ".lock", timeout=0)

    def __enter__(self) -> Store:
        try:
            _refuse_foreign(self.directory)
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ResultError(f"another run is writing to {self.directory}: wait for it, or take another") from error
        except OSError as error:
            raise ResultError(f"cannot write {self.directory}: {error.strerror or error}") from error
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
            self._shards = read_index(self.directory, self.sweep.function_name)
        else:
            self._write_index()
        self._remove_leftovers()
        found = read_shards(self.directory, self._shards, [CELL_KEY])
        if found is not None:
            self.done.update(found[CELL_KEY].to_pylist())
            self._schema = [pq.read_schema(self.directory / self._shards[0]["file"]).empty_table()]

    def _remove_leftovers(self) -> None:
        """Remove what a killed run left: temporary files, and a shard that the index does not name yet."""
        known = {shard["file"] for shard in self._shards}
        for path in self.directory.iterdir():
            temporary = path.name.startswith((f".{INDEX}.", ".cells-", f".{self.sweep.name}."))
            if temporary or (SHARD.fullmatch(path.name) and path.name not in known):
                path.unlink()

    def append(self, parts: Iterable[pa.Table], devices: Iterable[str]) -> None:
        """Write the parts, each with whole cells, as one more shard; ``devices`` computed them."""
        table = join([*self._schema, *parts])
        self._schema = [table.schema.empty_table()]
        numbers = [int(shard["file"][6:12]) for shard in self._shards]
        path = self.directory / f"cells-{max(numbers, default=0) + 1:06d}.parquet"
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
            sha256 = digest(temporary)
        keys = table[CELL_KEY].unique().to_pylist()
        self._shards.append(
            {"file": path.name, "sha256": sha256, "cells": len(keys), "devices": sorted(set(devices))}
        )
        self._write_index()
        self.done.update(keys)

    def _write_index(self) -> None:
        body = {"schema_version": INDEX_VERSION, "function": self.sweep.function_name, "shards": self._shards}
        with atomic_path(self.directory / INDEX) as temporary:
            temporary.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")

    def finish(self, record: dict[str, Any]) -> Table:
        """Write the table of the sweep's grid, which must be complete, unless it is there already; return it.

        ``record`` is what the sidecar says of this run, beside versions, commit, devices and date.
        """
        path = _table_path(self.directory, self.sweep)
        if path.with_suffix(".json").exists() and _is_current(path, self.sweep):
            return load(path, kind=SWEEP)
        frame = _in_order(read_shards(self.directory, self._shards), self.sweep)
        devices = {device for shard in self._shards for device in shard["devices"]}
        sidecar = provenance("; ".join(sorted(devices))) | record
        save(frame, path, kind=SWEEP, config=self.sweep.describe(), sidecar=sidecar, overwrite=True)
        return load(path, kind=SWEEP)


def done_cells(directory: Path, sweep: Sweep) -> set[str]:
    """Return the keys of the cells that a directory holds, empty if there is none; raises as :class:`Store` does."""
    if not (directory / INDEX).exists():
        _refuse_foreign(directory)
        return set()
    found = read_shards(directory, read_index(directory, sweep.function_name), [CELL_KEY])
    return set() if found is None else set(found[CELL_KEY].to_pylist())


def require_table(directory: Path, sweep: Sweep, *, overwrite: bool) -> None:
    """Refuse to replace the finished table of another grid.

    Raises
    ------
    ResultError
        If there is one and ``overwrite`` is not set, or what is in its place cannot be read.
    """
    path = _table_path(directory, sweep)
    if path.exists() and not overwrite and not _is_current(path, sweep):
        raise ResultError(f"{path} holds another grid or code: pass --overwrite to replace it, or another --out")


def _table_path(directory: Path, sweep: Sweep) -> Path:
    return directory / f"{sweep.name}.parquet"


def _is_current(path: Path, sweep: Sweep) -> bool:
    """Whether a finished table has this grid and this code."""
    described: dict[str, Any] = json.loads(json.dumps(sweep.describe()))
    return path.exists() and load(path, kind=SWEEP).config == described


def _in_order(table: pa.Table, sweep: Sweep) -> pd.DataFrame:
    """Return the rows of the sweep's cells, in the order of the grid and without their keys."""
    keys = pa.array([cell.key for cell in sweep.cells()])
    places = pc.index_in(table[CELL_KEY], value_set=keys)
    kept = table.append_column("place", places).filter(pc.is_valid(places))
    order = pc.sort_indices(kept["place"])  # stable: a cell's rows keep their order
    frame: pd.DataFrame = kept.take(order).drop_columns([CELL_KEY, "place"]).to_pandas()
    return frame


def _refuse_foreign(directory: Path) -> None:
    """Refuse a directory that holds what no run of ours leaves before it has written its index."""
    if not directory.exists() or (directory / INDEX).exists():
        return
    if not directory.is_dir():
        raise ResultError(f"{directory} is not a directory")
    foreign = sorted(path.name for path in directory.iterdir() if not path.name.startswith((".lock", f".{INDEX}.")))
    if foreign:
        raise ResultError(f"{directory} is not a sweep's directory: it holds {foreign[0]}")
