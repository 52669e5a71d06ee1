"""Measurements on training a language model when methods have spent as much: as many backward rows, or seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simulations.language_model.tables import RUN, with_run_seconds
from simulations.statistics import stratified
from simulations.verification.checks.evidence import Measured
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.language_model.runs import PG, Runs

__all__ = ["spending_rows"]

_SPENT = {"backward rows": "backward_rows", "CPU seconds": "seconds"}


def spending_rows(runs: Runs) -> Iterator[Measured]:
    """Yield by how much each method is ahead of PG where both have spent as much as the one that spent less in all.

    Rewards between evaluations, and between the start and the first, are interpolated; those before the last have
    fewer answers. Seconds are compared where both runs are of one device; what else it did meanwhile is in them.
    """
    curves = {
        key: curve.sort_values("update")
        for table in runs.tables
        for key, curve in with_run_seconds(table).groupby(RUN, sort=False)
    }
    for label in dict.fromkeys(str(label) for label in runs.frame["label"] if label != PG):
        pairs = runs.pairs(label, PG)
        for words, column in _SPENT.items():
            both = [_pair(curves, run, label) for run in pairs.to_dict("records")]
            comparable = [column != "seconds" or _one_device(*pair) for pair in both]
            if not any(comparable):
                continue
            ahead = [_ahead(*pair, column) for pair, kept in zip(both, comparable, strict=True) if kept]
            there, point = pairs[comparable], method_of(label) | {"against": PG, "spent": words}
            yield runs.row(f"reward at equal {words}, {label} − PG", stratified(ahead, there["task"]), there, point)


def _pair(
    curves: Mapping[Any, pd.DataFrame], run: Mapping[Any, Any], label: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves of a method's run and of PG's beside it."""
    own, pg = (curves[tuple(each if name == "label" else run[name] for name in RUN)] for each in (label, PG))
    return own, pg


def _one_device(own: pd.DataFrame, pg: pd.DataFrame) -> bool:
    return bool(own["device"].iloc[0] == pg["device"].iloc[0])


def _ahead(own: pd.DataFrame, pg: pd.DataFrame, column: str) -> float:
    """Return the reward of a method's run less that of PG's, where both have spent the smaller of their totals."""
    spent = min(float(each[column].iloc[-1]) for each in (own, pg))
    reward, reference = (float(np.interp(spent, each[column], each["reward"])) for each in (own, pg))
    return reward - reference
