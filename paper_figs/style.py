"""One look for every figure: sizes, fonts, and one colour and marker a method, the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kondo_theory.words import choice

__all__ = [
    "METHODS",
    "Colour",
    "MethodStyle",
    "draw_points",
    "draw_rows",
    "label_panels",
    "legend_beside",
    "method_style",
    "paper_style",
    "shown",
]

PANEL = (3.4, 2.7)
"""Width and height of one panel, inches."""

_PALETTE = sns.color_palette("colorblind", 10)

Colour = str | tuple[float, float, float]


@dataclass(frozen=True)
class MethodStyle:
    """How a method looks: colour, marker, line style."""

    colour: Colour
    marker: str
    line: str = "-"


def _hex(colour: str) -> tuple[float, float, float]:
    red, green, blue = mpl.colors.to_rgb(colour)
    return red, green, blue


METHODS = {
    "PG": MethodStyle(_PALETTE[0], "o"),
    "PG, b = p": MethodStyle(_PALETTE[0], "v", "--"),
    "PG, best b": MethodStyle(_PALETTE[0], "P", "-."),
    "PG, b = Σπ²": MethodStyle(_PALETTE[0], "d", ":"),
    "zero price, b = p": MethodStyle(_PALETTE[3], "v", "--"),
    "DG": MethodStyle(_PALETTE[1], "s"),
    "DG-K(3 %)": MethodStyle(_PALETTE[2], "D"),
    "DG-K(1 %)": MethodStyle(_PALETTE[8], "<"),
    "DG-K(10 %)": MethodStyle(_PALETTE[9], ">"),
    "DG-K(30 %)": MethodStyle(_PALETTE[5], "p"),
    "zero price": MethodStyle(_PALETTE[3], "^"),
    "best price": MethodStyle(_PALETTE[2], "D", "--"),
    # Accountings of a step, rows and tokens of a token gate, kinds of noise on delight.
    "logical, 1 + ρc": MethodStyle(_PALETTE[7], "o", "--"),
    "reused log-probabilities, s = 0": MethodStyle(_PALETTE[4], "s", "-."),
    "screened, s = 1": MethodStyle(_PALETTE[2], "D"),
    "rows, independent": MethodStyle(_PALETTE[0], "o"),
    "rows, correlation 0.2": MethodStyle(_PALETTE[4], "s"),
    "tokens, independent": MethodStyle(_PALETTE[1], "^", "--"),
    "additive noise": MethodStyle(_PALETTE[2], "D"),
    "relative noise": MethodStyle(_PALETTE[4], "s", "--"),
    "token gate": MethodStyle(_PALETTE[4], "X"),
    "row gate": MethodStyle(_PALETTE[2], "P", "--"),
    "PPO": MethodStyle(_hex("#6b6b6b"), "1", "-."),
    "PMPO": MethodStyle(_hex("#44aa99"), "2", "-."),
    "cross-entropy": MethodStyle(_PALETTE[7], "x", ":"),
    # What screens a batch in place of the exact forward pass.
    "screened: bfloat16": MethodStyle(_hex("#117733"), "P", "--"),
    "screened: int8": MethodStyle(_hex("#aa4499"), "X", "-."),
    "screened: parameters": MethodStyle(_PALETTE[5], "<", ":"),
    "screened: network": MethodStyle(_hex("#b8860b"), "h", "--"),
    "exact k": MethodStyle(_PALETTE[2], "D"),
    "price at the same rate": MethodStyle(_PALETTE[3], "^", "--"),
    # Screening rules, by their names in kondo_theory.screening.RULES; top-ρ by delight is DG-K.
    "delight": MethodStyle(_PALETTE[2], "D"),
    "advantage": MethodStyle(_hex("#56a3d9"), "<", "--"),
    "abs-advantage": MethodStyle(_hex("#882255"), "h"),
    "surprisal": MethodStyle(_hex("#332288"), "v"),
    "additive": MethodStyle(_hex("#b8860b"), "s", "--"),
    "uniform": MethodStyle(_hex("#000000"), "o"),
    "abs-advantage-entropy": MethodStyle(_hex("#cc6699"), "H", "--"),
    "entropy-band": MethodStyle(_hex("#999999"), "d", "--"),
    "positive-surprisal": MethodStyle(_hex("#8c564b"), "^", ":"),
}
"""Styles by the method's name; ``zero-price`` and ``zero price`` are the same method."""


def method_style(name: str) -> MethodStyle:
    """Return the style of a method.

    Raises
    ------
    ValueError
        If the method has none: give it one here, so that it looks the same in every figure.
    """
    return METHODS[choice("a method in a figure", shown(name), METHODS)]


def shown(label: object) -> str:
    """Return a table's label as figures write it."""
    return str(label).replace("zero-price", "zero price")


@contextmanager
def paper_style() -> Iterator[None]:
    """Set the fonts and lines of all figures; Type 42 fonts, so that a PDF's text stays text."""
    settings: Any = {  # matplotlib types the keys as literals
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,
        "svg.hashsalt": "kondo",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "legend.fontsize": 7.5,
        "legend.frameon": False,
        "lines.linewidth": 1.4,
        "lines.markersize": 4,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with sns.axes_style("ticks"), mpl.rc_context(settings):
        yield


def draw_points(
    ax: Axes, x: ArrayLike, value: ArrayLike, standard_error: ArrayLike, style: MethodStyle, **look: Any
) -> None:
    """Draw simulated points with 95 % intervals, hollow so that the line of the theory stays visible."""
    interval = 1.96 * np.asarray(standard_error)
    ax.errorbar(x, value, interval, fmt=style.marker, color=style.colour, capsize=2, mfc="white", **look)


def draw_rows(ax: Axes, frame: pd.DataFrame, x: str, style: MethodStyle, **look: Any) -> None:
    """Draw rows of a simulated sweep against one of their columns, with 95 % intervals."""
    draw_points(ax, frame[x], frame["estimate"], frame["standard_error"], style, **look)


def legend_beside(ax: Axes, *entries: Any, title: str | None = None) -> None:
    """Put the legend to the right of a panel; ``entries`` are the handles and labels of another panel."""
    ax.legend(*entries, title=title, title_fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))


def label_panels(axes: list[Axes]) -> None:
    """Put (a), (b), … before the panels' titles."""
    for letter, ax in zip("abcdefgh", axes, strict=False):
        title = ax.get_title()
        ax.set_title("")
        ax.set_title(f"({letter}) {title}", loc="left")
