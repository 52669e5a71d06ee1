"""Numba kernels for the two-armed gamble: batches of gated advantages, and learning on the log-odds.

Arm 1 pays 0 (or rξ with equal noise), arm 2, the gambling arm, pays −1 + rξ; x is arm 2's probability, b = E R = −x
exactly, Δ = 1 the unit. A batch costs one normal deviate a noisy sample. Nothing here knows the closed forms.
"""

import math
from dataclasses import dataclass

import numpy as np

from kondo_theory.gate import kept_count
from kondo_theory.words import choice
from simulations.randomness.draws import binomial
from simulations.randomness.streams import (
    FloatArray,
    WordArray,
    in_chunks,
    inlined,
    kernel,
    next_uniform,
    replicate_states,
)

__all__ = ["Gamble", "gated_advantages", "learn", "simulate_drift", "simulate_learning"]

PG, DG, ZERO_PRICE, RATE = range(4)
_GATE_CODES = {"pg": PG, "dg": DG, "zero-price": ZERO_PRICE, "rate": RATE}


@kernel
def _fill_gaussian(state: WordArray, out: FloatArray, n: int, mean: float, deviation: float) -> None:
    """Fill out[:n] with N(mean, deviation²) by Marsaglia's polar method, two at a time."""
    i = 0
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
def _weight(gate: int, advantage: float, surprisal: float, temperature: float) -> float:
    if gate == ZERO_PRICE:
        return 1.0 if advantage * surprisal > 0.0 else 0.0
    if gate == DG:
        return 1.0 / (1.0 + math.exp(-advantage * surprisal / temperature))
    if gate == PG:
        return 1.0
    raise ValueError("no such gate")


@kernel
def _top_sums(safe: FloatArray, gambles: FloatArray, surprisals: tuple[float, float], n_kept: int) -> FloatArray:
    """Keep exactly the ``n_kept`` samples of highest delight; delights that tie are all of the safe arm.

    Returns the summed advantages of the kept samples of either arm, and the numbers kept.
    """
    n_safe, n_gambles = safe.size, gambles.size
    scores = np.empty(n_safe + n_gambles)
    scores[:n_safe] = safe * surprisals[0]
    scores[n_safe:] = gambles * surprisals[1]
    price = np.partition(scores, scores.size - n_kept)[scores.size - n_kept]
    sums = np.zeros(4)
    ties, tied = 0, 0.0
    for i in range(n_gambles):
        if scores[n_safe + i] >= price:
            sums[1] += gambles[i]
            sums[3] += 1.0
    for i in range(n_safe):
        if scores[i] > price:
            sums[0] += safe[i]
            sums[2] += 1.0
        elif scores[i] == price:
            ties += 1
            tied = safe[i]
    drawn = min(ties, n_kept - int(sums[2] + sums[3]))  # tied samples are alike: only their number matters
    sums[0] += drawn * tied
    sums[2] += drawn
    return sums


@kernel
def _gated_sums(
    state: WordArray,
    x: float,
    counts: tuple[int, int],
    noise: tuple[float, float],
    gate: int,
    temperature: float,
    n_kept: int,
    buffers: FloatArray,
) -> FloatArray:
    """Draw ``counts`` advantages on the two arms and return the sums of wU and of w: (arm 1, arm 2, arm 1, arm 2)."""
    surprisals = (-math.log1p(-x), -math.log(x))
    means = (x, x - 1.0)
    for arm in range(2):
        if noise[arm] > 0.0:
            _fill_gaussian(state, buffers[arm], counts[arm], means[arm], noise[arm])
        else:
            buffers[arm, : counts[arm]] = means[arm]
    if gate == RATE:
        return _top_sums(buffers[0, : counts[0]], buffers[1, : counts[1]], surprisals, n_kept)
    sums = np.zeros(4)
    for arm in range(2):
        for i in range(counts[arm]):
            advantage = buffers[arm, i]
            weight = _weight(gate, advantage, surprisals[arm], temperature)
            sums[arm] += weight * advantage
            sums[2 + arm] += weight
    return sums


