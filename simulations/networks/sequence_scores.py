"""What a gate ranks of answers: their tokens one by one, or whole rows."""

from __future__ import annotations

import torch
from torch import Tensor

from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.words import choice
from simulations.networks.rollouts import Rollout

__all__ = ["GRANULARITIES", "require_known", "scores"]

GRANULARITIES = ("token", "row")


def scores(rollout: Rollout, advantage: Tensor, granularity: str, rule: str = "delight") -> Tensor:
    """Return what the gate ranks: a score for each token, (B·T,), or for each row, (B,).

    Of S batches side by side, S·B rows with advantages (S, B), they are (S, B·T) or (S, B).

    A token has its own surprisal and its position's policy entropy; a row has the sums over its tokens, so that row
    delight is advantage × −log π(answer).

    Parameters
    ----------
    rollout : Rollout
    advantage : (B,) or (S, B) tensor
        U of the whole answer, shared by its tokens.
    granularity : {"token", "row"}
    rule : str
        A name in :data:`kondo_theory.screening.SAMPLE_RULES`.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown.
    """
    require_known(granularity, rule)
    surprisal = rollout.surprisal  # (B, T)
    entropy = torch.special.entr(rollout.log_policy.exp()).sum(-1)  # (B, T)
    batches = advantage.shape[:-1]
    if granularity == "row":
        surprisal, entropy = surprisal.sum(1), entropy.sum(1)
    else:
        advantage = advantage.unsqueeze(-1).expand(*advantage.shape, surprisal.shape[1])
    score: Tensor = SAMPLE_RULES[rule](*(each.reshape(*batches, -1) for each in (advantage, surprisal, entropy)))
    return score


def require_known(granularity: str, rule: str) -> None:
    """Refuse what :func:`scores` does not know, with a ValueError."""
    choice("granularity", granularity, GRANULARITIES)
    choice("rule", rule, tuple(SAMPLE_RULES))
