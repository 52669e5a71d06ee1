"""The inequalities of the claims on screening rules."""

from __future__ import annotations

import math

import numpy as np

from falsification.statements import arms, context, probability, refuted, states
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import (
    RULES,
    SAMPLE_RULES,
    additive_threshold,
    answer_signal,
    idle_probability,
    kept_signal,
    screen_context,
    visit_share,
)


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


def _group(rng):
    """Rewards of a group, their mean, that of all answers, and how many are kept."""
    size = int(rng.integers(3, 10))
    kinds = (rng.normal(size=size), rng.pareto(1.0, size), rng.integers(0, 2, size).astype(float))
    rewards = kinds[int(rng.integers(len(kinds)))]
    return rewards, rewards.mean(), rewards.mean() + rng.normal(), int(rng.integers(2, size + 1))


@states("answer-rules", "with the mean of the kept no k answers have more signal than those of largest variance")
def _largest_variance(rng):
    rewards, mean, true_mean, k = _group(rng)
    advantage = rewards - mean
    top = np.argsort(-RULES["max-variance"](advantage, advantage))[:k]
    other = rng.permutation(len(rewards))[:k]
    own, its = (float(np.mean((kept - kept.mean()) * (kept - true_mean))) for kept in (rewards[top], rewards[other]))
    return np.array([own - its, own - np.var(rewards[top])]) + 1e-9 * (1 + np.ptp(rewards)) ** 2


@states(
    "answer-rules", "in large groups |advantage|, largest variance, its own mean and chance buy less in this order"
)
def _large_groups(rng):
    p = float(probability(rng))
    shares = ((float(p < 0.5), "group"), (0.5, "group"), (0.5, "kept"), (p, "group"))
    return -np.diff([kept_signal(x, p, p, mean) for x, mean in shares]) + 1e-12


@refuted("answer-rules", "with the group's mean too the largest variance has most signal")
def _largest_variance_with_the_groups_mean(rng):
    rewards, mean, _, k = _group(rng)
    advantage = rewards - mean
    tops = (np.argsort(-RULES[rule](advantage, advantage))[:k] for rule in ("max-variance", "abs-advantage"))
    widest, largest = (float(np.mean(advantage[top] ** 2)) for top in tops)
    return np.array([widest - largest + 1e-12])


@refuted("answer-rules", "no rule buys more than |advantage|, whatever the pass rate")
def _nothing_above_advantage(rng):
    p, size = rng.uniform(0.05, 0.95), int(rng.integers(4, 12))
    at = ([0.0, 1.0], [1 - p, p], size, size // 2)
    return np.array([float(answer_signal("abs-advantage", *at).signal - answer_signal("advantage", *at).signal)])


def _skipped(rng):
    return float(rng.uniform(0.01, 0.99)), float(rng.uniform(0.05, 0.95)), int(rng.integers(0, 8))


@states("prompt-skipping", "a cap of m leaves at least ξ^m of the epochs, more signal than none, and less than all")
def _capped(rng):
    q, xi, cap = _skipped(rng)
    capped, more, open_end = (float(visit_share(q, xi, m)) for m in (cap, cap + 1, np.inf))
    return np.array([capped - xi**cap, 1 - capped, capped - more, more - open_end]) + 1e-12


@states("prompt-skipping", "of two prompts the one with less signal a visit is visited less")
def _less_signal_less_often(rng):
    first, second = np.sort(rng.uniform(0.001, 0.5, 2))
    size, (_, xi, cap) = int(rng.integers(2, 17)), _skipped(rng)
    one, other = (float(visit_share(idle_probability(p, size), xi, cap)) for p in (first, second))
    return np.array([other - one + 1e-12])


@refuted("prompt-skipping", "a prompt that has spread at times is never given up")
def _never_starved(rng):
    q, xi, _ = _skipped(rng)
    return np.array([float(visit_share(q, xi)) - 1e-9])
