"""Batches of successes and failures of which the best sample by a screening rule is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import select
from kondo_theory.screening import Rule

__all__ = ["Setting", "failure_on_top", "successes_on_top"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A symmetric context whose rewards are 0 and Δ, and whether delight ranks successes first there."""

    n_arms: int
    p: float
    gap: float
    baseline: float
    delight_errs: bool = False

    def __str__(self) -> str:
        return f"K={self.n_arms}, p={self.p:g}, Δ={self.gap:g}, b={self.baseline:g}"

    def point(self, rule: str, **more: float) -> dict[str, str | float]:
        """Return the point of a grid by symbol."""
        return {"rule": rule, "K": self.n_arms, "p": self.p, "Δ": self.gap, "b": self.baseline, **more}

    @property
    def log_odds(self) -> float:
        """Return log(p/(1 − p))."""
        return float(np.log(self.p) - np.log1p(-self.p))


def failure_on_top(
    n_batches: int,
    batch_size: int,
    at: Setting,
    log_odds: float,
    rule: Rule,
    rng: np.random.Generator,
    **parameters: float,
) -> FloatArray:
    """Draw batches and return whether the best sample of each is a failure, shape (n_batches,)."""
    error = float(np.exp(-np.logaddexp(0.0, log_odds)))
    correct = rng.random((n_batches, batch_size)) >= error
    return (~successes_on_top(correct, at, log_odds, rule, rng, **parameters)).astype(np.float64)


def successes_on_top(
    correct: NDArray[np.bool_],
    at: Setting,
    log_odds: float,
    rule: Rule,
    rng: np.random.Generator | None = None,
    **parameters: float,
) -> NDArray[np.bool_]:
    """Score batches (n, B) of successes and failures, keep one sample of each, and return whether it is a success."""
    advantage = np.where(correct, at.gap, 0.0) - at.baseline
    # −log p and −log((1 − p)/(K − 1)); all failures tie, so which wrong arm one drew does not matter.
    right, wrong = np.logaddexp(0.0, -log_odds), np.log(at.n_arms - 1) + np.logaddexp(0.0, log_odds)
    surprisal = np.where(correct, right, wrong)
    scores = rule(advantage, surprisal, np.zeros_like(surprisal), **parameters)
    kept = select(scores, 1 / correct.shape[-1], rng if rng is not None else np.random.default_rng(0))
    return np.asarray((kept & correct).any(axis=-1))
