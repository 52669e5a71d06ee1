"""Closed forms of ``decision-price``."""

from __future__ import annotations

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry.decision_price import gaussian_gain, gaussian_price, two_point_price

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _law(rng):
    """Draw a cost and a Gaussian law."""
    return {"c": rng.normal(), "mu": rng.normal(), "d": rng.uniform(0.1, 2), "tau": rng.uniform(0.05, 2)}


def _price(c, mu, d, tau):
    return gaussian_price(c, mu, d, tau)


def _at(rng):
    """Draw a law by r = d/√(d²+τ²) and a place z of the price."""
    return {
        "c": rng.normal(),
        "mu": rng.normal(),
        "d": rng.uniform(0.1, 2),
        "r": rng.uniform(0.2, 0.95),
        "z": rng.normal(),
    }


def _gain(c, mu, d, r, z):
    spread = d / r
    return gaussian_gain(mu + z * spread, c, mu, d, np.sqrt(spread**2 - d**2))


def _two(rng):
    """Draw two delights about a cost; q is 1 − p."""
    c, p = rng.normal(), rng.uniform(0.05, 0.95)
    return {
        "c": c,
        "a": c + rng.uniform(0.1, 2),
        "b": c - rng.uniform(0.1, 2),
        "p": p,
        "q": 1 - p,
        "tau": rng.uniform(0.1, 2),
    }


CLOSED_FORMS = {
    "decision-price": {
        "gaussian_price": ClosedForm(_law, _price),
        "gain": ClosedForm(_at, _gain, 1e-8),
        "best_gain": ClosedForm(
            lambda rng: {}, lambda: gaussian_gain(gaussian_price(1.0, 0.0, 1.0, 1.0), 1.0, 0.0, 1.0, 1.0)
        ),
        "raw_gain": ClosedForm(lambda rng: {}, lambda: gaussian_gain(1.0, 1.0, 0.0, 1.0, 1.0)),
        "two_point_price": ClosedForm(_two, lambda c, a, b, p, q, tau: two_point_price(c, a, b, p, tau), 1e-9),
    },
}

QUOTED = {
    "decision-price": {
        "s + τ²·(log f)′": "the posterior mean of any law, a step of the proof",
        "s = χ + τξ": "the score, a definition",
        "d²)": "the law's variance",
        "z = (c−μ)/(dr)": "the best place, a step of the proof",
        "r = d/√(d²+τ²)": "a definition",
        "c = μ + d": "an example's setting",
        "bfloat16 and int8": "what was measured",
        "width 16": "a setting of the measurement",
        "0.4 of it": "measured, in the table mnist-cascade",
        "within a tenth": "of a prediction",
    },
}
