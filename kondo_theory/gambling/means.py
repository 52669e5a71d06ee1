"""Means of a gated Gaussian advantage, U = r(ξ − s) with ξ ~ N(0,1): the building blocks of the gambling claims.

Everything is a function of s, the distance of the mean below zero in standard deviations, and of the gate:

* zero price: E[U₊] = r·g(s), g(s) = φ(s) − sΦ(−s);
* DG: E[U σ(aU)] = r·D(s, A), A = ar/2;
* the best share τ of U: E[U; top τ] = r·(I(τ) − sτ), I = φ∘Φ⁻¹ the Gaussian isoperimetric function.

The textbook forms cancel for large s; these do not. Source: this project, in the setting of [KG] I. Osband, "Does
This Gradient Spark Joy?", arXiv 2603.20526, Prop. 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, ndtri

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["isoperimetric", "log_positive_part", "normal_density", "positive_part", "soft_part", "soft_part_log"]

_LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)
_ASYMPTOTIC_FROM = 12.0  # below, 1 − s·Mills loses s² ulps, at most 1e-13; above, 20 terms of its series are exact
_NEGLIGIBLE = 40.0  # e^-40: what the quadrature leaves out at its ends, relative to the peak
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# Panels as fractions of the range: geometric towards 0, where 1/cosh has a layer of any thinness, then eighths.
_BREAKS = np.concatenate([[0.0], 4.0 ** -np.arange(16.0, 1.0, -1.0), np.arange(1, 9) / 8])
_FRACTIONS = (_BREAKS[:-1, None] + np.diff(_BREAKS)[:, None] * (1 + _NODES) / 2).ravel()
_FRACTION_WEIGHTS = (np.diff(_BREAKS)[:, None] * _WEIGHTS / 2).ravel()


def normal_density(x: FloatArray) -> FloatArray:
    """Return φ(x)."""
    return np.asarray(np.exp(-0.5 * x * x - _LOG_ROOT_TWO_PI))


def isoperimetric(share: ArrayLike) -> FloatArray:
    """Return I(τ) = φ(Φ⁻¹(τ)) = E[ξ; top τ], for τ in [0, 1]; concave, zero at both ends."""
    return normal_density(ndtri(_domain.interval("share", share, 0, 1, "[]")))


def log_positive_part(s: ArrayLike) -> FloatArray:
    """Return log g(s), g(s) = E[(ξ − s)₊], for finite s; relative error of g below 1e-12.

    For s > 0, g = φ(s)(1 − s·M(s)) with Mills' ratio M, from ``erfcx`` up to s = 12 and from the series
    1/s² − 3/s⁴ + 15/s⁶ − … beyond it.
    """
    s = _domain.finite("s", s)
    size = np.abs(s)
    near = np.minimum(size, _ASYMPTOTIC_FROM)
    factor = 1 - near * np.sqrt(np.pi / 2) * erfcx(near / np.sqrt(2))
    inverse = np.maximum(size, _ASYMPTOTIC_FROM) ** -2.0
    series = np.ones_like(inverse)
    for odd in range(39, 1, -2):  # Horner: 1 − 3y(1 − 5y(1 − 7y(…)))
        series = 1 - odd * inverse * series
    log_factor = np.where(size > _ASYMPTOTIC_FROM, np.log(inverse * series), np.log(factor))
    upper = log_factor - 0.5 * size * size - _LOG_ROOT_TWO_PI
    with np.errstate(divide="ignore"):  # s = 0 takes the other branch
        lower = np.log(size + np.exp(upper))  # g(−s) = s + g(s)
    return np.asarray(np.where(s >= 0, upper, lower))


def positive_part(s: ArrayLike) -> FloatArray:
    """Return g(s) = E[(ξ − s)₊] = φ(s) − sΦ(−s), relative error below 1e-12; underflows to 0 from s ≈ 38 on."""
    return np.asarray(np.exp(log_positive_part(s)))


def soft_part_log(s: ArrayLike, sharpness: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the sign and the logarithm of the size of D(s, A) = E[(ξ − s)σ(2A(ξ − s))].

    Reflecting and tilting the Gaussian leaves one integrand of one sign,
    D = e^{−s²/2} ∫₀^∞ tφ(t) sinh(t(A − s))/cosh(tA) dt, so D > 0 iff A > s, and nothing cancels. Composite
    Gauss–Legendre quadrature; relative error below 1e-10 (unless A − s itself has no digits left).

    Parameters
    ----------
    s : (...) array, ≥ 0
    sharpness : (...) array in [0, ∞]
        A; infinity is the hard gate, D = g(s).

    Returns
    -------
    sign, log_size : (...) arrays
        Zero and −∞ where A = s.
    """
    s = _domain.interval("s", s, 0, np.inf, "[)")
    a = _domain.interval("sharpness", sharpness, 0, np.inf, "[]")
    s, a = np.broadcast_arrays(s, a)
    hard = np.isinf(a)
    finite_a = np.where(hard, s, a)
    peak = np.where(finite_a >= s, -s, s - 2 * finite_a)  # the exponent is −(t − peak)²/2 + height
    height = np.where(finite_a >= s, 0.0, -2 * finite_a * (s - finite_a)) + np.where(
        peak < 0, np.where(finite_a >= s, -0.5 * s * s, -0.5 * (s - 2 * finite_a) ** 2), 0.0
    )
    reach = np.sqrt(2 * _NEGLIGIBLE)
    start = np.maximum(peak - reach, 0.0)
    # For a peak left of zero the range ends where t²/2 + t|peak| = 40.
    left_end = 2 * _NEGLIGIBLE / (np.maximum(-peak, 0.0) + np.sqrt(np.minimum(peak, 0.0) ** 2 + 2 * _NEGLIGIBLE))
    end = np.where(peak > 0, peak + reach, left_end)
    length = (end - start)[..., None]
    t = start[..., None] + length * _FRACTIONS
    gap = np.abs(finite_a - s)[..., None]
    centre = peak[..., None]
    exponent = np.where(centre > 0, -0.5 * (t - centre) ** 2, -0.5 * t * t + t * np.minimum(centre, 0.0))
    values = t * -np.expm1(-2 * t * gap) / (1 + np.exp(-2 * t * finite_a[..., None])) * np.exp(exponent)
    with np.errstate(divide="ignore"):  # A = s
        log_size = np.log((values * length * _FRACTION_WEIGHTS).sum(axis=-1)) + height - _LOG_ROOT_TWO_PI
    sign = np.where(hard, 1.0, np.sign(finite_a - s))
    return np.asarray(sign), np.asarray(np.where(hard, log_positive_part(s), log_size))


def soft_part(s: ArrayLike, sharpness: ArrayLike) -> FloatArray:
    """Return D(s, A) = E[(ξ − s)σ(2A(ξ − s))]; see :func:`soft_part_log`."""
    sign, log_size = soft_part_log(s, sharpness)
    return np.asarray(sign * np.exp(log_size))
