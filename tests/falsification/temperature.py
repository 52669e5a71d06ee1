"""The inequalities of the claim on the gate at the batch's quantile."""

from __future__ import annotations

import numpy as np

from falsification.statements import arms, context, probability, refuted, states
from kondo_theory.geometry.exact_rate import price_weights
from kondo_theory.geometry.quality_cost import expected_rate
from kondo_theory.geometry.quantile_gate import exponential_share, quantile_gate, soft_gain
from kondo_theory.geometry.symmetric import SymmetricContext

_CLAIM = "quantile-bernoulli-gate"


def _temperature(rng) -> float:
    return float(10 ** rng.uniform(-2, 2))


def _costs(rng, n_arms=None):
    """Draw a soft gate and return by how much the hard gate's cost of signal is above its, and what to tell it by."""
    p, drawn, b = context(rng)
    n_arms = n_arms or drawn
    gate = quantile_gate(p, n_arms, b, rng.uniform(0.001, 0.999), _temperature(rng))
    hard = price_weights(p, gate.share)
    costs = []
    for right, wrong in (hard, (gate.right, gate.wrong)):
        m = SymmetricContext.of(p, n_arms, b).moments(np.asarray(right), np.asarray(wrong), True)
        costs.append(float(gate.share * (m.signal**2 + m.var_parallel + m.var_perpendicular) / m.signal**2))
    wrong = [(1 - p) * float(w) / float(gate.share) for w in (gate.wrong, hard[1])]
    return (costs[0] - costs[1]) / costs[0], wrong, (p, n_arms, b)


@states(_CLAIM, "softness lowers the cost of signal at its share iff the gain is positive")
def _gain(rng):
    n_arms = 2 if rng.random() < 0.5 else arms(rng)
    difference, (soft, hard), (p, n_arms, b) = _costs(rng, n_arms)
    gain = float(soft_gain(p, n_arms, b, min(soft, 1.0), min(hard, 1.0)))
    if abs(difference) < 1e-7 or soft - hard < 1e-9:
        return 1.0
    return np.sign(difference) * np.sign(gain)


@states(_CLAIM, "never below the cost of a hard gate that keeps no wrong sample")
def _pure(rng):
    difference, (_, hard), _ = _costs(rng)
    return 1e-9 - difference if hard == 0 else 1.0


@refuted(_CLAIM, "never below the cost of the hard gate")
def _always(rng):
    return 1e-9 - _costs(rng, 2)[0]


@states(_CLAIM, "two arms and a hot gate: never for b ≤ 1/2")
def _hot(rng):
    p = rng.uniform(0.001, 0.499)
    return -float(soft_gain(p, 2, rng.uniform(0.0, 0.5), 1 - p, 1 - 2 * p)) + 1e-15


@states(_CLAIM, "the share rises where the mirrored density is nowhere larger above the price")
def _rises(rng):
    steps = np.arange(-12, 13)
    mass = np.sort(rng.dirichlet(np.ones(13)))  # rising up to the middle, and falling from there
    mass = np.concatenate([mass, mass[-2::-1]])
    price, etas = float(rng.integers(0, 12)), np.sort([_temperature(rng), _temperature(rng)])
    cool, warm = (float(expected_rate(steps, mass / mass.sum(), price, eta)) for eta in etas)
    return warm - cool + 1e-12


@refuted(_CLAIM, "the share rises whenever the gate warms")
def _always_rises(rng):
    rate, eta = float(probability(rng)), _temperature(rng)
    return float(exponential_share(rate, 2 * eta) - exponential_share(rate, eta)) + 1e-12


@states(_CLAIM, "of exponential delight more than a half is kept at η = 1 from ρ = 0.4 on")
def _half(rng):
    return float(exponential_share(rng.uniform(0.4, 0.999), 1.0)) - 0.5
