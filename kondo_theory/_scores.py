"""Inner products of the scores φ_a = e_a − π along and across a unit direction u, without cancellation.

Two devices keep what lies across u accurate where nearly everything lies along it.

* ‖φ_a‖² − (φ_a·u)² can cancel on two arms only. Of the lines along φ_a, φ_c for arms other than the most probable
  one, any two are at least 60° apart (|cos| ≤ 1/2), so u is within 30° of at most one of them. That arm and the most
  probable one are projected explicitly.
* When u is the true gradient ∇J = Σ_a π_a U_a φ_a, any multiple of ∇J may be taken off a vector first. The multiple
  that removes the heaviest difference of coefficients leaves a vector whose size is that of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory import _domain
from kondo_theory._domain import FloatArray

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""What sums of rounded terms may leave of an exact zero, relative to the terms."""

_LENGTH_TOLERANCE = 1e-9  # how far the squared length of a direction may exceed one


@dataclass(frozen=True, eq=False)
class Metric:
    """Inner products with the scores and their combinations, split along and across the unit direction."""

    parallel: FloatArray  # φ_a·t, (..., K)
    squares: FloatArray  # ‖φ_a across u‖², (..., K)
    square: Callable[[FloatArray], FloatArray]  # coefficients c (..., K) → ‖Σ_a π_a c_a φ_a across u‖², (..., 1)


@dataclass(frozen=True, eq=False)
class Context:
    """A policy (..., K), its most probable arm m against the rest, and the advantage if its gradient sets u."""

    pi: FloatArray
    top: NDArray[np.bool_]  # (..., K), true at m
    mass: FloatArray  # π_m, (..., 1)
    rest: FloatArray  # Σ_{c≠m} π_c = 1 − π_m, (..., 1)
    others: FloatArray  # π with entry m set to zero, (..., K)
    advantage: FloatArray | None

    @classmethod
    def of(cls, pi: FloatArray, advantage: FloatArray | None) -> Context:
        """Split a policy at its most probable arm."""
        top = np.arange(pi.shape[-1]) == np.argmax(pi, axis=-1)[..., None]
        others = np.where(top, 0.0, pi)
        return cls(pi, top, np.max(pi, axis=-1, keepdims=True), total(others), others, advantage)

    def combine(self, coefficient: FloatArray) -> FloatArray:
        """Return Σ_a π_a c_a φ_a in logits, (..., K)."""
        return np.asarray(self.pi * self.centred(coefficient))

    def combine_across(self, coefficient: FloatArray) -> FloatArray:
        """Return that sum up to a multiple of ∇J, chosen to leave little of it where ∇J sets the direction."""
        if self.advantage is None:
            return self.combine(coefficient)
        c = coefficient - self.at_top(coefficient)
        U = self.advantage - self.at_top(self.advantage)
        heaviest = np.argmax(self.pi * np.abs(U), axis=-1)[..., None]
        cj, Uj = np.take_along_axis(c, heaviest, axis=-1), np.take_along_axis(U, heaviest, axis=-1)
        return self.combine((c * Uj - cj * U) / Uj)  # exactly zero at m, at the heaviest arm, and at their equals

    def at_top(self, values: FloatArray) -> FloatArray:
        """Return the value of arm m, (..., 1)."""
        return total(np.where(self.top, values, 0.0))

    def centred(self, values: FloatArray) -> FloatArray:
        """Return values − Σ_a π_a values_a in two passes, each (..., K)."""
        shifted = values - total(self.pi * values)
        return np.asarray(shifted - total(self.pi * shifted))

    def project(self, squares: FloatArray, norms: FloatArray, metric: Metric) -> FloatArray:
        """Return ``squares`` with the arms that could have cancelled replaced by their explicit projection."""
        alignment = np.where(self.top, -1.0, metric.parallel**2 / np.where(norms > 0, norms, 1.0))
        nearest = np.arange(self.pi.shape[-1]) == np.argmax(alignment, axis=-1)[..., None]
        for arm in (self.top, nearest):
            score = np.where(arm & (self.pi > 0), 1 / np.where(self.pi > 0, self.pi, 1.0), 0.0)
            squares = np.where(arm, metric.square(score), squares)
        return squares


