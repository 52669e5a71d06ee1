"""The price at which the Kondo gate's mean gradient over many contexts is closest to cross-entropy's.

Source: this project; conventions as in :mod:`kondo_theory.contexts.allocation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.contexts.allocation import (
    _correct_delight,
    _shares,
    _with_contexts,
    cosine_to_cross_entropy,
    gap_to_cross_entropy,
)
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.words import Brief

__all__ = ["BestPrice", "best_price", "critical_probability", "self_consistent_counts"]


@dataclass(frozen=True, eq=False, repr=False)
class BestPrice(Brief):
    """The price at which the Kondo gate's mean gradient is closest to cross-entropy's.

    Attributes
    ----------
    price : (...) array
        λ; the rule is χ > λ. Every price from here to the smallest kept delight keeps the same contexts.
    rate : (...) array
        Backward passes per forward sample, mean of p_n over kept contexts and 0 over the others.
    cosine, gap : (...) array
        Cosine to cross-entropy and one minus it.
    kept : (..., N) array of bool
        Which contexts are kept.
    """

    price: FloatArray
    rate: FloatArray
    cosine: FloatArray
    gap: FloatArray
    kept: NDArray[np.bool_]


def best_price(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike = 0.5, *, p_error: ArrayLike | None = None
) -> BestPrice:
    """Return the best price λ ≥ 0 by trying every kept set that a price can make, O(N log N) [this project].

    With one constant baseline the kept contexts are those with p_n ≤ p_c, p_c = 2Σ_S wp²/Σ_S wp over the kept set S
    (:func:`critical_probability`), and no set of contexts at all does better. The condition is necessary, not
    sufficient (:func:`self_consistent_counts`), hence the scan. With the value or confidence baseline a price orders
    contexts by χ_n and not by c_n, and another set can do better than any price.

    Parameters and errors as in :func:`kondo_theory.contexts.context_weights`, contexts on the last axis.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    delight = _with_contexts("p_correct", _correct_delight(context))
    weight = context.p * context.complement
    share = _shares(context.p, context.n_arms, context.error)
    order = np.argsort(-delight, axis=-1, kind="stable")
    ordered, c, w = (np.take_along_axis(array, order, -1) for array in (delight, weight, share))
    c = c / c.max(axis=-1, keepdims=True)
    cosine = np.cumsum(w * c, axis=-1) / np.sqrt(np.cumsum(w * c**2, axis=-1) * w.sum(axis=-1, keepdims=True))
    # The first m are a kept set only if the next has a strictly smaller delight; its delight is then the price.
    following = np.concatenate([ordered[..., 1:], np.zeros_like(ordered[..., :1])], axis=-1)
    best = np.argmax(np.where(following < ordered, cosine, -np.inf), axis=-1)[..., None]
    price = np.take_along_axis(following, best, -1)
    kept = delight > price
    chosen = (np.where(kept, weight, 0.0), context.p, context.n_arms)
    return BestPrice(
        price=price[..., 0][()],
        rate=np.asarray((context.p * kept).mean(axis=-1))[()],
        cosine=cosine_to_cross_entropy(*chosen, p_error=context.error),
        gap=gap_to_cross_entropy(*chosen, p_error=context.error),
        kept=kept,
    )


def critical_probability(
    p_correct: ArrayLike, n_arms: ArrayLike, kept: ArrayLike, *, p_error: ArrayLike | None = None
) -> FloatArray:
    """Return p_c = 2Σ_S wp²/Σ_S wp of a kept set S, w = ‖d‖² (∝ ε² for one K) [this project].

    With a constant baseline the best set keeps the contexts with p_n < p_c and no other: adding or removing a context
    m changes the squared cosine by the sign of p_c(1 ± w_m p_m/(2Σ_S wp)) − p_m.

    Parameters
    ----------
    kept : (..., N) array of bool
        S, with at least one context; the others as in :func:`kondo_theory.contexts.cosine_to_cross_entropy`.
    """
    inside = np.asarray(kept)
    if inside.dtype != np.bool_ or inside.ndim == 0 or not inside.any(axis=-1).all():
        raise ValueError(f"kept must be booleans with at least one true context, got {kept!r}")
    p, _ = _domain.probability_pair(p_correct, p_error)
    mass = _shares(p_correct, n_arms, p_error) * p * inside
    return np.asarray(2 * (mass * p).sum(axis=-1) / mass.sum(axis=-1))[()]


def self_consistent_counts(p_correct: ArrayLike, n_arms: ArrayLike) -> list[int]:
    """Return every m for which the m least probable contexts satisfy S = {p ≤ p_c(S)}, constant baseline.

    The best set is one of them. p_c grows with the set, so that iterating from all contexts ends in the largest and
    iterating from one context in the smallest; neither need be the best. (N,) arrays; n_arms may be a scalar.
    """
    p = np.atleast_1d(_domain.probability_pair(p_correct, None)[0])
    if p.ndim != 1:
        raise ValueError(f"p_correct must be a vector of contexts, got shape {p.shape}")
    order = np.argsort(p, kind="stable")
    mass = (_shares(p, n_arms, None) * p)[order]
    ordered = p[order]
    critical = 2 * np.cumsum(mass * ordered) / np.cumsum(mass)
    following = np.append(ordered[1:], np.inf)
    return [int(m) + 1 for m in np.flatnonzero((ordered <= critical) & (following > critical))]
