"""Training on tokens that share one reward: where it ends, and the way there."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

from kondo_theory import token_trap as closed
from simulations.bandits.simulation import Estimate
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Positive, Probability, Rate, Replicates, Rule, Seed
from simulations.tokens.runs import LEARNED, Run, rewards
from simulations.tokens.simulation import TokenGate, TokenTask, simulate_drift, simulate_rewards

__all__ = ["token_drift", "token_end", "token_learning"]

Gate = Literal["token", "row", "zero-price", "dg"]


def token_end(
    *,
    vocab_size: Arms,
    n_tokens: Count,
    gate: Gate = "token",
    rate: Rate = 1.0,
    temperature: Positive = 1.0,
    learning_rate: Positive,
    batch_size: Replicates,
    n_steps: Replicates,
    n_replicates: Replicates = 4,
    seed: Seed = 0,
) -> list[Row]:
    """Return the mean reward over the last half of training from the uniform policy, and the share that learned.

    The predictions are the stall point, or 1 where there is none, and whether that is above 0.9, the reward from
    which a run counts as having learned: limits of small steps, large batches and long runs.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2 and T ≥ 1.
    gate : str
        Top ρ of the tokens by delight, or of the rows; tokens with χ > 0; DG on every token.
    rate, temperature : float
        ρ of ``token`` and ``row``; η of ``dg``, in units of delight.
    learning_rate : float
        The logits move by it times the batch's mean gradient.
    batch_size, n_steps : int
        Rows a batch, and updates.
    n_replicates, seed : int
        Runs, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    chosen = TokenGate(gate, rate, temperature=temperature)
    run = Run(vocab_size, n_tokens, chosen, learning_rate, batch_size, n_steps)
    found = rewards(run, n_replicates, stream)
    stall = closed.stall_point(rate, vocab_size, n_tokens, gate, temperature)
    end = 1.0 if stall is None else stall
    learned = (found[:, -1] > LEARNED).astype(np.float64)
    return [
        row("reward at the end", end, Estimate.of(found.mean(axis=1)), exact=False),
        row("share that learned", float(end > LEARNED), Estimate.of(learned), exact=False),
    ]


def token_learning(
    *,
    vocab_size: Arms,
    n_tokens: Count,
    gate: Gate = "token",
    rate: Rate = 1.0,
    temperature: Positive = 1.0,
    learning_rate: Positive,
    batch_size: Replicates,
    n_steps: Count,
    n_replicates: Replicates = 4,
    seed: Seed = 0,
) -> list[Row]:
    """Return the mean reward after 0 … ``n_steps`` updates, about evenly spaced in their logarithm.

    A row a recorded number of updates, in the column ``update``; ``low`` and ``high`` are the least and the greatest
    of the runs. The prediction is the expected update's, the limit of large batches. Parameters as in
    :func:`token_end`.
    """
    stream = stream_seed(**locals())
    chosen = TokenGate(gate, rate, temperature=temperature)
    steps = np.unique(np.geomspace(1, n_steps, 30).astype(np.int64))
    task = TokenTask(vocab_size, n_tokens, batch_size)
    found = simulate_rewards(task, chosen, learning_rate, steps, n_replicates, stream)
    path = _expected_path(vocab_size, n_tokens, gate, rate, temperature, learning_rate, n_steps)
    return [
        row("reward", path[step - 1], Estimate.of(column), exact=False)
        | {"update": int(step), "low": float(column.min()), "high": float(column.max())}
        for step, column in zip(steps, found.T, strict=True)
    ]


def token_drift(
    *,
    vocab_size: Arms,
    n_tokens: Count,
    rule: Rule = "delight",
    rate: Rate,
    p_correct: Probability,
    batch_size: Replicates = 10_000,
    n_replicates: Replicates = 16,
    seed: Seed = 0,
) -> list[Row]:
    """Return the drift of the right token's logit when the top ρ of the tokens is kept by a rule, over PG's.

    The prediction is that of infinite batches; batches keep exactly k tokens.

    Parameters
    ----------
    vocab_size, n_tokens : int
        M ≥ 2 and T ≥ 1.
    rule : str
        A name in :data:`kondo_theory.screening.SAMPLE_RULES`.
    rate, p_correct : float
        ρ, and the probability that a token is right.
    batch_size : int
        Rows a batch; a replicate has two batches.
    n_replicates, seed : int
        Replicates, and the entropy of their streams.
    """
    stream = stream_seed(**locals())
    full = p_correct * (1 - p_correct) / n_tokens
    task = TokenTask(vocab_size, n_tokens, batch_size, p_correct)
    found = simulate_drift(task, TokenGate("token", rate, rule), 2, n_replicates, stream) / full
    predicted = float(closed.drift(p_correct, n_tokens, vocab_size, rate, rule=rule)) / full
    return [row("drift over PG's", predicted, Estimate.of(found), exact=False)]


def _expected_path(
    vocab_size: int, n_tokens: int, gate: str, rate: float, temperature: float, learning_rate: float, n_steps: int
) -> list[float]:
    """Iterate the expected update, in which the wrong tokens' logits fall as much as the right one's rises."""
    z, path = -float(np.log(vocab_size - 1)), []
    for _ in range(n_steps):
        speed = float(closed.drift(float(expit(z)), n_tokens, vocab_size, rate, gate, temperature))
        z += learning_rate * speed * vocab_size / (vocab_size - 1)
        path.append(float(expit(z)))
    return path
