"""The token trap: where a fixed-rate gate on tokens that share one advantage stops learning.

A rare wrong token in a lucky row can have more delight than a common right one; keeping the top ρ of the tokens then
rewards the wrong one. The mean field and its atoms are in :mod:`kondo_theory.token_trap.rows`. Exact for infinite
batches and independent tokens. Source: this project; the observation it is held against is [KG §5] (I. Osband, "Does
This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, score_function
from kondo_theory.token_trap import rows as token_rows
from kondo_theory.token_trap.rows import require_sizes, token_atoms, top_drift
from kondo_theory.token_trap.searching import Drift, Search, require_start
from kondo_theory.token_trap.sets import Intervals, negative_rates, negative_temperatures
from kondo_theory.words import unhandled

__all__ = [
    "GATES",
    "critical_rate",
    "critical_temperature",
    "drift",
    "low_rates_stall",
    "stall_point",
    "stalling_rates",
    "stalling_temperatures",
]

GATES = ("token", "row", "zero-price", "dg")

_FINE_POINTS = 4096  # of the search for the first change of sign, at most
_EXACT_TOKENS = 512  # up to here the search steps by 1/(8T), an eighth of the lattice of advantages


@elementwise("n_tokens", "vocab_size", "rate", "temperature", along="p")
def drift(
    p: ArrayLike,
    n_tokens: int,
    vocab_size: int,
    rate: float | None = None,
    gate: str = "token",
    temperature: float = 1.0,
    rule: str | Rule = "delight",
) -> FloatArray:
    """Return the drift of the right token's logit, per token and unit learning rate, in squared units of reward.

    It is E[kept·A·(1 − p)·1{right}] − E[kept·A·p·1{wrong}] for B → ∞, the advantage A = (number right)/T − p shared
    by the tokens of a row.

    Parameters
    ----------
    p : (...) array
        Probability that a token is right, in (0, 1), the same at every position; the wrong mass is spread evenly.
    n_tokens, vocab_size : (...) array
        T ≥ 1 and M ≥ 2.
    rate : (...) array, optional
        ρ in (0, 1], for the gates ``token`` and ``row``; the others do not look at it.
    gate : {"token", "row", "zero-price", "dg"}
        Top ρ of the tokens, the atom at the price in proportion; top ρ of the rows, kept whole; tokens with χ > 0;
        soft weights σ(χ/η) on every token.
    temperature : (...) array
        η > 0, for ``dg``.
    rule : str or callable
        What ranks the tokens or rows of the gates at a rate: a name in :data:`kondo_theory.screening.RULES` or a
        function like them. It sees the token's advantage and surprisal and the policy's entropy, each (P, 2T); of a
        row the sums over its tokens, (P, T + 1). What it scores −∞ is never kept.

    Returns
    -------
    (...) array

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    probability = _domain.interval("p", p, 0, 1, "()")
    T, M = require_sizes(n_tokens, vocab_size)
    found = token_rows.in_chunks(_drift_of(T, M, rate, gate, temperature, rule), probability.ravel(), 2 * T)
    return found.reshape(probability.shape)[()]


@elementwise("rate", "vocab_size", "n_tokens", "temperature", "start")
def stall_point(
    rate: float | None,
    vocab_size: int,
    n_tokens: int,
    gate: str = "token",
    temperature: float = 1.0,
    rule: str | Rule = "delight",
    start: float | None = None,
) -> float | None:
    """Return the first stable zero of the drift that training meets; None (in an array nan) without.

    Training from the start, by default the uniform policy p = 1/M, ends there, however large the batch: above the
    start or, where the drift at the start is negative, below it. From beyond the drift's last rise through zero no
    training comes back. The drift is positive at 1/M and not
    negative from 1 − 1/T on (see the derivations of token-trap and, for the other rules of
    :data:`kondo_theory.screening.SAMPLE_RULES`, token-screening), so a stall point lies between, or at 1/M if the
    drift falls at once; of your own rule nothing else is searched, nor of ``weighted-advantage``, which can stall
    later (:func:`kondo_theory.token_trap.positions.open_rest_point`). Where two atoms change places the drift jumps;
    a fall through zero by a jump is a stall point too (learning slides along it).

    The search has 4,096 points up to the first negative drift of a coarser grid (a lattice step 1/T is at least eight
    of them up to T = 512): a dip below zero that is narrower may be missed, and the next fall returned.

    Parameters
    ----------
    rate : (...) array or None
        ρ in (0, 1], for the gates ``token`` and ``row``.
    vocab_size, n_tokens : (...) array
        M ≥ 2 and T ≥ 1.
    gate, temperature, rule
        As in :func:`drift`.
    start : (...) array, optional
        Where training starts, a probability in [1/M, 1): of a policy that was trained before.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    speed = partial(token_rows.in_chunks, _drift_of(T, M, rate, gate, temperature, rule), width=2 * T)
    low = require_start(start, M)
    if gate in ("row", "zero-price") or low >= 1 - 1 / T:
        return None  # proved: the drift is positive throughout
    if start is not None and speed(np.array([low]))[0] < 0:
        return Search().stall_below(
            speed, np.union1d(_search_grid(T, M, 512), np.linspace(1 / M, low, _FINE_POINTS + 1)), low
        )
    coarse = _search_grid(T, M, 512, low)
    negative = np.flatnonzero(speed(coarse) < 0)
    if T > _EXACT_TOKENS and not negative.size:
        return None
    end = coarse[negative[0]] if negative.size else coarse[-1]
    return Search().first_fall(speed, np.union1d(coarse[coarse <= end], np.linspace(low, end, _FINE_POINTS + 1)))


def stalling_rates(vocab_size: int, n_tokens: int, gate: str = "token") -> Intervals:
    """Return all intervals (low, high) of rates at which training from the uniform policy stalls, ascending.

    At a fixed p the drift is piecewise linear in ρ, so the rates at which it is negative are exact; their union over
    p > 1/M is the answer, since the drift is positive at 1/M. Edges are good to about 1e−6. Empty for the gates
    ``row`` and ``zero-price``; ``dg`` has no rate: see :func:`stalling_temperatures`.
    Their number varies: scalars only.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    if _domain.choice("gate", gate, GATES[:3]) != "token" or 1 / M >= 1 - 1 / T:
        return ()
    return negative_rates(_search_grid(T, M, 1024), T, M)


