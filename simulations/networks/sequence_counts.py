"""What steps on sequences cost, logically and physically, and the seconds that they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from kondo_theory.training.agreement import DeviceCounts
from simulations.devices import clock
from simulations.networks.rollouts import Rollout
from simulations.networks.transformer import Transformer

__all__ = ["PHASES", "SequenceCounts", "timed"]

PHASES = ("sampling", "screening", "training")


@dataclass(repr=False)
class SequenceCounts(DeviceCounts):
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
        By :class:`simulations.networks.transformer.Architecture`; training is forward and backward.
    invalid_samples, mean_gap, largest_gap
        Of tokens or rows, whichever the gate keeps, and of kept tokens; see
        :class:`kondo_theory.training.agreement.DeviceCounts`.
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

    def add_sampling(self, policy: Transformer, rollout: Rollout, n_prompts: int) -> None:
        """Count a batch of answers to ``n_prompts`` prompts, each with as many of them."""
        (n_rows, prompt_length), answer_length = rollout.prompts.shape, rollout.answers.shape[1]
        self.forward_rows += n_rows
        self.forward_tokens += n_rows * answer_length
        self.full_tokens += n_rows * (prompt_length + answer_length - 1)
        self.sampling_flops += policy.size.sampling_flops(
            n_prompts, n_rows // n_prompts, prompt_length, answer_length, policy.vocab_size
        )

    def add_screening(self, policy: Transformer, rollout: Rollout) -> None:
        """Count a forward pass that renews a rollout's log-probabilities."""
        self.screening_flops += _forward_flops(policy, rollout)

    def add_backward(self, policy: Transformer, part: Rollout | None, n_tokens: int) -> None:
        """Count the part of a rollout that went forward and backward, None if none did, and its kept tokens."""
        self.backward_tokens += n_tokens
        if part is None:
            return
        n_rows, n_positions = part.tokens.shape[0], part.tokens.shape[1] - 1
        self.backward_rows += n_rows
        self.processed_tokens += n_rows * n_positions
        self.training_flops += 3 * _forward_flops(policy, part)

    def add_step(self) -> None:
        """Count a step of the optimizer."""
        self.optimizer_steps += 1


def _forward_flops(policy: Transformer, rollout: Rollout) -> int:
    (n_rows, n_tokens), answer_length = rollout.tokens.shape, rollout.log_policy.shape[1]
    return policy.size.forward_flops(n_rows, n_tokens - 1, answer_length, policy.vocab_size)


@contextmanager
def timed(seconds: dict[str, float], phase: str, device: torch.device) -> Iterator[None]:
    """Add what the body takes to a phase's seconds, by :func:`simulations.devices.clock`; nothing after an error."""
    now, _ = clock(device)
    started = now()
    yield
    seconds[phase] += now() - started
