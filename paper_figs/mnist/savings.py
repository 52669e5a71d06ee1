"""Figure of when the Kondo gate saves seconds on the MNIST bandit, drawn from the committed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.cost import PUBLISHED_SPEEDUPS
from paper_figs.arranging import label_at
from paper_figs.marks import REFERENCE, draw_published
from paper_figs.mnist.quality import GATE
from paper_figs.panels import caption, finding, panels
from paper_figs.ratio_maps import ratio_map
from paper_figs.style import method_style
from paper_figs.tables import measured
from paper_figs.wording import number, percent
from simulations.mnist.tables import LEARNING_CURVES, speedups
from simulations.results.tables import with_seconds
from simulations.statistics import bootstrap

__all__ = ["mnist_savings", "screened_over_full"]

_RATES = (0.03, 0.3)


def mnist_savings() -> Figure:
    """Show the speed-up to 5 % error against c, and maps of a screened step's seconds over a full one's."""
    curves = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    steps = with_seconds(measured("mnist-cost", "mnist-cost-paper", "mnist-cost-quick"))
    steps = steps[(steps["seeds"] == 1) & (steps["dtype"] == "float32")]
    figure, axes = panels(3, height=2.4)
    for ax, rate in zip(axes, _RATES, strict=False):
        ratios = screened_over_full(steps, rate)
        ratio_map(ax, ratios)
        saving, most = int((ratios < 1).sum().sum()), float(ratios.min().min())
        finding(ax, f"Keeping {percent(rate, 1)}: {saving} of {ratios.count().sum()} sizes save, down to "
                    f"{number(most)} of the seconds")  # fmt: skip
        ax.set(xlabel="batch size", ylabel="width of the hidden layers")
    _speedup(axes[2], curves)
    n_seeds = curves["seed"].nunique()
    arrived = speedups(curves, GATE, np.zeros(1))[1]
    caption(f"""(a, b) Seconds of a screened step of the MNIST network over a full one's, medians of rounds on one CPU
        thread, float32, at two gate rates; bold: they break even; no number: not measured. (c) PG's cost to 5 % error
        over a method's, median of {n_seeds} seeds with its 95 % bootstrap interval, against the backward cost c in
        forward passes; lower bounds, as {arrived.sum()} of {n_seeds} seeds of PG got there in
        {curves["update"].max():,} updates; stars: published, {GATE}; dotted:
        published, DG.""")
    return figure


def screened_over_full(steps: pd.DataFrame, rate: float) -> pd.DataFrame:
    """Return the median over rounds of a screened step's seconds over a full one's, by width and batch size."""
    found: dict[tuple[int, int], float] = {}
    for _, rows in steps.groupby(["width", "batch_size"]):
        full = rows[rows["variant"] == "full"]
        screened = rows[(rows["variant"] == "screened") & (rows["rate"] == rate)]
        if len(full) and len(screened):
            rounds = np.array(screened["seconds"].iloc[0]) / np.array(full["seconds"].iloc[0])
            size = int(rows["width"].iloc[0]), int(rows["batch_size"].iloc[0])
            found[size] = float(np.median(rounds))
    return pd.Series(found).unstack()


def _speedup(ax: Axes, curves: pd.DataFrame) -> None:
    """Draw PG's cost to 5 % error over a method's, the median over seeds with its interval."""
    c = np.linspace(0, 16, 33)
    ends = {}
    for label in (GATE, "DG"):
        intervals = [bootstrap(row, n_resamples=2_000) for row in speedups(curves, label, c)[0]]
        value, low, high = np.array([(each.value, each.low, each.high) for each in intervals]).T
        colour = method_style(label).colour
        ax.plot(c, value, color=colour, label=label)
        ax.fill_between(c, low, high, color=colour, alpha=0.2, lw=0)
        ends[label] = value[-1]
    draw_published(ax, PUBLISHED_SPEEDUPS)
    ax.annotate("published", list(PUBLISHED_SPEEDUPS.items())[-1], (5, -4), textcoords="offset points", va="top",
                ha="center")  # fmt: skip
    ax.plot([0, 16], [2, 2], "k:", lw=0.8, gid=REFERENCE)
    ax.set(xlabel="backward cost c", ylabel="cost of PG / cost", ylim=0, xlim=(0, 16))
    label_at(ax, {GATE: (9, -12, 9), "DG": (13, 0, 4)})
    finding(ax, f"Counted in passes, 5 % error costs {number(ends[GATE])} times less at c = {c[-1]:g}")
