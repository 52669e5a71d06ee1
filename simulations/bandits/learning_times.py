"""Time that a softmax bandit takes to learn, from discrete stochastic updates extrapolated to gradient flow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from simulations.bandits.simulation import DynamicsConfig, Estimate, Gate, simulate_dynamics
from simulations.statistics import mean_and_error

__all__ = ["P_END", "Run", "Times", "extrapolated", "extrapolated_times", "times_to_reach"]

FloatArray = NDArray[np.float64]
Times = Callable[..., FloatArray]

BATCH_SIZE = 100_000_000  # counts cost no more; the noise of a batch moves the mean time by far less than a step does
LEARNING_RATES = (1.0, 0.5, 0.25)
MANY_ARMS = 1_000  # from here on a run is long and its batches quiet: twice the step, four replicates
P_END = 0.9


@dataclass(frozen=True)
class Run:
    """One method from a policy to another: K, method, baseline, and both ends (start 1/K by default)."""

    method: str
    baseline: float | str
    n_arms: int
    p_end: float = P_END
    p_start: float | None = None

    def predicted(self, time: Times, unit: str) -> float:
        """Return the claimed time in batches per unit learning rate."""
        return float(time(self.method, self.n_arms, self.p_end, self.baseline, unit, p_start=self.p_start))

    def __str__(self) -> str:
        baseline = "p" if self.baseline == "value" else f"{self.baseline:g}"
        start = "1/K" if self.p_start is None else f"{self.p_start:g}"
        return f"{self.method}, b={baseline}, K={self.n_arms}, p from {start} to {self.p_end:g}"


def extrapolated_times(run: Run, replicates: int, seed: int, threads: int) -> tuple[Estimate, Estimate]:
    """Return forward and backward times in the limit of small steps.

    A time at learning rate h is T + c·h + O(h²). From the rates h, h/2, h/4, with independent streams, the estimate
    is 2T(h/4) − T(h/2). What it leaves out is of second order, and 2T(h/2) − T(h) leaves out four times as much, so
    their difference is about three times the error. That could be small by accident, so the larger of it and the
    square of the relative correction of first order is added to the standard error.
    """
    if run.n_arms >= MANY_ARMS:
        replicates = min(replicates, 4)
    rates = [rate * (2 if run.n_arms >= MANY_ARMS else 1) for rate in LEARNING_RATES]
    found = [times_to_reach(run, rate, replicates, seed + n, threads) for n, rate in enumerate(rates)]
    forward, backward = (extrapolated(*columns) for columns in zip(*found, strict=True))
    return forward, backward


def extrapolated(large: FloatArray, middle: FloatArray, small: FloatArray) -> Estimate:
    """Return the limit of small steps from replicates at a learning rate, at half and at a quarter of it."""
    values, errors = np.array([mean_and_error(column) for column in (large, middle, small)]).T
    fine, coarse = 2 * values[2] - values[1], 2 * values[1] - values[0]
    left_out = max(abs(fine - coarse), (fine - values[2]) ** 2 / abs(fine))
    error = math.hypot(2 * errors[2], errors[1], left_out)
    return Estimate(float(fine), float(error))


def times_to_reach(
    run: Run, learning_rate: float, replicates: int, seed: int, threads: int, batch_size: int = BATCH_SIZE
) -> tuple[FloatArray, FloatArray]:
    """Return learning rate × batches until p reaches the end, forward and backward, (n_replicates,) each.

    Within the step that crosses, time is interpolated in the log-odds of p, whose speed changes little in one step.
    """
    # The closed form serves only to know when to stop; a run that was stopped too early is refused below.
    flow = float(closed.learning_time(run.method, run.n_arms, run.p_end, run.baseline, p_start=run.p_start))
    config = DynamicsConfig(
        n_arms=run.n_arms,
        batch_size=batch_size,
        learning_rate=learning_rate,
        n_steps=math.ceil(1.1 * flow / learning_rate) + 10,
        gate=Gate(run.method),
        baseline=run.baseline,
        n_replicates=replicates,
        seed=seed,
        p_initial=run.p_start,
        n_threads=threads,
    )
    curves = simulate_dynamics(config)
    log_odds = np.log(curves.p_correct) - np.log1p(-curves.p_correct)
    target = math.log(run.p_end) - math.log1p(-run.p_end)
    if not (log_odds[:, -1] >= target).all():
        raise RuntimeError(f"{run} did not reach its end in {config.n_steps} steps")
    after = np.argmax(log_odds >= target, axis=1)
    rows = np.arange(replicates)
    low, high = log_odds[rows, after - 1], log_odds[rows, after]
    part = (target - low) / (high - low)
    passes = curves.backward[rows, after - 1] * (1 - part) + curves.backward[rows, after] * part
    return learning_rate * (after - 1 + part), learning_rate * passes / batch_size
