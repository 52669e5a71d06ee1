"""The inequalities of the claims on the gate, its price and its rate."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import FloatArray, context, refuted, states
from kondo_theory.geometry import counts, exact_rate, normalised, optimal, symmetric
from kondo_theory.geometry.normal_rewards import normal_kept
from kondo_theory.geometry.quality_cost import frontier, rate_value
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import kept_at_rate


@states("gate-law", "no other gate probability has a larger utility")
def _gate_law(rng):
    chi, price, eta, w = rng.normal(), rng.normal(), rng.uniform(0.05, 5), rng.uniform(1e-9, 1 - 1e-9)
    excess = (chi - price) / eta
    utility = w * (chi - price) - eta * (w * math.log(w) + (1 - w) * math.log1p(-w))
    return eta * np.logaddexp(0, excess) - utility


def _law(rng) -> tuple[FloatArray, FloatArray]:
    n = int(rng.integers(2, 7))
    return np.round(rng.normal(size=n), 1), rng.dirichlet(np.full(n, 0.7)) * (1 - 1e-3) + 1e-3 / n


@states("price-rate-duality", "no rule of rate ρ collects more than V(ρ), which is concave, and exactly k less")
def _duality(rng):
    chi, mass = _law(rng)
    w = rng.random(len(chi))
    low, high = np.sort(rng.random(2))
    value = [float(rate_value(chi, mass, x).value) for x in (low, (low + high) / 2, high)]
    collected = float(rate_value(chi, mass, mass @ w).value) - float(mass @ (w * chi))
    size = int(rng.integers(1, 40))
    k = int(rng.integers(1, size + 1))
    short = float(rate_value(chi, mass, k / size).value) - float(exact_rate.finite_rate_value(chi, mass, size, k))
    return np.array([collected, value[1] - (value[0] + value[2]) / 2, short]) + 1e-12


@states("price-rate-duality", "with an inequality budget V(min(ρ, P(χ>0))) is the most")
def _budget(rng):
    chi, mass = _law(rng)
    w = rng.random(len(chi)) * rng.random()
    rho = float(mass @ w) + rng.random() * (1 - float(mass @ w))
    best = float(rate_value(chi, mass, min(rho, float(mass[chi > 0].sum()))).value)
    return best - float(mass @ (w * chi))


def _cost(p: float, n_arms: int, b: float, price: float, eta: float) -> float:
    found = frontier(*symmetric_arms(n_arms, p, b), price, eta)
    m = found.moments
    return float(found.backward_rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2)


@states("quality-cost-frontier", "the cost of signal is at least 1")
def _cost_bound(rng):
    p, n_arms, b = context(rng)
    plus, minus = rng.uniform(0.001, 1, 2)
    m = symmetric.symmetric_moments(p, n_arms, b, plus, minus, bernoulli=True)
    rate = p * plus + (1 - p) * minus
    return float(rate * (m.var_parallel + m.var_perpendicular + m.signal**2) / m.signal**2) - 1


@states("quality-cost-frontier", "a higher price lowers rate, signal and w₋/w₊; for b ≤ 1/2 it never raises c")
def _price_path(rng):
    p, n_arms, b = context(rng, b_high=0.5)
    eta, low = rng.uniform(0.2, 3), rng.uniform(-3, 2)
    prices = low, low + rng.uniform(0.01, 1)
    one, two = (frontier(*symmetric_arms(n_arms, p, b), price, eta) for price in prices)
    costs = [_cost(p, n_arms, b, price, eta) for price in prices]
    slack = (costs[0] - costs[1]) / costs[0]
    return np.array([one.backward_rate - two.backward_rate, one.moments.signal - two.moments.signal, slack])


@states("quality-cost-frontier", "for b ≤ 1/2 heating at price zero never lowers c")
def _heating(rng, b_high: float = 0.5):
    p, n_arms, b = context(rng, b_high=b_high)
    eta = rng.uniform(0.05, 3)
    cold, warm = (_cost(p, n_arms, b, 0.0, x) for x in (eta, eta + rng.uniform(0.01, 1)))
    return (warm - cold) / cold


@refuted("quality-cost-frontier", "heating at price zero never lowers c")
def _heating_always(rng):
    return _heating(rng, 1.0)


@refuted("quality-cost-frontier", "a higher price never raises c")
def _price_always(rng):
    p, n_arms, b = context(rng)
    eta, low = rng.uniform(0.2, 3), rng.uniform(-3, 2)
    first, second = (_cost(p, n_arms, b, price, eta) for price in (low, low + rng.uniform(0.01, 1)))
    return (first - second) / first


@states("exact-k-or-price", "exactly k never has more parallel variance than PG")
def _exact_variance(rng):
    p, n_arms, b = context(rng)
    size = int(rng.integers(1, 60))
    kept = exact_rate.exact_rate_moments(p, n_arms, b, size, int(rng.integers(1, size + 1)))
    full = symmetric.pg_moments(p, n_arms, b).var_parallel
    return float(full - kept.var_parallel) / max(float(full), 1e-300) + 1e-9


@refuted("exact-k-or-price", "above p the price gate is the noisier")
def _gap_sign(rng):
    p, n_arms, b = context(rng)
    return float(exact_rate.variance_gap(p, n_arms, b, p + (1 - p) * rng.uniform(0.01, 0.99)))


def _noisy_kept(rng) -> normalised.KeptGradient:
    """Draw a bandit with normal rewards, a rate, and the direction along which it is looked at."""
    n = int(rng.integers(2, 7))
    policy = rng.dirichlet(np.ones(n)) * 0.99 + 0.01 / n
    law = policy, rng.normal(size=n), rng.uniform(0.1, 2, n), float(rng.uniform(0.01, 0.99))
    return normal_kept(*law, direction=rng.normal(size=n))


def _variances(moments) -> FloatArray:
    return np.array([moments.var_parallel, moments.var_perpendicular])


@states("normalised-price-gate", "in no direction has the divided sum more noise than the price gate or exact k")
def _least(rng):
    kept = _noisy_kept(rng)
    price, exact, least = (
        _variances(each(kept))
        for each in (normalised.price_moments, normalised.exact_moments, normalised.normalised_moments)
    )
    return np.concatenate([price - least, exact - least]) / price.sum() + 1e-12


@states("normalised-price-gate", "across the mean gradient it is the price gate, and exact k is no less noisy")
def _across(rng):
    n = int(rng.integers(2, 7))
    kept = normal_kept(rng.dirichlet(np.ones(n)) * 0.99 + 0.01 / n, rng.normal(size=n), 1.0, rng.uniform(0.01, 0.99))
    price, exact, least = (
        float(each(kept).var_perpendicular)
        for each in (normalised.price_moments, normalised.exact_moments, normalised.normalised_moments)
    )
    return np.array([exact - price, 1e-12 - abs(price - least)]) + 1e-12


@states("normalised-price-gate", "what the kept samples' own noise grows by is at least (1−q)²")
def _inverse(rng):
    rate, size = rng.uniform(0.01, 1), int(rng.integers(1, 300))
    return float(counts.inverse_count(rate, size)) - (1 - (1 - rate) ** size) ** 2 + 1e-12


@refuted("normalised-price-gate", "in a batch of any size dividing by the kept has no more noise in all")
def _at_any_size(rng):
    kept, size = _noisy_kept(rng), int(rng.integers(2, 200))
    price, divided = (
        _variances(each).sum() for each in (normalised.price_moments(kept), normalised.normalised_moments(kept, size))
    )
    return price - divided


@refuted("normalised-price-gate", "exact k has no more noise in all than the price gate")
def _exact_helps(rng):
    kept = _noisy_kept(rng)
    return (_variances(normalised.price_moments(kept)) - _variances(normalised.exact_moments(kept))).sum()


def _graded(rng) -> tuple[FloatArray, FloatArray, float]:
    n = int(rng.integers(2, 7))
    policy = rng.dirichlet(np.full(n, 0.7)) * (1 - 1e-3) + 1e-3 / n
    return policy, rng.normal(size=n), float(rng.uniform(0.01, 0.99))


@states("optimal-gate", "no gate of the rate has a lower cost of signal, and none one below 1")
def _cheapest(rng):
    policy, advantage, rate = _graded(rng)
    least = float(optimal.best_gate(policy, advantage, rate).cost_of_signal)
    w = rng.random(len(policy))
    w = np.minimum(1, w * rate / (policy @ w)) if rng.random() < 0.5 else w
    own = float(optimal.best_gate(policy, advantage, policy @ w).cost_of_signal)
    return np.array([1 - own / float(optimal.cost_of_signal(policy, advantage, w)), least - 1]) + 1e-9


@states("optimal-gate", "no gate of the rate without bias has a smaller second moment")
def _least_noise(rng):
    policy, advantage, _ = _graded(rng)
    square = advantage**2 * (1 - 2 * policy + np.sum(policy**2))
    w = rng.uniform(0.01, 1, len(policy))
    best = optimal.best_unbiased_gate(policy, advantage, policy @ w)
    return 1 - float(policy @ (square / best)) / float(policy @ (square / w)) + 1e-9


@refuted("optimal-gate", "the top by the part along the true gradient alone is the cheapest")
def _by_signal(rng):
    policy, advantage, rate = _graded(rng)
    best = optimal.best_gate(policy, advantage, rate)
    along = advantage * (policy * (advantage - policy @ advantage) @ (np.eye(len(policy)) - policy).T)
    gate = kept_at_rate(policy, along, rate)
    return float(best.cost_of_signal) / float(optimal.cost_of_signal(policy, advantage, gate)) - 1 + 1e-9
