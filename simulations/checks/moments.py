"""What the checks of gates and of screening rules share: generators, rows of means, functions of several moments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulations import bandit_kernels as kernels
from simulations.bandits import Estimate, MomentEstimates
from simulations.checks.estimates import jackknife
from simulations.statistics import Simulated, mean_and_error

__all__ = ["Keep", "cost_of_signal", "estimated", "generator", "noise_per_backward", "of_means", "total_variance"]

FloatArray = NDArray[np.float64]
Keep = Callable[[FloatArray, float, np.random.Generator], NDArray[np.bool_]]
"""Masks (n, B) of the kept samples from scores (n, B) and a rate, as :func:`kondo_theory.gate.select` makes them."""


def generator(*key: int) -> np.random.Generator:
    """Return the generator of one part of a check; the same key gives the same numbers."""
    return np.random.default_rng(np.random.SeedSequence(0, spawn_key=key))


def estimated(quantity: str, predicted: float, replicates: ArrayLike, resolution: float = 0.0) -> Simulated:
    """Return the row of a quantity that is a mean over independent replicates, shape (n,)."""
    return Simulated(quantity, predicted, *mean_and_error(replicates), resolution)


def of_means(statistic: Callable[..., FloatArray], *columns: FloatArray) -> Estimate:
    """Return a smooth function of several means over the same replicates, each (n,) with n ≥ 100, and its error.

    Replicates are first averaged in 100 groups: the jackknife multiplies rounding by their number.
    """
    n_groups = 100
    size = len(columns[0]) // n_groups
    return jackknife(statistic, *(x[: n_groups * size].reshape(n_groups, size).mean(axis=1) for x in columns))


def total_variance(estimates: MomentEstimates, batch_size: int) -> FloatArray:
    """Return B·(Var_∥ + Var_⊥) of each replicate of a symmetric context, shape (n_replicates,)."""
    columns = estimates.statistics[:, [kernels.SIGNAL_VARIANCE, kernels.PERPENDICULAR_SQUARE]]
    return np.asarray(batch_size * columns.sum(axis=1))


def cost_of_signal(rate: FloatArray, signal: FloatArray, variance: FloatArray) -> FloatArray:
    """Return ρE‖g‖²/‖E g‖² from the rate, the signal and the total variance per sample."""
    return rate * (variance + signal**2) / signal**2


def noise_per_backward(rate: FloatArray, signal: FloatArray, variance: FloatArray) -> FloatArray:
    """Return that cost less the rate, ρ·Var/‖E g‖²: N backward passes have efficiency 1/(1 + this/N)."""
    return rate * variance / signal**2
