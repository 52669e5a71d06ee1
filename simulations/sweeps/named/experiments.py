"""Sweeps that train networks."""

from __future__ import annotations

from simulations.sweeps.grid import Grid, Sweep

__all__ = ["EXPERIMENTS"]

_RATES = (3e-4, 1e-3, 3e-3)


def _mnist(**method: tuple[str | float, ...]) -> Grid:
    return {**method, "learning_rate": _RATES, "updates": (1_000,), "n_seeds": (5,)}


EXPERIMENTS = (
    Sweep(
        name="mnist-learning-rate",
        title="learning curves on the MNIST bandit at three learning rates",
        kind="experiment",
        cell="simulations.sweeps.cells.mnist:mnist",
        grids=(
            _mnist(method=("pg", "dg", "zero-price", "cross-entropy")),
            _mnist(method=("dg-k",), rate=(0.03,)),
        ),
        presets={
            "smoke": {"updates": 20, "n_seeds": 2},
            "paper": {"updates": 10_000, "n_seeds": 10},
        },
        probe=("updates", 200),
    ),
)
