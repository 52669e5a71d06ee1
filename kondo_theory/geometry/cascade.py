"""A cascade: a cheap noisy score for all, the exact delight within a window of the price.

A backward pass costs c and is worth the sample's delight χ ~ N(μ, d²); scores are χ + τξ. After the score the delight
is N(m, v²), v = dτ/√(d²+τ²), whatever the score. To learn χ itself costs e. It pays where |m − c| < w, and w solves
v·L(w/v) = e, L(x) = φ(x) − x(1 − Φ(x)), the mean of (ξ − x)₊: a window symmetric about c in calibrated scores.

Source: this project (derivation ``cascade``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.decision_price import gaussian_gain, gaussian_price

__all__ = ["cascade_gain", "cascade_recall", "cascade_window", "evaluated_share", "posterior_deviation"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_REACH = 9.0  # deviations


def posterior_deviation(deviation: ArrayLike, noise: ArrayLike) -> FloatArray:
    """Return v = dτ/√(d²+τ²), the deviation of the delight given its score.

    Parameters
    ----------
    deviation : (...) array
        d > 0.
    noise : (...) array
        τ ≥ 0.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    d, tau = (
        _domain.interval("deviation", deviation, 0, np.inf, "()"),
        _domain.interval("noise", noise, 0, np.inf, "[)"),
    )
    return np.asarray(d * tau / np.hypot(d, tau))[()]


@elementwise("evaluation", "deviation", "noise")
def cascade_window(evaluation: float, deviation: float, noise: float) -> float:
    """Return w, half the window of calibrated scores within which the exact delight pays; 0 where it never does.

    It never does from e = v/√(2π) on.

    Parameters
    ----------
    evaluation : (...) array
        e > 0, what the exact delight of a sample costs.
    deviation, noise : (...) array
        As for :func:`posterior_deviation`.
    """
    e = _domain.number("evaluation", evaluation, 0, np.inf, "()")
    v = float(posterior_deviation(deviation, noise))
    if e * np.sqrt(2 * np.pi) >= v:
        return 0.0
    return v * float(brentq(lambda x: float(_loss(x)) - e / v, 0.0, 40.0, xtol=1e-14))


def evaluated_share(
    evaluation: ArrayLike, cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike
) -> FloatArray:
    """Return the share of the samples whose exact delight is learnt, P(|m − c| < w).

    Parameters
    ----------
    evaluation, deviation, noise
        As for :func:`cascade_window`.
    cost, mean : (...) array
        c and μ, finite.
    """
    w = cascade_window(evaluation, deviation, noise)
    centre, spread = _calibrated(cost, mean, deviation, noise)
    return np.asarray(ndtr((w - centre) / spread) - ndtr((-w - centre) / spread))[()]


@elementwise("evaluation", "cost", "mean", "deviation", "noise")
def cascade_gain(evaluation: float, cost: float, mean: float, deviation: float, noise: float) -> float:
    """Return the gain over keeping nothing, per sample, less what the exact delights cost.

    That of the best price on scores, and over the window v·L(|m − c|/v) − e more. Parameters as for
    :func:`evaluated_share`.
    """
    law = (cost, mean, deviation, noise)
    w, v = cascade_window(evaluation, deviation, noise), float(posterior_deviation(deviation, noise))
    alone = float(gaussian_gain(gaussian_price(*law), *law))
    if w == 0:
        return alone
    centre, spread = _calibrated(cost, mean, deviation, noise)
    off, weight = _panels(w)
    more = (v * _loss(off / v) - evaluation) * (_density(off, centre, spread) + _density(-off, centre, spread))
    return alone + float(weight @ more)


@elementwise("evaluation", "cost", "mean", "deviation", "noise")
def cascade_recall(evaluation: float, cost: float, mean: float, deviation: float, noise: float) -> float:
    """Return P(kept | χ > c): all of those within the window, and above it. Parameters as above."""
    w, v = cascade_window(evaluation, deviation, noise), float(posterior_deviation(deviation, noise))
    centre, spread = _calibrated(cost, mean, deviation, noise)
    if v == 0:
        return 1.0
    below, weight = _panels(_REACH * (v + float(spread)) + abs(float(centre)))
    away = below + w  # m = c − away, χ > c all the same; both in logarithms: far above all samples both underflow
    missed = log_ndtr(-away / v) - 0.5 * ((away + centre) / spread) ** 2
    total = log_ndtr(centre / np.hypot(v, spread))
    share = float(weight @ np.exp(missed - total)) / (float(spread) * np.sqrt(2 * np.pi))
    return float(max(1.0 - share, 0.0))


def _loss(x: ArrayLike) -> FloatArray:
    """Return L(x) = φ(x) − x(1 − Φ(x)) for x ≥ 0."""
    at = np.asarray(x, dtype=np.float64)
    return np.asarray(np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi) - at * ndtr(-at))


def _calibrated(
    cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of m − c, the calibrated score over the cost."""
    c, mu = _domain.finite("cost", cost), _domain.finite("mean", mean)
    d, tau = np.asarray(deviation, dtype=np.float64), np.asarray(noise, dtype=np.float64)
    return np.asarray(mu - c), np.asarray(d**2 / np.hypot(d, tau))


def _density(at: FloatArray, centre: FloatArray, spread: FloatArray) -> FloatArray:
    z = (at - centre) / spread
    return np.asarray(np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * spread))


def _panels(length: float, count: int = 16) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [0, length]."""
    edges = np.linspace(0, length, count + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + _NODES)).ravel(), (half * _WEIGHTS).ravel()
