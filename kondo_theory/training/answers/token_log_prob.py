"""Log-probabilities of single tokens, whose logits exist for a chunk of tokens at a time, backward included.

The head of a language model turns n hidden states into n × V logits, more than all layers before it hold. Here the
logits of a chunk are computed, read and dropped; the backward pass computes them again. What is kept for it are the
hidden states and a number a token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kondo_theory.training.agreement import largest_logit
from kondo_theory.training.policies import pick, wide

__all__ = ["Autocast", "TokenLogProb", "token_log_prob"]

_Head = Callable[[Tensor], Tensor]


class TokenLogProb(NamedTuple):
    """What is read from the logits of n tokens.

    Attributes
    ----------
    log_prob : (n,) tensor
        log π of each token, nats, float32 at least; with a graph where gradients are enabled.
    entropy : (n,) tensor or None
        The policy's entropy, nats, without a graph.
    largest : (n,) tensor or None
        The largest |logit| that has a probability, or the token's own, in the logits' dtype, without a graph.
    """

    log_prob: Tensor
    entropy: Tensor | None = None
    largest: Tensor | None = None


def token_log_prob(
    hidden: Tensor,
    positions: Tensor,
    targets: Tensor,
    head: _Head,
    parameters: Sequence[Tensor],
    *,
    chunk_tokens: int,
    with_entropy: bool = False,
    with_largest: bool = False,
) -> TokenLogProb:
    """Return log π of tokens from the hidden states that predict them.

    Parameters
    ----------
    hidden : (N, D) tensor
    positions : (n,) tensor of int64
        Of the hidden states that count.
    targets : (n,) tensor of int64
        From 0 to V − 1.
    head : callable
        Hidden states (m, D) to logits (m, V), each by itself.
    parameters : sequence of tensors
        Those of the head that learn.
    chunk_tokens : int
        Tokens whose logits exist at once.
    with_entropy, with_largest : bool
        Look at these too.
    """
    reading = _Reading(head, chunk_tokens, with_entropy, with_largest, Autocast.of(hidden))
    apply: Any = _TokenLogProb.apply
    log_prob, entropy, largest = apply(hidden, positions, targets, reading, *parameters)
    return TokenLogProb(log_prob, entropy if with_entropy else None, largest if with_largest else None)


class Autocast(NamedTuple):
    """The casting that is on in the forward pass: the backward pass has to compute the same logits."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def of(cls, tensor: Tensor) -> Autocast:
        """Return what is on now, on the device of a tensor."""
        device = tensor.device.type
        if not torch.amp.is_autocast_available(device):
            return cls("cpu", torch.bfloat16, False)
        return cls(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def __call__(self) -> torch.autocast:
        """Return the same casting again, without its cache: a cast without a graph must not serve a pass with one."""
        return torch.autocast(self.device, self.dtype, self.enabled, cache_enabled=False)


class _Reading(NamedTuple):
    head: _Head
    chunk_tokens: int
    with_entropy: bool
    with_largest: bool
    autocast: Autocast


class _TokenLogProb(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, positions: Tensor, targets: Tensor, reading: _Reading, *parameters: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        with reading.autocast():
            for at, token in zip(*_chunks(reading.chunk_tokens, positions, targets), strict=True):
                logits = reading.head(hidden[at])
                exact = logits.to(wide(logits.dtype))
                normaliser = exact.logsumexp(-1)
                log_prob = pick(exact, token) - normaliser
                entropy = largest = log_prob
                if reading.with_entropy:
                    entropy = torch.special.entr((exact - normaliser.unsqueeze(-1)).exp_()).sum(-1)
                if reading.with_largest:
                    own = pick(logits, token).abs()  # an answer may hold what its policy forbids
                    largest = torch.maximum(largest_logit(logits), own.masked_fill(own.isinf(), 0.0))
                parts.append((log_prob, normaliser, entropy, largest))
        log_prob, normaliser, entropy, largest = (torch.cat(each) for each in zip(*parts, strict=True))
        ctx.reading = reading
        ctx.save_for_backward(hidden, positions, targets, normaliser, *parameters)
        ctx.mark_non_differentiable(entropy, largest)
        return log_prob, entropy, largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        reading: _Reading = ctx.reading
        hidden, positions, targets, normaliser, *parameters = ctx.saved_tensors
        sums = [torch.zeros_like(each, dtype=wide(each.dtype)) for each in parameters]
        of_hidden = torch.zeros_like(hidden) if ctx.needs_input_grad[0] else None
        chunks = _chunks(reading.chunk_tokens, positions, targets, normaliser, gradient)
        for at, token, log_sum, weight in zip(*chunks, strict=True):
            with torch.enable_grad(), reading.autocast():
                part = hidden[at].detach().requires_grad_(of_hidden is not None)
                logits = reading.head(part)
            # weight · (one-hot − π), the gradient of weight · log π
            slope = logits.detach().to(wide(logits.dtype), copy=True).sub_(log_sum.unsqueeze(-1)).exp_()
            slope.mul_(-weight.unsqueeze(-1)).scatter_add_(-1, token.unsqueeze(-1), weight.unsqueeze(-1))
            inputs = ([part] if of_hidden is not None else []) + parameters
            slopes = list(torch.autograd.grad(logits, inputs, slope.to(logits.dtype), allow_unused=True))
            if of_hidden is not None:
                of_hidden.index_add_(0, at, slopes.pop(0).to(of_hidden.dtype))
            for total, each in zip(sums, slopes, strict=True):
                if each is not None:
                    total.add_(each)
        of_parameters = (total.to(each.dtype) for total, each in zip(sums, parameters, strict=True))
        return (of_hidden, None, None, None, *of_parameters)


def _chunks(size: int, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    return [torch.split(each, size) for each in tensors]
