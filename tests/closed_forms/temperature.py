"""Closed forms of ``quantile-bernoulli-gate``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from closed_forms import ClosedForm
from kondo_theory.geometry.quantile_gate import exponential_share, quantile_gate, soft_gain
from kondo_theory.moments import gradient_moments

__all__ = ["CLOSED_FORMS", "QUOTED", "WHERE"]


def _context(rng: np.random.Generator) -> Mapping[str, float]:
    p, b = rng.uniform(0.02, 0.98), rng.uniform(0.02, 0.98)
    return {"p": p, "K": int(rng.integers(2, 60)), "b": b, "eta": 10 ** rng.uniform(-1, 1.5)}


def _shares(rng: np.random.Generator) -> Mapping[str, float]:
    y, x = rng.uniform(size=2)
    return {name: value for name, value in _context(rng).items() if name != "eta"} | {"y": y, "x": x}


def _least_odds(p: float) -> float:
    """The odds of b, squared, from which softness pays with two arms and a hot gate."""
    b = brentq(lambda each: float(soft_gain(p, 2, each, 1 - p, 1 - 2 * p)), 0.5, 1 - 1e-9, xtol=1e-15)
    return (b / (1 - b)) ** 2


def _hard_cosine() -> float:
    policy, reward = np.array([0.05, 0.9, 0.05]), np.array([1.0, 0.9, 0.0])
    keep = np.array([1.0, 0.5, 0.0])
    return float(gradient_moments(policy, reward - policy @ reward, keep, keep).cosine)


CLOSED_FORMS = {
    "quantile-bernoulli-gate": {
        "low_share": ClosedForm(_context, lambda p, K, b, eta: float(quantile_gate(p, K, b, p / 2, eta).share)),
        "high_share": ClosedForm(
            _context, lambda p, K, b, eta: float(quantile_gate(p, K, b, (1 + p) / 2, eta).share)
        ),
        "cold_growth": ClosedForm(
            lambda rng: {"rho": rng.uniform(0.05, 0.9)},
            lambda rho: (float(exponential_share(rho, 1e-3)) / rho - 1) * 1e6,  # the density falls by itself
            1e-4,
        ),
        "exponential": ClosedForm(
            lambda rng: {"rho": rng.uniform(0.001, 0.999)}, lambda rho: float(exponential_share(rho, 1.0))
        ),
        "gain": ClosedForm(_shares, lambda p, K, b, y, x: float(soft_gain(p, K, b, y, x)), 1e-8),
        "hot_odds": ClosedForm(lambda rng: {"p": rng.uniform(0.02, 0.45)}, _least_odds, 1e-6),
        "hard_cosine": ClosedForm(lambda rng: {}, lambda: _hard_cosine()),
    },
}

WHERE = {"quantile-bernoulli-gate": {"u": "(1−b)ε", "h": "bp"}}

QUOTED = {
    "quantile-bernoulli-gate": {
        "E σ((χ−λ)/η)": "a definition",
        "P(χ>λ) + P(χ=λ)/2": "a limit in the proof",
        "k + 1/2": "a limit in the proof",
        "b ≤ 1/2": "what hot_odds implies, a step of the proof",
        "1−ρ quantile": "a definition",
        "(k+1)-th": "a definition",
        "η²|f′(λ)|": "what cold_growth is multiplied by",
        "ρ = 0.4": "from where exponential is above one half, which the search for counterexamples looks at",
        "u = (1−b)ε, h = bp": "definitions",
        "(b/(1−b))²": "what hot_odds is compared with",
        "784-100-100-10": "widths of a network",
        "batches of 100, 3,000 updates": "sizes of the measurement",
        "ρ from 3 to 30 %": "settings of the measurement",
    },
}
