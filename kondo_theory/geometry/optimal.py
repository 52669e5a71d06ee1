"""The best gates of a rate in one bandit context: the least cost of signal, and the least noise without bias.

A gate that decides sample by sample, w_a = P(G = 1 | a), has signal S = E[wa], a = g·u with u along the true gradient
∇J, and second moment Q = E[w‖g‖²]. Its cost of signal is c = ρQ/S², at least 1. With S²/Q = max_x (2xS − x²Q) a gate
of least cost at its rate is found among those that keep the top ρ of a − (x/2)‖g‖² for some x > 0, the exchange rate;
and S²/Q is convex in w, so that at most one arm is split. Iterating x ← S/Q instead can end far from the best.

It is the value of one sample: for batches, the draw of others counts too (:meth:`GradientMoments.efficiency`).

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.words import Brief

__all__ = ["BestGate", "best_gate", "best_unbiased_gate", "cost_of_signal"]

_HALVINGS = 200  # of the scale of an unbiased gate, on a logarithmic bracket


@dataclass(frozen=True, eq=False, repr=False)
class BestGate(Brief):
    """A gate of least cost of signal at its rate.

    Attributes
    ----------
    keep : (..., K) array
        Probability that a sample of each arm is kept: 0 or 1, but for at most one arm.
    cost_of_signal : (...) array
        c = ρQ/S² ≥ 1.
    exchange : (...) array
        x = S/Q: the gate keeps the top ρ of a − (x/2)‖g‖².
    """

    keep: FloatArray
    cost_of_signal: FloatArray
    exchange: FloatArray


def best_gate(policy: ArrayLike, advantage: ArrayLike, rate: ArrayLike) -> BestGate:
    """Return the gate of a rate with the least cost of signal.

    The order of the arms by a − (x/2)‖g‖² changes at K(K−1)/2 values of x at most: one gate for each interval between
    them is tried, so that the least is found exactly.

    Parameters
    ----------
    policy, advantage : (..., K) array
        π and U of each arm.
    rate : (...) array
        ρ in (0, 1].

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    pi, along, square = _signal(policy, advantage)
    rho = _domain.interval("rate", rate, 0, 1, "(]")
    shape = np.broadcast_shapes(pi.shape, (*rho.shape, 1))
    pi, along, square = (np.broadcast_to(each, shape) for each in (pi, along, square))
    rho = np.broadcast_to(rho, shape[:-1])
    keep, cost, exchange = np.empty(shape), np.empty(shape[:-1]), np.empty(shape[:-1])
    for place in np.ndindex(shape[:-1]):
        p, a, q = pi[place], along[place], square[place]
        gates = _top(p, a - _exchanges(a, q)[:, None] / 2 * q, float(rho[place]))
        signal, second = gates @ (p * a), gates @ (p * q)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(signal > 0, signal**2 / second, -np.inf)
        best = int(np.argmax(value))
        keep[place], cost[place] = gates[best], rho[place] / value[best]
        exchange[place] = signal[best] / second[best]
    return BestGate(keep, cost[()], exchange[()])


def cost_of_signal(policy: ArrayLike, advantage: ArrayLike, keep: ArrayLike) -> FloatArray:
    """Return c = ρE‖g‖²/(E g·u)² of any gate that decides sample by sample; infinite without a positive signal.

    Parameters
    ----------
    policy, advantage, keep : (..., K) array
        π, U, and the probability that a sample of each arm is kept.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    pi, along, square = _signal(policy, advantage)
    w = _domain.interval("keep", keep, 0, 1, "[]")
    rate, signal, second = (np.sum(pi * w * each, axis=-1) for each in (1.0, along, square))
    positive = signal > 0
    return np.asarray(np.where(positive, rate * second / np.where(positive, signal, 1.0) ** 2, np.inf))[()]


def best_unbiased_gate(policy: ArrayLike, advantage: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the gate of a rate with the least E[‖g‖²/w], (..., K): kept samples are weighted by 1/w, without bias.

    w = min(1, s‖g‖), the scale s such that E w = ρ. Where more than ρ of the samples have a gradient it keeps none
    without one; else all that have, and of the others what is left of the rate, which changes nothing.

    Parameters
    ----------
    policy, advantage : (..., K) array
        π and U.
    rate : (...) array
        ρ in (0, 1].

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or the true gradient is zero.
    """
    pi, _, square = _signal(policy, advantage)
    rho = _domain.interval("rate", rate, 0, 1, "(]")[..., None]
    pi, length, rho = np.broadcast_arrays(pi, np.sqrt(square), rho)
    moving = length > 0
    share = np.sum(pi * moving, axis=-1, keepdims=True)
    smallest = np.min(np.where(moving, length, np.inf), axis=-1, keepdims=True)
    # E min(1, s‖g‖) is ρ or less at s = ρ over the longest gradient, and the whole share at one over the shortest.
    low, high = np.log(rho[..., :1] / length.max(axis=-1, keepdims=True)), -np.log(smallest)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        less = np.sum(pi * np.minimum(1.0, np.exp(middle) * length), axis=-1, keepdims=True) < rho[..., :1]
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    w = np.minimum(1.0, np.exp(high) * length)
    spare = (rho - share) / np.where(share < 1, 1 - share, 1.0)
    return np.asarray(np.where(moving, np.where(share <= rho, 1.0, w), np.clip(spare, 0.0, 1.0)))


def _signal(policy: ArrayLike, advantage: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return π, a = Uφ·u and ‖g‖² of each arm, (..., K)."""
    pi, U = np.broadcast_arrays(_domain.policy(policy), _domain.finite("advantage", advantage))
    gradient = pi * U - pi * np.sum(pi * U, axis=-1, keepdims=True)
    length = np.sqrt(np.sum(gradient**2, axis=-1, keepdims=True))
    _domain.require("the length of the true gradient", length, length > 0, "positive")
    u = gradient / length
    phi = np.eye(pi.shape[-1]) - pi[..., None, :]
    return pi, U * np.sum(phi * u[..., None, :], axis=-1), U**2 * np.sum(phi**2, axis=-1)


def _exchanges(along: FloatArray, square: FloatArray) -> FloatArray:
    """Return an x > 0 in each interval in which the order of the arms by a − (x/2)‖g‖² is one and the same."""
    first, second = np.triu_indices(len(along), 1)
    difference = square[first] - square[second]
    apart = difference != 0
    crossings = 2 * (along[first] - along[second])[apart] / difference[apart]
    crossings = np.unique(crossings[crossings > 0])
    if len(crossings) == 0:
        return np.ones(1)
    return np.array([crossings[0] / 2, *((crossings[1:] + crossings[:-1]) / 2), 2 * crossings[-1]])


def _top(pi: FloatArray, scores: FloatArray, rate: float) -> FloatArray:
    """Return the gates (n, K) that keep the top ρ by scores (n, K), arms of equal scores in their order."""
    order = np.argsort(-scores, axis=-1, kind="stable")
    mass = pi[order]
    before = np.cumsum(mass, axis=-1) - mass
    share = np.clip((rate - before) / np.where(mass > 0, mass, 1.0), 0.0, 1.0)
    share = np.where(mass > 0, share, (before < rate).astype(np.float64))
    return np.take_along_axis(share, np.argsort(order, axis=-1), axis=-1)
