"""Answers whose tokens depend on each other, kept or dropped whole: all answers of a policy, and a stall.

The identity and both sides of its condition are in :mod:`~kondo_theory.token_trap.row_balance`; here they are taken
over all answers of a policy (:func:`enumerated_balance`). With a set of logits for each prefix no gate on answers has
a stationary point inside, whatever the sign of the sum. Where the right tokens share one logit the sum is its drift
(:func:`tied_drift`), and a gate by delight can stall.

Source: this project, derivation ``autoregressive-rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, kept_at_rate, score_function
from kondo_theory.token_trap.row_balance import RowBalance, row_balance
from kondo_theory.token_trap.rows import TIE
from kondo_theory.words import one_line

__all__ = [
    "AnswerLaw",
    "answer_law",
    "enumerated_balance",
    "tied_drift",
    "tied_stall_point",
    "tied_tokens",
]

_MOST = 100_000  # answers, or groups of answers, that are enumerated
_LOGIT_STEP = 1e-9  # to either side of the place where two answers change places


@dataclass(frozen=True, repr=False)
class AnswerLaw:
    """All n = Mᵀ answers of a policy. Word 0 is right.

    Attributes
    ----------
    words : (n, T) integer array
    mass : (n,) array
        Probability of each answer.
    right_probability : (n, T) array
        p_t, given the answer's own prefix.
    """

    words: NDArray[np.int64]
    mass: FloatArray
    right_probability: FloatArray

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each token is right, (n, T)."""
        return np.asarray(self.words == 0)

    @property
    def surprisal(self) -> FloatArray:
        """Surprisal of each answer, (n,), nats; of an answer that never comes infinite."""
        with np.errstate(divide="ignore"):
            return -np.log(self.mass)

    def __repr__(self) -> str:
        return one_line(self, answers=self.mass.size, tokens=self.words.shape[1])


def answer_law(policies: Sequence[ArrayLike]) -> AnswerLaw:
    """Return all answers of an autoregressive policy, with their probabilities.

    Parameters
    ----------
    policies : sequence of T arrays, of shapes (M,), (M, M), (M, M, M), …
        The probabilities of the M words at token t, on the last axis, given the words before it. Word 0 is right.

    Raises
    ------
    ValueError, TypeError
        If a shape does not fit, there are more than 100,000 answers, or an array is no distribution.
    """
    if not len(policies):
        raise ValueError("policies must have a token, got none")
    tables = [_domain.distribution("policies", each) for each in policies]
    M, T = tables[0].shape[-1], len(tables)
    if M**T > _MOST:
        raise ValueError(f"policies must have at most {_MOST:,} answers, got {M}^{T}")
    for t, table in enumerate(tables):
        if table.shape != (M,) * (t + 1):
            raise ValueError(f"policies at token {t} must have shape {(M,) * (t + 1)}, got {table.shape}")
    words = np.array(list(product(range(M), repeat=T)))
    chance = np.stack([table[tuple(words[:, : t + 1].T)] for t, table in enumerate(tables)], axis=1)
    right = np.stack([table[(*words[:, :t].T, 0)] * np.ones(len(words)) for t, table in enumerate(tables)], axis=1)
    return AnswerLaw(words, chance.prod(axis=1), right)


def enumerated_balance(
    policies: Sequence[ArrayLike], rate: float, rule: str | Rule = "delight", group_size: int | None = None
) -> RowBalance:
    """Return the balance of the top rate of all answers, by enumeration: infinite batches.

    Parameters
    ----------
    policies : sequence of T arrays, of shapes (M,), (M, M), (M, M, M), …
        As in :func:`answer_law`.
    rate : float
        ρ in (0, 1]; answers that tie at the price are kept in proportion.
    rule : str or callable
        What ranks the answers: a name in :data:`kondo_theory.screening.RULES`, or a function like them, of the
        advantage, the answer's surprisal and the policy's mean surprisal.
    group_size : int, optional
        S ≥ 2: the baseline is the mean reward of S answers, the answer's own among them. By default the exact mean.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain, or there are more than 100,000 answers, or groups of them.
    """
    law = answer_law(policies)
    n, reward = law.mass.size, law.right.mean(axis=1)
    if group_size is None:
        own, mass, mean = np.arange(n), law.mass, np.full(n, law.mass @ reward)
    else:
        S = _domain.integer("group_size", group_size, 2)
        if n**S > _MOST:
            raise ValueError(f"group_size must leave at most {_MOST:,} groups, got {n}^{S}")
        members = np.indices((n,) * S).reshape(S, -1)
        own, mass, mean = members[0], law.mass[members].prod(axis=0), reward[members].mean(axis=0)
    advantage, surprisal = reward[own] - mean, law.surprisal[own]
    entropy = np.full(own.size, law.mass @ np.where(law.mass > 0, law.surprisal, 0.0))
    score = _tied_alike(
        np.asarray(score_function(rule, of_groups=False)(advantage, surprisal, entropy), dtype=np.float64)
    )
    keep = kept_at_rate(mass, score, _domain.scalar("rate", rate))
    return row_balance(law.right[own], law.right_probability[own], advantage, keep, mass=mass)


