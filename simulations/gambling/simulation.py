"""Runs of the gamble: drifts at fixed policies, and where learning ends, beside their closed forms.

Learning runs at a finite batch B and at 2B with the same learning rate, and is extrapolated to B → ∞, 2·(2B) − (B): a
finite step does not move a fixed point, and the noise of the batch moves it by O(1/B). What is left is O(1/B²).
Drifts at a rate are extrapolated in B as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory import gambling as closed
from kondo_theory.gambling.equal_noise import (
    equal_noise_drift,
    equal_noise_fixed_point,
    equal_noise_top_rate_drift,
    equal_noise_top_rate_points,
)
from kondo_theory.gambling.noise_aware import extremes_drift, margin_drift, margin_fixed_point, second_draw_drift
from kondo_theory.gambling.top_rate import top_rate_drift, top_rate_points
from simulations.gambling.gamble import Gamble, simulate_drift, simulate_learning
from simulations.gambling.kernels import GAMBLE_PULL, SAFE_PULL
from simulations.statistics import mean_and_error

__all__ = ["NOISE_AWARE", "End", "estimate_drift", "expected_drift", "learned_end", "schedule", "stable_points"]

FloatArray = NDArray[np.float64]

NOISE_AWARE = ("extremes", "margin", "second-draw")
"""Gates of :mod:`kondo_theory.gambling.noise_aware`."""

DRIFT_BATCH, DRIFT_REPLICATES = 2_000, 100

_DIFFERENCE = 1e-4  # of x, relative to x(1 − x): the drift's slope from values to both sides
_PATH_POINTS = 30  # between start and rest point, at which the force is looked at
_MOST_DECAY = 0.25  # of the distance to the rest point in one step: far from the 2 at which steps overshoot for ever
_MOST_MOVE = 0.5  # of the log-odds in one step, anywhere on the path
_REST_VARIANCE = 0.02  # of the log-odds at rest, by which the batch is chosen
_BATCHES = (500, 20_000)  # the least and the largest batch
_RELAXATIONS = 24.0  # times 1/(rate·decay): many, as the way to the rest point is slower than its neighbourhood


def expected_drift(x: float, gamble: Gamble) -> float:
    """Return the closed form of the drift towards arm 1, in units of Δ."""
    r = gamble.noise_ratio
    if gamble.gate in NOISE_AWARE:
        return _noise_aware_drift(x, gamble)
    if gamble.gate == "rate":
        function = equal_noise_top_rate_drift if gamble.equal_noise else top_rate_drift
        return float(function(x, r, gamble.rate))
    soft = equal_noise_drift if gamble.equal_noise else closed.drift
    return float(soft(x, r, gamble.gate, gamble.temperature))


def _noise_aware_drift(x: float, gamble: Gamble) -> float:
    _require_noise_on_one_arm(gamble)
    if gamble.gate == "extremes":
        return float(extremes_drift(x, gamble.noise_ratio, gamble.rate))
    if gamble.gate == "margin":
        return float(margin_drift(x, gamble.noise_ratio, gamble.margin))
    return float(second_draw_drift(x, gamble.noise_ratio))


def _require_noise_on_one_arm(gamble: Gamble) -> None:
    if gamble.equal_noise:
        raise ValueError(f"equal_noise must be False with gate {gamble.gate}, which has no closed form, got True")


def stable_points(gamble: Gamble) -> list[float]:
    """Return the predicted stable interior points, ascending."""
    r = gamble.noise_ratio
    if gamble.gate in NOISE_AWARE:
        _require_noise_on_one_arm(gamble)
        floor = margin_fixed_point(r, gamble.margin) if gamble.gate == "margin" else None
        return [] if floor is None else [floor]
    if gamble.gate == "rate":
        points = (equal_noise_top_rate_points if gamble.equal_noise else top_rate_points)(r, gamble.rate)
        return [point.x for point in points if point.stable]
    find = equal_noise_fixed_point if gamble.equal_noise else closed.fixed_point
    found = find(r, gamble.gate, gamble.temperature)
    return [] if found is None else [found]


@dataclass(frozen=True)
class End:
    """Where learning ended: mean x (or 1 − x) over the last steps, extrapolated in B, and its standard error."""

    value: float
    standard_error: float


def learned_end(
    gamble: Gamble,
    x_start: float,
    rate: float,
    n_steps: int,
    *,
    batch_size: int,
    n_replicates: int,
    seed: int,
    n_threads: int,
    n_averaged: int = 1,
    safe: bool = False,
) -> End:
    """Learn with batches B and 2B from independent streams and extrapolate to B → ∞."""
    column = 1 if safe else 0
    means, errors = [], []
    for number, size in enumerate((batch_size, 2 * batch_size)):
        found = simulate_learning(
            gamble, x_start, size, rate, n_steps, n_averaged, n_replicates, 2 * seed + number, n_threads
        )
        mean, error = mean_and_error(found[column])
        means.append(mean)
        errors.append(error)
    return End(2 * means[1] - means[0], math.hypot(errors[0], 2 * errors[1]))


def estimate_drift(gamble: Gamble, x: float, batches: int, stream: int, n_threads: int) -> tuple[float, float]:
    """Estimate f and its standard error from 100 replicates of so many batches of 2,000.

    Keeping exactly k of B shifts it by O(1/B), so at a rate B and 2B are extrapolated to B → ∞.
    """

    def at(size: int, seed: int) -> tuple[float, float]:
        found = simulate_drift(gamble, x, size, batches, DRIFT_REPLICATES, seed, n_threads)
        return mean_and_error(found[:, SAFE_PULL] - found[:, GAMBLE_PULL])

    value, error = at(DRIFT_BATCH, stream)
    if gamble.gate not in ("rate", "extremes"):
        return value, error
    larger, larger_error = at(2 * DRIFT_BATCH, stream + 50)
    return 2 * larger - value, math.hypot(error, 2 * larger_error)


def schedule(gamble: Gamble, start: float, target: float) -> tuple[float, int, int]:
    """Choose learning rate, steps and batch from the expected update: stable, at rest, and quiet enough."""
    x, m = target, 1 - target
    width = _DIFFERENCE * m
    slope = (expected_drift(x + width * x, gamble) - expected_drift(x - width * x, gamble)) / (2 * width * x)
    decay = 2 * (x * m) ** 2 * slope
    path = expit(np.linspace(logit(start), logit(target), _PATH_POINTS))
    force = max(abs(2 * p * (1 - p) * expected_drift(p, gamble)) for p in path)
    rate = min(_MOST_DECAY / decay, _MOST_MOVE / force)
    # The spread of the log-odds is about rate·v/(2B·decay), v the variance of one sample's update.
    noise = 4 * x * m * (x * x * (x + gamble.noise_ratio**2 / 2) + m * gamble.noise_ratio**2 * 0.5)
    batch = int(np.clip(rate * noise / (2 * decay * _REST_VARIANCE), *_BATCHES))
    return rate, math.ceil(_RELAXATIONS / (rate * decay)), batch
