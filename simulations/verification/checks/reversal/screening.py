"""Measurements on token reversal: which screening rules stall a token gate, at which reward, and which do not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from simulations.errors import ResultError
from simulations.reversal.studies import BELOW, RULES_ELSEWHERE, Setting
from simulations.reversal.summary import FINAL_EVALUATIONS, progress, stalled
from simulations.reversal.tables import Curves
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.reversal.quality import predicted_reward
from simulations.verification.checks.reversal.rows import (
    at_setting,
    over_seeds,
    require_paired,
    setting_point,
    shares,
    taken_from,
)
from simulations.verification.checks.reversal.runs import curves

__all__ = ["screening", "screening_rows"]

STALLING = ("additive", "positive-surprisal")


def screening(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-screening``."""
    return screening_rows(curves(context, "screening-tasks"), curves(context, "screening"))


def screening_rows(found: Curves, before: Curves) -> list[Measured]:
    """Return which rules stall and learn on the tasks of the study ``screening-tasks``, and at which rewards.

    ``before`` is the study ``screening``: at its one task the stalls had been seen when the claim was written, so
    they stand beside the others and are not judged.

    Raises
    ------
    ResultError
        If a rule is lacking at a setting, or its seeds are not those of the others.
    """
    stall: dict[Setting, list[bool]] = {}
    learn: dict[Setting, list[bool]] = {}
    gaps, ratios, rows = [], [], []
    for setting in BELOW[1:]:
        runs = {rule: _of(found, rule, setting) for rule in RULES_ELSEWHERE}
        ends = {rule: progress(of_rule).set_index("seed").sort_index() for rule, of_rule in runs.items()}
        require_paired(found, setting, ends)
        control = ends["advantage"]
        stall[setting] = [
            stalled(ends[rule].loc[seed], control.loc[seed]) for rule in STALLING for seed in control.index
        ]
        learn[setting] = list(ends["abs-advantage"]["learnt"])
        # Three evaluations of 1,000 answers see no smaller error than one wrong token.
        seen = 1 / (FINAL_EVALUATIONS * found.frame["eval_prompts"].max() * setting.length)
        ratios.append(control["final_error"].clip(seen) / ends["abs-advantage"]["final_error"].clip(seen))
        for rule, end in ends.items():
            if rule in STALLING:
                predicted = predicted_reward(setting, rule)
                assert predicted is not None
                gaps.append((end["late_reward"] - predicted).abs())
                rows.append(_stalled_reward(found, runs[rule], rule, setting, end))
            else:
                name, values = f"final token error, {rule}, {setting}", end["final_error"].to_numpy()
                rows.append(over_seeds(name, values, found, runs[rule], _point(rule, setting) | {"error": "token"}))
    for rule in STALLING:
        former = _of(before, rule, BELOW[0])
        rows.append(_stalled_reward(before, former, rule, BELOW[0], progress(former), seen_before=True))
    worst, lowest = max(gaps, key=np.median), min(ratios, key=np.median)
    # Every run of these tasks is compared: by one rule, or as the control of another.
    compared = found.frame[np.logical_or.reduce([_is_at(found, setting) for setting in BELOW[1:]])]
    stalling, learning = {"rule": STALLING}, {"rule": "abs-advantage"}
    against = {"rule": "advantage", "against": "abs-advantage"}
    error = "final token error, by advantage / by |advantage|, worst setting"
    name = "share of runs by additive and positive surprisal that stall"
    return [
        *shares(name, stall, found, compared, stalling),
        *shares("share of runs by |advantage| that learn", learn, found, compared, learning),
        _extremes("|stalled reward − predicted|, worst setting", worst, found, compared, stalling),
        _extremes(error, lowest, found, compared, against),
        *rows,
    ]


def _stalled_reward(
    found: Curves, runs: pd.DataFrame, rule: str, setting: Setting, ends: pd.DataFrame, *, seen_before: bool = False
) -> Measured:
    """Return the reward at which a rule stalls; the name says what was predicted."""
    predicted, seen = predicted_reward(setting, rule), "; seen before" if seen_before else ""
    name = f"stalled reward, {rule}, {setting} (predicted {predicted:.3f}{seen})"
    point = _point(rule, setting) | {"predicted": predicted, "seen before": seen_before}
    return over_seeds(name, ends["late_reward"].to_numpy(), found, runs, point)


def _point(rule: str, setting: Setting) -> dict[str, Value]:
    return {"method": "token gate", "rule": rule, **setting_point(setting)}


def _is_at(found: Curves, setting: Setting) -> pd.Series:
    """Return which rows are of the token gate by any of the rules at a setting."""
    by_rule = [at_setting(found.frame, "token-gate", rule, setting) for rule in RULES_ELSEWHERE]
    return pd.Series(np.logical_or.reduce(by_rule), found.frame.index)


def _of(found: Curves, rule: str, setting: Setting) -> pd.DataFrame:
    """Return the curves of the token gate by a rule at a setting."""
    runs = found.frame[at_setting(found.frame, "token-gate", rule, setting)]
    if runs.empty:
        raise ResultError(f"{found.origin()}: lacks the token gate by {rule} at {setting}, which the claim compares")
    return runs


def _extremes(
    quantity: str, values: pd.Series, found: Curves, runs: pd.DataFrame, parameters: Mapping[str, Value]
) -> Measured:
    """Return the median over seeds, from the lowest seed to the highest."""
    ends = (float(np.median(values)), float(values.min()), float(values.max()))
    return taken_from(found, runs, quantity, ends, len(values), {**parameters, "setting": "worst"})
