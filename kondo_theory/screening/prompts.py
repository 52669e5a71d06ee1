"""Prompts that are skipped by their history before anything is sampled: how often they are visited, and what is lost.

A prompt of pass rate p has a group of G answers without spread with probability q = p^G + (1 − p)^G: it teaches
nothing. After z such visits in a row the prompt is sampled in an epoch with probability ξ^z, ξ the exploration
probability; a visit with spread sets z to zero, and an epoch without a visit changes nothing. With a cap no more than
so many visits count.

Sources: the rule is after GRESO, arXiv:2506.02177, in a form of this project's; all results are this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["expected_wait", "idle_probability", "visit_probability", "visit_share"]


def idle_probability(pass_rate: ArrayLike, group_size: ArrayLike) -> FloatArray:
    """Return q = p^G + (1 − p)^G, the probability that all G answers are right or all are wrong.

    Parameters
    ----------
    pass_rate : (...) array
        p in [0, 1].
    group_size : (...) array
        G ≥ 1, whole.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p = _domain.interval("pass_rate", pass_rate, 0, 1, "[]")
    p, G = _domain.broadcast(pass_rate=p, group_size=_domain.integers("group_size", group_size, 1))
    return np.asarray(p**G + (1 - p) ** G)[()]


def visit_probability(n_idle: ArrayLike, exploration: ArrayLike, longest: ArrayLike = np.inf) -> FloatArray:
    """Return ξ^min(z, m), with which a prompt is sampled in an epoch after z idle visits in a row.

    Parameters
    ----------
    n_idle : (...) array
        z ≥ 0, whole.
    exploration : (...) array
        ξ in (0, 1]; 1 skips nothing.
    longest : (...) array
        m ≥ 0, whole or infinite: how many idle visits count at most.
    """
    z, e, m = _domain.broadcast(
        n_idle=_domain.integers("n_idle", n_idle, 0), exploration=_exploration(exploration), longest=_longest(longest)
    )
    return np.asarray(e ** np.minimum(z, m))[()]


def visit_share(idle: ArrayLike, exploration: ArrayLike, longest: ArrayLike = np.inf) -> FloatArray:
    """Return the share of epochs in which a prompt is sampled in the long run, and of its signal that is left.

    1/(S + (q/ξ)^m), S = (1 − q)(1 − (q/ξ)^m)/(1 − q/ξ); without a cap (1 − q/ξ)/(1 − q), and 0 for q ≥ ξ: such a
    prompt is visited ever more rarely.

    Parameters
    ----------
    idle : (...) array
        q in [0, 1], from :func:`idle_probability`.
    exploration, longest
        As in :func:`visit_probability`.
    """
    q, e, m = _domain.interval("idle", idle, 0, 1, "[]"), _exploration(exploration), _longest(longest)
    q, e, m = _domain.broadcast(idle=q, exploration=e, longest=m)
    capped = np.isfinite(m)
    steps = np.where(capped, m, 0.0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        log_ratio = np.log1p((q - e) / e)  # of q/ξ: near one the difference is exact
        last = np.where(steps == 0, 1.0, np.exp(steps * log_ratio))
        terms = np.expm1(steps * log_ratio) / np.where(log_ratio == 0, 1.0, np.expm1(log_ratio))
        terms = np.where(log_ratio == 0, steps, np.where(steps == 0, 0.0, terms))  # Σ (q/ξ)^z below the cap
        share = np.where(capped, 1 / ((1 - q) * terms + last), (e - q) / (e * (1 - q)))
    share = np.where(capped & (q == 1), e**steps, share)  # there Σ may be infinite, times zero
    starved = ~capped & (q >= e)
    return np.asarray(np.where(starved, np.where(e == 1, 1.0, 0.0), share))[()]


def expected_wait(n_epochs: ArrayLike, exploration: ArrayLike) -> FloatArray:
    """Return the expected epochs to the next visit of a prompt that had no spread for T epochs: 1 + T(1 − ξ)/ξ.

    Without a cap. A prompt that starts to teach something waits about as long as it had taught nothing.

    Parameters
    ----------
    n_epochs : (...) array
        T ≥ 0, whole, from a prompt without history on.
    exploration : (...) array
        ξ in (0, 1].
    """
    T, e = _domain.broadcast(
        n_epochs=_domain.integers("n_epochs", n_epochs, 0), exploration=_exploration(exploration)
    )
    return np.asarray(1 + T * (1 - e) / e)[()]


def _exploration(value: ArrayLike) -> FloatArray:
    return _domain.interval("exploration", value, 0, 1, "(]")


def _longest(value: ArrayLike) -> FloatArray:
    array = _domain.interval("longest", value, 0, np.inf, "[]")
    return _domain.require("longest", array, array == np.floor(array), "an integer ≥ 0 or ∞")
