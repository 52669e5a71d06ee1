"""How large a table is, in numbers that its rows hold; the name of a preset in it says nothing.

Sizes are whole numbers by name, those that count first first: ``updates`` of the shortest run, ``seeds`` of the
method that has the fewest, and so on. Claims are judged from sizes of the same names on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from simulations.errors import ResultError
from simulations.results.tables import SWEEP, Table

__all__ = ["Sizes", "sizes_of", "sizes_of_paths", "sizes_of_runs", "sizes_of_searches", "sizes_of_steps"]

Sizes = Mapping[str, int]
"""From a size's name to the size."""

_METHOD = ["label", "vocab_size", "length", "reward", "learning_rate", "hidden", "dtype"]
_METHOD_OF_LANGUAGE_MODEL = ["label", "row_surprisal", "task", "trainable", "learning_rate"]
"""Columns that tell methods of learning curves, and their tasks, apart; a ``reward`` is a task of token reversal."""


def sizes_of(table: Table) -> dict[str, int]:
    """Return the sizes of a table, with the same names in the same order for every table of its kind.

    Raises
    ------
    ResultError
        If it lacks a column that tables of its kind have.
    """
    reader = _READERS.get(table.kind) or (sizes_of_runs if table.kind.startswith("reversal-") else _rows)
    try:
        return reader(table.frame)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(f"{table.path} is no table of kind {table.kind}: it lacks {error}") from error


def sizes_of_runs(frame: pd.DataFrame) -> dict[str, int]:
    """Return the ``updates`` of the shortest run of learning curves, and the ``seeds`` of the rarest method."""
    if frame.empty:
        return {"updates": 0, "seeds": 0}
    columns = _METHOD_OF_LANGUAGE_MODEL if "trainable" in frame else _METHOD
    method = [name for name in columns if name in frame]
    run = [*method, "seed", *(["origin"] if "origin" in frame else [])]
    updates = frame.groupby(run, dropna=False)["update"].max()
    seeds = frame.groupby(method, dropna=False)["seed"].nunique()
    return {"updates": int(updates.min()), "seeds": int(seeds.min())}


def sizes_of_paths(frame: pd.DataFrame) -> dict[str, int]:
    """Return the ``seeds`` and ``checkpoints`` of moments along training.

    They are those of the path with the fewest seeds, and of the path with the most checkpoints: PG's ends earlier.
    """
    paths = frame.groupby("path")
    return {"seeds": int(paths["seed"].nunique().min()), "checkpoints": int(paths["target"].nunique().max())}


def sizes_of_steps(frame: pd.DataFrame) -> dict[str, int]:
    """Return the most ``samples a batch`` and the most ``units a layer`` of timed steps."""
    return {"samples a batch": int(frame["batch_size"].max()), "units a layer": int(frame["width"].max())}


def sizes_of_searches(frame: pd.DataFrame) -> dict[str, int]:
    """Return the largest budgets of the search for the largest size, and its ``seeds``."""
    spent = frame.groupby("spent")["budget"].max()
    budgets = {name.replace("_", " "): int(spent.get(name, 0)) for name in ("forward_rows", "backward_rows")}
    return {**budgets, "seeds": int(frame.groupby(["axis", "label"])["seed"].nunique().min())}


def _step_times(frame: pd.DataFrame) -> dict[str, int]:
    return {"answers": int(frame["answers"].max()), "rows": len(frame)}


def _digits(frame: pd.DataFrame) -> dict[str, int]:
    return {"updates": int(frame["update"].max()), "rows": len(frame)}


def _rows(frame: pd.DataFrame) -> dict[str, int]:
    return {"rows": len(frame)}


def _cells(frame: pd.DataFrame) -> dict[str, int]:
    """Return the ``rows`` of a sweep, and the ``draws`` behind the cell that has the fewest."""
    axes = [name for name in _DRAWS if name in frame]
    draws = frame[axes].fillna(1).astype(float).prod(axis=1).min() if axes and len(frame) else 0
    return {"rows": len(frame), "draws": int(draws)}


_DRAWS = (
    "n_replicates",
    "n_batches",
    "batch_size",
    "n_draws",
    "n_samples",
    "n_rows",
    "n_seeds",
    "n_steps",
    "updates",
)
"""Columns of a sweep that say how much was simulated: presets change these alone."""

_READERS: Mapping[str, Callable[[pd.DataFrame], dict[str, int]]] = {
    SWEEP: _cells,
    "mnist-learning-curves": sizes_of_runs,
    "mnist-noise": sizes_of_runs,
    "mnist-gamble": sizes_of_runs,
    "mnist-stale": sizes_of_runs,
    "mnist-screeners": sizes_of_runs,
    "mnist-cascade": sizes_of_runs,
    "mnist-curves": sizes_of_runs,
    "mnist-temperature": sizes_of_runs,
    "mnist-adam": sizes_of_paths,
    "mnist-best-gates": sizes_of_paths,
    "mnist-gains": sizes_of_paths,
    "mnist-moments": sizes_of_paths,
    "mnist-neighbours": sizes_of_paths,
    "mnist-cost": sizes_of_steps,
    "mnist-digits": _digits,
    "mnist-batch": _digits,
    "reversal-scaling": sizes_of_searches,
    "reversal-step-times": _step_times,
    "language-model-cost": _step_times,
    "language-model-learning": sizes_of_runs,
    "language-model-methods": sizes_of_runs,
    "language-model-tasks": sizes_of_runs,
    "language-model-learning-rate": sizes_of_runs,
    "language-model-own": sizes_of_runs,
}
"""By the kind of the table; learning curves of token reversal have the kind ``reversal-STUDY``."""
