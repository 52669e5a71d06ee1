"""Approximate delight: what the gate loses when χ̂ = χ + error decides instead of χ.

Gaussian noise turns the hard gate into a Bernoulli gate, χ̂ > λ with probability Φ((χ − λ)/τ), so that the moments of
:mod:`kondo_theory.geometry.symmetric` predict every loss. An error that is bounded relative to |χ| by δ < 1 cannot
change a sign, so that zero price is *exact* under it, sample by sample; a price or a rate is not, but only near the
price.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, claims that an approximate forward pass is
enough; the statements here are this project's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, owens_t

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.moments import GradientMoments
from kondo_theory.words import unhandled

__all__ = [
    "NOISES",
    "delight_scale",
    "gaussian_recall",
    "guaranteed_recall",
    "noisy_keep",
    "noisy_moments",
    "noisy_rate",
    "noisy_weights",
    "rms_cosine",
    "surprisal_error_bound",
    "top_rate_recall",
    "undecided_band",
]

NOISES = ("additive", "relative")
"""χ̂ = χ + τξ, and χ̂ = χ(1 + τξ); ξ is standard normal, independent of everything and between samples."""


def noisy_keep(delight: ArrayLike, noise: ArrayLike, kind: str = "additive", price: ArrayLike = 0.0) -> FloatArray:
    """Return P(χ̂ > λ) = Φ((χ − λ)/scale), scale τ or τ|χ| [this project].

    Without noise (scale 0) that is 1{χ > λ}: relative noise leaves χ = 0 where it is.

    Parameters
    ----------
    delight : (...) array
        χ, finite.
    noise : (...) array
        τ ≥ 0: in units of delight if "additive", a pure number if "relative".
    kind : {"additive", "relative"}
    price : (...) array
        λ, finite.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    chi = _domain.finite("delight", delight)
    excess = chi - _domain.finite("price", price)
    scale = _scale(chi, noise, kind)
    kept = np.where(scale > 0, ndtr(excess / np.where(scale > 0, scale, 1.0)), excess > 0)
    return np.asarray(kept)[()]


def _scale(chi: FloatArray, noise: ArrayLike, kind: str) -> FloatArray:
    kind = _domain.choice("kind", kind, NOISES)
    tau = _domain.interval("noise", noise, 0, np.inf, "[)")
    if kind not in ("additive", "relative"):
        raise unhandled("kind", kind, ("additive", "relative"))
    return np.asarray(tau * np.abs(chi) if kind == "relative" else tau + 0 * chi)


def _delights(context: SymmetricContext) -> tuple[FloatArray, FloatArray]:
    right, wrong = context.surprisals
    return np.asarray(context.complement * right), np.asarray(-context.baseline * wrong)


