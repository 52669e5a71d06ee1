"""Measurements of what the Kondo gate saves on the MNIST bandit: seconds and bytes a step, and cost to an error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kondo_theory.cost import PUBLISHED_SPEEDUPS
from kondo_theory.gate import kept_count
from simulations.errors import ResultError
from simulations.mnist.config import KIND as CURVES
from simulations.mnist.tables import LEARNING_CURVES, committed, speedups
from simulations.results.table_sizes import sizes_of, sizes_of_steps
from simulations.results.tables import Table, with_seconds
from simulations.statistics import Interval, bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured
from simulations.verification.checks.mnist.quality import sizes_of_compared

__all__ = ["savings", "speedup_rows", "step_rows"]

COSTS = (0, 1, 2, 4, 8, 16)
"""Values of c at which the speed-up is reported."""
_KIND = "mnist-cost"
_BASE = "screening and optimizer"
_GATE = "DG-K(3 %)"
_SIZE = ["batch_size", "width", "dtype", "seeds"]
_STEP = "seconds a step, screened / full"


def savings(context: Context) -> list[Measured]:
    """Return the rows of the claim ``mnist-savings``: from measured tables, but for a few timed steps at smoke."""
    found = context.tables.find(CURVES) or committed(*LEARNING_CURVES)
    if found is None:
        raise ResultError(f"no learning curves: none of {', '.join(LEARNING_CURVES)} is among the committed tables")
    sizes = sizes_of_compared(found.frame, found.path, "mnist-savings")
    return [*_steps(context), *attributed(speedup_rows(found.frame, found.origin), found.source, sizes)]


def _steps(context: Context) -> list[Measured]:
    found = context.tables.find(_KIND) or _committed(context)
    if found is not None:
        return attributed(step_rows(with_seconds(found), found.origin), found.source, sizes_of(found))
    import torch

    from simulations.mnist.cost import StepSize, measure, sizes
    from simulations.mnist.images import load_mnist

    data = load_mnist()
    chosen = [StepSize(100, 100), StepSize(1_000, 100)] if context.preset == "smoke" else sizes(context.device)
    frames = []
    for size in chosen:
        context.progress(f"mnist-savings: steps of {size.batch_size:,} images at width {size.width:,}")
        frames.append(measure(size, data, torch.device(context.device)))
    steps = pd.concat(frames, ignore_index=True)
    return attributed(step_rows(steps, context.source.origin), context.source, sizes_of_steps(steps))


def _committed(context: Context) -> Table | None:
    """Return the committed timings: at the size of preset quick, and of a CPU."""
    return committed(f"{_KIND}-quick") if context.preset == "quick" and context.device == "cpu" else None


def step_rows(steps: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows on seconds and bytes of a step, each the worst of the sizes and rates that it names.

    Parameters
    ----------
    steps : DataFrame
        As :func:`simulations.mnist.cost.measure` makes it, several sizes joined.
    origin : str
    """
    screened = _beside_their_size(steps)
    large = screened["batch_size"] >= 1_000
    rows = [
        _worst(f"{_STEP}, highest of all", screened, "over_full", origin),
        _worst(f"{_STEP}, highest from B = 1,000 on", screened[large], "over_full", origin),
        _worst(
            "seconds of a screened step / (screening + ρ × full step + optimizer), highest from B = 1,000 on at "
            "width 1,024",
            screened[large & (screened["width"] == 1_024)],
            "over_model",
            origin,
        ),
        _worst("bytes held for the backward pass, screened / (ρ × full), highest", screened, "held", origin),
        _worst(
            "peak bytes of a step, 3 % / full, highest from B = 1,000 on",
            screened[large & (screened["rate"] == 0.03)],
            "peak",
            origin,
        ),
    ]
    for _, group in screened.groupby(_SIZE, sort=False):
        rows.append(_worst(f"{_STEP}, highest of all rates, {_size(group.iloc[0])}", group, "over_full", origin))
    return [row for row in rows if row is not None]


