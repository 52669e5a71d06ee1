"""Closed forms of ``backward-passes-to-align`` and ``approximate-delight``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import chdtr

from closed_forms import ClosedForm
from kondo_theory import approximate
from kondo_theory.geometry import alignment
from kondo_theory.geometry.symmetric import symmetric_moments

__all__ = ["CLOSED_FORMS", "QUOTED"]


def _samples(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw δ and a p so small that zero price needs more than one sample."""
    return {"p": rng.uniform(0.001, 0.1), "delta": rng.uniform(0.001, 0.5)}


def _rare(rng: np.random.Generator) -> Mapping[str, float]:
    return {"p": 10 ** rng.uniform(-14, -12), "delta": rng.uniform(0.001, 0.5), "K": int(rng.integers(3, 20))}


def _chi_square(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a PG setting where the wrong samples' noise binds: p ≪ b²."""
    return {
        "p": 10 ** rng.uniform(-6, -4),
        "K": int(rng.integers(3, 40)),
        "b": rng.uniform(0.2, 0.8),
        "c_0": rng.uniform(0.5, 0.95),
        "q": rng.uniform(1.0, 40.0),
    }


def _zero_price(p, delta):
    return alignment.forward_samples_to_align("zero-price", p, 3, 0.5, 0.9, 1 - delta)


def _zero_price_backward(p, delta):
    return alignment.backward_passes_to_align("zero-price", p, 3, 0.5, 0.9, 1 - delta)


def _bound(p, delta):
    """Return the bound on whole samples from the real number of passes at p → 0, and the last sample's p."""
    return alignment.backward_passes_to_align("zero-price", 1e-14, 3, 0.5, 0.9, 1 - delta) + p


def _pg(p, K, b, c_0, q):
    confidence = chdtr(K - 2, q)
    return alignment.forward_samples_to_align("pg", p, K, b, c_0, confidence)


def _pg_value(p, delta, K):
    return alignment.forward_samples_to_align("pg", p, K, "value", 0.9, 1 - delta)


def _noise(rng: np.random.Generator) -> Mapping[str, float]:
    p, n_arms, b, tau = (
        rng.uniform(0.05, 0.95),
        int(rng.integers(2, 40)),
        rng.uniform(0.05, 0.95),
        rng.uniform(0.2, 4),
    )
    right, wrong = approximate.noisy_weights(p, n_arms, b, tau)
    weights = {"w_plus": float(right), "w_minus": float(wrong)}
    others = {"chi": rng.uniform(-2, 2), "lambda": rng.uniform(0.01, 2), "delta": rng.uniform(0.01, 0.99)}
    return {"p": p, "K": n_arms, "b": b, "tau": tau, "h": rng.uniform(0.01, 2), **weights, **others}


def _moments(p, K, b, tau, **_):
    return approximate.noisy_moments(p, K, b, tau)


def _kappa(p, K, b, tau, **_):
    return _moments(p, K, b, tau).signal / symmetric_moments(p, K, b, 1.0, 1.0).signal


CLOSED_FORMS = {
    "backward-passes-to-align": {
        "zero_price_forward": ClosedForm(_samples, _zero_price),
        "zero_price_backward": ClosedForm(_samples, _zero_price_backward),
        "zero_price_bound": ClosedForm(_samples, _bound),
        "pg": ClosedForm(_chi_square, _pg, 1e-6),  # the quantile of a confidence near one has lost digits
        "pg_value_baseline": ClosedForm(_rare, _pg_value),
    },
    "approximate-delight": {
        "keep_probability": ClosedForm(
            _noise, lambda chi, tau, **at: approximate.noisy_keep(chi, tau, price=at["lambda"]), 1e-9
        ),
        "band_low": ClosedForm(_noise, lambda delta, **at: approximate.undecided_band(at["lambda"], delta)[0]),
        "band_high": ClosedForm(_noise, lambda delta, **at: approximate.undecided_band(at["lambda"], delta)[1]),
        "logit_error_bound": ClosedForm(_noise, lambda h, **_: approximate.surprisal_error_bound(h)),
        "recall_of_half": ClosedForm(_noise, lambda tau, **_: approximate.gaussian_recall(0.5, tau)),
        "var_perpendicular": ClosedForm(_noise, lambda **at: _moments(**at).var_perpendicular, 1e-9),
        "var_parallel": ClosedForm(_noise, lambda **at: _moments(**at).var_parallel, 1e-9),
        "backward_rate": ClosedForm(_noise, lambda p, K, b, tau, **_: approximate.noisy_rate(p, K, b, tau)),
        "kappa": ClosedForm(_noise, _kappa),
    },
}

QUOTED = {
    "backward-passes-to-align": {
        "b²/p²": "an order; the result pg has the constant",
        "p ≪ b²": "a condition",
        "log(1/δ)": "the limit of zero_price_backward as p → 0, proved",
        "p = 0.99, δ = 1/2: 0.99, and log 2 = 0.69": "an example, in tests/claims/test_counterexamples.py",
        "1−δ": "a definition",
        "χ² with K−2 degrees": "the name of a law",
    },
    "approximate-delight": {
        "Φ(χ±/τ)": "keep_probability at λ = 0",
        "|χ̂−χ|": "a definition",
        "Φ(±1/τ)": "noisy_weights, proved and compared in tests/claims/test_counterexamples.py",
        "1/2": "Φ(0), additive noise on χ = 0",
        "χ̂−χ": "a definition",
    },
}
