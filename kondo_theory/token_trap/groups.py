"""Tokens whose baseline is the mean reward of a group of S answers, instead of the exact mean.

A token's advantage is (1 − 1/S)·(own reward − mean reward of the other S − 1 answers). With few answers the trap
changes: ranked by delight, row gates, which cannot stall on the exact baseline, can stall near p = 1. Source: this
project.

Sums over both rewards are exact up to 200,000 outcomes a token. Beyond, outcomes of probability below e^{−30} of the
rate are left out, and the mean of the other answers takes at most 512 values: each that of a stretch of its lattice,
with the stretch's probability and mean. In the tests this changes no drift by more than 1e−3 of PG's p(1 − p)/T.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, score_function
from kondo_theory.token_trap.rows import (
    Atoms,
    binomial_masses,
    in_chunks,
    policy_entropy,
    require_sizes,
    surprisals,
    top_drift,
)
from kondo_theory.token_trap.searching import Search, require_start

__all__ = ["group_drift", "group_stall_point"]

_EXACT_ATOMS = 200_000
_ALONE = 1_000_000  # outcomes that stand for a chunk of their own
_OTHERS = 512  # values of the other answers' mean, where it is not exact
_LEFT_OUT = 30.0  # −log of the probability, relative to the rate, of what is left out there
_MAX_TOKENS = 1_000_000
_ROUNDING = 1e-12  # drifts are sums of terms of order one; as p → 1 they vanish
_LAST = 1 - 1e-3  # of the search


@elementwise("n_tokens", "vocab_size", "rate", "group_size", along="p")
def group_drift(
    p: ArrayLike,
    n_tokens: int,
    vocab_size: int,
    rate: float,
    group_size: int,
    gate: str = "token",
    rule: str | Rule = "delight",
) -> FloatArray:
    """Return the drift with the mean of S answers as the baseline; see :func:`kondo_theory.token_trap.drift`.

    Parameters
    ----------
    p : (...) array
        Probability that a token is right, in (0, 1).
    n_tokens, vocab_size : (...) array
        T from 1 to a million, and M ≥ 2.
    rate : (...) array
        ρ in (0, 1], over all tokens or rows of infinitely many groups.
    group_size : (...) array
        S ≥ 2.
    gate : {"token", "row"}
        Whether the top ρ of the tokens is kept, or that of the rows; a row has its tokens' summed surprisal and
        entropy.
    rule : str or callable
        What ranks them: a name in :data:`kondo_theory.screening.RULES`, or a function like them.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain.
    """
    probability = _domain.interval("p", p, 0, 1, "()")
    T, M = require_sizes(n_tokens, vocab_size)
    if T > _MAX_TOKENS:
        raise ValueError(f"n_tokens must be at most {_MAX_TOKENS:,} with a group's mean, got {T:,}")
    rho = float(_domain.interval("rate", rate, 0, 1, "(]"))
    S = _domain.integer("group_size", group_size, 2)
    atoms = _token_atoms if _domain.choice("gate", gate, ("token", "row")) == "token" else _row_atoms
    score_of = score_function(rule, of_groups=False)
    found = in_chunks(lambda q: top_drift(atoms(q, T, M, S, rho, score_of), rho), probability.ravel(), _width(T, S))
    return found.reshape(probability.shape)[()]


@elementwise("rate", "vocab_size", "n_tokens", "group_size", "start")
def group_stall_point(
    rate: float,
    vocab_size: int,
    n_tokens: int,
    group_size: int,
    gate: str = "token",
    rule: str | Rule = "delight",
    start: float | None = None,
) -> float | None:
    """Return the first stable zero of :func:`group_drift` that training meets; None (in an array nan) without.

    As :func:`kondo_theory.token_trap.drifts.stall_point`, to which it tends as S → ∞, but on a grid of 500 points and
    as many in log-odds, of 120 each where the sums are not exact: a dip below zero that is narrower is missed, and so
    is one above p = 0.999. A rule that falls at once stalls at the start.

    Parameters
    ----------
    rate, vocab_size, n_tokens, group_size, gate, rule
        As in :func:`group_drift`.
    start : (...) array, optional
        Where training starts, a probability in [1/M, 1), by default 1/M.
    """

    def speed(p: FloatArray) -> FloatArray:
        drifts = group_drift(p, n_tokens, vocab_size, rate, group_size, gate, rule)
        return np.where(np.abs(drifts) <= _ROUNDING, 0.0, drifts)

    T, M = require_sizes(n_tokens, vocab_size)
    low = require_start(start, M)
    if low >= _LAST:
        return None
    exact = _is_exact(T, group_size)
    search = Search(chunk=8, growth=2 if exact else 1, sections=2, resolution=1e-12)
    n_points = 501 if exact else 121
    if start is not None and speed(np.array([low]))[0] < 0:
        return search.stall_below(speed, _grid(1 / M, low, n_points), low)
    return search.first_fall(speed, _grid(low, _LAST, n_points))


def _grid(low: float, high: float, n_points: int) -> FloatArray:
    return np.union1d(expit(np.linspace(logit(low), logit(high), n_points))[1:-1], np.linspace(low, high, n_points))


def _n_atoms(T: int, S: int) -> int:
    return 2 * T * ((S - 1) * T + 1)


def _is_exact(T: int, S: int) -> bool:
    return _n_atoms(T, S) <= _EXACT_ATOMS


def _width(T: int, S: int) -> int:
    """Return how many outcomes one probability has; where they are not exact, so many that each stands alone."""
    return _n_atoms(T, S) if _is_exact(T, S) else _ALONE


def _others(p: FloatArray, T: int, S: int, rate: float, most: int) -> tuple[FloatArray, FloatArray]:
    """Return at most so many values of the other answers' mean reward, (m,), and their probabilities, (P, m)."""
    n = (S - 1) * T
    if n + 1 <= most:
        counts, mass = binomial_masses(n, p)
        return counts / n, mass
    counts, mass = binomial_masses(n, p, _LEFT_OUT - np.log(rate))
    starts = np.unique(np.linspace(0, counts.size, most + 1).astype(int)[:-1])
    stretches = np.add.reduceat(mass[0], starts)
    means = np.add.reduceat(mass[0] * counts, starts) / np.where(stretches > 0, stretches, 1.0)
    return means / n, stretches[None]


