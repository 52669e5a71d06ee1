"""What training is going to do, predicted from the pretrained policy by a rule that was fixed before any run.

AdamW divides a gradient by its size, so that what counts at equal updates is the angle, not the drift: a gate's
alignment is ⟨E g, ∇J⟩ / (‖∇J‖ √E‖g‖²), here relative to that of PG. That the order of alignments at the pretrained
policy is the order of learning, and that their ratio is that of gains, is an assumption; the claims test it.

No torch is needed here, nor the extra: predictions are read from committed tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from simulations.results.tables import COMMITTED, load

__all__ = [
    "OUTCOMES",
    "Estimate",
    "Order",
    "Outcome",
    "Score",
    "frozen_blocks",
    "gate_estimates",
    "observed_outcome",
    "predicted_orders",
    "predicted_outcomes",
    "score",
]

OUTCOMES = ("learns", "stalls", "falls")
LEARNING = 0.1
"""Of PG's alignment: a gate that makes a tenth of PG's progress gains less than ``GAIN`` where PG gains 0.5."""
APART = 0.1
"""Of PG's alignment: pairs whose alignments are nearer to each other than this are not ordered."""
ERRORS = 2.0
"""Standard errors that an estimate must be beyond a bound for a prediction."""
GAIN = 0.05
"""Reward by which a run must end above or below its start: three standard errors of a difference of 500 answers."""
TRUE_OUTCOMES, TRUE_ORDERS = 0.9, 0.8
"""Shares of the predictions that must come true for them to hold, beside that no sign is reversed."""
_REFERENCE = "PG"
_KIND = "language-model-frozen"  # that of simulations.language_model.frozen, which needs torch


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, by the jackknife over blocks."""

    value: float
    error: float

    def is_above(self, bound: float) -> bool:
        """Return whether it is above a bound by two standard errors."""
        return self.value - ERRORS * self.error > bound


@dataclass(frozen=True)
class Outcome:
    """What a gate is going to do on a task: one of ``OUTCOMES``, or ``undecided``."""

    task: str
    gate: str
    predicted: str
    alignment: Estimate


@dataclass(frozen=True)
class Order:
    """Two gates of which one is going to learn faster on a task, and by how much their alignments differ."""

    task: str
    faster: str
    slower: str
    difference: Estimate


@dataclass(frozen=True)
class Score:
    """How many predictions came true, of those that were made and whose runs are there.

    Attributes
    ----------
    outcomes, orders : tuple of (Outcome or Order, str or float)
        Each with what was observed: the outcome; the faster's mean reward minus the slower's.
    """

    outcomes: tuple[tuple[Outcome, str], ...]
    orders: tuple[tuple[Order, float], ...]

    @property
    def true_outcomes(self) -> int:
        """Outcomes that came true."""
        return sum(each.predicted == observed for each, observed in self.outcomes)

    @property
    def true_orders(self) -> int:
        """Orders that came true."""
        return sum(difference > 0 for _, difference in self.orders)

    @property
    def reversed(self) -> int:
        """Gates that were to learn and fell, or the other way round."""
        pairs = ({each.predicted, observed} for each, observed in self.outcomes)
        return sum(pair == {"learns", "falls"} for pair in pairs)

    @property
    def holds(self) -> bool:
        """Whether no sign is reversed, nine tenths of the outcomes came true, and four fifths of the orders."""
        enough = self.true_outcomes >= TRUE_OUTCOMES * len(self.outcomes)
        return not self.reversed and enough and self.true_orders >= TRUE_ORDERS * len(self.orders)


def frozen_blocks(directory: Path = COMMITTED) -> pd.DataFrame:
    """Return what was measured at the pretrained policy: of every task the table with the most blocks.

    Raises
    ------
    ResultError
        If a table is damaged.
    """
    found: dict[str, pd.DataFrame] = {}
    for path in sorted(directory.glob("language-model-frozen-*.parquet")):
        for task, rows in load(path, kind=_KIND).frame.groupby("task", sort=False):
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


def predicted_outcomes(blocks: pd.DataFrame) -> list[Outcome]:
    """Return what every gate is going to do on every task.

    It learns where its alignment, in parts of PG's, is two standard errors above 0.1, falls where it is two below
    −0.1, stalls where it is two within both bounds, and is undecided otherwise.
    """
    found = []
    for row in gate_estimates(blocks).to_dict("records"):
        alignment = Estimate(row["alignment"], row["alignment_error"])
        found.append(Outcome(row["task"], row["gate"], _outcome(alignment), alignment))
    return found


def predicted_orders(blocks: pd.DataFrame) -> list[Order]:
    """Return the pairs of gates on each task whose alignments differ by 0.1 of PG's and by two standard errors."""
    found = []
    for task, frame in blocks.groupby("task", sort=False):
        sums = _by_block(frame)
        gates = [gate for gate in sums["drift"] if gate != "gradient"]
        for pair in combinations(gates, 2):
            difference = _jackknife(sums, partial(_apart, pair=pair))
            faster, slower = pair if difference.value > 0 else pair[::-1]
            difference = Estimate(abs(difference.value), difference.error)
            if difference.value > APART and difference.is_above(0):
                found.append(Order(str(task), faster, slower, difference))
    return found


