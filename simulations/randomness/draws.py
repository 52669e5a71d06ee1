"""Exact draws inside Numba: binomial, multinomial and the kept counts of exactly-k selection.

Exact up to the rounding of double arithmetic: none of them is a normal or Poisson approximation, and the cost of
each is bounded in the number of samples drawn.
"""

import math

import numpy as np

from simulations.randomness.streams import FloatArray, IntArray, WordArray, inlined, kernel, next_uniform

_INVERSION_MEAN = 10.0  # Hörmann's rejection is valid from here on, and faster
_CATEGORICAL_PER_ARM = 14  # measured: one binomial costs about as much as this many categorical draws
_STIRLING = np.array(
    [math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + k + 1 - 0.5 * math.log(2 * math.pi) for k in range(10)]
)


@inlined
def _stirling(k: int) -> float:
    if k < 10:
        return _STIRLING[k]
    inverse = 1.0 / (k + 1)
    square = inverse * inverse
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 * square) * square) * inverse


@inlined
def _binomial_inversion(state: WordArray, n: int, p: float) -> int:
    odds = p / (1.0 - p)
    mass = math.exp(n * math.log1p(-p))
    u = next_uniform(state)
    k = 0
    while u > mass and k < n:
        u -= mass
        k += 1
        mass *= odds * (n - k + 1) / k
    return k


@inlined
def _rejection_accepts(v: float, us: float, k: int, n: int, p: float, a: float, b: float) -> bool:
    """Second half of the test: a squeeze around the normal exponent, then the ratio of probabilities itself."""
    npq = n * p * (1.0 - p)
    mode = int((n + 1) * p)
    log_v = math.log(v * (2.83 + 5.1 / b) * math.sqrt(npq) / (a / (us * us) + b))
    distance = float(abs(k - mode))
    if 20.0 < distance < npq / 2.0 - 1.0:
        margin = (distance / npq) * ((distance * (distance / 3.0 + 0.625) + 1.0 / 6.0) / npq + 0.5)
        exponent = -distance * distance / (2.0 * npq)
        if log_v < exponent - margin:
            return True
        if log_v > exponent + margin:
            return False
    odds = p / (1.0 - p)
    log_ratio = (
        (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1)))
        + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
        + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
        + (_stirling(mode) + _stirling(n - mode) - _stirling(k) - _stirling(n - k))
    )
    return log_v <= log_ratio


@inlined
def _binomial_rejection(state: WordArray, n: int, p: float) -> int:
    deviation = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    quick = 0.92 - 4.2 / b
    while True:
        u = next_uniform(state) - 0.5
        v = next_uniform(state)
        us = 0.5 - abs(u)
        if us == 0.0:
            continue
        k = math.floor((2.0 * a / us + b) * u + n * p + 0.5)
        if us >= 0.07 and v <= quick:
            return k
        if 0 <= k <= n and _rejection_accepts(v, us, k, n, p, a, b):
            return k


@inlined
def binomial(state: WordArray, n: int, p: float) -> int:
    """Draw Binomial(n, p) exactly, in time that does not grow with n.

    Inversion while ``n·min(p, 1-p) < 10``, else W. Hörmann's transformed rejection (J. Statist. Comput. Simul. 46,
    101, 1993) with the squeeze of Kachitvichyanukul and Schmeiser. ``p`` outside [0, 1] by rounding is clipped.
    """
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    q = min(p, 1.0 - p)
    drawn = _binomial_inversion(state, n, q) if n * q < _INVERSION_MEAN else _binomial_rejection(state, n, q)
    return drawn if p <= 0.5 else n - drawn


