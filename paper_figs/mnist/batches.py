"""What the figures of a batch share: its table, its price, and its digits stacked on an axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paper_figs.tables import measured
from simulations.results.tables import Table

__all__ = ["batch", "pack", "price_of"]

_SIDE = 28


def batch() -> Table:
    """Return the table of a batch early and late in training."""
    return measured("mnist-batch", "mnist-batch-paper", "mnist-batch-quick")


def price_of(delight: pd.Series, kept: int) -> float:
    """Return a price that keeps so many: halfway between the last that is kept and the first that is not."""
    ordered = np.sort(delight.to_numpy(np.float64))[::-1]
    return float((ordered[kept - 1] + ordered[kept]) / 2) if kept < len(ordered) else float(ordered[-1])


def pack(frame: pd.DataFrame, low: float, high: float, *, columns: int, rows: int) -> tuple[NDArray[np.uint8], float]:
    """Return one picture of a batch's digits, each in the column of its delight, or in the nearest that has room.

    Parameters
    ----------
    frame : DataFrame
        With ``delight`` and ``pixels``.
    low, high : float
        Delight at the left and at the right edge.
    columns, rows : int
        Digits that have room across and on top of each other.

    Returns
    -------
    picture : (28 rows, 28 columns) array
    moved : float
        How far in delight a digit is from its place, at most.
    """
    picture = np.zeros((_SIDE * rows, _SIDE * columns), np.uint8)
    heights = np.zeros(columns, int)
    moved = 0.0
    crowded_first = (frame["delight"] - frame["delight"].median()).abs().sort_values(kind="stable").index
    for _, digit in frame.loc[crowded_first].iterrows():
        wanted = (float(digit["delight"]) - low) / (high - low) * columns - 0.5
        room = np.flatnonzero(heights < rows)
        place = room[np.abs(room - wanted).argmin()]
        moved = max(moved, abs(place - wanted) * (high - low) / columns)
        bottom = _SIDE * (rows - heights[place])
        pixels = np.frombuffer(digit["pixels"], np.uint8).reshape(_SIDE, _SIDE)
        picture[bottom - _SIDE : bottom, _SIDE * place : _SIDE * (place + 1)] = pixels
        heights[place] += 1
    return picture, moved
