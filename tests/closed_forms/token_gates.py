"""Closed forms of ``token-trap`` and ``row-gate``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from closed_forms import ClosedForm
from kondo_theory import token_trap
from kondo_theory.token_trap import groups as token_groups

__all__ = ["CLOSED_FORMS", "QUOTED"]

LARGE = 10**6  # a vocabulary where a wrong token with a right neighbour leads from p = 0.05 to 0.45, T = 2


def _policy(rng: np.random.Generator) -> Mapping[str, float]:
    return {"p": rng.uniform(0.02, 0.98), "T": int(rng.integers(1, 30)), "M": int(rng.integers(2, 200))}


def _low(rng: np.random.Generator) -> Mapping[str, float]:
    return {"p": rng.uniform(0.05, 0.45)}


def _crossing(p):
    """Return the rate at which the drift of two tokens is zero, beside the one at which all are kept."""
    first = p * (1 - p)  # the wrong tokens with a right neighbour
    return brentq(lambda rate: float(token_trap.drift(p, 2, LARGE, rate)), first, first + p * p, xtol=1e-14)


def _one_right(p):
    def rule(advantage, surprisal, entropy):
        return np.where(np.isclose(advantage, 0.5 - p), 0.0, -np.inf)

    return token_trap.drift(p, 2, 4, 1.0, "row", rule=rule)


def _nothing(rng: np.random.Generator) -> Mapping[str, float]:
    return {}


CLOSED_FORMS = {
    "token-trap": {
        "full_drift": ClosedForm(_policy, lambda p, T, M: token_trap.drift(p, T, M, 1.0)),
        "two_token_rate": ClosedForm(_low, _crossing),
        "two_token_critical_rate": ClosedForm(_nothing, lambda: token_trap.critical_rate(1000, 2), 1e-8),
    },
    "row-gate": {
        "one_right_drift": ClosedForm(_low, _one_right),
        "zero_price_two_tokens": ClosedForm(_low, lambda p: token_trap.drift(p, 2, 4, gate="zero-price")),
        "two_answers": ClosedForm(_nothing, lambda: 2 * token_groups.group_drift(0.75, 2, 2, 3 / 128, 2, "row")),
    },
}

QUOTED = {
    "token-trap": {
        "M = 5 to 47": "proved on intervals, and compared with low_rates_stall",
        "M = 48": "proved on intervals, and compared with low_rates_stall",
        "M = 359": "proved on both sides of it",
        "M = 10, T = 32: 0.685 < ρ < 0.977": "an example, compared with stalling_rates in "
        "tests/claims/test_counterexamples.py",
        "1/2": "a rate in the limit of long rows, proved",
    },
    "row-gate": {
        "T·E[G·A²]": "the identity, proved for every rule",
        "E[G·A²]": "a definition",
        "G·A": "a definition",
        "Σp_t/T": "a definition",
        "1/2": "where the drift of the example vanishes, in the result one_right_drift",
        "(0.25, 0.26)": "an example's start",
        "M = T = 10": "an example's setting",
        "ρ = 3 %": "an example's setting",
        "S ≤ 17": "an example, compared with group_drift in tests/token_trap/test_groups.py",
        "S = 18": "an example, compared with group_drift in tests/token_trap/test_groups.py",
    },
}
