"""The simulation of the claim screening-ties: batches of answers, ranked token by token, ties kept or broken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import kept_count, select
from kondo_theory.screening import RULES
from kondo_theory.token_trap.screening_ties import KeptShare, share_with_ties
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["screening_ties"]

POINTS = (
    (0.5, 10, 10, 10, 0.03, "advantage"),
    (0.9, 10, 10, 10, 0.03, "advantage"),
    (0.99, 10, 10, 10, 0.03, "advantage"),
    (0.98, 10, 10, 10, 0.03, "abs-advantage"),
    (0.7, 3, 4, 5, 0.1, "advantage"),
    (0.7, 3, 4, 5, 0.1, "abs-advantage"),
    (0.95, 4, 3, 4, 0.25, "abs-advantage"),
    (0.4, 1, 6, 2, 0.2, "advantage"),
    (0.9, 4, 3, 4, 0.25, "uniform"),
)
"""p, T, prompts, answers to each, ρ and rule."""
N_BATCHES = {"smoke": 6_000, "quick": 24_000, "paper": 240_000}
_AT_ONCE = 1_000_000  # scores
WITHIN = 1e-6
Shares = Callable[..., KeptShare]


def screening_ties(context: Context, predicted: Shares = share_with_ties, within: float = WITHIN) -> list[Simulated]:
    """Draw batches of answers and count what is kept; in float32, where equal advantages may differ by rounding.

    ``predicted`` is the closed form and ``within`` how far below the k-th a score ties with it: negative controls
    replace them.
    """
    return [row for index in range(len(POINTS)) for row in _kept(context, index, predicted, within)]


def _kept(context: Context, index: int, predicted: Shares, within: float) -> list[Simulated]:
    p, T, P, n, rate, rule = POINTS[index]
    rng = np.random.default_rng(np.random.SeedSequence(9_400, spawn_key=(index,)))
    left, k = N_BATCHES[context.preset], kept_count(rate, P * n * T)
    kept, moving, exact = [], [], []
    while left:
        size = min(left, max(1, _AT_ONCE // (P * n * T)))
        left -= size
        advantage = _advantage(rng.binomial(T, p, (size, P, n)), T)
        score = RULES[rule](np.repeat(advantage, T, axis=1), np.ones((size, P * n * T), dtype=np.float32))
        price = np.partition(score, -k, axis=1)[:, -k, None]
        keep = score >= price - np.float32(within)
        kept.append(keep.mean(axis=1))
        moving.append((keep & (np.repeat(advantage, T, axis=1) != 0)).mean(axis=1))
        exact.append(select(score[:4], rate, rng=rng).mean(axis=1))
    found = predicted(p, T, P, n, rate, rule)
    name = f"p={p:g}, T={T}, {P} prompts, S={n}, ρ={rate:g}, by {rule}"
    point: dict[str, Value] = {"p": p, "T": T, "prompts": P, "S": n, "ρ": rate, "rule": rule}
    rows = []
    for quantity, value, parts in (
        ("share kept", found.kept, kept),
        ("share kept that moves", found.moving, moving),
        ("share kept where ties are broken", k / (P * n * T), exact),
    ):
        estimate, error = mean_and_error(np.concatenate(parts))
        rows.append(Simulated(f"{quantity}, {name}", value, estimate, error, 1e-3, point))
    return rows


def _advantage(points: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Return rewards less the mean of their prompt's, (B, P·n)."""
    reward = points.astype(np.float32)
    distance = (reward - reward.mean(axis=2, keepdims=True)) / np.float32(length)
    return distance.reshape(len(points), -1).astype(np.float32)
