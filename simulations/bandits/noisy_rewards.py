"""Batches of a softmax bandit with normal rewards: what gates keep of them, and the noise of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry.graded import evenly_graded
from simulations.bandits.simulation import Estimate

__all__ = ["BatchNoise", "Keep", "NoisyArms", "batch_noise", "kept_sums"]

FloatArray = NDArray[np.float64]
Keep = Callable[[FloatArray, np.random.Generator], NDArray[np.bool_]]
"""Masks (n, B) of the kept samples from scores (n, B)."""

_CHUNK = 1_000_000  # samples drawn at once
_GROUPS = 100  # of batches; standard errors come from the spread between them


@dataclass(frozen=True)
class NoisyArms:
    """Arms of rewards that fall evenly from 1 to 0, each with normal noise of deviation σ; the first is the best."""

    n_arms: int
    p_best: float
    baseline: float
    noise: float

    def __str__(self) -> str:
        return f"K={self.n_arms}, p={self.p_best:g}, b={self.baseline:g}, σ={self.noise:g}"

    @property
    def law(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return policy, mean advantages and deviations, each (K,)."""
        policy, advantage = evenly_graded(self.n_arms, self.p_best, self.baseline)
        return policy, advantage, np.full(self.n_arms, self.noise)


@dataclass(frozen=True)
class BatchNoise:
    """Moments of a batch's gradient along a unit vector u and across it; variances are B times those of the batch."""

    signal: Estimate
    var_parallel: Estimate
    var_perpendicular: Estimate
    groups: FloatArray
    """(3, 100): the three of each group of batches, so that estimators of the same batches can be paired."""


def kept_sums(
    arms: NoisyArms, batch_size: int, n_batches: int, gates: Sequence[Keep], rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return ΣUφ over what each gate keeps by delight, (n_gates, n_batches, K), and how many, (n_gates, n_batches).

    All gates see the same batches.
    """
    policy, advantage, noise = arms.law
    edges, surprisal = np.cumsum(policy)[:-1], -np.log(policy)
    sums = np.empty((len(gates), n_batches, arms.n_arms))
    counts = np.empty((len(gates), n_batches), dtype=np.int64)
    step = max(1, _CHUNK // batch_size)
    for start in range(0, n_batches, step):
        shape = (min(step, n_batches - start), batch_size)
        drawn = np.searchsorted(edges, rng.random(shape), side="right")
        paid = advantage[drawn] + noise[drawn] * rng.standard_normal(shape)
        place = np.arange(shape[0])[:, None] * arms.n_arms + drawn
        for gate, keep in enumerate(gates):
            kept = keep(paid * surprisal[drawn], rng)
            total = np.bincount(place[kept], weights=paid[kept], minlength=shape[0] * arms.n_arms)
            rows = slice(start, start + shape[0])
            sums[gate, rows] = total.reshape(shape[0], arms.n_arms)
            counts[gate, rows] = kept.sum(axis=1)
    return sums - policy * sums.sum(axis=-1, keepdims=True), counts


def batch_noise(gradients: FloatArray, direction: FloatArray, batch_size: int) -> BatchNoise:
    """Return the moments of batch gradients, (n_batches, K), at least 200, along u and across it."""
    along = gradients @ direction
    across = gradients - along[:, None] * direction
    size = len(gradients) // _GROUPS
    grouped = along[: size * _GROUPS].reshape(_GROUPS, size)
    aside = across[: size * _GROUPS].reshape(_GROUPS, size, -1)
    parallel = batch_size * grouped.var(axis=1, ddof=1)
    perpendicular = batch_size * aside.var(axis=1, ddof=1).sum(axis=-1)
    groups = np.stack([grouped.mean(axis=1), parallel, perpendicular])
    return BatchNoise(Estimate.of(along), Estimate.of(parallel), Estimate.of(perpendicular), groups)
