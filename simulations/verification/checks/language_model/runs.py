"""The runs of a language model that its claims are judged by, and rows on pairs of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from simulations.language_model.tables import RUN, committed, ends, kind_of
from simulations.results.sources import Source
from simulations.results.tables import Table
from simulations.statistics import Interval, stratified
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["PG", "Runs", "absent", "runs_of", "table_of", "task_point"]

PG = "PG"
_PAIR = [name for name in RUN if name != "label"]


@dataclass(frozen=True)
class Runs:
    """Where runs ended, as :func:`simulations.language_model.tables.ends` says it, and the tables they came from."""

    frame: pd.DataFrame
    sources: Mapping[str, Source]
    tables: Sequence[Table] = ()

    @classmethod
    def read(cls, tables: Sequence[Table]) -> Runs:
        """Return the runs of tables that each have methods of their own."""
        parts = [part for table in tables for part in table.parts or (table,)]
        return cls(ends(tables), {part.origin: part.source for part in parts}, tables)

    def row(
        self,
        quantity: str,
        found: Interval,
        runs: pd.DataFrame,
        parameters: Mapping[str, Value],
        tasks: Sequence[pd.DataFrame] = (),
    ) -> Measured:
        """Return a row on some runs or pairs of runs, which says how many there are and where they came from.

        ``tasks`` are the runs of every task, where those of the row are of the one with an extreme value.
        """
        seeds = [each["seed"].nunique() for each in tasks or [part for _, part in runs.groupby("task")]]
        sizes = {"updates": int(runs["updates"].min()), "seeds": min(seeds), "tasks": len(seeds)}
        origins = pd.unique(runs[[name for name in runs if str(name).startswith("origin")]].to_numpy().ravel())
        sources = tuple(self.sources[each] for each in origins if each in self.sources)
        interval = (found.value, found.low, found.high)
        return Measured(quantity, *interval, len(runs), None, ", ".join(origins), sizes, sources, parameters)

    def of(self, label: str, task: str | None = None) -> pd.DataFrame:
        """Return the runs of a method, one a row, on all tasks or on one."""
        chosen = self.frame["label"] == label
        return self.frame[chosen if task is None else chosen & (self.frame["task"] == task)]

    def pairs(self, label: str, against: str, task: str | None = None) -> pd.DataFrame:
        """Return the runs of two methods side by side, paired by all else; ``NAME against`` is the other's."""
        return self.of(label, task).merge(self.of(against, task), on=_PAIR, suffixes=("", " against"))

    def difference(self, label: str, against: str, column: str = "reward", task: str | None = None) -> Measured:
        """Return the mean paired difference of two methods, the mean over tasks or that of one."""
        what = {"reward": "final reward", "mean": "mean reward over training"}[column]
        quantity = f"{what}, {label} − {against}" + (f", task {task}" if task else "")
        point = method_of(label) | {"against": method_of(against)["method"]} | (task_point(task) if task else {})
        point |= {f"{name} against": value for name, value in method_of(against).items() if name in ("ρ", "rule")}
        found = self.pairs(label, against, task)
        if found.empty:
            return absent(quantity, f"no runs of {label} and {against} with one task and seed", point)
        interval = stratified(found[column] - found[f"{column} against"], found["task"])
        return self.row(quantity, interval, found, point)


def absent(quantity: str, why: str, parameters: Mapping[str, Value]) -> Measured:
    """Return a row without a number, too small for any rule."""
    sizes = {"updates": 0, "seeds": 0, "tasks": 0, "blocks": 0}
    return Measured(quantity, *(math.nan,) * 3, 0, None, why, sizes, parameters=parameters)


def table_of(context: Context, study: str) -> Table | None:
    """Return the table of a study: one given to the report, else the committed one; None if there is none."""
    return context.tables.find(kind_of(study)) or committed(study)


def runs_of(context: Context, *studies: str) -> Runs | None:
    """Return the runs of those of the studies that have tables; None if none has."""
    tables = [table for study in studies if (table := table_of(context, study)) is not None]
    return Runs.read(tables) if tables else None


def task_point(name: str) -> dict[str, Value]:
    """Return a task as parameters: reversal-3 is the task reversal, of size 3."""
    kind, _, size = name.rpartition("-")
    return {"task": kind, "size of the task": int(size)} if size.isdigit() else {"task": name}
