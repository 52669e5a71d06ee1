"""Measurements of ``cascade`` and ``decision-price`` on MNIST: cheap scores, windows and prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from simulations.mnist.cascade.summary import RECALL, costs_of, forward_passes, windows_of
from simulations.mnist.tables import committed
from simulations.results.table_sizes import sizes_of_runs
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["cascade", "decision_price", "price_rows", "window_rows"]

_KIND = "mnist-cascade"


def cascade(context: Context) -> list[Measured]:
    """Return the measured rows of ``cascade``: from a measured table, else from runs too short to be judged."""
    return _rows_by(window_rows, context)


def decision_price(context: Context) -> list[Measured]:
    """Return the measured rows of ``decision-price``, likewise."""
    return _rows_by(price_rows, context)


def _rows_by(rows_of: Callable[[pd.DataFrame, str], list[Measured]], context: Context) -> list[Measured]:
    found = context.tables.find(_KIND)
    if found is None and context.preset == "quick" and context.device == "cpu":
        found = committed(f"{_KIND}-paper", f"{_KIND}-quick")
    table, source = (_measured(context), context.source) if found is None else (found.frame, found.source)
    return attributed(rows_of(table, source.origin), source, sizes_of_runs(table))


@lru_cache(maxsize=1)  # two claims are judged from one table
def _measured(context: Context) -> pd.DataFrame:
    import torch

    from simulations.mnist.cascade.study import CONTENDERS, SIZES, run
    from simulations.mnist.images import load_mnist
    from simulations.mnist.runs import run_contenders

    def progress(done: str) -> None:
        context.progress(f"cheap scores: {done}")

    size = SIZES["paper" if context.preset == "paper" else "smoke"]
    return run_contenders(run, CONTENDERS, size, load_mnist(), torch.device(context.device), progress=progress)


def window_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return, of each screener, recall and shares beside Gaussian error, what its windows cost, and its error's law.

    "Worst" and "farthest" take the policy, window and price whose median over seeds is.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.cascade.study.run` makes it, of all contenders.
    origin : str
    """
    rows: list[Measured] = []
    for label, frame in table.groupby("label", sort=False):
        how = str(label).partition(", screened ")[2]
        where = method_of(str(label))
        windows = windows_of(frame)
        for name, what in (("recall", "recall"), ("evaluated", "evaluated share")):
            gap = 100 * (windows[name] - windows[f"predicted_{name}"]).abs()
            title = f"{what} within a window less Gaussian error's, {how}, farthest (percentage points)"
            rows.append(_worst(title, windows.assign(value=gap), ["update", "width"], origin, where))
        closed = frame[frame["choice"] == "window"]
        gap = 100 * (closed["recall"] - closed["predicted_recall"]).abs()
        title = f"recall within a window less the closed form's, {how}, farthest (percentage points)"
        rows.append(_worst(title, closed.assign(value=gap), ["update", "evaluation"], origin, where))
        costs = costs_of(frame)
        for column, name in (("gaussian_error", "Gaussian error"), ("closed_form", "the closed form")):
            ratio = costs.assign(value=_ratio(costs[column], costs["least"]))
            title = f"cost at the window of {name} / least on the grid, {how}, worst"
            rows.append(_worst(title, ratio, ["update", "evaluation"], origin, where))
        own = costs[costs["evaluation"] == costs["evaluation"].max()]
        widest = own.assign(value=own["best_width"])
        title = f"best half width at the network's own cost of exact delight, deviations of the error, {how}, widest"
        rows.append(_worst(title, widest, ["update"], origin, where))
        rows.extend(_by_policy(frame, how, origin, where))
    return rows


