"""Closed forms of ``gates-under-adam``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.geometry.adam import adam_step, logit_moments, one_gradient_step
from kondo_theory.geometry.counts import inverse_count, nothing_kept
from kondo_theory.geometry.normalised import kept_gradient, normalised_moments, price_moments
from kondo_theory.geometry.symmetric import symmetric_arms

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _batch(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a context, a batch, a coordinate and a rate; h belongs to rate and batch."""
    rho, B = rng.uniform(0.05, 0.95), int(rng.integers(2, 200))
    found = {"rho": rho, "B": B, "h": float(inverse_count(rho, B)), "q": float(nothing_kept(rho, B))}
    found |= {"m": rng.uniform(0.01, 2), "s": rng.uniform(0, 3)}
    return found | {"p": rng.uniform(0.05, 0.95), "b": rng.uniform(0.05, 0.95), "K": 5, "n": int(rng.integers(1, 50))}


def _pg(p, b, K, B, arm):
    """Return the size of PG's step on a logit."""
    mean, variance = logit_moments(*symmetric_arms(K, p, b), 1.0, 1.0)
    return abs(adam_step(mean, variance / B)[arm])


def _kept_pays(rho, B, **_):
    """Return v/g² of a coordinate at which the sum divided by the kept steps as a price gate does, by halving."""
    policy, keep = [(1 + rho) / 2, (1 - rho) / 2], [2 * rho / (1 + rho), 0.0]
    low, high = 0.0, 2.0 * B
    for _ in range(60):
        middle = (low + high) / 2
        kept = kept_gradient(policy, keep, keep, [keep[0] * (1 + middle), 0.0], direction=[1.0, 0.0])
        found = price_moments(kept), normalised_moments(kept, B)
        price, divided = (adam_step(each.signal, each.var_parallel / B) for each in found)
        low, high = (middle, high) if divided > price else (low, middle)
    return low


CLOSED_FORMS = {
    "gates-under-adam": {
        "step": ClosedForm(_batch, lambda m, s, B, **_: adam_step(m, s / B)),
        "one_gradient_step": ClosedForm(_batch, lambda rho, B, **_: one_gradient_step(rho, B)),
        "right_step": ClosedForm(_batch, lambda p, b, K, B, **_: _pg(p, b, K, B, 0)),
        "wrong_step": ClosedForm(_batch, lambda p, b, K, B, **_: _pg(p, b, K, B, 1)),
        "kept_pays": ClosedForm(_batch, _kept_pays, 1e-8),
        "sparse_step": ClosedForm(_batch, lambda p, n, B, **_: one_gradient_step(p / n, B)),
    },
}

QUOTED = {
    "gates-under-adam": {
        "√p": "the limit of sparse_step, a step of the proof",
        "v/g²": "what kept_pays is compared with",
        "E[ρB/N; N ≥ 1]": "the definition of h",
        "q = (1−ρ)^B": "a definition",
        "2.29 where 3 of 100 are kept": "kept_pays at a setting, a step of the proof",
        "K ≥ 3": "where a wrong arm's step is below the right one's, a step of the proof",
        "1 − β₂": "a definition",
        "50, 80, 90 and 95 %": "settings of the measurement",
        "784-100-100-10 ReLU": "the network that was measured",
        "batch 100": "a setting of the measurement",
        "DG-K(3 %)": "a method that was measured",
        "80 %": "a setting of the measurement",
    },
}
