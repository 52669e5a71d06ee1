"""Whether training depends on the device: learning curves of a GPU against those of a CPU."""

from __future__ import annotations

from collections.abc import Mapping

from simulations.results.device_agreement import EXPERIMENTS, Comparison, Pair, compare
from simulations.statistics import Interval
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Measured, Value
from simulations.verification.checks.labels import method_of

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
        point = method_of(pair.label) | {"experiment": pair.experiment, "measure": pair.measure}
        rows.append(_row(quantity, ratio, pair, pair.source.origin, {"device": "GPU", "against": "CPU", **point}))
    worst = max(found.pairs, key=lambda pair: pair.distance)
    origin = f"{worst.source.origin}; at {worst.measure}, {worst.label}, {worst.experiment}"
    origin += "".join(f"; not compared: {name}, {reason}" for name, reason in found.left_out.items())
    quantity = "largest difference of the two means, standard errors"
    distance = Interval(worst.distance, worst.distance, worst.distance)
    point = {"device": "GPU", "against": "CPU", "extreme": "largest"}
    rows.append(_row(quantity, distance, worst, origin, point))
    return rows


def _row(quantity: str, interval: Interval, pair: Pair, origin: str, parameters: Mapping[str, Value]) -> Measured:
    ends = (interval.value, interval.low, interval.high)
    return Measured(quantity, *ends, len(pair.gpu), None, origin, pair.sizes, (pair.source,), parameters)
