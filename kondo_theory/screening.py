"""Screening rules: scores that decide which samples get a backward pass, and what each keeps at a given rate.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 2 (additive scores); the threshold
in closed form, the odds limit and the comparison at a rate are this project's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any

import array_api_compat as api
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from kondo_theory import _domain
from kondo_theory._arrays import Array, count, floating, product, widened, widest
from kondo_theory._domain import FloatArray
from kondo_theory.gate import delight
from kondo_theory.geometry.quality_cost import efficiency_per_backward, surprisal
from kondo_theory.moments import GradientMoments, gradient_moments

__all__ = [
    "RULES",
    "Rule",
    "Screened",
    "additive_odds_limit",
    "additive_threshold",
    "kept_at_rate",
    "score_function",
    "screen_context",
]

Rule = Callable[..., Array]
"""Scores (..., B) from advantage, surprisal and policy entropy, each (..., B), the last two in nats.

The batch is the last axis, leading axes are independent batches. Some rules have parameters, passed by keyword. A
score of −∞ is never kept, nor is one of NaN.
"""


def _settled(rule: Rule) -> Rule:
    """Return the rule with 16-bit floats widened, and NaN as the score of a sample whose numbers are NaN.

    A rule that does not look at the advantage would otherwise keep a sample whose gradient is NaN.
    """

    @wraps(rule)
    def score(advantage: Array, surprisal: Array, policy_entropy: Array = None, **parameters: float) -> Array:
        advantage = widened(floating(advantage, "advantage", surprisal))
        surprisal = widened(floating(surprisal, "surprisal", advantage))
        if policy_entropy is not None:
            policy_entropy = widened(floating(policy_entropy, "policy_entropy", surprisal))
        xp = api.array_namespace(advantage, surprisal)
        with np.errstate(over="ignore", invalid="ignore"):
            values = rule(advantage, surprisal, policy_entropy, **parameters)
        unknown = xp.isnan(advantage) | xp.isnan(surprisal)
        return xp.where(unknown, xp.full_like(values, math.nan), values)

    return score


def _delight(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return delight(advantage, surprisal, check=False)


def _advantage(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return advantage


def _abs_advantage(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return abs(advantage)


def _surprisal(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return surprisal


def _additive(advantage: Array, surprisal: Array, policy_entropy: Array, *, alpha: float = 0.5) -> Array:
    _domain.interval("alpha", alpha, 0, 1, "[]")
    return alpha * advantage + (1 - alpha) * surprisal


def _uniform(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return api.array_namespace(advantage).zeros_like(advantage)


def _abs_advantage_entropy(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return product(api.array_namespace(advantage, policy_entropy), abs(advantage), policy_entropy)


def _entropy_band(
    advantage: Array, surprisal: Array, policy_entropy: Array, *, low: float = 0.25, high: float = 0.75
) -> Array:
    if not 0 <= low <= high <= 1:
        raise ValueError(f"the band must satisfy 0 ≤ low ≤ high ≤ 1, got low {low} and high {high}")
    xp = api.array_namespace(advantage, policy_entropy)
    ordered = xp.sort(policy_entropy, axis=-1)  # NaN last
    n_known = count(xp, ~xp.isnan(policy_entropy))
    bottom, top = (_quantile(xp, ordered, n_known, level) for level in (low, high))
    score = xp.where(
        (policy_entropy >= bottom) & (policy_entropy <= top),
        xp.zeros_like(policy_entropy),
        xp.full_like(policy_entropy, -math.inf),
    )
    return xp.where(xp.isnan(policy_entropy), policy_entropy, score)


def _positive_surprisal(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    xp = api.array_namespace(advantage, surprisal)
    return xp.where(advantage > 0, surprisal, xp.full_like(surprisal, -float("inf")))


def _quantile(xp: Any, ordered: Array, n_known: Array, level: float) -> Array:
    """Return the linearly interpolated quantile of the first ``n_known`` sorted values, all (..., 1)."""
    last = (n_known - 1).clip(min=0)
    position = xp.astype(last, widest(xp, ordered)) * level
    lower = xp.astype(position // 1, xp.int64)
    upper = xp.where(lower < last, lower + 1, last)
    left, right = (xp.take_along_axis(ordered, place, axis=-1) for place in (lower, upper))
    return left + (right - left) * xp.astype(position - position // 1, ordered.dtype)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        name: _settled(rule)
        for name, rule in {
            "delight": _delight,
            "advantage": _advantage,
            "abs-advantage": _abs_advantage,
            "surprisal": _surprisal,
            "additive": _additive,
            "uniform": _uniform,
            "abs-advantage-entropy": _abs_advantage_entropy,
            "entropy-band": _entropy_band,
            "positive-surprisal": _positive_surprisal,
        }.items()
    }
)
"""Rule name → score function, for NumPy arrays and torch tensors alike.

