"""Signal and noise of every rule along training on the MNIST bandit, exact in parameter space.

One path of training is common to all rules, so that they are compared at the same policies: that of DG-K(3 %), which
gets to 95 % accuracy. PG's own path stands beside it, to 80 %: many of its seeds stay below 90 % for thousands of
updates. A checkpoint is the initialisation, or the first policy at or above an accuracy on held-out images. The
protocol of training is that of :mod:`simulations.mnist.config`: 784-100-100-10, confidence baseline, Adam 1e-3, 100
images a batch.

Every seed has its own initialisation, minibatches, actions, gate draws and images to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import RULES
from kondo_theory.training import ScreenedStep
from kondo_theory.words import choice
from simulations.devices import available_cores, resolve, single_thread
from simulations.mnist.images import Mnist, load_mnist
from simulations.networks.image_bandits import DIRECTIONS, Weighting
from simulations.networks.jacobians import IndependentLogits, NetworkJacobian
from simulations.networks.mlp import PolicyMLP
from simulations.networks.moments import NetworkMoments
from simulations.resuming.checkpoints import load_frame, save_frame
from simulations.resuming.parts import in_parts, is_measured

__all__ = [
    "ALPHAS",
    "INITIALISATION",
    "KIND",
    "MODELS",
    "PATHS",
    "PRESETS",
    "RATE",
    "Checkpoint",
    "PathConfig",
    "checkpoints",
    "measure_path",
    "measure_paths",
    "preset_configs",
    "write_table",
]

KIND = "mnist-moments"
PATHS: Mapping[str, Gate | None] = MappingProxyType({"DG-K(3 %)": Gate(rate=0.03), "PG": None})
"""Whose training makes the checkpoints."""
INITIALISATION = 0.0
"""The accuracy that stands for the initialisation."""
MODELS = ("network", "independent")
"""Moments in the network's parameters, or in logits of every image's own: the theory of independent contexts."""
RATE = 0.03
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_GATES = (
    *(Weighting(kind) for kind in ("pg", "dg", "zero-price")),
    *(Weighting("rate", rate) for rate in (0.01, RATE, 0.1, 0.3)),
)
_SCREENING = (
    *(Weighting("rate", RATE, rule) for rule in RULES if rule != "delight"),
    *(Weighting("rate", RATE, "additive", alpha) for alpha in ALPHAS),
    *(Weighting("oracle", RATE, direction) for direction in DIRECTIONS),
)
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
    images, labels = _tensors(data.train_images, data.train_labels, device)
    held_out, held_out_labels = _tensors(data.test_images[::_TEST_STRIDE], data.test_labels[::_TEST_STRIDE], device)
    targets = list(config.accuracies)
    yield Checkpoint(INITIALISATION, 0, _accuracy(policy, held_out, held_out_labels), policy)
    for update in range(1, config.max_updates + 1):
        index = torch.randint(len(images), (config.batch_size,), generator=minibatches, device=device)
        screening = step.act(pixels := _pixels(images[index]))
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


def measure_path(config: PathConfig, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Return the moments of every rule at every checkpoint of a path.

    Returns
    -------
    DataFrame
        path, seed, target (accuracy of the checkpoint, 0 at the initialisation), update, accuracy, model (one of
        :data:`MODELS`; screening rules in the network alone), and the columns of
        :meth:`simulations.networks.moments.NetworkMoments.table`.
    """
    rng = np.random.default_rng(config.streams()["images"])
    chosen = np.sort(rng.choice(len(data.train_images), config.n_images, replace=False))
    images, labels = _tensors(data.train_images[chosen], data.train_labels[chosen], device)
    pixels = _pixels(images)
    frames = []
    for target, update, accuracy, policy in checkpoints(config, data, device):
        network = NetworkJacobian(policy, pixels)
        independent = IndependentLogits(network.logits)
        place: dict[str, Any] = {
            "path": config.path,
            "seed": config.seed,
            "target": target,
            "update": update,
            "accuracy": accuracy,
        }
        for model, moments, weightings in (
            (MODELS[0], NetworkMoments(network, labels), _GATES + _SCREENING),
            (MODELS[1], NetworkMoments(independent, labels), _GATES),
        ):
            table = moments.table(weightings)
            frames.append(table.assign(**place, model=model)[[*place, "model", *table.columns]])
    return pd.concat(frames, ignore_index=True)


def measure_paths(
    configs: Sequence[PathConfig], *, device: str = "cpu", workers: int = 1, data: Mnist | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Measure every path, in processes side by side, and yield (index, table) as each ends.

    Processes do not change the results: every path has its own streams and a single thread.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    data = load_mnist() if data is None else data
    jobs = (delayed(_measure_indexed)(index, config, data, device) for index, config in enumerate(configs))
    yield from Parallel(n_jobs=min(workers, len(configs) or 1), return_as="generator_unordered")(jobs)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure every path of a preset and write the table that the figures read; paths that were measured are kept.

    Raises
    ------
    ValueError, ResultError
        If the device is not known or absent, or the table cannot be written; before anything is measured.
    """
    resolved, configs = resolve(device), preset_configs(preset)
    workers = available_cores() if resolved.type == "cpu" else 1
    config = {"preset": preset, "paths": [asdict(each) for each in configs]}
    if is_measured(out, KIND, config, measure_path, resolved, overwrite=overwrite):
        return out
    with in_parts(out, KIND, config, measure_path, resolved, command=command, overwrite=overwrite) as parts:
        files = [parts.checkpoints.file(f"path-{index:03d}") for index in range(len(configs))]
        tables = {index: table for index, file in enumerate(files) if (table := load_frame(file)) is not None}
        missing = [index for index in range(len(configs)) if index not in tables]
        for place, table in measure_paths(
            [configs[index] for index in missing], device=resolved.type, workers=workers
        ):
            index = missing[place]
            tables[index] = table
            save_frame(files[index], table)
            progress(f"{len(tables)} of {len(configs)}: path of {configs[index].path}, seed {configs[index].seed}")
        frame = pd.concat([tables[index] for index in range(len(configs))], ignore_index=True)
        return parts.write(frame, seeds=sorted({each.seed for each in configs}))


def _measure_indexed(index: int, config: PathConfig, data: Mnist, device: str) -> tuple[int, pd.DataFrame]:
    with single_thread():
        return index, measure_path(config, data, torch.device(device))


def _accuracy(policy: PolicyMLP, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        right = (policy(_pixels(images)).argmax(-1) == labels).sum()
    return int(right) / len(labels)


def _tensors(images: Any, labels: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.copy()).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def _pixels(images: Tensor) -> Tensor:
    """Return uint8 images (n, 28, 28) as float32 pixels in [0, 1], (n, 784)."""
    return images.flatten(1).to(torch.float32) / 255
