"""Seeds of one method on token reversal."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from simulations.reversal.config import ReversalConfig
from simulations.reversal.side_by_side.runs import run_many
from simulations.reversal.training import tidy
from simulations.sweeps.cells.types import Count, Positive, Rate, Seed

__all__ = ["reversal"]


def reversal(
    *,
    method: Literal["pg", "dg", "token-gate", "row-gate", "ppo", "pmpo"],
    rate: Rate | None = None,
    price: float | None = None,
    temperature: float | None = None,
    rule: str = "delight",
    reward: Literal["fraction", "prefix", "exact"] = "fraction",
    length: Count = 10,
    vocab_size: Count = 2,
    learning_rate: Positive = 3e-4,
    updates: Count = 1_000,
    first_seed: Seed = 0,
    n_seeds: Count = 2,
    device: Literal["cpu", "cuda"] = "cpu",
) -> pd.DataFrame:
    """Train ``n_seeds`` seeds side by side and return their learning curves.

    Parameters
    ----------
    method, rate, price, temperature, rule, reward, length, vocab_size, learning_rate, updates
        As in :class:`~simulations.reversal.config.ReversalConfig`.
    first_seed, n_seeds : int
    device : {"cpu", "cuda"}

    Returns
    -------
    DataFrame
        A row a seed and evaluation: label, seed, and the columns of the curve of
        :func:`~simulations.reversal.training.run_one`.
    """
    configs = [
        ReversalConfig(
            method,
            rate=rate,
            price=price,
            temperature=temperature,
            rule=rule,
            reward=reward,
            length=length,
            vocab_size=vocab_size,
            learning_rate=learning_rate,
            updates=updates,
            seed=seed,
        )
        for seed in range(first_seed, first_seed + n_seeds)
    ]
    curves = {index: curve for index, curve, _ in run_many(configs, device=device)}
    table = tidy(configs, [curves[index] for index in range(len(configs))])
    return table[["label", "seed", *curves[0].columns]]
