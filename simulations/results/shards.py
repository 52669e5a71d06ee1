"""Reading a sweep's directory: an index, and the shards that it names.

``index.json`` holds the function whose cells these are, and of every shard ``cells-000001.parquet`` its SHA-256, its
number of cells, the hash of the code and the devices that computed them. What the index does not name does not count.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulations.errors import ResultError

__all__ = [
    "CELL_KEY",
    "INDEX",
    "LARGEST_EXACT",
    "SHARD",
    "Index",
    "Shard",
    "computed_cells",
    "digest",
    "finished_table",
    "finished_tables",
    "float_columns",
    "join",
    "read_shard",
    "shards_with_keys",
    "to_frame",
    "wide_columns",
]

CELL_KEY = "cell_key"
"""The column of the hash of each row's configuration and code."""
INDEX = "index.json"
INDEX_VERSION = 1
LARGEST_EXACT = 2**53
"""Every whole number up to here has a float of its own."""
SHARD = re.compile(r"cells-(\d{6})\.parquet")


_NULLABLE: dict[pa.DataType, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


class Shard(BaseModel):
    """What the index says of a shard: file, hash, number of cells, hash of the code, devices."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: str = Field(pattern=r"^cells-\d{6}\.parquet$")
    sha256: str
    cells: int = Field(ge=1)
    version: str
    devices: list[str]


class Index(BaseModel):
    """The index of a sweep's directory."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    schema_version: int = INDEX_VERSION
    function: str
    shards: list[Shard] = []

    @classmethod
    def read(cls, directory: Path) -> Index:
        """Read a directory's index; a shard whose file was deleted no longer counts.

        Raises
        ------
        ResultError
            If there is none, it is damaged, or of another schema version.
        """
        path = directory / INDEX
        try:
            body: Any = json.loads(path.read_text(encoding="utf-8"))
            version = body["schema_version"]
            if version != INDEX_VERSION:
                raise ResultError(f"{path} has schema version {version}, this code reads {INDEX_VERSION}")
            index = cls.model_validate(body)
        except FileNotFoundError as error:
            raise ResultError(f"{directory} is not a sweep's directory: it has no {INDEX}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ResultError(f"{path} is damaged: {where}: {first['msg']}") from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, ResultError):
                raise
            raise ResultError(f"{path} is damaged: {type(error).__name__} {error}") from error
        files = [shard.file for shard in index.shards]
        if len(set(files)) < len(files):
            raise ResultError(f"{path} is damaged: it names a shard twice")
        there = [shard for shard in index.shards if (directory / shard.file).exists()]
        return index.model_copy(update={"shards": there})

    def of_version(self, version: str) -> list[Shard]:
        """Return the shards that this code computed."""
        return [shard for shard in self.shards if shard.version == version]


def read_shard(directory: Path, shard: Shard, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a shard, checked against its hash.

    Raises
    ------
    ResultError
        If it was altered or cannot be read; the message names it.
    """
    path = directory / shard.file
    try:
        if digest(path) != shard.sha256:
            raise ResultError(f"{path} does not match its hash in {INDEX}: delete it to compute its cells again")
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def shards_with_keys(directory: Path, shards: Iterable[Shard]) -> Iterator[tuple[Shard, set[str]]]:
    """Yield each shard with the keys of its cells.

    Raises
    ------
    ResultError
        If a shard cannot be used, or repeats a cell of another.
    """
    seen: set[str] = set()
    for shard in shards:
        keys = set(read_shard(directory, shard, [CELL_KEY])[CELL_KEY].to_pylist())
        if not seen.isdisjoint(keys):
            raise ResultError(f"{directory / shard.file} repeats cells of another shard: delete it")
        seen |= keys
        yield shard, keys


def join(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables of the same columns; a column of nulls yields to any other, whole numbers to numbers.

    Whole numbers beyond 2^53, which no float holds, stay what they are beside NaN, which is then a missing value.

    Raises
    ------
    ResultError
        If a column holds such numbers and other floats.
    """
    wide = set[str]().union(*map(wide_columns, tables))
    mixed = wide & set[str]().union(*map(float_columns, tables))
    if mixed:
        raise ResultError(f"column {min(mixed)} holds floats and whole numbers beyond 2^53, which no float holds")
    return pa.concat_tables([_nan_as_null(table, wide) for table in tables], promote_options="permissive")


def wide_columns(table: pa.Table) -> set[str]:
    """Return the columns that hold a whole number beyond ±2^53."""
    ends = {name: pc.min_max(table[name]).as_py() for name in _columns_of(table, pa.int64())}
    return {
        name
        for name, end in ends.items()
        if end["min"] is not None and not -LARGEST_EXACT <= end["min"] <= end["max"] <= LARGEST_EXACT
    }


def float_columns(table: pa.Table) -> set[str]:
    """Return the columns of floats that hold one other than NaN."""
    return {name for name in _columns_of(table, pa.float64()) if pc.all(pc.is_nan(table[name])).as_py() is False}


def _columns_of(table: pa.Table, kind: pa.DataType) -> list[str]:
    return [field.name for field in table.schema if field.type == kind]


def _nan_as_null(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names.intersection(_columns_of(table, pa.float64())):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.nulls(table.num_rows, pa.int64()))
    return table


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return the rows as a frame; whole numbers and truth values beside a missing one keep their type."""
    frame: pd.DataFrame = table.to_pandas()
    for field in table.schema:
        if field.type in _NULLABLE and table[field.name].null_count:
            frame[field.name] = _NULLABLE[field.type].__from_arrow__(table[field.name])
    return frame


def finished_tables(directory: Path) -> list[Path]:
    """Return the tables in a directory that are not shards of a sweep."""
    return sorted(path for path in directory.glob("[!.]*.parquet") if not SHARD.fullmatch(path.name))


def finished_table(directory: Path) -> Path:
    """Return the one finished table of a sweep's directory.

    Raises
    ------
    ResultError
        If the directory is no sweep's, or has no finished table or several.
    """
    cells = sum(shard.cells for shard in Index.read(directory).shards)
    tables = finished_tables(directory)
    if not tables:
        raise ResultError(f"{directory} has no finished table; its {cells:,} cells so far: load(…, partial=True)")
    if len(tables) > 1:
        raise ResultError(f"{directory} has several tables, name one: {', '.join(path.name for path in tables)}")
    return tables[0]


def computed_cells(directory: Path) -> pd.DataFrame:
    """Return all cells that the code of the latest shard has computed, in no particular order.

    Raises
    ------
    ResultError
        If the directory is no sweep's, or a shard cannot be used.
    """
    index = Index.read(directory)
    latest = index.of_version(index.shards[-1].version) if index.shards else []
    parts = [read_shard(directory, shard) for shard, _ in shards_with_keys(directory, latest)]
    return to_frame(join(parts).drop_columns([CELL_KEY])) if parts else pd.DataFrame()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
