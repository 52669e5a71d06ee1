"""The direction of zero price under graded rewards, in the family of the worst case."""

from __future__ import annotations

from kondo_theory.geometry.graded import graded_worst_case, zero_price_cosine
from simulations.bandits import kernels
from simulations.bandits.estimates import cosine_of_mean
from simulations.bandits.simulation import Context, Gate, MomentsConfig, simulate_moments
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Count, Replicates, Seed

__all__ = ["graded_direction"]


def graded_direction(
    *,
    family_size: Count,
    batch_size: Count = 1_000_000,
    n_batches: Replicates = 20,
    n_replicates: Replicates = 50,
    seed: Seed = 0,
) -> list[Row]:
    """Return the cosine of the zero-price gate's mean gradient with ∇J, value baseline.

    Parameters
    ----------
    family_size : int
        n of :func:`kondo_theory.geometry.graded.graded_worst_case`, which has 2n + 1 arms.
    batch_size : int
        B; the mean gradient does not depend on it, and its error falls with it.
    n_batches, n_replicates, seed : int
        Batches a replicate, replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    policy, rewards = graded_worst_case(family_size)
    context = Context.gated(policy, rewards - policy @ rewards, Gate("zero-price"))
    found = simulate_moments(MomentsConfig(context, batch_size, n_batches, n_replicates, stream))
    along = found.statistics[:, kernels.SIGNAL]
    gradients = found.perpendicular + along[:, None] * context.unit_direction
    cosine = cosine_of_mean(gradients, context.unit_direction)
    return [row("cosine", float(zero_price_cosine(policy, rewards)), cosine)]
