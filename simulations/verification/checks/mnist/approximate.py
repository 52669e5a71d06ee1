"""Measurements of approximate delight on the MNIST bandit: noise on it, cheap screeners, the fastest way to 5 %."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.words import choice
from simulations.mnist.summary import final_error, samples_to_error
from simulations.mnist.tables import committed, training_seconds, with_training_seconds
from simulations.results.table_sizes import sizes_of_runs
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["TARGET", "approximate_delight", "noise_rows", "screener_rows", "seconds_to_error"]

TARGET = 0.05
_GATE = "DG-K(3 %)"
_STUDIES = ("screeners", "noise")
_RELATIVE = (0.5, 1.0, 2.0)
"""Relative noises whose rises of the final error are averaged."""


def approximate_delight(context: Context) -> list[Measured]:
    """Return the rows of ``mnist-approximate-delight``: from measured tables, at smoke from short runs."""
    rows = []
    for study in _STUDIES:
        found = context.tables.find(f"mnist-{study}")
        if found is None and context.preset == "quick" and context.device == "cpu":
            found = committed(f"mnist-{study}-paper", f"mnist-{study}-quick")
        if found is None:
            table, source = _measured(study, context), context.source
        else:
            table, source = with_training_seconds(found) if study == "screeners" else found.frame, found.source
        rows += attributed(_rows_of(study, table, source.origin), source, sizes_of_runs(table))
    return rows


def _rows_of(study: str, table: pd.DataFrame, origin: str) -> list[Measured]:
    rows_of = {"screeners": screener_rows, "noise": noise_rows}
    return rows_of[choice("study", study, rows_of)](table, origin)


def _measured(study: str, context: Context) -> pd.DataFrame:
    import torch

    from simulations.mnist.approximate import SIZES, STUDIES, TIMING, run, step_seconds
    from simulations.mnist.images import load_mnist
    from simulations.mnist.runs import run_contenders

    def progress(done: str) -> None:
        context.progress(f"mnist-approximate-delight: {done}")

    device, data, size = torch.device(context.device), load_mnist(), SIZES[study][context.preset]
    table = run_contenders(run, STUDIES[study], size, data, device, progress=progress)
    if study == "noise":
        return table
    return training_seconds(table, step_seconds(STUDIES[study], size, data, device, **TIMING[context.preset]))


def screener_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows on cheap screeners: final errors, recall, and seconds to 5 % error, the winner's last.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.approximate.run` makes it, of study "screeners", with ``seconds``.
    origin : str
    """
    labels = list(table["label"].unique())
    final = {label: 100 * final_error(table, label) for label in labels}
    rows = [_row(f"final test error, {label} (percent)", final[label], origin, method_of(label)) for label in labels]
    for label in labels:
        method, screened, how = label.partition(", screened ")
        if not screened:
            continue
        rows.append(
            _row(
                f"final test error, {method} screened {how} − exactly (percentage points)",
                final[label] - final[method],
                origin,
                method_of(label) | {"against": "exact delight"},
            )
        )
        if method == _GATE:
            recall = table[table["label"] == label].groupby("seed")["recall"].mean()
            rows.append(_row(f"recall, {how}", recall, origin, method_of(label)))
    return [*rows, *_race_rows(table, labels, origin)]


def _race_rows(table: pd.DataFrame, labels: list[str], origin: str) -> Iterator[Measured]:
    n_seeds = table["seed"].nunique()
    shared = f"{origin}; updates × the median of one, of {n_seeds} seeds side by side, an equal share of each"
    spent = {label: seconds_to_error(table, label) for label in labels}
    for label, seconds in spent.items():
        reached = f"{np.isfinite(seconds).sum()} of {len(seconds)} seeds got there"
        point = method_of(label) | {"target error": TARGET}
        yield _row(f"seconds to 5 % error, {label}", seconds, f"{shared}; {reached}", point)
    best = min(spent, key=lambda label: float(np.median(spent[label])))
    if np.isfinite(np.median(spent[best])):
        ratio = np.where(np.isfinite(spent[best]), spent["DG"] / spent[best], 0.0)  # lost where it never arrives
        point = method_of(best) | {"method": "DG", "against": method_of(best)["method"], "target error": TARGET}
        yield _row(f"seconds to 5 % error, DG / the fastest, {best}", ratio, shared, point)


def seconds_to_error(table: pd.DataFrame, label: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return each seed's seconds at its first evaluation at or below 5 % error, (n_seeds,); ∞ if never."""
    return samples_to_error(table, label, TARGET, "seconds")


def noise_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows on Gaussian noise on delight: rises of the final error, and recall and shares beside theory.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.approximate.run` makes it, of study "noise".
    origin : str
    """
    rise = {
        (method, kind, value): 100 * (final_error(table, label) - final_error(table, method))
        for label, method, kind, value in _noises(table)
    }
    rows = [
        _row(_named(method, kind, value), difference, origin, method_of(method) | {"noise": kind, "τ": value})
        for (method, kind, value), difference in rise.items()
    ]
    mean = {m: np.mean([rise[m, "relative", value] for value in _RELATIVE], axis=0) for m in ("DG", _GATE)}
    name = "rise of the final test error under relative noise of 50, 100 and 200 %, mean, DG-K(3 %) − DG"
    point = method_of(_GATE) | {"against": "DG", "noise": "relative", "τ": _RELATIVE}
    rows.append(_row(f"{name} (percentage points)", mean[_GATE] - mean["DG"], origin, point))
    end = "largest of all noises"
    return [
        *rows,
        _largest(f"recall under noise, |measured − predicted|, {end}", table, "recall", "recall", origin, {}),
        *(
            _largest(
                f"{side} samples kept at zero price under noise, |share − Φ(χ/τ)|, {end}",
                table,
                f"kept_{side}",
                side,
                origin,
                {"samples": side, "λ": 0.0},
            )
            for side in ("right", "wrong")
        ),
    ]


def _noises(table: pd.DataFrame) -> Iterator[tuple[str, str, str, float]]:
    """Yield (label, label without noise, kind, τ) of every noisy contender."""
    noisy = table[table["screener"] != "exact"].drop_duplicates("label")
    for _, row in noisy.iterrows():
        yield row["label"], row["label"].partition(", noise")[0], row["screener"], float(row["value"])


def _named(method: str, kind: str, value: float) -> str:
    how = f"{100 * value:g} % relative noise" if kind == "relative" else f"noise of τ = {value:g}"
    return f"final test error, {method} at {how} − {method} (percentage points)"


def _largest(
    quantity: str, table: pd.DataFrame, column: str, name: str, origin: str, at: Mapping[str, Value]
) -> Measured:
    """Return the largest distance from theory, of each seed its mean over evaluations, of all noises."""
    gaps = {}
    for label, *_ in _noises(table):
        rows = table[table["label"] == label]
        gap = (rows[column] - rows[f"predicted_{name}"]).abs().groupby(rows["seed"]).mean()
        gaps[label] = gap.to_numpy(np.float64)
    worst = max(gaps, key=lambda label: float(np.median(gaps[label])))
    return _row(quantity, gaps[worst], f"{origin}; at {worst}", {"noises": "all", **at})


def _row(quantity: str, values: Any, origin: str, parameters: Mapping[str, Value]) -> Measured:
    seeds = np.asarray(values, dtype=np.float64)
    interval = bootstrap(seeds)
    ends = (interval.value, interval.low, interval.high)
    return Measured(quantity, *ends, len(seeds), None, origin, parameters=parameters)
