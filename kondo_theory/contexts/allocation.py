"""How each method shares its mean gradient among many contexts, against cross-entropy's share.

Independent contexts n = 1 … N, each with a correct arm of probability p_n and K − 1 equally likely wrong ones. Every
method moves context n by c_n·d_n, d_n = e_{y*} − π, ‖d_n‖² = ε_n²K/(K − 1), and they differ in c_n alone.
Cross-entropy, the oracle that is told the right arm, has c_n = 1.

Sources: [DG] I. Osband, "Delightful Policy Gradient", arXiv 2603.14608, Prop. 2 (oracle, PG, DG); the Kondo gate of
[KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, and the limits of DG's advantage are this
project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.words import unhandled

__all__ = [
    "METHODS",
    "context_weights",
    "cosine_to_cross_entropy",
    "dg_closer_limit",
    "gap_to_cross_entropy",
    "spread_probabilities",
]

METHODS = ("oracle", "pg", "dg", "kondo")
"""Cross-entropy, policy gradient, delightful policy gradient, and the hard Kondo gate at a price λ ≥ 0."""


def spread_probabilities(centre: float, spread: float, n_contexts: int) -> FloatArray:
    """Return p_n, shape (N,), whose log-odds are the quantiles of a normal law of this mean and deviation (nats).

    One set of contexts: scalars only.
    """
    centre, spread = _domain.scalar("centre", centre), _domain.scalar("spread", spread)
    n_contexts = _domain.integer("n_contexts", n_contexts, 1)
    quantiles = ndtri((np.arange(n_contexts) + 0.5) / n_contexts)
    return np.asarray(expit(centre + spread * quantiles))


def cosine_to_cross_entropy(
    weights: ArrayLike, p_correct: ArrayLike, n_arms: ArrayLike, *, p_error: ArrayLike | None = None
) -> FloatArray:
    """Return the cosine of the mean gradient Σ_n c_n d_n with cross-entropy's Σ_n d_n [DG Prop. 2].

    Σ_n w_n c_n / √(Σ_n w_n c_n² · Σ_n w_n) with w_n = ‖d_n‖² = ε_n²K_n/(K_n − 1), contexts equally frequent.

    Parameters
    ----------
    weights : (..., N) array
        c_n, any finite numbers; their common scale does not matter.
    p_correct : (..., N) array
        p_n in (0, 1).
    n_arms : (..., N) array
        K_n ≥ 2.
    p_error : (..., N) array, optional
        ε_n, for p_n so near one that 1 − p_n has no accuracy left.

    Returns
    -------
    (...) array
        In [−1, 1]; nan where every weight is zero.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain, not real, or without a last axis of contexts.
    """
    mean, length = _weighted(weights, p_correct, n_arms, p_error)[:2]
    return np.asarray(mean / np.where(length > 0, length, np.nan))[()]


def gap_to_cross_entropy(
    weights: ArrayLike, p_correct: ArrayLike, n_arms: ArrayLike, *, p_error: ArrayLike | None = None
) -> FloatArray:
    """Return one minus :func:`cosine_to_cross_entropy`, accurate where the two nearly agree; same parameters."""
    mean, length, variance = _weighted(weights, p_correct, n_arms, p_error)
    length = np.where(length > 0, length, np.nan)
    # 1 − m/h = (h² − m²)/(h(h + m)), and h² − m² is the variance: no subtraction of nearly equal numbers.
    near = variance / (length * np.where(mean > 0, length + mean, 1.0))
    return np.asarray(np.where(mean > 0, near, 1 - mean / length))[()]


def _weighted(
    weights: ArrayLike, p_correct: ArrayLike, n_arms: ArrayLike, p_error: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, root mean square and variance of the c_n under the shares w_n/Σw, scaled by their largest."""
    coefficient = _domain.finite("weights", weights)
    share = _shares(p_correct, n_arms, p_error)
    coefficient, share = np.broadcast_arrays(_with_contexts("weights", coefficient), share)
    largest = np.max(np.abs(coefficient), axis=-1, keepdims=True)
    scaled = coefficient / np.where(largest > 0, largest, 1.0)
    share = share / share.sum(axis=-1, keepdims=True)
    mean = np.asarray((share * scaled).sum(axis=-1))
    variance = np.asarray((share * (scaled - mean[..., None]) ** 2).sum(axis=-1))
    return mean, np.sqrt(mean**2 + variance), variance


