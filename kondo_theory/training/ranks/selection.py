"""Exact selection over ranks: what is kept is what one process keeps of the ranks' batches, put one after another.

A sample that is not among the top k of its rank is not among the top k of all. So at a rate each rank sends its top
min(k, n) scores with their tie-breakers, every rank keeps the top k of these, and takes its own. The tie-breakers are
those of the global batch: every rank draws all of them, from generators in the same state, and uses its part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kondo_theory._arrays import uniform
from kondo_theory.gate import Gate, gate_probability, kept_count, sample_gate
from kondo_theory.gate.selection import select_exactly
from kondo_theory.training.ranks.group import Ranks
from kondo_theory.training.selection import Selection, select_samples
from kondo_theory.training.streaming import StreamedPrice, StreamingGate  # noqa: F401  (a field's type)

__all__ = ["RankSelection", "select_on_each_rank", "select_over_ranks"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RankSelection(Selection):
    """What a gate says of a rank's part of a global batch.

    ``keep``, ``score``, ``mask`` and ``rows`` are of the rank's own samples; ``n_valid``, ``n_kept``, ``n_invalid``,
    ``n_eligible`` and ``price`` of the global batch, and the same on all ranks.
    """

    n_eligible_of_all: Tensor
    price_of_all: Tensor | float | None

    @property
    def n_eligible(self) -> Tensor:
        """See :class:`~kondo_theory.training.selection.Selection`."""
        return self.n_eligible_of_all

    @property
    def price(self) -> Tensor | float | None:
        """See :class:`~kondo_theory.training.selection.Selection`."""
        return None if self.gate is None else self.price_of_all


def select_over_ranks(
    score: Tensor,
    gate: Gate | StreamingGate | None,
    rng: torch.Generator | Tensor | None,
    ranks: Ranks,
    *,
    coefficient: Tensor | None = None,
    mask: Tensor | None = None,
    check: bool = True,
) -> RankSelection:
    """Gate a rank's part of a global batch; see :func:`~kondo_theory.training.select_samples`.

    Bit for bit what that function keeps of the ranks' parts put one after another, with the same generator. Each rank
    sends four numbers, and then

    * at a price, one number, and one more: how many it keeps;
    * at a rate, min(k, n) scores and tie-breakers, n its largest rank's samples;
    * at a rate and a temperature, all its scores: that price depends on each of them.

    Parameters
    ----------
    score, coefficient, mask : (B,) tensors
        Of this rank's samples, at least one; B may differ between ranks.
    gate : Gate or None
        The same on all ranks.
    rng : torch.Generator, (B,) tensor or None
        A generator in the same state on all ranks, which all leave in the same state: that of one process with the
        whole batch. Or uniform numbers for the rank's own samples. None where nothing is drawn alone: without a gate,
        and at a price without a temperature.
    ranks : Ranks
    check : bool
        Let the gate check its price at a temperature, and compare the ranks' generators. What was selected is waited
        for in any case.

    Raises
    ------
    TypeError
        As :func:`~kondo_theory.training.select_samples`, or if the gate is none whose price the ranks can find.
    ValueError
        As there, or if the scores are not a vector, there is no generator, or those of the ranks differ.
    """
    gate = _common(gate, rng)
    if score.ndim != 1:
        raise ValueError(f"over ranks scores must be a vector, those of one batch, got shape {tuple(score.shape)}")
    own = select_samples(score, None, coefficient=coefficient, mask=mask)
    numbers = torch.stack([own.n_valid.new_tensor(len(score)), own.n_valid, own.n_invalid, own.n_eligible])
    every = ranks.gather(numbers)
    sizes = every[:, 0].tolist()
    _, n_valid, n_invalid, n_eligible = every.sum(0)
    part = _Part(own.score, own.mask, ranks, sizes)
    price: Tensor | float | None = None
    if gate is None:
        keep, seen = own.keep, score.new_zeros((), dtype=torch.float64)
    else:
        keep, price, seen = part.gated(gate, rng, int(n_valid), check=check)
    counted = ranks.gather(torch.stack([keep.sum().double(), seen]))
    if check:
        _require_alike(counted[:, 1])
    return RankSelection(
        keep, n_valid, counted[:, 0].sum().long(), n_invalid, own.score, gate, own.mask,
        n_eligible_of_all=n_eligible, price_of_all=price,
    )  # fmt: skip


def select_on_each_rank(
    score: Tensor,
    gate: Gate | StreamingGate | None,
    rng: torch.Generator | Tensor | None,
    ranks: Ranks,
    *,
    coefficient: Tensor | None = None,
    mask: Tensor | None = None,
    check: bool = True,
) -> Selection:
    """Gate a global batch that every rank has: all keep the same.

    Parameters and errors as for :func:`select_over_ranks`, whose scores are those of all ranks here.
    """
    gate = _common(gate, rng)
    if _draws(gate) and not isinstance(rng, Tensor):
        drawn: Tensor = uniform(score, rng)
        if check:
            _require_alike(ranks.gather(drawn[0].double()))
        rng = drawn
    return select_samples(score, gate, rng, coefficient=coefficient, mask=mask, check=check)


def _common(gate: Gate | StreamingGate | None, rng: torch.Generator | Tensor | None) -> Gate | None:
    """Return the gate, refusing one whose price the ranks cannot find together, and draws without a generator."""
    if isinstance(gate, StreamingGate) or (gate is not None and type(gate) is not Gate):
        raise TypeError(f"over ranks the gate must be a Gate or None, got {type(gate).__name__}")
    if _draws(gate) and rng is None:
        raise ValueError("over ranks the gate needs a generator, in the same state on all of them, got None")
    return gate


def _draws(gate: Gate | None) -> bool:
    return gate is not None and (gate.rate is not None or gate.temperature > 0)


def _require_alike(first: Tensor) -> None:
    """Refuse first numbers of the ranks' generators, (size, ...), that differ; waits for the device."""
    if bool((first != first[0]).any()):
        raise ValueError(
            "the generator must be in the same state on all ranks: seed them alike, and draw the same numbers"
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """A rank's scores, −∞ where they are no numbers or not valid, and the sizes of all ranks' parts."""

    score: Tensor
    mask: Tensor | None
    ranks: Ranks
    sizes: list[int]

    def gated(
        self, gate: Gate, rng: torch.Generator | Tensor | None, n_valid: int, *, check: bool
    ) -> tuple[Tensor, Tensor | float | None, Tensor]:
        """Return what is kept, the price, and the first number that was drawn, or zero."""
        if gate.rate is None and gate.temperature == 0.0:  # draws nothing
            return gate(self.score, check=check), gate.price, self.score.new_zeros((), dtype=torch.float64)
        keys, seen = self._keys(rng)
        if gate.rate is None:
            return gate(self.score, keys, check=check, mask=self.mask), gate.price, seen
        if gate.temperature:
            return *self._at_common_price(gate, keys, check), seen
        return *self._top(gate.rate, n_valid, keys), seen

    def _keys(self, rng: torch.Generator | Tensor | None) -> tuple[Tensor, Tensor]:
        """Return a uniform number for each sample, and the global batch's first, (0-d), if they were drawn."""
        if isinstance(rng, Tensor):
            return uniform(self.score, rng), self.score.new_zeros((), dtype=torch.float64)
        first = sum(self.sizes[: self.ranks.rank])
        drawn: Tensor = uniform(self.score.new_empty(sum(self.sizes)), rng)
        return drawn[first : first + len(self.score)], drawn[0]

    def _top(self, rate: float, n_valid: int, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the top k of all ranks; the price is the largest score that is not kept."""
        score, keep = self.score, torch.zeros_like(self.score, dtype=torch.bool)
        if n_valid == 0:
            return keep, score.new_full((), math.inf)
        k = kept_count(rate, n_valid)
        candidates = select_exactly(score, min(k, len(score)), keys, check=False)
        places = candidates.nonzero().squeeze(-1)
        unsent = score.masked_fill(candidates, -math.inf).amax()
        width = min(k, max(self.sizes))
        sent = score.new_full((2, width + 1), -math.inf, dtype=torch.float64)
        sent[0, : len(places)], sent[1, : len(places)], sent[0, width] = score[places], keys[places], unsent
        every = self.ranks.gather(sent)  # (ranks, 2, width + 1)
        scores, tie_breakers = every[:, 0, :width].flatten(), every[:, 1, :width].flatten()
        kept = select_exactly(scores, k, tie_breakers, check=False)
        keep[places] = kept.view(-1, width)[self.ranks.rank, : len(places)]
        left = torch.maximum(scores.masked_fill(kept, -math.inf).amax(), every[:, 0, width].amax())
        return keep, left.to(score.dtype)

    def _at_common_price(self, gate: Gate, keys: Tensor, check: bool) -> tuple[Tensor, Tensor | float]:
        """Keep at the price that the rate amounts to, of all ranks' scores."""
        scores = self.ranks.concatenate(self.score)
        own = torch.ones_like(self.score, dtype=torch.bool) if self.mask is None else self.mask
        valid = self.ranks.concatenate(own)
        price = gate.price_of(scores, keepdims=True, check=check, mask=valid)
        assert isinstance(price, Tensor)
        probability = gate_probability(self.score, price, gate.temperature, check=False, mask=self.mask)
        return sample_gate(probability, keys, check=False), price.squeeze(-1)
