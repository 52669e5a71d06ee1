"""The two forward passes of a gated step over answers: one screens, one has the gradient of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from kondo_theory.training.agreement import compare_passes
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.causal_model import CausalModel
from kondo_theory.training.answers.counts import AnswerCounts
from kondo_theory.training.answers.losses import TokenLoss, policy_loss
from kondo_theory.training.answers.packing import MicroBatch, first_row, pack, to_host
from kondo_theory.training.gated import GatedStep
from kondo_theory.training.policies import require_gradients, require_graph, require_independent_rows
from kondo_theory.training.ranks.group import without_reduction

__all__ = ["AnswerPasses"]


class AnswerPasses(GatedStep):
    """What a step on answers runs through the model; see :class:`~kondo_theory.training.AnswerStep`."""

    counts: AnswerCounts

    def __init__(
        self, model: nn.Module, *settings: Any, loss: TokenLoss, micro_tokens: int, chunk_tokens: int, **others: Any
    ) -> None:
        super().__init__(model, *settings, **others)
        for name, value in (("micro_tokens", micro_tokens), ("chunk_tokens", chunk_tokens)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.loss, self.micro_tokens = loss, micro_tokens
        self.counts = AnswerCounts()
        self._model = CausalModel(model, chunk_tokens)
        self._screened: WeakKeyDictionary[Answers, tuple[Answers, object]] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_screened"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _screened=WeakKeyDictionary())

    def screened(self, answers: Answers) -> Answers:
        """Return the answers as ``select`` screened them last; themselves where it did not."""
        return self._screened.get(answers, (answers, None))[0]

    def _screen_once(self, answers: Answers, *, with_entropy: bool) -> None:
        """Screen answers, unless the loss has ratios to the policy that did before, and they are what they were."""
        _, state = self._screened.get(answers, (answers, None))
        if self.loss is policy_loss or state != answers.state:
            self._screened[answers] = self._screen(answers, with_entropy=with_entropy), answers.state

    def _screen(self, answers: Answers, *, with_entropy: bool) -> Answers:
        """Return the answers with the model's own log-probabilities."""
        require_independent_rows(self.policy)
        answered, attended = to_host(answers.answered, answers.attended)
        batches = list(pack(answers, answered, attended, self.micro_tokens))
        owed = self._owed(answers, len(batches))
        with torch.no_grad():
            read = [self._model.log_prob(batch, with_entropy=with_entropy, check=self.check) for batch in batches]
            for _ in range(owed):
                self._model.log_prob(first_row(answers, attended))
        self.counts.screened_positions += sum(batch.n_positions for batch in batches)
        log_prob = _spread(answers, batches, [each.log_prob for each in read])
        if self.check and bool(log_prob.isnan().any()):
            raise ValueError("the model's logits must be numbers below +∞, one of a position above −∞, got nan")
        entropy = _spread(answers, batches, [each.entropy for each in read]) if with_entropy else None
        return replace(answers, log_prob=log_prob, entropy=entropy, made_at=self.counts.updates)

    def _write_kept(
        self,
        answers: Answers,
        keep: Tensor,
        coefficient: Tensor,
        *,
        normaliser: Tensor | float,
        scale: Tensor | float,
        clear: bool,
    ) -> None:
        """Write the gradient of the kept tokens' losses for coefficients (B, L), by micro-batches, and count it."""
        require_gradients()
        screened, (kept, attended) = self.screened(answers), to_host(keep, answers.attended)
        batches = list(pack(answers, kept, attended, self.micro_tokens))
        flat = coefficient.flatten()
        passes = [*batches, *[None] * self._owed(answers, len(batches), least=1)]
        with torch.enable_grad(), self._held_aside(clear) if self.check and len(passes) > 1 else nullcontext():
            for number, batch in enumerate(passes, 1):
                first = clear and number == 1
                with without_reduction(self.policy, more=number < len(passes)):
                    if batch is None:
                        any_row = self._model.log_prob(first_row(answers, attended))
                        self._write(any_row.log_prob, scale=scale, clear=first, empty=True)
                        continue
                    loss = self._loss(batch, screened, flat[batch.places]) / normaliser
                    if self.check and not bool(loss.isfinite()):
                        raise FloatingPointError(f"the loss is {float(loss.detach())}")
                    self._write(loss, scale=scale, clear=first, empty=False)
        self.counts.add_backward(batches)

    def _owed(self, answers: Answers, n_batches: int, *, least: int = 0) -> int:
        """Return how many passes are left to make beside a rank's own: as many as the rank that has most."""
        most = n_batches if self.ranks is None else self.ranks.most(n_batches, answers.tokens.device)
        return max(least, most) - n_batches

    def _loss(self, batch: MicroBatch, screened: Answers, coefficient: Tensor) -> Tensor:
        """Return the sum of a micro-batch's losses, refusing or counting the gap of its two passes."""
        own = screened.made_at == self.counts.updates
        with_largest = own and self.check and self.tolerance is None
        read = self._model.log_prob(batch, with_largest=with_largest, check=self.check)
        require_graph(read.log_prob)
        if screened.log_prob is None:
            if self.loss is not policy_loss:
                raise ValueError(
                    "the loss needs log_prob of the policy that drew the answers: give it, or screen them"
                )
            old = read.log_prob.detach()
        else:
            old = screened.log_prob.detach().flatten()[batch.places]
            logits = read.log_prob if read.largest is None else read.largest
            compare_passes(self.counts, read.log_prob, old, self._allowed_gap(logits.unsqueeze(-1), own=own))
        losses = self.loss(read.log_prob, old, coefficient)
        if losses.shape != coefficient.shape:
            shapes = f"shape {tuple(coefficient.shape)}, got {tuple(losses.shape)}"
            raise ValueError(f"the loss must have a number for each token, {shapes}; the step divides their sum")
        return losses.sum()


def _spread(answers: Answers, batches: Sequence[MicroBatch], values: Sequence[Tensor | None]) -> Tensor:
    """Return the values of micro-batches' tokens at their places, (B, L), zero elsewhere."""
    found = [each for each in values if each is not None]
    whole = answers.tokens.new_zeros(answers.tokens.numel(), dtype=found[0].dtype if found else torch.float32)
    for batch, each in zip(batches, found, strict=True):
        whole.index_copy_(0, batch.places, each)
    return whole.view(answers.tokens.shape)
