"""Simulations of the gambling claims: gated advantages at fixed policies, and where learning ends.

Theory comes in as parameters, so that wrong formulas and wrong gates can be shown to fail. How learning is run and
extrapolated is said in :mod:`simulations.verification.checks.gambling.runs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory import gambling as closed
from simulations.gambling.gamble import Gamble, simulate_drift, simulate_learning
from simulations.gambling.kernels import GAMBLE_PULL, GAMBLE_WEIGHT
from simulations.gambling.simulation import expected_drift, stable_points
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated
from simulations.verification.checks.gambling.runs import Drift, corner_rows, drift_rows, rest_rows

__all__ = [
    "equal_noise",
    "gambling_dg_floor",
    "gambling_false_positives",
    "gambling_fixed_point",
    "gambling_top_rate",
]

FloatArray = NDArray[np.float64]

EVERYWHERE = (0.02, 0.3, 0.7, 0.97)


def gambling_false_positives(
    context: Context,
    probability: Callable[[float, float], FloatArray] = closed.false_positive_probability,
    gate: str = "zero-price",
) -> list[Simulated]:
    """Count how often zero price keeps a gamble."""
    rows = []
    places = [(0.01, 0.4), (0.1, 0.3), (0.1, 1.0), (0.5, 0.5), (0.9, 0.1), (0.99, 5.0), (0.3, 100.0)]
    for number, (x, r) in enumerate(places):
        predicted = float(probability(x, r))
        draws = {"smoke": 2e4, "quick": 1e5, "paper": 1e6}[context.preset] / min(0.5, max(predicted, 1e-3))
        found = simulate_drift(Gamble(r, gate), x, int(draws / 100), 1, 100, 10_000 + number, context.workers)
        name = f"P(U > 0 | gamble) at x={x:g}, r={r:g}"
        rows.append(Simulated(name, predicted, *mean_and_error(found[:, GAMBLE_WEIGHT])))
    return rows


def gambling_fixed_point(
    context: Context,
    gate: str = "zero-price",
    drift: Drift = expected_drift,
    critical: float = closed.CRITICAL_NOISE_RATIO,
) -> list[Simulated]:
    """Simulate drifts, learning below √(2π) from both sides of x*, and above it, where it goes to the corner."""
    pairs = [(Gamble(r), Gamble(r, gate)) for r in (0.3, 1.0, 2.4, 2.6, 5.0)]
    rows = drift_rows(context, pairs, EVERYWHERE, 20_000, drift)
    rows += drift_rows(context, [(Gamble(2.0, "pg"), Gamble(2.0, "pg"))], EVERYWHERE, 20_900, drift)
    resting, corner = [], []
    for number, r in enumerate((0.9, 1.5, 2.2, 2.8, 4.0)):
        simulated = Gamble(r, gate)
        found, _ = simulate_learning(simulated, 0.3, 500, 4.0, 400, 1, 20, 21_900 + number, context.workers)
        name = f"share of runs at x > 0.95 after 400 steps, r={r:g}"
        rows.append(Simulated(name, float(r >= critical), *mean_and_error(found > 0.95)))
        target = closed.fixed_point(r)
        if target is None:
            corner.append((Gamble(r), simulated, 0.3))
        else:
            starts = tuple(float(expit(logit(target) + side)) for side in (-1.5, 1.5))
            resting.append((Gamble(r), simulated, starts, target))
    rows += rest_rows(context, resting, 21_000)
    # Above the critical ratio 1 − x only decays, like 1/t.
    return rows + corner_rows(context, corner, 22_000, drift, safe=True)


def gambling_dg_floor(context: Context, gate: str = "dg", drift: Drift = expected_drift) -> list[Simulated]:
    """Simulate drifts, the sign change of the gated gamble, and learning, also above zero price's critical noise."""
    settings = [(0.5, 1.0), (1.0, 0.1), (1.0, 1.0), (3.0, 1.0), (5.0, 4.0)]
    pairs = [(Gamble(r, "dg", eta), Gamble(r, gate, eta)) for r, eta in settings]
    rows = drift_rows(context, pairs, EVERYWHERE, 30_000, drift)
    draws = {"smoke": 10, "quick": 30, "paper": 300}[context.preset]
    for number, (r, eta) in enumerate([(0.5, 0.3), (1.0, 1.0), (0.8, 0.5)]):
        x = float(closed.dg_threshold(r, eta))
        found = simulate_drift(Gamble(r, gate, eta), x, 2_000, draws, 100, 31_000 + number, context.workers)
        name = f"E[Uσ(Uℓ/η) | gamble] at its threshold x={x:.4g}, r={r:g}, η={eta:g}"
        rows.append(Simulated(name, 0.0, *mean_and_error(found[:, GAMBLE_PULL]), 1e-3, {"gate": "dg", "x": x}))
    resting = []
    for r, eta in ((0.9, 1.0), (2.0, 0.1), (3.5, 1.0)):
        target = closed.fixed_point(r, "dg", eta) or math.nan
        starts = tuple(float(expit(logit(target) + side)) for side in (-1.0, 1.0))
        resting.append((Gamble(r, "dg", eta), Gamble(r, gate, eta), starts, target))
    return rows + rest_rows(context, resting, 32_000)


