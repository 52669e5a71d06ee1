"""Sets of rates and temperatures at which tokens that share one advantage stall: unions over the probability p.

Source: this project. The mean field is in :mod:`kondo_theory.token_trap.rows`; the functions to call are in
:mod:`kondo_theory.token_trap.drifts`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from kondo_theory._domain import FloatArray
from kondo_theory.token_trap.rows import dg_drift, in_chunks, token_atoms

__all__ = ["Intervals", "negative_rates", "negative_temperatures"]

_Indices = NDArray[np.intp]

Intervals = tuple[tuple[float, float], ...]
"""Disjoint intervals (low, high), ascending."""

_RESOLUTION = 1e-6
"""Rates: narrower intervals, and narrower gaps between them, are not resolved."""

_ROUNDING = 1e-13  # a cumulative sum this small beside its terms is zero
_ZOOMS = 6
_COLDEST, _HOTTEST, _N_TEMPERATURES = 0.3, 50.0, 50  # in units of 1/T² and 1: no stall outside, see token_dg


def negative_rates(p: FloatArray, n_tokens: int, vocab_size: int) -> Intervals:
    """Return the rates at which the token gate's drift is negative at some p near the grid ``p``, (P,).

    The union over the grid comes first; then the grid is refined around each p that makes an edge of the union.
    """
    pieces = _scan(p, n_tokens, vocab_size)
    width = np.diff(p).max()
    for _ in range(_ZOOMS):
        union, edges = _union(pieces)
        if not union:
            return ()
        nearby = np.concatenate([np.linspace(max(p[0], at - width), min(p[-1], at + width), 49) for at in edges])
        pieces = np.concatenate([pieces, _scan(np.unique(nearby), n_tokens, vocab_size)])
        width /= 12
    return _resolved(_union(pieces)[0])


def _resolved(intervals: Intervals) -> Intervals:
    """Join intervals whose gap is below the resolution of the search, and drop those that are narrower."""
    joined: list[tuple[float, float]] = []
    for low, high in intervals:
        if joined and low - joined[-1][1] < _RESOLUTION:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple((low, high) for low, high in joined if high - low > _RESOLUTION)


def _scan(p: FloatArray, n_tokens: int, vocab_size: int) -> FloatArray:
    """Return rows (low, high, p) of all stretches of rates with negative drift, at each p."""
    size = max(1, 500_000 // n_tokens)
    parts = [_stretches(p[i : i + size], n_tokens, vocab_size) for i in range(0, p.size, size)]
    return np.concatenate(parts)


def _stretches(p: FloatArray, n_tokens: int, vocab_size: int) -> FloatArray:
    """Return rows (low, high, p): the drift is the summed pull of the best atoms, piecewise linear in the rate."""
    atoms = token_atoms(p, n_tokens, vocab_size)
    order = np.argsort(-atoms.score, axis=1, kind="stable")
    mass = np.take_along_axis(atoms.mass, order, axis=1)
    pull = mass * np.take_along_axis(atoms.pull, order, axis=1)
    total, rate = np.cumsum(pull, axis=1), np.cumsum(mass, axis=1)
    negative = total < -_ROUNDING * np.cumsum(np.abs(pull), axis=1)
    before = np.zeros_like(negative)
    before[:, 1:] = negative[:, :-1]
    row, start = np.nonzero(negative & ~before)
    ended, stop = np.nonzero(~negative & before)  # every stretch ends: at rate 1 the drift is p(1 − p)/T
    if not np.array_equal(row, ended):
        raise FloatingPointError("a stretch of negative drift does not end below rate 1")
    low, high = (_crossing(rate, total, mass, row, k) for k in (start, stop))
    return np.stack([low, high, p[row]], axis=1)


def _crossing(
    rate: FloatArray,
    total: FloatArray,
    mass: FloatArray,
    row: _Indices,
    k: _Indices,
) -> FloatArray:
    """Return the rate, within atom k, at which the cumulative drift is zero."""
    after = total[row, k]
    earlier = np.where(k > 0, total[row, np.maximum(k - 1, 0)], 0.0)
    share = np.clip(np.divide(earlier, earlier - after, out=np.zeros_like(after), where=earlier != after), 0.0, 1.0)
    return np.asarray(rate[row, k] - mass[row, k] * (1 - share))


def _union(pieces: FloatArray) -> tuple[Intervals, list[float]]:
    """Return the union of rows (low, high, p) as disjoint intervals, and the p of each of their edges."""
    rows = pieces[np.argsort(pieces[:, 0], kind="stable")]
    if not rows.size:
        return (), []
    reach = np.maximum.accumulate(rows[:, 1])
    starts = np.flatnonzero(np.append(True, rows[1:, 0] > reach[:-1]))
    intervals, edges = [], []
    for first, last in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        best = first + int(np.argmax(rows[first:last, 1]))
        low = float(rows[first, 0])
        intervals.append((low if low > _ROUNDING else 0.0, float(rows[best, 1])))
        edges += [float(rows[first, 2]), float(rows[best, 2])]
    return tuple(intervals), edges


def negative_temperatures(p: FloatArray, n_tokens: int, vocab_size: int) -> Intervals:
    """Return the temperatures at which DG's drift is negative at some p near the grid ``p``, (P,).

    A grid of temperatures is scanned, and each edge is then solved for; windows narrower than a step of the grid
    (1.2-fold at T = 100) may be missed.
    """

    def lowest(log_temperature: float) -> float:
        # Divided by p(1 − p), so that the ends of the grid do not hide in rounding.
        eta, grid = float(np.exp(log_temperature)), p
        for _ in range(3):
            speed = in_chunks(lambda q: dg_drift(q, n_tokens, vocab_size, eta) / (q * (1 - q)), grid, 2 * n_tokens)
            at = int(np.argmin(speed))
            grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)], 17)
        return float(speed.min())

    logs = np.linspace(np.log(_COLDEST) - 2 * np.log(n_tokens), np.log(_HOTTEST), _N_TEMPERATURES)
    values = np.array([lowest(x) for x in logs])
    falls = np.flatnonzero((values[:-1] >= 0) & (values[1:] < 0))
    rises = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    ends = [[float(np.exp(brentq(lowest, logs[i], logs[i + 1], xtol=1e-9))) for i in k] for k in (falls, rises)]
    return tuple(zip(*ends, strict=True))
