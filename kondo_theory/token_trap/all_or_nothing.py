"""Tokens of answers that are paid only if they are wholly right: a gate on them has no trap.

A paid answer has no wrong token, so that no wrong token has positive delight, however rare it is. With one right
answer the drift of every right logit is positive under any gate that keeps no less of a larger delight. With several
right answers it is not: what is right in one of them may be the worse choice.

Source: this project, derivation ``all-or-nothing``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.token_trap.autoregressive_rows import answer_law
from kondo_theory.token_trap.rows import (
    Atoms,
    binomial_masses,
    in_chunks,
    kept_shares,
    require_sizes,
    surprisals,
    top_drift,
)

__all__ = ["all_or_nothing_drift", "expected_update"]


@elementwise("n_tokens", "vocab_size", "rate", "group_size", along="p")
def all_or_nothing_drift(
    p: ArrayLike, n_tokens: int, vocab_size: int, rate: float, group_size: int | None = None
) -> FloatArray:
    """Return the drift of the right token's logit, per token and unit learning rate, where whole answers are paid.

    It is E[kept·A·(1 − p)·1{right}] − E[kept·A·p·1{wrong}] for B → ∞ and the top ρ of the tokens by delight, as
    :func:`kondo_theory.token_trap.drift` is; but the reward is 1 if all T tokens are right, and 0 if one is not.

    Parameters
    ----------
    p : (...) array
        Probability that a token is right, in (0, 1), the same at every position; the wrong mass is spread evenly.
    n_tokens, vocab_size : (...) array
        T ≥ 1 and M ≥ 2.
    rate : (...) array
        ρ in (0, 1].
    group_size : (...) array, optional
        S ≥ 2: the baseline is the mean reward of a prompt's S answers. By default the exact mean, pᵀ.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    probability = _domain.interval("p", p, 0, 1, "()")
    T, M = require_sizes(n_tokens, vocab_size)
    rho = _domain.number("rate", rate, 0, 1, "(]")
    S = None if group_size is None else _domain.integer("group_size", group_size, 2)

    def chunk(some: FloatArray) -> FloatArray:
        return top_drift(_atoms(some, T, M, S), rho)

    return in_chunks(chunk, probability.ravel(), 3 * (S or 1)).reshape(probability.shape)[()]


def expected_update(policies: Sequence[ArrayLike], rate: float, paid: ArrayLike | None = None) -> list[FloatArray]:
    """Return the expected update of every logit from the top ρ of an autoregressive policy's tokens by delight.

    Its logits are those of each beginning of an answer, the baseline is the exact mean, batches are infinite.

    Parameters
    ----------
    policies : sequence of T arrays, of shapes (M,), (M, M), (M, M, M), …
        As in :func:`kondo_theory.token_trap.autoregressive_rows.answer_law`.
    rate : float
        ρ in (0, 1], a share of all tokens; those that tie at the price are kept in proportion. At 1 it is ∇J, with J
        the mean reward.
    paid : (M, …, M) boolean array, optional
        Which answers have the reward 1, one axis a token. By default the one of words 0 alone.

    Returns
    -------
    list of T arrays, of the shapes of ``policies``
        E[Σ kept·A·(1{word} − π)] at each beginning, per answer.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain, or there are more than 100,000 answers.
    """
    law, rho = answer_law(policies), _domain.number("rate", rate, 0, 1, "(]")
    tables = [np.asarray(each, dtype=np.float64) for each in policies]
    T, shape = len(tables), tables[-1].shape
    reward = np.zeros(shape) if paid is None else _paid(paid, shape).astype(np.float64)
    if paid is None:
        reward[(0,) * T] = 1.0
    advantage = reward.ravel() - law.mass @ reward.ravel()
    words = law.words.T
    chance = np.stack([table[tuple(words[: t + 1])] for t, table in enumerate(tables)])  # (T, n) of each token
    with np.errstate(divide="ignore"):
        surprisal = -np.log(chance)
    with np.errstate(invalid="ignore"):  # a word that never comes
        score = np.where(law.mass > 0, advantage * surprisal, -np.inf).reshape(1, -1)
    atoms = Atoms(np.tile(law.mass / T, T)[None], score, np.zeros_like(score))
    push = law.mass * kept_shares(atoms, rho).reshape(T, -1) * advantage
    return [_update(words[: t + 1], push[t], table) for t, table in enumerate(tables)]


def _update(words: NDArray[np.int64], push: FloatArray, table: FloatArray) -> FloatArray:
    """Return the pushes (n,) on the words of one token, and on all words of its beginning by −π."""
    total = np.zeros_like(table)
    np.add.at(total, tuple(words), push)
    return np.asarray(total - table * total.sum(axis=-1, keepdims=True))


def _atoms(p: FloatArray, T: int, M: int, S: int | None) -> Atoms:
    """Return tokens by kind, of paid answers, then right and wrong ones of others, by the group's counts."""
    paid = p**T
    if S is None:
        counts, mass, own = np.zeros(1), np.ones((len(p), 1)), np.zeros(1)
        mean = paid[:, None]
    else:
        counts, mass = binomial_masses(S - 1, paid)
        own, mean = np.ones(1) / S, counts[None, :] / S
    right, wrong = (level[:, None] for level in surprisals(p, M))
    above, below = 1 - mean - own, -mean
    column, share = p[:, None], paid[:, None]
    return Atoms(
        np.concatenate([share * mass, (column - share) * mass, (1 - column) * mass], axis=1),
        np.concatenate([above * right, below * right, below * wrong], axis=1),
        np.concatenate([above * (1 - column), below * (1 - column), -below * column], axis=1),
    )


def _paid(paid: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    found = np.asarray(paid)
    if found.dtype != np.bool_ or found.shape != shape:
        raise ValueError(f"paid must be booleans of shape {shape}, got {found.dtype} of shape {found.shape}")
    return found
