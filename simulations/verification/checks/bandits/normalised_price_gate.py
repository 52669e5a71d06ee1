"""The simulation of the claim normalised-price-gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import gate_probability, kept_count, select
from kondo_theory.geometry.normal_rewards import normal_exact_moments, normal_kept, normal_price
from kondo_theory.geometry.normalised import KeptGradient, normalised_moments, price_moments
from kondo_theory.moments import GradientMoments
from simulations.bandits.noisy_rewards import BatchNoise, Keep, NoisyArms, batch_noise, kept_sums
from simulations.bandits.simulation import Estimate
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["normalised_price_gate"]

FloatArray = NDArray[np.float64]
Divided = Callable[[KeptGradient, int], GradientMoments]
"""The closed form of the sum divided by the kept."""
Divisor = Callable[[NDArray[np.int64], float, int], NDArray[np.float64]]
"""What a price gate's sums are divided by, from the numbers kept, the rate and the batch size."""

# Rewards and rates at which exact k is between the two, is the noisier, and at which dividing does not pay.
GRID = (
    (NoisyArms(5, 0.15, 0.5, 0.2), 0.1, 100),
    (NoisyArms(3, 0.2, 0.5, 0.2), 0.3, 50),
    (NoisyArms(5, 0.3, 0.5, 1.0), 0.1, 20),
    (NoisyArms(10, 0.1, 0.3, 0.5), 0.03, 100),
    (NoisyArms(3, 0.2, 0.5, 0.5), 0.1, 200),
)
RESOLUTION = 0.04  # of a signal relative to itself, of variances relative to all of the price gate's


def by_the_kept(counts: NDArray[np.int64], rate: float, batch_size: int) -> FloatArray:
    """Return K/ρ, which makes the mean that of the price gate; a batch that keeps nothing has no sum to divide."""
    return np.maximum(counts, 1) / rate


def normalised_price_gate(
    context: Context,
    formula: Divided = normalised_moments,
    divisor: Divisor = by_the_kept,
    best: Callable[[float], Keep] | None = None,
) -> list[Simulated]:
    """Simulate the price gate, exactly k, and the price gate's sum divided by the kept, on the same batches.

    Signal and variances along the mean gradient and across it, and the differences from the price gate, beside the
    closed forms at this very B, whose limits take no sampling. ``formula``, ``divisor`` and ``best`` are parameters
    so that wrong ones can be shown to fail.
    """
    n_batches = {"smoke": 4_000, "quick": 60_000, "paper": 600_000}[context.preset]
    rows: list[Simulated] = []
    for seed, (arms, rate, size) in enumerate(GRID):
        kept = normal_kept(*arms.law, rate)
        exact = normal_exact_moments(*arms.law, size, kept_count(rate, size), direction=kept.direction)
        closed = {"price": price_moments(kept), "exact k": exact, "divided by the kept": formula(kept, size)}
        found = _simulated(arms, rate, size, n_batches, seed, divisor, best)
        rows.extend(_rows(arms, rate, size, closed, found))
    return rows


def _simulated(
    arms: NoisyArms,
    rate: float,
    size: int,
    n_batches: int,
    seed: int,
    divisor: Divisor,
    best: Callable[[float], Keep] | None,
) -> dict[str, BatchNoise]:
    """Return the noise of the three estimators, of the same batches."""
    price = float(normal_price(*arms.law, rate))
    top: Keep = best(rate) if best else lambda scores, rng: select(scores, rate, rng)
    gates: tuple[Keep, Keep] = (lambda scores, _: gate_probability(scores, price) > 0, top)
    rng = np.random.default_rng(np.random.SeedSequence(21_000, spawn_key=(seed,)))
    sums, counts = kept_sums(arms, size, n_batches, gates, rng)
    direction = normal_kept(*arms.law, rate).direction
    gradients = {
        "price": sums[0] / size,
        "exact k": sums[1] / size,
        "divided by the kept": sums[0] / divisor(counts[0], rate, size)[:, None],
    }
    return {name: batch_noise(each, direction, size) for name, each in gradients.items()}


def _at(arms: NoisyArms, rate: float, size: int) -> dict[str, Value]:
    """Return the point of the grid by symbol."""
    return {"K": arms.n_arms, "p": arms.p_best, "b": arms.baseline, "σ": arms.noise, "ρ": rate, "B": size}


def _rows(
    arms: NoisyArms, rate: float, size: int, closed: dict[str, GradientMoments], found: dict[str, BatchNoise]
) -> Iterator[Simulated]:
    """Yield signal and variances of each estimator, and what sets the others apart from the price gate."""
    point = f"{arms}, ρ={rate:g}, B={size}"
    resolution = _resolution(closed)
    for name, exact in closed.items():
        where = _at(arms, rate, size) | {"gate": name}
        for quantity, value, estimate, allowed in (
            ("E[g]·u", exact.signal, found[name].signal, RESOLUTION * abs(float(exact.signal))),
            ("Var_∥", exact.var_parallel, found[name].var_parallel, resolution),
            ("Var_⊥", exact.var_perpendicular, found[name].var_perpendicular, resolution),
        ):
            row = f"{quantity} at {point}, {name}", float(value), estimate.value, estimate.standard_error, allowed
            yield Simulated(*row, where)
    yield from _differences(arms, rate, size, closed, found)


def _differences(
    arms: NoisyArms, rate: float, size: int, closed: dict[str, GradientMoments], found: dict[str, BatchNoise]
) -> Iterator[Simulated]:
    """Yield what the price gate's variances are above the others', paired by batch."""
    price = closed["price"]
    for name in ("exact k", "divided by the kept"):
        gaps = found["price"].groups[1:] - found[name].groups[1:]
        where = _at(arms, rate, size) | {"gate": "price", "against": name}
        predicted = (
            price.var_parallel - closed[name].var_parallel,
            price.var_perpendicular - closed[name].var_perpendicular,
        )
        for symbol, value, each in zip("∥⊥", predicted, gaps, strict=True):
            gap = Estimate.of(each)
            quantity = f"Var_{symbol}, price less {name}, at {arms}, ρ={rate:g}, B={size}"
            row = quantity, float(value), gap.value, gap.standard_error, _resolution(closed)
            yield Simulated(*row, where)


def _resolution(closed: dict[str, GradientMoments]) -> float:
    """Return the resolution of a variance."""
    return RESOLUTION * float(closed["price"].var_parallel + closed["price"].var_perpendicular)
