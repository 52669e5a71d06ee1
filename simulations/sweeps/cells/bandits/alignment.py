"""How many samples until a batch points the right way, and how well batches of a given size do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry.alignment import alignment_probability, forward_samples_to_align, mean_cosine
from simulations.bandits.estimates import jackknife
from simulations.bandits.simulation import AlignmentConfig, Context, Estimate, Gate, simulate_alignment
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, baseline_value, row
from simulations.sweeps.cells.types import Arms, Baseline, Count, Fraction, Positive, Probability, Replicates, Seed

__all__ = ["batch_direction", "samples_to_align"]

FloatArray = NDArray[np.float64]
Method = Literal["pg", "dg", "zero-price"]

_STEP = 1.2  # ratio of neighbouring sizes in the search
_MOST_STEPS = 40


def samples_to_align(
    *,
    method: Method,
    p_correct: Probability,
    n_arms: Arms = 10,
    baseline: Baseline = "constant",
    constant_baseline: Fraction = 0.5,
    temperature: Positive = 1.0,
    cosine: Probability = 0.9,
    confidence: Probability = 0.95,
    n_batches: Replicates = 100,
    n_replicates: Replicates = 100,
    seed: Seed = 0,
) -> list[Row]:
    """Return the forward samples N, and the backward passes, at which P(cos(ĝ, ∇J) ≥ c₀) reaches 1 − δ.

    N is read off simulated probabilities at sizes a factor of 1.2 apart, between the last that is too small and the
    first that is not, with log P(cos < c₀) taken as linear in N, as it is at zero price. The predictions are the
    larger of two requirements (exact for zero price), and those of :func:`batch_direction` have no such limits.

    Parameters
    ----------
    method, p_correct, n_arms, baseline, constant_baseline
        As in :func:`simulations.sweeps.cells.bandits.moments.moments`.
    temperature : float
        η of ``dg``, in units of delight.
    cosine, confidence : float
        c₀ and 1 − δ, in (0, 1).
    n_batches, n_replicates, seed : int
        Batches a replicate, replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    b = baseline_value(baseline, constant_baseline, p_correct, n_arms)
    context = Context.symmetric(p_correct, n_arms, b, Gate(method, temperature=temperature))
    claimed = float(
        forward_samples_to_align(method, p_correct, n_arms, b, cosine, confidence, temperature=temperature)
    )

    def failed(size: int) -> FloatArray:
        config = AlignmentConfig(context, cosine, (size,), n_batches, n_replicates, stream + size)
        return 1 - simulate_alignment(config).aligned[:, 0]

    found = _crossing(failed, claimed, 1 - confidence)
    share = p_correct if method == "zero-price" else 1.0
    spent = Estimate(share * found.value, share * found.standard_error)
    exact = method == "zero-price"
    return [
        row("forward samples", claimed, found, exact=exact),
        row("backward passes", share * claimed, spent, exact=exact),
    ]


def _crossing(failed: Callable[[int], FloatArray], guess: float, delta: float) -> Estimate:
    """Walk from the guess to the first size that fails less often than δ, and interpolate with the one before.

    ``failed`` returns the share of failures, (n_replicates,), at a size.
    """
    size = max(1, round(guess))
    share = failed(size)
    while share.mean() < delta and size > 1:
        size = max(1, min(size - 1, round(size / _STEP)))
        share = failed(size)
    if share.mean() < delta:
        return Estimate(1.0, 0.0)
    for _ in range(_MOST_STEPS):
        larger = max(size + 1, round(size * _STEP))
        following = failed(larger)
        if following.mean() < delta:
            return _interpolated(size, larger, share, following, delta)
        size, share = larger, following
    raise ValueError(f"no batch of up to {size:,} samples is aligned as often as demanded")


def _interpolated(size: int, larger: int, share: FloatArray, following: FloatArray, delta: float) -> Estimate:
    """Return the N between two sizes at which log P(cos < c₀), taken as linear, is log δ."""
    tiny = 0.5 / following.size  # of a share in which nothing failed

    def at(before: FloatArray, after: FloatArray) -> FloatArray:
        above, below = np.log(np.maximum(before, 2 * tiny)), np.log(np.maximum(after, tiny))
        return np.asarray(size + (larger - size) * (above - np.log(delta)) / (above - below))

    return jackknife(at, share, following)


def batch_direction(
    *,
    method: Method,
    p_correct: Probability,
    n_arms: Arms = 10,
    baseline: Baseline = "constant",
    constant_baseline: Fraction = 0.5,
    temperature: Positive = 1.0,
    cosine: Probability = 0.9,
    n_samples: Count,
    n_batches: Replicates = 50,
    n_replicates: Replicates = 100,
    seed: Seed = 0,
) -> list[Row]:
    """Return P(cos(ĝ, ∇J) ≥ c₀), the mean cosine, and the backward passes of a batch of N samples.

    Parameters are those of :func:`samples_to_align`, and ``n_samples`` N. The predictions of PG and DG have the wrong
    arms' counts at their χ² limit; those of zero price and of two arms are exact.
    """
    stream = stream_seed(**locals())
    b = baseline_value(baseline, constant_baseline, p_correct, n_arms)
    context = Context.symmetric(p_correct, n_arms, b, Gate(method, temperature=temperature))
    found = simulate_alignment(AlignmentConfig(context, cosine, (n_samples,), n_batches, n_replicates, stream))
    arguments = (method, p_correct, n_arms, b, n_samples)
    exact = method == "zero-price" or n_arms == 2
    aligned = alignment_probability(*arguments, cosine, temperature=temperature)
    expected = mean_cosine(*arguments, temperature=temperature)
    share = p_correct if method == "zero-price" else 1.0
    return [
        row("P(aligned)", float(aligned), Estimate.of(found.aligned[:, 0]), exact=exact),
        row("cosine", float(expected), Estimate.of(found.cosine[:, 0]), exact=method == "zero-price"),
        row("backward passes", share * n_samples, Estimate.of(found.backward[:, 0])),
    ]
