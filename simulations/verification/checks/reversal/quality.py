"""Measurements on token reversal: what each method reaches, and where a fixed rate stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.token_trap import stall_point
from kondo_theory.token_trap.groups import group_drift, group_stall_point
from simulations.errors import ResultError
from simulations.reversal.studies import ABOVE, BELOW, FRESH, Setting
from simulations.reversal.summary import final, progress, spent_to_error, stalled
from simulations.reversal.tables import Curves
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import (
    at_setting,
    counted,
    over_seeds,
    require_paired,
    setting_point,
    shares,
    taken_from,
)
from simulations.verification.checks.reversal.runs import curves, fresh_curves

__all__ = [
    "predicted_reward",
    "quality",
    "quality_rows",
    "row_gate",
    "row_gate_rows",
    "sensitivity_rows",
    "token_trap",
    "token_trap_rows",
]

PUBLISHED = {"PG": 0.6, "PPO": 0.3, "PMPO": 0.1, "DG": 1e-4, "token gate(3 %)": 1e-4}  # sequence error, [KG §5]
WITHIN_UPDATES = 1_000
GROUP = 10
"""S, answers to a prompt: their mean is the baseline."""

TOKEN, ROW, ADVANTAGE = "token gate", "row gate by delight", "row gate by advantage"
_GATES = {TOKEN: ("token-gate", "delight"), ROW: ("row-gate", "delight"), ADVANTAGE: ("row-gate", "advantage")}
"""Method and rule of each."""


def quality(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-quality``."""
    return [
        *quality_rows(curves(context, "quality")),
        *(
            row
            for study, named in (("learning-rate", "learning_rate"), ("reward", "reward"), ("screening", None))
            for row in sensitivity_rows(curves(context, study), named)
        ),
    ]


