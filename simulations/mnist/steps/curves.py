"""Learning curves of gates at one rate: exactly k by delight, at a price, divided by the kept, by the last layer.

The rate is 3 % of batches of 100; everything else is the protocol of :mod:`simulations.mnist.config`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from kondo_theory.words import choice
from simulations.devices import clock, resolve
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.runs import SEEDS_A_PROGRAM, run_in_turn
from simulations.mnist.steps.contenders import Contender, ContenderProgram
from simulations.resuming.checkpoints import CheckpointDirectory
from simulations.resuming.parts import Measurement

__all__ = ["CONTENDERS", "KIND", "SIZES", "CurvesSize", "run", "run_study", "write_table"]

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
    "quick": CurvesSize(1_500, 10),
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


def run_study(
    contenders: Sequence[Contender],
    size: CurvesSize,
    data: Mnist,
    device: torch.device,
    *,
    checkpoints: CheckpointDirectory | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Train all contenders, one after the other, and join their tables; those in ``checkpoints`` are done."""
    jobs = [(contender.label, partial(run, contender, size, data, device)) for contender in contenders]
    return run_in_turn(jobs, checkpoints=checkpoints, progress=progress)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Run the study and write its table; what an earlier call left unfinished is continued.

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before any training.
    """
    resolved, size = resolve(device), SIZES[choice("preset", preset, SIZES)]
    config = {"preset": preset, "size": asdict(size), "contenders": [contender.label for contender in CONTENDERS]}
    measurement = Measurement(out, KIND, config, run, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = run_study(CONTENDERS, size, load_mnist(), resolved, checkpoints=parts.checkpoints, progress=progress)
        return parts.write(frame, seeds=list(range(size.seeds)), clock=clock(resolved)[1])
