"""Training of rows of tokens that share one reward: where it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulations.statistics import mean_and_error
from simulations.tokens.simulation import TokenGate, TokenTask, simulate_rewards

__all__ = ["LEARNED", "Run", "end_of_learning", "rewards"]

FloatArray = NDArray[np.float64]

LEARNED = 0.9  # reward from which a run counts as having learned: every stall point simulated lies under 0.75


@dataclass(frozen=True)
class Run:
    """Training: M, T, gate, the learning rate that makes steps small, and the start p, by default the uniform 1/M."""

    vocab_size: int
    n_tokens: int
    gate: TokenGate
    learning_rate: float
    batch_size: int = 2_000
    n_steps: int = 300
    start: float | None = None

    def __str__(self) -> str:
        gate = self.gate
        how = f"η={gate.temperature:g}" if gate.kind == "dg" else f"ρ={gate.rate:g}"
        rule = f" by {gate.rule}" if gate.rule != "delight" else ""
        start = "" if self.start is None else f", from p={self.start:g}"
        return f"{gate.kind} gate{rule}, M={self.vocab_size}, T={self.n_tokens}, {how}{start}"


def end_of_learning(run: Run, n_replicates: int, seed: int, n_threads: int = 1) -> tuple[float, float]:
    """Return the reward at which training ends in the limit of small steps, and its error.

    Rewards are averaged over the last half of a run. Steps and the noise of batches shift the end by c·h + o(h) at
    the learning rate h; from h and h/2, with twice the steps, the estimate is 2x(h/2) − x(h). The correction itself
    is added to the standard error, so that a shift of another order is covered.
    """
    finer = replace(run, learning_rate=run.learning_rate / 2, n_steps=2 * run.n_steps)
    (fine, fine_error), (coarse, coarse_error) = (
        mean_and_error(rewards(each, n_replicates, seed + number, n_threads).mean(axis=1))
        for number, each in enumerate((finer, run))
    )
    correction = fine - coarse
    return fine + correction, math.hypot(2 * fine_error, coarse_error, correction)


def rewards(run: Run, n_replicates: int, seed: int, n_threads: int = 1, *, batch_mean: bool = False) -> FloatArray:
    """Return the exact mean reward over the last half of training, (n_replicates, 31)."""
    task = TokenTask(run.vocab_size, run.n_tokens, run.batch_size, run.start, batch_mean)
    steps = np.linspace(run.n_steps // 2, run.n_steps, 31).astype(np.int64)
    return simulate_rewards(task, run.gate, run.learning_rate, steps, n_replicates, seed, n_threads)
