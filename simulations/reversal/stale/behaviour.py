"""The behaviour policy of answers of which a share is broken: written at random from the first token to the last.

Nobody says which ones: μ(answer) = (1 − s)·π_old(answer) + s/M^T. Token by token, after the tokens before it,

    μ(a | a_<t) = (1 − r_t)·π_old(a | a_<t) + r_t/M,

with r_t the chance that an answer is broken that began as this one did. The product over the tokens is μ(answer).
"""

from __future__ import annotations

import math

import torch

from simulations.networks.rollouts import Rollout

__all__ = ["mixed_answers"]


def mixed_answers(actor: Rollout, share: float) -> Rollout:
    """Return the answers scored under μ: log μ of every token after those before it.

    Parameters
    ----------
    actor : Rollout
        The answers, whoever wrote them, scored under π_old.
    share : float
        s in [0, 1].
    """
    log_policy = actor.log_policy
    if share == 0:
        return actor
    if share == 1:
        return Rollout(actor.tokens, torch.full_like(log_policy, -math.log(log_policy.shape[-1])))
    own = -actor.surprisal  # (B, T)
    T, M = own.shape[1], log_policy.shape[-1]
    whole = (own.cumsum(1) - own + math.log1p(-share))[..., None]
    broken = (math.log(share) - math.log(M) * torch.arange(T, device=own.device, dtype=own.dtype))[None, :, None]
    beginnings = torch.logaddexp(whole, broken)
    return Rollout(actor.tokens, torch.logaddexp(whole + log_policy, broken - math.log(M)) - beginnings)
