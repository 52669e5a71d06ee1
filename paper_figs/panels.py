"""The sheet of a figure: one column or the page wide, at most three panels a row, each titled by what it found."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kondo_theory.words import nearest
from paper_figs.arranging import arrange
from paper_figs.style import paper_style
from simulations.errors import InputError

__all__ = [
    "COLUMN",
    "PAGE",
    "WIDTHS",
    "PaperFigure",
    "caption",
    "finding",
    "finish",
    "inches",
    "legend_below",
    "panels",
    "sheet",
]

COLUMN, PAGE = 3.3, 6.9
"""Inches: a column of a paper, and its page."""
WIDTHS = {"column": COLUMN, "page": PAGE}
_NARROWEST = 2.1
"""Inches of a panel: as many stand in a row as are not narrower, and at most three."""
_MOST = 3


class PaperFigure(Figure):
    """A figure at its final size that is drawn and saved in its own style, whatever the settings around it.

    It belongs to no window and to no backend; a notebook shows it.

    Attributes
    ----------
    caption : str
        What was done, the symbols, the seeds, and what the intervals are.
    panels : list of Axes
        Its panels in reading order, without colour bars.
    drawn_from : str
        The tables that it shows, and whose they are.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        FigureCanvasAgg(self)
        self.caption = ""
        self.panels: list[Axes] = []
        self.drawn_from = ""

    def draw(self, renderer: Any) -> None:
        """Draw it in its own style."""
        with paper_style():
            super().draw(renderer)

    def savefig(self, *args: Any, **settings: Any) -> None:
        """Save it in its own style."""
        with paper_style():
            super().savefig(*args, **settings)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def inches(width: str | float) -> float:
    """Return a width in inches.

    Raises
    ------
    ValueError
        If it is neither ``column`` nor ``page`` nor a number from 2 to 20.
    """
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    try:
        found = float(width)
    except (TypeError, ValueError):
        found = 0.0
    if not 2 <= found <= 20:
        raise InputError(
            f"width must be {', '.join(WIDTHS)} or inches from 2 to 20, got {width!r}{nearest(width, WIDTHS)}"
        )
    return found


@dataclass
class _Sheet:
    """Where a figure is to be drawn: a width in inches, or the axes of someone else's; and the caption it gave."""

    width: float = PAGE
    ax: Axes | None = None
    caption: str = ""


_sheet: ContextVar[_Sheet | None] = ContextVar("sheet", default=None)


@contextmanager
def sheet(width: float, ax: Axes | None = None) -> Iterator[_Sheet]:
    """Let the figure that is drawn inside be so wide, or stand on ``ax``; yield what holds its caption."""
    given = _Sheet(width, ax)
    token = _sheet.set(given)
    try:
        yield given
    finally:
        _sheet.reset(token)


def panels(
    n: int = 1, *, height: float = 2.1, columns: int | None = None, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure of ``n`` panels, as wide as the catalogue or the one who draws says.

    Parameters
    ----------
    n : int
    height : float
        Inches of a row, with its titles and labels.
    columns : int, optional
        Panels a row where the width allows it. Default: three, of four two.
    settings
        As those of ``Figure.subplots``: ``sharex``, ``sharey``, ``width_ratios``, …

    Raises
    ------
    ValueError
        If there are axes to draw on and the figure has several panels.
    """
    given = _sheet.get() or _Sheet()
    if given.ax is not None:
        if n > 1:
            raise ValueError(f"ax takes a figure of one panel; this one has {n}")
        root: Any = given.ax.figure
        while not isinstance(root, Figure):  # a figure within a figure
            root = root.figure
        return root, [given.ax]
    wanted = columns or (2 if n == 4 else _MOST)
    across = max(1, min(n, wanted, _MOST, int(given.width / _NARROWEST)))
    rows = -(-n // across)
    if across < min(n, wanted):
        settings.pop("width_ratios", None)
    figure = PaperFigure(figsize=(given.width, rows * height), layout="constrained")
    grid = figure.subplots(rows, across, squeeze=False, **settings)
    figure.panels = list(grid.flat)[:n]
    for spare in list(grid.flat)[n:]:
        spare.remove()
    return figure, figure.panels


def finding(ax: Axes, text: str) -> None:
    """Title a panel by what it shows to be so; numbers in it come from what is drawn."""
    ax.set_title(re.sub(r" ?= ?| (?=%)", lambda found: found.group().replace(" ", "\u00a0"), text), loc="left")


def caption(text: str) -> None:
    """Say what was done, the symbols, the seeds, and what the intervals are; lines are joined."""
    given = _sheet.get()
    if given is not None:
        given.caption = " ".join(text.split())


def legend_below(axes: Sequence[Axes], handles: Iterable[Artist] | None = None, **look: Any) -> None:
    """Put one legend below all panels: of ``handles``, or of every label that the panels have, each once."""
    found: list[Any] = list(handles or _entries(axes))
    figure = axes[0].figure
    if not isinstance(figure, PaperFigure):
        axes[0].legend(handles=found, **look)
        return
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width, height = figure.get_size_inches()
    for columns in range(len(found), 0, -1):
        legend = figure.legend(handles=found, loc="outside lower center", ncols=columns, borderaxespad=0.2, **look)
        box = legend.get_window_extent(renderer)
        if box.width <= width * figure.dpi or columns == 1:
            break
        legend.remove()
    figure.set_size_inches(width, height + box.height / figure.dpi)


def _entries(axes: Sequence[Axes]) -> list[Any]:
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values())


def finish(figure: Figure, text: str) -> None:
    """Give a figure its caption, and arrange its titles and the names of its curves; on others' axes only these."""
    if isinstance(figure, PaperFigure):
        figure.caption = text
        arrange(figure, figure.panels)
