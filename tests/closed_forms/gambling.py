"""The gambling claims: drifts, floors and noise ratios of ``kondo_theory.gambling`` and its neighbours.

Leading forms at small or large noise are compared with the package's leading forms to rounding, and with the exact
rest points, in the limit, in ``tests/gambling/test_gambling_limits.py``.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from closed_forms import ClosedForm
from kondo_theory import gambling
from kondo_theory.gambling import equal_noise as gambling_equal_noise
from kondo_theory.gambling import noisy_contexts
from kondo_theory.gambling import top_rate as gambling_top_rate
from kondo_theory.gambling.means import soft_part_log

__all__ = ["CLOSED_FORMS", "QUOTED"]


def uniform(**ranges):
    """Draw each name evenly from its range."""
    return lambda generator: {name: generator.uniform(*ends) for name, ends in ranges.items()}


def nothing(generator):
    return {}


def luck_looks_good_from(eta, m, r):
    """The surprisal at which the gated gamble's mean changes sign."""

    def sign(surprisal):
        found, size = soft_part_log(m / r, r * surprisal / (2 * eta))
        return float(found * np.exp(size))

    return brentq(sign, 1e-6, 1e3, xtol=1e-14, rtol=1e-14)


def whole_atom(generator):
    """A rate and a share of the gambles so near to it that x is near 1, where the whole atom is kept."""
    rho = generator.uniform(0.2, 0.9)
    return {"rho": rho, "tau": rho - (1 - rho) * generator.uniform(0.001, 0.03), "r": generator.uniform(0.2, 4)}


def at_the_drift_of_the_whole_atom(rho, tau, r):
    return float(gambling_top_rate.top_rate_drift((1 - rho) / (1 - tau), r, rho))


def safest_rate():
    found = minimize_scalar(
        lambda rate: float(gambling_top_rate.corner_noise_ratio(rate)), bounds=(0.01, 0.99), method="bounded"
    )
    return found.x


def nearly(rate_drift, x):
    return lambda rho, r: float(rate_drift(x, r, rho))


def budget(most):
    """Draw a share of noisy samples and a rate below ``most`` times it."""

    def draw(generator):
        s = generator.uniform(0.1, 0.9)
        return {"s": s, "rho": most * s * generator.uniform(0.02, 0.95)}

    return draw


def small_price(**at):
    """Return the floor at a price; its leading form is off by a quarter of √λ."""
    return float(noisy_contexts.priced_gamble_floor(at["lambda"]))


