"""Advantages within groups of answers to the same question: exactly zero where all answers earn the same.

The mean of equal rewards is not their value but for rounding: ten float32 rewards of 0.7 are each 6·10⁻⁸ above
theirs, so a gate at price zero keeps all ten. Here a group without spread has advantage zero and says so.

Takes NumPy arrays or torch tensors on any device and answers in kind; torch itself is never imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory import _domain
from kondo_theory._arrays import Array, refuse_masked, require_all, widened, widest

__all__ = ["BASELINES", "group_advantage"]

BASELINES = ("mean", "leave-one-out")


def group_advantage(
    reward: Array,
    groups: int | Array,
    *,
    baseline: str = "mean",
    scale: str | None = None,
    tolerance: float = 0.0,
    check: bool = True,
) -> tuple[Array, Array]:
    """Return each answer's reward minus the baseline of its group, and whether its group has no spread.

    Computed in float64 from the distances to the group's smallest reward, whatever the dtype of the rewards. Rewards
    that differ by rounding alone are different rewards, 0.1 + 0.2 and 0.3 have a spread, but for a ``tolerance``.

    Parameters
    ----------
    reward : (...) array
        Real floating, integer or boolean, in units of reward. No gradient flows through it.
    groups : int or (...) integer array
        The size of the groups, neighbours on the last axis, or the group of each answer in the shape of ``reward``:
        equal numbers are one group, of any size, in any order.
    baseline : {"mean", "leave-one-out"}
        The mean of the group, or that of its other answers: for n answers n/(n − 1) times the advantage over the
        mean.
    scale : {None, "group"}
        "group" divides by the standard deviation of the group's rewards, √(Σ(R − mean)²/n), with nothing added.
    tolerance : float
        A group has no spread where its rewards differ by at most this share, in [0, 1), of the largest |reward| in
        it. For rewards that are sums 1e-12, or 1e-6 where they are float32, tells rounding from spread.
    check : bool
        Refuse NaN and infinite rewards; reading them synchronises a GPU. Without it, a group with one of them has
        advantage NaN, which no gate keeps.

    Returns
    -------
    advantage : (...) array
        In the dtype of ``reward``; float32 for 16-bit floats, the library's default for integers and booleans.
        Exactly zero wherever a group's largest and smallest reward are equal, up to the tolerance, a group of one
        answer included.
    zero_spread : (...) boolean array
        For each answer, whether they are equal in its group.

    Raises
    ------
    TypeError
        If ``reward`` is not an array of real numbers or ``groups`` is neither an integer nor an array of them.
    ValueError
        If a reward is not finite or a group's spread overflows, the size of the groups does not divide the last axis,
        the ids have another shape, there is no answer, the tolerance is out of its range, or ``baseline`` or
        ``scale`` is unknown.
    """
    _domain.choice("baseline", baseline, BASELINES)
    if scale is not None and scale != "group":
        raise ValueError(f"scale must be None or 'group', got {scale!r}")
    share = _domain.number("tolerance", tolerance, 0, 1, "[)")
    rewards, dtype = _rewards(reward, check)
    xp = api.array_namespace(rewards)
    values, over_group = _grouping(rewards, groups)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        lowest, highest = over_group(values, "min"), over_group(values, "max")
        distance, spread = (xp.astype(part - lowest, widest(xp, values)) for part in (values, highest))
        n, total = over_group(xp.ones_like(distance), "sum"), over_group(distance, "sum")
        known = xp.isfinite(total) & (spread >= 0)  # integers wrap
        if check:
            require_all(xp, known, values, "a reward", "of a group whose spread is within range")
        centred = distance - total / n
        advantage = centred if baseline == "mean" else (n * distance - total) / (n - 1)
        if scale == "group":  # squares relative to the spread neither overflow nor underflow
            relative = centred / spread
            advantage = advantage / spread / xp.sqrt(over_group(relative * relative, "sum") / n)
    equal = lowest == highest
    if share:
        size = xp.where(abs(lowest) > abs(highest), abs(lowest), abs(highest))
        equal = equal | (spread <= share * xp.astype(size, spread.dtype))
    equal = equal & known
    advantage = xp.where(equal, xp.zeros_like(advantage), advantage)
    advantage = xp.where(known, advantage, xp.full_like(advantage, math.nan))
    zero_spread = xp.broadcast_to(equal, values.shape)
    return tuple(xp.reshape(part, rewards.shape) for part in (xp.astype(advantage, dtype), zero_spread))


def _rewards(reward: Any, check: bool) -> tuple[Array, Any]:
    """Return rewards whose differences are exact or float64, and the dtype of their advantages."""
    refuse_masked(reward, "reward")
    if not api.is_array_api_obj(reward) or isinstance(reward, np.generic):
        reward = np.asarray(reward)
    if reward.ndim == 0 or 0 in reward.shape:
        raise ValueError(f"reward must hold at least one answer, got shape {tuple(reward.shape)}")
    xp = api.array_namespace(reward)
    if api.is_torch_array(reward):
        reward = reward.detach()
    if xp.isdtype(reward.dtype, "real floating"):
        if check:
            require_all(xp, xp.isfinite(reward), reward, "reward", "finite")
        return xp.astype(reward, widest(xp, reward)), widened(reward).dtype
    if not xp.isdtype(reward.dtype, ("integral", "bool")):
        raise TypeError(f"reward must have a real dtype, got {reward.dtype}")
    exact = widest(xp, reward) if reward.dtype == xp.uint64 else xp.int64
    return xp.astype(reward, exact), xp.asarray(0.0).dtype


def _grouping(rewards: Array, groups: int | Array) -> tuple[Array, Callable[[Array, str], Array]]:
    """Return the rewards laid out for a function that takes their "sum", "min" or "max" over each one's group."""
    xp = api.array_namespace(rewards)
    shape = tuple(rewards.shape)
    if isinstance(groups, int | np.integer) and not isinstance(groups, bool):
        if groups < 1 or shape[-1] % groups:
            raise ValueError(f"groups must divide the {shape[-1]} answers of the last axis, got {groups}")
        return xp.reshape(rewards, (-1, int(groups))), _over_rows
    ids = _ids(xp, rewards, groups)
    # The place of its id among all ids sorted names a group, and no GPU waits for how many there are.
    return xp.reshape(rewards, (-1,)), partial(_over_ids, xp.searchsorted(xp.sort(ids), ids))


