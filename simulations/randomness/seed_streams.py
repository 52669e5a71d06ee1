"""The random numbers of seeds that train side by side: streams of each seed's own, drawn many updates at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Draws", "SeedStreams", "draw_actions"]

_BLOCK_SAMPLES = 10_000


class Draws(NamedTuple):
    """The random numbers of one update, each (S, B): which images, and uniforms for the actions and the gate."""

    images: Tensor
    actions: Tensor
    gate: Tensor


class SeedStreams:
    """The random numbers of every seed, from generators of its own, drawn for many updates at a time.

    Calls of a generator cost more than its numbers. On the CPU the numbers are those that drawing update by update
    would give, so the length of a block is no part of a result.

    Parameters
    ----------
    seeds : sequence of mapping
        For each of the S seeds, the seeds of its streams "minibatches", "actions" and "gate".
    n_images : int
        Images are drawn from 0 … n_images − 1, with replacement.
    batch_size : int
        B.
    device : torch.device
        Where generators and numbers live.
    """

    _NAMES = ("minibatches", "actions", "gate")

    def __init__(
        self, seeds: Sequence[Mapping[str, int]], n_images: int, batch_size: int, device: torch.device
    ) -> None:
        self._generators = {
            name: [torch.Generator(device).manual_seed(seed[name]) for seed in seeds] for name in self._NAMES
        }
        self._n_images, self._device = n_images, device
        self._shape = (max(1, _BLOCK_SAMPLES // batch_size), batch_size)
        self._draw_block()

    def next(self) -> Draws:
        """Return the random numbers of the next update."""
        if self._position == self._shape[0]:
            self._draw_block()
        draws = Draws(*(numbers[:, self._position] for numbers in self._block))
        self._position += 1
        return draws

    def state(self) -> dict[str, Any]:
        """Return where the streams stand, for :meth:`restore`."""
        return {"generators": self._states, "position": self._position}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where the streams stood."""
        for name, generators in self._generators.items():
            for generator, generator_state in zip(generators, state["generators"][name], strict=True):
                generator.set_state(generator_state)
        self._draw_block()
        self._position = state["position"]

    def _draw_block(self) -> None:
        self._states = {name: [g.get_state() for g in generators] for name, generators in self._generators.items()}
        self._position = 0
        where: dict[str, Any] = {"device": self._device}
        indices = (
            torch.randint(self._n_images, self._shape, generator=g, **where) for g in self._generators["minibatches"]
        )
        uniforms = (
            (torch.rand(self._shape, generator=g, dtype=torch.float64, **where) for g in self._generators[name])
            for name in ("actions", "gate")
        )
        self._block = Draws(torch.stack(list(indices)), *(torch.stack(list(numbers)) for numbers in uniforms))


def draw_actions(policy: Tensor, uniforms: Tensor) -> Tensor:
    """Return the action whose interval of the cumulative policy holds the uniform number.

    Parameters
    ----------
    policy : (..., K) tensor
        Probabilities.
    uniforms : (...) tensor
        In [0, 1).

    Returns
    -------
    (...) tensor of int64
    """
    edges = policy.cumsum(-1)
    # Rounding can leave the sum below the uniform number: the last action with an interval of its own takes the rest.
    last = (edges < edges[..., -1:]).sum(-1)
    return (edges <= uniforms[..., None]).sum(-1).minimum(last)
