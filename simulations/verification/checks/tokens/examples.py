"""The counterexamples of the derivation of ``row-gate``, sampled: what breaks when a condition is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from simulations.statistics import mean_and_error
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["EXAMPLES", "PREDICTED", "example_rows", "train_two_tokens", "vanishing_rows"]

FloatArray = NDArray[np.float64]
Counts = NDArray[np.int64]
Rule = Callable[[Counts, FloatArray], NDArray[np.bool_]]
"""Which rows are kept, from their number of right tokens, (R, B), and the mean reward, (R, 1)."""
Table = tuple[FloatArray, FloatArray]
"""Probabilities of the outcomes, and what each adds to the summed drift (0 where it is dropped)."""

PREDICTED = {
    "unequal": -9 / 2500,
    "autoregressive": -32493599 / 8e9,
    "constant baseline": -36 / 625,
    "two answers": -3 / 1024,
    "correlated reward": -217 / 12800,
}
"""Proved in the derivation of ``row-gate``; a test compares the two."""


def _top(mass: FloatArray, delight: FloatArray, pull: FloatArray, rate: float) -> Table:
    """Keep the top ``rate`` by delight; the rates below end at an atom."""
    order = np.argsort(-delight, kind="stable")
    kept = np.zeros(mass.size)
    kept[order] = np.cumsum(mass[order]) <= rate * (1 + 1e-9)
    return mass, kept * pull


def _rows() -> NDArray[np.int64]:
    return np.array(list(product((1, 0), repeat=2)))


def _two_tokens(chances: FloatArray, vocab_size: int, baseline: float, rate: float, columns: slice) -> Table:
    """Return two tokens gated by row delight; ``chances`` is (2,) or (4, 2), given the row so far."""
    rows = _rows()
    each = np.where(rows == 1, chances, 1 - chances)
    surprisal = -np.log(np.where(rows == 1, chances, (1 - chances) / (vocab_size - 1))).sum(axis=1)
    advantage = rows.mean(axis=1) - baseline
    pull = advantage * (rows - chances)[:, columns].sum(axis=1)
    return _top(each.prod(axis=1), advantage * surprisal, pull, rate)


def _unequal() -> Table:
    """Give one token a negative drift."""
    return _two_tokens(np.array([0.6, 0.1]), 100_000, 0.35, 0.04, slice(0, 1))


def _autoregressive() -> Table:
    """Let the second token depend on the first."""
    chances = np.where(_rows()[:, :1] == 1, [[0.5, 0.001]], [[0.5, 0.9]])
    mean = 0.5 * (1 + 0.001) / 2 + 0.5 * 0.9 / 2
    return _two_tokens(chances, 2, mean, 0.4505, slice(0, 2))


def _constant_baseline() -> Table:
    """Take a baseline that is not the row's mean."""
    return _two_tokens(np.array([0.9, 0.9]), 2, 0.1, 0.18, slice(0, 2))


def _two_answers() -> Table:
    """Take the mean of two answers as the baseline, and rank rows by delight."""
    chance, masses = 0.75, np.array([1 / 16, 6 / 16, 9 / 16])
    own, other = (grid.ravel() for grid in np.meshgrid(np.arange(3), np.arange(3), indexing="ij"))
    advantage = (own - other) / 4
    surprisal = -own * np.log(chance) - (2 - own) * np.log(1 - chance)
    return _top(masses[own] * masses[other], advantage * surprisal, advantage * (own - 2 * chance), 3 / 128)


def _correlated_reward() -> Table:
    """Let the other tokens depend on this one; tokens at zero price, p = 1/2."""
    baseline = 0.5 * (0.5 + 0.45 * 0.75)
    mass = 0.5 * np.array([1.0, 0.45, 0.55])  # right; wrong and lucky; wrong
    advantage = np.array([0.5, 0.75, 0.0]) - baseline
    return mass, np.where(advantage > 0, advantage, 0.0) * np.array([0.5, -0.5, -0.5])


