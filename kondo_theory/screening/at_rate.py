"""What each screening rule keeps of a context at a given rate. Source: this project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.quality_cost import efficiency_per_backward, surprisal
from kondo_theory.moments import GradientMoments, gradient_moments
from kondo_theory.screening.registry import Rule
from kondo_theory.screening.rules import score_function
from kondo_theory.words import Brief

__all__ = ["Screened", "kept_at_rate", "screen_context"]


@dataclass(frozen=True, eq=False, repr=False)
class Screened(Brief):
    """What a rule keeps of one context at a rate, as B → ∞.

    Attributes
    ----------
    keep : (..., K) array
        Probability that a sample of each arm is kept.
    backward_rate : (...) array
        Σ_a π_a keep_a: the rate asked for, or less where scores of −∞ leave too few.
    composition : (..., K) array
        Shares of the arms in what is kept, nan where nothing is.
    moments : GradientMoments
        Signal and noise per forward sample, along and across ∇J.
    """

    keep: FloatArray
    backward_rate: FloatArray
    composition: FloatArray
    moments: GradientMoments

    def efficiency_per_backward(self, n_backward: ArrayLike) -> FloatArray:
        """Efficiency of as many forward samples as cost ``n_backward`` > 0 backward passes on average."""
        return efficiency_per_backward(self.moments, self.backward_rate, n_backward)


def screen_context(
    policy: ArrayLike, advantage: ArrayLike, rule: str | Rule, rate: ArrayLike, **parameters: float
) -> Screened:
    """Return what a rule keeps of a context at rate ρ, and the gradient that is left [this project].

    Samples are kept independently with the probabilities of the limit B → ∞; exactly-k selection in a finite batch
    couples them, which is another object.

    Parameters
    ----------
    policy, advantage : (..., K) array
        π and U; each context of the leading axes is screened by itself.
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or any function like them.
    rate : (...) array
        ρ in (0, 1].
    **parameters
        The rule's own, such as ``alpha``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    score_of = score_function(rule, of_groups=False)
    pi = _domain.policy(policy)
    pi, U = _domain.broadcast(policy=pi, advantage=_domain.finite("advantage", advantage))
    entropy = np.broadcast_to(np.sum(entr(pi), axis=-1, keepdims=True), pi.shape)
    keep = kept_at_rate(pi, score_of(U, surprisal(pi), entropy, **parameters), rate)
    pi, U = np.broadcast_to(pi, keep.shape), np.broadcast_to(U, keep.shape)
    kept = np.sum(pi * keep, axis=-1)
    composition = pi * keep / np.where(kept > 0, kept, np.nan)[..., None]
    return Screened(keep, kept[()], composition, gradient_moments(pi, U, keep, keep))


def kept_at_rate(policy: ArrayLike, score: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the probability (..., K) that a sample of each arm is among the top ρ of an infinite batch.

    Ties at the price are kept in proportion, as random tie-breaking does. A score of −∞ is never kept. Arms of
    probability zero are never sampled; one has the limit of a rare arm's value: 1 if what outranks it leaves room.

    Parameters
    ----------
    policy, score : (..., K) array
        π and the score of each arm.
    rate : (...) array
        ρ in (0, 1], broadcast against the leading axes.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or a score is nan.
    """
    pi = _domain.policy(policy)
    values = _domain.real("score", score)
    _domain.require("score", values, ~np.isnan(values), "a number")
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    pi, values, rho = _domain.broadcast(policy=pi, score=values, rate=rho[..., None])
    shape, rho = pi.shape, rho[..., 0]
    keep = np.empty(shape)
    for place in np.ndindex(shape[:-1]):
        levels, group = np.unique(-values[place], return_inverse=True)  # best first
        mass = np.bincount(group, weights=pi[place])
        before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
        left = rho[place] - before
        share = np.where(
            mass > 0, np.clip(left / np.where(mass > 0, mass, 1.0), 0.0, 1.0), (left > 0) | (rho[place] == 1)
        )
        keep[place] = np.where(levels == np.inf, 0.0, share)[group]
    return keep
