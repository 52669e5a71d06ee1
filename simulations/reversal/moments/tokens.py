"""What gates on single tokens do at one policy, beside gates on whole answers.

A batch keeps its top ρ of all tokens, as in training. What is kept of an answer is one gradient, g = A·Σ_t w_t ∇ log
π(a_t), w_t whether token t is: tokens of an answer share their advantage, so that answers are what is independent.
The cost of signal c = ρE‖g‖²/(E g·u)² compares at equal numbers of backward tokens with that of whole answers in
:mod:`simulations.reversal.moments.gates`. The drifts of the right logits sum to E Σ_t w_t·A·(x_t − p_t), x_t whether
token t is right and p_t the probability that it would be; the row identity, which makes that T·E[G·A²] where answers
are kept whole, says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kondo_theory.gate import select
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_scores import scores
from simulations.networks.transformer import Transformer
from simulations.reversal.moments.answers import Blocks, answer_scores
from simulations.reversal.moments.gates import cost_of_signal, pairs
from simulations.reversal.objectives import right_tokens

__all__ = ["TOKEN_GATES", "named", "token_rows"]

FloatArray = NDArray[np.float64]

TOKEN_GATES = ("delight", "advantage", "abs-advantage", "uniform")
"""Screening rules by which tokens are kept."""


def named(rule: str) -> str:
    """Return the name of a gate on tokens, beside that of answers by the same rule."""
    return f"{rule}, tokens"


def token_rows(
    policy: Transformer, blocks: Blocks, rates: tuple[float, ...], seed: int, n_batches: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for every rule and rate.

    Parameters
    ----------
    policy : Transformer
    blocks : Blocks
        n ≥ 3 blocks, with the mean gradients that signals are measured along.
    rates : tuple of float
    seed : int
        Of the draws among ties.
    n_batches : int
        How many batches of each block are read.

    Yields
    ------
    dict
        gate, rate; drift, length2, second, cost, as :func:`~simulations.reversal.moments.gates.gate_rows` has them;
        balance, the sum of the right logits' drifts, and its error between batches.
    """
    length2 = pairs((blocks.means @ blocks.means.T).double().numpy(force=True))
    for rate in rates:
        for rule in TOKEN_GATES:
            generator = torch.Generator(blocks.means.device).manual_seed(seed)
            read = np.array(
                [
                    [_batch(policy, *each, blocks.means, rule, rate, generator) for each in block[:n_batches]]
                    for block in blocks.batches
                ]
            )
            balance, second, signals = read[..., 0], read[..., 1].mean(axis=1), pairs(read[..., 2:].mean(axis=1))
            found = cost_of_signal(rate, signals, length2, second) | {"exchange": np.nan}
            error = float(balance.std(ddof=1) / np.sqrt(balance.size)) if balance.size > 1 else np.nan
            yield (
                {"gate": named(rule), "rate": rate}
                | found
                | {
                    "balance": float(balance.mean()),
                    "balance_error": error,
                }
            )


def _batch(
    policy: Transformer,
    rollout: Rollout,
    advantage: Tensor,
    means: Tensor,
    rule: str,
    rate: float,
    generator: torch.Generator,
) -> FloatArray:
    """Return means over a batch's answers: of the balance, of ‖g‖², and of g times each block's mean gradient."""
    B, T = rollout.answers.shape
    keep = select(scores(rollout, advantage, "token", rule), rate, generator).view(B, T)
    weights = keep * advantage.unsqueeze(1)
    wanted = rollout.prompts.flip(1).unsqueeze(2)
    expected = rollout.log_policy.gather(2, wanted).squeeze(2).exp().clamp(max=1)
    balance = (weights * (right_tokens(rollout.prompts, rollout.answers) - expected)).sum()
    some = weights.any(1)  # the others have no gradient
    if not some.any():
        return np.zeros(2 + len(means))
    gradients = answer_scores(policy, rollout.part(some, T), weights[some])
    totals = [balance, gradients.square().sum(), *(gradients @ means.T).sum(0)]
    return np.asarray([float(each) / B for each in totals], dtype=np.float64)
