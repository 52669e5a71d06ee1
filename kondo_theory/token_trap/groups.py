"""Tokens whose baseline is the mean reward of a group of S answers, instead of the exact mean.

A token's advantage is (1 − 1/S)·(own reward − mean reward of the other S − 1 answers). With few answers the trap
changes: ranked by delight, row gates, which cannot stall on the exact baseline, can stall near p = 1. Source: this
project.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, score_function
from kondo_theory.token_trap.rows import Atoms, binomial_masses, policy_entropy, require_sizes, surprisals, top_drift

__all__ = ["group_drift", "group_stall_point"]

_MAX_ATOMS = 20_000_000
_ROUNDING = 1e-12  # drifts are sums of terms of order one; as p → 1 they vanish


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
        T ≥ 1 and M ≥ 2.
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
        If an argument is out of its domain, or T²·S is too large to enumerate.
    """
    probability = _domain.interval("p", p, 0, 1, "()")
    T, M = require_sizes(n_tokens, vocab_size)
    rho = float(_domain.interval("rate", rate, 0, 1, "(]"))
    S = int(_domain.require("group_size", _domain.real("group_size", group_size), group_size >= 2, "at least 2"))
    atoms = _token_atoms if _domain.choice("gate", gate, ("token", "row")) == "token" else _row_atoms
    score_of = score_function(rule)
    if 2 * T * (S * T + 1) > _MAX_ATOMS:
        raise ValueError(f"n_tokens² · group_size must be at most {_MAX_ATOMS // 2}, got {T * T * S}")
    found = [top_drift(atoms(q, T, M, S, score_of), rho)[0] for q in probability.ravel()]
    return np.array(found).reshape(probability.shape)[()]


@elementwise("rate", "vocab_size", "n_tokens", "group_size")
def group_stall_point(
    rate: float,
    vocab_size: int,
    n_tokens: int,
    group_size: int,
    gate: str = "token",
    rule: str | Rule = "delight",
) -> float | None:
    """Return the first fall of :func:`group_drift` through zero from the uniform policy p = 1/M up; None without one.

    In an array None is nan.

    As :func:`kondo_theory.token_trap.drifts.stall_point`, to which it tends as S → ∞, but on a grid of 500 points: a
    dip below zero that is narrower is missed, and so is one above p = 0.999. A rule that falls at once stalls at 1/M.

    Parameters
    ----------
    rate, vocab_size, n_tokens, group_size, gate, rule
        As in :func:`group_drift`.
    """
    low, high = 1 / vocab_size, 1 - 1e-3
    for n_points in (500, 25, 25):
        p = np.linspace(low, high, n_points + 1)
        for start in range(1, p.size, 25):  # the first fall is often early: stop there
            part = p[start : start + 25]
            drifts = group_drift(part, n_tokens, vocab_size, rate, group_size, gate, rule)
            falls = np.flatnonzero(drifts < -_ROUNDING)
            if falls.size:
                low, high = float(p[start + falls[0] - 1]), float(p[start + falls[0]])
                break
        else:
            return None
    return (low + high) / 2


def _others(p: float, T: int, S: int) -> tuple[FloatArray, FloatArray]:
    """Return the mean reward of the other answers, and its probabilities."""
    counts, mass = binomial_masses((S - 1) * T, np.array([p]))
    return counts / ((S - 1) * T), mass[0]


def _row_atoms(p: float, T: int, M: int, S: int, score_of: Rule) -> Atoms:
    others, other_mass = _others(p, T, S)
    counts, mass = binomial_masses(T, np.array([p]))
    advantage = (1 - 1 / S) * (counts[:, None] / T - others)
    right, wrong = (float(level[0]) for level in surprisals(np.array([p]), M))
    surprisal = np.broadcast_to((counts * right + (T - counts) * wrong)[:, None], advantage.shape)
    score = score_of(advantage, surprisal, np.full_like(advantage, T * policy_entropy(np.array([p]), M)[0]))
    pull = advantage * (counts / T - p)[:, None]
    return Atoms(*(part.reshape(1, -1) for part in (mass[0][:, None] * other_mass, score, pull)))


def _token_atoms(p: float, T: int, M: int, S: int, score_of: Rule) -> Atoms:
    others, other_mass = _others(p, T, S)
    counts, mass = binomial_masses(T - 1, np.array([p]))
    entropy = policy_entropy(np.array([p]), M)[0]
    parts = []
    for hit, level in zip((1, 0), surprisals(np.array([p]), M), strict=True):
        advantage = (1 - 1 / S) * ((counts + hit)[:, None] / T - others)
        weight = mass[0][:, None] * other_mass * (p if hit else 1 - p)
        score = score_of(advantage, np.full_like(advantage, level[0]), np.full_like(advantage, entropy))
        parts.append((weight, score, advantage * ((1 - p) if hit else -p)))
    return Atoms(
        *(np.concatenate([part.ravel() for part in parts_of])[None] for parts_of in zip(*parts, strict=True))
    )
