"""What Adam leaves of a gated gradient: the signal to noise of each coordinate.

Adam divides the average m̂ of a coordinate's batch gradients ĝ by the root of the average v̂ of their squares. At a
policy that hardly moves, and with averages of squares over many batches (β₂ → 1), its mean step per unit of learning
rate is E ĝ/√(E ĝ²): a number in [−1, 1] that no constant factor changes, and the expected gain per unit of learning
rate is its inner product with the true gradient. At β₂ < 1 it is off by the first order that :func:`remembered_step`
has. Its small constant added to √v̂ is left out, and so is all that grows with the square of the learning rate.

Source: this project (derivation ``gates-under-adam``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.words import choice

__all__ = ["adam_step", "logit_moments", "one_gradient_step", "remembered_step", "symmetric_adam_progress"]


def adam_step(mean: ArrayLike, variance: ArrayLike) -> FloatArray:
    """Return E ĝ/√(E ĝ²), Adam's mean step per unit of learning rate; 0 where the gradient is zero for certain.

    Parameters
    ----------
    mean, variance : (...) array
        Of one coordinate of the batch's gradient ĝ.

    Raises
    ------
    ValueError, TypeError
        If an argument is not finite or not real, or a variance is negative.
    """
    m, s = _domain.finite("mean", mean), _domain.interval("variance", variance, 0, np.inf, "[)")
    size = np.hypot(m, np.sqrt(s))
    return np.asarray(m / np.where(size > 0, size, 1.0))[()]


def remembered_step(
    mean: ArrayLike,
    second: ArrayLike,
    third: ArrayLike,
    fourth: ArrayLike,
    *,
    beta1: ArrayLike = 0.9,
    beta2: ArrayLike = 0.999,
) -> FloatArray:
    """Return the same with averages of squares that remember finitely many batches, to first order in 1 − β₂.

    Parameters
    ----------
    mean, second, third, fourth : (...) array
        E ĝ, E ĝ², E ĝ³ and E ĝ⁴ of independent batches; E ĝ² > 0.
    beta1, beta2 : (...) array
        Adam's, in [0, 1).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    m, v = _domain.finite("mean", mean), _domain.interval("second", second, 0, np.inf, "()")
    m3, m4 = _domain.finite("third", third), _domain.finite("fourth", fourth)
    b1, b2 = _domain.interval("beta1", beta1, 0, 1, "[)"), _domain.interval("beta2", beta2, 0, 1, "[)")
    spread = (1 - b2) / (1 + b2) * (m4 - v**2)
    joint = (1 - b1) * (1 - b2) / (1 - b1 * b2) * (m3 - m * v)
    return np.asarray((m - joint / (2 * v) + 3 * m * spread / (8 * v**2)) / np.sqrt(v))[()]


def logit_moments(
    policy: ArrayLike, advantage: ArrayLike, first: ArrayLike, second: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of each logit's coordinate of one sample's gradient weight·U·φ_a, each (..., K).

    Parameters
    ----------
    policy : (..., K) array
        π.
    advantage, first, second : (..., K) array or scalar
        U, E[weight | a] and E[weight² | a], as in :func:`kondo_theory.moments.gradient_moments`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or ``second`` is below ``first**2``.
    """
    pi, U = _domain.policy(policy), _domain.finite("advantage", advantage)
    w1, w2 = _domain.finite("first", first), _domain.finite("second", second)
    pi, U, w1, w2 = np.broadcast_arrays(pi, U, w1, w2)
    _domain.require("second", w2, w2 >= w1**2 * (1 - 1e-12), "at least first²")
    moved, square = pi * w1 * U, pi * w2 * U**2
    mean = moved - pi * np.sum(moved, axis=-1, keepdims=True)
    others = np.sum(square, axis=-1, keepdims=True) - square
    raw = square * (1 - pi) ** 2 + np.maximum(others, 0.0) * pi**2
    return np.asarray(mean), np.asarray(np.maximum(raw - mean**2, 0.0))


def one_gradient_step(rate: ArrayLike, batch_size: ArrayLike, divisor: str = "batch") -> FloatArray:
    """Return the size r of Adam's mean step of every coordinate where all that is kept has one and the same gradient.

    By the batch √(Bρ/(1−ρ+Bρ)); by how many are kept √(1−(1−ρ)^B). Signs are those of the gradient.

    Parameters
    ----------
    rate : (...) array
        ρ in (0, 1], the probability that a sample is kept.
    batch_size : (...) array
        B, at least 1.
    divisor : {"batch", "kept"}

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the divisor is not known.
    """
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[)")
    if choice("divisor", divisor, ("batch", "kept")) == "kept":
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt(-np.expm1(B * np.log1p(-rho))))[()]
    return np.asarray(np.sqrt(B * rho / (1 - rho + B * rho)))[()]


def symmetric_adam_progress(
    p_correct: ArrayLike,
    n_arms: ArrayLike,
    baseline: ArrayLike,
    weight_right: ArrayLike,
    weight_wrong: ArrayLike,
    batch_size: ArrayLike,
    *,
    bernoulli: bool = False,
) -> FloatArray:
    """Return the gain of E R per unit of Adam's learning rate in one symmetric context, pε(r + r′).

    r and r′ are the sizes of the mean steps of the right arm's logit and of a wrong one's; each is at most 1.

    Parameters
    ----------
    p_correct, n_arms, baseline : (...) array
        p in (0, 1), K ≥ 2, and b.
    weight_right, weight_wrong : (...) array
        w₊ and w₋ ≥ 0, the weights of successes and failures.
    batch_size : (...) array
        B ≥ 1 independent samples.
    bernoulli : bool
        The weights are probabilities of a gate that is drawn.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p, K = _domain.interval("p_correct", p_correct, 0, 1, "()"), _domain.arm_count(n_arms)
    b = _domain.finite("baseline", baseline)
    plus = _domain.interval("weight_right", weight_right, 0, np.inf, "[)")
    minus = _domain.interval("weight_wrong", weight_wrong, 0, np.inf, "[)")
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[)")
    eps, other = 1 - p, (1 - p) / (K - 1)
    square = (plus, minus) if bernoulli else (plus**2, minus**2)
    mean = p * (plus * (1 - b) + minus * b)  # over ε on the right arm, over −ε/(K−1) on a wrong one
    won, lost = p * square[0] * (1 - b) ** 2, square[1] * b**2
    right = adam_step(mean, np.maximum(won + lost * p**2 / eps - mean**2, 0) / B)
    apart = (1 - other) ** 2 / other + (eps - other)
    wrong = adam_step(mean, np.maximum(won + lost * apart - mean**2, 0) / B)
    return np.asarray(p * eps * (right + wrong))[()]
