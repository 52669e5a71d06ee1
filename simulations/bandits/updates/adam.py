"""Adam on a softmax bandit whose policy stands still: the steps that it would take, batch after batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = ["AdamBandit", "simulate_steps"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AdamBandit:
    """A context, what is kept and weighed of its samples, and what the batch's sum is divided by.

    Attributes
    ----------
    policy, advantage : (K,) array
    keep : (K,) array
        Probability that a sample of each arm is kept, sample by sample; or a score, with ``n_kept``.
    weight : (K,) array
        Of the kept.
    batch_size : int
    n_kept : int or None
        Exactly so many of a batch, the best by the scores ``keep``, which differ between arms.
    by_the_kept : bool
        Divide by how many are kept and not by B; a batch that keeps nothing has a gradient of zero.
    """

    policy: FloatArray
    advantage: FloatArray
    keep: FloatArray
    weight: FloatArray
    batch_size: int
    n_kept: int | None = None
    by_the_kept: bool = False

    def gradients(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """Return the gradients of batches, (*shape, K)."""
        counts = rng.multinomial(self.batch_size, self.policy / self.policy.sum(), size=shape)
        if self.n_kept is None:
            kept = rng.binomial(counts, self.keep)
        else:
            order = np.argsort(-self.keep)
            before = np.cumsum(counts[..., order], axis=-1) - counts[..., order]
            kept = np.empty_like(counts)
            kept[..., order] = np.clip(self.n_kept - before, 0, counts[..., order])
        n = np.maximum(kept.sum(axis=-1, keepdims=True), 1) if self.by_the_kept else self.batch_size
        paid = kept * self.weight * self.advantage / n
        return np.asarray(paid - self.policy * paid.sum(axis=-1, keepdims=True))


def simulate_steps(
    bandit: AdamBandit,
    n_replicates: int,
    filling: int,
    averaged: int,
    seed: tuple[int, ...],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> FloatArray:
    """Return Adam's mean step per unit of learning rate at this policy, (n_replicates, K).

    Parameters
    ----------
    filling, averaged : int
        Batches that fill the two averages first, and those whose steps are averaged then.
    seed : tuple of int
        Each replicate has a stream of its own.
    """
    found = np.empty((n_replicates, len(bandit.policy)))
    n = filling + averaged
    age = np.arange(1, n + 1)[:, None]
    for replicate in range(n_replicates):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(replicate,)))
        gradient = bandit.gradients((n,), rng)
        mean = lfilter([1 - beta1], [1, -beta1], gradient, axis=0) / (1 - beta1**age)
        square = lfilter([1 - beta2], [1, -beta2], gradient**2, axis=0) / (1 - beta2**age)
        late = slice(filling, None)
        root = np.sqrt(square[late])
        found[replicate] = np.mean(mean[late] / np.where(root > 0, root, 1.0), axis=0)
    return found
