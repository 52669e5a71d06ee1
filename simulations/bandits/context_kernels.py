"""Numba kernels for batches over many contexts, and for gates that decide on approximate delight.

Samples are drawn one by one and gated one by one, from their own advantage and surprisal: nothing that the closed
forms of :mod:`kondo_theory.contexts` and :mod:`kondo_theory.approximate` say is used here.
"""

import math

import numpy as np

from simulations.bandits.kernels import N_STATISTICS, finish, record
from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel, next_uniform

PG, DG, KONDO = range(3)
"""Codes of the methods of :func:`context_gradients`."""

ADDITIVE, RELATIVE, BOUNDED = range(3)
"""Codes of the errors of :func:`noisy_batches`: χ + τξ, χ(1 + τξ), and χ(1 + τv), v uniform on [−1, 1]."""


@inlined
def next_normal(state: WordArray) -> float:
    """Return a standard normal number (Box and Muller's cosine)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - next_uniform(state)))
    return radius * math.cos(2.0 * math.pi * next_uniform(state))


@inlined
def _draw_arm(state: WordArray, p_correct: float, n_arms: int) -> int:
    """Return 0, the correct arm, with probability p, or one of the others."""
    if next_uniform(state) < p_correct:
        return 0
    return 1 + int(next_uniform(state) * (n_arms - 1))


@kernel
def context_gradients(
    states: WordArray,
    p_correct: FloatArray,
    n_arms: IntArray,
    baseline: FloatArray,
    method: int,
    price: float,
    temperature: float,
    n_samples: int,
) -> tuple[FloatArray, FloatArray]:
    """Average gradients in the logits of every context, the same number of samples in each.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    p_correct, baseline : ndarray, shape (N,)
        Probability of arm 0, which alone pays 1, and b of each context.
    n_arms : ndarray of int64, shape (N,)
        K_n ≥ 2.
    method : int
        ``PG``, ``DG`` (weights σ(χ/η)) or ``KONDO`` (χ > λ).
    price, temperature : float
        λ and η.
    n_samples : int
        Samples a context and replicate.

    Returns
    -------
    gradients : ndarray, shape (n_replicates, N, max K_n)
        Mean of weight·U·(e_a − π); zero beyond a context's own arms.
    kept : ndarray, shape (n_replicates,)
        Backward passes over forward samples.
    """
    n_contexts = p_correct.size
    gradients = np.zeros((states.shape[0], n_contexts, n_arms.max()))
    kept = np.zeros(states.shape[0])
    for replicate in range(states.shape[0]):
        state = states[replicate]
        for n in range(n_contexts):
            p, b, row = p_correct[n], baseline[n], gradients[replicate, n, : n_arms[n]]
            wrong = (1.0 - p) / (n_arms[n] - 1)
            for _ in range(n_samples):
                arm = _draw_arm(state, p, n_arms[n])
                advantage = 1.0 - b if arm == 0 else -b
                delight = -advantage * math.log(p if arm == 0 else wrong)
                if method == KONDO and not delight > price:
                    continue
                weight = 1.0 / (1.0 + math.exp(-delight / temperature)) if method == DG else 1.0
                row[arm] += weight * advantage
                kept[replicate] += 1.0
            total = row.sum()
            row[0] -= p * total
            row[1:] -= wrong * total
    gradients /= n_samples
    kept /= n_contexts * n_samples
    return gradients, kept


@kernel
def noisy_batches(
    states: WordArray,
    p_correct: float,
    n_arms: int,
    baseline: float,
    price: float,
    noise: float,
    kind: int,
    batch_size: int,
    n_batches: int,
) -> tuple[FloatArray, FloatArray]:
    """Moments over batches of one symmetric context, gated by χ̂ > λ with an error drawn for every sample.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    p_correct, n_arms, baseline, price : float, int, float, float
        p, K, b and λ.
    noise, kind : float, int
        τ, and ``ADDITIVE``, ``RELATIVE`` or ``BOUNDED``.
    batch_size, n_batches : int
        B, and at least two batches a replicate.

    Returns
    -------
    statistics : ndarray, shape (n_replicates, 6)
        As :func:`simulations.bandits.kernels.batch_moments`, u the direction of ∇J; cosine 0.9 counts as aligned.
    differing : ndarray, shape (n_replicates,)
        Share of samples whose decision is not that of the exact delight.
    """
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    differing = np.zeros(states.shape[0])
    wrong = (1.0 - p_correct) / (n_arms - 1)
    direction = np.full(n_arms, -wrong)
    direction[0] = 1.0 - p_correct
    direction /= math.sqrt((direction * direction).sum())
    delights = (-(1.0 - baseline) * math.log(p_correct), baseline * math.log(wrong))
    gradient = np.zeros(n_arms)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], statistics[replicate]
        for batch in range(n_batches):
            gradient[:] = 0.0
            kept = 0
            for _ in range(batch_size):
                arm = _draw_arm(state, p_correct, n_arms)
                delight = delights[min(arm, 1)]
                error = 2.0 * next_uniform(state) - 1.0 if kind == BOUNDED else next_normal(state)
                seen = delight + noise * error if kind == ADDITIVE else delight * (1.0 + noise * error)
                if (seen > price) != (delight > price):
                    differing[replicate] += 1.0
                if seen > price:
                    gradient[arm] += 1.0 - baseline if arm == 0 else -baseline
                    kept += 1
            total = gradient.sum()
            gradient[0] -= p_correct * total
            gradient[1:] -= wrong * total
            gradient /= batch_size
            signal = (gradient * direction).sum()
            square = ((gradient - signal * direction) ** 2).sum()
            record(row, batch, signal, square, float(kept), 0.9)
        finish(row, n_batches)
    differing /= batch_size * n_batches
    return statistics, differing
