"""Training on the MNIST bandit: all seeds of a method side by side, in one program.

The policies along training are to be had through a callback:

>>> def look(update, policy_of):                                     # doctest: +SKIP
...     logits = policy_of(0)(pixels)  # the policy of seed 0, a PolicyMLP of its own
>>> configs = [MnistConfig("dg-k", rate=0.03, seed=seed) for seed in range(10)]  # doctest: +SKIP
>>> curves = train(configs, load_mnist(), torch.device("cpu"), on_evaluation=look).curves  # doctest: +SKIP
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kondo_theory.gate import delight, gate_probability
from kondo_theory.screening import RULES
from kondo_theory.training.quick.scores import quick_delight
from kondo_theory.training.selection import Selection
from simulations.errors import ReportedError
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.screeners import Screener
from simulations.networks.mlp import PolicyMLP, StackedMLP
from simulations.networks.stacked import StackedScreening, StackedStep
from simulations.randomness.seed_streams import Draws, SeedStreams, draw_actions
from simulations.resuming.checkpoints import CheckpointFile

__all__ = ["OnEvaluation", "SeedProgram", "Trained", "confidence_advantage", "train"]

OnEvaluation = Callable[[int, Callable[[int], PolicyMLP]], None]
"""Called with the update and a function from a seed to a copy of its policy."""

_N_PIXELS, _N_DIGITS = 784, 10
_TEST_CHUNK = 500  # test images at a time: their activations stay in the cache


class Trained(NamedTuple):
    """Learning curves, one a configuration, and the seconds that they took together, evaluation included.

    A curve has one row an evaluation (at update 0, every ``eval_every`` and at the end): update; forward_samples and
    backward_samples (cumulative counts); flops (cumulative; matrix products of training, not of evaluation);
    test_error (share of the 10,000 test images); train_reward (mean reward since the last evaluation, NaN at update 0
    and for the oracle, which draws no actions).
    """

    curves: list[pd.DataFrame]
    seconds: float


def train(
    configs: Sequence[MnistConfig],
    data: Mnist,
    device: torch.device,
    *,
    on_evaluation: OnEvaluation | None = None,
    checkpoint: CheckpointFile | None = None,
    program_of: Callable[[Sequence[MnistConfig], Mnist, torch.device], SeedProgram] | None = None,
) -> Trained:
    """Train several seeds of one method side by side.

    Parameters
    ----------
    configs : sequence of MnistConfig
        Equal but for their seeds, which differ.
    data : Mnist
    device : torch.device
    on_evaluation : callable, optional
        Called at every evaluation as ``on_evaluation(update, policy_of)``; ``policy_of(seed)`` is a copy of that
        seed's policy. A resumed training calls it for what is left.
    checkpoint : CheckpointFile, optional
        Where the state is kept from time to time, and from where training goes on if there is one. The result has
        the same bits as without.
    program_of : callable, optional
        Makes the program: :class:`simulations.mnist.captured.CapturedProgram` in place of :class:`SeedProgram`.

    Raises
    ------
    ValueError
        If the configurations differ in more than their seeds, or a seed occurs twice.
    ReportedError
        If a policy stops being a number; the message names method, seed and update.
    """
    started = time.perf_counter()
    program = (program_of or SeedProgram)(configs, data, device)
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is not None:
        program.restore(saved["program"])
        started -= saved["seconds"]
    config, seeds = configs[0], [config.seed for config in configs]

    def look() -> None:
        program.evaluate()
        if on_evaluation is not None:
            on_evaluation(program.step.counts.updates, lambda seed: program.step.network.policy(seeds.index(seed)))
        if checkpoint is not None and (checkpoint.is_due() or program.step.counts.updates == config.updates):
            checkpoint.save({"program": program.state(), "seconds": time.perf_counter() - started})

    if saved is None:
        look()
    while program.step.counts.updates < config.updates:
        program.update()
        if program.step.counts.updates % config.eval_every == 0 or program.step.counts.updates == config.updates:
            look()
    return Trained(program.curves(), time.perf_counter() - started)


def confidence_advantage(reward: Tensor, log_policy: Tensor) -> Tensor:
    """Return R − Σ_a π(a)², (S, B), from rewards (S, B) and log-probabilities (S, B, K)."""
    return reward - log_policy.exp().square().sum(-1)


class SeedProgram:
    """S seeds of one method, from one update to the next.

    Parameters and errors as for :func:`train`.

    Parameters
    ----------
    screener : Screener, optional
        What draws the actions and ranks the samples in place of the exact forward pass. For the gates by delight
        alone; the gradient of what is kept stays exact.
    """

    def __init__(
        self, configs: Sequence[MnistConfig], data: Mnist, device: torch.device, screener: Screener | None = None
    ) -> None:
        if len({replace(config, seed=0) for config in configs}) != 1:
            raise ValueError(f"configurations must be at least one and differ in their seeds alone, got {configs}")
        self.seeds = [config.seed for config in configs]
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must differ, got {self.seeds}")
        self.config, self.dtype = configs[0], getattr(torch, configs[0].dtype)
        self.train_images, self.train_labels = _to_device(data.train_images, data.train_labels, device)
        test_images, self.test_labels = _to_device(data.test_images, data.test_labels, device)
        self.test_pixels = self._pixels(test_images)
        streams = [config.streams() for config in configs]
        sizes = (_N_PIXELS, *self.config.hidden, _N_DIGITS)
        policies = [PolicyMLP(sizes, seed=seed["initialisation"]).to(device, self.dtype) for seed in streams]
        network = StackedMLP(policies)
        # The fused form reads and writes each parameter once; it also keeps its step count on the parameters' device.
        optimizer = torch.optim.Adam(network.parameters(), lr=self.config.learning_rate, fused=True)
        self.step = StackedStep(network, optimizer, self.config.gate)
        self.screener = screener or Screener()
        if not self.screener.exact and (self.config.gate is None or self.config.rule is not None):
            raise ValueError(f"an approximate forward pass takes a gate by delight, got {self.config.label}")
        self.streams = SeedStreams(streams, len(self.train_images), self.config.batch_size, device)
        self._rewards = torch.zeros(len(configs), dtype=torch.int64, device=device)
        self._diverged = torch.zeros_like(self._rewards)  # the first update at which a policy was not a number, or 0
        self._update = torch.zeros_like(self._rewards)  # the one that is being taken, on the device
        self._rows: list[dict[str, Any]] = []

    def batch(self, draws: Draws | None = None) -> tuple[Draws, Tensor, Tensor]:
        """Return the random numbers of the next update, labels (S, B) and pixels (S, B, 784) of its images."""
        draws = draws or self.streams.next()
        labels = self.train_labels[draws.images]
        images = self.train_images.index_select(0, draws.images.flatten()).view(*labels.shape, -1)
        return draws, labels, self._pixels(images)

    def screen(self, observations: Tensor) -> StackedScreening:
        """Run the forward pass over the whole batches, or the screener's in its place."""
        self.screener.advance(self.step.network, observations)
        log_policy = self.screener.log_policy(self.step.network, observations)
        if log_policy is None:
            return self.step.act(observations)
        return StackedScreening(observations, log_policy, None)

    def update(self, draws: Draws | None = None) -> None:
        """Take one update of every seed, by the given random numbers or the next."""
        draws, labels, observations = self.batch(draws)
        screening = self.screen(observations)
        log_policy = screening.log_policy
        self._update += 1
        self._watch(log_policy, self._update)
        if self.config.method == "cross-entropy":
            # The label stands for the action, at an advantage of one: −mean log π(label) is the cross-entropy.
            self.step.update(screening, labels, torch.ones_like(log_policy[..., 0]), None)
            return
        actions = draw_actions(log_policy.exp(), draws.actions)
        reward = actions == labels
        self._rewards += reward.sum(-1)
        self._gate_and_update(screening, actions, reward.to(log_policy.dtype), draws.gate)

    def _gate_and_update(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> None:
        if not self.screener.exact:  # the advantages of what is kept are exact
            _, selection = self._gated(screening, actions, reward, uniforms)
            self.step.update(screening, actions, reward, selection, advantage=confidence_advantage)
            return
        self.step.update(screening, actions, *self._gated(screening, actions, reward, uniforms))

    def _gated(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> tuple[Tensor, Selection | None]:
        """Return the coefficients of the samples, (S, B), and which are kept, None without a gate."""
        config, log_policy = self.config, screening.log_policy
        advantage = confidence_advantage(reward, log_policy)
        surprisal = -log_policy.gather(-1, actions[..., None]).squeeze(-1)
        if config.method == "dg":
            chi = self.screener.delight(self._delight(advantage, surprisal))
            return advantage * gate_probability(chi, 0.0, config.temperature or 1.0, check=False), None
        if config.gate is None:
            return advantage, None
        if config.rule is None:
            score = self.screener.delight(self._delight(advantage, surprisal))
        else:
            entropy = -(log_policy.exp() * log_policy).sum(-1)
            parameters = {} if config.alpha is None else {"alpha": config.alpha}
            score = RULES[config.rule](advantage, surprisal, entropy, **parameters)
        return advantage, self.step.select(score, uniforms)

    def _delight(self, advantage: Tensor, surprisal: Tensor) -> Tensor:
        quick = self.step.quick
        chi: Tensor = quick_delight(advantage, surprisal) if quick else delight(advantage, surprisal, check=False)
        return chi

    def evaluate(self) -> None:
        """Add a row to every curve.

        Raises
        ------
        ReportedError
            If a policy is not a number, or was not at some update since the last evaluation.
        """
        network, counts, n_seeds = self.step.network, self.step.counts, len(self.seeds)
        wrong = torch.zeros_like(self._rewards)
        chunks = zip(self.test_pixels.split(_TEST_CHUNK), self.test_labels.split(_TEST_CHUNK), strict=True)
        for pixels, labels in chunks:
            logits = network.forward(pixels.expand(n_seeds, -1, -1))
            self._watch(logits, max(counts.updates, 1))
            wrong += (logits.argmax(-1) != labels).sum(-1)
        self._require_numbers()
        since = counts.updates - (self._rows[-1]["update"] if self._rows else 0)
        drawn = since * self.config.batch_size if self.config.method != "cross-entropy" else 0
        self._rows.append(
            {
                "update": counts.updates,
                "forward_samples": counts.forward_samples,
                "backward_samples": counts.backward_samples.tolist(),
                "flops": counts.flops.tolist(),
                "test_error": [count / len(self.test_labels) for count in wrong.tolist()],
                "train_reward": [count / drawn if drawn else math.nan for count in self._rewards.tolist()],
            }
        )
        self._rewards.zero_()

    def curves(self) -> list[pd.DataFrame]:
        """Return each seed's evaluations so far, as :class:`Trained` says."""
        return [
            pd.DataFrame([{k: v[seed] if isinstance(v, list) else v for k, v in row.items()} for row in self._rows])
            for seed in range(len(self.seeds))
        ]

    def state(self) -> dict[str, Any]:
        """Return everything that training changes, as it is at an evaluation, for :meth:`restore`."""
        return {"step": self.step.state(), "streams": self.streams.state(), "rows": self._rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of a program with the same configurations."""
        self.step.restore(state["step"])
        self._update.fill_(self.step.counts.updates)
        self.streams.restore(state["streams"])
        self._rows = list(state["rows"])

    def _watch(self, numbers: Tensor, update: Tensor | int) -> None:
        """Note the first update at which a seed's numbers (S, …) are not finite, without waiting for a GPU."""
        bad = ~numbers.flatten(1).sum(-1).isfinite() & (self._diverged == 0)
        self._diverged.copy_(torch.where(bad, update, self._diverged))

    def _require_numbers(self) -> None:
        updates = self._diverged.tolist()
        if any(updates):
            update, seed = min((update, seed) for update, seed in zip(updates, self.seeds, strict=True) if update)
            run = f"{self.config.label}, seed {seed}, learning rate {self.config.learning_rate:g}"
            raise ReportedError(f"{run} diverged: the policy is not a number at update {update}")

    def _pixels(self, images: Tensor) -> Tensor:
        """Return uint8 images as pixels in [0, 1]."""
        return images.to(self.dtype).div_(255)


def _to_device(images: Any, labels: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return images as uint8 rows (n, 784) and labels as int64 (n,), copied to the device."""
    rows = torch.from_numpy(images.copy()).to(device).flatten(1)
    return rows, torch.from_numpy(labels.astype(np.int64)).to(device)
