"""Numba kernels for batches of gated gradients of one context.

A batch of B samples enters its gradient ḡ = (1/B) Σ_a m_a·c_a·φ_a only through the kept counts m_a of the K arms, so
the kernels draw the counts and never the samples. That is exact, not an approximation: B independent draws from π
have counts Multinomial(B, π); a gate that keeps each sample of arm a with probability w_a, independently, gives every
sample K + 1 exclusive outcomes (kept as arm a, or dropped), so the kept counts are the first K entries of
Multinomial(B, (π·w, 1 − Σπw)). Exactly-k selection is :func:`simulations.randomness.top_counts.add_top_counts`.

Arms come sorted by descending score where a score matters. No replicate (a row of ``states``) touches another.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.bandits.kernels.statistics import EVERY, N_STATISTICS, Batches, BatchGradient, finish, record
from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.draws import add_multinomial, binomial, categorical, multinomial_tables
from simulations.randomness.streams import FloatArray, IntArray, WordArray, next_uniform
from simulations.randomness.top_counts import add_top_counts, fill_groups, group_tables


class GatedArms(NamedTuple):
    """The K arms of one context as its gate sees them."""

    policy: FloatArray
    """(K,): probabilities π."""
    keep: FloatArray
    """(K,): probability that a sample gets its backward pass, one for soft weights; unused for exactly-k."""
    coefficient: FloatArray
    """(K,): multiplies the score φ_a of a kept sample: its advantage, times the weight if the weights are soft."""
    scores: FloatArray
    """(K,): selection scores in descending order; used for exactly-k alone."""
    direction: FloatArray
    """(K,): unit vector u."""


@inlined
def _add_gradient(counts: IntArray, arms: GatedArms, batch_size: int, perpendicular: FloatArray) -> BatchGradient:
    """Return a batch's gradient from its kept counts, and add its part across u to ``perpendicular``, both (K,).

    Sets the counts to zero. The part across is formed before it is squared: ‖ḡ‖² minus the squared signal would
    cancel where the gate leaves no perpendicular part.
    """
    policy, coefficient, direction = arms.policy, arms.coefficient, arms.direction
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
    return BatchGradient(signal / batch_size, square, kept)


@kernel
def batch_moments(states: WordArray, arms: GatedArms, batches: Batches) -> tuple[FloatArray, FloatArray]:
    """Moments over the batches of each replicate, for any gate on any softmax bandit, O(K) a batch.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    arms : GatedArms
        K arms.
    batches : Batches
        Size and number of the batches of a replicate.

    Returns
    -------
    statistics : ndarray, shape (n_replicates, 6)
        Columns named in :mod:`simulations.bandits.kernels`.
    perpendicular : ndarray, shape (n_replicates, K)
        Mean of ḡ_⊥ = ḡ − (ḡ·u)u.
    """
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    perpendicular = np.zeros((states.shape[0], arms.policy.size))
    if batches.n_kept == EVERY:
        _add_independent_batches(states, arms, batches, statistics, perpendicular)
    else:
        _add_top_batches(states, arms, batches, statistics, perpendicular)
    for replicate in range(states.shape[0]):
        finish(statistics[replicate], batches.number)
    perpendicular /= batches.number
    return statistics, perpendicular


@kernel
def _add_independent_batches(
    states: WordArray, arms: GatedArms, batches: Batches, statistics: FloatArray, perpendicular: FloatArray
) -> None:
    """Add batches of which each sample is kept by itself to running sums, (n_replicates, 6) and (n_replicates, K)."""
    counts = np.zeros(arms.policy.size, dtype=np.int64)
    kept_weights = arms.policy * arms.keep
    share = kept_weights.sum() / arms.policy.sum()  # exactly one if everything is kept
    tables = multinomial_tables(kept_weights)
    for replicate in range(states.shape[0]):
        state, row, mean = states[replicate], statistics[replicate], perpendicular[replicate]
        for batch in range(batches.number):
            add_multinomial(state, binomial(state, batches.size, share), tables, counts)
            record(row, batch, _add_gradient(counts, arms, batches.size, mean), batches.cosine)


@kernel
def _add_top_batches(
    states: WordArray, arms: GatedArms, batches: Batches, statistics: FloatArray, perpendicular: FloatArray
) -> None:
    """Add batches of which exactly k samples are kept to running sums, (n_replicates, 6) and (n_replicates, K)."""
    n_arms = arms.policy.size
    counts = np.zeros(n_arms, dtype=np.int64)
    tables = group_tables(n_arms)
    n_groups = fill_groups(arms.scores, arms.policy, tables, np.empty(n_arms, dtype=np.int64))
    for replicate in range(states.shape[0]):
        state, row, mean = states[replicate], statistics[replicate], perpendicular[replicate]
        for batch in range(batches.number):
            add_top_counts(state, batches.size, batches.n_kept, n_groups, tables, counts)
            record(row, batch, _add_gradient(counts, arms, batches.size, mean), batches.cosine)


@kernel
def alignment_times(
    states: WordArray, arms: GatedArms, threshold: float, max_samples: int
) -> tuple[IntArray, IntArray]:
    """Draw samples one by one until the cosine of their gradient with u reaches ``threshold``.

    A sample costs O(1): with C_a the summed coefficients of arm a and S = Σ C_a the gradient is G = C − Sπ, and a new
    sample c·φ_a changes ‖G‖² by 2c·(G_a − π·G) + c²‖φ_a‖².

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    arms : GatedArms
        K arms; their scores are not used.
    threshold, max_samples : float, int
        Cosine to reach, c₀, and where to give up.

    Returns
    -------
    forward, backward : ndarray of int64, shape (n_replicates,)
        Samples drawn and samples kept; forward is −1 where the cosine was not reached.
    """
    forward = np.full(states.shape[0], -1, dtype=np.int64)
    backward = np.zeros(states.shape[0], dtype=np.int64)
    policy, keep = arms.policy, arms.keep
    tables = multinomial_tables(policy)
    squared_policy = (policy * policy).sum()
    mean_direction = (policy * arms.direction).sum()
    for replicate in range(states.shape[0]):
        state = states[replicate]
        summed = np.zeros(policy.size)
        total = mean_summed = along = square = 0.0
        for n in range(1, max_samples + 1):
            arm = categorical(state, tables.threshold, tables.choice)
            if keep[arm] < 1.0 and next_uniform(state) >= keep[arm]:
                continue
            part = arms.coefficient[arm]
            overlap = summed[arm] - policy[arm] * total - (mean_summed - squared_policy * total)
            square += part * (2.0 * overlap + part * (1.0 - 2.0 * policy[arm] + squared_policy))
            along += part * (arms.direction[arm] - mean_direction)
            summed[arm] += part
            total += part
            mean_summed += policy[arm] * part
            backward[replicate] += 1
            if along > 0.0 and along >= threshold * math.sqrt(square):
                forward[replicate] = n
                break
    return forward, backward
