"""Measurements of token reversal where half of the prompts are easy and pay a noisy reward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from simulations.reversal.readings.gambling import EQUAL, STUDY
from simulations.reversal.summary import final
from simulations.reversal.tables import Curves
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.runs import curves

__all__ = ["gambling_rows", "gambling_transformer"]

_BY_SIZE, _ROWS = "row gate(25 %, abs-advantage)", "row gate(25 %)"
_NAMES = {
    _BY_SIZE: "rows by |advantage|(25 %)",
    _ROWS: "rows by delight(25 %)",
    "row gate(3 %)": "rows by delight(3 %)",
}
_EVERYWHERE = "equal noise"
Found = tuple[str, pd.Series, dict[str, Value]]


def gambling_transformer(context: Context) -> list[Measured]:
    """Return the measured rows of the claim ``gambling-transformer``."""
    found = curves(context, STUDY)
    frame = found.frame
    sizes = {"updates": int(frame.groupby("label")["update"].max().min())}
    sizes |= {"seeds": int(frame.groupby("label")["seed"].nunique().min())}
    source = found.sources()[0]
    return attributed(gambling_rows(found), source, sizes)


def gambling_rows(found: Curves) -> list[Measured]:
    """Return shares kept and final errors of every method at every noise, and their differences."""
    frame = found.frame
    by_place = {_place(label, rows): rows for label, rows in frame.groupby("label", sort=False)}
    every = [*_each(by_place), *_differences(by_place)]
    return [_row(name, values, point, found.origin()) for name, values, point in every]


def _place(label: object, runs: pd.DataFrame) -> tuple[str, str]:
    """Return a method's own name, and the noise in words."""
    name = str(label).split(", 5 zero prompts")[0]
    noise, everywhere = (float(runs[column].iloc[0]) for column in ("zero_noise", "noise"))
    return name, _EVERYWHERE if everywhere else f"σ = {noise:g}"


def _each(by_place: dict[tuple[str, str], pd.DataFrame]) -> Iterator[Found]:
    for (label, noise), runs in by_place.items():
        point = _point(label, noise)
        words = f"{_NAMES.get(label, label)}, {noise}"
        yield f"noisy share of the kept, {words}", _share(runs), point
        yield f"final clean error, {words}", _final(runs, "token_error"), point | {"error": "token"}
        yield f"final zero error, {words}", _final(runs, "zero_token_error"), point | {"error": "token, zeros"}


def _differences(by_place: dict[tuple[str, str], pd.DataFrame]) -> Iterator[Found]:
    """Yield what |advantage| keeps and errs more than delight, and what noise adds to an error."""
    noises = dict.fromkeys(noise for _, noise in by_place)
    for noise in noises:
        if (_BY_SIZE, noise) not in by_place or (_ROWS, noise) not in by_place:
            continue
        pair = [by_place[label, noise] for label in (_BY_SIZE, _ROWS)]
        words = f"{_NAMES[_BY_SIZE]} − {_NAMES[_ROWS]}, {noise}"
        point = _point(_BY_SIZE, noise) | {"against": "delight"}
        yield f"noisy share of the kept, {words}", _share(pair[0]) - _share(pair[1]), point
        errors = [_final(runs, "token_error") for runs in pair]
        yield f"final clean error, {words}", errors[0] - errors[1], point | {"error": "token"}
    for (label, noise), runs in by_place.items():
        if noise in (_EVERYWHERE, "σ = 0") or (label, "σ = 0") not in by_place:
            continue
        gained = _final(runs, "token_error") - _final(by_place[label, "σ = 0"], "token_error")
        words = f"{_NAMES.get(label, label)}, {noise} − σ = 0"
        point = _point(label, noise) | {"against": "no noise", "error": "token"}
        yield f"final clean error, {words}", gained, point | {"σ": (float(noise.removeprefix("σ = ")), 0.0)}


def _point(label: str, noise: str) -> dict[str, Value]:
    if noise == _EVERYWHERE:
        return method_of(label) | {"σ": EQUAL, "noise": "all prompts"}
    return method_of(label) | {"σ": float(noise.removeprefix("σ = ")), "noise": "zero prompts"}


def _share(runs: pd.DataFrame) -> pd.Series:
    """Return the share of the backpropagated tokens that answer zero prompts, by seed."""
    last = runs.sort_values("update").groupby("seed")[["zero_backward_tokens", "backward_tokens"]].last()
    return last["zero_backward_tokens"] / last["backward_tokens"]


def _final(runs: pd.DataFrame, column: str) -> pd.Series:
    return pd.Series(final(runs, column), index=sorted(runs["seed"].unique()))


def _row(name: str, values: pd.Series, point: dict[str, Value], origin: str) -> Measured:
    found = bootstrap(values.to_numpy(np.float64))
    return Measured(name, found.value, found.low, found.high, len(values), None, origin, parameters=point)
