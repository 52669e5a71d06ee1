"""Gated steps on answers of several seeds side by side: each seed's is that of its own step, up to rounding.

:class:`StackedSequenceStep` is :class:`~simulations.networks.sequence_step.SequenceStep` for a
:class:`~simulations.networks.stacked_answers.transformer.StackedTransformer`. The seeds share matrix products and
nothing else: each has its own parameters, optimizer state and random streams. A rollout holds the answers of all
seeds, one seed's after another's: S·B rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kondo_theory._arrays import uniform
from kondo_theory.gate import Gate, kept_count
from kondo_theory.training.agreement import require_agreement, require_surprisal, rounding
from kondo_theory.training.policies import log_probabilities
from kondo_theory.training.selection import Selection, select_samples
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_counts import PHASES, SequenceCounts, timed
from simulations.networks.sequence_scores import require_known, scores
from simulations.networks.sequence_step import Loss, policy_gradient_loss
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
        group_size: int | None,
        generators: Sequence[torch.Generator],
        gate_generators: Sequence[torch.Generator],
    ) -> None:
        require_known(granularity, rule, group_size)
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
        (S, B), T = advantage.shape, rollout.answers.shape[1]
        with timed(self.seconds, "screening", advantage.device):
            surprisal = rollout.surprisal
            finite = surprisal.view(S, -1).isfinite().all(1)
            if not bool(finite.all()):
                raise DivergedError("the policy's log-probabilities are not finite", int((~finite).int().argmax()))
            require_surprisal(surprisal)
            score = self._scores(rollout, advantage)
            selection = select_samples(score, self.gate, self._uniforms(score), check=False)
            for counts, n_invalid in zip(self.counts, selection.n_invalid, strict=True):
                counts.add_invalid(n_invalid)
            return replace(selection, keep=selection.keep.view(S, B, -1).expand(S, B, T))

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
                width, length = self._most(B, T) or (max(n_rows), max(lengths))
                part = self._part(rollout, coefficient, selection, width, length, n_prompts)
                self.optimizer.zero_grad(set_to_none=True)
                self._backward(part, B * T, loss, own=rollout is self._own)
            else:
                for parameter in self.network.parameters():
                    parameter.grad = torch.zeros_like(parameter)
            self.optimizer.step()
        self._own = None
        for counts, kept, rows, length in zip(self.counts, n_kept, n_rows, lengths, strict=True):
            counts.add_backward(self.network.stacked, _like_one(rollout, rows, length) if rows else None, kept)
            counts.add_step()

    def _most(self, n_rows: int, length: int) -> tuple[int, int] | None:
        """Return the rows of a seed, and tokens of each, that hold a kept token; None where only the draw tells.

        What is known beforehand does not depend on who trains beside, and so the bytes of a result do not either.
        """
        if self.gate is None:
            return n_rows, length
        if self.gate.rate is None or self.gate.temperature > 0 or self.granularity == "token":
            return None
        return kept_count(self.gate.rate, n_rows), length

    def _part(
        self,
        rollout: Rollout,
        coefficient: Tensor,
        selection: Selection,
        width: int,
        length: int,
        n_prompts: int,
    ) -> _Part:
        """Return what is backpropagated, cut to ``length`` tokens: the whole trees, or ``width`` rows of each seed.

        Rows that hold no kept token have coefficients of zero. Whichever takes fewer FLOPs is taken.
        """
        (S, B, T), H, network = selection.keep.shape, rollout.prompts.shape[1], self.network
        coefficient = torch.where(selection.keep.view(S * B, T), coefficient.detach(), 0.0)
        n_answers, M = B // n_prompts, network.vocab_size
        n_new = n_answers * (length - 1)
        trees = network.size.forward_flops(n_prompts, H + n_new, 1 + n_new, M)
        if trees <= network.size.forward_flops(width, H + length - 1, length, M):
            keep = selection.keep.view(S * B, T)[:, :length]
            return _Part(rollout.part(slice(None), length), coefficient[:, :length], keep, (S, n_prompts, n_answers))
        rows, present = replace(selection, keep=selection.keep.any(2)).padded_rows(width)
        flat = (rows + torch.arange(0, S * B, B, device=rows.device)[:, None]).flatten()
        keep = selection.keep.view(S * B, T)[flat, :length] & present.view(-1, 1)
        return _Part(rollout.part(flat, length), coefficient[flat, :length] * keep, keep, (S, width, 1))

    def _backward(self, part: _Part, n_tokens: int, loss: Loss, *, own: bool) -> None:
        """Write the gradient of each seed's loss over its B·T tokens."""
        rollout, coefficient = part.rollout, part.coefficient
        logits = self.network.answer_logits(part.prompts, part.answers).flatten(0, 2)
        log_policy = log_probabilities(logits)
        total = loss(log_policy, rollout, coefficient) / n_tokens  # of all seeds: each has parameters of its own
        if not bool(total.isfinite()):
            self._refuse(log_policy.detach(), part, loss)
        if own:
            second = rollout.log_prob(log_policy.detach())
            require_agreement(second, -rollout.surprisal, rounding(logits, self.network), part.keep)
        total.backward()

    def _refuse(self, log_policy: Tensor, part: _Part, loss: Loss) -> None:
        """Raise the error of the first seed whose loss is not finite."""
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

    def _uniforms(self, score: Tensor) -> Tensor | None:
        """Return the uniform numbers (S, n) that the gate takes, None if it takes none."""
        if self.gate is None or (self.gate.rate is None and self.gate.temperature == 0):
            return None
        return torch.stack([uniform(each, rng) for each, rng in zip(score, self.gate_generators, strict=True)])


@dataclass(frozen=True)
class _Part:
    """What is backpropagated: answers to prompts in ``shape`` (S, G, A), G trees of A answers a seed, as S·G·A rows.

    ``coefficient`` and ``keep`` are (S·G·A, L).
    """

    rollout: Rollout
    coefficient: Tensor
    keep: Tensor
    shape: tuple[int, int, int]

    @property
    def prompts(self) -> Tensor:
        """Prompt of each tree, (S, G, H)."""
        return self.rollout.prompts.view(*self.shape, -1)[:, :, 0]

    @property
    def answers(self) -> Tensor:
        """The answers, (S, G, A, L)."""
        return self.rollout.answers.reshape(*self.shape, -1)


def _like_one(rollout: Rollout, n_rows: int, length: int) -> Rollout:
    """Return rows of the shape of what one seed backpropagates, for its counts."""
    return rollout.part(slice(0, n_rows), length)
