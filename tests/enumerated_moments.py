"""The five moments of a gradient by enumeration over the arms, in the precision of mpmath's context."""

from dataclasses import fields

import mpmath as mp
import numpy as np

from kondo_theory.moments import GradientMoments, gradient_moments

NAMES = [field.name for field in fields(GradientMoments)]
RELATIVE = 1e-12


def exact_policy(policy):
    """Return what the floats mean: an arm above one half is one minus the others, else divide by the sum."""
    values = [mp.mpf(float(x)) for x in policy]
    top = int(np.argmax(policy))
    if policy[top] > 0.5:
        values[top] = 1 - mp.fsum(values[:top] + values[top + 1 :])
        return values
    total = mp.fsum(values)
    return [x / total for x in values]


def enumerate_moments(policy, advantage, first, second, direction=None):
    """Return the five moments from explicit vectors φ_a, one entry at a time; O(K²)."""
    pi, K = policy, len(policy)
    score = [[(1 if a == k else 0) - pi[k] for k in range(K)] for a in range(K)]
    mean_of = lambda c: [mp.fsum(pi[a] * c[a] * score[a][k] for a in range(K)) for k in range(K)]  # noqa: E731
    dot = lambda x, y: mp.fsum(s * t for s, t in zip(x, y, strict=True))  # noqa: E731
    if direction is None:
        gradient = mean_of(advantage)
        direction = [x / mp.sqrt(dot(gradient, gradient)) for x in gradient]
    mean = mean_of([w * u for w, u in zip(first, advantage, strict=True)])
    squared = [s * u * u for s, u in zip(second, advantage, strict=True)]
    signal, power = dot(mean, direction), dot(mean, mean)
    along = mp.fsum(pi[a] * squared[a] * dot(score[a], direction) ** 2 for a in range(K)) - signal**2
    total = mp.fsum(pi[a] * squared[a] * dot(score[a], score[a]) for a in range(K)) - power
    return summary(signal, power, along, total)


def enumerate_fast(policy, advantage, first, second):
    """Return the same moments in O(K), by the expanded sums that cancel in floats and not in 250 digits."""
    pi, K = policy, len(policy)
    average = lambda values: mp.fsum(p * v for p, v in zip(pi, values, strict=True))  # noqa: E731
    mean_of = lambda c, m: [pi[k] * (c[k] - m) for k in range(K)]  # noqa: E731
    gradient = mean_of(advantage, average(advantage))
    size = mp.sqrt(mp.fsum(x * x for x in gradient))
    t = [x / size for x in gradient]
    c = [w * u for w, u in zip(first, advantage, strict=True)]
    mean = mean_of(c, average(c))
    squared = [s * u * u for s, u in zip(second, advantage, strict=True)]
    shift, square_sum = average(t), mp.fsum(p * p for p in pi)
    signal, power = mp.fsum(x * y for x, y in zip(mean, t, strict=True)), mp.fsum(x * x for x in mean)
    along = average([squared[a] * (t[a] - shift) ** 2 for a in range(K)]) - signal**2
    total = average([squared[a] * (1 - 2 * pi[a] + square_sum) for a in range(K)]) - power
    return summary(signal, power, along, total)


def summary(signal, power, along, total):
    bias = mp.sqrt(abs(power - signal**2))
    cosine = signal / mp.sqrt(power) if power else mp.nan
    return dict(zip(NAMES, (signal, bias, along, total - along, cosine), strict=True))


def exact_weights(weight, *, bernoulli):
    values = [mp.mpf(float(w)) for w in weight]
    return values, values if bernoulli else [w * w for w in values]


def assert_agrees(found, exact, tolerance=RELATIVE):
    for name in NAMES:
        value, truth = float(getattr(found, name)), exact[name]
        scale = max(abs(truth), mp.mpf(10) ** -100)  # 250 digits leave 1e-120 of an exact zero
        assert abs(value - truth) <= tolerance * scale, f"{name}: {value!r} against {mp.nstr(truth, 20)}"


def both_ways(policy, advantage, weight, *, bernoulli, oracle=enumerate_moments):
    policy, advantage, weight = (np.asarray(x, dtype=float) for x in (policy, advantage, weight))
    found = gradient_moments(policy, advantage, weight, weight if bernoulli else weight**2)
    first, second = exact_weights(weight, bernoulli=bernoulli)
    return found, oracle(exact_policy(policy), [mp.mpf(float(u)) for u in advantage], first, second)


def one_correct_arm(p, error, n_arms):
    return np.concatenate([[p], np.full(n_arms - 1, error / (n_arms - 1))])
