"""Learning curves of gates at one rate: exactly k by delight, at a price, divided by the kept, by the last layer.

The rate is 3 % of batches of 100; everything else is the protocol of :mod:`simulations.mnist.config`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist
from simulations.mnist.runs import SEEDS_A_PROGRAM, write_contenders
from simulations.mnist.steps.contenders import Contender, ContenderProgram

__all__ = ["CONTENDERS", "KIND", "SIZES", "CurvesSize", "run", "write_table"]

KIND = "mnist-curves"
RATE = 0.03
CONTENDERS = (
    Contender(MnistConfig("dg-k", rate=RATE)),
    Contender.at_price(RATE),
    Contender.at_price(RATE, "kept"),
    Contender(MnistConfig("dg-k", rate=RATE), aligned=True),
)


@dataclass(frozen=True)
class CurvesSize:
    """Updates, seeds, and updates between evaluations."""

    updates: int
    seeds: int
    eval_every: int = 50


SIZES = {
    "smoke": CurvesSize(20, 2, eval_every=20),
    "quick": CurvesSize(1_500, 30),
    "paper": CurvesSize(10_000, 30),
}
"""By preset."""


def run(contender: Contender, size: CurvesSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one contender, up to ten side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, divisor, seed, update, forward_samples, backward_samples, test_error.
    """
    frames = []
    for first in range(0, size.seeds, SEEDS_A_PROGRAM):
        seeds = range(first, min(first + SEEDS_A_PROGRAM, size.seeds))
        changes = {"updates": size.updates, "eval_every": size.eval_every}
        program = ContenderProgram(contender, seeds, data, device, **changes)
        with torch.no_grad():
            program.evaluate()
            while (left := size.updates - program.step.counts.updates) > 0:
                for _ in range(min(size.eval_every, left)):
                    program.update()
                program.evaluate()
        columns = ["update", "forward_samples", "backward_samples", "test_error"]
        for seed, curve in zip(program.seeds, program.curves(), strict=True):
            named = curve[columns].assign(label=contender.label, divisor=contender.divisor, seed=seed)
            frames.append(named[["label", "divisor", "seed", *columns]])
    return pd.concat(frames, ignore_index=True)


def write_table(preset: str, out: Path, **options: Any) -> Path:
    """Run the study and write its table, as :func:`simulations.mnist.runs.write_contenders` says."""
    return write_contenders(preset, out, kind=KIND, sizes=SIZES, contenders=CONTENDERS, run=run, **options)
