"""Measurements of the claim stall-escape on token reversal: which stalls are left, and drift and noise along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.reversal.moments.noise import STALLS, Stall
from simulations.reversal.studies import DEEP, SHALLOW, Setting
from simulations.reversal.summary import progress, seeds_of
from simulations.reversal.tables import Curves
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.reversal.quality import predicted_reward
from simulations.verification.checks.reversal.rows import at_setting, over_seeds, setting_point, shares
from simulations.verification.checks.reversal.runs import curves, measured_here

__all__ = ["escape_rows", "noise_rows", "stall_escape"]

RISE = {stall.setting: stall.rise for stall in STALLS}
WITHIN = 0.05


def stall_escape(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``stall-escape``."""
    rows = escape_rows(curves(context, "stall-escape"))
    frame, source = measured_here(context, "stall-noise")
    sizes = {"seeds": int(frame.groupby(["vocab_size", "length"])["seed"].nunique().min())}
    return rows + attributed(noise_rows(frame, source.origin), source, sizes)


def escape_rows(found: Curves) -> list[Measured]:
    """Return which runs of the study ``stall-escape`` have got away or held, as it says beforehand.

    Raises
    ------
    ResultError
        If a setting is lacking.
    """
    away: dict[Setting, list[bool]] = {}
    held: dict[Setting, list[bool]] = {}
    rows = []
    for setting in (*SHALLOW, *DEEP):
        runs = found.frame[at_setting(found.frame, "token-gate", "delight", setting)]
        if runs.empty:
            raise ResultError(f"{found.origin()}: lacks the token gate at {setting}, which the claim compares")
        ends, predicted = progress(runs), predicted_reward(setting)
        assert predicted is not None
        point: dict[str, Value] = {**setting_point(setting), "predicted": predicted}
        if setting in SHALLOW:
            away[setting] = list(ends["final_reward"] > RISE[setting])
            crossed = runs[runs["train_reward"] > RISE[setting]].groupby("seed")["update"].min()
            update: NDArray[np.float64] = np.asarray(
                crossed.astype(np.float64).reindex(seeds_of(runs), fill_value=np.inf), dtype=np.float64
            )
            name = f"update at which the reward is above {RISE[setting]:g}, {setting}"
            rows.append(over_seeds(name, update, found, runs, point | {"level": RISE[setting]}))
            name, column = f"final training reward, {setting} (stall predicted at {predicted:.3f})", "final_reward"
        else:
            held[setting] = list((ends["late_reward"] - predicted).abs() <= WITHIN)
            name, column = f"stalled reward, {setting} (predicted {predicted:.3f})", "late_reward"
        rows.append(over_seeds(name, ends[column].to_numpy(), found, runs, point))
    return [
        *shares("share of runs in shallow stalls that get away", away, found, found.frame, {"stalls": "shallow"}),
        *shares("share of runs in deep stalls that hold", held, found, found.frame, {"stalls": "deep"}),
        *rows,
    ]


def noise_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return drift and noise of the reward along each stall, and how they compare.

    Parameters
    ----------
    frame : DataFrame
        As :func:`simulations.reversal.moments.noise.measure` makes it, for every stall and seed.
    origin : str
    """
    rows, at_stall, deep = [], [], []
    for stall in STALLS:
        here = frame[(frame["vocab_size"] == stall.setting.vocab_size) & (frame["length"] == stall.setting.length)]
        here = here[np.isclose(here["rate"], stall.setting.rate)]
        if stall.setting in SHALLOW:
            at_stall.append(_compared(here[here["level"] == stall.levels[1]], stall))
        else:
            deep.append(here.sort_values("update").groupby("seed").tail(1).set_index("seed")["drift"].abs())
        for level in stall.levels:
            rows += _at_level(here[here["level"] == level], stall, level, origin)
    ratio, certain = (pd.concat([each[name] for each in at_stall], axis=1) for name in ("ratio", "certain"))
    shallow: dict[str, Value] = {"stalls": "shallow"}
    return [
        _row("drift over its standard error, shallow stalls, lowest", certain.min(axis=1), origin, shallow),
        _row("noise over drift, V/(s·L), shallow stalls, largest", ratio.max(axis=1), origin, shallow),
        _row("|drift| for each update, deep stall, last policy", pd.concat(deep), origin, {"stalls": "deep"}),
        *rows,
    ]


def _compared(part: pd.DataFrame, stall: Stall) -> pd.DataFrame:
    """Return, by seed, drift over its error and noise over drift; ∞ without a positive drift."""
    by_seed, length = part.set_index("seed"), stall.rise - stall.reward
    positive = by_seed["drift"] > 0
    ratio = np.where(positive, by_seed["noise"] / (length * by_seed["drift"].where(positive, 1.0)), np.inf)
    return pd.DataFrame({"ratio": ratio, "certain": by_seed["drift"] / by_seed["drift_error"]}, index=by_seed.index)


def _at_level(part: pd.DataFrame, stall: Stall, level: float, origin: str) -> list[Measured]:
    point: dict[str, Value] = {**setting_point(stall.setting), "level": level, "per updates": 1_000}
    where = f"{stall.setting}, at {level:g}"
    found = _compared(part, stall)
    values: Sequence[tuple[str, pd.Series]] = (
        ("mean reward", part["reward"]),
        ("drift of the reward for 1,000 updates", 1_000 * part["drift"]),
        ("deviation of the reward's noise over 1,000 updates", np.sqrt(1_000 * part["noise"].clip(lower=0))),
        ("drift over its standard error", found["certain"]),
        ("noise over drift, V/(s·L)", found["ratio"]),
    )
    return [_row(f"{name}, {where}", each, origin, point) for name, each in values]


def _row(name: str, values: pd.Series, origin: str, parameters: Mapping[str, Value]) -> Measured:
    found = bootstrap(values.to_numpy(np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=parameters)
