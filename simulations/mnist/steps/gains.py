"""What updates of each method really gain under Adam, from policies along training, beside the prediction.

From one policy several copies go on side by side. First the optimizer's averages are filled at a learning rate of
zero, and its step is averaged there: the prediction's own limit. Then the copies take a few updates, at a small
learning rate and at the protocol's, and what they gain is exact over the images that they are trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kondo_theory.words import choice
from simulations.devices import resolve
from simulations.mnist.images import Mnist
from simulations.mnist.paths import INITIALISATION, PathConfig
from simulations.mnist.steps.contenders import CONTENDERS, Contender, ContenderProgram
from simulations.mnist.steps.policies import SIZES as STAGES
from simulations.mnist.steps.policies import Stage, path_configs, stages
from simulations.mnist.steps.progress import BATCH, gradients
from simulations.mnist.steps.writing import write_paths
from simulations.networks.image_bandits import DIRECTIONS, FloatArray
from simulations.networks.mlp import PolicyMLP, StackedMLP

__all__ = ["KIND", "SIZES", "GainsSize", "measure_contender", "measure_path", "write_table"]

KIND = "mnist-gains"
_CHUNK = 500  # images at a time: their activations stay in the cache


@dataclass(frozen=True)
class GainsSize:
    """Paths; copies side by side; updates that fill the averages, that are averaged, and that are taken.

    Of the contenders it is every ``every``-th.
    """

    paths: int
    copies: int
    filling: int
    averaged: int
    updates: int
    every: int = 1
    learning_rates: tuple[float, ...] = (1e-4, 1e-3)

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Those that are measured."""
        return CONTENDERS[:: self.every]


SIZES = {
    "smoke": GainsSize(1, 2, 20, 10, 2, every=4),
    "quick": GainsSize(1, 6, 300, 100, 20),
    "paper": GainsSize(10, 16, 1_000, 1_000, 20),
}
"""By preset; paths are those of the predictions."""


@torch.no_grad()
def measure_contender(contender: Contender, stage: Stage, size: GainsSize, seeds: range) -> list[dict[str, Any]]:
    """Return what a contender gains from one policy, a row for each pair of direction and learning rate.

    The rate of zero is the limit: the mean of Adam's steps, none of which is taken, along the gradient. Gains are per
    unit of learning rate and per update, with their standard error over the copies.
    """
    device = stage.pixels.device
    program = ContenderProgram(contender, seeds, stage.data, device, updates=1, batch_size=BATCH)
    network, optimizer = program.step.network, program.step.optimizer
    twins = StackedMLP([stage.policy] * len(seeds))
    for ours, theirs in zip(network.parameters(), twins.parameters(), strict=True):
        ours.copy_(theirs)
    true = [_stacked(gradient, stage.policy, device) for gradient in gradients(stage)]
    _set_rate(optimizer, 0.0)
    frozen = torch.zeros(len(true), len(seeds), dtype=torch.float64, device=device)
    for update in range(size.filling + size.averaged):
        program.update()
        if update >= size.filling:
            steps = _steps(optimizer, network.parameters())
            for row, gradient in zip(frozen, true, strict=True):
                row += sum(_inner(step, part) for step, part in zip(steps, gradient, strict=True)) / size.averaged
    rows = [_row(direction, 0.0, gain) for direction, gain in zip(DIRECTIONS, frozen, strict=True)]
    state, before = deepcopy(program.step.state()), _worth(network, stage)
    for rate in size.learning_rates:
        program.step.restore(deepcopy(state))
        _set_rate(optimizer, rate)
        for _ in range(size.updates):
            program.update()
        gained = (_worth(network, stage) - before) / (rate * size.updates)
        rows += [_row(direction, rate, gain) for direction, gain in zip(DIRECTIONS, gained, strict=True)]
    return rows


def _worth(network: StackedMLP, stage: Stage) -> Tensor:
    """Return mean reward and mean log-probability of the digits over a stage's images, (2, S), in float64."""
    found = torch.zeros(2, len(network), dtype=torch.float64, device=stage.pixels.device)
    for pixels, labels in zip(stage.pixels.split(_CHUNK), stage.labels.split(_CHUNK), strict=True):
        log_policy = network.log_policy(pixels.expand(len(network), -1, -1)).double()
        right = log_policy.gather(-1, labels.expand(len(network), -1)[..., None]).squeeze(-1)
        found += torch.stack([right.exp().sum(-1), right.sum(-1)]) / len(stage.pixels)
    return found


def _stacked(gradient: FloatArray, policy: PolicyMLP, device: torch.device) -> list[Tensor]:
    """Return a gradient (P,) as one tensor a parameter of a stack, weights first."""
    parts, start = [], 0
    for parameter in policy.parameters():
        piece = torch.as_tensor(gradient[start : start + parameter.numel()]).view_as(parameter)
        parts.append(piece.T if piece.ndim == 2 else piece[None])
        start += parameter.numel()
    return [part.to(device, torch.float32) for part in (*parts[0::2], *parts[1::2])]


def _steps(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> list[Tensor]:
    """Return the steps that Adam would take at a learning rate of one, against the loss's gradient."""
    (group,) = optimizer.param_groups
    found = []
    for parameter in parameters:
        state = optimizer.state[parameter]
        first, second = (1 - beta ** float(state["step"]) for beta in group["betas"])
        root = (state["exp_avg_sq"] / second).sqrt() + group["eps"]
        found.append(-state["exp_avg"] / first / root)
    return found


def _inner(step: Tensor, gradient: Tensor) -> Tensor:
    """Return the inner product of each of S steps (S, …) with one gradient (…), (S,)."""
    return (step * gradient).flatten(1).sum(-1, dtype=torch.float64)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _row(direction: str, rate: float, gains: Tensor) -> dict[str, Any]:
    values = gains.numpy(force=True)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {"direction": direction, "learning_rate": rate, "gain": float(values.mean()), "standard_error": error}


def measure_path(config: PathConfig, size: GainsSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Return what every contender gains from every policy of a path but its initialisation.

    Returns
    -------
    DataFrame
        path, seed, target, update, accuracy, label, and the columns of :func:`measure_contender`'s rows: direction,
        learning_rate, gain, standard_error.
    """
    seeds = range(1_000 * (config.seed + 1), 1_000 * (config.seed + 1) + size.copies)  # far from those of the paths
    rows = [
        stage.place | {"label": contender.label} | row
        for stage in stages(config, data, device)
        if stage.place["target"] > INITIALISATION
        for contender in size.contenders
        for row in measure_contender(contender, stage, size, seeds)
    ]
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
    """Measure along every path of a preset and write the table; paths that are done are kept.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before anything is measured.
    """
    resolved, size = resolve(device), SIZES[choice("preset", preset, SIZES)]
    configs = path_configs(STAGES[preset])[: size.paths]
    return write_paths(
        out,
        kind=KIND,
        config={"preset": preset, "size": asdict(size)},
        paths=configs,
        code=measure_path,
        measure=lambda path, data: measure_path(path, size, data, resolved),
        device=resolved,
        overwrite=overwrite,
        command=command,
        progress=progress,
    )
