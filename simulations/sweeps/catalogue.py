"""The named sweeps. Each is data: a function by its name, and the grids to call it on; presets change sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from simulations.sweeps.grid import Sweep

__all__ = ["SWEEPS"]

_CELLS = "simulations.sweeps.cells"

_SWEEPS = (
    Sweep(
        name="frontier",
        title="cost and quality of a Bernoulli gate over price and temperature",
        cell=f"{_CELLS}.frontier:frontier",
        grids=(
            {
                "p_correct": (0.05, 0.2, 0.5, 0.8),
                "n_arms": (2, 10, 100),
                "baseline": (0.1, 0.5, 0.9),
                "temperature": (0.0, 0.1, 0.5, 2.0),
                "price": tuple(n / 4 for n in range(-12, 13)),
            },
        ),
    ),
    Sweep(
        name="token-trap",
        title="where a fixed-rate gate on tokens stalls, over vocabulary, length and rate",
        cell=f"{_CELLS}.token_trap:token_trap",
        grids=(
            {
                "vocab_size": (2, 10, 100, 1000),
                "n_tokens": (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32),
                "rate": (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5),
            },
        ),
    ),
)

SWEEPS: Mapping[str, Sweep] = MappingProxyType({sweep.name: sweep for sweep in _SWEEPS})
"""By name."""
