"""How long a finite batch takes to leave a stall of the token gate, all tokens of an answer moving together.

One update of B answers moves the right tokens' logit by the learning rate times a mean over answers: drift f,
variance D/B. The kept are exactly k, so an answer counts by its kept tokens' pulls *less that at the price*: D is
the variance of that sum over answers. The log-odds x move by M/(M − 1) times as much, the wrong tokens yielding, and
for small steps the mean time to pass a level solves the backward equation of a diffusion, in one integral.

Free tokens spread around their mean and leave sooner. Source: this project (derivation ``stall-escape``).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from kondo_theory import _domain
from kondo_theory._broadcast import elementwise
from kondo_theory._domain import FloatArray
from kondo_theory.screening import Rule, score_function
from kondo_theory.token_trap.drifts import drift, stall_point
from kondo_theory.token_trap.rows import binomial_masses, in_chunks, require_sizes, token_atoms, top_influence
from kondo_theory.token_trap.searching import Search

__all__ = ["barrier", "diffusion", "escape_time", "passage_time", "unstable_point"]

_CELLS = 4096  # of the integrals
_LOWEST = 2.0  # log-odds below the stall, where the integral begins: nobody comes so far down


@elementwise("n_tokens", "vocab_size", "rate", along="p")
def diffusion(p: ArrayLike, n_tokens: int, vocab_size: int, rate: float, rule: str | Rule = "delight") -> FloatArray:
    """Return D, B times the variance of a batch's mean gradient on the right tokens' logits, to first order in 1/B.

    The best ρBT of the tokens are kept, the mean is over the T positions, and p is the same at all. D is zero where
    all that is kept is alike.

    Parameters
    ----------
    p : (...) array
        Probability that a token is right, in (0, 1).
    n_tokens, vocab_size, rate, rule
        As in :func:`kondo_theory.token_trap.drift`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    probability = _domain.interval("p", p, 0, 1, "()")
    T, M = require_sizes(n_tokens, vocab_size)
    rho = float(_domain.interval("rate", rate, 0, 1, "(]"))
    score_of = score_function(rule, of_groups=False)

    def variance(q: FloatArray) -> FloatArray:
        atoms = token_atoms(q, T, M, rule=score_of)
        counts, mass = binomial_masses(T, q)
        influence = top_influence(atoms, rho)
        answer = np.zeros_like(mass)  # the sum over one answer's tokens, by its number of right ones
        answer[:, 1:] += influence[:, :T] * counts[1:] / T
        answer[:, :-1] += influence[:, T:] * (T - counts[:-1]) / T
        mean = np.sum(mass * answer, axis=1, keepdims=True)
        return np.asarray(np.sum(mass * (answer - mean) ** 2, axis=1))

    return in_chunks(variance, probability.ravel(), 2 * T).reshape(probability.shape)[()]


@elementwise("rate", "vocab_size", "n_tokens")
def unstable_point(rate: float, vocab_size: int, n_tokens: int) -> float | None:
    """Return the first rise of the drift through zero above the stall point; None (nan) where nothing stalls.

    Beyond it training learns, if the drift does not fall again.
    """
    stall = stall_point(rate, vocab_size, n_tokens)
    if stall is None:
        return None
    start = stall + 1e-9
    grid = np.concatenate([[start], np.linspace(start, 1 - 1 / n_tokens, _CELLS + 1)[1:]])
    falling = np.flatnonzero(drift(grid, n_tokens, vocab_size, rate) < 0)
    if not falling.size:  # a dip that is narrower than a step
        return stall
    return Search().first_fall(lambda p: -drift(p, n_tokens, vocab_size, rate), grid[falling[0] :])


