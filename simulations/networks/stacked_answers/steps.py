"""Gated steps on answers of several seeds side by side: each seed's is that of its own step, up to rounding.

:class:`StackedSequenceStep` is :class:`~simulations.networks.sequence_step.SequenceStep` for a
:class:`~simulations.networks.stacked_answers.transformer.StackedTransformer`. The seeds share matrix products and
nothing else: each has its own parameters, optimizer state and random streams. A rollout holds the answers of all
seeds, one seed's after another's: S·B rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kondo_theory._arrays import uniform
from kondo_theory.gate import Gate, kept_count
from kondo_theory.training.agreement import require_agreement, require_surprisal, rounding
from kondo_theory.training.answers.rules import require_rule
from kondo_theory.training.policies import log_probabilities
from kondo_theory.training.selection import Selection, select_samples
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_counts import PHASES, SequenceCounts, timed
from simulations.networks.sequence_scores import require_known, scores
from simulations.networks.sequence_step import Loss, policy_gradient_loss
from simulations.networks.stacked_answers.parts import Part, part_of
from simulations.networks.stacked_answers.rollouts import log_race, sample_side_by_side
from simulations.networks.stacked_answers.transformer import StackedTransformer

__all__ = ["DivergedError", "StackedSequenceStep"]


class DivergedError(FloatingPointError):
    """The policy of one of the seeds, ``place`` among them, is not finite."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


