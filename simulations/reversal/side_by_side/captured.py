"""Token reversal with recorded batches: the same runs, without the host between operations.

Methods that backpropagate as many rows of every batch (no gate, or one on rows at a rate) are recorded whole, from
the prompts to the optimizer's step. Of the others the kept rows and the longest kept answer differ from batch to
batch: they are recorded up to the gate, and from there on for every size of a few, and the host reads two numbers in
between.

What a run counts is read at evaluations, and so are its alarms: a policy that stops being a number, or answers that
its second pass does not agree with, end a run there and not at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from simulations.devices import clock
from simulations.networks.captured import Captured, bucket, make_capturable
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_counts import SequenceCounts
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.steps import DivergedError
from simulations.reversal.config import ReversalConfig
from simulations.reversal.gambles.payment import Payment
from simulations.reversal.methods import objective
from simulations.reversal.objectives import advantage_of, points
from simulations.reversal.side_by_side.seeds import ReversalSeeds

__all__ = ["CapturedSeeds"]


class CapturedSeeds(ReversalSeeds):
    """:class:`ReversalSeeds` with recorded batches; all their seconds are those of the phase training.

    Parameters
    ----------
    configs, device
        As there.

    Attributes
    ----------
    padded_sizes : tuple of tuple of int
        Rows of each seed and tokens of each row that backward passes have been padded to so far.
    """

    def __init__(self, configs: Sequence[ReversalConfig], device: torch.device) -> None:
        super().__init__(configs, device)
        if self.config.payment != Payment():
            raise ValueError(f"recorded batches have no zero prompts and no noise, got {self.config.label}")
        self._record()

    @property
    def padded_sizes(self) -> tuple[tuple[int, int], ...]:
        """See the class."""
        return tuple(sorted(self._rest))

    def train_batch(self) -> None:
        """Sample a batch of every seed and take the method's optimizer steps on it."""
        now, _ = clock(self.device)
        config, step, started = self.config, self.step, now()
        prompts = self._prompts(config.prompts, "prompts")
        shape = (config.prompts, config.answers, config.length, config.vocab_size)
        race = log_race(shape, step.network, step.generators)
        uniforms = step.uniforms(config.prompts * config.answers, config.length, race)
        found = self._first(prompts, race, *(() if uniforms is None else (uniforms,)))
        if self._fixed is None:
            rows, length = found[1][1:].amax(1).tolist()
            size = bucket(rows, config.prompts * config.answers), bucket(length, config.length)
            if size not in self._rest:
                self._rest[size] = Captured(partial(self._learn, *size), self.device)
            alarm = self._rest[size]()
        else:
            alarm = found[-2:]
        self._reports.append(tuple(each.clone() for each in (*found[:4], *alarm)))
        self.update += 1
        step.seconds["training"] += now() - started

    def evaluate(self) -> None:
        """Append the row of this update to every curve.

        Raises
        ------
        DivergedError
            If a policy or a loss was not finite in a batch since the last evaluation; ``update`` counts those before.
        ValueError
            If a second pass did not agree with the sampler.
        """
        self._read_reports()
        super().evaluate()

    def counted(self) -> list[SequenceCounts]:
        """Return the counts of each seed so far; errors as of :meth:`evaluate`."""
        self._read_reports()
        return self.step.counts

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the runs depends on."""
        self._read_reports()
        return super().state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state; batches are recorded anew."""
        super().restore(state)
        self._record()

    def _record(self) -> None:
        make_capturable(self.step.optimizer, self.device)
        self._fixed = self.step.most(self.config.prompts * self.config.answers, self.config.length)
        self._first = Captured(self._until_the_gate if self._fixed is None else self._whole, self.device)
        self._rest: dict[tuple[int, int], Captured] = {}
        self._reports: list[tuple[Tensor, ...]] = []

    def _whole(self, *given: Tensor) -> tuple[Tensor, ...]:
        assert self._fixed is not None
        return *self._until_the_gate(*given)[:4], *self._learn(*self._fixed)

    def _until_the_gate(self, prompts: Tensor, race: Tensor, uniforms: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what is reported of a batch, and all that the rest of it reads.

        Reported are the mean reward (S,); kept tokens, rows that hold any and the tokens up to the last one (3, S);
        what was no number (S,); and whether the policy's log-probabilities are finite (S,).
        """
        config, step, n_seeds = self.config, self.step, len(self.configs)
        rollout = sample_side_by_side(step.network, prompts, race)
        point = points(config.as_reversal(rollout.prompts), rollout.answers, config.reward)
        batch, length = len(point) // n_seeds, config.length
        dtype = rollout.log_policy.dtype
        advantage = advantage_of(point, config.baseline, config.answers, batch, length, dtype).view(n_seeds, -1)
        selection = step.gated(rollout, advantage, uniforms)
        coefficient, self._loss = objective(config, rollout, advantage)
        keep = selection.keep
        last = (keep.any(1) * torch.arange(1, length + 1, device=keep.device)).amax(1)
        counted = torch.stack([keep.sum((1, 2)), keep.any(2).sum(1), last])
        reward = point.view(n_seeds, -1).double().mean(1) / length
        finite = rollout.log_policy.view(n_seeds, -1).isfinite().all(1)
        coefficient, keep = coefficient.contiguous(), keep.contiguous()  # of their own, for a replay to write into
        self._found = rollout, coefficient, replace(selection, keep=keep)
        return reward, counted, selection.n_invalid, finite, rollout.tokens, rollout.log_policy, coefficient, keep

    def _learn(self, width: int, length: int) -> tuple[Tensor, Tensor]:
        """Take the method's optimizer steps; return whether losses were finite, and agreed with the sampler."""
        config, found = self.config, self._found
        steps = [self.step.learn(*found, config.prompts, self._loss, width, length) for _ in range(config.passes)]
        return torch.stack([finite for finite, _ in steps]).all(), steps[0][1]

    def _read_reports(self) -> None:
        """Count the batches since the last time, which waits for the device, and see to their alarms."""
        if not self._reports:
            return
        columns = [torch.stack(column) for column in zip(*self._reports, strict=True)]
        reward, counted, invalid, finite, losses, agree = columns
        n_batches, self._reports = len(reward), []
        fine = finite.all(1) & losses
        if not bool(fine.all()):
            batch = int((~fine).int().argmax())
            self.update -= n_batches - batch
            raise DivergedError("the policy or the loss is not finite", self._place_of(finite[batch]))
        if not bool(agree.all()):
            raise ValueError("the policies' log-probabilities must be those that they sampled with, within rounding")
        self.rewards.extend(reward)
        config, stacked = self.config, self.step.network.stacked
        batch_size = config.prompts * config.answers
        for place, counts in enumerate(self.step.counts):
            counts.add_invalid(invalid[:, place])
            for n_tokens, n_rows, length in counted[:, :, place].tolist():
                counts.add_sampling(stacked, self._shaped(batch_size, config.length), config.prompts)
                for _ in range(config.passes):
                    counts.add_backward(stacked, self._shaped(n_rows, length) if n_rows else None, n_tokens)
                    counts.add_step()

    def _place_of(self, finite: Tensor) -> int:
        """Return the first seed whose policy was not finite (S,), or is not now."""
        for parameter in self.step.network.parameters():
            finite = finite & parameter.detach().flatten(1).isfinite().all(1)
        return int((~finite).int().argmax())

    def _shaped(self, n_rows: int, length: int) -> Rollout:
        """Return answers that have a shape and nothing else, to be counted."""
        M = self.config.vocab_size
        tokens = torch.empty(n_rows, self.config.length + length, dtype=torch.int64, device="meta")
        return Rollout(tokens, torch.empty(n_rows, length, M, device="meta"))

    def _identity(self) -> str:
        return json.dumps(json.loads(super()._identity()) | {"captured": True}, sort_keys=True)
