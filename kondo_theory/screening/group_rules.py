"""Rules on the answers of a group and on prompts: the last axis is one group, or the prompts that could be sampled.

Sources: largest variance of rewards after PODS, arXiv:2504.13818; groups without spread as in the dynamic sampling of
DAPO, arXiv:2503.14476; answers far from their sampler after the off-policy sequence mask of DeepSeek-V3.2, whose
formula is that of TRL's documentation (``off_policy_mask_threshold``); idle prompts after GRESO, arXiv:2506.02177.
That the subsets of largest variance are nested, so that one score has them all, is this project's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import array_api_compat as api

from kondo_theory import _domain
from kondo_theory._arrays import Array, count, floating, require_all, widened, widest
from kondo_theory.screening.registry import ScreeningRule

__all__ = ["GROUP_RULES"]


def _max_variance(advantage: Array, surprisal: Array, policy_entropy: Array) -> Array:
    """Return minus the place at which each answer enters: the top k ≥ 2 of a group have the largest variance.

    The first is the answer of the largest |U|, the next always the one furthest from the mean of those before it, the
    larger reward at a tie. After sorting that takes one pass, O(G log G) in all; answers of one reward enter in their
    order.
    """
    xp = api.array_namespace(advantage)
    G = advantage.shape[-1]
    order = xp.argsort(advantage, axis=-1)  # NaN last
    value = xp.astype(xp.take_along_axis(advantage, order, axis=-1), widest(xp, advantage))
    n_known = count(xp, ~xp.isnan(advantage))
    low, high = xp.zeros_like(n_known), (n_known - 1).clip(min=0)
    known = xp.where(xp.isnan(value), xp.zeros_like(value), value)
    mean = xp.sum(known, axis=-1, keepdims=True) / xp.astype(n_known.clip(min=1), value.dtype)
    spread = xp.take_along_axis(known, high, axis=-1) - known[..., :1]
    tie = 4 * G * float(xp.finfo(advantage.dtype).eps) * spread  # rounding of advantages
    entered = []
    for place in range(G):
        bottom, top = (xp.take_along_axis(known, each.clip(min=0, max=G - 1), axis=-1) for each in (low, high))
        upwards = (top - mean) - (mean - bottom) >= -tie
        chosen = xp.where(upwards, high, low)
        entered.append(xp.where(place < n_known, chosen, xp.full_like(chosen, place)))
        new = xp.where(upwards, top, bottom)
        mean = new if place == 0 else mean + (new - mean) / (place + 1)
        low, high = xp.where(upwards, low, low + 1), xp.where(upwards, high - 1, high)
    answers = xp.take_along_axis(order, xp.concat(entered, axis=-1), axis=-1)
    return -xp.astype(xp.argsort(answers, axis=-1), advantage.dtype)


def _group_spread(
    advantage: Array, surprisal: Array, policy_entropy: Array, *, tolerance: float | None = None
) -> Array:
    """Return the same score for all answers of a group in which one has an advantage, −∞ elsewhere.

    The mean of equal rewards is theirs but for rounding. So an advantage counts above ``tolerance`` times the largest
    of all groups side by side, by default 8 times the rounding of the dtype; of one group alone it can not be told.
    """
    xp = api.array_namespace(advantage)
    default = 8 * float(xp.finfo(advantage.dtype).eps)
    share = default if tolerance is None else _domain.number("tolerance", tolerance, 0, 1, "[)")
    size = xp.where(xp.isnan(advantage), xp.zeros_like(advantage), abs(advantage))
    limit = share * xp.max(xp.where(xp.isfinite(size), size, xp.zeros_like(size)))
    alive = xp.max(size, axis=-1, keepdims=True) > limit
    return xp.where(alive, xp.zeros_like(advantage), xp.full_like(advantage, -math.inf))


def _off_policy_mask(
    advantage: Array,
    surprisal: Array,
    policy_entropy: Array,
    *,
    sampler_surprisal: Array | None = None,
    threshold: float = 0.5,
) -> Array:
    """Return −∞ for answers with U < 0 whose surprisal has risen by more than the threshold, the same for others.

    Surprisals of answers are means over their tokens here, in nats a token; ``sampler_surprisal`` is that under the
    policy that drew them, without which nothing has risen.
    """
    _domain.number("threshold", threshold, 0, math.inf, "[)")
    xp = api.array_namespace(advantage)
    if sampler_surprisal is None:
        return xp.zeros_like(advantage)
    sampler = widened(floating(sampler_surprisal, "sampler_surprisal", surprisal))
    far = (advantage < 0) & ~(surprisal - sampler <= threshold)
    return xp.where(far, xp.full_like(advantage, -math.inf), xp.zeros_like(advantage))


def _idle_visits(advantage: Array, surprisal: Array, policy_entropy: Array, *, n_idle: Array | None = None) -> Array:
    """Return minus the number of visits in a row, up to now, in which a prompt's group had no spread."""
    xp = api.array_namespace(advantage)
    if n_idle is None:
        return xp.zeros_like(advantage)
    given: Array = n_idle
    if api.is_array_api_obj(given) and xp.isdtype(given.dtype, "integral"):
        given = xp.astype(given, advantage.dtype)
    visits = widened(floating(given, "n_idle", advantage))
    require_all(xp, (visits >= 0) & (visits == visits // 1), visits, "n_idle", "a whole number of visits, at least 0")
    return -visits


GROUP_RULES: Mapping[str, ScreeningRule] = ScreeningRule.named(
    {
        "max-variance": ScreeningRule(
            _max_variance,
            ("advantage",),
            "answer",
            of_batch=True,
            highest=0.0,
            source="after PODS, arXiv:2504.13818",
        ),
        "off-policy-mask": ScreeningRule(
            _off_policy_mask,
            ("advantage", "surprisal", "reference policy"),
            "answer",
            highest=0.0,
            drops=True,
            source="after DeepSeek-V3.2, as TRL documents it",
        ),
        "group-spread": ScreeningRule(
            _group_spread,
            ("advantage",),
            "prompt",
            of_batch=True,
            highest=0.0,
            drops=True,
            source="DAPO, arXiv:2503.14476",
        ),
        "idle-visits": ScreeningRule(
            _idle_visits, ("history",), "prompt", highest=0.0, source="after GRESO, arXiv:2506.02177"
        ),
    }
)
"""Rules on the answers of one group, and on prompts, along the last axis."""
