"""Figures of the experiments, drawn from result tables: nothing here trains anything, and nothing imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from paper_figs.marks import draw_measured
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import method_style, shown
from paper_figs.tables import measured
from simulations.mnist.tables import LEARNING_CURVES
from simulations.statistics import bootstrap

__all__ = ["mnist_quality"]


def mnist_quality() -> Figure:
    """Test error on the MNIST bandit against forward and against backward samples, every seed and the median."""
    table = measured("mnist-learning-curves", *LEARNING_CURVES)
    figure, axes = panels(2, height=2.6, sharey=True)
    for ax, column, title in (
        (axes[0], "forward_samples", "equal forward passes"),
        (axes[1], "backward_samples", "equal backward passes"),
    ):
        learning_curves(ax, table.frame, column)
        ax.set(xlabel=f"{column.replace('_', ' ')} (count)", xscale="log", yscale="log")
        finding(ax, title)
    axes[0].set_ylabel("greedy test error (percent)")
    ticks = [2, 3, 5, 10, 20, 50]
    axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    axes[0].set_ylim(2, 60)
    axes[0].yaxis.set_minor_locator(NullLocator())
    legend_below(axes[:1])
    caption(f"""Greedy test error on the MNIST bandit against forward samples (a) and backward samples (b). Filled
        points: median of {table.frame["seed"].nunique()} seeds, measured on networks; bands: 95 % bootstrap intervals
        of the median; thin: every seed.""")
    return figure


def learning_curves(ax: Axes, frame: pd.DataFrame, column: str) -> None:
    """Draw test error (percent) against cumulative samples: each seed thin, the median thick with its interval."""
    for label, runs in frame[frame["update"] > 0].groupby("label", sort=False):
        style = method_style(str(label))
        errors = 100 * runs.pivot(index="update", columns="seed", values="test_error")
        spent = runs.pivot(index="update", columns="seed", values=column)
        for seed in errors.columns:
            ax.plot(spent[seed], errors[seed], color=style.colour, linewidth=0.4, alpha=0.35)
        # Seeds spend nearly the same at equal updates: the median of both is one point a number of updates.
        intervals = [bootstrap(row, n_resamples=2_000) for row in errors.to_numpy()]
        x: Any = spent.median(axis=1).to_numpy()
        median, low, high = np.array([(i.value, i.low, i.high) for i in intervals]).T
        draw_measured(ax, x, median, low, high, style, marks=8, label=shown(label))
