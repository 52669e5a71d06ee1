"""How many samples a gate rate keeps, and the prices that keep them: part of :mod:`kondo_theory.gate.law`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory._arrays import Array, batch, count, require_rate, require_temperature, saturated, widest
from kondo_theory.gate.order import kth_largest

__all__ = ["calibrated_price", "kept_count", "kept_counts", "quantile_price"]

_BISECTIONS = 10
_NEWTON_STEPS = 6


def kept_count(rate: float, batch_size: int) -> int:
    """Return k = max(1, round-half-up(ρB)), how many samples of a batch the rate keeps.

    ρB is rounded as if ρ were exact: 29 % of 50 is 14.5 and keeps 15, though no float is 0.29 and the product of
    floats is below 14.5. That is, k is the largest number for which the float nearest to (k − ½)/B is at most ρ.

    Parameters
    ----------
    rate : float
        ρ in (0, 1]; a NumPy float32 is the decimal that it prints as.
    batch_size : int
        B ≥ 1.

    Raises
    ------
    TypeError
        If an argument is not a number.
    ValueError
        If the rate is not in (0, 1], or the batch is empty or its size not whole.
    """
    rate = require_rate(rate)
    if not batch_size >= 1:
        raise ValueError(f"the batch must hold at least one sample, got batch size {batch_size}")
    if batch_size != int(batch_size):
        raise ValueError(f"the batch size must be whole, got {batch_size}")
    return min(int(batch_size), max(1, int(_rounded(rate, int(batch_size)))))


def kept_counts(rate: float, n_valid: Array) -> Array:
    """Return :func:`kept_count` of each number of valid samples, int64 (..., 1), and 0 of none."""
    xp = api.array_namespace(n_valid)
    n = xp.astype(n_valid, widest(xp, n_valid))
    kept = xp.astype(_rounded(require_rate(rate), n.clip(min=1)), xp.int64).clip(min=1)
    return xp.where(kept < n_valid, kept, n_valid)


def _rounded(rate: float, n: Any) -> Any:
    """Return round-half-up(ρn), n ≥ 1: the largest k with (2k − 1)/(2n) ≤ ρ in floats."""
    k = (rate * n + 0.5) // 1  # off by at most one
    return k + 1 * ((2 * k + 1) / (2 * n) <= rate) - 1 * ((2 * k - 1) / (2 * n) > rate)


def quantile_price(
    score: Array, rate: float, *, keepdims: bool = False, check: bool = True, mask: Array | None = None
) -> Array:
    """Return the price λ at which the hard gate χ > λ keeps exactly k samples when there are no ties.

    With k = :func:`kept_count` (rate, B) this is the (k+1)-th largest score, and −∞ if k = B. With ties at the
    price the gate χ > λ keeps fewer than k; :func:`select` keeps exactly k.

    Parameters
    ----------
    score : (..., B) array
        χ, or any other score. Batches of up to 10^8 samples.
    rate : float
        ρ in (0, 1].
    keepdims : bool
        Return shape (..., 1), to compare with a stack of batches, instead of (...,).
    check : bool
        Refuse NaN. Without it NaN counts as −∞.
    mask : (..., B) boolean array, optional
        True where a sample is valid; B is then the number of valid samples of each batch. A batch with none of them
        has price +∞.

    Raises
    ------
    TypeError
        If ``score`` is not an array of real floating numbers or ``mask`` is not boolean.
    ValueError
        If a score is NaN, the batch is empty, the rate is not in (0, 1] or the mask has another shape.
    """
    scores, valid = batch(score, check, mask)
    xp = api.array_namespace(scores)
    size = scores.shape[-1]
    if valid is not None:
        n_valid = count(xp, valid)
        n_kept = kept_counts(rate, n_valid)
        price = kth_largest(xp, scores, (n_kept + 1).clip(max=size))
        price = xp.where(n_kept == n_valid, xp.full_like(price, -math.inf), price)
        price = xp.where(n_valid == 0, xp.full_like(price, math.inf), price)
    elif kept_count(rate, size) == size:
        price = xp.full_like(scores[..., :1], -math.inf)
    else:
        price = kth_largest(xp, scores, kept_count(rate, size) + 1)
    return price if keepdims else price[..., 0]


def calibrated_price(
    score: Array,
    rate: float | Array,
    temperature: float,
    *,
    keepdims: bool = False,
    check: bool = True,
    mask: Array | None = None,
) -> Array:
    """Return the price λ at which the mean gate probability of the batch is ρ, for a given temperature.

    Solves (1/B) Σ σ((χ − λ)/η) = ρ, which has one root because the left side falls strictly in λ. The work is the
    same whatever the scores, a sort and 16 sums over the batch, so that without ``check`` nothing waits for a GPU.
    Temperature 0 is :func:`quantile_price`.

    Parameters
    ----------
    score : (..., B) array
        χ, or any other score; +∞ counts as always kept, −∞ as never kept.
    rate : float, or (..., 1) array at a temperature above 0
        ρ in (0, 1], of each batch of a stack; the values of an array are not looked at.
    temperature : float
        η ≥ 0, in units of the score.
    keepdims : bool
        Return shape (..., 1) instead of (...,).
    check : bool
        Refuse NaN and a price that does not solve the equation. Without it NaN counts as −∞, and a price beyond the
        range of its dtype is the largest it has.
    mask : (..., B) boolean array, optional
        As in :func:`quantile_price`.

    Returns
    -------
    (...,) array
        float64, or float32 on a device without float64: the root, rounded. At a temperature below the spacing of
        these numbers at the scores no price opens exactly ρ. −∞ where even an open gate keeps no more than ρ (always
        at ρ = 1), +∞ where the scores of +∞ alone reach ρ, or no sample is valid.

    Raises
    ------
    TypeError
        If ``score`` is not an array of real floating numbers or ``mask`` is not boolean.
    ValueError
        If a score is NaN, the batch is empty, the rate is not in (0, 1], the temperature is negative or the mask
        has another shape.
    FloatingPointError
        If no price within range solves the equation to half the digits; it names what the gate opens instead.
    """
    temperature = require_temperature(temperature)
    if temperature == 0.0:
        return quantile_price(score, rate, keepdims=keepdims, check=check, mask=mask)
    scores, valid = batch(score, check, mask)
    rate = rate if getattr(rate, "ndim", 0) else require_rate(rate)
    xp = api.array_namespace(scores)
    scores = xp.astype(scores, widest(xp, scores))
    n_always = xp.astype(count(xp, scores == math.inf), scores.dtype)
    n_finite = xp.astype(count(xp, xp.isfinite(scores)), scores.dtype)
    n_valid = xp.full_like(n_finite, scores.shape[-1])
    if valid is not None:
        n_valid = xp.astype(count(xp, valid), scores.dtype)
    # Expected number to be kept among the finite scores; a ρB that is whole but for rounding is whole.
    whole = (rate * n_valid + 0.5) // 1
    target = xp.where(whole / n_valid.clip(min=1) == rate, whole, rate * n_valid) - n_always
    solvable = (target > 0) & (target < n_finite)
    equation = _Equation.of(xp, scores, n_always, n_finite, xp.where(solvable, target, n_finite / 2), temperature)
    root, at_root = equation.solve()
    if check:
        excess = xp.where(solvable, equation.at(at_root)[0], xp.zeros_like(root))
        _require_solved(xp, excess, target, n_always, n_valid)
    edge = xp.where((target >= n_finite) & (n_valid > 0), xp.full_like(root, -math.inf), xp.full_like(root, math.inf))
    price = xp.where(solvable, root, edge)
    return price if keepdims else price[..., 0]


def _require_solved(xp: Any, excess: Array, target: Array, n_always: Array, n_valid: Array) -> None:
    """Refuse the first batch whose gate opens another share than ρ by more than half the digits."""
    solved = xp.abs(excess) <= math.sqrt(xp.finfo(excess.dtype).eps) * xp.abs(target)
    if bool(xp.all(solved)):
        return
    first = int(xp.argmin(xp.reshape(xp.astype(solved, xp.int32), (-1,))))
    kept, wanted, size = (
        float(xp.reshape(part, (-1,))[first]) for part in (target + excess + n_always, target + n_always, n_valid)
    )
    raise FloatingPointError(
        f"no price within range opens {wanted / size:g} of the batch at this temperature, the nearest opens"
        f" {kept / size:g} (batch {first} of the stack)"
    )


@dataclass(frozen=True, eq=False)
class _Equation:
    """Σ_i σ(x_i − t) = T over the n finite scores, x = (χ − anchor)/η, with a bracket of the root t, (..., 1).

    Let χ_1 ≥ … ≥ χ_n, k = ⌊T⌋ and f = T − k. The sum is at least (k+1)σ(c) at c below x_{k+1}, and at most
    k + (n−k)e^{−c} at c above it: so the root is within log((k+1)/(1−f)) below and log((n−k)/f) above x_{k+1}. For
    f = 0 it lies between x_k and x_{k+1}: at d above their middle Σ_{i≤k} σ(t − x_i) is at least σ(d − s) and
    Σ_{i>k} σ(x_i − t) at most (n−k)σ(−d − s), s half their distance, and the first over the second at least
    e^d/(n−k): so the root is within log(n−k) above the middle and, by symmetry, log k below it.

    Such a bracket is never longer than about 800, whatever the scores: ten bisections leave less than one. The log of
    the slope changes by at most the distance, so a Newton step takes an error δ to at most δ²e^δ/2, and six take ½
    below the rounding of float64.
    """

    xp: Any
    x: Array  # (..., B), −∞ where the score is not finite
    target: Array  # T in (0, n)
    low: Array
    high: Array
    anchor: Array
    temperature: float

    @classmethod
    def of(
        cls, xp: Any, scores: Array, n_always: Array, n_finite: Array, target: Array, temperature: float
    ) -> _Equation:
        """Set up the equation; ``n_always`` scores are +∞."""
        k = target // 1
        f = target - k
        rank = xp.astype(n_always + k, xp.int64)
        upper, lower = kth_largest(xp, scores, rank), kth_largest(xp, scores, rank + 1)
        whole, f = f == 0, xp.where(f == 0, xp.full_like(f, 0.5), f)
        with np.errstate(invalid="ignore"):  # of scores that are all infinite
            anchor = xp.where(whole, upper / 2 + lower / 2, lower)
        anchor = xp.where(xp.isfinite(anchor), anchor, xp.zeros_like(anchor))  # where there is nothing to solve
        rest = (n_finite - k).clip(min=1)
        low = xp.where(whole, -xp.log(k.clip(min=1)), xp.log1p(-f) - xp.log(k + 1))
        high = xp.where(whole, xp.log(rest), xp.log(rest) - xp.log(f))
        # A temperature below the dtype's range is the smallest it has, as in the gate's probability.
        cold = max(temperature, float(xp.finfo(scores.dtype).smallest_normal))
        with np.errstate(over="ignore"):
            x = (scores - anchor) / cold
        x = xp.where(xp.isfinite(scores), x, xp.full_like(x, -math.inf))
        return cls(xp, x, target, low, high, anchor, cold)

    def at(self, t: Array) -> tuple[Array, Array]:
        """Return Σσ(x − t) − T and minus its slope; counting what is above t spares the sum its cancellation."""
        xp, above = self.xp, self.x > t
        tail = xp.exp(-xp.abs(self.x - t))
        tail = tail / (1 + tail)
        surplus = xp.astype(count(xp, above), tail.dtype) - self.target
        excess = surplus + xp.sum(xp.where(above, -tail, tail), axis=-1, keepdims=True)
        return excess, xp.sum(tail * (1 - tail), axis=-1, keepdims=True)

    def solve(self) -> tuple[Array, Array]:
        """Return the price and its place t."""
        xp, low, high = self.xp, self.low, self.high
        t = low / 2 + high / 2
        smallest = float(xp.finfo(t.dtype).smallest_normal)
        for step in range(_BISECTIONS + _NEWTON_STEPS):
            excess, slope = self.at(t)
            low, high = xp.where(excess >= 0, t, low), xp.where(excess <= 0, t, high)
            if step < _BISECTIONS:
                t = low / 2 + high / 2
                continue
            with np.errstate(over="ignore"):
                newton = t + excess / slope.clip(min=smallest)
            t = xp.minimum(xp.maximum(newton, low), high)
        with np.errstate(over="ignore"):
            price = self.anchor + self.temperature * t
            within = saturated(price)
            t = xp.where(price == within, t, (within - self.anchor) / self.temperature)
        return within, t
