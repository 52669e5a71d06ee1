"""What windows and prices on cheap scores do on the MNIST bandit beside Gaussian error, from a committed table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import stack_names
from paper_figs.marks import draw_measured, reference
from paper_figs.mnist.recall import seeds
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import measured
from paper_figs.wording import number, percent
from simulations.mnist.cascade.summary import RECALL, forward_passes, windows_of

__all__ = ["mnist_cascade"]

_NAMES = {"bfloat16": "bfloat16", "int8": "int8", "distilled": "network"}
_WIDEST = 4.0  # deviations


def mnist_cascade() -> Figure:
    """Show recall by window late in training, forward passes for 99 % recall, and prices without a window."""
    frame = measured("mnist-cascade", "mnist-cascade-paper", "mnist-cascade-quick").frame
    updates = sorted(frame["update"].unique())
    figure, (recall, passes, prices) = panels(3, height=2.4)
    _recall(recall, frame[frame["update"] == updates[-1]])
    _passes(passes, frame)
    _prices(prices, frame[(frame["screener"] == "distilled") & (frame["update"] == updates[1])])
    caption(f"""Cheap scores of all samples on the MNIST bandit, exact delight within a window of the price: c, what
        the top 3 % of exact delight exceeds; τ, the deviation of the score's error near c. (a) Recall of that top 3 %
        against half the window, after {updates[-1]:,} updates. (b) Exact forward passes a sample, the score's own
        price included, of the first window with {percent(RECALL)} recall; dotted: exact delight for all. (c) Missed
        and wasted delight in units of c without a window, against the price on scores by a network of width 16, after
        {updates[1]:,} updates. Lines without points: Gaussian error of deviation τ on the measured delights (in c
        with its least marked by a dotted line). Filled points: medians of {seeds(frame)} with their quartiles.""")
    return figure


def _style(screener: str) -> MethodStyle:
    return method_style(f"screened: {_NAMES[screener]}")


def _quartiles(frame: pd.DataFrame, by: str, column: str) -> list[pd.Series]:
    groups = frame.groupby(by)[column]
    return [groups.quantile(q) for q in (0.5, 0.25, 0.75)]


def _recall(ax: Axes, frame: pd.DataFrame) -> None:
    windows = windows_of(frame)
    windows = windows[windows["width"] <= _WIDEST]
    gaps = {}
    for screener, name in _NAMES.items():
        rows = windows[windows["screener"] == screener]
        median, low, high = _quartiles(rows, "width", "recall")
        told = rows.groupby("width")["predicted_recall"].median()
        style = _style(screener)
        ax.plot(told.index, told, "-", color=style.colour, lw=0.8)
        draw_measured(ax, np.asarray(median.index), median, low, high, style, ls="")
        ax.plot([], [], color=style.colour, label=name)
        gaps[name] = 100 * float((median - told).abs().max())
    ax.set(xlabel="w/τ", ylabel="recall", ylim=(0.4, 1.03))
    stack_names(ax, (0.97, 0.05))
    finding(ax, f"Gaussian error is off by {number(max(gaps['bfloat16'], gaps['int8']), 1)} points at most in low "
                f"precision, by {number(gaps['network'])} for a network")  # fmt: skip


def _passes(ax: Axes, frame: pd.DataFrame) -> None:
    last = {}
    for screener, name in _NAMES.items():
        rows = windows_of(frame[frame["screener"] == screener])
        spent = pd.concat(
            [forward_passes(at).to_frame("passes").assign(update=update) for update, at in rows.groupby("update")]
        )
        median, low, high = _quartiles(spent, "update", "passes")
        draw_measured(ax, np.asarray(median.index), median, low, high, _style(screener), label=name)
        last[name] = float(median.iloc[-1])
    reference(ax, y=1)
    ax.set(xscale="log", xlabel="updates", ylabel="forward passes", ylim=(0, None))
    finding(ax, f"In the end a network's cascade takes {number(last['network'])} passes, in bfloat16 "
                f"{number(last['bfloat16'])}")  # fmt: skip


def _prices(ax: Axes, frame: pd.DataFrame) -> None:
    rows = frame[(frame["choice"] == "grid") & (frame["width"] == 0) & (frame["offset"] >= -1)]
    rows = rows.assign(lost=rows["missed"] + rows["wasted"], told=rows["predicted_missed"] + rows["predicted_wasted"])
    median, low, high = _quartiles(rows, "offset", "lost")
    told = rows.groupby("offset")["told"].median()
    style = _style("distilled")
    ax.plot(told.index, told, "-", color=style.colour, lw=0.8)
    draw_measured(ax, np.asarray(median.index), median, low, high, style, ls="")
    best = float(told.index[int(told.argmin())])
    reference(ax, x=best)
    ax.set(yscale="log", xlabel="(price − c)/τ", ylabel="missed and wasted, over c")
    finding(ax, f"The predicted price, c + {number(best)}τ, loses "
                f"{percent(float(median[best] / median[0.0]), 2)} of what c does")  # fmt: skip
