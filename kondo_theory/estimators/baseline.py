"""The baseline of least noise, of PG and of gates, and the step that the noise allows.

Noise is E‖g‖²/(E g·u)² of one sample, u along ∇J: without bias across u, variance over squared signal plus one. The
gradient is g = w(R−b)φ, and ∇J does not depend on b, for E φ = 0. With a gate that does not change with b the noise
is a ratio of quadratics, least at b = (n₁s₀ − n₀s₁)/(n₂s₀ − n₁s₁), n_i = E[w R^{2−i}‖φ‖²], s_i = E[w R^{1−i} φ·u]; PG
has s₁ = 0. Variance alone is no measure of a gate's baseline: the gate that keeps nothing has none.

In one symmetric context PG's best baseline is that of every gate that is drawn with w₊ and w₋, whatever these are.
Soft weights have another, and DG at its own has PG's noise at PG's. Zero price has 1/p at every b. Gates of weight
1/w and w ∝ ‖g‖ have the least noise where b is a median of the reward, weighted by ‖φ‖.

Source: this project (derivation ``optimal-baseline``); PG's is the classical one. The step is after OBLR-PO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.estimators.unbiased import wrong_score_ratio
from kondo_theory.geometry.symmetric import SymmetricContext
from kondo_theory.moments import GradientMoments
from kondo_theory.words import Brief

__all__ = [
    "BestBaseline",
    "best_baseline",
    "best_step",
    "dg_baseline",
    "least_gated_cost",
    "median_baseline",
    "reward_smoothness",
    "soft_baseline",
]

_HALVINGS = 100  # of the log-odds of DG's baseline


@dataclass(frozen=True, eq=False, repr=False)
class BestBaseline(Brief):
    """A baseline of least noise.

    Attributes
    ----------
    baseline : (...) array
        b.
    noise : (...) array
        The least there is; of :func:`best_baseline` E‖g‖²/(E g·u)², of :func:`median_baseline` the cost of signal.
    """

    baseline: FloatArray
    noise: FloatArray


def best_baseline(
    policy: ArrayLike, rewards: ArrayLike, keep: ArrayLike = 1.0, *, soft: bool = False
) -> BestBaseline:
    """Return the baseline of least E‖g‖²/(E g·u)² of a gate that does not change with it, in any finite context.

    Parameters
    ----------
    policy, rewards : (..., K) array
        π, and R of each arm.
    keep : (..., K) array
        w in [0, 1]: the probability that a sample is kept; 1 for PG, whose baseline is E[R‖φ‖²]/E‖φ‖².
    soft : bool
        w are weights of all samples instead.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, the true gradient is zero, or no baseline is the best: what
        is kept has one reward, say, so that the baseline only scales it.
    """
    pi, R, phi, along = _scored(policy, rewards)
    w = _domain.interval("keep", keep, 0, 1, "[]")
    square = pi * np.sum(phi**2, axis=-1) * (w**2 if soft else w)
    n = [np.sum(square * R**power, axis=-1) for power in (2, 1, 0)]
    s = [np.sum(pi * w * along * R**power, axis=-1) for power in (1, 0)]
    slope = n[2] * s[0] - n[1] * s[1]
    size = np.abs(n[2] * s[0]) + np.abs(n[1] * s[1])
    _domain.require("n₂s₀ − n₁s₁", slope, slope > 1e-12 * size, "positive, or no baseline is the best")
    least = (n[0] * n[2] - n[1] ** 2) / (n[2] * s[0] ** 2 - 2 * n[1] * s[0] * s[1] + n[0] * s[1] ** 2)
    return BestBaseline(np.asarray((n[1] * s[0] - n[0] * s[1]) / slope)[()], np.asarray(least)[()])


def median_baseline(policy: ArrayLike, rewards: ArrayLike) -> BestBaseline:
    """Return the baseline of least cost of signal of the best gate of weight 1/w: a median of R weighted by ‖φ‖.

    The cost is (E|R−b|‖φ‖)²/‖∇J‖², as long as the gate keeps no kind for certain. Of several medians the least.

    Parameters
    ----------
    policy, rewards : (..., K) array
        π, and R of each arm.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    pi, R, phi, _ = _scored(policy, rewards)
    mass = pi * np.sqrt(np.sum(phi**2, axis=-1))
    order = np.argsort(R, axis=-1, kind="stable")
    below = np.cumsum(np.take_along_axis(mass, order, -1), axis=-1)
    place = np.argmax(below >= below[..., -1:] / 2, axis=-1)[..., None]
    b = np.take_along_axis(np.take_along_axis(R, order, -1), place, -1)
    gradient = np.sum((pi * R)[..., None] * phi, axis=-2)
    cost = np.sum(mass * np.abs(R - b), axis=-1) ** 2 / np.sum(gradient**2, axis=-1)
    return BestBaseline(np.asarray(b[..., 0])[()], np.asarray(cost)[()])


