"""What the comparison of rules and estimates shows: moments and errors of tables, stalls of the closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from kondo_theory.estimators import ESTIMATORS
from kondo_theory.screening import GROUP_RULES, RULES, answer_signal
from kondo_theory.token_trap.positions import Positions, open_rest_point, percentile_drifts, position_drifts
from simulations.results.tables import COMMITTED, load

__all__ = [
    "COLUMNS",
    "NONE",
    "Moments",
    "Stalls",
    "measured_moments",
    "reversal_errors",
    "stalls",
    "worth_in_a_group",
]

M, T, RATE = 10, 10, 0.1
"""Vocabulary, tokens of an answer and rate of the table of stalls."""
GROUP, KEPT = 16, 4
"""Answers of a group, and how many are kept."""
NONE = "none"

Stalls = Mapping[str, str]
"""By rule or estimate: where it stalls on tokens, "alike / learnt / free" of a rule."""

COLUMNS = ("cosine", "length", "noise", "per_backward", "per_forward")


class Moments(NamedTuple):
    """Means over the paths and their standard errors, by name, rate (0 without one) and target.

    ``pg`` is PG's 1/c itself, by target.
    """

    mean: pd.DataFrame
    error: pd.DataFrame
    paths: int
    pg: pd.Series


def measured_moments(frame: pd.DataFrame) -> Moments:
    """Return what the page shows of a table of kind ``mnist-neighbours``, along the true gradient.

    ``noise`` is Var_⊥ per backward pass, ``along`` S/ρ, the length along u for a backward pass; both,
    ``per_backward`` (1/c) and ``per_forward`` (ρ/c) are over PG's on the same path. ``backward_rate`` is ρ.
    """
    rows = frame[frame["direction"] == "PG"].copy()
    rows["noise"] = rows["var_perpendicular"] / rows["backward_rate"].where(rows["backward_rate"] > 0)
    rows["along"] = rows["signal"] / rows["backward_rate"].where(rows["backward_rate"] > 0)
    rows["rate"] = rows["rate"].fillna(0.0)
    place = ["seed", "target"]
    over = ["noise", "along", "per_backward", "per_forward"]
    pg = rows[rows["name"] == "PG"].set_index(place)[over]
    both = rows.join(pg.add_suffix("_of_pg"), on=place)
    for column in over:
        both[column] = both[column] / both[f"{column}_of_pg"]
    grouped = both.groupby(["name", "rate", "target"])[[*COLUMNS, "along", "backward_rate"]]
    return Moments(
        grouped.mean(), grouped.sem(), int(rows["seed"].nunique()), pg["per_backward"].groupby("target").mean()
    )


def stalls() -> dict[str, str]:
    """Return where rules and estimates stall on tokens: a search over each rule, a quarter of a minute in all."""
    found = {rule: _stall(rule) for rule in RULES if rule not in GROUP_RULES}
    for name, estimator in ESTIMATORS.items():
        if estimator.unbiased or name in ("DG", "zero-price"):  # claims token-trap and token-dg: not at these sizes
            found[name] = NONE
    for name, rule in (("selective-backprop", "delight"), ("selective-backprop-surprisal", "surprisal")):
        found[name] = _percentile_stall(rule)
    return found


def _stall(name: str) -> str:
    spurious = {"least_probability": 1 / M, "entropy": np.inf}
    rule = partial(RULES[name], **spurious) if name.endswith("no-spurious") else RULES[name]
    learnt = 1 - 1e-9
    mixed = [Positions(4, 0.5), Positions(6, learnt)]
    drift = T * position_drifts(mixed, M, RATE, rule)[1] / (learnt * (1 - learnt))
    alike, free = (open_rest_point(n, T - n, M, RATE, rule) for n in (T, 4))
    return f"{_place(alike)} / {_signed(float(drift))} / {_place(free)}"


def _place(p: float | None) -> str:
    return NONE if p is None else "1/M" if p - 1 / M < 1e-4 else f"{p:.3f}"


def _signed(value: float) -> str:
    return "0" if abs(value) < 6e-4 else f"{value:+.3f}".replace("-", "−")


def _percentile_stall(rule: str) -> str:
    """Return the first of a grid of p at which tokens kept by the percentile of a score are not pushed up."""
    power = 1 / RATE - 1  # the rate of a continuous score
    for p in np.arange(0.101, 0.99, 0.001):
        if percentile_drifts([Positions(T, float(p))], M, power, rule)[0] <= 0:
            return f"{p:.2f}"
    return NONE


def reversal_errors() -> pd.DataFrame:
    """Return the final share of wrong tokens of each run on token reversal: rule, level, rate, seed, error."""
    parts = []
    shared = COMMITTED / "reversal-screening-quick.parquet"
    if shared.exists():
        frame = load(shared).frame
        level = frame["method"].map({"row-gate": "answer", "token-gate": "token"})
        parts.append(frame.assign(level=level, error=frame["token_error"]).dropna(subset=["level"]))
    own = COMMITTED / "reversal-neighbours-quick.parquet"
    if own.exists():
        parts.append(load(own).frame)
    columns = ["rule", "level", "rate", "seed", "error"]
    if not parts:
        return pd.DataFrame(columns=columns)
    every = [frame[frame["update"] == frame["update"].max()][columns] for frame in parts]
    return pd.concat(every, ignore_index=True)


def worth_in_a_group(rule: str, pass_rate: float) -> float:
    """Return 1/c of a rule on the answers of a group, :attr:`AnswerSignal.cost`, over that of a random choice."""
    one, chance = (
        float(answer_signal(each, [0.0, 1.0], [1 - pass_rate, pass_rate], GROUP, KEPT).cost)
        for each in (rule, "uniform")
    )
    return chance / one
