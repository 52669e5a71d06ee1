"""The figure of every rule and estimate that one sample allows: 1/c, what backward passes buy, against bias."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from paper_figs.marks import MEASURED, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import method_style, shown
from paper_figs.tables import measured
from paper_figs.wording import number, percent

__all__ = ["mnist_neighbours"]

_ONE_POINT = 6.0
"""Pixels within which points count as one."""
_BESIDE = 12.0
"""Points from which on a thin line leads to a name."""
_STYLES = {"rule": method_style("uniform"), "estimate": method_style("PG")}


def mnist_neighbours(rate: float = 0.03, early: float = 0.5, late: float = 0.95, least: float = 0.1) -> Figure:
    """Draw 1/c over PG's against the angle of the mean gradient to the true one."""
    table = measured("mnist-neighbours", "mnist-neighbours-quick").frame
    rows = table[(table["direction"] == "PG") & (table["rate"].isna() | (table["rate"] == rate))]
    pg = rows[rows["name"] == "PG"].set_index(["seed", "target"])["per_backward"]
    rows = rows.join(pg.rename("of_pg"), on=["seed", "target"])
    rows["worth"] = rows["per_backward"] / rows["of_pg"]
    rows["angle"] = np.degrees(np.arccos(rows["cosine"].clip(-1, 1)))
    figure, axes = panels(2, height=4.4, columns=2, sharey=True)
    hidden = 0
    for ax, target in zip(axes, (early, late), strict=True):
        at: Any = rows[rows["target"] == target].groupby(["what", "name"])[["worth", "angle"]]
        spread, middle = at.sem(), at.mean()
        inside = middle["worth"] >= least
        hidden += int((~inside).sum())
        _panel(ax, middle[inside], spread[inside])
        ax.set_ylim(least, 2 * max(1.0, float(rows.groupby(["name", "target"])["worth"].mean().max())))
        best = middle.loc[inside, "worth"].idxmax()
        most, own = (number(float(middle["worth"].loc[each])) for each in (best, ("rule", "delight")))
        finding(ax, f"At {percent(target)} accuracy {shown(best[1])} buys {most} times PG's, delight {own}")
    axes[0].set_ylabel("1/c, over PG's")
    legend_below(axes, [named(f"{what}s", style) for what, style in _STYLES.items()])
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    for ax in axes:
        _name_points(ax)
    caption(f"""1/c = S²/(ρE‖g‖²) along the true gradient, c the cost of signal, over PG's, against the angle of
        the mean gradient to the true one: of every rule that scores a sample by itself, as its top {percent(rate)},
        and of every estimate, at that rate of backward passes if it has one. In the parameters of the network, exact
        over 1,000 images, at policies of {percent(early)} (a) and {percent(late)} (b) accuracy. Points: means of
        {table["seed"].nunique()} seeds with their standard errors. Dotted: PG. Names below each other
        share a point; {hidden} points below {number(least)} are left out.""")
    return figure


def _panel(ax: Axes, middle: Any, spread: Any) -> None:
    """Draw the means by what and name, and their standard errors."""
    for what, style in _STYLES.items():
        if what not in middle.index.get_level_values(0):
            continue
        x, y = middle.loc[what, "angle"], middle.loc[what, "worth"]
        error = spread.loc[what]
        low = np.minimum(error["worth"], 0.9 * y)
        look: Any = {"fmt": style.marker, "color": style.colour, "ecolor": "0.75", "elinewidth": 0.5, "ms": 3.5}
        drawn = ax.errorbar(x, y, [low, error["worth"]], error["angle"], **look)
        drawn.lines[0].set_gid(MEASURED)
        for name, angle, worth in zip(y.index, x, y, strict=True):
            text = ax.annotate(shown(name), (angle, worth), (4, 0), textcoords="offset points", color=style.colour)
            text.set_in_layout(False)  # names stay inside the panel
    reference(ax, y=1.0)
    ax.set(yscale="log", xlabel="angle of the mean gradient to the true one (degrees)", xlim=(-4, 94))
    ax.set_xticks(range(0, 91, 15))


def _name_points(ax: Axes) -> None:
    """Join names of one point, then move each to the nearest free place around its own, from the highest down."""
    texts: list[Any] = sorted(ax.texts, key=lambda text: (-text.xy[1], text.xy[0], text.get_text()))
    kept: dict[Any, Any] = {}  # name → the pixels of its point
    for text in texts:
        place = ax.transData.transform(text.xy)
        same = next((each for each, other in kept.items() if np.hypot(*(place - other)) < _ONE_POINT), None)
        if same is None:
            kept[text] = place
        else:
            same.set_text(f"{same.get_text()}\n{text.get_text()}")
            text.remove()
    room = ax.get_window_extent().padded(-2)
    taken = [Bbox.from_bounds(x - 8, y - 8, 16, 16) for x, y in kept.values()]
    for text in kept:
        for up, right in sorted(product(range(-75, 76, 3), (6, -6, 22, -22)), key=_away):
            text.set(ha="left" if right > 0 else "right", va="center")
            text.set_position((right, up))
            box = text.get_window_extent().padded(2)
            inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
        if _away((up, right)) > _BESIDE:
            line = {"arrowstyle": "-", "lw": 0.3, "color": text.get_color(), "shrinkA": 0, "shrinkB": 2}
            ax.annotate("", text.xy, (right, up), textcoords="offset points", arrowprops=line).set_in_layout(False)


def _away(place: tuple[int, int]) -> float:
    """Return how far a name is from its point, in points; a little more where it is on the left."""
    up, right = place
    return float(np.hypot(up, right)) + (right < 0)
