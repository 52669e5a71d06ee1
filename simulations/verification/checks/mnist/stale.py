"""Measurement of ``stale-actors`` on MNIST: final errors by method and actors, and how predictions of them came out.

None of it is demanded: the predictions were of a network with a baseline that the theory does not have, and some were
missed at the first look. What came of each is counted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.mnist.stale.contenders import CONTENDERS, Contender
from simulations.mnist.stale.predictions import ACTORS, PREDICTIONS, Comparison, at_the_end, held
from simulations.mnist.tables import committed
from simulations.results.table_sizes import sizes_of_runs
from simulations.statistics import Interval, bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

__all__ = ["prediction_rows", "stale_images"]

KIND = "mnist-stale"


def stale_images(context: Context) -> list[Measured]:
    """Return the rows of a table measured elsewhere or committed, the largest; at smoke, or on a GPU, none."""
    found = context.tables.find(KIND)
    if found is None and context.preset != "smoke" and context.device == "cpu":
        found = committed(f"{KIND}-paper", f"{KIND}-quick")
    if found is None:
        return []
    return attributed(prediction_rows(found.frame, found.source.origin), found.source, sizes_of_runs(found.frame))


def prediction_rows(frame: pd.DataFrame, origin: str) -> list[Measured]:
    """Return how many comparisons of each prediction hold, each comparison, and every final error.

    Parameters
    ----------
    frame : DataFrame
        As :func:`simulations.mnist.stale.training.run_study` makes it.
    origin : str

    Raises
    ------
    ResultError
        If a run is lacking.
    """
    seeds = int(frame["seed"].nunique())
    rows: list[Measured] = []
    for number, (right, of) in held(frame).items():
        name = f"share of comparisons of prediction {number} that hold on MNIST"
        rows.append(_row(name, Interval(*(right / of,) * 3), seeds, origin, {"prediction": number}))
    for each in PREDICTIONS:
        unit = "percentage points" if each.minus else "percent"
        named = f"prediction {each.prediction} on MNIST: {each.title} ({unit})"
        where = _point(each.contender, each.actors) | _against(each)
        rows.append(_row(named, _over(frame, each, seeds), seeds, origin, where))
    for contender in CONTENDERS:
        for actors in ACTORS:
            values = at_the_end(frame, contender, actors)
            named = f"final test error on MNIST, {contender.label}, {actors} (percent)"
            rows.append(_row(named, bootstrap(values), seeds, origin, _point(contender, actors)))
    return rows


def _over(frame: pd.DataFrame, comparison: Comparison, seeds: int) -> Interval:
    """Return the number that a prediction bounds, with the bootstrap interval over seeds."""

    def statistic(draws: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return comparison.value(frame, draws.astype(np.intp))

    return bootstrap(np.arange(seeds), statistic)


def _point(contender: Contender, actors: str) -> dict[str, Value]:
    """Return whom a row is of and who acted, as parameters."""
    corrected: dict[str, Value] = {} if contender.correction == "none" else {"correction": contender.correction}
    setting = ACTORS[actors]
    frictions: dict[str, Value] = {
        "updates late": setting.delay,
        "δ broken": setting.random,
        "r paid": setting.corruption,
    }
    return {**method_of(contender.method.label), "surprisal": contender.surprisal, **corrected, **frictions}


def _against(comparison: Comparison) -> dict[str, Value]:
    """Return what a comparison takes from it, and which prediction it is of."""
    number: dict[str, Value] = {"prediction": comparison.prediction, "measure": comparison.column}
    if not comparison.minus:
        return number
    _, other, actors = comparison.minus[-1]
    same = other == comparison.contender
    return number | {"against": actors if same else method_of(other.method.label)["method"]}


def _row(name: str, found: Interval, seeds: int, origin: str, parameters: dict[str, Value]) -> Measured:
    return Measured(name, found.value, found.low, found.high, seeds, None, origin, parameters=parameters)
