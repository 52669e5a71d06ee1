"""Tables measured elsewhere, on a machine with a GPU say, taken into a report in place of a measurement here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulations.errors import ResultError
from simulations.results.shards import finished_tables
from simulations.results.tables import SWEEP, Table, load
from simulations.results.whole_tables import largest, named, names, size

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

    Attributes
    ----------
    smaller : dict of Path to str
        The tables that did not count so far, each with the names of the larger one that did.
    """

    def __init__(self, tables: Sequence[Table] = (), directory: Path | None = None) -> None:
        self._tables = tables
        self.directory = directory
        self._used: set[Path] = set()
        self.smaller: dict[Path, str] = {}

    @classmethod
    def read(cls, directory: Path | str) -> MeasuredTables:
        """Read every table ``DIR/*.parquet`` and ``DIR/*/*.parquet``; a sweep's shards do not count.

        Raises
        ------
        ResultError
            If there is no such directory, it holds no table, or a file is not a table of this project or damaged.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise ResultError(f"no directory of results at {directory}")
        inside = sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
        paths = [path for place in (directory, *inside) for path in finished_tables(place)]
        if not paths:
            raise ResultError(f"{directory} holds no result table (*.parquet)")
        return cls([load(path) for path in paths], directory)

    def find(self, kind: str) -> Table | None:
        """Return the largest table of a kind, put together from its parts; None if there is none.

        Raises
        ------
        ResultError
            If two are equally large; the message names both.
        """
        return self._largest(self._of(kind))

    def sweep(self, name: str) -> Table | None:
        """Return the largest table of a named sweep, put together from its parts; raises as :meth:`find` does."""
        return self._largest([table for table in self._of(SWEEP) if named(table) == f"{SWEEP} {name}"])

    def parts(self, kind: str) -> list[Table]:
        """Return every table of a kind as it was written, from the smallest to the largest."""
        found = in_order(self._tables, kind)
        self._used.update(table.path for table in found)
        return found

    def holds(self, source: str) -> bool:
        """Whether there is a table of a kind, or of ``sweep NAME``."""
        return source in map(named, self._tables)

    def _of(self, kind: str) -> list[Table]:
        return [table for table in self._tables if table.kind == kind]

    def _largest(self, tables: Sequence[Table]) -> Table | None:
        found = largest(tables)
        if found is not None:
            used = [part.path for part in found.parts or (found,)]
            self._used.update(used)
            self.smaller.update({table.path: names(found) for table in tables if table.path not in used})
        return found

    @property
    def summary(self) -> str:
        """What there is: each file with what it holds."""
        return ", ".join(f"{self._shown(table.path)} ({named(table)})" for table in self._tables)

    def _shown(self, path: Path) -> str:
        return str(path if self.directory is None else path.relative_to(self.directory))

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
    return sorted(found, key=lambda table: (size(table), str(table.sidecar.get("date", ""))))
