"""The policies along training at which steps are looked at, and the images that their moments are exact over."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from simulations.mnist.images import Mnist
from simulations.mnist.paths import PATHS, PathConfig, as_pixels, as_tensors, checkpoints
from simulations.networks.jacobians import NetworkJacobian
from simulations.networks.mlp import PolicyMLP
from simulations.networks.moments import NetworkMoments

__all__ = ["SIZES", "Stage", "StagesSize", "path_configs", "stages"]


@dataclass(frozen=True)
class StagesSize:
    """Seeds of a path, and what is changed of its settings."""

    seeds: int
    changes: dict[str, Any]


SIZES = {
    "smoke": StagesSize(1, {"n_images": 100, "accuracies": (0.5,), "max_updates": 300}),
    "quick": StagesSize(5, {}),
    "paper": StagesSize(30, {"n_images": 10_000, "max_updates": 10_000}),
}
"""By preset; as the moments along training."""


class Stage(NamedTuple):
    """A policy along a path: its place in tables, the images of its moments, and these.

    ``data`` has the images as the training images; ``pixels`` (n, 784) and ``labels`` (n,) are the same.
    """

    place: dict[str, Any]
    policy: PolicyMLP
    data: Mnist
    pixels: Tensor
    labels: Tensor
    network: NetworkJacobian
    moments: NetworkMoments


def path_configs(size: StagesSize) -> list[PathConfig]:
    """Return the path of DG-K(3 %) at every seed."""
    return [PathConfig(path=next(iter(PATHS)), seed=seed, **size.changes) for seed in range(size.seeds)]


def stages(config: PathConfig, data: Mnist, device: torch.device) -> Iterator[Stage]:
    """Yield the policies along a path; ``data`` of each has the images of the moments as training images alone."""
    rng = np.random.default_rng(config.streams()["images"])
    chosen = np.sort(rng.choice(len(data.train_images), config.n_images, replace=False))
    few = replace(data, train_images=data.train_images[chosen], train_labels=data.train_labels[chosen])
    images, labels = as_tensors(few.train_images, few.train_labels, device)
    pixels = as_pixels(images)
    for target, update, accuracy, policy in checkpoints(config, data, device):
        own = deepcopy(policy)
        network = NetworkJacobian(own, pixels)
        place = {"path": config.path, "seed": config.seed, "target": target, "update": update, "accuracy": accuracy}
        yield Stage(place, own, few, pixels, labels, network, NetworkMoments(network, labels))
