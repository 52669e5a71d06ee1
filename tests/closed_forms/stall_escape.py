"""Closed forms of ``stall-escape``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize_scalar

from closed_forms import ClosedForm
from kondo_theory.token_trap import critical_rate, drift
from kondo_theory.token_trap.stall_escape import barrier, diffusion

__all__ = ["CLOSED_FORMS", "QUOTED"]

_MANY = 10**6  # words: a wrong token beside right ones leads


def _leading(rng: np.random.Generator) -> Mapping[str, float]:
    T = int(rng.integers(2, 6))
    return {"T": T, "p": (T - 2 + rng.uniform(0.2, 0.7)) / T}


def _zero(T, p):
    """Return the rate at which the drift, linear in the rate there, vanishes, from two rates."""
    low, high = p ** (T - 1) * (1 - p) * 1.05, p ** (T - 1) * 0.95
    at_low, at_high = (float(drift(p, T, _MANY, rate)) for rate in (low, high))
    return low - at_low * (high - low) / (at_high - at_low)


def _noise(T, p, v):
    return float(diffusion(p, T, _MANY, p ** (T - 1) * (1 - p / 2)))


def _with_chance(rng: np.random.Generator) -> Mapping[str, float]:
    at = _leading(rng)
    return {**at, "v": at["T"] * at["p"] ** (at["T"] - 1) * (1 - at["p"])}


def _fold(rng: np.random.Generator) -> Mapping[str, float]:
    """Return the place of the smooth critical rate of T = 3 or 4, and a rate just below it."""
    T = int(rng.integers(3, 5))

    def zero(p):
        return p ** (T - 1) * (1 - (1 + 1 / T) * p) / (1 - p)

    best = minimize_scalar(lambda p: -zero(p), bounds=(0.4, 0.75), method="bounded", options={"xatol": 1e-10}).x
    step = 1e-4
    curve = -(zero(best + step) - 2 * zero(best) + zero(best - step)) / step**2
    v = T * best ** (T - 1) * (1 - best)
    noise = v * (1 - v) * (1 - (1 + 1 / T) * best) ** 2 / T**2
    return {"T": T, "p": best, "r": curve, "D": noise, "delta": 1e-4, "M": 10.0}


def _barrier(T, p, r, D, delta, M):
    rate = p ** (T - 1) * (1 - (1 + 1 / T) * p) / (1 - p) - delta
    return float(barrier(rate, int(M), T))


CLOSED_FORMS = {
    "stall-escape": {
        "rate_zero": ClosedForm(_leading, _zero, 1e-9),
        "diffusion": ClosedForm(_with_chance, _noise, 1e-9),
        "barrier": ClosedForm(_fold, _barrier, 0.02),
        "four_tokens": ClosedForm(lambda rng: {}, lambda: float(critical_rate(10, 4)), 1e-9),
    },
}

QUOTED = {
    "stall-escape": {
        "T = 4, M = 3 to 11": "where that is the critical rate, compared in tests/token_trap/test_stall_escape.py",
        "S = 2∫|f|/D dz": "the exponent, argued from the integral",
        "T·p^(T−1)·(1−p)": "a definition",
        "log τ grows by": "words, not a product",
        "(ρ_c − ρ) to the power 3/2": "proved with the coefficient",
        "The power 3/2": "proved with the coefficient",
        "ρ_c = max r": "a definition",
        "M = T = 5": "an example's setting",
        "1,000 updates": "of what was measured",
        "H = 10, ρ = 17 %": "a setting of the measurement",
        "ρ = 10 %": "a setting of the measurement",
    },
}
