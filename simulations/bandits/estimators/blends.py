"""Blends of PG and of a gated gradient of the same batches, simulated by counts of arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.bandits.estimates import of_means
from simulations.bandits.simulation import Estimate

__all__ = ["Batches", "draw_batches"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Batches:
    """Gradients of independent batches, less the true one.

    Attributes
    ----------
    gated, dropped : (n, K) array
        What a batch's mean gradient has from kept samples, less ∇J, and from the dropped.
    """

    gated: FloatArray
    dropped: FloatArray

    def error(self, weight: FloatArray | float) -> FloatArray:
        """Return ‖h − ∇J‖² of each batch, (n,), for one weight or one a batch."""
        blend = self.gated + np.asarray(weight)[..., None] * self.dropped
        return np.asarray(np.sum(blend**2, axis=1))

    def best_weight(self) -> Estimate:
        """Return the weight of least error: the regression of what is missing on what was dropped."""
        missing = -np.sum(self.gated * self.dropped, axis=1)
        return of_means(lambda a, b: a / b, missing, np.sum(self.dropped**2, axis=1))


def draw_batches(
    policy: FloatArray,
    advantage: FloatArray,
    keep: FloatArray,
    size: int,
    n: int,
    seed: int,
    *,
    soft: bool = False,
    dropped_rate: float = 1.0,
) -> Batches:
    """Draw n batches; each sample is kept with its probability, or weighted by it if ``soft``.

    Of the dropped a random share is taken, weighted by one over it.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    counts = rng.multinomial(size, policy, size=n)
    scores = advantage[:, None] * (np.eye(len(policy)) - policy) / size
    true = size * policy @ scores
    if soft:
        return Batches((counts * keep) @ scores - true, (counts * (1 - keep)) @ scores)
    kept = rng.binomial(counts, keep)
    drawn = rng.binomial(counts - kept, dropped_rate) / dropped_rate
    return Batches(kept @ scores - true, drawn @ scores)