def _shares(p_correct: ArrayLike, n_arms: ArrayLike, p_error: ArrayLike | None) -> FloatArray:
    """Return w_n ∝ ε_n²K_n/(K_n − 1) with the largest equal to one."""
    p, error = _domain.probability_pair(p_correct, p_error)
    K = _domain.arm_count(n_arms)
    length = _with_contexts("p_correct", np.asarray(error * np.sqrt(K / (K - 1)) + 0 * p))
    return np.asarray((length / length.max(axis=-1, keepdims=True)) ** 2)


def _with_contexts(name: str, array: FloatArray) -> FloatArray:
    """Refuse an array that has no contexts on its last axis."""
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} must have its contexts on the last axis, got shape {array.shape}")
    return array


def context_weights(
    method: str,
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike = 0.5,
    *,
    price: ArrayLike = 0.0,
    temperature: ArrayLike = 1.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return c_n, by which a method moves context n along d_n [DG Prop. 2; Kondo gate: this project].

    Oracle 1; PG p_n, whatever the baseline; DG p_n[w₊(1 − b_n) + w₋b_n]; Kondo p_n(1 − b_n)·1{χ_n > λ}, with
    χ_n = −(1 − b_n)·log p_n. A wrong arm has χ ≤ 0 and is never kept at a price λ ≥ 0.

    Parameters
    ----------
    method : str
        One of :data:`METHODS`.
    p_correct, n_arms, p_error : (...) arrays
        As in :func:`cosine_to_cross_entropy`; elementwise here.
    baseline : (...) array, "value" or "confidence"
        b_n in [0, 1); "value" is b_n = p_n and "confidence" b_n = p_n² + ε_n²/(K − 1).
    price : (...) array
        λ ≥ 0 in nats times reward, used by "kondo"; 0 is zero price.
    temperature : (...) array
        η in (0, ∞], used by "dg".

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    method = _domain.choice("method", method, METHODS)
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    if method == "oracle":
        return np.ones_like(context.p)[()]
    if method == "pg":
        return context.p.copy()[()]
    if method == "dg":
        right, wrong = context.weights("dg", temperature)
        return np.asarray(context.p * (right * context.complement + wrong * context.baseline))[()]
    if method != "kondo":
        raise unhandled("method", method, ("oracle", "pg", "dg", "kondo"))
    limit = _domain.interval("price", price, 0, np.inf, "[)")
    return np.asarray(context.p * context.complement * (_correct_delight(context) > limit))[()]


def _correct_delight(context: SymmetricContext) -> FloatArray:
    """Return χ_n of the correct arm."""
    return np.asarray(context.complement * context.surprisals[0])


@elementwise("n_arms", "baseline", "temperature")
def dg_closer_limit(n_arms: float, baseline: float, temperature: float = 1.0) -> float:
    """Return P such that DG is at least as close to cross-entropy as PG whenever every p_n ≤ P [this project].

    All contexts have this K and this b: where K varies equal p_n have unequal weights, and DG can be farther. DG
    multiplies PG's weight p by κ(p), which falls with p; while p·κ(p) still rises, the c_n are less spread out than
    the p_n and the cosine is larger. For 0 ≤ b ≤ η the product is concave, and P is where it turns (1 if it never
    does). Beyond P it can go either way; for 0 < b < η DG is farther than PG in the limit ε_n → 0 in fixed, unequal
    ratios.

    Parameters
    ----------
    n_arms : (...) array
        K ≥ 2, of every context.
    baseline : (...) array
        Constant b in [0, 1), at most the temperature.
    temperature : (...) array
        η > 0.

    Raises
    ------
    ValueError
        If an argument is out of its domain; b > η is not covered by the proof.
    """
    K = float(_domain.arm_count(n_arms))
    eta = float(_domain.interval("temperature", temperature, 0, np.inf, "()"))
    b = float(_domain.interval("baseline", baseline, 0, min(1.0, eta), "[]" if eta < 1 else "[)"))
    up, down = (1 - b) / eta, b / eta
    arms = (K - 1) ** down

    def slope(log_error: float) -> float:
        """Return the derivative of p·κ(p) in p at ε = e^{log_error}."""
        error = float(np.exp(log_error))
        p = -float(np.expm1(log_error))
        correct = p**up
        scaled = error**down
        kept = scaled / (scaled + arms)
        falling = down * error ** (down - 1) * arms / (scaled + arms) ** 2
        return float((1 - b) * (1 + (1 - up) * correct) / (1 + correct) ** 2 + b * (kept - p * falling))

    lowest = -600.0
    if slope(lowest) >= 0:
        return 1.0
    log_error: float = brentq(slope, lowest, -1e-12, xtol=1e-13, rtol=1e-14)
    return -float(np.expm1(log_error))
