"""Tables measured elsewhere, on a machine with a GPU say, taken into a report in place of a measurement here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulations.errors import ResultError
from simulations.results import Table, load
from simulations.shards import finished_tables
from simulations.table_sizes import sizes_of

__all__ = ["PRESETS", "MeasuredTables", "in_order"]

PRESETS = ("smoke", "quick", "paper")
"""What can be asked for, from the smallest sizes to the published ones; no size of a table is told by it."""


class MeasuredTables:
    """The result tables of a directory and of the directories in it, by kind.

    Parameters
    ----------
    tables : sequence of Table
    directory : Path, optional
        Where they were read.
    """

    def __init__(self, tables: Sequence[Table] = (), directory: Path | None = None) -> None:
        self._tables = tables
        self.directory = directory
        self._used: set[Path] = set()

    @classmethod
    def read(cls, directory: Path) -> MeasuredTables:
        """Read every table ``DIR/*.parquet`` and ``DIR/*/*.parquet``; a sweep's shards do not count.

        Raises
        ------
        ResultError
            If there is no such directory, it holds no table, or a file is not a table of this project or damaged.
        """
        if not directory.is_dir():
            raise ResultError(f"no directory of results at {directory}")
        inside = sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
        paths = [path for place in (directory, *inside) for path in finished_tables(place)]
        if not paths:
            raise ResultError(f"{directory} holds no result table (*.parquet)")
        return cls([load(path) for path in paths], directory)

    def find(self, kind: str) -> Table | None:
        """Return the largest table of a kind, of equally large ones the latest; None if there is none."""
        found = in_order(self._tables, kind)
        self._used.update(table.path for table in found[-1:])
        return found[-1] if found else None

    def parts(self, kind: str) -> list[Table]:
        """Return every table of a kind, for what is measured in parts, those that count before others last."""
        found = in_order(self._tables, kind)
        self._used.update(table.path for table in found)
        return found

    @property
    def unused(self) -> list[Path]:
        """Tables that nothing has asked for so far."""
        return [table.path for table in self._tables if table.path not in self._used]


def in_order(tables: Sequence[Table], kind: str) -> list[Table]:
    """Return the tables of a kind from the smallest to the largest, by what they hold, and then by date.

    Raises
    ------
    ResultError
        If one of them lacks a column that its kind has.
    """
    found = [table for table in tables if table.kind == kind]
    return sorted(found, key=lambda table: (tuple(sizes_of(table).values()), str(table.sidecar.get("date", ""))))
