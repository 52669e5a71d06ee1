"""Answers whose tokens depend on each other, kept whole: drifts from tokens that are drawn one by one, and training.

Word 0 is right. The drift is summed token by token, as a policy gradient on logits would add it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from kondo_theory.screening import RULES

__all__ = ["Drawn", "Tied", "draw_answers", "keep_top_answers", "rewards_at_the_end"]

FloatArray = NDArray[np.float64]
_TIE = 1e-12

# Whether both tokens are right, of the four answers of two; and which logit is the second token's: 1 after a right
# first token, 2 after a wrong one.
_RIGHT = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
_SECOND = np.array([1, 1, 2, 2])


@dataclass(frozen=True)
class Drawn:
    """Answers that were drawn, R batches of B.

    Attributes
    ----------
    words : (R, B, T) integer array
    right_probability : (R, B, T) array
        Of the right word, given the answer's own prefix.
    surprisal : (R, B) array
        Of the answers, nats.
    """

    words: NDArray[np.int64]
    right_probability: FloatArray
    surprisal: FloatArray

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each token is right, (R, B, T)."""
        return np.asarray(self.words == 0)

    def drift(self, advantage: FloatArray, keep: FloatArray) -> FloatArray:
        """Return the mean push on the right logits of an answer's prefixes, (R,); arguments (R, B)."""
        total = np.zeros(len(self.words))
        for t in range(self.words.shape[2]):
            total += (keep * advantage * (self.right[..., t] - self.right_probability[..., t])).mean(axis=1)
        return total


def draw_answers(policies: Sequence[FloatArray], shape: tuple[int, int], generator: np.random.Generator) -> Drawn:
    """Draw (R, B) answers token by token from a policy as :func:`answer_law` takes it."""
    words: list[NDArray[np.int64]] = []
    right, surprisal = [], np.zeros(shape)
    for table in policies:
        chances = np.broadcast_to(table[tuple(words)], (*shape, table.shape[-1]))
        drawn = (generator.random((*shape, 1)) > np.cumsum(chances, axis=-1)[..., :-1]).sum(axis=-1)
        right.append(chances[..., 0])
        surprisal -= np.log(np.take_along_axis(chances, drawn[..., None], axis=-1)[..., 0])
        words.append(drawn)
    return Drawn(np.stack(words, axis=-1), np.stack(right, axis=-1), surprisal)


def keep_top_answers(score: FloatArray, rate: float) -> FloatArray:
    """Return the weight of each answer, (R, B), where the top ``rate`` of a batch is kept, ties in proportion."""
    keep = np.empty_like(score)
    for row, values in enumerate(score):
        wanted, price = rate * values.size, -np.sort(-values)[int(np.ceil(rate * values.size)) - 1]
        tied = np.abs(values - price) <= _TIE * np.abs(values).max()
        above = (values > price) & ~tied
        keep[row] = above + tied * (wanted - above.sum()) / tied.sum()
    return keep


@dataclass(frozen=True)
class Tied:
    """Two tokens of two words: odds o, then o·u after a right token and o·v after a wrong one.

    The right tokens share one logit, or, with ``shared`` False, each of the three prefixes has its own. The top rate
    of the answers by a rule is kept, the baseline is the exact mean.
    """

    after_right: float
    after_wrong: float
    rate: float
    rule: str = "delight"
    shared: bool = True
    start: float = 0.5
    """Odds at which training starts."""


def rewards_at_the_end(
    task: Tied, learning_rate: float, n_steps: int, n_replicates: int, seed: int, batch_size: int = 2_000
) -> FloatArray:
    """Train and return the exact mean reward over the last half of the updates, (n_replicates,)."""
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    at = np.log(task.start) + np.log([1.0, task.after_right, task.after_wrong])
    logits = np.tile(at, (n_replicates, 1))
    total = np.zeros(n_replicates)
    for step in range(n_steps):
        push, reward = _push(logits, task, generator, batch_size)
        logits += learning_rate * (push.sum(axis=1, keepdims=True) if task.shared else push)
        if step >= n_steps - n_steps // 2:
            total += reward
    return total / (n_steps // 2)


def _push(
    logits: FloatArray, task: Tied, generator: np.random.Generator, batch_size: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mean gradient of a batch on the three logits, (R, 3), and the exact mean reward, (R,)."""
    chances = np.stack([np.repeat(logits[:, :1], 4, axis=1), logits[:, _SECOND]], axis=2)
    p = expit(chances)  # (R, 4, 2): of the right word
    surprisal = -np.log(np.where(_RIGHT == 1, p, expit(-chances))).sum(axis=2)
    mass = np.exp(-surprisal)
    counts = generator.multinomial(batch_size, mass / mass.sum(axis=1, keepdims=True))
    reward = (mass * _RIGHT.mean(axis=1)).sum(axis=1)
    advantage = _RIGHT.mean(axis=1) - reward[:, None]
    rule: Callable[..., FloatArray] = RULES[task.rule]
    kept = _kept(rule(advantage, surprisal, np.ones_like(advantage)), counts, task.rate * batch_size)
    each = (kept * advantage)[..., None] * (_RIGHT - p) / batch_size
    second = [each[:, prefix == _SECOND, 1].sum(axis=1) for prefix in (1, 2)]
    return np.stack([each[..., 0].sum(axis=1), *second], axis=1), reward


def _kept(score: FloatArray, counts: NDArray[np.int64], wanted: float) -> FloatArray:
    """Return how many of each answer are kept, (R, 4), ties in proportion."""
    gap = score[:, None, :] - score[:, :, None]  # of another answer over this one
    tie = _TIE * np.abs(score).max(axis=1)[:, None, None]
    above = ((gap > tie) * counts[:, None, :]).sum(axis=2)
    tied = ((np.abs(gap) <= tie) * counts[:, None, :]).sum(axis=2)
    return counts * np.clip((wanted - above) / np.maximum(tied, 1), 0.0, 1.0)
