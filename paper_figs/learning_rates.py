"""Figures of the final error against the learning rate: every seed, and the median over seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import label_curves
from paper_figs.marks import mark_measured, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import SEEN, reversal_style
from paper_figs.style import MethodStyle, method_style, shown
from paper_figs.tables import reversal_curves, table
from paper_figs.wording import count, number
from simulations.mnist.summary import FINAL_EVALUATIONS as MNIST_EVALUATIONS
from simulations.reversal.summary import FINAL_EVALUATIONS

__all__ = ["mnist_learning_rate", "reversal_learning_rate"]

_PUBLISHED, _PROTOCOL = 1e-3, 3e-4


def mnist_learning_rate() -> Figure:
    """Show the final test error on the MNIST bandit, from the sweep of that name."""
    frame = table("mnist-learning-rate")
    figure, (ax,) = panels(1, height=2.6)
    finals = _finals(frame, "test_error", MNIST_EVALUATIONS)
    medians = _draw(ax, finals, {str(x): method_style(str(x)) for x in _labels(frame)})
    reference(ax, x=_PUBLISHED)
    ax.set(xlabel="Adam's learning rate (dotted: the published)", ylabel="final test error (percent)")
    best = medians.groupby(level=0).min()
    order = ", ".join(f"{shown(name)} {number(value)} %" for name, value in best.sort_values().items())
    finding(ax, f"Each at its best rate: {order}")
    label_curves(ax)
    caption(f"""Final test error on the MNIST bandit (mean of a run's last {MNIST_EVALUATIONS} evaluations) against
        Adam's learning rate: every seed pale, the median of {frame["seed"].nunique()} seeds joined;
        {frame["update"].max():,} updates of {count(frame["batch_size"])} samples. Filled points: measured on
        networks.""")
    return figure


def reversal_learning_rate() -> Figure:
    """Show the final token error on token reversal, from the study of that name."""
    frame = reversal_curves("learning-rate").frame
    finals = _finals(frame, "token_error", FINAL_EVALUATIONS)
    figure, (ax,) = panels(1, height=2.8)
    finals["error"] = finals["error"].clip(lower=100 * SEEN)
    medians = _draw(ax, finals, {str(label): reversal_style(str(label)) for label in _labels(frame)})
    reference(ax, x=_PROTOCOL)
    reference(ax, y=100 * SEEN)
    ax.text(3.4e-4, 90 * SEEN, "one wrong token, or none", color="0.4", va="top")
    ax.set_ylim(bottom=50 * SEEN)
    ax.set(xlabel="Adam's learning rate (dotted: the protocol's)", ylabel="final token error (percent)")
    token = medians.xs("token gate(3 %)", level="label")
    solved = [name for name, value in medians.groupby(level=0).min().items() if value < 1]
    finding(ax, f"At no rate does the token gate(3 %) get below {number(float(token.min()))} %; {len(solved)} of "
                f"{medians.index.get_level_values(0).nunique()} methods get below 1 %")  # fmt: skip
    legend_below([ax])
    seeds = frame.groupby("label")["seed"].nunique()
    caption(f"""Final token error on token reversal (mean of a run's last {FINAL_EVALUATIONS} evaluations) against
        Adam's learning rate: every seed pale, the median of {count(seeds)} seeds joined; {frame["update"].max():,}
        updates. Filled points: measured on networks.""")
    return figure


def _labels(frame: pd.DataFrame) -> list[object]:
    return list(frame["label"].unique())


def _finals(frame: pd.DataFrame, column: str, evaluations: int) -> pd.DataFrame:
    """Return label, learning_rate, seed and error: percent, the mean of a run's last evaluations."""
    errors = frame.sort_values("update").groupby(["label", "learning_rate", "seed"], sort=False)[column]
    return (100 * errors.apply(lambda values: values.tail(evaluations).mean())).rename("error").reset_index()


def _draw(ax: Axes, finals: pd.DataFrame, styles: dict[str, MethodStyle]) -> pd.Series[float]:
    """Draw every method's seeds and medians; return the medians by method and learning rate."""
    for place, (label, style) in enumerate(styles.items()):
        rows = finals[finals["label"] == label]
        beside = 1.03 ** (place - (len(styles) - 1) / 2)  # equal learning rates, side by side
        mark_measured(ax, beside * rows["learning_rate"], rows["error"], style, alpha=0.3, ms=2.5)
        median = rows.groupby("learning_rate")["error"].median()
        x = beside * np.asarray(median.index)
        mark_measured(ax, x, median, style, ls="-", label=shown(label))
    ax.set(xscale="log", yscale="log")
    rates = sorted(finals["learning_rate"].unique())
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    low, high = finals["error"].min(), finals["error"].max()
    ticks = [tick for power in range(-3, 2) for tick in (10.0**power, 3 * 10.0**power) if low / 2 < tick < 2 * high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    return finals.groupby(["label", "learning_rate"])["error"].median()
