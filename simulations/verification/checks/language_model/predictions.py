"""What was predicted from the pretrained policy, before any run, against what training did."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from simulations.language_model.predictions import Score, frozen_blocks, gate_estimates, score
from simulations.language_model.tables import kind_of
from simulations.results.table_sizes import sizes_of_runs
from simulations.results.tables import Table
from simulations.statistics import Interval, student
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.language_model.runs import Runs, absent, table_of, task_point

__all__ = ["TOKENS", "compared_curves", "other_rows", "token_trap", "token_trap_rows"]

TOKENS = "token gate(3 %)"
STUDIES = ("learning", "methods")
OTHERS = "tasks"
"""The study of other tasks, whose predictions came later and are reported apart."""


def token_trap(context: Context) -> list[Measured]:
    """Return the rows of the claim ``language-model-token-trap``."""
    tables = [table for study in STUDIES if (table := table_of(context, study)) is not None]
    frozen, others = context.tables.find(kind_of("frozen")), table_of(context, OTHERS)
    blocks = frozen_blocks() if frozen is None else frozen.frame
    if not tables or blocks.empty:
        return [
            absent("predictions that came true", "no table of study " + ("learning" if not tables else "frozen"), {})
        ]
    return [*token_trap_rows(blocks, tables), *(other_rows(blocks, others) if others is not None else ())]


def compared_curves(tables: list[Table]) -> pd.DataFrame:
    """Return the learning curves of the longest runs, which predictions are compared with."""
    every = pd.concat([table.frame for table in tables], ignore_index=True)
    return every[every["updates"] == every["updates"].max()]


def token_trap_rows(blocks: pd.DataFrame, tables: list[Table]) -> list[Measured]:
    """Return the rows: predictions that came true, the token gate by delight by itself, and every gate's alignment.

    Alignments are those on tasks that were trained on.

    Parameters
    ----------
    blocks : DataFrame
        As :func:`simulations.language_model.predictions.frozen_blocks` returns it.
    tables : list of Table
        Of learning curves.
    """
    curves = compared_curves(tables)
    found, origin = score(blocks, curves), ", ".join(table.origin for table in tables)
    return [
        *_counted(found, curves, tables),
        _gained(Runs.read(tables)),
        *_alignments(blocks[blocks["task"].isin(set(curves["task"]))], found, origin),
    ]


def other_rows(blocks: pd.DataFrame, others: Table) -> list[Measured]:
    """Return the same of other tasks: what came true, the token gate on each, every gate's alignment."""
    curves, runs = compared_curves([others]), Runs.read([others])
    found = score(blocks, curves)
    return [
        *(row for row in _counted(found, curves, [others], ", other tasks") if row.seeds),
        *(_gained_on(runs, str(task)) for task in curves["task"].unique() if len(runs.of(TOKENS, str(task)))),
        *_alignments(blocks[blocks["task"].isin(set(curves["task"]))], found, others.origin),
    ]


def _counted(found: Score, curves: pd.DataFrame, tables: list[Table], where: str = "") -> list[Measured]:
    sizes = sizes_of_runs(curves) | {"predictions": len(found.outcomes)}
    origin, sources = ", ".join(table.origin for table in tables), tuple(table.source for table in tables)

    def row(quantity: str, value: float, number: int) -> Measured:
        return Measured(f"{quantity}{where}", value, value, value, number, None, origin, sizes, sources)

    return [
        row("outcomes that are the reverse of the predicted", found.reversed, len(found.outcomes)),
        row("share of predicted outcomes that came true", *_share(found.true_outcomes, len(found.outcomes))),
        row("share of predicted orders that came true", *_share(found.true_orders, len(found.orders))),
    ]


def _share(true: int, number: int) -> tuple[float, int]:
    return (true / number if number else float("nan")), number


def _gained(runs: Runs) -> Measured:
    quantity = f"reward that {TOKENS} gained, highest of the tasks"
    point = method_of(TOKENS) | {"extreme": "highest"}
    mine = runs.of(TOKENS)
    if mine.empty:
        return absent(quantity, f"no runs of {TOKENS}", point)
    found = {task: each for task, each in mine.groupby("task") if len(each) > 1} or dict(list(mine.groupby("task")))
    intervals = {task: student(each["gained"]) for task, each in found.items()}
    worst = max(intervals, key=lambda task: intervals[task].value)
    return runs.row(quantity, intervals[worst], found[worst], point, list(found.values()))


def _gained_on(runs: Runs, task: str) -> Measured:
    mine = runs.of(TOKENS, task)
    return runs.row(
        f"reward that {TOKENS} gained, task {task}",
        student(mine["gained"]),
        mine,
        method_of(TOKENS) | task_point(task),
    )


def _alignments(blocks: pd.DataFrame, found: Score, origin: str) -> Iterator[Measured]:
    """Yield the predicted alignment of each gate on each task, with twice its error, and what came of it."""
    observed = {(each.task, each.gate): (each.predicted, what) for each, what in found.outcomes}
    number = blocks.groupby("task")["block"].nunique()
    for row in gate_estimates(blocks).to_dict("records"):
        value, error = row["alignment"], 2 * row["alignment_error"]
        task, gate = str(row["task"]), str(row["gate"])
        said = observed.get((task, gate))
        note = f"predicted: {said[0]}, found: {said[1]}" if said else "not counted: not trained, undecided, or PG"
        interval = (
            Interval(value, value - error, value + error) if np.isfinite(error) else Interval(value, -np.inf, np.inf)
        )
        quantity = f"alignment at the pretrained policy / that of PG, {gate}, task {task}"
        ends = (interval.value, interval.low, interval.high)
        blocks_there = {"blocks": int(number[task])}
        yield Measured(quantity, *ends, int(number[task]), None, f"{origin}; {note}", blocks_there,
                       parameters=_gate(gate) | task_point(task) | {"against": "PG"})  # fmt: skip


def _gate(label: str) -> dict[str, Value]:
    within = label.endswith(" within prompts")
    return method_of(label.removesuffix(" within prompts")) | ({"kept": "within prompts"} if within else {})
