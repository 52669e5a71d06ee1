"""Figure of how far each method gets on token reversal within a budget of rows, from the committed table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs import tables
from paper_figs.marks import draw_published, mark_measured, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import reversal_style
from paper_figs.style import shown
from simulations.reversal.summary import AXES, LONGEST, LONGEST_WITHIN

__all__ = ["reversal_scaling"]

_LONGEST = {"length": "longest prompt, H", "vocab_size": "largest vocabulary, M"}


def reversal_scaling() -> Figure:
    """Show the largest size that each method solved within each budget: every seed a point, joined by a line."""
    frame = tables.reversal_scaling().frame
    figure, axes = panels(2, height=2.3)
    for ax, axis in zip(axes, AXES, strict=True):
        rows = frame[frame["axis"] == axis]
        _sizes(ax, rows, LONGEST if axis == "length" else {})
        ax.set(ylabel=_LONGEST[axis])
        finding(ax, _found(rows, axis))
    labels = [str(label) for axis in AXES for label in frame[frame["axis"] == axis]["label"].unique()]
    legend_below(axes, [named(shown(label), reversal_style(label)) for label in dict.fromkeys(labels)])
    caption(f"""The longest prompt of two kinds of token (a) and the largest vocabulary of prompts of ten (b) of token
        reversal that each method solved, to a token error below 5 %, within a budget of answers sampled (forward
        rows) or trained on (backward rows). Filled points: measured on networks, each of {frame["seed"].nunique()}
        seeds; lines join the seeds of a method. Black stars: published, DG-K(3 %) beside the row gate.""")
    return figure


def _found(rows: pd.DataFrame, axis: str) -> str:
    """Say what the best and the worst method solve where they differ most."""
    median = rows.groupby(["spent", "budget", "label"])["largest"].median()
    spread = median.groupby(["spent", "budget"]).agg(lambda sizes: sizes.max() - sizes.min())
    place: Any = spread.idxmax()
    spent, budget = place
    there = median.loc[spent, budget]
    best, worst = shown(there.idxmax()), shown(there.idxmin())
    kind = str(spent).removesuffix("_rows")
    sign = "H" if axis == "length" else "M"
    return f"In {budget:,} {kind} rows {best} solves {sign} = {there.max():g}, {worst} {there.min():g}"


def _sizes(ax: Axes, rows: pd.DataFrame, published: Mapping[str, int]) -> None:
    """Draw each seed's largest size, one place a budget, beside those of the other methods; and published ones."""
    budgets = list(dict.fromkeys(zip(rows["spent"], rows["budget"], strict=True)))
    labels = list(rows["label"].unique())
    for beside, label in enumerate(labels):
        style = reversal_style(str(label))
        for place, (spent, budget) in enumerate(budgets):
            of_budget = rows[(rows["label"] == label) & (rows["spent"] == spent) & (rows["budget"] == budget)]
            x = place + 0.2 * (beside - (len(labels) - 1) / 2)
            mark_measured(ax, [x] * len(of_budget), of_budget["largest"], style, ls="-", ms=4.5)
    names = [f"{budget:,}\n{str(spent).removesuffix('_rows')} rows" for spent, budget in budgets]
    if published:
        names.append(f"{LONGEST_WITHIN:,}\npublished")
    for place, (label, size) in enumerate(published.items()):
        x = len(budgets) + 0.2 * (place - (len(published) - 1) / 2)
        draw_published(ax, {x: size})
        ax.annotate(
            label.replace("row gate(3 %)", "DG-K"), (x, size), (0, 4), textcoords="offset points", ha="center"
        )
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.5, len(names) - 0.5)
    most = int(rows["most"].max())
    if rows["largest"].max() == most:
        reference(ax, y=most)
        ax.text(-0.45, most, "largest that was tried", color="0.4", va="bottom")
    ax.set_ylim(0, 1.12 * rows["largest"].max())
