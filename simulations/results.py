"""Result tables: Parquet for what is reproducible, a JSON sidecar for what is not.

The Parquet file holds configuration and metrics only, so the same seeds give the same bytes on one machine whatever
the number of workers. Timing, device, versions, commit and date go to the sidecar beside it (``NAME.json``).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simulations.errors import ResultError
from simulations.shards import CELL_KEY, INDEX, Index, finished_tables, join, read_shard, shards_with_keys, to_frame
from simulations.sources import Source

__all__ = [
    "COMMITTED",
    "COMMITTED_GPU",
    "SWEEP",
    "ResultError",
    "Table",
    "atomic_path",
    "load",
    "provenance",
    "require_writable",
    "save",
    "table_path",
    "with_seconds",
]

SCHEMA_VERSION = 1
COMMITTED = Path(__file__).resolve().parent / "tables"
"""The directory of the tables that are committed with the project."""
COMMITTED_GPU = COMMITTED.with_name("gpu_tables")
"""The directory of those that a GPU measured: no claim about a method is judged by them unless it is asked to be."""
SWEEP = "sweep"
"""The kind of a sweep's table."""
_METADATA_KEY = b"kondo"
_PACKAGES = ("kondo-theory", "numpy", "scipy", "numba", "sympy", "torch", "pandas", "pyarrow")


@dataclass(frozen=True)
class Table:
    """A result table with its full configuration and its sidecar (empty if the sidecar is gone)."""

    frame: pd.DataFrame
    kind: str
    config: Mapping[str, Any]
    sidecar: Mapping[str, Any]
    path: Path

    @property
    def device(self) -> str:
        """What it was measured on: ``cpu: NAME`` or ``cuda: NAME, TF32 …``."""
        return str(self.sidecar.get("device", "device unknown"))

    @property
    def source(self) -> Source:
        """Where the numbers came from."""
        known = {name: str(self.sidecar[name]) for name in ("date", "commit", "command") if self.sidecar.get(name)}
        preset = self.config.get("preset")
        return Source(self.path.name, None if preset is None else str(preset), device=self.device, **known)

    @property
    def origin(self) -> str:
        """The same in a few words: file, date, device, commit."""
        return self.source.origin


def save(
    frame: pd.DataFrame,
    path: Path,
    *,
    kind: str,
    config: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    overwrite: bool = False,
) -> Path:
    """Write a table and its sidecar, each atomically.

    Parameters
    ----------
    frame : DataFrame
        Tidy, one row a measurement; reproducible columns only.
    path : Path
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
    require_table_writable(path, overwrite=overwrite)
    text = json.dumps(config, sort_keys=True)
    header = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "config": config,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = dict(arrow.schema.metadata or {}) | {_METADATA_KEY: json.dumps(header, sort_keys=True).encode()}
    # A table that lost its sidecar can be read; one beside another table's sidecar could not.
    path.with_suffix(".json").unlink(missing_ok=True)
    with atomic_path(path, overwrite=overwrite) as temporary:
        table = arrow.replace_schema_metadata(metadata)
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        digest = _digest(temporary)
    with atomic_path(path.with_suffix(".json")) as temporary:
        body = {**sidecar, "table": path.name, "table_sha256": digest}
        temporary.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n", encoding="utf-8")
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
        version or another kind, or does not match the hash in its sidecar or that of its configuration; if a
        directory is not a sweep's, or has no finished table or several.
    """
    path = Path(path)
    if path.is_dir():
        if partial:
            return _load_partial(path)
        path = _finished(path)
    try:
        arrow = pq.read_table(path, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise ResultError(f"no result table at {path}") from error
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
    raw = (arrow.schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        raise ResultError(f"{path} is a Parquet file, but not a result table of this project")
    try:
        header = json.loads(raw)
        version, found_kind, config = header["schema_version"], header["kind"], header["config"]
        text, config_digest = json.dumps(config, sort_keys=True), header["config_sha256"]
        frame = arrow.to_pandas()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(f"{path} is damaged: {type(error).__name__} {error}") from error
    if version != SCHEMA_VERSION:
        raise ResultError(f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}")
    if kind is not None and found_kind != kind:
        raise ResultError(f"{path} holds {found_kind!r}, expected {kind!r}")
    if hashlib.sha256(text.encode()).hexdigest() != config_digest:
        raise ResultError(f"{path} has a configuration that does not match its hash: the file was altered")
    return Table(frame, found_kind, config, _load_sidecar(path), path)


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


def _finished(directory: Path) -> Path:
    """Return the one finished table of a sweep's directory."""
    cells = sum(shard.cells for shard in Index.read(directory).shards)
    tables = finished_tables(directory)
    if not tables:
        raise ResultError(f"{directory} has no finished table; its {cells:,} cells so far: load(…, partial=True)")
    if len(tables) > 1:
        raise ResultError(f"{directory} has several tables, name one: {', '.join(path.name for path in tables)}")
    return tables[0]


def _load_partial(directory: Path) -> Table:
    """Return all cells that the code of the latest shard has computed."""
    index = Index.read(directory)
    latest = index.of_version(index.shards[-1].version) if index.shards else []
    parts = [read_shard(directory, shard) for shard, _ in shards_with_keys(directory, latest)]
    frame = to_frame(join(parts).drop_columns([CELL_KEY])) if parts else pd.DataFrame()
    return Table(frame, SWEEP, {"partial": True}, {}, directory / INDEX)


def _load_sidecar(path: Path) -> dict[str, Any]:
    """Return the sidecar of a table, empty if it is gone, and refuse one that belongs to another table."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return {}
    try:
        sidecar: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        digest = sidecar["table_sha256"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ResultError(f"{beside} is not the sidecar of a result table: {type(error).__name__} {error}") from error
    if digest != _digest(path):
        raise ResultError(f"{path} does not match the hash in {beside.name}: one of the two was altered")
    return sidecar


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def provenance(device: str) -> dict[str, Any]:
    """Return what identifies a run but does not reproduce: versions, commit, device, platform, date (UTC)."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "commit": commit(),
        "device": device,
        "platform": platform.platform(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Return the git commit of the source tree, with ``-dirty`` if it was changed, or ``unknown`` outside one."""
    root = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository: only our own tree counts.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return "unknown"
        # Untracked code counts too: a commit that lacks it could not print the numbers that it labels.
        changed = git("status", "--porcelain", "--", "kondo_theory", "simulations", "paper_figs")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def require_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse early, before hours of work, what could not be written in the end.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error


def table_path(out: Path | None, default: str) -> Path:
    """Return where a table goes: ``out``, or ``results/DEFAULT.parquet``.

    Raises
    ------
    ValueError
        If ``out`` is not named as tables are.
    """
    path = out or Path("results") / f"{default}.parquet"
    if path.suffix != ".parquet":
        raise ValueError(f"the table must be named *.parquet, got {path}")
    return path


def require_table_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse a table's path as :func:`require_writable` does, and that of its sidecar."""
    require_writable(path, overwrite=overwrite)
    require_writable(path.with_suffix(".json"), overwrite=overwrite)


@contextmanager
def atomic_path(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place on success and is removed on failure.

    Without ``overwrite``, a file that somebody else put at ``path`` in the meantime is left alone, and the result is
    kept beside it under the temporary name, which the :class:`ResultError` gives.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files that only their owner can read
        if overwrite:
            os.replace(temporary, path)
            return
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            kept = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
            os.replace(temporary, kept)
            raise ResultError(f"{path} was written by another run in the meantime: this one's is {kept}") from error
    finally:
        temporary.unlink(missing_ok=True)
