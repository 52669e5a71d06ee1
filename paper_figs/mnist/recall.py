"""What cheap screeners and noise on delight keep of what exact delight would, drawn from committed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtr

from paper_figs.arranging import label_curves
from paper_figs.marks import draw_measured, mark_measured
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import measured
from paper_figs.wording import number, percent

__all__ = ["mnist_recall", "noisy", "screeners_of", "seeds"]

_GATE = "DG-K(3 %)"


def mnist_recall() -> Figure:
    """Show recall of the exact top 3 % by screener and under noise, and what zero price would keep under noise."""
    noise = measured("mnist-noise", "mnist-noise-paper", "mnist-noise-quick").frame
    screened = measured("mnist-screeners", "mnist-screeners-paper", "mnist-screeners-quick").frame
    figure, axes = panels(4, height=2.2)
    _recall_of_screeners(axes[0], screened)
    _recall_under_noise(axes[1], noise, "relative")
    _recall_under_noise(axes[2], noise, "additive")
    _shares_under_noise(axes[3], noise)
    caption(f"""What approximate delight keeps on the MNIST bandit, along the training of {_GATE}. (a) Recall of the
        exact top 3 % by what screens the batch, median of {seeds(screened)} with their quartiles. (b, c) Recall under
        noise of standard deviation τ|χ| and τ on delight χ, mean of {seeds(noise)}; lines: theory, from each image's
        exact delight. (d) What zero price would keep of right and wrong samples; lines: Φ(±1/τ) (sure answers,
        χ = 0, stay out). Filled points: measured on networks.""")
    return figure


def seeds(frame: pd.DataFrame) -> str:
    """Return how many seeds a table has, in words."""
    return f"{frame['seed'].nunique()} seeds"


def screeners_of(frame: pd.DataFrame, method: str) -> dict[str, str]:
    """Return the short name of what screens for a method, by the table's label; the exact pass first."""
    start = f"{method}, screened "
    words = (("by parameters ", ""), ("by a network of width", "network of width"), ("in ", ""))
    found = {method: "exact"}
    for label in frame["label"].unique():
        if label.startswith(start):
            name = label.removeprefix(start)
            for old, new in words:
                name = name.replace(old, new)
            found[label] = name
    return found


def noisy(frame: pd.DataFrame, method: str, kind: str) -> dict[float, pd.DataFrame]:
    """Return the rows of a method under one kind of noise, by τ."""
    rows = frame[(frame["screener"] == kind) & frame["label"].str.startswith(f"{method},")]
    return {float(str(value)): group for value, group in rows.groupby("value")}


def _style(name: str) -> MethodStyle:
    kind = "parameters" if name.endswith("old") else "network" if name.startswith("network") else name
    return method_style(f"screened: {kind}")


def _recall_of_screeners(ax: Axes, frame: pd.DataFrame) -> None:
    last = {}
    for label, name in screeners_of(frame, _GATE).items():
        if name == "exact":
            continue
        recall = frame[frame["label"] == label].groupby("update")["recall"]
        low, median, high = (recall.quantile(q) for q in (0.25, 0.5, 0.75))
        draw_measured(ax, np.asarray(median.index), median, low, high, _style(name), marks=6, label=name)
        last[name] = float(median.iloc[-1])
    best, worst = (choose(last, key=lambda name: last[name]) for choose in (max, min))
    ax.set(xlabel="updates", ylabel="recall of the exact top 3 %", ylim=(0, 1.05))
    label_curves(ax)
    finding(ax, f"In the end {best} finds {percent(last[best])} of what is worth keeping, "
                f"a {worst} {percent(last[worst])}")  # fmt: skip


def _recall_under_noise(ax: Axes, frame: pd.DataFrame, kind: str) -> None:
    """Draw recall along the training against the noisy gate's prediction from each image's exact delight."""
    groups, gaps = noisy(frame, _GATE, kind), []
    for (value, rows), colour in zip(groups.items(), shades(len(groups)), strict=True):
        means = rows.groupby("update")[["recall", "predicted_recall"]].mean()
        name = f"τ = {value:g}" + (" |χ|" if kind == "relative" else "")
        mark_measured(ax, means.index, means["recall"], MethodStyle(colour, "o"), ms=3)
        ax.plot(means.index, means["predicted_recall"], "-", color=colour, label=name)
        gaps.append(float((means["recall"] - means["predicted_recall"]).abs().max()))
    ax.set(xlabel="updates", ylabel="recall of the exact top 3 %", ylim=(0, 1.05))
    label_curves(ax)
    words = "in proportion to delight" if kind == "relative" else "of one size"
    finding(ax, f"With noise {words} recall is within {number(max(gaps), 1)} of the predicted")


def _shares_under_noise(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw what zero price would keep of right and wrong samples under relative noise, and Φ(±1/τ)."""
    groups = noisy(frame, _GATE, "relative")
    line, gaps = np.linspace(0.05, 1.1 * max(groups), 100), []
    for side, sign, style in (("right", 1, method_style("zero price")), ("wrong", -1, method_style("PG"))):
        ax.plot(line, ndtr(sign / line), color=style.colour, label=f"{side}: Φ({'−' if sign < 0 else ''}1/τ)")
        for value, rows in groups.items():
            shares = rows.groupby("seed")[f"kept_{side}"].mean()
            mark_measured(ax, value, shares.mean(), style)
            gaps.append(abs(float(shares.mean() - ndtr(sign / value))))
    ax.set(
        xlabel="relative noise τ on delight", ylabel="share kept at zero price", ylim=(-0.03, 1.05), xlim=(0, None)
    )
    label_curves(ax)
    finding(ax, f"Zero price keeps right and wrong samples as Φ(±1/τ) says, within {number(max(gaps), 1)}")
