"""When a step on rows may take its gradient from the activations of screening, and how it is written then."""

from __future__ import annotations

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
    if type(optimizer).zero_grad is not torch.optim.Optimizer.zero_grad or "zero_grad" in vars(optimizer):
        optimizer.zero_grad(set_to_none=True)
        return
    for group in optimizer.param_groups:
        for each in group["params"]:
            each.grad = None


class QuickRowStep(LoggedRowStep):
    """A step on rows that spares kept rows a second pass; see :class:`~kondo_theory.training.ScreenedStep`."""

    reuse: bool
    counts: StepCounts

    def _may_reuse(self) -> bool:
        return self.reuse and self.gate is not None and self.ranks is None

    def _keep_pass(self, observations: Observations) -> KeptPass | None:
        """Return the pass over a batch with its activations, or None where it is not to be kept."""
        with torch.no_grad():
            return KeptPass.of(self.policy, observations) if self._may_reuse() else None

    @torch.no_grad()
    def _screened(self, kept: KeptPass) -> Screening:
        """Return what :meth:`act` does, from a pass that is kept."""
        log_policy = log_probabilities(kept.logits)
        if self.check:
            require_numbers(log_policy)
        actions = draw(log_policy, self.generator, quick=not self.check)
        surprisal = -pick(log_policy, actions)
        kept.hold(self.optimizer, actions, surprisal, log_policy)
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
        """Return the pass of screening if it still is that of the policy over these observations."""
        kept, made = screening.kept, (screening.actions, screening.surprisal, screening.log_policy)
        if kept is None or rows is None or not self._may_reuse() or screening.made_at != (self.counts.updates,):
            return None
        if not kept.serves(self.policy, self.optimizer, observations, *made):
            return None
        return kept if self._agrees(kept, screening, rows[:1]) else None

    @torch.no_grad()
    def _agrees(self, kept: KeptPass, screening: Screening, row: Tensor) -> bool:
        """Whether a row (1,), or none (0,), has the log-probability it had; where no limit is set it is not asked."""
        if not (self.check or self.tolerance is not None) or not len(row):
            return True
        logits = kept.row(row)
        second = pick(log_probabilities(logits), screening.actions[row])
        allowed = self._allowed_gap(logits, own=True)
        assert allowed is not None
        return bool(((second + screening.surprisal[row]).abs() <= allowed).all())

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
        if clear:
            clear_gradients(self.optimizer)
        for each, gradient in zip(parameters, gradients, strict=True):
            if each.grad is None:
                each.grad = gradient
            else:
                each.grad.add_(gradient)
