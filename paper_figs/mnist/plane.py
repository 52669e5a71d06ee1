"""Figure of a batch on the plane of advantage and surprisal, where the gate draws its line, from a committed table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.mnist.batches import batch, price_of
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.wording import number

__all__ = ["mnist_batch"]

_GATE = "DG-K(3 %)"
_LEAST = 1e-3
"""Nats of surprisal: smaller ones are drawn there."""


def mnist_batch() -> Figure:
    """Draw advantage and surprisal of a batch early and late, with the curves of zero delight and of the price."""
    table = batch()
    rate = float(table.config["rate"])
    groups = list(table.frame.groupby("update"))
    figure, axes = panels(len(groups), height=2.6, sharex=True, sharey=True)
    most = 1.6 * float(table.frame["surprisal"].max())
    for ax, (update, frame) in zip(axes, groups, strict=True):
        _plane(ax, frame, rate, most)
        shown = frame["delight"].rank(ascending=False, method="first") <= round(rate * len(frame))
        right = frame["label"] == frame["action"]
        price = price_of(frame["delight"], int(shown.sum()))
        finding(ax, f"After {update:,} updates {right.sum()} of {len(frame)} are right, and keeping {shown.sum()} "
                    f"has the price λ = {number(price)}")  # fmt: skip
    axes[0].set_ylabel("surprisal −log π (nats)")
    caption(f"""Batches of {len(groups[0][1])} MNIST digits on the plane of advantage (reward less its expectation)
        and surprisal, one answer drawn for each, along the training of {_GATE} from one seed. Right and wrong answers
        are points measured on a network, triangles and crosses; kept ones, with the most delight, large and green.
        Dotted: zero delight, χ = 0; line: delight equal to the price, χ = λ, halfway between the last that is kept
        and the first that is not. Surprisals below {_LEAST:g} are drawn there.""")
    return figure


def _plane(ax: Axes, frame: pd.DataFrame, rate: float, most: float) -> None:
    kept = frame["delight"].rank(ascending=False, method="first") <= round(rate * len(frame))
    right = frame["label"] == frame["action"]
    surprisal = frame["surprisal"].clip(lower=_LEAST)
    looks: Any = (
        (right & ~kept, "^", "0.35", 3.5, "right"),
        (~right & ~kept, "x", "0.35", 3.5, "wrong"),
        (right & kept, "^", method_style(_GATE).colour, 7.0, "kept"),
        (~right & kept, "X", method_style(_GATE).colour, 7.0, "kept"),
    )
    for rows, marker, colour, size, name in looks:
        if not rows.any():
            continue
        ax.plot(frame["advantage"][rows], surprisal[rows], marker, color=colour, ms=size, ls="")
        place = (float(frame["advantage"][rows].median()), float(surprisal[rows].max()))
        ax.annotate(f"{rows.sum()} {name}", place, (0, 6), textcoords="offset points", ha="center", color=colour)
    price = price_of(frame["delight"], int(kept.sum()))
    line = np.geomspace(price / 1.2, most, 100)
    ax.plot(price / line, line, color=method_style(_GATE).colour, lw=1.0)
    reference(ax, x=0)
    ax.annotate("χ = 0", (0, 1), (2, -2), ("data", "axes fraction"), "offset points", va="top", color="0.4")
    ax.annotate("χ = λ", (price / line[70], line[70]), (4, 2), textcoords="offset points",
                color=method_style(_GATE).colour)  # fmt: skip
    ax.set(yscale="log", ylim=(0.7 * _LEAST, most), xlim=(-1.05, 1.05), xlabel="advantage")
