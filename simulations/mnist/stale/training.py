"""Training on MNIST where actors draw the actions: with old parameters, some at random, some paid by mistake.

The actors' policy is μ = (1 − s)·π_old + s/10. Their parameters are ``delay`` updates old, up to a twentieth more so
that few copies are kept, and the initial ones until there are older ones. A wrong digit is paid with probability
``corruption``. The learner scores the actions under its own policy, with the protocol's baseline Σ_a π(a|x)². All
else is the protocol of :mod:`simulations.mnist.config`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.gate import delight, gate_probability
from kondo_theory.training.policies import pick
from kondo_theory.words import choice
from simulations.devices import clock, resolve
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.runs import run_in_turn, trained_and_read
from simulations.mnist.stale.contenders import CONTENDERS, SETTINGS, SIZES, Contender, Setting, StaleSize
from simulations.mnist.training import SeedProgram, confidence_advantage
from simulations.networks.actors import Copies
from simulations.networks.mlp import StackedMLP
from simulations.randomness.seed_streams import Draws, draw_actions
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.parts import Measurement

__all__ = [
    "KIND",
    "StaleProgram",
    "run",
    "run_study",
    "write_table",
]

KIND = "mnist-stale"
CLIP = 0.2
"""Of PPO: a sample whose ratio π/μ has left [1 − 0.2, 1 + 0.2] in the direction of its advantage has no gradient."""
_TEST_CHUNK = 2_000


class StaleProgram(SeedProgram):
    """S seeds of one contender in one setting, from one update to the next; parameters as of :func:`run`."""

    def __init__(
        self, contender: Contender, setting: Setting, size: StaleSize, data: Mnist, device: torch.device
    ) -> None:
        configs = [
            replace(contender.method, seed=seed, updates=size.updates, eval_every=size.eval_every)
            for seed in range(size.seeds)
        ]
        super().__init__(configs, data, device)
        self.contender, self.setting = contender, setting
        self._copies = Copies(setting.delay, lambda: self.step.network.frozen_copy(self.dtype))
        # Nothing else draws from these streams while the screener is exact.
        self._mistakes = [torch.Generator(device).manual_seed(config.streams()["screener"]) for config in configs]

    def actor(self) -> StackedMLP:
        """Return the network that acts now, and copy the learner's if it is time to."""
        if self.setting.delay == 0:
            return self.step.network
        return self._copies.acting(self.step.counts.updates)

    def behaviour(self, observations: Tensor, log_policy: Tensor) -> Tensor:
        """Return log μ, (S, B, K)."""
        network = self.actor()
        acting = log_policy if network is self.step.network else network.log_policy(observations)
        share = self.setting.random
        if share == 0:
            return acting
        return ((1 - share) * acting.exp() + share / acting.shape[-1]).log()

    def _paid(self, reward: Tensor) -> Tensor:
        """Return what is paid, (S, B): the reward, and by mistake where there was none."""
        if self.setting.corruption == 0:
            return reward
        draws = [torch.rand(reward.shape[1:], generator=each, device=reward.device) for each in self._mistakes]
        return torch.where(torch.stack(draws) < self.setting.corruption, torch.ones_like(reward), reward)

    def update(self, draws: Draws | None = None) -> None:
        """Take one update of every seed."""
        draws, labels, observations = self.batch(draws)
        screening = self.screen(observations)
        log_policy = screening.log_policy
        self._watch(log_policy, self.step.counts.updates + 1)
        behaviour = self.behaviour(observations, log_policy)
        actions = draw_actions(behaviour.exp(), draws.actions)
        reward = actions == labels
        self._rewards += reward.sum(-1)
        advantage = confidence_advantage(self._paid(reward.to(log_policy.dtype)), log_policy)
        learner, acted = pick(log_policy, actions), pick(behaviour, actions)
        nats = -(learner if self.contender.surprisal == "learner" else acted)
        if self.config.gate is not None:
            selection = self.step.select(delight(advantage, nats, check=False), draws.gate)
            self.step.update(screening, actions, advantage, selection)
            return
        if self.config.method == "dg":
            advantage = advantage * gate_probability(delight(advantage, nats, check=False), 0.0, 1.0, check=False)
        self.step.update(screening, actions, advantage * self._weight(advantage, (learner - acted).exp()), None)

    def _weight(self, advantage: Tensor, ratio: Tensor) -> Tensor:
        """Return the weights of the correction, (S, B)."""
        if self.contender.correction == "none":
            return torch.ones_like(ratio)
        if self.contender.correction == "importance":
            return ratio
        left = torch.where(advantage > 0, ratio > 1 + CLIP, ratio < 1 - CLIP)
        return torch.where(left, torch.zeros_like(ratio), ratio)

    def right(self) -> list[float]:
        """Return the mean probability of the right digit on the test images, one number a seed."""
        total = torch.zeros(len(self.seeds), dtype=torch.float64, device=self.test_labels.device)
        for pixels, labels in zip(
            self.test_pixels.split(_TEST_CHUNK), self.test_labels.split(_TEST_CHUNK), strict=True
        ):
            log_policy = self.step.network.log_policy(pixels.expand(len(self.seeds), -1, -1))
            total += pick(log_policy, labels.expand(len(self.seeds), -1)).exp().sum(-1).to(torch.float64)
        return [float(share) for share in total / len(self.test_labels)]


def run(contender: Contender, setting: Setting, size: StaleSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one contender in one setting side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, method, rate, correction, surprisal, delay, random, corruption, seed,
        update, forward_samples, backward_samples, test_error (greedy), and right, the mean probability of the right
        digit on the test images.
    """
    program = StaleProgram(contender, setting, size, data, device)
    method = contender.method
    settings = {
        "label": f"{contender.label}; {setting}",
        "method": method.method,
        "rate": float("nan") if method.rate is None else method.rate,
        "correction": contender.correction,
        "surprisal": contender.surprisal,
        **asdict(setting),
    }
    return trained_and_read(program, settings, "right", program.right)


def run_study(
    size: StaleSize,
    data: Mnist,
    device: torch.device,
    *,
    checkpoints: CheckpointDirectory | None = None,
    progress: Callable[[str], None] = lambda _: None,
    contenders: Sequence[Contender] | None = None,
    settings: Sequence[Setting] | None = None,
) -> pd.DataFrame:
    """Train all contenders in all settings, one after the other; those in ``checkpoints`` are done."""
    jobs = [
        (f"{contender.label}; {setting}", partial(run, contender, setting, size, data, device))
        for setting in (SETTINGS if settings is None else settings)
        for contender in (CONTENDERS if contenders is None else contenders)
    ]
    return run_in_turn(jobs, checkpoints=checkpoints, progress=progress)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Run the study and write its table; what an earlier call left unfinished is continued.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before any training.
    """
    resolved, size = resolve(device), SIZES[choice("preset", preset, SIZES)]
    config = {
        "preset": preset,
        "size": asdict(size),
        "contenders": [contender.label for contender in CONTENDERS],
        "settings": [asdict(setting) for setting in SETTINGS],
    }
    measurement = Measurement(out, KIND, config, run, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = run_study(size, load_mnist(), resolved, checkpoints=parts.checkpoints, progress=progress)
        return parts.write(frame, seeds=list(range(size.seeds)), clock=clock(resolved)[1])
