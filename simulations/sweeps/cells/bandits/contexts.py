"""Many contexts at once: how close each method's mean gradient comes to cross-entropy's."""

from __future__ import annotations

from typing import Literal

from kondo_theory.contexts import best_price, context_weights, gap_to_cross_entropy
from kondo_theory.words import choice
from simulations.bandits.many_contexts import METHODS, simulate_cosine, spread_population
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, NonNegative, Seed

__all__ = ["context_cosine"]


def context_cosine(
    *,
    method: Literal["pg", "dg", "zero-price", "best-price"],
    baseline: Literal["constant", "value", "confidence"] = "constant",
    constant_baseline: Fraction = 0.5,
    centre: float = -0.5,
    spread: NonNegative = 1.0,
    n_contexts: Count = 12,
    n_arms: Arms = 10,
    n_samples: Count = 5_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return the cosine with cross-entropy's mean gradient, its gap from one, and the backward rate; DG at η = 1.

    Parameters
    ----------
    method : str
        Policy gradient, DG, the gate at price zero, or at the price with the highest cosine.
    baseline, constant_baseline : str, float
        b_n; ``constant_baseline`` counts if it is constant.
    centre, spread : float
        Mean and deviation of the contexts' log-odds of success, nats, at the quantiles of a normal law.
    n_contexts, n_arms : int
        N and K, the same in every context.
    n_samples, seed : int
        Samples a context in each of 64 replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    population = spread_population(centre, spread, n_contexts, n_arms)
    choice("baseline", baseline, ("constant", "value", "confidence"))
    b: float | str = constant_baseline if baseline == "constant" else baseline
    price = 0.0
    if method == "best-price":
        price = float(best_price(population.p, n_arms, population.baselines(b)).price)
    kinds = {"pg": "pg", "dg": "dg", "zero-price": "kondo", "best-price": "kondo"}
    kind = kinds[choice("method", method, kinds)]
    weights = context_weights(kind, population.p, n_arms, population.baselines(b), price=price)
    gap, rate, _ = simulate_cosine(population, METHODS[kind], b, price, n_samples, stream, 1)
    claimed = float(gap_to_cross_entropy(weights, population.p, n_arms))
    share = float((population.p * (weights > 0)).mean()) if kind == "kondo" else 1.0
    return [
        row("cosine", 1 - claimed, Estimate(1 - gap.value, gap.standard_error)),
        row("cosine gap", claimed, gap),
        row("backward rate", share, rate),
    ]
