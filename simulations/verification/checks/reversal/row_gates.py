"""Measurements of gates on whole answers along training on token reversal: the row condition, costs of signal."""

from __future__ import annotations

from typing import Any

import pandas as pd

from simulations.reversal.moments.gates import BEST, GATES
from simulations.reversal.moments.rows import PATHS
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.mnist import steps
from simulations.verification.checks.reversal.runs import measured_here
from simulations.verification.checks.reversal.token_gates import (
    cost_ratio,
    policy_row,
    token_balance_rows,
    token_cost_rows,
)

__all__ = ["balance_rows", "cost_rows", "optimal_gate", "row_condition"]

RANKS = ("delight", "advantage", "abs-advantage")
RULES = (*RANKS, "surprisal", "positive-surprisal", "uniform")
RATE = 0.03
_LEARNING, _IDLE = PATHS[0].config, PATHS[2].config


def row_condition(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``autoregressive-rows``."""
    frame, source = measured_here(context, "row-gates")
    rows = balance_rows(frame, source.origin) + token_balance_rows(frame, source.origin)
    return attributed(rows, source, _sizes(frame))


def optimal_gate(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``optimal-gate``, on MNIST and on token reversal."""
    frame, source = measured_here(context, "row-gates")
    rows = cost_rows(frame, source.origin) + token_cost_rows(frame, source.origin)
    return steps.optimal_gate(context) + attributed(rows, source, _sizes(frame))


def _sizes(frame: pd.DataFrame) -> dict[str, int]:
    return {"seeds": int(frame.groupby(["label", "vocab_size"])["seed"].nunique().min())}


def balance_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return slopes, margins and drifts where a row gate learns, and where one does not.

    Parameters
    ----------
    frame : DataFrame
        As :func:`simulations.reversal.moments.rows.measure` makes it, for every path and seed.
    origin : str
    """
    learning = frame[(frame["label"] == _LEARNING.label) & frame["gate"].isin(RANKS)]
    idle = frame[frame["label"] == _IDLE.label]
    own = idle[(idle["gate"] == _IDLE.rule) & (idle["rate"] == RATE)]
    rows = []
    for part, where in ((learning, "where row gates learn"), (own, "where one does not")):
        point: dict[str, Value] = {"policies": where}
        slope = ((1 - part["slope"]) / part["slope_error"]).groupby(part["seed"]).min()
        margin = (part["margin"] / part["margin_error"]).groupby(part["seed"]).min()
        share = (part["drift"] > 0).groupby(part["seed"]).mean()
        rows += [
            policy_row(f"1 − slope over its standard error, {where}, lowest", slope, origin, point),
            policy_row(f"margin over its standard error, {where}, lowest", margin, origin, point),
            policy_row(f"share of positive drifts along ∇J, {where}", share, origin, point),
        ]
    size = idle[(idle["gate"] == "abs-advantage") & (idle["rate"] == RATE)].groupby("seed")["drift"].sum()
    at_first = frame[(frame["label"] == _LEARNING.label) & (frame["vocab_size"] == _LEARNING.vocab_size)]
    at_first = at_first[(at_first["update"] == at_first["update"].min()) & (at_first["rate"] == RATE)]
    pushed = at_first[at_first["gate"] == _IDLE.rule].set_index("seed")
    place: dict[str, Value] = {"M": _LEARNING.vocab_size, "H": _LEARNING.length, "gate": _IDLE.rule, "ρ": RATE}
    for column, name in (("margin", "margin"), ("drift", "drift along ∇J")):
        where = f"{_IDLE.rule} at ρ={RATE:g}, M = {_LEARNING.vocab_size}, H = {_LEARNING.length}, first policy"
        values = pushed[column] / pushed[f"{column}_error"]
        rows.append(
            policy_row(f"{name} over its standard error, {where}", values, origin, place | {"measure": column})
        )
    name = "drift along ∇J over that by |advantage|, where a row gate does not learn"
    rows.append(policy_row(name, own.groupby("seed")["drift"].sum() / size, origin, {"gate": _IDLE.rule, "ρ": RATE}))
    shown = pd.concat([learning[learning["rate"] == RATE], own])
    for (vocab_size, length, label, update, gate), part in shown.groupby(
        ["vocab_size", "length", "label", "update", "gate"], sort=False
    ):
        point = {
            "M": int(str(vocab_size)),
            "H": int(str(length)),
            "update": int(str(update)),
            "gate": str(gate),
            "ρ": RATE,
        }
        path = _IDLE.rule if label == _IDLE.label else _LEARNING.rule
        where = f"{gate} at ρ={RATE:g}, M = {vocab_size}, H = {length}, update {update} of training by {path}"
        rows.append(policy_row(f"slope of the row balance, {where}", part["slope"], origin, point | {"path": path}))
    return rows


def cost_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return costs of signal and drifts at 3 % where row gates learn, over |advantage|'s and over the best found.

    Parameters
    ----------
    frame : DataFrame
        As :func:`simulations.reversal.moments.rows.measure` makes it, for every path and seed.
    origin : str
    """
    at = frame[(frame["label"] == _LEARNING.label) & (frame["rate"] == RATE)]
    costs: Any = at.pivot(  # indexed by several levels, which pandas types as anything
        index=["vocab_size", "length", "update", "seed"], columns="gate", values="cost"
    )
    rewards: Any = at.groupby(["vocab_size", "length", "update", "seed"])["reward"].first()
    drifts: Any = at.pivot(index=["vocab_size", "length", "update", "seed"], columns="gate", values="drift")
    cheapest = cost_ratio(costs[BEST], costs[list(RULES)].min(axis=1)).groupby("seed").max()
    rows = [policy_row("cost of signal, best gate found / best rule, highest of all policies", cheapest, origin, {})]
    for path in PATHS[:2]:
        M, H = path.config.vocab_size, path.config.length
        here: Any = costs.loc[M, H]
        updates = here.index.get_level_values("update").unique().sort_values()
        for word, update in (("first", updates[0]), ("last", updates[-1])):
            ratio = cost_ratio(here.loc[update]["delight"], here.loc[update]["abs-advantage"])
            point: dict[str, Value] = {"M": M, "H": H, "update": int(update), "policy": word, "ρ": RATE}
            rows.append(
                policy_row(
                    f"cost of signal, delight / |advantage|, {word} policy, M = {M}, H = {H}", ratio, origin, point
                )
            )
        for update in updates:
            point = {"M": M, "H": H, "update": int(update)}
            where = f"M = {M}, H = {H}, update {update}"
            rows.append(policy_row(f"mean reward, {where}", rewards.loc[M, H, update], origin, point))
            slower = drifts.loc[M, H, update]["delight"] / drifts.loc[M, H, update]["abs-advantage"]
            name = f"drift along ∇J at ρ={RATE:g}, delight / |advantage|, {where}"
            rows.append(policy_row(name, slower, origin, point | {"ρ": RATE}))
            for gate in (name for name in costs.columns if name in GATES and name != BEST):
                ratio = cost_ratio(here.loc[update][gate], here.loc[update][BEST])
                name = f"cost of signal over the best found at ρ={RATE:g}, {gate}, {where}"
                rows.append(policy_row(name, ratio, origin, point | {"gate": str(gate), "ρ": RATE}))
    return rows
