"""Signal and noise of every rule along training on the MNIST bandit, exact in parameter space.

One path of training is common to all rules, so that they are compared at the same policies; see
:mod:`simulations.mnist.paths`.

Every seed has its own initialisation, minibatches, actions, gate draws and images to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from kondo_theory.screening import SAMPLE_RULES
from simulations.devices import available_cores, resolve, single_thread
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.paths import PathConfig, as_pixels, as_tensors, checkpoints, preset_configs
from simulations.networks.image_bandits import DIRECTIONS, Weighting
from simulations.networks.jacobians import IndependentLogits, NetworkJacobian
from simulations.networks.moments import NetworkMoments
from simulations.resuming.checkpoints import load_frame, save_frame
from simulations.resuming.parts import Measurement

__all__ = ["ALPHAS", "KIND", "MODELS", "RATE", "measure_path", "measure_paths", "write_table"]

KIND = "mnist-moments"
MODELS = ("network", "independent")
"""Moments in the network's parameters, or in logits of every image's own: the theory of independent contexts."""
RATE = 0.03
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_GATES = (
    *(Weighting(kind) for kind in ("pg", "dg", "zero-price")),
    *(Weighting("rate", rate) for rate in (0.01, RATE, 0.1, 0.3)),
)
_SCREENING = (
    *(Weighting("rate", RATE, rule) for rule in SAMPLE_RULES if rule != "delight"),
    *(Weighting("rate", RATE, "additive", alpha) for alpha in ALPHAS),
    *(Weighting("oracle", RATE, direction) for direction in DIRECTIONS),
)


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
    images, labels = as_tensors(data.train_images[chosen], data.train_labels[chosen], device)
    pixels = as_pixels(images)
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
    measurement = Measurement(out, KIND, config, measure_path, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
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
