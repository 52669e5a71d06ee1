"""Simulation of the claim ``context-allocation``: samples over many contexts, averaged, against cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kondo_theory import contexts as closed
from simulations.checks import Context
from simulations.many_contexts import METHODS, Population, simulate_cosine, spread_population
from simulations.statistics import Simulated

__all__ = ["context_allocation"]

FloatArray = NDArray[np.float64]
Weights = Callable[..., FloatArray]

SAMPLES = {"smoke": 5_000, "quick": 20_000, "paper": 150_000}
GAP_RESOLUTION = 1e-4  # of one minus the cosine

POPULATIONS = (
    spread_population(-1.0, 1.5),
    spread_population(-1.0, 2.0, n_contexts=8, n_arms=2),
    spread_population(3.5, 0.5, n_contexts=6, n_arms=2, effort=4),  # all p_n near one: DG is farther than PG
)
TWO_GROUPS = Population("p = 0.1 (twice) and 0.35, K=2", np.array([0.1, 0.1, 0.35]), 2)


def context_allocation(
    context: Context, weights: Weights = closed.context_weights, methods: Mapping[str, int] = METHODS
) -> list[Simulated]:
    """Simulate the cosine to cross-entropy of PG, DG, zero price and the best price under three baselines.

    ``weights`` has the signature of :func:`kondo_theory.contexts.context_weights`; it and the methods of the kernel
    are parameters so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    seed = 60_000
    for population in POPULATIONS:
        for baseline in (0.5, "value", "confidence"):
            best = closed.best_price(population.p, population.n_arms, population.baselines(baseline))
            prices = dict.fromkeys((0.0, float(best.price)))
            for method, price in (("pg", 0.0), ("dg", 0.0), *(("kondo", price) for price in prices)):
                seed += 1
                rows.extend(_rows(population, method, baseline, price, weights, methods, seed, context))
    for price in _prices(TWO_GROUPS):
        seed += 1
        rows.extend(_rows(TWO_GROUPS, "kondo", 0.5, price, weights, methods, seed, context))
    return rows


def _prices(population: Population) -> list[float]:
    """Return one price below, between and above the delights of the population's groups, b = 1/2."""
    delight = np.unique(-0.5 * np.log(population.p))
    return [0.0, *(float(value) for value in (delight[1:] + delight[:-1]) / 2)]


def _rows(
    population: Population,
    method: str,
    baseline: float | str,
    price: float,
    weights: Weights,
    methods: Mapping[str, int],
    seed: int,
    context: Context,
) -> Iterator[Simulated]:
    """Yield the gap to cross-entropy, the backward rate, and the weight of the context that moves most."""
    predicted = np.asarray(weights(method, population.p, population.n_arms, baseline, price=price))
    n_samples = population.effort * SAMPLES[context.preset]
    gap, rate, found = simulate_cosine(population, methods[method], baseline, price, n_samples, seed, context.workers)
    name = f"{method} at λ={price:.3g}" if method == "kondo" else method
    point = f"{name}, b={baseline}, {population.name}"
    theory = float(closed.gap_to_cross_entropy(predicted, population.p, population.n_arms))
    yield Simulated(f"1 − cos of {point}", theory, gap.value, gap.standard_error, GAP_RESOLUTION)
    share = float((population.p * (predicted > 0)).mean()) if method == "kondo" else 1.0
    yield Simulated(f"backward rate of {point}", share, rate.value, rate.standard_error)
    moved = int(np.argmax((1 - population.p) * predicted))
    weight = found[moved]
    name = f"weight of p={population.p[moved]:.2g} under {point}"
    yield Simulated(name, float(predicted[moved]), weight.value, weight.standard_error)
