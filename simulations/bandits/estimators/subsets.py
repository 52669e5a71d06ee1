"""Unbiased estimates from a part of the samples: gates of weight 1/w, the top kept for certain, masks on tokens.

Written out sample by sample or count by count, in NumPy; the first axis is the replicate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulations.bandits.estimates import of_means
from simulations.bandits.simulation import Estimate

__all__ = [
    "Mask",
    "batch_errors",
    "cut_or_skipped",
    "draw_errors",
    "effective_share",
    "mask_errors",
    "rest_share",
]

FloatArray = NDArray[np.float64]
Mask = Callable[[np.random.Generator, FloatArray, str, int], FloatArray]
"""Draws so many masks, (n, T) of zeros and ones, from the probabilities that tokens are kept and the kind."""


def batch_errors(
    policy: FloatArray, advantage: FloatArray, keep: FloatArray, weight: FloatArray, size: int, n: int, seed: int
) -> Estimate:
    """Return E‖ĝ − ∇J‖² of the mean over batches of ``size``, from n batches; samples of one arm are alike."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    kept = rng.binomial(rng.multinomial(size, policy, size=n), keep)
    scores = np.eye(len(policy)) - policy
    found = (kept * weight * advantage / size) @ scores
    return _mean_error(found - (policy * advantage) @ scores)


def effective_share(
    policy: FloatArray, keep: FloatArray, weight: FloatArray, size: int, n: int, seed: int
) -> Estimate:
    """Return (Σ weight)²/Σ weight² of the kept over the samples drawn, of all n batches together."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    kept = rng.binomial(rng.multinomial(size, policy, size=n), keep)
    return of_means(lambda first, second: first**2 / second, kept @ weight / size, kept @ weight**2 / size)


def rest_share(scores: FloatArray, n_sure: int) -> float:
    """Return the share of the scores that are not among the highest ``n_sure``: by it the draws are weighted."""
    return float(np.sort(scores)[: len(scores) - n_sure].sum() / scores.sum())


def draw_errors(
    gradients: FloatArray,
    scores: FloatArray,
    n_draws: int,
    n_sure: int,
    n: int,
    seed: int,
    share: Callable[[FloatArray, int], float] = rest_share,
) -> Estimate:
    """Return E‖ĝ − Σg‖² of n sums: the ``n_sure`` of highest score, and draws by score of the others."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    order = np.argsort(-scores, kind="stable")
    sure, rest = order[:n_sure], order[n_sure:]
    chance = scores[rest] / scores[rest].sum()
    drawn = rng.multinomial(n_draws - n_sure, chance, size=n) / (n_draws - n_sure)
    worth = gradients[rest] / (scores[rest] / scores.sum())[:, None]
    found = gradients[sure].sum(axis=0) + share(scores, n_sure) * (drawn @ worth)
    return _mean_error(found - gradients.sum(axis=0))


def cut_or_skipped(rng: np.random.Generator, keep: FloatArray, kind: str, n: int) -> FloatArray:
    """Draw masks: of prefixes one uniform number decides for all tokens, else each has its own."""
    return np.asarray(rng.random((n, 1) if kind == "prefix" else (n, len(keep))) < keep, dtype=np.float64)


def mask_errors(
    gradients: FloatArray, keep: FloatArray, kind: str, n: int, seed: int, mask: Mask = cut_or_skipped
) -> Estimate:
    """Return E‖ĝ − Σg‖² of an answer whose tokens are masked and weighted by one over their probability."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    found = (mask(rng, keep, kind, n) / keep) @ gradients
    return _mean_error(found - gradients.sum(axis=0))


def _mean_error(error: FloatArray) -> Estimate:
    """Return the mean square of errors, (n, d)."""
    return Estimate.of(np.sum(error**2, axis=1))