def token_trap(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-token-trap``."""
    return token_trap_rows(curves(context, "token-trap"), fresh_curves(context))


def row_gate(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-row-gate``."""
    return row_gate_rows(curves(context, "token-trap"))


def quality_rows(found: Curves) -> list[Measured]:
    """Return final errors of every method, sampled and greedy, and who reached 1 % token error."""
    rows = []
    for label, runs in found.frame.groupby("label", sort=False):
        early = runs[runs["update"] <= WITHIN_UPDATES]
        reached = np.isfinite(spent_to_error(early, 0.01, "update"))
        name = f"share of seeds that reach 1 % token error within {WITHIN_UPDATES:,} updates, {label}"
        point = method_of(str(label)) | {"target error": 0.01, "updates": WITHIN_UPDATES}
        rows.append(counted(name, reached, found, runs, point))
    for kind in ("sequence", "token", "greedy sequence", "greedy token"):
        for label, runs in found.frame.groupby("label", sort=False):
            errors = final(runs, f"{kind.replace(' ', '_')}_error")
            published = PUBLISHED.get(str(label)) if kind == "sequence" else None
            point = method_of(str(label)) | _error(kind)
            rows.append(over_seeds(f"final {kind} error, {label}", errors, found, runs, point, published))
    return rows


def sensitivity_rows(found: Curves, named: str | None = None) -> list[Measured]:
    """Return the final errors of every method of a study, at every value of a column that it varies, if it does."""
    rows = []
    for (label, value), runs in found.frame.groupby(["label", named or "rule"], sort=False):
        where = f" at {named.replace('_', ' ')} {value}" if named else " by rule"
        varied = float(value) if isinstance(value, float) else str(value)
        study = {named.replace("_", " ") if named else "rule": varied}
        for kind in ("token", "sequence"):
            errors = final(runs, f"{kind}_error")
            point = method_of(str(label)) | _error(kind) | study
            rows.append(over_seeds(f"final {kind} error{where}, {label}", errors, found, runs, point))
    return rows


def _error(kind: str) -> dict[str, Value]:
    """Return of what an error is, ``token`` or ``sequence``, and of which actions."""
    return {"error": kind.removeprefix("greedy "), "actions": "greedy" if kind.startswith("greedy ") else "sampled"}


def predicted_reward(setting: Setting, rule: str = "delight") -> float | None:
    """Return p*, where the token gate by a rule stops with the mean of 10 answers as baseline, or None."""
    return _predicted_reward(setting, rule)


@lru_cache(maxsize=64)
def _predicted_reward(setting: Setting, rule: str) -> float | None:
    return group_stall_point(setting.rate, setting.vocab_size, setting.length, GROUP, "token", rule)


@lru_cache(maxsize=64)
def _exact_reward(setting: Setting) -> float | None:
    return stall_point(setting.rate, setting.vocab_size, setting.length)


def token_trap_rows(found: Curves, fresh: Curves | None = None) -> list[Measured]:
    """Return whether token gates stall below the critical rate and learn above it, and at which rewards they stop.

    ``fresh``, runs of ``FRESH`` that were trained for this report, are judged with the others, each run by its own
    control; of a seed that the table has as well they are counted in its place.
    """
    stall: dict[Setting, dict[Any, bool]] = {}
    learn: dict[Setting, dict[Any, bool]] = {}
    gaps: dict[Setting, dict[Any, float]] = {}
    rows = []
    parts = [(found, (*BELOW, *ABOVE), "")] + ([(fresh, FRESH, ", trained now")] if fresh else [])
    for part, settings, now in parts:
        runs = _Runs(part)
        for setting in settings:
            if setting in ABOVE:
                (here,) = runs.paired(setting, TOKEN)
                learn.setdefault(setting, {}).update(here["learnt"])
                name, point = f"final training reward, {setting}{now}", {"trained now": bool(now)}
                rows.append(runs.row(name, here["final_reward"], setting, TOKEN, point))
                continue
            here, controls = runs.paired(setting, TOKEN, ADVANTAGE)
            stall.setdefault(setting, {}).update(
                {seed: stalled(here.loc[seed], controls.loc[seed]) for seed in here.index}
            )
            predicted, exact = predicted_reward(setting), _exact_reward(setting)
            assert predicted is not None
            gaps.setdefault(setting, {}).update((here["late_reward"] - predicted).abs())
            against = f"{setting} (predicted {predicted:.3f}; exact baseline {exact:.3f})"
            foreseen = {"predicted": predicted, "predicted, exact baseline": exact}
            rows += [
                runs.row(f"{name}, {where}{now}", here[column], setting, TOKEN, {**point, "trained now": bool(now)})
                for name, where, column, point in (
                    ("stalled reward", against, "late_reward", foreseen),
                    ("slope of the stalled reward per 1,000 updates", setting, "slope", {"per updates": 1_000}),
                    ("sampled token error at the stall", setting, "final_error", _error("token")),
                    ("greedy token error at the stall", setting, "final_greedy_error", _error("greedy token")),
                )
            ]
    middle, low, high = (
        max(float(statistic(list(gap.values()))) for gap in gaps.values())
        for statistic in (np.median, np.min, np.max)
    )
    worst = {"side": "below", "setting": "worst"}
    every = _together([part for part, *_ in parts])
    below, above = (_at_any(every.frame, settings, TOKEN, ADVANTAGE) for settings in (BELOW, ABOVE))
    n_below = sum(map(len, stall.values()))
    return [
        *shares("share of runs below the critical rate that stall", _lists(stall), every, below, {"side": "below"}),
        *shares("share of runs above the critical rate that learn", _lists(learn), every, above, {"side": "above"}),
        taken_from(every, below, "|stalled reward − predicted|, worst setting", (middle, low, high), n_below, worst),
        *rows,
    ]


def _lists(by_seed: Mapping[Setting, Mapping[Any, bool]]) -> dict[Setting, list[bool]]:
    return {setting: list(runs.values()) for setting, runs in by_seed.items()}


def _together(parts: Sequence[Curves]) -> Curves:
    """Return the curves of several parts beside each other: a run trained now counts beside that of a table."""
    origins = {origin: source for part in parts for origin, source in part.origins.items()}
    return Curves(pd.concat([part.frame for part in parts], ignore_index=True), origins)


def _at_any(frame: pd.DataFrame, settings: Sequence[Setting], *kinds: str) -> pd.DataFrame:
    """Return the rows of these gates at these settings."""
    masks = [at_setting(frame, *_GATES[kind], setting) for kind in kinds for setting in settings]
    return frame[np.logical_or.reduce(masks)]


def row_gate_rows(found: Curves) -> list[Measured]:
    """Return whether row gates learn where the token gate stalls, at the same number of backward tokens."""
    runs = _Runs(found)
    learn: dict[str, dict[Setting, list[bool]]] = {ROW: {}, ADVANTAGE: {}}
    budgets, gains, rows = [], [], []
    for setting in BELOW:
        tokens, *rest = runs.paired(setting, TOKEN, *learn)
        for (kind, learnt), here in zip(learn.items(), rest, strict=True):
            learnt[setting] = list(here["learnt"])
            budgets += list(here["backward_tokens"] / tokens["backward_tokens"])
            gains += list(here["final_reward"] - tokens["final_reward"])
            drift, p = _lowest_drift(setting, kind)
            foreseen = f"lowest drift predicted: {drift:.1e} at p = {p:.2f}"
            name = f"final training reward, {kind}, {setting} ({foreseen})"
            rows.append(runs.row(name, here["final_reward"], setting, kind, {"predicted drift": drift, "p": p}))
    budget, gain = np.array(budgets), np.array(gains)
    extremes = {
        "backward tokens, row gate / token gate, smallest": budget.min(),
        "backward tokens, row gate / token gate, largest": budget.max(),
        "final training reward, row gate − token gate, smallest": gain.min(),
    }
    compared, against = _at_any(found.frame, BELOW, TOKEN, *learn), {"method": "row gate", "against": "token gate"}
    return [
        *(
            row
            for kind, learnt in learn.items()
            for row in shares(f"share of runs that learn, {kind}", learnt, found, compared, _gate(kind))
        ),
        *(
            taken_from(found, compared, name, (float(value),) * 3, len(gain), against | {"extreme": name.split()[-1]})
            for name, value in extremes.items()
        ),
        *rows,
    ]


@lru_cache(maxsize=64)
def _lowest_drift(setting: Setting, kind: str) -> tuple[float, float]:
    """Return the lowest drift of the row gate's mean field, with the mean of 10 answers as baseline, and its p."""
    p = np.linspace(1 / setting.vocab_size, 0.99, 200)[10:]
    values = group_drift(p, setting.length, setting.vocab_size, setting.rate, GROUP, "row", _GATES[kind][1])
    return float(values.min()), float(p[values.argmin()])


def _gate(kind: str) -> dict[str, Value]:
    """Return method and rule by name."""
    method, rule = _GATES[kind]
    return {"method": method.replace("-", " "), "rule": rule}


class _Runs:
    """Where each run of the study stands at its end, by gate and setting."""

    def __init__(self, found: Curves) -> None:
        self.found, self.ends = found, progress(found.frame)

    def paired(self, setting: Setting, *kinds: str) -> list[pd.DataFrame]:
        """Return the runs of these gates at a setting, one a seed each.

        Raises
        ------
        ResultError
            If a gate is lacking, or they have not the same seeds and updates.
        """
        ends = {kind: self._of(kind, setting) for kind in kinds}
        require_paired(self.found, setting, ends)
        return list(ends.values())

    def _of(self, kind: str, setting: Setting) -> pd.DataFrame:
        runs = self.ends[at_setting(self.ends, *_GATES[kind], setting)]
        if runs.empty:
            raise ResultError(f"{self.found.origin()}: lacks the {kind} at {setting}, which the claims compare")
        return runs.set_index("seed").sort_index()

    def row(
        self, quantity: str, values: pd.Series, setting: Setting, kind: str, more: Mapping[str, Value]
    ) -> Measured:
        """Return a measured row: median and bootstrap interval over seeds."""
        runs = self.found.frame[at_setting(self.found.frame, *_GATES[kind], setting)]
        point = {**_gate(kind), **setting_point(setting), **more}
        return over_seeds(quantity, values.to_numpy(), self.found, runs, point)
