"""Figures of the catalogue, drawn from the committed tables, a user's own, or with parameters of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper_figs.catalogue import FIGURES, figure_of
from paper_figs.own import own_tables
from paper_figs.panels import PaperFigure, finish, inches, sheet
from paper_figs.parameters import checked, function_of, written
from paper_figs.style import paper_style
from paper_figs.tables import Reading, results_from
from simulations.errors import InputError, ReportedError, ResultError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from simulations.results.merging import MeasuredTables

__all__ = ["draw", "drawn", "figures_of", "read_and_drawn"]


def draw(
    name: str,
    results: Path | str | MeasuredTables | None = None,
    *,
    width: str | float | None = None,
    ax: Axes | None = None,
    **parameters: Any,
) -> Figure:
    """Draw a figure and return it; matplotlib's settings are neither heeded nor changed.

    Parameters
    ----------
    name : str
        One of ``FIGURES``, or a claim that one of them shows.
    results : Path, str or MeasuredTables, optional
        Own tables: a directory of them, one file, also CSV. What they lack is taken from the committed ones.
    width : str or float, optional
        ``column`` (3.3 inches), ``page`` (6.9), or inches from 2 to 20. Default: the catalogue's.
    ax : Axes, optional
        Axes to draw on, of a figure that has one panel; their figure is returned.
    parameters
        The figure's own, as ``n_arms=50``. Closed forms follow them; simulated points are shown where there are any.

    Returns
    -------
    Figure
        Without ``ax`` a :class:`~paper_figs.panels.PaperFigure`, with its ``caption``.

    Raises
    ------
    ValueError
        If the name, the width or a parameter is unknown or not allowed, or a table cannot be read.
    """
    name = figure_of(name)
    return read_and_drawn(name, own_tables(results, [name]), width=width, ax=ax, parameters=parameters)[0]


def drawn(name: str, tables: MeasuredTables | None = None) -> tuple[Figure, str]:
    """Return a figure and its caption, from a user's tables or the committed ones.

    Raises
    ------
    ValueError
        If the name is unknown, or a table that it needs is missing or cannot be read.
    """
    return read_and_drawn(figure_of(name), tables)[:2]


def read_and_drawn(
    name: str,
    own: MeasuredTables | None = None,
    *,
    width: str | float | None = None,
    ax: Axes | None = None,
    parameters: dict[str, Any] | None = None,
) -> tuple[Figure, str, Reading]:
    """Return a figure, its caption, and what it has read."""
    entry, function = FIGURES[name], function_of(name)
    given = checked(name, parameters or {})
    with (
        paper_style(),
        results_from(own, lenient=bool(given)) as reading,
        sheet(inches(width or entry.width), ax) as on,
    ):
        try:
            figure = function(**given)
        except KeyError as error:
            if not reading.own:
                raise
            raise ResultError(
                f"figure {name} needs {error}, which {' and '.join(reading.own.values())} lacks"
            ) from error
        except (ValueError, ArithmeticError) as error:
            if not given or isinstance(error, ReportedError):
                raise
            values = ", ".join(f"{key} = {written(value)}" for key, value in given.items())
            raise InputError(f"figure {name} cannot be drawn with {values}: {error}") from error
        finish(figure, on.caption)
    if isinstance(figure, PaperFigure):
        figure.drawn_from = reading.summary
    return figure, on.caption, reading


def figures_of(claim: str) -> list[str]:
    """Return the names of the figures that show a claim, its own one first; empty if there is none."""
    found = [name for name, figure in FIGURES.items() if claim in (figure.claims or (name,))]
    return sorted(found, key=lambda name: name != claim)
