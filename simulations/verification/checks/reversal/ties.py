"""Measurements of token gates that keep whatever ties with the k-th score, beside those that keep exactly k."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from kondo_theory.gate import kept_count
from kondo_theory.token_trap.screening_ties import KeptShare, kept_with_ties
from simulations.reversal.config import ReversalConfig
from simulations.reversal.summary import final
from simulations.reversal.ties.study import RATE, RULES
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.reversal.runs import curves, measured_here

__all__ = ["screening_ties", "tie_rows"]

_NAMES = {
    "advantage": "advantage",
    "abs-advantage": "|advantage|",
    "delight": "delight",
    "uniform": "the random choice",
}
_PROMPTS, _ANSWERS, _EVALUATED = ReversalConfig("pg").prompts, ReversalConfig("pg").answers, 30_000
Shares = Callable[..., KeptShare]


def screening_ties(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``screening-ties``."""
    tied, source = measured_here(context, "screening-ties")
    exact, full = curves(context, "screening"), curves(context, "quality")
    seeds = sorted(tied["seed"].unique())
    gates = exact.frame[(exact.frame["method"] == "token-gate") & exact.frame["rule"].isin(_NAMES)]
    pg = full.frame[full.frame["label"] == "PG"]
    tied, gates, pg = (frame[frame["seed"].isin(seeds)] for frame in (tied, gates, pg))
    rows = tie_rows(tied, gates, pg, source.origin)
    updates = min(int(frame.groupby("seed")["update"].max().min()) for frame in (tied, gates, pg))
    return attributed(rows, source, {"updates": updates, "seeds": len(seeds)})


def tie_rows(
    tied: pd.DataFrame, exact: pd.DataFrame, pg: pd.DataFrame, origin: str, shares: Shares = kept_with_ties
) -> list[Measured]:
    """Return shares kept, and final errors of gates that keep ties over those of gates that do not.

    Parameters
    ----------
    tied : DataFrame
        As :func:`simulations.reversal.ties.study.measure` makes it, of every rule.
    exact, pg : DataFrame
        Learning curves of token gates at exactly k, by the same rules and the random choice, and of the policy
        gradient, at the same seeds: it is the random choice with ties kept. Later updates are left out.
    origin : str
    shares : callable
        The closed form; a negative control replaces it.
    """
    longest = tied["update"].max()
    exact, pg = (frame[frame["update"] <= longest] for frame in (exact, pg))
    with_ties = {rule: tied[tied["rule"] == rule] for rule in RULES} | {"uniform": pg}
    at_k = {rule: exact[exact["rule"] == rule] for rule in _NAMES}
    rows = []

    def add(name: str, values: pd.Series | np.ndarray, **point: Value) -> None:
        found = bootstrap(np.asarray(values, dtype=np.float64))
        rows.append(Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=point))

    for rule in RULES:
        name = _NAMES[rule]
        for part, words in ((with_ties[rule], ""), (_last_third(with_ties[rule]), " in the last third")):
            span = part.groupby("seed")[["forward_tokens", "backward_tokens", "moving_tokens"]]
            spent = span.max() - span.min() if words else span.max()
            add(f"share kept with ties{words}, {name}", spent["backward_tokens"] / spent["forward_tokens"], rule=rule)
            moving = spent["moving_tokens"] / spent["forward_tokens"]
            add(f"share kept with ties that moves{words}, {name}", moving, rule=rule)
        if rule != "delight":
            ratio = _kept(with_ties[rule]) / _predicted(with_ties[rule], rule, shares)
            add(f"share kept with ties over the closed form's, {name}", ratio, rule=rule)
    errors = {
        kept: {rule: _error(runs) for rule, runs in by.items()} for kept, by in (("k", at_k), ("ties", with_ties))
    }
    for rule, name in _NAMES.items():
        add(f"final token error with ties, {name}", errors["ties"][rule], rule=rule)
        add(f"final token error at exactly k, {name}", errors["k"][rule], rule=rule)
        ratio = errors["k"][rule] / errors["ties"][rule]
        add(f"final token error, exactly k over ties kept, {name}", ratio, rule=rule)
    of = "final token error with ties, advantage over"
    add(f"{of} |advantage|", errors["ties"]["advantage"] / errors["ties"]["abs-advantage"])
    add(f"{of} the random choice", errors["ties"]["advantage"] / errors["ties"]["uniform"])
    ratio = errors["k"]["advantage"] / errors["k"]["uniform"]
    add("final token error at exactly k, advantage over the random choice", ratio)
    spent_at_k: Mapping[str, pd.Series] = {
        rule: runs.groupby("seed")["backward_tokens"].max() for rule, runs in at_k.items()
    }
    every = pd.DataFrame(spent_at_k)
    add("backward tokens at exactly k, most over least of the rules", every.max(axis=1) / every.min(axis=1))
    add(
        "token error at as many backward tokens, the random choice, ties kept over exactly k",
        _error_after(pg, every["uniform"]) / _error(at_k["uniform"]),
    )
    return rows


def _last_third(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["update"] >= 2 / 3 * runs["update"].max()]


def _error(runs: pd.DataFrame) -> pd.Series:
    """Return the final token error by seed, at least that of one wrong token in the last three evaluations."""
    return pd.Series(np.maximum(final(runs, "token_error"), 1 / _EVALUATED), index=sorted(runs["seed"].unique()))


def _error_after(runs: pd.DataFrame, spent: pd.Series) -> pd.Series:
    """Return the token error by seed at the first evaluation with as many backward tokens."""
    there = runs[runs["backward_tokens"] >= runs["seed"].map(spent)]
    return there.sort_values("update").groupby("seed")["token_error"].first()


def _kept(runs: pd.DataFrame) -> pd.Series:
    """Return the kept tokens by seed."""
    return runs.groupby("seed")["backward_tokens"].max()


def _predicted(runs: pd.DataFrame, rule: str, shares: Shares) -> pd.Series:
    """Return the same by the closed form, from the points of the answers between two evaluations."""
    columns = sorted((name for name in map(str, runs) if name.startswith("points_")), key=lambda name: int(name[7:]))
    T = len(columns) - 1
    m = -(-kept_count(RATE, _PROMPTS * _ANSWERS * T) // T)
    found = {}
    for seed, curve in runs.groupby("seed"):
        counts = curve[columns].to_numpy(np.float64)
        drawn = [each for each in counts if each.sum()]
        found[seed] = sum(
            T * each.sum() * shares(each / each.sum(), _PROMPTS, _ANSWERS, m, rule).kept for each in drawn
        )
    return pd.Series(found)
