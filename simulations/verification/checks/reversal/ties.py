"""Measurements of token gates that keep whatever ties with the k-th score, beside those that keep exactly k."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

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
Found = tuple[str, pd.Series, str | None]  # what, by seed, by which rule


def screening_ties(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``screening-ties``."""
    tied, source = measured_here(context, "screening-ties")
    exact, full = curves(context, "screening"), curves(context, "quality")
    seeds = sorted(tied["seed"].unique())
    gates = exact.frame[(exact.frame["method"] == "token-gate") & exact.frame["rule"].isin(_NAMES)]
    pg = full.frame[full.frame["label"] == "PG"]
    frames = [frame[frame["seed"].isin(seeds)] for frame in (tied, gates, pg)]
    rows = tie_rows(frames[0], frames[1], frames[2], source.origin)
    updates = min(int(frame.groupby("seed")["update"].max().min()) for frame in frames)
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
    found = [*_shares(with_ties, shares), *_errors(with_ties, at_k)]
    spent = pd.DataFrame({rule: _kept(runs) for rule, runs in at_k.items()})
    found += [
        ("backward tokens at exactly k, most over least of the rules", spent.max(axis=1) / spent.min(axis=1), None),
        (
            "token error at as many backward tokens, the random choice, ties kept over exactly k",
            _error_after(pg, spent["uniform"]) / _error(at_k["uniform"]),
            "uniform",
        ),
    ]
    return [_row(name, values, origin, {} if rule is None else {"rule": rule}) for name, values, rule in found]


def _row(name: str, values: pd.Series, origin: str, point: Mapping[str, Value]) -> Measured:
    found = bootstrap(values.to_numpy(np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=point)


def _shares(with_ties: Mapping[str, pd.DataFrame], shares: Shares) -> Iterator[Found]:
    """Yield the shares kept by each rule, all and what moves, and over the closed form's."""
    for rule in RULES:
        runs, name = with_ties[rule], _NAMES[rule]
        for part, words in ((runs, ""), (_last_third(runs), " in the last third")):
            span = part.groupby("seed")[["forward_tokens", "backward_tokens", "moving_tokens"]]
            spent = span.max() - span.min()
            for column, moving in (("backward_tokens", ""), ("moving_tokens", " that moves")):
                share = spent[column] / spent["forward_tokens"]
                yield f"share kept with ties{moving}{words}, {name}", share, rule
        if rule != "delight":
            ratio = _kept(runs) / _predicted(runs, rule, shares)
            yield f"share kept with ties over the closed form's, {name}", ratio, rule


def _errors(with_ties: Mapping[str, pd.DataFrame], at_k: Mapping[str, pd.DataFrame]) -> Iterator[Found]:
    """Yield final errors with ties and at exactly k, of each rule and of advantage over others."""
    ties, k = ({rule: _error(runs) for rule, runs in by.items()} for by in (with_ties, at_k))
    for rule, name in _NAMES.items():
        yield f"final token error with ties, {name}", ties[rule], rule
        yield f"final token error at exactly k, {name}", k[rule], rule
        yield f"final token error, exactly k over ties kept, {name}", k[rule] / ties[rule], rule
    of = "final token error with ties, advantage over"
    yield f"{of} |advantage|", ties["advantage"] / ties["abs-advantage"], None
    yield f"{of} the random choice", ties["advantage"] / ties["uniform"], None
    ratio = k["advantage"] / k["uniform"]
    yield "final token error at exactly k, advantage over the random choice", ratio, None


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
    columns = [f"points_{n}" for n in range(sum(str(name).startswith("points_") for name in runs))]
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
