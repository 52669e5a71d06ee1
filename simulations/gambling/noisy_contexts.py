"""Batches of two kinds of two-armed contexts, one of them noisy, under one gate: a kernel and its typed front.

A sample comes from the noisy kind with probability s. Its arm is drawn from the kind's policy, its reward is the
arm's mean plus noise, the baseline is the kind's mean reward. Nothing here knows the closed forms.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kondo_theory.gate import kept_count
from kondo_theory.words import choice
from simulations.randomness.compiling import kernel
from simulations.randomness.streams import FloatArray, WordArray, in_chunks, next_uniform, replicate_states

__all__ = ["CLEAN_DRIFT", "CLEAN_KEPT", "NOISY_DRIFT", "NOISY_KEPT", "BudgetGate", "Kind", "simulate_contexts"]

NOISY_KEPT, CLEAN_KEPT, NOISY_DRIFT, CLEAN_DRIFT = range(4)
"""Columns of the estimates: weights of either kind a sample of the batch, and E[wU | arm 1] − E[wU | arm 2]."""

_DELIGHT, _ADVANTAGE, _SIZE, _PRICE, _SOFT = range(5)
_CODES = {"delight": _DELIGHT, "advantage": _ADVANTAGE, "abs-advantage": _SIZE, "price": _PRICE, "soft": _SOFT}


class Kind(NamedTuple):
    """A kind of context."""

    first: float
    """Probability of arm 1, in (0, 1)."""
    mean_first: float
    mean_second: float
    """Mean rewards."""
    noise_first: float
    noise_second: float
    """Standard deviations of the rewards."""


@dataclass(frozen=True)
class BudgetGate:
    """What decides what is kept.

    Attributes
    ----------
    rule : {"delight", "advantage", "abs-advantage", "price", "soft"}
        What the top of the batch is ranked by; a price of delight; or weights σ(χ/η).
    level : float
        ρ, λ or η.
    """

    rule: str
    level: float

    def __post_init__(self) -> None:
        choice("rule", self.rule, _CODES)


@kernel
def _normal(state: WordArray) -> float:
    """Return a normal deviate by Box and Muller's method."""
    radius = math.sqrt(-2.0 * math.log(1.0 - next_uniform(state)))
    return radius * math.cos(2.0 * math.pi * next_uniform(state))


@kernel
def _kept(score: FloatArray, advantage: FloatArray, code: int, level: float, n_kept: int) -> FloatArray:
    """Return the weight of each sample, (B,); samples that tie at the k-th score share what is left."""
    weight = np.zeros_like(score)
    if code == _SOFT:
        for i in range(score.size):
            weight[i] = 1.0 / (1.0 + math.exp(-score[i] / level))
        return weight
    if code == _PRICE:
        for i in range(score.size):
            weight[i] = 1.0 if score[i] > level else 0.0
        return weight
    if code == _ADVANTAGE:
        score = advantage
    elif code == _SIZE:
        score = np.abs(advantage)
    price = np.partition(score, score.size - n_kept)[score.size - n_kept]
    above, ties = 0, 0
    for i in range(score.size):
        above += score[i] > price
        ties += score[i] == price
    for i in range(score.size):
        if score[i] > price:
            weight[i] = 1.0
        elif score[i] == price:
            weight[i] = (n_kept - above) / ties
    return weight


@kernel
def shared_budget_estimates(
    states: WordArray,
    noisy: Kind,
    clean: Kind,
    share: float,
    code: int,
    level: float,
    n_kept: int,
    batch_size: int,
    n_batches: int,
) -> FloatArray:
    """Return estimates, (n_replicates, 4); ``states``, (n_replicates, 4), are advanced in place."""
    estimates = np.zeros((states.shape[0], 4))
    advantage, score = np.empty(batch_size), np.empty(batch_size)
    pull, of_noisy = np.empty(batch_size), np.empty(batch_size, np.bool_)
    for replicate in range(states.shape[0]):
        state, row = states[replicate], estimates[replicate]
        for _ in range(n_batches):
            for i in range(batch_size):
                of_noisy[i] = next_uniform(state) < share
                kind = noisy if of_noisy[i] else clean
                is_first = next_uniform(state) < kind.first
                p = kind.first if is_first else 1.0 - kind.first
                mean = kind.mean_first if is_first else kind.mean_second
                deviation = kind.noise_first if is_first else kind.noise_second
                reward = mean + deviation * _normal(state) if deviation > 0.0 else mean
                baseline = kind.first * kind.mean_first + (1.0 - kind.first) * kind.mean_second
                advantage[i] = reward - baseline
                score[i] = advantage[i] * -math.log(p)
                pull[i] = advantage[i] / p if is_first else -advantage[i] / p
            weight = _kept(score, advantage, code, level, n_kept)
            for i in range(batch_size):
                if of_noisy[i]:
                    row[NOISY_KEPT] += weight[i]
                    row[NOISY_DRIFT] += weight[i] * pull[i] / share
                else:
                    row[CLEAN_KEPT] += weight[i]
                    row[CLEAN_DRIFT] += weight[i] * pull[i] / (1.0 - share)
        row /= batch_size * n_batches
    return estimates


def simulate_contexts(
    noisy: Kind,
    clean: Kind,
    share: float,
    gate: BudgetGate,
    batch_size: int,
    n_batches: int,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
) -> FloatArray:
    """Return estimates of what is kept and where it drifts, (n_replicates, 4); ``share`` is s in (0, 1)."""
    states = replicate_states(seed, n_replicates)
    kinds = (Kind(*map(float, noisy)), Kind(*map(float, clean)))
    budget = kept_count(gate.level, batch_size) if gate.rule not in ("price", "soft") else 1
    code, level = _CODES[gate.rule], float(gate.level)
    numbers = (float(share), code, level, budget, batch_size, n_batches)
    return in_chunks(shared_budget_estimates, states, n_threads, *kinds, *numbers)