def identity_metric(context: Context, direction: FloatArray | None) -> Metric:
    """Return the metric of logit space, ‖y‖², along ∇J or along a given t with ‖t‖ ≤ 1."""
    pi = context.pi
    if direction is None:
        assert context.advantage is not None
        gradient = context.combine(context.advantage)
        scaled = gradient / np.max(np.abs(gradient), axis=-1, keepdims=True)  # its squares cannot underflow to zero
        t, outside = scaled / np.sqrt(total(scaled**2)), np.zeros_like(context.mass)
    else:
        t = np.broadcast_to(direction, pi.shape)
        length = total(t**2)
        _domain.require("the length of direction", np.sqrt(length), length <= 1 + _LENGTH_TOLERANCE, "at most 1")
        # The rest of a unit vector that reaches into other contexts; none if the length is one but for rounding.
        outside = np.where(np.abs(1 - length) <= ROUNDING, 0.0, np.maximum(1 - length, 0.0))

    def square(coefficient: FloatArray) -> FloatArray:
        y = context.combine_across(coefficient)
        along = total(y * t)
        return total((y - along * t) ** 2) + outside * along**2

    own = np.where(context.top, context.rest, 1 - pi)
    rest_squares = total(context.others**2)
    norms = own**2 + np.where(context.top, rest_squares, rest_squares + context.mass**2 - pi**2)
    parallel = context.centred(t)
    squares = np.maximum(norms - parallel**2, 0.0)
    return Metric(parallel, context.project(squares, norms, Metric(parallel, squares, square)), square)


def kernel_metric(context: Context, direction: FloatArray | None, kernel: FloatArray) -> Metric:
    """Return the metric of parameter space, yᵀ𝒦y, along the mapped ∇J or along a given t = J_x u."""
    # Vectors that sum to zero see only differences from arm m, which keeps φ_m small when π_m is near one.
    shape = context.pi.shape
    index = np.argmax(context.top, axis=-1)[..., None]
    K = np.broadcast_to(kernel, (*shape, shape[-1]))
    row = np.take_along_axis(K, index[..., None], axis=-2)
    K = K - row - np.swapaxes(row, -2, -1) + np.take_along_axis(row, index[..., None], axis=-1)
    if direction is None:
        assert context.advantage is not None
        t = _mapped_direction(K, context.combine(context.advantage))
    else:
        t = direction - context.at_top(direction)
    across = K - t[..., :, None] * t[..., None, :]

    def square(coefficient: FloatArray) -> FloatArray:
        y = context.combine_across(coefficient)
        whole, part = total(y * _apply(K, y)), total(y * _apply(across, y))
        return np.where(part > ROUNDING * whole, part, 0.0)

    parallel, norms = context.centred(t), _score_squares(context, K)
    largest = np.max(norms, axis=-1, keepdims=True)
    possible = parallel**2 <= norms * (1 + _LENGTH_TOLERANCE) + ROUNDING * largest
    _domain.require("|φ_a·direction|", np.abs(parallel), possible, "at most ‖φ_a‖ (direction = J_x u for a unit u)")
    squares = _score_squares(context, across)
    squares = np.where(squares > ROUNDING * norms, squares, 0.0)
    return Metric(parallel, context.project(squares, norms, Metric(parallel, squares, square)), square)


def _mapped_direction(kernel: FloatArray, gradient: FloatArray) -> FloatArray:
    mapped = _apply(kernel, gradient)
    power = total(gradient * mapped)
    diagonal = np.maximum(np.diagonal(kernel, axis1=-2, axis2=-1), 0.0)
    bound = total(np.abs(gradient) * np.sqrt(diagonal)) ** 2
    allowed = "above rounding error (else pass direction)"
    _domain.require("the squared norm of the mapped true gradient", power, power > ROUNDING * bound, allowed)
    return np.asarray(mapped / np.sqrt(power))


def _score_squares(context: Context, kernel: FloatArray) -> FloatArray:
    """Return φ_aᵀ𝒦φ_a of every arm, (..., K), for a kernel whose row m is zero."""
    applied = _apply(kernel, context.others)
    return np.asarray(np.diagonal(kernel, axis1=-2, axis2=-1) - 2 * applied + total(context.others * applied))


def _apply(kernel: FloatArray, vector: FloatArray) -> FloatArray:
    return np.asarray((kernel @ vector[..., None])[..., 0])


def total(values: FloatArray) -> FloatArray:
    """Sum over arms, keeping the axis."""
    return np.asarray(np.sum(values, axis=-1, keepdims=True))
