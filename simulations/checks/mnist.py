"""Measurements on the MNIST bandit."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.checks import Context
from simulations.mnist import QUALITY_METHODS, preset_configs, run_many, tidy
from simulations.statistics import Interval, Measured, bootstrap

__all__ = ["quality", "quality_rows"]

PUBLISHED_ERROR = {"DG": 3.0, "DG-K(3 %)": 3.0}  # percent, [KG §3]
PUBLISHED_UPDATES = 10_000
FINAL_EVALUATIONS = 5


def quality(context: Context) -> list[Measured]:
    """Train every method at the preset's sizes and return the measured rows of the claim ``mnist-quality``."""
    configs = preset_configs(context.preset, QUALITY_METHODS)
    curves: list[pd.DataFrame | None] = [None] * len(configs)
    runs = run_many(configs, device=context.device, workers=context.workers)
    for done, (index, curve, _) in enumerate(runs, start=1):
        curves[index] = curve
        context.progress(f"mnist-quality: run {done} of {len(configs)}")
    return quality_rows(tidy(configs, [c for c in curves if c is not None]), f"measured now, {context.device}")


def quality_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the measured rows of ``mnist-quality`` from learning curves, each a median over seeds.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.tidy` makes it; needs PG, DG and DG-K(3 %) at the same seeds.
    origin : str
        Where the table came from.
    """
    final = {label: 100 * final_error(table, label) for label in table["label"].unique()}
    gate, rows = "DG-K(3 %)", []

    def add(quantity: str, values: NDArray[np.float64], published: float | None) -> None:
        interval = bootstrap(values)
        rows.append(_row(quantity, interval, len(values), published, origin))

    # A published final error is comparable after as many updates only.
    published_errors = PUBLISHED_ERROR if table["update"].max() >= PUBLISHED_UPDATES else {}
    for label, errors in final.items():
        add(f"final test error, {label} (percent)", errors, published_errors.get(label))
    for other, published in (("DG", 0.0), ("PG", None)):
        add(f"final test error, {gate} − {other} (percentage points)", final[gate] - final[other], published)
    for percent in (10, 5):
        spent = {label: samples_to_error(table, label, percent / 100, "backward_samples") for label in final}
        for label in ("PG", "DG", gate):
            add(f"backward samples to {percent} % error, {label}", spent[label], None)
        never = np.isinf(spent["PG"])
        at_least = np.where(never, total_samples(table, "PG", "backward_samples"), spent["PG"])
        ratio = bootstrap(at_least / spent[gate])
        # Seeds of PG that never arrive make every ratio a lower bound: it has no upper end.
        ratio = Interval(ratio.value, ratio.low, math.inf) if never.any() else ratio
        reached = f"{(~never).sum()} of {len(never)} seeds of PG got there"
        name = f"backward samples to {percent} % error, PG / {gate}, at least"
        rows.append(_row(name, ratio, len(never), 100.0, f"{origin}; to {percent} % error {reached}"))
    return rows


def final_error(table: pd.DataFrame, label: str) -> NDArray[np.float64]:
    """Return the mean test error of each seed's last five evaluations, (n_seeds,), as a share."""
    curves = table[table["label"] == label].sort_values(["seed", "update"]).groupby("seed")["test_error"]
    finals: NDArray[np.float64] = curves.apply(lambda errors: errors.tail(FINAL_EVALUATIONS).mean()).to_numpy(
        np.float64
    )
    return finals


def samples_to_error(table: pd.DataFrame, label: str, error: float, column: str) -> NDArray[np.float64]:
    """Return each seed's samples spent at its first evaluation at or below the error, (n_seeds,); ∞ if never."""
    curves = table[table["label"] == label].sort_values(["seed", "update"])
    seeds = sorted(curves["seed"].unique())
    reached = curves[curves["test_error"] <= error].groupby("seed")[column].first().astype(np.float64)
    return np.asarray(reached.reindex(seeds, fill_value=np.inf), dtype=np.float64)


def total_samples(table: pd.DataFrame, label: str, column: str) -> NDArray[np.float64]:
    """Return what each seed spent in all, (n_seeds,)."""
    return table[table["label"] == label].groupby("seed")[column].max().sort_index().to_numpy(dtype=np.float64)


def _row(quantity: str, interval: Interval, seeds: int, published: float | None, origin: str) -> Measured:
    return Measured(quantity, interval.value, interval.low, interval.high, seeds, published, origin)
