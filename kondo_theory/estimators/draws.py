"""Unbiased sums over a part of given gradients: draws by score, the top kept for certain, masks on tokens.

The estimate is of Σ_i g_i, and its noise the trace of its covariance, given the gradients.

* Draws: k draws, kind i with probability q_i = s_i/Σs, each g_i/(k q_i).
* Winner take all: the c of highest score are kept as they are, and k − c draws are made of the rest.
* Masks: token t is kept with probability p_t and weighted by 1/p_t, independently of others or in a prefix.

Sources: the formulas are this project's (derivation ``unbiased-gates``). Keeping the top for certain is after
winner-take-all column–row sampling (WTA-CRS); random masks on tokens, uniform and prefix, are after H. Sang et al.,
arXiv 2603.06619 (the abstract was read).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["MASKS", "best_sure_count", "draws_variance", "mask_variance"]

MASKS = ("tokens", "prefix")
"""Tokens kept independently of each other, and prefixes that are cut at a random place."""


def draws_variance(gradients: ArrayLike, scores: ArrayLike, n_draws: int, n_sure: int = 0) -> FloatArray:
    """Return the noise of winner take all, E‖ĝ − Σg‖²: (Q²/(k−c))·tr Cov of one draw of the rest.

    Q is the rest's share of the scores; a draw of the rest is g_i/q_i with probability q_i/Q. With no sample kept for
    certain these are plain draws by score. Certainly less than them where c > 0 and Q ≤ (k−c)/k.

    Parameters
    ----------
    gradients : (n, d) array
        g_i.
    scores : (n,) array
        s_i > 0.
    n_draws, n_sure : int
        k ≥ 1 backward passes, 0 ≤ c ≤ n of them for certain; c < k unless all n are. Scalars only.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    g, s = _domain.finite("gradients", gradients), _scores(scores)
    if g.ndim != 2 or len(g) != len(s):
        raise ValueError(f"gradients must have shape ({len(s)}, d), one row a score, got {g.shape}")
    k, c = _counts(n_draws, n_sure, len(s))
    rest = np.argsort(-s, kind="stable")[c:]
    if len(rest) == 0:
        return np.asarray(0.0)[()]
    q = s / s.sum()
    share = q[rest] / q[rest].sum()
    each = g[rest] / share[:, None]
    mean = g[rest].sum(axis=0)
    return np.asarray(np.sum(share * np.sum((each - mean) ** 2, axis=1)) / (k - c))[()]


def best_sure_count(scores: ArrayLike, n_draws: int) -> int:
    """Return how many of the highest scores to keep for certain: the c < k that minimises Q²/(k−c).

    It is the best where the scores are the lengths of gradients that sum to next to nothing, and it needs no
    gradients. All n are kept if there are as many draws.

    Parameters
    ----------
    scores : (n,) array
        s_i > 0.
    n_draws : int
        k ≥ 1. Scalars only.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    s = _scores(scores)
    k, _ = _counts(n_draws, 0, len(s))
    if k >= len(s):
        return len(s)
    ordered = np.sort(s)[::-1] / s.sum()
    sure = np.arange(k)
    left = 1 - np.concatenate([[0.0], np.cumsum(ordered)])[sure]
    return int(np.argmin(left**2 / (k - sure)))


def mask_variance(gradients: ArrayLike, keep: ArrayLike, kind: str = "tokens") -> FloatArray:
    """Return the noise of an answer's gradient whose tokens are masked at random and weighted by 1/p.

    Σ_t (1/p_t − 1)‖g_t‖² with independent tokens; with prefixes also 2Σ_{s<t}(1/p_s − 1)g_s·g_t, for of two tokens
    the later is kept with the earlier only. One p for all tokens of a prefix keeps or drops answers whole.

    Parameters
    ----------
    gradients : (..., T, d) array
        g_t of each token.
    keep : (..., T) array
        p_t in (0, 1]; not increasing for prefixes.
    kind : {"tokens", "prefix"}
        One of :data:`MASKS`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    g = _domain.finite("gradients", gradients)
    if g.ndim < 2:
        raise ValueError(f"gradients must have shape (..., T, d), got {g.shape}")
    p = _domain.interval("keep", keep, 0, 1, "(]")
    kind = _domain.choice("kind", kind, MASKS)
    odds = np.broadcast_to(1 / p - 1, np.broadcast_shapes(p.shape, g.shape[:-1]))
    if kind == "tokens":
        return np.asarray(np.sum(odds * np.sum(g**2, axis=-1), axis=-1))[()]
    steps = np.diff(p, axis=-1) if p.ndim and p.shape[-1] > 1 else np.zeros(1)
    _domain.require("the step of keep over a prefix", steps, steps <= 0, "at most 0")
    # Σ_{s,t} odds_{min(s,t)} g_s·g_t, by what follows each token.
    after = np.flip(np.cumsum(np.flip(g, axis=-2), axis=-2), axis=-2)
    return np.asarray(np.sum(odds * np.sum(g * (2 * after - g), axis=-1), axis=-1))[()]


def _scores(scores: ArrayLike) -> FloatArray:
    """Return the scores, (n,)."""
    s = _domain.interval("scores", scores, 0, np.inf, "()")
    if s.ndim != 1 or len(s) == 0:
        raise ValueError(f"scores must have shape (n,), n ≥ 1, got {s.shape}")
    return s


def _counts(n_draws: ArrayLike, n_sure: ArrayLike, n: int) -> tuple[int, int]:
    """Return k and c."""
    k, c = _domain.integer("n_draws", n_draws, 1), _domain.scalar("n_sure", n_sure)
    allowed = f"an integer from 0 to {n}, below n_draws unless it is {n}"
    _domain.require("n_sure", np.asarray(c), 0 <= c <= n and c % 1 == 0 and c <= k and (c < k or c == n), allowed)
    return k, int(c)
