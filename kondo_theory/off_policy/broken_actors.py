"""Actors that are broken, and rewards that are corrupted: what PG, DG and zero price make of them, in closed form.

A share δ of the samples comes from actors that play ν, right with probability n; the others come from the learner π.

Sources: [DDG] I. Osband, "Delightful Distributed Policy Gradient", arXiv 2603.20521, Lemma 1 (the bound on the weight
of a failing action); the rest is this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["chi_square", "contaminated_pg_cosine", "failing_weight_bound", "imitation_floor", "mixed_behaviour"]


def mixed_behaviour(policy: ArrayLike, share: ArrayLike, actor: ArrayLike) -> FloatArray:
    """Return μ = (1 − δ)π + δν, (..., K): a share of the samples comes from actors that play ν.

    Parameters
    ----------
    policy, actor : (..., K) array
        π and ν.
    share : (...) array
        δ in [0, 1].

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    delta = _domain.interval("share", share, 0, 1, "[]")[..., None]
    return np.asarray((1 - delta) * _domain.policy(policy) + delta * _domain.distribution("actor", actor))


def chi_square(policy: ArrayLike, behaviour: ArrayLike) -> FloatArray:
    """Return χ²(π‖μ) = Σ_a π_a²/μ_a − 1, the variance of the importance weights; infinite where μ misses an arm.

    Parameters
    ----------
    policy, behaviour : (..., K) array
        π and μ.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    pi, mu = np.broadcast_arrays(_domain.policy(policy), _domain.distribution("behaviour", behaviour))
    missed = np.where(pi > 0, np.inf, 0.0)
    terms = np.where(mu > 0, (pi - mu) ** 2 / np.where(mu > 0, mu, 1.0), missed)  # the same sum, no cancellation
    return np.asarray(terms.sum(axis=-1))[()]


def contaminated_pg_cosine(
    p_error: ArrayLike,
    learner: ArrayLike,
    share: ArrayLike,
    actor: ArrayLike,
    baseline: ArrayLike,
    *,
    actor_correct: ArrayLike = 0.0,
) -> FloatArray:
    """Return the cosine of PG's mean gradient with ∇J in a tabular context with one correct arm.

    With A = ε(μ_y − bδ) and C = bδ(1 − n) it is (A‖v‖² + C v·v′)/(‖v‖·‖Av + Cv′‖), where v = e_y − q and v′ = e_y − ν
    have ‖v‖² = 1 + ‖q‖², v·v′ = 1 + q·ν. Where A ≥ 0 it is at least v·v′/(‖v‖‖v′‖) ≥ 1/2, whatever ε, δ and b.
    It is nan where the mean gradient is zero.

    Parameters
    ----------
    p_error : (...) array
        ε = 1 − π_y in (0, 1).
    learner, actor : (..., K − 1) array
        q and ν: how π, and the share of broken actors, divide their mistakes among the wrong arms.
    share : (...) array
        δ in [0, 1]: the other samples come from π.
    baseline : (...) array
        b in [0, 1).
    actor_correct : (...) array
        n in [0, 1]: how often the broken actors are right.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    error = _domain.interval("p_error", p_error, 0, 1, "()")
    q, nu = _domain.distribution("learner", learner), _domain.distribution("actor", actor)
    delta, n = (
        _domain.interval("share", share, 0, 1, "[]"),
        _domain.interval("actor_correct", actor_correct, 0, 1, "[]"),
    )
    b = _domain.interval("baseline", baseline, 0, 1, "[)")
    own, other, overlap = (1 + np.sum(x * y, axis=-1) for x, y in ((q, q), (nu, nu), (q, nu)))
    along = error * ((1 - delta) * (1 - error) + delta * n - b * delta)
    aside = b * delta * (1 - n)
    length = np.sqrt(along**2 * own + 2 * along * aside * overlap + aside**2 * other)
    return np.asarray((along * own + aside * overlap) / np.where(length > 0, np.sqrt(own) * length, np.nan))[()]


def imitation_floor(corruption: ArrayLike, share: ArrayLike, *, actor_correct: ArrayLike = 0.0) -> FloatArray:
    """Return the error ε* at which zero price stops learning, where unpaid arms pay with probability r.

    There π is the law of the paid arms: (1 − r)(1 − δ)ε² − [1 − (1 − r)δ(1 − n) − r(1 − δ)]ε + rδ(1 − n) = 0, the
    smaller root; for actors that are never right rδ/((1 − r)(1 − δ)), at most 1. It is 0 without corruption, and
    without broken actors, and depends neither on the baseline nor on the wrong arms.

    Parameters
    ----------
    corruption, share : (...) array
        r in [0, 1) and δ in [0, 1]; the other samples come from π.
    actor_correct : (...) array
        n in [0, 1]: how often the broken actors are right.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    r = _domain.interval("corruption", corruption, 0, 1, "[)")
    delta, n = (
        _domain.interval("share", share, 0, 1, "[]"),
        _domain.interval("actor_correct", actor_correct, 0, 1, "[]"),
    )
    right, wrong = (1 - r) * (1 - delta), r * delta * (1 - n)
    half = (right + wrong + delta * n) / 2
    # half² − right·wrong, written so that nothing cancels where the roots are near each other.
    root = np.sqrt((right - wrong) ** 2 / 4 + delta * n * (2 * (right + wrong) + delta * n) / 4)
    lower = half + root
    return np.asarray(np.where(wrong == 0, 0.0, wrong / np.where(lower > 0, lower, np.inf)))[()]


def failing_weight_bound(probability: ArrayLike, advantage: ArrayLike, temperature: ArrayLike = 1.0) -> FloatArray:
    """Return π^{|U|/η}, above DG's weight of an action that fails: σ(−|U|ℓ/η) < e^{−|U|ℓ/η} [DDG Lemma 1].

    It holds for every |U| ≥ 0. That the *square* of the weight is below π, so that failures add no more than the
    overlap Σ_a μ_aπ_a to the second moment, takes |U| ≥ η/2.

    Parameters
    ----------
    probability : (...) array
        π of the action in (0, 1].
    advantage, temperature : (...) array
        U ≤ 0, and η > 0.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    pi = _domain.interval("probability", probability, 0, 1, "(]")
    U = _domain.interval("advantage", advantage, -np.inf, 0, "(]")
    return np.asarray(pi ** (-U / _domain.interval("temperature", temperature, 0, np.inf, "()")))[()]
