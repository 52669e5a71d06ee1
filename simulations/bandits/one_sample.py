"""Second moment and cost of signal of gates that decide sample by sample, simulated one sample at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.bandits import kernels
from simulations.bandits.estimates import of_means
from simulations.bandits.simulation import Context, Estimate, MomentsConfig, simulate_moments

__all__ = ["SampleMoments", "sample_moments"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SampleMoments:
    """Of one sample's gradient g, zero if it is dropped.

    Attributes
    ----------
    signal, second : Estimate
        E g·u along the true gradient, and E‖g‖².
    cost_of_signal : Estimate
        ρE‖g‖²/(E g·u)².
    """

    signal: Estimate
    second: Estimate
    cost_of_signal: Estimate


def sample_moments(context: Context, n_samples: int, seed: int, n_threads: int = 1) -> SampleMoments:
    """Simulate so many samples, a multiple of 200."""
    n_each = n_samples // 200
    found = simulate_moments(MomentsConfig(context, 1, n_each, 200, seed, n_threads=n_threads)).statistics
    kept, signal = found[:, kernels.KEPT], found[:, kernels.SIGNAL]
    spread = found[:, kernels.SIGNAL_VARIANCE] * (n_each - 1) / n_each
    second = signal**2 + spread + found[:, kernels.PERPENDICULAR_SQUARE]
    cost = of_means(_cost, kept, signal, second)
    return SampleMoments(Estimate.of(signal), Estimate.of(second), cost)


def _cost(rate: FloatArray, signal: FloatArray, second: FloatArray) -> FloatArray:
    """Return the cost of signal from the means of a sample."""
    return np.asarray(rate * second / signal**2)
