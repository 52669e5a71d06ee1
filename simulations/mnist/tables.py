"""The committed tables of the MNIST bandit, and what they say of costs; free of torch, for figures to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kondo_theory.words import choice
from simulations.errors import ResultError
from simulations.mnist.summary import samples_to_error, total_samples
from simulations.results.merging import in_order
from simulations.results.tables import COMMITTED, Table, load

__all__ = [
    "LEARNING_CURVES",
    "committed",
    "cost_to_error",
    "speedups",
    "training_seconds",
    "with_training_seconds",
]

LEARNING_CURVES = ("mnist-paper", "mnist-quick")
"""Names of the tables of learning curves."""
ACCOUNTINGS = ("logical", "physical")

FloatArray = NDArray[np.float64]


def committed(*names: str, directory: Path = COMMITTED) -> Table | None:
    """Return the largest of the named tables, of one kind, that are committed, or None."""
    found = [load(path) for path in (directory / f"{name}.parquet" for name in names) if path.exists()]
    return in_order(found, found[0].kind)[-1] if found else None


def with_training_seconds(table: Table) -> pd.DataFrame:
    """Return learning curves with the column ``seconds``, updates × the median seconds of one.

    The seconds of an update are the list of each label in the sidecar's ``step_seconds``.

    Raises
    ------
    ResultError
        If the sidecar is gone, or lacks a label.
    """
    steps = table.sidecar.get("step_seconds", {})
    lacking = sorted(set(table.frame["label"]) - set(steps))
    if lacking:
        raise ResultError(f"{table.path} needs a sidecar with step_seconds of {', '.join(lacking)}")
    return training_seconds(table.frame, steps)


def training_seconds(curves: pd.DataFrame, steps: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return curves with the column ``seconds``, from seconds of an update by label, a list each."""
    median = {label: float(np.median(times)) for label, times in steps.items()}
    return curves.assign(seconds=curves["update"] * curves["label"].map(median))


def cost_to_error(
    curves: pd.DataFrame, label: str, error: float, backward_cost: ArrayLike, accounting: str
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return what each seed of a method spent to reach an error, in forward passes, from its counted samples.

    A sample costs 1 forward and c backward. "logical" counts forward + c·backward samples. "physical" lets a kept
    sample of a gate pay its forward pass again, forward + (1 + c)·backward; a full step needs no second one.

    Parameters
    ----------
    curves : DataFrame
        As :func:`simulations.mnist.config.tidy` makes it.
    label : str
    error : float
        Test error, as a share.
    backward_cost : (n,) array
        c ≥ 0.
    accounting : {"logical", "physical"}

    Returns
    -------
    cost : (n, n_seeds) array
        What it spent in all, where a seed never got there.
    reached : (n_seeds,) array

    Raises
    ------
    ValueError
        If the accounting is not known.
    """
    choice("accounting", accounting, ACCOUNTINGS)
    crossed = [samples_to_error(curves, label, error, f"{kind}_samples") for kind in ("forward", "backward")]
    totals = [total_samples(curves, label, f"{kind}_samples") for kind in ("forward", "backward")]
    reached = np.isfinite(crossed[0])
    forward, backward = (np.where(reached, at, all_) for at, all_ in zip(crossed, totals, strict=True))
    gated = bool((totals[1] < totals[0]).any())
    c = np.asarray(backward_cost, dtype=np.float64)[:, None]
    again = 1.0 if gated and accounting == "physical" else 0.0
    return forward + (c + again) * backward, reached


def speedups(
    curves: pd.DataFrame, label: str, backward_cost: ArrayLike, accounting: str = "logical", error: float = 0.05
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return each seed's cost of PG to an error over that of a method, and which seeds of PG got there.

    A seed of PG that never does counts with all it spent, so that the ratio is a lower bound; a seed of the method
    that never does counts as a ratio of 0. Parameters as in :func:`cost_to_error`; the ratio is (n, n_seeds).
    """
    pg, arrived = cost_to_error(curves, "PG", error, backward_cost, accounting)
    ours, reached = cost_to_error(curves, label, error, backward_cost, accounting)
    return np.where(reached, pg / ours, 0.0), arrived
