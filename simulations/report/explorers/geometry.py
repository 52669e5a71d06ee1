"""Gradient geometry: what PG, DG and zero price do to the signal, the noise and the direction in one context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.geometry import cosine_gap, dg_weights, pg_moments, symmetric_moments, zero_price_moments
from kondo_theory.moments import GradientMoments
from simulations.report.explorers.grids import Curve, Explorer, Panel, Slider

__all__ = ["BATCH_SIZE", "METHODS", "TEMPERATURE", "cosine", "geometry", "moments"]

METHODS = {"pg": ("PG", "pg"), "dg": ("DG, η = 1", "dg"), "zero-price": ("zero price", "zero-price")}
TEMPERATURE = 1.0
BATCH_SIZE = 100

P_CORRECT = expit(np.linspace(logit(0.01), logit(0.99), 49))
N_ARMS = (2, 3, 5, 10, 30, 100, 1000)
BASELINES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TICKS = (0.01, 0.1, 0.5, 0.9, 0.99)


def moments(method: str, p_correct: NDArray[np.float64], n_arms: float, baseline: float) -> GradientMoments:
    """Return the moments of one sample's gradient, by the closed form of the method."""
    if method == "pg":
        return pg_moments(p_correct, n_arms, baseline)
    if method == "zero-price":
        return zero_price_moments(p_correct, n_arms, baseline)
    return symmetric_moments(p_correct, n_arms, baseline, *dg_weights(p_correct, n_arms, baseline, TEMPERATURE))


def cosine(method: str, p_correct: NDArray[np.float64], n_arms: float, baseline: float) -> NDArray[np.float64]:
    """Return the cosine of a batch's gradient with the true one."""
    gap = cosine_gap(method, p_correct, n_arms, baseline, BATCH_SIZE, temperature=TEMPERATURE)
    return np.asarray(1 - gap)


def geometry() -> Explorer:
    """Return the explorer of gradient geometry."""
    sliders = [
        Slider(
            "p_correct", "Probability of the right arm, p", P_CORRECT.tolist(), 12, [f"{p:.3f}" for p in P_CORRECT]
        ),
        Slider("n_arms", "Number of arms, K", N_ARMS, 3, [f"{k:,}" for k in N_ARMS]),
        Slider("baseline", "Baseline, b", BASELINES, 5, [f"{b:g}" for b in BASELINES]),
    ]
    arms, baselines = np.array(N_ARMS)[:, None, None], np.array(BASELINES)[None, :, None]
    found = {method: moments(method, P_CORRECT, arms, baselines) for method in METHODS}
    shape = (len(N_ARMS), len(BASELINES), P_CORRECT.size)
    quantities = {
        "Signal: mean gradient along ∇J, per sample": {m: found[m].signal for m in METHODS},
        "Noise across ∇J, per sample: √Var⊥": {m: np.sqrt(found[m].var_perpendicular) for m in METHODS},
        f"Cosine of a batch of {BATCH_SIZE} with ∇J": {m: cosine(m, P_CORRECT, arms, baselines) for m in METHODS},
    }
    panels = []
    for title, values in quantities.items():
        full = {method: np.broadcast_to(value, shape) for method, value in values.items()}
        curves = [Curve(*METHODS[method], ("n_arms", "baseline"), value) for method, value in full.items()]
        high = 1.0 if title.startswith("Cosine") else max(float(value.max()) for value in full.values())
        panels.append(
            Panel(title, logit(P_CORRECT), "probability of the right arm, p", _ticks(), curves, 0.0, 1.05 * high)
        )
    about = (
        "One context with one right arm and equally likely wrong ones. A baseline above zero gives the policy "
        "gradient (PG) noise across its own direction; zero price, which keeps the samples of positive delight, has "
        "none, and pays with the share b of the signal. Soft weights (DG) damp the noise. At K = 2 there is nothing "
        "across."
    )
    claims = ("zero-price-geometry", "dg-noise-ratio", "baseline-dependence", "forward-efficiency")
    return Explorer("geometry", "Gradient geometry", about, claims, sliders, panels, at="p_correct")


def _ticks() -> list[tuple[float, str]]:
    return [(float(logit(p)), f"{p:g}") for p in _TICKS]
