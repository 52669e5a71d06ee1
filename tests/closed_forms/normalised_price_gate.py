"""Closed forms of ``normalised-price-gate``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry import counts, normalised
from kondo_theory.geometry.normalised import KeptGradient

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _kept(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw what is kept, along one direction, and the batch; h and q belong to rate and batch."""
    rho, B = rng.uniform(0.02, 0.98), int(rng.integers(1, 200))
    found = {"rho": rho, "B": B, "v": rng.uniform(0.01, 3), "g": rng.normal(), "m": rng.normal()}
    return found | {"h": float(counts.inverse_count(rho, B)), "q": (1 - rho) ** B}


def _along(rho, g, v, m):
    """Return a kept gradient whose first coordinate is the direction."""
    mean, at_price = np.array([g, -g]), np.array([m, -m])
    return KeptGradient(np.asarray(rho), mean, np.array([1.0, 0.0]), np.asarray(v), np.asarray(0.0), at_price)


def _price(rho, g, v, m, **_):
    return normalised.price_moments(_along(rho, g, v, m)).var_parallel


def _exact(rho, g, v, m, **_):
    return normalised.exact_moments(_along(rho, g, v, m)).var_parallel


def _divided(rho, g, v, m, B, **_):
    return normalised.normalised_moments(_along(rho, g, v, m), B).var_parallel


def _limit(rho, g, v, m, **_):
    return normalised.normalised_moments(_along(rho, g, v, m)).var_parallel


def _enough(rho, g, v, m, **_):
    """Take the direction for all there is."""
    kept = dataclasses.replace(_along(rho, g, v, m), mean=np.array([g, 0.0]))
    return normalised.kept_to_pay(normalised.price_moments(kept), rho)


CLOSED_FORMS = {
    "normalised-price-gate": {
        "price_variance": ClosedForm(_kept, _price),
        "exact_variance": ClosedForm(_kept, _exact),
        "normalised_variance": ClosedForm(_kept, _divided),
        "normalised_limit": ClosedForm(_kept, _limit),
        "gap": ClosedForm(_kept, lambda **at: _price(**at) - _exact(**at), 1e-8),
        "saved": ClosedForm(_kept, lambda **at: _price(**at) - _limit(**at), 1e-8),
        "exact_excess": ClosedForm(_kept, lambda **at: _exact(**at) - _limit(**at), 1e-8),
        "kept_to_pay": ClosedForm(_kept, _enough),
        "count_spread": ClosedForm(_kept, lambda rho, B, **_: counts.count_spread(rho, B)),
        "longest_step": ClosedForm(_kept, lambda rho, B, **_: np.hypot(1, counts.count_spread(rho, B))),
    },
}

QUOTED = {
    "normalised-price-gate": {
        "k = ρB": "a definition",
        "h = E[ρB/K; K ≥ 1]": "a definition",
        "q = (1−ρ)^B": "a definition",
        "K/(ρB)": "the factor, a definition",
        "(1−ρ)v/B": "normalised_variance to first order in h, a step of the proof",
        "83": "of the committed moments, compared in tests/mnist/test_kept_to_pay.py",
        "B = 100": "an example's setting",
        "784-100-100-10 ReLU": "the network that was measured",
        "Adam 1e-3, 1,500 updates at ρ = 3 % of 100": "settings of the measurement",
        "3 %": "an example's setting",
        "1.15": "an example, a step of the proof",
        "1.23": "an example, a step of the proof",
    },
}
