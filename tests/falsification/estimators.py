"""The inequalities of the claims on estimates from a part of the samples."""

from __future__ import annotations

import numpy as np

from falsification.statements import context, refuted, states
from kondo_theory.estimators import (
    best_baseline,
    best_blend,
    best_step,
    biased_below,
    draws_variance,
    effective_share,
    estimated_blend_error,
    least_unbiased_cost,
    mean_squared_error,
    median_baseline,
    zero_price_blend,
)
from kondo_theory.geometry.optimal import best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import (
    dg_weights,
    optimal_pg_baseline,
    pg_moments,
    symmetric_arms,
    symmetric_moments,
)
from kondo_theory.moments import gradient_moments
from kondo_theory.screening import screen_context


def _bandit(rng):
    """Draw π, U, and the lengths of the gradients."""
    n = int(rng.integers(2, 7))
    policy, advantage = rng.dirichlet(np.ones(n)), rng.normal(size=n)
    square = advantage**2 * (1 - 2 * policy + np.sum(policy**2))
    return policy, advantage, np.sqrt(square)


def _weighted_cost(policy, advantage, keep):
    """Return the cost of signal of a gate of weight 1/w."""
    square = advantage**2 * (1 - 2 * policy + np.sum(policy**2))
    gradient = policy * (advantage - policy @ advantage)
    return float((policy @ keep) * np.sum(policy * square / keep) / np.sum(gradient**2))


@states("unbiased-gates", "no gate of weight 1/w has a lower cost of signal than (E‖g‖)²/‖∇J‖², which is at least 1")
def _least(rng):
    policy, advantage, length = _bandit(rng)
    keep = rng.uniform(0.01, 1, len(policy))
    least = (policy @ length) ** 2 / np.sum((policy * (advantage - policy @ advantage)) ** 2)
    return np.array([_weighted_cost(policy, advantage, keep) / least - 1, least - 1]) + 1e-9


@states("unbiased-gates", "in a symmetric context it is more than zero price's, one, but at K = 2")
def _symmetric(rng):
    p, n_arms, b = context(rng, 3)
    return float(least_unbiased_cost(p, n_arms, b)) - 1


@states("unbiased-gates", "below the batch size zero price has the smaller error than any gate of its rate")
def _smaller_error(rng):
    p, n_arms, b = rng.uniform(0.01, 0.5), int(rng.integers(2, 30)), rng.uniform(0.05, 0.95)
    policy, advantage = symmetric_arms(n_arms, p, b)
    size = float(biased_below(p, n_arms, b)) * np.array([rng.uniform(0.01, 0.99), rng.uniform(1.01, 9)])
    kept = (advantage > 0) * 1.0
    wrong = rng.uniform(0.001, min(1, p / (1 - p)))  # some gate of the rate p
    other = np.where(kept > 0, (p - (1 - p) * wrong) / p, wrong)
    least = best_unbiased_gate(policy, advantage, p)

    def error(first, second):
        return mean_squared_error(policy, advantage, first, second, size)

    zero_price = error(kept, kept)
    below = error(1, 1 / np.maximum(other, 1e-9))[0] - zero_price[0]
    return np.array([below, zero_price[1] - error(1, 1 / least)[1]])


@states("unbiased-gates", "what is kept for certain and has c/k of the scores makes less noise than plain draws")
def _certain(rng):
    n, d = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    gradients, scores = rng.normal(size=(n, d)), rng.uniform(0.1, 1, n) ** rng.uniform(1, 5)
    k = int(rng.integers(2, 9))
    shares = np.cumsum(np.sort(scores)[::-1]) / scores.sum()
    margins = [
        float(draws_variance(gradients, scores, k, 0) - draws_variance(gradients, scores, k, c))
        for c in range(1, min(n, k))
        if shares[c - 1] >= c / k
    ]
    return np.array([*margins, 0.0]) + 1e-12


@states("unbiased-gates", "the effective sample size is at most the rate")
def _effective(rng):
    policy = rng.dirichlet(np.ones(5))
    keep = rng.uniform(0.01, 1, 5)
    return float(policy @ keep - effective_share(policy, keep)) + 1e-12


@refuted("unbiased-gates", "keeping the top for certain never makes more noise than plain draws")
def _always_certain(rng):
    gradients, scores = rng.normal(size=(6, 2)), rng.uniform(0.5, 1, 6)
    return float(draws_variance(gradients, scores, 3, 0) - draws_variance(gradients, scores, 3, 2))


@refuted("unbiased-gates", "a gate with more effective samples has less noise")
def _effective_noise(rng):
    policy, advantage, _ = _bandit(rng)
    keep, rate = rng.uniform(0.05, 1, len(policy)), 0.0
    rate = float(policy @ keep)
    uniform = np.full(len(policy), rate)
    return _weighted_cost(policy, advantage, keep) - _weighted_cost(policy, advantage, uniform)


@refuted("unbiased-gates", "the best gate of weight 1/w never has a lower cost of signal than delight at its rate")
def _delight(rng):
    policy, advantage, _ = _bandit(rng)
    rate = float(rng.uniform(0.05, 0.5))
    delight = float(cost_of_signal(policy, advantage, screen_context(policy, advantage, "delight", rate).keep))
    return _weighted_cost(policy, advantage, best_unbiased_gate(policy, advantage, rate)) - delight


def _blend(rng):
    """Draw a context, a gate and a batch size; return the blend and a function of its error."""
    policy, advantage, _ = _bandit(rng)
    found = best_blend(policy, advantage, rng.uniform(0, 1, len(policy)), float(rng.integers(1, 200)))
    return found, lambda a: float(found.error + (a - found.weight) ** 2 * found.curvature)


