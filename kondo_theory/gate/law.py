"""The Kondo gate: which samples of a policy-gradient batch get a backward pass.

This is the one definition of the gate in the project. Every function takes NumPy arrays or torch tensors on any
device and answers in kind; torch itself is never imported here. The batch is always the last axis, and leading
axes are independent batches.

Source: [KG] I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526, section 2. Symbols: U advantage,
ℓ surprisal (nats), χ = U·ℓ delight, λ price, η temperature, ρ gate rate, B batch size, w gate probability.

Scores need not be delight: any score may be gated. A score of −∞ marks a sample that is never kept, whatever the
price or the rate; screening rules use it to rule samples out. It still counts in B, so in k = ρB. What is no sample
at all (padding, invalid actions) is named by ``mask``, True where a sample is valid: it is never kept either, and
counts nowhere.

Arguments are validated at the public entry. That reads values, which makes a GPU wait for its queue; pass
``check=False`` in a hot loop that has validated once: then nothing here waits for a GPU, and a NaN score counts as
−∞. Shapes, dtypes and scalar settings are always checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import array_api_compat as api
import numpy as np

from kondo_theory._arrays import (
    Array,
    floating,
    price_like,
    product,
    require_all,
    require_rate,
    require_same_axes,
    require_temperature,
    settled,
    uniform,
    widened,
)
from kondo_theory.gate.prices import calibrated_price, quantile_price
from kondo_theory.gate.selection import select

__all__ = ["Gate", "delight", "gate_probability", "sample_gate"]


def delight(advantage: Array, surprisal: Array, *, check: bool = True) -> Array:
    """Return the delight χ = U·ℓ of each sample [KG §2].

    Parameters
    ----------
    advantage : (..., B) array
        U, reward minus baseline, in units of reward.
    surprisal : (..., B) array
        ℓ = −log π(a) in nats: ≥ 0 for discrete actions, of either sign for densities.
    check : bool
        Refuse NaN and infinite values; reading them synchronises a GPU. Without it their product may be NaN, which
        no gate keeps.

    Returns
    -------
    (..., B) array
        In the promoted dtype, in which 16-bit floats count as float32: their own products would underflow to zero,
        which a zero price drops. A product beyond the range saturates at either end, because an infinite score has
        a meaning of its own, and a score has the sign of its advantage.

    Raises
    ------
    TypeError
        If an argument is not an array of real floating numbers.
    ValueError
        If the shapes do not match (axes of length one are stretched, missing axes are not: a (B,) advantage
        against a (B, 1) surprisal is a mistake, not a (B, B) delight), or a value is NaN or infinite.
    """
    advantage, surprisal = floating(advantage, "advantage", surprisal), floating(surprisal, "surprisal", advantage)
    advantage, surprisal = widened(advantage), widened(surprisal)
    xp = api.array_namespace(advantage, surprisal)
    require_same_axes(advantage.shape, surprisal.shape, "advantage", "surprisal")
    if check:
        require_all(xp, xp.isfinite(advantage), advantage, "advantage", "finite")
        require_all(xp, xp.isfinite(surprisal), surprisal, "surprisal", "finite")
    return product(xp, advantage, surprisal)


def gate_probability(
    score: Array,
    price: float | Array,
    temperature: float = 0.0,
    *,
    check: bool = True,
    mask: Array | None = None,
) -> Array:
    """Return w = σ((χ − λ)/η), the probability that the gate opens [KG §2].

    Parameters
    ----------
    score : (..., B) array
        χ, or any other score.
    price : float or array that broadcasts with ``score``
        λ, what one backward pass costs, in units of the score; ±∞ opens or closes the gate for every finite score.
        A price for each batch of a stack has shape (..., 1).
    temperature : float
        η ≥ 0, in units of the score. Zero is the hard gate, the indicator of χ > λ: a tie stays closed.
    check : bool
        Refuse NaN. Without it the gate is closed to a score of NaN, and a price of NaN counts as +∞.
    mask : (..., B) boolean array, optional
        True where a sample is valid; the gate is closed to the others.

    Returns
    -------
    (..., B) array
        Probabilities in the dtype of ``score``, float32 if that has 16 bits, accurate in both tails.

    Raises
    ------
    TypeError
        If ``score`` is not an array of real floating numbers or ``mask`` is not boolean.
    ValueError
        If the temperature is negative or not finite, the price or a score is NaN, or the shapes do not match.
    """
    temperature = require_temperature(temperature)
    score = widened(floating(score, "score"))
    xp = api.array_namespace(score)
    price = price_like(xp, price, score, check)
    score, _ = settled(score, check, mask)
    if temperature == 0.0:
        return xp.astype(score > price, score.dtype)
    # Infinite scores are settled separately: ∞ − ∞ would be NaN.
    finite = xp.where(xp.isinf(score), xp.zeros_like(score), score)
    # A temperature below the dtype's range is the smallest it has, not zero; a quotient above it is infinite.
    cold = max(temperature, float(xp.finfo(score.dtype).smallest_normal))
    with np.errstate(over="ignore"):
        argument = (finite - xp.astype(price, score.dtype)) / cold
    tail = xp.exp(-xp.abs(argument))  # ≤ 1, so neither tail overflows or cancels
    probability = xp.where(argument >= 0, 1 / (1 + tail), tail / (1 + tail))
    return xp.where(xp.isinf(score), xp.astype(score > 0, score.dtype), probability)


def sample_gate(probability: Array, rng: Any = None, *, check: bool = True) -> Array:
    """Draw G ~ Bernoulli(w) for each sample: True means that it gets a backward pass.

    Parameters
    ----------
    probability : (..., B) array
        w in [0, 1]; 0 never opens, 1 always does.
    rng : numpy.random.Generator, torch.Generator or None
        As in :func:`kondo_theory.gate.select`.
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
    * ``Gate(rate=0.03, temperature=0.5, calibrated=False)`` does so at the batch's 97 % quantile, as [KG] Algorithm 1
      has it: that opens another share than 3 %, which tends to a half as the temperature grows, and half of what ties
      at the price however low it is (claim ``quantile-bernoulli-gate``).

    Both prices are the same one at temperature zero, where a gate at a rate keeps exactly k and needs none.

    Raises
    ------
    TypeError
        If ``calibrated`` is no boolean.
    ValueError
        If not exactly one of ``rate`` and ``price`` is given, the rate is not in (0, 1], the price is NaN, the
        temperature is negative, or a price is not to be calibrated.
    """

    rate: float | None = None
    price: float | None = None
    temperature: float = 0.0
    calibrated: bool = True

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.price is None):
            raise ValueError(f"a gate needs either a rate or a price, got rate {self.rate} and price {self.price}")
        if self.rate is not None:
            require_rate(self.rate)
        if self.price is not None and math.isnan(self.price):
            raise ValueError("price must be a number, got nan")
        require_temperature(self.temperature)
        if not isinstance(self.calibrated, bool):
            raise TypeError(f"calibrated must be True or False, got {self.calibrated!r}")
        if self.price is not None and not self.calibrated:
            raise ValueError(f"calibrated belongs to a rate, got False with price {self.price}")

    def __repr__(self) -> str:
        setting = {"rate": self.rate, "price": self.price, "temperature": self.temperature or None}
        setting["calibrated"] = None if self.calibrated else False
        told = (f"{name}={value!r}" for name, value in setting.items() if value is not None)
        return f"{type(self).__name__}({', '.join(told)})"

    def __call__(self, score: Array, rng: Any = None, *, check: bool = True, mask: Array | None = None) -> Array:
        """Return which samples (..., B) get a backward pass, boolean.

        Parameters, errors and what NaN and ``mask`` mean are those of :func:`select`, :func:`gate_probability` and
        :func:`calibrated_price`.
        """
        if self.rate is not None and self.temperature == 0.0:
            return select(score, self.rate, rng, check=check, mask=mask)
        price = self.price_of(score, keepdims=True, check=check, mask=mask)
        probability = gate_probability(score, price, self.temperature, check=check, mask=mask)
        return probability > 0 if self.temperature == 0.0 else sample_gate(probability, rng, check=False)

    def price_of(
        self, score: Array, *, keepdims: bool = False, check: bool = True, mask: Array | None = None
    ) -> float | Array:
        """Return the price λ of each batch, (...,): the gate's own, or the one that its rate amounts to.

        Parameters and errors are those of :func:`quantile_price` and :func:`calibrated_price`.
        """
        if self.price is not None:
            return self.price
        assert self.rate is not None
        if not self.calibrated:
            return quantile_price(score, self.rate, keepdims=keepdims, check=check, mask=mask)
        return calibrated_price(score, self.rate, self.temperature, keepdims=keepdims, check=check, mask=mask)
