"""What gated updates of seeds side by side cost each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kondo_theory.training.agreement import DeviceCounts
from simulations.networks.mlp import StackedMLP

__all__ = ["StackedCounts"]


@dataclass(repr=False)
class StackedCounts(DeviceCounts):
    """What the updates so far have cost: counted, never assumed.

    Attributes
    ----------
    updates, forward_samples : int
        Updates so far, and samples screened by each seed.
    backward_samples : (S,) tensor of int64
        Samples that each seed kept; padding is not counted.
    flops : (S,) tensor of int64
        FLOPs in matrix products that each seed needs by itself: the screening pass and the backward pass of what was
        kept, with another forward pass where activations were not, or the full step where that takes fewer.
    invalid_samples, mean_gap, largest_gap
        Of all seeds: samples that were never kept because they were no numbers, and gaps of second forward passes;
        see :class:`kondo_theory.training.agreement.DeviceCounts`.
    """

    updates: int
    forward_samples: int
    backward_samples: Tensor
    flops: Tensor

    @classmethod
    def none(cls, network: StackedMLP) -> StackedCounts:
        """Return the counts of a network before its first update."""
        zeros = torch.zeros(len(network), dtype=torch.int64, device=network.weights[0].device)
        return cls(0, 0, zeros, zeros.clone())

    def add_update(self, network: StackedMLP, batch_size: int, n_kept: Tensor | None, *, again: bool) -> None:
        """Count an update.

        Parameters
        ----------
        network : StackedMLP
        batch_size : int
            B, samples of each seed.
        n_kept : (S,) tensor or None
            Samples that each seed kept; None without a gate.
        again : bool
            What is kept went through another forward pass.
        """
        forward, backward = network.forward_flops, network.backward_flops
        self.add_replayed(batch_size)
        if n_kept is None:
            self.backward_samples += batch_size
            self.flops += batch_size * (forward + backward)
            return
        self.backward_samples += n_kept
        each = forward + backward if again else backward
        self.flops += batch_size * forward + (n_kept * each).clamp_(max=batch_size * backward)

    def add_replayed(self, batch_size: int) -> None:
        """Count what the host counts of an update, whose tensors a recording has counted."""
        self.updates += 1
        self.forward_samples += batch_size

    def state(self) -> list[Any]:
        """Return the numbers that an update changes, for :meth:`restore`; the tensors are the live ones."""
        return [self.updates, self.forward_samples, self.backward_samples, self.flops]

    def restore(self, state: Sequence[Any]) -> None:
        """Continue from a state."""
        self.updates, self.forward_samples, backward_samples, flops = state
        self.backward_samples.copy_(backward_samples)
        self.flops.copy_(flops)
