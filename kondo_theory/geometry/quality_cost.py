"""Quality against cost: what a price buys in one bandit context, and the value of a rate.

Sources: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2 (the gate); the frontier and the
duality of price and rate are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.moments import GradientMoments, gradient_moments
from kondo_theory.words import Brief

__all__ = [
    "Frontier",
    "RateValue",
    "arm_delight",
    "efficiency_per_backward",
    "expected_rate",
    "frontier",
    "rate_value",
    "surprisal",
]

_MASS_TOLERANCE = 1e-13  # rounding of cumulative probability within which a rate counts as the edge of an atom


@dataclass(frozen=True, eq=False, repr=False)
class Frontier(Brief):
    r"""Cost and quality of a Bernoulli gate over prices, per forward sample.

    Attributes
    ----------
    price, temperature : (\*S) array
        λ and η, broadcast.
    backward_rate : (..., \*S) array
        E[w], the share of forward samples that get a backward pass.
    moments : GradientMoments
        Signal and noise per forward sample, the draw of the gate included. Its cosine is nan where nothing is kept.
    """

    price: FloatArray
    temperature: FloatArray
    backward_rate: FloatArray
    moments: GradientMoments

    @property
    def cosine(self) -> FloatArray:
        """Cosine of the mean gradient with ∇J."""
        return self.moments.cosine

    def efficiency(self, batch_size: ArrayLike) -> FloatArray:
        """Efficiency of B forward samples, see :meth:`GradientMoments.efficiency`."""
        return self.moments.efficiency(batch_size)

    def efficiency_per_backward(self, n_backward: ArrayLike) -> FloatArray:
        """Efficiency of as many forward samples as cost ``n_backward`` > 0 backward passes on average."""
        return efficiency_per_backward(self.moments, self.backward_rate, n_backward)


def efficiency_per_backward(moments: GradientMoments, rate: FloatArray, n_backward: ArrayLike) -> FloatArray:
    """Return the efficiency at B = n_backward/rate forward samples; 0 where the rate is zero."""
    n = _domain.interval("n_backward", n_backward, 0, np.inf, "()")
    open_rate = np.where(np.asarray(rate) > 0, rate, 1.0)
    return np.asarray(np.where(np.asarray(rate) > 0, moments.efficiency(n / open_rate), 0.0))[()]


def frontier(policy: ArrayLike, advantage: ArrayLike, prices: ArrayLike, temperature: ArrayLike = 0.0) -> Frontier:
    """Trace a Bernoulli gate over prices and temperatures in any bandit context [this project].

    Parameters
    ----------
    policy : (..., K) array
        π, as in :func:`kondo_theory.moments.gradient_moments`; contexts on the leading axes.
    advantage : (..., K) array
        U of each arm.
    prices, temperature : arrays that broadcast to a shape S
        λ, finite, and η ≥ 0, in units of delight; η = 0 is the strict gate χ > λ. Prices (P,) with temperatures
        (T, 1) trace a grid.

    Returns
    -------
    Frontier
        Arrays of shape ``(..., *S)``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    pi, chi = _domain.policy(policy), arm_delight(policy, advantage)
    price, eta = np.broadcast_arrays(*_gate_setting(prices, temperature))
    axes = tuple(range(-1 - price.ndim, -1))
    pi, U, chi = (np.expand_dims(np.broadcast_to(x, chi.shape), axes) for x in (pi, np.asarray(advantage), chi))
    weight = _opened(chi, price, eta)
    return Frontier(price, eta, np.sum(pi * weight, axis=-1), gradient_moments(pi, U, weight, weight))


def arm_delight(policy: ArrayLike, advantage: ArrayLike) -> FloatArray:
    """Return χ = U·ℓ of each arm, (..., K); zero for an arm that is never played."""
    pi = _domain.policy(policy)
    return _domain.finite("advantage", advantage) * surprisal(pi)


