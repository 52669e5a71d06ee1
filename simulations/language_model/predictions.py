"""What training is going to do, predicted from the pretrained policy by a rule that was fixed before any run.

AdamW divides a gradient by its size, so that what counts at equal updates is the angle, not the drift: a gate's
alignment is ⟨E g, ∇J⟩ / (‖∇J‖ √E‖g‖²), here relative to that of PG. That the order of alignments at the pretrained
policy is the order of learning, and that their ratio is that of gains, is an assumption; the claims test it.

No torch is needed here, nor the extra: predictions are read from committed tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from simulations.language_model.frozen.estimates import (
    Estimate,
    alignment_differences,
    frozen_blocks,
    gate_estimates,
)

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
REFERENCE = "PG"
"""The method whose alignment is one by definition."""
LEARNING = 0.1
"""Of PG's alignment: a gate that makes a tenth of PG's progress gains less than ``GAIN`` where PG gains 0.5."""
APART = 0.1
"""Of PG's alignment: pairs whose alignments are nearer to each other than this are not ordered."""
GAIN = 0.05
"""Reward by which a run must end above or below its start: one to two standard errors of a single run, whose start is
evaluated on 100 answers and whose end on 500; outcomes are those of means over seeds."""
TRUE_OUTCOMES, TRUE_ORDERS = 0.9, 0.8
"""Shares of the predictions that must come true for them to hold, beside that no sign is reversed."""


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
        for pair, signed in alignment_differences(frame):
            faster, slower = pair if signed.value > 0 else pair[::-1]
            difference = Estimate(abs(signed.value), signed.error)
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
    """Compare predictions with runs, of the gates and tasks that both have; PG's outcome is no prediction.

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
        if each.predicted in OUTCOMES and each.gate != REFERENCE and (each.task, each.gate) in there
    ]
    orders = [
        (each, float((there[each.task, each.faster] - there[each.task, each.slower]).mean()))
        for each in predicted_orders(blocks)
        if {(each.task, each.faster), (each.task, each.slower)} <= there.keys()
    ]
    return Score(tuple(outcomes), tuple(orders))


def _outcome(alignment: Estimate) -> str:
    mirrored = Estimate(-alignment.value, alignment.error)
    if alignment.is_above(LEARNING):
        return "learns"
    if mirrored.is_above(LEARNING):
        return "falls"
    return "stalls" if alignment.is_above(-LEARNING) and mirrored.is_above(-LEARNING) else "undecided"
