"""The inequalities of the claim on what Adam leaves of a gate."""

from __future__ import annotations

import numpy as np

from falsification.statements import context, refuted, states
from kondo_theory.geometry import adam
from kondo_theory.geometry.symmetric import symmetric_arms

__all__: list[str] = []


def _pg(p: float, n_arms: int, b: float, size: int) -> np.ndarray:
    mean, variance = adam.logit_moments(*symmetric_arms(n_arms, p, b), 1.0, 1.0)
    return np.abs(adam.adam_step(mean, variance / size))


@states("gates-under-adam", "PG moves no wrong arm's logit by more than the right one's, and none by more than one")
def _wrong_arms(rng):
    p, n_arms, b = context(rng)
    steps = _pg(p, n_arms, b, int(rng.integers(1, 200)))
    return np.array([steps[0] - steps[1], 1 - steps[0]]) + 1e-9


@states("gates-under-adam", "divided by the kept, a gate that keeps successes alone moves logits by no less")
def _by_the_kept(rng):
    rate, size = rng.uniform(0.001, 1), int(rng.integers(1, 300))
    return float(adam.one_gradient_step(rate, size, "kept") - adam.one_gradient_step(rate, size)) + 1e-12


@refuted("gates-under-adam", "zero price gains no less than PG")
def _zero_price(rng):
    p, n_arms, b = context(rng)
    size = int(rng.integers(1, 50))
    zero, pg = (adam.symmetric_adam_progress(p, n_arms, b, 1, w, size) for w in (0, 1))
    return float(zero - pg)
