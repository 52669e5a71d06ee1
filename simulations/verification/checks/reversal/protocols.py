"""Measurements on the grid of protocols: under which the published sequence errors of token reversal appear.

The rule is :mod:`simulations.reversal.readings.protocols`. The grid is read from tables, never trained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from simulations.results.table_sizes import sizes_of_runs
from simulations.reversal.protocols import KIND, STUDY, complete
from simulations.reversal.readings.protocols import (
    PROTOCOL,
    ProtocolReading,
    errors_of,
    protocol_name,
    readings,
    verdict,
    with_defaults,
)
from simulations.reversal.readings.published import FIGURES
from simulations.reversal.tables import Curves, committed_curves, joined, own_curves
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.rows import over_seeds

__all__ = ["COUNTED", "protocol_rows", "protocols"]

COUNTED = "protocols with all five figures in their order, at the end of their runs"
_EARLIER = "protocols with all five figures in their order at an earlier evaluation alone"


def protocols(context: Context) -> list[Measured]:
    """Return the rows of the claim ``reversal-protocols``."""
    own = context.tables.parts(KIND)
    return protocol_rows(joined([committed_curves(STUDY), *([own_curves(own)] if own else [])]))


def protocol_rows(found: Curves) -> list[Measured]:
    """Return how many protocols have the published figures, together and each, and the nearest one's errors."""
    found = replace(found, frame=with_defaults(found.frame))
    read = readings(found.frame)
    ends = [each for each in read if each.end]
    held = _of([each for each in ends if each.holds])
    earlier = [each for each in _of([each for each in read if each.holds]) if each not in held]
    every, whole = _of(ends), {"figure": "all five, in order"}
    after = {each.protocol: each.update for each in ends if each.holds}
    updates: dict[str, Value] = {"updates": tuple(str(after[each]) for each in held)} if held else {}
    rows = [
        _count(COUNTED, held, every, found, {**whole, "at": "the end", **updates}),
        _count(_EARLIER, earlier, every, found, {**whole, "at": "an earlier evaluation"}),
    ]
    for figure in FIGURES:
        with_it = _of([each for each in ends if figure in each.reproduced])
        name = f"protocols with the error of {_short(figure)}, at the end of their runs"
        rows.append(_count(name, with_it, every, found, {"figure": _short(figure), "at": "the end"}))
    _, best = verdict(ends)
    return rows if best is None else [*rows, *_errors(best, found)]


def _short(figure: str) -> str:
    """Return a figure's method without its rate."""
    return figure.partition("(")[0]


def _of(read: Sequence[ProtocolReading]) -> list[tuple[object, ...]]:
    """Return the protocols of readings, each once."""
    return list(dict.fromkeys(each.protocol for each in read))


def _count(
    quantity: str,
    counted: Sequence[tuple[object, ...]],
    every: Sequence[tuple[object, ...]],
    found: Curves,
    point: dict[str, Value],
) -> Measured:
    """Return a number of protocols, beside how many were tried with all their methods, which the rule asks for."""
    sizes = {**sizes_of_runs(found.frame), "protocols": len(complete(found.frame))}
    named = tuple(protocol_name(*each) for each in counted)  # type: ignore[arg-type]
    point = {**point, "tried": len(every), **({"protocols": named} if named else {})}
    ends = (float(len(counted)),) * 3
    return Measured(quantity, *ends, sizes["seeds"], None, found.origin(), sizes, found.sources(), point)


def _errors(best: ProtocolReading, found: Curves) -> list[Measured]:
    """Return each figure's error under a protocol, over seeds, beside the published one."""
    reward, final_norm, head, baseline, learning_rate = best.protocol
    where: dict[str, Value] = {"reward": reward, "final norm": "yes" if final_norm else "none", "head": head}
    where |= {"b": baseline, "learning rate": learning_rate, "updates": best.update}
    error = best.error.replace("_", " ")
    rows = []
    for figure, (method, _) in best.nearest.items():
        runs = errors_of(found.frame, best, method)
        runs = runs[runs["update"] == best.update]
        point = {**where, **method_of(method), "figure": _short(figure), "error": error.removesuffix(" error")}
        quantity = f"{error} under the nearest protocol, {_short(figure)}"
        values = runs["error"].to_numpy(np.float64)
        rows.append(
            over_seeds(quantity, values, found, _curves_of(found.frame, runs), point, FIGURES[figure].published)
        )
    return rows


def _curves_of(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    columns = ["label", *(name for name in PROTOCOL if name in frame)]
    return frame.merge(runs[columns].drop_duplicates(), on=columns)
