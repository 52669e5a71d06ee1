"""Token reversal, seeds of one method side by side in one program: each is the run that it would be alone.

:class:`~simulations.reversal.training.ReversalRun` says what a run is; here the seeds of a method share matrix
products, and a prompt is read once for all its answers. A seed draws the same numbers from the same streams, so its
curve is that of its own run up to the rounding of sums, whoever trains beside it. Methods that backpropagate as many
rows of every seed (no gate, or one on rows at a rate) have the same bytes in any company on a CPU; of the others the
rows are padded to the most that a seed keeps, and the last bits of a sum may depend on that.

In float32 a rounding that differs decides a draw sooner or later (of one policy gradient in its 98th batch, of one
row gate not in 500): from there on a long run here and the same run alone are two samples of one experiment.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from simulations.devices import clock
from simulations.errors import ReportedError
from simulations.networks.sequence_counts import PHASES, SequenceCounts
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.steps import DivergedError, StackedSequenceStep
from simulations.networks.stacked_answers.transformer import StackedTransformer
from simulations.networks.transformer import Transformer
from simulations.resuming.checkpoints import CheckpointFile
from simulations.reversal.config import STREAMS, ReversalConfig
from simulations.reversal.gambles.payment import ZERO_ANSWERS, luck_stream
from simulations.reversal.methods import objective
from simulations.reversal.objectives import advantage_of, error_columns, points, wrong_kinds

__all__ = ["ReversalSeeds", "train", "trained"]

_PROMPTS_AT_ONCE = 500
"""Evaluation prompts of all seeds that are answered at a time: their keys and values stay small."""


def train(
    configs: Sequence[ReversalConfig], device: torch.device, checkpoint: CheckpointFile | None = None
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Train several seeds of one method and return the curve and timings of each.

    Parameters
    ----------
    configs : sequence of ReversalConfig
        Equal but for their seeds, which differ.
    device : torch.device
    checkpoint : CheckpointFile, optional
        Saved when due, at evaluations, and at the end. If it holds a state the seeds go on from there, to the same
        curves.

    Returns
    -------
    list of (DataFrame, DataFrame)
        As :func:`simulations.reversal.training.run_one` returns them; seconds are a seed's share of all seeds'.

    Raises
    ------
    ValueError
        If the configurations differ in more than their seeds, or a seed occurs twice.
    ReportedError
        If a policy or a loss is not finite, or the checkpoint is damaged or of other runs.
    """
    return trained(ReversalSeeds(configs, device), checkpoint)


