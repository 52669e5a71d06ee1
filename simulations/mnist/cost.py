"""What a step on the MNIST bandit costs: FLOPs, bytes and seconds, full and screened, over sizes and formats.

All variants of one size are timed in turn, on the CPU on one thread, round after round, so that a machine whose speed
drifts slows them alike; a ratio is taken within each round. On the CPU, seconds are those of the process: other
programs on the machine take its caches and its memory's bandwidth, but not these. Seconds do not reproduce and lie in
the table's sidecar, as the list ``seconds`` of one list a row, beside ``clock``, what they count.

FLOPs are those that torch's counter sees in matrix products; bytes are those of the storages that operators make.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from simulations.devices import clock, resolve, single_thread
from simulations.mnist.captured import CapturedProgram
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.training import SeedProgram
from simulations.networks.allocations import peak_bytes
from simulations.networks.captured import WARM_UP
from simulations.networks.stacked import KEPT_BYTES
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement

__all__ = [
    "KIND",
    "RATES",
    "StepSize",
    "held_bytes",
    "measure",
    "resting_program",
    "screen_and_step",
    "sizes",
    "too_large",
    "write_table",
]

KIND = "mnist-cost"
RATES = (0.01, 0.03, 0.1, 0.3)
WIDTHS, BATCHES = (100, 400, 1_024, 4_096), (100, 1_000, 10_000, 100_000)
DTYPES = ("float32", "bfloat16")
MOST_FLOPS = {"cpu": 1.5e12, "cuda": math.inf}
"""Of a full step: beyond, it takes more than a minute on a core of 25 GFLOP/s."""
_ROUNDS = ((5e9, 15), (5e10, 9), (5e11, 5))
"""FLOPs of a full step below which everything is timed so often."""
BASE = "screening and optimizer"
"""The variant that has what a step takes whatever is kept."""
BLOCK_SECONDS = 0.05
"""Of the full steps that are timed together, 50 at most: short ones need company to be timed at all."""


@dataclass(frozen=True)
class StepSize:
    """A size at which steps are compared.

    Attributes
    ----------
    batch_size, width : int
        B, and the width of both hidden layers.
    dtype : str
    seeds : int
        Trained side by side, as the engine does with small steps; 1 is a user's own loop.
    """

    batch_size: int
    width: int
    dtype: str = "float32"
    seeds: int = 1

    @property
    def full_flops(self) -> int:
        """FLOPs of a full step of all seeds."""
        first, rest = 784 * self.width, self.width**2 + 10 * self.width
        return self.seeds * self.batch_size * (4 * first + 6 * rest)

    @property
    def keeps_activations(self) -> bool:
        """Whether the screened step keeps them, and spares what is kept another forward pass."""
        item = getattr(torch, self.dtype).itemsize
        return self.batch_size * 2 * self.width * item <= KEPT_BYTES

    @property
    def rounds(self) -> int:
        """How often everything is timed."""
        return next((rounds for most, rounds in _ROUNDS if self.full_flops < most), 3)

    @property
    def rates(self) -> tuple[float, ...]:
        """Rates that are timed: fewer where a step takes long."""
        return RATES if self.full_flops < 5e10 else (0.03, 0.3)

    def program(
        self, method: MnistConfig, data: Mnist, device: torch.device, *, captured: bool = False
    ) -> SeedProgram:
        """Return a program of this size."""
        sized = replace(method, batch_size=self.batch_size, hidden=(self.width, self.width), dtype=self.dtype)
        program_of = CapturedProgram if captured else SeedProgram
        return program_of([replace(sized, seed=seed) for seed in range(self.seeds)], data, device)


def sizes(device: str = "cpu") -> list[StepSize]:
    """Return every size that is measured: one seed, and ten side by side where the engine has that many."""
    grid = [StepSize(batch, width, dtype) for dtype in DTYPES for width in WIDTHS for batch in BATCHES]
    stacked = [StepSize(batch, 100, dtype, 10) for dtype in DTYPES for batch in (100, 1_000)]
    chosen = [size for size in (*stacked, *grid) if size.full_flops <= MOST_FLOPS[device]]
    return sorted(chosen, key=lambda size: size.full_flops)


def too_large(device: str = "cpu") -> list[tuple[int, int]]:
    """Return the (batch size, width) that are left out because a step would take too long."""
    return [(b, w) for w in WIDTHS for b in BATCHES if StepSize(b, w).full_flops > MOST_FLOPS[device]]


@dataclass(frozen=True)
class _Variant:
    """A piece of work of one size: what it is, its rate (NaN if it has none), and the program that does it."""

    name: str
    rate: float
    program: SeedProgram
    run: Callable[[], Any]


def _variants(size: StepSize, data: Mnist, device: torch.device, *, captured: bool) -> Iterator[_Variant]:
    full = size.program(MnistConfig("pg"), data, device)
    yield _Variant("full", math.nan, full, full.update)
    if captured:
        recorded = size.program(MnistConfig("pg"), data, device, captured=True)
        yield _Variant("full, captured", math.nan, recorded, recorded.update)
    for rate in size.rates:
        program = size.program(MnistConfig("dg-k", rate=rate), data, device)
        yield _Variant("screened", rate, program, program.update)
        if captured:
            recorded = size.program(MnistConfig("dg-k", rate=rate), data, device, captured=True)
            yield _Variant("screened, captured", rate, recorded, recorded.update)
    program = resting_program(size, data, device)
    yield _Variant(BASE, math.nan, program, partial(screen_and_step, program))


def resting_program(size: StepSize, data: Mnist, device: torch.device) -> SeedProgram:
    """Return a program whose steps change no parameter, for :func:`screen_and_step`.

    At a learning rate of 0: steps by one gradient for ever make a policy that no training has.
    """
    program = size.program(MnistConfig("dg-k", rate=0.03), data, device)
    program.update()
    program.step.optimizer.param_groups[0]["lr"] = 0.0
    return program


def screen_and_step(program: SeedProgram) -> None:
    """Do what a step takes whatever is kept: draw the batch, screen it, and take the optimizer's step.

    The optimizer follows the screening pass as in a step: alone, its state would stay in the cache.
    """
    program.screen(program.batch()[2])
    program.step.optimizer.step()


def measure(
    size: StepSize, data: Mnist, device: torch.device, rounds: int | None = None, captured: bool | None = None
) -> pd.DataFrame:
    """Count and time the full step, the screened steps and their parts at one size.

    Parameters
    ----------
    size : StepSize
    data : Mnist
    device : torch.device
    rounds : int, optional
        The size's own number by default.
    captured : bool, optional
        Time recorded steps too, "full, captured" and "screened, captured"; by default on a GPU, where they may pay.
        What they count is of a step that is not a replay.

    Returns
    -------
    DataFrame
        One row a variant ("full", "screened" at a rate, and "screening and optimizer": drawing the batch, the forward
        pass over it, and the optimizer's step): batch_size, width, dtype, seeds, keeps_activations, variant, rate,
        flops, held_bytes (activations that the backward pass reads), peak_bytes (most that a step holds beside what
        was there), seconds (a list: of one step, in each round, by :func:`simulations.devices.clock`).
    """
    with single_thread():
        now, _ = clock(device)
        recorded = device.type == "cuda" if captured is None else captured
        variants = list(_variants(size, data, device, captured=recorded))
        counted = [_counted(variant) for variant in variants]
        for variant in variants:
            for _ in range(WARM_UP if recorded else 0):
                variant.run()
        started = now()
        variants[0].run()  # everything is warm: it was counted
        n_steps = max(1, min(50, round(BLOCK_SECONDS / max(now() - started, 1e-9))))
        seconds: list[list[float]] = [[] for _ in variants]
        for _ in range(rounds or size.rounds):
            for times, variant in zip(seconds, variants, strict=True):
                started = now()
                for _ in range(n_steps):
                    variant.run()
                times.append((now() - started) / n_steps)
    return pd.DataFrame(
        asdict(size)
        | {"keeps_activations": size.keeps_activations, "variant": variant.name, "rate": variant.rate}
        | counts
        | {"seconds": times}
        for variant, counts, times in zip(variants, counted, seconds, strict=True)
    )


def _counted(variant: _Variant) -> dict[str, int]:
    """Return FLOPs and bytes of one step."""
    found: list[int] = []
    variant.program.step.optimizer.step()  # makes the state that later steps keep, if there is none yet
    with _watching_backward(variant.program, found), FlopCounterMode(display=False) as counter:
        peak = peak_bytes(variant.run)
    return {"flops": counter.get_total_flops(), "held_bytes": sum(found), "peak_bytes": peak}


@contextmanager
def _watching_backward(program: SeedProgram, found: list[int]) -> Iterator[None]:
    network, backward = program.step.network, program.step.network.backward

    def spy(inputs: Sequence[torch.Tensor], logit_gradient: torch.Tensor) -> None:
        storages = {id(each.untyped_storage()): each.untyped_storage().nbytes() for each in inputs}
        found.append(sum(storages.values()))
        backward(inputs, logit_gradient)

    network.backward = spy  # type: ignore[method-assign]
    try:
        yield
    finally:
        del network.backward


def held_bytes(program: SeedProgram) -> int:
    """Take an update and return the bytes of all storages that its backward pass reads activations from."""
    found: list[int] = []
    with _watching_backward(program, found):
        program.update()
    return sum(found)


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Measure every size on this machine and write the table; what an earlier call measured is kept.

    Preset smoke has the two smallest sizes; quick and paper have all.

    Raises
    ------
    ValueError, ReportedError
        If the device is not known or absent, or the table cannot be written; before anything is measured.
    """
    resolved, data = resolve(device), load_mnist()
    chosen = sizes(resolved.type)[: 2 if preset == "smoke" else None]
    left_out = too_large(resolved.type)
    config = {"preset": preset, "sizes": [asdict(size) for size in chosen], "too_large": left_out}
    measurement = Measurement(out, KIND, config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    jobs = [
        (f"size-{number:02d}", str(size), partial(measure, size, data, resolved))
        for number, size in enumerate(chosen, start=1)
    ]
    with measurement.in_parts() as parts:
        frame = measured_in_turn(jobs, parts.checkpoints, progress)
        rounded = [[float(f"{value:.4g}") for value in times] for times in frame.pop("seconds")]
        return parts.write(frame, seconds=rounded, clock=clock(resolved)[1])
