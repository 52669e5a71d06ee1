"""Delight and selection by a few operations, for batches on a CPU so small that overhead is what a gate costs.

They say what :func:`kondo_theory.gate.delight` and :func:`~kondo_theory.training.selection.select_samples` say, and
take the same random numbers. On a CPU a value is read without waiting: so a look at the top of the scores tells
whether anything there is tied, out of range or no number; then the definition answers.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from kondo_theory._arrays import is_traced
from kondo_theory.gate import Gate, delight, kept_count
from kondo_theory.training.selection import Selection, select_samples
from kondo_theory.training.streaming import StreamingGate

__all__ = ["quick_delight", "quick_selection"]

_DTYPES = (torch.float32, torch.float64)


@cache
def _largest(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).max


_count = cache(kept_count)


def _are_plain(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are of one shape and dtype, on the CPU and not being traced."""
    same = one.shape == other.shape and one.dtype is other.dtype and one.dtype in _DTYPES
    return same and one.is_cpu and other.is_cpu and not is_traced(torch)


def quick_delight(advantage: Tensor, surprisal: Tensor) -> Tensor:
    """Return the delight (..., B), as :func:`kondo_theory.gate.delight` does without ``check``."""
    if _are_plain(advantage, surprisal):
        most = _largest(advantage.dtype)
        score = (advantage * surprisal).clamp_(-most, most)
        if int(score.count_nonzero()) == score.numel():  # a zero may be a product that has underflowed
            return score
    found: Tensor = delight(advantage, surprisal, check=False)
    return found


def quick_selection(
    score: Tensor,
    gate: Gate | StreamingGate | None,
    rng: torch.Generator | Tensor | None = None,
    *,
    coefficient: Tensor | None = None,
    check: bool = True,
) -> Selection:
    """Return :func:`~kondo_theory.training.selection.select_samples` of a batch, or batches side by side.

    Parameters and errors are those of that function; ``check`` concerns gates at a temperature alone.
    """
    small = score.ndim > 0 and score.numel() > 0 and _are_plain(score, score if coefficient is None else coefficient)
    if small and isinstance(gate, Gate) and gate.temperature == 0.0:
        numbers = score.detach()
        if coefficient is not None:  # NaN exactly where the score is or the coefficient is not finite
            numbers = torch.add(numbers, coefficient.detach(), alpha=0.0)
        found = _top(numbers, gate, rng) if gate.price is None else _above(numbers, gate)
        if found is not None:
            return found
    return select_samples(score, gate, rng, coefficient=coefficient, check=check)


def _above(numbers: Tensor, gate: Gate) -> Selection:
    """Return what is above the gate's price."""
    assert gate.price is not None
    keep, invalid = numbers > gate.price, numbers.isnan()
    n_valid = torch.full(numbers.shape[:-1], numbers.shape[-1], dtype=torch.int64, device="cpu")
    ranked = numbers.masked_fill(invalid, -math.inf)
    return Selection(keep, n_valid, keep.sum(-1), invalid.sum(-1), ranked, gate)


def _top(numbers: Tensor, gate: Gate, rng: torch.Generator | Tensor | None) -> Selection | None:
    """Return the top of each batch, or None where the last place is tied or something is no number."""
    assert gate.rate is not None
    size = numbers.shape[-1]
    n_kept = _count(gate.rate, size)
    if n_kept == size or not (isinstance(rng, Tensor) or rng is None or rng.device.type == "cpu"):
        return None
    if isinstance(rng, Tensor) and (rng.shape != numbers.shape or not rng.is_floating_point()):
        return None
    top = numbers.topk(n_kept + 1)  # NaN first, which is below nothing
    last, next_one = top.values[..., n_kept - 1], top.values[..., n_kept]
    if not bool(((last > next_one) & (top.values[..., 0] < math.inf)).all()):
        return None
    if not isinstance(rng, Tensor):  # what breaks ties is drawn whether there are any or not
        torch.rand(numbers.shape, generator=rng, dtype=torch.float64, device="cpu")
    rows = top.indices[..., :n_kept]
    keep = torch.zeros_like(numbers, dtype=torch.bool).scatter_(-1, rows, True)
    n_valid, kept, n_invalid = (rows.new_full(rows.shape[:-1], number) for number in (size, n_kept, 0))
    selection = Selection(keep, n_valid, kept, n_invalid, numbers, gate)
    return selection if rows.ndim == 1 else selection.at(rows.sort(-1).values)
