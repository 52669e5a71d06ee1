"""The marks of the grammar: hollow points were simulated, filled ones measured, crosses and stars are neither.

Each function gives what it draws its mark (``gid``), by which the tests of the grammar know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from paper_figs.style import Colour, MethodStyle

__all__ = [
    "EXACT",
    "MEASURED",
    "PUBLISHED",
    "REFERENCE",
    "SIMULATED",
    "draw_exact",
    "draw_measured",
    "draw_points",
    "draw_published",
    "draw_rows",
    "mark_measured",
    "named",
    "reference",
]

REFERENCE = "reference"
"""The mark (``gid``) of references and limits, the only lines that are dashed."""
SIMULATED, MEASURED = "simulated", "measured"
"""The marks of hollow points and of filled ones."""
EXACT, PUBLISHED = "exact", "published"
"""The marks of crosses, for values that theory singles out, and of black stars, for published ones."""


def draw_points(
    ax: Axes, x: ArrayLike, value: ArrayLike, standard_error: ArrayLike, style: MethodStyle, **look: Any
) -> None:
    """Draw simulated points with 95 % intervals, hollow so that the line of the theory stays visible."""
    interval = 1.96 * np.asarray(standard_error)
    look = {"elinewidth": 0.8, "zorder": 3, **look}
    drawn = ax.errorbar(x, value, interval, fmt=style.marker, color=style.colour, mfc="white", **look)
    drawn.lines[0].set_gid(SIMULATED)


def draw_rows(ax: Axes, frame: pd.DataFrame, x: str, style: MethodStyle, **look: Any) -> None:
    """Draw rows of a simulated sweep against one of their columns, with 95 % intervals."""
    draw_points(ax, frame[x], frame["estimate"], frame["standard_error"], style, **look)


def draw_measured(
    ax: Axes,
    x: ArrayLike,
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    style: MethodStyle,
    *,
    marks: int | None = None,
    **look: Any,
) -> None:
    """Draw what was measured on networks: filled points with intervals, joined by a line.

    With ``marks`` it is a curve of many points: about so many are marked, and the intervals are a band.
    """
    x, value, low, high = (np.asarray(each, dtype=np.float64) for each in (x, value, low, high))
    if marks is None:
        look = {"elinewidth": 0.8, "ls": "-", **look}
        drawn = ax.errorbar(x, value, (value - low, high - value), marker=style.marker, color=style.colour, **look)
        drawn.lines[0].set_gid(MEASURED)
        return
    every = max(1, -(-len(x) // marks))
    mark_measured(ax, x, value, style, ls="-", markevery=every, **look)
    ax.fill_between(x, low, high, color=style.colour, alpha=0.15, linewidth=0)


def mark_measured(ax: Axes, x: ArrayLike, y: ArrayLike, style: MethodStyle, **look: Any) -> None:
    """Draw filled points without intervals: what was measured on networks."""
    ax.plot(x, y, **{"marker": style.marker, "color": style.colour, "ls": "", "gid": MEASURED, **look})


def draw_exact(ax: Axes, x: ArrayLike, y: ArrayLike, colour: Colour, **look: Any) -> None:
    """Draw crosses at exact values that theory singles out: no samples are behind them."""
    ax.plot(x, y, **{"marker": "x", "color": colour, "ls": "", "ms": 4.5, "mew": 1.2, "gid": EXACT, **look})


def draw_published(ax: Axes, values: Mapping[float, float]) -> None:
    """Draw published numbers by their place as black stars."""
    ax.plot(list(values), list(values.values()), "*", color="black", ms=7, label="_published", gid=PUBLISHED)


def reference(
    ax: Axes, *, x: float | None = None, y: float | None = None, colour: Colour = "0.5", style: str = ":"
) -> None:
    """Draw a reference across the panel, at ``x`` or at ``y``."""
    look: Any = {"color": colour, "linewidth": 0.8, "linestyle": style, "zorder": 0, "gid": REFERENCE}
    if x is not None:
        ax.axvline(x, **look)
    if y is not None:
        ax.axhline(y, **look)


def named(label: str, style: MethodStyle, *, mark: str = "filled") -> Line2D:
    """Return the entry of a legend: a ``filled`` marker, or one on a line, ``curve``."""
    line: Any = "-" if mark == "curve" else ""
    return Line2D([], [], color=style.colour, marker=style.marker, ls=line, label=label)
