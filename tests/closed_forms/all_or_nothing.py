"""Closed forms of ``all-or-nothing``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.token_trap.all_or_nothing import all_or_nothing_drift, expected_update

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _between(rng: np.random.Generator, piece: str) -> Mapping[str, float]:
    """Draw p > 1/2, T, and a rate of one of the three pieces."""
    p, T = rng.uniform(0.52, 0.95), int(rng.integers(2, 8))
    ends = {"low": (0.0, p**T), "middle": (p**T, p), "high": (p, 1.0)}[piece]
    return {"p": p, "T": T, "rho": rng.uniform(*ends)}


def _piece(piece: str) -> ClosedForm:
    return ClosedForm(
        lambda rng: _between(rng, piece), lambda p, T, rho: float(all_or_nothing_drift(p, int(T), 2, rho))
    )


def _two_answers(rate: float) -> float:
    policies = [np.array([0.9, 0.1]), np.array([[0.99, 0.01], [0.2, 0.8]])]
    return float(expected_update(policies, rate, np.array([[True, False], [True, False]]))[0][0])


CLOSED_FORMS = {
    "all-or-nothing": {
        "low": _piece("low"),
        "middle": _piece("middle"),
        "high": _piece("high"),
        "two_right_answers": ClosedForm(lambda rng: {}, lambda: _two_answers(0.01)),
        "two_right_gradient": ClosedForm(lambda rng: {}, lambda: _two_answers(1.0)),
    },
}

QUOTED = {
    "all-or-nothing": {
        "9/10": "a setting of the example",
        "99/100": "a setting of the example",
        "1/10": "a setting of the example",
        "1/5": "a setting of the example",
        "1 %": "a setting of the example, checked in the derivation",
        "p^T": "the chance of the right answer, a definition",
        "p > 1/M": "a condition",
    },
}
