"""What a step on a language model costs by how much of the batch is kept: seconds, FLOPs and bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.language_model.tables import FULL, timed_steps
from simulations.results.table_sizes import sizes_of
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.language_model.runs import table_of

__all__ = ["savings", "savings_rows"]

EIGHTH = 0.125
_RATES = (FULL, 0.25, EIGHTH, 0.03)
_FloatArray = NDArray[np.float64]


def savings(context: Context) -> list[Measured]:
    """Return the rows of the claim ``language-model-savings``."""
    table = table_of(context, "cost")
    if table is None:
        return _not_measured()
    steps = timed_steps(table)
    sizes = sizes_of(table) | {"rounds": min(map(len, steps["step"]))}
    return attributed(savings_rows(steps, table.origin), table.source, sizes)


def savings_rows(steps: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows: what is judged, then every rate and part by what learns, each a median over rounds."""
    everything = _at(steps, "all", False)
    full, few = everything[FULL], everything[EIGHTH]
    name = "4 of 32 rows / all, all parameters"
    point: dict[str, Value] = {"k": 4, "B": 32, "what learns": "all"}
    others = [row for _, row in steps[steps["rate"] < FULL].iterrows()]
    modelled = sorted(others, key=lambda row: float(np.median(row["step"] / row["model"])))
    flops = _flops_over_rows(steps)
    return [
        _over_rounds(f"seconds of a step, {name}", few["step"] / full["step"], origin, point),
        _over_rounds(f"seconds of forward and backward, {name}", few["backward"] / full["backward"], origin, point),
        _counted(
            f"peak bytes of forward and backward, {name}", few["peak_bytes"] / full["peak_bytes"], origin, point
        ),
        _counted(
            "FLOPs of forward and backward / (share of rows × all), furthest from one",
            max(flops, key=lambda ratio: abs(ratio - 1)),
            origin,
            {"setting": "worst"},
        ),
        *(
            _over_rounds(
                f"seconds of a step / model, {extreme}",
                row["step"] / row["model"],
                f"{origin}; at {_named(row)}",
                {"extreme": extreme},
            )
            for extreme, row in (("highest", modelled[-1]), ("lowest", modelled[0]))
        ),
        *_reported(steps, origin),
    ]


def _reported(steps: pd.DataFrame, origin: str) -> Iterator[Measured]:
    for (trainable, reuse), group in steps.groupby(["trainable", "reuse"], sort=False):
        rates = _at(group, str(trainable), bool(reuse))
        full = rates[FULL]
        beside = full["sampling"] + full["optimizer"]
        learns = _point(full)
        where = f"{learns['what learns']}{_number(learns)}{', trunk reused' if reuse else ''}"
        yield _over_rounds(f"seconds of a step, all rows / none, {where}", full["step"] / beside, origin, learns)
        for rate in _RATES[1:]:
            row = rates[rate]
            kept = learns | {"k": int(row["rows"]), "B": int(row["answers"])}
            name = f"{int(row['rows'])} of {int(row['answers'])} rows / all, {where}"
            if (trainable, rate) != ("all", EIGHTH):
                yield _over_rounds(f"seconds of a step, {name}", row["step"] / full["step"], origin, kept)
                ratio = row["backward"] / full["backward"]
                yield _over_rounds(f"seconds of forward and backward, {name}", ratio, origin, kept)
                bytes_ratio = row["peak_bytes"] / full["peak_bytes"]
                yield _counted(f"peak bytes of forward and backward, {name}", bytes_ratio, origin, kept)
            in_parts = row["micro_peak_bytes"] / full["micro_peak_bytes"]
            yield _counted(f"peak bytes in micro-batches, {name}", in_parts, origin, kept)
            flops = row["backward_flops"] / full["backward_flops"]
            yield _counted(f"FLOPs of forward and backward, {name}", flops, origin, kept)


def _flops_over_rows(steps: pd.DataFrame) -> list[float]:
    found = []
    for _, group in steps.groupby(["trainable", "reuse"]):
        of_a_row = group["backward_flops"] / group["rows"]
        found += [float(ratio) for ratio in of_a_row / of_a_row[group["rate"] == FULL].iloc[0]]
    return found


def _at(steps: pd.DataFrame, trainable: str, reuse: bool) -> dict[float, pd.Series[Any]]:
    """Return the steps of one choice by rate."""
    chosen = steps[(steps["trainable"] == trainable) & (steps["reuse"] == reuse)]
    return {float(row["rate"]): row for _, row in chosen.iterrows()}


def _point(row: pd.Series[Any]) -> dict[str, Value]:
    """Return what learns, as parameters."""
    kind, _, number = str(row["trainable"]).partition("-")
    names = {"all": "all", "last": "last blocks", "lora": "adapters of rank"}
    size: dict[str, Value] = {"n": int(number)} if number else {}
    return {"what learns": names[kind], **size, **({"trunk": "reused"} if row["reuse"] else {})}


def _number(point: Mapping[str, Value]) -> str:
    return f" {point['n']}" if "n" in point else " parameters"


def _named(row: pd.Series[Any]) -> str:
    return f"{row['trainable']}{', trunk reused' if row['reuse'] else ''}, {100 * row['rate']:g} %"


def _over_rounds(quantity: str, ratios: _FloatArray, origin: str, parameters: Mapping[str, Value]) -> Measured:
    found = bootstrap(ratios)
    ends = (found.value, found.low, found.high)
    return Measured(quantity, *ends, len(ratios), None, origin, parameters=parameters)


def _counted(quantity: str, value: float, origin: str, parameters: Mapping[str, Value]) -> Measured:
    return Measured(quantity, *(float(value),) * 3, 1, None, origin, parameters=parameters)


def _not_measured() -> list[Measured]:
    """Return a row without a number."""
    ends = (math.nan,) * 3
    return [Measured("seconds of a step", *ends, 0, None, "no table", sizes={"answers": 0, "rounds": 0})]