def soft_baseline(
    p_correct: ArrayLike, n_arms: ArrayLike, weight_correct: ArrayLike, weight_wrong: ArrayLike
) -> FloatArray:
    """Return b = w₊ε/(w₊ε + w₋pD²), the best one of weights w₊ and w₋ of all samples in one symmetric context.

    Drawn gates, kept with those probabilities, have PG's instead, Kpε/(Kp+K−2), which is this one at w₊ = w₋.

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    weight_correct, weight_wrong : (...) array
        w₊ and w₋ > 0.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p, D = _domain.interval("p_correct", p_correct, 0, 1, "()"), wrong_score_ratio(p_correct, n_arms)
    up = _domain.interval("weight_correct", weight_correct, 0, np.inf, "()") * (1 - p)
    down = _domain.interval("weight_wrong", weight_wrong, 0, np.inf, "()") * p * D**2
    return np.asarray(up / (up + down))[()]


def dg_baseline(p_correct: ArrayLike, n_arms: ArrayLike, temperature: ArrayLike) -> FloatArray:
    """Return a baseline of least noise of DG in one symmetric context, its weights changing with it.

    Where w₊(1−b)/(w₋b) = pD²/ε: there is one, and the noise is 1/(p + ε/D²), PG's at PG's best baseline. A small η
    can have several, of which this is the least, or one so near to 1 that it is rounded to it, which is none.

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    temperature : (...) array
        η in (0, ∞).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    context = SymmetricContext.of(p_correct, n_arms, 0.5)
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    right, wrong = context.surprisals
    target = np.log(context.p / context.error) + 2 * np.log(wrong_score_ratio(context.p, context.n_arms))
    target, right, wrong, eta = np.broadcast_arrays(target, right, wrong, eta)

    def excess(x: FloatArray) -> FloatArray:
        """Return log x/y less its target at the log-odds x of b."""
        up, down = log_expit(expit(-x) * right / eta), log_expit(-expit(x) * wrong / eta)
        return np.asarray(up - down - x - target)

    def slope(x: FloatArray) -> FloatArray:
        b, rest = expit(x), expit(-x)
        return np.asarray(b * rest / eta * (wrong * expit(b * wrong / eta) - right * expit(-rest * right / eta)) - 1)

    first, last, half = (np.full(target.shape, x) for x in (-700.0, 700.0, 0.0))
    lowest = _halved(lambda x: slope(x) < 0, first, half)  # below even odds of b, where it falls and rises again
    last = np.where((slope(half) > 0) & (excess(lowest) <= 0), lowest, last)
    return np.asarray(expit(_halved(lambda x: excess(x) > 0, first, last)))[()]


def _halved(below: Callable[[FloatArray], NDArray[np.bool_]], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return where a condition ceases to hold."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        yes = below(middle)
        low, high = np.where(yes, middle, low), np.where(yes, high, middle)
    return np.asarray((low + high) / 2)


def least_gated_cost(
    p_correct: ArrayLike, n_arms: ArrayLike, keep_correct: ArrayLike, keep_wrong: ArrayLike
) -> FloatArray:
    """Return (pw₊+εw₋)/(pw₊+εw₋/D²) ≥ 1, the cost of signal of a drawn gate at the best baseline, Kpε/(Kp+K−2).

    Parameters
    ----------
    p_correct, n_arms : (...) array
        p in (0, 1) and K ≥ 2.
    keep_correct, keep_wrong : (...) array
        w₊ in (0, 1] and w₋ in [0, 1].

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    p, D = _domain.interval("p_correct", p_correct, 0, 1, "()"), wrong_score_ratio(p_correct, n_arms)
    up = p * _domain.interval("keep_correct", keep_correct, 0, 1, "(]")
    down = (1 - p) * _domain.interval("keep_wrong", keep_wrong, 0, 1, "[]")
    return np.asarray((up + down) / (up + down / D**2))[()]


def best_step(
    moments: GradientMoments, length: ArrayLike, batch_size: ArrayLike, smoothness: ArrayLike
) -> FloatArray:
    """Return the learning rate of the largest certain gain: ‖∇J‖·signal/(L·E‖ĝ‖²) of a batch's mean gradient ĝ.

    Of an L-smooth J the expected gain of a step ηĝ is at least η‖∇J‖·signal − Lη²E‖ĝ‖²/2, which is largest there, and
    then ‖∇J‖²/(2L) times :meth:`GradientMoments.efficiency`. Without bias it is (1/L)/(1 + Var/(B‖∇J‖²)).

    Parameters
    ----------
    moments : GradientMoments
        Of one sample, along the true gradient.
    length : (...) array
        ‖∇J‖ > 0.
    batch_size : (...) array
        B > 0 independent samples, or infinite.
    smoothness : (...) array
        L > 0, such as :func:`reward_smoothness`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    J, L = (
        _domain.interval(name, value, 0, np.inf, "()")
        for name, value in (("length", length), ("smoothness", smoothness))
    )
    B = _domain.interval("batch_size", batch_size, 0, np.inf, "(]")
    second = moments.signal**2 + moments.perpendicular_bias**2
    second = second + (moments.var_parallel + moments.var_perpendicular) / B
    _domain.require("the mean square of the gradient", np.asarray(second), np.asarray(second) > 0, "positive")
    return np.asarray(J * moments.signal / (L * second))[()]


def reward_smoothness(spread: ArrayLike) -> FloatArray:
    """Return L = spread/2: a bound of the second derivatives of E R in a softmax policy's logits.

    Parameters
    ----------
    spread : (...) array
        Largest less smallest mean reward of an arm, > 0.

    Raises
    ------
    ValueError, TypeError
        If it is not positive or not real.
    """
    return np.asarray(_domain.interval("spread", spread, 0, np.inf, "()") / 2)[()]


def _scored(policy: ArrayLike, rewards: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return π and R, (..., K), the scores φ, (..., K, K), and φ·u, (..., K)."""
    pi, R = np.broadcast_arrays(_domain.policy(policy), _domain.finite("rewards", rewards))
    phi = np.eye(pi.shape[-1]) - pi[..., None, :]
    gradient = pi * (R - np.sum(pi * R, axis=-1, keepdims=True))
    length = np.sqrt(np.sum(gradient**2, axis=-1, keepdims=True))
    _domain.require("the length of the true gradient", length, length > 0, "positive")
    return pi, R, phi, np.sum(phi * (gradient / length)[..., None, :], axis=-1)
