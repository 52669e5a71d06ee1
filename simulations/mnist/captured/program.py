"""Training on the MNIST bandit with recorded updates: the same numbers, without the host between operations.

A gate that keeps as many rows of every batch is recorded whole. One at a price keeps another number each time: its
update is recorded in two, up to the gate and from there on for every width of a few, and the host reads one number
in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.training import SeedProgram
from simulations.networks.captured import Captured, bucket, make_capturable
from simulations.networks.stacked import StackedScreening
from simulations.randomness.seed_streams import Draws

__all__ = ["CapturedProgram"]


class CapturedProgram(SeedProgram):
    """:class:`SeedProgram` with recorded updates; of exact screening alone.

    Parameters
    ----------
    configs, data, device
        As there.

    Attributes
    ----------
    widths : tuple of int
        Those to which rows at a price have been padded so far.
    """

    def __init__(self, configs: Sequence[MnistConfig], data: Mnist, device: torch.device) -> None:
        super().__init__(configs, data, device)
        gate = self.config.gate
        self._at_price = gate is not None and (gate.rate is None or gate.temperature > 0)
        self._record()

    @property
    def widths(self) -> tuple[int, ...]:
        """See the class."""
        return tuple(sorted(self._rest))

    def update(self, draws: Draws | None = None) -> None:
        """Take one update of every seed, by the given random numbers or the next."""
        counts, n_before = self.step.counts, self.step.counts.updates
        found = self._first(*(draws or self.streams.next()))
        if self._at_price:
            width = bucket(int(found[-1]), self.config.batch_size)
            if width not in self._rest:
                self._rest[width] = Captured(partial(self._after_the_gate, width), self.train_labels.device)
            self._rest[width]()
        if counts.updates == n_before:
            counts.add_replayed(self.config.batch_size)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of a program with the same configurations; updates are recorded anew."""
        super().restore(state)
        self._record()

    def _record(self) -> None:
        make_capturable(self.step.optimizer, self.train_labels.device)
        work = self._until_the_gate if self._at_price else self._whole
        self._first = Captured(work, self.train_labels.device)
        self._rest: dict[int, Captured] = {}

    def _whole(self, *draws: Tensor) -> tuple[Tensor, ...]:
        super().update(Draws(*draws))
        return ()

    def _until_the_gate(self, *draws: Tensor) -> tuple[Tensor, ...]:
        """Return all that the rest of an update reads, and the largest number that a seed keeps."""
        super().update(Draws(*draws))  # which ends in _gate_and_update
        screening, actions, coefficient, selection = self._found
        read = (screening.observations, screening.log_policy, *(screening.inputs or ()), actions, coefficient)
        return (*read, selection.keep, selection.n_kept, selection.n_kept.amax())

    def _gate_and_update(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> None:
        if not self._at_price:
            super()._gate_and_update(screening, actions, reward, uniforms)
            return
        coefficient, selection = self._gated(screening, actions, reward, uniforms)
        assert selection is not None
        self._found = screening, actions, coefficient, selection

    def _after_the_gate(self, width: int) -> tuple[Tensor, ...]:
        screening, actions, coefficient, selection = self._found
        inputs = None if screening.inputs is None else list(screening.inputs)  # an update empties the list
        screening = replace(screening, inputs=inputs, made_at=None)
        self.step.update(screening, actions, coefficient, selection, width=width)
        return ()
