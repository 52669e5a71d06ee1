"""Numba kernels for the two-armed gamble: batches of gated advantages, and learning on the log-odds.

Arm 1, the safe one, pays 0 (or rξ with equal noise); arm 2, the gambling one, pays −1 + rξ; x is arm 2's probability,
b = E R = −x exactly, Δ = 1 the unit. A batch costs one normal deviate a noisy sample. Nothing here knows the closed
forms.
"""

import math
from typing import NamedTuple

import numpy as np

from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.draws import binomial
from simulations.randomness.streams import FloatArray, WordArray, next_uniform

__all__ = [
    "DG",
    "EXTREMES",
    "GAMBLE_PULL",
    "GAMBLE_WEIGHT",
    "MARGIN",
    "PG",
    "RATE",
    "SAFE_PULL",
    "SAFE_WEIGHT",
    "SECOND_DRAW",
    "ZERO_PRICE",
    "Gate",
    "Learning",
    "Noise",
    "gated_advantages",
    "learn",
]

PG, DG, ZERO_PRICE, RATE, EXTREMES, MARGIN, SECOND_DRAW = range(7)

SAFE_PULL, GAMBLE_PULL, SAFE_WEIGHT, GAMBLE_WEIGHT = range(4)
"""Columns of the estimates: E[wU | arm 1], E[wU | arm 2], E[w | arm 1], E[w | arm 2]."""
_N_ESTIMATES = 4


class Gate(NamedTuple):
    """Which samples get a backward pass."""

    kind: int
    """``PG``, ``DG``, ``ZERO_PRICE``, ``RATE``, ``EXTREMES``, ``MARGIN`` or ``SECOND_DRAW``."""
    temperature: float
    """η of ``DG``, in units of Δ."""
    n_kept: int
    """k of ``RATE`` and ``EXTREMES``."""
    margin: float
    """κ of ``MARGIN``, in standard deviations of the arm's own noise."""


class Noise(NamedTuple):
    """Standard deviations of the rewards of either arm."""

    safe: float
    gamble: float


class _Samples(NamedTuple):
    """The advantages of a batch, whose lengths are the numbers of samples."""

    safe: FloatArray
    """(n₁,)"""
    gamble: FloatArray
    """(n₂,)"""


class _Sums(NamedTuple):
    """Sums over one arm's samples of a batch."""

    pull: float
    """Σ wU."""
    weight: float
    """Σ w."""


@kernel
def _fill_gaussian(state: WordArray, out: FloatArray, mean: float, deviation: float) -> None:
    """Fill ``out``, shape (n,), with N(mean, deviation²) by Marsaglia's polar method, two at a time."""
    i, n = 0, out.size
    while i < n:
        a, b = 2.0 * next_uniform(state) - 1.0, 2.0 * next_uniform(state) - 1.0
        square = a * a + b * b
        if square >= 1.0 or square == 0.0:
            continue
        scale = deviation * math.sqrt(-2.0 * math.log(square) / square)
        out[i] = mean + a * scale
        if i + 1 < n:
            out[i + 1] = mean + b * scale
        i += 2


@inlined
def _weight(gate: Gate, advantage: float, surprisal: float, deviation: float) -> float:
    """Return the weight of a sample of an arm whose noise has this standard deviation."""
    if gate.kind == ZERO_PRICE:
        return 1.0 if advantage * surprisal > 0.0 else 0.0
    if gate.kind == MARGIN:
        return 1.0 if advantage > gate.margin * deviation else 0.0
    if gate.kind == DG:
        return 1.0 / (1.0 + math.exp(-advantage * surprisal / gate.temperature))
    if gate.kind == PG:
        return 1.0
    raise ValueError("no such gate")


@kernel
def _top_sums(samples: _Samples, surprisals: tuple[float, float], by_size: bool, n_kept: int) -> tuple[_Sums, _Sums]:
    """Keep exactly the ``n_kept`` samples of highest delight, or |advantage|; those that tie are of the safe arm.

    Returns the sums over the kept samples of either arm.
    """
    safe, gamble = samples.safe, samples.gamble
    n_safe, n_gambles = safe.size, gamble.size
    scores = np.empty(n_safe + n_gambles)
    scores[:n_safe] = np.abs(safe) if by_size else safe * surprisals[0]
    scores[n_safe:] = np.abs(gamble) if by_size else gamble * surprisals[1]
    price = np.partition(scores, scores.size - n_kept)[scores.size - n_kept]
    sums = np.zeros(
        _N_ESTIMATES
    )  # by column; scalars would chain an addition, of zero, to every sample that is dropped
    ties, tied = 0, 0.0
    for i in range(n_gambles):
        if scores[n_safe + i] >= price:
            sums[GAMBLE_PULL] += gamble[i]
            sums[GAMBLE_WEIGHT] += 1.0
    for i in range(n_safe):
        if scores[i] > price:
            sums[SAFE_PULL] += safe[i]
            sums[SAFE_WEIGHT] += 1.0
        elif scores[i] == price:
            ties += 1
            tied = safe[i]
    # Tied samples are alike: only their number matters.
    drawn = min(ties, n_kept - int(sums[SAFE_WEIGHT] + sums[GAMBLE_WEIGHT]))
    safe_sums = _Sums(sums[SAFE_PULL] + drawn * tied, sums[SAFE_WEIGHT] + drawn)
    return safe_sums, _Sums(sums[GAMBLE_PULL], sums[GAMBLE_WEIGHT])


@inlined
def _weighted_sums(advantages: FloatArray, surprisal: float, deviation: float, gate: Gate) -> _Sums:
    """Return the sums over one arm's samples, shape (n,), of a gate that decides sample by sample."""
    pull = total = 0.0
    for i in range(advantages.size):
        weight = _weight(gate, advantages[i], surprisal, deviation)
        pull += weight * advantages[i]
        total += weight
    return _Sums(pull, total)


