"""What a batch gradient's sum over the kept samples is divided by: B, exactly k kept, or how many were kept.

A gate that decides sample by sample keeps K ~ Bin(B, ρ) of B samples, and given K they are independent draws of one
kept sample's gradient g, with mean ḡ and covariance C. So, per sample (B times the covariance of a batch's gradient):

* divided by B: ρC + ρ(1−ρ)ḡḡᵀ, at every B: the second part is the noise of K alone;
* multiplied by ρ/K (zero if K = 0): ρhC + B(1−ρ)^B(1−(1−ρ)^B)ρ²ḡḡᵀ, h = E[ρB/K; K ≥ 1] → 1;
* the best k = ρB by a score, divided by B: given the best score that is dropped, at rank V ~ Beta(k+1, B−k), the kept
  are independent draws above it, so that the limit is ρC + ρ(1−ρ)(m−ḡ)(m−ḡ)ᵀ, m the mean of g at the price.

All are the control variate ΣG(g − c)/B + ρc, with c = 0, ḡ and m; c = ḡ has the least variance in every direction.

Source: this project (derivation ``normalised-price-gate``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.geometry.counts import inverse_count, nothing_kept
from kondo_theory.moments import GradientMoments
from kondo_theory.words import Brief

__all__ = [
    "KeptGradient",
    "exact_batch_moments",
    "exact_moments",
    "kept_gradient",
    "kept_to_pay",
    "normalised_moments",
    "price_moments",
]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_WIDTH = 12.0  # standard deviations of the rank V around its mean that get nodes of their own


@dataclass(frozen=True, eq=False, repr=False)
class KeptGradient(Brief):
    """The gradient g of one kept sample.

    Attributes
    ----------
    rate : (...) array
        ρ, the probability that a sample is kept.
    mean : (..., K) array
        ḡ = E[g | kept], in units of the advantage.
    direction : (..., K) array
        Unit vector u; variances are along it and across it.
    var_parallel, var_perpendicular : (...) array
        Of one kept sample: u·Cu, and the rest of the trace of C = Cov[g | kept].
    at_price : (..., K) array
        m = E[g | score = price]; nan where there is none.
    """

    rate: FloatArray
    mean: FloatArray
    direction: FloatArray
    var_parallel: FloatArray
    var_perpendicular: FloatArray
    at_price: FloatArray


def kept_gradient(
    policy: ArrayLike,
    keep: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    at_price: ArrayLike | None = None,
    direction: ArrayLike | None = None,
) -> KeptGradient:
    """Return mean and variances of the gradient g = Uφ_a of one kept sample of a softmax bandit.

    Parameters
    ----------
    policy : (..., K) array
        π.
    keep, first, second : (..., K) array
        P(G = 1 | a), E[GU | a] and E[GU² | a], G the gate of one sample: the noise of rewards and of the gate enters
        through these alone.
    at_price : (..., K) array, optional
        E[U; a | score = price], of each arm, its probability included: Σ_a of it times φ_a is m.
    direction : (..., K) array, optional
        u; default the mean's own.

    Raises
    ------
    ValueError
        If an argument is out of its domain, nothing is kept, E[GU²] is below E[GU]²/P(G = 1), or the mean gradient is
        zero and no direction is given.
    TypeError
        If an argument is not real.
    """
    pi, w = _domain.policy(policy), _domain.interval("keep", keep, 0, 1, "[]")
    c1, c2 = _domain.finite("first", first), _domain.finite("second", second)
    price = np.asarray(np.nan) if at_price is None else _domain.finite("at_price", at_price)
    pi, w, c1, c2, price = np.broadcast_arrays(pi, w, c1, c2, price)
    rate = np.asarray(np.sum(pi * w, axis=-1))
    _domain.require("the rate", rate, rate > 0, "positive")
    each = np.where(w > 0, w, 1.0)
    spread = c2 - c1 * (c1 / each)  # the square alone may underflow
    rounding = 1e-12 * np.abs(c2) + 1e-300  # numbers below the normal range have fewer digits
    _domain.require("second", c2, (spread >= -rounding) & ((w > 0) | (c2 == 0)), "at least first²/keep")
    share, advantage = pi * w / rate[..., None], c1 / each
    mean = _score_sum(pi, share * advantage)
    u = mean if direction is None else np.broadcast_to(_domain.finite("direction", direction), mean.shape)
    length = np.sqrt(np.sum(u**2, axis=-1, keepdims=True))
    _domain.require("the length of the direction", length, length > 0, "positive")
    u = u / length
    phi = np.eye(pi.shape[-1]) - pi[..., None, :]
    along = np.sum(phi * u[..., None, :], axis=-1)
    across = phi - along[..., None] * u[..., None, :]
    squares = np.sum(across**2, axis=-1)
    centre = np.sum(mean * u, axis=-1, keepdims=True)
    aside = (advantage[..., None] * across) - (mean - centre * u)[..., None, :]
    noise = pi * np.maximum(spread, 0.0) / rate[..., None]
    var_parallel = np.sum(share * (advantage * along - centre) ** 2 + noise * along**2, axis=-1)
    var_perpendicular = np.sum(share * np.sum(aside**2, axis=-1) + noise * squares, axis=-1)
    found = (rate, mean, u, np.asarray(var_parallel), np.asarray(var_perpendicular), _score_sum(pi, price))
    return KeptGradient(*found)


def price_moments(kept: KeptGradient) -> GradientMoments:
    """Return moments of ΣGg/B, of a gate that decides sample by sample: exact at every B.

    Variances are B times those of the batch's gradient, as those of all functions here.
    """
    return _with_variate(kept, np.zeros_like(kept.mean))


def exact_moments(kept: KeptGradient) -> GradientMoments:
    """Return the limit B → ∞ of the same for the best k = ρB samples, divided by B.

    The score is continuous at the price, or the price lies inside an atom whose ties are broken at random, and the
    mean gradient at a score is continuous there. Fields are nan without ``at_price``.
    """
    return _with_variate(kept, kept.at_price)


def normalised_moments(kept: KeptGradient, batch_size: ArrayLike = np.inf) -> GradientMoments:
    """Return the same for (ρ/K)ΣGg, zero if nothing is kept: the price gate's sum, divided by how many it kept.

    Parameters
    ----------
    kept : KeptGradient
    batch_size : (...) array
        B, whole and at least 1, or infinite.
    """
    h, nothing = inverse_count(kept.rate, batch_size), nothing_kept(kept.rate, batch_size)
    B = np.where(np.isfinite(batch_size), batch_size, 1.0)
    along, aside = _parts(kept, kept.mean)
    common = B * kept.rate**2 * nothing * (1 - nothing)
    return _moments(
        (1 - nothing) * kept.rate * along,
        (1 - nothing) * kept.rate * np.sqrt(np.sum(aside**2, axis=-1)),
        kept.rate * h * kept.var_parallel + common * along**2,
        kept.rate * h * kept.var_perpendicular + common * np.sum(aside**2, axis=-1),
    )


def kept_to_pay(moments: GradientMoments, rate: ArrayLike) -> FloatArray:
    """Return how many samples of a batch must be kept for dividing by the kept to pay, to first order in 1/B.

    tr C/‖ḡ‖², which is c − 1 of the cost of signal c = ρE‖g‖²/‖E g‖²: 0 where all that is kept agrees.

    Parameters
    ----------
    moments : GradientMoments
        Of one sample of a gate that decides sample by sample, all contexts and parameters together.
    rate : (...) array
        ρ in (0, 1].

    Raises
    ------
    ValueError, TypeError
        If the mean gradient is zero, or the rate is out of its domain or not real.
    """
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    power = np.asarray(moments.signal**2 + moments.perpendicular_bias**2)
    _domain.require("the length of the mean gradient", power, power > 0, "positive")
    return np.asarray(rho * (moments.var_parallel + moments.var_perpendicular) / power - (1 - rho))[()]


def exact_batch_moments(
    kept_at: Callable[[FloatArray, FloatArray | None], KeptGradient],
    batch_size: int,
    n_kept: int,
    *,
    direction: ArrayLike | None = None,
    breaks: ArrayLike = (),
) -> GradientMoments:
    """Return the moments of the best k of B samples, divided by B, exact at this B < ∞ and k < B.

    Given the rank V ~ Beta(k+1, B−k) of the best sample that is dropped, the kept are k independent draws of the best
    share V: E = (k/B)E ḡ(V) and B·Cov = (k/B)E C(V) + (k²/B)Cov ḡ(V). By quadrature over V.

    Parameters
    ----------
    kept_at : callable
        What a gate of rate v keeps, from rates (n,) and a direction (K,), or None for the mean's own.
    batch_size, n_kept : int
        B and 1 ≤ k < B; scalars only.
    direction : (K,) array, optional
        u; default the direction of the price gate's mean at the rate k/B.
    breaks : (m,) array
        Rates in (0, 1) at which the law of what is kept changes its form: the edges of atoms.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    B = _domain.integer("batch_size", batch_size, 2)
    k = _domain.integer("n_kept", n_kept, 1, B - 1)
    ranks = beta(k + 1, B - k)
    middle, width = float(ranks.mean()), _WIDTH * float(ranks.std())
    inner = [x for x in (*np.atleast_1d(breaks), middle - width, middle, middle + width) if 0 < x < 1]
    edges = np.unique([0.0, *inner, 1.0])
    v = (edges[:-1, None] + np.diff(edges)[:, None] * (1 + _NODES) / 2).ravel()
    mass = (np.diff(edges)[:, None] * _WEIGHTS / 2).ravel() * ranks.pdf(v)
    mass /= mass.sum()
    if direction is None:
        direction = kept_at(np.array([k / B]), None).direction[0]
    kept = kept_at(v, _domain.finite("direction", direction))
    along, aside = _parts(kept, kept.mean)
    mean, middle_aside = float(mass @ along), mass @ aside
    scatter = k * (mass @ (along - mean) ** 2), k * float(mass @ np.sum((aside - middle_aside) ** 2, axis=-1))
    return _moments(
        k / B * mean,
        k / B * float(np.linalg.norm(middle_aside)),
        k / B * (mass @ kept.var_parallel + scatter[0]),
        k / B * (mass @ kept.var_perpendicular + scatter[1]),
    )


