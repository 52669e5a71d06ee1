"""Rows of the gamble beside their predictions: gated advantages at fixed policies, and where learning ends.

The runs are those of :mod:`simulations.gambling.simulation`; what their extrapolation leaves out is below the stated
resolution. Where learning ends in a corner, which it approaches like 1/t, the prediction is the iteration of the
expected update with the same step and number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from scipy.special import expit

from kondo_theory.gambling import expected_path
from simulations.gambling.gamble import Gamble
from simulations.gambling.simulation import estimate_drift, learned_end, schedule
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["Drift", "corner_rows", "drift_rows", "gamble_name", "gamble_point", "rest_rows"]

Drift = Callable[[float, Gamble], float]

DRIFT_RESOLUTION = 0.004  # in units of Δ; a wrong gate is off by 0.05 and more
SHARE_RESOLUTION = 0.004  # of x at the end of learning


def drift_rows(
    context: Context,
    gambles: Sequence[tuple[Gamble, Gamble]],
    points: Sequence[float],
    seed: int,
    drift: Drift,
    resolution: float = DRIFT_RESOLUTION,
) -> list[Simulated]:
    """Compare drifts at fixed policies; each pair is (the gamble predicted, the gamble simulated)."""
    batches = {"smoke": 3, "quick": 10, "paper": 100}[context.preset]
    rows = []
    for number, (predicted, simulated) in enumerate(gambles):
        for place, x in enumerate(points):
            stream = seed + 100 * number + place
            value, error = estimate_drift(simulated, x, batches, stream, context.workers)
            name = f"drift (Δ) of {gamble_name(predicted)} at x={x:g}"
            allowed = resolution * max(1.0, predicted.noise_ratio)
            rows.append(Simulated(name, drift(x, predicted), value, error, allowed, gamble_point(predicted, x=x)))
    return rows


def gamble_name(gamble: Gamble) -> str:
    """Return the gate and the noise of a gamble in a few words, for the name of a row."""
    detail = {
        "dg": f", η={gamble.temperature:g}",
        "rate": f", ρ={gamble.rate:g}",
        "extremes": f", ρ={gamble.rate:g}",
        "margin": f", κ={gamble.margin:g}",
    }.get(gamble.gate, "")
    noise = ", equal noise" if gamble.equal_noise else ""
    return f"{gamble.gate}{detail}, r={gamble.noise_ratio:g}{noise}"


def rest_rows(
    context: Context,
    gambles: Sequence[tuple[Gamble, Gamble, Sequence[float], float]],
    seed: int,
) -> list[Simulated]:
    """Compare ends of learning with interior points; entries are (predicted, simulated, starts, target)."""
    replicates = {"smoke": 32, "quick": 64, "paper": 640}[context.preset]
    rows = []
    for number, (predicted, simulated, starts, target) in enumerate(gambles):
        for place, start in enumerate(starts):
            rate, n_steps, batch = schedule(predicted, start, target)
            end = learned_end(
                simulated,
                start,
                rate,
                n_steps,
                batch_size=batch,
                n_replicates=replicates,
                seed=seed + 100 * number + place,
                n_threads=context.workers,
                n_averaged=n_steps // 2,
            )
            name = f"x at the end of learning, {gamble_name(predicted)}, from {start:.3g}"
            point = gamble_point(predicted, **{"x start": start})
            rows.append(Simulated(name, target, end.value, end.standard_error, SHARE_RESOLUTION, point))
    return rows


def corner_rows(
    context: Context, gambles: Sequence[tuple[Gamble, Gamble, float]], seed: int, drift: Drift, safe: bool
) -> list[Simulated]:
    """Compare 1 − x (``safe``) or x after 300 steps with the iterated expected update; both only decay."""
    replicates = {"smoke": 50, "quick": 120, "paper": 1_200}[context.preset]
    rows = []
    for number, (predicted, simulated, start) in enumerate(gambles):
        sign = -1 if safe else 1
        path = expected_path(partial(_speed, drift, predicted), start, 2.0, 300)
        predicted_end = float(expit(sign * path[-1]))
        end = learned_end(
            simulated,
            start,
            2.0,
            300,
            batch_size=500,
            n_replicates=replicates,
            seed=seed + 100 * number,
            n_threads=context.workers,
            safe=safe,
        )
        name = f"{'1 − x' if safe else 'x'} after 300 steps, {gamble_name(predicted)}, from {start:g}"
        point = gamble_point(predicted, steps=300, **{"x start": start})
        rows.append(Simulated(name, predicted_end, end.value, end.standard_error, SHARE_RESOLUTION, point))
    return rows


def gamble_point(gamble: Gamble, **where: Value) -> dict[str, Value]:
    """Return the point of a grid by symbol."""
    own = {
        "dg": {"η": gamble.temperature},
        "rate": {"ρ": gamble.rate},
        "extremes": {"ρ": gamble.rate},
        "margin": {"κ": gamble.margin},
    }.get(gamble.gate, {})
    return {"gate": gamble.gate, "r": gamble.noise_ratio, "equal noise": gamble.equal_noise, **own, **where}


def _speed(drift: Drift, gamble: Gamble, x: float) -> float:
    return drift(x, gamble)
