"""A user's own tables for figures: a directory of them, one result table, or a CSV of the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from paper_figs.catalogue import FIGURES
from simulations.errors import ResultError
from simulations.results.merging import MeasuredTables
from simulations.results.tables import SWEEP, Table, load

__all__ = ["own_tables"]


def own_tables(results: Path | str | MeasuredTables | None, names: Sequence[str]) -> MeasuredTables | None:
    """Return a user's own tables, None if there are none.

    Parameters
    ----------
    results : Path, str, MeasuredTables or None
        A directory of result tables and of CSV files, or one such file. A CSV is the table of the sweep or of the
        kind that it is named after, ``noise.csv``; another name will do where the figures read but one table.
    names : sequence of str
        The figures that are to be drawn.

    Raises
    ------
    ResultError
        If there is nothing there, or a file cannot be read or is not clear.
    """
    if results is None or isinstance(results, MeasuredTables):
        return results
    path = Path(results)
    if path.is_file():
        return MeasuredTables([_csv(path, names) if _is_csv(path) else load(path)], path.parent)
    texts = sorted(each for each in path.glob("*") if _is_csv(each)) if path.is_dir() else []
    if not texts:
        return MeasuredTables.read(path)
    tables = [_csv(each, names) for each in texts]
    if any(path.glob("*.parquet")) or any(path.glob("*/*.parquet")):
        tables = [*MeasuredTables.read(path).tables, *tables]
    return MeasuredTables(tables, path)


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _csv(path: Path, names: Sequence[str]) -> Table:
    source = _source(path, names)
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ResultError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    if frame.empty:
        raise ResultError(f"{path} has no row")
    kind, _, sweep = source.partition(" ")
    return Table(frame, kind, {"name": sweep} if sweep else {}, {}, path)


def _source(path: Path, names: Sequence[str]) -> str:
    """Return the table that a CSV stands for."""
    everywhere = {source for figure in FIGURES.values() for source in figure.reads}
    for source in (path.stem, f"{SWEEP} {path.stem}"):
        if source in everywhere:
            return source
    wanted = {source for name in names for source in FIGURES[name].reads}
    if len(wanted) == 1:
        return wanted.pop()
    known = sorted(source.removeprefix(f"{SWEEP} ") for source in wanted or everywhere)
    raise ResultError(f"{path} is of no known table: name it after one of {', '.join(known)}")
