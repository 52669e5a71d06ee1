"""Selection, the part that all gated steps share: from scores to the samples that get a backward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kondo_theory._arrays import batch
from kondo_theory.gate import Gate
from kondo_theory.training.display import one_line
from kondo_theory.training.streaming import StreamedPrice, StreamingGate

__all__ = ["Selection", "require_gate", "select_samples"]


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """What a gate says of a batch, or of batches side by side.

    Attributes
    ----------
    keep : (..., B) boolean tensor
        True where a sample gets a backward pass. A step may spread it over what its samples are made of: an answer
        that is gated as a whole over its tokens, say; the other attributes are of the samples that were gated.
    n_valid : (...) tensor of int64
        Samples of each batch: what a rate is a share of.
    n_kept : (...) tensor of int64
        Those of them that are kept. At a rate these are k = ``kept_count(rate, n_valid)``, or all whose score is
        above −∞ where they are fewer; a gate at a temperature draws their number.
    n_invalid : (...) tensor of int64
        Those of them that are never kept, because their score is NaN or their coefficient not finite.
    score : (..., B) tensor
        What was ranked, detached; −∞ where a sample is padding or no number.
    gate : Gate, StreamedPrice or None
        What ranked it; None keeps all that are numbers.
    mask : (..., B) boolean tensor or None
        True where a sample is valid; None if all are.
    """

    keep: Tensor
    n_valid: Tensor
    n_kept: Tensor
    n_invalid: Tensor
    score: Tensor
    gate: Gate | StreamedPrice | None
    mask: Tensor | None = None
    _places = None  # no field: a copy with another ``keep`` must not have them

    def at(self, places: Tensor) -> Selection:
        """Note the places of what is kept, (..., k) in order, for :meth:`padded_rows`."""
        object.__setattr__(self, "_places", places)
        return self

    @cached_property
    def n_eligible(self) -> Tensor:
        """Those of them that could be kept, (...) int64: their score is above −∞.

        At a rate min(``kept_count(rate, n_valid)``, n_eligible) are kept.
        """
        return (self.score > -math.inf).sum(-1)

    @cached_property
    def rows(self) -> Tensor:
        """Places in the batch of what is kept, in order, (k,) int64: of a keep (B, ...) the rows that hold any.

        Looking for them waits for the device.

        Raises
        ------
        ValueError
            If there are batches side by side, whose numbers of kept rows differ: :meth:`padded_rows` has them.
        """
        if self.n_kept.ndim:
            batches = tuple(self.n_kept.shape)
            raise ValueError(f"rows must be of one batch, got {batches} batches side by side: use padded_rows")
        keep = self.keep if self.keep.ndim == 1 else self.keep.flatten(1).any(1)
        return keep.nonzero().squeeze(-1)

    def padded_rows(self, width: int) -> tuple[Tensor, Tensor]:
        """Return the places of what is kept in batches side by side, in order and padded, without waiting.

        Parameters
        ----------
        width : int
            At least the largest number kept.

        Returns
        -------
        rows : (..., width) tensor of int64
            Places in the batch; anything where there are fewer.
        present : (..., width) boolean tensor
            False on the padding.
        """
        places: Tensor | None = self._places
        if places is not None and places.shape[-1] == width:
            return places, torch.ones_like(places, dtype=torch.bool)
        kept_first = self.keep.byte().sort(dim=-1, descending=True, stable=True)  # not every GPU sorts booleans
        return kept_first.indices[..., :width], kept_first.values[..., :width].bool()

    @cached_property
    def price(self) -> Tensor | float | None:
        """The price λ, in units of the score: the gate's own, or the one that its rate amounts to, (...).

        None without a gate. Computed when it is asked for, without waiting; see
        :func:`kondo_theory.gate.quantile_price` and, at a positive temperature,
        :func:`kondo_theory.gate.calibrated_price`.
        """
        if not isinstance(self.gate, Gate):
            return None if self.gate is None else self.gate.price
        price: Tensor | float = self.gate.price_of(self.score, check=False, mask=self.mask)
        return price

    def __repr__(self) -> str:
        return one_line(self, ("keep", "n_valid", "n_kept", "n_invalid", "gate"))


def require_gate(gate: Any) -> None:
    """Refuse what is no gate, such as the rate of one."""
    if not (gate is None or isinstance(gate, Gate | StreamingGate)):
        raise TypeError(f"gate must be a Gate, a StreamingGate or None, got {gate!r}")


def select_samples(
    score: Tensor,
    gate: Gate | StreamingGate | None,
    rng: torch.Generator | Tensor | None = None,
    *,
    coefficient: Tensor | None = None,
    mask: Tensor | None = None,
    check: bool = True,
) -> Selection:
    """Gate a batch, or batches side by side; what is not a number is ruled out before the gate, which cannot rank it.

    Parameters
    ----------
    score : (..., B) tensor
        What the gate ranks, such as the delight. −∞ is never kept, nor is NaN, which is counted as invalid.
    gate : Gate, StreamingGate or None
        One with a window remembers the batch. None keeps every sample that is valid and a number.
    rng : torch.Generator, (..., B) tensor or None
        What breaks ties and draws the gate: a generator on the tensor's device, None for torch's global one, or
        uniform numbers in [0, 1), one a sample.
    coefficient : (..., B) tensor, optional
        What the sample's gradient is going to be multiplied by; where it is not finite the sample is never kept.
    mask : (..., B) boolean tensor, optional
        True where a sample is valid. The others, such as padding, are never kept and count nowhere.
    check : bool
        Let the gate check its price at a temperature, which waits for the device. Without it nothing here does.

    Returns
    -------
    Selection

    Raises
    ------
    TypeError
        If the scores are not real floating numbers, the mask is not boolean or the generator does not fit.
    ValueError
        If the batch is empty, or the shapes do not match.
    """
    numbers, valid = batch(score.detach(), False, mask)
    invalid = score.isnan()
    if coefficient is not None:
        invalid = invalid | ~coefficient.detach().isfinite()
        numbers = numbers.masked_fill(invalid, -math.inf)
    usable = ~invalid if valid is None else valid & ~invalid
    ranked_by: Gate | StreamedPrice | None
    if isinstance(gate, StreamingGate):
        keep, ranked_by = gate.select(numbers, rng, mask=usable, check=check)
    elif gate is None:
        keep, ranked_by = usable, None
    else:
        ranked_by = gate
        keep = gate(numbers, rng, check=check, mask=valid)
    if valid is None:
        n_valid, n_invalid = numbers.new_full(score.shape[:-1], score.shape[-1], dtype=torch.int64), invalid.sum(-1)
    else:
        n_valid, n_invalid = valid.sum(-1), (invalid & valid).sum(-1)
    return Selection(keep, n_valid, keep.sum(-1), n_invalid, numbers, ranked_by, valid)
