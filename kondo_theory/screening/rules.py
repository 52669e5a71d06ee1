"""Screening rules by name: scores of a batch's samples, for NumPy arrays and torch tensors alike.

Source: this project; additive scores are those of [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526,
Prop. 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial, wraps
from types import MappingProxyType
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory import _domain
from kondo_theory._arrays import Array, count, floating, product, require_one_shape, widest
from kondo_theory.gate import delight
from kondo_theory.screening.group_rules import GROUP_RULES
from kondo_theory.screening.registry import Rule, ScreeningRule
from kondo_theory.screening.token_rules import TOKEN_RULES

__all__ = ["RULES", "SAMPLE_RULES", "score_function"]


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


SAMPLE_RULES: Mapping[str, ScreeningRule] = ScreeningRule.named(
    {
        "delight": ScreeningRule(_delight, ("advantage", "surprisal"), source="arXiv:2603.20526"),
        "advantage": ScreeningRule(_advantage, ("advantage",)),
        "abs-advantage": ScreeningRule(_abs_advantage, ("advantage",), source="arXiv:2503.22342"),
        "surprisal": ScreeningRule(_surprisal, ("surprisal",)),
        "additive": ScreeningRule(_additive, ("advantage", "surprisal"), source="arXiv:2603.20526"),
        "uniform": ScreeningRule(_uniform, (), highest=0.0),
        "abs-advantage-entropy": ScreeningRule(
            _abs_advantage_entropy, ("advantage", "entropy"), source="D³S, arXiv:2509.22115"
        ),
        "entropy-band": ScreeningRule(
            _entropy_band,
            ("entropy",),
            of_batch=True,
            highest=0.0,
            drops=True,
            source="after SPINE, arXiv:2511.17938",
        ),
        "positive-surprisal": ScreeningRule(_positive_surprisal, ("advantage", "surprisal"), drops=True),
        "entropy": ScreeningRule(_entropy, ("entropy",), source="arXiv:2506.01939"),
    }
)
"""Rules on anything that has an advantage: rows, answers, tokens."""

RULES: Mapping[str, ScreeningRule] = MappingProxyType({**SAMPLE_RULES, **GROUP_RULES, **TOKEN_RULES})
"""Rule name → score function, for NumPy arrays and torch tensors alike.

* ``delight`` U·ℓ; ``advantage`` U; ``abs-advantage`` |U|; ``surprisal`` ℓ; ``abs-advantage-entropy`` |U|·H.
* ``additive`` αU + (1 − α)ℓ with ``alpha`` in [0, 1] (default 1/2).
* ``uniform`` the same score for all: :func:`kondo_theory.gate.select` breaks the ties at random.
* ``entropy-band`` the same score for samples whose policy entropy lies between the ``low`` and ``high`` quantiles of
  the batch (defaults 1/4 and 3/4, bounds included), −∞ outside.
* ``positive-surprisal`` ℓ where U > 0, else −∞; a batch with fewer than k of those keeps those alone.
* ``entropy`` H, whatever the advantage (arXiv:2506.01939 keeps the top 20 % of tokens by it).
* ``max-variance`` minus the place at which an answer enters when each next one is the furthest from the mean of those
  before it: the top k of a group have the largest variance of rewards (after PODS, arXiv:2504.13818).
  ``abs-advantage`` in a group is CPPO's rule (arXiv:2503.22342).
* ``group-spread`` the same for all answers of a group with an advantage, −∞ for others (DAPO, arXiv:2503.14476). A
  group has none if its largest |U| is at most ``tolerance`` times that of all groups side by side, by default 8 times
  the rounding of the dtype.
* ``off-policy-mask`` −∞ for U < 0 where ℓ, a mean over tokens, exceeds ``sampler_surprisal`` by more than
  ``threshold`` nats (default 1/2), else the same score.
* ``idle-visits`` minus ``n_idle``, the visits in a row without spread (after GRESO, arXiv:2506.02177, which draws:
  :func:`kondo_theory.screening.visit_probability`).
* ``positive-advantage`` the same score where U > 0, −∞ elsewhere.
* ``probability`` −ℓ; ``weighted-advantage`` |U|·(αe^{−ℓ} + 1 − α) with ``alpha`` in [0, 1], default 1/2 (both after
  arXiv:2505.12929, which keeps tokens of low probability apart or weights their advantages down).
* ``no-spurious`` −∞ for tokens of U > 0, probability below ``least_probability`` (default 0.002) and policy entropy
  below ``entropy`` nats (default 1), else the same score (after STAPO, arXiv:2602.15620).
  ``delight-no-spurious`` delight instead of the same score.

Each says its ``granularity``, its ``inputs`` and what no score of it exceeds, ``highest``
(:class:`kondo_theory.screening.registry.ScreeningRule`). "The same score" is 0, so that a gate at price 0, which
keeps what is above it, keeps nothing by these rules: ``Gate(rate=1.0)`` keeps all that a rule does not drop.

The score is NaN, which no gate keeps, where the advantage, the surprisal or a policy entropy that counts is NaN.
16-bit floats are widened to float32 first.
"""


def score_function(rule: str | Rule, *, of_groups: bool = True) -> Rule:
    """Return the rule of this name in :data:`RULES`; a function is its own, and what it returns is checked.

    Parameters
    ----------
    rule : str or callable
        A name, or any function like those.
    of_groups : bool
        Whether a rule that ranks the answers of a group, or prompts, will do: they have no score one by one.

    Raises
    ------
    TypeError
        If it is neither a name nor a function.
    ValueError
        If there is none of this name, or it is one that will not do.
    """
    if not isinstance(rule, str):
        if not callable(rule):
            raise TypeError(f"rule must be a name or a function of scores, got {rule!r}")
        known = rule
        while isinstance(known, partial):
            known = known.func
        return rule if isinstance(known, ScreeningRule) else _checked(rule)
    found = RULES[_domain.choice("rule", rule, RULES)]
    if not of_groups and rule in GROUP_RULES:
        raise ValueError(
            f"rule must score each sample by itself, as {', '.join({**SAMPLE_RULES, **TOKEN_RULES})} do; "
            f"{rule!r} decides on {found.granularity}s of a group"
        )
    return found


def _checked(rule: Rule) -> Rule:
    """Return a function of one's own that refuses in one line what it returns if that is no score of each sample."""

    @wraps(rule)
    def scores(advantage: Array, *others: Array, **parameters: Any) -> Array:
        found = rule(advantage, *others, **parameters)
        if not (api.is_array_api_obj(found) or isinstance(found, (int, float, list))):
            raise TypeError(f"rule must return scores, an array of real numbers, got {found!r}")
        own = np.asarray(found, dtype=np.float64) if _of_whole_numbers(found, advantage) else found
        score = floating(own, "what a rule returns", advantage)
        shape = require_one_shape({"advantage": advantage, "what a rule returns": score})
        return score if tuple(score.shape) == shape else api.array_namespace(score).broadcast_to(score, shape)

    return scores


def _of_whole_numbers(found: Any, like: Array) -> bool:
    """Return whether these are NumPy's, for NumPy arrays: as good as floats."""
    return api.is_numpy_array(like) and isinstance(found, (np.ndarray, np.generic)) and found.dtype.kind in "iub"
