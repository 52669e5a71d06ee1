"""Whether training depends on the device: learning curves of a GPU against those of a CPU."""

from __future__ import annotations

from simulations.checks import Context
from simulations.device_tables import EXPERIMENTS, Comparison, compare
from simulations.statistics import Measured

__all__ = ["device_agreement", "device_rows"]


def device_agreement(context: Context) -> list[Measured]:
    """Return the rows of the claim ``device-agreement``: from tables given to the report and the committed ones."""
    own = [table for experiment in EXPERIMENTS.values() for table in context.tables.parts(experiment.kind)]
    return device_rows(compare(own))


def device_rows(found: Comparison) -> list[Measured]:
    """Return each method's errors on a GPU over those on a CPU, and the largest difference in standard errors."""
    rows = []
    for pair in found.pairs:
        ratio, quantity = pair.ratio, f"{pair.measure}, GPU / CPU, {pair.label}, {pair.experiment}"
        rows.append(
            Measured(quantity, ratio.value, ratio.low, ratio.high, len(pair.gpu), None, pair.origin, pair.preset)
        )
    worst = max(found.pairs, key=lambda pair: pair.distance)
    largest, origin = worst.distance, f"{worst.origin}; at {worst.measure}, {worst.label}, {worst.experiment}"
    origin += "".join(f"; not compared: {name}, {reason}" for name, reason in found.left_out.items())
    quantity = "largest difference of the two means, standard errors"
    rows.append(Measured(quantity, largest, largest, largest, len(worst.gpu), None, origin, worst.preset))
    return rows