def observed_outcome(initial: float, final: float) -> str:
    """Return what runs did, from the mean sampled reward of their first and their last evaluation.

    They learn where it has risen by more than 0.05, fall where it has sunk by more than that, or by half of what was
    there if that is less, and stall otherwise.
    """
    gain = final - initial
    if gain > GAIN:
        return "learns"
    return "falls" if gain < -min(GAIN, initial / 2) else "stalls"


def score(blocks: pd.DataFrame, curves: pd.DataFrame) -> Score:
    """Compare predictions with runs, of the gates and tasks that both have.

    Parameters
    ----------
    blocks : DataFrame
        As :func:`frozen_blocks` returns it.
    curves : DataFrame
        Learning curves of one protocol: label, task, seed, update, reward. Outcomes are of means over seeds. For
        orders a seed's reward is the mean over its evaluations after the first, so that a method which is there
        earlier counts; the difference is the mean over the seeds that both gates have.
    """
    runs = curves.sort_values("update").groupby(["task", "label", "seed"])["reward"]
    first, last = (each.groupby(["task", "label"]).mean() for each in (runs.first(), runs.last()))
    later = curves[curves["update"] > 0].groupby(["task", "label", "seed"])["reward"].mean()
    there: Mapping[tuple[str, str], pd.Series[float]] = {
        (str(task), str(label)): each.droplevel(["task", "label"])
        for (task, label), each in later.groupby(["task", "label"])
    }
    outcomes = [
        (each, observed_outcome(first[each.task, each.gate], last[each.task, each.gate]))
        for each in predicted_outcomes(blocks)
        if each.predicted in OUTCOMES and (each.task, each.gate) in there
    ]
    orders = [
        (each, float((there[each.task, each.faster] - there[each.task, each.slower]).mean()))
        for each in predicted_orders(blocks)
        if {(each.task, each.faster), (each.task, each.slower)} <= there.keys()
    ]
    return Score(tuple(outcomes), tuple(orders))


_Sums = Mapping[str, Mapping[str, np.ndarray]]
"""Values of a column, by gate, in the order of the blocks."""
_Means = Callable[[str, str], float]
"""The mean of a column for a gate."""


def _by_block(frame: pd.DataFrame) -> _Sums:
    names = ("drift", "adam_drift", "squared_length")
    tables = {name: frame.pivot(index="block", columns="gate", values=name)[frame["gate"].unique()] for name in names}
    return {name: {str(gate): table[gate].to_numpy(np.float64) for gate in table} for name, table in tables.items()}


def _jackknife(sums: _Sums, statistic: Callable[[_Means], float]) -> Estimate:
    """Return a function of means and its standard error, leaving out one block at a time."""
    n_blocks = len(sums["drift"][_REFERENCE])

    def without(left_out: int | None) -> float:
        kept = np.arange(n_blocks) != (-1 if left_out is None else left_out)
        return statistic(lambda name, gate: float(sums[name][gate][kept].mean()))

    if n_blocks < 2:
        return Estimate(without(None), math.inf)
    parts = np.array([without(block) for block in range(n_blocks)])
    return Estimate(without(None), float(np.sqrt((n_blocks - 1) * parts.var())))


def _ratio(means: _Means, name: str, gate: str) -> float:
    whole = means(name, _REFERENCE)
    return means(name, gate) / whole if whole else math.nan  # nothing was rewarded


def _length(means: _Means, gate: str) -> float:
    return math.sqrt(_ratio(means, "squared_length", gate))


def _alignment(means: _Means, gate: str) -> float:
    length = _length(means, gate)
    return 0.0 if length == 0 else _ratio(means, "drift", gate) / length


def _apart(means: _Means, pair: tuple[str, str]) -> float:
    return _alignment(means, pair[0]) - _alignment(means, pair[1])


def _outcome(alignment: Estimate) -> str:
    mirrored = Estimate(-alignment.value, alignment.error)
    if alignment.is_above(LEARNING):
        return "learns"
    if mirrored.is_above(LEARNING):
        return "falls"
    return "stalls" if alignment.is_above(-LEARNING) and mirrored.is_above(-LEARNING) else "undecided"
