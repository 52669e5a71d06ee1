"""Prompts that are sampled or skipped by their history, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PromptVisits", "simulate_visits", "waits_after"]

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


def waits_after(n_idle_epochs: int, n_prompts: int, chance: Chance, rng: np.random.Generator) -> FloatArray:
    """Return the epochs to the next visit of prompts that had no spread for so many epochs, (n_prompts,)."""
    n_idle = np.zeros(n_prompts)
    for _ in range(n_idle_epochs):
        n_idle += rng.random(n_prompts) < chance(n_idle)
    return rng.geometric(chance(n_idle)).astype(np.float64)
