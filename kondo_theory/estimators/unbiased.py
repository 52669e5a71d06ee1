"""Gates that reweight what they keep, so that the mean gradient is kept exactly, and what that costs.

A sample kept with probability w and weighted by 1/w (Horvitz and Thompson's weights) has the mean of all samples, and
along any direction its variance is that of all samples plus E[(1/w − 1)y²], y the gradient's part there. So its cost
of signal ρE‖g‖²/‖E g‖² is at least (E‖g‖)²/‖∇J‖² ≥ 1 at every rate, by Cauchy and Schwarz; a gate w ∝ ‖g‖ attains it.

In one symmetric context a wrong arm's score has D = √(1+(K−2)/(Kp²)) times the length of its part along ∇J, and that
least is ((1−b) + bD)². Zero price has the cost one there, and a biased mean, (1−b)∇J.

Source: this project (derivation ``unbiased-gates``). The effective sample size of a gate's weights is after VCPO.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.moments import GradientMoments, gradient_moments

__all__ = [
    "biased_below",
    "effective_share",
    "least_unbiased_cost",
    "mean_squared_error",
    "symmetric_weighted_moments",
    "weighted_moments",
    "wrong_score_ratio",
]


def weighted_moments(
    policy: ArrayLike, advantage: ArrayLike, keep: ArrayLike, *, direction: ArrayLike | None = None
) -> GradientMoments:
    """Return the exact moments of one sample kept with probability w and weighted by 1/w.

    Parameters
    ----------
    policy, advantage : (..., K) array
        π and U of each arm.
    keep : (..., K) array
        w in [0, 1]; zero only where the advantage is zero, or the arm is never played.
    direction : (..., K) array, optional
        As in :func:`kondo_theory.moments.gradient_moments`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or a sample with a gradient is never kept.
    """
    pi, U = _domain.policy(policy), _domain.finite("advantage", advantage)
    w = _keep(pi, U, keep)
    return gradient_moments(pi, U, np.ones_like(w), 1 / w, direction=direction)


def symmetric_weighted_moments(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    keep_correct: ArrayLike,
    keep_wrong: ArrayLike,
    *,
    p_error: ArrayLike | None = None,
) -> GradientMoments:
    """Return the same in one symmetric context, in closed form.

    PG's moments, and Var_∥ more by α²{p(1/w₊ − 1)(1−b)²ε² + ε(1/w₋ − 1)b²p²}, Var_⊥ by ε(1/w₋ − 1)b²(K−2)/(K−1).

    Parameters
    ----------
    p_correct, n_arms, baseline, p_error : (...) array
        As in :func:`kondo_theory.geometry.symmetric.symmetric_moments`.
    keep_correct, keep_wrong : (...) array
        w₊ and w₋ in (0, 1].

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error)
    right = 1 / _domain.interval("keep_correct", keep_correct, 0, 1, "(]") - 1
    wrong = 1 / _domain.interval("keep_wrong", keep_wrong, 0, 1, "(]") - 1
    one = np.ones_like(context.p)
    pg, K, alpha = context.moments(one, one), context.n_arms, context.alpha_squared
    up = context.p * right * (context.complement * context.error) ** 2
    down = context.error * wrong * context.baseline**2
    parallel = pg.var_parallel + alpha * (up + down * context.p**2)
    perpendicular = pg.var_perpendicular + down * (K - 2) / (K - 1)
    fields = np.broadcast_arrays(pg.signal, pg.perpendicular_bias, parallel, perpendicular, pg.cosine)
    return GradientMoments(*(np.asarray(field)[()] for field in fields))


def wrong_score_ratio(p_correct: ArrayLike, n_arms: ArrayLike) -> FloatArray:
    """Return D = √(1+(K−2)/(Kp²)): the length of a wrong arm's score over its part along ∇J; 1 at K = 2.

    Raises
    ------
    ValueError, TypeError
        If p is not in (0, 1), K below 2 or one of them is not real.
    """
    p, K = _domain.interval("p_correct", p_correct, 0, 1, "()"), _domain.arm_count(n_arms)
    return np.asarray(np.hypot(1.0, np.sqrt((K - 2) / K) / p))[()]


