"""Closed forms of ``screening-ties``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.token_trap.screening_ties import late_loss, share_with_ties

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _late(rng: np.random.Generator) -> Mapping[str, float]:
    n, P = rng.integers(3, 12), rng.integers(1, 12)
    return {"n": float(n), "N": float(n * P), "T": float(rng.integers(1, 20)), "p": rng.uniform(0.99, 1)}


def _pairs(rng: np.random.Generator) -> Mapping[str, float]:
    return {"P": float(rng.integers(1, 9)), "p": rng.uniform(0.01, 0.99)}


def _loss(rule: str):
    """Return the slope times 1 − p, the k-th token in the second answer."""
    return lambda n, N, T, p: (1 - p) * late_loss(int(T), int(N / n), int(n), 2, rule)


def _share(rule: str):
    """Return the share of pairs of one token, one kept at least."""
    return lambda P, p: share_with_ties(p, 1, int(P), 2, 0.5 / P, rule).kept


CLOSED_FORMS = {
    "screening-ties": {
        "late_loss_advantage": ClosedForm(_late, _loss("advantage")),
        "late_loss_abs_advantage": ClosedForm(_late, _loss("abs-advantage")),
        "pairs_advantage": ClosedForm(_pairs, _share("advantage")),
        "pairs_abs_advantage": ClosedForm(_pairs, _share("abs-advantage")),
    },
}

QUOTED = {
    "screening-ties": {
        "⌈k/T⌉": "a definition",
        "⌈k/T⌉ < n": "what the proof assumes",
        "1 < ⌈k/T⌉ ≤ n": "what the proof assumes",
        "N = P·n": "a definition",
        "(1−p)·T·N": "where the slopes hold",
        "1 − p = 0.005": "measured, in the table reversal-screening-ties",
        "H = 10, M = 2, 3 %, 10 prompts, 10 answers, 1,000 updates": "a setting of the measurement",
    },
}
