"""The published sequence errors of token reversal at H = 10 and M = 2 [KG §5], and how near an error is to one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FACTOR", "FIGURES", "SMALL", "Figure", "distance", "within"]

FACTOR = 2.0
SMALL, SMALL_BOUND = 0.01, 1e-3


@dataclass(frozen=True)
class Figure:
    """A published error, and the methods that may have been meant."""

    published: float
    names: tuple[str, ...]


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "PG": Figure(0.6, ("PG",)),
        "PPO": Figure(0.3, ("PPO", "PPO(1 epochs)", "PPO(β=0.1)", "PPO(β=1)")),
        "PMPO": Figure(0.1, ("PMPO",)),
        "DG": Figure(1e-4, ("DG",)),
        "DG-K(3 %)": Figure(1e-4, ("token gate(3 %)", "zero-price", "row gate(3 %)")),
    }
)


def within(error: float, published: float) -> bool:
    """Return whether an error reproduces a published one."""
    if published < SMALL:
        return error <= SMALL_BOUND
    return published / FACTOR <= error <= published * FACTOR


def distance(error: float, published: float) -> float:
    """Return how many powers of ten an error is from a published one; 0 at or below the bound of a small one."""
    if published < SMALL:
        return max(0.0, math.log10(max(error, SMALL_BOUND) / SMALL_BOUND))
    return abs(math.log10(max(error, SMALL_BOUND) / published))
