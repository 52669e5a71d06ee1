"""``noise-aware-gate``: drifts, margins and what keeping extremes is worth."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from closed_forms import ClosedForm
from kondo_theory.gambling import noise_aware
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import screen_context

__all__ = ["CLOSED_FORMS", "QUOTED"]


def place(generator):
    return {"x": generator.uniform(0.01, 0.99), "r": generator.uniform(0.2, 4)}


def margin(generator):
    return {**place(generator), "kappa": generator.uniform(0, 2.5)}


def at_a_rate(generator):
    """A policy and noise at which the price falls on the safe arm, of which a share q is kept."""
    return {**place(generator), "q": generator.uniform(0, 1)}


def split(x, r, q):
    """The drift at the rate at which a share q of the safe arm, with |U| = x, is kept."""
    gambles = ndtr(-1 / r) + ndtr((1 - 2 * x) / r)
    return float(noise_aware.extremes_drift(x, r, x * gambles + (1 - x) * q))


def at_the_atom(expression, values):
    """Put the price of the drift at the safe arm's |U|, which is x."""
    from closed_forms import number

    return number(expression, {**values, "c": values["x"]})


def price(generator):
    return {"c": generator.uniform(0.05, 3)}


def late(generator):
    """One context above p = 1/2, and a rate below 1 − p: failures alone are kept by |advantage|."""
    return {"p": generator.uniform(0.55, 0.95), "K": int(generator.integers(3, 12))}


def kept_failures(p, n_arms):
    """The moments of what is kept, the baseline the policy's value."""
    policy, rewards = symmetric_arms(n_arms, p, 0.0)
    return screen_context(policy, np.asarray(rewards) - p, "abs-advantage", (1 - p) / 2)


def signal_per_pass(p, K):
    found = kept_failures(p, K)
    return float(found.moments.signal / found.backward_rate)


def passes(p, K, c_0):
    """N at which N·S² / (N·S² + V) is c₀², S and V of a backward pass."""
    found = kept_failures(p, K)
    per_pass = found.moments.signal / found.backward_rate
    noise = found.moments.var_perpendicular / found.backward_rate
    return float(c_0**2 / (1 - c_0**2) * noise / per_pass**2)


CLOSED_FORMS = {
    "noise-aware-gate": {
        "extremes_drift": ClosedForm(at_a_rate, split, 1e-9, at_the_atom),
        "extremes_efficiency": ClosedForm(price, lambda c: float(noise_aware.extremes_efficiency(2 * ndtr(-c)))),
        "margin_drift": ClosedForm(margin, lambda x, r, kappa: float(noise_aware.margin_drift(x, r, kappa)), 1e-9),
        "margin_critical_noise": ClosedForm(
            lambda generator: {"kappa": generator.uniform(0, 5)},
            lambda kappa: float(noise_aware.margin_critical_noise_ratio(kappa)),
        ),
        "second_draw_drift": ClosedForm(place, lambda x, r: float(noise_aware.second_draw_drift(x, r))),
        "signal_per_pass": ClosedForm(late, signal_per_pass, 1e-9),
        "passes_to_align": ClosedForm(
            lambda generator: {**late(generator), "c_0": generator.uniform(0.3, 0.95)}, passes, 1e-9
        ),
    },
}

QUOTED = {
    "noise-aware-gate": {
        "−Δ + σξ": "the setting: what the gambling arm pays",
        "σ/Δ": "the definition of r",
        "p = ½": "where the value baseline makes failures and successes equally large",
        "Φ(−c) = ρ/2": "the definition of c, in terms of the rate",
        "(1−x)ρ": "the limit of the drift at x = 1: ρ times the result extremes_efficiency, in the derivation",
        "σ = 2": "a setting of the measurement",
        "784-100-100-10": "the network of the measurement",
        "Adam 1e-3": "its optimizer",
        "batch 100": "a setting of the measurement",
        "3,000 updates": "a setting of the measurement",
    }
}
