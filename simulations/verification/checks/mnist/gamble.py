"""Measurement of ``noise-aware-gate`` on the MNIST bandit with an action that gambles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.mnist.summary import FINAL_EVALUATIONS, final_error
from simulations.mnist.tables import committed
from simulations.results.table_sizes import sizes_of_runs
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["gamble_rows", "noise_aware_gate"]

FloatArray = NDArray[np.float64]

_KIND = "mnist-gamble"
_DELIGHT, _DRAW, _SIZE = "DG-K(3 %)", "DG-K(3 %), second draw", "abs-advantage(3 %)"


def noise_aware_gate(context: Context) -> list[Measured]:
    """Return the measured rows of ``noise-aware-gate``: from a measured table, at smoke from short runs."""
    found = context.tables.find(_KIND)
    if found is None and context.preset == "quick" and context.device == "cpu":
        found = committed(f"{_KIND}-paper", f"{_KIND}-quick")
    if found is None:
        table, source = _measured(context), context.source
    else:
        table, source = found.frame, found.source
    return attributed(gamble_rows(table, source.origin), source, sizes_of_runs(table))


def _measured(context: Context) -> pd.DataFrame:
    import torch

    from simulations.mnist.gambles.training import CONTENDERS, SIZES, run
    from simulations.mnist.images import load_mnist
    from simulations.mnist.runs import run_contenders

    def progress(done: str) -> None:
        context.progress(f"noise-aware-gate: {done}")

    return run_contenders(
        run, CONTENDERS, SIZES[context.preset], load_mnist(), torch.device(context.device), progress=progress
    )


def gamble_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return how many answers are gambles at the end, final errors, and what delight loses.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.gambles.training.run` makes it, of all contenders.
    origin : str
    """
    labels = list(table["label"].unique())
    rows = []
    for label in labels:
        rows.append(_row(f"gambles at the end, {label} (percent)", 100 * _gambles(table, label), origin, label))
    for label in labels:
        rows.append(_row(f"final test error, {label} (percent)", 100 * final_error(table, label), origin, label))
    compared = (
        ("second draw", _DRAW, ""),
        ("abs-advantage", _SIZE, ""),
        ("abs-advantage", _SIZE, ", value baseline"),
    )
    for against, better, baseline in compared:
        lost = 100 * (final_error(table, _DELIGHT + baseline) - final_error(table, better + baseline))
        name = f"final test error, {_DELIGHT} − {better}{baseline} (percentage points)"
        rows.append(_row(name, lost, origin, _DELIGHT + baseline, against=against))
    return rows


def _gambles(table: pd.DataFrame, label: str) -> FloatArray:
    """Return each seed's mean share of gambles over the last evaluations, (n_seeds,)."""
    runs = table[table["label"] == label].sort_values("update").groupby("seed")["gambles"]
    finals: FloatArray = runs.apply(lambda shares: shares.tail(FINAL_EVALUATIONS).mean()).to_numpy(np.float64)
    return finals


def _row(name: str, values: FloatArray, origin: str, label: str, **more: Value) -> Measured:
    found = bootstrap(values)
    parameters = method_of(label) | more
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
