"""A softmax bandit with normal rewards, gated at a rate: scores without atoms, and what is kept in closed form.

Arm a pays U ~ N(μ_a, σ_a²) above the baseline and scores s = c_a·U: delight where c_a is the surprisal −log π_a,
the advantage where it is 1. The arms' scores are normal, so the kept are truncated normals.

Source: this project (derivation ``normalised-price-gate``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr, ndtri

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.normalised import KeptGradient, exact_batch_moments, kept_gradient
from kondo_theory.geometry.quality_cost import surprisal
from kondo_theory.moments import GradientMoments

__all__ = ["normal_exact_moments", "normal_kept", "normal_price"]

_HALVINGS = 60
_DENSITY = 1 / np.sqrt(2 * np.pi)


def normal_price(
    policy: ArrayLike, advantage: ArrayLike, noise: ArrayLike, rate: ArrayLike, *, slope: ArrayLike | None = None
) -> FloatArray:
    """Return the price λ with P(c_a·U > λ) = ρ, by bisection to rounding.

    Parameters
    ----------
    policy, advantage, noise : (..., K) array
        π, all positive, the means μ and the standard deviations σ > 0 of U.
    rate : (...) array
        ρ in (0, 1).
    slope : (..., K) array, optional
        c > 0; default the surprisal, whose scores are delight.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    pi, mean, sigma, c, rho = _arms(policy, advantage, noise, rate, slope)
    # At the lowest of the arms' own quantiles every arm keeps at least ρ, at the highest at most ρ.
    quantiles = c * (mean - sigma * ndtri(rho)[..., None])
    low, high = quantiles.min(axis=-1), quantiles.max(axis=-1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        more = np.sum(pi * ndtr((mean - middle[..., None] / c) / sigma), axis=-1) > rho
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.asarray((low + high) / 2)[()]


def normal_kept(
    policy: ArrayLike,
    advantage: ArrayLike,
    noise: ArrayLike,
    rate: ArrayLike,
    *,
    slope: ArrayLike | None = None,
    direction: ArrayLike | None = None,
) -> KeptGradient:
    """Return the gradient of one sample that the hard gate s > λ of rate ρ keeps.

    Parameters, errors
        Those of :func:`normal_price`; ``direction`` as in :func:`kondo_theory.geometry.normalised.kept_gradient`.
    """
    pi, mean, sigma, c, rho = _arms(policy, advantage, noise, rate, slope)
    price = np.asarray(normal_price(pi, mean, sigma, rho, slope=c))[..., None]
    cut = price / c
    z = (cut - mean) / sigma
    keep = ndtr(-z)
    # Of what is kept, by φ/(1 − Φ): far up the tail the moments are small differences of large numbers.
    far: FloatArray = np.minimum(z, 40.0)  # beyond it nothing is kept
    hazard: FloatArray = _DENSITY * np.exp(-0.5 * far**2 - log_ndtr(-far))
    of_kept = cut + sigma * (hazard - far)
    variance: FloatArray = np.square(sigma) * np.maximum(1 - hazard * (hazard - far), 0.0)
    first, second = keep * of_kept, keep * (of_kept**2 + variance)
    # The densities of the arms' scores at the price, scaled by the largest: all may underflow.
    exponent = np.where(pi > 0, -0.5 * z**2, -np.inf)
    scaled = pi * np.exp(exponent - exponent.max(axis=-1, keepdims=True)) / (c * sigma)
    at_price = cut * scaled / np.sum(scaled, axis=-1, keepdims=True)
    return kept_gradient(pi, keep, first, second, at_price=at_price, direction=direction)


def normal_exact_moments(
    policy: ArrayLike,
    advantage: ArrayLike,
    noise: ArrayLike,
    batch_size: int,
    n_kept: int,
    *,
    slope: ArrayLike | None = None,
    direction: ArrayLike | None = None,
) -> GradientMoments:
    """Return the moments of the best k of B samples by score, divided by B, exact at this B.

    Parameters
    ----------
    policy, advantage, noise, slope : (K,) array
        As in :func:`normal_price`.
    batch_size, n_kept : int
        B and 1 ≤ k < B; scalars only.
    direction : (K,) array, optional
        u; default the direction of the price gate's mean at the rate k/B.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """

    def kept_at(rates: FloatArray, along: FloatArray | None) -> KeptGradient:
        return normal_kept(policy, advantage, noise, rates, slope=slope, direction=along)

    return exact_batch_moments(kept_at, batch_size, n_kept, direction=direction)


def _arms(
    policy: ArrayLike, advantage: ArrayLike, noise: ArrayLike, rate: ArrayLike, slope: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return π, μ, σ and c (..., K) and ρ (...), of one shape."""
    pi, mean = _domain.policy(policy), _domain.finite("advantage", advantage)
    _domain.require("policy", pi, pi > 0, "positive")
    sigma = _domain.interval("noise", noise, 0, np.inf, "()")
    rho = _domain.interval("rate", rate, 0, 1, "()")
    c = surprisal(pi) if slope is None else _domain.interval("slope", slope, 0, np.inf, "()")
    pi, mean, sigma, c, tall = np.broadcast_arrays(pi, mean, sigma, c, rho[..., None])
    return pi, mean, sigma, c, tall[..., 0]
