"""Simulation and measurement of the claim ``dg-noise-ratio``: what DG leaves of PG's noise and of its cosine gap."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from simulations.bandits import kernels
from simulations.bandits.estimates import jackknife
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Gate, MomentsConfig, simulate_moments
from simulations.statistics import bootstrap
from simulations.verification.checks import Context, attributed
from simulations.verification.checks.evidence import Measured, Simulated, Value

__all__ = ["GAP_QUANTITY", "cosine_gap_ratio", "dg_cosine_gap", "dg_noise_ratio"]

FloatArray = NDArray[np.float64]
Formula = Callable[[float, int, float, float], FloatArray]
"""From (p, K, b, η) to a ratio of DG to PG."""

NOISE_GRID = [
    (n_arms, p, baseline, temperature)
    for n_arms in (3, 10, 100)
    for p in (0.05, 0.5, 0.9)
    for baseline, temperature in ((0.5, 1.0), (0.2, 0.5), (0.9, 4.0))
]
GAP_GRID = [(n_arms, p, *rest) for n_arms in (10, 100) for p in (0.1, 0.9) for rest in ((0.5, 1.0), (0.2, 0.5))]
SMALL_NOISE = 0.01  # total variance over squared signal of the smaller batch of an extrapolation
PUBLISHED = {0.5: 4.0, 0.1: 1.0}  # share of PG's gap that DG keeps, in percent, by ε [DG Prop. 1]
GAP_QUANTITY = "cosine gap, DG / PG, at K = 100, B = 100, b = 1/2, ε = {:g} (percent)"


def cosine_gap_ratio(p_correct: float, n_arms: int, baseline: float, temperature: float) -> FloatArray:
    """Return the claimed limit (w₋/κ)² of the ratio of cosine gaps as B → ∞."""
    right, wrong = closed.dg_weights(p_correct, n_arms, baseline, temperature)
    return np.asarray((wrong / (right * (1 - baseline) + wrong * baseline)) ** 2)


def dg_noise_ratio(
    context: Context, noise_ratio: Formula = closed.dg_noise_ratio, gap_ratio: Formula = cosine_gap_ratio
) -> list[Simulated]:
    """Simulate Var_⊥(DG)/Var_⊥(PG) at finite B, where it is exact, and the ratio of cosine gaps as B → ∞."""
    replicates = {"smoke": 500, "quick": 1_000, "paper": 10_000}[context.preset]
    rows: list[Simulated] = []
    for index, point in enumerate(NOISE_GRID):
        pair = [_statistics(gate, point, 50, replicates, context, 5_000 + 2 * index) for gate in _gates(point)]
        found = jackknife(np.divide, *(table[:, kernels.PERPENDICULAR_SQUARE] for table in pair))
        predicted = float(noise_ratio(point[1], point[0], *point[2:]))
        name, estimate = f"Var_⊥, DG / PG, {_at(point)}", (found.value, found.standard_error)
        rows.append(Simulated(name, predicted, *estimate, parameters=_parameters(point)))
    for index, point in enumerate(GAP_GRID):
        rows.append(_gap_row(point, gap_ratio, replicates, context, 6_000 + 4 * index))
    return rows


def _gap_row(
    point: tuple[int, float, float, float], formula: Formula, replicates: int, context: Context, seed: int
) -> Simulated:
    """Return the ratio of cosine gaps, extrapolated from batches of B and 4B to the limit.

    The ratio at B is r + c/B + O(1/B²), so (4r(4B) − r(B))/3 leaves an error relative to r of the order of the square
    of (total variance)/(B·signal²); it is added to the standard error.
    """
    n_arms, p, baseline, temperature = point
    noise = [
        float(closed.forward_efficiency(method, p, n_arms, baseline, temperature=temperature))
        for method in ("dg", "pg")
    ]
    size = math.ceil(max(noise) / SMALL_NOISE)
    columns = [
        1 - _statistics(gate, point, batch, replicates, context, seed + 2 * number)[:, kernels.COSINE]
        for number, batch in enumerate((size, 4 * size))
        for gate in _gates(point)
    ]
    found = jackknife(lambda dg, pg, large_dg, large_pg: (4 * large_dg / large_pg - dg / pg) / 3, *columns)
    error = math.hypot(found.standard_error, SMALL_NOISE**2 * found.value)
    predicted = float(formula(p, n_arms, *point[2:]))
    name, parameters = f"cosine gap, DG / PG, B → ∞, {_at(point)}", _parameters(point) | {"B": math.inf}
    return Simulated(name, predicted, found.value, error, parameters=parameters)


def _gates(point: tuple[int, float, float, float]) -> tuple[Gate, Gate]:
    return Gate("dg", temperature=point[3]), Gate("pg")


def _at(point: tuple[int, float, float, float]) -> str:
    return "at K={}, p={:g}, b={:g}, η={:g}".format(*point)


def _parameters(point: tuple[int, float, float, float]) -> dict[str, Value]:
    return {"method": "DG", "against": "PG", **dict(zip("Kpbη", point, strict=True))}


def _statistics(
    gate: Gate, point: tuple[int, float, float, float], size: int, replicates: int, context: Context, seed: int
) -> FloatArray:
    """Return the kernel's columns, (n_replicates, 6); PG's stream differs from DG's."""
    n_arms, p, baseline, _ = point
    bandit = Bandit.symmetric(p, n_arms, baseline, gate)
    stream = seed + (gate.kind == "pg")
    config = MomentsConfig(bandit, size, 200, replicates, stream, n_threads=context.workers)
    return simulate_moments(config).statistics


def dg_cosine_gap(context: Context) -> list[Measured]:
    """Measure the two published ratios of cosine gaps at their finite batch: a median over replicates."""
    replicates = {"smoke": 50, "quick": 200, "paper": 2_000}[context.preset]
    rows = []
    for index, (error, published) in enumerate(PUBLISHED.items()):
        point = (100, 1 - error, 0.5, 1.0)
        dg, pg = (
            1 - _statistics(gate, point, 100, replicates, context, 7_000 + 2 * index)[:, kernels.COSINE]
            for gate in _gates(point)
        )
        found = bootstrap(100 * dg / pg)
        name, interval = GAP_QUANTITY.format(error), (found.value, found.low, found.high)
        parameters = _parameters(point) | {"ε": error, "B": 100}
        rows.append(Measured(name, *interval, replicates, published, "simulated now", parameters=parameters))
    return attributed(rows, context.source, {"replicates": replicates})