@elementwise("vocab_size", "n_tokens")
def critical_rate(vocab_size: int, n_tokens: int, gate: str = "token") -> float:
    """Return ρ_c, the upper end of the interval of stalling rates that starts at 0; 0 where small rates learn.

    ``vocab_size`` and ``n_tokens`` broadcast.
    """
    intervals = stalling_rates(vocab_size, n_tokens, gate)
    return intervals[0][1] if intervals and low_rates_stall(vocab_size, n_tokens) else 0.0


@elementwise("vocab_size", "n_tokens", dtype=np.bool_)
def low_rates_stall(vocab_size: int, n_tokens: int) -> bool:
    """Return whether the token gate stalls at every small enough rate.

    It does iff the token with the most delight is a wrong one for some p in (1/M, 1 − 1/T):
    (1 − 1/T − p)·log((M − 1)/(1 − p)) > (1 − p)·log(1/p). That is T ≥ 5 at M = 2, 4 at M = 3 and 4, 3 at 5 ≤ M ≤ 47
    and 2 from M = 48 on; T = 1 never does. Arguments broadcast.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    if 1 / M >= 1 - 1 / T:
        return False
    p = np.union1d(_search_grid(T, M, 4096), np.linspace(1 / M, 1 - 1 / T, 4096))
    right, wrong = token_rows.surprisals(p, M)
    return bool(np.any((1 - 1 / T - p) * wrong > (1 - p) * right * (1 + 1e-12)))


@elementwise("vocab_size")
def critical_temperature(vocab_size: int) -> float:
    """Return η_c(M) = max_p ½p(1 − p)·log((M − 1)p/(1 − p)), below which DG stalls as T → ∞.

    It passes 1 between M = 2,633 and 2,634. The maximum lies above p = 1/2: there the odds' logarithm still grows.
    ``vocab_size`` may be an array.
    """
    M = _domain.integer("vocab_size", vocab_size, 2)
    log_odds = np.linspace(0.0, 4.0, 4001)
    for _ in range(6):
        p = expit(log_odds)
        values = 0.5 * p * (1 - p) * (np.log(M - 1.0) + log_odds)
        best, step = int(np.argmax(values)), log_odds[1] - log_odds[0]
        log_odds = np.linspace(max(0.0, log_odds[best] - step), log_odds[best] + step, 101)
    return float(values.max())


def stalling_temperatures(vocab_size: int, n_tokens: int) -> Intervals:
    """Return the intervals (low, high) of temperatures at which DG on tokens stalls from the uniform policy.

    At finite T they form a window: cold DG is zero price and hot DG is half of PG, and both have positive drift.
    As T → ∞ the window's upper end tends to :func:`critical_temperature` and its lower end to 0. Scalars only.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    if 1 / M >= 1 - 1 / T:
        return ()
    return negative_temperatures(_search_grid(T, M, 256), T, M)


def _search_grid(n_tokens: int, vocab_size: int, n_points: int, start: float | None = None) -> FloatArray:
    """Return probabilities from the start, 1/M, to 1 − 1/T, where alone the drift can be negative.

    Some are even in log-odds, the others even; the ends are left out.
    """
    low, high = start or 1 / vocab_size, 1 - 1 / n_tokens
    first, last = (float(np.log(end / (1 - end))) for end in (low, high))
    odds = expit(np.linspace(first, last, n_points + 2)[1:-1])
    n_even = min(8 * n_tokens, _FINE_POINTS) if n_tokens <= _EXACT_TOKENS else n_points
    return np.union1d(odds, np.linspace(low, high, n_even + 2)[1:-1])


def _require_rate(rate: float | None) -> float:
    if rate is None:
        raise ValueError("rate must be in (0, 1], got None")
    return float(_domain.interval("rate", rate, 0, 1, "(]"))


def _top(p: FloatArray, n_tokens: int, vocab_size: int, rate: float, rule: Rule) -> FloatArray:
    return top_drift(token_atoms(p, n_tokens, vocab_size, rate, rule), rate)


def _drift_of(T: int, M: int, rate: float | None, gate: str, temperature: float, rule: str | Rule) -> Drift:
    """Return the drift as a function of p, (P,), with everything else fixed and checked."""
    eta = float(_domain.interval("temperature", temperature, 0, np.inf, "()"))
    kind = _domain.choice("gate", gate, GATES)
    score_of = score_function(rule, of_groups=False)
    if kind in ("token", "row"):
        at_rate = _top if kind == "token" else token_rows.row_drift
        return partial(at_rate, n_tokens=T, vocab_size=M, rate=_require_rate(rate), rule=score_of)
    if kind == "zero-price":
        return partial(token_rows.zero_price_drift, n_tokens=T)
    if kind != "dg":
        raise unhandled("gate", kind, ("token", "row", "zero-price", "dg"))
    return partial(token_rows.dg_drift, n_tokens=T, vocab_size=M, temperature=eta)
