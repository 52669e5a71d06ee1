"""Measurements on training a language model when methods have spent as much: as many backward rows, or seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simulations.language_model.tables import RUN, with_run_seconds
from simulations.statistics import student
from simulations.verification.checks.evidence import Measured
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.language_model.runs import PG, Runs

__all__ = ["spending_rows"]

_SPENT = {"backward rows": "backward_rows", "CPU seconds": "seconds"}


def spending_rows(runs: Runs) -> Iterator[Measured]:
    """Yield by how much each method is ahead of PG where both have spent as much as the one that spent less in all.

    Rewards between evaluations are interpolated; those before the last have fewer answers.
    """
    curves = {
        key: curve.sort_values("update")
        for table in runs.tables
        for key, curve in with_run_seconds(table).groupby(RUN, sort=False)
    }
    for label in dict.fromkeys(str(label) for label in runs.frame["label"] if label != PG):
        pairs = runs.pairs(label, PG)
        for words, column in _SPENT.items() if len(pairs) else ():
            ahead = [_ahead(curves, run, label, column) for run in pairs.to_dict("records")]
            point = method_of(label) | {"against": PG, "spent": words}
            yield runs.row(f"reward at equal {words}, {label} − PG", student(ahead), pairs, point)


def _ahead(curves: Mapping[Any, pd.DataFrame], run: Mapping[Any, Any], label: str, column: str) -> float:
    """Return the reward of a method's run less that of PG's, where both have spent the smaller of their totals."""
    pair = [curves[tuple(each if name == "label" else run[name] for name in RUN)] for each in (label, PG)]
    spent = min(float(each[column].iloc[-1]) for each in pair)
    own, other = (float(np.interp(spent, each[column], each["reward"])) for each in pair)
    return own - other
