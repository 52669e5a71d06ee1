"""Estimates of functions of several simulated means, such as ratios, with their standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulations.bandits import Estimate

__all__ = ["jackknife"]

FloatArray = NDArray[np.float64]


def jackknife(statistic: Callable[..., FloatArray], *columns: FloatArray) -> Estimate:
    """Return a smooth function of means over replicates, less its bias of order 1/n, and its standard error.

    Parameters
    ----------
    statistic : callable
        Takes as many arrays as there are columns, broadcasting, and returns an array of their shape.
    columns : (n_replicates,) arrays
        Replicates of each mean; columns simulated from the same streams stay paired.
    """
    n = len(columns[0])
    totals = [column.sum() for column in columns]
    whole = float(statistic(*(np.asarray(total / n) for total in totals)))
    without = statistic(*((total - column) / (n - 1) for total, column in zip(totals, columns, strict=True)))
    return Estimate(float(n * whole - (n - 1) * without.mean()), float(np.sqrt((n - 1) * without.var())))
