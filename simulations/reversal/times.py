"""What an update of token reversal takes on this machine, by phase, for every method and batches of several sizes.

All methods are timed in turn, on the CPU on one thread, round after round, so that a machine whose speed drifts slows
them alike; a ratio is taken within each round. Seconds do not reproduce and lie in the table's sidecar, as the list
``seconds`` of one list a row, beside ``clock``, what they count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch

from simulations.devices import clock, describe, resolve, single_thread
from simulations.errors import ReportedError
from simulations.networks.captured import WARM_UP
from simulations.networks.sequence_counts import PHASES, SequenceCounts
from simulations.resuming.checkpoints import kept_or_measured
from simulations.resuming.parts import Measurement
from simulations.reversal.config import QUALITY_METHODS, ReversalConfig
from simulations.reversal.side_by_side.captured import CapturedSeeds
from simulations.reversal.tables import CAPTURED, STEP_TIMES
from simulations.reversal.training import ReversalRun

__all__ = ["BATCHES", "PARTS", "Batches", "chosen_batches", "measure", "write_table"]

PARTS = (*PHASES, "total")
"""What is timed; the total has what is between the phases too: prompts, rewards, advantages."""

_COUNTS = ("backward_tokens", "processed_tokens", "sampling_flops", "training_flops")


@dataclass(frozen=True)
class Batches:
    """A size at which updates are timed: prompts a batch, with the protocol's answers to each, and rounds."""

    prompts: int
    rounds: int
    warm_up: int = 2

    @property
    def rows(self) -> int:
        """Answers a batch."""
        return self.prompts * QUALITY_METHODS[0].answers


_PROTOCOL = Batches(10, 50, 5)
BATCHES: Mapping[str, tuple[Batches, ...]] = MappingProxyType(
    {
        "smoke": (Batches(10, 3),),
        "quick": (_PROTOCOL,),
        "paper": (_PROTOCOL, Batches(100, 15), Batches(1_000, 7), Batches(10_000, 7)),
    }
)
"""By preset: ``quick`` has the protocol's batch of 100 answers, ``paper`` up to a thousand times as many."""
MOST = {"cpu": 1_000, "cuda": 10_000}
"""Prompts: with ten times as many the study would take a CPU more than an hour, and a GPU ten times the memory."""


def chosen_batches(preset: str, device: str) -> list[Batches]:
    """Return the sizes of a preset that a kind of device is timed at."""
    return [batches for batches in BATCHES[preset] if batches.prompts <= MOST[device]]


def measure(
    batches: Batches,
    device: torch.device,
    methods: Sequence[ReversalConfig] = QUALITY_METHODS,
    captured: bool | None = None,
) -> pd.DataFrame:
    """Time every method's update at one size of the batch.

    The methods train while they are timed, each its own policy from the same initialisation: what a gate keeps is
    that of early training. Evaluation is not part of an update.

    Parameters
    ----------
    batches : Batches
    device : torch.device
    methods : sequence of ReversalConfig
    captured : bool, optional
        Time recorded updates too, ``LABEL, captured``, all of whose seconds are those of training; by default on a
        GPU, where they may pay.

    Returns
    -------
    DataFrame
        One row a method: answers (rows of a batch), label, then counts of the mean update (backward_tokens,
        processed_tokens, sampling_flops, training_flops), and seconds: a list, of the ``PARTS`` of one update in each
        round, by :func:`simulations.devices.clock`.
    """
    with single_thread():
        now, _ = clock(device)
        configs = [replace(config, prompts=batches.prompts) for config in methods]
        runs: list[ReversalRun | CapturedSeeds] = [ReversalRun(config, device) for config in configs]
        warm_up = batches.warm_up
        if captured or (captured is None and device.type == "cuda"):
            runs += [CapturedSeeds([config], device) for config in configs]
            warm_up = max(warm_up, WARM_UP + 1)
        seconds: list[list[list[float]]] = [[] for _ in runs]
        for number in range(warm_up + batches.rounds):
            for run, found in zip(runs, seconds, strict=True):
                before, started = dict(run.step.seconds), now()
                run.train_batch()
                total = now() - started
                if number >= warm_up:
                    found.append([*(run.step.seconds[phase] - before[phase] for phase in PHASES), total])
    return pd.DataFrame(
        {"answers": run.config.prompts * run.config.answers, "label": _label(run)}
        | {name: getattr(_counts(run), name) / run.update for name in _COUNTS}
        | {"seconds": times}
        for run, times in zip(runs, seconds, strict=True)
    )


def _label(run: ReversalRun | CapturedSeeds) -> str:
    return run.config.label + (CAPTURED if isinstance(run, CapturedSeeds) else "")


def _counts(run: ReversalRun | CapturedSeeds) -> SequenceCounts:
    return run.counted()[0] if isinstance(run, CapturedSeeds) else run.step.counts


def write_table(
    preset: str,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Time every size on this machine and write the table; what an earlier call measured is kept.

    Raises
    ------
    ValueError, ReportedError
        If the device is not known or absent, or the table cannot be written, before anything is timed; if no size
        fits into the device's memory.
    """
    resolved = resolve(device)
    chosen = chosen_batches(preset, resolved.type)
    config: dict[str, Any] = {"preset": preset, "batches": [asdict(batches) for batches in chosen]}
    measurement = Measurement(out, STEP_TIMES, config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frames: dict[int, pd.DataFrame] = {}
        for number, batches in enumerate(chosen, start=1):
            progress(f"{number} of {len(chosen)}: {batches.rows:,} answers a batch")
            file = parts.checkpoints.file(f"batches-{number}")
            try:
                frames[batches.rows] = kept_or_measured(file, partial(measure, batches, resolved))
            except torch.cuda.OutOfMemoryError:
                progress(f"{batches.rows:,} answers a batch do not fit into the device's memory: left out")
        if not frames:
            raise ReportedError(f"no size of preset {preset} fits into the memory of {describe(resolved)}")
        frame = pd.concat(frames.values(), ignore_index=True)
        rounded = [[[float(f"{part:.4g}") for part in times] for times in rounds] for rounds in frame.pop("seconds")]
        left_out = [batches.rows for batches in chosen if batches.rows not in frames]
        return parts.write(frame, seconds=rounded, clock=clock(resolved)[1], left_out=left_out)