@kernel
def gated_advantages(
    states: WordArray,
    x: float,
    noise: tuple[float, float],
    gate: int,
    temperature: float,
    n_kept: int,
    batch_size: int,
    n_batches: int,
) -> tuple[FloatArray]:
    """Estimate the gated means at a fixed policy.

    At rate ρ a batch is ``batch_size`` samples of the policy and exactly ``n_kept`` are kept; the other gates decide
    sample by sample, and a batch is ``batch_size`` samples of either arm.

    Returns
    -------
    estimates : ndarray, shape (n_replicates, 4)
        Estimates of E[wU | arm 1], E[wU | arm 2], E[w | arm 1], E[w | arm 2].
    """
    estimates = np.zeros((states.shape[0], 4))
    buffers = np.empty((2, batch_size))
    for replicate in range(states.shape[0]):
        state, row = states[replicate], estimates[replicate]
        for _ in range(n_batches):
            counts = (batch_size, batch_size)
            expected = (float(batch_size), float(batch_size))
            if gate == RATE:
                drawn = binomial(state, batch_size, x)
                counts = (batch_size - drawn, drawn)
                expected = (batch_size * (1.0 - x), batch_size * x)
            sums = _gated_sums(state, x, counts, noise, gate, temperature, n_kept, buffers)
            for column in range(4):
                row[column] += sums[column] / expected[column % 2] / n_batches
    return (estimates,)


@kernel
def learn(
    states: WordArray,
    logit: float,
    noise: tuple[float, float],
    gate: int,
    temperature: float,
    n_kept: int,
    batch_size: int,
    learning_rate: float,
    n_steps: int,
    n_averaged: int,
) -> tuple[FloatArray, FloatArray]:
    """Run gated policy gradient on two logits from x = σ(logit); a step is ``learning_rate`` times the batch mean.

    Returns
    -------
    shares : ndarray, shape (n_replicates,)
        Mean of x over the last ``n_averaged`` steps.
    safe : ndarray, shape (n_replicates,)
        Mean of 1 − x over the same, which keeps its digits at the corner.
    """
    n_replicates = states.shape[0]
    shares, safe = np.zeros(n_replicates), np.zeros(n_replicates)
    buffers = np.empty((2, batch_size))
    for replicate in range(n_replicates):
        state, z = states[replicate], logit
        for step in range(n_steps):
            x, m = 1.0 / (1.0 + math.exp(-z)), 1.0 / (1.0 + math.exp(z))
            drawn = binomial(state, batch_size, x)
            counts = (batch_size - drawn, drawn)
            sums = _gated_sums(state, x, counts, noise, gate, temperature, n_kept, buffers)
            # z = z₂ − z₁: a sample of arm 1 has score difference −2x, one of arm 2 +2(1 − x).
            z += learning_rate * 2.0 * (m * sums[1] - x * sums[0]) / batch_size
            if step >= n_steps - n_averaged:
                shares[replicate] += 1.0 / (1.0 + math.exp(-z)) / n_averaged
                safe[replicate] += 1.0 / (1.0 + math.exp(z)) / n_averaged
    return shares, safe


@dataclass(frozen=True)
class Gamble:
    """A gamble and its gate.

    Attributes
    ----------
    noise_ratio : float
        r = σ/Δ.
    gate : {"zero-price", "dg", "pg", "rate"}
    temperature, rate : float
        η of DG in units of Δ; ρ of "rate".
    equal_noise : bool
        Whether arm 1 carries the same noise.
    """

    noise_ratio: float
    gate: str = "zero-price"
    temperature: float = 1.0
    rate: float = 1.0
    equal_noise: bool = False

    def __post_init__(self) -> None:
        choice("gate", self.gate, _GATE_CODES)

    def arguments(self, batch_size: int) -> tuple[tuple[float, float], int, float, int]:
        """Return noise of either arm, gate code, temperature and number kept, as the kernels take them."""
        r = float(self.noise_ratio)  # Numba compiles again for an integer
        noise = (r if self.equal_noise else 0.0, r)
        return noise, _GATE_CODES[self.gate], float(self.temperature), kept_count(self.rate, batch_size)


def simulate_drift(
    gamble: Gamble, x: float, batch_size: int, n_batches: int, n_replicates: int, seed: int, n_threads: int = 1
) -> FloatArray:
    """Return :func:`gated_advantages` estimates, shape (n_replicates, 4)."""
    states = replicate_states(seed, n_replicates)
    (estimates,) = in_chunks(
        gated_advantages, states, n_threads, float(x), *gamble.arguments(batch_size), batch_size, n_batches
    )
    return estimates


def simulate_learning(
    gamble: Gamble,
    x_start: float,
    batch_size: int,
    learning_rate: float,
    n_steps: int,
    n_averaged: int,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return the replicates' mean x and mean 1 − x over the last ``n_averaged`` steps; see :func:`learn`."""
    states = replicate_states(seed, n_replicates)
    logit = math.log(x_start) - math.log1p(-x_start)
    settings = (batch_size, float(learning_rate), n_steps, n_averaged)
    shares, safe = in_chunks(learn, states, n_threads, logit, *gamble.arguments(batch_size), *settings)
    return shares, safe