def _tied_alike(score: FloatArray) -> FloatArray:
    """Return scores in whose place rounding parts no ties: the same order, minus infinity as it is."""
    finite = np.isfinite(score)
    order = np.argsort(score[finite])
    ranked = score[finite][order]
    steps = np.diff(ranked, prepend=ranked[:1]) > TIE * np.abs(ranked).max(initial=0.0)
    levels = np.empty(ranked.size)
    levels[order] = np.cumsum(steps)
    found = score.copy()
    found[finite] = levels
    return found


@elementwise("odds", "after_right", "after_wrong", "rate")
def tied_drift(
    odds: float, after_right: float, after_wrong: float, rate: float, rule: str | Rule = "delight"
) -> float:
    """Return the drift of the one logit that both tokens of an answer share, T = M = 2, the top rate of answers kept.

    The first token is right with the odds o, the second with o·u after a right one and o·v after a wrong one. The
    baseline is the exact mean; answers that tie at the price are kept in proportion. The drift is
    E[G·A·(N − C)]: where it falls through zero training stays.

    Parameters
    ----------
    odds, after_right, after_wrong : (...) array
        o, u and v, above 0.
    rate : (...) array
        ρ in (0, 1].
    rule : str or callable
        What ranks the answers: a name in :data:`kondo_theory.screening.RULES`, or a function like them.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    return enumerated_balance(tied_tokens(odds, after_right, after_wrong), rate, rule).drift


@elementwise("after_right", "after_wrong", "rate")
def tied_stall_point(after_right: float, after_wrong: float, rate: float) -> float | None:
    """Return the mean reward at which :func:`tied_drift` by delight falls through zero by a jump; None (nan) without.

    The answers with one right token change places in delight at the odds (1 − 1/v)/(1 − u), where they are equally
    likely. Below, the one that begins right is kept first, above, the other, whose prefix promised more. It is a
    stall where the drift is positive below and negative above.

    Parameters
    ----------
    after_right, after_wrong : (...) array
        u and v, above 0. There is such a place for u < 1 < v and for v < 1 < u.
    rate : (...) array
        ρ in (0, 1].
    """
    u, v = (_domain.number(name, x, 0, np.inf, "()") for name, x in _named(after_right, after_wrong))
    if u == 1 or (odds := (1 - 1 / v) / (1 - u)) <= 0:
        _domain.number("rate", rate, 0, 1, "(]")
        return None
    below, above = (tied_drift(odds * np.exp(step), u, v, rate) for step in (-_LOGIT_STEP, _LOGIT_STEP))
    return odds / (1 + odds) if below > 0 > above else None


def _named(after_right: float, after_wrong: float) -> tuple[tuple[str, float], tuple[str, float]]:
    return ("after_right", after_right), ("after_wrong", after_wrong)


def tied_tokens(odds: float, after_right: float, after_wrong: float) -> tuple[FloatArray, FloatArray]:
    """Return the policy of :func:`tied_drift`, (2,) and (2, 2); scalars only."""
    o = _domain.number("odds", odds, 0, np.inf, "()")
    u, v = (_domain.number(name, x, 0, np.inf, "()") for name, x in _named(after_right, after_wrong))
    first, second = np.array([o, 1.0]), np.array([[o * u, 1.0], [o * v, 1.0]])
    return first / first.sum(), second / second.sum(axis=1, keepdims=True)
