"""Closed forms of ``context-allocation``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory import contexts

__all__ = ["CLOSED_FORMS", "QUOTED", "WHERE"]


def _one(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw one context and a temperature; the weights of the formula are DG's there."""
    p, n_arms, b, eta = (
        rng.uniform(0.02, 0.98),
        int(rng.integers(2, 60)),
        rng.uniform(0.05, 0.95),
        rng.uniform(0.3, 3),
    )
    right, wrong = 1 / (1 + p ** ((1 - b) / eta)), 1 / (1 + ((n_arms - 1) / (1 - p)) ** (b / eta))
    return {"p": p, "K": n_arms, "b": b, "eta": eta, "w_plus": right, "w_minus": wrong}


def _two(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw two kept contexts."""
    p, n_arms = rng.uniform(0.02, 0.98, 2), rng.integers(2, 60, 2)
    return {"p1": p[0], "p2": p[1], "K1": int(n_arms[0]), "K2": int(n_arms[1])}


def _dg(p, K, b, eta, **_):
    return contexts.context_weights("dg", p, K, b, temperature=eta)


def _critical(p1, p2, K1, K2):
    return contexts.critical_probability([p1, p2], [K1, K2], [True, True])


def _squared_length(p, K, **_):
    """Return ‖d‖² from the cosine of two contexts of which one, of known ‖d‖² = 1/2, is kept."""
    share = contexts.cosine_to_cross_entropy([1.0, 0.0], [p, 0.5], [K, 2]) ** 2  # w/(w + 1/2)
    return 0.5 * share / (1 - share)


CLOSED_FORMS = {
    "context-allocation": {
        "pg_weight": ClosedForm(_one, lambda p, K, b, **_: contexts.context_weights("pg", p, K, b)),
        "gated_weight": ClosedForm(_one, _dg),
        "zero_price_weight": ClosedForm(_one, lambda p, K, b, **_: contexts.context_weights("kondo", p, K, b)),
        "critical_probability": ClosedForm(_two, _critical),
        "squared_length": ClosedForm(_one, _squared_length),
    }
}

WHERE = {"context-allocation": {"p_n": "p", "b_n": "b"}}

QUOTED = {
    "context-allocation": {
        "c_n·d_n": "a definition",
        "·1{χ_n > λ}": "the gate itself",
        "2Σ_S wp²/Σ_S wp": "a sum over the kept set; the result critical_probability has it for two contexts",
        "‖d‖²": "a definition",
        "1/2": "the bound of the value baseline's rising weights, proved there, and an example's p and b",
        "p·κ(p)": "DG's weight, a definition",
        "0.924": "an example, compared with dg_closer_limit in tests/claims/test_counterexamples.py",
        "0.978": "an example, compared with context_weights in tests/claims/test_counterexamples.py",
        "K = 10": "an example's setting",
        "1000": "an example's setting",
        "ε_n/(K_n−1)": "a condition",
    }
}