CLOSED_FORMS = {
    "gambling-false-positives": {
        "probability": ClosedForm(
            uniform(x=(0.01, 0.99), r=(0.1, 5)), lambda x, r: float(gambling.false_positive_probability(x, r))
        ),
        "bound": ClosedForm(
            uniform(x=(0.01, 0.99), r=(0.1, 5)), lambda x, r: float(gambling.false_positive_bound(x, r))
        ),
        "largest": ClosedForm(nothing, lambda: float(gambling.false_positive_probability(1.0, 0.7))),
    },
    "gambling-fixed-point": {
        "drift": ClosedForm(uniform(x=(0.01, 0.99), r=(0.1, 4)), lambda x, r: float(gambling.drift(x, r)), 1e-9),
        "critical_noise_ratio": ClosedForm(nothing, lambda: gambling.CRITICAL_NOISE_RATIO),
        "small_noise": ClosedForm(uniform(r=(0.1, 1)), lambda r: math.exp(gambling.log_small_noise_floor(r))),
    },
    "gambling-dg-floor": {
        "threshold": ClosedForm(uniform(eta=(0.1, 3), m=(0.05, 0.95), r=(0.3, 2)), luck_looks_good_from, 1e-9),
        "warm_floor": ClosedForm(
            uniform(eta=(0.26, 2), r=(0.2, 1)),
            lambda eta, r: math.exp(gambling.log_small_noise_floor(r, "dg", eta)),
        ),
        "cold_floor": ClosedForm(
            uniform(eta=(0.02, 0.24), r=(0.2, 1)),
            lambda eta, r: math.exp(gambling.log_small_noise_floor(r, "dg", eta)),
        ),
        "large_noise_gap": ClosedForm(  # the next term is of order 1/r², and (η/r²)^{1/η} of the safe arm's gate
            uniform(eta=(0.1, 0.5), r=(1e3, 3e3)), lambda eta, r: 1 - gambling.fixed_point(r, "dg", eta), 1e-5
        ),
    },
    "gambling-top-rate": {
        "corner_noise_ratio": ClosedForm(
            uniform(rho=(0.01, 0.99)), lambda rho: float(gambling_top_rate.corner_noise_ratio(rho))
        ),
        "whole_atom_drift": ClosedForm(whole_atom, at_the_drift_of_the_whole_atom, 1e-9),
        "floor": ClosedForm(
            uniform(rho=(0.01, 0.99), r=(0.1, 2)),
            lambda rho, r: math.exp(gambling_top_rate.log_top_rate_floor(r, rho)),
        ),
        "safest_rate": ClosedForm(nothing, safest_rate, 1e-6),
    },
    "equal-noise": {
        "zero_price_drift": ClosedForm(
            uniform(x=(0.01, 0.99), r=(0.1, 4)), lambda x, r: float(gambling_equal_noise.equal_noise_drift(x, r))
        ),
        "top_rate_drift_at_zero": ClosedForm(
            uniform(rho=(0.02, 0.98), r=(0.2, 4)),
            nearly(gambling_equal_noise.equal_noise_top_rate_drift, 1e-100),
            1e-9,
        ),
        "top_rate_drift_at_one": ClosedForm(  # at 1 − 1e-13 the drift is a few 1e-13 from its limit
            uniform(rho=(0.02, 0.98), r=(0.2, 4)),
            nearly(gambling_equal_noise.equal_noise_top_rate_drift, 1 - 1e-13),
            1e-9,
        ),
        "floor_ratio_at_3_percent": ClosedForm(  # two digits are printed
            nothing, lambda: gambling_equal_noise.equal_noise_floor_ratio(0.03), 0.005
        ),
        "floor_ratio_at_10_percent": ClosedForm(
            nothing, lambda: gambling_equal_noise.equal_noise_floor_ratio(0.1), 0.0025
        ),
    },
    "gambling-transformer": {
        "shut_out": ClosedForm(budget(0.5), lambda s, rho: float(noisy_contexts.shut_out_noise(rho, s))),
        "shut_out_abs": ClosedForm(
            budget(1.0), lambda s, rho: float(noisy_contexts.shut_out_noise(rho, s, "abs-advantage"))
        ),
        "entropy_weight": ClosedForm(
            uniform(r=(0.1, 4), eta=(0.1, 3)), lambda r, eta: float(noisy_contexts.entropy_weight(r, eta))
        ),
        "soft_odds": ClosedForm(
            uniform(r=(0.5, 4), eta=(0.1, 3)), lambda r, eta: float(noisy_contexts.soft_rest_odds(1.0, r, eta))
        ),
        "priced_floor": ClosedForm(lambda generator: {"lambda": 10 ** generator.uniform(-12, -9)}, small_price, 1e-4),
    },
}

_ATOM = {"−Δ + σξ": "the setting: what the gambling arm pays", "σ/Δ": "the definition of r"}
_QUARTER = "the temperature at which the two leading forms change places: below it the pole of J is not reached"

QUOTED: dict[str, dict[str, str]] = {
    "gambling-false-positives": _ATOM,
    "gambling-fixed-point": {
        **_ATOM,
        "h(1−x, r)": "the definition of f, in terms of h",
        "h(m, r) = E[U₊] of U ~ N(−m, r²)": "the definition of h",
        "K − 1": "the number of the other arms",
    },
    "gambling-dg-floor": {
        **_ATOM,
        "η > 1/4": _QUARTER,
        "η < 1/4": _QUARTER,
        "N(−m, r²)": "the definition of U",
        "1 − x* ~": "the distance from the corner, whose leading form is the result large_noise_gap",
        "E[Uσ(Uℓ/η)]": "the gated mean whose sign is stated",
    },
    "gambling-top-rate": {
        **_ATOM,
        "(ρ = 1 %, r = 0.365)": "an example, computed in test_several_points_coexist",
    },
    "gambling-transformer": {
        "ρ ≥ s/2": "the largest rate at which half of the noisy samples fill the budget: a step of the derivation",
        "H = 6, M = 2, 5 of 10 prompts all zeros, 300 updates": "the setting of the measurement",
    },
    "equal-noise": {
        **_ATOM,
        "(0, 1/2)": "the derivation's f(1/2) = 1/2 > 0 bounds the floor",
        "g(1/r) > I(ρ)": "the sign of the result top_rate_drift_at_zero",
        "g(1/r) < I(ρ)": "the sign of the result top_rate_drift_at_zero",
        "g(s) = φ(s) − sΦ(−s), I = φ∘Φ⁻¹": "the definitions of g and I",
        "ρ = 3 %": "the rate of an example",
        "ρ = 10 %": "the rate of an example",
        "ρ = 1/2": "the rate at which I is largest and equal to g(0): a step of the derivation",
    },
}
