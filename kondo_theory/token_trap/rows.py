"""Mean field of tokens that share one advantage: exact drift of the right token's logit under any gate.

A row (an answer) has T tokens from a vocabulary of M. They are independent, each is right with probability p, and the
wrong mass is spread evenly over the M − 1 wrong tokens. The reward is the share of right tokens, the baseline its
mean, so every token of a row carries the advantage A = (number right)/T − p. A token with N ~ Bin(T − 1, p) right
neighbours has A = (1 + N)/T − p if it is right and N/T − p if it is wrong: 2T atoms of delight. Batches are infinite.

Source: this project; that a fixed rate is "too aggressive" for large vocabularies is observed in [KG §5]
(I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.screening import RULES, Rule
from kondo_theory.words import one_line

__all__ = [
    "TIE",
    "Atoms",
    "binomial_masses",
    "dg_drift",
    "in_chunks",
    "kept_shares",
    "policy_entropy",
    "require_sizes",
    "row_drift",
    "surprisals",
    "token_atoms",
    "top_drift",
    "top_influence",
    "zero_price_drift",
]

TIE = 1e-12
"""Scores closer than this, relative to the largest, are one atom: at p = 1/M right and wrong tokens tie exactly."""

_NEGLIGIBLE = 46.0  # −log of the mass, relative to the rate, below which neighbour counts are left out


class Atoms(NamedTuple):
    """The outcomes of one token, for P probabilities: right tokens first, then wrong ones, each (P, 2n).

    ``pull`` is what a kept token adds to the drift of the right token's logit: A·(1 − p) if it is right, −A·p if not.
    """

    mass: FloatArray
    score: FloatArray
    pull: FloatArray

    def __repr__(self) -> str:
        return one_line(self, **self._asdict())


def require_sizes(n_tokens: float, vocab_size: float) -> tuple[int, int]:
    """Return T ≥ 1 and M ≥ 2 as integers, or refuse them by name and value."""
    return _domain.integer("n_tokens", n_tokens, 1), _domain.integer("vocab_size", vocab_size, 2)


@lru_cache(maxsize=64)
def _log_choose(n: int) -> FloatArray:
    """Return log C(n, N) for N = 0, …, n."""
    counts = np.arange(n + 1.0)
    return gammaln(n + 1.0) - gammaln(counts + 1) - gammaln(n - counts + 1)


def binomial_masses(n: int, p: FloatArray, negligible: float = np.inf) -> tuple[FloatArray, FloatArray]:
    """Return counts N, (c,), and their probabilities under Bin(n, p), (P, c), computed in logs.

    Counts with less mass than e^{−negligible}, at every p, are left out (Bernstein's inequality); the rest is divided
    by its sum, which removes the common rounding of the factorials.
    """
    low, high = 0, n
    if np.isfinite(negligible):
        spread = np.sqrt(negligible**2 / 9 + 2 * negligible * n * p * (1 - p)) + negligible / 3
        low, high = max(0, int((n * p - spread).min())), min(n, int(np.ceil((n * p + spread).max())))
    counts = np.arange(low, high + 1.0)
    logs = _log_choose(n)[low : high + 1] + counts * np.log(p)[:, None] + (n - counts) * np.log1p(-p)[:, None]
    mass = np.exp(logs - logs.max(axis=1, keepdims=True))
    return counts, mass / mass.sum(axis=1, keepdims=True)


def surprisals(p: FloatArray, vocab_size: int) -> tuple[FloatArray, FloatArray]:
    """Return ℓ of the right token and of any one wrong token, (P,), nats."""
    return -np.log(p), np.log(vocab_size - 1.0) - np.log1p(-p)


def policy_entropy(p: FloatArray, vocab_size: int) -> FloatArray:
    """Return the entropy of one token's policy, (P,), nats."""
    right, wrong = surprisals(p, vocab_size)
    return p * right + (1 - p) * wrong


def token_atoms(
    p: FloatArray, n_tokens: int, vocab_size: int, rate: float = 0.0, rule: Rule = RULES["delight"]
) -> Atoms:
    """Return the 2T atoms of one token at each p, (P,).

    Parameters
    ----------
    p : (P,) array
        Probability that a token is right, in (0, 1).
    n_tokens, vocab_size : int
        T ≥ 1 and M ≥ 2.
    rate : float
        Atoms that cannot matter at this rate are left out; 0 keeps all.
    rule : callable
        Scores from advantage, surprisal and policy entropy.
    """
    negligible = _NEGLIGIBLE - np.log(rate) if rate > 0 else np.inf
    counts, neighbours = binomial_masses(n_tokens - 1, p, negligible)
    column = p[:, None]
    # Divided, not multiplied: at p = k/T the advantage of k right tokens is then exactly zero.
    advantage = np.concatenate([(1 + counts) / n_tokens - column, counts / n_tokens - column], axis=1)
    right, wrong = (np.broadcast_to(level[:, None], neighbours.shape) for level in surprisals(p, vocab_size))
    surprisal = np.concatenate([right, wrong], axis=1)
    entropy = policy_entropy(p, vocab_size)[:, None]
    score = rule(advantage, surprisal, np.broadcast_to(entropy, advantage.shape))
    half = np.ones(counts.size)
    return Atoms(
        np.concatenate([column * neighbours, (1 - column) * neighbours], axis=1),
        score,
        advantage * np.concatenate([(1 - column) * half, -column * half], axis=1),
    )


def top_drift(atoms: Atoms, rate: float) -> FloatArray:
    """Return E[pull·kept], (P,), when the top ``rate`` of the atoms is kept and the atom at the price in proportion.

    Scores of −∞ are never kept: fewer are kept where too few are left.
    """
    above, tied, share = _around_price(atoms, rate)
    weight = atoms.mass * atoms.pull
    return np.asarray(np.sum(weight, axis=1, where=above) + share * np.sum(weight, axis=1, where=tied))


def kept_shares(atoms: Atoms, rate: float) -> FloatArray:
    """Return which share of each atom is kept, (P, 2n), when the top ``rate`` of the atoms is kept."""
    above, tied, share = _around_price(atoms, rate)
    return np.asarray(above + share[:, None] * tied)


def top_influence(atoms: Atoms, rate: float) -> FloatArray:
    """Return kept·(pull − m) of each atom, (P, 2n), m the mean pull at the price.

    It is what one more token adds where the best of a batch are kept in a fixed number: its own pull, in the place
    of a token at the price.
    """
    above, tied, share = _around_price(atoms, rate)
    mass = np.sum(atoms.mass, axis=1, where=tied, keepdims=True)
    at_price = np.sum(atoms.mass * atoms.pull, axis=1, where=tied, keepdims=True) / np.where(mass > 0, mass, 1.0)
    return np.asarray((above + share[:, None] * tied) * (atoms.pull - at_price))


def _around_price(atoms: Atoms, rate: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_], FloatArray]:
    """Return which atoms are above the price and which at it, (P, 2n), and the share of the latter that is kept."""
    order = np.argsort(-atoms.score, axis=1)
    below = np.cumsum(np.take_along_axis(atoms.mass, order, axis=1), axis=1) < rate
    place = np.minimum(below.sum(axis=1), order.shape[1] - 1)
    price = np.take_along_axis(atoms.score, np.take_along_axis(order, place[:, None], axis=1), axis=1)
    possible = np.isfinite(atoms.score)
    tolerance = TIE * np.max(np.abs(atoms.score), axis=1, where=possible, initial=0.0)[:, None]
    with np.errstate(invalid="ignore"):  # −∞ − (−∞) where the price itself is −∞: everything possible is above it
        tied = (np.abs(atoms.score - price) <= tolerance) & possible
    above = (atoms.score > price) & ~tied
    mass_above, mass_tied = (np.sum(atoms.mass, axis=1, where=kept) for kept in (above, tied))
    return above, tied, np.clip((rate - mass_above) / np.where(mass_tied > 0, mass_tied, 1.0), 0.0, 1.0)


