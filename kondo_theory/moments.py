"""Exact moments of any gate's gradient on any softmax bandit, O(K) a context.

One sample draws an arm a ~ π and contributes g = C·φ_a with φ_a = e_a − π, the gradient of log π(a) in the logits.
Arms drawn from another policy μ, that of an older or broken actor, change who is counted and not what is summed.
The gate, the reward's noise and the Bernoulli draw of the gate enter through two numbers an arm, c₁(a) = E[C | a]
and c₂(a) = E[C² | a], so everything up to second order is a finite sum. Here it is taken without cancellation:

* A probability within rounding of one says nothing about 1 − π_a: that is the sum of the other probabilities.
* Means under π are taken in two passes (subtract a rough mean, then the mean of the rest), so a difference from
  the mean keeps its relative accuracy even when one arm has nearly all the mass.
* A variance is a sum of squares about a mean; that of a vector is split by the law of total variance into the arm
  of largest probability, the other arms about their mean, and the distance between the two.
* The perpendicular part of a score is projected explicitly on the arms where ‖φ_a‖² − (φ_a·u)² could cancel.

Sources: theory of [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, Prop. 1, and [DG] I. Osband,
"Delightful Policy Gradient", arXiv 2603.14608, Prop. 1; the general form is this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory._scores import Context, Metric, identity_metric, kernel_metric, total
from kondo_theory.words import Brief

__all__ = ["GradientMoments", "gradient_moments"]

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class GradientMoments(Brief):
    """Signal and noise of one sample's gradient g, resolved along and across a unit direction u.

    Every field has the shape of the leading axes, ``(...)``; units are those of the advantage (squared for the
    variances).

    Attributes
    ----------
    signal : (...) array
        E[g]·u, signed.
    perpendicular_bias : (...) array
        √(‖E g‖² − signal²), the part of the mean gradient across u.
    var_parallel, var_perpendicular : (...) array
        Variance of g·u, and trace of the covariance of g across u, per sample.
    cosine : (...) array
        signal/‖E g‖, the cosine of the mean gradient with u; nan where E g = 0.
    """

    signal: FloatArray
    perpendicular_bias: FloatArray
    var_parallel: FloatArray
    var_perpendicular: FloatArray
    cosine: FloatArray

    def efficiency(self, batch_size: ArrayLike) -> FloatArray:
        """Return signal²/(‖E g‖² + (Var_∥ + Var_⊥)/B) for B independent samples, in [0, 1].

        It is the fraction of the largest first-order gain, along u, that a mean over B samples can buy; 0 where
        the gradient is zero for certain.

        Parameters
        ----------
        batch_size : (...) array
            B > 0 forward samples; fractions are meaningful, infinity gives cosine².
        """
        batch = _domain.interval("batch_size", batch_size, 0, np.inf, "(]")
        noise = np.asarray(self.var_parallel + self.var_perpendicular) / batch
        power = self.signal**2 + self.perpendicular_bias**2 + noise
        return np.asarray(self.signal**2 / np.where(power > 0, power, 1.0))[()]


def gradient_moments(
    policy: ArrayLike,
    advantage: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    direction: ArrayLike | None = None,
    kernel: ArrayLike | None = None,
    behaviour: ArrayLike | None = None,
) -> GradientMoments:
    """Return the exact moments of g = weight·U·φ_a for one sample a ~ π, or a ~ μ where a behaviour is given.

    Parameters
    ----------
    policy : (..., K) array
        π, summing to one to within 1e-6 (it is then divided by its sum). Give small probabilities precisely:
        1 − π_a of the most probable arm is taken as the sum of the others.
    advantage : (..., K) array or scalar
        U of each arm.
    first, second : (..., K) array or scalar
        E[weight | a] and E[weight² | a]: w and w² for soft weights, w and w for a Bernoulli gate of probability w,
        1 and 1 for plain policy gradient. c₁ = first·U and c₂ = second·U². Where ``second`` is within four units
        in the last place of ``first**2`` (and not equal to ``first``) the weight counts as deterministic. For noisy
        rewards pass advantage = 1 with c₁, c₂ themselves and a direction.
    direction : (..., K) array, optional
        t with g·u = C·φ_a·t, that is t = J_x u for a unit vector u in parameter space (J_x = ∂z/∂θ; without a
        kernel the parameters are logits, so ‖t‖ ≤ 1, less if u reaches into other contexts). Default: the
        context's true gradient Σ_a π_a U_a φ_a, mapped by the kernel and normalised.
    kernel : (..., K, K) array, optional
        𝒦_x = J_x J_xᵀ, the metric in place of the identity, symmetric and positive semidefinite to within 1e-6 of
        its largest entry. The moments are O(K²) then; the Cholesky factorisation that checks the kernel is O(K³).
    behaviour : (..., K) array, optional
        μ, from which the arms are drawn, summing to one as π does; positive only where π is. The scores, and the
        default direction, stay those of π. For importance weights multiply ``first`` by π/μ and ``second`` by its
        square.

    Returns
    -------
    GradientMoments
        Of shape ``(...)``, the leading axes broadcast. Relative accuracy is near 1e-13 without a kernel; with one,
        perpendicular quantities are accurate relative to the whole second moment, and zero below its rounding.

    Raises
    ------
    ValueError
        If the policy, the behaviour, the kernel or the direction is out of its domain, ``second`` < ``first**2``, or
        the true gradient is zero and no direction is given.
    TypeError
        If an argument is not real.
    """
    pi = _domain.policy(policy)
    n_arms = pi.shape[-1]
    U, w1, w2 = (
        _per_arm(name, value, n_arms)
        for name, value in (("advantage", advantage), ("first", first), ("second", second))
    )
    spread = _weight_variance(w1, w2) * U**2
    t = None if direction is None else _per_arm("direction", direction, n_arms)
    K = None if kernel is None else _domain.kernel(kernel, n_arms)
    mu = None if behaviour is None else _domain.distribution("behaviour", behaviour)
    given = (pi, spread, t, None if K is None else K[..., 0], mu)
    shape = np.broadcast_shapes(*(array.shape for array in given if array is not None))
    pi, U, coefficient, spread = (np.broadcast_to(array, shape) for array in (pi, U, w1 * U, spread))
    if t is None:
        _refuse_constant(pi, U)
    context = Context.of(pi, U if t is None else None)
    metric = identity_metric(context, t) if K is None else kernel_metric(context, t, K)
    if mu is None:
        return _moments(context, context, 1.0, metric, coefficient, spread)
    drawn = Context.of(np.broadcast_to(mu, shape), None)
    _domain.require("behaviour", drawn.pi, (pi > 0) | (drawn.pi == 0), "zero where the policy is")
    ratio = drawn.pi / np.where(pi > 0, pi, 1.0)
    return _moments(context, drawn, ratio, metric, coefficient, spread)


def _moments(
    context: Context,
    drawn: Context,
    ratio: FloatArray | float,
    metric: Metric,
    coefficient: FloatArray,
    spread: FloatArray,
) -> GradientMoments:
    """Return the moments of arms drawn from ``drawn.pi``, ``ratio`` times the policy of ``context``."""
    signal = total(context.combine(ratio * coefficient) * metric.parallel)
    bias = np.sqrt(metric.square(ratio * coefficient))
    deviation = drawn.centred(coefficient * metric.parallel)
    var_parallel = total(drawn.pi * (deviation**2 + spread * metric.parallel**2))

    # Law of total variance for c₁(a)·φ_a across u: between arm m and the mean of the rest, and within the rest.
    rest = np.where(drawn.rest > 0, drawn.rest, 1.0)
    rest_mean = np.where(drawn.top, 0.0, coefficient / rest)
    gap = np.where(drawn.top, coefficient / drawn.mass, -rest_mean)
    between = drawn.mass * drawn.rest * metric.square(ratio * gap)
    within = total(drawn.others * coefficient**2 * metric.squares) - drawn.rest * metric.square(ratio * rest_mean)
    var_perpendicular = total(drawn.pi * spread * metric.squares) + between + np.maximum(within, 0.0)

    size = np.hypot(signal, bias)
    cosine = np.where(size > 0, signal / np.where(size > 0, size, 1.0), np.nan)
    fields = (signal, bias, var_parallel, var_perpendicular, cosine)
    return GradientMoments(*(np.asarray(field[..., 0])[()] for field in fields))


def _weight_variance(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return second − first², exactly zero for the rounded square of a deterministic weight."""
    square = first**2
    # The first form keeps w(1 − w) accurate for a Bernoulli gate that is almost always open.
    nearly_open = np.abs(second - first) < square
    variance = np.where(nearly_open, (second - first) + first * (1 - first), second - square)
    deterministic = (np.abs(second - square) <= 4 * _EPS * square) & (second != first)
    variance = np.where(deterministic, 0.0, variance)
    _domain.require("second", np.broadcast_to(second, variance.shape), variance >= 0, "at least first²")
    return variance


def _refuse_constant(pi: FloatArray, advantage: FloatArray) -> None:
    """Refuse an advantage that is the same on every arm the policy plays: its true gradient has no direction."""
    highest = np.max(np.where(pi > 0, advantage, -np.inf), axis=-1)
    lowest = np.min(np.where(pi > 0, advantage, np.inf), axis=-1)
    if np.any(highest == lowest):
        allowed = "vary over the arms played, or a direction be given (the true gradient is zero)"
        raise ValueError(f"advantage must {allowed}, got {float(highest[highest == lowest].flat[0])!r} on each")


def _per_arm(name: str, value: ArrayLike, n_arms: int) -> FloatArray:
    array = _domain.finite(name, value)
    if array.ndim and array.shape[-1] != n_arms:
        raise ValueError(f"{name} must be a scalar or have {n_arms} arms on its last axis, got shape {array.shape}")
    return np.broadcast_to(array, (*array.shape[:-1], n_arms))
