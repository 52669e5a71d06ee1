"""Figure of how far each method gets on token reversal within a budget of rows, from the committed table."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.reversal.style import reversal_style
from paper_figs.style import PANEL, label_panels, shown
from paper_figs.tables import measured
from simulations.reversal.summary import AXES

__all__ = ["reversal_scaling"]

_LONGEST = {"length": "longest prompt solved, H (M = 2)", "vocab_size": "largest vocabulary solved, M (H = 10)"}


def reversal_scaling() -> Figure:
    """Show the largest size that each method solved within each budget: every seed a point, a bar to the median."""
    frame = measured("reversal-scaling", "reversal-scaling-paper", "reversal-scaling-quick").frame
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 1.2, PANEL[1] + 0.6))
    for ax, axis in zip(axes, AXES, strict=True):
        _sizes(ax, frame[frame["axis"] == axis])
        ax.set(ylabel=_LONGEST[axis], title=f"{frame['seed'].nunique()} seeds; solved: token error below 5 %")
    label_panels(list(axes))
    named = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=len(named))
    return figure


def _sizes(ax: Axes, rows: pd.DataFrame) -> None:
    budgets = list(dict.fromkeys(zip(rows["spent"], rows["budget"], strict=True)))
    labels = list(rows["label"].unique())
    colours: list[Any] = []
    for number, label in enumerate(labels):
        style = reversal_style(str(label))
        found = [
            rows[(rows["label"] == label) & (rows["spent"] == spent) & (rows["budget"] == budget)]["largest"]
            for spent, budget in budgets
        ]
        x: Any = np.arange(len(budgets)) + 0.16 * (number - (len(labels) - 1) / 2)
        ax.bar(
            x,
            [sizes.median() for sizes in found],
            0.14,
            color=style.colour,
            alpha=0.45,
            lw=0,
            hatch="////" if style.colour in colours else None,  # a gate at another rate
            label=shown(label),
        )
        colours.append(style.colour)
        for place, sizes in zip(x, found, strict=True):
            ax.plot([place] * len(sizes), sizes, style.marker, color=style.colour, ms=4)
    names = [f"{budget:,}\n{str(spent).removesuffix('_rows')} rows" for spent, budget in budgets]
    ax.set_xticks(range(len(budgets)), names)
    most = int(rows["most"].iloc[0])
    if rows["largest"].max() == most:
        ax.axhline(most, color="0.6", lw=0.8, ls=":", zorder=0)
        ax.text(-0.3, most, "largest that was tried", fontsize=7, color="0.4", va="bottom")
    ax.set_ylim(0, 1.12 * rows["largest"].max())
