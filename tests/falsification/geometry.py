"""The inequalities of the claims on one context's geometry."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import FloatArray, arms, context, probability, refuted, states
from kondo_theory.geometry import alignment, graded, symmetric
from kondo_theory.geometry.corners import escape_time, kept_updates, shared_rest_point
from kondo_theory.geometry.learning import learning_time
from kondo_theory.moments import gradient_moments


@states("zero-price-geometry", "any policy with one correct arm: the direction is kept and Var_⊥ is 0")
def _geometry(rng):
    n = int(rng.integers(2, 12))
    policy = rng.dirichlet(np.full(n, 0.5)) * 0.98 + 0.02 / n
    reward = np.eye(n)[rng.integers(n)]
    b = rng.uniform(0, 0.99)
    m = gradient_moments(policy, reward - b, reward, reward)
    return np.array([1e-9 - (1 - m.cosine), 1e-12 - m.var_perpendicular])


@states("dg-noise-ratio", "(w₋/κ)² < 1")
def _dg_ratio(rng):
    p, n_arms, b = context(rng, 3)
    right, wrong = symmetric.dg_weights(p, n_arms, b, rng.uniform(0.05, 20))
    return 1 - float(wrong / (right * (1 - b) + wrong * b)) ** 2


@states("forward-efficiency", "PG needs fewer samples than zero price exactly for 0 < b < 2b*")
def _forward(rng):
    p, n_arms, b = context(rng)
    m, best = symmetric.pg_moments(p, n_arms, b), float(symmetric.optimal_pg_baseline(p, n_arms))
    noise = float((m.var_parallel + m.var_perpendicular) / m.signal**2)
    difference = (noise - (1 - p) / p) / max(noise, (1 - p) / p)
    return 1.0 if abs(difference) < 1e-7 else math.copysign(1.0, difference) * math.copysign(1.0, b - 2 * best)


@states("graded-rewards", "the cosine is positive under the stated condition, or for a uniform policy")
def _graded(rng):
    n = int(rng.integers(2, 8))
    policy = rng.dirichlet(np.full(n, 0.5)) * 0.98 + 0.02 / n if rng.random() < 0.8 else np.full(n, 1 / n)
    rewards = np.round(rng.random(n), 1)
    value = float(policy @ rewards)
    upper = value + float(policy @ np.maximum(rewards - value, 0))
    if np.ptp(rewards) == 0 or (np.ptp(policy) > 0 and np.any((value < rewards) & (rewards < upper))):
        return 1.0
    return float(graded.zero_price_cosine(policy, rewards))


@refuted("graded-rewards", "the cosine is never negative")
def _graded_always(rng):
    n = int(rng.integers(3, 8))
    return float(graded.zero_price_cosine(rng.dirichlet(np.full(n, 0.3)) + 1e-9, rng.random(n)))


def _whole(rng) -> tuple[float, float, int]:
    p, delta = float(probability(rng)), rng.uniform(0.001, 0.999)
    return p, delta, max(1, math.ceil(math.log(delta) / math.log1p(-p) * (1 - 1e-12)))


@states("backward-passes-to-align", "N rounded up has (1−p)^N ≤ δ and costs less than log(1/δ) + p passes")
def _passes(rng):
    p, delta, n = _whole(rng)
    real = float(alignment.backward_passes_to_align("zero-price", p, 5, 0.5, 0.9, 1 - delta))
    bound = math.log(1 / delta)
    return np.array([delta - (1 - p) ** n + 1e-12, bound + p - p * n, max(bound, p) - real + 1e-12])


@refuted("backward-passes-to-align", "N rounded up costs at most log(1/δ) passes")
def _passes_always(rng):
    p, delta, n = _whole(rng)
    return math.log(1 / delta) - p * n


@states("learning-time", "DG takes 1 to 2/(1−b) times PG's time")
def _learning(rng):
    n_arms, b = arms(rng), rng.uniform(0.01, 0.95)
    end = 1 - (1 - 1 / n_arms) * rng.uniform(0.01, 0.9)
    eta = rng.uniform(0.1, 3)
    pg, dg = (float(learning_time(m, n_arms, end, b, temperature=eta)) for m in ("pg", "dg"))
    return np.array([dg / pg - 1, 2 / (1 - b) - dg / pg]) + 1e-9


def _corner(rng) -> tuple[FloatArray, int, str, float | str, str]:
    """Draw a policy, the correct arm first, K, and a method with its baseline and unit."""
    n = int(rng.integers(2, 9))
    right = 10 ** -rng.uniform(0.4, 6)
    wrong = rng.dirichlet(np.full(n - 1, 0.3)) * 0.999 + 0.001 / (n - 1)
    method, b = (("pg", 0.5), ("zero-price", float(rng.uniform(0, 0.95))), ("zero-price", "value"))[rng.integers(3)]
    return np.array([right, *(1 - right) * wrong]), n, method, b, ("forward", "backward")[rng.integers(2)]


@states("corner-escape", "every corner takes from 1 to 2(K−1)/K times what two arms take")
def _corners(rng):
    policy, n, method, b, unit = _corner(rng)
    ratio = float(escape_time(method, policy, b, unit) / escape_time(method, [policy[0], 1 - policy[0]], b, unit))
    return np.array([ratio - 1, 2 * (n - 1) / n - ratio]) + 1e-9


@refuted("corner-escape", "no corner takes longer than two arms")
def _corners_alike(rng):
    return -_corners(rng)[0] + 1e-6


@states("corner-escape", "updates by the kept are at least backward passes, and 1/B of the samples")
def _updates(rng):
    policy, _, _, _, _ = _corner(rng)
    size = float(rng.integers(1, 1_000))
    found = float(kept_updates(policy, 0.5, size))
    passes, samples = (float(escape_time("zero-price", policy, 0.5, unit)) for unit in ("backward", "forward"))
    return np.array([found / passes - 1, found * size / samples - 1]) + 1e-9


@states("corner-escape", "DG with a common baseline stops short of 1 iff q > (1−b)/(3−2b)")
def _dg_stops(rng):
    q, b, eta = rng.uniform(0.01, 0.49), rng.uniform(0.01, 0.99), rng.uniform(0.02, 1)
    share = (1 - b) / (3 - 2 * b)
    stops = float(shared_rest_point("dg", q, b, temperature=eta)) < 1
    return 1.0 if abs(q - share) < 0.01 or stops == (q > share) else -1.0


@refuted("corner-escape", "DG's rest point rises whenever the gate cools")
def _dg_cools(rng):
    q, b = rng.uniform(0.3, 0.49), rng.uniform(0.3, 0.9)
    cold, hot = np.sort(rng.uniform(0.05, 2, 2))
    points = shared_rest_point("dg", q, b, temperature=np.array([cold, hot]))
    return float(points[0] - points[1])