def noisy_weights(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    noise: ArrayLike,
    kind: str = "additive",
    *,
    price: ArrayLike = 0.0,
    p_error: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return (w₊, w₋), the probabilities that a correct and a wrong sample are kept under noisy delight.

    At zero price Φ(χ₊/τ) and Φ(χ₋/τ); with relative noise Φ(1/τ) and Φ(−1/τ), whatever p, K and 0 < b < 1.

    Parameters
    ----------
    p_correct, n_arms, p_error : (...) arrays
        One symmetric context, as in :func:`kondo_theory.geometry.symmetric.symmetric_moments`.
    baseline : (...) array, "value" or "confidence"
        b in [0, 1).
    noise, kind, price
        As in :func:`noisy_keep`.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = _delights(context)
    return noisy_keep(right, noise, kind, price), noisy_keep(wrong, noise, kind, price)


def noisy_moments(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    noise: ArrayLike,
    kind: str = "additive",
    *,
    price: ArrayLike = 0.0,
    p_error: ArrayLike | None = None,
) -> GradientMoments:
    """Return the exact moments of one sample's gradient under the noisy hard gate; parameters of `noisy_weights`.

    A kept sample enters with weight one, so that noise makes a Bernoulli gate: at zero price Var_⊥ is no longer 0 but
    ε·w₋·b²(K − 2)/(K − 1). The direction is kept: E[g] = κ∇J with κ = w₊(1 − b) + w₋b > 0.
    """
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = (noisy_keep(chi, noise, kind, price) for chi in _delights(context))
    return context.moments(right, wrong, bernoulli=True)


def noisy_rate(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    noise: ArrayLike,
    kind: str = "additive",
    *,
    price: ArrayLike = 0.0,
    p_error: ArrayLike | None = None,
) -> FloatArray:
    """Return the backward rate p·w₊ + ε·w₋ under the noisy hard gate; parameters as in :func:`noisy_weights`."""
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = (noisy_keep(chi, noise, kind, price) for chi in _delights(context))
    return np.asarray(context.p * right + context.error * wrong)[()]


def rms_cosine(moments: GradientMoments, batch_size: ArrayLike) -> FloatArray:
    """Return signal/√(signal² + Var_⊥/B), a batch's cosine with ∇J if the part across has r.m.s. length."""
    batch = _domain.interval("batch_size", batch_size, 0, np.inf, "(]")
    length = np.hypot(moments.signal, np.sqrt(np.asarray(moments.var_perpendicular) / batch))
    return np.asarray(moments.signal / np.where(length > 0, length, np.nan))[()]


def delight_scale(
    p_correct: ArrayLike, n_arms: ArrayLike, baseline: ArrayLike, *, p_error: ArrayLike | None = None
) -> FloatArray:
    """Return the standard deviation of χ in one symmetric context, √(pε)·(χ₊ − χ₋): a unit for additive noise."""
    context = SymmetricContext.of(p_correct, n_arms, baseline, p_error, below_one=True)
    right, wrong = _delights(context)
    return np.asarray(np.sqrt(context.p * context.error) * (right - wrong))[()]


def gaussian_recall(rate: ArrayLike, relative_noise: ArrayLike) -> FloatArray:
    """Return the share of the exact top ρ that the noisy top ρ keeps, for Gaussian delight [this project].

    With s the standard deviation of χ and additive noise τs, P(χ̂ > q̂ | χ > q) = 1 − 2T(z, h)/ρ, where z = Φ⁻¹(1 − ρ),
    T is Owen's function, h = √((1 − r)/(1 + r)) and r = 1/√(1 + τ²) the correlation of χ and χ̂. From 1 down to ρ.

    Parameters
    ----------
    rate : (...) array
        ρ in (0, 1).
    relative_noise : (...) array
        τ ≥ 0, in standard deviations of delight; infinity gives ρ.

    Notes
    -----
    Expectations over infinitely many samples; a finite batch of B differs by order 1/(ρB).
    """
    share = _domain.interval("rate", rate, 0, 1, "()")
    tau = _domain.interval("relative_noise", relative_noise, 0, np.inf, "[]")
    # (1 − r)/(1 + r) = (√(1 + τ²) − 1)/(√(1 + τ²) + 1) = (τ/(1 + √(1 + τ²)))²
    finite = np.where(np.isinf(tau), 0.0, tau)
    slope = np.where(np.isinf(tau), 1.0, finite / (1 + np.hypot(1.0, finite)))
    return np.asarray(1 - 2 * owens_t(ndtri(share), slope) / share)[()]


def top_rate_recall(
    delight: ArrayLike, probability: ArrayLike, rate: float, noise: float, kind: str = "additive"
) -> tuple[float, float]:
    """Return (recall, price): the share of the exact top ρ that the noisy top ρ keeps, for a discrete delight.

    The exact gate keeps the top ρ of χ, splitting the atom at its price evenly; the noisy one keeps χ̂ > λ̂ with
    P(χ̂ > λ̂) = ρ. Recall is Σ_i k_iΦ((χ_i − λ̂)/τ_i)/ρ, k_i the mass that the exact gate keeps of atom i.

    Parameters
    ----------
    delight, probability : (M,) arrays
        Atoms of χ and their masses, which sum to one.
    rate : float
        ρ in (0, 1).
    noise : float
        τ > 0, as in :func:`noisy_keep`.
    kind : {"additive", "relative"}
        With "relative", a delight of exactly 0 is refused: it would stay an atom.

    Notes
    -----
    One distribution and one gate: rate and noise are scalars only.
    Expectations over infinitely many samples. Ties are broken independently in the two rankings: inside an atom of
    mass m > ρ the recall is ρ/m at best, though nothing is lost.
    """
    mass = _domain.distribution("probability", probability)
    chi = _domain.finite("delight", delight)
    if chi.ndim != 1 or chi.shape != mass.shape:
        raise ValueError(f"delight and probability must be vectors of one length, got {chi.shape} and {mass.shape}")
    share = _domain.number("rate", rate, 0, 1, "()")
    scale = _scale(chi, _domain.number("noise", noise, 0, np.inf, "()"), kind)
    _domain.require("delight", chi, scale > 0, "nonzero under relative noise")

    def excess(price: float) -> float:
        return float(mass @ ndtr((chi - price) / scale)) - share

    reach = -ndtri(min(share, 1 - share) / 2) + 1.0
    low, high = float(np.min(chi - reach * scale)), float(np.max(chi + reach * scale))
    price = brentq(excess, low, high, xtol=1e-14 * max(1.0, abs(low), abs(high)), rtol=1e-14)
    kept = _exact_top(chi, mass, share)
    return float(kept @ ndtr((chi - price) / scale)) / share, float(price)


def _exact_top(chi: FloatArray, mass: FloatArray, share: float) -> FloatArray:
    """Return the mass that the exact top ρ keeps of each atom; atoms of equal delight share evenly."""
    values, place = np.unique(-chi, return_inverse=True)
    total = np.bincount(place, weights=mass, minlength=len(values))
    before = np.concatenate([[0.0], np.cumsum(total)[:-1]])
    taken = np.clip(share - before, 0.0, total)
    fraction = np.divide(taken, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(mass * fraction[place])


def undecided_band(price: ArrayLike, relative_error: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return [λ/(1 + δ), λ/(1 − δ)], outside which |χ̂ − χ| ≤ δ|χ| cannot change the decision χ > λ.

    At λ = 0 the band is the point 0, which the error cannot move: zero price is exact for every δ < 1.

    Parameters
    ----------
    price : (...) array
        λ ≥ 0.
    relative_error : (...) array
        δ in [0, 1).
    """
    limit = _domain.interval("price", price, 0, np.inf, "[)")
    delta = _domain.interval("relative_error", relative_error, 0, 1, "[)")
    return np.asarray(limit / (1 + delta))[()], np.asarray(limit / (1 - delta))[()]


def guaranteed_recall(delight: ArrayLike, n_kept: int, relative_error: float) -> float:
    """Return a lower bound of a batch's recall of its top k under any errors |χ̂ − χ| ≤ δ|χ|.

    With q the k-th largest delight, every sample with χ > q(1 + δ)/(1 − δ), or χ > q(1 − δ)/(1 + δ) if q < 0, stays
    in the top k: only the fewer than k samples with χ > q can pass it. One batch, of any length: k and δ are scalars
    only.

    Parameters
    ----------
    delight : (B,) array
        χ, finite.
    n_kept : int
        k in 1 … B.
    relative_error : float
        δ in [0, 1).
    """
    chi = _domain.finite("delight", delight)
    if chi.ndim != 1 or chi.size == 0:
        raise ValueError(f"delight must be a vector with at least one sample, got shape {chi.shape}")
    kept = _domain.integer("n_kept", n_kept, 1, chi.size)
    delta = _domain.number("relative_error", relative_error, 0, 1, "[)")
    lowest = float(np.sort(chi)[-kept])
    stretch = (1 + delta) / (1 - delta)
    threshold = lowest * stretch if lowest >= 0 else lowest / stretch
    return float(np.sum(chi > threshold)) / kept


def surprisal_error_bound(logit_error: ArrayLike) -> FloatArray:
    """Return e^{2ϵ} − 1, the largest relative error of a surprisal whose logits are each wrong by at most ϵ.

    ℓ = log(1 + Σ_{j≠a} e^{z_j − z_a}) and log(1 + xs) ≤ x·log(1 + s) for x ≥ 1, so that ℓ̂/ℓ lies in [e^{−2ϵ}, e^{2ϵ}]
    for *any* policy: small logit errors are bounded relative errors, and ℓ̂ > 0 for every ϵ. (Rounding a surprisal to
    0, as low precision can for a probability near one, is an error of 100 % and outside the bound.)

    Parameters
    ----------
    logit_error : (...) array
        ϵ ≥ 0, nats.
    """
    return np.asarray(np.expm1(2 * _domain.interval("logit_error", logit_error, 0, np.inf, "[)")))[()]