def trained(
    seeds: ReversalSeeds, checkpoint: CheckpointFile | None = None
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Train seeds to their end, from where the checkpoint left them; arguments and results as of :func:`train`."""
    state = checkpoint.load() if checkpoint is not None else None
    if state is not None:
        seeds.restore(state)
    config = seeds.config
    try:
        if state is None:
            seeds.evaluate()
        while seeds.update < config.updates:
            seeds.train_batch()
            if seeds.update % config.eval_every == 0 or seeds.update == config.updates:
                seeds.evaluate()
                if checkpoint is not None and (checkpoint.is_due() or seeds.update == config.updates):
                    seeds.save(checkpoint)
    except DivergedError as error:
        raise seeds.diverged(error, checkpoint) from error
    timings = pd.DataFrame(seeds.timings)
    return [(pd.DataFrame(rows), timings.copy()) for rows in seeds.rows]


class ReversalSeeds:
    """The state of S seeds of one method, from one batch to the next: what a checkpoint must hold."""

    def __init__(self, configs: Sequence[ReversalConfig], device: torch.device) -> None:
        if len({replace(config, seed=0) for config in configs}) != 1:
            raise ValueError(f"configurations must be at least one and differ in their seeds alone, got {configs}")
        if len({config.seed for config in configs}) != len(configs):
            raise ValueError(f"seeds must differ, got {[config.seed for config in configs]}")
        self.configs, self.config, self.device = tuple(configs), configs[0], device
        config, streams = self.config, [config.streams() for config in configs]
        self.generators = {
            name: [torch.Generator(device).manual_seed(seeds[name]) for seeds in streams] for name in STREAMS[1:]
        }
        if config.payment.noisy:
            self.generators["luck"] = [
                torch.Generator(device).manual_seed(luck_stream(each.seed)) for each in configs
            ]
        self.zero_tokens = torch.zeros(
            len(configs), dtype=torch.int64, device=device
        )  # answers to zero prompts, kept
        n_positions = 2 * config.length - 1
        network = StackedTransformer(
            [
                Transformer(config.vocab_size, n_positions, config.network, seed=seeds["initialisation"])
                for seeds in streams
            ]
        ).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        self.step = StackedSequenceStep(
            network,
            optimizer,
            config.gate,
            granularity=config.granularity,
            rule=config.rule,
            group_size=config.answers,
            generators=self.generators["actions"],
            gate_generators=self.generators["gate"],
        )
        self.update = 0
        self.saved: int | None = None  # the update of the last good checkpoint
        self.rewards: list[Tensor] = []  # (S,) of each batch
        self.rows: list[list[dict[str, Any]]] = [[] for _ in configs]
        self.timings: list[dict[str, Any]] = []
        self.evaluation_seconds = 0.0

    def train_batch(self) -> None:
        """Sample a batch of every seed and take the method's optimizer steps on it."""
        config, step, n_seeds = self.config, self.step, len(self.configs)
        prompts = config.payment.asked(self._prompts(config.prompts, "prompts"))
        rollout = step.sample(prompts, config.length, config.answers)
        point = points(config.as_reversal(rollout.prompts), rollout.answers, config.reward)
        batch, dtype = len(point) // n_seeds, rollout.log_policy.dtype
        paid = config.payment.paid(point, config.length, self.generators.get("luck", []), config.answers, dtype)
        advantage = advantage_of(paid, config.baseline, config.answers, batch, config.length, dtype)
        advantage = advantage.view(n_seeds, -1)
        selection = step.select(rollout, advantage)
        self.rewards.append(point.view(n_seeds, -1).double().mean(1) / config.length)
        coefficient, loss = objective(config, rollout, advantage)
        for _ in range(config.passes):
            step.update(rollout, coefficient, selection, config.prompts, loss)
            if config.payment.zero_prompts:
                self.zero_tokens += config.payment.kept_of_zeros(selection.keep, config.prompts)
        self.update += 1

    def evaluate(self) -> None:
        """Append the row of this update to every curve."""
        now, _ = clock(self.device)
        started, config, n_seeds = now(), self.config, len(self.configs)
        prompts = self._prompts(config.eval_prompts, "evaluation")
        errors = self._errors(prompts, "")
        if config.payment.zero_prompts:
            n_zeros = -(-config.eval_prompts // ZERO_ANSWERS)
            zeros = self._errors(prompts.new_zeros(n_seeds, n_zeros, config.length), "zero_")
            kept = self.zero_tokens.tolist()
            errors = [
                one | other | {"zero_backward_tokens": n} for one, other, n in zip(errors, zeros, kept, strict=True)
            ]
        rewards = torch.stack(self.rewards).mean(0).tolist() if self.rewards else [math.nan] * n_seeds
        self.rewards.clear()
        for place, found in enumerate(errors):
            counts = asdict(self.step.counts[place])
            row = {"update": self.update, **counts, "train_reward": rewards[place], **found}
            self.rows[place].append(row)
        self.evaluation_seconds += now() - started
        seconds = {**{name: self.step.seconds[name] for name in PHASES}, "evaluation": self.evaluation_seconds}
        self.timings.append({"update": self.update, **{name: each / n_seeds for name, each in seconds.items()}})

    def _errors(self, prompts: Tensor, kind: str) -> list[dict[str, float]]:
        """Return the errors of answers to prompts (S, P, H) by column, sampled and greedy, of every seed."""
        config, n_answers = self.config, prompts.shape[1]
        n_tokens = n_answers * config.length
        return [
            error_columns(config.reward, kind, sampled, n_tokens, n_answers)
            | error_columns(config.reward, f"{kind}greedy_", greedy, n_tokens, n_answers)
            for sampled, greedy in self._wrong_answers(prompts).tolist()
        ]

    def _wrong_answers(self, prompts: Tensor) -> Tensor:
        """Return the sums of :func:`~.objectives.wrong_kinds` of every seed, sampled and greedily, (S, 2, 5)."""
        config, network, n_seeds = self.config, self.step.network, len(self.configs)
        shape = (prompts.shape[1], 1, config.length, config.vocab_size)
        race = log_race(shape, network, self.generators["evaluation"])
        race = torch.cat([race, torch.zeros_like(race)], 2)  # two answers to each prompt: one drawn, one greedy
        total = torch.zeros(n_seeds, 2, 5, dtype=torch.int64, device=self.device)
        size = max(1, _PROMPTS_AT_ONCE // n_seeds)
        for some, its_race in zip(prompts.split(size, 1), race.split(size, 1), strict=True):
            rollout = sample_side_by_side(network, some, its_race)
            finite = rollout.log_policy.view(n_seeds, -1).isfinite().all(1)
            if not bool(finite.all()):
                raise DivergedError("the policy's log-probabilities are not finite", int((~finite).int().argmax()))
            wrong = wrong_kinds(config.as_reversal(rollout.prompts), rollout.answers)
            total += torch.stack([each.view(n_seeds, -1, 2).sum(1) for each in wrong.values()], -1)
        return total

    def save(self, checkpoint: CheckpointFile) -> None:
        """Keep the state."""
        checkpoint.save(self.state())
        self.saved = self.update

    def diverged(self, error: DivergedError, checkpoint: CheckpointFile | None) -> ReportedError:
        """Return what to tell the user of a seed that stopped being a number."""
        return self.configs[error.place].diverged(
            error, self.update, checkpoint.path if checkpoint else None, self.saved
        )

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the runs depends on."""
        return {
            "run": self._identity(),
            "update": self.update,
            "rows": self.rows,
            "timings": self.timings,
            "policies": self.step.network.state_dict(),
            "optimizer": self.step.optimizer.state_dict(),
            "generators": {name: [each.get_state() for each in some] for name, some in self.generators.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state, refusing that of other runs."""
        if state.get("run") != self._identity():
            raise ReportedError("the checkpoint belongs to other runs")
        self.update = self.saved = state["update"]
        self.rows, self.timings = state["rows"], state["timings"]
        self.step.network.load_state_dict(state["policies"])
        self.step.optimizer.load_state_dict(state["optimizer"])
        for name, generators in self.generators.items():
            for generator, saved in zip(generators, state["generators"][name], strict=True):
                generator.set_state(saved)
        names = asdict(SequenceCounts())
        self.step.counts = [SequenceCounts(**{name: rows[-1][name] for name in names}) for rows in self.rows]
        n_seeds, last = len(self.configs), self.timings[-1]
        self.step.seconds = {name: last[name] * n_seeds for name in PHASES}
        self.evaluation_seconds = last["evaluation"] * n_seeds
        kept = [rows[-1].get("zero_backward_tokens", 0) for rows in self.rows]
        self.zero_tokens.copy_(torch.tensor(kept))

    def _identity(self) -> str:
        """Return what must agree for resumed runs to have the same bytes."""
        where = {"device": self.device.type, "torch": torch.__version__}
        return json.dumps({"runs": [asdict(config) for config in self.configs]} | where, sort_keys=True)

    def _prompts(self, number: int, stream: str) -> Tensor:
        """Return prompts of every seed, (S, P, H), each from its own stream."""
        shape, where = (number, self.config.length), self.device
        drawn = [
            torch.randint(self.config.vocab_size, shape, generator=generator, device=where)
            for generator in self.generators[stream]
        ]
        return torch.stack(drawn)
