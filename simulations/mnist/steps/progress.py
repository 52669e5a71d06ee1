"""What one update of each method is predicted to gain under Adam along training, from exact moments.

Of a batch of 100: mean and variance of every parameter's gradient, hence Adam's mean step m/√(m² + variance/B), and
its inner products with the gradient of the reward and of the log-probability of the digits: what an update gains in
each, per unit of learning rate, to first order. Beside it what a step along the mean gradient gains (gradient
descent without noise) and along its signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kondo_theory.gate import kept_count
from kondo_theory.geometry.adam import adam_step
from kondo_theory.geometry.counts import inverse_count, nothing_kept
from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.mnist.images import Mnist
from simulations.mnist.paths import PathConfig
from simulations.mnist.steps.contenders import CONTENDERS, Contender
from simulations.mnist.steps.policies import SIZES, Stage, path_configs, stages
from simulations.mnist.steps.writing import write_paths
from simulations.networks.coordinates import Coordinates, exact_coordinates, gated_coordinates
from simulations.networks.image_bandits import DIRECTIONS, FloatArray

__all__ = ["BATCH", "KIND", "contender_coordinates", "gradients", "measure_path", "write_table"]

KIND = "mnist-adam"
BATCH = 100


def contender_coordinates(stage: Stage, contender: Contender, batch_size: int = BATCH) -> Coordinates:
    """Return mean and variance times B of every parameter's batch gradient under a contender's gate."""
    weighting = contender.weighting
    bandits = stage.moments.bandits
    if contender.method.rate is not None and weighting.rule != "uniform":
        score = bandits.score(contender.method.rule or "delight")
        count = int(kept_count(contender.method.rate, batch_size))
        return exact_coordinates(stage.network, bandits, score, batch_size, count)
    found = gated_coordinates(stage.network, bandits, *stage.moments.weights(weighting))
    if contender.divisor == "batch":
        return found
    rate = float(contender.price_rate or 1.0)
    own = found.variance - (1 - rate) / rate * found.mean**2  # ρ times the variance of one kept sample
    spare, nothing = float(inverse_count(rate, batch_size)), float(nothing_kept(rate, batch_size))
    common = batch_size * nothing * (1 - nothing)
    return Coordinates((1 - nothing) * found.mean, spare * own.clamp(min=0) + common * found.mean**2)


def gradients(stage: Stage) -> FloatArray:
    """Return the gradients of the mean reward and of the mean log-probability of the digits, (2, P)."""
    bandits = stage.moments.bandits
    labels = np.eye(bandits.policy.shape[1])[bandits.labels] - bandits.policy
    both = np.stack([bandits.coefficients(np.ones_like(bandits.policy)), labels])
    dtype = stage.network.logits.dtype
    found: FloatArray = stage.network.mean_gradient(torch.as_tensor(both).to(dtype)).double().numpy(force=True)
    return found


def measure_path(
    config: PathConfig, data: Mnist, device: torch.device, contenders: Sequence[Contender] = CONTENDERS
) -> pd.DataFrame:
    """Return what every contender is predicted to gain at every policy of a path.

    Returns
    -------
    DataFrame
        path, seed, target, update, accuracy; label, rule, rate, divisor; direction (whose gradient the gain is
        along); progress (under Adam, per unit of learning rate), descent (along the mean gradient, divided by its
        length), signs (along the mean gradient's signs), step (length of Adam's mean step).
    """
    rows: list[dict[str, Any]] = []
    for stage in stages(config, data, device):
        true = gradients(stage)
        for contender in contenders:
            found = contender_coordinates(stage, contender)
            mean = found.mean.numpy(force=True)
            step = adam_step(mean, found.variance.numpy(force=True) / BATCH)
            length = float(np.linalg.norm(mean)) or 1.0
            weighting = contender.weighting
            told = {
                "label": contender.label,
                "rule": weighting.rule if weighting.kind == "rate" else "",
                "rate": np.nan if weighting.rate is None else weighting.rate,
                "divisor": contender.divisor,
            }
            for direction, gradient in zip(DIRECTIONS, true, strict=True):
                gains = {
                    "progress": float(step @ gradient),
                    "descent": float(mean @ gradient) / length,
                    "signs": float(np.sign(mean) @ gradient),
                    "step": float(np.linalg.norm(step)),
                }
                rows.append(stage.place | told | {"direction": direction} | gains)
    return pd.DataFrame(rows)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Predict along every path of a preset and write the table; paths that are done are kept.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before anything is measured.
    """
    resolved, configs = resolve(device), path_configs(SIZES[choice("preset", preset, SIZES)])
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
