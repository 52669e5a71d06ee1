"""Measurements of what the row gate saves over PG to one error, at growing lengths and vocabularies."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from kondo_theory import cost
from simulations.results.tables import COMMITTED, load
from simulations.reversal.readings.speedup import (
    COSTS,
    GATE,
    HARDNESS,
    JUDGED_COST,
    LEVELS,
    METHODS,
    REFERENCE,
    Setting,
    Spending,
    runs_at,
    saved_a_step,
    seconds_an_update,
)
from simulations.reversal.tables import Curves
from simulations.statistics import bootstrap
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import over_seeds, taken_from
from simulations.verification.checks.reversal.runs import curves

__all__ = ["judged_rows", "speedup", "speedup_rows"]

Seconds = Mapping[tuple[Setting, str], pd.Series]
"""Of a setting and a label what an update takes, of each seed."""
_GROWTH: tuple[tuple[Setting, Setting, str, dict[str, Value]], ...] = (
    ((5, 2), (20, 2), "from H = 5 to H = 20, M = 2", {"H": (5, 20), "M": 2}),
    ((10, 2), (10, 4), "from M = 2 to M = 4, H = 10", {"H": 10, "M": (2, 4)}),
)


def speedup(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-speedup``; seconds are those of one table, where runs took turns."""
    found = curves(context, "speedup")
    tables = context.tables.parts("reversal-speedup")
    if not tables and context.preset != "paper":
        tables = [load(COMMITTED / "reversal-speedup-quick.parquet", kind="reversal-speedup")]
    seconds: dict[tuple[Setting, str], pd.Series] = {}
    for table in tables:
        seconds |= seconds_an_update(table)
    return speedup_rows(found, seconds)


def speedup_rows(found: Curves, seconds: Seconds | None = None) -> list[Measured]:
    """Return answers to an error, speed-ups at several costs, counted, in FLOPs and in seconds, and their growth."""
    spending = Spending(found.frame)
    rows = judged_rows(found, spending)
    for setting in HARDNESS:
        for label in METHODS:
            for error in LEVELS:
                spent = spending.by_seed(label, setting, error)["forward_rows"]
                words = f"answers to {100 * error:g} % token error, {label}"
                rows.append(_row(found, words, spent, label, setting, {"target error": error}))
        for label in METHODS[1:]:
            rows += _counted(found, spending, label, setting)
        rows += _physical(found, spending, setting, seconds or {})
    return rows


def judged_rows(found: Curves, spending: Spending | None = None) -> list[Measured]:
    """Return the rows of the claim's criteria: the least speed-up, and its growth."""
    spending = spending or Spending(found.frame)
    error, c = LEVELS[0], JUDGED_COST
    by_setting = {setting: spending.speedups(GATE, setting, c, error) for setting in HARDNESS}
    smallest = min(by_setting.values(), key=lambda values: float(values.median()))
    shared: dict[str, Value] = {**method_of(GATE), "against": REFERENCE, "c": c, "target error": error}
    compared = pd.concat([runs_at(found.frame, label, at) for label in (REFERENCE, GATE) for at in HARDNESS])
    least = bootstrap(smallest.to_numpy())
    name = f"speed-up at c = {c:g}, {GATE} over {REFERENCE}, smallest setting"
    ends = (least.value, least.low, least.high)
    rows = [taken_from(found, compared, name, ends, len(smallest), shared | {"setting": "smallest"})]
    for small, large, words, point in _GROWTH:
        growth = (by_setting[large] / by_setting[small]).dropna()
        name = f"growth of the speed-up at c = {c:g} {words}"
        rows.append(over_seeds(name, growth.to_numpy(), found, compared, {**shared, **point}))
    return rows


def _counted(found: Curves, spending: Spending, label: str, setting: Setting) -> list[Measured]:
    """Return a method's speed-ups over PG, counted; of the gate also what they are at as many answers."""
    rows = []
    for error, c in (*((LEVELS[0], c) for c in COSTS), (LEVELS[1], JUDGED_COST)):
        point: dict[str, Value] = {"against": REFERENCE, "c": c, "target error": error}
        if label == GATE:
            rate = float(runs_at(found.frame, label, setting)["rate"].iloc[0])
            point["predicted"] = float(cost.speedup(1.0, 1.0, rate, c, "logical"))
        name = f"speed-up at c = {c:g} to {100 * error:g} % token error, {label} over {REFERENCE}"
        rows.append(_row(found, name, spending.speedups(label, setting, c, error), label, setting, point))
    return rows


def _physical(found: Curves, spending: Spending, setting: Setting, seconds: Seconds) -> list[Measured]:
    """Return the gate's speed-up in FLOPs, that which the model of step cost says of its answers, and in seconds."""
    error = LEVELS[0]
    full, gate = (spending.by_seed(label, setting, error) for label in (REFERENCE, GATE))
    answers = (full["forward_rows"] / gate["forward_rows"]).dropna()
    point: dict[str, Value] = {"against": REFERENCE, "target error": error}
    flops: dict[str, Value] = {**point, "unit": "FLOPs"}
    to_error = f"to {100 * error:g} % token error, {GATE} over {REFERENCE}"
    name, same = f"speed-up in FLOPs {to_error}", f"speed-up in FLOPs, predicted from the answers {to_error}"
    rows = [
        _row(found, name, (full["flops"] / gate["flops"]).dropna(), GATE, setting, flops),
        _row(found, same, answers * saved_a_step(found.frame, setting), GATE, setting, flops),
    ]
    if not all((setting, label) in seconds for label in (REFERENCE, GATE)):
        return rows
    saved = seconds[setting, REFERENCE] / seconds[setting, GATE]
    gained = answers * float(saved.median())
    unit: dict[str, Value] = {"against": REFERENCE, "unit": "CPU seconds"}
    return [
        *rows,
        _row(found, f"CPU seconds of an update, {REFERENCE} over {GATE}", saved, GATE, setting, unit),
        _row(found, f"speed-up in CPU seconds {to_error}", gained, GATE, setting, unit | point),
    ]


def _row(
    found: Curves, quantity: str, values: pd.Series, label: str, setting: Setting, point: Mapping[str, Value]
) -> Measured:
    length, vocab_size = setting
    runs = pd.concat([runs_at(found.frame, name, setting) for name in dict.fromkeys((REFERENCE, label))])
    where: dict[str, Value] = {**method_of(label), "H": length, "M": vocab_size, **point}
    return over_seeds(f"{quantity}, H = {length}, M = {vocab_size}", values.to_numpy(), found, runs, where)
