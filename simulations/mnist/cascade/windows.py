"""What a window about a price does to a batch of delights and scores, and what Gaussian error says that it does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["NearPrice", "Outcome", "found", "near_price", "predicted"]

FloatArray = NDArray[np.float64]


class Outcome(NamedTuple):
    """What comes of a window, per sample.

    Attributes
    ----------
    recall : float
        Share of the samples with delight above the cost that is kept.
    evaluated : float
        Share of all whose exact delight is learnt.
    missed, wasted : float
        E[(χ − c)₊] of the dropped and E[(c − χ)₊] of the kept, in units of the cost c of a backward pass.
    """

    recall: float
    evaluated: float
    missed: float
    wasted: float


def found(chi: FloatArray, score: FloatArray, cost: float, price: float, half_width: float) -> Outcome:
    """Return what a window does: exact delight where |score − price| < w, elsewhere the score is held to the price.

    Parameters
    ----------
    chi, score : (B,) arrays
        Exact delight and score of the same samples.
    cost : float
        c > 0, nats: a sample is worth a backward pass iff χ > c.
    price : float
        On the scores.
    half_width : float
        w ≥ 0; at 0 the score alone decides.
    """
    inside = np.abs(score - price) < half_width
    return _outcome(chi, cost, np.where(inside, chi > cost, score > price).astype(np.float64), inside.mean())


def predicted(chi: FloatArray, noise: float, cost: float, price: float, half_width: float) -> Outcome:
    """Return the expectation of :func:`found` where scores are χ + τξ, ξ standard normal, for these very delights.

    Parameters
    ----------
    noise : float
        τ > 0, nats. The others as in :func:`found`.
    """
    above = ndtr((chi - price - half_width) / noise)
    below = ndtr((price - half_width - chi) / noise)
    return _outcome(chi, cost, np.where(chi > cost, 1 - below, above), np.mean(1 - above - below))


def _outcome(chi: FloatArray, cost: float, keep: FloatArray, evaluated: np.floating) -> Outcome:
    worth = chi > cost
    missed = np.mean(np.maximum(chi - cost, 0) * (1 - keep)) / cost
    wasted = np.mean(np.maximum(cost - chi, 0) * keep) / cost
    return Outcome(float(keep[worth].mean()), float(evaluated), float(missed), float(wasted))


class NearPrice(NamedTuple):
    """The error of the score near the price.

    Attributes
    ----------
    bias, noise : float
        Its mean and standard deviation, nats.
    kurtosis : float
        Its excess: 0 if it is Gaussian.
    tails : float
        Share of it that is further than three deviations from its mean: 0.0027 if it is Gaussian.
    """

    bias: float
    noise: float
    kurtosis: float
    tails: float


def near_price(chi: FloatArray, score: FloatArray, cost: float, share: float) -> NearPrice:
    """Return the law of score − χ among the share of the samples whose delight is nearest to the cost."""
    nearest = np.argsort(np.abs(chi - cost), kind="stable")[: max(2, round(share * len(chi)))]
    error = (score - chi)[nearest]
    bias, noise = float(error.mean()), float(error.std(ddof=1))
    z = (error - bias) / noise
    return NearPrice(bias, noise, float(np.mean(z**4)) - 3, float(np.mean(np.abs(z) > 3)))
