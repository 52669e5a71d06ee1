"""Escape from a corner, where wrong arms hold nearly all of the probability, and two contexts that share a parameter.

With one correct arm y and E[g] = κπ_y(e_y − π) the gradient flow of every policy is solved by one number s ≥ 0: wrong
arms have e^{z_a} = π_a/(1 + sπ_a), the correct one e^{z_y} = π_yΠ(1 + sπ_a), π the policy at the start and Z the sum
of all; zero price then has made dN = Z ds/(1 − b) backward passes, and dt = dN/p forward samples.

Source: this project (derivation ``corner-escape``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

__all__ = ["escape_time", "kept_updates", "late_error", "shared_rest_point"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_BISECTIONS = 90
_FARTHEST = 700.0  # log-odds that exp still carries


def escape_time(
    method: str, policy: ArrayLike, baseline: ArrayLike, unit: str = "forward", *, p_end: ArrayLike = 0.5
) -> FloatArray:
    """Return the time that gradient flow takes from a policy until its first arm, the correct one, has ``p_end``.

    Learning rate × batches, as :func:`kondo_theory.geometry.learning_time`, which it equals where wrong arms are
    equally likely. Other wrong arms: between two equally likely arms and K of them, a factor K/(2(K−1)) apart. Two
    arms, r = (1−π_y)/π_y, to 1/2: PG [2 ln r + r − 1/r]/2; zero price at a constant baseline the same over 1 − b
    forward, and [ln r + 1 − 1/r]/(2(1 − b)) backward. By Gauss–Legendre panels, to about 1e-13 relative.

    Parameters
    ----------
    method : "pg" or "zero-price"
    policy : (..., K) array
        π at the start, the correct arm first, with π_y > 0 and another arm as well.
    baseline : (...) array in [0, 1) or "value"
        b, "value" the current p. PG's time does not depend on it.
    unit : "forward" or "backward"
        What the time counts: batches sampled, or batches' worth of backward passes.
    p_end : (...) array
        In (0, 1), at least π_y.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    method = _domain.choice("method", method, ("pg", "zero-price"))
    backward = _domain.choice("unit", unit, ("forward", "backward")) == "backward" and method == "zero-price"
    valued = isinstance(baseline, str) and _domain.choice("baseline", baseline, ("value",)) == "value"
    b = np.asarray(0.0) if valued else _domain.interval("baseline", baseline, 0, 1, "[)")
    share = 1.0 if method == "pg" else 1 - b

    def speed(p: FloatArray, error: FloatArray) -> FloatArray:
        """Return dτ/dt or dτ/dN, dτ = Z ds."""
        gain = error if valued and method == "zero-price" else np.ones_like(error)
        return gain if backward else gain * p

    return np.asarray(_integrated(policy, p_end, speed) / share)[()]


