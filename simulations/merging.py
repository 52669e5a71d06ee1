"""Tables measured elsewhere, on a machine with a GPU say, taken into a report in place of a measurement here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulations.errors import ResultError
from simulations.results import Table, load
from simulations.shards import finished_tables

__all__ = ["PRESETS", "MeasuredTables", "in_order", "preset_of"]

PRESETS = ("smoke", "quick", "paper")
"""From the smallest sizes to the published ones."""


class MeasuredTables:
    """The result tables of a directory and of the directories in it, by kind.

    Parameters
    ----------
    tables : sequence of Table
    """

    def __init__(self, tables: Sequence[Table] = ()) -> None:
        self._tables = tables
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
        return cls([load(path) for path in paths])

    def find(self, kind: str) -> Table | None:
        """Return the table of a kind, the largest preset's and of those the latest; None if there is none."""
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
    """Return the tables of a kind, from the smallest preset's to the largest's, and then by date."""
    found = [table for table in tables if table.kind == kind]
    return sorted(found, key=lambda table: (PRESETS.index(preset_of(table)), str(table.sidecar.get("date", ""))))


def preset_of(table: Table) -> str:
    """Return the preset whose sizes a table has.

    Raises
    ------
    ResultError
        If it names none of the presets.
    """
    preset = table.config.get("preset")
    if preset not in PRESETS:
        raise ResultError(f"{table.path} names preset {preset!r}, expected one of {', '.join(PRESETS)}")
    return str(preset)
