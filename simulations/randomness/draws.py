"""Exact draws inside Numba: binomial, categorical and multinomial.

Exact up to the rounding of double arithmetic: none of them is a normal or Poisson approximation, and the cost of
each is bounded in the number of samples drawn.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.streams import FloatArray, IntArray, WordArray, next_uniform

__all__ = [
    "CATEGORICAL_PER_ARM",
    "MultinomialTables",
    "add_multinomial",
    "binomial",
    "categorical",
    "fill_alias_table",
    "fill_conditional",
    "multinomial_tables",
]

_INVERSION_MEAN = 10.0  # Hörmann's rejection is valid from here on, and faster
CATEGORICAL_PER_ARM = 14
"""Measured: one binomial costs about as much as this many categorical draws."""

# The rest of Stirling's formula, log k! − ((k + ½)·log(k + 1) − k − 1 + ½·log 2π): exact below ten, where the series
# in 1/(k + 1) that stops before 1/1680·(k + 1)⁻⁷ would be off by more than 6e-11.
_STIRLING_TABLED = 10
_STIRLING = np.array(
    [
        math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + k + 1 - 0.5 * math.log(2 * math.pi)
        for k in range(_STIRLING_TABLED)
    ]
)

# Hörmann's fits of the hat over the binomial (his algorithm BTRS), linear in the standard deviation and in 1/width.
# Whatever they are, draws are exact as long as the hat covers the law, which a test checks; they decide the speed.
_WIDTH, _WIDTH_PER_DEVIATION = 1.15, 2.53
_STEEPNESS, _STEEPNESS_PER_WIDTH, _STEEPNESS_PER_P = -0.0873, 0.0248, 0.01
_QUICK, _QUICK_PER_INVERSE_WIDTH, _QUICK_FROM = 0.92, 4.2, 0.07
_HEIGHT, _HEIGHT_PER_INVERSE_WIDTH = 2.83, 5.1

# From this many counts off the mode the squeeze is tried, nearer the ratio itself is as cheap (step 5.2 of BTPE).
_SQUEEZE_FROM = 20.0


class _Hat(NamedTuple):
    """Hörmann's hat for one binomial: k = ⌊(2a/us + b)·u + np + ½⌋ of u uniform on ±½, us = ½ − |u|."""

    steepness: float  # a
    width: float  # b
    height: float  # α, which scales the acceptance test
    quick: float  # v below this is accepted at once, unless u is near an end


@inlined
def _stirling(k: int) -> float:
    if k < _STIRLING_TABLED:
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
def _hat(n: int, p: float) -> _Hat:
    deviation = math.sqrt(n * p * (1.0 - p))
    width = _WIDTH + _WIDTH_PER_DEVIATION * deviation
    steepness = _STEEPNESS + _STEEPNESS_PER_WIDTH * width + _STEEPNESS_PER_P * p
    height = (_HEIGHT + _HEIGHT_PER_INVERSE_WIDTH / width) * deviation
    return _Hat(steepness, width, height, _QUICK - _QUICK_PER_INVERSE_WIDTH / width)


@inlined
def _squeeze(distance: float, variance: float) -> tuple[float, float]:
    """Return bounds on the logarithm of P(k)/P(mode), k so far from the mode: a normal exponent and its margin.

    Kachitvichyanukul and Schmeiser's, from Stirling's formula and the series of log(1 + x).
    """
    margin = (distance / variance) * ((distance * (distance / 3.0 + 0.625) + 1.0 / 6.0) / variance + 0.5)
    exponent = -distance * distance / (2.0 * variance)
    return exponent - margin, exponent + margin


