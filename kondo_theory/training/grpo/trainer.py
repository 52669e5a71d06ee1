"""The gate as a class in front of TRL's GRPO trainer.

TRL draws a batch of answers, shuffles them and deals them out to micro-batches. All that stays as it is. What is not
kept is then taken out, and what is kept in the micro-batches of one optimizer step moves together, so that the others
are empty and cost nothing. The gradient is that of TRL's loss on all answers with the advantages of those that are
dropped set to zero: where a loss divides by what is in its micro-batch it is scaled back. Settings under which that
would not be so are refused by name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import Rule
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.groups import groups_without_spread
from kondo_theory.training.answers.rules import needs_entropy, needs_log_prob, require_rule
from kondo_theory.training.answers.scores import ROW_SURPRISALS, select_answers
from kondo_theory.training.grpo.batches import LOSSES, Batch, kept_alone, without_spread
from kondo_theory.training.policies import require_independent_rows
from kondo_theory.training.selection import Selection
from kondo_theory.words import choice

if TYPE_CHECKING:
    from trl import GRPOTrainer as _Trainer
else:
    _Trainer = object

__all__ = ["GatedGRPO"]

_ON_EVERY_ROW = "has a gradient on every row, kept or not"
_REFUSED: dict[str, tuple[Any, str]] = {
    "beta": (0, f"a KL to a reference {_ON_EVERY_ROW}"),
    "entropy_coef": (0, f"an entropy bonus {_ON_EVERY_ROW}"),
    "use_adaptive_entropy": (False, f"an entropy bonus {_ON_EVERY_ROW}"),
    "top_entropy_quantile": (1, "the quantile would be that of the kept rows alone"),
    "use_liger_kernel": (False, "it is not tested, and deprecated by TRL"),
    "world_size": (1, "the gate ranks the answers of one process"),
    "deepspeed": (None, "all processes have to run all micro-batches"),
    "fsdp": (None, "all processes have to run all micro-batches"),
}
"""What must be left at which value of a ``GRPOConfig``, and why."""


class GatedGRPO(_Trainer):  # type: ignore[misc]
    """TRL's ``GRPOTrainer`` with a gate, to be put in front of it: ``class Mine(GatedGRPO, MyGRPOTrainer)``.

    Each batch of answers that TRL draws is gated once, for all optimizer steps and iterations that it serves. Each
    logs, under ``kondo/``: ``rate`` and ``price``, what is kept of what is gated and the score above which it is;
    ``rows_kept``; ``invalid``, what has no number for a score; and ``groups_without_spread``, which teach nothing.
    TRL's own numbers on its training pass (entropy, clipping) are of the kept answers alone.

    Parameters
    ----------
    model, reward_funcs, args, **options
        Those of ``trl.GRPOTrainer``.
    gate : Gate or None
        What gets a backward pass; None keeps all answers that have an advantage, by whatever ``rule``.
    level : {"row", "group"}
        Whether answers are kept or dropped one by one, or with all others to their prompt.
    rule, row_surprisal
        As for :func:`kondo_theory.training.answers.select_answers`. The rules that look at the advantage alone need
        nothing else. The others take log-probabilities from the sampler (vLLM, a ``rollout_func``), or those that TRL
        has computed, and where neither has them for all tokens one forward pass without a graph does.
    generator : torch.Generator or None
        Draws the gate and breaks ties, on the model's device; None uses torch's global generator, whose state TRL's
        checkpoints hold.

    Raises
    ------
    ValueError
        If a name is unknown, the rule does not fit the level or the gate, or a setting gives what is dropped a
        gradient, or could: a KL to a reference, an entropy bonus, tokens masked by entropy, the loss that balances
        experts, images, Liger's kernels, a layer that mixes rows, several processes.
    """

    _buffered_inputs: Any

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: Any = None,
        *,
        gate: Gate | None,
        level: str = "row",
        rule: str | Rule = "delight",
        row_surprisal: str = "sum",
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        self.gate, self.rule, self.gate_generator = gate, rule, generator
        self.level = choice("level", level, ("row", "group"))
        self.row_surprisal = choice("row_surprisal", row_surprisal, ROW_SURPRISALS)
        require_rule(rule, level, gate)
        if args is not None:  # before TRL loads what they ask for
            _require_settings(args)
        super().__init__(model, reward_funcs, args, **options)
        _require_settings(self.args)
        if self.aux_loss_enabled:
            raise ValueError("router_aux_loss_coef must be 0 with a gate, for experts are balanced over all rows")
        if self._is_vlm:
            raise ValueError("the model must be one of text alone with a gate: images are not of single rows")
        require_independent_rows(self.model)

    def _calculate_rewards(self, *arguments: Any) -> Any:
        self._rewards = super()._calculate_rewards(*arguments)
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        training = self.model.training
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if training:
            batch["kondo_keep"] = self._select(batch).keep.any(1)
        return batch

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        if self._buffered_inputs is before or not self.model.training:
            return inputs
        batches = self._buffered_inputs
        n = math.gcd(len(batches), self.args.gradient_accumulation_steps)  # these surely share an optimizer step
        shared = [batches[start : start + n] for start in range(0, len(batches), n)]
        cut = self.pad_to_multiple_of is None
        self._buffered_inputs = [each for some in shared for each in kept_alone(some, self.loss_type, cut=cut)]
        return self._buffered_inputs[self._step % len(batches)]

    def _compute_loss(self, model: Any, inputs: Batch) -> Tensor:
        if not inputs:  # nothing is left of this micro-batch
            return torch.zeros((), device=self.accelerator.device, requires_grad=True)
        if "kondo_keep" in inputs:
            raise RuntimeError("the rows that are not kept were not taken out: TRL's _prepare_inputs was not called")
        loss: Tensor = super()._compute_loss(model, inputs) * inputs.get("kondo_scale", 1.0)
        return loss

    def _select(self, batch: Batch) -> Selection:
        """Gate a batch of answers as TRL made it, and log what is kept."""
        mask, groups = batch["completion_mask"], self.num_generations
        answered = mask * batch.get("tool_mask", 1)
        answers = Answers(batch["completion_ids"], mask, answered, *self._log_prob(batch, answered.bool()))
        summed = self.multi_objective_aggregation == "sum_then_normalize"
        alike = without_spread(self._rewards, groups, self.reward_weights.to(self._rewards.device), summed=summed)
        advantage = batch["advantages"].masked_fill(alike, 0.0)
        selection = select_answers(
            answers,
            advantage,
            self.gate,
            level=self.level,
            rule=self.rule,
            row_surprisal=self.row_surprisal,
            groups=groups,
            rng=self.gate_generator,
        )
        price = math.nan if selection.price is None else float(selection.price)
        logged: dict[str, Any] = {
            "rate": selection.n_kept / selection.n_valid.clamp(min=1),
            "price": price if math.isfinite(price) else math.nan,  # which TRL leaves out of its means
            "rows_kept": selection.keep.any(1).sum(),
            "invalid": selection.n_invalid,
            "groups_without_spread": groups_without_spread(groups, answers, advantage)[1],
        }
        for name, value in logged.items():
            self._metrics["train"][f"kondo/{name}"].append(float(value))
        return selection

    def _log_prob(self, batch: Batch, answered: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return what the rule needs of log-probabilities and entropies, (B, C) each."""
        if self.gate is None or not needs_log_prob(self.rule):
            return None, None
        with_entropy = needs_entropy(self.rule)
        for name in ("sampling_per_token_logps", "old_per_token_logps"):
            known = batch.get(name)
            if known is not None and not with_entropy and not bool(known[answered].isnan().any()):
                return known, None
        tokens, attended = (
            torch.cat([batch[f"prompt_{what}"], batch[f"completion_{what}"]], dim=1) for what in ("ids", "mask")
        )
        with torch.no_grad():
            log_prob, entropy, _ = self._get_per_token_logps_and_entropies(
                self.model,
                tokens,
                attended,
                answered.shape[1],
                batch_size=self.args.per_device_train_batch_size,
                compute_entropy=with_entropy,
            )
        return log_prob, entropy


def _require_settings(args: Any) -> None:
    """Refuse a ``GRPOConfig`` under which the gradient would be another."""
    choice("loss_type", args.loss_type, LOSSES)
    for name, (neutral, why) in _REFUSED.items():
        value = getattr(args, name)
        if value != neutral and (value or neutral):  # an empty list says what None does
            raise ValueError(f"{name} must be {neutral} with a gate, for {why}, got {value}")
