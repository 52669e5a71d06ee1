"""The inequalities of the claims on data that another policy drew."""

from __future__ import annotations

import numpy as np

from falsification.statements import FloatArray, refuted, states
from kondo_theory.contexts import cosine_to_cross_entropy
from kondo_theory.gate import gate_probability
from kondo_theory.off_policy import (
    chi_square,
    contaminated_pg_cosine,
    failing_weight_bound,
    imitation_floor,
    mixed_behaviour,
    off_policy_moments,
)


def _arms(rng) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Draw π, μ, the reward of one correct arm, the first, and b."""
    n = int(rng.integers(2, 7))
    policy, behaviour = rng.dirichlet(np.ones(n), 2) * 0.99 + 0.01 / n
    return policy, behaviour, (np.arange(n) == 0) * 1.0, float(rng.uniform(0.01, 0.99))


@states("stale-actors", "zero price keeps the direction whatever the actors play, and has no noise across it")
def _zero_price(rng):
    found = off_policy_moments("zero-price", *_arms(rng)).moments
    return np.array([found.cosine - 1, -found.perpendicular_bias, -found.var_perpendicular]) + 1e-12


@states("stale-actors", "a rate of at most μ_y does too, and importance weights keep the direction")
def _rate(rng):
    policy, behaviour, *rest = _arms(rng)
    rate = float(behaviour[0] * rng.uniform(0.01, 1))
    kept = off_policy_moments("rate", policy, behaviour, *rest, rate=rate).moments
    weighted = off_policy_moments("importance-weighted", policy, behaviour, *rest).moments
    return np.array([kept.cosine, weighted.cosine]) - 1 + 1e-9


@states("stale-actors", "importance weights have at most (1 + χ²) times the largest second moment of an arm")
def _chi(rng):
    policy, behaviour, reward, b = _arms(rng)
    m = off_policy_moments("importance-weighted", policy, behaviour, reward, b).moments
    second = m.signal**2 + m.perpendicular_bias**2 + m.var_parallel + m.var_perpendicular
    square = np.where(reward == 1, 1 - b, b) ** 2 * (1 - 2 * policy + np.sum(policy**2))
    return float((1 + chi_square(policy, behaviour)) * square.max() - second) + 1e-12


@states("stale-actors", "more random actors never take zero price farther from cross-entropy")
def _random_actors(rng):
    n_arms, n_contexts = int(rng.integers(2, 50)), int(rng.integers(2, 8))
    p = rng.uniform(0.001, 0.999, n_contexts)
    few, many = np.sort(rng.random(2))
    less, more = (
        float(cosine_to_cross_entropy((1 - share) * p + share / n_arms, p, n_arms)) for share in (few, many)
    )
    return more - less + 1e-12


@states(
    "stale-actors", "with corrupted rewards zero price improves above its floor and not below, PG with b ≥ r does"
)
def _floor(rng):
    n_arms, share, n = int(rng.integers(2, 8)), float(rng.uniform(0.01, 0.9)), float(rng.uniform(0.0, 0.9))
    corruption, b = rng.uniform(0.001, 0.5), rng.uniform(0.5, 0.99)
    floor = float(imitation_floor(corruption, share, actor_correct=n))
    error = floor * rng.uniform(0.01, 0.99), floor + (1 - floor) * rng.uniform(0.01, 0.99)
    signals = []
    for method, x in (("zero-price", error[0]), ("zero-price", error[1]), ("pg", min(error[0], 1 - n))):
        wrong = np.full(n_arms - 1, 1 / (n_arms - 1))
        policy, actor = np.concatenate([[1 - x], x * wrong]), np.concatenate([[n], (1 - n) * wrong])
        mixed = mixed_behaviour(policy, share, actor)
        reward = np.arange(n_arms) == 0
        signals.append(off_policy_moments(method, policy, mixed, reward, b, corruption=corruption).moments.signal)
    return np.array([-signals[0], signals[1], signals[2]]) + 1e-12


@states("stale-actors", "by the actor's surprisal DG's weight of a broken actor's arm stays above that of δ")
def _least_weight(rng):
    share, b, eta = rng.uniform(0.001, 0.999), rng.uniform(0.01, 0.99), rng.uniform(0.1, 4)
    own = 10 ** -rng.uniform(0, 12)
    played = (1 - share) * own + share
    least = float(gate_probability(b * np.log(share), 0.0, eta))
    return float(gate_probability(b * np.log(played), 0.0, eta)) - least + 1e-12


@refuted("stale-actors", "DG is never farther from the true gradient than PG")
def _dg_closer(rng):
    policy, other, reward, b = _arms(rng)
    behaviour = mixed_behaviour(policy, rng.uniform(0.01, 0.6), other)
    pg, dg = (float(off_policy_moments(name, policy, behaviour, reward, b).moments.cosine) for name in ("pg", "dg"))
    return dg - pg + 1e-9


@refuted("stale-actors", "DG is never farther from the true gradient by the learner's surprisal than by the actor's")
def _learner_better(rng):
    policy, other, reward, b = _arms(rng)
    behaviour = mixed_behaviour(policy, rng.uniform(0.01, 0.6), other)
    learner, actor = (
        float(off_policy_moments("dg", policy, behaviour, reward, b, surprisal=whose).moments.cosine)
        for whose in ("learner", "actor")
    )
    return learner - actor + 1e-9


@states("disfavoured-actions", "a failing action's weight is below x^{u/η}, its square below x if u ≥ η/2")
def _weight(rng):
    x, u, eta = 10 ** -rng.uniform(0, 12), rng.uniform(0.001, 4), rng.uniform(0.1, 4)
    weight = float(gate_probability(u * np.log(x), 0.0, eta))
    large = float(gate_probability(eta * rng.uniform(0.5, 4) * np.log(x), 0.0, eta))
    bound = float(failing_weight_bound(x, -u, eta))  # both may underflow
    return np.array([bound * (1 + 1e-9) - weight, 1 + 1e-9 - large**2 / x])


@refuted("disfavoured-actions", "the square of a failing action's weight is below x for every u")
def _square(rng):
    x, u = 10 ** -rng.uniform(0, 12), rng.uniform(0.001, 0.5)
    return x - float(gate_probability(u * np.log(x), 0.0, 1.0)) ** 2


def _contaminated(rng, least: float) -> tuple[FloatArray, float]:
    """Draw broken actors, μ_y ≥ least·bδ; return the policies and rewards, and PG's cosine."""
    n = int(rng.integers(1, 7))
    share, b, right = (
        rng.uniform(0.01, 0.99),
        float(rng.uniform(0.01, 0.99)),
        rng.uniform(0, 1) * (rng.random() < 0.5),
    )
    learner, actor = rng.dirichlet(np.full(n, 0.3), 2)
    error = rng.random() if rng.random() < 0.7 else 10 ** -rng.uniform(0.01, 6)
    if (1 - share) * (1 - error) + share * right < least * b * share:
        return _contaminated(rng, least)
    bound = (1 + learner @ actor) / np.sqrt((1 + learner @ learner) * (1 + actor @ actor))
    found = float(contaminated_pg_cosine(error, learner, share, actor, b, actor_correct=right))
    return np.array([found - bound, found - 0.5]) + 1e-12, found


@states("disfavoured-actions", "PG's cosine is at least that of e_y − q and e_y − ν, and 1/2")
def _bounded(rng):
    return _contaminated(rng, 1.0)[0]


@refuted("disfavoured-actions", "PG's cosine is at least 1/2 whatever the share of broken actors")
def _bounded_always(rng):
    return _contaminated(rng, 0.0)[0][1]


@states("disfavoured-actions", "a learner's even mistakes bound it by √(K/(2(K−1)))")
def _even(rng):
    n = int(rng.integers(1, 30))
    error, share, b = 10 ** -rng.uniform(0.4, 6), rng.uniform(0.01, 0.3), rng.uniform(0.01, 0.99)
    actor = rng.dirichlet(np.full(n, 0.3))
    found = contaminated_pg_cosine(error, np.full(n, 1 / n), share, actor, b)
    return float(found) - np.sqrt((n + 1) / (2 * n)) + 1e-12
