"""Where additive scores rank a rare failure above a common success.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 2; the threshold in closed form and
the odds limit are this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["additive_odds_limit", "additive_threshold"]


def additive_threshold(
    p_correct: ArrayLike, n_arms: ArrayLike, reward_gap: ArrayLike = 1.0, *, p_error: ArrayLike | None = None
) -> FloatArray:
    """Return α* = L/(Δ + L), L = log(p(K−1)/(1−p)) [KG Prop. 2; closed form: this project].

    A rare failure outranks a common success iff α < α*, with the score αU + (1 − α)ℓ in a symmetric context. Delight
    never ranks them so while the baseline lies strictly between the two rewards: χ < 0 for the failure, χ > 0 for
    the success.

    Parameters
    ----------
    p_correct : (...) array
        p in (1/K, 1): a success is more common than any one failure.
    n_arms : (...) array
        K ≥ 2.
    reward_gap : (...) array
        Δ > 0.
    p_error : (...) array, optional
        1 − p where that has no accuracy left.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p, error = _domain.probability_pair(p_correct, p_error)
    K = _domain.arm_count(n_arms)
    gap = _domain.interval("reward_gap", reward_gap, 0, np.inf, "()")
    p, K, gap, error = _domain.broadcast(p_correct=p, n_arms=K, reward_gap=gap, p_error=error)
    _domain.require("p_correct", p, p > 1 / K, "above 1/n_arms")
    coarse = p.astype(np.float32).astype(np.float64)  # 24 bits, so coarse·K is exact and pK − 1 does not cancel
    log_ratio = np.log1p(((coarse * K - 1) + (p - coarse) * K) / error)
    return np.asarray(log_ratio / (gap + log_ratio))[()]


def additive_odds_limit(alpha: ArrayLike, n_arms: ArrayLike, reward_gap: ArrayLike = 1.0) -> FloatArray:
    """Return the log of the odds p/(1−p) beyond which an additive rule is sign-inconsistent [this project].

    log(e^{αΔ/(1−α)}/(K−1)), so every α < 1 fails in the end: at moderate odds for moderate α, astronomically late for
    α near one, where it is the advantage rule. The inverse of :func:`additive_threshold` in the odds.

    Parameters
    ----------
    alpha : (...) array
        α in [0, 1).
    n_arms, reward_gap : (...) array
        K ≥ 2 and Δ > 0.
    """
    a = _domain.interval("alpha", alpha, 0, 1, "[)")
    K = _domain.arm_count(n_arms)
    gap = _domain.interval("reward_gap", reward_gap, 0, np.inf, "()")
    a, K, gap = _domain.broadcast(alpha=a, n_arms=K, reward_gap=gap)
    return np.asarray(a * gap / (1 - a) - np.log(K - 1))[()]
