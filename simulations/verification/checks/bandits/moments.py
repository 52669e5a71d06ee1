"""What the checks of gates and of screening rules share: generators, and rows of means."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from simulations.statistics import mean_and_error
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["estimated", "generator"]


def generator(*key: int) -> np.random.Generator:
    """Return the generator of one part of a check; the same key gives the same numbers."""
    return np.random.default_rng(np.random.SeedSequence(0, spawn_key=key))


def estimated(
    quantity: str, predicted: float, replicates: ArrayLike, resolution: float = 0.0, *, at: Mapping[str, Value]
) -> Simulated:
    """Return the row of a quantity that is a mean over independent replicates, shape (n,), at a point of a grid."""
    return Simulated(quantity, predicted, *mean_and_error(replicates), resolution, at)