def _ids(xp: Any, rewards: Array, groups: Any) -> Array:
    """Return the group of each answer, integers (N,)."""
    refuse_masked(groups, "groups")
    ids: Array = groups
    if not api.is_array_api_obj(groups):
        own = np.asarray(groups)
        ids = xp.asarray(own.tolist(), device=api.device(rewards)) if own.dtype.kind in "iu" else own
    elif api.array_namespace(groups) is not xp:
        raise TypeError(f"groups must be of the library of reward, got {type(groups).__name__}")
    if not api.array_namespace(ids).isdtype(ids.dtype, "integral"):
        raise TypeError(f"groups must be a size or an integer for each answer, got dtype {ids.dtype}")
    shape = tuple(rewards.shape)
    if tuple(ids.shape) != shape:
        raise ValueError(f"groups must have a number for each answer, shape {shape}, got {tuple(ids.shape)}")
    return xp.reshape(ids, (-1,))


def _over_rows(values: Array, how: str) -> Array:
    """Return the "sum", "min" or "max" of each row, (..., 1)."""
    return getattr(api.array_namespace(values), how)(values, axis=-1, keepdims=True)


def _over_ids(place: Array, values: Array, how: str) -> Array:
    """Return, for each value, the "sum", "min" or "max" of the values with its place; all (N,)."""
    if api.is_torch_array(values):
        name = how if how == "sum" else f"a{how}"
        return values.new_zeros(len(values)).scatter_reduce(0, place, values, name, include_self=False)[place]
    found = np.zeros_like(values)
    if how != "sum":
        found[place] = values  # any of the group's own, to start from
    {"sum": np.add, "min": np.minimum, "max": np.maximum}[how].at(found, place, values)
    return found[place]
