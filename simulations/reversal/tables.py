"""Tables of learning curves of token reversal, put together: a large study is measured, and committed, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

import pandas as pd

from simulations.devices import device_name
from simulations.errors import ResultError
from simulations.results.merging import in_order
from simulations.results.sources import Source
from simulations.results.table_sizes import sizes_of_runs
from simulations.results.tables import COMMITTED, COMMITTED_GPU, Table, load
from simulations.results.whole_tables import largest, names, wholes
from simulations.reversal.summary import TASK

__all__ = [
    "CAPTURED",
    "SHARED",
    "STEP_TIMES",
    "Curves",
    "committed_curves",
    "joined",
    "own_curves",
    "read_curves",
    "replaced",
    "scaling_searches",
    "step_times",
    "with_shared",
]

STEP_TIMES = "reversal-step-times"
CAPTURED = ", captured"
"""After the label of a method whose updates are recorded and replayed."""
"""The kind of the tables of :mod:`simulations.reversal.times`."""
_SCREENED = (
    *("advantage", "abs-advantage", "surprisal", "additive", "uniform", "abs-advantage-entropy", "entropy-band"),
    "positive-surprisal",
)
SHARED = {
    "token-trap": ("quality", ("token gate(3 %)", "row gate(3 %, advantage)", "row gate(3 %)")),
    "tasks": ("reward", ("PG", "DG", "PMPO", "PPO", "zero-price", "row gate(3 %)")),
    "speedup": ("quality", ("PG", "DG", "zero-price", "row gate(3 %)")),
    "neighbours": (
        "screening",
        tuple(
            f"{gate}(3 %{rule})"
            for gate in ("row gate", "token gate")
            for rule in ("", *(f", {name}" for name in _SCREENED))
        ),
    ),
}
"""Runs of a study that another one trains: that study's name and the labels."""


_METHOD = ["label", *TASK]


@dataclass(frozen=True)
class Curves:
    """Learning curves of a study.

    Attributes
    ----------
    frame : DataFrame
        The column ``origin`` says in a few words where each row came from.
    origins : mapping of str to Source
        The same in full.
    """

    frame: pd.DataFrame
    origins: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pd.DataFrame, source: Source) -> Curves:
        """Return curves that all come from one source."""
        return cls(frame.assign(origin=source.origin), {source.origin: source})

    def origin(self, rows: pd.DataFrame | None = None) -> str:
        """Return where these rows, by default all, came from."""
        return ", ".join((self.frame if rows is None else rows)["origin"].unique())

    def sources(self, rows: pd.DataFrame | None = None) -> tuple[Source, ...]:
        """Return the same in full."""
        found = (self.frame if rows is None else rows)["origin"].unique()
        return tuple(self.origins[origin] for origin in found if origin in self.origins)


def read_curves(table: Table) -> Curves:
    """Return the curves of one table; each row of a table that was put together says which part it is of."""
    every = [Curves.of(part.frame, part.source) for part in table.parts or (table,)]
    origins = {origin: source for part in every for origin, source in part.origins.items()}
    return Curves(pd.concat([part.frame for part in every], ignore_index=True), origins)


def own_curves(tables: Sequence[Table]) -> Curves:
    """Return the curves of a user's tables of one study, parts put together: of each method those of the largest.

    Raises
    ------
    ResultError
        If two tables have a method at the same size; the message names both.
    """
    found = wholes(tables)
    best: dict[tuple[str, ...], list[tuple[tuple[int, ...], int]]] = {}
    for number, table in enumerate(found):
        keys = pd.Series(_keys(table.frame, _METHOD), index=table.frame.index)
        for key in keys.unique():
            size = tuple(sizes_of_runs(table.frame[keys == key]).values())
            best[key] = sorted([*best.get(key, []), (size, number)], reverse=True)[:2]
    for (label, *_), sizes in best.items():
        if len(sizes) == 2 and sizes[0][0] == sizes[1][0]:
            both = " and ".join(sorted(names(found[number]) for _, number in sizes))
            raise ResultError(f"{both} both have {label} at the same size: move one of them away")
    curves = []
    for number, each in enumerate(map(read_curves, found)):
        counts = [best[key][0][1] == number for key in _keys(each.frame, _METHOD)]
        curves.append(replace(each, frame=each.frame[counts]))
    chosen, order = joined(curves), {key: place for place, key in enumerate(best)}
    places = pd.Series([order[key] for key in _keys(chosen.frame, _METHOD)])
    return replace(chosen, frame=chosen.frame.iloc[places.argsort(kind="stable")].reset_index(drop=True))


