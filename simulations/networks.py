"""The policies of the experiments."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["PolicyMLP"]


class PolicyMLP(nn.Module):
    """The MNIST policy: a multilayer perceptron with ReLU and PyTorch's default initialisation [KG §3, DG §3].

    Parameters
    ----------
    sizes : tuple of int
        Widths of the layers from the input to the logits, (784, 100, 100, 10) in the papers.
    seed : int
        Seeds the initialisation; torch's global stream is left as it was.
    """

    def __init__(self, sizes: tuple[int, ...] = (784, 100, 100, 10), *, seed: int) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be at least two positive widths, got {sizes}")
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: a GPU's stream would not be restored
            self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))

    def forward(self, observations: Tensor) -> Tensor:
        """Map observations (B, sizes[0]) to logits (B, sizes[-1])."""
        hidden = observations
        for layer in self.layers[:-1]:
            hidden = layer(hidden).relu()
        logits: Tensor = self.layers[-1](hidden)
        return logits
