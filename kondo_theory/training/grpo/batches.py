"""What a gate leaves of the micro-batches of TRL's trainer: the rows that are kept, and what scales their loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["LOSSES", "Batch", "kept_alone", "without_spread"]

Batch = Mapping[str, Any]
"""Rows by name, as TRL has them: tensors (B, ...), lists of B, and 0-d tensors of what is not of rows."""

_BY_ALL_TOKENS = ("cispo", "dapo", "vespo")  # divided by the tokens of all answers, counted before any is dropped
_BY_ROWS = ("dr_grpo", "grpo", "luspo", "sapo")  # by the rows of the micro-batch
_BY_OWN_TOKENS = ("bnpo",)  # by the tokens of the micro-batch
LOSSES = (*_BY_ALL_TOKENS, *_BY_ROWS, *_BY_OWN_TOKENS)
"""TRL's names of the losses whose gradient is that of the masked batch."""

_OF_COMPLETIONS = (
    "completion_ids",
    "completion_mask",
    "tool_mask",
    "old_per_token_logps",
    "sampling_per_token_logps",
    "importance_sampling_ratio",
)


def kept_alone(batches: Sequence[Batch], loss_type: str, *, cut: bool) -> list[dict[str, Any]]:
    """Return as many micro-batches with the rows that are kept, and no others; those that are empty are last.

    A micro-batch has no more rows than before. They lie by length, in equal shares; under ``bnpo``, which divides by
    the tokens of each micro-batch, every row stays in its own. Where nothing is kept at all one row stays, its
    advantage zero, so that the optimizer steps with a gradient of zero as it would for the masked rows.

    Parameters
    ----------
    batches : sequence of mappings
        TRL's micro-batches, of one optimizer step and the same length, with ``kondo_keep``, (B,) boolean.
    loss_type : str
        One of ``LOSSES``.
    cut : bool
        Cut what is padding behind all completions of a micro-batch.

    Returns
    -------
    list of dict
        With ``kondo_scale``, what TRL's loss on the micro-batch is to be multiplied by; {} where it is empty.
    """
    if loss_type in _BY_OWN_TOKENS:
        kept = [each for each in batches if bool(each["kondo_keep"].any())] or batches[:1]
        parts = [part for each in kept for part in _parts(each, len(each["advantages"]), loss_type, cut=cut)]
    else:
        whole = {name: _joined([each[name] for each in batches]) for name in batches[0]}
        parts = _parts(whole, len(batches[0]["advantages"]), loss_type, cut=cut)
    return [*parts, *({} for _ in range(len(batches) - len(parts)))]


def without_spread(rewards: Tensor, n: int, weights: Tensor, *, summed: bool) -> Tensor:
    """Return which answers, (B,) boolean, have the rewards of all others in their group, up to their rounding.

    What rounding leaves of their advantage TRL divides by 1e-4: it is not zero. Rewards of a group that differ by at
    most 8 times the rounding of what they are made of are the same.

    Parameters
    ----------
    rewards : (B, F) tensor
        Of each reward function; NaN where it has none.
    n : int
        Answers of a group, which are neighbours.
    weights : (F,) tensor
        Of the reward functions. Those of weight zero do not count.
    summed : bool
        Whether TRL adds a row's rewards before it compares the answers of a group; else each function's must agree.
    """
    parts = (rewards * weights)[:, weights != 0]
    if summed:
        size = parts.abs().nansum(1, keepdim=True)
        parts = torch.where(parts.isnan().all(1, keepdim=True), torch.nan, parts.nansum(1, keepdim=True))
    else:
        size = parts.abs()
    grouped, size = (each.view(-1, n, each.shape[-1]) for each in (parts, size))
    none = grouped.isnan()
    low = grouped.masked_fill(none, torch.inf).amin(1)
    high = grouped.masked_fill(none, -torch.inf).amax(1)
    near = high - low <= 8 * torch.finfo(rewards.dtype).eps * size.masked_fill(none, 0.0).amax(1)
    same = near | (high == low) | none.all(1)
    return same.all(1).repeat_interleave(n)


def _parts(whole: Batch, n_rows: int, loss_type: str, *, cut: bool) -> list[dict[str, Any]]:
    """Return the kept rows of a batch in parts of at most ``n_rows``, or one row without an advantage."""
    rows, mask = whole["kondo_keep"].nonzero().squeeze(1), whole["completion_mask"]
    if not len(rows):
        rows = mask.any(1).int().argmax().unsqueeze(0)
        whole = {**whole, "advantages": torch.zeros_like(whole["advantages"])}
    rows = rows[mask.sum(1)[rows].argsort()]
    parts = [_part(whole, each, cut=cut) for each in rows.tensor_split(-(-len(rows) // n_rows))]
    for part in parts:
        if loss_type in _BY_ALL_TOKENS:
            part["kondo_scale"] = 1.0
        elif loss_type in _BY_ROWS:
            part["kondo_scale"] = len(part["advantages"]) / n_rows
        else:
            part["kondo_scale"] = _n_tokens(part) / _n_tokens(whole)
    return parts


def _n_tokens(batch: Batch) -> float:
    return max(1.0, float((batch["completion_mask"] * batch.get("tool_mask", 1)).sum()))


def _joined(values: Sequence[Any]) -> Any:
    """Return the rows of several micro-batches as one; what is not of rows is the same in all."""
    if isinstance(values[0], Tensor) and values[0].ndim:
        return torch.cat(list(values))
    return [row for each in values for row in each] if isinstance(values[0], list) else values[0]


def _part(batch: Batch, rows: Tensor, *, cut: bool) -> dict[str, Any]:
    """Return some rows of a batch; ``cut``: the completions end where the longest one does."""
    part = {name: _of_rows(value, rows) for name, value in batch.items() if name != "kondo_keep"}
    if cut:
        width = max(1, int(part["completion_mask"].sum(1).max()))
        part |= {name: part[name][:, :width] for name in _OF_COMPLETIONS if part.get(name) is not None}
    return part


def _of_rows(value: Any, rows: Tensor) -> Any:
    if isinstance(value, list):
        return [value[row] for row in rows.tolist()]
    return value[rows] if isinstance(value, Tensor) and value.ndim else value
