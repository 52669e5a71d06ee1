"""The rows of a simulated cell: an estimate beside its closed form."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry.symmetric import confidence_baseline, optimal_pg_baseline
from kondo_theory.words import unhandled
from simulations.bandits.simulation import Estimate
from simulations.sweeps.cells.types import Baseline

__all__ = ["Row", "baseline_value", "row"]

Row = dict[str, str | float | bool]
"""Columns ``quantity, predicted, estimate, standard_error, exact``."""


def row(quantity: str, predicted: float | NDArray[np.float64], found: Estimate, *, exact: bool = True) -> Row:
    """Return one quantity.

    ``exact`` says whether the prediction is that of the very object that was simulated, so that it lies within a few
    standard errors; where it is not, the prediction is a limit, or nan where there is none.
    """
    return {
        "quantity": quantity,
        "predicted": float(predicted),
        "estimate": float(found.value),
        "standard_error": float(found.standard_error),
        "exact": exact,
    }


def baseline_value(baseline: Baseline, constant: float, p_correct: float, n_arms: int) -> float:
    """Return b in a symmetric context; ``constant`` counts if the baseline is constant."""
    if baseline == "value":
        return p_correct
    if baseline == "confidence":
        return float(confidence_baseline(p_correct, n_arms))
    if baseline == "optimal":
        return float(optimal_pg_baseline(p_correct, n_arms))
    if baseline == "constant":
        return constant
    raise unhandled("baseline", baseline, get_args(Baseline))
