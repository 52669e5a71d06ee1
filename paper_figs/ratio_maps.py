"""Maps of a ratio about 1: what is saved and what is lost over two sizes, with the line where it breaks even."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from paper_figs.arranging import power_of_ten

__all__ = ["ratio_map"]

_MAP = "BrBG_r"
"""Green is saved, brown is lost; white is 1. Told apart by readers with deuteranopia and tritanopia."""
_SPAN = 0.8
"""What has the full colour: 1 − and 1 + so much."""
_DARK = 0.45
"""Farther from 1 the cell is dark and its number white."""


def ratio_map(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw ratios as coloured cells with their numbers, and the border between those below and above 1 bold.

    Parameters
    ----------
    ax : Axes
    ratios : DataFrame
        Rows from the bottom up by its index, columns by sizes; NaN was not measured and stays empty.
    """
    values = ratios.to_numpy(dtype=np.float64)
    ax.pcolormesh(values, cmap=_MAP, norm=TwoSlopeNorm(1.0, 1 - _SPAN, 1 + _SPAN), edgecolors="white", lw=0.8)
    for row, column in product(*map(range, values.shape)):
        value = values[row, column]
        if np.isfinite(value):
            colour = "white" if abs(value - 1) > _DARK else "black"
            ax.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=colour)
    _break_even(ax, values >= 1, np.isfinite(values))
    ax.set_xticks(np.arange(values.shape[1]) + 0.5, [power_of_ten(float(str(size))) for size in ratios.columns])
    ax.set_yticks(np.arange(values.shape[0]) + 0.5, [_written(name) for name in ratios.index])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _written(name: object) -> str:
    return name if isinstance(name, str) else f"{name:,}"


def _break_even(ax: Axes, above: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
    """Draw the sides that a cell at or above 1 shares with one below."""
    for (row, column), over in np.ndenumerate(above):
        for other, side in (
            ((row, column + 1), ([column + 1] * 2, [row, row + 1])),
            ((row + 1, column), ([column, column + 1], [row + 1] * 2)),
        ):
            there = all(at < size for at, size in zip(other, above.shape, strict=True))
            if there and known[row, column] and known[other] and over != above[other]:
                ax.plot(*side, "k-", lw=2.4, solid_capstyle="projecting")
