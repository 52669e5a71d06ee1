"""What every screening rule keeps at a rate in one symmetric context, and what the kept samples are worth."""

from __future__ import annotations

import numpy as np

from kondo_theory.gate import kept_count
from kondo_theory.geometry.exact_rate import exact_rate_moments, kept_successes
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import screen_context
from simulations.bandits import kernels
from simulations.bandits.estimates import jackknife, noise_per_backward, total_variance
from simulations.bandits.kept_batches import Setting, batch_gradients, claimed_order, kept_by_arm
from simulations.bandits.simulation import Context, Estimate, MomentsConfig, simulate_moments
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, Positive, Probability, Rate, Replicates, Rule, Seed

__all__ = ["screening"]


def screening(
    *,
    rule: Rule,
    rate: Rate,
    p_correct: Probability = 0.3,
    n_arms: Arms = 10,
    baseline: Fraction = 0.25,
    alpha: Fraction = 0.5,
    batch_size: Count = 1_000,
    n_backward: Positive = 10.0,
    n_batches: Replicates = 500,
    seed: Seed = 0,
) -> list[Row]:
    """Return what exactly k of B samples by a rule are, and the efficiency of independently kept ones.

    Share of successes in what is kept, signal and B·Var_⊥ of a batch, beside the exact finite batch; efficiency of
    ``n_backward`` backward passes of samples kept with the probabilities of the limit B → ∞.

    Parameters
    ----------
    rule : str
        A name in :data:`kondo_theory.screening.SAMPLE_RULES`.
    rate : float
        ρ in (0, 1].
    p_correct, n_arms, baseline : float, int, float
        p, K and b, constant; reward 1 for the correct arm and 0 for the others.
    alpha : float
        Weight of the advantage in ``additive``.
    batch_size, n_backward : int, float
        B; backward passes whose efficiency is returned.
    n_batches, seed : int
        Batches drawn, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    at = Setting(n_arms, p_correct, baseline, alpha)
    counts = kept_by_arm(at, rule, rate, n_batches, batch_size, np.random.default_rng(stream))
    along, across = batch_gradients(counts, at, batch_size)
    kept, order = kept_count(rate, batch_size), claimed_order(rule, at)
    successes = kept_successes(p_correct, batch_size, kept, order)
    exact = exact_rate_moments(p_correct, n_arms, baseline, batch_size, kept, order)
    pure = order == "correct-only"  # then fewer than k may be kept
    share = 1.0 if pure else float(successes.mean) / kept
    found = counts[:, 0] / np.maximum(counts.sum(axis=1), 1)
    return [
        row("share of successes", share, Estimate.of(found)),
        row("signal", float(exact.signal), Estimate.of(along)),
        row("perpendicular variance", float(exact.var_perpendicular), Estimate.of(batch_size * across)),
        _efficiency(at, rule, rate, n_backward, n_batches, stream),
    ]


def _efficiency(at: Setting, rule: str, rate: float, n_backward: float, n_batches: int, seed: int) -> Row:
    """Return the efficiency of so many backward passes of samples that are kept independently."""
    policy, advantage = symmetric_arms(at.n_arms, at.p, at.baseline)
    limit = screen_context(policy, advantage, rule, rate, **at.parameters(rule))
    size = 200  # moments per sample do not depend on it
    drawn = simulate_moments(MomentsConfig(Context(policy, advantage, keep=limit.keep), size, n_batches, 100, seed))
    columns = drawn.statistics[:, kernels.KEPT] / size, drawn.statistics[:, kernels.SIGNAL]
    estimate = jackknife(
        lambda r, s, v: 1 / (1 + noise_per_backward(r, s, v) / n_backward), *columns, total_variance(drawn, size)
    )
    return row("efficiency", float(limit.efficiency_per_backward(n_backward)), estimate)
