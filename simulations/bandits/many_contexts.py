"""Samples over many contexts, averaged, against the gradient of cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.contexts import spread_probabilities
from kondo_theory.words import unhandled
from simulations.bandits.estimates import cosine_of_mean, cosine_pseudovalues
from simulations.bandits.kernels import contexts as kernels
from simulations.bandits.simulation import Estimate
from simulations.randomness.streams import IntArray, in_chunks, replicate_states

__all__ = [
    "METHODS",
    "Population",
    "cosine_difference",
    "oracle",
    "simulate_cosine",
    "simulate_gradients",
    "spread_population",
]

FloatArray = NDArray[np.float64]

METHODS: Mapping[str, int] = {"pg": kernels.PG, "dg": kernels.DG, "kondo": kernels.KONDO}
N_REPLICATES = 64
TEMPERATURE = 1.0
"""η of DG."""


@dataclass(frozen=True, eq=False)
class Population:
    """Contexts: p_n, shape (N,), one K or K_n, shape (N,), and how many times the usual samples they need."""

    name: str
    p: FloatArray
    n_arms: int | IntArray
    effort: int = 1

    @property
    def arms(self) -> IntArray:
        """K_n, shape (N,)."""
        return np.full(self.p.shape, self.n_arms, dtype=np.int64)

    def baselines(self, baseline: float | str) -> FloatArray:
        """Return b_n, shape (N,)."""
        if baseline == "value":
            return self.p
        if baseline == "confidence":
            return self.p**2 + (1 - self.p) ** 2 / (self.arms - 1)
        if isinstance(baseline, str):
            raise unhandled("baseline", baseline, ("value", "confidence"))
        return np.full_like(self.p, float(baseline))


def spread_population(
    centre: float, spread: float, n_contexts: int = 12, n_arms: int = 10, effort: int = 1
) -> Population:
    """Return contexts whose log-odds of success are the quantiles of a normal law, mean and deviation given."""
    p = spread_probabilities(centre, spread, n_contexts)
    return Population(f"log-odds {centre:g} ± {spread:g}, K={n_arms}", p, n_arms, effort)


def simulate_gradients(
    population: Population, method: int, baseline: float | str, price: float, n_samples: int, seed: int, threads: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean gradients, (64, N, max K_n), and backward rates, (64,), of independent replicates.

    The draws depend on the seed alone: gates simulated from one seed decide on the same samples.
    """
    contexts = kernels.Contexts(population.p, population.arms, population.baselines(baseline).copy())
    return in_chunks(
        kernels.context_gradients,
        replicate_states(seed, N_REPLICATES),
        threads,
        contexts,
        kernels.ContextGate(method, float(price), TEMPERATURE),
        n_samples,
    )


def oracle(population: Population) -> FloatArray:
    """Return cross-entropy's gradients d_n, (N, max K_n), zero beyond a context's own arms."""
    error, arms = 1 - population.p, population.arms
    vectors = np.where(np.arange(arms.max()) < arms[:, None], (-error / (arms - 1))[:, None], 0.0)
    vectors[:, 0] = error
    return vectors


def simulate_cosine(
    population: Population, method: int, baseline: float | str, price: float, n_samples: int, seed: int, threads: int
) -> tuple[Estimate, Estimate, list[Estimate]]:
    """Return one minus the cosine to cross-entropy, the backward rate, and the weights c_n, with standard errors."""
    gradients, kept = simulate_gradients(population, method, baseline, price, n_samples, seed, threads)
    direction = oracle(population)
    along = np.einsum("rnk,nk->rn", gradients, direction) / (direction**2).sum(axis=1)
    cosine = cosine_of_mean(gradients.reshape(len(gradients), -1), direction.ravel())
    return Estimate(1 - cosine.value, cosine.standard_error), Estimate.of(kept), [Estimate.of(c) for c in along.T]


def cosine_difference(population: Population, first: FloatArray, second: FloatArray) -> Estimate:
    """Return the first gradients' cosine to cross-entropy less the second's, paired by replicate: (R, N, K) each."""
    direction = oracle(population).ravel()
    values = [cosine_pseudovalues(found.reshape(len(found), -1), direction) for found in (first, second)]
    return Estimate.of(values[0] - values[1])
