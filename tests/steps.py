"""The screened steps behind one face, for tests of what all of them must do; a new step joins by joining ``STEPS``.

Each driver has ``screen()``, which runs the forward pass and returns an advantage for each unit, (n,), and
``update(advantage)``, which gates and steps and returns the mask of the kept units, (n,). Those of one policy also
have ``select(advantage)``, ``backward(advantage, selection)``, ``part(units)`` with some of the batch, and
``masked_loss(advantage, keep)``, which backpropagates all of it.
"""

import copy
import dataclasses

import torch

from kondo_theory.gate import delight
from kondo_theory.training import Answers, AnswerStep, ScreenedStep, Screening
from simulations.networks.mlp import PolicyMLP, StackedMLP
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.sequence_step import SequenceStep
from simulations.networks.stacked import StackedScreening, StackedStep
from simulations.networks.transformer import Architecture, Transformer
from simulations.randomness.seed_streams import draw_actions

SIZES = (6, 8, 4)
N = 40  # units of a gate
SMALL = Architecture(width=12, heads=3, layers=2, feed_forward=20)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def freeze(policy, frozen):
    for name, parameter in policy.named_parameters():
        parameter.requires_grad_(not any(part in name for part in frozen))
    return policy


class Screened:
    """``ScreenedStep`` on a perceptron."""

    checks = True
    a_frozen_part = "layers.0"

    def __init__(self, gate, *, optimizer=sgd, dtype=torch.float64, frozen=(), policy=None, **options):
        self.policy = freeze(policy or PolicyMLP(SIZES, seed=0).to(dtype), frozen)
        self.generator = torch.Generator().manual_seed(2)
        self.step = ScreenedStep(
            self.policy, optimizer(self.policy.parameters()), gate, generator=self.generator, **options
        )
        observations = torch.randn(N, SIZES[0], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.observations = observations.to(dtype)

    def screen(self):
        self.screening = self.step.act(self.observations)
        return (self.screening.actions == 0).to(self.screening.surprisal.dtype) - 0.25

    def elsewhere(self, shift):
        """Replace the screening by one from elsewhere, whose log-probabilities are lower."""
        self.screening = Screening(self.screening.actions, self.screening.surprisal + shift)

    def part(self, units):
        part = copy.copy(self)
        part.observations = self.observations[units]
        part.screening = Screening(self.screening.actions[units], self.screening.surprisal[units])
        return part

    def select(self, advantage):
        return self.step.select(self.screening, advantage)

    def backward(self, advantage, selection, **options):
        self.step.backward(self.observations, self.screening, advantage, selection, **options)

    def masked_loss(self, advantage, keep):
        log_prob = self.policy(self.observations).log_softmax(-1).gather(1, self.screening.actions[:, None])[:, 0]
        return -(keep * advantage * log_prob).mean()

    def update(self, advantage):
        return self.step.update(self.observations, self.screening, advantage)

    def parameters(self):
        return dict(self.policy.named_parameters())


class Sequence:
    """``SequenceStep`` on a transformer, by whole answers of three tokens."""

    checks = True
    a_frozen_part = "blocks.0"

    def __init__(self, gate, *, optimizer=sgd, dtype=torch.float64, frozen=(), policy=None, **options):
        policy = policy or Transformer(5, 6, SMALL, seed=0)
        with torch.no_grad():
            policy.head.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
        self.policy = freeze(policy.to(dtype), frozen)
        self.generator = torch.Generator().manual_seed(2)
        options = {"granularity": "row", "generator": self.generator} | options
        self.step = SequenceStep(self.policy, optimizer(self.policy.parameters()), gate, **options)

    def screen(self):
        prompts = torch.randint(5, (N // 4, 3), generator=torch.Generator().manual_seed(1))
        self.rollout = self.step.sample(prompts, 3, 4)
        return (self.rollout.answers == 0).to(self.rollout.log_policy.dtype).mean(1) - 0.25

    def elsewhere(self, shift):
        self.rollout = Rollout(self.rollout.tokens, self.rollout.log_policy - shift)

    def part(self, units):
        part = copy.copy(self)
        part.rollout = self.rollout.part(units, self.rollout.answers.shape[1])
        return part

    def select(self, advantage):
        return self.step.select(self.rollout, advantage)

    def backward(self, advantage, selection, **options):
        coefficient = advantage[:, None].expand_as(selection.keep)
        self.step.backward(self.rollout, coefficient, selection, **options)

    def masked_loss(self, advantage, keep):
        log_policy = self.policy(self.rollout.tokens[:, :-1], self.rollout.answers.shape[1]).log_softmax(-1)
        return -(keep * advantage[:, None] * self.rollout.log_prob(log_policy)).mean()

    def update(self, advantage):
        selection = self.select(advantage)
        self.step.update(self.rollout, advantage[:, None].expand_as(selection.keep), selection)
        return selection.keep[:, 0]

    def parameters(self):
        return dict(self.policy.named_parameters())


class Stacked:
    """``StackedStep``: two seeds side by side, of half the units each."""

    checks = False
    a_frozen_part = None

    def __init__(self, gate, *, optimizer=sgd, dtype=torch.float64, frozen=(), check=True, **options):
        policies = [freeze(PolicyMLP(SIZES, seed=seed).to(dtype), frozen) for seed in (0, 1)]
        self.network = StackedMLP(policies)
        self.step = StackedStep(self.network, optimizer(self.network.parameters()), gate, **options)
        self.generator = torch.Generator().manual_seed(2)
        observations = torch.randn(2, N // 2, SIZES[0], generator=self.generator, dtype=torch.float64)
        self.observations = observations.to(dtype)

    def screen(self):
        self.screening = self.step.act(self.observations)
        uniforms = torch.rand(2, N // 2, generator=self.generator, dtype=torch.float64)
        self.actions = draw_actions(self.screening.log_policy.exp(), uniforms)
        return ((self.actions == 0).to(self.screening.log_policy.dtype) - 0.25).flatten()

    def elsewhere(self, shift):
        self.screening = StackedScreening(self.observations, self.screening.log_policy - shift, None)

    def update(self, advantage):
        advantage, selection = advantage.view(2, -1), None
        if self.step.gate is not None:
            surprisal = -self.screening.log_policy.gather(-1, self.actions[..., None]).squeeze(-1)
            uniforms = torch.rand(2, N // 2, generator=self.generator, dtype=torch.float64)
            selection = self.step.select(delight(advantage, surprisal, check=False), uniforms)
        self.step.update(self.screening, self.actions, advantage, selection)
        return advantage.flatten().isfinite() if selection is None else selection.keep.flatten()

    def parameters(self):
        return {str(place): parameter for place, parameter in enumerate(self.network.parameters())}


class Answering:
    """``AnswerStep`` on a transformer, by whole answers of three tokens behind prompts padded on the left."""

    checks = True
    a_frozen_part = "blocks.0"

    def __init__(self, gate, *, optimizer=sgd, dtype=torch.float64, frozen=(), policy=None, **options):
        policy = policy or Transformer(5, 6, SMALL, seed=0)
        with torch.no_grad():
            policy.head.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
        self.policy = freeze(policy.to(dtype), frozen)
        self.generator = torch.Generator().manual_seed(2)
        options = {"generator": torch.Generator().manual_seed(3), "micro_tokens": 100, "chunk_tokens": 30} | options
        self.step = AnswerStep(self.policy, optimizer(self.policy.parameters()), gate, **options)

    def screen(self):
        prompts = torch.randint(5, (N // 4, 3), generator=torch.Generator().manual_seed(1))
        rollout = sample(self.policy, prompts, 3, n_answers=4, generator=self.generator)
        padding = torch.arange(N).remainder(3)[:, None]  # of two columns, which the policy reads two tokens later
        columns = torch.arange(8)
        tokens = rollout.tokens.gather(1, (columns - padding).clamp(0, 5))
        attended = (columns >= padding) & (columns < padding + 6)
        self.answers = self.step.screen(Answers(tokens, attended, attended & (columns >= padding + 3)))
        return (rollout.answers == 0).to(self.answers.log_prob.dtype).mean(1) - 0.25

    def elsewhere(self, shift):
        self.answers = dataclasses.replace(self.answers, log_prob=self.answers.log_prob - shift, made_at=None)

    def part(self, units):
        part, answers = copy.copy(self), self.answers
        values = (answers.tokens, answers.attention_mask, answers.answer_mask, answers.log_prob)
        part.answers = Answers(*(each[units] for each in values))
        return part

    def select(self, advantage):
        return self.step.select(self.answers, advantage)

    def backward(self, advantage, selection, **options):
        self.step.backward(self.answers, advantage, selection, **options)

    def masked_loss(self, advantage, keep):
        return masked_loss(self.policy, self.answers, advantage, keep) / self.answers.answered.sum()

    def update(self, advantage):
        return self.step.update(self.answers, advantage).keep.any(1)

    def parameters(self):
        return dict(self.policy.named_parameters())


def masked_loss(policy, answers, advantage, keep):
    """The reference: rows without their padding and whole, dropped tokens multiplied by zero; summed."""
    total = 0.0
    for length in answers.attended.sum(1).unique().tolist():
        rows = (answers.attended.sum(1) == length).nonzero()
        places = answers.attended[rows[:, 0]].nonzero()[:, 1].view(-1, length)
        tokens = answers.tokens[rows, places]
        output = policy(tokens)
        log_policy = getattr(output, "logits", output)[:, :-1].log_softmax(-1)
        log_prob = log_policy.gather(-1, tokens[:, 1:, None])[..., 0]
        coefficient = advantage if advantage.ndim == 2 else advantage[:, None].expand_as(keep)
        total = total - ((keep * coefficient)[rows, places][:, 1:] * log_prob).sum()
    return total


STEPS = (Screened, Sequence, Stacked, Answering)
ONE_POLICY = (Screened, Sequence, Answering)