@states("least-error-blend", "no weight has a smaller error than a*, PG and the gated gradient among them")
def _least_error(rng):
    found, error = _blend(rng)
    rows = np.array([found.gated_error, found.pg_error, error(rng.normal())]) - found.error
    return np.append(rows, [found.error]) + 1e-12


@states("least-error-blend", "an estimate pays beside PG only while it is nearer to a* than one is")
def _pays(rng):
    found, error = _blend(rng)
    a = found.weight + (found.weight - 1) * rng.uniform(-1, 1)
    worse = found.weight + (found.weight - 1) * rng.uniform(1, 3)
    return np.array([found.pg_error - error(a), error(worse) - found.pg_error]) + 1e-12


@states("least-error-blend", "zero price: the best weight is positive, and below one iff b is above ε/D²")
def _turn(rng):
    p, n_arms, b = context(rng)
    weight, least = float(zero_price_blend(p, n_arms, b, rng.integers(1, 1000))), (1 - p) * n_arms * p**2
    above = b > least / (n_arms * p**2 + n_arms - 2)
    return np.array([weight, (1 - weight) * (1 if above else -1) + 1e-12])


@refuted("least-error-blend", "the best weight lies in [0, 1]")
def _inside(rng):
    weight = _blend(rng)[0].weight
    return np.array([weight, 1 - weight])


@refuted("least-error-blend", "a blend estimated from ten samples has a smaller error than PG and the gate")
def _always_pays(rng):
    p, n_arms, b, size = rng.uniform(0.01, 0.3), 5, rng.uniform(0.1, 0.9), float(rng.integers(1, 100))
    policy, advantage = symmetric_arms(n_arms, p, b)
    found = best_blend(policy, advantage, advantage > 0, size)
    square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
    least = np.minimum(found.pg_error, found.gated_error)
    return float(least - found.error - square * estimated_blend_error(p, n_arms, b, size, 10))


def _noise(policy, rewards, b, keep, soft=False):
    """Return E‖g‖²/(E g·u)²."""
    phi = np.eye(len(policy)) - policy
    true = (policy * rewards) @ phi
    square = policy * (keep**2 if soft else keep) * (rewards - b) ** 2 @ (phi**2).sum(axis=1)
    signal = (policy * keep * (rewards - b)) @ phi @ true / np.linalg.norm(true)
    return square / signal**2


@states("optimal-baseline", "no other baseline has less noise with a gate that does not change with it")
def _best_baseline(rng):
    policy, advantage, _ = _bandit(rng)
    keep, soft = rng.uniform(0.5, 1, len(policy)), bool(rng.random() < 0.5)
    try:
        found = best_baseline(policy, advantage, keep, soft=soft)
    except ValueError:
        return 0.0
    return _noise(policy, advantage, rng.normal(), keep, soft) / float(found.noise) - 1 + 1e-9


@states("optimal-baseline", "DG has no less noise at any baseline than PG at its best")
def _dg_noise(rng):
    p, n_arms, b = context(rng)
    up, down = dg_weights(p, n_arms, b, rng.uniform(0.1, 3))
    found, best = symmetric_moments(p, n_arms, b, up, down), pg_moments(p, n_arms, optimal_pg_baseline(p, n_arms))
    noises = [float((x.var_parallel + x.var_perpendicular) / x.signal**2) for x in (found, best)]
    return noises[0] * (1 + 1e-9) - noises[1] + 1e-9


@states("optimal-baseline", "no baseline has a lower cost of the best gate of weight 1/w than the weighted median")
def _median(rng):
    policy, advantage, _ = _bandit(rng)
    lengths = np.sqrt(1 - 2 * policy + np.sum(policy**2))
    square = np.sum((policy * (advantage - policy @ advantage)) ** 2)
    other = (policy * np.abs(advantage - rng.normal()) @ lengths) ** 2 / square
    return 1 - float(median_baseline(policy, advantage).noise) / other + 1e-9


@states("optimal-baseline", "a step gains at least what the smoothness says")
def _certain_gain(rng):
    n = int(rng.integers(2, 6))
    policy, rewards, b = rng.dirichlet(np.ones(n)), rng.random(n), float(rng.uniform(0, 0.5))
    rewards[:2] = 0.0, 1.0
    keep = rng.uniform(0.2, 1, n)
    moments = gradient_moments(policy, rewards - b, keep, keep)
    length = float(np.linalg.norm(policy * (rewards - policy @ rewards)))
    eta = max(0.0, float(best_step(moments, length, 1, 0.5))) * rng.uniform(0.2, 2)
    g = (rewards - b)[:, None] * (np.eye(n) - policy)
    moved = policy * np.exp(eta * g)
    after = (moved / moved.sum(axis=1, keepdims=True)) @ rewards
    gain = float((policy * keep) @ (after - policy @ rewards))
    second = float((policy * keep) @ (g**2).sum(axis=1))
    certain = eta * length * float(moments.signal) - eta**2 * second / 4
    return gain - certain + 1e-12


@refuted("optimal-baseline", "PG's formula over what is kept, E[wR‖φ‖²]/E[w‖φ‖²], is a gate's best baseline")
def _plugged_in(rng):
    policy, advantage, _ = _bandit(rng)
    keep = rng.uniform(0.2, 1, len(policy))
    square = policy * keep * (1 - 2 * policy + np.sum(policy**2))
    try:
        best = float(best_baseline(policy, advantage, keep).noise)
    except ValueError:
        return 0.0
    return best * (1 + 1e-6) - _noise(policy, advantage, square @ advantage / square.sum(), keep)