def _score_sum(pi: FloatArray, weight: FloatArray) -> FloatArray:
    """Return Σ_a weight_a φ_a."""
    return np.asarray(weight - pi * np.sum(weight, axis=-1, keepdims=True))


def _parts(kept: KeptGradient, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a vector's part along u, (...), and the vector that is left, (..., K)."""
    along = np.asarray(np.sum(vector * kept.direction, axis=-1))
    return along, np.asarray(vector - along[..., None] * kept.direction)


def _with_variate(kept: KeptGradient, variate: FloatArray) -> GradientMoments:
    """Return the moments of ΣG(g − c)/B + ρc per sample."""
    along, aside = _parts(kept, kept.mean)
    off, off_aside = _parts(kept, kept.mean - variate)
    noise = kept.rate * (1 - kept.rate)
    return _moments(
        kept.rate * along,
        kept.rate * np.sqrt(np.sum(aside**2, axis=-1)),
        kept.rate * kept.var_parallel + noise * off**2,
        kept.rate * kept.var_perpendicular + noise * np.sum(off_aside**2, axis=-1),
    )


def _moments(signal: ArrayLike, bias: ArrayLike, along: ArrayLike, across: ArrayLike) -> GradientMoments:
    """Return the moments with these variances, and their cosine."""
    length = np.hypot(signal, bias)
    with np.errstate(invalid="ignore"):
        cosine = np.where(length > 0, signal / np.where(length > 0, length, 1.0), np.nan)
    fields = np.broadcast_arrays(signal, bias, along, across, cosine)
    return GradientMoments(*(np.asarray(field)[()] for field in fields))
