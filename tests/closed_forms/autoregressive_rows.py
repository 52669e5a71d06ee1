"""Closed forms of ``autoregressive-rows``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from closed_forms import ClosedForm
from kondo_theory.token_trap.autoregressive_rows import tied_drift, tied_stall_point

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _shared(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw odds that stall: hardly any right token after a right one."""
    return {"u": rng.uniform(1e-4, 1e-3), "v": rng.uniform(6.0, 12.0)}


def _odds(u, v):
    """Return where the drift falls through zero between a point below the stall and one above."""
    return brentq(lambda odds: float(tied_drift(odds, u, v, 0.3)), 0.5, 1.2, xtol=1e-14)


def _reward(u, v):
    return float(tied_stall_point(u, v, 0.3))


def _last_stalling(low: float, high: float) -> float:
    """Return where rates begin or end to stall, between one that does and one that does not."""
    return brentq(lambda rate: -1.0 if tied_stall_point(1e-3, 8.0, rate) is None else 1.0, low, high, xtol=1e-14)


CLOSED_FORMS = {
    "autoregressive-rows": {
        "stall_odds": ClosedForm(_shared, _odds, 1e-9),
        "stall_reward": ClosedForm(_shared, _reward),
        "lowest_rate": ClosedForm(lambda rng: {}, lambda: _last_stalling(0.01, 0.3), 1e-6),
        "highest_rate": ClosedForm(lambda rng: {}, lambda: _last_stalling(0.3, 0.9), 1e-6),
    },
}

QUOTED = {
    "autoregressive-rows": {
        "T·E[G·A²] − E[G·A·(C − T·b)]": "the identity, proved for every rule",
        "E[G·A²] > 0": "what the proof assumes",
        "o·u": "a definition",
        "o·v": "a definition",
        "u = 1/1000, v = 8": "an example's setting",
        "at 3 %": "a setting of the measurement",
        "M = 10, H = 4": "a setting of the measurement",
        "M = 2, H = 10": "a setting of the measurement",
        "E[G·(C − T·b)²] < T²·E[G·A²]": "the condition, argued from the identity",
    },
}
