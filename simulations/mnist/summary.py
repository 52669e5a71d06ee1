"""What the learning curves of the MNIST bandit say: final errors, and what it took to reach an error.

Every seed counts: one that never reaches an error took infinitely long, so a median or interquartile mean is infinite
when too many do not, and how many did is said beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import trim_mean

from simulations.statistics import Interval, bootstrap

__all__ = [
    "FINAL_EVALUATIONS",
    "SummaryRow",
    "crossings",
    "final_error",
    "samples_to_error",
    "summarise",
    "summary_table",
    "total_samples",
]

FINAL_EVALUATIONS = 5
TARGETS = (0.10, 0.05)
COSTS = {"forward_samples": "forward samples", "backward_samples": "backward samples", "update": "updates"}

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SummaryRow:
    """One quantity of one method over its seeds.

    Attributes
    ----------
    label, quantity : str
    seeds, reached : int
        How many there are, and for how many the quantity is finite.
    median, interquartile_mean : Interval
        Over all seeds, with 95 % bootstrap intervals; infinite where too many seeds never arrived.
    """

    label: str
    quantity: str
    seeds: int
    reached: int
    median: Interval
    interquartile_mean: Interval


def final_error(table: pd.DataFrame, label: str) -> FloatArray:
    """Return the mean test error of each seed's last five evaluations, (n_seeds,), as a share."""
    curves = table[table["label"] == label].sort_values(["seed", "update"]).groupby("seed")["test_error"]
    finals: FloatArray = curves.apply(lambda errors: errors.tail(FINAL_EVALUATIONS).mean()).to_numpy(np.float64)
    return finals


def samples_to_error(table: pd.DataFrame, label: str, error: float, column: str) -> FloatArray:
    """Return each seed's samples spent at its first evaluation at or below the error, (n_seeds,); ∞ if never."""
    curves = table[table["label"] == label].sort_values(["seed", "update"])
    seeds = sorted(curves["seed"].unique())
    reached = curves[curves["test_error"] <= error].groupby("seed")[column].first().astype(np.float64)
    return np.asarray(reached.reindex(seeds, fill_value=np.inf), dtype=np.float64)


def total_samples(table: pd.DataFrame, label: str, column: str) -> FloatArray:
    """Return what each seed spent in all, (n_seeds,)."""
    return table[table["label"] == label].groupby("seed")[column].max().sort_index().to_numpy(dtype=np.float64)


def crossings(table: pd.DataFrame, targets: Sequence[float] = TARGETS) -> pd.DataFrame:
    """Return what each seed had spent at its first evaluation at or below each error.

    Returns
    -------
    DataFrame
        One row a label, seed and error: label, seed, error, and forward_samples, backward_samples and update as
        nullable integers, null if the seed never got there.
    """
    frames = []
    for label in table["label"].unique():
        seeds = sorted(table.loc[table["label"] == label, "seed"].unique())
        for error in targets:
            spent = {
                column: pd.array(np.where(np.isinf(values), np.nan, values), dtype="Int64")
                for column in COSTS
                for values in [samples_to_error(table, label, error, column)]
            }
            frames.append(pd.DataFrame({"label": label, "seed": seeds, "error": error, **spent}))
    return pd.concat(frames, ignore_index=True)


def summarise(table: pd.DataFrame, targets: Sequence[float] = TARGETS) -> list[SummaryRow]:
    """Return final error and crossings of every method, grouped by quantity.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.config.tidy` makes it.
    targets : sequence of float
        Test errors, as shares.
    """
    labels = list(table["label"].unique())
    rows = [_row(label, "final test error (percent)", 100 * final_error(table, label)) for label in labels]
    for error in targets:
        for column, name in COSTS.items():
            quantity = f"{name} to {100 * error:g} % error"
            rows += [_row(label, quantity, samples_to_error(table, label, error, column)) for label in labels]
    return rows


def summary_table(rows: Sequence[SummaryRow]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table("quantity, by method", "reached", "median", "95 %", "interquartile mean", "95 %")
    for column in table.columns[1:]:
        column.justify = "right"
    for quantity, group in itertools.groupby(rows, key=lambda row: row.quantity):
        table.add_section()
        table.add_row(quantity)
        for row in group:
            numbers = [text for interval in (row.median, row.interquartile_mean) for text in _show(interval)]
            table.add_row(f"  {row.label}", f"{row.reached} of {row.seeds}", *numbers)
    return table


def _row(label: str, quantity: str, values: FloatArray) -> SummaryRow:
    reached = int(np.isfinite(values).sum())
    return SummaryRow(label, quantity, len(values), reached, bootstrap(values), bootstrap(values, _middle_half))


def _middle_half(values: FloatArray, axis: int) -> FloatArray:
    """Return the interquartile mean: that of what is left without the lowest and the highest quarter."""
    return np.asarray(trim_mean(values, 0.25, axis=axis))


def _show(interval: Interval) -> tuple[str, str]:
    value, low, high = (
        "∞" if math.isinf(number) else f"{number:,.0f}" if number >= 1_000 else f"{number:.4g}"
        for number in (interval.value, interval.low, interval.high)
    )
    return value, f"{low} … {high}"