@kernel
def multinomial_tables(weights: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """Build the tables from which :func:`add_multinomial` draws, in O(K).

    Parameters
    ----------
    weights : ndarray, shape (K,)
        Nonnegative, not all zero; need not sum to one.

    Returns
    -------
    threshold : ndarray, shape (K,)
        Walker's alias table: the share of column a that belongs to arm a.
    choice : ndarray of int64, shape (2 K,)
        ``choice[2a]`` is a, ``choice[2a + 1]`` the arm that owns the rest of column a.
    conditional : ndarray, shape (K,)
        Probability of arm a given that it is none of 0, ..., a − 1.
    """
    n_arms = weights.size
    threshold = np.empty(n_arms)
    choice = np.empty(2 * n_arms, dtype=np.int64)
    conditional = np.empty(n_arms)
    fill_alias_table(weights, threshold, choice, np.empty(n_arms, dtype=np.int64))
    fill_conditional(weights, conditional)
    return threshold, choice, conditional


@kernel
def fill_conditional(weights: FloatArray, conditional: FloatArray) -> None:
    """Write each arm's probability given none of the arms before it; summed from the end, so nothing cancels."""
    rest = 0.0
    for arm in range(weights.size - 1, -1, -1):
        rest += weights[arm]
        conditional[arm] = weights[arm] / rest if rest > 0.0 else 0.0


@kernel
def fill_alias_table(weights: FloatArray, threshold: FloatArray, choice: IntArray, stack: IntArray) -> None:
    """Write Walker's alias table (Vose's construction); ``stack``, shape (K,), is scratch space."""
    n_arms = weights.size
    scale = n_arms / weights.sum()
    n_small, first_large = 0, n_arms  # columns below one fill the stack from the left, the others from the right
    for arm in range(n_arms):
        threshold[arm] = weights[arm] * scale
        choice[2 * arm] = arm
        choice[2 * arm + 1] = arm  # stays so for what the loop below leaves, which is one up to rounding
        if threshold[arm] < 1.0:
            stack[n_small] = arm
            n_small += 1
        else:
            first_large -= 1
            stack[first_large] = arm
    while n_small > 0 and first_large < n_arms:
        n_small -= 1
        small, large = stack[n_small], stack[first_large]
        choice[2 * small + 1] = large
        threshold[large] -= 1.0 - threshold[small]
        if threshold[large] < 1.0:
            first_large += 1
            stack[n_small] = large
            n_small += 1


@inlined
def categorical(state: WordArray, threshold: FloatArray, choice: IntArray) -> int:
    """Draw one arm from an alias table."""
    x = next_uniform(state) * threshold.size
    column = int(x)
    # An index instead of a branch: the branch would be mispredicted half of the time.
    return choice[2 * column + np.int64(x - column >= threshold[column])]


@kernel
def add_multinomial(
    state: WordArray, n: int, threshold: FloatArray, choice: IntArray, conditional: FloatArray, counts: IntArray
) -> None:
    """Add a Multinomial(n, weights) draw to ``counts``, shape (K,), from :func:`multinomial_tables`.

    Small n: n categorical draws. Large n: a conditional binomial an arm, so that the cost stops growing with n.
    """
    n_arms = counts.size
    if n <= _CATEGORICAL_PER_ARM * n_arms:
        for _ in range(n):
            counts[categorical(state, threshold, choice)] += 1
        return
    for arm in range(n_arms - 1):
        if n == 0:
            return
        drawn = binomial(state, n, conditional[arm])
        counts[arm] += drawn
        n -= drawn
    counts[n_arms - 1] += n


@kernel
def fill_groups(
    scores: FloatArray,
    policy: FloatArray,
    bounds: IntArray,
    threshold: FloatArray,
    choice: IntArray,
    conditional: FloatArray,
    group_conditional: FloatArray,
    stack: IntArray,
) -> int:
    """Write the tables of :func:`add_top_counts` for arms in descending order of score; return the number of groups.

    Parameters
    ----------
    scores, policy : ndarray, shape (K,)
        Scores in descending order, and the arms' probabilities.
    bounds : ndarray of int64, shape (K + 1,)
        Output: group g, a run of equal scores, is ``bounds[g]:bounds[g + 1]``.
    threshold, choice, conditional : ndarray, shapes (K,), (2 K,), (K,)
        Output: multinomial tables of each group, one after the other, numbered from the group's start.
    group_conditional : ndarray, shape (K,)
        Output: probability of each group given that the sample is in none before it.
    stack : ndarray of int64, shape (K,)
        Scratch space.
    """
    n_arms, n_groups = scores.size, 0
    for arm in range(n_arms):
        if arm == 0 or scores[arm] != scores[arm - 1]:
            bounds[n_groups] = arm
            n_groups += 1
    bounds[n_groups] = n_arms
    rest = 0.0
    for g in range(n_groups - 1, -1, -1):
        start, end = bounds[g], bounds[g + 1]
        mass = policy[start:end].sum()
        rest += mass
        group_conditional[g] = mass / rest if rest > 0.0 else 0.0
        if end - start > 1 and mass > 0.0:
            fill_alias_table(policy[start:end], threshold[start:end], choice[2 * start : 2 * end], stack[start:end])
            fill_conditional(policy[start:end], conditional[start:end])
    return n_groups


@kernel
def add_top_counts(
    state: WordArray,
    batch_size: int,
    n_kept: int,
    n_groups: int,
    bounds: IntArray,
    threshold: FloatArray,
    choice: IntArray,
    conditional: FloatArray,
    group_conditional: FloatArray,
    counts: IntArray,
) -> None:
    """Add to ``counts``, shape (K,), the ``n_kept`` samples of highest score among ``batch_size``, ties at random.

    Walks the groups of tied arms that :func:`fill_groups` found, from the highest score down: the samples in a
    group are Binomial(samples left, its conditional probability). A random choice among them ignores their labels,
    and within the group the labels are independent, so those kept are a multinomial draw of their own: the
    multivariate hypergeometric thinning of a multinomial, in one draw.
    """
    remaining, room = batch_size, n_kept
    for g in range(n_groups):
        present = binomial(state, remaining, group_conditional[g])
        kept = min(present, room)
        start, end = bounds[g], bounds[g + 1]
        if end - start == 1:
            counts[start] += kept
        elif kept > 0:
            add_multinomial(
                state,
                kept,
                threshold[start:end],
                choice[2 * start : 2 * end],
                conditional[start:end],
                counts[start:end],
            )
        remaining -= present
        room -= kept
        if room == 0:
            return
