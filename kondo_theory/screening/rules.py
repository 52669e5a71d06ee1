"""Screening rules by name: scores of a batch's samples, for NumPy arrays and torch tensors alike.

Source: this project; additive scores are those of [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526,
Prop. 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory import _domain
from kondo_theory._arrays import Array, count, floating, product, widened, widest
from kondo_theory.gate import delight

__all__ = ["RULES", "Rule", "score_function"]

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


def _entropy(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    return policy_entropy


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
            "entropy": _entropy,
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
* ``entropy`` H, whatever the advantage (arXiv:2506.01939 keeps the top 20 % of tokens by it).

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
