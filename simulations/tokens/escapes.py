"""How long batches of tokens that share one reward take to leave a stall: typed fronts of the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.token_trap.stall_escape import passage_time
from simulations.randomness.streams import FloatArray, in_chunks, replicate_states
from simulations.tokens import kernels, together
from simulations.tokens.simulation import TokenGate, TokenTask

__all__ = ["Escape", "Held", "batch_pulls", "escape_steps", "held_at", "held_escape_time", "mean_time"]


@dataclass(frozen=True)
class Escape:
    """Training from a stall: M, T, B, how many of the BT tokens are kept, learning rate, start and level to pass."""

    vocab_size: int
    n_tokens: int
    batch_size: int
    n_kept: int
    learning_rate: float
    start: float
    level: float

    @property
    def rate(self) -> float:
        """ρ, exactly."""
        return self.n_kept / (self.batch_size * self.n_tokens)

    @property
    def code(self) -> kernels.Gate:
        """The gate as the kernels take it."""
        return TokenGate("token", self.rate).code(self.batch_size, self.n_tokens)._replace(n_kept=float(self.n_kept))

    def task(self, p: float) -> TokenTask:
        """Return the bandit at p."""
        return TokenTask(self.vocab_size, self.n_tokens, self.batch_size, p)


def escape_steps(
    run: Escape,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
    *,
    together_only: bool = False,
    most_steps: int = 1_000_000,
) -> NDArray[np.int64]:
    """Return the updates until the mean probability passes the level, (n_replicates,), −1 where it has not.

    ``together_only`` averages each gradient over positions and wrong tokens.
    """
    states, step = replicate_states(seed, n_replicates), float(run.learning_rate)
    if together_only:
        sizes = (run.start, run.n_tokens, run.vocab_size, run.batch_size, float(run.n_kept))
        return in_chunks(together.together_escapes, states, n_threads, *sizes, step, run.level, most_steps)
    task = run.task(run.start)
    arguments = (task.logits, task.rows, run.code, step, run.level, most_steps)
    return in_chunks(kernels.token_escapes, states, n_threads, *arguments)


def mean_time(steps: NDArray[np.int64], most_steps: int) -> tuple[float, float]:
    """Return the logarithm of the mean number of updates and its standard error; runs still there are counted.

    All updates made over the number of escapes: the maximum-likelihood mean of an exponential law.
    """
    gone = int((steps >= 0).sum())
    total = float(np.where(steps >= 0, steps, most_steps).sum())
    if gone == 0:
        return np.inf, np.inf
    spread = float(np.std(steps)) / total * np.sqrt(gone) if gone == steps.size and gone > 1 else 1 / np.sqrt(gone)
    return float(np.log(total / gone)), float(spread)


def batch_pulls(run: Escape, p: float, n_batches: int, seed: int, n_threads: int = 1) -> FloatArray:
    """Return the positions' mean gradient on the right logits of each of some batches at p, (n_batches,)."""
    task = run.task(p)
    states = replicate_states(seed, n_batches)
    found = in_chunks(kernels.token_drifts, states, n_threads, task.logits, task.rows, run.code, 1)
    return np.asarray(found.mean(axis=1))


@dataclass(frozen=True)
class Held:
    """Drift and diffusion of the positions' mean log-odds, an update, while it is held at each of some log-odds."""

    log_odds: FloatArray
    speed: FloatArray
    variance: FloatArray


def held_at(
    run: Escape,
    log_odds: FloatArray,
    n_steps: int,
    n_replicates: int,
    seed: int,
    n_threads: int = 1,
    *,
    burn: float = 0.2,
    windows: int = 20,
) -> Held:
    """Measure what the mean would do while the positions spread around it, at log-odds (n,).

    The first share ``burn`` of the updates is left out. The variance is that of sums over windows, so that it holds
    what successive updates have in common.
    """
    speed, variance = np.empty(log_odds.size), np.empty(log_odds.size)
    for index, x in enumerate(log_odds):
        states = replicate_states(seed + index, n_replicates)
        task = run.task(float(expit(x)))
        arguments = (task.logits, task.rows, run.code, float(run.learning_rate), n_steps)
        moves = in_chunks(kernels.held_moves, states, n_threads, *arguments)[:, int(burn * n_steps) :]
        size = moves.shape[1] // windows
        sums = moves[:, : size * windows].reshape(n_replicates, windows, size).sum(axis=2)
        speed[index] = moves.mean()
        variance[index] = sums.var(ddof=1) / size
    return Held(np.asarray(log_odds), speed, variance)


def held_escape_time(run: Escape, held: Held) -> float:
    """Return the mean number of updates that a measured drift and diffusion predict, linear between the points."""
    low, high = logit(run.start) - 1.0, logit(run.level)
    edges = np.linspace(low, high, 2001)
    middles = (edges[1:] + edges[:-1]) / 2
    speed, variance = (np.interp(middles, held.log_odds, y) for y in (held.speed, held.variance))
    return passage_time(edges, speed, variance, float(logit(run.start)))
