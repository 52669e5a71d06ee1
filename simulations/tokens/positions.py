"""Batches of answers whose positions differ, gated by any rule: drifts, and where training ends.

Free positions have no right token and are not judged. Wrong tokens are even, and stay so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from simulations.tokens.dependent import keep_top_answers

__all__ = ["Keep", "PositionTask", "drifts", "probabilities_at_the_end", "top_share"]

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
Keep = Callable[[FloatArray], FloatArray]
"""The weights, 0 to 1, of the tokens of each batch, from their scores, both (R, B·T)."""


@dataclass(frozen=True)
class PositionTask:
    """Answers: the right token's probability at each position, (T,), whether it is judged, (T,), and M."""

    p: tuple[float, ...]
    judged: tuple[bool, ...]
    vocab_size: int


def top_share(rate: float) -> Keep:
    """Return what keeps the top rate of each batch, ties in proportion, and nothing of score −∞."""

    def keep(score: FloatArray) -> FloatArray:
        possible = np.isfinite(score)
        lowest = np.min(score, where=possible, initial=np.inf, axis=1, keepdims=True)
        padded = np.where(possible, score, np.where(np.isfinite(lowest), lowest - 1.0, 0.0))
        return keep_top_answers(padded, rate) * possible

    return keep


def drifts(
    task: PositionTask, score: Score, keep: Keep, batch_size: int, n_batches: int, rng: np.random.Generator
) -> FloatArray:
    """Return the gradient on the right token's logit at each position, (n_batches, T), zero at free ones."""
    z = np.tile(logit(np.array(task.p)), (n_batches, 1))
    return _push(z, task, score, keep, batch_size, rng)[0]


def probabilities_at_the_end(
    task: PositionTask,
    score: Score,
    keep: Keep,
    batch_size: int,
    learning_rate: float,
    n_steps: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Train from ``task.p``, judged positions moved alike by their mean gradient, over ``n_steps`` updates.

    Returns the right token's probability at a judged position, the mean over the last half, (n_replicates,).
    """
    judged = np.array(task.judged)
    z = np.tile(logit(np.array(task.p)), (n_replicates, 1))
    total = np.zeros(n_replicates)
    M = task.vocab_size
    for step in range(n_steps):
        push, p = _push(z, task, score, keep, batch_size, rng)
        mean = push[:, judged].mean(axis=1, keepdims=True)
        z += learning_rate * mean * judged * M / (M - 1)  # the wrong logits share what the right one takes
        if step >= n_steps - n_steps // 2:
            total += p[:, judged].mean(axis=1)
    return total / (n_steps // 2)


def _push(
    z: FloatArray, task: PositionTask, score: Score, keep: Keep, batch_size: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the mean gradient of a batch at each position and the right tokens' probabilities, both (R, T)."""
    judged, M = np.array(task.judged), task.vocab_size
    p = expit(z)
    right = (rng.random((len(z), batch_size, judged.size)) < p[:, None, :]) & judged
    advantage = right.sum(axis=2) / judged.sum() - (p * judged).sum(axis=1, keepdims=True) / judged.sum()
    levels = np.where(judged, -np.log(p), np.log(M)), np.where(judged, np.log(M - 1.0) - np.log(expit(-z)), np.log(M))
    surprisal = np.where(right, levels[0][:, None, :], levels[1][:, None, :])
    entropy = np.broadcast_to((p * levels[0] + (1 - p) * levels[1])[:, None, :], surprisal.shape)
    A = np.broadcast_to(advantage[:, :, None], surprisal.shape)
    flat = (part.reshape(len(z), -1) for part in (A, surprisal, entropy))
    kept = keep(score(*flat)).reshape(surprisal.shape)
    return (kept * A * (right - p[:, None, :]) * judged).mean(axis=1), p
