"""When a step on rows may take its gradient from the activations of screening, and how it is written then."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import delight
from kondo_theory.training.logged import LoggedRowStep
from kondo_theory.training.observations import Observations
from kondo_theory.training.policies import draw, log_probabilities, pick, require_numbers
from kondo_theory.training.quick.layers import KeptPass
from kondo_theory.training.quick.scores import quick_delight, quick_selection
from kondo_theory.training.records import Screening, StepCounts
from kondo_theory.training.selection import Selection

__all__ = ["QuickRowStep", "clear_gradients"]


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Clear an optimizer's gradients as its ``zero_grad(set_to_none=True)`` does, without torch's record of it."""
    own = getattr(optimizer.zero_grad, "__func__", None)  # of the class, unless somebody has put another in its place
    if own is not torch.optim.Optimizer.zero_grad:
        optimizer.zero_grad(set_to_none=True)
        return
    for group in optimizer.param_groups:
        for each in group["params"]:
            each.grad = None


class QuickRowStep(LoggedRowStep):
    """A step on rows that spares kept rows a second pass; see :class:`~kondo_theory.training.ScreenedStep`."""

    reuse: bool
    counts: StepCounts
    _last: weakref.ref[KeptPass] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": None}  # a copy of the step has no pass yet

    def _may_reuse(self) -> bool:
        return self.reuse and self.gate is not None and self.ranks is None

    def _keep_pass(self, observations: Observations) -> KeptPass | None:
        """Return the pass over a batch with its activations, or None where it is not to be kept.

        The one before is let go: a loop that screens many batches ahead holds the activations of one.
        """
        earlier = None if self._last is None else self._last()
        if earlier is not None:
            earlier.clear()
        with torch.no_grad():
            kept = KeptPass.of(self.policy, observations) if self._may_reuse() else None
        self._last = None if kept is None else weakref.ref(kept)
        return kept

    @torch.no_grad()
    def _screened(self, kept: KeptPass) -> Screening:
        """Return what :meth:`act` does, from a pass that is kept."""
        log_policy = log_probabilities(kept.logits)
        if self.check:
            require_numbers(log_policy)
        actions = draw(log_policy, self.generator, quick=not self.check)
        surprisal = -pick(log_policy, actions)
        kept.hold(actions, surprisal, log_policy)
        return Screening(actions, surprisal, log_policy, None, (self.counts.updates,), kept)

    def _ranked(
        self, screening: Screening, advantage: Tensor, score: Tensor | None, coefficient: Tensor
    ) -> Selection:
        """Return the selection by a score, or by delight; advantage and coefficient have no graph."""
        if screening.kept is not None and self._may_reuse():
            score = quick_delight(advantage, screening.surprisal) if score is None else score.detach()
            return quick_selection(score, self.gate, self.gate_generator, coefficient=coefficient, check=self.check)
        if score is None:
            score = delight(advantage, screening.surprisal, check=self.check)
        return self._select_samples(score, coefficient=coefficient, check=self.check)

    def _kept_pass(self, observations: Observations, screening: Screening, rows: Tensor | None) -> KeptPass | None:
        """Return the pass of screening if it still is that of the policy over these observations, or let it go."""
        kept, made = screening.kept, (screening.actions, screening.surprisal, screening.log_policy)
        if kept is None:
            return None
        fresh = self._may_reuse() and screening.made_at == (self.counts.updates,)
        fresh = fresh and kept.serves(self.policy, observations, *made)
        if fresh and rows is not None and self._agrees(kept, screening, rows):
            return kept
        kept.clear()
        return None

    @property
    def _compares(self) -> bool:
        """Whether rows of a pass that is kept are run again, to see that they agree; where no limit is set, not."""
        return self.check or self.tolerance is not None

    @torch.no_grad()
    def _agrees(self, kept: KeptPass, screening: Screening, rows: Tensor) -> bool:
        """Whether the kept rows (k,) have the log-probabilities they had, if that is asked; then count their gap."""
        if not self._compares or not len(rows):
            return True
        logits = kept.again(rows)
        second = pick(log_probabilities(logits), screening.actions[rows])
        allowed = self._allowed_gap(logits, own=True)
        assert allowed is not None
        gap = (second + screening.surprisal[rows]).abs()
        if not bool((gap <= allowed).all()):
            return False
        self.counts.add_gap(gap)
        return True

    @torch.no_grad()
    def _write_from(
        self,
        kept: KeptPass,
        screening: Screening,
        coefficient: Tensor,
        rows: Tensor,
        *,
        clear: bool,
    ) -> None:
        """Add the gradient of −Σ_rows coefficient · log π(a) to the parameters' own; coefficients are of the rows.

        The derivative by the logits of a row is coefficient · (π − e_a).
        """
        parameters = kept.parameters()
        if len(rows):
            assert screening.log_policy is not None
            delta = screening.log_policy.index_select(0, rows).exp_()
            actions = screening.actions.index_select(0, rows).unsqueeze(1)
            delta.scatter_add_(1, actions, delta.new_full(actions.shape, -1.0))
            gradients = kept.gradients(rows, (delta * coefficient.unsqueeze(1)).to(parameters[0].dtype))
        else:
            gradients = [torch.zeros_like(each) for each in parameters]
        kept.clear()
        if clear:
            clear_gradients(self.optimizer)
        for each, gradient in zip(parameters, gradients, strict=True):
            if each.grad is None:
                each.grad = gradient
            else:
                each.grad.add_(gradient)
