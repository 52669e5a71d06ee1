"""The kinds of samples that there are, and what an estimate of the mean gradient does with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kondo_theory._domain import FloatArray
from kondo_theory.gate import delight
from kondo_theory.screening import kept_at_rate
from kondo_theory.words import Brief

__all__ = ["Samples", "Use"]


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Brief):
    """The kinds of samples that there are: K actions in each of n contexts.

    Attributes
    ----------
    policy, advantage, surprisal : (n, K) array
        π, U and −log π in nats; all contexts are equally frequent.
    inner : callable
        Of two arrays of weights (n, K): the inner product of the mean gradients that they leave.
    square : callable
        Of an array (n, K): its mean times ‖g‖².
    """

    policy: FloatArray
    advantage: FloatArray
    surprisal: FloatArray
    inner: Callable[[FloatArray, FloatArray], float]
    square: Callable[[FloatArray], float]

    @property
    def mass(self) -> FloatArray:
        """Probability of each kind, (n, K)."""
        return self.policy / len(self.policy)

    @property
    def delight(self) -> FloatArray:
        """U·ℓ, (n, K)."""
        return np.asarray(delight(self.advantage, self.surprisal, check=False))

    @property
    def score_length(self) -> FloatArray:
        """‖φ‖, the length of e_a − π, (n, K)."""
        others = np.sum(self.policy**2, axis=-1, keepdims=True) - self.policy**2
        return np.asarray(np.sqrt((1 - self.policy) ** 2 + np.maximum(others, 0.0)))

    @property
    def size(self) -> FloatArray:
        """|U|‖φ‖, (n, K)."""
        return np.asarray(np.abs(self.advantage) * self.score_length)

    def top(self, score: FloatArray, rate: float) -> FloatArray:
        """Return the probability, (n, K), to be among the top ρ of an infinite batch."""
        return kept_at_rate(self.mass.ravel(), score.ravel(), rate).reshape(score.shape)


@dataclass(frozen=True, eq=False, repr=False)
class Use(Brief):
    """What an estimate does with each kind of sample.

    Attributes
    ----------
    passes : (n, K) array
        Expected backward passes of a sample.
    first, second : (n, K) array
        Mean and mean square of its weight, samples independent of each other.
    drawn : (n, K) array of bool, optional
        The kinds among which a fixed number of draws is made, with replacement: from the covariance there goes
        E[first·g; drawn] times itself, over E[passes; drawn].
    advantage : (n, K) array, optional
        U, where the estimate has one of its own.
    """

    passes: FloatArray
    first: FloatArray
    second: FloatArray
    drawn: FloatArray | None = None
    advantage: FloatArray | None = None
