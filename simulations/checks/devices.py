"""Whether training depends on the device: learning curves of a GPU against those of a CPU."""

from __future__ import annotations

from simulations.checks import Context
from simulations.device_tables import EXPERIMENTS, Pair, pairs
from simulations.errors import ResultError
from simulations.statistics import Measured

__all__ = ["device_agreement", "device_rows"]


def device_agreement(context: Context) -> list[Measured]:
    """Return the rows of the claim ``device-agreement``: from tables given to the report and the committed ones."""
    own = [table for experiment in EXPERIMENTS.values() for table in context.tables.parts(experiment.kind)]
    return device_rows(pairs(own))


def device_rows(found: list[Pair]) -> list[Measured]:
    """Return each method's error on a GPU over that on a CPU, and the largest difference in standard errors.

    Raises
    ------
    ResultError
        If there is nothing to compare.
    """
    if not found:
        raise ResultError("no learning curves of a GPU whose protocol is that of a CPU's")
    rows = []
    for pair in found:
        ratio, quantity = pair.ratio, f"mean error over training, GPU / CPU, {pair.label}, {pair.experiment}"
        rows.append(
            Measured(quantity, ratio.value, ratio.low, ratio.high, len(pair.gpu), None, pair.origin, pair.preset)
        )
    worst = max(found, key=lambda pair: pair.distance)
    largest, origin = worst.distance, f"{worst.origin}; at {worst.label}, {worst.experiment}"
    quantity = "largest difference of the two means, standard errors"
    rows.append(Measured(quantity, largest, largest, largest, len(worst.gpu), None, origin, worst.preset))
    return rows
