"""The screened step on sequences: gate tokens or whole answers, backpropagate only the rows that hold a kept token.

Under causal attention the log-probability of an answer's token depends on the prompt and on the tokens before it, and
on nothing after it. So the forward and backward pass needs the rows with a kept token alone, cut after the last kept
token among them. The gradient is that of the masked full batch, divided by the number of all answer tokens and not by
the number kept.

Screening costs nothing when the sampler is the learner: its log-probabilities are the ones that screening would
compute.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.training.agreement import compare_passes, require_surprisal
from kondo_theory.training.answers.rules import require_rule
from kondo_theory.training.gated import GatedStep, require_scale
from kondo_theory.training.policies import (
    fresh_casts,
    log_probabilities,
    logits_of,
    require_graph,
    require_independent_rows,
)
from kondo_theory.training.ranks import Ranks
from kondo_theory.training.selection import Selection
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.sequence_counts import PHASES, SequenceCounts, timed
from simulations.networks.sequence_scores import require_known, scores
from simulations.networks.transformer import Transformer

__all__ = ["Loss", "SequenceStep", "policy_gradient_loss"]

Loss = Callable[[Tensor, Rollout, Tensor], Tensor]
"""The sum of the tokens' losses, 0-d, from the learner's log-probabilities (R, L, M), the part of the rollout that is
backpropagated (R rows, L answer tokens; the sampler's log-probabilities) and the coefficients (R, L), zero where a
token is not kept."""


def policy_gradient_loss(log_policy: Tensor, part: Rollout, coefficient: Tensor) -> Tensor:
    """Return −Σ coefficient · log π(a)."""
    return -(coefficient * part.log_prob(log_policy)).sum()


class SequenceStep(GatedStep):
    """Sample, select and update, one batch at a time.

    :meth:`update` clears the gradients, and calls :meth:`backward` and :meth:`step`; nothing else clears them.

    Parameters
    ----------
    policy : Transformer
    optimizer : torch.optim.Optimizer
        Steps once an update, with a zero gradient when nothing is kept, as it would for the masked batch.
    gate : Gate or None
        Which tokens or rows get a backward pass; None keeps all.
    granularity : {"token", "row"}
        What the gate keeps or drops: a row is kept with all its tokens.
    rule : str
        What it ranks, a name in :data:`simulations.networks.sequence_scores.RULES_OF` the granularity; without a gate
        nothing is ranked.
    group_size : int or None
        Answers to each prompt, of the rules that need it.
    generator, gate_generator : torch.Generator, optional
        Draw the answers and the gate, on the policy's device; None uses torch's global generator, and the gate's None
        uses ``generator``.
    check : bool
        Refuse negative surprisals, and a rollout of this step whose kept tokens have other log-probabilities in the
        first update after it than rounding allows (see :func:`kondo_theory.training.agreement.rounding`). Waits for
        the device.
    tolerance : float or None
        The largest such difference, in nats, for every update and for rollouts from elsewhere too.
    ranks : Ranks or None
        Each of these has a part of the batch, and they gate it as one: see :mod:`kondo_theory.training.ranks`.

    Attributes
    ----------
    counts : SequenceCounts
    seconds : dict
        Seconds spent in each of :data:`simulations.networks.sequence_counts.PHASES`.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown, a rule that can drop has no gate, no score above the gate's price,
        no parameter of the policy is trainable, or the tolerance is negative or NaN.
    """

    policy: Transformer

    def __init__(
        self,
        policy: Transformer,
        optimizer: torch.optim.Optimizer,
        gate: Gate | None,
        *,
        granularity: str = "token",
        rule: str = "delight",
        group_size: int | None = None,
        generator: torch.Generator | None = None,
        gate_generator: torch.Generator | None = None,
        check: bool = True,
        tolerance: float | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        require_known(granularity, rule, group_size)
        require_rule(rule, granularity, gate)
        generators: dict[str, Any] = {"generator": generator, "gate_generator": gate_generator}
        super().__init__(policy, optimizer, gate, **generators, check=check, tolerance=tolerance, ranks=ranks)
        self.network: Transformer = getattr(policy, "module", policy)  # what DistributedDataParallel wraps
        self.granularity, self.rule, self.group_size = granularity, rule, group_size
        self._own: Rollout | None = None  # the rollout that the policy, as it is, has sampled last
        self.counts: SequenceCounts = SequenceCounts()
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def sample(self, prompts: Tensor, answer_length: int, n_answers: int) -> Rollout:
        """Draw ``n_answers`` answers to each prompt (P, H); see :func:`simulations.networks.rollouts.sample`."""
        require_independent_rows(self.policy)
        draws: dict[str, Any] = {"n_answers": n_answers, "generator": self.generator, "ranks": self.ranks}
        with self._timed("sampling"), fresh_casts():
            rollout = sample(self.network, prompts, answer_length, **draws)
        self._own = rollout
        self.counts.add_sampling(self.network, rollout, len(prompts))
        return rollout

    def select(self, rollout: Rollout, advantage: Tensor, *, on_policy: bool = True) -> Selection:
        """Gate the tokens, or the rows, of a rollout.

        Tokens and rows whose score is NaN, or whose advantage is not finite, are never kept; they stay in the batch
        that a rate is of, and ``counts.invalid_samples`` counts them.

        Parameters
        ----------
        rollout : Rollout
        advantage : (B,) tensor
        on_policy : bool
            The rollout's log-probabilities are the policy's own. Otherwise one forward pass without a graph renews
            them.

        Returns
        -------
        Selection
            Of all tokens or of all rows; ``keep`` is that of the tokens, (B, T).

        Raises
        ------
        ValueError
            If ``advantage`` is not a vector with a value for each row or, with ``check``, a surprisal is negative.
        FloatingPointError
            If a surprisal is not finite: the policy diverged.
        """
        B, T = rollout.answers.shape
        if tuple(advantage.shape) != (B,):
            raise ValueError(f"advantage must have a value for each of the {B} rows, got {tuple(advantage.shape)}")
        with self._timed("screening"):
            if not on_policy:
                self._own = None
                with torch.no_grad():
                    rollout = Rollout(rollout.tokens, log_probabilities(self._logits(rollout)))
                self.counts.add_screening(self.network, rollout)
            if not bool(rollout.surprisal.isfinite().all()):
                raise FloatingPointError("the policy's log-probabilities are not finite")
            if self.check:
                require_surprisal(rollout.surprisal)
            coefficient = advantage.repeat_interleave(T) if self.granularity == "token" else advantage
            score = coefficient
            if self.gate is not None:
                score = scores(rollout, advantage, self.granularity, self.rule, self.group_size)
            selection = self._select_samples(score, coefficient=coefficient, check=False)
            self.counts.add_invalid(selection.n_invalid)
            return replace(selection, keep=selection.keep.view(B, -1).expand(B, T))

    def backward(
        self,
        rollout: Rollout,
        coefficient: Tensor,
        selection: Selection,
        loss: Loss = policy_gradient_loss,
        *,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Add the gradient of scale · loss, over the kept tokens and divided by B·T, to the parameters' own.

        Earlier gradients are not cleared. Where nothing is kept the loss is zero: the parameters that the policy uses
        get a gradient of zero if they have none, and all others stay as they are. After an error everything is as
        before.

        Parameters
        ----------
        rollout : Rollout
        coefficient : (B, T) tensor
            Advantage, times a soft weight if there is one; no gradient flows through it.
        selection : Selection
            From :meth:`select`.
        loss : Loss
        scale : float or 0-d tensor
            A loss scale, or the batch's share of those that are accumulated.

        Raises
        ------
        ValueError
            If the shapes do not match, the scale is not finite, or the policy's log-probabilities are too far from
            the rollout's (see the class).
        FloatingPointError
            If the loss is not finite.
        """
        require_scale(scale)
        with self._timed("training"):
            self._backward(rollout, coefficient, selection, loss, scale=scale, clear=False)

    def step(self, by: Callable[[torch.optim.Optimizer], object] | None = None) -> None:
        """Step the optimizer, as :meth:`kondo_theory.training.gated.GatedStep.step` does."""
        with self._timed("training"):
            super().step(by)
        self._own = None

    def update(
        self, rollout: Rollout, coefficient: Tensor, selection: Selection, loss: Loss = policy_gradient_loss
    ) -> None:
        """Clear the gradients, backpropagate the kept tokens and step the optimizer.

        Parameters and errors as for :meth:`backward`. After an error parameters, gradients and optimizer are as
        before.
        """
        with self._timed("training"):
            self._backward(rollout, coefficient, selection, loss, scale=1.0, clear=True)
        self.step()

    def _backward(
        self,
        rollout: Rollout,
        coefficient: Tensor,
        selection: Selection,
        loss: Loss,
        *,
        scale: Tensor | float,
        clear: bool,
    ) -> None:
        """Write the gradient and count it: of the rows that hold a kept token, cut after the last one among them."""
        (B, T), keep = rollout.answers.shape, selection.keep
        for name, value in (("keep", keep), ("coefficient", coefficient)):
            if tuple(value.shape) != (B, T):
                raise ValueError(f"{name} must have the shape of the answers, {(B, T)}, got {tuple(value.shape)}")
        part, rows, n_tokens = None, selection.rows, B * T
        if self.ranks is not None:
            n_tokens = int(selection.n_valid) * (T if self.granularity == "row" else 1)
        with torch.enable_grad():
            if len(rows):
                length = 1 + int(keep.any(0).nonzero()[-1])
                part = rollout.part(rows, length)
                masked = torch.where(keep, coefficient.detach(), 0.0)[rows, :length]
                mean = self._mean_loss(part, keep[rows, :length], masked, loss, n_tokens, own=rollout is self._own)
            else:
                mean = self._logits(rollout.part(slice(0, 1), T))
            self._write(mean, scale=scale, clear=clear, empty=part is None)
        self.counts.add_backward(self.network, part, int(keep.sum()))

    def _mean_loss(
        self, part: Rollout, keep: Tensor, coefficient: Tensor, loss: Loss, n_tokens: int, *, own: bool
    ) -> Tensor:
        """Return the loss of a part of B·T tokens over their number, counting or refusing the passes' gap."""
        logits = self._logits(part)
        log_policy = log_probabilities(logits)
        require_graph(log_policy)
        mean = loss(log_policy, part, coefficient) / n_tokens
        if not bool(mean.isfinite()):
            raise FloatingPointError(f"the loss is {float(mean.detach())}")
        second = part.log_prob(log_policy.detach())
        compare_passes(self.counts, second, -part.surprisal, self._allowed_gap(logits, own=own), keep)
        return mean

    def _logits(self, rollout: Rollout) -> Tensor:
        """Return the learner's logits of every token at each answer position, (B, T, M)."""
        B, T = rollout.answers.shape
        with fresh_casts():
            return logits_of(self.policy(rollout.tokens[:, :-1], T), B, T)

    def _timed(self, phase: str) -> AbstractContextManager[None]:
        return timed(self.seconds, phase, self.network.positions.device)