def _beside_their_size(steps: pd.DataFrame) -> pd.DataFrame:
    """Return screened steps with lists of ratios: seconds over the full step's and over the model's, and bytes."""
    found = []
    for size, group in steps.groupby(_SIZE, sort=False):
        parts = group.set_index("variant")
        full, base = (parts.loc[name] for name in ("full", _BASE))
        for _, row in group[group["variant"] == "screened"].iterrows():
            seconds, whole = np.array(row["seconds"]), np.array(full["seconds"])
            share = kept_count(row["rate"], row["batch_size"]) / row["batch_size"]
            model = np.array(base["seconds"]) + share * whole
            found.append(
                dict(zip(_SIZE, size, strict=True))
                | {"rate": row["rate"], "over_full": seconds / whole, "over_model": seconds / model}
                | {"held": np.array([row["held_bytes"] / (share * full["held_bytes"])])}
                | {"peak": np.array([row["peak_bytes"] / full["peak_bytes"]])}
            )
    return pd.DataFrame(found)


def _worst(quantity: str, screened: pd.DataFrame, column: str, origin: str) -> Measured | None:
    """Return the row with the highest median, its interval over rounds, and, of several sizes, where it was."""
    if screened.empty:
        return None
    worst = screened.iloc[int(np.argmax([np.median(ratios) for ratios in screened[column]]))]
    interval, rounds = bootstrap(worst[column]), len(worst[column])
    place = (
        "" if screened[_SIZE].drop_duplicates().shape[0] == 1 else f"; at {_size(worst)}, {100 * worst['rate']:g} %"
    )
    return Measured(quantity, interval.value, interval.low, interval.high, rounds, None, origin + place)


def _size(row: pd.Series[Any]) -> str:
    stack = f", {row['seeds']} seeds side by side" if row["seeds"] > 1 else ""
    return f"B = {row['batch_size']:,}, width {row['width']:,}, {row['dtype']}{stack}"


def speedup_rows(curves: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the rows on the speed-up over PG to 5 % error at the published network, each a median over seeds.

    Parameters
    ----------
    curves : DataFrame
        As :func:`simulations.mnist.config.tidy` makes it; needs PG, DG and DG-K(3 %) at the same seeds.
    origin : str

    Raises
    ------
    ResultError
        If one of the three is missing.
    """
    lacking = {"PG", "DG", _GATE} - set(curves["label"])
    if lacking:
        raise ResultError(f"the learning curves lack {', '.join(sorted(lacking))}, which mnist-savings compares")
    name = "speed-up to 5 % error over PG"
    return [
        _speedup(f"{name}, DG, any c, at least", curves, "DG", 0, "logical", 2.0, origin),
        *_over_costs(curves, name, origin),
    ]


def _over_costs(curves: pd.DataFrame, name: str, origin: str) -> Iterator[Measured]:
    for accounting in ("logical", "physical"):
        for c in COSTS:
            how = "" if accounting == "logical" else ", forward twice where kept"
            published = PUBLISHED_SPEEDUPS.get(float(c)) if accounting == "logical" else None
            quantity = f"{name}, {_GATE}{how}, c = {c}, at least"
            yield _speedup(quantity, curves, _GATE, c, accounting, published, origin)


def _speedup(
    quantity: str, curves: pd.DataFrame, label: str, c: float, accounting: str, published: float | None, origin: str
) -> Measured:
    (ratios,), arrived = speedups(curves, label, [c], accounting)
    found = bootstrap(ratios)
    # Seeds of PG that never arrive make every ratio a lower bound: it has no upper end.
    interval = Interval(found.value, found.low, found.high if arrived.all() else math.inf)
    reached = f"{arrived.sum()} of {len(arrived)} seeds of PG got there"
    return Measured(
        quantity, interval.value, interval.low, interval.high, len(ratios), published, f"{origin}; {reached}"
    )
