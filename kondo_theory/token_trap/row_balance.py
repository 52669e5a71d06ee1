"""The drifts of the right logits of answers kept whole, summed, and both sides of the condition for their sign.

An answer has T tokens; x_t says whether token t is right, p_t the probability that it would be, given the tokens
before it. N = Σx_t, C = Σp_t (N's compensator: E C = E N), the reward is N/T, the baseline b and A = N/T − b. Row by
row N − C = T·A − (C − T·b), so the drifts of the right logits, summed over all prefixes, are

    E[G·A·(N − C)] = T·E[G·A²] − E[G·A·(C − T·b)],

positive while E[G·(C − T·b)²] < T²·E[G·A²]. The baseline may be the exact mean, the mean of a group or any other.

Source: this project, derivation ``autoregressive-rows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.words import one_line

__all__ = ["RowBalance", "row_balance"]


@dataclass(frozen=True, repr=False)
class RowBalance:
    """Both sides of the condition, and what it is a condition for; errors are standard errors.

    Attributes
    ----------
    drift : float
        E[G·A·(N − C)], the drifts of the right logits summed over the prefixes.
    reward_side : float
        T²·E[G·A²].
    prefix_side : float
        E[G·(C − T·b)²]. 2T·drift = reward side − prefix side + E[G·(N − C)²]: while it is the smaller side the drift
        is positive, but that can be so all the same.
    slope : float
        E[G·A·(C − T·b)]/(T·E[G·A²]): how much of a kept answer's reward its prefixes had promised. The drift is
        positive if and only if it is below 1. NaN if nothing with A ≠ 0 is kept.
    drift_error, reward_error, prefix_error, margin_error, slope_error : float
        ``margin`` is the reward side less the prefix side. NaN where the answers are all there are.
    """

    drift: float
    reward_side: float
    prefix_side: float
    slope: float
    drift_error: float
    reward_error: float
    prefix_error: float
    margin_error: float
    slope_error: float

    @property
    def margin(self) -> float:
        """The reward side less the prefix side: above 0 the drift is positive."""
        return self.reward_side - self.prefix_side

    def __repr__(self) -> str:
        sides = {"reward_side": self.reward_side, "prefix_side": self.prefix_side, "slope": self.slope}
        return one_line(self, drift=self.drift, **sides)


def row_balance(
    right: ArrayLike,
    right_probability: ArrayLike,
    advantage: ArrayLike,
    keep: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    mass: ArrayLike | None = None,
) -> RowBalance:
    """Return both sides of the condition from answers that were sampled, or from all that there are.

    A diagnostic where parameters are shared, as in a transformer: there the logits of prefixes do not move alone.

    Parameters
    ----------
    right, right_probability : (B, T) arrays
        Whether each token of the answers is right, and the policy's probability of the right token there, given the
        answer's own tokens before it.
    advantage : (B,) array
        A, the reward N/T less its baseline, not divided by a deviation.
    keep : (B,) array, optional
        G: whether the answer is kept, or its weight, at least 0. By default all are.
    groups : (B,) array, optional
        Answers of a group share their baseline: errors are those between groups.
    mass : (B,) array, optional
        Probability of each answer, where the answers are all that there are (:func:`answer_law`).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or shape.
    """
    x = _domain.interval("right", right, 0, 1, "[]")
    if x.ndim != 2 or not x.size:
        raise ValueError(f"right must be (B, T) with an answer and a token, got shape {x.shape}")
    p = _shaped("right_probability", _domain.interval("right_probability", right_probability, 0, 1, "[]"), x.shape)
    B, T = x.shape
    A = _shaped("advantage", _domain.finite("advantage", advantage), (B,))
    G = np.ones(B) if keep is None else _shaped("keep", _domain.interval("keep", keep, 0, np.inf, "[)"), (B,))
    N, C = x.sum(axis=1), p.sum(axis=1)
    promised = C - N + T * A  # C − T·b
    values = G * np.array([A * (N - C), (T * A) ** 2, promised**2, A * promised])
    weight = _domain.distribution("mass", np.full(B, 1 / B) if mass is None else mass)
    _shaped("mass", weight, (B,))
    drift, reward, prefix, cross = (float(each) for each in values @ weight)
    slope = T * cross / reward if reward > 0 else np.nan
    left_over = (T * values[3] - slope * values[1]) / reward if reward > 0 else np.full(B, np.nan)
    known = [*values[:3], values[1] - values[2], left_over]
    labels = np.arange(B) if groups is None else _shaped("groups", np.asarray(groups), (B,))
    errors = [np.nan] * 5 if mass is not None else [_error(each, labels) for each in known]
    return RowBalance(drift, reward, prefix, float(slope), *errors)


def _shaped(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def _error(values: FloatArray, labels: NDArray[Any]) -> float:
    """Return the standard error of a mean of values, (B,), that depend on each other within a label."""
    _, place = np.unique(labels, return_inverse=True)
    sums = np.bincount(place.ravel(), values - values.mean())
    if sums.size < 2:
        return np.nan
    return float(np.sqrt(sums.size / (sums.size - 1) * np.sum((sums - sums.mean()) ** 2)) / values.size)
