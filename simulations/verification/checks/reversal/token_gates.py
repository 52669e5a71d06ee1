"""Measurements of gates on single tokens beside whole answers, along training on token reversal.

What was predicted of them stands in :mod:`simulations.reversal.moments.rows`; none of it is demanded of a claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simulations.reversal.moments.rows import PATHS, RATES
from simulations.reversal.moments.tokens import named
from simulations.statistics import bootstrap
from simulations.verification.checks.evidence import Measured, Value

__all__ = ["FALLS", "cost_ratio", "policy_row", "token_balance_rows", "token_cost_rows"]

FALLS = {(2, 10): (0.56, 0.89), (10, 4): (0.32, 0.72)}
"""By M and H: between which rewards the mean field's drift by tokens at 3 % falls."""
INSIDE = 0.05
RATE = 0.03
_ANSWERS = ("delight", "advantage", "abs-advantage")


def token_balance_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return sums of the right logits' drifts at 3 % by tokens and answers, where the mean field falls and elsewhere.

    Parameters
    ----------
    frame : DataFrame
        As :func:`simulations.reversal.moments.rows.measure` makes it, for every path and seed; without gates on
        tokens there is nothing to return.
    origin : str
    """
    at = _learning(frame, RATE)
    tokens = at[at["gate"] == named("delight")]
    if tokens.empty:
        return []
    rows, balance = [], "sum of the right logits' drifts"
    for gates, unit in ((tokens, "token"), (at[at["gate"].isin(_ANSWERS)], "answer")):
        inside = gates[_is_inside(gates)]
        if inside.empty:
            continue
        errors = (inside["balance"] / inside["balance_error"]).groupby(inside["seed"])
        worst, word = (errors.max(), "highest") if unit == "token" else (errors.min(), "lowest of three rules")
        name = f"{balance} over its standard error, {unit}s, where the mean field falls, {word}"
        rows.append(policy_row(name, worst, origin, {"unit": unit, "ρ": RATE}))
    for place, part in _by_policy(tokens):
        where = place | {"ρ": RATE, "rule": "delight", "unit": "token"}
        name = f"{balance} at ρ={RATE:g}, tokens by delight, {_said(place)}"
        rows.append(policy_row(name, part["balance"], origin, where))
    return rows


def token_cost_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return costs of signal and drifts along ∇J of tokens over those of answers by the same rule.

    Parameters as in :func:`token_balance_rows`.
    """
    rows = []
    for rate in RATES:
        at = _learning(frame, rate)
        for rule in ("delight", "abs-advantage"):
            pairs = at[at["gate"] == named(rule)].merge(at[at["gate"] == rule], on=_POLICY, suffixes=("", " whole"))
            for place, part in _by_policy(pairs):
                where = place | {"ρ": rate, "rule": rule, "unit": "token", "against": "answer"}
                for column, name in (("cost", "cost of signal"), ("drift", "drift along ∇J")):
                    values = cost_ratio(part[column], part[f"{column} whole"])
                    title = f"{name} at ρ={rate:g}, tokens / answers, {rule}, {_said(place)}"
                    rows.append(policy_row(title, values, origin, where | {"measure": column}))
    return rows


_POLICY = ["vocab_size", "length", "update", "seed"]


def _learning(frame: pd.DataFrame, rate: float) -> pd.DataFrame:
    return frame[(frame["label"] == PATHS[0].config.label) & (frame["rate"] == rate)]


def _is_inside(frame: pd.DataFrame) -> pd.Series:
    """Return at which policies the reward is inside the limits, by the margin."""
    limits = [FALLS[M, H] for M, H in zip(frame["vocab_size"], frame["length"], strict=True)]
    low, high = np.array(limits).reshape(-1, 2).T
    return (frame["reward"] >= low + INSIDE) & (frame["reward"] <= high - INSIDE)


def _by_policy(frame: pd.DataFrame) -> Iterator[tuple[dict[str, Value], pd.DataFrame]]:
    for key, part in frame.groupby(_POLICY[:3], sort=False):
        M, H, update = (int(str(each)) for each in key)
        yield {"M": M, "H": H, "update": update}, part


def _said(place: Mapping[str, Value]) -> str:
    return f"M = {place['M']}, H = {place['H']}, update {place['update']}"


def cost_ratio(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return the ratio of two costs; where both are infinite they are alike."""
    both = np.isinf(one) & np.isinf(other)
    return one.where(~both, 1.0) / other.where(~both, 1.0)


def policy_row(name: str, values: Any, origin: str, parameters: Mapping[str, Value]) -> Measured:
    """Return a measured row of one value a seed."""
    found = bootstrap(values.to_numpy(np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
