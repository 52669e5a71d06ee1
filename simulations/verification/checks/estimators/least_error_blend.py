"""The simulation of the claim least-error-blend."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.estimators.blend import Blend, best_blend, estimated_blend_error, zero_price_blend
from kondo_theory.gate import gate_probability
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.symmetric import symmetric_arms
from simulations.bandits.estimators.blends import Batches, draw_batches
from simulations.bandits.simulation import Estimate
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["least_error_blend"]

FloatArray = NDArray[np.float64]
Closed = Callable[..., Blend]
"""The blend from policy, advantage, gate and batch size."""
ZeroPrice = Callable[[FloatArray | float, int, float, int], FloatArray]
"""The weight from p, K, b and B."""

SIZES = {"smoke": 3_000, "quick": 100_000, "paper": 2_000_000}
"""Batches."""
SYMMETRIC = ((10, 0.3, 0.5), (4, 0.1, 0.2), (2, 0.4, 0.3), (5, 0.5, 0.1))
"""K, p and b; at the last PG is the best."""
GRADED = ((10, 0.3, 0.65), (6, 0.5, 0.6))
BATCHES = (1, 10, 100)
SEEN = 60
RESOLUTION = 0.05
"""Of a weight, and of an error relative to itself."""


def least_error_blend(
    context: Context,
    closed: Closed = best_blend,
    weight: ZeroPrice = zero_price_blend,
    seen: ZeroPrice = zero_price_blend,
) -> list[Simulated]:
    """Simulate blends of PG with zero price, with a share of the dropped, with DG, and with an estimated weight.

    The closed forms, and by which formula the weight is estimated, are parameters so that wrong ones can be shown to
    fail.
    """
    n = SIZES[context.preset]
    rows: list[Simulated] = []
    for seed, at in enumerate(SYMMETRIC):
        arms = symmetric_arms(*at)
        for size in BATCHES:
            where: dict[str, Value] = {"K": at[0], "p": at[1], "b": at[2], "reward": "right or wrong", "B": size}
            name = f"K={at[0]}, p={at[1]:g}, b={at[2]:g}, B={size}, right or wrong rewards"
            kept = np.where(arms[1] > 0, 1.0, 0.0)
            batches = draw_batches(*arms, kept, size, n, 100 * seed + size)
            rows.extend(_errors(batches, closed(*arms, kept, size), f"zero-price, {name}", where, "zero-price"))
            predicted = float(weight(at[1], at[0], at[2], size))
            rows.append(
                _row(
                    f"best weight of zero-price, {name}",
                    predicted,
                    batches.best_weight(),
                    1.0,
                    where | {"method": "zero-price"},
                )
            )
            rows.extend(_estimated(batches, at, size, seen, name, where, seed))
    for seed, (at, reward) in enumerate([(SYMMETRIC[0], "right or wrong"), *((at, "graded") for at in GRADED)]):
        rows.extend(_other_gates(at, reward, closed, n, 50 + seed))
    return rows


def _errors(batches: Batches, blend: Blend, name: str, where: dict[str, Value], method: str) -> Iterator[Simulated]:
    """Yield the weight of least error, and the errors at it, at PG's and at the gate's."""
    found = batches.best_weight()
    yield _row(f"weight of least error of {name}", float(blend.weight), found, 1.0, where | {"method": method})
    parts = {"blend": blend.error, "gate": blend.gated_error, "PG": blend.pg_error}
    weights = {"blend": float(blend.weight), "gate": 0.0, "PG": 1.0}
    for part, predicted in parts.items():
        error = Estimate.of(batches.error(weights[part]))
        row = f"mean squared error of the {part}, {name}", float(predicted), error, float(predicted)
        yield _row(*row, where | {"method": method, "part": part})


def _estimated(
    batches: Batches,
    at: tuple[int, float, float],
    size: int,
    seen: ZeroPrice,
    name: str,
    where: dict[str, Value],
    seed: int,
) -> Iterator[Simulated]:
    """Yield by how much the error is larger if p is estimated from other samples, on the same batches."""
    n_arms, p, b = at
    rng = np.random.default_rng(np.random.SeedSequence(7000 + 100 * seed + size))
    counts = rng.binomial(SEEN, p, size=len(batches.gated))
    inside = (counts > 0) & (counts < SEEN)
    guesses = np.where(inside, seen(np.where(inside, counts / SEEN, 0.5), n_arms, b, size), 0.0)
    more = Estimate.of(batches.error(guesses) - batches.error(float(zero_price_blend(p, n_arms, b, size))))
    square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
    predicted = square * float(estimated_blend_error(p, n_arms, b, size, SEEN))
    error = float(batches.error(0.0).mean())
    row = f"mean squared error of the blend, zero-price, {name}, p from n={SEEN} samples, the best subtracted"
    yield _row(
        row,
        predicted,
        more,
        error,
        where | {"n": SEEN, "against": "the best", "method": "zero-price", "part": "blend"},
    )


def _other_gates(at: tuple[int, float, float], reward: str, closed: Closed, n: int, seed: int) -> Iterator[Simulated]:
    """Yield the same of a soft gate, of DG's weights, and of zero price with a share of the dropped."""
    policy, advantage = (evenly_graded if reward == "graded" else symmetric_arms)(*at)
    delight = -advantage * np.log(policy)
    soft = np.asarray(gate_probability(delight, 0.0, 0.5))
    zero = np.where(delight > 0, 1.0, 0.0)
    cases = (("price", soft, False, 1.0), ("dg", soft, True, 1.0), ("zero-price", zero, False, 0.25))
    for size in BATCHES[1:]:
        for method, keep, weighted, share in cases:
            where: dict[str, Value] = {"K": at[0], "p": at[1], "b": at[2], "reward": reward, "B": size}
            name = f"{method}, K={at[0]}, p={at[1]:g}, b={at[2]:g}, B={size}, {reward} rewards"
            if method != "zero-price":
                name, where = f"{name}, η=0.5", where | {"η": 0.5}
            else:
                name, where = f"{name}, a share u={share:g} of the dropped", where | {"u": share}
            batches = draw_batches(policy, advantage, keep, size, n, seed + size, soft=weighted, dropped_rate=share)
            blend = closed(policy, advantage, keep, size, soft=weighted, dropped_rate=share)
            yield from _errors(batches, blend, name, where, method)


def _row(quantity: str, predicted: float, found: Estimate, scale: float, where: dict[str, Value]) -> Simulated:
    """Return a row whose resolution is a part of the scale."""
    return Simulated(quantity, predicted, found.value, found.standard_error, RESOLUTION * scale, where)
