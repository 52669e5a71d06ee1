"""Closed forms of ``price-rate-duality``, ``quality-cost-frontier`` and ``exact-k-or-price``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closed_forms import ClosedForm
from kondo_theory import gate
from kondo_theory.geometry import exact_rate, quality_cost
from kondo_theory.geometry.symmetric import pg_moments, symmetric_arms

__all__ = ["CLOSED_FORMS", "QUOTED", "WHERE"]


def _setting(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a symmetric context and a gate, also one at a price below zero."""
    return {
        "p": rng.uniform(0.02, 0.98),
        "K": int(rng.integers(2, 40)),
        "b": rng.uniform(0.05, 0.95),
        "lambda": rng.uniform(-2, 2),
        "eta": rng.uniform(0.2, 3),
        "chi": rng.uniform(-3, 3),
        "rho": rng.uniform(0.02, 0.98),
        "f": rng.uniform(0.1, 5),
        "B": int(rng.integers(2, 200)),
    }


def _batch(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a symmetric context, a batch and how many of it are kept, with mean and variance of the kept successes."""
    p, B = rng.uniform(0.05, 0.95), int(rng.integers(2, 12))
    k = int(rng.integers(1, B + 1))
    kept = exact_rate.kept_successes(p, B, k)
    n_arms, b = int(rng.integers(2, 40)), rng.uniform(0.05, 0.95)
    return {"p": p, "B": B, "k": k, "K": n_arms, "b": b, "m": float(kept.mean), "v": float(kept.variance)}


def _below(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a rate below p."""
    p = rng.uniform(0.05, 0.95)
    return {"p": p, "rho": p * rng.uniform(0.05, 0.95), "K": int(rng.integers(2, 40)), "b": rng.uniform(0.05, 0.95)}


def _above(rng: np.random.Generator) -> Mapping[str, float]:
    """Draw a rate above p."""
    drawn = dict(_below(rng))
    return drawn | {"p": drawn["rho"], "rho": drawn["p"]}


def _frontier(p, K, b, eta, **at):
    return quality_cost.frontier(*symmetric_arms(K, p, b), at["lambda"], eta)


def _kappa(p, K, b, eta, **at):
    return _frontier(p, K, b, eta, **at).moments.signal / pg_moments(p, K, b).signal


def _noise_to_signal(moments):
    return (moments.var_parallel + moments.var_perpendicular) / moments.signal**2


def _noise_per_pass(p, K, b, eta, **at):
    found = _frontier(p, K, b, eta, **at)
    return found.backward_rate * _noise_to_signal(found.moments)


def _cost_of_signal(p, K, b, eta, **at):
    return _noise_per_pass(p, K, b, eta, **at) + _frontier(p, K, b, eta, **at).backward_rate


def _zero_price_noise(p, K, b, **_):
    found = quality_cost.frontier(*symmetric_arms(K, p, b), 0.0)
    return found.backward_rate * _noise_to_signal(found.moments)


def _delight(p, K, b):
    policy, advantage = symmetric_arms(K, p, b)
    return quality_cost.arm_delight(policy, advantage), policy


def _value(p, K, b, rho, **_):
    return quality_cost.rate_value(*_delight(p, K, b), rho).value


def _price(p, K, b, rho, **_):
    return quality_cost.rate_value(*_delight(p, K, b), rho).price_low


def _soft_rate(p, K, b, eta, **_):
    return quality_cost.expected_rate(*_delight(p, K, b), 0.0, eta)


def _exact(p, K, b, B, k, **_):
    return exact_rate.exact_rate_moments(p, K, b, B, k)


CLOSED_FORMS = {
    "price-rate-duality": {
        "soft_gate": ClosedForm(
            _setting, lambda chi, eta, **at: gate.gate_probability(np.array([chi]), at["lambda"], eta)[0]
        ),
        "symmetric_value": ClosedForm(_setting, _value),
        "symmetric_price": ClosedForm(_setting, _price),
        "symmetric_soft_rate": ClosedForm(_setting, _soft_rate),
        "smooth_gap": ClosedForm(_setting, lambda rho, f, B, **_: exact_rate.smooth_rate_gap(rho, f, B)),
    },
    "quality-cost-frontier": {
        "backward_rate": ClosedForm(_setting, lambda **at: _frontier(**at).backward_rate),
        "kappa": ClosedForm(_setting, _kappa),
        "cosine": ClosedForm(_setting, lambda **at: _frontier(**at).cosine),
        "efficiency": ClosedForm(_setting, lambda B, **at: _frontier(**at).efficiency(B), 1e-9),
        "cost_of_signal": ClosedForm(_setting, _cost_of_signal, 1e-9),
        "noise_per_backward_pass": ClosedForm(_setting, _noise_per_pass, 1e-8),
        "zero_price_noise_per_backward_pass": ClosedForm(_setting, _zero_price_noise, 1e-9),
    },
    "exact-k-or-price": {
        "expected_kept_successes": ClosedForm(_batch, lambda p, B, k, **_: exact_rate.kept_successes(p, B, k).mean),
        "variance_kept_successes": ClosedForm(
            _batch, lambda p, B, k, **_: exact_rate.kept_successes(p, B, k).variance, 1e-9
        ),
        "signal": ClosedForm(_batch, lambda **at: _exact(**at).signal),
        "batch_var_parallel": ClosedForm(_batch, lambda B, **at: _exact(B=B, **at).var_parallel / B, 1e-9),
        "batch_var_perpendicular": ClosedForm(_batch, lambda B, **at: _exact(B=B, **at).var_perpendicular / B, 1e-9),
        "limit_gap_below": ClosedForm(_below, lambda p, K, b, rho: exact_rate.variance_gap(p, K, b, rho)),
        "limit_gap_above": ClosedForm(_above, lambda p, K, b, rho: exact_rate.variance_gap(p, K, b, rho), 1e-9),
    },
}

WHERE = {"exact-k-or-price": {"α²": "K/(K−1)"}}

QUOTED = {
    "price-rate-duality": {
        "∫_{1−ρ}^{1} Q_χ(u)du": "an integral over any law; the result symmetric_value is it in one context",
        "Q_χ(1−ρ)": "of any law; the result symmetric_price is it in one context",
        "E σ(χ/η)": "a mean over any law; the result symmetric_soft_rate is it in one context",
        "min(ρ, P(χ>0))": "a value of any law",
        "max{E[wχ] : E w = ρ}": "a definition",
        "1/√B": "an order of size",
        "1/B": "an order of size",
    },
    "quality-cost-frontier": {
        "ρE‖g‖²/‖Eg‖²": "a definition; the result cost_of_signal is it in one context",
        "1/(1+(c−ρ)/N)": "a definition",
        "1/2": "the bound of the proof",
        "c−ρ": "noise per backward pass, a definition",
        "b = 0.9": "an example's setting",
        "p = 0.3": "an example's setting",
        "1.53": "an example, compared with frontier in tests/claims/test_counterexamples.py",
        "1.19": "an example, compared with frontier in tests/claims/test_counterexamples.py",
        "0.23": "an example, compared with frontier in tests/claims/test_counterexamples.py",
        "0.30": "an example, 1 − p",
        "K = 10, p = 0.7, b = 0.14": "an example's setting",
    },
    "exact-k-or-price": {
        "min(n, k)": "a definition",
        "B·Var_⊥": "a definition",
        "B·Var_∥": "a definition",
    },
}