def committed_curves(study: str, directory: Path = COMMITTED) -> Curves:
    """Return the committed curves of a study: of each method those at the published size, where there are some.

    The tables are ``reversal-STUDY-quick.parquet`` and ``reversal-STUDY-paper*.parquet``, or parts
    ``reversal-STUDY-PART-quick.parquet`` and ``-paper``: measured one after the other, each with its own sidecar. Of
    two that have one method, the larger counts.

    Raises
    ------
    ResultError
        If there is none, or one is damaged or of another study.
    """
    kind = f"reversal-{study}"
    quick = directory / f"{kind}-quick.parquet"
    paths = [path for path in (quick, *sorted(directory.glob(f"{kind}-paper*.parquet"))) if path.exists()]
    parts = {*directory.glob(f"{kind}-*-quick.parquet"), *directory.glob(f"{kind}-*-paper.parquet")} - {*paths}
    found = map(load, sorted(parts))  # of a study with a longer name too
    tables = in_order([*(load(path, kind=kind) for path in paths), *found], kind)
    if not tables:
        raise ResultError(f"no curves of study {study} in {directory}: neither {quick.name} nor a paper one is there")
    return joined(map(read_curves, tables))


def scaling_searches(own: Sequence[Table] = (), directory: Path = COMMITTED) -> Table | None:
    """Return the table of study scaling, a user's own completed by the committed ones; None if there is none.

    The tables are ``reversal-scaling-PRESET.parquet`` and parts ``reversal-scaling-PART-PRESET.parquet``. Of two that
    have one search, the user's own counts, then the one that tried larger sizes.

    Raises
    ------
    ResultError
        If one is damaged or of another study.
    """
    kind, search = "reversal-scaling", ["label", "seed", "axis", "spent", "budget"]
    committed = [load(path, kind=kind) for path in sorted(directory.glob(f"{kind}-*.parquet"))]
    tables = [table for group in (committed, own) for table in sorted(group, key=_most)]
    if not tables:
        return None
    every = pd.concat([table.frame.assign(place=place) for place, table in enumerate(tables)], ignore_index=True)
    kept = every.drop_duplicates(search, keep="last")
    parts = [table for place, table in enumerate(tables) if (kept["place"] == place).any()]
    if len(parts) == 1:
        return parts[0]
    return replace(parts[0], frame=kept.drop(columns="place").reset_index(drop=True), parts=tuple(parts))


def _most(table: Table) -> int:
    return int(table.frame["most"].max())


def step_times(own: Sequence[Table] = ()) -> dict[str, Table]:
    """Return the tables of an update's seconds by device, ``CPU`` or a GPU's name: a user's own, or the committed.

    Raises
    ------
    ResultError
        If a committed one is damaged or of another kind, or two of a user's own are of one device and equally large.
    """
    paths = [path for place in (COMMITTED, COMMITTED_GPU) for path in sorted(place.glob(f"{STEP_TIMES}*.parquet"))]
    committed = [load(path, kind=STEP_TIMES) for path in paths]
    found: dict[str, Table] = {}
    for part in (committed, own):
        by_device: dict[str, list[Table]] = {}
        for each in in_order(part, STEP_TIMES):
            by_device.setdefault(device_name(each.device), []).append(each)
        found |= {device: table for device, tables in by_device.items() if (table := largest(tables)) is not None}
    return found


def with_shared(found: Curves, study: str, curves_of: Callable[[str], Curves]) -> Curves:
    """Return the curves of a study with those runs of it that another study trains, from ``curves_of`` that one."""
    if study not in SHARED:
        return found
    other, labels = SHARED[study]
    theirs = curves_of(other)
    return joined([found, replace(theirs, frame=theirs.frame[theirs.frame["label"].isin(labels)])])


def joined(curves: Iterable[Curves]) -> Curves:
    """Return curves of one study as one table: a method on a task is taken from the last that has it.

    Methods keep the order of the first table.
    """
    every = list(curves)
    frame = reduce(lambda former, latter: replaced(former, latter, _METHOD), (part.frame for part in every))
    return Curves(frame, {origin: source for part in every for origin, source in part.origins.items()})


def replaced(frame: pd.DataFrame, others: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the rows with those that agree with another frame's in these columns replaced by that frame's."""
    former, again = _keys(frame, columns), set(_keys(others, columns))
    both = pd.concat([frame[[key not in again for key in former]], others], ignore_index=True)
    keys = _keys(both, columns)
    order = {key: place for place, key in enumerate(dict.fromkeys([*former, *keys]))}
    places = pd.Series([order[key] for key in keys])
    return both.iloc[places.argsort(kind="stable")].reset_index(drop=True)


def _keys(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(map(tuple, frame[columns].astype(str).to_numpy()))
