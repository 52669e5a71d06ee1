"""The screened step on sequences: gate tokens or whole answers, backpropagate only the rows that hold a kept token.

Under causal attention the log-probability of an answer's token depends on the prompt and on the tokens before it, and
on nothing after it. So the forward and backward pass needs the rows with a kept token alone, cut after the last kept
token among them. The gradient is that of the masked full batch, divided by the number of all answer tokens and not by
the number kept.

Screening costs nothing when the sampler is the learner: its log-probabilities are the ones that screening would
compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import RULES
from kondo_theory.words import choice
from simulations.devices import clock
from simulations.transformer import Rollout, Transformer, sample

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


@dataclass
class SequenceCounts:
    """What the steps so far have cost: counted, never assumed.

    Attributes
    ----------
    optimizer_steps : int
    forward_rows, forward_tokens : int
        Answers sampled, and their tokens: the logical forward cost.
    backward_tokens : int
        Tokens kept, each time they were backpropagated: the logical backward cost.
    backward_rows : int
        Rows that went through forward and backward.
    processed_tokens : int
        Positions that did, prompts and unkept tokens before a kept one included: the physical cost.
    full_tokens : int
        Positions that one full pass over each batch would process.
    sampling_flops, screening_flops, training_flops : int
        By :class:`simulations.transformer.Architecture`; training is forward and backward.
    """

    optimizer_steps: int = 0
    forward_rows: int = 0
    forward_tokens: int = 0
    backward_tokens: int = 0
    backward_rows: int = 0
    processed_tokens: int = 0
    full_tokens: int = 0
    sampling_flops: int = 0
    screening_flops: int = 0
    training_flops: int = 0

    @property
    def logical_share(self) -> float:
        """Kept tokens over all answer tokens, once for each time they were backpropagated."""
        return self.backward_tokens / self.forward_tokens

    @property
    def physical_share(self) -> float:
        """Positions processed over those of full steps: what the kept tokens cost, as a share of everything."""
        return self.processed_tokens / self.full_tokens


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

    Attributes
    ----------
    counts : SequenceCounts
    seconds : dict
        Seconds spent in each of ``PHASES``, by :func:`simulations.devices.clock`.

    Raises
    ------
    ValueError
        If ``granularity`` or ``rule`` is unknown.
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
    ) -> None:
        _require_known(granularity, rule)
        self.policy, self.optimizer, self.gate = policy, optimizer, gate
        self.granularity, self.rule = granularity, rule
        self.generator, self.gate_generator = generator, gate_generator or generator
        self.counts = SequenceCounts()
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def sample(self, prompts: Tensor, answer_length: int, answers: int) -> Rollout:
        """Draw ``answers`` answers to each prompt (P, H); see :func:`simulations.transformer.sample`."""
        with self._timed("sampling"):
            rollout = sample(self.policy, prompts, answer_length, answers=answers, generator=self.generator)
        (P, H), T, counts = prompts.shape, answer_length, self.counts
        counts.forward_rows += P * answers
        counts.forward_tokens += P * answers * T
        counts.full_tokens += P * answers * (H + T - 1)
        counts.sampling_flops += self.policy.size.sampling_flops(P, answers, H, T, self.policy.vocab_size)
        return rollout

    def screen(self, rollout: Rollout, advantage: Tensor, *, on_policy: bool = True) -> Tensor:
        """Return the (B, T) boolean mask of the tokens that the gate keeps.

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
            If ``advantage`` is not a vector with a value for each row.
        FloatingPointError
            If a surprisal is not finite: the policy diverged.
        """
        B, T = rollout.answers.shape
        if tuple(advantage.shape) != (B,):
            raise ValueError(f"advantage must have a value for each of the {B} rows, got {tuple(advantage.shape)}")
        with self._timed("screening"):
            if not on_policy:
                with torch.no_grad():
                    rollout = Rollout(rollout.tokens, self._log_policy(rollout))
                self.counts.screening_flops += self._forward_flops(rollout)
            if not bool(rollout.surprisal.isfinite().all()):
                raise FloatingPointError("the policy's log-probabilities are not finite")
            if self.gate is None:
                return torch.ones_like(rollout.answers, dtype=torch.bool)
            score = scores(rollout, advantage, self.granularity, self.rule)
            keep: Tensor = self.gate(score, self.gate_generator, check=False)
            return keep.view(B, -1).expand(B, T)

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
            If the shapes do not match.
        FloatingPointError
            If the loss is not finite; the parameters are left as they were.
        """
        B, T = rollout.answers.shape
        for name, value in (("keep", keep), ("coefficient", coefficient)):
            if tuple(value.shape) != (B, T):
                raise ValueError(f"{name} must have the shape of the answers, {(B, T)}, got {tuple(value.shape)}")
        with self._timed("training"):
            self.optimizer.zero_grad(set_to_none=True)
            rows = keep.any(1).nonzero().squeeze(1)
            if len(rows):
                length = 1 + int(keep.any(0).nonzero()[-1])
                masked = torch.where(keep, coefficient.detach(), 0.0)[rows, :length]
                self._backpropagate(rollout.part(rows, length), masked, loss, B * T)
            else:
                for parameter in self.policy.parameters():
                    parameter.grad = torch.zeros_like(parameter)
            self.optimizer.step()
        self.counts.optimizer_steps += 1
        self.counts.backward_tokens += int(keep.sum())

    def _backpropagate(self, part: Rollout, coefficient: Tensor, loss: Loss, n_tokens: int) -> None:
        mean = loss(self._log_policy(part), part, coefficient) / n_tokens
        if not bool(mean.isfinite()):
            raise FloatingPointError(f"the loss is {float(mean.detach())}")
        mean.backward()
        rows, positions = part.tokens.shape[0], part.tokens.shape[1] - 1
        self.counts.backward_rows += rows
        self.counts.processed_tokens += rows * positions
        self.counts.training_flops += 3 * self._forward_flops(part)

    def _log_policy(self, rollout: Rollout) -> Tensor:
        """Return the learner's log-probabilities of every token at each answer position, (B, T, M)."""
        return self.policy(rollout.tokens[:, :-1], rollout.log_policy.shape[1]).log_softmax(-1)

    def _forward_flops(self, rollout: Rollout) -> int:
        (rows, tokens), T = rollout.tokens.shape, rollout.log_policy.shape[1]
        return self.policy.size.forward_flops(rows, tokens - 1, T, self.policy.vocab_size)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        now, _ = clock(self.policy.positions.device)
        started = now()
        yield
        self.seconds[phase] += now() - started
