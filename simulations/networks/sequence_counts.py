"""What steps on sequences cost, logically and physically."""

from __future__ import annotations

from dataclasses import dataclass

from kondo_theory.training.agreement import DeviceCounts

__all__ = ["SequenceCounts"]


@dataclass(repr=False)
class SequenceCounts(DeviceCounts):
    """What the steps so far have cost: counted, never assumed.

    Attributes
    ----------
    optimizer_steps : int
    forward_rows, forward_tokens : int
        Answers sampled, and their tokens: the logical forward cost.
    backward_tokens : int
        Tokens kept, each time they were backpropagated: the logical backward cost.
    backward_rows : int
        Rows that went through forward and backward.
    processed_tokens : int
        Positions that did, prompts and unkept tokens before a kept one included: the physical cost.
    full_tokens : int
        Positions that one full pass over each batch would process.
    sampling_flops, screening_flops, training_flops : int
        By :class:`simulations.networks.transformer.Architecture`; training is forward and backward.
    invalid_samples, mean_gap, largest_gap
        Of tokens or rows, whichever the gate keeps, and of kept tokens; see
        :class:`kondo_theory.training.agreement.DeviceCounts`.
    """

    optimizer_steps: int = 0
    forward_rows: int = 0
    forward_tokens: int = 0
    backward_tokens: int = 0
    backward_rows: int = 0
    processed_tokens: int = 0
    full_tokens: int = 0
    sampling_flops: int = 0
    screening_flops: int = 0
    training_flops: int = 0

    @property
    def logical_share(self) -> float:
        """Kept tokens over all answer tokens, once for each time they were backpropagated."""
        return self.backward_tokens / self.forward_tokens

    @property
    def physical_share(self) -> float:
        """Positions processed over those of full steps: what the kept tokens cost, as a share of everything."""
        return self.processed_tokens / self.full_tokens
