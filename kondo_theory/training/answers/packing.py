"""Micro-batches: rows of answers cut to what is needed, aligned at their first token, packed by length.

Rows stand side by side from their first attended token on, so that the padding of a micro-batch is all behind its
rows. Under a causal model what stands behind a token changes nothing before it: neither padding nor positions have to
be told to the model. Where rows begin and end is known on the host, by one transfer; nothing else waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kondo_theory.training.answers.batch import Answers

__all__ = ["MicroBatch", "first_row", "pack", "to_host"]

_Mask = NDArray[np.bool_]
_Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """Some rows of a batch of B rows and L tokens, and the tokens in them that count.

    Attributes
    ----------
    tokens : (R, N) tensor of int64
        What the model reads; behind the end of a row its last token again.
    places : (n,) tensor of int64
        Where the tokens that count stand in the flattened batch, from 0 to B·L − 1; in order within a row.
    positions : (n,) tensor of int64
        Where the tokens that predict them stand in the flattened micro-batch, from 0 to R·N − 1.
    targets : (n,) tensor of int64
        The tokens themselves.
    n_positions : int
        Positions without padding.
    sources : (R, N) tensor of int64
        Where what the model reads stands in the flattened batch.
    """

    tokens: Tensor
    places: Tensor
    positions: Tensor
    targets: Tensor
    n_positions: int
    sources: Tensor


def to_host(*masks: Tensor) -> list[_Mask]:
    """Return boolean tensors of one shape as NumPy arrays, by one transfer: the one that waits for the device."""
    together: _Mask = torch.stack(masks).cpu().numpy()
    return list(together)


def pack(answers: Answers, wanted: _Mask, attended: _Mask, micro_tokens: int) -> Iterator[MicroBatch]:
    """Yield micro-batches of the rows that hold a wanted token, each cut before its last wanted token.

    The longest rows come first. A micro-batch has at most ``micro_tokens`` positions, its padding included, or is a
    single row.

    Parameters
    ----------
    answers : Answers
    wanted, attended : (B, L) boolean arrays
        On the host.
    micro_tokens : int

    Raises
    ------
    ValueError
        If a wanted token or the one before it is not attended, or attended tokens of a row are not one run: what the
        model would read is not what the masks say.
    """
    rows = np.flatnonzero(wanted.any(1))
    wanted, attended = wanted[rows], attended[rows]
    _require_runs(wanted, attended, rows)
    start = attended.argmax(1)
    # The last wanted token is predicted by the one before it, and need not be read.
    length = wanted.shape[1] - 1 - wanted[:, ::-1].argmax(1) - start
    longest_first = np.argsort(-length, kind="stable")
    first = 0
    while first < len(rows):
        longest = int(length[longest_first[first]])
        size = max(1, micro_tokens // longest)
        of = np.sort(longest_first[first : first + size])
        yield _micro_batch(answers, rows[of], wanted[of], start[of], length[of])
        first += size


def first_row(answers: Answers, attended: _Mask) -> MicroBatch:
    """Return the first row that is not all padding, and any token of it: it tells what a model depends on."""
    row = int(attended.any(1).argmax())
    columns = np.flatnonzero(attended[row])
    columns = columns[: max(1, len(columns) - 1)] if len(columns) else np.zeros(1, np.int64)
    source = row * attended.shape[1] + columns[None]
    at = _to_device(answers.tokens.device, source, source[0, -1:], np.array([len(columns) - 1]))
    tokens = answers.tokens.flatten().long()[at[0]] * bool(attended[row].any())  # padding may hold any number
    return MicroBatch(tokens, at[1], at[2], tokens[0, -1:], len(columns), at[0])


def _require_runs(wanted: _Mask, attended: _Mask, rows: _Indices) -> None:
    before = np.pad(attended[:, :-1], ((0, 0), (1, 0)))
    unread = wanted & ~(attended & before)
    broken = (attended & ~before).sum(1) > 1
    if unread.any() or broken.any():
        row = int((unread.any(1) | broken).argmax())
        raise ValueError(
            "an answer's tokens, and the one before each, must lie within the row's one run of attended tokens: they"
            f" do not in row {rows[row]}"
        )


def _micro_batch(answers: Answers, rows: _Indices, wanted: _Mask, start: _Indices, length: _Indices) -> MicroBatch:
    width, longest = answers.tokens.shape[1], int(length.max())
    read = start[:, None] + np.minimum(np.arange(longest), length[:, None] - 1)
    row, column = np.nonzero(wanted)
    places = rows[row] * width + column
    positions = row * longest + column - 1 - start[row]
    source, *at = _to_device(answers.tokens.device, rows[:, None] * width + read, places, positions)
    flat = answers.tokens.flatten().long()
    return MicroBatch(flat[source], at[0], at[1], flat[at[0]], int(length.sum()), source)


def _to_device(device: torch.device, *arrays: _Indices) -> list[Tensor]:
    """Return arrays as tensors there, without waiting: copies from pageable memory would."""
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    if device.type == "cuda":
        tensors = [tensor.pin_memory() for tensor in tensors]
    return [tensor.to(device, non_blocking=True) for tensor in tensors]
