"""The Kondo gate: which samples of a policy-gradient batch get a backward pass.

This is the one definition of the gate in the project. Every function takes NumPy arrays or torch tensors on any
device and answers in kind; torch itself is never imported here. The batch is always the last axis, and leading
axes are independent batches.

Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2. Symbols: U advantage,
ℓ surprisal (nats), χ = U·ℓ delight, λ price, η temperature, ρ gate rate, B batch size, w gate probability.

Scores need not be delight: any score may be gated. A score of −∞ marks a sample that is never kept, whatever the
price or the rate; screening rules use it to rule samples out.

Arguments are validated at the public entry. That reads values, which makes a GPU wait for its queue; pass
``check=False`` in a hot loop that has validated once. Shapes, dtypes and scalar settings are always checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory._arrays import (
    Array,
    batch,
    floating,
    is_half,
    price_like,
    require_all,
    require_rate,
    require_same_axes,
    require_temperature,
    uniform,
    widest,
)

__all__ = [
    "Gate",
    "calibrated_price",
    "delight",
    "gate_probability",
    "kept_count",
    "quantile_price",
    "sample_gate",
    "select",
    "select_exactly",
]


def delight(advantage: Array, surprisal: Array, *, check: bool = True) -> Array:
    """Return the delight χ = U·ℓ of each sample [KG §2].

    Parameters
    ----------
    advantage : (..., B) array
        U, reward minus baseline, in units of reward.
    surprisal : (..., B) array
        ℓ = −log π(a) in nats: ≥ 0 for discrete actions, of either sign for densities.
    check : bool
        Refuse NaN and infinite values; reading them synchronises a GPU.

    Returns
    -------
    (..., B) array
        In the promoted dtype. A product beyond its range saturates instead of overflowing, because an infinite
        score has a meaning of its own.

    Raises
    ------
    TypeError
        If an argument is not an array of real floating numbers.
    ValueError
        If the shapes do not match (axes of length one are stretched, missing axes are not: a (B,) advantage
        against a (B, 1) surprisal is a mistake, not a (B, B) delight), or a value is NaN or infinite.
    """
    advantage, surprisal = floating(advantage, "advantage", surprisal), floating(surprisal, "surprisal", advantage)
    xp = api.array_namespace(advantage, surprisal)
    require_same_axes(advantage.shape, surprisal.shape, "advantage", "surprisal")
    if check:
        require_all(xp, xp.isfinite(advantage), advantage, "advantage", "finite")
        require_all(xp, xp.isfinite(surprisal), surprisal, "surprisal", "finite")
    with np.errstate(over="ignore"):
        product = advantage * surprisal
    largest = float(xp.finfo(product.dtype).max)
    return xp.clip(product, min=-largest, max=largest)


def gate_probability(delight: Array, price: float | Array, temperature: float = 0.0, *, check: bool = True) -> Array:
    """Return w = σ((χ − λ)/η), the probability that the gate opens [KG §2].

    Parameters
    ----------
    delight : (..., B) array
        χ, the scores.
    price : float or array that broadcasts with ``delight``
        λ, what one backward pass costs, in units of delight; ±∞ opens or closes the gate for every finite score.
        A price for each batch of a stack has shape (..., 1).
    temperature : float
        η ≥ 0, in units of delight. Zero is the hard gate, the indicator of χ > λ: a tie stays closed.
    check : bool
        Refuse NaN.

    Returns
    -------
    (..., B) array
        Probabilities in the dtype of ``delight``, accurate in both tails.

    Raises
    ------
    TypeError
        If ``delight`` is not an array of real floating numbers.
    ValueError
        If the temperature is negative or not finite, the price or a delight is NaN, or the shapes do not match.
    """
    delight = floating(delight, "delight")
    xp = api.array_namespace(delight)
    temperature = require_temperature(temperature)
    price = price_like(xp, price, delight, check)
    if check:
        require_all(xp, ~xp.isnan(delight), delight, "delight", "a number")
    if temperature == 0.0:
        return xp.astype(delight > price, delight.dtype)
    wide = xp.float32 if is_half(xp, delight.dtype) else delight.dtype
    # Infinite scores are settled separately: ∞ − ∞ would be NaN.
    finite = xp.where(xp.isinf(delight), xp.zeros_like(delight), delight)
    # A temperature below the dtype's range is the smallest it has, not zero; a quotient above it is infinite.
    cold = max(temperature, float(xp.finfo(wide).smallest_normal))
    with np.errstate(over="ignore"):
        argument = (xp.astype(finite, wide) - xp.astype(price, wide)) / cold
    tail = xp.exp(-xp.abs(argument))  # ≤ 1, so neither tail overflows or cancels
    probability = xp.where(argument >= 0, 1 / (1 + tail), tail / (1 + tail))
    probability = xp.where(xp.isinf(delight), xp.astype(delight > 0, wide), probability)
    return xp.astype(probability, delight.dtype)


def kept_count(rate: float, batch_size: int) -> int:
    """Return k = max(1, round-half-up(ρB)), how many samples of a batch the rate keeps.

    Raises
    ------
    ValueError
        If the rate is not in (0, 1] or the batch is empty.
    """
    rate = require_rate(rate)
    if batch_size < 1:
        raise ValueError(f"the batch must hold at least one sample, got batch size {batch_size}")
    return min(batch_size, max(1, math.floor(rate * batch_size + 0.5)))


def quantile_price(delight: Array, rate: float, *, keepdims: bool = False, check: bool = True) -> Array:
    """Return the price λ at which the hard gate χ > λ keeps exactly k samples when there are no ties.

    With k = :func:`kept_count` (rate, B) this is the (k+1)-th largest delight, and −∞ if k = B. With ties at the
    price the gate χ > λ keeps fewer than k; :func:`select` keeps exactly k.

    Parameters
    ----------
    delight : (..., B) array
        χ, the scores. Batches of up to 10^8 samples.
    rate : float
        ρ in (0, 1].
    keepdims : bool
        Return shape (..., 1), to compare with a stack of batches, instead of (...,).
    check : bool
        Refuse NaN.

    Raises
    ------
    TypeError
        If ``delight`` is not an array of real floating numbers.
    ValueError
        If a delight is NaN, the batch is empty or the rate is not in (0, 1].
    """
    delight = batch(delight, check)
    xp = api.array_namespace(delight)
    n_kept = kept_count(rate, delight.shape[-1])
    if n_kept == delight.shape[-1]:
        price = xp.full_like(delight[..., :1], -math.inf)
    else:
        price = _kth_largest(xp, delight, n_kept + 1)
    return price if keepdims else price[..., 0]


def calibrated_price(
    delight: Array, rate: float, temperature: float, *, keepdims: bool = False, check: bool = True
) -> Array:
    """Return the price λ at which the mean gate probability of the batch is ρ, for a given temperature.

    Solves (1/B) Σ σ((χ − λ)/η) = ρ, which has one root because the left side falls strictly in λ, by Newton steps
    safeguarded by bisection. Temperature 0 is :func:`quantile_price`.

    Parameters
    ----------
    delight : (..., B) array
        χ, the scores; +∞ counts as always kept, −∞ as never kept.
    rate : float
        ρ in (0, 1].
    temperature : float
        η ≥ 0, in units of delight.
    keepdims : bool
        Return shape (..., 1) instead of (...,).
    check : bool
        Refuse NaN.

    Returns
    -------
    (...,) array
        float64, or float32 on a device without float64. −∞ where even an open gate keeps no more than ρ (always
        at ρ = 1), +∞ where the scores of +∞ alone reach ρ.

    Raises
    ------
    TypeError
        If ``delight`` is not an array of real floating numbers.
    ValueError
        If a delight is NaN, the batch is empty, the rate is not in (0, 1] or the temperature is negative.
    """
    temperature = require_temperature(temperature)
    if temperature == 0.0:
        return quantile_price(delight, rate, keepdims=keepdims, check=check)
    delight, rate = batch(delight, check), require_rate(rate)
    xp = api.array_namespace(delight)
    scores = xp.astype(delight, widest(xp, delight))
    finite = xp.isfinite(scores)
    n_finite = xp.sum(xp.astype(finite, scores.dtype), axis=-1, keepdims=True)
    n_always = xp.sum(xp.astype(scores == math.inf, scores.dtype), axis=-1, keepdims=True)
    target = rate * scores.shape[-1] - n_always  # expected number to be kept among the finite scores
    solvable = (target > 0) & (target < n_finite)
    safe_target = xp.where(solvable, target, xp.ones_like(target))
    share = xp.where(solvable, safe_target / xp.clip(n_finite, min=1), xp.full_like(target, 0.5))
    root = _solve_price(xp, scores, finite, share, temperature)
    edge = xp.where(target >= n_finite, xp.full_like(target, -math.inf), xp.full_like(target, math.inf))
    price = xp.where(solvable, root, edge)
    return price if keepdims else price[..., 0]


def select(delight: Array, rate: float, rng: Any = None, *, check: bool = True) -> Array:
    """Keep exactly the top ρ of each batch, ties at the price broken uniformly at random.

    Parameters
    ----------
    delight : (..., B) array
        χ, the scores. A score of −∞ is never kept: a batch with fewer than k scores above −∞ keeps those alone.
    rate : float
        ρ in (0, 1]; k = :func:`kept_count` (rate, B) samples of each batch are kept.
    rng : numpy.random.Generator, torch.Generator or None
        For NumPy arrays a NumPy generator (required). For tensors a torch generator on the tensor's device, or
        None for torch's global one.
    check : bool
        Refuse NaN. Without it nothing here waits for a GPU.

    Returns
    -------
    (..., B) boolean array

    Raises
    ------
    TypeError
        If ``delight`` is not an array of real floating numbers, or a NumPy array comes without a NumPy generator.
    ValueError
        If a delight is NaN, the batch is empty or the rate is not in (0, 1].
    """
    delight = batch(delight, check)
    n_kept = kept_count(rate, delight.shape[-1])
    return select_exactly(delight, n_kept, uniform(delight, rng), check=False)


def select_exactly(delight: Array, n_kept: int, tie_breakers: Array, *, check: bool = True) -> Array:
    """Keep exactly ``n_kept`` samples of each batch; among ties at the price, those with the smallest tie-breakers.

    The deterministic core of :func:`select`: the same numbers give the same mask in NumPy, torch and Numba.

    Parameters
    ----------
    delight : (..., B) array
        χ, the scores; −∞ is never kept.
    n_kept : int
        k, from 1 to B.
    tie_breakers : (..., B) array
        Independent uniform numbers, one a sample. Equal tie-breakers fall back to the order of the samples.
    check : bool
        Refuse NaN.

    Returns
    -------
    (..., B) boolean array

    Raises
    ------
    TypeError
        If an argument is not an array of real floating numbers.
    ValueError
        If a value is NaN, the batch is empty, ``n_kept`` is not in 1..B, or the shapes differ.
    """
    delight = batch(delight, check)
    tie_breakers = floating(tie_breakers, "tie_breakers", delight)
    xp = api.array_namespace(delight, tie_breakers)
    if not 1 <= n_kept <= delight.shape[-1]:
        raise ValueError(f"n_kept must be between 1 and the batch size {delight.shape[-1]}, got {n_kept}")
    if delight.shape != tie_breakers.shape:
        raise ValueError(f"tie_breakers must have the shape of delight, got {tie_breakers.shape} and {delight.shape}")
    if check:
        require_all(xp, ~xp.isnan(tie_breakers), tie_breakers, "tie_breakers", "numbers")
    price = _kth_largest(xp, delight, n_kept)
    above, tied = delight > price, (delight == price) & (delight > -math.inf)
    room = n_kept - _count(xp, above)  # places left for the tied; every batch of a stack has its own
    # Reading a value is free on NumPy, and there usually are no surplus ties to sort.
    if api.is_numpy_array(delight) and bool(xp.all(_count(xp, tied) <= room)):
        return above | tied
    keys = xp.where(tied, tie_breakers, xp.full_like(tie_breakers, math.inf))
    cut = xp.take_along_axis(xp.sort(keys, axis=-1), room - 1, axis=-1)
    first, level = tied & (keys < cut), tied & (keys == cut)
    position = xp.cumulative_sum(xp.astype(level, xp.int64), axis=-1)
    return above | first | (level & (position <= room - _count(xp, first)))


def sample_gate(probability: Array, rng: Any = None, *, check: bool = True) -> Array:
    """Draw G ~ Bernoulli(w) for each sample: True means that it gets a backward pass.

    Parameters
    ----------
    probability : (..., B) array
        w in [0, 1]; 0 never opens, 1 always does.
    rng : numpy.random.Generator, torch.Generator or None
        As in :func:`select`.
    check : bool
        Refuse values outside [0, 1] and NaN.

    Returns
    -------
    (..., B) boolean array

    Raises
    ------
    TypeError
        If ``probability`` is not an array of real floating numbers, or the generator does not fit it.
    ValueError
        If a value is outside [0, 1] or NaN.
    """
    probability = floating(probability, "probability")
    xp = api.array_namespace(probability)
    if check:
        valid = (probability >= 0) & (probability <= 1)
        require_all(xp, valid, probability, "probability", "in [0, 1]")
    return uniform(probability, rng) < probability


@dataclass(frozen=True)
class Gate:
    """A gate's setting: either a rate ρ or a price λ, at a temperature η.

    * ``Gate(rate=0.03)`` keeps exactly the top 3 % of each batch (rate mode).
    * ``Gate(price=0.0)`` keeps χ > 0 (zero price); any other price likewise.
    * ``Gate(price=0.1, temperature=0.5)`` draws G ~ Bernoulli(σ((χ − λ)/η)).
    * ``Gate(rate=0.03, temperature=0.5)`` does so at the price that opens 3 % of the batch on average.

    Raises
    ------
    ValueError
        If not exactly one of ``rate`` and ``price`` is given, the rate is not in (0, 1], the price is NaN, or the
        temperature is negative.
    """

    rate: float | None = None
    price: float | None = None
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.price is None):
            raise ValueError(f"a gate needs either a rate or a price, got rate {self.rate} and price {self.price}")
        if self.rate is not None:
            require_rate(self.rate)
        if self.price is not None and math.isnan(self.price):
            raise ValueError("price must be a number, got nan")
        require_temperature(self.temperature)

    def __call__(self, delight: Array, rng: Any = None, *, check: bool = True) -> Array:
        """Return the boolean mask (..., B) of the samples that get a backward pass; errors as in :func:`select`."""
        if self.rate is not None and self.temperature == 0.0:
            return select(delight, self.rate, rng, check=check)
        price: float | Array = self.price if self.price is not None else math.nan
        if self.rate is not None:
            price = calibrated_price(delight, self.rate, self.temperature, keepdims=True, check=check)
        if self.temperature == 0.0:
            delight = floating(delight, "delight")
            return gate_probability(delight, price, check=check) > 0
        probability = gate_probability(delight, price, self.temperature, check=check)
        return sample_gate(probability, rng, check=False)


def _kth_largest(xp: Any, values: Array, k: int) -> Array:
    """Return the k-th largest value along the last axis, (..., 1), without a full sort where the library allows."""
    n = values.shape[-1]
    if api.is_numpy_array(values):
        return np.partition(values, n - k, axis=-1)[..., n - k : n - k + 1]
    if api.is_torch_array(values):
        # Not torch.quantile, which refuses above 2^24 elements; nor kthvalue, quadratic in B on a descending batch.
        if 2 * k <= n:
            return values.topk(k, dim=-1, sorted=False).values.amin(-1, keepdim=True)
        return values.topk(n - k + 1, dim=-1, largest=False, sorted=False).values.amax(-1, keepdim=True)
    return xp.sort(values, axis=-1)[..., n - k : n - k + 1]


def _count(xp: Any, mask: Array) -> Array:
    return xp.sum(xp.astype(mask, xp.int64), axis=-1, keepdims=True)


def _solve_price(xp: Any, scores: Array, finite: Array, share: Array, temperature: float) -> Array:
    """Solve mean over the finite scores of σ((χ − λ)/η) = share for λ, (..., 1), by safeguarded Newton steps."""
    lowest = xp.min(xp.where(finite, scores, xp.full_like(scores, math.inf)), axis=-1, keepdims=True)
    highest = xp.max(xp.where(finite, scores, xp.full_like(scores, -math.inf)), axis=-1, keepdims=True)
    empty = lowest > highest  # no finite score at all: any bracket will do, the caller ignores the root
    lowest, highest = (xp.where(empty, xp.zeros_like(end), end) for end in (lowest, highest))
    # If every score were χ, the root would be χ − η·logit(share): so it lies between those of the extremes.
    offset = temperature * (xp.log(share) - xp.log1p(-share))
    low, high = lowest - offset, highest - offset
    price = low / 2 + high / 2
    weight = xp.astype(finite, scores.dtype)
    centred = xp.where(finite, scores, xp.zeros_like(scores))
    n_finite = xp.clip(xp.sum(weight, axis=-1, keepdims=True), min=1)
    tolerance = 4 * float(xp.finfo(scores.dtype).eps)
    for _ in range(200):
        opened = gate_probability(centred - price, 0.0, temperature, check=False) * weight
        excess = xp.sum(opened, axis=-1, keepdims=True) / n_finite - share
        low, high = xp.where(excess >= 0, price, low), xp.where(excess <= 0, price, high)
        if bool(xp.all((xp.abs(excess) <= tolerance * share) | (high - low <= tolerance * xp.abs(price)))):
            break
        slope = xp.sum(opened * (1 - opened) * weight, axis=-1, keepdims=True) / (n_finite * temperature)
        newton = price + excess / xp.clip(slope, min=float(xp.finfo(scores.dtype).smallest_normal))
        inside = (newton > low) & (newton < high)
        price = xp.where(inside, newton, low / 2 + high / 2)
    return price
