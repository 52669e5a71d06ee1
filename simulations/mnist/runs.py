"""All runs on the MNIST bandit: programs of a few seeds, in processes side by side, and studies of contenders.

A program is up to ten seeds of one method (fewer at large batches, which gain nothing from company and need memory),
whatever the number of workers, and runs on one CPU thread; so a table has the same bytes for any number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed

from kondo_theory.words import choice
from simulations.devices import clock, resolve, single_thread
from simulations.mnist.captured import CapturedProgram
from simulations.mnist.config import MnistConfig, tidy
from simulations.mnist.images import Mnist, load_mnist
from simulations.mnist.training import SeedProgram, Trained, train
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile, measured_in_turn, working_for
from simulations.resuming.parts import Measurement

__all__ = [
    "Progress",
    "Runs",
    "identity",
    "programs",
    "run_contenders",
    "run_in_turn",
    "run_many",
    "trained_and_read",
    "write_contenders",
]

SEEDS_A_PROGRAM = 10
SAMPLES_A_PROGRAM = 20_000  # a batch of every seed
_COUNTED = ("update", "forward_samples", "backward_samples")

Progress = Callable[[int, int, MnistConfig], None]
"""Called as each program ends: runs done, runs in all, the first configuration of the program."""


@dataclass(frozen=True)
class Runs:
    """What came out: the learning curve of each run, and its share of the seconds of its program."""

    configs: Sequence[MnistConfig]
    curves: list[pd.DataFrame]
    seconds: list[float]

    @property
    def table(self) -> pd.DataFrame:
        """All curves, tidy."""
        return tidy(self.configs, self.curves)


def programs(configs: Sequence[MnistConfig]) -> list[list[int]]:
    """Return which configurations train side by side: equal but for the seed, in the given order."""
    methods: dict[MnistConfig, list[int]] = {}
    for index, config in enumerate(configs):
        methods.setdefault(replace(config, seed=0), []).append(index)
    parts = []
    for method, members in methods.items():
        size = max(1, min(SEEDS_A_PROGRAM, SAMPLES_A_PROGRAM // method.batch_size))
        parts += [members[first : first + size] for first in range(0, len(members), size)]
    return parts


def run_many(
    configs: Sequence[MnistConfig],
    *,
    device: str = "cpu",
    workers: int = 1,
    data: Mnist | None = None,
    progress: Progress | None = None,
    checkpoints: CheckpointDirectory | None = None,
    checkpoint_seconds: float = 30.0,
    captured: bool = False,
) -> Runs:
    """Run every configuration, in processes side by side.

    Parameters
    ----------
    configs : sequence of MnistConfig
    device : str
        A torch device; on a GPU one worker is usually best.
    workers : int
        Processes. They do not change the results.
    data : Mnist, optional
        Loaded (and fetched if need be) when not given.
    progress : callable, optional
    checkpoints : CheckpointDirectory, optional
        Open; what it holds is continued.
    checkpoint_seconds : float
        How often each program saves its state.
    captured : bool
        Record an update and replay it; see :mod:`simulations.mnist.captured`.

    Raises
    ------
    ValueError
        If ``workers`` is below 1 or there is no configuration.
    ReportedError
        If a policy stops being a number.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if not configs:
        raise ValueError("configs must hold at least one run, got none")
    data = load_mnist() if data is None else data
    parts = programs(configs)
    jobs: list[Any] = []
    for number, members in enumerate(parts):
        file = checkpoints.file(f"program-{number:04d}", seconds=checkpoint_seconds) if checkpoints else None
        chosen = [configs[index] for index in members]
        jobs.append(delayed(_run_program)(os.getpid(), members, chosen, data, device, file, captured))
    curves: dict[int, pd.DataFrame] = {}
    seconds: dict[int, float] = {}
    parallel = Parallel(n_jobs=min(workers, len(parts)), return_as="generator_unordered")
    for members, trained in parallel(jobs):
        curves |= zip(members, trained.curves, strict=True)
        seconds |= dict.fromkeys(members, trained.seconds / len(members))
        if progress is not None:
            progress(len(curves), len(configs), configs[members[0]])
    order = range(len(configs))
    return Runs(configs, [curves[index] for index in order], [seconds[index] for index in order])


def identity(configs: Sequence[MnistConfig], device: str, *, captured: bool = False) -> dict[str, Any]:
    """Return what a checkpoint must share with the run that continues it: configuration, code and device."""
    from simulations.resuming.fingerprint import code_version

    return {
        "configuration": [asdict(config) for config in configs],
        "code": code_version(train),
        "programs": programs(configs),
        "device": device,
        **({"captured": True} if captured else {}),
    }


