"""A cascade: a cheap noisy score for all, the exact delight within a window of the price.

A backward pass costs c and is worth the sample's delight χ ~ N(μ, d²); scores are χ + τξ. After the score the delight
is N(m, v²), v = dτ/√(d²+τ²), whatever the score. To learn χ itself costs e. It pays where |m − c| < w, and w solves
v·L(w/v) = e, L(x) = φ(x) − x(1 − Φ(x)), the mean of (ξ − x)₊: a window symmetric about c in calibrated scores.

All of it is computed in units of d, where v is q = τ/√(d²+τ²), the deviation of m is r = d/√(d²+τ²), the mean of
m − c is z = (μ − c)/d and w is qx: nothing then depends on how large the numbers are. An argument so large that z, or
an answer, is no finite number is refused.

Source: this project (derivation ``cascade``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import erfcx, ndtr

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray

__all__ = ["cascade_gain", "cascade_recall", "cascade_window", "evaluated_share", "posterior_deviation"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_REACH = 9.0  # deviations of a normal density, beyond which nothing is left of it
_NEVER = 40.0  # deviations at which the density is no number above zero
_WIDEST = 60.0  # w/v: e/v is at least the least float over the largest


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
    q, _ = _shares(deviation, noise)
    return np.asarray(np.asarray(deviation, dtype=np.float64) * q)[()]


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
    w = float(posterior_deviation(deviation, noise)) * _window(evaluation, deviation, noise)
    return float(_domain.finite("the window", w))


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
    x = np.asarray(_window(evaluation, deviation, noise))
    (q, r), z = _shares(deviation, noise), np.abs(_centre(cost, mean, deviation))
    x, q, r, z = _domain.broadcast(evaluation=x, deviation=q, noise=r, cost=z)
    with np.errstate(over="ignore"):
        return np.asarray(ndtr((q * x - z) / r) - ndtr((-q * x - z) / r))[()]


@elementwise("evaluation", "cost", "mean", "deviation", "noise")
def cascade_gain(evaluation: float, cost: float, mean: float, deviation: float, noise: float) -> float:
    """Return the gain over keeping nothing, per sample, less what the exact delights cost.

    That of the best price on scores, and over the window v·L(|m − c|/v) − e more. Parameters as for
    :func:`evaluated_share`.
    """
    x, q, r, z = _standard(evaluation, cost, mean, deviation, noise)
    off = abs(z)
    gain = r * float(_loss(off / r)) + (_more(x, q, r, off, evaluation / deviation) if x > 0 else 0.0)
    return float(_domain.finite("the gain", deviation * gain + max(mean - cost, 0.0)))


@elementwise("evaluation", "cost", "mean", "deviation", "noise")
def cascade_recall(evaluation: float, cost: float, mean: float, deviation: float, noise: float) -> float:
    """Return P(kept | χ > c): all of those within the window, and above it. Parameters as above.

    With y = (c − m)/v of what is missed, y > x, and p = (y + qz)/r the share that is missed has the density
    q·E(y)φ(p)/E(−z), E(y) = Φ(−y)e^{y²/2}, in p: a normal one, times what changes slowly.
    """
    x, q, r, z = _standard(evaluation, cost, mean, deviation, noise)
    k = q * z
    least = (x + k) / r
    if q == 0 or least > _NEVER:
        return 1.0
    p, weight = _panels(max(least, -_REACH), max(least, 0.0) + _REACH)
    missed = q * float(weight @ (erfcx((r * p - k) / np.sqrt(2)) * _density(p))) / float(erfcx(-z / np.sqrt(2)))
    return float(max(1.0 - missed, 0.0))


def _standard(
    evaluation: float, cost: float, mean: float, deviation: float, noise: float
) -> tuple[float, float, float, float]:
    """Return x, q, r and z of scalars."""
    q, r = _shares(deviation, noise)
    return _window(evaluation, deviation, noise), float(q), float(r), float(_centre(cost, mean, deviation))


def _more(x: float, q: float, r: float, off: float, evaluation: float) -> float:
    """Return what the exact delights add within the window, in units of d, its centre ``off`` ≥ 0 from the mean.

    Below and above c apart, in u = (m − μ)/s, about the largest value of the integrand, which falls at least as
    fast from there as a normal density.
    """
    below, middle, above = (float(at) / r for at in (-q * x - off, -off, q * x - off))
    total = 0.0
    for low, high, peak in ((below, middle, middle), (middle, above, min(-off * r, above))):
        if peak > -_NEVER:
            u, weight = _panels(max(low, peak - _REACH), min(high, peak + _REACH))
            total += float(weight @ ((q * _loss(np.abs(off + r * u) / q) - evaluation) * _density(u)))
    return total


@elementwise("evaluation", "deviation", "noise")
def _window(evaluation: float, deviation: float, noise: float) -> float:
    """Return x = w/v."""
    e = _domain.number("evaluation", evaluation, 0, np.inf, "()")
    v = float(posterior_deviation(deviation, noise))
    if e * np.sqrt(2 * np.pi) >= v:
        return 0.0
    target = np.log(e) - np.log(v)
    return float(brentq(lambda x: float(_log_loss(x)) - target, 0.0, _WIDEST, xtol=1e-14))


def _log_loss(x: ArrayLike) -> FloatArray:
    """Return log L(x) for x in [0, 60]."""
    at = np.asarray(x, dtype=np.float64)
    return np.asarray(np.log1p(-at * np.sqrt(np.pi / 2) * erfcx(at / np.sqrt(2))) - at**2 / 2 - np.log(2 * np.pi) / 2)


def _loss(x: ArrayLike) -> FloatArray:
    """Return L(x) = φ(x) − x(1 − Φ(x)) for x ≥ 0."""
    return np.asarray(np.exp(_log_loss(np.minimum(x, _WIDEST))))


def _shares(deviation: ArrayLike, noise: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return q = τ/√(d²+τ²) and r = d/√(d²+τ²) > 0."""
    d, tau = _domain.broadcast(
        deviation=_domain.interval("deviation", deviation, 0, np.inf, "()"),
        noise=_domain.interval("noise", noise, 0, np.inf, "[)"),
    )
    larger = np.maximum(d, tau)
    q, r = tau / larger, d / larger
    length = np.hypot(q, r)
    return np.asarray(q / length), np.asarray(np.maximum(r / length, np.finfo(float).tiny))


def _centre(cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike) -> FloatArray:
    """Return z = (μ − c)/d."""
    c, mu, d = _domain.broadcast(
        cost=_domain.finite("cost", cost),
        mean=_domain.finite("mean", mean),
        deviation=_domain.interval("deviation", deviation, 0, np.inf, "()"),
    )
    with np.errstate(over="ignore"):
        return _domain.finite("(mean − cost)/deviation", (mu - c) / d)


def _density(at: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi))


def _panels(low: float, high: float, count: int = 16) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [low, high]."""
    edges = np.linspace(low, high, count + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + _NODES)).ravel(), (half * _WEIGHTS).ravel()
