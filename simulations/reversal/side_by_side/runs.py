"""All runs of token reversal that are asked for: programs of a few seeds, in processes side by side.

A program is up to five seeds of one method (fewer at large batches, whose products are large already), whatever the
number of workers, and runs on one CPU thread; so a table has the same bytes for any number of workers. A program of
one seed is the same code: what a seed becomes does not depend on how many were asked for, as
:mod:`simulations.reversal.side_by_side.seeds` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed

from simulations.devices import single_thread
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile, working_for
from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side.captured import CapturedSeeds
from simulations.reversal.side_by_side.seeds import train, trained

__all__ = ["programs", "run_many"]

SEEDS_A_PROGRAM = 5
ROWS_A_PROGRAM = 1_000
"""Answers of all seeds' batches."""


def programs(configs: Sequence[ReversalConfig]) -> list[list[int]]:
    """Return which configurations train side by side: equal but for the seed, in the given order."""
    methods: dict[ReversalConfig, list[int]] = {}
    for index, config in enumerate(configs):
        methods.setdefault(replace(config, seed=0), []).append(index)
    parts = []
    for method, members in methods.items():
        size = max(1, min(SEEDS_A_PROGRAM, ROWS_A_PROGRAM // (method.prompts * method.answers)))
        parts += [members[first : first + size] for first in range(0, len(members), size)]
    return parts


def run_many(
    configs: Sequence[ReversalConfig],
    *,
    device: str = "cpu",
    workers: int = 1,
    checkpoints: CheckpointDirectory | None = None,
    checkpoint_seconds: float = 30.0,
    captured: bool = False,
) -> Iterator[tuple[int, pd.DataFrame, pd.DataFrame]]:
    """Run every configuration, and yield (index, curve, timings) of each run as its program ends.

    Parameters
    ----------
    configs : sequence of ReversalConfig
    device : str
        A torch device; on a GPU one worker is usually best.
    workers : int
        Processes. They do not change the results.
    checkpoints : CheckpointDirectory, optional
        Open; the programs that it holds go on from there.
    checkpoint_seconds : float
        How often each program saves its state, at most once an evaluation.
    captured : bool
        Record a batch and replay it; see :mod:`simulations.reversal.side_by_side.captured`.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    ReportedError
        If a policy stops being a number, or a checkpoint is damaged.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    parts = programs(configs)
    jobs: list[Any] = []
    for number, members in enumerate(parts):
        file = checkpoints.file(f"program-{number:04d}", seconds=checkpoint_seconds) if checkpoints else None
        chosen = [configs[index] for index in members]
        jobs.append(delayed(_run_program)(os.getpid(), members, chosen, device, file, captured))
    for members, found in Parallel(n_jobs=min(workers, len(parts) or 1), return_as="generator_unordered")(jobs):
        for index, (curve, timings) in zip(members, found, strict=True):
            yield index, curve, timings


def _run_program(
    owner: int,
    members: list[int],
    configs: list[ReversalConfig],
    device: str,
    checkpoint: CheckpointFile | None,
    captured: bool,
) -> tuple[list[int], list[tuple[pd.DataFrame, pd.DataFrame]]]:
    with working_for(owner), single_thread():
        if captured:
            return members, trained(CapturedSeeds(configs, torch.device(device)), checkpoint)
        return members, train(configs, torch.device(device), checkpoint)
