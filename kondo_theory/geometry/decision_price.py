"""The price of least expected cost: a backward pass costs c and is worth the sample's delight, and scores are noisy.

A sample that is kept gains χ − c. What is known of it is a score s = χ + τξ, ξ standard normal and independent.
Keeping it where E[χ | s] > c is best, whatever else could be done with s; as E[χ | s] never falls, that is a price on
s. It is c itself only for scores that are exact, or calibrated there: E[χ | s] = s.

Source: this project (derivation ``decision-price``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["gaussian_gain", "gaussian_price", "gaussian_regret", "two_point_gain", "two_point_price"]


def gaussian_price(cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike) -> FloatArray:
    """Return μ + (c − μ)(1 + τ²/d²), the best price on s = χ + τξ for χ ~ N(μ, d²).

    Parameters
    ----------
    cost : (...) array
        c, finite, in the unit of delight: what a backward pass costs.
    mean, deviation : (...) array
        μ, finite, and d > 0.
    noise : (...) array
        τ ≥ 0.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    c, mu, sigma, tau = _gaussian(cost, mean, deviation, noise)
    return np.asarray(mu + (c - mu) * (1 + (tau / sigma) ** 2))[()]


def gaussian_gain(
    price: ArrayLike, cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike
) -> FloatArray:
    """Return E[(χ − c)·1{s > λ}], per sample: what a gate at the price λ gains over keeping nothing.

    With r = d/√(d² + τ²) and t = (λ − μ)/√(d² + τ²) it is d·r·φ(t) − (c − μ)Φ(−t).

    Parameters
    ----------
    price : (...) array
        λ, finite, on the scores.
    cost, mean, deviation, noise
        As for :func:`gaussian_price`.
    """
    c, mu, sigma, tau = _gaussian(cost, mean, deviation, noise)
    spread = np.hypot(sigma, tau)
    t = (_domain.finite("price", price) - mu) / spread
    density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(sigma**2 / spread * density - (c - mu) * ndtr(-t))[()]


def gaussian_regret(
    price: ArrayLike, cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike
) -> FloatArray:
    """Return E[(χ − c)₊·1{s ≤ λ} + (c − χ)₊·1{s > λ}], per sample: missed and wasted backward passes.

    Parameters as for :func:`gaussian_gain`.
    """
    best = gaussian_gain(cost, cost, mean, deviation, 0.0)
    return np.asarray(best - gaussian_gain(price, cost, mean, deviation, noise))[()]


def two_point_price(
    cost: ArrayLike, high: ArrayLike, low: ArrayLike, share: ArrayLike, noise: ArrayLike
) -> FloatArray:
    """Return (a + b)/2 + τ²/(a − b)·log{(1 − p)(c − b)/(p(a − c))}, the best price where χ is a or b.

    Parameters
    ----------
    cost, high, low : (...) array
        c, a and b with b < c < a, finite.
    share : (...) array
        p in (0, 1), the probability of a.
    noise : (...) array
        τ ≥ 0; at 0 any price between does, and this is the middle.
    """
    c, a, b, p, tau = _two_points(cost, high, low, share, noise)
    odds = np.log1p(-p) + np.log(c - b) - np.log(p) - np.log(a - c)
    return np.asarray((a + b) / 2 + tau**2 / (a - b) * odds)[()]


def two_point_gain(
    price: ArrayLike, cost: ArrayLike, high: ArrayLike, low: ArrayLike, share: ArrayLike, noise: ArrayLike
) -> FloatArray:
    """Return p(a − c)Φ((a − λ)/τ) − (1 − p)(c − b)Φ((b − λ)/τ), per sample, for τ > 0.

    Parameters as for :func:`two_point_price`, and the price λ, finite.
    """
    c, a, b, p, tau = _two_points(cost, high, low, share, noise)
    _domain.require("noise", tau, tau > 0, "positive")
    at = _domain.finite("price", price)
    return np.asarray(p * (a - c) * ndtr((a - at) / tau) - (1 - p) * (c - b) * ndtr((b - at) / tau))[()]


def _gaussian(cost: ArrayLike, mean: ArrayLike, deviation: ArrayLike, noise: ArrayLike) -> tuple[FloatArray, ...]:
    return (
        _domain.finite("cost", cost),
        _domain.finite("mean", mean),
        _domain.interval("deviation", deviation, 0, np.inf, "()"),
        _domain.interval("noise", noise, 0, np.inf, "[)"),
    )


def _two_points(
    cost: ArrayLike, high: ArrayLike, low: ArrayLike, share: ArrayLike, noise: ArrayLike
) -> tuple[FloatArray, ...]:
    c, a, b = (_domain.finite(name, x) for name, x in (("cost", cost), ("high", high), ("low", low)))
    _domain.require("cost", c, (b < c) & (c < a), "between low and high")
    p = _domain.interval("share", share, 0, 1, "()")
    return c, a, b, p, _domain.interval("noise", noise, 0, np.inf, "[)")
