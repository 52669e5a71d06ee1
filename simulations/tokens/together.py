"""Tokens that share one reward, all positions moved alike: only how many answers have n right tokens counts."""

import math

import numpy as np

from simulations.randomness.compiling import kernel
from simulations.randomness.draws import binomial
from simulations.randomness.streams import FloatArray, IntArray, WordArray
from simulations.tokens.ranking import keep_top

__all__ = ["together_escapes", "together_moves"]


@kernel
def _set_scores(p: float, n_tokens: int, vocab_size: int, scores: FloatArray, pulls: FloatArray) -> None:
    """Write delight and pull of a right, [n], and a wrong token, [T + 1 + n], in an answer with n right ones."""
    right, wrong = -math.log(p), math.log(vocab_size - 1.0) - math.log1p(-p)
    for n in range(n_tokens + 1):
        advantage = n / n_tokens - p
        scores[n], pulls[n] = advantage * right, advantage * (1 - p)
        scores[n_tokens + 1 + n], pulls[n_tokens + 1 + n] = advantage * wrong, -advantage * p


@kernel
def _mean_pull(state: WordArray, p: float, n_tokens: int, vocab_size: int, batch_size: int, n_kept: float) -> float:
    """Draw a batch and return its kept tokens' pull on the right logits, the mean over answers and positions."""
    answers = np.zeros(n_tokens + 1)  # by their number of right tokens: one binomial after the other
    mass, beyond, left = (1 - p) ** n_tokens, 1.0, batch_size
    for n in range(n_tokens):
        drawn = binomial(state, left, min(1.0, mass / beyond))
        answers[n], left, beyond = drawn, left - drawn, beyond - mass
        mass *= (n_tokens - n) / (n + 1) * p / (1 - p)
    answers[n_tokens] = left
    scores, pulls = np.empty(2 * (n_tokens + 1)), np.empty(2 * (n_tokens + 1))
    _set_scores(p, n_tokens, vocab_size, scores, pulls)
    right = np.arange(n_tokens + 1.0)
    tokens = np.concatenate((answers * right, answers * (n_tokens - right)))
    present = np.flatnonzero(tokens)
    kept = keep_top(scores[present], tokens[present], n_kept)
    return (kept * pulls[present]).sum() / (batch_size * n_tokens)


@kernel
def together_moves(
    states: WordArray, p: float, n_tokens: int, vocab_size: int, batch_size: int, n_kept: float, n_batches: int
) -> FloatArray:
    """Return the mean gradient on the right logits of each of some batches at p, (n_replicates, n_batches)."""
    moves = np.empty((states.shape[0], n_batches))
    for replicate in range(states.shape[0]):
        for batch in range(n_batches):
            moves[replicate, batch] = _mean_pull(states[replicate], p, n_tokens, vocab_size, batch_size, n_kept)
    return moves


@kernel
def together_escapes(
    states: WordArray,
    p: float,
    n_tokens: int,
    vocab_size: int,
    batch_size: int,
    n_kept: float,
    learning_rate: float,
    level: float,
    most_steps: int,
) -> IntArray:
    """Return the number of updates from p until it passes a level, (n_replicates,); −1 where not in ``most_steps``.

    The gradient is averaged over positions, and over the wrong tokens of each.
    """
    steps = np.full(states.shape[0], -1)
    stretch = learning_rate * vocab_size / (vocab_size - 1)
    end = math.log(level) - math.log1p(-level)
    for replicate in range(states.shape[0]):
        odds = math.log(p) - math.log1p(-p)
        for step in range(most_steps):
            if odds >= end:
                steps[replicate] = step
                break
            chance = 1 / (1 + math.exp(-odds))
            odds += stretch * _mean_pull(states[replicate], chance, n_tokens, vocab_size, batch_size, n_kept)
    return steps
