"""Training on approximate delight on the MNIST bandit: noise on it, and cheap screeners in place of the policy.

At every evaluation a probe of 2,000 training images, drawn anew, compares what the screener would keep with what
exact delight would. Seconds are measured apart, all contenders in turn; they do not reproduce, and so they lie in the
table's sidecar.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kondo_theory.approximate import NOISES
from kondo_theory.words import choice
from simulations.devices import clock, resolve, single_thread
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.probe import Probe
from simulations.mnist.runs import run_contenders
from simulations.mnist.screeners import Distilled, Int8, LowPrecision, NoisyDelight, Screener, Stale
from simulations.mnist.training import SeedProgram
from simulations.resuming.parts import Measurement

__all__ = [
    "KINDS",
    "SIZES",
    "STUDIES",
    "TIMING",
    "Contender",
    "RunSize",
    "run",
    "step_seconds",
    "write_table",
]

SCREENERS = ("exact", "bfloat16", "int8", "stale", "distilled", *NOISES)


@dataclass(frozen=True)
class Contender:
    """A method, and what screens for it.

    Attributes
    ----------
    method : MnistConfig
        Its seed and number of updates are those of the study.
    screener : str
        One of ``SCREENERS``.
    value : float or None
        The lag of "stale" in updates, the width of "distilled", τ of the noises "additive" and "relative".

    Raises
    ------
    ValueError
        If the screener is not known, or lacks its value or has one that it does not take.
    """

    method: MnistConfig
    screener: str = "exact"
    value: float | None = None

    def __post_init__(self) -> None:
        choice("screener", self.screener, SCREENERS)
        if (self.value is None) != (self.screener in SCREENERS[:3]):
            raise ValueError(f"a value belongs to {', '.join(SCREENERS[3:])}, got {self.value} with {self.screener}")

    @property
    def label(self) -> str:
        """The contender's name in tables, e.g. ``DG-K(3 %), screened in int8``."""
        name = self.method.label + (", bfloat16" if self.method.dtype == "bfloat16" else "")
        return (
            name
            + {
                "exact": "",
                "bfloat16": ", screened in bfloat16",
                "int8": ", screened in int8",
                "stale": f", screened by parameters {self.value} step{'' if self.value == 1 else 's'} old",
                "distilled": f", screened by a network of width {self.value}",
                "additive": f", noise τ = {self.value}",
                "relative": f", noise τ = {self.value} |χ|",
            }[self.screener]
        )

    def make_screener(self, seeds: Sequence[int], device: torch.device) -> Screener:
        """Return the screener of S seeds, from their ``screener`` streams."""
        if self.screener in NOISES:
            return NoisyDelight(self.screener, float(self.value or 0.0), seeds, device)
        if self.screener == "distilled":
            return Distilled(int(self.value or 0), (784, 10), seeds, device)
        if self.screener == "stale":
            return Stale(int(self.value or 0))
        return {"exact": Screener, "bfloat16": LowPrecision, "int8": Int8}[self.screener]()


_PG, _DG, _GATE = MnistConfig("pg"), MnistConfig("dg"), MnistConfig("dg-k", rate=0.03)
_TENTH = MnistConfig("dg-k", rate=0.1)
STUDIES = {
    "screeners": (
        *(Contender(method) for method in (_PG, _DG, _GATE, _TENTH)),
        *(Contender(replace(method, dtype="bfloat16")) for method in (_PG, _DG, _GATE)),
        *(Contender(method, "bfloat16") for method in (_GATE, _TENTH)),
        Contender(_GATE, "int8"),
        *(Contender(_GATE, "stale", lag) for lag in (1, 10, 100)),
        Contender(_GATE, "distilled", 16),
    ),
    "noise": (
        *(Contender(method) for method in (_DG, _GATE)),
        *(Contender(_DG, "relative", noise) for noise in (0.5, 1, 2)),
        *(Contender(_GATE, "relative", noise) for noise in (0.25, 0.5, 1, 2)),
        *(Contender(_GATE, "additive", noise) for noise in (0.1, 0.3, 1)),
    ),
}
"""Who is compared: exact methods, bfloat16 throughout and cheap screeners; and noise on delight."""
KINDS = {study: f"mnist-{study}" for study in STUDIES}
"""The kind of each study's table."""


@dataclass(frozen=True)
class RunSize:
    """Updates, seeds, updates between evaluations, images of a probe and draws of the noise on each."""

    updates: int
    seeds: int
    eval_every: int = 100
    images: int = 2_000
    draws: int = 20


