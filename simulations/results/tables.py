"""Result tables: Parquet for what is reproducible, a JSON sidecar for what is not.

The Parquet file holds configuration and metrics only, so the same seeds give the same bytes on one machine whatever
the number of workers. Timing, device, versions, commit and date (:mod:`simulations.results.provenance`) go to the
sidecar beside it (``NAME.json``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kondo_theory.words import one_line
from simulations.errors import ResultError
from simulations.results.atomic import TakenError, put, require_writable, written_beside
from simulations.results.shards import INDEX, computed_cells, finished_table
from simulations.results.sidecars import SEAL, Sidecar
from simulations.results.sources import Source, joined_fields

__all__ = [
    "COMMITTED",
    "COMMITTED_GPU",
    "SWEEP",
    "ResultError",
    "Table",
    "load",
    "save",
    "table_path",
    "with_seconds",
]

SCHEMA_VERSION = 1
COMMITTED = Path(__file__).resolve().parents[1] / "tables"
"""The directory of the tables that are committed with the project."""
COMMITTED_GPU = COMMITTED.with_name("gpu_tables")
"""The directory of those that a GPU measured: no claim about a method is judged by them unless it is asked to be."""
SWEEP = "sweep"
"""The kind of a sweep's table."""
_METADATA_KEY = b"kondo"
_MAGIC = b"PAR1"
_UNREADABLE = (OSError, ValueError, MemoryError, OverflowError, pa.ArrowException)
"""What reading a damaged file raises: a length that became huge asks for all memory."""
_SHOWN_ROWS = 20  # in a notebook, half of them from either end


@dataclass(frozen=True)
class Table:
    """A result table with its full configuration and its sidecar (empty if the sidecar is gone).

    A table that was put together from ``parts`` has the path and the configuration of the first of them.
    """

    frame: pd.DataFrame
    kind: str
    config: Mapping[str, Any]
    sidecar: Mapping[str, Any]
    path: Path
    parts: tuple[Table, ...] = ()

    def __repr__(self) -> str:
        rows, columns = self.frame.shape
        return one_line(self, self.kind, f"{rows:,} rows of {columns} columns", origin=self.origin)

    def _repr_html_(self) -> str:
        """Return the rows as a notebook shows them, below what they are and where they came from."""
        head = escape(f"{self.kind}: {len(self.frame):,} rows from {self.origin}")
        return f"<p>{head}</p>{self.frame.to_html(max_rows=_SHOWN_ROWS)}"

    @property
    def device(self) -> str:
        """What it was measured on: ``cpu: NAME`` or ``cuda: NAME, TF32 …``."""
        return str(self.sidecar.get("device", "device unknown"))

    @property
    def source(self) -> Source:
        """Where the numbers came from."""
        if self.parts:
            return Source(**joined_fields(part.source for part in self.parts))
        known = {name: str(self.sidecar[name]) for name in ("date", "commit", "command") if self.sidecar.get(name)}
        preset = self.config.get("preset")
        return Source(self.path.name, None if preset is None else str(preset), device=self.device, **known)

    @property
    def origin(self) -> str:
        """The same in a few words: file, date, device, commit."""
        return " and ".join(part.source.origin for part in self.parts or (self,))


def save(
    frame: pd.DataFrame,
    path: Path | str,
    *,
    kind: str,
    config: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    overwrite: bool = False,
) -> Path:
    """Write a table and its sidecar, each atomically: whenever it is cut off, a table that is there can be read.

    Parameters
    ----------
    frame : DataFrame
        Tidy, one row a measurement; reproducible columns only.
    path : Path or str
        ``….parquet``; the sidecar gets the suffix ``.json``.
    kind : str
        What the table holds, checked by :func:`load`.
    config, sidecar : mapping
        JSON values: the full configuration (into the Parquet file), and what does not reproduce.
    overwrite : bool
        Replace an existing table.

    Raises
    ------
    ResultError
        If the table or its sidecar exists and ``overwrite`` is not set, or the directory cannot be written.
    """
    path = Path(path)
    require_table_writable(path, overwrite=overwrite)
    text = json.dumps(config, sort_keys=True)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    header = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "config": config,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "content_sha256": _content_hash(arrow, kind, text),
    }
    metadata = dict(arrow.schema.metadata or {}) | {_METADATA_KEY: json.dumps(header, sort_keys=True).encode()}
    with written_beside(path) as temporary:
        table = arrow.replace_schema_metadata(metadata)
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    beside = Sidecar.of(path)
    try:
        if overwrite:
            beside.announce(sidecar, digest)
    except (OSError, ResultError) as error:
        raise ResultError(f"{error}; the table is {temporary}") from error
    try:
        put(temporary, path, overwrite=overwrite)
    except TakenError as error:
        Sidecar.of(error.kept).write(sidecar, digest)
        raise
    beside.write(sidecar, digest)
    return path