def row_drift(
    p: FloatArray, n_tokens: int, vocab_size: int, rate: float, rule: Rule = RULES["delight"]
) -> FloatArray:
    """Return the drift when rows are kept whole, the top ``rate`` by a rule: E[G·A²] ≥ 0, (P,).

    The rule sees a row's advantage and its tokens' summed surprisal and entropy.
    """
    counts, mass = binomial_masses(n_tokens, p, _NEGLIGIBLE - np.log(rate))
    right, wrong = surprisals(p, vocab_size)
    advantage = counts / n_tokens - p[:, None]
    surprisal = counts * right[:, None] + (n_tokens - counts) * wrong[:, None]
    entropy = n_tokens * policy_entropy(p, vocab_size)[:, None]
    score = rule(advantage, surprisal, np.broadcast_to(entropy, advantage.shape))
    return top_drift(Atoms(mass, score, advantage**2), rate)


def zero_price_drift(p: FloatArray, n_tokens: int) -> FloatArray:
    """Return the drift when tokens with χ > 0 are kept, (P,): a sum of terms that are never negative.

    The same neighbours give a right token 1/T more advantage than a wrong one: p(1 − p)·E[(A + 1/T)₊ − A₊].
    """
    counts, mass = binomial_masses(n_tokens - 1, p)
    column = p[:, None]
    gain = np.maximum((1 + counts) / n_tokens - column, 0) - np.maximum(counts / n_tokens - column, 0)
    return np.asarray(p * (1 - p) * np.sum(mass * gain, axis=1))


def dg_drift(p: FloatArray, n_tokens: int, vocab_size: int, temperature: float) -> FloatArray:
    """Return the drift under soft weights σ(χ/η), every token backpropagated, (P,)."""
    counts, mass = binomial_masses(n_tokens - 1, p, 2 * _NEGLIGIBLE)
    right, wrong = (level[:, None] / temperature for level in surprisals(p, vocab_size))
    column = p[:, None]
    lucky, unlucky = (1 + counts) / n_tokens - column, counts / n_tokens - column
    difference = lucky * expit(lucky * right) - unlucky * expit(unlucky * wrong)
    return np.asarray(p * (1 - p) * np.sum(mass * difference, axis=1))


def in_chunks(function: Callable[[FloatArray], FloatArray], p: FloatArray, width: int) -> FloatArray:
    """Apply a function of (P,) arrays in chunks of at most a million atoms."""
    size = max(1, 1_000_000 // max(1, width))
    if p.size <= size:
        return function(p)
    return np.concatenate([function(p[start : start + size]) for start in range(0, p.size, size)])