@inlined
def _rejection_accepts(v: float, us: float, k: int, n: int, p: float, hat: _Hat) -> bool:
    """Second half of the test: a squeeze around the normal exponent, then the ratio of probabilities itself."""
    npq = n * p * (1.0 - p)
    mode = int((n + 1) * p)
    log_v = math.log(v * hat.height / (hat.steepness / (us * us) + hat.width))
    distance = float(abs(k - mode))
    if _SQUEEZE_FROM < distance < npq / 2.0 - 1.0:
        low, high = _squeeze(distance, npq)
        if log_v < low:
            return True
        if log_v > high:
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
    hat = _hat(n, p)
    while True:
        u = next_uniform(state) - 0.5
        v = next_uniform(state)
        us = 0.5 - abs(u)
        if us == 0.0:
            continue
        k = math.floor((2.0 * hat.steepness / us + hat.width) * u + n * p + 0.5)
        if us >= _QUICK_FROM and v <= hat.quick:
            return k
        if 0 <= k <= n and _rejection_accepts(v, us, k, n, p, hat):
            return k


@inlined
def binomial(state: WordArray, n: int, p: float) -> int:
    """Draw Binomial(n, p) exactly, in time that does not grow with n.

    Inversion while ``n·min(p, 1-p) < 10``, else W. Hörmann's transformed rejection (J. Statist. Comput. Simul. 46,
    101, 1993) with the squeeze of V. Kachitvichyanukul and B. Schmeiser (Commun. ACM 31, 216, 1988). ``p`` outside
    [0, 1] by rounding is clipped.
    """
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    q = min(p, 1.0 - p)
    drawn = _binomial_inversion(state, n, q) if n * q < _INVERSION_MEAN else _binomial_rejection(state, n, q)
    return drawn if p <= 0.5 else n - drawn


class MultinomialTables(NamedTuple):
    """What :func:`add_multinomial` draws from."""

    threshold: FloatArray
    """(K,): Walker's alias table, the share of column a that belongs to arm a."""
    choice: IntArray
    """(2 K,): ``choice[2a]`` is a, ``choice[2a + 1]`` the arm that owns the rest of column a."""
    conditional: FloatArray
    """(K,): probability of arm a given that it is none of 0, ..., a − 1."""


@kernel
def multinomial_tables(weights: FloatArray) -> MultinomialTables:
    """Build the tables of nonnegative weights, shape (K,), in O(K).

    They need not sum to one. If all are zero no arm can be drawn, only none of zero samples.
    """
    n_arms = weights.size
    threshold = np.empty(n_arms)
    choice = np.empty(2 * n_arms, dtype=np.int64)
    conditional = np.empty(n_arms)
    fill_alias_table(weights, threshold, choice, np.empty(n_arms, dtype=np.int64))
    fill_conditional(weights, conditional)
    return MultinomialTables(threshold, choice, conditional)


@kernel
def fill_conditional(weights: FloatArray, conditional: FloatArray) -> None:
    """Write each arm's probability given none of the arms before it, from weights to ``conditional``, both (K,).

    Summed from the end, so that nothing cancels.
    """
    rest = 0.0
    for arm in range(weights.size - 1, -1, -1):
        rest += weights[arm]
        conditional[arm] = weights[arm] / rest if rest > 0.0 else 0.0


@kernel
def fill_alias_table(weights: FloatArray, threshold: FloatArray, choice: IntArray, stack: IntArray) -> None:
    """Write Walker's alias table of weights, shape (K,), by Vose's construction.

    ``threshold``, shape (K,), and ``choice``, shape (2 K,), are those of :class:`MultinomialTables`; ``stack``, shape
    (K,), is scratch space.
    """
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
    """Draw one arm from an alias table: its threshold, shape (K,), and choice, shape (2 K,)."""
    x = next_uniform(state) * threshold.size
    column = int(x)
    # An index instead of a branch: the branch would be mispredicted half of the time.
    return choice[2 * column + np.int64(x - column >= threshold[column])]


@kernel
def add_multinomial(state: WordArray, n: int, tables: MultinomialTables, counts: IntArray) -> None:
    """Add a Multinomial(n, weights) draw to ``counts``, shape (K,), from the weights' tables.

    Small n: n categorical draws. Large n: a conditional binomial an arm, so that the cost stops growing with n.
    """
    n_arms = counts.size
    threshold, choice, conditional = tables  # once, before the loops
    if n <= CATEGORICAL_PER_ARM * n_arms:
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