def load(path: Path | str, *, kind: str | None = None, partial: bool = False) -> Table:
    """Read a table back, refusing what is not one of ours.

    Parameters
    ----------
    path : Path or str
        A table, or the directory of a sweep.
    kind : str, optional
        What it must hold.
    partial : bool
        Of a sweep's directory, take every cell that was computed, in no particular order, instead of the finished
        table.

    Raises
    ------
    ResultError
        If the file is missing, cannot be read as Parquet, was not written by :func:`save`, has another schema
        version or another kind, or does not match the hash in its sidecar or that of its configuration; if the
        sidecar was altered; if a directory is not a sweep's, or has no finished table or several.
    """
    path = Path(path)
    if path.is_dir():
        if partial:
            return Table(computed_cells(path), SWEEP, {"partial": True}, {}, path / INDEX)
        path = finished_table(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ResultError(f"no result table at {path}") from error
    except OSError as error:
        raise ResultError(f"cannot read {path}: {error.strerror or error}") from error
    if not (content.startswith(_MAGIC) and content.endswith(_MAGIC)):
        raise ResultError(f"{path} is not a readable Parquet file: it does not begin and end as one")
    sidecar = Sidecar.of(path).read(hashlib.sha256(content).hexdigest())  # before anything in an altered file counts
    try:
        arrow = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except _UNREADABLE as error:
        raise ResultError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
    raw = (arrow.schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        raise ResultError(f"{path} is a Parquet file, but not a result table of this project")
    try:
        header = json.loads(raw)
        version, found_kind, config = header["schema_version"], header["kind"], header["config"]
        text, config_digest = json.dumps(config, sort_keys=True), header["config_sha256"]
        content_digest = header.get("content_sha256")  # tables from before it was one have none
        altered = content_digest is not None and content_digest != _content_hash(arrow, found_kind, text)
        frame = arrow.to_pandas()
    except (*_UNREADABLE, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultError(f"{path} is damaged: {type(error).__name__} {error}") from error
    if version != SCHEMA_VERSION:
        raise ResultError(f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}")
    if kind is not None and found_kind != kind:
        raise ResultError(f"{path} holds {found_kind!r}, expected {kind!r}")
    if hashlib.sha256(text.encode()).hexdigest() != config_digest:
        raise ResultError(f"{path} has a configuration that does not match its hash: the file was altered")
    if content_digest is not None and sidecar and SEAL not in sidecar:  # both are written by the same code
        raise ResultError(f"{path.with_suffix('.json')} has lost its own hash: it was altered")
    if altered:
        raise ResultError(f"{path} has rows that do not match their hash: the file was altered")
    return Table(frame, found_kind, config, sidecar, path)


def _content_hash(table: pa.Table, kind: str, config: str) -> str:
    """Return the hash of what a table says: pages have checksums, but the names and places of columns have none."""
    found = hashlib.sha256(json.dumps([kind, config, table.num_rows]).encode())
    found.update((table.schema.metadata or {}).get(b"pandas", b""))  # which names and types it becomes in pandas
    for name, column in zip(table.column_names, table.columns, strict=True):
        found.update(json.dumps([name, str(column.type)]).encode())
        if column.null_count == 0 and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            found.update(column.to_numpy().tobytes())
        else:
            found.update(json.dumps(column.to_pylist(), default=str).encode())
    return found.hexdigest()


def with_seconds(table: Table) -> pd.DataFrame:
    """Return a table's rows with the column ``seconds`` of its sidecar.

    Raises
    ------
    ResultError
        If the sidecar is gone, or has not one entry a row.
    """
    seconds = table.sidecar.get("seconds")
    if not isinstance(seconds, list) or len(seconds) != len(table.frame):
        raise ResultError(f"{table.path} needs a sidecar with seconds for each of its {len(table.frame)} rows")
    return table.frame.assign(seconds=seconds)


def table_path(out: Path | str | None, default: str) -> Path:
    """Return where a table goes: ``out``, or ``results/DEFAULT.parquet``.

    Raises
    ------
    ValueError
        If ``out`` is not named as tables are.
    """
    path = Path(out) if out else Path("results") / f"{default}.parquet"
    if path.suffix != ".parquet":
        raise ValueError(f"the table must be named *.parquet, got {path}")
    return path


def require_table_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse a table's path as :func:`require_writable` does, and that of its sidecar."""
    require_writable(path, overwrite=overwrite)
    require_writable(path.with_suffix(".json"), overwrite=overwrite)
