"""Measurements on the MNIST bandit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.mnist.config import KIND, QUALITY_METHODS, MnistConfig, preset_configs
from simulations.mnist.runs import run_many
from simulations.mnist.summary import final_error, samples_to_error, total_samples
from simulations.results.table_sizes import sizes_of_runs
from simulations.statistics import Interval, bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["quality", "quality_rows", "sizes_of_compared"]

PUBLISHED_ERROR = {"DG": 3.0, "DG-K(3 %)": 3.0}  # percent, [KG §3]
PUBLISHED_UPDATES = 10_000
COMPARED = ("PG", "DG", "DG-K(3 %)")


def quality(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``mnist-quality``: from a table measured elsewhere, or measured now."""
    table = context.tables.find(KIND)
    if table is not None:
        sizes = sizes_of_compared(table.frame, table.path, "mnist-quality")
        return attributed(quality_rows(table.frame, table.origin), table.source, sizes)

    def progress(done: int, total: int, config: MnistConfig) -> None:
        context.progress(f"mnist-quality: run {done} of {total}")

    configs = preset_configs(context.preset, QUALITY_METHODS)
    runs = run_many(configs, device=context.device, workers=context.workers, progress=progress)
    rows = quality_rows(runs.table, context.source.origin)
    return attributed(rows, context.source, sizes_of_runs(runs.table))


def sizes_of_compared(curves: pd.DataFrame, path: Path, claim: str) -> dict[str, int]:
    """Return the sizes of the runs that a claim compares: PG, DG and DG-K(3 %), seed by seed.

    Raises
    ------
    ResultError
        If one of the three is missing, or they have not the same seeds.
    """
    compared = curves[curves["label"].isin(COMPARED)]
    seeds = {label: tuple(sorted(runs["seed"].unique())) for label, runs in compared.groupby("label")}
    lacking = [label for label in COMPARED if label not in seeds]
    if lacking:
        raise ResultError(f"{path} lacks {', '.join(lacking)}, which {claim} compares")
    if len(set(seeds.values())) > 1:
        each = "; ".join(f"{label} has {', '.join(map(str, seeds[label]))}" for label in COMPARED)
        raise ResultError(f"{path} has other seeds for each method, and {claim} compares seed by seed: {each}")
    return sizes_of_runs(compared)


def quality_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the measured rows of ``mnist-quality`` from learning curves, each a median over seeds.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.config.tidy` makes it; needs PG, DG and DG-K(3 %) at the same seeds.
    origin : str
        Where the table came from.
    """
    final = {label: 100 * final_error(table, label) for label in table["label"].unique()}
    gate, rows = "DG-K(3 %)", []

    def add(quantity: str, values: NDArray[np.float64], published: float | None, **point: Value) -> None:
        interval = bootstrap(values)
        rows.append(_row(quantity, interval, len(values), published, origin, point))

    # A published final error is comparable after as many updates only.
    published_errors = PUBLISHED_ERROR if table["update"].max() >= PUBLISHED_UPDATES else {}
    for label, errors in final.items():
        add(f"final test error, {label} (percent)", errors, published_errors.get(label), **method_of(label))
    for other, published in (("DG", 0.0), ("PG", None)):
        name, point = f"final test error, {gate} − {other} (percentage points)", method_of(gate) | {"against": other}
        add(name, final[gate] - final[other], published, **point)
    for percent in (10, 5):
        spent = {label: samples_to_error(table, label, percent / 100, "backward_samples") for label in final}
        for label in ("PG", "DG", gate):
            name = f"backward samples to {percent} % error, {label}"
            add(name, spent[label], None, **method_of(label) | {"target error": percent / 100})
        never = np.isinf(spent["PG"])
        at_least = np.where(never, total_samples(table, "PG", "backward_samples"), spent["PG"])
        ratio = bootstrap(at_least / spent[gate])
        # Seeds of PG that never arrive make every ratio a lower bound: it has no upper end.
        ratio = Interval(ratio.value, ratio.low, math.inf) if never.any() else ratio
        reached = f"{(~never).sum()} of {len(never)} seeds of PG got there"
        name = f"backward samples to {percent} % error, PG / {gate}, at least"
        point = method_of(gate) | {"method": "PG", "against": "DG-K", "target error": percent / 100}
        rows.append(_row(name, ratio, len(never), 100.0, f"{origin}; to {percent} % error {reached}", point))
    return rows


def _row(
    quantity: str,
    interval: Interval,
    seeds: int,
    published: float | None,
    origin: str,
    parameters: Mapping[str, Value],
) -> Measured:
    ends = (interval.value, interval.low, interval.high)
    return Measured(quantity, *ends, seeds, published, origin, parameters=parameters)
