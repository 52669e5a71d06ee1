"""Simulation of the claim ``context-allocation``: samples over many contexts, averaged, against cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kondo_theory import contexts as closed
from simulations.bandits.many_contexts import (
    METHODS,
    Population,
    cosine_difference,
    oracle,
    simulate_cosine,
    simulate_gradients,
    spread_population,
)
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import N_STANDARD_ERRORS, Simulated, Value

__all__ = ["context_allocation"]

FloatArray = NDArray[np.float64]
Weights = Callable[..., FloatArray]
Best = Callable[..., closed.BestPrice]

SAMPLES = {"smoke": 5_000, "quick": 20_000, "paper": 150_000}
GAP_RESOLUTION = 1e-4  # of one minus the cosine
DIFFERENCE_RESOLUTION = 1e-3  # of a cosine's difference; what is compared are its signs

POPULATIONS = (
    spread_population(-1.0, 1.5),
    spread_population(-1.0, 2.0, n_contexts=8, n_arms=2),
    spread_population(3.5, 0.5, n_contexts=6, n_arms=2, effort=4),  # all p_n near one: DG is farther than PG
)
# K varies: at equal p PG is exact and DG is not; then contexts whose w = ‖d‖² orders them otherwise than ε² does.
UNEQUAL_ARMS = Population("p = 0.5 twice, K=2 and 1000", np.array([0.5, 0.5]), np.array([2, 1000]), effort=16)
MIXED_ARMS = Population(
    "six contexts, K=2, 3, 50", np.array([0.1, 0.25, 0.35, 0.4, 0.6, 0.9]), np.array([50, 2, 3, 2, 50, 2])
)
N_RANDOM_SETS = 40
TWO_GROUPS = Population("p = 0.1 (twice) and 0.35, K=2", np.array([0.1, 0.1, 0.35]), 2, effort=2)


def context_allocation(
    context: Context,
    weights: Weights = closed.context_weights,
    methods: Mapping[str, int] = METHODS,
    best_price: Best = closed.best_price,
) -> list[Simulated]:
    """Simulate the cosine to cross-entropy of PG, DG, zero price and the best price under three baselines.

    The best price is compared with every other price and with other sets of contexts, one of them the best that the
    simulation itself can find. ``weights`` and ``best_price`` have the signatures of
    :mod:`kondo_theory.contexts`; they and the methods of the kernel are parameters so that wrong ones can be shown to
    fail.
    """
    rows: list[Simulated] = []
    seed = 60_000
    for population in (*POPULATIONS, MIXED_ARMS):
        for baseline in (0.5, "value", "confidence"):
            best = best_price(population.p, population.n_arms, population.baselines(baseline))
            prices = dict.fromkeys((0.0, float(best.price)))
            for method, price in (("pg", 0.0), ("dg", 0.0), *(("kondo", price) for price in prices)):
                seed += 1
                rows.extend(_rows(population, method, baseline, price, weights, methods, seed, context))
    for price in _prices(TWO_GROUPS):
        seed += 1
        rows.extend(_rows(TWO_GROUPS, "kondo", 0.5, price, weights, methods, seed, context))
    for method in ("pg", "dg"):
        seed += 1
        rows.extend(_rows(UNEQUAL_ARMS, method, 0.5, 0.0, weights, methods, seed, context))
    for population in (*POPULATIONS, MIXED_ARMS, TWO_GROUPS):
        seed += 1
        rows.extend(_against_others(population, weights, methods["kondo"], best_price, seed, context))
    return rows


def _against_others(
    population: Population, weights: Weights, gate: int, best_price: Best, seed: int, context: Context
) -> Iterator[Simulated]:
    """Yield how much closer the best price is than its neighbours, and how many sets of contexts are closer still.

    Constant baseline. A set keeps the right arms of its contexts: zero price, simulated on the same samples, with the
    other contexts' blocks left out. The claim is that none is closer, so the count is a test of the theory's best
    price and not of its arithmetic.
    """
    best = best_price(population.p, population.n_arms, 0.5)
    size = population.effort * SAMPLES[context.preset]
    setting = (size, seed, context.workers)
    chosen, _ = simulate_gradients(population, gate, 0.5, float(best.price), *setting)
    blocks, _ = simulate_gradients(population, gate, 0.5, 0.0, *setting)
    keeps = -0.5 * np.log(population.p) > float(best.price)
    prices = list(_prefixes(population))
    differences = [
        cosine_difference(population, chosen, blocks * kept[:, None])
        for kept in (*prices, *_random_sets(population, seed))
    ]
    for kept, found in zip(prices, differences[: len(prices)], strict=True):
        if abs(int(kept.sum()) - int(keeps.sum())) == 1:
            c = weights("kondo", population.p, population.n_arms, 0.5, price=0.0)
            gaps = [
                float(closed.gap_to_cross_entropy(np.where(inside, c, 0.0), population.p, population.n_arms))
                for inside in (keeps, kept)
            ]
            name = f"cos at the best price less that of {kept.sum()} contexts, b=0.5, {population.name}"
            error = found.standard_error
            at: dict[str, Value] = {"contexts": int(kept.sum()), "b": 0.5, **_point(population)}
            yield Simulated(name, gaps[1] - gaps[0], found.value, error, DIFFERENCE_RESOLUTION, at)
    half = len(blocks) // 2
    searched = _search(population, blocks[:half])
    differences.append(cosine_difference(population, chosen[half:], blocks[half:] * searched[:, None]))
    closer = sum(found.value < -N_STANDARD_ERRORS * found.standard_error - 1e-12 for found in differences)
    name = f"sets closer to cross-entropy than the best price's, of {len(differences)}, b=0.5, {population.name}"
    at = {"sets": len(differences), "b": 0.5, **_point(population)}
    yield Simulated(name, 0.0, float(closer), 0.0, parameters=at)


def _point(population: Population) -> dict[str, Value]:
    """Return p and K of all contexts, and the normal law of their log-odds if they have one."""
    arms = population.arms.tolist()
    n_arms = arms[0] if len(set(arms)) == 1 else tuple(arms)
    return {"p": tuple(population.p.tolist()), "K": n_arms, **population.log_odds}


def _prefixes(population: Population) -> Iterator[NDArray[np.bool_]]:
    """Yield the sets of contexts that the prices make."""
    for limit in np.unique(population.p):
        yield population.p <= limit


def _random_sets(population: Population, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield random sets of contexts, none empty."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    for _ in range(N_RANDOM_SETS):
        kept = rng.random(population.p.size) < rng.random()
        kept[rng.integers(kept.size)] = True
        yield kept


def _search(population: Population, blocks: FloatArray) -> NDArray[np.bool_]:
    """Return the set of contexts whose simulated gradient is closest to cross-entropy's, of all 2^N − 1."""
    n, n_contexts = len(blocks), population.p.size
    along = np.einsum("rnk,nk->n", blocks, oracle(population)) / n
    total = blocks.sum(axis=0)
    length = ((total**2).sum(axis=1) - (blocks**2).sum(axis=(0, 2))) / (n * (n - 1))
    sets = (np.arange(1, 2**n_contexts)[:, None] >> np.arange(n_contexts)) & 1 == 1
    cosine = (sets @ along) / np.sqrt(np.maximum(sets @ length, 1e-300))
    return np.asarray(sets[int(np.argmax(cosine))])


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
    at: dict[str, Value] = {"method": method, "b": baseline, **_point(population)}
    if method == "kondo":
        at["λ"] = price
    yield Simulated(f"1 − cos of {point}", theory, gap.value, gap.standard_error, GAP_RESOLUTION, at)
    share = float((population.p * (predicted > 0)).mean()) if method == "kondo" else 1.0
    yield Simulated(f"backward rate of {point}", share, rate.value, rate.standard_error, parameters=at)
    moved = int(np.argmax((1 - population.p) * predicted))
    weight = found[moved]
    name = f"weight of p={population.p[moved]:.2g} under {point}"
    at["p of the context"] = float(population.p[moved])
    yield Simulated(name, float(predicted[moved]), weight.value, weight.standard_error, parameters=at)