def kept_updates(
    policy: ArrayLike, baseline: ArrayLike, batch_size: ArrayLike, *, p_end: ArrayLike = 0.5
) -> FloatArray:
    """Return zero price's updates until ``p_end`` where each is the mean over what a batch kept, nothing if none was.

    Learning rate × updates in the limit of small steps. A batch of B keeps something with probability 1 − (1−p)^B, so
    this is the time in backward passes as B → ∞, logarithmic in 1/π_y, and at B = 1 that in forward samples.

    Parameters
    ----------
    policy, p_end
        As :func:`escape_time`.
    baseline : (...) array
        b in [0, 1).
    batch_size : (...) array
        B ≥ 1, or infinite.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    b = _domain.interval("baseline", baseline, 0, 1, "[)")
    B = _domain.interval("batch_size", batch_size, 1, np.inf, "[]")

    def speed(p: FloatArray, error: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(-np.expm1(B[..., None] * np.log1p(-p)))

    return np.asarray(_integrated(policy, p_end, speed) / (1 - b))[()]


def late_error(method: str, n_arms: ArrayLike, time: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Return what 1 − π_y comes to late in gradient flow, to leading order, from every policy of positive arms.

    (K−1)/(Kt) for PG, (K−1)/(K(1−b)t) for zero price with a constant baseline, and √((K−1)/(2Kt)) with the value as
    baseline, for then 1 − b falls with the error. Wrong arms even out on the way.

    Parameters
    ----------
    method : "pg" or "zero-price"
    n_arms : (...) array
        K ≥ 2.
    time : (...) array
        t > 0, learning rate × forward batches; late, nearly every sample is kept.
    baseline : (...) array in [0, 1) or "value"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    method = _domain.choice("method", method, ("pg", "zero-price"))
    K, t = _domain.arm_count(n_arms), _domain.interval("time", time, 0, np.inf, "()")
    if isinstance(baseline, str):
        _domain.choice("baseline", baseline, ("value",))
        slow = np.sqrt((K - 1) / (2 * K * t)) if method == "zero-price" else (K - 1) / (K * t)
        return np.asarray(slow)[()]
    b = _domain.interval("baseline", baseline, 0, 1, "[)")
    share = 1 - b if method == "zero-price" else 1.0
    return np.asarray((K - 1) / (K * share * t))[()]


def shared_rest_point(
    method: str, minority: ArrayLike, baseline: ArrayLike, *, temperature: ArrayLike = 1.0
) -> FloatArray:
    """Return where gradient flow leaves the probability p of the arm that most samples want.

    Two arms and two contexts with the same logits; arm 1 is right in one of them, arm 2 in the other, of which a
    share q of the samples is. The best p is 1. PG goes there, and zero price with a baseline that both contexts have
    in common. With each context's value as its baseline zero price stops at p = 1 − q from every start: it matches
    probabilities. DG with a common baseline stops short of 1 iff q > (1−b)/(3−2b), at every temperature; its point
    goes to 1 as η → 0.

    Parameters
    ----------
    method : "pg", "dg" or "zero-price"
    minority : (...) array
        q in (0, 1/2).
    baseline : (...) array in [0, 1) or "value"
        Common to both contexts, or each context's own success probability; for DG a number.
    temperature : (...) array
        η in (0, ∞), for "dg"; hot, the point is so near to 1 that it rounds to it.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    method = _domain.choice("method", method, ("pg", "dg", "zero-price"))
    q = _domain.interval("minority", minority, 0, 0.5, "()")
    if isinstance(baseline, str) and method != "dg":
        _domain.choice("baseline", baseline, ("value",))
        return np.asarray(1 - q if method == "zero-price" else np.ones_like(q))[()]
    b = _domain.interval("baseline", baseline, 0, 1, "[)")
    if method != "dg":
        return np.ones(np.broadcast_shapes(q.shape, b.shape))[()]
    eta = _domain.interval("temperature", temperature, 0, np.inf, "()")
    q, b, eta = np.broadcast_arrays(q, b, eta)

    def kappa(log_odds: FloatArray) -> FloatArray:
        right, wrong = np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)  # −log p and −log(1 − p)
        return np.asarray((1 - b) * expit((1 - b) * right / eta) + b * expit(-b * wrong / eta))

    def push(log_odds: FloatArray) -> FloatArray:
        """Return −ṗ over p(1−p), which grows with p."""
        return np.asarray(q * kappa(-log_odds) - (1 - q) * kappa(log_odds))

    inside = q * (2 - b) > (1 - q) * (1 - b)
    found = _bisected(push, np.zeros(q.shape), np.full(q.shape, _FARTHEST))
    return np.asarray(np.where(inside, expit(found), 1.0))[()]


def _integrated(
    policy: ArrayLike, p_end: ArrayLike, speed: Callable[[FloatArray, FloatArray], FloatArray]
) -> FloatArray:
    """Return ∫ Z ds/speed(p, 1−p) from the policy to ``p_end``, by panels in v = log(1 + s·max π_a)."""
    pi = _domain.policy(policy)
    start, wrong = pi[..., 0], pi[..., 1:]
    end = _domain.interval("p_end", p_end, 0, 1, "()")
    _domain.require("the first arm of policy", start, (start > 0) & (start < 1), "in (0, 1)")
    start, end = np.broadcast_arrays(start, end)
    _domain.require("p_end − the first arm of policy", end - start, end >= start, "at least 0")
    largest = wrong.max(axis=-1)

    def masses(v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the logarithm of the correct arm's mass, and the wrong arms' mass, at v (..., n); Z is their sum."""
        s = np.expm1(v) / largest[..., None]
        each = s[..., None] * wrong[..., None, :]
        right = np.log(start[..., None]) + np.log1p(each).sum(axis=-1)
        return right, (wrong[..., None, :] / (1 + each)).sum(axis=-1)

    def beyond(v: FloatArray) -> FloatArray:
        right, rest = (x[..., 0] for x in masses(v[..., None]))
        return np.asarray(right - np.log(rest) - goal)

    goal = np.log(end) - np.log1p(-end)
    most = np.maximum(goal - np.log(start) + np.log(wrong.sum(axis=-1)), 0.0)
    last = _bisected(beyond, np.zeros_like(most), most)
    n = max(1, int(np.ceil(np.max(last, initial=0.0))))
    nodes = (np.arange(n)[:, None] + (1 + _NODES) / 2).ravel() / n
    weights = np.tile(_WEIGHTS / 2, n) / n
    v = last[..., None] * nodes
    log_right, rest = masses(v)
    right = np.exp(log_right)
    total = right + rest
    slowness = total * np.exp(v) / largest[..., None] / speed(right / total, rest / total)
    return np.asarray(last * np.sum(weights * slowness, axis=-1))


def _bisected(function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return where an increasing function changes its sign."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = function(middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high) / 2)
