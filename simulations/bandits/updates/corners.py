"""Discrete stochastic updates from a corner, and of two contexts that share their logits; steps extrapolated to 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.bandits.learning_times import extrapolated
from simulations.bandits.simulation import Estimate
from simulations.statistics import mean_and_error

__all__ = [
    "Corner",
    "SharedLogits",
    "Weigh",
    "escape_times",
    "rest_point",
    "samples_before_an_update",
    "shared_time",
    "weigh",
]

FloatArray = NDArray[np.float64]
Weigh = Callable[[str, FloatArray, FloatArray, float], FloatArray]
"""Weights from the method, advantages, surprisals and the temperature; a weight of 0 is not backpropagated."""

BATCH_SIZE = 100_000_000  # counts cost no more
LEARNING_RATES = (1.0, 0.5, 0.25)
MOST_STEPS = 100_000
REST_STEPS = 1_000


def weigh(method: str, advantage: FloatArray, surprisal: FloatArray, temperature: float) -> FloatArray:
    """Return what PG, DG and zero price make of samples."""
    delight = advantage * surprisal
    if method == "dg":
        return np.asarray(1 / (1 + np.exp(-delight / temperature)))
    return np.where(delight > 0, 1.0, 0.0) if method == "zero-price" else np.ones_like(delight)


@dataclass(frozen=True)
class Corner:
    """A policy, the correct arm first, a method, and where a run ends.

    ``kept`` divides each update by the number that was kept, not by the batch; ``baseline`` "value" is the current p.
    """

    method: str
    baseline: float | str
    policy: tuple[float, ...]
    p_end: float = 0.5
    temperature: float = 1.0
    batch_size: int = BATCH_SIZE
    kept: bool = False


def escape_times(
    run: Corner, replicates: int, seed: int, decide: Weigh = weigh, rates: tuple[float, ...] = LEARNING_RATES
) -> tuple[Estimate, Estimate]:
    """Return learning rate × batches until the end, forward and backward, in the limit of small steps."""
    found = [_times(run, rate, replicates, seed + n, decide) for n, rate in enumerate(rates)]
    forward, backward = (extrapolated(*columns) for columns in zip(*found, strict=True))
    return forward, backward


def _times(
    run: Corner, learning_rate: float, replicates: int, seed: int, decide: Weigh
) -> tuple[FloatArray, FloatArray]:
    """Return forward and backward times of replicates; the step that crosses is interpolated in the log-odds."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    z = np.tile(np.log(run.policy), (replicates, 1))
    goal = np.log(run.p_end) - np.log1p(-run.p_end)
    forward, backward = np.full(replicates, np.nan), np.zeros(replicates)
    before = _log_odds(z)
    for step in range(MOST_STEPS):
        pi = np.exp(z - z.max(axis=1, keepdims=True))
        pi /= pi.sum(axis=1, keepdims=True)
        b = pi[:, :1] if run.baseline == "value" else float(run.baseline)
        advantage = (np.arange(pi.shape[1]) == 0) - b * np.ones_like(pi)
        weight = decide(run.method, advantage, -np.log(pi), run.temperature)
        counts = rng.multinomial(run.batch_size, pi)
        passes = (counts * (weight > 0)).sum(axis=1)
        divisor = np.maximum(passes, 1) if run.kept else np.full(replicates, run.batch_size)
        each = counts * weight * advantage / divisor[:, None]
        z += learning_rate * (each - pi * each.sum(axis=1, keepdims=True))
        after = _log_odds(z)
        running = np.isnan(forward)
        crossed = running & (after >= goal)
        part = np.divide(goal - before, after - before, out=np.ones(replicates), where=crossed)
        backward += np.where(running, part * passes, 0.0)
        forward = np.where(crossed, step + part, forward)
        before = after
        if not np.isnan(forward).any():
            return learning_rate * forward, learning_rate * backward / run.batch_size
    raise RuntimeError(f"{run} did not reach its end in {MOST_STEPS} steps")