* ``delight`` U·ℓ; ``advantage`` U; ``abs-advantage`` |U|; ``surprisal`` ℓ; ``abs-advantage-entropy`` |U|·H.
* ``additive`` αU + (1 − α)ℓ with ``alpha`` in [0, 1] (default 1/2).
* ``uniform`` the same score for all: :func:`kondo_theory.gate.select` breaks the ties at random.
* ``entropy-band`` the same score for samples whose policy entropy lies between the ``low`` and ``high`` quantiles of
  the batch (defaults 1/4 and 3/4, bounds included), −∞ outside.
* ``positive-surprisal`` ℓ where U > 0, else −∞; a batch with fewer than k of those keeps those alone.

The score is NaN, which no gate keeps, where the advantage, the surprisal or a policy entropy that counts is NaN.
16-bit floats are widened to float32 first.
"""


def score_function(rule: str | Rule) -> Rule:
    """Return the rule of this name in :data:`RULES`; a function is its own.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    return RULES[_domain.choice("rule", rule, RULES)] if isinstance(rule, str) else rule


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
    p, K = np.broadcast_arrays(p, K)
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
    return np.asarray(a * gap / (1 - a) - np.log(K - 1))[()]


@dataclass(frozen=True, eq=False)
class Screened:
    """What a rule keeps of one context at a rate, as B → ∞.

    Attributes
    ----------
    keep : (..., K) array
        Probability that a sample of each arm is kept.
    backward_rate : (...) array
        Σ_a π_a keep_a: the rate asked for, or less where scores of −∞ leave too few.
    composition : (..., K) array
        Shares of the arms in what is kept, nan where nothing is.
    moments : GradientMoments
        Signal and noise per forward sample, along and across ∇J.
    """

    keep: FloatArray
    backward_rate: FloatArray
    composition: FloatArray
    moments: GradientMoments

    def efficiency_per_backward(self, n_backward: ArrayLike) -> FloatArray:
        """Efficiency of as many forward samples as cost ``n_backward`` > 0 backward passes on average."""
        return efficiency_per_backward(self.moments, self.backward_rate, n_backward)


def screen_context(
    policy: ArrayLike, advantage: ArrayLike, rule: str | Rule, rate: ArrayLike, **parameters: float
) -> Screened:
    """Return what a rule keeps of a context at rate ρ, and the gradient that is left [this project].

    Samples are kept independently with the probabilities of the limit B → ∞; exactly-k selection in a finite batch
    couples them, which is another object.

    Parameters
    ----------
    policy, advantage : (..., K) array
        π and U; each context of the leading axes is screened by itself.
    rule : str or callable
        A name in :data:`RULES`, or any function like them.
    rate : (...) array
        ρ in (0, 1].
    **parameters
        The rule's own, such as ``alpha``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    score_of = score_function(rule)
    pi = _domain.policy(policy)
    pi, U = np.broadcast_arrays(pi, _domain.finite("advantage", advantage))
    entropy = np.broadcast_to(np.sum(entr(pi), axis=-1, keepdims=True), pi.shape)
    keep = kept_at_rate(pi, score_of(U, surprisal(pi), entropy, **parameters), rate)
    pi, U = np.broadcast_to(pi, keep.shape), np.broadcast_to(U, keep.shape)
    kept = np.sum(pi * keep, axis=-1)
    composition = pi * keep / np.where(kept > 0, kept, np.nan)[..., None]
    return Screened(keep, kept[()], composition, gradient_moments(pi, U, keep, keep))


def kept_at_rate(policy: ArrayLike, score: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the probability (..., K) that a sample of each arm is among the top ρ of an infinite batch.

    Ties at the price are kept in proportion, as random tie-breaking does. A score of −∞ is never kept.

    Parameters
    ----------
    policy, score : (..., K) array
        π and the score of each arm.
    rate : (...) array
        ρ in (0, 1], broadcast against the leading axes.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or a score is nan.
    """
    pi = _domain.policy(policy)
    values = _domain.real("score", score)
    _domain.require("score", values, ~np.isnan(values), "a number")
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    shape = np.broadcast_shapes(pi.shape, values.shape, (*rho.shape, 1))
    pi, values, rho = np.broadcast_to(pi, shape), np.broadcast_to(values, shape), np.broadcast_to(rho, shape[:-1])
    keep = np.empty(shape)
    for place in np.ndindex(shape[:-1]):
        levels, group = np.unique(-values[place], return_inverse=True)  # best first
        mass = np.bincount(group, weights=pi[place])
        before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
        share = np.clip((rho[place] - before) / np.where(mass > 0, mass, 1.0), 0.0, 1.0)
        keep[place] = np.where(levels == np.inf, 0.0, share)[group]
    return keep
