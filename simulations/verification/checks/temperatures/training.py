"""Measurements of training over temperatures: what soft gates keep on MNIST, and how errors move with η."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.mnist.tables import committed
from simulations.results.sources import Source
from simulations.results.table_sizes import sizes_of_runs
from simulations.reversal.summary import FINAL_EVALUATIONS, final
from simulations.reversal.tables import Curves
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import over_seeds
from simulations.verification.checks.reversal.runs import curves

__all__ = [
    "answer_rows",
    "final_errors",
    "image_rows",
    "quantile_bernoulli_gate",
    "share_rows",
    "shares_kept",
    "temperature_robustness",
]

FloatArray = NDArray[np.float64]

_DG = ("DG(η=0.1)", "DG(η=0.3)", "DG(η=3)", "DG(η=10)")
_HARD = {"DG-K(3 %)": 0.03, "DG-K(10 %)": 0.1, "DG-K(30 %)": 0.3, "DG-K(50 %)": 0.5}
_SOFT_ANSWERS = ("token gate", "row gate")


def quantile_bernoulli_gate(context: Context) -> list[Measured]:
    """Return the measured rows of ``quantile-bernoulli-gate``: shares kept on MNIST, errors beside hard gates."""
    table, source = _images(context)
    return attributed(share_rows(table, source.origin), source, sizes_of_runs(table))


def temperature_robustness(context: Context) -> list[Measured]:
    """Return the rows of ``temperature-robustness``, of both tasks."""
    table, source = _images(context)
    rows = attributed(image_rows(table, source.origin), source, sizes_of_runs(table))
    return [*rows, *answer_rows(curves(context, "temperature"))]


@lru_cache(maxsize=1)  # two claims are judged from one table
def _images(context: Context) -> tuple[pd.DataFrame, Source]:
    kind = "mnist-temperature"
    found = context.tables.find(kind)
    if found is None and context.preset == "quick" and context.device == "cpu":
        found = committed(f"{kind}-paper", f"{kind}-quick")
    if found is not None:
        return found.frame, found.source
    import torch

    from simulations.mnist.images import load_mnist
    from simulations.mnist.runs import run_contenders
    from simulations.mnist.steps.temperatures import CONTENDERS, SIZES, run

    def progress(done: str) -> None:
        context.progress(f"gates over temperatures: {done}")

    device, size = torch.device(context.device), SIZES[context.preset]
    return run_contenders(run, CONTENDERS, size, load_mnist(), device, progress=progress), context.source


def shares_kept(runs: pd.DataFrame, of: str = "samples") -> pd.Series:
    """Return the share of what was screened that was backpropagated, by seed, of one method."""
    spent = runs.groupby("seed")[[f"backward_{of}", f"forward_{of}"]].max()
    return spent[f"backward_{of}"] / spent[f"forward_{of}"]


def final_errors(table: pd.DataFrame, label: str) -> pd.Series:
    """Return the mean test error of each seed's last three evaluations, by seed, as a share."""
    ordered = table[table["label"] == label].sort_values(["seed", "update"]).groupby("seed")["test_error"]
    return ordered.apply(lambda errors: errors.tail(FINAL_EVALUATIONS).mean())


def share_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return what every soft gate kept, and its final error less that of hard gates at the same share.

    Hard gates are interpolated in the logarithm of the share, seed by seed.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.steps.temperatures.run` makes it, of all contenders.
    origin : str
    """
    hard = pd.DataFrame({rate: final_errors(table, label) for label, rate in _HARD.items()})
    rows = []
    for label in _soft(table):
        share, error = shares_kept(table[table["label"] == label]), final_errors(table, label)
        rows.append(_row(f"share kept, {label}", share, origin, label))
        between = [
            np.interp(np.log(share[seed]), np.log(hard.columns.to_numpy(np.float64)), hard.loc[seed])
            for seed in share.index
        ]
        name = f"final test error, {label} − hard gate at its share (percentage points)"
        rows.append(_row(name, 100 * (error - between), origin, label, against="hard gate"))
    return rows


def image_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return final errors on MNIST over temperatures: each, less that of DG or of the hard gate, and less DG's.

    Parameters and table as :func:`share_rows` takes them.
    """
    soft = _soft(table)
    rows = [
        _row(f"final test error, {label} (percent)", 100 * final_errors(table, label), origin, label)
        for label in ("DG", *_DG, *_HARD, *soft)
    ]
    pairs = [(label, "DG") for label in _DG]
    pairs += [(label, hard) for label in soft if (hard := label.split(", η=")[0] + ")") in _HARD]
    pairs += [(label, "DG") for label in soft if label.endswith("η=1)")]
    for label, other in pairs:
        gap = 100 * (final_errors(table, label) - final_errors(table, other))
        name = f"final test error, {label} − {other} (percentage points)"
        rows.append(_row(name, gap, origin, label, against=other))
    return rows


def answer_rows(found: Curves) -> list[Measured]:
    """Return errors and shares kept on token reversal over temperatures, those of methods that were run."""
    frame = found.frame
    there = list(dict.fromkeys(frame["label"]))
    runs = {label: frame[frame["label"] == label] for label in there}
    rows = [row for label in there for row in _answers(label, runs[label], found)]
    for label in (label for label in there if label.startswith("DG(")):
        both = _at_common_seeds(runs[label], runs["DG"])
        ratio = (_mean_error(runs[label]) / _mean_error(runs["DG"])).dropna()
        at = method_of(label) | _beside("DG")
        rows.append(over_seeds(f"mean token error, {label} / DG", ratio.to_numpy(np.float64), found, both, at))
    for label in (label for label in there if ", η=" in label):
        hard = label.split(", η=")[0] + ")"
        both, gap = pd.concat([runs[label], runs[hard]]), 100 * (_final(runs[label]) - _final(runs[hard]))
        at = method_of(label) | _beside(hard)
        rows.append(over_seeds(f"final token error, {label} − {hard} (percentage points)", gap, found, both, at))
    return rows


def _answers(label: str, runs: pd.DataFrame, found: Curves) -> Iterator[Measured]:
    at = method_of(label)
    yield over_seeds(f"final token error, {label} (percent)", 100 * _final(runs), found, runs, at)
    if label.startswith(_SOFT_ANSWERS):
        of = "tokens" if label.startswith("token") else "rows"
        kept = shares_kept(runs, of).to_numpy(np.float64)
        yield over_seeds(f"share of {of} kept, {label}", kept, found, runs, at)


def _final(runs: pd.DataFrame) -> FloatArray:
    return final(runs, "token_error")


def _at_common_seeds(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of two methods at the seeds that both have."""
    seeds = {*runs["seed"]} & {*others["seed"]}
    return pd.concat([each[each["seed"].isin(seeds)] for each in (runs, others)])


def _mean_error(runs: pd.DataFrame) -> pd.Series:
    """Return the mean token error over the evaluations of training, by seed; that of the untrained policy is none."""
    return runs[runs["update"] > 0].groupby("seed")["token_error"].mean()


def _beside(label: str | None) -> dict[str, Value]:
    return {} if label is None else {"against": method_of(label)["method"]}


def _soft(table: pd.DataFrame) -> list[str]:
    """Return the labels of gates at a temperature."""
    return [label for label in dict.fromkeys(table["label"]) if label.startswith("DG-K(") and "η=" in label]


def _row(name: str, values: pd.Series, origin: str, label: str, against: str | None = None) -> Measured:
    found = bootstrap(np.asarray(values, dtype=np.float64))
    at = method_of(label) | _beside(against)
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=at)
