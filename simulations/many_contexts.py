"""Samples over many contexts, averaged, against the gradient of cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.contexts import spread_probabilities
from kondo_theory.words import unhandled
from simulations import context_kernels as kernels
from simulations.bandits import Estimate
from simulations.estimates import cosine_of_mean
from simulations.streams import in_chunks, replicate_states

__all__ = ["METHODS", "Population", "simulate_cosine", "spread_population"]

FloatArray = NDArray[np.float64]

METHODS: Mapping[str, int] = {"pg": kernels.PG, "dg": kernels.DG, "kondo": kernels.KONDO}


@dataclass(frozen=True, eq=False)
class Population:
    """Contexts with K arms each: p_n, shape (N,), and how many times the usual number of samples they need."""

    name: str
    p: FloatArray
    n_arms: int
    effort: int = 1

    def baselines(self, baseline: float | str) -> FloatArray:
        """Return b_n, shape (N,)."""
        if baseline == "value":
            return self.p
        if baseline == "confidence":
            return self.p**2 + (1 - self.p) ** 2 / (self.n_arms - 1)
        if isinstance(baseline, str):
            raise unhandled("baseline", baseline, ("value", "confidence"))
        return np.full_like(self.p, float(baseline))


def spread_population(
    centre: float, spread: float, n_contexts: int = 12, n_arms: int = 10, effort: int = 1
) -> Population:
    """Return contexts whose log-odds of success are the quantiles of a normal law, mean and deviation given."""
    p = spread_probabilities(centre, spread, n_contexts)
    return Population(f"log-odds {centre:g} ± {spread:g}, K={n_arms}", p, n_arms, effort)


def simulate_cosine(
    population: Population, method: int, baseline: float | str, price: float, n_samples: int, seed: int, threads: int
) -> tuple[Estimate, Estimate, list[Estimate]]:
    """Return one minus the cosine to cross-entropy, the backward rate, and the weights c_n, with standard errors."""
    gradients, kept = in_chunks(
        kernels.context_gradients,
        replicate_states(seed, 64),
        threads,
        population.p,
        population.n_arms,
        population.baselines(baseline).copy(),
        method,
        price,
        1.0,
        n_samples,
    )
    error = 1 - population.p
    oracle = np.repeat(-error[:, None] / (population.n_arms - 1), population.n_arms, axis=1)
    oracle[:, 0] = error
    along = np.einsum("rnk,nk->rn", gradients, oracle) / (oracle**2).sum(axis=1)
    cosine = cosine_of_mean(gradients.reshape(len(gradients), -1), oracle.ravel())
    return Estimate(1 - cosine.value, cosine.standard_error), Estimate.of(kept), [Estimate.of(c) for c in along.T]
