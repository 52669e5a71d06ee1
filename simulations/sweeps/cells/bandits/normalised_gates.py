"""Noise of a batch's gradient with rewards of normal noise: divided by B, exactly k, divided by the kept."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import gate_probability, kept_count, select
from kondo_theory.geometry.normal_rewards import normal_exact_moments, normal_kept, normal_price
from kondo_theory.geometry.normalised import normalised_moments, price_moments
from simulations.bandits.estimates import jackknife
from simulations.bandits.noisy_rewards import NoisyArms, batch_noise, kept_sums
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, Positive, Probability, Replicates, Seed

__all__ = ["normalised_gates"]

FloatArray = NDArray[np.float64]


def normalised_gates(
    *,
    method: Literal["price", "exact-k", "normalised"],
    rate: Probability,
    batch_size: Count = 100,
    n_arms: Arms = 5,
    p_best: Probability = 0.15,
    baseline: Fraction = 0.5,
    reward_noise: Positive = 0.2,
    n_batches: Replicates = 20_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return moments of a batch's gradient beside the closed forms.

    Signal; variance along the mean gradient, across it, and in all, per sample (B times the batch's); the last over
    the squared signal.

    Parameters
    ----------
    method : str
        The price gate's sum divided by B, the best k = ρB divided by B, or the price gate's sum times ρ over the
        number kept.
    rate : float
        ρ in (0, 1).
    batch_size : int
        B.
    n_arms, p_best, baseline, reward_noise : int, float
        Arms of rewards that fall evenly from 1 to 0, probability of the best, b, and deviation of a reward.
    n_batches, seed : int
        Batches drawn, at least 200, and the entropy of their streams.
    """
    rng = np.random.default_rng(stream_seed(**locals()))
    arms = NoisyArms(n_arms, p_best, baseline, reward_noise)
    kept = normal_kept(*arms.law, rate)
    if method == "exact-k":
        exact = normal_exact_moments(*arms.law, batch_size, kept_count(rate, batch_size), direction=kept.direction)
        gate = partial(select, rate=rate)
        sums, _ = kept_sums(arms, batch_size, n_batches, [lambda scores, rng: gate(scores, rng=rng)], rng)
        gradients = sums[0] / batch_size
    else:
        exact = price_moments(kept) if method == "price" else normalised_moments(kept, batch_size)
        price = float(normal_price(*arms.law, rate))
        sums, counts = kept_sums(
            arms, batch_size, n_batches, [lambda scores, _: gate_probability(scores, price) > 0], rng
        )
        divided = batch_size if method == "price" else np.maximum(counts[0], 1)[:, None] / rate
        gradients = sums[0] / divided
    found = batch_noise(gradients, kept.direction, batch_size)
    signal, along, across = found.groups
    total = exact.var_parallel + exact.var_perpendicular
    return [
        row("signal", exact.signal, found.signal),
        row("parallel variance", exact.var_parallel, found.var_parallel),
        row("perpendicular variance", exact.var_perpendicular, found.var_perpendicular),
        row("total variance", total, Estimate.of(along + across)),
        row("variance over squared signal", total / exact.signal**2, jackknife(_relative, signal, along, across)),
    ]


def _relative(signal: FloatArray, along: FloatArray, across: FloatArray) -> FloatArray:
    """Return the variance in all over the squared signal."""
    return np.asarray((along + across) / signal**2)
