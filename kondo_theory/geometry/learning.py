"""Learning time of one symmetric context under gradient flow.

With E[g] = κ∇J the correct probability follows ṗ = κ·p²ε²α² in units of learning rate × forward batches. Zero price
backpropagates a fraction p of a batch, so its clock in backward batches runs p times as fast.

Source: this project, in the setting of [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import METHODS, SymmetricContext
from kondo_theory.words import unhandled

__all__ = ["learning_time"]

_QUADRATURE_TOLERANCE = 1e-12


def learning_time(
    method: str,
    n_arms: ArrayLike,
    p_end: ArrayLike,
    baseline: ArrayLike,
    unit: str = "forward",
    *,
    p_start: ArrayLike | None = None,
    p_error: ArrayLike | None = None,
    temperature: ArrayLike = 1.0,
) -> FloatArray:
    """Return the time gradient flow takes from ``p_start`` to ``p_end``, per unit learning rate.

    With Δ the difference between the two ends and α² = K/(K−1):

    * "pg": Δ[2 ln(p/ε) + 1/ε − 1/p]/α² for every baseline, Θ(K) from p = 1/K.
    * "zero-price", constant b: the same over 1 − b in forward batches; Δ[ln(p/ε) + 1/ε]/((1−b)α²) in backward ones,
      Θ(log K).
    * "zero-price", value baseline: Δ[3 ln(p/ε) − 1/p + 2/ε + 1/(2ε²)]/α² forward; Δ[ln(p/ε) + 1/ε + 1/(2ε²)]/α²
      backward.
    * "dg", and zero price with the confidence baseline: quadrature of dt/d logit p = 1/(κpεα²), to 1e-12 relative.

    PG and DG backpropagate every sample, so their two units agree. Valid in the limit of small steps and large
    batches; a finite step or batch adds its own error.

    Parameters
    ----------
    method : "pg", "dg" or "zero-price"
    n_arms : (...) array
        K ≥ 2.
    p_end : (...) array
        In (0, 1), at least ``p_start``.
    baseline : (...) array in [0, 1), "value" or "confidence"
    unit : "forward" or "backward"
        What the time counts: batches sampled, or batches' worth of backward passes.
    p_start : (...) array, optional
        In (0, 1); default 1/K, the uniform policy.
    p_error : (...) array, optional
        1 − ``p_end``, where that has no accuracy left.
    temperature : (...) array
        η in (0, ∞], for "dg".

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    method = _domain.choice("method", method, METHODS)
    backward = _domain.choice("unit", unit, ("forward", "backward")) == "backward"
    end = SymmetricContext.of(p_end, n_arms, baseline, p_error, below_one=True)
    start = 1 / end.n_arms if p_start is None else _domain.interval("p_start", p_start, 0, 1, "()")
    gain = end.p - start
    _domain.require("p_end − p_start", np.asarray(gain), gain >= 0, "at least 0")
    named = baseline if isinstance(baseline, str) else ""
    if method == "dg" or (method == "zero-price" and named == "confidence"):
        clock = backward and method == "zero-price"
        eta = _domain.interval("temperature", temperature, 0, np.inf, "(]")
        width = np.log1p(gain / (start * end.error))
        b = np.nan if named else end.baseline
        arguments = np.broadcast_arrays(np.log(start) - np.log1p(-start), width, end.n_arms, b, eta)
        return np.asarray(_integrated(*arguments, method, named, clock))[()]
    if method not in ("pg", "zero-price"):
        raise unhandled("method", method, ("pg", "dg", "zero-price"))
    share = end.complement if method == "zero-price" and not named else 1.0
    cubic = method == "zero-price" and named == "value"
    area = _closed_form(start, end, gain, every_sample=method == "pg" or not backward, cubic=cubic)
    return np.asarray(area / (share * end.alpha_squared))[()]


def _closed_form(
    start: FloatArray, end: SymmetricContext, gain: FloatArray, *, every_sample: bool, cubic: bool
) -> FloatArray:
    """Return ∫ dp/(p^m ε^n) with m = 2 if ``every_sample`` else 1 and n = 3 if ``cubic`` else 2.

    Partial fractions, each difference of a primitive at the two ends written without cancellation.
    """
    errors = (1 - start) * end.error
    log_odds = np.log1p(gain / (start * end.error))  # of ln(p/ε)
    over_error = gain / errors  # of 1/ε
    area = log_odds + over_error
    if cubic:
        area = area + over_error * ((1 - start) + end.error) / (2 * errors)  # of 1/(2ε²)
    if every_sample:
        over_p = gain / (start * end.p)  # of −1/p
        area = area + log_odds + over_p + (log_odds + over_error if cubic else 0.0)
    return np.asarray(area)


def _integrated_once(
    first: float, width: float, n_arms: float, b: float, temperature: float, method: str, named: str, clock: bool
) -> float:
    """Integrate dt/d logit p by Gauss–Legendre panels: the integrand varies on a scale of one, whatever η is."""

    def slowness(logit: FloatArray) -> FloatArray:
        p, error = expit(logit), expit(-logit)
        context = SymmetricContext.of(p, n_arms, named or b, error)
        right, wrong = context.weights(method, temperature)
        kappa = right * context.complement + wrong * context.baseline
        return np.asarray((p if clock else 1.0) / (kappa * p * error * context.alpha_squared))

    nodes, weights = np.polynomial.legendre.leggauss(24)
    previous = np.inf
    for n_panels in np.int64(np.ceil(width) + 1) * 2 ** np.arange(8):
        half = width / (2 * n_panels)
        centre = first + half * (2 * np.arange(n_panels) + 1)
        integral = float(half * np.sum(weights * slowness(centre[:, None] + half * nodes)))
        if abs(integral - previous) <= _QUADRATURE_TOLERANCE * abs(integral):
            return integral
        previous = integral
    raise RuntimeError(f"learning time did not converge: relative change above {_QUADRATURE_TOLERANCE:g}")


_integrated = np.vectorize(_integrated_once, otypes=[np.float64])
