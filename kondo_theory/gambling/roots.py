"""Rest points of the probability of the gambling arm: zeros of a drift, with their stability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from kondo_theory._domain import FloatArray

__all__ = ["RestPoint", "log_probability", "rest_points", "root"]

_GRID = 4001
_HIGHEST_LOGIT = 36.0  # 1 − x = 2e-16
_LOWEST_LOGIT = -690.0  # x = 1e-300


@dataclass(frozen=True)
class RestPoint:
    """A zero of the drift inside (0, 1).

    Attributes
    ----------
    x : float
        Probability of the gambling arm.
    stable : bool
        True if learning moves towards it from both sides: the drift towards arm 1 crosses zero upwards.
    """

    x: float
    stable: bool


def log_probability(logit: float) -> float:
    """Return log x of a logit, a scalar, accurate at both ends."""
    return float(-np.logaddexp(0.0, -logit))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the zero of a scalar ``function`` between two arguments at which its signs differ, to rounding."""
    return float(brentq(function, low, high, xtol=1e-14, rtol=4 * np.finfo(float).eps, maxiter=500))


def rest_points(drift: Callable[[FloatArray], FloatArray], lowest_logit: float) -> tuple[RestPoint, ...]:
    """Return the zeros of a continuous drift on (0, 1), in ascending order of x.

    Signs are read on a grid of 4,001 logits from ``lowest_logit`` (at least −690) to 36, and at the polished extrema
    that turn towards zero between grid points, so that a pair of close zeros is not stepped over; two pairs within
    one cell of the grid would be. Zeros are accurate to rounding. The drift maps (P,) arrays to (P,) arrays.
    """
    logits = np.linspace(max(lowest_logit, _LOWEST_LOGIT), _HIGHEST_LOGIT, _GRID)
    values = drift(expit(logits))

    def at(logit: float) -> float:
        return float(drift(expit(np.asarray(logit))))

    inside, before, after = values[1:-1], values[:-2], values[2:]
    turns = ((inside > 0) & (inside < before) & (inside < after)) | (
        (inside < 0) & (inside > before) & (inside > after)
    )
    extra = []
    for index in np.flatnonzero(turns) + 1:
        side = np.sign(values[index])
        found = minimize_scalar(
            lambda z, side=side: side * at(z), bounds=(logits[index - 1], logits[index + 1]), method="bounded"
        )
        if found.fun < 0:
            extra.append(float(found.x))
    places = np.sort(np.concatenate([logits, extra]))
    signs = np.sign(drift(expit(places)))
    places, signs = places[signs != 0], signs[signs != 0]
    points = []
    for index in np.flatnonzero(signs[:-1] != signs[1:]):
        zero = root(at, float(places[index]), float(places[index + 1]))
        points.append(RestPoint(float(expit(zero)), stable=bool(signs[index] < 0)))
    return tuple(points)
