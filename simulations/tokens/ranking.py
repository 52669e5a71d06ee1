"""Ranking of tokens inside Numba: the scores of the screening rules, and the best of counted classes."""

import math

import numpy as np

from simulations.randomness.compiling import inlined, kernel
from simulations.randomness.streams import FloatArray

__all__ = ["BAND_LEVELS", "ENTROPY_BAND", "RULE_CODES", "entropy_quantile", "keep_top", "score"]

(
    DELIGHT,
    ADVANTAGE,
    ABS_ADVANTAGE,
    SURPRISAL,
    ADDITIVE,
    UNIFORM,
    ABS_ADVANTAGE_ENTROPY,
    ENTROPY_BAND,
    POSITIVE_SURPRISAL,
    ENTROPY,
) = range(10)

RULE_CODES = {
    "delight": DELIGHT,
    "advantage": ADVANTAGE,
    "abs-advantage": ABS_ADVANTAGE,
    "surprisal": SURPRISAL,
    "additive": ADDITIVE,
    "uniform": UNIFORM,
    "abs-advantage-entropy": ABS_ADVANTAGE_ENTROPY,
    "entropy-band": ENTROPY_BAND,
    "positive-surprisal": POSITIVE_SURPRISAL,
    "entropy": ENTROPY,
}
"""Codes of the rules of :data:`kondo_theory.screening.SAMPLE_RULES`, with their default parameters."""

_ADDITIVE_WEIGHT = 0.5  # α, the rule's default
BAND_LEVELS = (0.25, 0.75)
"""Quantiles of the batch's entropies that bound the entropy band, the rule's default."""

# Scores this close, relative to the largest, are tied: rounding parts equal ones by a few times 1e-16.
_TIE = 1e-12


@inlined
def score(rule: int, advantage: float, surprisal: float, entropy: float, band: tuple[float, float]) -> float:
    """Return a rule's score of one token; ``band`` bounds the entropies that the entropy band keeps."""
    if rule == ADVANTAGE:
        return advantage
    if rule == ABS_ADVANTAGE:
        return abs(advantage)
    if rule == SURPRISAL:
        return surprisal
    if rule == ADDITIVE:
        return _ADDITIVE_WEIGHT * advantage + (1.0 - _ADDITIVE_WEIGHT) * surprisal
    if rule == UNIFORM:
        return 0.0
    if rule == ABS_ADVANTAGE_ENTROPY:
        return abs(advantage) * entropy
    if rule == ENTROPY_BAND:
        low, high = band
        return 0.0 if low <= entropy <= high else -np.inf
    if rule == POSITIVE_SURPRISAL:
        return surprisal if advantage > 0.0 else -np.inf
    if rule == ENTROPY:
        return entropy
    if rule == DELIGHT:
        return advantage * surprisal
    raise ValueError("no such rule")


@kernel
def entropy_quantile(entropies: FloatArray, batch_size: int, level: float) -> float:
    """Return the linearly interpolated quantile of a batch's entropies: each of those given, (T,), B times."""
    order = np.argsort(entropies)  # as ``keep_top`` sorts: a second kind of sort would have to be compiled
    place = level * (order.size * batch_size - 1)
    lower = int(place)
    upper = min(lower + 1, order.size * batch_size - 1)
    left, right = entropies[order[lower // batch_size]], entropies[order[upper // batch_size]]
    return left + (right - left) * (place - lower)


@kernel
def keep_top(scores: FloatArray, counts: FloatArray, n_kept: float) -> FloatArray:
    """Return how many of each class are among the ``n_kept`` best, ties in proportion; −∞ is never kept.

    ``scores`` and ``counts``, and what is returned, have one entry a class.
    """
    order = np.argsort(-scores)
    kept = np.zeros(scores.size)
    scale = 0.0
    for value in scores:
        if math.isfinite(value):
            scale = max(scale, abs(value))
    i, room = 0, n_kept
    while i < order.size and room > 0.0 and scores[order[i]] > -np.inf:
        end, mass = i, 0.0
        while end < order.size and scores[order[i]] - scores[order[end]] <= _TIE * scale:
            mass += counts[order[end]]
            end += 1
        share = min(1.0, room / mass)
        for j in range(i, end):
            kept[order[j]] = share * counts[order[j]]
        room -= share * mass
        i = end
    return kept
