"""What a handful of seeds or replicates says of a mean or a median."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

__all__ = ["Interval", "bootstrap", "mean_and_error", "stratified", "student"]


@dataclass(frozen=True)
class Interval:
    """A statistic over seeds with its interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., NDArray[np.float64]] = np.median,
    *,
    level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return the statistic over seeds with its percentile bootstrap interval.

    Parameters
    ----------
    values : (n_seeds,) array
        One value a seed; infinite values (a target never reached) are allowed.
    statistic : callable with an ``axis`` argument
    level : float
        Coverage of the interval.
    n_resamples, seed : int
        Size and seed of the bootstrap: the interval is the same in every run.

    Returns
    -------
    Interval
        A resample whose statistic is not a number, such as the mean of ∞ and −∞, may lie anywhere: it counts as −∞
        for the lower end and as ∞ for the upper.

    Raises
    ------
    ValueError
        If there are no values or one is NaN, the level is outside (0, 1), or there is no resample.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) == 0 or np.isnan(sample).any():
        raise ValueError(f"values must be a non-empty vector without NaN, got {sample}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    draws = sample[rng.integers(len(sample), size=(n_resamples, len(sample)))]
    with np.errstate(invalid="ignore"):  # infinities of both signs
        resampled = np.asarray(statistic(draws, axis=1), dtype=np.float64)
        value = float(statistic(sample[None, :], axis=1)[0])
    tail = (1 - level) / 2
    unknown = np.isnan(resampled)
    low = np.sort(np.where(unknown, -np.inf, resampled))[math.floor(tail * n_resamples)]
    high = np.sort(np.where(unknown, np.inf, resampled))[math.ceil((1 - tail) * n_resamples) - 1]
    return Interval(value, float(low), float(high))


def student(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the mean of a few values, (n,), with its interval by Student's t; of a single one it has no ends.

    Raises
    ------
    ValueError
        If there are no values or one is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise ValueError(f"values must be a non-empty vector of finite numbers, got {sample}")
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, -math.inf, math.inf)
    half = float(stdtrit(len(sample) - 1, (1 + level) / 2)) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return Interval(mean, mean - half, mean + half)


def stratified(values: ArrayLike, strata: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the mean over strata of their mean values, with its interval by Welch and Satterthwaite.

    Strata, such as tasks, are fixed and count alike; what scatters are the values in each, such as seeds, with a
    variance of their own; both are (n,). One stratum gives :func:`student`; one with a single value, no ends.

    Raises
    ------
    ValueError
        If there are no values, one is not finite, or strata are not as many.
    """
    sample, names = np.asarray(values, dtype=np.float64), np.asarray(strata)
    if names.shape != sample.shape:
        raise ValueError(f"strata must be as many as values, got {names.shape} and {sample.shape}")
    parts = [sample[names == name] for name in dict.fromkeys(names.tolist())] or [sample]
    means = [student(part).value for part in parts]
    mean = float(np.mean(means))
    if min(map(len, parts)) == 1:
        return Interval(mean, -math.inf, math.inf)
    squares = np.array([part.var(ddof=1) / len(part) for part in parts])
    total = float(squares.sum())
    if total == 0:
        return Interval(mean, mean, mean)
    freedom = total**2 / float(sum(square**2 / (len(part) - 1) for square, part in zip(squares, parts, strict=True)))
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(total) / len(parts)
    return Interval(mean, mean - half, mean + half)


def mean_and_error(replicates: ArrayLike) -> tuple[float, float]:
    """Return the mean over replicates, (n_replicates,), and its standard error.

    Infinite replicates have an infinite mean, known exactly where all are the same and not at all otherwise; of both
    signs, they have none (NaN).

    Raises
    ------
    ValueError
        If there are fewer than two replicates, or one is NaN.
    """
    sample = np.asarray(replicates, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise ValueError(f"at least two replicates are needed for a standard error, got shape {sample.shape}")
    if np.isnan(sample).any():
        raise ValueError(f"replicates must not be NaN, got {int(np.isnan(sample).sum())} of {len(sample)}")
    if np.isinf(sample).any():
        with np.errstate(invalid="ignore"):
            return float(sample.mean()), 0.0 if (sample == sample[0]).all() else math.inf
    return float(sample.mean()), float(sample.std(ddof=1) / math.sqrt(len(sample)))