def surprisal(pi: FloatArray) -> FloatArray:
    """Return ℓ = −log π of each arm in nats, accurate near π = 1; zero for an arm that is never played."""
    top = np.arange(pi.shape[-1]) == np.argmax(pi, axis=-1)[..., None]
    rest = np.sum(np.where(top, 0.0, pi), axis=-1, keepdims=True)
    plain = -np.log(np.where(pi > 0, pi, 1.0))
    return np.where(top & (rest < 0.5), -np.log1p(-np.minimum(rest, 0.5)), plain)


def expected_rate(
    delight: ArrayLike, probability: ArrayLike, price: ArrayLike, temperature: ArrayLike = 0.0
) -> FloatArray:
    """Return E σ((χ − λ)/η), or P(χ > λ) at η = 0, for a discrete distribution of delight.

    Parameters
    ----------
    delight, probability : (..., K) array
        Values and their probabilities, which sum to one.
    price, temperature : (...) array
        λ finite and η ≥ 0.
    """
    chi, mass = _distribution(delight, probability)
    return np.asarray(np.sum(mass * _opened(chi, *_gate_setting(price, temperature)), axis=-1))[()]


@dataclass(frozen=True, eq=False, repr=False)
class RateValue(Brief):
    """V(ρ) and the prices that support it.

    Attributes
    ----------
    value : (...) array
        max{E[wχ] : E w = ρ} = ∫_{1−ρ}^{1} Q_χ(u) du.
    price_low, price_high : (...) array
        The superdifferential of the concave V at ρ: one price inside an atom of χ, an interval between atoms, and
        infinite at its outer end for ρ = 0 and ρ = 1.
    """

    value: FloatArray
    price_low: FloatArray
    price_high: FloatArray


def rate_value(delight: ArrayLike, probability: ArrayLike, rate: ArrayLike) -> RateValue:
    """Return the most delight a gate of expected rate ρ can collect per forward sample, and its price [this project].

    Parameters
    ----------
    delight, probability : (..., K) array
        A discrete distribution of χ; equal values form one atom.
    rate : (...) array
        ρ in [0, 1], broadcast against the leading axes.

    Notes
    -----
    V is piecewise linear and concave, and maximal on [P(χ > 0), P(χ ≥ 0)]. A rate within 1e-13 of a cumulative
    probability counts as equal to it.
    """
    chi, mass = _distribution(delight, probability)
    rho = _domain.interval("rate", rate, 0, 1, "[]")[..., None]
    order = np.argsort(-chi, axis=-1, kind="stable")
    chi, mass = np.take_along_axis(chi, order, axis=-1), np.take_along_axis(mass, order, axis=-1)
    upto = np.cumsum(mass, axis=-1)
    before = upto - mass
    value = np.sum(chi * np.clip(rho - before, 0.0, mass), axis=-1)
    # The right slope belongs to the best atom with mass beyond ρ, the left slope to the worst with mass before it.
    played = mass > 0
    beyond = played & (upto > rho + _MASS_TOLERANCE) & (rho < 1)
    behind = played & (before < rho - _MASS_TOLERANCE) & (rho > 0)
    low = np.max(np.where(beyond, chi, -np.inf), axis=-1)
    high = np.min(np.where(behind, chi, np.inf), axis=-1)
    return RateValue(value[()], low[()], high[()])


def _distribution(delight: ArrayLike, probability: ArrayLike) -> tuple[FloatArray, FloatArray]:
    chi, mass = np.broadcast_arrays(
        _domain.finite("delight", delight), _domain.distribution("probability", probability)
    )
    return chi, mass


def _gate_setting(price: ArrayLike, temperature: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return _domain.finite("price", price), _domain.interval("temperature", temperature, 0, np.inf, "[)")


def _opened(chi: FloatArray, price: FloatArray, eta: FloatArray) -> FloatArray:
    """Return the gate probabilities of :func:`kondo_theory.gate.gate_probability` for arrays of temperatures."""
    price, eta = price[..., None], eta[..., None]
    soft = expit((chi - price) / np.where(eta > 0, eta, 1.0))
    return np.where(eta > 0, soft, chi > price)
