"""Token reversal over the ranks of torchrun: each has some of the prompts, and their answers.

What is drawn is drawn for all ranks on each: the run does not depend on their number, up to rounding. Only the
physical costs do, for a rank cuts its rows after its own last kept token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor

from simulations.errors import InputError
from simulations.networks.sequence_counts import SequenceCounts
from simulations.networks.transformer import Transformer
from simulations.ranks.placing import Placement
from simulations.reversal.config import ReversalConfig
from simulations.reversal.gambles.payment import Payment
from simulations.reversal.training import ReversalRun

__all__ = ["RankedReversal"]


class RankedReversal(ReversalRun):
    """A rank's part of one run.

    Parameters
    ----------
    config : ReversalConfig
    place : Placement

    Raises
    ------
    InputError
        If a rank would have no prompt, or the method or the rule looks at the whole batch.
    """

    def __init__(self, config: ReversalConfig, place: Placement) -> None:
        for name, whole in (("method", "pmpo"), ("rule", "entropy-band"), ("baseline", "batch-mean")):
            if getattr(config, name) == whole:
                raise InputError(f"over ranks no {name} may look at the whole batch, as {whole} does")
        if config.payment != Payment():
            raise InputError(f"over ranks there are no zero prompts and no noise, got {config.label}")
        for number in (config.prompts, config.eval_prompts):
            place.own(number)
        self.place, self.ranks = place, place.ranks
        super().__init__(config, place.device)

    def _placed(self, policy: Transformer) -> Transformer:
        return cast(Transformer, self.place.wrapped(policy))  # it is called like one

    def _prompts(self, number: int, stream: str) -> Tensor:
        return super()._prompts(number, stream)[self.place.own(number)]

    def _mean(self, values: Tensor) -> Tensor:
        return self._total(values.sum()) / self._total(torch.tensor(len(values), device=values.device))

    def _total(self, numbers: Tensor) -> Tensor:
        return self.place.ranks.total(numbers)

    def _counts(self) -> dict[str, int]:
        """Return the counts of all ranks; each steps the optimizer as often."""
        own = super()._counts()
        total = self._total(torch.tensor(list(own.values()), device=self.device)).tolist()
        return dict(zip(own, total, strict=True)) | {"optimizer_steps": own["optimizer_steps"]}

    def _weights(self) -> dict[str, Any]:
        return self.place.state(self.step.policy, self.step.optimizer)

    def _restore_weights(self, state: Mapping[str, Any]) -> None:
        self.place.restore(self.step.policy, self.step.optimizer, state)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state; rank 0 goes on from what all have counted."""
        super().restore(state)
        if self.place.ranks.rank:
            steps = asdict(self.step.counts)["optimizer_steps"]
            self.step.counts = SequenceCounts(optimizer_steps=steps)
