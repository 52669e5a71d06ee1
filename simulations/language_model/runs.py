"""All runs of an experiment on a language model, in processes side by side, each with a model of its own."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed

from simulations.devices import single_thread
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.training import LanguageModelRun
from simulations.language_model.weights import load_directory
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile, working_for

__all__ = ["run_many", "run_one", "tidy"]


def run_one(
    config: LanguageModelConfig,
    device: torch.device,
    directory: Path | None = None,
    checkpoint: CheckpointFile | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one model and return its learning curve and where the time went.

    Parameters
    ----------
    config : LanguageModelConfig
    device : torch.device
    directory : Path, optional
        Of the model; by default the verified weights.
    checkpoint : CheckpointFile, optional
        Saved when due, after updates, and at the end. If it holds a state the run goes on from there, to the same
        curve.

    Returns
    -------
    curve : DataFrame
        One row an evaluation (at update 0, every ``eval_every`` and at the end): update; ``COUNTS``, cumulative,
        evaluation not counted; train_reward, surprisal (of a token, nats) and answer_tokens, means since the last
        evaluation, NaN at update 0; largest_gap so far between the two passes, nats; reward and right (share of
        answers whose reward is 1) of sampled, greedy_reward and greedy_right of greedy evaluation answers.
    timings : DataFrame
        The same rows: update, and cumulative seconds of ``PHASES`` and of evaluation.

    Raises
    ------
    ReportedError
        If the weights are missing, the two passes disagree, a number is not finite, or the checkpoint is damaged or
        of another run.
    """
    run = LanguageModelRun(config, device, *load_directory(directory))
    state = checkpoint.load() if checkpoint is not None else None
    if state is None:
        run.evaluate()
    else:
        run.restore(state)
    while run.update < config.updates:
        run.train_batch()
        last = run.update == config.updates
        if run.update % config.eval_every == 0 or last:
            run.evaluate()
        if checkpoint is not None and (checkpoint.is_due() or last):
            checkpoint.save(run.state())
    return pd.DataFrame(run.rows), pd.DataFrame(run.timings)


def run_many(
    configs: Sequence[LanguageModelConfig],
    *,
    directory: Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    checkpoints: CheckpointDirectory | None = None,
    checkpoint_seconds: float = 30.0,
) -> Iterator[tuple[int, pd.DataFrame, pd.DataFrame]]:
    """Run every configuration, in processes side by side, and yield (index, curve, timings) as each run ends.

    Parameters
    ----------
    configs : sequence of LanguageModelConfig
    directory : Path, optional
        Of the model; by default the verified weights.
    device : str
        A torch device; on a GPU one worker is usually best.
    workers : int
        Processes, each with a model of its own. They do not change the results.
    checkpoints : CheckpointDirectory, optional
        Open; the runs that it holds go on from there.
    checkpoint_seconds : float
        How often each run saves its state.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    jobs: list[Any] = []
    for index, config in enumerate(configs):
        file = checkpoints.file(f"run-{index:04d}", seconds=checkpoint_seconds) if checkpoints else None
        jobs.append(delayed(_run_indexed)(os.getpid(), index, config, device, directory, file))
    yield from Parallel(n_jobs=min(workers, len(configs) or 1), return_as="generator_unordered")(jobs)


def tidy(configs: Sequence[LanguageModelConfig], curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the curves into one table with the configuration of each run in front, in the order of ``configs``."""
    frames = []
    for config, curve in zip(configs, curves, strict=True):
        columns = {key: math.nan if value is None else value for key, value in asdict(config).items()}
        frames.append(curve.assign(label=config.label, **columns)[["label", *columns, *curve.columns]])
    return pd.concat(frames, ignore_index=True)


def _run_indexed(
    owner: int,
    index: int,
    config: LanguageModelConfig,
    device: str,
    directory: Path | None,
    file: CheckpointFile | None,
) -> tuple[int, pd.DataFrame, pd.DataFrame]:
    with working_for(owner), single_thread():
        return index, *run_one(config, torch.device(device), directory, file)
