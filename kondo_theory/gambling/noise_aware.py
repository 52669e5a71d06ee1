"""Gates that noise does not take in: what they do to the gamble, exactly.

* **Extremes**: the top ρ by |advantage|. A gate that sees the size of U and not its sign keeps lucky and unlucky
  draws alike, so under symmetric noise with one peak each arm's gated mean has the sign of its mean. The drift is a
  sum of terms that are never negative: no floor, at any noise or rate.
* **Second draw**: zero price, decided by another draw of the same sample's reward. Luck in the one is not luck in the
  other: E[1{U′ > 0}U] = P(U′ > 0)·E[U]. No floor, whatever the noise.
* **Margin**: zero price on a lower confidence bound, U > κσ with σ the arm's own noise. The floor is lower, not gone,
  and the critical noise e^{κ²/2} times as large.

Conventions and units as in :mod:`kondo_theory.gambling.single_arm`: f > 0 is towards the better arm, PG has f = 1.
Where a skewed noise takes the first one in, and what the gates cost, is in the derivation ``noise-aware-gate``.
Source: this project.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_ndtr, ndtr, ndtri

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.gambling.means import isoperimetric, log_positive_part, normal_density
from kondo_theory.gambling.roots import log_probability, root
from kondo_theory.gambling.single_arm import CRITICAL_NOISE_RATIO

__all__ = [
    "extremes_drift",
    "extremes_efficiency",
    "margin_critical_noise_ratio",
    "margin_drift",
    "margin_fixed_point",
    "second_draw_drift",
]

_BISECTIONS = 90
_REACH = 40.0  # standard deviations: Φ(−40) is below 1e-300
_NEARLY_CRITICAL = 1e-8


def extremes_drift(x: ArrayLike, noise_ratio: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the drift f when the top ρ by |advantage| is kept, in units of Δ; positive everywhere.

    With the price c of |U|, a = (c + m)/r, b = (c − m)/r, m = 1 − x, and the kept share q of the safe arm, whose |U|
    is x: f = xq + m{Φ(−a) + Φ(−b)} + r{φ(b) − φ(a)}, b ≥ −a. Batches are infinite; ties are broken at random.

    Parameters
    ----------
    x : (...) array in (0, 1)
        Probability of the gambling arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    rate : (...) array in (0, 1]
        ρ.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x = _domain.interval("x", x, 0, 1, "()")
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    x, r, rho = np.broadcast_arrays(x, r, _domain.interval("rate", rate, 0, 1, "(]"))
    m = 1 - x
    at_the_atom = _beyond(x, m, r)
    share = np.clip((rho - x * at_the_atom) / m, 0.0, 1.0)
    kept_gambles = np.clip(np.where(share > 0, 1 - (1 - rho) / x, rho / x), 0.0, 1.0)
    low, high = np.zeros(x.shape), m + _REACH * r
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        too_many = _beyond(middle, m, r) > kept_gambles
        low, high = np.where(too_many, middle, low), np.where(too_many, high, middle)
    price = np.where((share > 0) & (share < 1), x, (low + high) / 2)
    a, b = (price + m) / r, (price - m) / r
    pushed = r * normal_density(b) * -np.expm1(-2 * (price / r) * (m / r))  # φ(b) − φ(a) without cancelling
    return np.asarray(x * share + m * (ndtr(-a) + ndtr(-b)) + pushed)


def extremes_efficiency(rate: ArrayLike) -> FloatArray:
    """Return 1 + cφ(c)/Φ(−c), c = Φ⁻¹(1 − ρ/2): what extremes are worth a backward pass where noise drowns the gap.

    The squared signal over the variance of a sample kept by |advantage|, over that of a sample kept at random, as
    r → ∞. About c² at low rates.

    Parameters
    ----------
    rate : (...) array in (0, 1]
        ρ, the share that is kept; at 1 the value is 1.
    """
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    return np.asarray(1 - 2 * ndtri(rho / 2) * isoperimetric(rho / 2) / rho)


def second_draw_drift(x: ArrayLike, noise_ratio: ArrayLike) -> FloatArray:
    """Return f = x + (1−x)Φ(−(1−x)/r), the drift at zero price when another draw of the reward decides.

    Parameters
    ----------
    x : (...) array in [0, 1]
        Probability of the gambling arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ, of either draw; the two are independent.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x = _domain.interval("x", x, 0, 1, "[]")
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    return np.asarray(x + (1 - x) * ndtr(-(1 - x) / r))


