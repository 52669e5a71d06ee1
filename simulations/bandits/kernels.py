"""Numba kernels for batches of gated gradients of one context: arrays in, arrays out.

A batch of B samples enters its gradient ḡ = (1/B) Σ_a m_a·c_a·φ_a only through the kept counts m_a of the K arms, so
the kernels draw the counts and never the samples. That is exact, not an approximation: B independent draws from π
have counts Multinomial(B, π); a gate that keeps each sample of arm a with probability w_a, independently, gives every
sample K + 1 exclusive outcomes (kept as arm a, or dropped), so the kept counts are the first K entries of
Multinomial(B, (π·w, 1 − Σπw)). Exactly-k selection is :func:`simulations.randomness.draws.add_top_counts`.

Arms come sorted by descending score where a score matters. No replicate (a row of ``states``) touches another.
"""

import math

import numpy as np

from simulations.randomness.draws import (
    add_multinomial,
    add_top_counts,
    binomial,
    categorical,
    fill_groups,
    multinomial_tables,
)
from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel, next_uniform

SIGNAL, SIGNAL_VARIANCE, PERPENDICULAR_SQUARE, COSINE, KEPT, ALIGNED = range(6)
"""Columns of the statistics of a replicate."""
N_STATISTICS = 6

EVERY = -1
"""``n_kept`` of gates that decide sample by sample; any other value is the k of exactly-k selection."""


@inlined
def record(row: FloatArray, batch: int, signal: float, square: float, kept: float, threshold: float) -> None:
    """Add batch number ``batch`` (from 0) to a replicate's running sums; the variance by Welford's update."""
    norm = math.sqrt(signal * signal + square)
    cosine = signal / norm if norm > 0.0 else 0.0
    shift = signal - row[SIGNAL]
    row[SIGNAL] += shift / (batch + 1)
    row[SIGNAL_VARIANCE] += shift * (signal - row[SIGNAL])
    row[PERPENDICULAR_SQUARE] += square
    row[COSINE] += cosine
    row[KEPT] += kept
    if norm > 0.0 and cosine >= threshold:
        row[ALIGNED] += 1.0


@inlined
def finish(row: FloatArray, n_batches: int) -> None:
    """Turn a replicate's running sums over ``n_batches`` ≥ 2 batches into means and an unbiased variance."""
    row[SIGNAL_VARIANCE] /= n_batches - 1
    for column in (PERPENDICULAR_SQUARE, COSINE, KEPT, ALIGNED):
        row[column] /= n_batches


@inlined
def _add_gradient(
    counts: IntArray,
    policy: FloatArray,
    coefficient: FloatArray,
    direction: FloatArray,
    batch_size: int,
    perpendicular: FloatArray,
) -> tuple[float, float, int]:
    """Return a batch gradient's part along ``direction``, the squared norm of the rest, and the number kept.

    Adds the rest itself to ``perpendicular`` and sets ``counts`` to zero. The rest is formed before it is squared:
    ‖ḡ‖² minus the squared signal would cancel where the gate leaves no perpendicular part.
    """
    total = along = mean_direction = 0.0
    kept = 0
    for arm in range(counts.size):
        part = counts[arm] * coefficient[arm]
        total += part
        along += part * direction[arm]
        mean_direction += policy[arm] * direction[arm]
        kept += counts[arm]
    signal = along - total * mean_direction
    square = 0.0
    for arm in range(counts.size):
        rest = counts[arm] * coefficient[arm] - policy[arm] * total - signal * direction[arm]
        rest /= batch_size
        perpendicular[arm] += rest
        square += rest * rest
        counts[arm] = 0
    return signal / batch_size, square, kept


