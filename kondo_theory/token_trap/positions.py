"""Mean field of answers whose positions differ: some learnt, some open, some free of any right token.

A judged position has a right token, of probability p; a free one has none, and its policy is uniform. The reward is
the share of right tokens among the judged positions, the baseline its exact mean, and every token carries the
answer's advantage. Tokens are independent, batches infinite, the wrong mass even. With one kind of judged positions
this is the mean field of :mod:`kondo_theory.token_trap.rows`; with several, positions differ in entropy, and rules
that rank by it mean something.

Source: this project, derivation ``token-rules``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, ScreeningRule, score_function
from kondo_theory.token_trap.rows import (
    Atoms,
    binomial_masses,
    kept_shares,
    policy_entropy,
    surprisals,
)
from kondo_theory.token_trap.searching import Search

__all__ = [
    "Positions",
    "masked_share",
    "open_rest_point",
    "percentile_drifts",
    "position_drifts",
    "surprisal_share",
    "weighted_share",
]

_BATCH = 64  # copies of each position among which a rule of the batch takes quantiles of entropies
_LAST = 1 - 1e-4  # of the search for a rest point
_ROUNDING = 1e-12
_BESIDE = 1e-7


@dataclass(frozen=True)
class Positions:
    """Positions of one kind.

    Attributes
    ----------
    count : int
        How many an answer has.
    p : float
        Probability of the right token, in (0, 1); of free positions it is not looked at.
    judged : bool
        Whether there is a right token.
    """

    count: int
    p: float = 0.5
    judged: bool = True

    def __post_init__(self) -> None:
        _domain.integer("count", self.count, 1)
        _domain.number("p", self.p, 0, 1, "()")


def position_drifts(
    kinds: Sequence[Positions], vocab_size: int, rate: float, rule: str | Rule = "delight"
) -> FloatArray:
    """Return the drift of the right token's logit at a position of each kind, zero at free ones, (K,).

    The top ρ of the tokens of all positions is kept, the atom at the price in proportion. The kinds are a sequence of
    K; the other arguments are scalars.

    Parameters
    ----------
    kinds : sequence of Positions
        At least one of them judged.
    vocab_size : int
        M ≥ 2.
    rate : float
        ρ in (0, 1]; 1 is PG: p(1 − p) over the number of judged positions.
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain, or the rule looks at the whole batch and at more than entropies.
    """
    rho = _domain.number("rate", rate, 0, 1, "(]")
    atoms, kind = _atoms(kinds, vocab_size, rule)
    return _by_kind(kinds, atoms, kind, kept_shares(atoms, rho)[0])


def percentile_drifts(
    kinds: Sequence[Positions], vocab_size: int, power: float, rule: str | Rule = "delight"
) -> FloatArray:
    """Return the drifts when a token is kept with the probability F(score)^β, F the scores' distribution, (K,).

    That is Selective-Backprop (after arXiv:1910.00762) with the score as the loss. The policy gradient's loss −U·log
    π is the delight: by ``delight`` it is that method on this loss.

    Parameters
    ----------
    kinds, vocab_size, rule
        As for :func:`position_drifts`, the kinds a sequence of K.
    power : float
        β ≥ 0; 0 keeps all.
    """
    beta = _domain.number("power", power, 0, np.inf, "[)")
    atoms, kind = _atoms(kinds, vocab_size, rule)
    score, mass = atoms.score[0], atoms.mass[0]
    levels, place = _levels(score)
    total = np.bincount(place, weights=mass, minlength=levels)
    percentile = np.minimum(np.cumsum(total), 1.0)[place]
    keep = np.where(np.isfinite(score), percentile**beta, 0.0)
    return _by_kind(kinds, atoms, kind, keep)


@elementwise("n_open", "n_free", "vocab_size", "rate")
def open_rest_point(
    n_open: int, n_free: int, vocab_size: int, rate: float, rule: str | Rule = "delight"
) -> float | None:
    """Return the lowest p from 1/M on from which open positions are not pushed up; None (in an array nan) without.

    There the drift is zero, because nothing of them is kept, or negative. All judged positions are open and of one p.
    The search looks at 150 points even in p, 150 in log-odds and at both sides of each multiple of 1/(2n), where
    tokens change places: a dip between them may be missed, and so is one above p = 0.9999.

    Parameters
    ----------
    n_open, n_free : (...) array
        Judged and free positions, at least one and none.
    vocab_size, rate : (...) array
        M ≥ 2 and ρ in (0, 1].
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them.
    """
    n, M = _domain.integer("n_open", n_open, 1), _domain.integer("vocab_size", vocab_size, 2)
    free = _domain.integer("n_free", n_free, 0)
    others = [Positions(free, judged=False)] if free else []

    def speed(p: FloatArray) -> FloatArray:
        drifts = [position_drifts([Positions(n, float(each)), *others], M, rate, rule)[0] for each in p]
        return np.where(np.array(drifts) <= _ROUNDING * p * (1 - p), -1.0, 1.0)

    low, high = 1 / M, _LAST
    odds = expit(np.linspace(logit(low), logit(high), 150))
    steps = np.arange(1, 2 * n) / (2 * n)
    grid = np.concatenate([odds[1:-1], np.linspace(low, high, 150), steps - _BESIDE, steps + _BESIDE])
    inside = np.unique(grid[(grid >= low) & (grid <= high)])
    return Search(chunk=16, growth=1, sections=8, resolution=1e-10).first_fall(speed, inside)


def surprisal_share(p: ArrayLike, right: ArrayLike, wrong: ArrayLike) -> FloatArray:
    """Return (1 − p)·w_right + p·w_wrong, what a rule that does not look at advantages leaves of PG's drift.

    Right tokens of a position are kept, or weighted, by w_right, wrong ones by w_wrong, whatever the advantage: by a
    rule of surprisal, of probability or of entropy, in answers of any positions. It is never negative.

    Parameters
    ----------
    p : (...) array
        Probability of the right token at the position, in (0, 1).
    right, wrong : (...) array
        The weights, ≥ 0.
    """
    chance = _domain.interval("p", p, 0, 1, "()")
    kept = (_domain.interval(name, w, 0, np.inf, "[)") for name, w in (("right", right), ("wrong", wrong)))
    w_right, w_wrong = kept
    return np.asarray((1 - chance) * w_right + chance * w_wrong)[()]


def weighted_share(p: ArrayLike, vocab_size: ArrayLike, alpha: ArrayLike) -> FloatArray:
    """Return 1 − α + αp(1 − p)M/(M − 1), what advantages weighted by απ + 1 − α leave of PG's drift.

    Parameters
    ----------
    p, vocab_size : (...) array
        As in :func:`kondo_theory.token_trap.drift`.
    alpha : (...) array
        α in [0, 1].
    """
    chance, weight = _domain.interval("p", p, 0, 1, "()"), _domain.interval("alpha", alpha, 0, 1, "[]")
    M = _domain.interval("vocab_size", vocab_size, 2, np.inf, "[)")
    return surprisal_share(chance, weight * chance + 1 - weight, weight * (1 - chance) / (M - 1) + 1 - weight)


@elementwise("p", "n_open")
def masked_share(p: float, n_open: int) -> float:
    """Return E[A₊ | wrong] of a learnt position beside n open ones, in units of 1/n_judged: E[(N − np − 1)₊].

    N ~ Bin(n, p) open positions are right; the learnt position's own p tends to 1. PG moves the log-odds there by 1
    of these units; tokens dropped where A > 0 and wrong add this to it, and kept alone they take it away.

    Parameters
    ----------
    p : (...) array
        Probability of the right token at the open positions, in (0, 1).
    n_open : (...) array
        n ≥ 1.
    """
    chance = _domain.number("p", p, 0, 1, "()")
    n = _domain.integer("n_open", n_open, 1)
    counts, mass = binomial_masses(n, np.array([chance]))
    return float(mass[0] @ np.maximum(counts - n * chance - 1, 0.0))


def _by_kind(kinds: Sequence[Positions], atoms: Atoms, kind: NDArray[np.int64], keep: FloatArray) -> FloatArray:
    """Return the mean pull at a position of each kind."""
    weight = atoms.mass[0] * atoms.pull[0] * keep
    share = np.array([each.count for each in kinds]) / sum(each.count for each in kinds)
    return np.asarray(np.bincount(kind, weights=weight, minlength=len(kinds)) / share)


def _levels(score: FloatArray) -> tuple[int, NDArray[np.int64]]:
    """Return the number of different scores, ascending, and the place of each among them; rounding parts no ties."""
    order = np.argsort(score, kind="stable")
    finite = np.abs(score[np.isfinite(score)])
    with np.errstate(invalid="ignore"):
        step = np.diff(score[order]) > 1e-12 * finite.max(initial=0.0)
    place = np.empty(score.size, dtype=np.int64)
    place[order] = np.concatenate([[0], np.cumsum(step)])
    return int(place.max()) + 1, place


def _others(kinds: Sequence[Positions], own: int | None) -> FloatArray:
    """Return the probabilities of N right tokens, N = 0, 1, …, at the judged positions less one of a kind."""
    mass = np.ones(1)
    for place, each in enumerate(kinds):
        n = each.count - (place == own)
        if each.judged and n > 0:
            mass = np.convolve(mass, binomial_masses(n, np.array([each.p]))[1][0])
    return mass


def _atoms(kinds: Sequence[Positions], vocab_size: int, rule: str | Rule) -> tuple[Atoms, NDArray[np.int64]]:
    """Return the outcomes of a token, (1, n), and the kind of position of each, (n,)."""
    judged = sum(each.count for each in kinds if each.judged)
    if not judged:
        raise ValueError("kinds must have a judged position, got none")
    M = _domain.integer("vocab_size", vocab_size, 2)
    T, mean = sum(each.count for each in kinds), sum(each.count * each.p for each in kinds if each.judged) / judged
    parts, kind, entropy = [], [], []
    for place, each in enumerate(kinds):
        p = np.array([each.p])
        others = _others(kinds, place if each.judged else None)
        n_right = np.arange(others.size)
        right, wrong = (float(level[0]) for level in surprisals(p, M)) if each.judged else (0.0, math.log(M))
        H = float(policy_entropy(p, M)[0]) if each.judged else math.log(M)
        outcomes = ((1, each.p, right, 1 - each.p), (0, 1 - each.p, wrong, -each.p)) if each.judged else ()
        for own, chance, level, push in outcomes or ((0, 1.0, wrong, 0.0),):
            A = (n_right + own) / judged - mean
            parts.append((each.count / T * chance * others, A, np.full(A.size, level), push * A))
            kind += [place] * A.size
        entropy.append(H)
    mass, advantage, surprisal, pull = (np.concatenate(part) for part in zip(*parts, strict=True))
    places = np.array(kind)
    score = _scores(score_function(rule, of_groups=False), advantage, surprisal, np.array(entropy), kinds, places)
    return Atoms(mass[None], score[None], pull[None]), places


def _scores(
    rule: Rule,
    A: FloatArray,
    surprisal: FloatArray,
    entropy: FloatArray,
    kinds: Sequence[Positions],
    kind: NDArray[np.int64],
) -> FloatArray:
    """Return the scores of the outcomes; quantiles of the batch are those of equally many tokens at each position."""
    if not (isinstance(rule, ScreeningRule) and rule.of_batch):
        return np.asarray(rule(A, surprisal, entropy[kind]), dtype=np.float64)
    if rule.inputs != ("entropy",):
        raise ValueError("rule must look at one token, or at entropies alone, got one of the whole batch")
    batch = np.repeat(entropy, [_BATCH * each.count for each in kinds])
    firsts = np.cumsum([0, *(_BATCH * each.count for each in kinds)])[:-1]
    found: FloatArray = np.asarray(rule(np.zeros_like(batch), batch, batch), dtype=np.float64)
    return np.asarray(found[firsts][kind])
