"""What a gate keeps that keeps whatever ties with the k-th score, where tokens share their answer's advantage.

A rule of the advantage alone ties the tokens of an answer, and the answers that are as far from the mean of their
prompt's. Such a gate keeps an answer whole if and only if fewer than m = ⌈k/T⌉ answers of the batch score above it.
The laws of how many do are exact sums over the points of a group's answers: whole numbers, so that no tie is lost to
rounding.

Source: this project, derivation ``screening-ties``. The gate is that of the code of [KG], which keeps all tokens
within 1e-6 of the k-th score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.gate import kept_count
from kondo_theory.token_trap.rows import binomial_masses
from kondo_theory.words import one_line

__all__ = ["TIED_RULES", "KeptShare", "kept_with_ties", "late_loss", "share_with_ties"]

TIED_RULES: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = MappingProxyType(
    {
        "advantage": lambda distance: distance,
        "abs-advantage": np.abs,
        "uniform": np.zeros_like,
    }
)
"""Rule → score of an answer, from n times its points less the sum of those of its prompt's n answers."""


@dataclass(frozen=True, repr=False)
class KeptShare:
    """Expected shares of the batch's answers.

    Attributes
    ----------
    kept : float
        What is kept.
    moving : float
        What is kept and has an advantage: the gradient of the rest is zero.
    """

    kept: float
    moving: float

    def __repr__(self) -> str:
        return one_line(self, kept=self.kept, moving=self.moving)


def share_with_ties(
    p: float, n_tokens: int, n_prompts: int, n_answers: int, rate: float, rule: str = "advantage"
) -> KeptShare:
    """Return what is kept of independent tokens that are all right with probability p; scalars only.

    Parameters
    ----------
    p : float
        In (0, 1).
    n_tokens : int
        T, at least 1.
    n_prompts, n_answers : int
        Prompts of a batch, at least 1, and answers to each, at least 2; the baseline is their mean.
    rate : float
        ρ in (0, 1]: k is :func:`kondo_theory.gate.kept_count` of it and all tokens.
    rule : str
        One of ``TIED_RULES``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    T, P, n = (
        _domain.integer("n_tokens", n_tokens, 1),
        _domain.integer("n_prompts", n_prompts, 1),
        _domain.integer("n_answers", n_answers, 2),
    )
    _, mass = binomial_masses(T, np.array([_domain.number("p", p, 0, 1, "()")]))
    k = kept_count(_domain.number("rate", rate, 0, 1, "(]"), P * n * T)
    return kept_with_ties(mass[0], P, n, -(-k // T), rule)


def kept_with_ties(points: ArrayLike, n_prompts: int, n_answers: int, m: int, rule: str = "advantage") -> KeptShare:
    """Return what is kept where the answers are independent draws of one law of their points.

    Parameters
    ----------
    points : (T + 1,) array
        Probabilities of 0 to T points.
    n_prompts, n_answers : int
        As in :func:`share_with_ties`.
    m : int
        Place, from 1, of the answer that holds the k-th score.
    rule : str
        One of ``TIED_RULES``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    law = _domain.distribution("points", points)
    if law.ndim != 1:
        raise ValueError(f"points must be one distribution, (T + 1,), got shape {law.shape}")
    P, n = _domain.integer("n_prompts", n_prompts, 1), _domain.integer("n_answers", n_answers, 2)
    place = _place(m, P * n)
    score_of = TIED_RULES[_domain.choice("rule", rule, TIED_RULES)]
    T = law.size - 1
    distance = n * np.arange(T + 1) - np.arange(n * T + 1)[:, None]  # (nT + 1, T + 1), by the points of the group
    score = score_of(distance)
    tables: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    kept = moving = 0.0
    for level in np.unique(score):
        above = [each.tobytes() for each in score > level]  # which points are, by the points of the group
        for which in set(above) - tables.keys():
            tables[which] = _tables(law, np.frombuffer(which, dtype=np.bool_), n, place)
        group = np.sum([tables[which][0][at] for at, which in enumerate(above)], axis=0)
        mine = [
            (law[x] * tables[above[at]][1][at - x], bool(distance[at, x] != 0))
            for at, x in zip(*np.nonzero(score == level), strict=True)
            if x <= at <= x + (n - 1) * T
        ]
        below = np.cumsum(_power(group, P - 1, place))[::-1]  # fewer than m − x above among the other groups
        for others, moves in mine:
            chance = float(others @ below)
            kept, moving = kept + chance, moving + chance * moves
    return KeptShare(kept, moving)


def late_loss(n_tokens: int, n_prompts: int, n_answers: int, m: int, rule: str) -> float:
    """Return the slope, in 1 − p at p = 1, of the share that is not kept; scalars only.

    It is that of batches with one wrong token.

    Parameters
    ----------
    n_tokens, n_prompts, n_answers, rule
        As in :func:`share_with_ties`.
    m : int
        As in :func:`kept_with_ties`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    T, P, n = (
        _domain.integer("n_tokens", n_tokens, 1),
        _domain.integer("n_prompts", n_prompts, 1),
        _domain.integer("n_answers", n_answers, 2),
    )
    N = P * n
    place = _place(m, N)
    farthest = 1 if n > 2 else 2  # of two answers both are as far from their mean
    at_the_top = {"advantage": (n - 1, N - 1), "abs-advantage": (farthest, n), "uniform": (N, N)}  # its group first
    levels = (*at_the_top[_domain.choice("rule", rule, TIED_RULES)], N)
    return float(T * (N - next(size for size in levels if size >= place)))


def _place(m: int, most: int) -> int:
    place = _domain.integer("m", m, 1)
    if place > most:
        raise ValueError(f"m must be at most the {most} answers, got {place}")
    return place


def _tables(law: FloatArray, above: NDArray[np.bool_], n: int, m: int) -> tuple[FloatArray, FloatArray]:
    """Return the joint laws of the points of n and n − 1 answers and how many are above, (nT + 1, m).

    Those with m or more above are left out.
    """
    T = law.size - 1
    found = np.zeros((n * T + 1, m))
    found[0, 0] = 1.0
    fewer = found
    for _ in range(n):
        fewer, found = found, np.zeros_like(found)
        for points, mass in enumerate(law):
            moved = fewer[: found.shape[0] - points]
            if above[points]:
                found[points:, 1:] += mass * moved[:, :-1]
            else:
                found[points:] += mass * moved
    return found, fewer


def _power(law: FloatArray, times: int, m: int) -> FloatArray:
    """Return the law of the sum of so many draws, its first m values."""
    found: FloatArray = np.eye(1, m)[0]
    for _ in range(times):
        found = np.convolve(found, law)[:m]
    return found
