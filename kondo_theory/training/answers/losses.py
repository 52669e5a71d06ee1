"""What is summed over the kept tokens: the policy gradient's loss, and those with importance ratios.

A ratio is r = π(token)/π_old(token), of the policy that learns over the one that ``Answers.log_prob`` was taken from.
Where the two are equal all of them have the policy gradient's gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["TokenLoss", "policy_loss", "ppo_loss", "truncated_loss"]

TokenLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The loss of each token, (n,), from log π with its graph, log π_old and the coefficient, all (n,).

It must be zero where the coefficient is: tokens of zero advantage are never kept.
"""


def policy_loss(log_prob: Tensor, old_log_prob: Tensor, coefficient: Tensor) -> Tensor:
    """Return −coefficient · log π."""
    return -coefficient * log_prob


def ppo_loss(clip: float, clip_high: float | None = None) -> TokenLoss:
    """Return PPO's clipped surrogate, −min(r·A, clamp(r, 1 − clip, 1 + clip_high)·A).

    Parameters
    ----------
    clip : float
        In (0, 1).
    clip_high : float, optional
        How far above one; by default ``clip``.

    Raises
    ------
    ValueError
        If a bound is out of its range.

    Source: J. Schulman et al., "Proximal policy optimization algorithms", arXiv 1707.06347, equation 7; the upper
    bound of its own: Q. Yu et al., "DAPO", arXiv 2503.14476, section 3.1.
    """
    high = clip if clip_high is None else clip_high
    if not 0 < clip < 1:
        raise ValueError(f"clip must be in (0, 1), got {clip}")
    if not 0 < high < math.inf:
        raise ValueError(f"clip_high must be above 0 and finite, got {high}")

    def loss(log_prob: Tensor, old_log_prob: Tensor, coefficient: Tensor) -> Tensor:
        ratio = (log_prob - old_log_prob).exp()
        return -torch.minimum(ratio * coefficient, ratio.clamp(1 - clip, 1 + high) * coefficient)

    return loss


def truncated_loss(cap: float) -> TokenLoss:
    """Return the policy gradient with truncated importance weights, −min(r, cap) · A · log π.

    No gradient flows through the ratio. Truncation bounds the variance and biases towards the old policy.

    Parameters
    ----------
    cap : float
        Above 0; ∞ truncates nothing.

    Raises
    ------
    ValueError
        If the cap is not above 0.

    Source: E. L. Ionides, "Truncated importance sampling", J. Comput. Graph. Statist. 17, 2008.
    """
    if not cap > 0:
        raise ValueError(f"cap must be above 0, got {cap}")

    def loss(log_prob: Tensor, old_log_prob: Tensor, coefficient: Tensor) -> Tensor:
        ratio = (log_prob.detach() - old_log_prob).exp().clamp(max=cap)
        return -ratio * coefficient * log_prob

    return loss
