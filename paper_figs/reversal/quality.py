"""Error of token reversal along training, drawn from the committed tables: nothing here trains or imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import label_at, label_curves
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import TOTAL, protocol_seconds, reversal_style
from paper_figs.style import shown
from paper_figs.tables import reversal_curves, step_times
from paper_figs.wording import count, number, percent
from simulations.errors import ResultError
from simulations.results.tables import with_seconds
from simulations.reversal.summary import final, spent_to_error
from simulations.statistics import bootstrap

__all__ = ["reversal_quality", "reversal_quality_supplement"]

_NO_ERROR = 1e-4
"""The smallest error that is drawn, and where smaller ones are: one token of an evaluation."""
_BINS = 10
"""Bins a decade of updates."""
_SHOWN = ("PG", "DG", "zero-price", "row gate(3 %)", "token gate(3 %)")
_TARGET = 0.01
_COSTS = {
    "forward_rows": "answers sampled",
    "backward_tokens": "tokens kept, each time",
    "processed_tokens": "positions through forward and backward",
    "seconds": "seconds, one CPU thread",
}


def reversal_quality() -> Figure:
    """Draw token error against answers sampled and tokens kept, of the five methods that the claims compare."""
    frame = reversal_curves("quality").frame
    frame = frame[frame["label"].isin(_SHOWN)]
    figure, (sampled, kept) = panels(2, height=2.5, sharey=True)
    binned = _binned(frame)
    for ax, column in ((sampled, "forward_rows"), (kept, "backward_tokens")):
        _draw(ax, binned, column)
    kept.set_ylabel("")
    _sampling_found(sampled, frame)
    _kept_found(kept, frame)
    label_curves(sampled)
    label_at(kept, {"row gate(3 %)": (4e4, -4, -3), "token gate(3 %)": (np.inf, 3, -4)})
    caption(f"""Token error of sampled answers on token reversal, prompts of ten tokens of two kinds, against answers
        sampled (a) and tokens kept for a backward pass (b). {_how(frame)}""")
    return figure


def _sampling_found(ax: Axes, frame: pd.DataFrame) -> None:
    """Say what the token gate ends at, and within how many answers the others reach the target."""
    token = frame[frame["label"] == "token gate(3 %)"]
    spent = [_spent(frame, label, "forward_rows") for label in _SHOWN if label != "token gate(3 %)"]
    finding(
        ax,
        f"The token gate stays at {percent(float(np.median(final(token, 'token_error'))))} error; the others fall "
        f"below {percent(_TARGET, 1)} within {number(max(spent))} answers",
    )


def _kept_found(ax: Axes, frame: pd.DataFrame) -> None:
    """Say how many times fewer kept tokens zero price and the row gate need."""
    full = _spent(frame, "PG", "backward_tokens")
    zero, row = (full / _spent(frame, label, "backward_tokens") for label in ("zero-price", "row gate(3 %)"))
    finding(
        ax,
        f"To {percent(_TARGET, 1)} error zero price keeps {number(zero)} times fewer tokens than PG, "
        f"the row gate {number(row)} times fewer",
    )


def _spent(frame: pd.DataFrame, label: str, column: str) -> float:
    """Return what a method's median seed has spent at the target error; infinite if it does not reach it."""
    return float(np.median(spent_to_error(frame[frame["label"] == label], _TARGET, column)))


def reversal_quality_supplement() -> Figure:
    """Draw token error of every method against answers, kept and processed tokens, and seconds."""
    frame = reversal_curves("quality").frame
    rounds = protocol_seconds(with_seconds(step_times("CPU")["CPU"]))
    if lacking := sorted(set(frame["label"]) - set(rounds)):
        raise ResultError(f"table reversal-step-times has no time of {', '.join(lacking)}")
    times = {label: float(np.median(seconds[:, TOTAL])) for label, seconds in rounds.items()}
    frame = frame.assign(seconds=frame["update"] * frame["label"].map(times))
    figure, axes = panels(4, height=2.2, sharey=True)
    binned = _binned(frame)
    for ax, column in zip(axes, _COSTS, strict=True):
        _draw(ax, binned[binned[column] > 0], column)
        spent = {label: _spent(frame, label, column) for label in frame["label"].unique()}
        best = min(spent, key=lambda label: spent[label])
        unit = _COSTS[column].partition(" ")[0].rstrip(",")
        finding(ax, f"To {percent(_TARGET, 1)} error {shown(best)} needs the least, {number(spent[best])} {unit}")
    legend_below(axes[:1])
    caption(f"""Token error of sampled answers on token reversal, prompts of ten tokens of two kinds, against answers
        sampled (a), tokens kept (b), positions processed (c), and seconds (d: updates by the median time of one in an
        interleaved run, evaluation apart). {_how(frame)}""")
    return figure


def _how(frame: pd.DataFrame) -> str:
    seeds = count(frame.groupby("label")["seed"].nunique())
    return f"""Filled points: measured on networks, medians of {seeds} seeds with 95 % bootstrap intervals as bands;
        each value is a seed's mean over a bin of updates, {_BINS} a decade; errors below {percent(_NO_ERROR, 1)} are
        drawn there."""


def _binned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each run's means over bins of updates that are equally wide in its logarithm."""
    frame = frame[frame["update"] > 0]
    group = (_BINS * np.log10(frame["update"])).round().rename("bin")
    numbers = ["token_error", *(column for column in _COSTS if column in frame)]
    return frame.groupby(["label", "seed", group], sort=False)[numbers].mean().reset_index()


def _draw(ax: Axes, frame: pd.DataFrame, column: str) -> None:
    """Draw each method's median error in a bin against what it had spent there."""
    for label, runs in frame.groupby("label", sort=False):
        errors = runs.pivot(index="bin", columns="seed", values="token_error").clip(lower=_NO_ERROR)
        spent: Any = runs.pivot(index="bin", columns="seed", values=column).median(axis=1).to_numpy()
        found = [bootstrap(row, n_resamples=1_000) for row in errors.to_numpy()]
        median, low, high = np.array([(i.value, i.low, i.high) for i in found]).T
        draw_measured(ax, spent, median, low, high, reversal_style(str(label)), marks=8, label=shown(label))
    ax.set(xscale="log", yscale="log", ylim=(0.8 * _NO_ERROR, 0.7), xlabel=_COSTS[column])
    ax.set_ylabel("token error (percent)")
    ticks = [0.001, 0.01, 0.1, 0.5]
    ax.set_yticks([_NO_ERROR, *ticks], [f"≤ {100 * _NO_ERROR:g}", *(f"{100 * tick:g}" for tick in ticks)])
    ax.tick_params(axis="y", which="minor", length=0)
    reference(ax, y=_TARGET)
