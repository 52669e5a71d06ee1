"""Soft gates and DG over temperatures, and hard gates at the shares that soft ones keep.

DG-K at a temperature is [KG] Algorithm 1: the price is the batch's 1 − ρ quantile of delight, and each sample is
drawn with probability σ((χ − λ)/η). It keeps another share than ρ (claim ``quantile-bernoulli-gate``); the hard gate
at 50 % is there to be compared at the share that was kept. The claim ``temperature-robustness`` asks how much the
final error moves with η. Everything else is the protocol of :mod:`simulations.mnist.config`. Preset quick takes
eight core minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from kondo_theory.gate import Gate, gate_probability
from kondo_theory.training.selection import Selection
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.runs import write_contenders
from simulations.mnist.training import SeedProgram, train
from simulations.networks.stacked import StackedScreening

__all__ = [
    "CONTENDERS",
    "KIND",
    "RATES",
    "SIZES",
    "SOFT",
    "TemperatureSize",
    "expected_shares",
    "run",
    "write_table",
]

KIND = "mnist-temperature"
RATES = (0.03, 0.1, 0.3)
SOFT = ((0.03, 0.1), (0.03, 0.3), (0.03, 1.0), (0.1, 0.1), (0.1, 1.0), (0.3, 0.1), (0.3, 1.0), (0.01, 0.1))
"""ρ and η of the soft gates."""
MOST = 0.5
"""Rate of the hard gate beside those of the soft ones, which keep up to a half."""
CONTENDERS = (
    *(MnistConfig("dg", temperature=eta) for eta in (0.1, 0.3, 1.0, 3.0, 10.0)),
    *(MnistConfig("dg-k", rate=rate) for rate in (*RATES, MOST)),
    *(MnistConfig("dg-k", rate=rate, temperature=eta) for rate, eta in SOFT),
)


@dataclass(frozen=True)
class TemperatureSize:
    """Updates, seeds, and updates between evaluations."""

    updates: int
    seeds: int
    eval_every: int = 250


SIZES = {
    "smoke": TemperatureSize(10, 2, eval_every=10),
    "quick": TemperatureSize(3_000, 3),
    "paper": TemperatureSize(10_000, 30),
}
"""By preset."""


def run(method: MnistConfig, size: TemperatureSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one method, side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, method, rate, temperature, seed, update, forward_samples,
        backward_samples, test_error.
    """
    sized = replace(method, updates=size.updates, eval_every=size.eval_every)
    configs = [replace(sized, seed=seed) for seed in range(size.seeds)]
    columns = ["update", "forward_samples", "backward_samples", "test_error"]
    settings = {
        "label": method.label,
        "method": method.method,
        "rate": method.rate,
        "temperature": method.temperature,
    }
    frames = [
        curve[columns].assign(**settings, seed=config.seed)
        for config, curve in zip(configs, train(configs, data, device).curves, strict=True)
    ]
    frame = pd.concat(frames, ignore_index=True).astype({"rate": "float64", "temperature": "float64"})
    return frame[[*settings, "seed", *columns]]


def write_table(preset: str, out: Path, **options: Any) -> Path:
    """Run the study and write its table, as :func:`simulations.mnist.runs.write_contenders` says."""
    return write_contenders(preset, out, kind=KIND, sizes=SIZES, contenders=CONTENDERS, run=run, **options)


class _Watched(SeedProgram):
    """A program that adds up what soft gates would have kept of its batches."""

    gates: Sequence[Gate] = ()

    def __init__(self, configs: Sequence[MnistConfig], data: Mnist, device: torch.device) -> None:
        super().__init__(configs, data, device)
        self.opened = torch.zeros(len(self.gates), len(configs), dtype=torch.float64, device=device)

    def _gated(
        self, screening: StackedScreening, actions: Tensor, reward: Tensor, uniforms: Tensor
    ) -> tuple[Tensor, Selection | None]:
        found = super()._gated(screening, actions, reward, uniforms)
        selection = found[1]
        assert selection is not None
        for opened, gate in zip(self.opened, self.gates, strict=True):
            price = gate.price_of(selection.score, keepdims=True, check=False)
            opened += gate_probability(selection.score, price, gate.temperature, check=False).double().mean(-1)
        return found


def expected_shares(
    path: MnistConfig, gates: Sequence[Gate], data: Mnist, device: torch.device, updates: int, seeds: Sequence[int]
) -> Tensor:
    """Return what gates would keep on average of the batches that another gate trains on, (gates,).

    Parameters
    ----------
    path : MnistConfig
        A method with a gate by delight: its policies, and its batches of every update. One at a price of −10⁹ keeps
        all: the policy gradient.
    gates : sequence of Gate
    data : Mnist
    device : torch.device
    updates : int
    seeds : sequence of int
    """
    configs = [replace(path, seed=seed, updates=updates, eval_every=updates) for seed in seeds]
    program = type("_Watched", (_Watched,), {"gates": tuple(gates)})(configs, data, device)
    with torch.no_grad():
        for _ in range(updates):
            program.update()
    shares: Tensor = program.opened.mean(1) / updates
    return shares
