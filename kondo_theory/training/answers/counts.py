"""What steps on answers cost, counted on the device or the host, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor

from kondo_theory.training.agreement import DeviceCounts
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.packing import MicroBatch
from kondo_theory.training.display import one_line
from kondo_theory.training.selection import Selection

__all__ = ["AnswerCounts"]


class _OnDevice:
    """A number that is summed on the device, and read by waiting for it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, counts: AnswerCounts, owner: type) -> int:
        return int(counts._sums.get(self.name, 0))


@dataclass(repr=False)
class AnswerCounts(DeviceCounts):
    """What the steps so far have cost.

    Attributes
    ----------
    updates : int
        Optimizer steps.
    screened_positions : int
        Positions that a forward pass of the step's own went through to have log-probabilities.
    backward_rows, backward_tokens : int
        Rows that went through forward and backward, and kept tokens: the logical backward cost.
    backward_positions, padded_positions : int
        Positions that did, prompts and dropped tokens before a kept one included: the physical cost; and with the
        padding of the micro-batches.
    micro_batches : int
        Forward and backward passes of the model.
    forward_rows, forward_tokens : int
        Answers that were selected from, and their tokens. Reading these, and all that follow, waits for the device.
    eligible, kept : int
        Tokens, rows or groups, whichever the gate keeps, that could be kept, and that were.
    groups, groups_without_spread : int
        Groups, where they were given, and those in which every answer has advantage zero: they teach nothing.
    invalid_samples, mean_gap, largest_gap
        See :class:`kondo_theory.training.agreement.DeviceCounts`: of what the gate keeps, and of kept tokens.
    """

    updates: int = 0
    screened_positions: int = 0
    backward_rows: int = 0
    backward_tokens: int = 0
    backward_positions: int = 0
    padded_positions: int = 0
    micro_batches: int = 0

    forward_rows = _OnDevice()
    forward_tokens = _OnDevice()
    eligible = _OnDevice()
    kept = _OnDevice()
    groups = _OnDevice()
    groups_without_spread = _OnDevice()

    def __post_init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def _add(self, **numbers: Tensor) -> None:
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0) + number

    def add_selection(self, answers: Answers, selection: Selection) -> None:
        """Count answers that were selected from."""
        self._add(forward_rows=answers.present.sum(), forward_tokens=answers.answered.sum())
        self._add(eligible=selection.n_eligible, kept=selection.n_kept)
        self.add_invalid(selection.n_invalid)

    def add_groups(self, n_groups: Tensor, n_without_spread: Tensor) -> None:
        """Count groups, and those without spread."""
        self._add(groups=n_groups, groups_without_spread=n_without_spread)

    def add_backward(self, batches: list[MicroBatch]) -> None:
        """Count micro-batches that went forward and backward."""
        self.micro_batches += len(batches)
        for batch in batches:
            self.backward_rows += len(batch.tokens)
            self.backward_tokens += len(batch.places)
            self.backward_positions += batch.n_positions
            self.padded_positions += batch.tokens.numel()

    def add_step(self) -> None:
        """Count a step of the optimizer."""
        self.updates += 1

    def __repr__(self) -> str:
        on_device = [name for name, value in vars(type(self)).items() if isinstance(value, _OnDevice)]
        names = [field.name for field in fields(self)] + on_device
        return one_line(self, [*names, "invalid_samples", "mean_gap", "largest_gap"])
