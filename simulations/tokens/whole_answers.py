"""Answers that are paid only if they are wholly right, their tokens gated by delight: updates, and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.advantage import group_advantage
from kondo_theory.token_trap.autoregressive_rows import answer_law
from simulations.tokens.dependent import draw_answers, keep_top_answers

__all__ = ["Pay", "chance_at_the_end", "updates"]

FloatArray = NDArray[np.float64]
Pay = Callable[[NDArray[np.int64]], FloatArray]
"""The rewards (...,) of answers (..., T) of word numbers."""


def updates(
    policies: Sequence[FloatArray],
    pay: Pay,
    rate: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
    group_size: int | None = None,
) -> list[FloatArray]:
    """Return the update of every logit from the top ρ of each batch's tokens by delight, per answer.

    Parameters
    ----------
    policies : sequence of T arrays, of shapes (M,), (M, M), (M, M, M), …
        As :func:`kondo_theory.token_trap.autoregressive_rows.answer_law` takes them.
    pay : Pay
    rate : float
    shape : (int, int)
        R batches of B answers.
    rng : numpy.random.Generator
    group_size : int, optional
        S, a divisor of B: the baseline is the mean of S answers. By default it is the exact mean.

    Returns
    -------
    list of T arrays, (R, …), beyond it of the shapes of ``policies``
    """
    words = draw_answers(policies, shape, rng).words
    reward = pay(words)
    if group_size is None:
        law = answer_law(policies)
        advantage = reward - law.mass @ pay(law.words)
    else:
        advantage, _ = group_advantage(reward, group_size)
    told = [words[..., : t + 1] for t in range(len(policies))]
    chance = np.stack(
        [table[tuple(np.moveaxis(some, -1, 0))] for table, some in zip(policies, told, strict=True)], -1
    )
    score = advantage[..., None] * -np.log(chance)
    push = keep_top_answers(score.reshape(len(words), -1), rate).reshape(score.shape) * advantage[..., None]
    found = []
    for t, table in enumerate(policies):
        total = np.zeros((shape[0], *table.shape))
        batch = np.broadcast_to(np.arange(shape[0])[:, None], shape)
        np.add.at(total, (batch, *np.moveaxis(told[t], -1, 0)), push[..., t] / shape[1])
        found.append(total - table * total.sum(axis=-1, keepdims=True))
    return found


def chance_at_the_end(
    n_tokens: int,
    vocab_size: int,
    rate: float,
    learning_rate: float,
    n_steps: int,
    shape: tuple[int, int],
    rng: np.random.Generator,
    partial: bool = False,
) -> FloatArray:
    """Train independent tokens from the uniform policy; return the chance of the wholly right answer, (R,).

    R runs, each step a batch of B answers and the exact mean as baseline. With ``partial`` the reward is the share of
    right tokens: the token trap.
    """
    z = np.full((shape[0], n_tokens), float(logit(1 / vocab_size)))
    for _ in range(n_steps):
        p = expit(z)[:, None]
        right = rng.random((*shape, n_tokens)) < p
        mean = p.mean(axis=2) if partial else p.prod(axis=2)
        advantage = (right.mean(axis=2) if partial else right.all(axis=2)) - mean
        surprisal = np.where(right, -np.log(p), np.log(vocab_size - 1) - np.log1p(-p))
        score = (advantage[..., None] * surprisal).reshape(shape[0], -1)
        push = keep_top_answers(score, rate).reshape(right.shape) * advantage[..., None] * (right - p)
        z += learning_rate * push.mean(axis=1)
    return np.asarray(expit(z).prod(axis=1))