def _by_policy(frame: pd.DataFrame, how: str, origin: str, where: dict[str, Value]) -> Iterator[Measured]:
    """Yield the error's law, recall and forward passes at each policy."""
    for update, at in frame.groupby("update"):
        point: dict[str, Value] = where | {"updates": int(str(update))}
        name = f"{how}, after {int(str(update)):,} updates"
        law = at.groupby("seed").first()
        for title, values in (
            ("deviation of the score's error near the price over the price", law["noise"] / law["cost"]),
            ("mean of the score's error near the price, deviations", law["bias"] / law["noise"]),
            ("excess kurtosis of the score's error near the price", law["kurtosis"]),
            ("score's error beyond three deviations (percent)", 100 * law["tails"]),
        ):
            yield _row(f"{title}, {name}", values, origin, point)
        windows = windows_of(at)
        for width in (0.0, 3.0):
            chosen = windows[windows["width"] == width].set_index("seed")
            wide: dict[str, Value] = point | {"w/τ": width}
            yield _row(f"recall, w = {width:g}τ, {name}", chosen["recall"], origin, wide)
            if width > 0:
                title = f"exact delights (percent), w = {width:g}τ, {name}"
                yield _row(title, 100 * chosen["evaluated"], origin, wide)
        for column, title in (("", "forward passes at 99 % recall"), ("predicted_", "the same by Gaussian error")):
            spent = forward_passes(windows, column)
            yield _row(f"{title}, {name}", spent, origin, point | {"threshold": RECALL})


def price_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return, of each screener, what it misses and wastes at a predicted price over the least on a grid of prices.

    Parameters
    ----------
    table : DataFrame
        As :func:`simulations.mnist.cascade.study.run` makes it, of all contenders.
    origin : str
    """
    rows: list[Measured] = []
    for label, frame in table.groupby("label", sort=False):
        how, where = str(label).partition(", screened ")[2], method_of(str(label))
        prices = frame[(frame["choice"] == "grid") & (frame["width"] == 0)]
        keys = ["seed", "update"]
        lost = prices["missed"] + prices["wasted"]
        told = prices["predicted_missed"] + prices["predicted_wasted"]
        least = lost.groupby([prices[key] for key in keys]).min()
        chosen = prices.loc[told.groupby([prices[key] for key in keys]).idxmin()].set_index(keys)
        formula = frame[frame["choice"] == "price"].set_index(keys)
        raw = lost[prices["offset"] == 0].set_axis(pd.MultiIndex.from_frame(prices.loc[prices["offset"] == 0, keys]))
        for name, at in (("Gaussian error", chosen), ("the closed form", formula)):
            spent = (at["missed"] + at["wasted"]).reindex(least.index)
            ratio = _ratio(spent, least).rename("value").reset_index()
            title = f"missed and wasted at the price of {name} / least on the grid, {how}, worst"
            rows.append(_worst(title, ratio, ["update"], origin, where))
            for update, part in _by_update(at["offset"]):
                title = f"price of {name} less the cost, deviations of the error, {how}, after {update:,} updates"
                rows.append(_row(title, part, origin, where | {"updates": update}))
            for update, part in _by_update(_ratio(spent, raw.reindex(least.index))):
                title = (
                    f"missed and wasted at the price of {name} / at the cost itself, {how}, after {update:,} updates"
                )
                rows.append(_row(title, part, origin, where | {"updates": update}))
        best = prices.loc[lost.groupby([prices[key] for key in keys]).idxmin()].set_index(keys)
        for update, part in _by_update(best["offset"]):
            title = f"price of the least missed and wasted, likewise, {how}, after {update:,} updates"
            rows.append(_row(title, part, origin, where | {"updates": update}))
    return rows


def _by_update(values: pd.Series) -> Iterator[tuple[int, pd.Series]]:
    """Yield each number of updates with its values."""
    for update, part in values.groupby("update"):
        yield int(str(update)), part


def _ratio(cost: pd.Series, least: pd.Series) -> pd.Series:
    """Return what something costs over the least; 1 where nothing is lost by either, ∞ where only the least is 0."""
    return (cost / least.where(least > 0)).where(least > 0, np.where(cost > 0, np.inf, 1.0))


def _worst(title: str, frame: pd.DataFrame, by: list[str], origin: str, where: dict[str, Value]) -> Measured:
    """Return the largest of the medians over seeds of ``value``."""
    groups = {place: part.sort_values("seed")["value"].to_numpy() for place, part in frame.groupby(by)}
    worst: Any = max(groups, key=lambda place: float(np.median(groups[place])))
    place = ", ".join(f"{name} {value:g}" for name, value in zip(by, np.atleast_1d(worst), strict=True))
    return _row(title, groups[worst], f"{origin}; at {place}", where)


def _row(name: str, values: pd.Series | np.ndarray, origin: str, parameters: dict[str, Value]) -> Measured:
    found = bootstrap(np.asarray(values, dtype=np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
