"""Simulations of what a backward pass buys: the frontier of prices and temperatures, exact-k against a price."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from kondo_theory.gate import kept_count
from kondo_theory.geometry.exact_rate import exact_rate_moments, price_weights, variance_gap
from kondo_theory.geometry.quality_cost import frontier
from kondo_theory.geometry.symmetric import pg_moments, symmetric_arms, symmetric_moments
from kondo_theory.moments import GradientMoments
from simulations.bandits import kernels
from simulations.bandits.estimates import cost_of_signal, noise_per_backward, of_means, total_variance
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import N_STANDARD_ERRORS, Simulated, Value

__all__ = ["ExactGate", "PricedGate", "exact_k_or_price", "quality_cost_frontier"]

PricedGate = Callable[[float, float], Gate]
"""The gate of a price and a temperature."""
ExactGate = Callable[[float], Gate]
"""The gate of a rate."""

BATCH_SIZE = 50
ZERO_RESOLUTION = 1e-9  # of variances claimed to vanish, in squared units of reward
PERPENDICULAR_RESOLUTION = 1e-3  # of Var_⊥, relative to PG's: a cold gate keeps a wrong sample in a million
# (K, p, b) and the (λ, η) traced: the price at one temperature, the temperature at price zero, and cold gates.
FRONTIER_GRID = {
    (10, 0.2, 0.5): (
        (-1.0, 0.5),
        (0.0, 0.5),
        (0.5, 0.5),
        (1.0, 0.5),
        (0.0, 0.1),
        (0.0, 2.0),
        (0.5, 0.0),
        (-2.0, 0.0),
    ),
    (100, 0.05, 0.1): ((-0.5, 0.3), (0.0, 0.3), (2.0, 0.3), (0.0, 3.0), (0.0, 0.0)),
    # Above b = 1/2 a higher price can raise the cost of signal, here from λ = −3 to −1, and heating can lower it.
    (2, 0.3, 0.9): ((-3.0, 0.5), (-1.0, 0.5), (0.0, 0.1), (0.0, 0.5), (0.0, 2.0), (0.0, 0.0)),
    # PG near its best baseline: less noise per backward pass than zero price, though a higher cost of signal.
    (10, 0.7, 0.14): ((-9.0, 0.0), (0.0, 0.0)),
    # Right and wrong samples carry one and the same gradient: PG has no noise.
    (2, 0.3, 0.7): ((-9.0, 0.0), (0.0, 0.0)),
}
# Steps of price, or of temperature at price zero, and how many of them raise the cost of signal: for b ≤ 1/2 no
# step of the price and every step of the temperature.
PATHS = (
    ((10, 0.2, 0.5), ((-1.0, 0.5), (0.0, 0.5), (0.5, 0.5), (1.0, 0.5)), 0),
    ((10, 0.2, 0.5), ((0.0, 0.1), (0.0, 0.5), (0.0, 2.0)), 2),
    ((100, 0.05, 0.1), ((-0.5, 0.3), (0.0, 0.3), (2.0, 0.3)), 0),
    ((100, 0.05, 0.1), ((0.0, 0.0), (0.0, 0.3), (0.0, 3.0)), 2),
    ((2, 0.3, 0.9), ((-3.0, 0.5), (-1.0, 0.5)), 1),
    ((2, 0.3, 0.9), ((0.0, 0.0), (0.0, 0.1), (0.0, 0.5), (0.0, 2.0)), 1),
)
# (K, p, b, ρ) on both sides of p, on it, and where exact-k is the noisier; ρ·20 is whole.
EXACT_GRID = (
    (10, 0.5, 0.25, 0.25),
    (10, 0.5, 0.25, 0.75),
    (10, 0.5, 0.9, 0.55),
    (2, 0.3, 0.5, 0.3),
    (100, 0.1, 0.5, 0.2),
)
EXACT_BATCHES, LARGE_BATCH = (20, 40), 4_000


def priced(price: float, temperature: float) -> Gate:
    """Return the Bernoulli gate at a price and a temperature."""
    return Gate("price", price=price, temperature=temperature)


def quality_cost_frontier(context: Context, gate: PricedGate = priced) -> list[Simulated]:
    """Simulate Bernoulli gates along the price and the temperature and compare with the closed form of the frontier.

    The last rows count the steps of a path that raise the cost of signal, measured against measured. ``gate`` is a
    parameter so that a wrong one can be shown to fail.
    """
    replicates = {"smoke": 1_000, "quick": 4_000, "paper": 40_000}[context.preset]
    rows: list[Simulated] = []
    costs: dict[tuple[tuple[int, float, float], tuple[float, float]], Simulated] = {}
    at: dict[str, Value]
    settings = [(arms, at) for arms, places in FRONTIER_GRID.items() for at in places]
    for seed, ((n_arms, p, b), (price, temperature)) in enumerate(settings):
        exact = frontier(*symmetric_arms(n_arms, p, b), price, temperature)
        bandit = Bandit.symmetric(p, n_arms, b, gate(price, temperature))
        config = MomentsConfig(bandit, BATCH_SIZE, 200, replicates, seed, n_threads=context.workers)
        point = f"K={n_arms}, p={p:g}, b={b:g}, λ={price:g}, η={temperature:g}"
        at = {"K": n_arms, "p": p, "b": b, "λ": price, "η": temperature}
        estimates = simulate_moments(config)
        rows.extend(_moment_rows(point, at, exact.moments, estimates, ZERO_RESOLUTION, _across(n_arms, p, b)))
        rate = float(exact.backward_rate)
        found = estimates.backward_rate
        name = f"backward rate at {point}"
        rows.append(Simulated(name, rate, found.value, found.standard_error, parameters=at))
        cost, noise = _cost_rows(point, at, rate, exact.moments, estimates)
        costs[(n_arms, p, b), (price, temperature)] = cost
        rows += [cost, noise]
    for (n_arms, p, b), path, raised in PATHS:
        steps = [(costs[(n_arms, p, b), at], costs[(n_arms, p, b), to]) for at, to in itertools.pairwise(path)]
        rises = [_rises(*step) for step in steps]
        name = (
            f"steps that raise the cost of signal, K={n_arms}, p={p:g}, b={b:g}, (λ, η) from {path[0]} to {path[-1]}"
        )
        unsure = rises.count(None)  # leaves the row undecided
        at = {"K": n_arms, "p": p, "b": b}
        at |= {"λ start": path[0][0], "η start": path[0][1], "λ end": path[-1][0], "η end": path[-1][1]}
        rows.append(Simulated(name, float(raised), float(rises.count(True)), float(unsure), parameters=at))
    return rows


def _rises(before: Simulated, after: Simulated) -> bool | None:
    """Return whether the estimate rises, or None where it moves by 4 standard errors or less."""
    rise = after.estimate - before.estimate
    error = N_STANDARD_ERRORS * math.hypot(before.standard_error, after.standard_error)
    return None if abs(rise) <= error else rise > 0


def _across(n_arms: int, p: float, baseline: float) -> float:
    """Return the resolution of Var_⊥, for gates that keep almost no wrong sample."""
    return ZERO_RESOLUTION + PERPENDICULAR_RESOLUTION * float(pg_moments(p, n_arms, baseline).var_perpendicular)


def _moment_rows(
    point: str,
    at: Mapping[str, Value],
    exact: GradientMoments,
    estimates: MomentEstimates,
    along: float,
    across: float,
) -> Iterator[Simulated]:
    """Yield signal and variances per sample; ``along`` and ``across`` are the resolutions of Var_∥ and Var_⊥."""
    pairs = (
        ("E[g]·u", exact.signal, estimates.signal, 0.0),
        ("Var_∥", exact.var_parallel, estimates.var_parallel, along),
        ("Var_⊥", exact.var_perpendicular, estimates.var_perpendicular, across),
    )
    for name, value, found, allowed in pairs:
        yield Simulated(f"{name} at {point}", _clean(float(value)), found.value, found.standard_error, allowed, at)


def _clean(value: float) -> float:
    """Return a variance, with what is left of an exact zero after rounding taken for zero."""
    return 0.0 if abs(value) < 1e-15 else value


def _cost_rows(
    point: str, at: Mapping[str, Value], rate: float, exact: GradientMoments, estimates: MomentEstimates
) -> Iterator[Simulated]:
    """Yield the cost of signal c and the noise per backward pass c − ρ, each from three means."""
    kept, signal = estimates.statistics[:, kernels.KEPT] / BATCH_SIZE, estimates.statistics[:, kernels.SIGNAL]
    found = total_variance(estimates, BATCH_SIZE)
    exact_variance = np.asarray(exact.var_parallel + exact.var_perpendicular)
    for name, statistic, resolution in (
        ("cost of signal", cost_of_signal, 0.0),
        ("noise per backward pass", noise_per_backward, ZERO_RESOLUTION),
    ):
        predicted = float(statistic(np.asarray(rate), np.asarray(exact.signal), exact_variance))
        estimate = of_means(statistic, kept, signal, found)
        row = f"{name} at {point}", _clean(predicted), estimate.value, estimate.standard_error, resolution
        yield Simulated(*row, at)


def by_rank(rate: float) -> Gate:
    """Return the gate that keeps exactly k = ρB samples of highest delight."""
    return Gate("rate", rate=rate)


def exact_k_or_price(context: Context, gate: ExactGate = by_rank) -> list[Simulated]:
    """Simulate exactly-k selection and the price gate of the same rate, at finite B and where B is large.

    At B = 4,000 signal and B·Var_⊥ are compared with the price gate's, and the gap in B·Var_∥ with its limit; off
    ρ = p they are extrapolated with an error below 1e-8. Variances are resolved to 1 % of the price gate's
    along ∇J and 0.1 % of PG's across it: exact-k's own can be orders of magnitude smaller. ``gate`` is a parameter so
    that a wrong one can be shown to fail.
    """
    replicates = {"smoke": 500, "quick": 2_000, "paper": 20_000}[context.preset]
    rows: list[Simulated] = []
    for index, (n_arms, p, b, rate) in enumerate(EXACT_GRID):
        point = f"K={n_arms}, p={p:g}, b={b:g}, ρ={rate:g}"
        at: dict[str, Value] = {"K": n_arms, "p": p, "b": b, "ρ": rate}
        bandits = Bandit.symmetric(p, n_arms, b, gate(rate)), Bandit.priced_at_rate(p, n_arms, b, rate)
        price = symmetric_moments(p, n_arms, b, *price_weights(p, rate), bernoulli=True)
        resolutions = (0.01 * float(price.var_parallel), _across(n_arms, p, b))
        found = {
            (size, which): simulate_moments(
                MomentsConfig(bandit, size, 200, replicates, 2 * index + which, n_threads=context.workers)
            )
            for size in (*EXACT_BATCHES, LARGE_BATCH)
            for which, bandit in enumerate(bandits)
            if which == 0 or size != EXACT_BATCHES[1]
        }
        for size in EXACT_BATCHES:
            exact = exact_rate_moments(p, n_arms, b, size, kept_count(rate, size))
            where = at | {"gate": "exact k", "B": size}
            rows.extend(_moment_rows(f"{point}, exact k, B={size}", where, exact, found[size, 0], *resolutions))
        where = at | {"gate": "price", "B": EXACT_BATCHES[0]}
        rows.extend(_moment_rows(f"{point}, price, B=20", where, price, found[EXACT_BATCHES[0], 1], *resolutions))
        if rate != p:
            rows.extend(_limit_rows(point, p, price, found[LARGE_BATCH, 0], found[LARGE_BATCH, 1], (n_arms, b, rate)))
    return rows


def _limit_rows(
    point: str,
    p: float,
    price: GradientMoments,
    exact: MomentEstimates,
    drawn: MomentEstimates,
    setting: tuple[int, float, float],
) -> Iterator[Simulated]:
    """Yield what agrees with the price gate at large B, and the gap that remains in B·Var_∥."""
    n_arms, b, rate = setting
    gap = float(variance_gap(p, n_arms, b, rate))
    name = f"{point}, B={LARGE_BATCH}"
    at: dict[str, Value] = {"K": n_arms, "p": p, "b": b, "ρ": rate, "B": LARGE_BATCH}
    for quantity, value, found in (
        ("exact-k's E[g]·u, the price gate's", price.signal, exact.signal),
        ("exact-k's B·Var_⊥, the price gate's", price.var_perpendicular, exact.var_perpendicular),
    ):
        row = f"{quantity} at {name}", float(value), found.value, found.standard_error, ZERO_RESOLUTION
        yield Simulated(*row, at | {"gate": "exact k"})
    difference = drawn.var_parallel.value - exact.var_parallel.value
    error = float(np.hypot(drawn.var_parallel.standard_error, exact.var_parallel.standard_error))
    resolution = 0.01 * float(price.var_parallel)
    at |= {"gate": "price", "against": "exact k"}
    yield Simulated(f"B·Var_∥, price less exact k, at {name}", gap, difference, error, resolution, at)
