"""Closed forms of ``token-rules``."""

from __future__ import annotations

from functools import partial

import numpy as np

from closed_forms import ClosedForm
from kondo_theory import token_trap as trap
from kondo_theory.screening import RULES
from kondo_theory.token_trap.positions import (
    Positions,
    masked_share,
    percentile_drifts,
    position_drifts,
    surprisal_share,
    weighted_share,
)
from kondo_theory.token_trap.rows import binomial_masses

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _full(p, T):
    """PG's drift."""
    return p * (1 - p) / T


def _weights(rng):
    return {"p": rng.uniform(0.05, 0.95), "w_r": rng.uniform(0, 1), "w_w": rng.uniform(0, 1)}


def _probable(rng):
    p = rng.uniform(0.3, 0.9)
    return {"p": p, "rho": rng.uniform(0.1, 1) * p}


def _by_probability(p, rho):
    return float(trap.drift(p, 5, 7, rho, rule="probability")) / _full(p, 5)


def _percentile(rng):
    return {"p": rng.uniform(0.3, 0.95), "beta": rng.uniform(0.2, 6)}


def _by_percentile(p, beta):
    return percentile_drifts([Positions(5, p)], 7, beta, "surprisal")[0] / _full(p, 5)


def _free(rng):
    n, f = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    return {"n": n, "f": f, "rho": rng.uniform(f / (n + f), 1), "p": rng.uniform(0.3, 0.9)}


def _by_entropy(n, f, rho, p):
    kinds = [Positions(int(n), p), Positions(int(f), judged=False)]
    return position_drifts(kinds, 7, rho, "entropy")[0] / _full(p, n)


def _masked(rng):
    """Draw p and T, with the L that belongs to them; wrong tokens are spurious, right ones are not."""
    T, p = int(rng.integers(2, 8)), rng.uniform(0.3, 0.8)
    counts = np.arange(T)
    mass = binomial_masses(T - 1, np.array([p]))[1][0]
    return {"T": T, "p": p, "L": float(mass @ np.maximum(counts / T - p, 0))}


def _masked_speed(T, p, L):
    rule = partial(RULES["no-spurious"], least_probability=0.2, entropy=9.0)
    return float(trap.drift(p, int(T), 20, 1.0, rule=rule)) / (p * (1 - p))


def _open(rng):
    return {"n": int(rng.integers(2, 12)), "p": rng.uniform(0.1, 0.8)}


def _forgetting(n, p):
    """The closed form, once it is the speed of positive surprisal at a learnt position, in units of PG's."""
    learnt = 1 - 1e-11
    kinds = [Positions(int(n), p), Positions(2, learnt)]
    found = position_drifts(kinds, 1000, 1e-4, "positive-surprisal")[1]
    np.testing.assert_allclose(-found * (n + 2) / (learnt * (1 - learnt)), masked_share(p, n), rtol=1e-5, atol=1e-9)
    return masked_share(p, n)


def _late_stall(T):
    """Return where the drift changes its sign, as the weight falls fastest."""
    rule = partial(RULES["weighted-advantage"], alpha=1.0)
    low, high = 0.5, 0.5 + 0.7 / T
    while high - low > 1e-9:
        middle = (low + high) / 2
        up = position_drifts([Positions(int(T), middle)], 9, 1e-9, rule)[0] > 0
        low, high = (middle, high) if up else (low, middle)
    return low


def _lead(T, M, alpha):
    """Return by how much the first right token leads the wrong one of a row without a right token, at the stall."""
    p = (T + 1) / (2 * T)
    right, wrong = -np.log(p), np.log((M - 1) / (1 - p))
    scores = RULES["weighted-advantage"](np.array([1 / T - p, -p]), np.array([right, wrong]), alpha=alpha)
    return 4 * T**2 * float(scores[0] - scores[1])


CLOSED_FORMS = {
    "token-rules": {
        "blind_share": ClosedForm(_weights, lambda p, w_r, w_w: surprisal_share(p, w_r, w_w)),
        "probable_share": ClosedForm(_probable, _by_probability, 1e-9),
        "weighted_share": ClosedForm(
            lambda rng: {"p": rng.uniform(0.05, 0.95), "M": int(rng.integers(2, 90)), "alpha": rng.uniform(0, 1)},
            lambda p, M, alpha: weighted_share(p, M, alpha),
        ),
        "percentile_share": ClosedForm(_percentile, _by_percentile, 1e-9),
        "entropy_share": ClosedForm(_free, _by_entropy, 1e-9),
        "masked_speed": ClosedForm(_masked, _masked_speed, 1e-9),
        "forgetting": ClosedForm(_open, _forgetting, 1e-9),
        "forgetting_at_four": ClosedForm(lambda rng: {}, lambda: masked_share(0.5, 4)),
        "forgetting_at_hundred": ClosedForm(lambda rng: {}, lambda: masked_share(0.5, 100)),
        "late_stall": ClosedForm(lambda rng: {"T": int(rng.integers(3, 8))}, _late_stall, 1e-6),
        "late_condition": ClosedForm(
            lambda rng: {
                "T": int(rng.integers(2, 20)),
                "M": int(rng.integers(2, 50)),
                "alpha": rng.uniform(0.1, 1),
            },
            _lead,
            1e-9,
        ),
    },
}

QUOTED = {
    "token-rules": {
        "p = (0.7, 0.2, 0.2)": "an example, compared in tests/token_trap/test_positions.py",
        "απ + 1 − α": "the weight, a definition",
        "β = 4.3 (M = T = 10)": "an example, computed in test_by_its_own_loss_selective_backprop_stalls",
        "ρ ≤ f/(n + f)": "the zero of the result entropy_share",
        "1/M on": "the uniform policy",
        "ρ = n/T": "all open tokens are kept, a step of the proof",
        "(n = 4, f = 6, M = 10, ρ = 10 %: p = 0.924)": "an example, in test_what_starves_beside_free_positions",
        "−E[(N−np−1)₊]": "the result forgetting, negative",
        "n = 100, p = 1/2": "an example's setting",
        "(1−p)/(M−1)": "the probability of a wrong token, a definition",
    },
}
