"""Closed forms of ``corner-escape``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry.corners import escape_time, late_error, shared_rest_point
from kondo_theory.geometry.learning import learning_time

__all__ = ["CLOSED_FORMS", "QUOTED"]

_FAR = 1e9  # r where a limit is looked at


def _ratio(rng: np.random.Generator) -> Mapping[str, float]:
    return {"r": 10 ** rng.uniform(0.1, 5), "b": rng.uniform(0, 0.95)}


def _arms(rng: np.random.Generator) -> Mapping[str, float]:
    return {"K": int(rng.integers(2, 60)), "b": rng.uniform(0, 0.95)}


def _share(rng: np.random.Generator) -> Mapping[str, float]:
    return {"q": rng.uniform(0.01, 0.49)}


def _two(r: float) -> list[float]:
    return [1 / (1 + r), r / (1 + r)]


def _most(K: float) -> float:
    """Time from even arms over that from the same p with one wrong arm."""
    even = escape_time("pg", np.full(int(K), 1 / K), 0.0, p_end=0.9)
    return float(even / escape_time("pg", _two(K - 1), 0.0, p_end=0.9))


def _lost(q: float) -> float:
    """Reward at p = 1 less that at zero price's rest point."""
    p = float(shared_rest_point("zero-price", q, "value"))
    return (1 - q) - ((1 - q) * p + q * (1 - p))


def _dg_corner(b: float) -> float:
    return float(learning_time("dg", 2, 0.5, b, p_start=1 / (1 + _FAR), temperature=0.05)) / _FAR


def _dg_share(b: float) -> float:
    """The least share at which DG stops inside, by bisection."""
    low, high = 0.0, 0.5
    for _ in range(36):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if float(shared_rest_point("dg", middle, b, temperature=0.05)) < 1 else (middle, high)
        )
    return high


CLOSED_FORMS = {
    "corner-escape": {
        "pg": ClosedForm(_ratio, lambda r, b: float(escape_time("pg", _two(r), b)), 1e-9),
        "backward": ClosedForm(_ratio, lambda r, b: float(escape_time("zero-price", _two(r), b, "backward")), 1e-9),
        "value_backward": ClosedForm(
            _ratio, lambda r, b: float(escape_time("zero-price", _two(r), "value", "backward")), 1e-9
        ),
        "value_forward": ClosedForm(_ratio, lambda r, b: float(escape_time("zero-price", _two(r), "value")), 1e-9),
        "most_arms": ClosedForm(lambda rng: {"K": int(rng.integers(2, 60))}, _most, 1e-9),
        "late": ClosedForm(_arms, lambda K, b: float(late_error("zero-price", K, 1.0, b))),
        "late_square": ClosedForm(_arms, lambda K, b: float(late_error("zero-price", K, 1.0, "value")) ** 2, 1e-9),
        "rest": ClosedForm(_share, lambda q: float(shared_rest_point("zero-price", q, "value"))),
        "lost": ClosedForm(_share, _lost, 1e-9),
        "dg_corner": ClosedForm(lambda rng: {"b": rng.uniform(0.05, 0.9)}, _dg_corner, 1e-3),
        "dg_share": ClosedForm(lambda rng: {"b": rng.uniform(0.05, 0.95)}, _dg_share, 1e-9),
    },
}

QUOTED = {
    "corner-escape": {
        "1/(1−b) times": "what the two speeds say, a step of the proof",
        "1/π_y of them": "the mean of a geometric count, a step of the proof",
        "(1−π_y)t": "what the limit is of",
        "(1−π_y)²t": "what the limit is of",
        "O(1/t)": "an order, the constant is late",
        "1/2 there": "a limit of DG's weight in the proof",
        "in shares 1−q and q < 1/2": "a definition",
    },
}