def margin_drift(x: ArrayLike, noise_ratio: ArrayLike, margin: ArrayLike) -> FloatArray:
    """Return the drift f at zero price on a lower confidence bound: kept iff U > κσ, σ the noise of the sample's arm.

    With t = κ + (1−x)/r: f = x − r{φ(t) − tΦ(−t) + κΦ(−t)}. The safe arm has no noise, and no margin.

    Parameters
    ----------
    x : (...) array in [0, 1]
        Probability of the gambling arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    margin : (...) array in [0, ∞)
        κ, in standard deviations; at 0 this is zero price.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x = _domain.interval("x", x, 0, 1, "[]")
    r = _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
    kappa = _domain.interval("margin", margin, 0, np.inf, "[)")
    return np.asarray(x - np.exp(_log_gated_gamble(1 - x, r, kappa)))


def margin_critical_noise_ratio(margin: ArrayLike) -> FloatArray:
    """Return √(2π)e^{κ²/2}: from this r = σ/Δ on the gambling arm wins in spite of the margin κ ≥ 0, (...)."""
    kappa = _domain.interval("margin", margin, 0, np.inf, "[)")
    with np.errstate(over="ignore"):  # from κ = 37.6 on no noise of a float is critical
        return np.asarray(CRITICAL_NOISE_RATIO * np.exp(kappa * kappa / 2))


@elementwise("noise_ratio", "margin")
def margin_fixed_point(noise_ratio: float, margin: float) -> float | None:
    """Return x*, the share that the gambling arm keeps for good under a margin, or None (in an array nan).

    It is the one zero of :func:`margin_drift`, stable; there is none from :func:`margin_critical_noise_ratio` on.

    Parameters
    ----------
    noise_ratio, margin : (...) array
        r in (0, ∞) and κ in [0, ∞).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    r = float(_domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()"))
    kappa = float(_domain.interval("margin", margin, 0, np.inf, "[)"))
    distance = 1 - r / float(margin_critical_noise_ratio(kappa))
    if distance <= 0:
        return None
    if distance < _NEARLY_CRITICAL:  # no digits left to search in: f′(1) = Φ(κ) − κφ(κ)
        slope = ndtr(kappa) - kappa * math.exp(-kappa * kappa / 2) / CRITICAL_NOISE_RATIO
        return float(expit(math.log(slope / distance)))

    def balance(logit: float) -> float:
        """Return a quantity in [−1, 1] with the sign of f, from the logarithms of its two sides."""
        gamble = float(_log_gated_gamble(np.asarray(expit(-logit)), np.asarray(r), np.asarray(kappa)))
        return math.tanh((log_probability(logit) - gamble) / 2)

    low, high = -1.0, 1.0
    while balance(low) >= 0:
        low *= 2
    while balance(high) <= 0:
        high *= 2
    return float(expit(root(balance, low, high)))


def _beyond(price: FloatArray, m: FloatArray, r: FloatArray) -> FloatArray:
    """Return P(|U| > c) of U ~ N(−m, r²)."""
    return np.asarray(ndtr(-(price + m) / r) + ndtr(-(price - m) / r))


def _log_gated_gamble(m: FloatArray, r: FloatArray, kappa: FloatArray) -> FloatArray:
    """Return log E[U; U > κr] of U ~ N(−m, r²), without cancelling: r{g(t) + κΦ(−t)}, g(t) = E[(ξ − t)₊]."""
    t = kappa + m / r
    with np.errstate(divide="ignore"):  # κ = 0
        tail = np.log(kappa) + log_ndtr(-t)
    return np.asarray(np.log(r) + np.logaddexp(log_positive_part(t), tail))