@inlined
def _fill(state: WordArray, out: FloatArray, mean: float, deviation: float) -> None:
    """Draw one arm's advantages, shape (n,); without noise they are all the mean."""
    if deviation > 0.0:
        _fill_gaussian(state, out, mean, deviation)
    else:
        out[:] = mean


@kernel
def _decided_sums(decisions: FloatArray, advantages: FloatArray) -> _Sums:
    """Return the sums over the samples, shape (n,), that another draw of their rewards keeps at zero price."""
    pull = total = 0.0
    for i in range(advantages.size):
        if decisions[i] > 0.0:
            pull += advantages[i]
            total += 1.0
    return _Sums(pull, total)


@kernel
def _gated_sums(state: WordArray, x: float, noise: Noise, gate: Gate, samples: _Samples) -> tuple[_Sums, _Sums]:
    """Draw the advantages on the two arms into ``samples`` and return the sums over either arm."""
    _fill(state, samples.safe, x, noise.safe)
    _fill(state, samples.gamble, x - 1.0, noise.gamble)
    surprisals = (-math.log1p(-x), -math.log(x))
    if gate.kind == RATE or gate.kind == EXTREMES:
        return _top_sums(samples, surprisals, gate.kind == EXTREMES, gate.n_kept)
    if gate.kind == SECOND_DRAW:
        first, second = np.empty_like(samples.safe), np.empty_like(samples.gamble)
        _fill(state, first, x, noise.safe)
        _fill(state, second, x - 1.0, noise.gamble)
        return _decided_sums(first, samples.safe), _decided_sums(second, samples.gamble)
    safe = _weighted_sums(samples.safe, surprisals[0], noise.safe, gate)
    return safe, _weighted_sums(samples.gamble, surprisals[1], noise.gamble, gate)


@kernel
def gated_advantages(
    states: WordArray, x: float, noise: Noise, gate: Gate, batch_size: int, n_batches: int
) -> FloatArray:
    """Estimate the gated means at a fixed policy.

    At rate ρ a batch is ``batch_size`` samples of the policy and exactly k are kept; the other gates decide sample by
    sample, and a batch is ``batch_size`` samples of either arm.

    ``states``, shape (n_replicates, 4), are streams, advanced in place; x is in (0, 1).

    Returns
    -------
    estimates : ndarray, shape (n_replicates, 4)
        Columns ``SAFE_PULL``, ``GAMBLE_PULL``, ``SAFE_WEIGHT``, ``GAMBLE_WEIGHT``.
    """
    estimates = np.zeros((states.shape[0], _N_ESTIMATES))
    safe_buffer, gamble_buffer = np.empty(batch_size), np.empty(batch_size)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], estimates[replicate]
        for _ in range(n_batches):
            n_safe = n_gamble = batch_size
            expected_safe = expected_gamble = float(batch_size)
            if gate.kind == RATE or gate.kind == EXTREMES:
                n_gamble = binomial(state, batch_size, x)
                n_safe = batch_size - n_gamble
                expected_safe, expected_gamble = batch_size * (1.0 - x), batch_size * x
            samples = _Samples(safe_buffer[:n_safe], gamble_buffer[:n_gamble])
            safe, gamble = _gated_sums(state, x, noise, gate, samples)
            row[SAFE_PULL] += safe.pull / expected_safe / n_batches
            row[GAMBLE_PULL] += gamble.pull / expected_gamble / n_batches
            row[SAFE_WEIGHT] += safe.weight / expected_safe / n_batches
            row[GAMBLE_WEIGHT] += gamble.weight / expected_gamble / n_batches
    return estimates


class Learning(NamedTuple):
    """How long and by which steps learning runs."""

    batch_size: int
    """B."""
    learning_rate: float
    """A step is this times the batch mean."""
    n_steps: int
    n_averaged: int
    """Over how many of the last steps the ends are averaged."""


@inlined
def _sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


@kernel
def learn(
    states: WordArray, logit: float, noise: Noise, gate: Gate, learning: Learning
) -> tuple[FloatArray, FloatArray]:
    """Run gated policy gradient on two logits from x = σ(logit).

    ``states``, shape (n_replicates, 4), are streams, advanced in place.

    Returns
    -------
    shares : ndarray, shape (n_replicates,)
        Mean of x over the last steps.
    safe : ndarray, shape (n_replicates,)
        Mean of 1 − x over the same, which keeps its digits at the corner.
    """
    batch_size, n_averaged = learning.batch_size, learning.n_averaged
    shares, safe = np.zeros(states.shape[0]), np.zeros(states.shape[0])
    safe_buffer, gamble_buffer = np.empty(batch_size), np.empty(batch_size)
    for replicate in range(states.shape[0]):
        state, z = states[replicate], logit
        for step in range(learning.n_steps):
            x, m = _sigmoid(z), _sigmoid(-z)
            n_gamble = binomial(state, batch_size, x)
            samples = _Samples(safe_buffer[: batch_size - n_gamble], gamble_buffer[:n_gamble])
            safe_sums, gamble_sums = _gated_sums(state, x, noise, gate, samples)
            # z = z₂ − z₁: a sample of arm 1 has score difference −2x, one of arm 2 +2(1 − x).
            z += learning.learning_rate * 2.0 * (m * gamble_sums.pull - x * safe_sums.pull) / batch_size
            if step >= learning.n_steps - n_averaged:
                shares[replicate] += _sigmoid(z) / n_averaged
                safe[replicate] += _sigmoid(-z) / n_averaged
    return shares, safe
