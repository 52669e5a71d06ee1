"""The blend of PG and a gated gradient of the same batch with the least mean squared error.

h = y + a·d, y the part of the batch's mean gradient that the gate keeps and d what it drops: a = 0 is the gated
gradient, a = 1 is PG, so that h = a·PG + (1−a)·gated. With β the bias of the gated gradient, V and v the variances of
PG and of the gated gradient (traces) and c their covariance, E‖h − ∇J‖² is least at a = (β²+v−c)/(β²+V+v−2c), and
another a costs (a − a*)²·E‖d‖² more. A gate of probability w never keeps and drops the same sample, so that
a* = (B‖d̄‖² + ȳ·d̄)/((B−1)‖d̄‖² + Q), Q = E[(1−w)‖g‖²] of one sample.

The blend is of all samples, so it saves no backward pass, unless d is taken from a share u of the dropped, weighted
by 1/u: Q/u in place of Q.

Source: this project (derivation ``least-error-blend``), after bias–variance optimised training (BVPO).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.estimators.unbiased import wrong_score_ratio
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.words import Brief

__all__ = ["Blend", "best_blend", "blend_weight", "estimated_blend_error", "zero_price_blend"]


@dataclass(frozen=True, eq=False, repr=False)
class Blend(Brief):
    """Mean squared errors E‖h − ∇J‖² of a batch's gradient h = a·PG + (1−a)·gated.

    Attributes
    ----------
    weight : (...) array
        a* of least error; outside [0, 1] where both err on the same side.
    error, gated_error, pg_error : (...) array
        The errors at a*, 0 and 1, in squared units of the advantage.
    curvature : (...) array
        E‖d‖²: another a costs (a − a*)² times it more.
    """

    weight: FloatArray
    error: FloatArray
    gated_error: FloatArray
    pg_error: FloatArray
    curvature: FloatArray


def blend_weight(
    squared_bias: ArrayLike, pg_variance: ArrayLike, gated_variance: ArrayLike, covariance: ArrayLike
) -> FloatArray:
    """Return a* = (β²+v−c)/(β²+V+v−2c) of any two estimates of one vector, the first without bias.

    Parameters
    ----------
    squared_bias : (...) array
        β² ≥ 0 of the second estimate.
    pg_variance, gated_variance : (...) array
        V and v ≥ 0, traces of the covariances of the first and the second.
    covariance : (...) array
        c, trace of their covariance, at most √(Vv).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or both estimates are one.
    """
    bias, V, v = (
        _domain.interval(name, value, 0, np.inf, "[)")
        for name, value in (
            ("squared_bias", squared_bias), ("pg_variance", pg_variance), ("gated_variance", gated_variance),
        )
    )  # fmt: skip
    c = _domain.finite("covariance", covariance)
    bias, V, v, c = np.broadcast_arrays(bias, V, v, c)
    _domain.require("covariance", c, np.abs(c) <= np.sqrt(V * v) * (1 + 1e-9), "at most √(Vv) in size")
    between = bias + V + v - 2 * c
    _domain.require("the mean squared difference", between, between > 0, "positive")
    return np.asarray((bias + v - c) / between)[()]


def best_blend(
    policy: ArrayLike,
    advantage: ArrayLike,
    keep: ArrayLike,
    batch_size: ArrayLike,
    *,
    soft: bool = False,
    dropped_rate: ArrayLike = 1.0,
) -> Blend:
    """Return the blend of PG and a gated gradient of least mean squared error, in any finite context.

    Parameters
    ----------
    policy, advantage, keep : (..., K) array
        π, U, and w in [0, 1]: the probability that a sample is kept, with weight one.
    batch_size : (...) array
        B ≥ 1 independent samples.
    soft : bool
        w are weights of all samples instead, as those of DG.
    dropped_rate : (...) array
        u in (0, 1]: d is made of a random share u of the dropped, weighted by 1/u; one for soft weights.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or nothing with a gradient is dropped.
    """
    pi, U, w = np.broadcast_arrays(
        _domain.policy(policy), _domain.finite("advantage", advantage), _domain.interval("keep", keep, 0, 1, "[]")
    )
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[)")
    share = _domain.interval("dropped_rate", dropped_rate, 0, 1, "(]")
    if soft:
        _domain.require("dropped_rate", share, share == 1, "1 for soft weights")
    phi = np.eye(pi.shape[-1]) - pi[..., None, :]
    square = pi * U**2 * np.sum(phi**2, axis=-1)
    kept, dropped = (np.sum((pi * U * each)[..., None] * phi, axis=-2) for each in (w, 1 - w))
    both, Q, kept_square = (
        (np.sum(square * each, axis=-1) for each in (w * (1 - w), (1 - w) ** 2, w**2))
        if soft
        else (0.0, np.sum(square * (1 - w), axis=-1) / share, np.sum(square * w, axis=-1))
    )
    lost, mixed = np.sum(dropped**2, axis=-1), both - np.sum(kept * dropped, axis=-1)
    curvature = lost + (Q - lost) / B
    _domain.require("the mean square of what is dropped", curvature, curvature > 0, "positive")
    weight = (lost - mixed / B) / curvature
    gated = lost + (kept_square - np.sum(kept**2, axis=-1)) / B
    found = (weight, gated - weight**2 * curvature, gated, gated + curvature * (1 - 2 * weight), curvature)
    return Blend(*(np.asarray(each)[()] for each in np.broadcast_arrays(*found)))


def zero_price_blend(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    batch_size: ArrayLike,
    *,
    dropped_rate: ArrayLike = 1.0,
) -> FloatArray:
    """Return a* = (B + 1/b − 1)/(B − 1 + D²/(uε)) of zero price in one symmetric context.

    D² = 1 + (K−2)/(Kp²). It is one or more where b ≤ uε/D², whatever B. The blend is PG with the baseline
    ab/(1−b+ab), times 1−b+ab.

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    baseline : (...) array, "value" or "confidence"
        b in (0, 1).
    batch_size : (...) array
        B ≥ 1.
    dropped_rate : (...) array
        u in (0, 1], as in :func:`best_blend`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, below_one=True)
    _domain.require("baseline", context.baseline, context.baseline > 0, "positive")
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[)")
    u = _domain.interval("dropped_rate", dropped_rate, 0, 1, "(]")
    noise = wrong_score_ratio(context.p, context.n_arms) ** 2 / (u * context.error)
    return np.asarray((B + context.complement / context.baseline) / (B - 1 + noise))[()]


