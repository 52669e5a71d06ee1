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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["ResultError", "Table", "atomic_path", "load", "provenance", "require_writable", "save"]

SCHEMA_VERSION = 1
_METADATA_KEY = b"kondo"
_PACKAGES = ("kondo-theory", "numpy", "scipy", "numba", "sympy", "torch", "pandas", "pyarrow")


class ResultError(ValueError):
    """A table that cannot be read or must not be written; the message names the file and what is allowed."""


@dataclass(frozen=True)
class Table:
    """A result table with its full configuration and its sidecar (empty if the sidecar is gone)."""

    frame: pd.DataFrame
    kind: str
    config: Mapping[str, Any]
    sidecar: Mapping[str, Any]
    path: Path

    @property
    def origin(self) -> str:
        """Where the numbers came from, in a few words: file, date, device."""
        date = str(self.sidecar.get("date", "date unknown"))[:10]
        return f"{self.path.name}, {date}, {self.sidecar.get('device', 'device unknown')}"


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
        If the table exists and ``overwrite`` is not set, or the directory cannot be written.
    """
    require_writable(path, overwrite=overwrite)
    text = json.dumps(config, sort_keys=True)
    header = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "config": config,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = dict(arrow.schema.metadata or {}) | {_METADATA_KEY: json.dumps(header, sort_keys=True).encode()}
    with atomic_path(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(metadata), temporary, compression="zstd")
    with atomic_path(path.with_suffix(".json")) as temporary:
        body = {"table": path.name, "config_sha256": header["config_sha256"], **sidecar}
        temporary.write_text(json.dumps(body, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


def load(path: Path, *, kind: str | None = None) -> Table:
    """Read a table back, refusing what is not one of ours.

    Raises
    ------
    ResultError
        If the file is missing, cannot be read as Parquet, was not written by :func:`save`, has another schema
        version or another kind, or its configuration does not match its hash.
    """
    try:
        arrow = pq.read_table(path)
    except FileNotFoundError as error:
        raise ResultError(f"no result table at {path}") from error
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
    raw = (arrow.schema.metadata or {}).get(_METADATA_KEY)
    if raw is None:
        raise ResultError(f"{path} is a Parquet file, but not a result table of this project")
    header = json.loads(raw)
    if header.get("schema_version") != SCHEMA_VERSION:
        raise ResultError(
            f"{path} has schema version {header.get('schema_version')}, this code reads {SCHEMA_VERSION}"
        )
    if kind is not None and header["kind"] != kind:
        raise ResultError(f"{path} holds {header['kind']!r}, expected {kind!r}")
    text = json.dumps(header["config"], sort_keys=True)
    if hashlib.sha256(text.encode()).hexdigest() != header["config_sha256"]:
        raise ResultError(f"{path} has a configuration that does not match its hash: the file was altered")
    beside = path.with_suffix(".json")
    sidecar = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    return Table(arrow.to_pandas(), header["kind"], header["config"], sidecar, path)


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
        changed = git("status", "--porcelain", "--untracked-files=no")
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
    if path.exists() and not overwrite:
        raise ResultError(f"{path} exists: pass --overwrite to replace it, or name another place")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success and is removed on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
