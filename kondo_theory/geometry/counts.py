"""How many samples of a batch a gate keeps that decides sample by sample: K ~ Bin(B, ρ).

Source: this project (derivation ``normalised-price-gate``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["count_spread", "inverse_count", "nothing_kept"]

_MANY = 1e6  # kept samples from which on two orders of 1/(ρB) are exact to rounding
_REACH = 40.0  # deviations of K, and whole samples, beyond which nothing is left of its law


def inverse_count(rate: ArrayLike, batch_size: ArrayLike) -> FloatArray:
    """Return h = E[ρB/K; K ≥ 1] for K ~ Bin(B, ρ): by how much dividing by K multiplies the kept samples' own noise.

    1 + (1−ρ)/(ρB) to first order in 1/B; below 1 only where often nothing is kept.

    Parameters
    ----------
    rate : (...) array
        ρ in (0, 1].
    batch_size : (...) array
        B, whole and at least 1, or infinite.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    rho, B = _count(rate, batch_size)
    rho, B = np.broadcast_arrays(rho, B)
    h = np.ones(rho.shape)
    for place in np.ndindex(rho.shape):
        if np.isfinite(B[place]):
            h[place] = _inverse_count(float(rho[place]), float(B[place]))
    return h[()]


def count_spread(rate: ArrayLike, batch_size: ArrayLike) -> FloatArray:
    """Return √((1−ρ)/(ρB)), the standard deviation of K/(ρB): of the factor that dividing by K takes out of a step.

    Parameters, errors
        Those of :func:`inverse_count`.
    """
    rho, B = _count(rate, batch_size)
    return np.asarray(np.sqrt((1 - rho) / (rho * B)))[()]


def nothing_kept(rate: ArrayLike, batch_size: ArrayLike) -> FloatArray:
    """Return (1−ρ)^B, the probability that nothing is kept.

    Parameters, errors
        Those of :func:`inverse_count`.
    """
    rho, B = _count(rate, batch_size)
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(B * np.log1p(-rho)))[()]


def _inverse_count(rho: float, B: float) -> float:
    """Return h: a sum over what K is with a probability that counts, and for many kept its expansion."""
    kept = rho * B
    if kept > _MANY:
        return float(1 + (1 - rho) / kept * (1 + (2 - rho) / kept))
    reach = _REACH * np.sqrt(kept) + _REACH
    n = np.arange(max(1, int(kept - reach)), min(B, np.ceil(kept + reach)) + 1)
    return float(kept * np.sum(binom.pmf(n, B, rho) / n))


def _count(rate: ArrayLike, batch_size: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return ρ and B."""
    B = _domain.real("batch_size", batch_size)
    whole = (B >= 1) & (np.floor(B) == B)
    return _domain.interval("rate", rate, 0, 1, "(]"), _domain.require("batch_size", B, whole, "an integer ≥ 1 or ∞")