def gambling_top_rate(context: Context, gate: str = "rate", drift: Drift = expected_drift) -> list[Simulated]:
    """Simulate exactly-k batches: drifts, every stable interior point where several coexist, and both ends."""

    def pair(r: float, rho: float) -> tuple[Gamble, Gamble]:
        return Gamble(r, "rate", rate=rho), Gamble(r, gate, rate=rho)

    settings = [(0.5, 0.1), (1.0, 0.3), (3.5, 0.3), (1.0, 0.03), (4.0, 0.7)]
    rows = drift_rows(context, [pair(*setting) for setting in settings], (0.2, 0.4, 0.75), 40_000, drift)
    # Between these four the drift changes sign three times: two stable interior points.
    rows += drift_rows(context, [pair(0.4, 0.02)], (0.02, 0.15, 0.33, 0.6), 40_800, drift, 3e-4)
    resting = []
    for r, rho, starts in ((0.8, 0.3, (0.1, 0.4)), (1.0, 0.1, (0.4, 0.8)), (3.5, 0.3, (0.5, 0.8))):
        (target,) = stable_points(Gamble(r, "rate", rate=rho))
        resting.append((*pair(r, rho), starts, target))
    rows += rest_rows(context, resting, 41_000)
    # Corner from above the unstable point, and from everywhere once no interior point is left.
    corner = [(*pair(3.5, 0.3), 0.95), (*pair(6.0, 0.3), 0.3), (*pair(3.2, 0.5), 0.3)]
    return rows + corner_rows(context, corner, 42_000, drift, safe=True)


def equal_noise(
    context: Context, drift: Drift = expected_drift, noisy: bool = True, dg_gate: str = "dg"
) -> list[Simulated]:
    """Simulate equal noise: zero price leaves the worse arm, DG keeps its floor, top-ρ does either.

    ``noisy=False`` simulates noise on the gambling arm alone, ``dg_gate`` replaces DG: negative controls.
    """

    def pair(r: float, gate: str, value: float = 1.0) -> tuple[Gamble, Gamble]:
        used = dg_gate if gate == "dg" else gate
        return Gamble(r, gate, value, value, True), Gamble(r, used, value, value, noisy)

    each = [pair(0.5, "zero-price"), pair(3.0, "zero-price"), pair(1.0, "dg"), pair(3.0, "dg", 0.3)]
    rate = [pair(0.5, "rate", 0.1), pair(1.5, "rate", 0.1), pair(4.0, "rate", 0.3)]
    rows = drift_rows(context, each, EVERYWHERE, 50_000, drift)
    rows += drift_rows(context, rate, (0.2, 0.4, 0.7), 50_800, drift)
    resting: list[tuple[Gamble, Gamble, tuple[float, ...], float]] = []
    floors = [(1.0, "dg", 0.3), (3.0, "dg", 1.0), (3.0, "rate", 0.1)]
    for r, gate, value in floors:
        predicted, simulated = pair(r, gate, value)
        (target,) = stable_points(predicted)
        resting.append((predicted, simulated, (target / 2, (1 + target) / 2), target))
    both = pair(1.5, "rate", 0.1)  # a stable interior point beside an attracting corner
    resting.append((*both, (0.2, 0.5), stable_points(both[0])[0]))
    rows += rest_rows(context, resting, 51_000)
    leaving = [(*pair(3.0, "zero-price"), 0.6), (*both, 0.02), (*pair(0.8, "rate", 0.1), 0.5)]
    return rows + corner_rows(context, leaving, 52_000, drift, safe=False)
