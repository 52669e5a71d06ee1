"""The committed tables of a language model, put together from their parts, and what learning curves say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kondo_theory.cost import step_cost
from simulations.errors import ResultError
from simulations.results.tables import COMMITTED, Table, load, with_seconds
from simulations.results.whole_tables import largest

__all__ = ["FULL", "RUN", "committed", "ends", "kind_of", "timed_steps", "with_run_seconds"]

RUN = ["label", "task", "trainable", "learning_rate", "updates", "seed"]
"""Columns that name a run."""
FULL = 1.0
"""The rate of a step that keeps all rows."""


def kind_of(study: str) -> str:
    """Return the kind of the tables of a study."""
    return f"language-model-{study}"


def committed(study: str, directory: Path = COMMITTED) -> Table | None:
    """Return the largest committed table of a study, ``language-model-STUDY-*.parquet`` put together; None if none.

    Raises
    ------
    ResultError
        If one is damaged, or two are equally large.
    """
    paths = sorted(directory.glob(f"{kind_of(study)}-*.parquet"))
    return largest([table for table in map(load, paths) if table.kind == kind_of(study)])


def ends(tables: Sequence[Table]) -> pd.DataFrame:
    """Return one row a run: ``RUN``; origin; reward, greedy_reward and the counts at its end; start, gained and mean.

    start is the reward of the first evaluation, gained what it has grown by since, mean the reward over all
    evaluations after the first.
    """
    every = []
    for table in tables:
        for part in table.parts or (table,):
            ordered = part.frame.sort_values("update")
            runs = ordered.groupby(RUN, sort=False)
            found, later = runs.last(), ordered[ordered["update"] > 0].groupby(RUN, sort=False)
            found["start"] = runs["reward"].first()
            found["mean"] = later["reward"].mean()
            every.append(found.assign(gained=found["reward"] - found["start"], origin=part.origin).reset_index())
    return pd.concat(every, ignore_index=True)


def with_run_seconds(table: Table) -> pd.DataFrame:
    """Return learning curves with the columns ``seconds`` of training so far, evaluation apart, and ``device``.

    A run's seconds, of its sidecar, are spread over its updates by what was done: sampling by the tokens of answers,
    the second pass by the positions that went through it, the rest evenly.

    Raises
    ------
    ResultError
        If a sidecar is gone, or has not one entry a run.
    """
    frames = []
    for part in table.parts or (table,):
        spent, runs = part.sidecar.get("seconds"), part.frame.groupby(RUN, sort=False)
        if not isinstance(spent, list) or len(spent) != runs.ngroups:
            raise ResultError(f"{part.path} needs a sidecar with seconds of each of its {runs.ngroups} runs")
        timed = [_with_seconds(run, each) for (_, run), each in zip(runs, spent, strict=True)]
        frames += [run.assign(device=part.device) for run in timed]
    return pd.concat(frames, ignore_index=True)


def _with_seconds(run: pd.DataFrame, spent: dict[str, float]) -> pd.DataFrame:
    """Return one run's curve with the seconds so far, given those of each phase at its end."""
    run = run.sort_values("update")
    updates = run["update"].diff().fillna(0)
    done = {
        "sampling": (updates * run["answer_tokens"].fillna(0)).cumsum(),
        "backward": run["backward_positions"],
    }
    seconds = sum(
        value * _share(done.get(phase, run["update"])) for phase, value in spent.items() if phase != "evaluation"
    )
    return run.assign(seconds=seconds)


def _share(done: pd.Series[float]) -> pd.Series[float]:
    """Return how much of all was done so far; a run that did nothing of it spent nothing on it."""
    last = float(done.iloc[-1])
    return done / last if last else 0 * done


def timed_steps(table: Table) -> pd.DataFrame:
    """Return the timed steps of study cost, with the seconds of each part as an array over rounds.

    The column ``step`` is what a step takes without the screening pass; ``model`` the same by the physical accounting
    of :func:`kondo_theory.cost.step_cost`, which knows what all rows take, and the share of rows.

    Raises
    ------
    ResultError
        If the sidecar is gone, or has not one entry a row.
    """
    frame = with_seconds(table)
    found = frame.drop(columns="seconds").reset_index(drop=True)
    times = [np.asarray(each, dtype=np.float64) for each in frame["seconds"]]
    for place, part in enumerate(table.sidecar["parts"]):
        found[part] = pd.Series([each[:, place] for each in times])
    found["step"] = found["sampling"] + found["gate"] + found["backward"] + found["optimizer"]
    models: dict[Any, NDArray[np.float64]] = {}
    for _, group in found.groupby(["trainable", "reuse"], sort=False):
        full = group[group["rate"] == FULL].iloc[0]
        forward = full["screening pass"]
        beside = (full["sampling"] + full["optimizer"]) / forward
        for index, row in group.iterrows():
            share, c = row["rows"] / row["answers"], np.maximum(full["backward"] / forward - 1, 0.0)
            cost = step_cost(share, c, "physical", screening_cost=0.0, acting_cost=beside)
            models[index] = np.asarray(cost * forward)
    found["model"] = pd.Series(models)
    return found
