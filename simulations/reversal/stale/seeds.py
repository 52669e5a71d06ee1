"""Token reversal where actors write the answers: with old parameters, some at random, some paid by mistake.

A share ``random`` of the answers is broken, written at random from end to end. The others are drawn by actors whose
parameters are ``delay`` updates old, up to a twentieth more, and the initial ones until there are older ones. An
answer is paid in full by mistake with probability ``corruption``. The advantage is what it was paid, less the mean
over the answers to its prompt. All else is the protocol of :mod:`simulations.reversal.training`; without friction the
runs are those of :mod:`simulations.reversal.side_by_side.seeds`, bit by bit.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from kondo_theory.training.policies import log_probabilities
from simulations.networks.actors import Copies, Setting
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_counts import timed
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer
from simulations.reversal.methods import objective
from simulations.reversal.objectives import advantage_of, points
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.stale.behaviour import mixed_answers
from simulations.reversal.stale.contenders import BOUND, FRICTIONS, Contender, StaleSize, friction_streams

__all__ = ["StaleSeeds", "importance_weights"]


class StaleSeeds(ReversalSeeds):
    """S seeds of one contender in one setting, from one batch to the next."""

    def __init__(self, contender: Contender, setting: Setting, size: StaleSize, device: torch.device) -> None:
        super().__init__(size.configs(contender), device)
        self.contender, self.setting = contender, setting
        streams = [friction_streams(config.seed) for config in self.configs]
        self.generators |= {
            name: [torch.Generator(device).manual_seed(seeds[name]) for seeds in streams] for name in FRICTIONS
        }
        self.copies = Copies(setting.delay, self._frozen)

    def train_batch(self) -> None:
        """Let the actors write a batch for every seed and take the method's optimizer steps on it."""
        config, step, n_seeds = self.config, self.step, len(self.configs)
        rollout, behaviour = self.drawn()
        point = points(config.as_reversal(rollout.prompts), rollout.answers, config.reward)
        self.rewards.append(point.view(n_seeds, -1).double().mean(1) / config.length)
        batch, dtype = len(point) // n_seeds, rollout.log_policy.dtype
        paid = self._paid(point)
        advantage = advantage_of(paid, config.baseline, config.answers, batch, config.length, dtype)
        advantage = advantage.view(n_seeds, -1)
        corrected = self.contender.correction != "none"
        learner = self._under_learner(rollout) if corrected or self.contender.scored_by == "learner" else behaviour
        scored = learner if self.contender.scored_by == "learner" else behaviour
        selection = step.select(scored, advantage)
        coefficient, loss = objective(config, scored, advantage)
        if corrected:
            coefficient = coefficient * importance_weights(learner, behaviour, self.contender.correction)
        for _ in range(config.passes):
            step.update(scored, coefficient, selection, config.prompts, loss)
        self.update += 1

    def drawn(self) -> tuple[Rollout, Rollout]:
        """Return what the actors wrote, scored under those that are not broken, and under the behaviour policy."""
        config, setting, actor = self.config, self.setting, self._actor()
        prompts = self._prompts(config.prompts, "prompts")
        if actor is self.step.network:
            rollout = self.step.sample(prompts, config.length, config.answers)
        else:
            rollout = self._sampled(actor, prompts)
        if setting.random == 0:
            return rollout, rollout
        rollout = self._scored(actor, self._broken(rollout))
        return rollout, mixed_answers(rollout, setting.random)

    def _actor(self) -> StackedTransformer:
        return self.step.network if self.setting.delay == 0 else self.copies.acting(self.update)

    def _frozen(self) -> StackedTransformer:
        return copy.deepcopy(self.step.network).requires_grad_(False)

    def _sampled(self, actor: StackedTransformer, prompts: Tensor) -> Rollout:
        """Return answers of older parameters, drawn and counted as the learner's own would be."""
        config, step = self.config, self.step
        shape = (config.prompts, config.answers, config.length, config.vocab_size)
        with timed(step.seconds, "sampling", prompts.device):
            rollout = sample_side_by_side(actor, prompts, log_race(shape, actor, self.generators["actions"]))
        for counts in step.counts:
            counts.add_sampling(step.network.stacked, self._one(rollout), config.prompts)
        return rollout

    def _broken(self, rollout: Rollout) -> Rollout:
        """Return the answers, a share of them written at random."""
        n_rows, T = len(rollout.tokens) // len(self.configs), self.config.length
        where, noise = [], []
        for generator in self.generators["broken"]:
            where.append(torch.rand(n_rows, generator=generator, device=self.device) < self.setting.random)
            shape = (n_rows, T)
            noise.append(torch.randint(self.config.vocab_size, shape, generator=generator, device=self.device))
        answers = torch.where(torch.cat(where)[:, None], torch.cat(noise), rollout.answers)
        return Rollout(torch.cat([rollout.prompts, answers], 1), rollout.log_policy)

    def _paid(self, point: Tensor) -> Tensor:
        """Return what the answers are paid in points, (S·B,): some of them all, by mistake."""
        if self.setting.corruption == 0:
            return point
        n_rows = len(point) // len(self.configs)
        draws = [torch.rand(n_rows, generator=each, device=self.device) for each in self.generators["pay"]]
        return torch.where(torch.cat(draws) < self.setting.corruption, self.config.length, point)

    def _under_learner(self, rollout: Rollout) -> Rollout:
        """Return the answers scored under the learner: what the actor sent along if it is the learner."""
        return rollout if self.setting.delay == 0 else self._scored(self.step.network, rollout)

    def _scored(self, network: StackedTransformer, rollout: Rollout) -> Rollout:
        """Return the answers scored by a forward pass, which is counted as screening."""
        shape = (len(self.configs), self.config.prompts, self.config.answers, -1)
        with timed(self.step.seconds, "screening", self.device), torch.no_grad():
            prompts, answers = rollout.prompts.view(shape)[:, :, 0], rollout.answers.reshape(shape)
            logits = network.answer_logits(prompts, answers).flatten(0, 2)
        for counts in self.step.counts:
            counts.add_screening(self.step.network.stacked, self._one(rollout))
        return Rollout(rollout.tokens, log_probabilities(logits))

    def _one(self, rollout: Rollout) -> Rollout:
        """Return rows of the shape of one seed's."""
        return rollout.part(slice(0, len(rollout.tokens) // len(self.configs)), self.config.length)

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the runs depends on: the copies that are kept as well."""
        copies = [{"update": update, "policies": network.state_dict()} for update, network in self.copies.kept]
        return super().state() | {"copies": copies}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state, refusing that of other runs."""
        super().restore(state)
        self.copies.kept.clear()
        for saved in state["copies"]:
            network = self._frozen()
            network.load_state_dict(saved["policies"])
            self.copies.kept.append((saved["update"], network))

    def _identity(self) -> str:
        other = {"contender": self.contender.label, "setting": asdict(self.setting)}
        return json.dumps(json.loads(super()._identity()) | other, sort_keys=True)


def importance_weights(learner: Rollout, behaviour: Rollout, correction: str) -> Tensor:
    """Return π/μ of each token after those before it, or of whole answers on each of their tokens, cut at ``BOUND``.

    Parameters
    ----------
    learner, behaviour : Rollout
        The same answers scored under π and μ.
    correction : {"tokens", "answers"}

    Returns
    -------
    (B, T) tensor
    """
    logs = behaviour.surprisal - learner.surprisal
    if correction == "answers":
        logs = logs.sum(1, keepdim=True).expand_as(logs)
    return logs.exp().clamp(max=BOUND)
