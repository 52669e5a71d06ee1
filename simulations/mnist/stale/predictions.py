"""What MNIST's study of stale actors was predicted to show, as ``docs/experiments.md`` had it before it ran.

A prediction is of median test errors over seeds at the end of training, in percent, and of differences between two of
them, in points; it holds if all its comparisons do. No torch is needed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.errors import ResultError
from simulations.mnist.stale.contenders import CONTENDERS, SETTINGS, Contender, Setting

__all__ = ["ACTORS", "PREDICTIONS", "Comparison", "at_the_end", "error_table", "held", "medians"]

FloatArray = NDArray[np.float64]

ACTORS = dict(
    zip(
        ("no friction", "10 late", "100 late", "1,000 late", "30 % random", "10 % false pay", "all three"),
        SETTINGS,
        strict=True,
    )
)
"""Settings by what is said of the actors."""
_PG, _WEIGHTED, _CLIPPED, _DG, _ACTORS_DG, _ZERO, _GATE, _ACTORS_GATE = CONTENDERS


@dataclass(frozen=True)
class Comparison:
    """One number that a prediction bounds.

    Attributes
    ----------
    prediction : int
        Which of the seven.
    contender, actors
        Whose median is taken, and from whom its actions came: a key of ``ACTORS``.
    minus : sequence of (float, Contender, str)
        Medians of others that are taken from it, each times a number.
    low, high : float
        Where it was predicted.
    strict : bool
        The ends do not belong to it.
    column : str
        Of the study's table, in percent.
    """

    prediction: int
    contender: Contender
    actors: str
    minus: Sequence[tuple[float, Contender, str]] = ()
    low: float = -math.inf
    high: float = math.inf
    strict: bool = False
    column: str = "test_error"

    @property
    def title(self) -> str:
        """What is compared, in words."""
        name = "right" if self.column == "right" else "error"
        first = f"{name}, {self.contender.label}, {self.actors}"
        others = [f"{'−' if sign > 0 else '+'} {each.label}, {where}" for sign, each, where in self.minus]
        return " ".join([first, *others])

    def value(self, frame: pd.DataFrame, draws: NDArray[np.intp] | None = None) -> FloatArray:
        """Return the number from the end of a study's table; of every resample of its seeds, (n, n_seeds), if given.

        Raises
        ------
        ResultError
            If the table lacks a run.
        """
        total = medians(at_the_end(frame, self.contender, self.actors, self.column), draws)
        for sign, contender, where in self.minus:
            total = total - sign * medians(at_the_end(frame, contender, where, self.column), draws)
        return total

    def holds(self, frame: pd.DataFrame) -> bool:
        """Whether the number is where it was predicted."""
        value = float(self.value(frame))
        return self.low < value < self.high if self.strict else self.low <= value <= self.high


def _lost(number: int, contender: Contender, actors: str, most: float, least: float = -math.inf) -> Comparison:
    """Return what a contender's error gains from a friction, which is to be at most so many points."""
    return Comparison(number, contender, actors, ((1, contender, "no friction"),), least, most)


def _pg_loses_more(contender: Contender) -> Comparison:
    others = ((1, _PG, "no friction"), (1, contender, "30 % random"), (-1, contender, "no friction"))
    return Comparison(2, _PG, "30 % random", others, low=0.0, strict=True)


PREDICTIONS: tuple[Comparison, ...] = (
    *(_lost(1, contender, "10 late", 2.0, -2.0) for contender in CONTENDERS),
    *(_lost(2, contender, "30 % random", 2.0, -2.0) for contender in (_DG, _ZERO)),
    *(_pg_loses_more(contender) for contender in (_DG, _ZERO)),
    Comparison(3, _WEIGHTED, "30 % random", ((1, _PG, "no friction"),), -2.0, 2.0),
    Comparison(4, _ACTORS_DG, "30 % random", ((1, _DG, "30 % random"),), low=-0.5),
    Comparison(5, _DG, "1,000 late", ((1, _WEIGHTED, "1,000 late"),), high=0.0, strict=True),
    *(_lost(6, contender, "10 % false pay", 3.0) for contender in (_DG, _ZERO)),
    Comparison(6, _ZERO, "all three", high=96.0, strict=True, column="right"),
    Comparison(7, _DG, "all three", ((1, _PG, "all three"),), high=0.0, strict=True),
)


def at_the_end(frame: pd.DataFrame, contender: Contender, actors: str, column: str = "test_error") -> FloatArray:
    """Return a column in percent after the last update, (n_seeds,), by seed.

    Raises
    ------
    ResultError
        If the table has no such run.
    """
    setting: Setting = ACTORS[actors]
    label = f"{contender.label}; {setting}"
    runs = frame[(frame["label"] == label) & (frame["update"] == frame["update"].max())]
    if runs.empty:
        raise ResultError(f"the table lacks the run {label}")
    return 100 * runs.sort_values("seed")[column].to_numpy(np.float64)


def medians(values: FloatArray, draws: NDArray[np.intp] | None = None) -> FloatArray:
    """Return the median over seeds, or that of each resample of them."""
    return np.asarray(np.median(values if draws is None else values[draws], axis=-1))


def held(frame: pd.DataFrame) -> dict[int, tuple[int, int]]:
    """Return of each prediction, by its number, how many of its comparisons hold and how many there are."""
    found: dict[int, list[bool]] = {}
    for each in PREDICTIONS:
        found.setdefault(each.prediction, []).append(each.holds(frame))
    return {number: (sum(those), len(those)) for number, those in found.items()}


def error_table(frame: pd.DataFrame) -> str:
    """Return the median test errors at the end, in percent, as the rows of a table in Markdown."""
    rows = []
    for contender in CONTENDERS:
        found = [f"{float(medians(at_the_end(frame, contender, actors))):.0f}" for actors in ACTORS]
        rows.append(f"| {' | '.join([contender.label.replace('zero-price', 'zero price'), *found])} |")
    return "\n".join(rows)