class StackedSequenceStep:
    """Sample, select and update S seeds at a time.

    Parameters
    ----------
    network : StackedTransformer
    optimizer : torch.optim.Optimizer
        Over the network's parameters; steps once an update, with a zero gradient for a seed that keeps nothing.
    gate, granularity, rule, group_size
        As :class:`~simulations.networks.sequence_step.SequenceStep` takes them; the same for all seeds.
    generators, gate_generators : sequences of torch.Generator
        One a seed, on the network's device: they draw the answers and the gate as they would for that seed alone.

    Attributes
    ----------
    counts : list of simulations.networks.sequence_counts.SequenceCounts
        Of each seed: what its own step would count. A prompt that is read once for all its answers is counted with
        each of them, and padding not at all.
    seconds : dict of str to float
        Of all seeds together, in each of :data:`simulations.networks.sequence_counts.PHASES`.
    """

    def __init__(
        self,
        network: StackedTransformer,
        optimizer: torch.optim.Optimizer,
        gate: Gate | None,
        *,
        granularity: str,
        rule: str,
        group_size: int | None = None,
        generators: Sequence[torch.Generator],
        gate_generators: Sequence[torch.Generator],
    ) -> None:
        require_known(granularity, rule, group_size)
        require_rule(rule, granularity, gate)
        self.network, self.optimizer, self.gate = network, optimizer, gate
        self.granularity, self.rule, self.group_size = granularity, rule, group_size
        self.generators, self.gate_generators = generators, gate_generators
        self.counts = [SequenceCounts() for _ in generators]
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._own: Rollout | None = None  # the rollout that the policies, as they are, have sampled last

    def sample(self, prompts: Tensor, answer_length: int, n_answers: int) -> Rollout:
        """Draw ``n_answers`` answers to each prompt (S, P, H)."""
        n_prompts, network = prompts.shape[1], self.network
        with timed(self.seconds, "sampling", prompts.device):
            shape = (n_prompts, n_answers, answer_length, network.vocab_size)
            rollout = sample_side_by_side(network, prompts, log_race(shape, network, self.generators))
        self._own = rollout
        one = _like_one(rollout, n_prompts * n_answers, answer_length)
        for counts in self.counts:
            counts.add_sampling(network.stacked, one, n_prompts)
        return rollout

    def select(self, rollout: Rollout, advantage: Tensor) -> Selection:
        """Gate each seed's tokens, or its rows.

        Parameters
        ----------
        rollout : Rollout
            From :meth:`sample`.
        advantage : (S, B) tensor

        Returns
        -------
        Selection
            Of S batches side by side, of tokens or of rows; ``keep`` is that of the tokens, (S, B, T).

        Raises
        ------
        DivergedError
            If a surprisal is not finite.
        """
        S, B = advantage.shape
        with timed(self.seconds, "screening", advantage.device):
            surprisal = rollout.surprisal
            T, finite = surprisal.shape[1], surprisal.view(S, -1).isfinite().all(1)
            if not bool(finite.all()):
                raise DivergedError("the policy's log-probabilities are not finite", int((~finite).int().argmax()))
            require_surprisal(surprisal)
            selection = self.gated(rollout, advantage, self.uniforms(B, T, surprisal))
            for counts, n_invalid in zip(self.counts, selection.n_invalid, strict=True):
                counts.add_invalid(n_invalid)
            return selection

    def gated(self, rollout: Rollout, advantage: Tensor, uniforms: Tensor | None) -> Selection:
        """Return :meth:`select` without its checks and counts, which wait for the device."""
        (S, B), T = advantage.shape, rollout.answers.shape[1]
        selection = select_samples(self._scores(rollout, advantage), self.gate, uniforms, check=False)
        return replace(selection, keep=selection.keep.view(S, B, -1).expand(S, B, T))

    def uniforms(self, n_rows: int, length: int, like: Tensor) -> Tensor | None:
        """Return the uniform numbers (S, n) that the gate takes of a batch, None if it takes none."""
        if self.gate is None or (self.gate.rate is None and self.gate.temperature == 0):
            return None
        size = n_rows if self.granularity == "row" else n_rows * length
        return torch.stack([uniform(like.new_empty(size), rng) for rng in self.gate_generators])

    def update(
        self,
        rollout: Rollout,
        coefficient: Tensor,
        selection: Selection,
        n_prompts: int,
        loss: Loss = policy_gradient_loss,
    ) -> None:
        """Backpropagate the kept tokens and step the optimizer.

        Each seed's gradient is that of its own loss over the kept tokens, divided by its B·T.

        Parameters
        ----------
        rollout : Rollout
        coefficient : (S·B, T) tensor
            Advantage, times a soft weight if there is one.
        selection : Selection
            From :meth:`select`.
        n_prompts : int
            Prompts of each seed.
        loss : Loss

        Raises
        ------
        ValueError
            If the policies' log-probabilities are not those that they sampled with.
        """
        keep = selection.keep  # (S, B, T)
        B, T = keep.shape[1:]
        with timed(self.seconds, "training", keep.device):
            n_kept, n_rows = keep.sum((1, 2)).tolist(), keep.any(2).sum(1).tolist()
            lengths = (keep.any(1) * torch.arange(1, T + 1, device=keep.device)).amax(1).tolist()
            if max(n_rows):
                width, length = self.most(B, T) or (max(n_rows), max(lengths))
                part = part_of(self.network, rollout, coefficient, selection, width, length, n_prompts)
                total, gap = self._loss(part, B * T, loss)
                if not bool(total.isfinite()):
                    self._refuse(part, loss)
                if rollout is self._own:
                    require_agreement(*gap, part.keep)
                self._backward(total)
            else:
                for parameter in self.network.parameters():
                    parameter.grad = torch.zeros_like(parameter)
            self.optimizer.step()
        self._own = None
        for counts, kept, rows, length in zip(self.counts, n_kept, n_rows, lengths, strict=True):
            counts.add_backward(self.network.stacked, _like_one(rollout, rows, length) if rows else None, kept)
            counts.add_step()

    def learn(
        self,
        rollout: Rollout,
        coefficient: Tensor,
        selection: Selection,
        n_prompts: int,
        loss: Loss,
        width: int,
        length: int,
    ) -> tuple[Tensor, Tensor]:
        """Take :meth:`update` without its checks and counts, which wait for the device.

        Returns
        -------
        finite, agrees : () boolean tensors
            Whether the loss is, and whether the policies' log-probabilities are those that they sampled with.
        """
        B, T = selection.keep.shape[1:]
        part = part_of(self.network, rollout, coefficient, selection, width, length, n_prompts)
        total, (second, sampled, allowed) = self._loss(part, B * T, loss)
        self._backward(total)
        self.optimizer.step()
        apart = (second - sampled).abs() > allowed
        return total.detach().isfinite(), ~(apart & part.keep).any()

    def most(self, n_rows: int, length: int) -> tuple[int, int] | None:
        """Return the rows of a seed, and tokens of each, that hold a kept token; None where only the draw tells.

        What is known beforehand does not depend on who trains beside, and so the bytes of a result do not either.
        """
        if self.gate is None:
            return n_rows, length
        if self.gate.rate is None or self.gate.temperature > 0 or self.granularity == "token":
            return None
        return kept_count(self.gate.rate, n_rows), length

    def _loss(self, part: Part, n_tokens: int, loss: Loss) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return the sum of all seeds' losses over their B·T tokens; each has parameters of its own.

        And log π of this pass, that of sampling, and how far they may be apart.
        """
        rollout = part.rollout
        logits = self.network.answer_logits(part.prompts, part.answers).flatten(0, 2)
        log_policy = log_probabilities(logits)
        total = loss(log_policy, rollout, part.coefficient) / n_tokens
        second = rollout.log_prob(log_policy.detach())
        allowed = rounding(logits, self.network.stacked.head)  # all parameters have one dtype
        return total, (second, -rollout.surprisal, allowed)

    def _backward(self, total: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()

    @torch.no_grad()
    def _refuse(self, part: Part, loss: Loss) -> None:
        """Raise the error of the first seed whose loss is not finite."""
        log_policy = log_probabilities(self.network.answer_logits(part.prompts, part.answers).flatten(0, 2))
        size = len(log_policy) // len(self.network)
        for place in range(len(self.network)):
            rows = slice(place * size, (place + 1) * size)
            own = part.rollout.part(rows, log_policy.shape[1])
            value = float(loss(log_policy[rows], own, part.coefficient[rows]))
            if not math.isfinite(value):
                raise DivergedError(f"the loss is {value}", place)

    def _scores(self, rollout: Rollout, advantage: Tensor) -> Tensor:
        """Return what the gate ranks, (S, n); without a gate the advantage of each token."""
        S, B = advantage.shape
        if self.gate is None:
            return advantage[..., None].expand(S, B, rollout.answers.shape[1]).reshape(S, -1)
        return scores(rollout, advantage, self.granularity, self.rule, self.group_size)


def _like_one(rollout: Rollout, n_rows: int, length: int) -> Rollout:
    """Return rows of the shape of what one seed backpropagates, for its counts."""
    return rollout.part(slice(0, n_rows), length)
