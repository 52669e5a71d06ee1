"""Figure of a batch on the plane of advantage and surprisal, where the gate draws its line, from its table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.marks import mark_measured, reference
from paper_figs.mnist.batches import batch, price_of
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.wording import number

__all__ = ["mnist_batch"]

_GATE = "DG-K(3 %)"


def mnist_batch() -> Figure:
    """Draw advantage and surprisal of a batch early and late, with the curves of zero delight and of the price."""
    table = batch()
    rate = float(table.config["rate"])
    groups = list(table.frame.groupby("update"))
    figure, axes = panels(len(groups), height=2.6, sharex=True, sharey=True)
    most = 1.15 * float(table.frame["surprisal"].max())
    for ax, (update, frame) in zip(axes, groups, strict=True):
        _plane(ax, frame, rate, most)
        shown = frame["delight"].rank(ascending=False, method="first") <= round(rate * len(frame))
        right = frame["label"] == frame["action"]
        price = price_of(frame["delight"], int(shown.sum()))
        finding(ax, f"After {update:,} updates {right.sum()} of {len(frame)} are right; the price that keeps "
                    f"{shown.sum()} is λ = {number(price)}")  # fmt: skip
    axes[0].set_ylabel("surprisal −log π (nats)")
    caption(f"""Batches of {len(groups[0][1])} MNIST digits on the plane of advantage (reward less its expectation)
        and surprisal, one answer drawn for each, along the training of {_GATE} from one seed. Right and wrong answers
        are points measured on a network, triangles and crosses; kept ones, with the most delight, large and green.
        Dotted: zero delight, χ = 0; line: delight equal to the price, χ = λ, halfway between the last that is kept
        and the first that is not.""")
    return figure


def _plane(ax: Axes, frame: pd.DataFrame, rate: float, most: float) -> None:
    kept = frame["delight"].rank(ascending=False, method="first") <= round(rate * len(frame))
    right = frame["label"] == frame["action"]
    green = method_style(_GATE).colour
    looks: Any = (  # the side of its points on which the name stands, in points
        (right & ~kept, "^", "0.5", 3.0, "right", (6, -10)),
        (~right & ~kept, "x", "0.35", 3.0, "wrong", (-24, 8)),
        (right & kept, "^", green, 5.0, "kept", (6, 8)),
        (~right & kept, "X", green, 5.0, "wrong, but kept", (6, 8)),
    )
    for rows, marker, colour, size, name, shift in looks:
        if not rows.any():
            continue
        x, y = frame["advantage"][rows], frame["surprisal"][rows]
        mark_measured(ax, x, y, MethodStyle(colour, marker), ms=size)
        place = (float(x.median()), float(y.max() if shift[1] > 0 else y.min()))
        ax.annotate(f"{rows.sum()} {name}", place, shift, textcoords="offset points", ha="left", va="center",
                    color=colour)  # fmt: skip
    price = price_of(frame["delight"], int(kept.sum()))
    line = np.geomspace(price / 1.1, most, 100)
    ax.plot(price / line, line, color=green, lw=1.0)
    reference(ax, x=0)
    ax.annotate("χ = 0 ", (0, 0.95), xycoords=("data", "axes fraction"), ha="right", color="0.4")
    top = 0.9 * most
    ax.annotate("χ = λ", (price / top, top), (4, 0), textcoords="offset points", va="center", color=green)
    ax.set(ylim=(-0.12 * most, most), xlim=(-1, 1.2), xlabel="advantage")
