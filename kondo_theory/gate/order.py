"""The k-th largest of a batch: part of :mod:`kondo_theory.gate.law`.

:func:`by_library` is what it means. Of a large batch on a CPU the same value is found in memory that does not grow
with the batch: a sample of the values brackets the k-th largest, one pass counts what is above the bracket and
collects the few that are inside, and the k-th largest is among them. A bracket that misses is noticed by its counts,
so that chance decides about the time alone. Tensors are read by NumPy where they lie: it compares several times as
fast as torch on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import array_api_compat as api
import numpy as np
from numpy.typing import NDArray

from kondo_theory._arrays import Array, is_traced, widened

__all__ = ["LARGE", "PART", "by_library", "in_numpy", "kth_largest", "parts_of", "worth_parts"]

LARGE = 2**20
"""Numbers of a batch, or of a stack of batches, above which they are worth going through in parts."""
PART = 2**17
"""Numbers at a time: what is made of them stays in a core's cache."""
_SPREAD = 6.0
"""Standard errors of the sample's quantile on either side of the bracket: 2·10⁻⁹ of the brackets miss."""


def worth_parts(xp: Any, values: Array) -> bool:
    """Return whether to go through the values in parts: they are many, on a CPU, and no graph is being traced.

    Reading a value costs nothing on a CPU; a graph has none to read, and a GPU would wait.
    """
    if is_traced(xp):
        return False
    return math.prod(values.shape) > LARGE and str(api.device(values)) == "cpu"


def in_numpy(values: Array) -> NDArray[Any]:
    """Return numbers on a CPU as a NumPy array on the same memory, or as float32 in place of a 16-bit dtype."""
    values = widened(values)
    return values if api.is_numpy_array(values) else values.detach().numpy()


def parts_of(size: int) -> Iterator[slice]:
    """Yield the places 0..size−1 in parts."""
    for start in range(0, size, PART):
        yield slice(start, min(start + PART, size))


def kth_largest(xp: Any, values: Array, k: int | Array) -> Array:
    """Return the k-th largest value along the last axis, (..., 1); k may be an integer array (..., 1)."""
    n = values.shape[-1]
    differentiable = getattr(values, "requires_grad", False)
    if n <= LARGE or differentiable or not worth_parts(xp, values):
        return by_library(xp, values, k)
    rows = in_numpy(values).reshape(-1, n)
    ranks = [k] * len(rows) if isinstance(k, int) else xp.reshape(k.clip(min=1, max=n), (-1,)).tolist()
    found = np.concatenate([_narrowed(row, rank) for row, rank in zip(rows, ranks, strict=True)])
    return xp.asarray(found.reshape(*values.shape[:-1], 1), dtype=values.dtype, device=api.device(values))


def by_library(xp: Any, values: Array, k: int | Array) -> Array:
    """Return :func:`kth_largest` as the library finds it, without waiting for a GPU."""
    n = values.shape[-1]
    if not isinstance(k, int):
        return xp.take_along_axis(xp.sort(values, axis=-1), n - k.clip(min=1, max=n), axis=-1)
    # Without a full sort.
    if api.is_numpy_array(values):
        return np.partition(values, n - k, axis=-1)[..., n - k : n - k + 1]
    # Not torch.quantile, which refuses above 2^24 elements; nor kthvalue, quadratic in B on a descending batch.
    if 2 * k <= n:
        return values.topk(k, dim=-1, sorted=False).values.amin(-1, keepdim=True)
    return values.topk(n - k + 1, dim=-1, largest=False, sorted=False).values.amax(-1, keepdim=True)


def _narrowed(values: NDArray[Any], k: int) -> NDArray[Any]:
    """Return the k-th largest of many values (n,) as an array (1,)."""
    low, high = _bracket(values, k)
    n_over, n_under, between = 0, 0, []
    for part in parts_of(len(values)):
        over, under = values[part] > low, values[part] < high
        n_over, n_under = n_over + int(np.count_nonzero(over)), n_under + int(np.count_nonzero(under))
        between.append(values[part][over & under])
    n_top = len(values) - n_under  # how many are at least high
    if n_top < k <= n_over:
        inside: NDArray[Any] = by_library(np, np.concatenate(between), k - n_top)
        return inside
    # It is an end of the bracket, which ties share, or outside.
    end = high if k <= n_top else low
    above = sum(np.count_nonzero(values[part] > end) for part in parts_of(len(values)))
    level = sum(np.count_nonzero(values[part] == end) for part in parts_of(len(values)))
    found: NDArray[Any] = end if above < k <= above + level else by_library(np, values, k)
    return found


def _bracket(values: NDArray[Any], k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return numbers (1,) that have the k-th largest of the values (n,) between them, or are it, unless unlucky.

    They are of a random sample of n^(2/3) values: with fewer the bracket holds more values, with more there is more
    to sort. The sample is always the same one and takes nothing from the user's random numbers.
    """
    n = len(values)
    size = round(n ** (2 / 3))
    sample = np.sort(values[np.random.default_rng(0).integers(n, size=size)])
    expected = size * (n - k) / n
    margin = 1 + _SPREAD * math.sqrt(expected * k / n)
    first, last = math.floor(expected - margin), math.ceil(expected + margin)
    low = sample[first : first + 1] if first >= 0 else np.full_like(sample[:1], -math.inf)
    high = sample[last : last + 1] if last < size else np.full_like(sample[:1], math.inf)
    return low, high
