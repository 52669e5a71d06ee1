"""Errors of methods on copying, flipping, reversing and reverse flipping, by the beginning and the bag of tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.reversal.summary import FINAL_EVALUATIONS

__all__ = ["CELLS", "METHODS", "PAIRS", "PPO", "Cell", "TaskErrors", "flip_distance", "training_errors"]

FloatArray = NDArray[np.float64]
Cell = tuple[str, str]
"""A task and a reward."""

CELLS: tuple[Cell, ...] = (
    *((task, "prefix") for task in ("reverse", "copy", "flip", "reverse-flip")),
    *((task, "bag") for task in ("reverse", "flip")),
)
"""By ``bag`` copying is reversing, and reverse flipping is flipping."""
PAIRS: tuple[tuple[Cell, Cell], ...] = (
    (("copy", "prefix"), ("flip", "prefix")),
    (("reverse", "prefix"), ("reverse-flip", "prefix")),
    (("reverse", "bag"), ("flip", "bag")),
)
"""Tasks with their flips."""
PPO = "PPO"
METHODS = ("PG", "PMPO", "row gate(3 %)", "zero-price", "DG")
"""In every cell; PPO is in some."""

_ERROR = {"prefix": "token_error", "bag": "bag_error"}
_WHOLE = {"prefix": "sequence_error", "bag": "multiset_error"}


@dataclass(frozen=True)
class TaskErrors:
    """Learning curves of the study, as :meth:`of` reads them.

    Attributes
    ----------
    groups : mapping of (str, str, str) to DataFrame
        By task, reward and method, its label without the task: the curves, with the columns error and whole, the
        shares of wrong tokens and of wrong answers as the reward judges them, by ``bag`` whatever the order.
    """

    groups: Mapping[tuple[str, str, str], pd.DataFrame]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> TaskErrors:
        """Return the runs of a table of the study; one without a task reverses its prompts."""
        chosen = frame[frame["reward"].isin(_ERROR)]
        task = chosen["task"].fillna("reverse") if "task" in chosen else pd.Series("reverse", index=chosen.index)
        names = chosen["label"].str.replace(r", [\w-]+ task$", "", regex=True)
        columns = {}
        for column, kinds in (("error", _ERROR), ("whole", _WHOLE)):
            of_prefix, of_bag = (chosen.get(kind, math.nan) for kind in kinds.values())
            columns[column] = np.where(chosen["reward"] == "prefix", of_prefix, of_bag)
        groups = chosen.assign(**columns).groupby([task, chosen["reward"], names], sort=False)
        return cls({(str(key[0]), str(key[1]), str(key[2])): runs for key, runs in groups})

    def names(self, cell: Cell) -> tuple[str, ...]:
        """Return the methods of a cell: ``METHODS``, and PPO where it was trained."""
        return (*METHODS, *([PPO] if (*cell, PPO) in self.groups else []))

    def runs(self, cell: Cell, name: str) -> pd.DataFrame:
        """Return the curves of a method in a cell.

        Raises
        ------
        ResultError
            If there are none.
        """
        if (*cell, name) not in self.groups:
            raise ResultError(f"the runs lack {name} on {cell[0]} by {cell[1]}, which reversal-tasks compares")
        return self.groups[*cell, name]

    def training(self, cell: Cell, name: str) -> FloatArray:
        """Return each seed's errors while it trained, see :func:`training_errors`."""
        return training_errors(self.runs(cell, name))

    def final(self, cell: Cell, name: str, column: str) -> FloatArray:
        """Return each seed's mean of a column, error or whole, over its last evaluations, (n_seeds,)."""
        by_seed = self.runs(cell, name).sort_values("update").groupby("seed")[column]
        return np.asarray(by_seed.apply(lambda values: values.tail(FINAL_EVALUATIONS).mean()), dtype=np.float64)

    def updates_to(self, cell: Cell, name: str, error: float) -> FloatArray:
        """Return each seed's updates at its first evaluation with fewer wrong tokens, ∞ if there is none."""
        runs = self.runs(cell, name)
        reached = runs[runs["error"] < error].groupby("seed")["update"].min().astype(float)
        return np.asarray(reached.reindex(sorted(runs["seed"].unique()), fill_value=math.inf), dtype=np.float64)


def training_errors(runs: pd.DataFrame) -> FloatArray:
    """Return the mean error of each seed over its evaluations but that of the untrained policy, (n_seeds,)."""
    trained = runs[runs["update"] > 0]
    return np.asarray(trained.groupby("seed")["error"].mean(), dtype=np.float64)


def flip_distance(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Return the mean difference between pairs of samples over its standard error, 0 where all are equal.

    Parameters
    ----------
    pairs : sequence of ((n,) array, (m,) array)
        The mean difference is that of the samples' means; their variances are their own, with n − 1. NaN where a
        sample has a single value.
    """
    if any(len(each) < 2 for pair in pairs for each in pair):
        return math.nan
    total = sum(float(first.mean() - second.mean()) for first, second in pairs)
    variance = sum(float(each.var(ddof=1)) / len(each) for pair in pairs for each in pair)
    if variance == 0:
        return math.copysign(math.inf, total) if total else 0.0
    return total / math.sqrt(variance)
