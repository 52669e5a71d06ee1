"""The inequalities of the claim on many contexts."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import arms, probability, refuted, states
from kondo_theory import contexts


def _population(rng, n_arms: int | None = None):
    n = int(rng.integers(2, 7))
    return np.asarray(probability(rng, n)), rng.integers(2, 60, n) if n_arms is None else np.full(n, n_arms)


def _gap(method, p, n_arms, b, **settings):
    weights = contexts.context_weights(method, p, n_arms, b, **settings)
    return float(contexts.gap_to_cross_entropy(weights, p, n_arms))


@states("context-allocation", "constant baseline: no set of contexts is closer than the best price's")
def _best_set(rng):
    p, n_arms = _population(rng)
    best = contexts.best_price(p, n_arms, rng.uniform(0, 0.9))
    kept = rng.random(p.size) < rng.random()
    kept[rng.integers(p.size)] = True
    return float(best.cosine - contexts.cosine_to_cross_entropy(p * kept, p, n_arms)) + 1e-12


@states("context-allocation", "value baseline, all p ≤ 1/2: zero price is at least as close as PG")
def _value(rng):
    p, n_arms = _population(rng)
    return _gap("pg", p / 2, n_arms, "value") - _gap("kondo", p / 2, n_arms, "value") + 1e-14


@states("context-allocation", "one K, b ≤ η, p ≤ P: DG is at least as close as PG")
def _dg_closer(rng):
    p, n_arms = _population(rng, arms(rng))
    eta = rng.uniform(0.1, 3)
    b = rng.uniform(0, min(eta, 0.99))
    p = p * contexts.dg_closer_limit(int(n_arms[0]), b, eta)
    return _gap("pg", p, n_arms, b) - _gap("dg", p, n_arms, b, temperature=eta) + 1e-14


@refuted("context-allocation", "any K, p ≤ the least P: DG is at least as close as PG")
def _dg_any_arms(rng):
    p, n_arms = _population(rng)
    p = p * min(contexts.dg_closer_limit(int(n), 0.5) for n in n_arms)
    return _gap("pg", p, n_arms, 0.5) - _gap("dg", p, n_arms, 0.5) + 1e-14


def _near_one(rng, scale: float):
    """Return log of DG's gap over PG's where (scale·e)^β is the size of DG's spread, two contexts of one K."""
    beta, b, n_arms = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.6), int(rng.integers(2, 10))
    e = scale ** (1 / beta) * rng.uniform(0.1, 1, 2)
    dg = contexts.context_weights("dg", 1 - e, n_arms, b, temperature=b / beta, p_error=e)
    share = e**2 / (e**2).sum()
    pg = share @ (e - share @ e) ** 2 / 2  # to first order, which 1 − ε itself would lose to rounding
    return math.log(float(contexts.gap_to_cross_entropy(dg, 1 - e, n_arms, p_error=e)) / pg)


@states("context-allocation", "in the limit p → 1, one K, 0 < b < η, DG is farther than PG")
def _farther(rng):
    return _near_one(rng, 1e-9)


@refuted("context-allocation", "all p near one: DG is farther than PG")
def _farther_already(rng):
    return _near_one(rng, 0.1)
