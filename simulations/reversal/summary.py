"""What the learning curves of token reversal say: final errors, and what it took to reach one.

Every seed counts: one that never reaches an error took infinitely long. Errors are those of sampled answers; greedy
ones stand beside them, for a stalled policy can be greedily perfect.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table

from kondo_theory.screening import RULES
from simulations.statistics import Interval, bootstrap

__all__ = [
    "FINAL_EVALUATIONS",
    "LEARNT",
    "LONGEST",
    "LONGEST_WITHIN",
    "RUN",
    "TASK",
    "compared",
    "error_at",
    "final",
    "progress",
    "scaling_table",
    "seeds_of",
    "spent_to_error",
    "stalled",
    "summary_table",
]

TASK = ["vocab_size", "length", "reward", "learning_rate"]
"""Columns that, with the label, name a method on a task."""

RUN = ["label", "method", "rate", "rule", *TASK, "seed"]
"""Columns that name a run."""

FINAL_EVALUATIONS = 3
TARGET = 0.01
LEARNT = 0.9
"""Final training reward of a run that has learnt."""
STALLED_SLOPE = 0.05
"""Reward per 1,000 updates: at that pace a run of 1,000 updates would gain a twentieth in as many again."""

AXES = {"length": "H, at M = 2", "vocab_size": "M, at H = 10"}
"""What grows in the search for the largest size, and at what."""
LONGEST = {"PG": 5, "PPO": 8, "PMPO": 12, "DG": 27, "row gate(3 %)": 29}
"""Published longest H at M = 2 [KG §5], by the label here; DG-K(3 %) stands at the row gate."""
LONGEST_WITHIN = 1_000_000
"""Rows, forward or backward, in which they were found."""

FloatArray = NDArray[np.float64]


def final(runs: pd.DataFrame, column: str) -> FloatArray:
    """Return the mean of a column over each seed's last three evaluations, (n_seeds,).

    ``runs`` has one method on one task.
    """
    curves = runs.sort_values(["seed", "update"]).groupby("seed")[column]
    means: FloatArray = curves.apply(lambda values: values.tail(FINAL_EVALUATIONS).mean()).to_numpy(np.float64)
    return means


def spent_to_error(runs: pd.DataFrame, error: float, spent: str) -> FloatArray:
    """Return what each seed had spent at its first evaluation with a sampled token error below ``error``; ∞ if never.

    ``spent`` is a cumulative column such as ``forward_rows``; returns (n_seeds,).
    """
    reached = runs[runs["token_error"] < error].sort_values("update").groupby("seed")[spent].first()
    return np.asarray(reached.astype(np.float64).reindex(seeds_of(runs), fill_value=np.inf), dtype=np.float64)


def seeds_of(runs: pd.DataFrame) -> list[int]:
    """Return the seeds, ascending."""
    return sorted(int(seed) for seed in runs["seed"].unique())


def progress(table: pd.DataFrame) -> pd.DataFrame:
    """Return where each run stands at its end, one row a run.

    Returns
    -------
    DataFrame
        The columns ``RUN``; updates; late_reward and slope (per 1,000 updates, least squares) of the training reward
        over the last third of the updates; final_reward, final_error and final_greedy_error (of tokens), means of the
        last three evaluations; learnt; and backward_tokens, all of them.
    """
    rows = []
    for key, run in table.groupby(RUN, sort=False, dropna=False):
        curve = run.sort_values("update")
        late = curve[curve["update"] > 2 / 3 * curve["update"].max()]
        last = curve.tail(FINAL_EVALUATIONS)
        reward = float(last["train_reward"].mean())
        slope = np.polyfit(late["update"] / 1_000, late["train_reward"], 1)[0] if len(late) > 1 else math.nan
        rows.append(
            dict(zip(RUN, key, strict=True))
            | {
                "updates": int(curve["update"].max()),
                "late_reward": float(late["train_reward"].mean()),
                "slope": float(slope),
                "final_reward": reward,
                "final_error": float(last["token_error"].mean()),
                "final_greedy_error": float(last["greedy_token_error"].mean()),
                "learnt": reward >= LEARNT,
                "backward_tokens": int(curve["backward_tokens"].max()),
            }
        )
    return pd.DataFrame(rows)


def stalled(run: pd.Series[Any], control: pd.Series[Any]) -> bool:
    """Return whether a run, a row of :func:`progress`, has stalled: going nowhere, on a task that can be learnt.

    A run that is merely slow still climbs (slope), or its control, with the same budget of updates and backward
    tokens, has not learnt either.
    """
    return bool(run["late_reward"] < LEARNT and run["slope"] < STALLED_SLOPE and control["learnt"])


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return learning curves of gates at a rate with the columns level and error.

    ``level`` is what the rule decides on here, ``token``, ``answer`` or ``prompt``; ``error`` is the share of wrong
    tokens of sampled answers.
    """
    levels = [
        "prompt" if RULES[rule].granularity == "prompt" else {"row-gate": "answer", "token-gate": "token"}[method]
        for method, rule in zip(frame["method"], frame["rule"], strict=True)
    ]
    columns = frame.drop(columns=["level", "error"], errors="ignore")
    columns.insert(list(columns).index("rule") + 1, "level", levels)
    return columns.assign(error=columns["token_error"])


