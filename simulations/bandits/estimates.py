"""Estimates of functions of several simulated means, such as ratios, with their standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulations.bandits import kernels
from simulations.bandits.simulation import Estimate, MomentEstimates

__all__ = [
    "cosine_of_mean",
    "cosine_pseudovalues",
    "cost_of_signal",
    "jackknife",
    "noise_per_backward",
    "of_means",
    "total_variance",
]

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


def of_means(statistic: Callable[..., FloatArray], *columns: FloatArray) -> Estimate:
    """Return a smooth function of several means over the same replicates, each (n,) with n ≥ 100, and its error.

    Replicates are first averaged in 100 groups: the jackknife multiplies rounding by their number.
    """
    n_groups = 100
    size = len(columns[0]) // n_groups
    return jackknife(statistic, *(x[: n_groups * size].reshape(n_groups, size).mean(axis=1) for x in columns))


def cosine_pseudovalues(vectors: FloatArray, direction: FloatArray) -> FloatArray:
    """Return the jackknife's pseudo-values of the cosine of E v with a vector, (n,), from independent v, (n, D).

    Their mean is the estimate, less its bias of order 1/n, and their standard error its error. The squared length is
    Σ_{i≠j} v_i·v_j, which has no bias.
    """
    n = len(vectors)
    total, squares = vectors.sum(axis=0), (vectors**2).sum(axis=1)
    along = vectors @ direction / np.linalg.norm(direction)
    length = (total @ total - squares.sum()) / (n * (n - 1))
    whole = along.mean() / np.sqrt(length)
    rest = ((total - vectors) ** 2).sum(axis=1) - (squares.sum() - squares)
    without = (along.sum() - along) / (n - 1) / np.sqrt(rest / ((n - 1) * (n - 2)))
    return np.asarray(n * whole - (n - 1) * without)


def cosine_of_mean(vectors: FloatArray, direction: FloatArray) -> Estimate:
    """Return the cosine of E v with a vector from independent v, (n, D)."""
    return Estimate.of(cosine_pseudovalues(vectors, direction))


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
