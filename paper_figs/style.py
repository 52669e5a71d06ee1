"""One look for every figure: sizes, fonts, and one colour and marker a method, the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes

__all__ = ["METHODS", "MethodStyle", "label_panels", "method_style", "paper_style"]

PANEL = (3.4, 2.7)
"""Width and height of one panel, inches."""

_PALETTE = sns.color_palette("colorblind", 10)


@dataclass(frozen=True)
class MethodStyle:
    """How a method looks: colour, marker, line style."""

    colour: tuple[float, float, float]
    marker: str
    line: str = "-"


METHODS = {
    "PG": MethodStyle(_PALETTE[0], "o"),
    "PG, b = p": MethodStyle(_PALETTE[0], "v", "--"),
    "DG": MethodStyle(_PALETTE[1], "s"),
    "DG-K(3 %)": MethodStyle(_PALETTE[2], "D"),
    "DG-K(1 %)": MethodStyle(_PALETTE[8], "<"),
    "DG-K(10 %)": MethodStyle(_PALETTE[9], ">"),
    "DG-K(30 %)": MethodStyle(_PALETTE[5], "p"),
    "zero price": MethodStyle(_PALETTE[3], "^"),
    "cross-entropy": MethodStyle(_PALETTE[7], "x", ":"),
}
"""Styles by the method's name; ``zero-price`` and ``zero price`` are the same method."""


def method_style(name: str) -> MethodStyle:
    """Return the style of a method.

    Raises
    ------
    KeyError
        If the method has none: give it one here, so that it looks the same in every figure.
    """
    return METHODS[name.replace("zero-price", "zero price")]


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


def label_panels(axes: list[Axes]) -> None:
    """Put (a), (b), … before the panels' titles."""
    for letter, ax in zip("abcdefgh", axes, strict=False):
        title = ax.get_title()
        ax.set_title("")
        ax.set_title(f"({letter}) {title}", loc="left")