def _outcomes(
    n: int, p: FloatArray, T: int, S: int, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return counts of right tokens among n, (c,), their probabilities, (P, c), others' means, (m,), and theirs."""
    exact = _is_exact(T, S)
    counts, mass = binomial_masses(n, p, np.inf if exact else _LEFT_OUT - np.log(rate))
    others, other_mass = _others(p, T, S, rate, (S - 1) * T + 1 if exact else _OTHERS)
    return counts, mass, others, other_mass


def _together(mass: FloatArray, other_mass: FloatArray) -> FloatArray:
    """Return the probabilities of pairs, (P, c·m)."""
    return np.asarray((mass[:, :, None] * other_mass[:, None, :]).reshape(len(mass), -1))


def _row_atoms(p: FloatArray, T: int, M: int, S: int, rate: float, score_of: Rule) -> Atoms:
    counts, mass, others, other_mass = _outcomes(T, p, T, S, rate)
    counts = np.repeat(counts, others.size)
    shape, column = (p.size, counts.size), p[:, None]
    advantage = np.broadcast_to((1 - 1 / S) * (counts / T - np.tile(others, counts.size // others.size)), shape)
    right, wrong = (level[:, None] for level in surprisals(p, M))
    entropy = np.broadcast_to(T * policy_entropy(p, M)[:, None], shape)
    score = score_of(advantage, counts * right + (T - counts) * wrong, entropy)
    return Atoms(_together(mass, other_mass), score, advantage * (counts / T - column))


def _token_atoms(p: FloatArray, T: int, M: int, S: int, rate: float, score_of: Rule) -> Atoms:
    counts, mass, others, other_mass = _outcomes(T - 1, p, T, S, rate)
    counts, others = np.repeat(counts, others.size), np.tile(others, counts.size)
    shape, column, pairs = (p.size, counts.size), p[:, None], _together(mass, other_mass)
    entropy = np.broadcast_to(policy_entropy(p, M)[:, None], shape)
    parts = []
    for hit, level in zip((1, 0), surprisals(p, M), strict=True):
        advantage = np.broadcast_to((1 - 1 / S) * ((counts + hit) / T - others), shape)
        score = score_of(advantage, np.broadcast_to(level[:, None], shape), entropy)
        parts.append((pairs * (column if hit else 1 - column), score, advantage * ((1 - column) if hit else -column)))
    return Atoms(*(np.concatenate(parts_of, axis=1) for parts_of in zip(*parts, strict=True)))