def _log_odds(z: FloatArray) -> FloatArray:
    """Return the log-odds of the first arm."""
    return np.asarray(z[:, 0] - np.logaddexp.reduce(z[:, 1:], axis=1))


def samples_before_an_update(run: Corner, replicates: int, seed: int, decide: Weigh = weigh) -> Estimate:
    """Return how many samples are drawn, one at a time, until the first with a weight, that one counted."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    pi = np.array(run.policy)
    advantage = (np.arange(len(pi)) == 0) - float(run.baseline)
    counted = decide(run.method, advantage, -np.log(pi), run.temperature) > 0
    drawn, waiting = np.zeros(replicates), np.arange(replicates)
    while waiting.size:
        arms = np.searchsorted(np.cumsum(pi)[:-1], rng.random((waiting.size, 100)))
        hit = counted[arms]
        done = hit.any(axis=1)
        drawn[waiting] += np.where(done, hit.argmax(axis=1) + 1, 100)
        waiting = waiting[~done]
    return Estimate(*map(float, mean_and_error(drawn)))


@dataclass(frozen=True)
class SharedLogits:
    """Two contexts of two arms with one log-odds; arm 1 is right in one, arm 2 in the other, a share ``minority``."""

    method: str
    baseline: float | str
    minority: float
    temperature: float = 1.0

    def push(self, p: FloatArray, rng: np.random.Generator, decide: Weigh) -> FloatArray:
        """Return the mean gradient of a batch in the log-odds, at p of each replicate."""
        shares = np.array([1 - self.minority, self.minority])
        arms = np.stack([p, 1 - p], axis=1)
        chances = shares[:, None] * arms[:, None, :]  # (n, context, arm)
        counts = rng.multinomial(BATCH_SIZE, chances.reshape(len(p), 4)).reshape(chances.shape)
        b = arms[:, :, None] if self.baseline == "value" else float(self.baseline)
        advantage = np.eye(2) - b * np.ones_like(chances)
        surprisal = np.broadcast_to(-np.log(arms)[:, None, :], chances.shape)
        weight = decide(self.method, advantage, surprisal, self.temperature)
        score = np.stack([1 - p, -p], axis=1)[:, None, :]
        return np.asarray((counts * weight * advantage * score).sum(axis=(1, 2)) / BATCH_SIZE)


def rest_point(run: SharedLogits, start: float, replicates: int, seed: int, decide: Weigh = weigh) -> Estimate:
    """Return p after many updates at learning rate 4: steps of any size have the flow's rest points."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    log_odds = np.full(replicates, np.log(start) - np.log1p(-start))
    for _ in range(REST_STEPS):
        log_odds += 4.0 * run.push(1 / (1 + np.exp(-log_odds)), rng, decide)
    return Estimate(*map(float, mean_and_error(1 / (1 + np.exp(-log_odds)))))


def shared_time(
    run: SharedLogits, start: float, end: float, replicates: int, seed: int, decide: Weigh = weigh
) -> Estimate:
    """Return the time from p = ``start`` to ``end`` in the limit of small steps; infinite if it is not reached."""
    columns = []
    for index, rate in enumerate((4.0, 2.0, 1.0)):
        rng = np.random.default_rng(np.random.SeedSequence(seed + index))
        before = np.full(replicates, np.log(start) - np.log1p(-start))
        goal, found = np.log(end) - np.log1p(-end), np.full(replicates, np.inf)
        for step in range(2_000):
            after = before + rate * run.push(1 / (1 + np.exp(-before)), rng, decide)
            crossed = np.isinf(found) & (after >= goal)
            part = np.divide(goal - before, after - before, out=np.zeros(replicates), where=crossed)
            found = np.where(crossed, rate * (step + part), found)
            before = after
            if np.isfinite(found).all():
                break
        columns.append(found)
    if not np.isfinite(columns).all():
        return Estimate(np.inf, 0.0)
    return extrapolated(*columns)
