"""The gate itself: how often it opens, and the delight that a rate collects."""

from __future__ import annotations

import numpy as np

from kondo_theory.gate import gate_probability, sample_gate, select
from kondo_theory.geometry.exact_rate import finite_rate_value
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.quality_cost import arm_delight
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, NonNegative, Probability, Replicates, Seed

__all__ = ["gate_frequency", "rate_value"]


def gate_frequency(
    *, excess: float, temperature: NonNegative, n_draws: Replicates = 2_000, seed: Seed = 0
) -> list[Row]:
    """Return how often the gate opens; its standard error is that of the claimed probability.

    Parameters
    ----------
    excess : float
        Delight less price, χ − λ, in nats × reward.
    temperature : float
        η ≥ 0 in the same unit; 0 is the strict gate χ > λ.
    n_draws, seed : int
        Gates drawn, and the entropy of their stream.
    """
    rng = np.random.default_rng(stream_seed(**locals()))
    law = float(gate_probability(np.array([excess]), 0.0, temperature)[0])
    opened = sample_gate(np.full(n_draws, law), rng).mean()
    return [row("gate frequency", law, Estimate(float(opened), float(np.sqrt(law * (1 - law) / n_draws))))]


def rate_value(
    *,
    n_arms: Arms = 5,
    p_best: Probability = 0.15,
    baseline: Fraction = 0.5,
    batch_size: Count,
    n_kept: Count,
    n_batches: Replicates = 2_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return the delight per sample of a batch of which the k samples of highest delight are kept.

    Parameters
    ----------
    n_arms, p_best, baseline
        K, the probability of the best arm and b of :func:`kondo_theory.geometry.graded.evenly_graded`.
    batch_size, n_kept : int
        B, and k from 1 to B.
    n_batches, seed : int
        Batches drawn, and the entropy of their stream.
    """
    rng = np.random.default_rng(stream_seed(**locals()))
    if n_kept > batch_size:
        raise ValueError(f"n_kept must be at most batch_size = {batch_size}, got {n_kept}")
    policy, advantage = evenly_graded(n_arms, p_best, baseline)
    chi = arm_delight(policy, advantage)
    batches = chi[rng.choice(n_arms, size=(n_batches, batch_size), p=policy)]
    collected = np.where(select(batches, n_kept / batch_size, rng), batches, 0.0).mean(axis=1)
    return [row("value", float(finite_rate_value(chi, policy, batch_size, n_kept)), Estimate.of(collected))]