def error_at(frame: pd.DataFrame, backward_rows: float) -> pd.DataFrame:
    """Return the error of each run when it had backpropagated so many rows.

    Between evaluations the error is interpolated in the rows; NaN for a run that has not backpropagated as many.

    Parameters
    ----------
    frame : DataFrame
        From :func:`compared`.
    backward_rows : float

    Returns
    -------
    DataFrame
        The columns ``RUN``, level and error, one row a run.
    """
    rows = []
    for key, run in frame.groupby([*RUN, "level"], sort=False, dropna=False):
        curve = run.sort_values("update")
        spent, error = curve["backward_rows"].to_numpy(np.float64), curve["error"].to_numpy(np.float64)
        found = float(np.interp(backward_rows, spent, error, right=np.nan))
        rows.append(dict(zip([*RUN, "level"], key, strict=True)) | {"error": found})
    return pd.DataFrame(rows)


def summary_table(table: pd.DataFrame) -> Table:
    """Return final errors and crossings of every method on every task, as a table for the terminal."""
    errors_of = ("sampled token", "sequence", "greedy token", "sequence")
    shown = Table("method", "M", "H", *errors_of, f"< {TARGET:.0%}", "rows to it")
    shown.title = "final errors, percent: median over seeds with its 95 % bootstrap interval"
    for column in shown.columns[1:]:
        column.justify = "right"
    several = {name: len(table[name].unique()) > 1 for name in ("reward", "learning_rate")}
    for (label, *task), runs in table.groupby(["label", *TASK], sort=False):
        vocab_size, length, reward, learning_rate = task
        name = str(label)
        name += f", {reward}" if several["reward"] else ""
        name += f", {learning_rate:g}" if several["learning_rate"] else ""
        errors = [
            100 * final(runs, f"{kind}_error") for kind in ("token", "sequence", "greedy_token", "greedy_sequence")
        ]
        rows = spent_to_error(runs, TARGET, "forward_rows")
        reached = f"{int(np.isfinite(rows).sum())} of {len(rows)}"
        cells = [_show(bootstrap(values, n_resamples=2_000)) for values in errors]
        shown.add_row(name, str(vocab_size), str(length), *cells, reached, _count(float(np.median(rows))))
    return shown


def scaling_table(table: pd.DataFrame) -> Table:
    """Return the largest size that each method solved, of every budget, as a table for the terminal."""
    shown = Table("method", "what grows", "rows", "budget", "largest solved, by seed")
    keys = ["axis", "spent", "budget", "label"]
    for (axis, spent, budget, label), runs in table.groupby(keys, sort=False):
        sizes = ", ".join(str(size) for size in runs.sort_values("seed")["largest"])
        shown.add_row(str(label), AXES[str(axis)], str(spent).removesuffix("_rows"), f"{budget:,}", sizes)
    return shown


def _show(interval: Interval) -> str:
    return f"{interval.value:.3g} ({interval.low:.3g}–{interval.high:.3g})"


def _count(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:,.0f}"
