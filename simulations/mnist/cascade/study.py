"""Cheap scores beside exact delight of the same samples along the training of DG-K(3 %), window by window.

The training itself screens exactly, so that every screener looks at the same policies; one that has to learn does so
along the way. Nothing is fitted but the mean of the score's error near the price, which is taken off the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from kondo_theory.gate import kept_count
from kondo_theory.geometry.cascade import cascade_recall, cascade_window, evaluated_share
from kondo_theory.geometry.decision_price import gaussian_price
from simulations.mnist.approximate import Contender
from simulations.mnist.cascade.windows import NearPrice, found, near_price, predicted
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.probe import RATE, delight_of
from simulations.mnist.runs import write_contenders
from simulations.mnist.screeners import Distilled, Screener
from simulations.mnist.training import SeedProgram
from simulations.networks.mlp import StackedMLP
from simulations.randomness.seed_streams import draw_actions

__all__ = [
    "CONTENDERS",
    "EVALUATIONS",
    "KIND",
    "OFFSETS",
    "SIZES",
    "WIDTHS",
    "CascadeSize",
    "rows_of",
    "run",
    "score_cost",
    "write_table",
]

FloatArray = NDArray[np.float64]

KIND = "mnist-cascade"
_GATE = MnistConfig("dg-k", rate=RATE)
CONTENDERS = (Contender(_GATE, "bfloat16"), Contender(_GATE, "int8"), Contender(_GATE, "distilled", 16))
WIDTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
"""Half of a window about the cost, in deviations of the score's error."""
OFFSETS = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""A price on the scores less the cost, in the same unit, where the score alone decides."""
EVALUATIONS = (0.001, 0.01, 0.1)
"""Prices of an exact delight in backward passes, beside that of the network itself."""
_BYTES = {"bfloat16": 0.5, "int8": 0.25}
_CHUNK = 2_000  # images at a time


@dataclass(frozen=True)
class CascadeSize:
    """Seeds, the updates at which scores are looked at, and training images of a look, each at most once."""

    seeds: int
    looks: tuple[int, ...]
    images: int


SIZES = {
    "smoke": CascadeSize(2, (20,), 500),
    "quick": CascadeSize(5, (100, 500, 3_000), 30_000),
    "paper": CascadeSize(20, (100, 500, 3_000, 10_000), 60_000),
}
"""By preset."""


class _Companion(Screener):
    """Exact screening, along which another screener learns what there is to learn."""

    def __init__(self, other: Screener) -> None:
        self.other = other

    def advance(self, network: StackedMLP, observations: Tensor) -> None:
        """Let the other learn."""
        self.other.advance(network, observations)


def run(contender: Contender, size: CascadeSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train DG-K(3 %) on exact delight, and hold a screener's scores against it.

    Returns
    -------
    DataFrame
        One row a seed, look and window: label, screener, value, seed, update, test_error; score_cost, in exact
        forward passes; the columns of :func:`rows_of`.
    """
    configs = [replace(contender.method, seed=seed, updates=size.looks[-1]) for seed in range(size.seeds)]
    screener = contender.make_screener([config.streams()["screener"] for config in configs], device)
    program = SeedProgram(configs, data, device, _Companion(screener))
    generator = torch.Generator(device).manual_seed(0)
    rows: list[dict[str, Any]] = []
    settings = {
        "label": contender.label,
        "screener": contender.screener,
        "value": math.nan if contender.value is None else float(contender.value),
        "score_cost": score_cost(screener, contender.screener, program.step.network, contender.method.batch_size),
    }
    network = program.step.network
    own = network.forward_flops / (network.forward_flops + network.backward_flops)
    for look in size.looks:
        while program.step.counts.updates < look:
            program.update()
        program.evaluate()
        pairs = _looked(program, screener, size.images, generator)
        for seed, curve, (chi, score) in zip(program.seeds, program.curves(), pairs, strict=True):
            place = {"seed": seed, "update": look, "test_error": float(curve["test_error"].iloc[-1])}
            rows += [settings | place | row for row in rows_of(chi, score, own)]
    return pd.DataFrame(rows)


