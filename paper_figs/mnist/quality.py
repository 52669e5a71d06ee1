"""Figure of the learning curves of the MNIST bandit, drawn from result tables: nothing here trains anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from paper_figs.arranging import label_curves
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shown
from paper_figs.tables import measured
from paper_figs.wording import number, percent
from simulations.mnist.summary import final_error, samples_to_error, total_samples
from simulations.mnist.tables import LEARNING_CURVES

__all__ = ["GATE", "TARGET", "backward_samples", "error_axis", "learning_curves", "mnist_quality", "saving_arrow"]

GATE = "DG-K(3 %)"
TARGET = 0.05
"""Test error to which backward samples are counted."""
_SHOWN = ("PG", "DG", GATE, "zero-price")
_STUCK = 0.10
"""Final test error above which a seed counts as stuck."""


def mnist_quality() -> Figure:
    """Test error on the MNIST bandit against forward and against backward samples, median and quartiles of seeds."""
    frame = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    lacking = [label for label in _SHOWN if label not in set(frame["label"])]
    if lacking:
        raise KeyError(", ".join(lacking))
    figure, (forward, backward) = panels(2, height=2.5, sharey=True)
    learning_curves(forward, frame, "forward_samples", _SHOWN)
    forward.set_ylabel("greedy test error (percent)")
    errors = {label: float(np.median(final_error(frame, label))) for label in _SHOWN}
    ends = ", ".join(f"{label} at {percent(errors[label])}" for label in (GATE, "DG", "PG"))
    finding(forward, f"At equal forward passes the error ends for {ends}")
    _stuck(forward, frame)
    learning_curves(backward, frame, "backward_samples", _SHOWN)
    error_axis(forward)
    label_curves(forward)
    fewer = saving_arrow(backward, frame)
    finding(backward, f"{GATE} reaches {percent(TARGET, 1)} error with {fewer} backward samples than PG")
    own = next(line for line in backward.lines if line.get_label() == GATE)
    label_curves(backward, [line for line in backward.lines if line.get_label() in ("PG", "DG", "zero price")])
    x, y = (np.asarray(each, dtype=np.float64) for each in own.get_data())
    backward.annotate(GATE, (x[-1], y[-1]), (0, -3), textcoords="offset points", va="top", ha="center",
                      color=own.get_color())  # fmt: skip
    caption(f"""Greedy test error on the MNIST bandit against forward samples (a) and backward samples (b), over
        {frame["update"].max():,} updates of {frame["batch_size"].max():,} images. Filled points: median of
        {frame["seed"].nunique()} seeds, measured on networks; bands: quartiles of the seeds. Arrow: the median over
        seeds of PG's backward samples to {percent(TARGET, 1)} error over those of {GATE}; a seed of PG that never
        gets there counts with all that it spent, so that the ratio is a lower bound. A seed is stuck if its final
        error is above {percent(_STUCK, 1)}.""")
    return figure


def learning_curves(ax: Axes, frame: pd.DataFrame, column: str, labels: Sequence[str]) -> None:
    """Draw test error (percent) against cumulative samples: the median over seeds with a band of their quartiles."""
    for label in labels:
        runs = frame[(frame["update"] > 0) & (frame["label"] == label)]
        errors = 100 * runs.pivot(index="update", columns="seed", values="test_error")
        # Seeds spend nearly the same at equal updates: the median of both is one point a number of updates.
        spent = runs.groupby("update")[column].median()
        chosen = _evenly(spent.to_numpy(np.float64))
        x, median, low, high = (
            each.iloc[chosen] for each in (spent, *(errors.quantile(q, axis=1) for q in (0.5, 0.25, 0.75)))
        )
        draw_measured(ax, x, median, low, high, method_style(label), marks=8, label=shown(label))
    ax.set(xlabel=f"{column.replace('_', ' ')} (count)", xscale="log", yscale="log")


def _evenly(x: NDArray[np.float64], points: int = 40) -> NDArray[np.intp]:
    """Return which values of a rising sequence stand nearest to even steps of its logarithm."""
    wanted = np.geomspace(x[0], x[-1], points)
    return np.unique(np.abs(np.log(x)[:, None] - np.log(wanted)).argmin(axis=0))


def error_axis(ax: Axes) -> None:
    """Let a logarithmic axis of errors say percent in plain numbers."""
    ticks = [2, 3, 5, 10, 20, 50]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.set_ylim(2, 60)
    ax.yaxis.set_minor_locator(NullLocator())


def backward_samples(frame: pd.DataFrame, label: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return each seed's backward samples to the target, all that it spent if it never got there, and which did."""
    samples = samples_to_error(frame, label, TARGET, "backward_samples")
    reached = np.isfinite(samples)
    return np.where(reached, samples, total_samples(frame, label, "backward_samples")), reached


def saving_arrow(ax: Axes, frame: pd.DataFrame, at: float = 0.3) -> str:
    """Draw an arrow at the target from PG's backward samples to the gate's, and return the ratio in words.

    The ratio stands above it, at so much of its length from the gate.
    """
    (pg, arrived), (ours, reached) = (backward_samples(frame, label) for label in ("PG", GATE))
    ratio = float(np.median(np.where(reached, pg / ours, 0.0)))
    fewer = f"{'' if arrived.all() else 'at least '}{number(ratio)} times fewer"
    start, end, level = float(np.median(pg)), float(np.median(ours)), 100 * TARGET
    arrow: Any = {"arrowstyle": "-|>", "color": "black", "lw": 1.0, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end, level), (start, level), arrowprops=arrow, zorder=4)
    ax.annotate(f"≥ {number(ratio)}× fewer" if not arrived.all() else f"{number(ratio)}× fewer",
                (start**at * end ** (1 - at), level), (0, 2), textcoords="offset points", ha="center",
                va="bottom")  # fmt: skip
    reference(ax, y=level)
    return fewer


def _stuck(ax: Axes, frame: pd.DataFrame) -> None:
    """Say which methods have seeds that stay at a high error, and how many."""
    finals = {label: final_error(frame, label) for label in _SHOWN}
    counts = {label: f"{(found > _STUCK).sum()} of {len(found)}" for label, found in finals.items()
              if (found > _STUCK).any()}  # fmt: skip
    if counts:
        said = "\n".join(f"{shown(label)}: {each}" for label, each in counts.items())
        ax.text(0.03, 0.03, f"stuck above {percent(_STUCK, 1)}\n{said} seeds", transform=ax.transAxes, va="bottom")
