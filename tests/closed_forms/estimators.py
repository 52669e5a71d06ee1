"""Closed forms of the claims on estimates from a part of the samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory.estimators import (
    biased_below,
    draws_variance,
    effective_share,
    least_unbiased_cost,
    symmetric_weighted_moments,
    wrong_score_ratio,
)

__all__ = ["CLOSED_FORMS", "QUOTED", "WHERE"]

RATIO = "√(1+(K−2)/(Kp²))"


def _symmetric(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a symmetric context and the probabilities that its two kinds of samples are kept."""
    keep = rng.uniform(0.01, 1, 2)
    return {
        "p": rng.uniform(0.02, 0.5),
        "K": int(rng.integers(2, 40)),
        "b": rng.uniform(0.02, 0.98),
        "w_plus": keep[0],
        "w_minus": keep[1],
    }


def _moments(p, K, b, w_plus, w_minus):
    return symmetric_weighted_moments(p, K, b, w_plus, w_minus)


def _others(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw scores and two others' gradients, c = 1 of k kept for certain; v is written out."""
    scores = np.sort(rng.uniform(0.1, 1, 3))[::-1]
    q, y = scores / scores.sum(), rng.normal(size=3)
    share = q[1:] / q[1:].sum()
    v = share @ (y[1:] / q[1:]) ** 2 - (share @ (y[1:] / q[1:])) ** 2
    return {
        "Q": q[1:].sum(), "v": v, "k": int(rng.integers(2, 9)), "c": 1,
        **{f"s{i}": scores[i] for i in range(3)}, **{f"y{i}": y[i] for i in range(3)},
    }  # fmt: skip


def _noise(k, c, s0, s1, s2, y0, y1, y2, **_):
    return draws_variance([[y0], [y1], [y2]], [s0, s1, s2], k, c)


CLOSED_FORMS = {
    "unbiased-gates": {
        "least_cost": ClosedForm(_symmetric, lambda p, K, b, **_: least_unbiased_cost(p, K, b)),
        "ratio": ClosedForm(_symmetric, lambda p, K, **_: wrong_score_ratio(p, K)),
        "crossing": ClosedForm(_symmetric, lambda p, K, b, **_: biased_below(p, K, b)),
        "var_perpendicular": ClosedForm(_symmetric, lambda **at: _moments(**at).var_perpendicular),
        "var_parallel": ClosedForm(_symmetric, lambda **at: _moments(**at).var_parallel),
        "top_kept": ClosedForm(_others, _noise),
        "effective": ClosedForm(
            _symmetric, lambda p, w_plus, w_minus, **_: effective_share([p, 1 - p], [w_plus, w_minus])
        ),
    },
}

WHERE = {"unbiased-gates": {"D": RATIO}}

QUOTED = {
    "unbiased-gates": {
        "weights what it keeps by 1/w": "a definition",
        "E[(1/w − 1)‖g‖²]": "a step of the proof, compared in tests/estimators/test_unbiased.py",
        "(E‖g‖)²/‖∇J‖²": "a step of the proof, compared in tests/estimators/test_unbiased.py",
        "k − c draws": "a setting of the draws",
        "c/k": "a step of the proof, searched in tests/falsification/estimators.py",
        "p ≤ 1/2": "where the batch size holds",
        "(1−b)∇J": "zero price's mean, of the claim zero-price-geometry",
        "divided by 1 − b": "a rescaling, in words",
        "delight at 10 %": "an example's setting",
        "29": "an example, compared in tests/estimators/test_unbiased.py",
        "4.0": "an example, compared in tests/estimators/test_unbiased.py",
        "1.3": "an example, compared in tests/estimators/test_unbiased.py",
        "p = 0.3, b = 0.65": "an example's setting",
        "K = 10": "an example's setting",
        "weight 1/p": "a definition",
    },
}