def score_cost(screener: Screener, name: str, network: StackedMLP, batch_size: int) -> float:
    """Return what a score costs in exact forward passes: by bytes of a number, or by FLOPs, teaching included."""
    if not isinstance(screener, Distilled):
        return _BYTES[name]
    student = screener.student
    taught = network.forward_flops + student.forward_flops + student.backward_flops
    return (student.forward_flops + screener.rows / batch_size * taught) / network.forward_flops


def _looked(
    program: SeedProgram, screener: Screener, n_images: int, generator: torch.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield each seed's exact delights and scores of one action an image, drawn from the screener's policy."""
    where: dict[str, Any] = {"generator": generator, "device": generator.device}
    images = torch.randperm(len(program.train_images), **where)[:n_images]
    network, parts = program.step.network, []
    for rows in images.split(_CHUNK):
        pixels = (program.train_images[rows].to(program.dtype) / 255).expand(len(network), -1, -1)
        seen = screener.about_to_screen(network).log_policy(network, pixels)
        assert seen is not None
        uniforms = torch.rand(len(network), len(rows), dtype=torch.float64, **where)
        actions = draw_actions(seen.exp(), uniforms)
        right = actions == program.train_labels[rows]
        exact = network.log_policy(pixels)
        parts.append(torch.stack([delight_of(each, actions, right) for each in (exact, seen)]))
    yield from torch.cat(parts, -1).double().numpy(force=True).swapaxes(0, 1)


def rows_of(chi: FloatArray, score: FloatArray, own: float) -> Iterator[dict[str, Any]]:
    """Yield what windows and prices do to a batch, each beside what is predicted.

    Parameters
    ----------
    chi, score : (B,) arrays
        Exact delight and score of the same samples.
    own : float
        What an exact delight costs in backward passes, each with its own forward pass.

    Yields
    ------
    dict
        cost (the delight that the top 3 % exceeds, nats), mean and deviation of delight; of the score's error near
        it bias, noise, kurtosis and tails; choice ("grid", predicted by Gaussian error on these delights; "price"
        and "window": the formulas of Gaussian delight); evaluation, in costs; offset and width in deviations of the
        error; recall, evaluated, missed and wasted, with what is predicted of each (NaN where there is no formula).
    """
    cost = float(np.sort(chi)[-kept_count(RATE, len(chi)) - 1])
    near = near_price(chi, score, cost, RATE)
    score = score - near.bias
    law = {"cost": cost, "mean": float(chi.mean()), "deviation": float(chi.std())} | near._asdict()

    def row(choice: str, evaluation: float, offset: float, width: float, told: dict[str, float]) -> dict[str, Any]:
        w = width * near.noise
        seen = found(chi, score, cost, cost + offset * near.noise, w)._asdict()
        place = {"choice": choice, "evaluation": evaluation, "offset": offset, "width": width}
        return law | place | seen | {f"predicted_{name}": told.get(name, math.nan) for name in seen}

    grid = [(0.0, width) for width in WIDTHS] + [(offset, 0.0) for offset in OFFSETS if offset != 0]
    for offset, width in grid:
        told = predicted(chi, near.noise, cost, cost + offset * near.noise, width * near.noise)._asdict()
        yield row("grid", math.nan, offset, width, told)
    yield from _by_gaussian_delight(row, law, near, (*EVALUATIONS, own))


def _by_gaussian_delight(
    row: Callable[..., dict[str, Any]], law: dict[str, float], near: NearPrice, evaluations: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """Yield the best price and windows of Gaussian delight; a window is one of calibrated scores."""
    cost, mean, deviation = law["cost"], law["mean"], law["deviation"]
    gaussian = (cost, mean, deviation, near.noise)
    stretch = 1 + (near.noise / deviation) ** 2  # of raw scores over calibrated ones
    offset = (float(gaussian_price(*gaussian)) - cost) / near.noise
    yield row("price", math.nan, offset, 0.0, {})
    for e in evaluations:
        width = float(cascade_window(e * cost, deviation, near.noise)) * stretch / near.noise
        told = {
            "recall": float(cascade_recall(e * cost, *gaussian)),
            "evaluated": float(evaluated_share(e * cost, *gaussian)),
        }
        yield row("window", e, offset, width, told)


def write_table(preset: str, out: Path, **options: Any) -> Path:
    """Run the study and write its table, as :func:`simulations.mnist.runs.write_contenders` says."""
    return write_contenders(preset, out, kind=KIND, sizes=SIZES, contenders=CONTENDERS, run=run, **options)
