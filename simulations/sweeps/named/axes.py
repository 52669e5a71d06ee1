"""Axes of grids, as tuples of round numbers, without numpy, so that listing the sweeps stays fast."""

from __future__ import annotations

import math
from typing import get_args

from simulations.sweeps.cells.types import Rule

__all__ = ["RULES", "log_spaced", "log_spaced_counts"]

RULES: tuple[str, ...] = get_args(Rule)
"""The names in :data:`kondo_theory.screening.SAMPLE_RULES`, whose import would take as long as the rest."""


def log_spaced(low: float, high: float, n: int) -> tuple[float, ...]:
    """Return n numbers evenly spaced in their logarithm, to four significant digits."""
    ratio = math.log(high / low) / (n - 1)
    return tuple(float(f"{low * math.exp(ratio * i):.4g}") for i in range(n))


def log_spaced_counts(low: int, high: int, n: int) -> tuple[int, ...]:
    """Return whole numbers about evenly spaced in their logarithm, each once."""
    return tuple(dict.fromkeys(round(value) for value in log_spaced(low, high, n)))