EXAMPLES: Mapping[str, Callable[[], Table]] = {
    "unequal": _unequal,
    "autoregressive": _autoregressive,
    "constant baseline": _constant_baseline,
    "two answers": _two_answers,
    "correlated reward": _correlated_reward,
}


def example_rows(n_samples: int) -> Iterator[Simulated]:
    """Yield each counterexample's drift from ``n_samples`` independent outcomes, drawn as their counts."""
    for index, (name, build) in enumerate(EXAMPLES.items()):
        mass, value = build()
        rng = np.random.default_rng(np.random.SeedSequence(9_000, spawn_key=(index,)))
        share = rng.multinomial(n_samples, mass / mass.sum()) / n_samples
        estimate = float(share @ value)
        error = float(np.sqrt((share @ value**2 - estimate**2) / n_samples))
        # Resolved to a tenth: the sign is what counts.
        resolution = 0.1 * abs(PREDICTED[name])
        yield Simulated(f"drift, {name}", PREDICTED[name], estimate, error, resolution, {"example": name})


def exactly_one(n_right: Counts, mean: FloatArray) -> NDArray[np.bool_]:
    """Keep the answers with exactly one of two tokens right."""
    return n_right == 1


def least_advantage(n_right: Counts, mean: FloatArray) -> NDArray[np.bool_]:
    """Keep the answers of least |A|."""
    distance = np.abs(np.arange(3) / 2 - mean)
    return n_right == np.argmin(distance, axis=1)[:, None]


def train_two_tokens(
    start: tuple[float, float], rule: Rule, n_steps: int, n_replicates: int, seed: int, n_rows: int = 200
) -> FloatArray:
    """Return the two tokens' probabilities after training on rows kept whole, (n_replicates, 2); four words, rate 10.

    The exact mean is the baseline. Wrong words stay even, so that a token's log-odds move by M/(M − 1) of its drift.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    log_odds = np.tile(np.log(start) - np.log1p(-np.array(start)), (n_replicates, 1))
    for _ in range(n_steps):
        p = 1 / (1 + np.exp(-log_odds))
        right = rng.random((n_replicates, n_rows, 2)) < p[:, None]
        n_right, mean = right.sum(axis=2), p.mean(axis=1, keepdims=True)
        pull = np.where(rule(n_right, mean), n_right / 2 - mean, 0.0)[..., None] * (right - p[:, None])
        log_odds = log_odds + 10.0 * 4 / 3 * pull.mean(axis=1)
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def vanishing_rows() -> Iterator[Simulated]:
    """Yield where training ends under rules whose E[G·A²] vanishes on the way, and under one whose does not."""
    stalled = train_two_tokens((0.25, 0.25), exactly_one, 3_000, 8, 9_100)
    end, error = mean_and_error(stalled.mean(axis=1))
    point: dict[str, Value] = {"kept": "exactly one of two right", "p start": (0.25, 0.25)}
    name = "end of training on answers with exactly one of two right"
    yield Simulated(name, 0.5, end, error + 1e-3, parameters=point)
    lost = train_two_tokens((0.25, 0.26), least_advantage, 3_000, 8, 9_101)
    share, error = mean_and_error((lost.min(axis=1) < 0.15) & (lost.max(axis=1) > 0.85))  # either, by noise
    point = {"kept": "least |A|", "p start": (0.25, 0.26)}
    name = "share of runs on the answers of least |A| that lose a token"
    yield Simulated(name, 1.0, share, error, parameters=point)
    learned = train_two_tokens((0.25, 0.26), lambda n_right, mean: n_right >= 0, 3_000, 8, 9_102)
    share, error = mean_and_error(learned.min(axis=1) > 0.9)
    point = {"kept": "all", "p start": (0.25, 0.26)}
    yield Simulated("share of runs on all answers that learn both tokens", 1.0, share, error, parameters=point)
