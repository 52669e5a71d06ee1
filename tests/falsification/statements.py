"""The registers of statements, and draws that several of them share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kondo_theory.claims import CLAIMS

__all__ = ["REFUTED", "STATEMENTS", "FloatArray", "Margins", "arms", "context", "probability", "refuted", "states"]

FloatArray = NDArray[np.float64]
Margins = Callable[[np.random.Generator], FloatArray | float]
"""Draws one point, or several, and returns by how much the statement holds there."""

STATEMENTS: dict[tuple[str, str], Margins] = {}
REFUTED: dict[tuple[str, str], Margins] = {}


def states(claim: str, statement: str) -> Callable[[Margins], Margins]:
    """Register what a claim says."""
    assert claim in CLAIMS, claim

    def register(function: Margins) -> Margins:
        STATEMENTS[claim, statement] = function
        return function

    return register


def refuted(claim: str, statement: str) -> Callable[[Margins], Margins]:
    """Register a stronger statement that is false."""
    assert claim in CLAIMS, claim

    def register(function: Margins) -> Margins:
        REFUTED[claim, statement] = function
        return function

    return register


def probability(rng: np.random.Generator, size: int | None = None) -> FloatArray | float:
    """Draw p in (0, 1): even in log-odds half of the time, so that its ends are visited."""
    if rng.random() < 0.5:
        return rng.uniform(0.001, 0.999, size)
    return 1 / (1 + np.exp(-rng.uniform(-8, 8, size)))


def arms(rng: np.random.Generator, least: int = 2) -> int:
    """Draw K, small or large."""
    return int(rng.integers(least, 6)) if rng.random() < 0.5 else int(rng.integers(least, 300))


def context(rng: np.random.Generator, least: int = 2, b_high: float = 1.0) -> tuple[float, int, float]:
    """Draw p, K and 0 < b < 1."""
    return float(probability(rng)), arms(rng, least), float(rng.uniform(0.001, 0.999 * b_high))
