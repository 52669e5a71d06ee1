"""The screened step on sequences: gate tokens or whole answers, backpropagate only the rows that hold a kept token.

Under causal attention the log-probability of an answer's token depends on the prompt and on the tokens before it, and
on nothing after it. So the forward and backward pass needs the rows with a kept token alone, cut after the last kept
token among them. The gradient is that of the masked full batch, divided by the number of all answer tokens and not by
the number kept.

Screening costs nothing when the sampler is the learner: its log-probabilities are the ones that screening would
compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import RULES
from kondo_theory.training.agreement import (
    require_agreement,
    require_surprisal,
    require_tolerance,
    rounding,
)
from kondo_theory.training.policies import (
    fresh_casts,
    log_probabilities,
    logits_of,
    require_graph,
    require_independent_rows,
    require_trainable,
    zero_gradient,
)
from kondo_theory.words import choice
from simulations.devices import clock
from simulations.networks.sequence_counts import SequenceCounts
from simulations.networks.transformer import Rollout, Transformer, sample

__all__ = ["GRANULARITIES", "PHASES", "Loss", "SequenceCounts", "SequenceStep", "policy_gradient_loss", "scores"]

GRANULARITIES = ("token", "row")
PHASES = ("sampling", "screening", "training")

Loss = Callable[[Tensor, Rollout, Tensor], Tensor]
"""The sum of the tokens' losses, 0-d, from the learner's log-probabilities (R, L, M), the part of the rollout that is
backpropagated (R rows, L answer tokens; the sampler's log-probabilities) and the coefficients (R, L), zero where a
token is not kept."""


def policy_gradient_loss(log_policy: Tensor, part: Rollout, coefficient: Tensor) -> Tensor:
    """Return −Σ coefficient · log π(a)."""
    return -(coefficient * part.log_prob(log_policy)).sum()


def scores(rollout: Rollout, advantage: Tensor, granularity: str, rule: str = "delight") -> Tensor:
    """Return what the gate ranks: a score for each token, (B·T,), or for each row, (B,).

    A token has its own surprisal and its position's policy entropy; a row has the sums over its tokens, so that row
    delight is advantage × −log π(answer).

    Parameters
    ----------
    rollout : Rollout
    advantage : (B,) tensor
        U of the whole answer, shared by its tokens.
    granularity : {"token", "row"}
    rule : str
        A name in :data:`kondo_theory.screening.RULES`.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown.
    """
    _require_known(granularity, rule)
    surprisal = rollout.surprisal  # (B, T)
    entropy = torch.special.entr(rollout.log_policy.exp()).sum(-1)  # (B, T)
    if granularity == "row":
        surprisal, entropy = surprisal.sum(1), entropy.sum(1)
    else:
        advantage = advantage.unsqueeze(1).expand_as(surprisal)
    score: Tensor = RULES[rule](advantage.reshape(-1), surprisal.reshape(-1), entropy.reshape(-1))
    return score


def _require_known(granularity: str, rule: str) -> None:
    for name, value, allowed in (("granularity", granularity, GRANULARITIES), ("rule", rule, tuple(RULES))):
        choice(name, value, allowed)


class SequenceStep:
    """Sample, screen and update, one batch at a time.

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
        What it ranks, a name in :data:`kondo_theory.screening.RULES`.
    generator, gate_generator : torch.Generator, optional
        Draw the answers and the gate, on the policy's device; None uses torch's global generator, and the gate's None
        uses ``generator``.
    check : bool
        Refuse negative surprisals, and a rollout of this step whose kept tokens have other log-probabilities in the
        first update after it than rounding allows (see :func:`kondo_theory.training.agreement.rounding`). Waits for
        the device.
    tolerance : float or None
        The largest such difference, in nats, for every update and for rollouts from elsewhere too.

    Attributes
    ----------
    counts : SequenceCounts
    seconds : dict
        Seconds spent in each of ``PHASES``, by :func:`simulations.devices.clock`.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown, no parameter of the policy is trainable, or the tolerance is
        negative or NaN.
    """

    def __init__(
        self,
        policy: Transformer,
        optimizer: torch.optim.Optimizer,
        gate: Gate | None,
        *,
        granularity: str = "token",
        rule: str = "delight",
        generator: torch.Generator | None = None,
        gate_generator: torch.Generator | None = None,
        check: bool = True,
        tolerance: float | None = None,
    ) -> None:
        _require_known(granularity, rule)
        require_trainable(policy)
        require_independent_rows(policy)
        self.policy, self.optimizer, self.gate = policy, optimizer, gate
        self.granularity, self.rule = granularity, rule
        self.generator, self.gate_generator = generator, gate_generator or generator
        self.check, self.tolerance = check, require_tolerance(tolerance)
        self._own: Rollout | None = None  # the rollout that the policy, as it is, has sampled last
        self.counts = SequenceCounts()
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def sample(self, prompts: Tensor, answer_length: int, answers: int) -> Rollout:
        """Draw ``answers`` answers to each prompt (P, H); see :func:`simulations.networks.transformer.sample`."""
        require_independent_rows(self.policy)
        with self._timed("sampling"), fresh_casts():
            rollout = sample(self.policy, prompts, answer_length, answers=answers, generator=self.generator)
        self._own = rollout
        (P, H), T, counts = prompts.shape, answer_length, self.counts
        counts.forward_rows += P * answers
        counts.forward_tokens += P * answers * T
        counts.full_tokens += P * answers * (H + T - 1)
        counts.sampling_flops += self.policy.size.sampling_flops(P, answers, H, T, self.policy.vocab_size)
        return rollout

    def screen(self, rollout: Rollout, advantage: Tensor, *, on_policy: bool = True) -> Tensor:
        """Return the (B, T) boolean mask of the tokens that the gate keeps.

        Tokens and rows whose score is NaN, or whose advantage is not finite, are never kept; they stay in the batch
        that a rate is of, and ``counts.invalid_samples`` counts them.

        Parameters
        ----------
        rollout : Rollout
        advantage : (B,) tensor
        on_policy : bool
            The rollout's log-probabilities are the policy's own. Otherwise one forward pass without a graph renews
            them.

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
                self.counts.screening_flops += self._forward_flops(rollout)
            if not bool(rollout.surprisal.isfinite().all()):
                raise FloatingPointError("the policy's log-probabilities are not finite")
            if self.check:
                require_surprisal(rollout.surprisal)
            invalid = ~advantage.isfinite().unsqueeze(1).expand(B, T if self.granularity == "token" else 1)
            if self.gate is None:
                keep = ~invalid
            else:
                score = scores(rollout, advantage, self.granularity, self.rule)
                invalid = invalid | score.isnan().view_as(invalid)
                valid_score = score.masked_fill(invalid.reshape(-1), -math.inf)
                keep = self.gate(valid_score, self.gate_generator, check=False).view_as(invalid)
            self.counts.add_invalid(invalid)
            return keep.expand(B, T)

    def update(self, rollout: Rollout, keep: Tensor, coefficient: Tensor, loss: Loss = policy_gradient_loss) -> None:
        """Backpropagate the kept tokens and step the optimizer.

        Parameters
        ----------
        rollout : Rollout
        keep : (B, T) boolean tensor
            From :meth:`screen`, or any other.
        coefficient : (B, T) tensor
            Advantage, times a soft weight if there is one; no gradient flows through it.
        loss : Loss
            Its sum over the kept tokens is divided by B·T.

        Raises
        ------
        ValueError
            If the shapes do not match, or the policy's log-probabilities are too far from the rollout's (see the
            class).
        FloatingPointError
            If the loss is not finite.

        After an error parameters, gradients and optimizer are as before.
        """
        B, T = rollout.answers.shape
        for name, value in (("keep", keep), ("coefficient", coefficient)):
            if tuple(value.shape) != (B, T):
                raise ValueError(f"{name} must have the shape of the answers, {(B, T)}, got {tuple(value.shape)}")
        with self._timed("training"):
            rows = keep.any(1).nonzero().squeeze(1)
            if len(rows):
                length = 1 + int(keep.any(0).nonzero()[-1])
                masked = torch.where(keep, coefficient.detach(), 0.0)[rows, :length]
                kept, own = keep[rows, :length], rollout is self._own
                self._backpropagate(rollout.part(rows, length), kept, masked, loss, B * T, own)
            else:
                logits = self._logits(rollout.part(slice(0, 1), T))
                self.optimizer.zero_grad(set_to_none=True)
                zero_gradient(self.policy, logits)
            self.optimizer.step()
        self._own = None
        self.counts.optimizer_steps += 1
        self.counts.backward_tokens += int(keep.sum())

    def _backpropagate(
        self, part: Rollout, keep: Tensor, coefficient: Tensor, loss: Loss, n_tokens: int, own: bool
    ) -> None:
        logits = self._logits(part)
        log_policy = log_probabilities(logits)
        require_graph(log_policy)
        mean = loss(log_policy, part, coefficient) / n_tokens
        if not bool(mean.isfinite()):
            raise FloatingPointError(f"the loss is {float(mean.detach())}")
        second, screened = part.log_prob(log_policy.detach()), -part.surprisal
        if self.tolerance is not None:
            require_agreement(second, screened, self.tolerance, keep)
        elif self.check and own:
            require_agreement(second, screened, rounding(logits, self.policy), keep)
        self.counts.add_gap((second - screened).abs(), keep)
        self.optimizer.zero_grad(set_to_none=True)
        mean.backward()
        rows, positions = part.tokens.shape[0], part.tokens.shape[1] - 1
        self.counts.backward_rows += rows
        self.counts.processed_tokens += rows * positions
        self.counts.training_flops += 3 * self._forward_flops(part)

    def _logits(self, rollout: Rollout) -> Tensor:
        """Return the learner's logits of every token at each answer position, (B, T, M)."""
        B, T = rollout.answers.shape
        with fresh_casts():
            return logits_of(self.policy(rollout.tokens[:, :-1], T), B, T)

    def _forward_flops(self, rollout: Rollout) -> int:
        (rows, tokens), T = rollout.tokens.shape, rollout.log_policy.shape[1]
        return self.policy.size.forward_flops(rows, tokens - 1, T, self.policy.vocab_size)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        now, _ = clock(self.policy.positions.device)
        started = now()
        yield
        self.seconds[phase] += now() - started
