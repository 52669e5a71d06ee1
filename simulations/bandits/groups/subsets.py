"""Rules on the answers of a group as their sources define them: the best of all subsets, each one tried.

No scores here. Of a group's answers those at its mean are never kept, for their advantage is zero; of the others k
are, or all if they are fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["OBJECTIVES", "above_the_mean", "best_subset"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Objective = Callable[[FloatArray, FloatArray], FloatArray]
"""What each subset is worth, (n, subsets), from rewards (n, G) and the subsets as 0 and 1, (subsets, G)."""

_TIE = 1e-9
_AT_THE_MEAN = 1e-12


def best_subset(objective: Objective, n_kept: int) -> Callable[[FloatArray, np.random.Generator], BoolArray]:
    """Return what keeps of rewards (n, G) the subset of ``n_kept`` that is worth most, one of equals at random."""

    def choose(reward: FloatArray, rng: np.random.Generator) -> BoolArray:
        G = reward.shape[1]
        places = [each for size in range(n_kept + 1) for each in combinations(range(G), size)]
        subsets = np.array([np.isin(np.arange(G), each) for each in places], dtype=np.float64)
        teaches = np.abs(reward - reward.mean(axis=1, keepdims=True)) > _AT_THE_MEAN * np.abs(reward).max()
        size = np.minimum(n_kept, teaches.sum(axis=1, keepdims=True))
        allowed = (subsets.sum(axis=1) == size) & ((~teaches).astype(np.float64) @ subsets.T == 0)
        worth = np.where(allowed, objective(reward, subsets), -np.inf)
        best = worth >= worth.max(axis=1, keepdims=True) - _TIE
        chosen = np.argmax(best * (1 + rng.random(worth.shape)), axis=1)
        return subsets[chosen] > 0

    return choose


def above_the_mean(reward: FloatArray, rng: np.random.Generator) -> BoolArray:
    """Return which of rewards (n, G) are above their group's mean: what the gate at price zero keeps."""
    return reward > reward.mean(axis=1, keepdims=True) + _AT_THE_MEAN * np.abs(reward).max()


def _largest_sum(reward: FloatArray, subsets: FloatArray) -> FloatArray:
    return reward @ subsets.T


def _furthest(reward: FloatArray, subsets: FloatArray) -> FloatArray:
    return np.abs(reward - reward.mean(axis=1, keepdims=True)) @ subsets.T


def _largest_variance(reward: FloatArray, subsets: FloatArray) -> FloatArray:
    """Return variances; of equal ones the larger sum is worth a little more than rounding."""
    size = np.maximum(subsets.sum(axis=1), 1.0)
    mean = reward @ subsets.T / size
    scale = np.abs(reward).max()
    return np.asarray(reward**2 @ subsets.T / size - mean**2 + 1e-6 * mean / scale)


def _alike(reward: FloatArray, subsets: FloatArray) -> FloatArray:
    return np.zeros((len(reward), len(subsets)))


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "advantage": _largest_sum,
        "abs-advantage": _furthest,
        "uniform": _alike,
        "max-variance": _largest_variance,
        "group-spread": _alike,
    }
)
"""Rule → what its subset has most of; where all are alike one is drawn."""
