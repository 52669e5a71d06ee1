"""Keeping exactly the top of a batch, ties broken at random: part of :mod:`kondo_theory.gate.law`."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import array_api_compat as api
import numpy as np
from numpy.typing import NDArray

from kondo_theory._arrays import Array, batch, count, floating, require_all, uniform
from kondo_theory.gate.order import LARGE, PART, in_numpy, kth_largest, parts_of, worth_parts
from kondo_theory.gate.prices import kept_count, kept_counts

__all__ = ["select", "select_exactly"]


def select(score: Array, rate: float, rng: Any = None, *, check: bool = True, mask: Array | None = None) -> Array:
    """Keep exactly the top ρ of each batch, ties at the price broken uniformly at random.

    Parameters
    ----------
    score : (..., B) array
        χ, or any other score. One of −∞ is never kept: a batch with fewer than k scores above −∞ keeps those alone.
    rate : float
        ρ in (0, 1]; k = :func:`kept_count` (rate, B) samples of each batch are kept.
    rng : numpy.random.Generator, torch.Generator, (..., B) array or None
        For NumPy arrays a NumPy generator (required). For tensors a torch generator on the tensor's device, or
        None for torch's global one. In place of either, uniform numbers in [0, 1), one a sample.
    check : bool
        Refuse NaN. Without it NaN counts as −∞, and nothing here waits for a GPU.
    mask : (..., B) boolean array, optional
        True where a sample is valid. The others are never kept, and B is the number of valid samples of each batch;
        a batch with none of them keeps none.

    Returns
    -------
    (..., B) boolean array

    Raises
    ------
    TypeError
        If ``score`` is not an array of real floating numbers, ``mask`` is not boolean, or a NumPy array comes
        without a NumPy generator.
    ValueError
        If a score is NaN, the batch is empty or the rate is not in (0, 1].
    """
    scores, valid = batch(score, check, mask)
    xp = api.array_namespace(scores)
    n_kept: int | Array = kept_count(rate, scores.shape[-1])
    if valid is not None:
        n_kept = kept_counts(rate, count(xp, valid))
    return _keep_the_top(xp, scores, n_kept, rng)


def select_exactly(
    score: Array, n_kept: int, tie_breakers: Array, *, check: bool = True, mask: Array | None = None
) -> Array:
    """Keep exactly ``n_kept`` samples of each batch; among ties at the price, those with the smallest tie-breakers.

    The deterministic core of :func:`select`: the same numbers give the same mask in NumPy, torch and Numba.

    Parameters
    ----------
    score : (..., B) array
        χ, or any other score; −∞ is never kept.
    n_kept : int
        k, from 1 to B.
    tie_breakers : (..., B) array
        Independent uniform numbers, one a sample. Equal tie-breakers fall back to the order of the samples.
    check : bool
        Refuse NaN. Without it a NaN score counts as −∞ and a NaN tie-breaker as the largest.
    mask : (..., B) boolean array, optional
        True where a sample is valid; the others are never kept.

    Returns
    -------
    (..., B) boolean array

    Raises
    ------
    TypeError
        If an argument is not an array of real floating numbers, or ``mask`` is not boolean.
    ValueError
        If a value is NaN, the batch is empty, ``n_kept`` is not in 1..B, or the shapes differ.
    """
    scores, _ = batch(score, check, mask)
    tie_breakers = floating(tie_breakers, "tie_breakers", scores)
    xp = api.array_namespace(scores, tie_breakers)
    if not 1 <= n_kept <= scores.shape[-1]:
        raise ValueError(f"n_kept must be between 1 and the batch size {scores.shape[-1]}, got {n_kept}")
    if scores.shape != tie_breakers.shape:
        shapes = f"{tuple(tie_breakers.shape)} and {tuple(scores.shape)}"
        raise ValueError(f"tie_breakers must have the shape of score, got {shapes}")
    if check:
        require_all(xp, ~xp.isnan(tie_breakers), tie_breakers, "tie_breakers", "numbers")
    return _keep_the_top(xp, scores, operator.index(n_kept), tie_breakers)


def _keep_the_top(xp: Any, scores: Array, n_kept: int | Array, rng: Any) -> Array:
    """Return :func:`_keep_top`, in parts where that pays; ``rng`` is a generator or the tie-breakers."""
    if worth_parts(xp, scores):
        return _keep_top_in_parts(xp, scores, n_kept, rng)
    return _keep_top(xp, scores, n_kept, uniform(scores, rng), look=api.is_numpy_array(scores))


def _keep_top(xp: Any, scores: Array, n_kept: int | Array, tie_breakers: Array, *, look: bool) -> Array:
    """Keep the top ``n_kept``, a number for all batches or one for each, (..., 1).

    There usually are no surplus ties to sort: ``look`` whether there are, which makes a GPU wait.
    """
    price = kth_largest(xp, scores, n_kept)
    above, tied = scores > price, (scores == price) & (scores > -math.inf)
    room = n_kept - count(xp, above)  # places left for the tied; every batch of a stack has its own
    if look and bool(xp.all(count(xp, tied) <= room)):
        return above | tied
    usable = tied & ~xp.isnan(tie_breakers)
    keys = xp.where(usable, tie_breakers, xp.full_like(tie_breakers, math.inf))
    cut = xp.take_along_axis(xp.sort(keys, axis=-1), (room - 1).clip(min=0), axis=-1)
    first, level = tied & (keys < cut), tied & (keys == cut)
    position = xp.cumulative_sum(xp.astype(level, xp.int64), axis=-1)
    return above | first | (level & (position <= room - count(xp, first)))


def _keep_top_in_parts(xp: Any, scores: Array, n_kept: int | Array, rng: Any) -> Array:
    """Return :func:`_keep_top` of a stack that is large: some batches at a time, or a part of one."""
    size = scores.shape[-1]
    rows = in_numpy(scores).reshape(-1, size)
    tie_breakers = _in_order(xp, scores, rng)
    counts = np.broadcast_to(np.asarray(n_kept), (*scores.shape[:-1], 1)).reshape(-1, 1)
    keep = np.zeros(rows.shape, dtype=bool)
    step = 1 if size > LARGE else max(1, PART // size)
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        if size > LARGE:
            _keep_top_of_one(rows[start], int(counts[start, 0]), partial(tie_breakers, start), keep[start])
        else:
            keep[some] = _keep_top(np, rows[some], counts[some], tie_breakers(some), look=True)
    return xp.asarray(keep.reshape(scores.shape), device=api.device(scores))


def _in_order(xp: Any, scores: Array, rng: Any) -> Callable[..., NDArray[np.float64]]:
    """Return the tie-breakers of places in a stack of rows, which are asked for in order.

    A generator then gives what it gives when it is asked for all at once.
    """
    rows = xp.reshape(scores, (-1, scores.shape[-1]))
    given = xp.reshape(uniform(scores, rng), rows.shape) if api.is_array_api_obj(rng) else None

    def tie_breakers(*places: Any) -> NDArray[np.float64]:
        own = uniform(rows[places], rng) if given is None else given[places]
        return in_numpy(xp.astype(own, xp.float64, copy=False))

    return tie_breakers


def _keep_top_of_one(
    scores: NDArray[Any], n_kept: int, tie_breakers: Callable[[slice], NDArray[np.float64]], keep: NDArray[np.bool_]
) -> None:
    """Write :func:`_keep_top` of one large batch (B,) into ``keep``: only the tie-breakers of the tied are held."""
    price = kth_largest(np, scores, max(n_kept, 1))
    at_price = price if price > -math.inf else math.nan  # nothing ties at −∞
    found = []
    for part in parts_of(len(scores)):
        np.greater(scores[part], price, out=keep[part])
        found.append(tie_breakers(part)[scores[part] == at_price])
    n_tied = [len(own) for own in found]
    keys = np.concatenate(found)
    if not len(keys):
        return
    keys[np.isnan(keys)] = math.inf
    room = min(n_kept - int(np.count_nonzero(keep)), len(keys))
    cut = kth_largest(np, keys, len(keys) - room + 1)
    chosen = keys < cut
    chosen[np.flatnonzero(keys == cut)[: room - np.count_nonzero(chosen)]] = True
    place = 0
    for part, n in zip(parts_of(len(scores)), n_tied, strict=True):
        if n:
            keep[part][scores[part] == at_price] = chosen[place : place + n]
        place += n
