"""Gradients of arms that another policy drew: an older one, a broken actor's, or both with corrupted rewards.

The learner π moves its own logits by g = w·U·φ_a, φ_a = e_a − π, while arms come from μ. With one correct arm y,
d = e_y − π and a constant baseline 0 ≤ b < 1,

* zero price has E g = (1 − b)μ_y·d: the direction of ∇J for every μ, and nothing across it;
* PG has E g = μ_y·d + b(π − μ), which turns with μ: what turns it is the baseline;
* importance weights π/μ give PG's own mean back, at the second moment (1 + χ²(π‖μ))·E_τ‖Uφ‖², τ ∝ π²/μ.

What broken actors and corrupted rewards come to is in :mod:`kondo_theory.off_policy.broken_actors`.

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.moments import GradientMoments, gradient_moments
from kondo_theory.screening import kept_at_rate
from kondo_theory.words import Brief, unhandled

__all__ = [
    "METHODS",
    "SURPRISALS",
    "OffPolicyMoments",
    "off_policy_moments",
]

METHODS = ("pg", "importance-weighted", "dg", "zero-price", "rate")
"""Policy gradient as if μ were π, weighted by π/μ, soft weights σ(χ/η), the gate χ > 0, the top ρ by delight."""

SURPRISALS = ("learner", "actor")
"""Delight from −log π, or from −log μ, which the actor sent along."""


@dataclass(frozen=True, eq=False, repr=False)
class OffPolicyMoments(Brief):
    """What a method makes of one sample a ~ μ.

    Attributes
    ----------
    moments : GradientMoments
        Signal and noise along and across the direction of the learner's true gradient.
    backward_rate : (...) array
        Samples that get a backward pass.
    """

    moments: GradientMoments
    backward_rate: FloatArray


def off_policy_moments(
    method: str,
    policy: ArrayLike,
    behaviour: ArrayLike,
    reward: ArrayLike,
    baseline: ArrayLike,
    *,
    corruption: ArrayLike = 0.0,
    temperature: ArrayLike = 1.0,
    rate: ArrayLike = 1.0,
    surprisal: str = "learner",
    kernel: ArrayLike | None = None,
) -> OffPolicyMoments:
    """Return the exact moments of one sample's gradient by enumeration of arms and rewards, O(K).

    Parameters
    ----------
    method : str
        One of :data:`METHODS`.
    policy, behaviour : (..., K) array
        π and μ; importance weights ask for μ > 0 wherever π > 0.
    reward : (..., K) array
        Probability in [0, 1] that an arm is paid 1, else 0; the direction is that of its true gradient.
    baseline : (...) array
        b in [0, 1).
    corruption : (...) array
        r in [0, 1]: an unpaid sample is paid all the same with this probability.
    temperature, rate : (...) array
        η > 0 of "dg", and ρ in (0, 1] of "rate", as B → ∞.
    surprisal : str
        One of :data:`SURPRISALS`: whose delight weighs or ranks.
    kernel : (..., K, K) array, optional
        As in :func:`kondo_theory.moments.gradient_moments`, for parameters that logits share.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    true = _domain.interval("reward", reward, 0, 1, "[]")
    b = _domain.interval("baseline", baseline, 0, 1, "[)")[..., None]
    paid = true + _domain.interval("corruption", corruption, 0, 1, "[]")[..., None] * (1 - true)
    eta = _domain.interval("temperature", temperature, 0, np.inf, "(]")[..., None]
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    # Every argument counts for the shape, whether the method looks at it or not.
    pi, mu, *_ = np.broadcast_arrays(
        _domain.policy(policy), _domain.distribution("behaviour", behaviour), paid, b, eta, rho[..., None]
    )
    whose = _domain.choice("surprisal", surprisal, SURPRISALS)
    seen = pi if whose == "learner" else mu
    nats = -np.log(np.where(seen > 0, seen, 1.0))
    chances, outcomes = np.stack([mu * paid, mu * (1 - paid)]), (1 - b, -b)
    up, down = _weights(method, (pi, mu), chances, (outcomes[0] * nats, outcomes[1] * nats), (eta, rho))
    drawn = method in ("zero-price", "rate")
    first = paid * outcomes[0] * up + (1 - paid) * outcomes[1] * down
    squares = [w if drawn else w**2 for w in (up, down)]
    second = paid * outcomes[0] ** 2 * squares[0] + (1 - paid) * outcomes[1] ** 2 * squares[1]
    kept = chances[0] * up + chances[1] * down if drawn else chances[0] + chances[1]
    found = gradient_moments(
        pi,
        1.0,
        first,
        np.maximum(second, first**2),
        direction=_direction(pi, true, kernel),
        kernel=kernel,
        behaviour=mu,
    )
    return OffPolicyMoments(found, np.asarray(kept.sum(axis=-1))[()])


def _weights(
    method: str,
    policies: tuple[FloatArray, FloatArray],
    chances: FloatArray,
    delight: tuple[FloatArray, FloatArray],
    settings: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return the weights (..., K) of paid and of unpaid samples; ``settings`` are η (..., 1) and ρ (...)."""
    name = _domain.choice("method", method, METHODS)
    eta, rho = settings
    pi, mu = policies
    one = np.ones_like(chances[0])
    if name == "pg":
        return one, one
    if name == "importance-weighted":
        _domain.require("behaviour", mu, (mu > 0) | (pi == 0), "positive wherever the policy is")
        ratio = pi / np.where(mu > 0, mu, 1.0) * one
        return ratio, ratio
    if name == "dg":
        return np.asarray(expit(delight[0] / eta)), np.asarray(expit(delight[1] / eta))
    if name == "zero-price":  # by the sign of the advantage: a surprisal of zero is a rounded one
        return one, np.zeros_like(one)
    if name == "rate":
        n_arms = one.shape[-1]
        both = np.concatenate(np.broadcast_arrays(*chances), axis=-1)
        keep = kept_at_rate(both, np.concatenate(np.broadcast_arrays(*delight), axis=-1), rho)
        return keep[..., :n_arms], keep[..., n_arms:]
    raise unhandled("method", name, METHODS)


def _direction(policy: FloatArray, reward: FloatArray, kernel: ArrayLike | None) -> FloatArray:
    """Return J_x u, (..., K), u the direction of the true gradient."""
    mean = np.sum(policy * reward, axis=-1, keepdims=True)
    gradient = policy * (reward - mean)
    mapped = gradient
    if kernel is not None:
        mapped = (_domain.kernel(kernel, policy.shape[-1]) @ gradient[..., None])[..., 0]
    length = np.sqrt(np.sum(gradient * mapped, axis=-1, keepdims=True))
    _domain.require("the length of the true gradient", length, length > 0, "positive")
    return np.asarray(mapped / length)
