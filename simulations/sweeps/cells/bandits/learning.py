"""Time to learn one context, simulated and extrapolated to gradient flow, beside the closed form."""

from __future__ import annotations

from typing import Literal

from kondo_theory.geometry.learning import learning_time as closed_time
from kondo_theory.words import choice
from simulations.bandits.learning_times import Run, extrapolated_times
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Fraction, Probability, Replicates, Seed

__all__ = ["learning_time"]


def learning_time(
    *,
    method: Literal["pg", "dg", "zero-price"],
    n_arms: Arms,
    baseline: Literal["constant", "value"] = "constant",
    constant_baseline: Fraction = 0.5,
    p_end: Probability = 0.9,
    n_replicates: Replicates = 8,
    seed: Seed = 0,
) -> list[Row]:
    """Return the time from the uniform policy to p₁, learning rate × batches, in forward and backward batches.

    Parameters
    ----------
    method : str
    n_arms : int
        K; the uniform policy starts at p = 1/K.
    baseline, constant_baseline : str, float
        b, the current p if it is the value; ``constant_baseline`` in [0, 1) counts otherwise.
    p_end : float
        p₁ in (1/K, 1).
    n_replicates, seed : int
        Runs a learning rate (at most 4 from a thousand arms on), and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    choice("baseline", baseline, ("constant", "value"))
    b: float | str = "value" if baseline == "value" else constant_baseline
    if p_end <= 1 / n_arms:
        raise ValueError(f"p_end must be above 1/n_arms = {1 / n_arms:g}, got {p_end!r}")
    found = extrapolated_times(Run(method, b, n_arms, p_end), n_replicates, stream, 1)
    return [
        row(f"{unit} time", float(closed_time(method, n_arms, p_end, b, unit)), estimate)
        for unit, estimate in zip(("forward", "backward"), found, strict=True)
    ]
