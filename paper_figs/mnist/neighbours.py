"""The figure of every rule and estimate that one sample allows: signal per backward pass against bias."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from paper_figs.marks import MEASURED, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import MethodStyle, method_style, shown
from paper_figs.tables import measured
from paper_figs.wording import number, percent

__all__ = ["mnist_neighbours"]

_STYLES = {"rule": method_style("uniform"), "estimate": method_style("PG")}


def mnist_neighbours(rate: float = 0.03, early: float = 0.5, late: float = 0.95, least: float = 0.03) -> Figure:
    """Draw the signal per backward pass over PG's against the angle of the mean gradient to the true one."""
    table = measured("mnist-neighbours", "mnist-neighbours-quick").frame
    rows = table[(table["direction"] == "PG") & (table["rate"].isna() | (table["rate"] == rate))]
    pg = rows[rows["name"] == "PG"].set_index(["seed", "target"])["per_backward"]
    rows = rows.join(pg, on=["seed", "target"], rsuffix="_of_pg")
    rows["worth"] = rows["per_backward"] / rows["per_backward_of_pg"]
    rows["angle"] = np.degrees(np.arccos(rows["cosine"].clip(-1, 1)))
    figure, axes = panels(2, height=4.4, columns=2, sharey=True)
    hidden = 0
    for ax, target in zip(axes, (early, late), strict=True):
        at = rows[rows["target"] == target].groupby(["what", "name"])[["worth", "angle"]]
        spread, middle = at.sem(), at.mean()
        inside = middle["worth"] >= least
        hidden += int((~inside).sum())
        _panel(ax, middle[inside], spread[inside])
        ax.set_ylim(least, 2 * max(1.0, float(rows.groupby(["name", "target"])["worth"].mean().max())))
        best = middle.loc[inside, "worth"].idxmax()
        finding(ax, f"At {percent(target)} accuracy {shown(best[1])} buys {number(middle.loc[best, 'worth'])} times PG's, "
                    f"delight {number(middle.loc[('rule', 'delight'), 'worth'])}")  # fmt: skip
    axes[0].set_ylabel("signal per backward pass over PG's")
    legend_below(axes, [named(f"{what}s", style) for what, style in _STYLES.items()])
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    for ax in axes:
        _name_points(ax)
    caption(f"""Signal per backward pass, 1/c = S²/(ρE‖g‖²) along the true gradient, over PG's, against the angle of the
        mean gradient to the true one, of every rule that scores a sample by itself as its top {percent(rate)}, and of
        every estimate, at that rate of backward passes if it has one, in the parameters of the network: exact moments
        over 1,000 images, at policies of {percent(early)} (a) and {percent(late)} (b) accuracy. Points: means of
        {table["seed"].nunique()} seeds with their standard errors. Dotted: PG. Names that share a point are joined by
        commas; {hidden} points below {number(least)} are left out.""")
    return figure


def _panel(ax: Axes, middle: pd.DataFrame, spread: pd.DataFrame) -> None:
    for what, style in _STYLES.items():
        if what not in middle.index.get_level_values(0):
            continue
        x, y = middle.loc[what, "angle"], middle.loc[what, "worth"]
        error = spread.loc[what]
        low = np.minimum(error["worth"], 0.9 * y)
        drawn = ax.errorbar(x, y, [low, error["worth"]], error["angle"], fmt=style.marker, color=style.colour,
                            elinewidth=0.5, ms=3.5)  # fmt: skip
        drawn.lines[0].set_gid(MEASURED)
        for name, angle, worth in zip(y.index, x, y, strict=True):
            ax.annotate(shown(name), (angle, worth), (4, 0), textcoords="offset points", color=style.colour)
    reference(ax, y=1.0)
    ax.set(yscale="log", xlabel="angle of the mean gradient to the true one (degrees)", xlim=(-4, 94))
    ax.set_xticks(range(0, 91, 15))


def _name_points(ax: Axes) -> None:
    """Join names of one point, then move each to the nearest free place around its own, from the highest down."""
    texts: list[Any] = sorted(ax.texts, key=lambda text: (-text.xy[1], text.xy[0], text.get_text()))
    kept: list[Any] = []
    for text in texts:
        same = next((each for each in kept if np.allclose(each.xy, text.xy, rtol=1e-3, atol=0.3)), None)
        if same is None:
            kept.append(text)
        else:
            same.set_text(f"{same.get_text()}, {text.get_text()}")
            text.remove()
    room = ax.get_window_extent().padded(-2)
    points = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in ax.transData.transform([text.xy for text in kept])]
    taken: list[Any] = []
    for text in kept:
        places = sorted(product(range(-60, 61, 3), ("left", "right")), key=lambda place: (abs(place[0]), place[1]))
        for up, side in places:
            text.set(ha=side, va="center")
            text.set_position((4 if side == "left" else -4, up))
            box = text.get_window_extent().padded(1)
            if room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1:
                if not any(box.overlaps(other) for other in (*taken, *points)):
                    break
        taken.append(box)
