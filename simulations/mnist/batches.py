"""A batch of the MNIST bandit as the gate sees it, early and late in the training of DG-K(3 %)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from simulations.devices import describe, resolve, single_thread
from simulations.mnist.config import MnistConfig
from simulations.mnist.digits import answered
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.training import train
from simulations.networks.mlp import PolicyMLP
from simulations.results.provenance import provenance
from simulations.results.tables import save
from simulations.resuming.fingerprint import code_version
from simulations.resuming.parts import Measurement

__all__ = ["KIND", "BatchConfig", "batches", "write_table"]

KIND = "mnist-batch"


@dataclass(frozen=True)
class BatchConfig:
    """When to look, at how many images, the share that the gate keeps, and the seed of training and of the batches.

    Raises
    ------
    ValueError
        If the updates do not rise or are no multiples of the first, or the batch has no image.
    """

    updates: tuple[int, ...] = (100, 3_000)
    batch_size: int = 100
    rate: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.updates or min(self.updates) < 1 or list(self.updates) != sorted(set(self.updates)):
            raise ValueError(f"updates must rise from at least 1, got {self.updates}")
        if any(update % self.updates[0] for update in self.updates):
            raise ValueError(f"updates must be multiples of the first, got {self.updates}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")


def batches(config: BatchConfig, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train, and look at a batch of training images with one action drawn for each, as a step would screen it.

    Returns
    -------
    DataFrame
        One row an image: update, image (index in the training set), label, action, probability (of the action),
        advantage, surprisal and delight (nats), pixels (28 × 28 bytes).
    """
    often, last = config.updates[0], config.updates[-1]
    method = MnistConfig("dg-k", rate=config.rate, seed=config.seed, updates=last, eval_every=often)
    generator = torch.Generator(device).manual_seed(method.streams()["screener"])
    frames: list[pd.DataFrame] = []

    def look(update: int, policy_of: Any) -> None:
        if update in config.updates:
            found = _batch(policy_of(config.seed), data, config.batch_size, generator)
            frames.append(found.assign(update=update))

    with single_thread():
        train([method], data, device, on_evaluation=look)
    return pd.concat(frames, ignore_index=True)


def _batch(policy: PolicyMLP, data: Mnist, size: int, generator: torch.Generator) -> pd.DataFrame:
    images = torch.randint(len(data.train_images), (size,), generator=generator, device=generator.device)
    rows = images.numpy(force=True)
    columns = answered(policy, data.train_images[rows], data.train_labels[rows], generator)
    pictures = [data.train_images[image].tobytes() for image in rows]
    found = {name: column.numpy(force=True) for name, column in columns.items()}
    return pd.DataFrame({"image": rows} | found | {"pixels": pictures})


def write_table(preset: str, out: Path, *, device: str = "cpu", overwrite: bool = False, command: str = "") -> Path:
    """Train once and write the table that the figures read; preset smoke looks at updates 20 and 40.

    A table that is there already, of the same settings, code and device, is left alone.

    Raises
    ------
    ValueError, ResultError
        If the device is not known or absent, or the table cannot be written; before any training.
    """
    resolved, config = resolve(device), BatchConfig(updates=(20, 40)) if preset == "smoke" else BatchConfig()
    settings = asdict(config) | {"preset": preset}
    if Measurement(out, KIND, settings, batches, resolved, overwrite).is_finished():
        return out
    frame = batches(config, load_mnist(), resolved)
    sidecar = provenance(describe(resolved)) | {"preset": preset, "command": command}
    sidecar["code"] = code_version(batches)
    return save(frame, out, kind=KIND, config=settings, sidecar=sidecar, overwrite=overwrite)
