"""Gates that decide sample by sample, simulated one sample at a time; also on data from another policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.bandits import kernels
from simulations.bandits.estimates import cosine_of_mean, of_means
from simulations.bandits.simulation import Context, Estimate, MomentsConfig, simulate_moments

__all__ = ["ActorSamples", "Decision", "PaidArms", "SampleMoments", "actor_samples", "decide", "sample_moments"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SampleMoments:
    """Of one sample's gradient g, zero if it is dropped.

    Attributes
    ----------
    signal, second : Estimate
        E g·u along the true gradient, and E‖g‖².
    cost_of_signal : Estimate
        ρE‖g‖²/(E g·u)².
    """

    signal: Estimate
    second: Estimate
    cost_of_signal: Estimate


def sample_moments(context: Context, n_samples: int, seed: int, n_threads: int = 1) -> SampleMoments:
    """Simulate so many samples, a multiple of 200."""
    n_each = n_samples // 200
    found = simulate_moments(MomentsConfig(context, 1, n_each, 200, seed, n_threads=n_threads)).statistics
    kept, signal = found[:, kernels.KEPT], found[:, kernels.SIGNAL]
    spread = found[:, kernels.SIGNAL_VARIANCE] * (n_each - 1) / n_each
    second = signal**2 + spread + found[:, kernels.PERPENDICULAR_SQUARE]
    cost = of_means(_cost, kept, signal, second)
    return SampleMoments(Estimate.of(signal), Estimate.of(second), cost)


def _cost(rate: FloatArray, signal: FloatArray, second: FloatArray) -> FloatArray:
    """Return the cost of signal from the means of a sample."""
    return np.asarray(rate * second / signal**2)


@dataclass(frozen=True, eq=False)
class PaidArms:
    """One context, whose arms the learner would draw from π and actors draw from μ.

    Attributes
    ----------
    policy, behaviour, paid : (K,) array
        π, μ, and the probability that an arm is paid 1, else 0.
    baseline : float
        b.
    """

    policy: FloatArray
    behaviour: FloatArray
    paid: FloatArray
    baseline: float

    @property
    def chances(self) -> FloatArray:
        """Probability of each arm paid and unpaid, (2, K)."""
        return np.stack([self.behaviour * self.paid, self.behaviour * (1 - self.paid)])

    @property
    def advantages(self) -> FloatArray:
        """U of paid and of unpaid samples, (2, 1)."""
        return np.array([[1 - self.baseline], [-self.baseline]])


Decision = Callable[[PaidArms], tuple[FloatArray, FloatArray]]
"""Probabilities that paid and unpaid samples of each arm are kept, and the weights of the kept, (2, K) each."""


def decide(method: str, temperature: float = 1.0, rate: float = 1.0, surprisal: str = "learner") -> Decision:
    """Return what a method of :data:`kondo_theory.off_policy.moments.METHODS` decides, written out."""

    def decision(arms: PaidArms) -> tuple[FloatArray, FloatArray]:
        one = np.ones((2, len(arms.policy)))
        nats = -np.log(arms.policy if surprisal == "learner" else np.maximum(arms.behaviour, 1e-300))
        delight = arms.advantages * nats
        if method == "importance-weighted":
            return one, one * arms.policy / np.maximum(arms.behaviour, 1e-300)
        if method == "dg":
            return one, 1 / (1 + np.exp(-delight / temperature))
        if method == "zero-price":
            return np.where(delight > 0, 1.0, 0.0), one
        if method == "rate":
            order = np.argsort(-delight, axis=None, kind="stable")
            mass = arms.chances.ravel()[order]
            share = np.clip((rate - np.cumsum(mass) + mass) / np.maximum(mass, 1e-300), 0.0, 1.0)
            return share[np.argsort(order)].reshape(2, -1), one
        return one, one

    return decision


@dataclass(frozen=True, eq=False)
class ActorSamples:
    """Replicates of means over samples that actors drew.

    Attributes
    ----------
    gradients : (n_replicates, K) array
        Mean gradient in the learner's logits.
    along, squares, kept : (n_replicates,) array
        Mean of (g·u)² along the true gradient, mean of ‖g‖², and backward passes over samples.
    direction : (K,) array
        u.
    n_samples : int
        Samples of a replicate.
    """

    gradients: FloatArray
    along: FloatArray
    squares: FloatArray
    kept: FloatArray
    direction: FloatArray
    n_samples: int

    @property
    def cosine(self) -> Estimate:
        """Cosine of the mean gradient with the true one."""
        return cosine_of_mean(self.gradients, self.direction)

    @property
    def signal(self) -> Estimate:
        """Mean gradient along the true one."""
        return Estimate.of(self.gradients @ self.direction)

    @property
    def variances(self) -> tuple[Estimate, Estimate]:
        """Variance of one sample's gradient along the true one and across it."""
        signal = self.gradients @ self.direction
        unbiased = self.n_samples / (self.n_samples - 1)
        whole = (self.squares - (self.gradients**2).sum(axis=1)) * unbiased
        parallel = (self.along - signal**2) * unbiased
        return Estimate.of(parallel), Estimate.of(whole - parallel)


def actor_samples(
    arms: PaidArms, reward: FloatArray, decision: Decision, n_samples: int, n_replicates: int, seed: int
) -> ActorSamples:
    """Draw arms from μ, pay them, decide, average their gradients under π; u is that of the true ``reward``, (K,).

    Samples of one arm and payment are alike, so that their counts are drawn.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    keep, weight = decision(arms)
    drawn = rng.multinomial(n_samples, arms.chances.ravel(), size=n_replicates)
    kept = rng.binomial(drawn, keep.ravel()).reshape(n_replicates, 2, -1) / n_samples
    scores = np.eye(len(arms.policy)) - arms.policy
    true = (arms.policy * reward) @ scores
    direction = true / np.linalg.norm(true)
    coefficient = weight * arms.advantages
    gradients = np.einsum("rsk,sk->rk", kept, coefficient) @ scores
    along = np.einsum("rsk,sk->r", kept, (coefficient * (scores @ direction)) ** 2)
    squares = np.einsum("rsk,sk->r", kept, coefficient**2 * (scores**2).sum(axis=1))
    return ActorSamples(gradients, along, squares, kept.sum(axis=(1, 2)), direction, n_samples)