def _run_program(
    owner: int,
    members: list[int],
    configs: list[MnistConfig],
    data: Mnist,
    device: str,
    checkpoint: CheckpointFile | None,
    captured: bool,
) -> tuple[list[int], Trained]:
    program_of = CapturedProgram if captured else None
    with working_for(owner), single_thread():
        return members, train(configs, data, torch.device(device), checkpoint=checkpoint, program_of=program_of)


def run_contenders(
    run: Callable[..., pd.DataFrame],
    contenders: Sequence[Any],
    size: Any,
    data: Mnist,
    device: torch.device,
    *,
    checkpoints: CheckpointDirectory | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Run every contender of a study, one after the other, and join their tables.

    Parameters
    ----------
    run : callable
        ``run(contender, size, data, device)`` trains one and returns its rows.
    contenders : sequence
        Each with a ``label``.
    size : dataclass
        Of the study, at a preset.
    data : Mnist
    device : torch.device
    checkpoints : CheckpointDirectory, optional
        Open; contenders in it are done.
    progress : callable
        Told which contender begins.
    """
    jobs = [(contender.label, partial(run, contender, size, data, device)) for contender in contenders]
    return run_in_turn(jobs, checkpoints=checkpoints, progress=progress)


def run_in_turn(
    jobs: Sequence[tuple[str, Callable[[], pd.DataFrame]]],
    *,
    checkpoints: CheckpointDirectory | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Make the tables of named contenders one after the other, on one thread, and join them.

    Those in ``checkpoints`` are done.
    """
    named = [(f"contender-{number:02d}", label, make) for number, (label, make) in enumerate(jobs, start=1)]
    with single_thread():
        return measured_in_turn(named, checkpoints, progress)


def trained_and_read(
    program: SeedProgram, settings: Mapping[str, Any], name: str, read: Callable[[], Sequence[float]]
) -> pd.DataFrame:
    """Train the seeds of a new program to the end, and read one more number of each at every evaluation.

    Parameters
    ----------
    program : SeedProgram
    settings : mapping
        Columns that are the same in all rows.
    name : str
        The column of what ``read`` returns, one number a seed.
    read : callable

    Returns
    -------
    DataFrame
        One row a seed and evaluation: the settings, seed, update, forward_samples, backward_samples, test_error
        (greedy), and what was read.
    """
    config, columns = program.config, [*_COUNTED, "test_error"]
    rows: list[dict[Any, Any]] = []
    while True:
        with torch.no_grad():
            program.evaluate()
            found = read()
        for seed, curve, number in zip(program.seeds, program.curves(), found, strict=True):
            rows.append({**settings, "seed": seed} | curve[columns].iloc[-1].to_dict() | {name: number})
        left = config.updates - program.step.counts.updates
        if not left:
            break
        for _ in range(min(config.eval_every, left)):
            program.update()
    frame = pd.DataFrame(rows).astype(dict.fromkeys(_COUNTED, "int64"))
    return frame.sort_values(["seed", "update"], ignore_index=True)


def write_contenders(
    preset: str,
    out: Path,
    *,
    kind: str,
    sizes: Mapping[str, Any],
    contenders: Sequence[Any],
    run: Callable[..., pd.DataFrame],
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Run a study of contenders and write its table; what an earlier call left unfinished is continued.

    Parameters
    ----------
    preset : str
    out : Path
    kind : str
        Of the table.
    sizes : mapping
        By preset: dataclasses that have the number of ``seeds``.
    contenders : sequence
        Each with a ``label``.
    run : callable
        What trains one contender, as in :func:`run_contenders`; the table depends on its code.
    device : str
    overwrite : bool
    command : str
        What the user typed.
    progress : callable

    Raises
    ------
    ValueError, ReportedError
        If the preset or the device is not known, or the table cannot be written; before any training.
    """
    resolved, size = resolve(device), sizes[choice("preset", preset, sizes)]
    config = {"preset": preset, "size": asdict(size), "contenders": [contender.label for contender in contenders]}
    measurement = Measurement(out, kind, config, run, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    with measurement.in_parts() as parts:
        frame = run_contenders(
            run, contenders, size, load_mnist(), resolved, checkpoints=parts.checkpoints, progress=progress
        )
        return parts.write(frame, seeds=list(range(size.seeds)), clock=clock(resolved)[1])
