"""Cost of signal of the best gate of a rate and of what rules keep at it, with graded rewards."""

from __future__ import annotations

from typing import Literal

from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_gate, cost_of_signal
from kondo_theory.screening import screen_context
from simulations.bandits.one_sample import sample_moments
from simulations.bandits.simulation import Context
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, Probability, Rate, Seed

__all__ = ["best_gates"]


def best_gates(
    *,
    gate: Literal["best", "delight", "advantage", "abs-advantage", "uniform"],
    rate: Rate,
    n_arms: Arms = 10,
    p_best: Probability = 0.3,
    baseline: Fraction = 0.65,
    n_samples: Count = 400_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return the cost of signal ρE‖g‖²/(E g·u)² of a gate that decides sample by sample.

    Predicted is infinite, and estimated all the same, where the signal is not positive.

    Parameters
    ----------
    gate : str
        The gate of least cost, or a rule in :data:`kondo_theory.screening.SAMPLE_RULES`.
    rate : float
        ρ in (0, 1].
    n_arms, p_best, baseline : int, float
        Arms of rewards that fall evenly from 1 to 0, probability of the best, and b.
    n_samples, seed : int
        Samples drawn, at least 400, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    policy, advantage = evenly_graded(n_arms, p_best, baseline)
    best = best_gate(policy, advantage, rate).keep
    keep = best if gate == "best" else screen_context(policy, advantage, gate, rate).keep
    found = sample_moments(Context(policy, advantage, keep=keep), n_samples, stream)
    return [row("cost of signal", cost_of_signal(policy, advantage, keep), found.cost_of_signal)]
