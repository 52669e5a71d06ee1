"""Equal noise on both arms: which gates still drift to the worse arm when luck is the same everywhere.

Arm 1 pays σξ, arm 2 pays −Δ + σξ and is played with probability x; b = E R. In units of Δ, U ~ N(x, r²) on arm 1 and
U ~ N(−(1−x), r²) on arm 2. Conventions and units as in :mod:`kondo_theory.gambling.single_arm`: the drift f = E[wU |
arm 1] − E[wU | arm 2] is positive towards arm 1. PG has f = 1.

* Zero price: f > 0 everywhere, because E[U₊] grows with the mean. No floor.
* DG: exactly one rest point, stable, for every r and η: rare arms have more surprisal, so the gate is sharper for
  them.
* Top-ρ: as x → 0, f → r·(I(ρ) − g(1/r)). The corner x = 0 repels, and a floor remains, if g(1/r) > I(ρ), that is
  above the noise ratio :func:`equal_noise_floor_ratio`; below it the corner attracts.

Source: this project.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.gambling.means import isoperimetric, log_positive_part, positive_part, soft_part, soft_part_log
from kondo_theory.gambling.roots import RestPoint, log_probability, rest_points, root
from kondo_theory.gambling.single_arm import GATES
from kondo_theory.words import unhandled

__all__ = [
    "equal_noise_drift",
    "equal_noise_fixed_point",
    "equal_noise_floor_ratio",
    "equal_noise_top_rate_drift",
    "equal_noise_top_rate_points",
]

_LARGEST_EXPONENT = 700.0
_BISECTIONS = 70


def equal_noise_drift(
    x: ArrayLike, noise_ratio: ArrayLike, gate: str = "zero-price", temperature: ArrayLike = 1.0
) -> FloatArray:
    """Return the drift f in units of Δ when both arms carry the same noise.

    Zero price: f = x + h(x, r) − h(1−x, r). DG: f = x + S(−x, ℓ₁) − S(−(1−x), ℓ₂), S(μ, ℓ) = E[Uσ(Uℓ/η)], U ~ N(μ,
    r²).

    Parameters
    ----------
    x : (...) array in (0, 1)
        Probability of the worse arm.
    noise_ratio : (...) array in (0, ∞)
        r = σ/Δ.
    gate : "zero-price", "dg" or "pg"
    temperature : (...) array in (0, ∞)
        η of DG, in units of Δ.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    gate = _domain.choice("gate", gate, GATES)
    x, r = _place(x, noise_ratio)
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    if gate == "pg":
        return np.ones(np.broadcast_shapes(x.shape, r.shape, eta.shape))
    if gate == "zero-price":
        return np.asarray(x + r * (positive_part(x / r) - positive_part((1 - x) / r)) + 0 * eta)
    if gate != "dg":
        raise unhandled("gate", gate, ("zero-price", "dg", "pg"))
    half = r / (2 * eta)
    # Reflection: the mean of Uσ(aU) at +μ is μ plus its mean at −μ.
    better = x + r * soft_part(x / r, -np.log1p(-x) * half)
    return np.asarray(better - r * soft_part((1 - x) / r, -np.log(x) * half))


