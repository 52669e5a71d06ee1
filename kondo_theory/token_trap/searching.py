"""Where learning comes to rest: stable zeros of a drift, above or below a start. Source: this project."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["Drift", "fall", "first_fall", "require_start", "stall_below"]

Drift = Callable[[FloatArray], FloatArray]
"""The drift at each of some probabilities, (P,) to (P,)."""

_CHUNK = 64  # of points at a time: the first change of sign is often early


def require_start(start: float | None, vocab_size: int) -> float:
    """Return where training starts, 1/M by default, or refuse what is below it or no probability."""
    if start is None:
        return 1 / vocab_size
    value = _domain.scalar("start", start)
    if not 1 / vocab_size <= value < 1:
        raise ValueError(f"start must be in [1/M, 1) = [{1 / vocab_size:.6g}, 1), got {start!r}")
    return float(value)


def first_fall(speed: Drift, grid: FloatArray) -> float | None:
    """Return the first fall of the drift through zero along an ascending grid, (P,); None without one.

    A drift that is negative from the second point on has its fall between the first two.
    """
    for start in range(1, grid.size, _CHUNK):
        part = grid[start - 1 : start + _CHUNK]
        falls = np.flatnonzero(speed(part[1:]) < 0)
        if falls.size:
            return fall(speed, float(part[falls[0]]), float(part[falls[0] + 1]))
    return None


def stall_below(speed: Drift, grid: FloatArray, start: float) -> float:
    """Return the zero that learning falls to from a start of negative drift; the grid's lowest point without one."""
    points = np.append(grid[grid < start], start)
    for stop in range(points.size, 1, -_CHUNK):
        part = points[max(0, stop - _CHUNK - 1) : stop]
        rising = np.flatnonzero(speed(part[:-1]) >= 0)
        if rising.size:
            return fall(speed, float(part[rising[-1]]), float(part[rising[-1] + 1]))
    return float(points[0])


def fall(speed: Drift, left: float, right: float) -> float:
    """Return where the drift falls through zero between a point where it does not and one where it is negative."""
    for _ in range(12):
        points = np.linspace(left, right, 34)
        first = max(1, int(np.argmax(speed(points) < 0)))
        left, right = float(points[first - 1]), float(points[first])
        if right - left <= 4e-16:
            break
    return (left + right) / 2
