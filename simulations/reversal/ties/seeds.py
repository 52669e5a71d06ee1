"""Seeds of a token gate that keeps every token within 1e-6 of the k-th score: the selection of the code of [KG].

All else is :mod:`simulations.reversal.side_by_side.seeds`: prompts and answers come from the same streams, so that a
gate that keeps everything takes the steps of the policy gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import kept_count
from kondo_theory.training import Selection
from simulations.networks.rollouts import Rollout
from simulations.networks.stacked_answers.steps import StackedSequenceStep
from simulations.reversal.config import ReversalConfig
from simulations.reversal.objectives import points
from simulations.reversal.side_by_side.seeds import ReversalSeeds

__all__ = ["WITHIN", "TieKeepingStep", "TiedSeeds", "kept_with_ties"]

WITHIN = 1e-6
"""Scores no further than that below the k-th are kept."""


def kept_with_ties(score: Tensor, rate: float, within: float = WITHIN) -> Tensor:
    """Return what is kept of scores (..., B): all that are at least the k-th largest, less ``within``."""
    k = kept_count(rate, score.shape[-1])
    price = score.topk(k, dim=-1).values[..., -1:]
    return score >= price - within


class TieKeepingStep(StackedSequenceStep):
    """Keep the tokens of :func:`kept_with_ties`.

    Attributes
    ----------
    moving : (S,) int64 tensor
        Kept tokens of each seed that have an advantage: the gradient of the others is zero.
    points : (S, T + 1) int64 tensor
        Answers of each seed by their points, since it was cleared.
    """

    def __init__(self, *given: Any, rate: float, length: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self.rate = rate
        where: dict[str, Any] = {"dtype": torch.int64, "device": next(self.network.parameters()).device}
        self.moving = torch.zeros(len(self.counts), **where)
        self.points = torch.zeros(len(self.counts), length + 1, **where)

    def select(self, rollout: Rollout, advantage: Tensor) -> Selection:
        """Gate each seed's tokens; see :meth:`StackedSequenceStep.select`."""
        exact = super().select(rollout, advantage)
        keep = kept_with_ties(exact.score, self.rate).view(exact.keep.shape)
        self.moving += (keep & (advantage != 0)[..., None]).sum((1, 2))
        point = points(rollout.prompts, rollout.answers, "fraction").view(advantage.shape)
        self.points.scatter_add_(1, point, torch.ones_like(point))
        return replace(exact, keep=keep, n_kept=keep.sum((1, 2)))


class TiedSeeds(ReversalSeeds):
    """S seeds of one token gate by one rule, from one batch to the next.

    Raises
    ------
    ValueError
        If the method is not a token gate at a rate.
    """

    step: TieKeepingStep

    def __init__(self, configs: Sequence[ReversalConfig], device: torch.device) -> None:
        super().__init__(configs, device)
        config, exact = self.config, self.step
        if config.method != "token-gate" or config.rate is None:
            raise ValueError(f"method must be token-gate at a rate, got {config.label}")
        self.step = TieKeepingStep(
            exact.network,
            exact.optimizer,
            exact.gate,
            granularity=exact.granularity,
            rule=exact.rule,
            generators=exact.generators,
            gate_generators=exact.gate_generators,
            rate=config.rate,
            length=config.length,
        )

    def evaluate(self) -> None:
        """Append the row of this update to every curve."""
        super().evaluate()
        found = zip(self.rows, self.step.moving.tolist(), self.step.points.tolist(), strict=True)
        for rows, moving, counts in found:
            rows[-1] |= {"moving_tokens": moving, **{f"points_{n}": count for n, count in enumerate(counts)}}
        self.step.points.zero_()
