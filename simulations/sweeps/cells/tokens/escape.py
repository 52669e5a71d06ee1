"""The time that batches take to leave a stall of the token gate."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import logit

from kondo_theory.token_trap import stall_point
from kondo_theory.token_trap.stall_escape import escape_time, unstable_point
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Positive, Rate, Replicates, Seed
from simulations.tokens.escapes import Escape, escape_steps, held_at, held_escape_time, mean_time

__all__ = ["token_escape"]

_POINTS = 25  # log-odds at which the mean is held


def token_escape(
    *,
    vocab_size: Arms = 2,
    n_tokens: Count = 5,
    rate: Rate = 0.128,
    batch_size: Replicates,
    learning_rate: Positive,
    moving: Literal["together", "free"] = "together",
    most_steps: Count = 1_000_000,
    n_replicates: Replicates = 200,
    held_steps: Count = 4_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return the logarithm of learning rate times mean updates, from the stall to half way between its rise and 1.

    Of tokens that move together the prediction is the integral over drift and diffusion, of free ones the same
    integral over those that are measured while the positions' mean is held.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2 and T ≥ 1.
    rate : float
        ρ; the batch keeps the nearest whole number of tokens.
    batch_size : int
        B answers.
    learning_rate : float
        The logits move by it times the batch's mean gradient.
    moving : str
        Whether each gradient is averaged over positions and wrong tokens, or each logit has its own.
    most_steps : int
        Updates after which a run that is still there is counted as such.
    n_replicates, held_steps, seed : int
        Runs, updates at each held mean, and the entropy of the streams.

    Raises
    ------
    ValueError
        If nothing stalls.
    """
    stream = stream_seed(**locals())
    kept = round(rate * batch_size * n_tokens)
    exact = kept / (batch_size * n_tokens)
    start, rise = stall_point(exact, vocab_size, n_tokens), unstable_point(exact, vocab_size, n_tokens)
    if start is None or rise is None:
        raise ValueError(f"rate must be one that stalls, got {rate!r}")
    run = Escape(vocab_size, n_tokens, batch_size, kept, learning_rate, start, (1 + rise) / 2)
    together = moving == "together"
    steps = escape_steps(run, n_replicates, stream, together_only=together, most_steps=most_steps)
    if together:
        predicted = float(escape_time(exact, vocab_size, n_tokens, batch_size, learning_rate))
    else:
        places = np.linspace(logit(start) - 0.6, logit(run.level), _POINTS)
        predicted = held_escape_time(run, held_at(run, places, held_steps, 4, stream + 1))
    found, error = mean_time(steps, most_steps)
    log_rate = float(np.log(learning_rate))
    return [row("log time", np.log(predicted) + log_rate, Estimate(found + log_rate, error), exact=False)]
