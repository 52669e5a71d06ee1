"""Rules on tokens that share the advantage of their answer: tokens of successes, of low probability, spurious ones.

Sources: tokens of low probability weighted down or kept apart after arXiv:2505.12929; spurious tokens, of low
probability where the entropy is low and the advantage positive, silenced after STAPO, arXiv:2602.15620. Both name
what they select on; the formulas here are this project's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import array_api_compat as api

from kondo_theory import _domain
from kondo_theory._arrays import Array
from kondo_theory.gate import delight
from kondo_theory.screening.registry import ScreeningRule

__all__ = ["TOKEN_RULES"]


def _positive_advantage(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    """Return the same score for all with U > 0, −∞ elsewhere."""
    xp = api.array_namespace(advantage)
    return xp.where(advantage > 0, xp.zeros_like(advantage), xp.full_like(advantage, -math.inf))


def _probability(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    """Return minus the surprisal: probable tokens first."""
    return -surprisal


def _weighted_advantage(advantage: Array, surprisal: Array, policy_entropy: Array, *, alpha: float = 0.5) -> Array:
    """Return |U| times the weight αe^{−ℓ} + 1 − α, which falls with the surprisal."""
    _domain.interval("alpha", alpha, 0, 1, "[]")
    xp = api.array_namespace(advantage, surprisal)
    return abs(advantage) * (alpha * xp.exp(-surprisal) + (1 - alpha))


def _no_spurious(
    advantage: Array,
    surprisal: Array,
    policy_entropy: Array,
    *,
    least_probability: float = 0.002,
    entropy: float = 1.0,
) -> Array:
    """Return −∞ for U > 0, e^{−ℓ} < ``least_probability`` and H < ``entropy`` (nats), the same score elsewhere."""
    xp = api.array_namespace(advantage, surprisal, policy_entropy)
    spurious = _spurious(advantage, surprisal, policy_entropy, least_probability, entropy)
    score = xp.where(spurious, xp.full_like(advantage, -math.inf), xp.zeros_like(advantage))
    return xp.where(xp.isnan(policy_entropy), xp.full_like(score, math.nan), score)


def _delight_no_spurious(
    advantage: Array,
    surprisal: Array,
    policy_entropy: Array,
    *,
    least_probability: float = 0.002,
    entropy: float = 1.0,
) -> Array:
    """Return −∞ for the same tokens, delight elsewhere."""
    xp = api.array_namespace(advantage, surprisal, policy_entropy)
    score = delight(advantage, surprisal, check=False)
    spurious = _spurious(advantage, surprisal, policy_entropy, least_probability, entropy)
    score = xp.where(spurious, xp.full_like(score, -math.inf), score)
    return xp.where(xp.isnan(policy_entropy), xp.full_like(score, math.nan), score)


def _spurious(advantage: Array, surprisal: Array, H: Array, least_probability: float, entropy: float) -> Array:
    least = _domain.number("least_probability", least_probability, 0, 1, "[]")
    limit = _domain.number("entropy", entropy, 0, math.inf, "[]")
    xp = api.array_namespace(advantage, surprisal)
    log_least = -math.log(least) if least > 0 else math.inf
    rounding = 8 * float(xp.finfo(surprisal.dtype).eps) * max(1.0, log_least)  # a token of that probability is none
    return (advantage > 0) & (surprisal > log_least + rounding) & (limit > H)


TOKEN_RULES: Mapping[str, ScreeningRule] = ScreeningRule.named(
    {
        "positive-advantage": ScreeningRule(_positive_advantage, ("advantage",), "token", highest=0.0, drops=True),
        "probability": ScreeningRule(
            _probability, ("surprisal",), "token", highest=0.0, source="after arXiv:2505.12929"
        ),
        "weighted-advantage": ScreeningRule(
            _weighted_advantage, ("advantage", "surprisal"), "token", source="after arXiv:2505.12929"
        ),
        "no-spurious": ScreeningRule(
            _no_spurious,
            ("advantage", "surprisal", "entropy"),
            "token",
            highest=0.0,
            drops=True,
            source="after STAPO, arXiv:2602.15620",
        ),
        "delight-no-spurious": ScreeningRule(
            _delight_no_spurious, ("advantage", "surprisal", "entropy"), "token", drops=True, source="here"
        ),
    }
)
"""Rules on tokens that share the advantage of their answer."""
