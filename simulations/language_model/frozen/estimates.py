"""What was measured at the pretrained policy, as numbers with standard errors: by the jackknife over blocks.

No torch is needed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from simulations.results.tables import COMMITTED, load

__all__ = [
    "ERRORS",
    "Estimate",
    "alignment_difference",
    "alignment_differences",
    "frozen_blocks",
    "gate_estimates",
    "row_residuals",
]

ERRORS = 2.0
"""Standard errors that an estimate must be beyond a bound for a prediction."""
_REFERENCE = "PG"
_KINDS = ("language-model-frozen", "language-model-frozen-tasks")


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, by the jackknife over blocks."""

    value: float
    error: float

    def is_above(self, bound: float) -> bool:
        """Return whether it is above a bound by two standard errors."""
        return self.value - ERRORS * self.error > bound


def frozen_blocks(directory: Path = COMMITTED) -> pd.DataFrame:
    """Return what was measured at the pretrained policy: of every task the table with the most blocks.

    Raises
    ------
    ResultError
        If a table is damaged.
    """
    found: dict[str, pd.DataFrame] = {}
    tables = [load(path) for path in sorted(directory.glob("language-model-frozen-*.parquet"))]
    for table in (each for each in tables if each.kind in _KINDS):
        for task, rows in table.frame.groupby("task", sort=False):
            if str(task) not in found or rows["block"].nunique() > found[str(task)]["block"].nunique():
                found[str(task)] = rows
    return pd.concat(found.values(), ignore_index=True) if found else pd.DataFrame(columns=["task", "gate", "block"])


def gate_estimates(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates of every gate on every task.

    Parameters
    ----------
    blocks : DataFrame
        As :func:`frozen_blocks` returns it.

    Returns
    -------
    DataFrame
        By task and gate, each with its standard error as ``NAME_error``: drift, ⟨E g, ∇J⟩ over ⟨E g_PG, ∇J⟩;
        alignment, over PG's; adam_drift, over PG's; length, √(E‖g‖²/E‖g_PG‖²).
    """
    rows = []
    for task, frame in blocks.groupby("task", sort=False):
        sums = _by_block(frame)
        for gate in [each for each in sums["drift"] if each != "gradient"]:
            statistics = {
                "drift": partial(_ratio, name="drift", gate=gate),
                "alignment": partial(_alignment, gate=gate),
                "adam_drift": partial(_ratio, name="adam_drift", gate=gate),
                "length": partial(_length, gate=gate),
            }
            found = {name: _jackknife(sums, statistic) for name, statistic in statistics.items()}
            values = {name: each.value for name, each in found.items()}
            errors = {f"{name}_error": each.error for name, each in found.items()}
            rows.append({"task": task, "gate": gate} | values | errors)
    return pd.DataFrame(rows)


def alignment_differences(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """Yield every pair of gates on one task, and the first one's alignment minus the second's, in parts of PG's."""
    sums = _by_block(frame)
    for pair in combinations([gate for gate in sums["drift"] if gate != "gradient"], 2):
        yield pair, _jackknife(sums, partial(_apart, pair=pair))


def alignment_difference(frame: pd.DataFrame, gate: str, against: str) -> Estimate:
    """Return a gate's alignment minus another's on one task, in parts of PG's."""
    return _jackknife(_by_block(frame), partial(_apart, pair=(gate, against)))


def row_residuals(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return E[G e²] / (c² E[G A²]) of every gate G that keeps whole rows, and its standard error.

    An answer's derivative along ∇J is s = c·A + e, with c = E[A s]/E[A²] over all answers; a gate's drift E[G A s] is
    positive while the ratio is below one, whatever the gate (Cauchy–Schwarz). With one token right or wrong a
    position, and a tabular policy, e is minus what the compensator of the number of right tokens deviates.

    Returns
    -------
    DataFrame
        task, gate, residual, residual_error.
    """
    rows = []
    for task, frame in blocks.groupby("task", sort=False):
        whole = frame[frame["row_ss"].notna()]
        sums = _by_block(whole, ("row_aa", "row_as", "row_ss"))
        for gate in sums["row_aa"]:
            found = _jackknife(sums, partial(_residual, gate=gate))
            rows.append({"task": task, "gate": gate, "residual": found.value, "residual_error": found.error})
    return pd.DataFrame(rows)


_Sums = Mapping[str, Mapping[str, np.ndarray]]
"""Values of a column, by gate, in the order of the blocks."""
_Means = Callable[[str, str], float]
"""The mean of a column for a gate."""


def _by_block(frame: pd.DataFrame, names: Sequence[str] = ("drift", "adam_drift", "squared_length")) -> _Sums:
    tables = {name: frame.pivot(index="block", columns="gate", values=name)[frame["gate"].unique()] for name in names}
    return {name: {str(gate): table[gate].to_numpy(np.float64) for gate in table} for name, table in tables.items()}


def _jackknife(sums: _Sums, statistic: Callable[[_Means], float]) -> Estimate:
    """Return a function of means and its standard error, leaving out one block at a time."""
    n_blocks = len(next(iter(sums.values()))[_REFERENCE])

    def without(left_out: int | None) -> float:
        kept = np.arange(n_blocks) != (-1 if left_out is None else left_out)
        return statistic(lambda name, gate: float(sums[name][gate][kept].mean()))

    if n_blocks < 2:
        return Estimate(without(None), math.inf)
    parts = np.array([without(block) for block in range(n_blocks)])
    return Estimate(without(None), float(np.sqrt((n_blocks - 1) * parts.var())))


def _ratio(means: _Means, name: str, gate: str) -> float:
    return _ratio_of(means(name, gate), means(name, _REFERENCE))


def _ratio_of(part: float, whole: float) -> float:
    return part / whole if whole else math.nan  # nothing was rewarded


def _length(means: _Means, gate: str) -> float:
    return math.sqrt(_ratio(means, "squared_length", gate))


def _alignment(means: _Means, gate: str) -> float:
    length = _length(means, gate)
    return 0.0 if length == 0 else _ratio(means, "drift", gate) / length


def _apart(means: _Means, pair: tuple[str, str]) -> float:
    return _alignment(means, pair[0]) - _alignment(means, pair[1])


def _residual(means: _Means, gate: str) -> float:
    slope = _ratio_of(means("row_as", _REFERENCE), means("row_aa", _REFERENCE))
    ss, cross, aa = (means(name, gate) for name in ("row_ss", "row_as", "row_aa"))
    return _ratio_of(ss - 2 * slope * cross + slope**2 * aa, slope**2 * aa)
