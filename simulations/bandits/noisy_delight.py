"""Gates that decide by a delight to which noise was added: a front of :mod:`simulations.bandits.kernels.contexts`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kondo_theory.words import choice
from simulations.bandits.kernels import contexts as kernels
from simulations.bandits.kernels.statistics import EVERY, Batches
from simulations.randomness.streams import in_chunks, replicate_states

__all__ = ["NOISES", "noisy_batches"]

FloatArray = NDArray[np.float64]

NOISES = {"additive": kernels.ADDITIVE, "relative": kernels.RELATIVE, "bounded": kernels.BOUNDED}
ALIGNED_COSINE = 0.9
"""A batch whose cosine with ∇J is at least this counts as aligned."""


def noisy_batches(
    p: float,
    n_arms: int,
    baseline: float,
    price: float,
    noise: float,
    kind: str,
    batch_size: int,
    n_batches: int,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return statistics of the batch gradient and the share of changed decisions, one symmetric context.

    Returns
    -------
    statistics : (n_replicates, 6) array
        The columns of :mod:`simulations.bandits.kernels`.
    differing : (n_replicates,) array
        Share of the samples that the noise turned from kept to dropped or back.
    """
    error = kernels.DelightError(NOISES[choice("kind", kind, NOISES)], float(noise))
    return in_chunks(
        kernels.noisy_batches,
        replicate_states(seed, n_replicates),
        n_threads,
        kernels.SymmetricContext(float(p), n_arms, float(baseline)),
        float(price),
        error,
        Batches(batch_size, EVERY, n_batches, ALIGNED_COSINE),
    )