@kernel
def batch_moments(
    states: WordArray,
    policy: FloatArray,
    keep: FloatArray,
    coefficient: FloatArray,
    scores: FloatArray,
    direction: FloatArray,
    batch_size: int,
    n_kept: int,
    n_batches: int,
    threshold: float,
) -> tuple[FloatArray, FloatArray]:
    """Moments over ``n_batches`` batches a replicate, for any gate on any softmax bandit, O(K) a batch.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    policy : ndarray, shape (K,)
        Probabilities π.
    keep : ndarray, shape (K,)
        Probability that a sample of the arm gets its backward pass (one for soft weights); unused for exactly-k.
    coefficient : ndarray, shape (K,)
        Multiplies the score φ_a of a kept sample: advantage, times the weight if the weights are soft.
    scores : ndarray, shape (K,)
        Selection score in descending order; used for exactly-k only.
    direction : ndarray, shape (K,)
        Unit vector u.
    batch_size, n_kept, n_batches : int
        B, k or ``EVERY``, and at least two batches.
    threshold : float
        A batch is aligned if cos(ḡ, u) is at least this; a zero gradient has cosine 0 and is never aligned.

    Returns
    -------
    statistics : ndarray, shape (n_replicates, 6)
        Mean of ḡ·u, unbiased variance of ḡ·u, means of ‖ḡ_⊥‖², of the cosine, of the number kept, share aligned.
    perpendicular : ndarray, shape (n_replicates, K)
        Mean of ḡ_⊥ = ḡ − (ḡ·u)u.
    """
    n_arms = policy.size
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    perpendicular = np.zeros((states.shape[0], n_arms))
    counts = np.zeros(n_arms, dtype=np.int64)
    kept_weights = policy * keep
    share = kept_weights.sum() / policy.sum()  # exactly one if everything is kept
    accept, choice, conditional = multinomial_tables(kept_weights if share > 0.0 else policy)
    bounds = np.empty(n_arms + 1, dtype=np.int64)
    group_conditional = np.empty(n_arms)
    n_groups = 0
    if n_kept != EVERY:
        stack = np.empty(n_arms, dtype=np.int64)
        n_groups = fill_groups(scores, policy, bounds, accept, choice, conditional, group_conditional, stack)
    for replicate in range(states.shape[0]):
        state, row, mean = states[replicate], statistics[replicate], perpendicular[replicate]
        for batch in range(n_batches):
            if n_kept == EVERY:
                drawn = binomial(state, batch_size, share)
                add_multinomial(state, drawn, accept, choice, conditional, counts)
            else:
                add_top_counts(
                    state,
                    batch_size,
                    n_kept,
                    n_groups,
                    bounds,
                    accept,
                    choice,
                    conditional,
                    group_conditional,
                    counts,
                )
            signal, square, kept = _add_gradient(counts, policy, coefficient, direction, batch_size, mean)
            record(row, batch, signal, square, kept, threshold)
        finish(row, n_batches)
        mean /= n_batches
    return statistics, perpendicular


@kernel
def alignment_times(
    states: WordArray,
    policy: FloatArray,
    keep: FloatArray,
    coefficient: FloatArray,
    direction: FloatArray,
    threshold: float,
    max_samples: int,
) -> tuple[IntArray]:
    """Draw samples one by one until the cosine of their gradient with ``direction`` reaches ``threshold``.

    A sample costs O(1): with C_a the summed coefficients of arm a and S = Σ C_a the gradient is G = C − Sπ, and a new
    sample c·φ_a changes ‖G‖² by 2c·(G_a − π·G) + c²‖φ_a‖².

    Parameters
    ----------
    policy, keep, coefficient, direction : ndarray, shape (K,)
        As in :func:`batch_moments`.
    threshold : float
        Cosine to reach, c₀.
    max_samples : int
        Where to give up.

    Returns
    -------
    samples : ndarray of int64, shape (n_replicates, 2)
        Forward samples and backward passes (kept samples) used; forward is −1 where the cosine was not reached.
    """
    n_arms = policy.size
    samples = np.zeros((states.shape[0], 2), dtype=np.int64)
    accept, choice, _ = multinomial_tables(policy)
    squared_policy = (policy * policy).sum()
    mean_direction = (policy * direction).sum()
    for replicate in range(states.shape[0]):
        state = states[replicate]
        summed = np.zeros(n_arms)
        total = mean_summed = along = square = 0.0
        samples[replicate, 0] = -1
        for n in range(1, max_samples + 1):
            arm = categorical(state, accept, choice)
            if keep[arm] < 1.0 and next_uniform(state) >= keep[arm]:
                continue
            part = coefficient[arm]
            overlap = summed[arm] - policy[arm] * total - (mean_summed - squared_policy * total)
            square += part * (2.0 * overlap + part * (1.0 - 2.0 * policy[arm] + squared_policy))
            along += part * (direction[arm] - mean_direction)
            summed[arm] += part
            total += part
            mean_summed += policy[arm] * part
            samples[replicate, 1] += 1
            if along > 0.0 and along >= threshold * math.sqrt(square):
                samples[replicate, 0] = n
                break
    return (samples,)
