"""The gambling pathology under the top-ρ gate, in the limit of large batches: the best ρ of the delights are kept.

The safe arms are an atom of the delight distribution, χ₁ = xℓ₁ with mass 1 − x; the gambling arm's delights Uℓ₂ are
continuous. Where the price falls on the atom, ties are broken at random. Three regions (m = 1 − x, u = xℓ₁/ℓ₂ the
advantage at which a gamble ties with the atom, P = Φ(−(u+m)/r) the chance to beat it):

* split, xP ≤ ρ ≤ m + xP: every gamble above u is kept and a share q = (ρ − xP)/m of the atom;
  f = xq − E[U; U > u]. Small x: f ≈ ρx − h(m, r).
* only gambles, ρ < xP: the best share ρ/x of the gambles; f < 0, no rest point.
* whole atom, ρ > m + xP: all of it, and the best share τ = (ρ − m)/x of the gambles; f = 1 − ρ + τ − r·I(τ),
  I = φ∘Φ⁻¹, strictly convex in τ. At x = 1: f = 1 − r·I(ρ).

Conventions and units as in :mod:`kondo_theory.gambling.single_arm`. Source: this project, in the setting of [KG] I.
Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.gambling.means import isoperimetric, log_positive_part, positive_part
from kondo_theory.gambling.roots import RestPoint, rest_points

__all__ = ["corner_noise_ratio", "log_top_rate_floor", "top_rate_drift", "top_rate_points"]


def corner_noise_ratio(rate: ArrayLike) -> FloatArray:
    """Return 1/φ(Φ⁻¹(1−ρ)): the corner x = 1 attracts at rate ρ if r is above it and repels if r is below it.

    Smallest, √(2π), at ρ = 1/2. ``rate`` is ρ in (0, 1).
    """
    return np.asarray(1 / isoperimetric(_domain.interval("rate", rate, 0, 1, "()")))


def log_top_rate_floor(noise_ratio: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return log of h(1, r)/ρ, the leading form of the lowest rest point as r → 0 (their ratio tends to one)."""
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    rho = _domain.interval("rate", rate, 0, 1, "()")
    return np.asarray(np.log(r) + log_positive_part(1 / r) - np.log(rho))


def top_rate_drift(x: ArrayLike, noise_ratio: ArrayLike, rate: ArrayLike, *, n_arms: ArrayLike = 2) -> FloatArray:
    """Return the drift f = E[GU | arm 1] − E[GU | arm 2] at gate rate ρ, in units of Δ, positive towards arm 1.

    Parameters
    ----------
    x : (...) array in (0, 1)
        Probability of the gambling arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    rate : (...) array in (0, 1]
        ρ; at ρ = 1 everything is kept and f = 1, as for PG.
    n_arms : (...) array
        K: one gambling arm and K − 1 safe ones, equally likely.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x = _domain.interval("x", x, 0, 1, "()")
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    x, r, rho = np.broadcast_arrays(x, r, rho)
    m = 1 - x
    tie = x * (np.log(_domain.arm_count(n_arms) - 1) - np.log1p(-x)) / -np.log(x)
    beat = ndtr(-(tie + m) / r)
    share = np.clip((rho - x * beat) / m, 0.0, 1.0)
    split = x * share - (tie * beat + r * positive_part((tie + m) / r))
    # Only gambles: U above its quantile, written as threshold·share plus what lies above the threshold.
    best = np.minimum(rho / x, 1.0)
    gambles = -(-m * best + r * isoperimetric(best))
    kept = np.clip((rho - m) / x, 0.0, 1.0)
    whole = 1 - rho + kept - r * isoperimetric(kept)
    return np.asarray(np.where(rho < x * beat, gambles, np.where(rho > m + x * beat, whole, split)))


def top_rate_points(noise_ratio: float, rate: float, *, n_arms: int = 2) -> tuple[RestPoint, ...]:
    """Return all interior rest points at rate ρ, in ascending order; several stable ones can coexist.

    The lowest is always stable, a floor, unless the gambling arm wins from everywhere, when there is none. Points
    below x = 1e-300 are not resolved: see :func:`log_top_rate_floor`, which is exact to rounding there. Their number
    varies: scalars only.

    Parameters
    ----------
    noise_ratio : float
        r = σ/Δ, in (0, ∞).
    rate : float
        ρ in (0, 1).
    n_arms : int

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    r = _domain.number("noise_ratio", noise_ratio, 0, np.inf, "()")
    rho = _domain.number("rate", rate, 0, 1, "()")
    _domain.scalar("n_arms", n_arms)
    # f < 0 far below h(1, r), since f ≤ x − E[U; U > u] and the last term is nearly h(1, r) there.
    lowest = min(float(log_top_rate_floor(r, 1.0 - 1e-9)), 0.0) - 7.0
    return rest_points(lambda x: top_rate_drift(x, r, rho, n_arms=n_arms), lowest)
