"""Closed forms of ``gates-under-adam``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry.adam import adam_step, logit_moments, one_gradient_step
from kondo_theory.geometry.counts import inverse_count
from kondo_theory.geometry.symmetric import symmetric_arms

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _batch(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a context, a batch, a coordinate and a rate; h belongs to rate and batch."""
    rho, B = rng.uniform(0.05, 0.95), int(rng.integers(2, 200))
    found = {"rho": rho, "B": B, "h": float(inverse_count(rho, B)), "m": rng.uniform(0.01, 2), "s": rng.uniform(0, 3)}
    return found | {"p": rng.uniform(0.05, 0.95), "b": rng.uniform(0.05, 0.95), "K": 5, "n": int(rng.integers(1, 50))}


def _pg(p, b, K, B, arm):
    """Return the size of PG's step on a logit."""
    mean, variance = logit_moments(*symmetric_arms(K, p, b), 1.0, 1.0)
    return abs(adam_step(mean, variance / B)[arm])


CLOSED_FORMS = {
    "gates-under-adam": {
        "step": ClosedForm(_batch, lambda m, s, B, **_: adam_step(m, s / B)),
        "one_gradient_step": ClosedForm(_batch, lambda rho, B, **_: one_gradient_step(rho, B)),
        "right_step": ClosedForm(_batch, lambda p, b, K, B, **_: _pg(p, b, K, B, 0)),
        "wrong_step": ClosedForm(_batch, lambda p, b, K, B, **_: _pg(p, b, K, B, 1)),
        "kept_pays": ClosedForm(_batch, lambda rho, B, **_: (1 - rho) / (inverse_count(rho, B) - 1)),
        "sparse_step": ClosedForm(_batch, lambda p, n, B, **_: one_gradient_step(p / n, B)),
    },
}

QUOTED = {
    "gates-under-adam": {
        "√p": "the limit of sparse_step, a step of the proof",
        "v/g²": "what kept_pays is compared with",
        "1 − β₂": "a definition",
        "50, 80, 90 and 95 %": "settings of the measurement",
        "784-100-100-10 ReLU": "the network that was measured",
        "batch 100": "a setting of the measurement",
        "DG-K(3 %)": "a method that was measured",
        "80 %": "a setting of the measurement",
    },
}
