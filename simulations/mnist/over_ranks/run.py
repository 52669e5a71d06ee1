"""A rank's part of one run: its policy, its images, and what a checkpoint must hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import delight, gate_probability
from kondo_theory.screening import RULES
from kondo_theory.training import ScreenedStep, Screening
from kondo_theory.training.policies import log_probabilities, logits_of, pick
from simulations.errors import InputError
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.training import confidence_advantage
from simulations.networks.mlp import PolicyMLP
from simulations.randomness.seed_streams import SeedStreams, draw_actions
from simulations.ranks.placing import Placement

__all__ = ["RankedMnist"]

_N_PIXELS, _N_DIGITS = 784, 10
_COUNTED = ("forward_samples", "rerun_samples", "backward_samples")


class RankedMnist:
    """A rank's part of one run.

    Parameters
    ----------
    config : MnistConfig
    data : Mnist
        All of it, on every rank.
    place : Placement

    Raises
    ------
    InputError
        If a rank would have no image, or the rule looks at the whole batch.
    """

    def __init__(self, config: MnistConfig, data: Mnist, place: Placement) -> None:
        if config.rule == "entropy-band":
            raise InputError("over ranks no rule may look at the whole batch, as entropy-band does")
        self.config, self.place, self.own = config, place, place.own(config.batch_size)
        seeds = config.streams()
        self.train_images, self.train_labels = self._there(data.train_images, data.train_labels)
        tested = place.own(len(data.test_labels))
        self.test_images, self.test_labels = self._there(data.test_images[tested], data.test_labels[tested])
        policy = place.wrapped(PolicyMLP((_N_PIXELS, *config.hidden, _N_DIGITS), seed=seeds["initialisation"]))
        optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate, fused=True)
        self.gate = torch.Generator(place.device).manual_seed(seeds["gate"])  # on a CPU the numbers of the streams
        self.step = ScreenedStep(policy, optimizer, config.gate, gate_generator=self.gate, ranks=place.ranks)
        self.streams = SeedStreams([seeds], len(self.train_images), config.batch_size, place.device)
        self.update = 0
        self.rows: list[dict[str, Any]] = []
        self._reward = torch.zeros((), dtype=torch.int64, device=place.device)

    def train_batch(self) -> None:
        """Take one update.

        Raises
        ------
        FloatingPointError
            If the policy is not a number.
        """
        images, actions, _ = (draws[0, self.own] for draws in self.streams.next())
        labels, observations = self.train_labels[images], self._pixels(self.train_images[images])
        with torch.no_grad():
            log_policy = self._log_policy(observations)
        if self.config.method == "cross-entropy":
            chosen, advantage = labels, torch.ones_like(log_policy[:, 0])
        else:
            chosen = draw_actions(log_policy.exp(), actions)
            reward = chosen == labels
            self._reward += reward.sum()
            advantage = confidence_advantage(reward.to(log_policy.dtype), log_policy)
        self._update(observations, Screening(chosen, -pick(log_policy, chosen), log_policy), advantage)
        self.update += 1

    def _update(self, observations: Tensor, screening: Screening, advantage: Tensor) -> None:
        """Take the method's step."""
        config, surprisal, log_policy = self.config, screening.surprisal, screening.log_policy
        chi, score, weight = delight(advantage, surprisal, check=False), None, None
        if config.method == "dg":
            weight = gate_probability(chi, 0.0, config.temperature or 1.0, check=False)
        if config.rule is not None:
            assert log_policy is not None
            parameters = {} if config.alpha is None else {"alpha": config.alpha}
            entropy = -(log_policy.exp() * log_policy).sum(-1)
            score = RULES[config.rule](advantage, surprisal, entropy, **parameters)
        self.step.update(observations, screening, advantage, score=score, weight=weight)

    def evaluate(self) -> None:
        """Append the row of this update: the fields of :class:`simulations.mnist.training.Trained` without FLOPs."""
        with torch.no_grad():
            guessed = self._log_policy(self._pixels(self.test_images)).argmax(-1)
        counts = torch.stack([(guessed != self.test_labels).sum(), self._reward])
        samples = torch.tensor([getattr(self.step.counts, name) for name in _COUNTED], device=counts.device)
        wrong, reward, *spent = self.place.ranks.total(torch.cat([counts, samples])).tolist()
        drawn = (self.update - (self.rows[-1]["update"] if self.rows else 0)) * self.config.batch_size
        if self.config.method == "cross-entropy":
            drawn = 0
        tested = int(self.place.ranks.total(torch.tensor(len(self.test_labels), device=counts.device)))
        rewards = {"test_error": wrong / tested, "train_reward": reward / drawn if drawn else math.nan}
        self.rows.append({"update": self.update, **dict(zip(_COUNTED, spent, strict=True)), **rewards})
        self._reward.zero_()

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, whole on rank 0."""
        weights = self.place.state(self.step.policy, self.step.optimizer)
        draws = {"streams": self.streams.state(), "gate": self.gate.get_state()}
        return {**draws, "rows": self.rows, **weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state; rank 0 goes on from what all have counted."""
        self.place.restore(self.step.policy, self.step.optimizer, state)
        self.streams.restore(state["streams"])
        self.gate.set_state(state["gate"])
        self.rows = list(state["rows"])
        self.update = self.step.counts.updates = self.rows[-1]["update"]
        for name in _COUNTED:
            setattr(self.step.counts, name, 0 if self.place.ranks.rank else self.rows[-1][name])

    def _log_policy(self, observations: Tensor) -> Tensor:
        log_policy = log_probabilities(logits_of(self.step.policy(observations), len(observations)))
        if not bool(log_policy.sum().isfinite()):
            raise FloatingPointError("the policy is not a number")
        return log_policy

    def _there(self, images: Any, labels: Any) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(images.copy()).flatten(1)
        return rows.to(self.place.device), torch.from_numpy(labels.astype("int64")).to(self.place.device)

    def _pixels(self, images: Tensor) -> Tensor:
        return images.to(self.place.dtype).div_(255)