@elementwise("noise_ratio", "temperature")
def equal_noise_fixed_point(noise_ratio: float, gate: str = "zero-price", temperature: float = 1.0) -> float | None:
    """Return the stable interior zero of the drift: one for DG at every r and η, always below 1/2; else None.

    ``noise_ratio`` and ``temperature`` broadcast; in an array None is nan.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    gate = _domain.choice("gate", gate, GATES)
    r = float(_domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()"))
    eta = float(_domain.interval("temperature", temperature, 0, np.inf, "()"))
    if gate != "dg":
        return None

    def balance(logit: float) -> float:
        """Return a quantity in [−1, 1] with the sign of f, from the logarithms of its two sides."""
        x, log_x = float(expit(logit)), log_probability(logit)
        better = x + r * float(soft_part(x / r, -log_probability(-logit) * r / (2 * eta)))
        sign, size = soft_part_log(float(expit(-logit)) / r, -log_x * r / (2 * eta))
        if sign <= 0:
            return 1.0
        # The better side is x/2 + O(x²); below double range it is just that.
        log_better = np.log(better) if x > 1e-150 else log_x + np.log(0.5 + r * r / (4 * eta))
        return float(np.tanh((log_better - np.log(r) - float(size)) / 2))

    low = -1.0
    while balance(low) >= 0:
        low *= 2
    return float(expit(root(balance, low, 0.0)))


@elementwise("rate")
def equal_noise_floor_ratio(rate: float) -> float:
    """Return the r at which g(1/r) = I(ρ): above it the corner x = 0 repels at rate ρ, below it it attracts.

    Infinite at ρ = 1/2, where zero price and top-ρ agree near the corner. ``rate`` is ρ in (0, 1), (...).
    """
    target = np.log(float(isoperimetric(_domain.interval("rate", rate, 0, 1, "()"))))
    if rate == 0.5:
        return float("inf")

    def excess(s: float) -> float:
        return float(log_positive_part(s)) - float(target)

    high = 1.0
    while excess(high) > 0:
        high *= 2
    return 1 / root(excess, 0.0, high)


def equal_noise_top_rate_drift(x: ArrayLike, noise_ratio: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the drift f at gate rate ρ in (0, 1] with equal noise; the price by bisection to rounding.

    Other parameters, units and refusals as in :func:`equal_noise_drift`.
    """
    x, r = _place(x, noise_ratio)
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    x, r, rho = np.broadcast_arrays(x, r, rho)
    m, safe, gambling = 1 - x, -np.log1p(-x), -np.log(x)
    # Price λ = c·ℓ₁ℓ₂/(ℓ₁+ℓ₂) with c = r·sinh(v): thresholds of U are c·ℓ₂/(ℓ₁+ℓ₂) and c·ℓ₁/(ℓ₁+ℓ₂).
    first, second = gambling / (safe + gambling), safe / (safe + gambling)
    low, high = np.full(x.shape, -_LARGEST_EXPONENT), np.full(x.shape, _LARGEST_EXPONENT)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        c = np.sinh(middle)
        mass = m * ndtr(x / r - c * first) + x * ndtr(-m / r - c * second)
        low, high = np.where(mass > rho, middle, low), np.where(mass > rho, high, middle)
    c = np.sinh((low + high) / 2)
    value = _mean_above(x / r, c * first) - _mean_above(-m / r, c * second)
    return np.asarray(np.where(rho == 1, 1.0, r * value))


def equal_noise_top_rate_points(noise_ratio: float, rate: float) -> tuple[RestPoint, ...]:
    """Return all interior rest points at rate ρ in (0, 1) with equal noise, in ascending order (x above 1e-300).

    Scalars only, for their number varies.
    """
    r = _domain.number("noise_ratio", noise_ratio, 0, np.inf, "()")
    rho = _domain.number("rate", rate, 0, 1, "()")
    return rest_points(lambda x: equal_noise_top_rate_drift(x, r, rho), -690.0)


def _mean_above(mean: FloatArray, threshold: FloatArray) -> FloatArray:
    """Return E[V; V > t] of V ~ N(mean, 1), as t·P(V > t) + E[(V − t)₊] where t > 0 and by the complement below."""
    gap = np.clip(threshold - mean, -1e150, 1e150)
    above = np.where(gap > 1e10, 0.0, threshold) * ndtr(-gap) + positive_part(gap)
    # For t < 0 and far out the two terms cancel: E[V; V > t] = mean·P + φ(gap).
    return np.where(threshold > 0, above, mean * ndtr(-gap) + np.exp(-0.5 * gap * gap) / np.sqrt(2 * np.pi))


def _place(x: ArrayLike, noise_ratio: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return _domain.interval("x", x, 0, 1, "()"), _domain.interval("noise_ratio", noise_ratio, 0, np.inf, "()")
