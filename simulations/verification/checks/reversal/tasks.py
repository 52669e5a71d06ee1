"""Measurements of methods on other tasks of token reversal: who makes fewer errors, and what flipping changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulations.reversal.readings.tasks import CELLS, METHODS, PAIRS, PPO, Cell, TaskErrors, flip_distance
from simulations.reversal.tables import Curves
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import over_seeds, taken_from
from simulations.verification.checks.reversal.runs import curves

__all__ = ["order_rows", "task_rows", "tasks"]

LEVEL = 0.01
_ORDER = (
    ("DG makes fewer errors than PG", ("DG",), "PG"),
    ("zero price makes fewer errors than PG", ("zero-price",), "PG"),
    ("PMPO makes fewer errors than PG", ("PMPO",), "PG"),
    ("DG and zero price make fewer errors than PMPO", ("DG", "zero-price"), "PMPO"),
    ("PPO makes fewer errors than PG", (PPO,), "PG"),
    ("DG and zero price make fewer errors than PPO", ("DG", "zero-price"), PPO),
)
"""The published order: who makes fewer errors than whom."""


def tasks(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-tasks``."""
    return task_rows(curves(context, "tasks"))


def task_rows(found: Curves) -> list[Measured]:
    """Return who makes fewer errors than whom, in how many cells, a task less its flip, and every method's errors."""
    errors = TaskErrors.of(found.frame)
    rows = [*order_rows(found, errors), *(_flip_row(found, errors, reward) for reward in ("prefix", "bag"))]
    for cell in CELLS:
        for name in errors.names(cell):
            rows += _of_method(found, errors, cell, name)
    return rows


def order_rows(found: Curves, errors: TaskErrors | None = None) -> list[Measured]:
    """Return the rows of the claim's criteria: in how many cells the order is as published, and the flips."""
    errors = errors or TaskErrors.of(found.frame)
    trained = {cell: errors.names(cell) for cell in CELLS}
    medians = {
        (cell, name): float(np.median(errors.training(cell, name))) for cell in CELLS for name in trained[cell]
    }
    rows = []
    for words, fewer, more in _ORDER:
        cells = [cell for cell in CELLS if {*fewer, more} <= set(trained[cell])]
        true = sum(all(medians[cell, name] < medians[cell, more] for name in fewer) for cell in cells)
        compared = pd.concat([errors.runs(cell, name) for cell in cells for name in (*fewer, more)])
        quantity, n_seeds = f"{words}, of {len(cells)} cells", int(compared["seed"].nunique())
        point: dict[str, Value] = {"method": fewer, "against": more, "cells": len(cells)}
        rows.append(taken_from(found, compared, quantity, (float(true),) * 3, n_seeds, point))
    return [*rows, _flip_row(found, errors)]


def _flip_row(found: Curves, errors: TaskErrors, reward: str | None = None) -> Measured:
    """Return a task less its flip in standard errors, all pairs together or those of one reward."""
    pairs = [pair for pair in PAIRS if reward in (None, pair[0][1])]
    both = [(plain, flip, name) for plain, flip in pairs for name in METHODS]
    samples = [(errors.training(plain, name), errors.training(flip, name)) for plain, flip, name in both]
    compared = pd.concat([errors.runs(cell, name) for *pair, name in both for cell in pair])
    point: dict[str, Value] = {"method": tuple(name.partition("(")[0] for name in METHODS), "unit": "standard errors"}
    if reward is not None:
        point["reward"] = reward
    n_seeds = min(len(each) for pair in samples for each in pair)
    name = "a task less its flip, in standard errors" + ("" if reward is None else f", by {reward}")
    return taken_from(found, compared, name, (flip_distance(samples),) * 3, n_seeds, point)


def _of_method(found: Curves, errors: TaskErrors, cell: Cell, name: str) -> list[Measured]:
    """Return a method's errors in a cell: while it trained, at the end, of whole answers; and when below 1 %."""
    runs = errors.runs(cell, name)
    point: dict[str, Value] = {**method_of(name), "task": cell[0], "reward": cell[1]}
    measured: tuple[tuple[str, np.ndarray, dict[str, Value]], ...] = (
        ("errors in training", errors.training(cell, name), {"error": "token", "measure": "mean of the training"}),
        ("final token error", errors.final(cell, name, "error"), {"error": "token"}),
        ("final error of whole answers", errors.final(cell, name, "whole"), {"error": "sequence"}),
        ("updates to 1 % token error", errors.updates_to(cell, name, LEVEL), {"target error": LEVEL}),
    )
    where = f"{name}, {cell[0]} by {cell[1]}"
    return [
        over_seeds(f"{words}, {where}", values, found, runs, {**point, **more}) for words, values, more in measured
    ]
