"""Prompts that are sampled or skipped by their history, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prices", "PromptVisits", "simulate_costs", "simulate_visits", "waits_after", "waits_where_none_taught"]

FloatArray = NDArray[np.float64]
Chance = Callable[[FloatArray], FloatArray]
"""The probability to sample a prompt, from its idle visits in a row."""


@dataclass(frozen=True)
class PromptVisits:
    """Of each prompt, (n,): the share of epochs with a visit, of visits without spread, and signal an epoch.

    The signal of a visit is the variance of its group's rewards.
    """

    share: FloatArray
    idle: FloatArray
    signal: FloatArray


def simulate_visits(
    pass_rate: FloatArray, group_size: int, chance: Chance, n_epochs: int, n_warm: int, rng: np.random.Generator
) -> PromptVisits:
    """Run prompts of given pass rates (n,) for so many epochs after those that only warm up."""
    n_idle, visits, without, signal = (np.zeros(len(pass_rate)) for _ in range(4))
    for epoch in range(n_warm + n_epochs):
        visited = rng.random(len(pass_rate)) < chance(n_idle)
        share = rng.binomial(group_size, pass_rate) / group_size
        idle = (share == 0) | (share == 1)
        n_idle = np.where(visited, np.where(idle, n_idle + 1, 0), n_idle)
        if epoch >= n_warm:
            visits += visited
            without += visited & idle
            signal += visited * share * (1 - share)
    return PromptVisits(visits / n_epochs, without / np.maximum(visits, 1), signal / n_epochs)


@dataclass(frozen=True)
class Prices:
    """What an answer costs: its sampling, its screening, and its update, forward and backward."""

    sampling: float
    screening: float
    update: float


def simulate_costs(
    pass_rate: float,
    group_size: int,
    n_kept: int | None,
    chance: Chance,
    prices: Prices,
    n_prompts: int,
    n_epochs: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return what prompts cost an answer of an epoch, (n_prompts,), after as many epochs again that warm up.

    Answers are drawn one by one; of a group with spread ``n_kept`` get an update, after all were screened, or, for
    None, all of them without screening.
    """
    n_idle, spent = np.zeros(n_prompts), np.zeros(n_prompts)
    screening = 0.0 if n_kept is None else prices.screening
    for epoch in range(2 * n_epochs):
        visited = rng.random(n_prompts) < chance(n_idle)
        right = rng.random((n_prompts, group_size)) < pass_rate
        updated = np.count_nonzero(right != right.mean(axis=1, keepdims=True), axis=1)  # those with an advantage
        if n_kept is not None:
            updated = np.minimum(updated, n_kept)
        n_idle = np.where(visited, np.where(updated == 0, n_idle + 1, 0), n_idle)
        if epoch >= n_epochs:
            spent += visited * (group_size * (prices.sampling + screening) + updated * prices.update)
    return np.asarray(spent / (n_epochs * group_size))


def waits_where_none_taught(
    pass_rate: float, group_size: int, n_epochs: int, n_prompts: int, chance: Chance, rng: np.random.Generator
) -> FloatArray:
    """Return the epochs to the next visit of the prompts, of so many, that met no spread in so many epochs."""
    n_idle, left = np.zeros(n_prompts), np.ones(n_prompts, dtype=bool)
    for _ in range(n_epochs):
        visited = rng.random(n_prompts) < chance(n_idle)
        n_right = rng.binomial(group_size, pass_rate, n_prompts)
        left &= ~visited | (n_right == 0) | (n_right == group_size)
        n_idle += visited
    return rng.geometric(chance(n_idle[left])).astype(np.float64)


def waits_after(n_idle_epochs: int, n_prompts: int, chance: Chance, rng: np.random.Generator) -> FloatArray:
    """Return the epochs to the next visit of prompts that had no spread for so many epochs, (n_prompts,)."""
    n_idle = np.zeros(n_prompts)
    for _ in range(n_idle_epochs):
        n_idle += rng.random(n_prompts) < chance(n_idle)
    return rng.geometric(chance(n_idle)).astype(np.float64)
