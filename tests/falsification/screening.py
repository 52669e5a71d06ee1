"""The inequalities of the claims on screening rules."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import arms, context, probability, states
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import SAMPLE_RULES, additive_threshold, screen_context


@states("additive-threshold", "a failure outranks a success iff α < α*; delight never does, b between the rewards")
def _additive(rng):
    p, n_arms = float(probability(rng)), arms(rng)
    low, gap, alpha = rng.normal(), rng.uniform(0.05, 3), rng.uniform(0.001, 0.999)
    b = low + gap * rng.uniform(0, 1)
    surprisal = np.array([-math.log(p), math.log((n_arms - 1) / (1 - p))])
    advantage = np.array([low + gap, low]) - b
    additive = alpha * advantage + (1 - alpha) * surprisal
    star = float(additive_threshold(p, n_arms, gap)) if p > 1 / n_arms else 0.0
    delight = advantage * surprisal
    return np.array([(additive[1] - additive[0]) * math.copysign(1.0, star - alpha), delight[0] - delight[1]]) + 1e-12


@states("screening-at-rate", "for ρ ≤ p no rule has a smaller cost of signal than delight, 1")
def _screening(rng):
    p, n_arms, b = context(rng)
    rate = p * rng.uniform(0.01, 1)
    rules = [str(rng.choice(list(SAMPLE_RULES))), "delight"]
    found = [screen_context(*symmetric_arms(n_arms, p, b), rule, rate) for rule in rules]
    other, own = (
        float(x.backward_rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2)
        for x, m in ((x, x.moments) for x in found)
    )
    return np.array([other - own, 1 - own]) + 1e-7
