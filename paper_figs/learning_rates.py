"""Figures of the final error against the learning rate: every seed, and the median over seeds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.reversal.style import SEEN, reversal_style
from paper_figs.style import PANEL, MethodStyle, legend_beside, method_style, shown
from paper_figs.tables import reversal_curves, table
from simulations.mnist.summary import FINAL_EVALUATIONS as MNIST_EVALUATIONS
from simulations.reversal.summary import FINAL_EVALUATIONS

__all__ = ["mnist_learning_rate", "reversal_learning_rate"]


def mnist_learning_rate() -> Figure:
    """Show the final test error on the MNIST bandit, from the sweep of that name."""
    frame = table("mnist-learning-rate")
    figure, ax = _figure()
    _draw(ax, _finals(frame, "test_error", MNIST_EVALUATIONS), {str(x): method_style(str(x)) for x in _labels(frame)})
    ax.axvline(1e-3, color="0.7", lw=0.8, ls=":", zorder=0)
    ax.set(xlabel="Adam's learning rate (dotted: the published 1e-3)", ylabel="final test error (percent)")
    ax.set_title(f"{frame['seed'].nunique()} seeds (pale), their median; {frame['update'].max():,} updates")
    legend_beside(ax)
    return figure


def reversal_learning_rate() -> Figure:
    """Show the final token error on token reversal, from the study of that name."""
    frame = reversal_curves("learning-rate").frame
    finals = _finals(frame, "token_error", FINAL_EVALUATIONS)
    figure, ax = _figure()
    finals["error"] = finals["error"].clip(lower=100 * SEEN)
    _draw(ax, finals, {str(label): reversal_style(str(label)) for label in _labels(frame)})
    ax.axvline(3e-4, color="0.7", lw=0.8, ls=":", zorder=0)
    ax.axhline(100 * SEEN, color="0.7", lw=0.8, ls=":", zorder=0)
    ax.text(1e-3, 90 * SEEN, "one wrong token, or none", fontsize=7, color="0.4", va="top", ha="right")
    ax.set_ylim(bottom=60 * SEEN)
    ax.set(xlabel="Adam's learning rate (dotted: the protocol's 3e-4)", ylabel="final token error (percent)")
    ppo = frame.loc[frame["label"] == "PPO", "seed"].nunique()
    ax.set_title(
        f"{frame['seed'].nunique()} seeds (pale; PPO {ppo}), their median; {frame['update'].max():,} updates"
    )
    legend_beside(ax)
    return figure


def _figure() -> tuple[Figure, Axes]:
    return plt.subplots(figsize=(PANEL[0] + 1.8, PANEL[1] + 0.3))


def _labels(frame: pd.DataFrame) -> list[object]:
    return list(frame["label"].unique())


def _finals(frame: pd.DataFrame, column: str, evaluations: int) -> pd.DataFrame:
    """Return label, learning_rate, seed and error: percent, the mean of a run's last evaluations."""
    errors = frame.sort_values("update").groupby(["label", "learning_rate", "seed"], sort=False)[column]
    return (100 * errors.apply(lambda values: values.tail(evaluations).mean())).rename("error").reset_index()


def _draw(ax: Axes, finals: pd.DataFrame, styles: dict[str, MethodStyle]) -> None:
    for number, (label, style) in enumerate(styles.items()):
        rows = finals[finals["label"] == label]
        beside = 1.03 ** (number - (len(styles) - 1) / 2)  # equal learning rates, side by side
        ax.plot(beside * rows["learning_rate"], rows["error"], style.marker, color=style.colour, alpha=0.35, ms=3)
        median = rows.groupby("learning_rate")["error"].median()
        x = beside * np.asarray(median.index)
        ax.plot(
            x,
            median,
            style.line,
            marker=style.marker,
            color=style.colour,
            label=shown(label),
        )
    ax.set(xscale="log", yscale="log")
    rates = sorted(finals["learning_rate"].unique())
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    low, high = finals["error"].min(), finals["error"].max()
    ticks = [tick for power in range(-3, 2) for tick in (10.0**power, 3 * 10.0**power) if low / 2 < tick < 2 * high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
