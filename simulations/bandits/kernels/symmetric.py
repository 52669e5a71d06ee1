"""Numba kernel for one correct arm and K − 1 exchangeable wrong ones, whose batches need no list of arms.

By symmetry a batch is known from its kept correct samples, its kept wrong samples, and the spread Σ(m_a − M/(K−1))²
of the latter over the wrong arms; the mean of the perpendicular part is zero. Why drawing counts is exact is said in
:mod:`simulations.bandits.kernels.batches`.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.bandits.kernels.statistics import EVERY, N_STATISTICS, Batches, BatchGradient, finish, record
from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.draws import CATEGORICAL_PER_ARM, binomial, categorical, multinomial_tables
from simulations.randomness.streams import FloatArray, IntArray, WordArray, next_uniform

# A table of Poisson(m) reaches so many standard deviations √m, and so many counts more, to both sides of its mean. A
# normal law has 2.1e-21 outside 9.5 deviations; the counts make up for the longer upper tail of small means.
_TAIL_DEVIATIONS, _TAIL_COUNTS = 9.5, 40.0

# Poisson proposals (see _propose_wrong) are tried from so many wrong arms and so many kept samples of each on, where
# they cost less than a binomial an arm; where √_LEAST_REST = 14 % of them, one in seven, or more will pass; and up to
# a table of so many columns, 2·_TAIL_DEVIATIONS·√m, which would take longer to build than it saves.
_FEWEST_ARMS, _LEAST_MEAN, _LEAST_REST, _LARGEST_TABLE = 8, 5.0, 0.02, 100_000


class Arm(NamedTuple):
    """One arm as its gate sees it."""

    keep: float
    """Probability that a sample gets its backward pass, one for soft weights; unused for exactly-k."""
    coefficient: float
    """Multiplies the score of a kept sample: its advantage, times the weight if the weights are soft."""
    score: float
    """Selection score; used for exactly-k alone."""


class SymmetricArms(NamedTuple):
    """One correct arm and K − 1 wrong ones; u is the direction of ∇J = p·(e_{y*} − π)."""

    p_correct: float
    """p."""
    n_arms: int
    """K ≥ 2."""
    correct: Arm
    wrong: Arm
    """Each of the wrong arms."""


class PoissonTable(NamedTuple):
    """Alias table of the N counts of a Poisson law that matter."""

    threshold: FloatArray
    """(N,), as in :class:`simulations.randomness.draws.MultinomialTables`."""
    choice: IntArray
    """(2 N,), as in :class:`simulations.randomness.draws.MultinomialTables`."""
    first: int
    """Count of the first column."""


@inlined
def _rest(arms: SymmetricArms) -> float:
    """Return the probability that a sample is no kept wrong one."""
    return arms.p_correct + (1.0 - arms.p_correct) * (1.0 - arms.wrong.keep)


@inlined
def _wrong_mean(arms: SymmetricArms, batch_size: int) -> float:
    """Return the mean number of kept samples of each wrong arm."""
    return batch_size * (1.0 - arms.p_correct) * arms.wrong.keep / (arms.n_arms - 1)


@inlined
def _spreads(arms: SymmetricArms) -> bool:
    """Whether the perpendicular part of a gradient can differ from zero."""
    return arms.n_arms > 2 and arms.wrong.coefficient != 0.0


@inlined
def _gradient(correct: int, wrong: int, squares: int, arms: SymmetricArms, batch_size: int) -> BatchGradient:
    """Return the gradient of a batch from its kept samples and Σ m_a² over the wrong arms."""
    n_wrong = arms.n_arms - 1
    scale = math.sqrt(arms.n_arms / n_wrong) / batch_size  # α/B
    pull = (1.0 - arms.p_correct) * correct * arms.correct.coefficient
    push = arms.p_correct * wrong * arms.wrong.coefficient
    square = 0.0
    if _spreads(arms):  # the numerator in integers, so that it is exactly zero where it should be
        square = (n_wrong * squares - wrong * wrong) / n_wrong * (arms.wrong.coefficient / batch_size) ** 2
    return BatchGradient(scale * (pull - push), square, correct + wrong)


@inlined
def _draw_pair(state: WordArray, arms: SymmetricArms, batches: Batches) -> tuple[int, int]:
    """Draw the kept samples of the correct arm and of all wrong arms together."""
    correct = binomial(state, batches.size, arms.p_correct)
    wrong, n_kept = batches.size - correct, batches.n_kept
    if n_kept == EVERY:
        return binomial(state, correct, arms.correct.keep), binomial(state, wrong, arms.wrong.keep)
    if arms.correct.score > arms.wrong.score:
        return min(correct, n_kept), n_kept - min(correct, n_kept)
    if arms.correct.score < arms.wrong.score:
        return n_kept - min(wrong, n_kept), min(wrong, n_kept)
    kept = binomial(state, n_kept, arms.p_correct)  # a random choice ignores the labels
    return kept, n_kept - kept


@inlined
def _sum_squares(state: WordArray, n: int, conditional: FloatArray, counts: IntArray, picks: IntArray) -> int:
    """Draw n samples over K − 1 equal arms and return Σ m_a².

    ``conditional``, shape (K − 1,), is the probability of each arm given none before it; ``counts``, shape (K − 1,),
    is zero before and after; ``picks`` is scratch space, and as long as samples are worth drawing one by one.
    """
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
def poisson_table(mean: float) -> PoissonTable:
    """Return an alias table of Poisson(mean); what it leaves out is below 3e-21."""
    half = _TAIL_DEVIATIONS * math.sqrt(mean) + _TAIL_COUNTS
    first = max(0, int(mean - half))
    last = int(mean + half)
    weights = np.empty(last - first + 1)
    for i in range(weights.size):
        count = first + i
        weights[i] = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1.0))
    threshold, choice, _ = multinomial_tables(weights)
    return PoissonTable(threshold, choice, first)


@inlined
def _propose_wrong(
    state: WordArray, batch_size: int, rest_mean: float, n_wrong: int, table: PoissonTable
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
            drawn = table.first + categorical(state, table.threshold, table.choice)
            n += drawn
            squares += drawn * drawn
        others = batch_size - n
        if others >= 0:
            log_ratio = others * log_mean - math.lgamma(others + 1.0) - log_largest
            if math.log(1.0 - next_uniform(state)) <= log_ratio:
                return n, squares


@inlined
def _poisson_pays(arms: SymmetricArms, batches: Batches) -> bool:
    mean = _wrong_mean(arms, batches.size)
    many = arms.n_arms - 1 >= _FEWEST_ARMS and mean > _LEAST_MEAN
    small_table = 2.0 * _TAIL_DEVIATIONS * math.sqrt(mean) < _LARGEST_TABLE
    return batches.n_kept == EVERY and _spreads(arms) and _rest(arms) >= _LEAST_REST and many and small_table


@kernel
def symmetric_moments(states: WordArray, arms: SymmetricArms, batches: Batches) -> FloatArray:
    """Return moments over the batches of each replicate, in O(min(B, K)) a batch.

    ``states``, shape (n_replicates, 4), are streams, advanced in place. The statistics, shape (n_replicates, 6), have
    the columns named in :mod:`simulations.bandits.kernels`.
    """
    statistics = np.zeros((states.shape[0], N_STATISTICS))
    if _poisson_pays(arms, batches):
        _add_poisson_batches(states, arms, batches, statistics)
    else:
        _add_drawn_batches(states, arms, batches, statistics)
    for replicate in range(states.shape[0]):
        finish(statistics[replicate], batches.number)
    return statistics


@kernel
def _add_poisson_batches(states: WordArray, arms: SymmetricArms, batches: Batches, statistics: FloatArray) -> None:
    """Add batches from Poisson proposals to the running sums, (n_replicates, 6)."""
    rest = _rest(arms)
    table = poisson_table(_wrong_mean(arms, batches.size))
    for replicate in range(states.shape[0]):
        state, row = states[replicate], statistics[replicate]
        for batch in range(batches.number):
            wrong, squares = _propose_wrong(state, batches.size, batches.size * rest, arms.n_arms - 1, table)
            correct = binomial(state, batches.size - wrong, arms.p_correct * arms.correct.keep / rest)
            record(row, batch, _gradient(correct, wrong, squares, arms, batches.size), batches.cosine)


@kernel
def _add_drawn_batches(states: WordArray, arms: SymmetricArms, batches: Batches, statistics: FloatArray) -> None:
    """Add batches drawn by samples or by binomials to the running sums, (n_replicates, 6)."""
    n_wrong = arms.n_arms - 1
    counts = np.zeros(n_wrong, dtype=np.int64)
    picks = np.empty(min(batches.size, CATEGORICAL_PER_ARM * n_wrong), dtype=np.int64)
    conditional = 1.0 / np.arange(n_wrong, 0, -1)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], statistics[replicate]
        for batch in range(batches.number):
            correct, wrong = _draw_pair(state, arms, batches)
            squares = _sum_squares(state, wrong, conditional, counts, picks) if _spreads(arms) else 0
            record(row, batch, _gradient(correct, wrong, squares, arms, batches.size), batches.cosine)
