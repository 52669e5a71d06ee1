"""The cost of signal of gates at a rate on MNIST along training, beside the least there is, from exact moments.

A sample's gradient g has a = g·u along the gradient whose direction is u, and ‖g‖², both in the network's parameters:
c = ρE[w‖g‖²]/(E[wa])², as in :mod:`kondo_theory.geometry.optimal`. The least at a rate is that of a gate which keeps
the top ρ of a − (x/2)‖g‖², x on a grid. Of what a forward pass has there are the screening rules; U‖φ‖; and the same
two in the parameters of the last layer alone, whose mean gradient needs no backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.mnist.images import Mnist
from simulations.mnist.paths import PathConfig
from simulations.mnist.steps.policies import SIZES, Stage, path_configs, stages
from simulations.mnist.steps.writing import write_paths
from simulations.networks.image_bandits import DIRECTIONS, FloatArray, ImageBandits

__all__ = ["GATES", "KIND", "RATES", "costs", "least_cost", "measure_path", "write_table"]

KIND = "mnist-best-gates"
RATES = (0.03, 0.1)
RULES = ("delight", "advantage", "abs-advantage", "surprisal", "uniform")
GATES = (*RULES, "U‖φ‖", "last layer", "last layer less length", "g·u", "best")
"""Rules; what a forward pass has; a sample's own a; the least cost."""
_PATHS, _IMAGES = {"smoke": 1, "quick": 3, "paper": 10}, 1_000
_EXCHANGES = np.geomspace(1e-3, 1e3, 61)


def cost(bandits: ImageBandits, score: FloatArray, rate: float, along: FloatArray, square: FloatArray) -> float:
    """Return the cost of signal of the top ρ by a score (n, K), given a and ‖g‖², (n, K); ∞ without a signal."""
    keep = bandits.kept(score, rate)
    signal, second = bandits.mean(keep * along), bandits.mean(keep * square)
    return rate * second / signal**2 if signal > 0 else np.inf


def least_cost(
    bandits: ImageBandits, rate: float, along: FloatArray, square: FloatArray, own: tuple[FloatArray, FloatArray]
) -> float:
    """Return the least cost of the gates by a − (x/2)‖g‖², both ``own``, over x."""
    a, q = own
    scale = np.abs(a).mean() / q.mean()
    scores = (a, *(a - scale * x / 2 * q for x in _EXCHANGES))
    return min(cost(bandits, score, rate, along, square) for score in scores)


def costs(stage: Stage, direction: str, rate: float) -> dict[str, float]:
    """Return the cost of signal of every gate at a rate, along the gradient of a direction."""
    bandits, moments = stage.moments.bandits, stage.moments
    U, policy = bandits.advantage, bandits.policy
    along, square = U * moments.slopes[direction], U**2 * np.einsum("naa->na", moments.products)
    length = np.maximum(1 - 2 * policy + np.sum(policy**2, axis=-1, keepdims=True), 0.0)  # ‖φ‖²
    features = stage.network.features.double().numpy(force=True)
    features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    right = np.eye(policy.shape[1])[bandits.labels]
    moved = bandits.coefficients(np.ones_like(U)) if direction == "PG" else right - policy
    slopes = features @ (features.T @ moved) / len(features)
    last = U * (slopes - np.sum(policy * slopes, axis=-1, keepdims=True))
    last_square = U**2 * length * np.sum(features**2, axis=-1, keepdims=True)
    scores = {rule: bandits.score(rule) for rule in RULES}
    scores |= {"U‖φ‖": U * np.sqrt(length), "last layer": last, "g·u": along}
    found = {name: cost(bandits, score, rate, along, square) for name, score in scores.items()}
    found["last layer less length"] = least_cost(bandits, rate, along, square, (last, last_square))
    found["best"] = least_cost(bandits, rate, along, square, (along, square))
    return {name: found[name] for name in GATES}


def measure_path(config: PathConfig, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Return the cost of signal of every gate at every policy of a path.

    Returns
    -------
    DataFrame
        path, seed, target, update, accuracy, direction, rate, gate, cost.
    """
    return pd.DataFrame(_rows(config, data, device))


def _rows(config: PathConfig, data: Mnist, device: torch.device) -> Iterator[dict[str, Any]]:
    for stage in stages(config, data, device):
        for direction in DIRECTIONS:
            for rate in RATES:
                for gate, value in costs(stage, direction, rate).items():
                    yield stage.place | {"direction": direction, "rate": rate, "gate": gate, "cost": value}


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure along every path of a preset and write the table; paths that are done are kept.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before anything is measured.
    """
    resolved = resolve(device)
    configs = path_configs(SIZES[choice("preset", preset, SIZES)])[: _PATHS[preset]]
    configs = [replace(each, n_images=min(each.n_images, _IMAGES)) for each in configs]
    return write_paths(
        out,
        kind=KIND,
        config={"preset": preset},
        paths=configs,
        code=measure_path,
        measure=lambda path, data: measure_path(path, data, resolved),
        device=resolved,
        overwrite=overwrite,
        command=command,
        progress=progress,
    )