def estimated_blend_error(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, batch_size: ArrayLike, n_seen: int
) -> FloatArray:
    """Return the error that the blend of zero price has more where p is estimated from n other samples.

    E(a*(S/n) − a*(p))²·E‖d‖² over ‖∇J‖², S ~ Bin(n, p), exactly; a*(0) = a*(1) = 0.

    Parameters
    ----------
    p_correct, n_arms, baseline, batch_size : (...) array
        As in :func:`zero_price_blend`, the baseline a number.
    n_seen : int
        n ≥ 1 samples, whose successes are counted; a scalar only.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    n = _domain.integer("n_seen", n_seen, 1, 1_000_000)
    best = zero_price_blend(p_correct, n_arms, baseline, batch_size)
    p, K, b, B = (np.asarray(each, dtype=np.float64)[..., None] for each in (p_correct, n_arms, baseline, batch_size))
    counts = np.arange(n + 1)
    inside = (counts > 0) & (counts < n)
    guesses = np.where(inside, zero_price_blend(np.where(inside, counts / n, 0.5), K, b, B), 0.0)
    spread = np.sum(binom.pmf(counts, n, p) * (guesses - np.asarray(best)[..., None]) ** 2, axis=-1)
    b, B, noise = b[..., 0], B[..., 0], wrong_score_ratio(p_correct, n_arms) ** 2 / (1 - p[..., 0])
    return np.asarray(spread * b**2 * (B - 1 + noise) / B)[()]