def least_unbiased_cost(p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Return ((1−b) + bD)² ≥ 1, the least cost of signal of gates without bias in one symmetric context.

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    baseline : (...) array, "value" or "confidence"
        b in [0, 1).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, below_one=True)
    return np.asarray((context.complement + context.baseline * wrong_score_ratio(context.p, context.n_arms)) ** 2)[()]


def biased_below(p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Return the batch size below which zero price has a smaller mean squared error than any such gate of its rate.

    (D² + 2D(1−b)/b)/p − 2/b + 1, as long as the best gate of weight 1/w keeps no kind for certain, which p ≤ 1/2
    ensures; beyond that the gate w = min(1, s‖g‖) is put in. The error is E‖ĝ − ∇J‖² of the mean over the batch.

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    baseline : (...) array, "value" or "confidence"
        b in (0, 1).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, below_one=True)
    p, error, b, rest = context.p, context.error, context.baseline, context.complement
    _domain.require("baseline", b, b > 0, "positive")
    D = wrong_score_ratio(p, context.n_arms)
    wrong = np.minimum(1.0, p / error * b * D / (rest + b * D))  # at the rate p
    right = (p - error * wrong) / p
    # Variance per sample over ‖∇J‖², of the unbiased gate and of zero price; b² is the squared bias.
    unbiased = rest**2 / (p * right) + b**2 * D**2 / (error * wrong) - 1
    return np.asarray((unbiased - rest**2 * error / p) / b**2)[()]


def mean_squared_error(
    policy: ArrayLike, advantage: ArrayLike, first: ArrayLike, second: ArrayLike, batch_size: ArrayLike
) -> FloatArray:
    """Return E‖ĝ − ∇J‖² of a batch's mean gradient: squared bias plus variance over B, of any gate.

    Parameters
    ----------
    policy, advantage, first, second : (..., K) array
        As in :func:`kondo_theory.moments.gradient_moments`: 1 and 1/w for the gate of weight 1/w, w and w for the
        gate that leaves the kept as they are.
    batch_size : (...) array
        B > 0 independent samples, or infinite.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    moments = gradient_moments(policy, advantage, first, second)
    pi, U = _domain.policy(policy), _domain.finite("advantage", advantage)
    batch = _domain.interval("batch_size", batch_size, 0, np.inf, "(]")
    gradient = pi * (U - np.sum(pi * U, axis=-1, keepdims=True))
    length = np.sqrt(np.sum(gradient**2, axis=-1))
    bias = (moments.signal - length) ** 2 + moments.perpendicular_bias**2
    return np.asarray(bias + (moments.var_parallel + moments.var_perpendicular) / batch)[()]


def effective_share(policy: ArrayLike, keep: ArrayLike) -> FloatArray:
    """Return the effective sample size of weights 1/w over the samples drawn, 1/E[1/w], in the limit of many.

    (Σ weight)²/Σ weight² over the kept, divided by B; with kinds that are never kept P(w > 0)²/E[1/w; w > 0]. It is
    at most the rate E w, with equality at one w for all; it says nothing of the gradients: the gate of least noise,
    w ∝ ‖g‖, has less of it than keeping at random.

    Parameters
    ----------
    policy, keep : (..., K) array
        π, and w in [0, 1], somewhere positive.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    pi, w = np.broadcast_arrays(_domain.policy(policy), _domain.interval("keep", keep, 0, 1, "[]"))
    weights = np.sum(np.where(w > 0, pi, 0.0), axis=-1)
    _domain.require("keep", w, (weights > 0)[..., None], "positive somewhere")
    return np.asarray(weights**2 / np.sum(np.where(w > 0, pi / np.where(w > 0, w, 1.0), 0.0), axis=-1))[()]


def _keep(pi: FloatArray, advantage: FloatArray, keep: ArrayLike) -> FloatArray:
    """Return the probabilities of keeping; where nothing would be kept of nothing, one."""
    w = _domain.interval("keep", keep, 0, 1, "[]")
    pi, U, w = np.broadcast_arrays(pi, advantage, w)
    nothing = (pi == 0) | (U == 0)
    _domain.require("keep", w, (w > 0) | nothing, "positive where a sample has a gradient")
    return np.where(nothing & (w == 0), 1.0, w)
