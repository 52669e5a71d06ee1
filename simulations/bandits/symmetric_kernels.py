"""Numba kernel for one correct arm and K − 1 exchangeable wrong ones, whose batches need no list of arms.

By symmetry a batch is known from its kept correct samples, its kept wrong samples, and the spread Σ(m_a − M/(K−1))²
of the latter over the wrong arms; the mean of the perpendicular part is zero. Why drawing counts is exact is said in
:mod:`simulations.bandits.kernels`.
"""

import math

import numpy as np

from simulations.bandits.kernels import EVERY, N_STATISTICS, finish, record
from simulations.randomness.draws import binomial, categorical, multinomial_tables
from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel, next_uniform

_CATEGORICAL_PER_ARM = 14  # as in simulations.randomness.draws
_FEWEST_ARMS, _LEAST_MEAN, _LEAST_REST, _LARGEST_TABLE = 8, 5.0, 0.02, 100_000  # where Poisson proposals pay


@inlined
def _draw_pair(
    state: WordArray, batch_size: int, n_kept: int, p_correct: float, keep: FloatArray, scores: FloatArray
) -> tuple[int, int]:
    """Kept samples of the correct arm and of all wrong arms together."""
    correct = binomial(state, batch_size, p_correct)
    wrong = batch_size - correct
    if n_kept == EVERY:
        return binomial(state, correct, keep[0]), binomial(state, wrong, keep[1])
    if scores[0] > scores[1]:
        return min(correct, n_kept), n_kept - min(correct, n_kept)
    if scores[0] < scores[1]:
        return n_kept - min(wrong, n_kept), min(wrong, n_kept)
    kept = binomial(state, n_kept, p_correct)  # a random choice ignores the labels
    return kept, n_kept - kept


@inlined
def _sum_squares(state: WordArray, n: int, conditional: FloatArray, counts: IntArray, picks: IntArray) -> int:
    """Draw n samples over equal arms and return Σ m_a²; ``counts`` is zero before and after."""
    n_wrong = counts.size
    squares = 0
    if n <= picks.size:
        for i in range(n):
            arm = int(next_uniform(state) * n_wrong)
            squares += 2 * counts[arm] + 1
            counts[arm] += 1
            picks[i] = arm
        for i in range(n):
            counts[picks[i]] = 0
        return squares
    left = n
    for arm in range(n_wrong - 1):
        drawn = binomial(state, left, conditional[arm])
        squares += drawn * drawn
        left -= drawn
    return squares + left * left


@kernel
def poisson_table(mean: float) -> tuple[FloatArray, IntArray, int]:
    """Return an alias table of Poisson(mean) and the count of its first column; what it leaves out is below 1e-18."""
    half = 9.5 * math.sqrt(mean) + 40.0
    first = max(0, int(mean - half))
    last = int(mean + half)
    weights = np.empty(last - first + 1)
    for i in range(weights.size):
        count = first + i
        weights[i] = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1.0))
    threshold, choice, _ = multinomial_tables(weights)
    return threshold, choice, first


@inlined
def _propose_wrong(
    state: WordArray,
    batch_size: int,
    rest_mean: float,
    n_wrong: int,
    threshold: FloatArray,
    choice: IntArray,
    first: int,
) -> tuple[int, int]:
    """Draw the number of kept wrong samples and Σ m_a² at a cost that no large binomial enters.

    Were the batch size Poisson(B), the wrong arms' kept counts and the number N of all other samples would be
    independent Poisson variables; given that they sum to B they have the multinomial law that is wanted. So draw the
    arms, whose means are equal and need one alias table, and accept with probability Poisson(N; rest_mean) over its
    maximum, N = B − Σ m_a. About √(rest_mean/B) of the proposals pass.
    """
    mode = math.floor(rest_mean)
    log_mean = math.log(rest_mean)
    log_largest = mode * log_mean - math.lgamma(mode + 1.0)
    while True:
        n = squares = 0
        for _ in range(n_wrong):
            drawn = first + categorical(state, threshold, choice)
            n += drawn
            squares += drawn * drawn
        others = batch_size - n
        if others >= 0:
            log_ratio = others * log_mean - math.lgamma(others + 1.0) - log_largest
            if math.log(1.0 - next_uniform(state)) <= log_ratio:
                return n, squares


@kernel
def symmetric_moments(
    states: WordArray,
    p_correct: float,
    n_arms: int,
    keep: FloatArray,
    coefficient: FloatArray,
    scores: FloatArray,
    batch_size: int,
    n_kept: int,
    n_batches: int,
    cosine: float,
) -> tuple[FloatArray]:
    """As :func:`simulations.bandits.kernels.batch_moments`, in O(min(B, K)) a batch.

    Parameters
    ----------
    states : ndarray of uint64, shape (n_replicates, 4)
        Streams; advanced in place.
    p_correct, n_arms : float, int
        p and K ≥ 2; the direction is that of ∇J = p·(e_{y*} − π).
    keep, coefficient, scores : ndarray, shape (2,)
        As there, for the correct arm and for a wrong one.
    batch_size, n_kept, n_batches, cosine : int, int, int, float
        As there.

    Returns
    -------
    statistics : ndarray, shape (n_replicates, 6)
        As there.
    """
    n_wrong = n_arms - 1
    scale = math.sqrt(n_arms / n_wrong) / batch_size  # α/B
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    counts = np.zeros(n_wrong, dtype=np.int64)
    picks = np.empty(min(batch_size, _CATEGORICAL_PER_ARM * n_wrong), dtype=np.int64)
    conditional = 1.0 / np.arange(n_wrong, 0, -1)
    rest = p_correct + (1.0 - p_correct) * (1.0 - keep[1])  # P(not a kept wrong sample)
    mean = batch_size * (1.0 - p_correct) * keep[1] / n_wrong
    spread = n_wrong > 1 and coefficient[1] != 0.0  # whether the perpendicular part can differ from zero
    by_poisson = spread and n_kept == EVERY and n_wrong >= _FEWEST_ARMS and rest >= _LEAST_REST
    by_poisson = by_poisson and mean > _LEAST_MEAN and 19.0 * math.sqrt(mean) < _LARGEST_TABLE
    threshold, choice, first = poisson_table(mean if by_poisson else 1.0)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], statistics[replicate]
        for batch in range(n_batches):
            squares = 0
            if by_poisson:
                wrong, squares = _propose_wrong(
                    state, batch_size, batch_size * rest, n_wrong, threshold, choice, first
                )
                correct = binomial(state, batch_size - wrong, p_correct * keep[0] / rest)
            else:
                correct, wrong = _draw_pair(state, batch_size, n_kept, p_correct, keep, scores)
                if spread:
                    squares = _sum_squares(state, wrong, conditional, counts, picks)
            signal = scale * ((1.0 - p_correct) * correct * coefficient[0] - p_correct * wrong * coefficient[1])
            square = 0.0
            if spread:  # the numerator in integers, so that it is exactly zero where it should be
                square = (n_wrong * squares - wrong * wrong) / n_wrong * (coefficient[1] / batch_size) ** 2
            record(row, batch, signal, square, correct + wrong, cosine)
        finish(row, n_batches)
    return (statistics,)
