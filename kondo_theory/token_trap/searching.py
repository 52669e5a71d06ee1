"""Where learning comes to rest: stable zeros of a drift, above or below a start. Source: this project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["Drift", "Search", "require_start"]

Drift = Callable[[FloatArray], FloatArray]
"""The drift at each of some probabilities, (P,) to (P,)."""


def require_start(start: float | None, vocab_size: int) -> float:
    """Return where training starts, a scalar, 1/M by default, or refuse what is below it or no probability."""
    if start is None:
        return 1 / vocab_size
    value = _domain.scalar("start", start)
    if not 1 / vocab_size <= value < 1:
        raise ValueError(f"start must be in [1/M, 1) = [{1 / vocab_size:.6g}, 1), got {start!r}")
    return float(value)


@dataclass(frozen=True)
class Search:
    """How a drift is searched: how many points are asked at a time, and to which distance a zero is pinned down.

    Sections of many points, and twice as many points each time, suit a drift that takes arrays at no more cost;
    halving and a chunk that does not grow one whose every point is dear.
    """

    chunk: int = 64
    growth: int = 2
    sections: int = 33
    resolution: float = 4e-16

    def first_fall(self, speed: Drift, grid: FloatArray) -> float | None:
        """Return the first fall of the drift through zero along an ascending grid, (P,); None without one.

        A drift that is negative from the second point on has its fall between the first two.
        """
        start, size = 1, self.chunk
        while start < grid.size:  # the first fall is often early: stop there
            part = grid[start - 1 : start + size]
            falls = np.flatnonzero(speed(part[1:]) < 0)
            if falls.size:
                return self._fall(speed, float(part[falls[0]]), float(part[falls[0] + 1]))
            start, size = start + size, size * self.growth
        return None

    def stall_below(self, speed: Drift, grid: FloatArray, start: float) -> float:
        """Return the zero that learning falls to from a start of negative drift; the grid's lowest point if none."""
        points = np.append(grid[grid < start], start)
        stop, size = points.size, self.chunk
        while stop > 1:
            part = points[max(0, stop - size - 1) : stop]
            rising = np.flatnonzero(speed(part[:-1]) >= 0)
            if rising.size:
                return self._fall(speed, float(part[rising[-1]]), float(part[rising[-1] + 1]))
            stop, size = stop - size, size * self.growth
        return float(points[0])

    def _fall(self, speed: Drift, left: float, right: float) -> float:
        """Return where the drift falls through zero, from a point where it does not to one where it is negative."""
        while right - left > self.resolution:
            points = np.linspace(left, right, self.sections + 1)
            first = max(1, int(np.argmax(np.append(speed(points[1:-1]), -1.0) < 0)) + 1)
            if (points[first - 1], points[first]) == (left, right):
                break  # no float lies between
            left, right = float(points[first - 1]), float(points[first])
        return (left + right) / 2
