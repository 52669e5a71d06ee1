"""How far each method of token reversal gets within a budget of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.results.table_sizes import sizes_of, sizes_of_searches
from simulations.reversal.scaling import KIND, SCALES, measure
from simulations.reversal.summary import LONGEST, LONGEST_WITHIN
from simulations.reversal.tables import scaling_searches
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["scaling", "scaling_rows"]

FloatArray = NDArray[np.float64]

SIZES = {"length": "longest H", "vocab_size": "largest M"}
ROWS = {"forward_rows": "forward rows", "backward_rows": "backward rows"}
RATIOS = (
    *(("zero-price", f"token gate({rate} %)") for rate in (3, 17)),
    ("DG", "PG"),
    ("row gate(3 %)", "PG"),
)


def scaling(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-scaling``: from a measured table, at preset paper by a new search.

    ``kondo experiment reversal --study scaling`` measures the same, and can be resumed.
    """
    own = context.tables.parts(KIND)
    found = scaling_searches(own) if own or context.preset != "paper" else None
    if found is None and context.preset != "paper":
        raise ResultError(f"no table of kind {KIND} is committed: give one, or use preset paper to measure it")
    if found is not None:
        return attributed(scaling_rows(found.frame, found.origin), found.source, sizes_of(found))
    rows = []
    for number, (_, part) in enumerate(measure(SCALES["paper"], device=context.device, workers=context.workers), 1):
        rows += part
        context.progress(f"reversal scaling: {number} searches done")
    table = pd.DataFrame(rows).sort_values(["axis", "spent", "budget", "label", "seed"])
    return attributed(scaling_rows(table, context.source.origin), context.source, sizes_of_searches(table))


def scaling_rows(table: pd.DataFrame, origin: str) -> list[Measured]:
    """Return the sizes that each method solved and the ratios of the claim: medians, with the range over seeds."""
    rows = []
    for (axis, spent, budget), part in table.groupby(["axis", "spent", "budget"], sort=False):
        within = f"{SIZES[str(axis)]} within {budget:,} {ROWS[str(spent)]}"
        point: dict[str, Value] = {"budget": int(str(budget)), "spent": ROWS[str(spent)]}
        sizes = part.pivot(index="seed", columns="label", values="largest").astype(float)
        for label in sizes:
            published = LONGEST.get(str(label)) if axis == "length" and budget == LONGEST_WITHIN else None
            row = _row(f"{within}, {label}", sizes[label].to_numpy(), origin, point | method_of(str(label)))
            rows.append(replace(row, published=published))
        for above, below in RATIOS:
            if above in sizes and below in sizes:
                # Where even a size of one is not solved, that counts as half of it.
                over, under = (sizes[label].clip(lower=0.5).to_numpy() for label in (above, below))
                tried = (float(part.loc[part["label"] == label, "most"].min()) for label in (above, below))
                most_over, most_under = tried
                low = over / np.where(under < most_under, under, np.inf)
                high = np.where(over < most_over, over, np.inf) / under
                where = point | method_of(below) | method_of(above) | {"against": method_of(below)["method"]}
                rows.append(_row(f"{within}, {above} / {below}", over / under, origin, where, low, high))
    return rows


def _row(
    quantity: str,
    values: FloatArray,
    origin: str,
    parameters: Mapping[str, Value],
    low: FloatArray | None = None,
    high: FloatArray | None = None,
) -> Measured:
    """Return a row: the median, and the range over seeds, open where the largest size that was tried is solved."""
    lowest, highest = float((values if low is None else low).min()), float((values if high is None else high).max())
    ends = (float(np.median(values)), lowest, highest)
    return Measured(quantity, *ends, len(values), None, origin, parameters=parameters)
