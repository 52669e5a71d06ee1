"""Rows of a policy, the batches of a screened step: their logits, and log π(a) with its graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kondo_theory.training.observations import Observations, take_rows
from kondo_theory.training.policies import fresh_casts, log_probabilities, logits_of, pick, require_graph

__all__ = ["any_row_logits", "row_log_prob", "row_logits"]


def row_logits(policy: nn.Module, observations: Observations, size: int) -> Tensor:
    """Return the logits (B, K) of a batch of B rows, with a graph where gradients are enabled."""
    with fresh_casts():
        return logits_of(policy(observations), size)


def any_row_logits(policy: nn.Module, observations: Observations, scored: Tensor) -> Tensor:
    """Return the logits (1, K) of a row: what a policy depends on, where none is kept.

    It is the first of those that are ``scored``, (B,) boolean, if there is one: in a row that is no number a gradient
    of zero would be none either.
    """
    row = scored.to(torch.uint8).argmax().unsqueeze(0)
    return row_logits(policy, take_rows(observations, row), 1)


def row_log_prob(
    policy: nn.Module, observations: Observations, actions: Tensor, rows: Tensor | None, *, check: bool
) -> tuple[Tensor, Tensor]:
    """Run rows (k,) of a batch, or all for None, through the policy.

    Returns
    -------
    logits : (k, K) tensor
    log_prob : (k,) tensor
        log π(a), nats, with its graph.

    Raises
    ------
    ValueError
        If it depends on no trainable parameter or, with ``check``, an action is none of the policy's.
    """
    if rows is not None:
        observations, actions = take_rows(observations, rows), actions[rows]
    logits = row_logits(policy, observations, len(actions))
    if check and not bool(((actions >= 0) & (actions < logits.shape[-1])).all()):
        worst = int(actions[(actions < 0) | (actions >= logits.shape[-1])][0])
        raise ValueError(f"actions must be from 0 to {logits.shape[-1] - 1}, got {worst}")
    log_prob = pick(log_probabilities(logits), actions)
    require_graph(log_prob)
    return logits, log_prob
