"""Answers of a transformer to prompts: what is kept of them, and the sampler with a key/value cache."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kondo_theory.training.display import one_line
from kondo_theory.training.policies import log_probabilities, logits_of, wide
from kondo_theory.training.ranks import Ranks
from simulations.networks.transformer import Transformer

__all__ = ["Rollout", "sample"]


@dataclass(frozen=True, repr=False)
class Rollout:
    """Answers of a policy to a batch of prompts; the answers to one prompt are neighbours.

    Attributes
    ----------
    tokens : (B, H + T) int64 tensor
        Prompt and answer.
    log_policy : (B, T, M) tensor
        Log-probabilities of every token at each answer position, without a graph; float32 at least.

    Raises
    ------
    ValueError
        If the answers, T of ``log_policy``, are longer than the rows or of another number.
    """

    tokens: Tensor
    log_policy: Tensor

    def __post_init__(self) -> None:
        tokens, log_policy = tuple(self.tokens.shape), tuple(self.log_policy.shape)
        fits = len(tokens) == 2 and len(log_policy) == 3 and log_policy[0] == tokens[0] and log_policy[1] <= tokens[1]
        if not fits:
            raise ValueError(
                f"tokens must be (B, H + T) and log_policy (B, T, M), got shapes {tokens} and {log_policy}"
            )

    def __repr__(self) -> str:
        return one_line(self, ("tokens", "log_policy"))

    @property
    def prompts(self) -> Tensor:
        """The prompt of each answer, (B, H)."""
        return self.tokens[:, : self._length]

    @property
    def answers(self) -> Tensor:
        """The answers, (B, T)."""
        return self.tokens[:, self._length :]

    @property
    def _length(self) -> int:
        """H, the prompt's length."""
        return self.tokens.shape[1] - self.log_policy.shape[1]

    @property
    def surprisal(self) -> Tensor:
        """ℓ = −log π of the answers' tokens under the sampler, nats, (B, T)."""
        return -self.log_prob(self.log_policy)

    def log_prob(self, log_policy: Tensor) -> Tensor:
        """Return log π of the answers' tokens, (B, T), under any policy's log-probabilities (B, T, M)."""
        return log_policy.gather(-1, self.answers.unsqueeze(-1)).squeeze(-1)

    def part(self, rows: Tensor | slice, length: int) -> Rollout:
        """Return the given rows, (R,) places or a slice, their answers cut to ``length`` tokens."""
        return Rollout(self.tokens[rows, : self._length + length], self.log_policy[rows, :length])


@torch.no_grad()
def sample(
    policy: Transformer,
    prompts: Tensor,
    answer_length: int,
    *,
    n_answers: int = 1,
    generator: torch.Generator | None = None,
    greedy: bool = False,
    ranks: Ranks | None = None,
) -> Rollout:
    """Let the policy answer every prompt, one token at a time.

    A prompt is read once, whatever the number of its answers; after that each step reads one token a row. Tokens are
    drawn by the Gumbel–max rule: argmax of logits − log E with E exponential, all of one draw for the whole answer,
    in float32 at least.

    Parameters
    ----------
    policy : Transformer
    prompts : (P, H) int64 tensor
        H ≥ 1.
    answer_length : int
        T ≥ 1, with H + T − 1 at most the policy's positions.
    n_answers : int
        Answers to each prompt: B = P·n_answers rows.
    generator : torch.Generator, optional
        Draws the tokens, on the policy's device; None uses torch's global one.
    greedy : bool
        Take the most probable token instead of drawing one; the first among equals.
    ranks : Ranks, optional
        The prompts are a part of those of all ranks: their answers are drawn as one process would draw them among
        all, by a generator in the same state.

    Raises
    ------
    ValueError
        If the prompts are empty, or longer with their answers than the policy's positions.
    """
    if prompts.ndim != 2 or 0 in prompts.shape:
        raise ValueError(f"prompts must be a matrix of at least one token, got shape {tuple(prompts.shape)}")
    H, T, B = prompts.shape[1], answer_length, len(prompts) * n_answers
    if not (n_answers >= 1 and T >= 1 and policy.n_positions >= H + T - 1):
        raise ValueError(
            f"n_answers and answer_length must be at least 1 and a row at most {policy.n_positions} positions,"
            f" got {n_answers} answers of {T} tokens to prompts of {H}"
        )
    tokens = torch.cat([prompts.repeat_interleave(n_answers, 0), prompts.new_zeros(B, T)], 1)  # (B, H + T)
    dtype = wide(policy.positions.dtype)
    logits = torch.empty(B, T, policy.vocab_size, dtype=dtype, device=tokens.device)
    offset = torch.zeros_like(logits) if greedy else _race(logits, generator, ranks).log_()
    prefilled = policy.empty_cache(len(prompts))
    first = logits_of(policy(prompts, 1, prefilled), len(prompts), 1)
    logits[:, :1] = first.repeat_interleave(n_answers, 0)
    cache = policy.empty_cache(B)
    cache.unflatten(2, (-1, n_answers))[..., :H, :] = prefilled[..., :H, :].unsqueeze(3)
    for step in range(T):
        if step > 0:
            logits[:, step : step + 1] = policy(tokens[:, H + step - 1 : H + step], 1, cache, H + step - 1)
        tokens[:, H + step] = (logits[:, step] - offset[:, step]).argmax(-1)
    return Rollout(tokens, log_probabilities(logits))


def _race(logits: Tensor, generator: torch.Generator | None, ranks: Ranks | None) -> Tensor:
    """Return exponential numbers of the shape of the logits, (B, T, M); of the draw of all ranks these rows' own."""
    B, first, total = len(logits), 0, len(logits)
    if ranks is not None:
        first, total = ranks.place(B, logits.device)
    return logits.new_empty(total, *logits.shape[1:]).exponential_(generator=generator)[first : first + B]
