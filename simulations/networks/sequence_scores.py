"""What a gate ranks of answers: their tokens one by one, or whole rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from kondo_theory.screening import GROUP_RULES, SAMPLE_RULES, TOKEN_RULES, ScreeningRule
from kondo_theory.words import choice
from simulations.networks.rollouts import Rollout

__all__ = ["RULES_OF", "require_known", "scores"]

_OF_GROUPS = {
    name: rule for name, rule in GROUP_RULES.items() if not {"reference policy", "history"}.intersection(rule.inputs)
}

RULES_OF: Mapping[str, Mapping[str, ScreeningRule]] = MappingProxyType(
    {"token": {**SAMPLE_RULES, **TOKEN_RULES}, "row": {**SAMPLE_RULES, **_OF_GROUPS}}
)
"""What can be ranked, tokens or rows, and the rules that rank it.

A rule that looks at a reference policy or at the history of a prompt is none of them: fresh answers to fresh prompts
have neither."""


def scores(
    rollout: Rollout, advantage: Tensor, granularity: str, rule: str = "delight", group_size: int | None = None
) -> Tensor:
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
        A name in :data:`RULES_OF` the granularity.
    group_size : int or None
        Answers to each prompt, one after another, which divides B: rules on the answers of a group need it.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown, or the rule needs a group size.
    """
    require_known(granularity, rule, group_size)
    surprisal = rollout.surprisal  # (B, T)
    entropy = torch.special.entr(rollout.log_policy.exp()).sum(-1)  # (B, T)
    batches = advantage.shape[:-1]
    if granularity == "row":
        surprisal, entropy = surprisal.sum(1), entropy.sum(1)
    else:
        advantage = advantage.unsqueeze(-1).expand(*advantage.shape, surprisal.shape[1])
    layout = (-1, group_size) if rule in _OF_GROUPS else (-1,)
    parts = (each.reshape(*batches, *layout) for each in (advantage, surprisal, entropy))
    score: Tensor = RULES_OF[granularity][rule](*parts)
    return score.reshape(*batches, -1)


def require_known(granularity: str, rule: str, group_size: int | None = None) -> None:
    """Refuse what :func:`scores` does not know, with a ValueError."""
    choice("granularity", granularity, RULES_OF)
    choice("rule", rule, RULES_OF[granularity])
    if rule in _OF_GROUPS and group_size is None:
        raise ValueError(f"rule {rule!r} ranks the answers of a group: it needs a group size, got None")
