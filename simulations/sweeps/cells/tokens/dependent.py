"""Training of two tokens, the second of which depends on the first, on answers kept whole."""

from __future__ import annotations

from typing import Literal

from kondo_theory.token_trap.autoregressive_rows import tied_stall_point
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Count, Positive, Rate, Replicates, Rule, Seed
from simulations.tokens.dependent import Tied, rewards_at_the_end

__all__ = ["dependent_end"]


def dependent_end(
    *,
    rate: Rate,
    rule: Rule = "delight",
    logits: Literal["shared", "tabular"] = "shared",
    after_right: Positive = 1e-3,
    after_wrong: Positive = 8.0,
    start: Positive = 0.5,
    learning_rate: Positive = 5.0,
    batch_size: Count = 2_000,
    n_steps: Replicates = 3_000,
    n_replicates: Replicates = 4,
    seed: Seed = 0,
) -> list[Row]:
    """Return the mean reward over the last half of training, T = M = 2.

    The prediction is the stall point of :func:`kondo_theory.token_trap.autoregressive_rows.tied_stall_point` by
    delight where the logit is shared, else 1: limits of small steps, large batches and long runs.

    Parameters
    ----------
    rate, rule : float, str
        The top ρ of the answers by a rule is kept.
    logits : str
        Whether the right tokens share one logit, or each of the three prefixes has its own.
    after_right, after_wrong, start : float
        Odds of the second token over the first's, after a right and a wrong one; the first's odds at the start.
    learning_rate : float
        The logits move by it times the batch's mean gradient.
    batch_size, n_steps : int
        Answers a batch, and updates.
    n_replicates, seed : int
        Runs, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    task = Tied(after_right, after_wrong, rate, rule, logits == "shared", start)
    found = rewards_at_the_end(task, learning_rate, n_steps, n_replicates, stream, batch_size)
    stall = tied_stall_point(after_right, after_wrong, rate) if task.shared and rule == "delight" else None
    return [row("reward at the end", 1.0 if stall is None else stall, Estimate.of(found), exact=False)]
