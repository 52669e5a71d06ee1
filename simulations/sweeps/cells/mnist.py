"""Seeds of one method on the MNIST bandit."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import torch

from simulations.devices import single_thread
from simulations.mnist.config import MnistConfig
from simulations.mnist.images import load_mnist
from simulations.mnist.training import train
from simulations.sweeps.cells.types import Count, Positive, Rate, Seed

__all__ = ["mnist"]


def mnist(
    *,
    method: Literal["pg", "dg", "dg-k", "zero-price", "gate", "screen", "cross-entropy"],
    rate: Rate | None = None,
    price: float | None = None,
    temperature: float | None = None,
    rule: str | None = None,
    alpha: float | None = None,
    learning_rate: Positive = 1e-3,
    batch_size: Count = 100,
    width: Count = 100,
    updates: Count = 10_000,
    first_seed: Seed = 0,
    n_seeds: Count = 5,
    device: Literal["cpu", "cuda"] = "cpu",
) -> pd.DataFrame:
    """Train ``n_seeds`` seeds side by side and return their learning curves.

    Parameters
    ----------
    method, rate, price, temperature, rule, alpha, learning_rate, batch_size, updates
        As in :class:`~simulations.mnist.config.MnistConfig`.
    width : int
        Of both hidden layers.
    first_seed, n_seeds : int
        The seeds, which share the program but no random number.
    device : {"cpu", "cuda"}

    Returns
    -------
    DataFrame
        A row a seed and evaluation: label, seed, and the columns of :class:`~simulations.mnist.training.Trained`.
    """
    configs = [
        MnistConfig(
            method,
            rate=rate,
            price=price,
            temperature=temperature,
            rule=rule,
            alpha=alpha,
            seed=seed,
            updates=updates,
            batch_size=batch_size,
            learning_rate=learning_rate,
            hidden=(width, width),
        )
        for seed in range(first_seed, first_seed + n_seeds)
    ]
    with single_thread():
        curves = train(configs, load_mnist(), torch.device(device)).curves
    labelled = [
        curve.assign(label=config.label, seed=config.seed) for config, curve in zip(configs, curves, strict=True)
    ]
    return pd.concat(labelled, ignore_index=True)