_SMOKE = RunSize(20, 2, eval_every=20, images=200, draws=3)
SIZES = {
    "screeners": {"smoke": _SMOKE, "quick": RunSize(3_000, 40), "paper": RunSize(10_000, 30)},
    "noise": {"smoke": _SMOKE, "quick": RunSize(1_500, 40), "paper": RunSize(10_000, 30)},
}
"""Of each study, by preset."""
TIMING = {
    "smoke": {"rounds": 1, "updates": 5},
    "quick": {"rounds": 15, "updates": 20},
    "paper": {"rounds": 15, "updates": 20},
}
"""Rounds in which updates are timed, and updates of each contender in a round."""


def run(contender: Contender, size: RunSize, data: Mnist, device: torch.device) -> pd.DataFrame:
    """Train the seeds of one contender side by side.

    Returns
    -------
    DataFrame
        One row a seed and evaluation: label, method, rate, dtype, screener, value, seed, update, forward_samples,
        backward_samples, test_error, and what a probe finds.
    """
    program = _program(contender, size, data, device)
    (probe_seed,) = np.random.SeedSequence((0, size.images)).generate_state(1, np.uint64)
    probe = Probe(program.train_images, program.train_labels, int(probe_seed >> 1), size.images, size.draws)
    method, rows = contender.method, []
    settings = {
        "label": contender.label,
        "method": method.method,
        "rate": math.nan if method.rate is None else method.rate,
        "dtype": method.dtype,
        "screener": contender.screener,
        "value": math.nan if contender.value is None else float(contender.value),
    }
    counted = ["update", "forward_samples", "backward_samples", "test_error"]
    while program.step.counts.updates < size.updates:
        for _ in range(min(size.eval_every, size.updates - program.step.counts.updates)):
            program.update()
        program.evaluate()
        looks = probe.look(program.step.network, program.screener)
        for seed, curve, look in zip(program.seeds, program.curves(), looks, strict=True):
            rows.append(settings | {"seed": seed} | curve[counted].iloc[-1].to_dict() | look)
    frame = pd.DataFrame(rows).astype(dict.fromkeys(counted[:3], "int64"))
    return frame.sort_values(["seed", "update"], ignore_index=True)


def _program(contender: Contender, size: RunSize, data: Mnist, device: torch.device) -> SeedProgram:
    configs = [replace(contender.method, seed=seed, updates=size.updates) for seed in range(size.seeds)]
    screener = contender.make_screener([config.streams()["screener"] for config in configs], device)
    return SeedProgram(configs, data, device, screener)


def step_seconds(
    contenders: Sequence[Contender],
    size: RunSize,
    data: Mnist,
    device: torch.device,
    *,
    rounds: int,
    updates: int,
) -> dict[str, list[float]]:
    """Return seconds that an update takes one seed, by label, in each of several rounds of all contenders.

    They are those of :func:`simulations.devices.clock`.
    """
    now, _ = clock(device)
    programs = [_program(contender, size, data, device) for contender in contenders]
    for program in programs:
        program.train_images = programs[0].train_images  # one copy serves all
    seconds: dict[str, list[float]] = {contender.label: [] for contender in contenders}
    with single_thread():
        for number in range(rounds + 1):
            for times, program in zip(seconds.values(), programs, strict=True):
                started = now()
                for _ in range(updates):
                    program.update()
                if number > 0:  # the first round warms up
                    times.append((now() - started) / (updates * size.seeds))
    return seconds


def write_table(
    study: str,
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Run a study and write its table; what an earlier call left unfinished is continued.

    Raises
    ------
    ValueError, ReportedError
        If the study, the preset or the device is not known, or the table cannot be written; before any training.
    """
    choice("study", study, STUDIES)
    choice("preset", preset, SIZES[study])
    resolved, size, contenders, data = resolve(device), SIZES[study][preset], STUDIES[study], load_mnist()
    settings = [json.loads(json.dumps(asdict(contender))) for contender in contenders]
    config = {"preset": preset, "size": asdict(size), "contenders": settings}
    measurement = Measurement(out, KINDS[study], config, run, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = run_contenders(
            run, contenders, size, data, resolved, checkpoints=parts.checkpoints, progress=progress
        )
        seconds = step_seconds(contenders, size, data, resolved, **TIMING[preset])
        rounded = {label: [float(f"{value:.4g}") for value in times] for label, times in seconds.items()}
        seeds = list(range(size.seeds))
        return parts.write(frame, seeds=seeds, clock=clock(resolved)[1], step_seconds=rounded)
