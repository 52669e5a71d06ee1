"""Figures of the experiments, drawn from result tables: nothing here trains anything, and nothing imports torch."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from paper_figs.style import PANEL, label_panels, legend_beside, method_style
from paper_figs.tables import measured
from simulations.mnist.tables import LEARNING_CURVES
from simulations.statistics import bootstrap

__all__ = ["mnist_quality"]


def mnist_quality() -> Figure:
    """Test error on the MNIST bandit against forward and against backward samples, every seed and the median."""
    table = measured("mnist-learning-curves", *LEARNING_CURVES)
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 1.2, PANEL[1] + 0.3), sharey=True)
    for ax, column, title in (
        (axes[0], "forward_samples", "equal forward passes"),
        (axes[1], "backward_samples", "equal backward passes"),
    ):
        learning_curves(ax, table.frame, column)
        ax.set(xlabel=f"{column.replace('_', ' ')} (count)", title=title, xscale="log", yscale="log")
    axes[0].set_ylabel("greedy test error (percent)")
    ticks = [2, 3, 5, 10, 20, 50]
    axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    axes[0].set_ylim(2, 60)
    axes[0].yaxis.set_minor_locator(NullLocator())
    n_seeds = table.frame["seed"].nunique()
    legend_beside(
        axes[1],
        title=f"thick: median of {n_seeds} seeds, band: 95 %\nbootstrap interval, thin: every seed",
    )
    label_panels(list(axes))
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
        ax.plot(x, [i.value for i in intervals], style.line, color=style.colour, label=str(label))
        low, high = np.array([i.low for i in intervals]), np.array([i.high for i in intervals])
        ax.fill_between(x, low, high, color=style.colour, alpha=0.15, linewidth=0)
