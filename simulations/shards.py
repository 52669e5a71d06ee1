"""Reading a sweep's directory: an index, and the shards that it names.

``index.json`` holds the function whose cells these are, and of every shard ``cells-000001.parquet`` its SHA-256, its
number of cells and the devices that computed them. What the index does not name does not count.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from simulations.errors import ResultError

__all__ = [
    "CELL_KEY",
    "INDEX",
    "INDEX_VERSION",
    "SHARD",
    "Shard",
    "digest",
    "finished_tables",
    "join",
    "read_index",
    "read_shards",
]

CELL_KEY = "cell_key"
"""The column of the hash of each row's configuration and code."""
INDEX = "index.json"
INDEX_VERSION = 1
SHARD = re.compile(r"cells-(\d{6})\.parquet")

Shard = Mapping[str, Any]


def read_index(directory: Path, function: str | None = None) -> list[Shard]:
    """Return the shards that a directory's index names; one whose file was deleted no longer counts.

    Raises
    ------
    ResultError
        If there is no index, it is damaged, of another schema version, or of another function than the one given.
    """
    path = directory / INDEX
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        version, found, shards = body["schema_version"], body["function"], list(body["shards"])
        if not all(
            SHARD.fullmatch(shard["file"]) and {"sha256", "cells", "devices"} <= set(shard) for shard in shards
        ):
            raise ValueError("a shard's entry")
    except FileNotFoundError as error:
        raise ResultError(f"{directory} is not a sweep's directory: it has no {INDEX}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path} is damaged: {type(error).__name__} {error}") from error
    if version != INDEX_VERSION:
        raise ResultError(f"{path} has schema version {version}, this code reads {INDEX_VERSION}")
    if function is not None and found != function:
        raise ResultError(f"{directory} holds cells of {found}, not of {function}: take another directory")
    return [shard for shard in shards if (directory / shard["file"]).exists()]


def read_shards(directory: Path, shards: Sequence[Shard], columns: list[str] | None = None) -> pa.Table | None:
    """Return the rows of shards, every one checked against its hash; None without any shard.

    Raises
    ------
    ResultError
        If a shard was altered, cannot be read or has other columns than the others; the message names it.
    """
    return join([_read(directory, shard, columns) for shard in shards]) if shards else None


def join(parts: Iterable[pa.Table]) -> pa.Table:
    """Join tables of the same columns; a column of nulls or of whole numbers yields to one of numbers.

    Raises
    ------
    ResultError
        If the columns differ.
    """
    tables = list(parts)
    for table in tables[1:]:
        if table.column_names != tables[0].column_names:
            both = ", ".join(tables[0].column_names), ", ".join(table.column_names)
            raise ResultError(f"every cell must return the same columns, got {both[0]} and {both[1]}")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ResultError(f"cells returned columns of different types: {str(error).splitlines()[0]}") from error


def finished_tables(directory: Path) -> list[Path]:
    """Return the tables in a sweep's directory that are not shards."""
    return sorted(path for path in directory.glob("[!.]*.parquet") if not SHARD.fullmatch(path.name))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(directory: Path, shard: Shard, columns: list[str] | None) -> pa.Table:
    path = directory / shard["file"]
    try:
        if digest(path) != shard["sha256"]:
            raise ResultError(f"{path} does not match its hash in {INDEX}: delete it to compute its cells again")
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
