"""Digits as the gate sees them, early and late in the training of DG-K(3 %): the ends of delight, and a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.gate import delight
from kondo_theory.words import choice
from simulations.devices import describe, resolve, single_thread
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.training import confidence_advantage, train
from simulations.networks.mlp import PolicyMLP
from simulations.randomness.seed_streams import draw_actions
from simulations.results.provenance import provenance
from simulations.results.tables import save
from simulations.resuming.fingerprint import code_version
from simulations.resuming.parts import Measurement

__all__ = ["STUDIES", "BatchConfig", "DigitsConfig", "batches", "extreme_digits", "write_table"]

_COLUMNS = ("label", "action", "probability", "delight")


@dataclass(frozen=True)
class DigitsConfig:
    """When to look, how many digits to keep at either end, and the seed of training and of the actions drawn.

    Raises
    ------
    ValueError
        If the updates do not rise or are no multiples of the first, or there are too few or too many digits.
    """

    updates: tuple[int, ...] = (100, 3_000)
    digits: int = 8
    rate: float = 0.03
    seed: int = 0

    def __post_init__(self) -> None:
        _require_looks(self.updates)
        if not 1 <= self.digits <= 100:
            raise ValueError(f"digits must be from 1 to 100, got {self.digits}")


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
        _require_looks(self.updates)
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")


def _require_looks(updates: tuple[int, ...]) -> None:
    """Raise ValueError unless evaluations at every multiple of the first hit all updates, which rise."""
    if not updates or min(updates) < 1 or list(updates) != sorted(set(updates)):
        raise ValueError(f"updates must rise from at least 1, got {updates}")
    if any(update % updates[0] for update in updates):
        raise ValueError(f"updates must be multiples of the first, got {updates}")


def extreme_digits(config: DigitsConfig, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train, and rank all training images by the delight of one action drawn for each.

    Returns
    -------
    DataFrame
        One row a digit: update, side ("highest" or "lowest"), place (0 is the extreme), image (index in the training
        set), label, action, probability (of the action), delight (nats), pixels (28 × 28 bytes).
    """
    often, updates = config.updates[0], config.updates[-1]
    method = MnistConfig("dg-k", rate=config.rate, seed=config.seed, updates=updates, eval_every=often)
    generator = torch.Generator(device).manual_seed(method.streams()["screener"])
    frames: list[pd.DataFrame] = []

    def look(update: int, policy_of: Any) -> None:
        if update in config.updates:
            frames.append(_extremes(policy_of(config.seed), data, config.digits, generator).assign(update=update))

    with single_thread():
        train([method], data, device, on_evaluation=look)
    return pd.concat(frames, ignore_index=True)


def _extremes(policy: PolicyMLP, data: Mnist, digits: int, generator: torch.Generator) -> pd.DataFrame:
    columns = _answered(policy, data.train_images, data.train_labels, generator)
    chi = columns["delight"]
    frames = []
    for side, largest in (("highest", True), ("lowest", False)):
        rows = chi.topk(digits, largest=largest).indices
        found = {name: columns[name][rows].numpy(force=True) for name in _COLUMNS}
        images = rows.numpy(force=True)
        pictures = [data.train_images[image].tobytes() for image in images]
        frames.append(
            pd.DataFrame({"side": side, "place": range(digits), "image": images} | found | {"pixels": pictures})
        )
    return pd.concat(frames, ignore_index=True)


def _answered(policy: PolicyMLP, images: Any, labels: Any, generator: torch.Generator) -> dict[str, Tensor]:
    """Return what a policy answers to images (n, 28, 28) of uint8, one action drawn for each.

    Returns
    -------
    dict of str to Tensor
        label, action, probability (of the action), advantage, surprisal and delight (nats), (n,) each.
    """
    where = generator.device
    pixels = torch.from_numpy(images.copy()).to(where).flatten(1).to(torch.float32) / 255
    truth = torch.from_numpy(labels.astype("int64")).to(where)
    with torch.no_grad():
        log_policy = policy(pixels).log_softmax(-1)
    uniforms = torch.rand(len(pixels), generator=generator, dtype=torch.float64, device=where)
    actions = draw_actions(log_policy.exp(), uniforms)
    surprisal = -log_policy.gather(-1, actions[:, None]).squeeze(-1)
    advantage = confidence_advantage((actions == truth).to(torch.float32), log_policy)
    return {
        "label": truth,
        "action": actions,
        "probability": (-surprisal).exp(),
        "advantage": advantage,
        "surprisal": surprisal,
        "delight": delight(advantage, surprisal, check=False),
    }


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
    columns = _answered(policy, data.train_images[rows], data.train_labels[rows], generator)
    pictures = [data.train_images[image].tobytes() for image in rows]
    found = {name: column.numpy(force=True) for name, column in columns.items()}
    return pd.DataFrame({"image": rows} | found | {"pixels": pictures})


def write_table(
    study: str, preset: str, out: Path, *, device: str = "cpu", overwrite: bool = False, command: str = ""
) -> Path:
    """Train once and write the table of study "digits" or "batch"; preset smoke looks at updates 20 and 40.

    A table that is there already, of the same settings, code and device, is left alone.

    Raises
    ------
    ValueError, ResultError
        If the study or the device is not known or absent, or the table cannot be written; before any training.
    """
    make, measure = STUDIES[choice("study", study, STUDIES)]
    resolved, config = resolve(device), make(updates=(20, 40)) if preset == "smoke" else make()
    settings = asdict(config) | {"preset": preset}
    kind = f"mnist-{study}"
    if Measurement(out, kind, settings, measure, resolved, overwrite).is_finished():
        return out
    frame = measure(config, load_mnist(), resolved)
    sidecar = provenance(describe(resolved)) | {"preset": preset, "command": command}
    sidecar["code"] = code_version(measure)
    return save(frame, out, kind=kind, config=settings, sidecar=sidecar, overwrite=overwrite)


STUDIES: Mapping[str, tuple[Callable[..., Any], Callable[..., pd.DataFrame]]] = MappingProxyType(
    {"digits": (DigitsConfig, extreme_digits), "batch": (BatchConfig, batches)}
)
"""Settings and measurement of each study."""
