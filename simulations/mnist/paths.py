"""Paths of training on the MNIST bandit, and the policies along them at which moments are measured.

That of DG-K(3 %) gets to 95 % accuracy. PG's own path stands beside it, to 80 %: many of its seeds stay below 90 %
for thousands of updates. A checkpoint is the initialisation, or the first policy at or above an accuracy on held-out
images. The protocol of training is that of :mod:`simulations.mnist.config`: 784-100-100-10, confidence baseline, Adam
1e-3, 100 images a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep
from kondo_theory.words import choice
from simulations.mnist.images import Mnist
from simulations.networks.mlp import PolicyMLP

__all__ = [
    "INITIALISATION",
    "PATHS",
    "PRESETS",
    "Checkpoint",
    "PathConfig",
    "as_pixels",
    "as_tensors",
    "checkpoints",
    "preset_configs",
]

PATHS: Mapping[str, Gate | None] = MappingProxyType({"DG-K(3 %)": Gate(rate=0.03), "PG": None})
"""Whose training makes the checkpoints."""
INITIALISATION = 0.0
"""The accuracy that stands for the initialisation."""
_N_TRAINING_IMAGES = 60_000
_PG_ACCURACY = 0.8  # where PG's own path ends
_TEST_STRIDE = 5  # every fifth test image: the two halves of the test set differ in difficulty


@dataclass(frozen=True)
class PathConfig:
    """One path of training and what is measured along it.

    Attributes
    ----------
    path : str
        One of :data:`PATHS`.
    seed : int
        Seed of every random stream.
    accuracies : tuple of float
        Held-out accuracies of the checkpoints after the initialisation, rising, in (0, 1).
    n_images : int
        Training images, drawn without replacement, that the moments are exact over.
    max_updates, check_every, batch_size : int
        Most optimizer steps, steps between looks at the accuracy, images a step.
    learning_rate : float
        Adam's.
    hidden : tuple of int
        Widths of the hidden layers.

    Raises
    ------
    ValueError
        If a value is outside its range; the message names it.
    """

    path: str = "DG-K(3 %)"
    seed: int = 0
    accuracies: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95)
    n_images: int = 2_000
    max_updates: int = 5_000
    check_every: int = 25
    batch_size: int = 100
    learning_rate: float = 1e-3
    hidden: tuple[int, ...] = (100, 100)

    def __post_init__(self) -> None:
        choice("path", self.path, PATHS)
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if list(self.accuracies) != sorted(set(self.accuracies)) or not all(0 < a < 1 for a in self.accuracies):
            raise ValueError(f"accuracies must rise within (0, 1), got {self.accuracies}")
        if not 1 <= self.n_images <= _N_TRAINING_IMAGES:
            raise ValueError(f"n_images must be from 1 to {_N_TRAINING_IMAGES:,}, got {self.n_images}")
        for name in ("max_updates", "check_every", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")

    def streams(self) -> dict[str, int]:
        """Return one 63-bit seed for each random stream, the same for every path."""
        names = ("initialisation", "minibatches", "actions", "gate", "images")
        children = np.random.SeedSequence(self.seed).spawn(len(names))
        return {name: int(c.generate_state(1, np.uint64)[0] >> 1) for name, c in zip(names, children, strict=True)}


class _Size(NamedTuple):
    seeds: int
    changes: dict[str, Any]


PRESETS = {
    "smoke": _Size(1, {"n_images": 100, "accuracies": (0.5,), "max_updates": 300}),
    "quick": _Size(5, {}),
    "paper": _Size(30, {"n_images": 10_000, "max_updates": 10_000}),
}


def preset_configs(preset: str) -> list[PathConfig]:
    """Return every path at every seed of a preset's sizes."""
    size = PRESETS[preset]
    common = [PathConfig(seed=seed, **size.changes) for seed in range(size.seeds)]
    early = tuple(accuracy for accuracy in common[0].accuracies if accuracy <= _PG_ACCURACY)
    return common + [replace(config, path="PG", accuracies=early) for config in common]


class Checkpoint(NamedTuple):
    """A policy along training: the accuracy that it was to reach, the updates it took, and the one it has.

    ``policy`` goes on training when the next checkpoint is asked for.
    """

    target: float
    update: int
    accuracy: float
    policy: PolicyMLP


def checkpoints(config: PathConfig, data: Mnist, device: torch.device) -> Iterator[Checkpoint]:
    """Train along a path and yield the initialisation and each first policy at or above an accuracy.

    Ends with the last accuracy or with ``max_updates``, whichever comes first.
    """
    seeds = config.streams()
    minibatches, actions, gate = (
        torch.Generator(device).manual_seed(seeds[name]) for name in ("minibatches", "actions", "gate")
    )
    policy = PolicyMLP((784, *config.hidden, 10), seed=seeds["initialisation"]).to(device)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
    step = ScreenedStep(policy, optimizer, PATHS[config.path], generator=actions, gate_generator=gate, check=False)
    images, labels = as_tensors(data.train_images, data.train_labels, device)
    held_out, held_out_labels = as_tensors(data.test_images[::_TEST_STRIDE], data.test_labels[::_TEST_STRIDE], device)
    targets = list(config.accuracies)
    yield Checkpoint(INITIALISATION, 0, _accuracy(policy, held_out, held_out_labels), policy)
    for update in range(1, config.max_updates + 1):
        index = torch.randint(len(images), (config.batch_size,), generator=minibatches, device=device)
        screening = step.act(pixels := as_pixels(images[index]))
        assert screening.log_policy is not None
        reward = (screening.actions == labels[index]).to(pixels.dtype)
        step.update(pixels, screening, reward - screening.log_policy.exp().square().sum(-1))
        if update % config.check_every:
            continue
        accuracy = _accuracy(policy, held_out, held_out_labels)
        while targets and accuracy >= targets[0]:
            yield Checkpoint(targets.pop(0), update, accuracy, policy)
        if not targets:
            return


def as_tensors(images: Any, labels: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return arrays of images, (n, 28, 28) uint8, and of labels, (n,), as tensors on a device."""
    return torch.from_numpy(images.copy()).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def as_pixels(images: Tensor) -> Tensor:
    """Return uint8 images (n, 28, 28) as float32 pixels in [0, 1], (n, 784)."""
    return images.flatten(1).to(torch.float32) / 255


def _accuracy(policy: PolicyMLP, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        right = (policy(as_pixels(images)).argmax(-1) == labels).sum()
    return int(right) / len(labels)
