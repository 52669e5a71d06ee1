"""What the tables of a language model say, for the terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from simulations.language_model.predictions import gate_estimates, predicted_outcomes
from simulations.results.tables import load, with_seconds
from simulations.statistics import bootstrap

__all__ = ["cost_table", "frozen_table", "summary_table"]

_METHOD = ["label", "task", "trainable", "learning_rate"]


def summary_table(curves: pd.DataFrame) -> Table:
    """Return what every method on every task ended with, and what it went backward through."""
    shown = Table("method", "task", "what learns", "seeds", "at start", "sampled", "greedy", "backward rows", "of")
    shown.title = "mean reward of the evaluation's answers: median over seeds with its 95 % bootstrap interval"
    for column in shown.columns[3:]:
        column.justify = "right"
    several = len(curves["learning_rate"].unique()) > 1
    for (label, task, trainable, rate), runs in curves.groupby(_METHOD, sort=False):
        ordered = runs.sort_values("update").groupby("seed")
        first, last = ordered.first(), ordered.last()
        cells = [_interval(last[name]) for name in ("reward", "greedy_reward")]
        rows = [f"{float(last[name].median()):,.0f}" for name in ("backward_rows", "forward_rows")]
        name = f"{label}, {rate:g}" if several else str(label)
        start = f"{float(first['reward'].median()):.3f}"
        shown.add_row(name, str(task), str(trainable), str(len(last)), start, *cells, *rows)
    return shown


def cost_table(path: Path) -> Table:
    """Return the seconds of a step by phase, medians over rounds, and of the whole relative to all rows.

    Parameters
    ----------
    path : Path
        A table of :mod:`simulations.language_model.cost`.

    Raises
    ------
    ResultError
        If it is none, or its sidecar is gone.
    """
    table = load(path)
    frame, parts = with_seconds(table), list(table.sidecar["parts"])
    shown = Table("what learns", "trunk reused", "rows", *parts, "step", "of all rows")
    shown.title = "seconds of a step; without the screening pass, for the sampler's log-probabilities are there"
    for column in shown.columns[2:]:
        column.justify = "right"
    for (trainable, reuse), rows in frame.groupby(["trainable", "reuse"], sort=False):
        rounds = [np.asarray(each, dtype=np.float64) for each in rows["seconds"]]
        needed = [place for place, part in enumerate(parts) if part != "screening pass"]
        full = rounds[0][:, needed].sum(1)
        for kept, times in zip(rows["rows"], rounds, strict=True):
            step = times[:, needed].sum(1)
            cells = [f"{value:.3g}" for value in (*np.median(times, axis=0), np.median(step))]
            ratio = f"{np.median(step / full):.2f}"
            shown.add_row(str(trainable), "yes" if reuse else "no", str(kept), *cells, ratio)
    return shown


def frozen_table(path: Path) -> Table:
    """Return what every gate does at the pretrained policy, relative to PG, and what it is predicted to do.

    Parameters
    ----------
    path : Path
        A table of :mod:`simulations.language_model.frozen.study`.
    """
    shown = Table("task", "gate", "rows", "tokens", "drift", "length", "alignment", "predicted")
    shown.title = "what a batch keeps; the mean gradient along ∇J, the length and the angle in parts of PG's"
    for column in shown.columns[2:7]:
        column.justify = "right"
    blocks = load(path).frame
    kept = blocks.groupby(["task", "gate"])[["kept_rows", "kept_tokens"]].mean()
    outcomes = {(each.task, each.gate): each.predicted for each in predicted_outcomes(blocks)}
    for row in gate_estimates(blocks).to_dict("records"):
        place = (row["task"], row["gate"])
        numbers = [f"{row[name]:.2f} ± {row[f'{name}_error']:.2f}" for name in ("drift", "length", "alignment")]
        shown.add_row(*place, *(f"{number:.1f}" for number in kept.loc[place]), *numbers, outcomes[place])
    return shown


def _interval(values: pd.Series[float]) -> str:
    found = bootstrap(values.to_numpy(np.float64), n_resamples=2_000)
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"