@elementwise("rate", "vocab_size", "n_tokens")
def barrier(rate: float, vocab_size: int, n_tokens: int) -> float:
    """Return S = 2∫|f|/D dz from the stable to the unstable zero: log τ grows by S for each unit of B/lr.

    Zero where nothing stalls; infinite where D vanishes on the way: all that is kept there is alike.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    low, high = stall_point(rate, M, T), unstable_point(rate, M, T)
    if low is None or high is None or high <= low:
        return 0.0
    x, width = _cells(logit(low), logit(high))
    p = expit(x)
    with np.errstate(divide="ignore"):
        ratio = -drift(p, T, M, rate) / diffusion(p, T, M, rate)
    return float(2 * width * ratio.sum() * (M - 1) / M)


@elementwise("rate", "vocab_size", "n_tokens", "batch_size", "learning_rate", "start", "end")
def escape_time(
    rate: float,
    vocab_size: int,
    n_tokens: int,
    batch_size: float,
    learning_rate: float,
    start: float | None = None,
    end: float | None = None,
) -> float:
    """Return the mean number of updates until p passes the end: small steps, all tokens together, exactly k kept.

    Parameters
    ----------
    rate, vocab_size, n_tokens : (...) array
        ρ, M and T; the batch keeps the best ρBT tokens.
    batch_size : (...) array
        B answers.
    learning_rate : (...) array
        The logits move by it times the gradient's mean over the answers.
    start, end : (...) array, optional
        Probabilities; by default the stall point, and half way from the unstable one to 1.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain, or nothing stalls and no start or end is given.
    """
    T, M = require_sizes(n_tokens, vocab_size)
    size = _domain.number("batch_size", batch_size, 0, np.inf, "()")
    h = _domain.number("learning_rate", learning_rate, 0, np.inf, "()")
    low = stall_point(rate, M, T) if start is None else _domain.number("start", start, 0, 1, "()")
    far = unstable_point(rate, M, T)
    if low is None or (end is None and far is None):
        raise ValueError(f"start and end must be given where nothing stalls: rate {rate!r}, M = {M}, T = {T}")
    high = (1 + (far or 0.0)) / 2 if end is None else _domain.number("end", end, 0, 1, "()")
    if high <= low:
        raise ValueError(f"end must be above the start, {low:.6g}, got {high:.6g}")
    if far is not None and not low < far < high:
        far = None
    places = [logit(low) - _LOWEST, logit(low), *([] if far is None else [logit(far)]), logit(high)]
    edges = np.unique(np.concatenate([np.linspace(*pair, _CELLS // 2) for pair in pairwise(places)]))
    p, stretch = expit((edges[1:] + edges[:-1]) / 2), M / (M - 1)  # the drift may jump at the stall and at the rise
    speed = h * stretch * drift(p, T, M, rate)
    variance = (h * stretch) ** 2 / size * diffusion(p, T, M, rate)
    return passage_time(edges, speed, variance, float(logit(low)))


def passage_time(edges: ArrayLike, speed: ArrayLike, variance: ArrayLike, start: float) -> float:
    """Return the mean time of a diffusion from the start past the last edge, reflected at the first.

    τ = ∫dy ∫du 2/v(u)·exp(−∫_u^y 2s/v) over start < y, u < y: exact for coefficients constant on each cell.

    Parameters
    ----------
    edges : (n + 1,) array
        Ascending, of n ≥ 1 cells.
    speed, variance : (n,) array
        s and v ≥ 0 in the cells, in a unit of time. Where v = 0 the diffusion moves at its speed.
    start : float
        Rounded to the nearest edge but the last.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    ends, s, v = (_domain.finite(name, a) for name, a in (("edges", edges), ("speed", speed), ("variance", variance)))
    if ends.ndim != 1 or ends.size < 2 or s.shape != (ends.size - 1,) or v.shape != s.shape:
        raise ValueError(f"edges must be (n + 1,), speed and variance (n,), got {ends.shape}, {s.shape}, {v.shape}")
    widths = np.diff(ends)
    _domain.require("edges", ends, bool(np.all(widths > 0)), "ascending")
    _domain.require("variance", v, v >= 0, "at least 0")
    at = _domain.scalar("start", start)
    if not ends[0] <= at < ends[-1]:
        raise ValueError(f"start must be in the cells, {ends[0]:.6g} to {ends[-1]:.6g}, got {start!r}")
    first = int(np.argmin(np.abs(ends[:-1] - at)))
    total = reached = 0.0
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        steep = np.where(v > 0, 2 * s * widths / np.where(v > 0, v, 1.0), np.sign(s) * np.inf)
        for cell, (u, width) in enumerate(zip(map(float, steep), map(float, widths), strict=True)):
            if cell >= first and u == -np.inf:
                return np.inf  # nothing climbs without noise
            keep, step, area = _cell(u, float(s[cell]), float(v[cell]), width)
            if cell >= first:
                total += (reached * width * (1.0 if u == 0 else -np.expm1(-u) / u) if keep > 0 else 0.0) + area
            reached = (reached * keep if keep > 0 and reached > 0 else 0.0) + step
    return float(total)


def _cell(u: float, s: float, v: float, width: float) -> tuple[float, float, float]:
    """Return e^{−u}, what the cell itself adds to the slope of the time, and the integral of that."""
    if u == -np.inf:
        return np.inf, np.inf, np.inf
    if u == np.inf:
        return 0.0, 1 / s, width / s
    keep = float(np.exp(-u))
    if abs(u) < 1e-3:  # series in u: s may vanish
        if v == 0:
            return 1.0, np.inf, np.inf
        return keep, 2 * width / v * (1 - u / 2 + u * u / 6), width**2 / v * (1 - u / 3 + u * u / 12)
    fall = -float(np.expm1(-u)) / u
    return keep, (1 - keep) / s, width / s * (1 - fall)


def _cells(low: float, high: float) -> tuple[FloatArray, float]:
    """Return the middles of the cells between two log-odds, (n,), and their width."""
    width = (high - low) / _CELLS
    return np.asarray(low + width * (np.arange(_CELLS) + 0.5), dtype=np.float64), width
