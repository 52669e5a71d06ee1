"""The policy of token reversal: a small decoder-only transformer with a key/value cache.

One answer token follows each position from the prompt's last one on, so a prompt of H tokens with an answer of T is a
row of H + T − 1 input positions: the last answer token is never read. Forward pass, prefill and decoding are the same
lines of code; only the cache tells them apart. :mod:`simulations.networks.rollouts` samples from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from kondo_theory.words import choice

__all__ = ["HEADS", "Architecture", "Transformer"]

HEADS = ("zero", "default")
"""How the head starts: at zero, or as every other linear layer."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network and its last layers; the defaults are the protocol's.

    Attributes
    ----------
    width, heads, layers, feed_forward : int
        Residual width (a multiple of ``heads``), attention heads, blocks, hidden width of each block's perceptron.
    final_norm : bool
        The head reads normalised activations, not the residual stream as it is.
    head : str
        How the head starts, one of ``HEADS``.

    Raises
    ------
    ValueError
        If a size is below 1, the heads do not divide the width or the head's start is unknown.
    """

    width: int = 64
    heads: int = 4
    layers: int = 3
    feed_forward: int = 128
    final_norm: bool = True
    head: str = "zero"

    def __post_init__(self) -> None:
        choice("head", self.head, HEADS)
        for name in ("width", "heads", "layers", "feed_forward"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got width {self.width} and {self.heads} heads")

    def forward_flops(
        self, n_rows: int, n_positions: int, n_logits: int, vocab_size: int, *, n_cached: int = 0
    ) -> int:
        """Return the FLOPs of the matrix products of a forward pass: two a multiply-add.

        Each position uses the block's 4·width² attention and 2·width·feed_forward perceptron weights once, and takes
        2·width multiply-adds for each key (scores, and their weighted sum). Keys that the causal mask hides are
        counted. The backward pass costs twice as much: one product for each of the two factors.

        Parameters
        ----------
        n_rows, n_positions, n_logits : int
            Rows, new input positions of each, and how many of them get logits.
        vocab_size : int
            M.
        n_cached : int
            Positions before the new ones, read from the cache.
        """
        block = 4 * self.width**2 + 2 * self.width * self.feed_forward + 2 * self.width * (n_positions + n_cached)
        return 2 * n_rows * (n_positions * self.layers * block + n_logits * self.width * vocab_size)

    def sampling_flops(
        self, n_prompts: int, n_answers: int, prompt_length: int, answer_length: int, vocab_size: int
    ) -> int:
        """Return the FLOPs of :func:`simulations.networks.rollouts.sample`.

        Every prompt is read once; then each of its ``n_answers`` reads ``answer_length`` − 1 tokens of its own.
        """
        steps = (
            self.forward_flops(n_prompts * n_answers, 1, 1, vocab_size, n_cached=prompt_length + step)
            for step in range(answer_length - 1)
        )
        return self.forward_flops(n_prompts, prompt_length, 1, vocab_size) + sum(steps)


class Block(nn.Module):
    """Pre-norm attention and perceptron, without biases."""

    def __init__(self, size: Architecture) -> None:
        super().__init__()
        self.heads = size.heads
        self.attention_norm = nn.LayerNorm(size.width, bias=False)
        self.queries_keys_values = nn.Linear(size.width, 3 * size.width, bias=False)
        self.mix = nn.Linear(size.width, size.width, bias=False)
        self.perceptron_norm = nn.LayerNorm(size.width, bias=False)
        self.up = nn.Linear(size.width, size.feed_forward, bias=False)
        self.down = nn.Linear(size.feed_forward, size.width, bias=False)

    def forward(self, x: Tensor, cache: Tensor | None = None, start: int = 0) -> Tensor:
        """Map (B, L, width) to the same shape; a cache (2, B, heads, n_positions, width/heads) is read and filled."""
        B, L, width = x.shape
        projected = self.queries_keys_values(self.attention_norm(x)).view(B, L, 3, self.heads, width // self.heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # (B, heads, L, width/heads) each
        if cache is not None:
            cache[0, :, :, start : start + L] = key
            cache[1, :, :, start : start + L] = value
            key, value = cache[0, :, :, : start + L], cache[1, :, :, : start + L]
        # is_causal aligns the mask with the first key, which is right where there are no earlier ones.
        seen = (
            torch.ones(L, start + L, dtype=torch.bool, device=x.device).tril_(start) if start > 0 and L > 1 else None
        )
        mixed = scaled_dot_product_attention(query, key, value, seen, is_causal=start == 0 and L > 1)
        x = x + self.mix(mixed.transpose(1, 2).reshape(B, L, width))
        hidden = self.up(self.perceptron_norm(x)).relu()  # (B, L, feed_forward)
        return x + self.down(hidden)


class Transformer(nn.Module):
    """Decoder-only transformer over a vocabulary of M tokens: learned positions, pre-norm, ReLU, no biases.

    Linear layers keep PyTorch's default initialisation (uniform within 1/√(inputs)); embeddings of tokens and
    positions are normal. The head starts at zero, so that the untrained policy is uniform, p = 1/M, unless
    ``size`` says otherwise.

    Parameters
    ----------
    vocab_size : int
        M ≥ 1.
    n_positions : int
        The longest row: H + T − 1 for prompts of H and answers of T tokens.
    size : Architecture
    seed : int
        Seeds the initialisation; torch's global stream is left as it was.

    Raises
    ------
    ValueError
        If ``vocab_size`` or ``n_positions`` is below 1.
    """

    def __init__(self, vocab_size: int, n_positions: int, size: Architecture | None = None, *, seed: int) -> None:
        super().__init__()
        for name, value in (("vocab_size", vocab_size), ("n_positions", n_positions)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.size, self.vocab_size, self.n_positions = size or Architecture(), vocab_size, n_positions
        width = self.size.width
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: a GPU's stream would not be restored
            self.tokens = nn.Embedding(vocab_size, width)
            self.positions = nn.Parameter(torch.randn(n_positions, width))
            self.blocks = nn.ModuleList(Block(self.size) for _ in range(self.size.layers))
            self.final_norm = nn.LayerNorm(width, bias=False) if self.size.final_norm else nn.Identity()
            self.head = nn.Linear(width, vocab_size, bias=False)
            if self.size.head == "zero":
                nn.init.zeros_(self.head.weight)

    def forward(
        self, tokens: Tensor, n_logits: int | None = None, cache: Tensor | None = None, start: int = 0
    ) -> Tensor:
        """Map tokens (B, L) to the logits (B, n, M) of what follows each of the last n positions, by default of all.

        Parameters
        ----------
        tokens : (B, L) int64 tensor
            Positions ``start`` to ``start`` + L − 1 of each row.
        n_logits : int, optional
            From 0 to L.
        cache : (layers, 2, B, heads, n_positions, width/heads) tensor, optional
            Keys and values of the positions before ``start``; those of ``tokens`` are written into it.
        start : int
            0, or with a cache any position whose predecessors it holds.

        Raises
        ------
        ValueError
            If the positions are not the policy's, there is no cache for those before ``start``, the cache has another
            number of rows, or ``n_logits`` is not in 0..L.
        """
        self._require_places(tokens, n_logits, cache, start)
        x = self.tokens(tokens) + self.positions[start : start + tokens.shape[1]]  # (B, L, width)
        for layer, block in enumerate(self.blocks):
            x = block(x, None if cache is None else cache[layer], start)
        if n_logits is not None:
            x = x[:, tokens.shape[1] - n_logits :]
        logits: Tensor = self.head(self.final_norm(x))  # (B, n, M)
        return logits

    def _require_places(self, tokens: Tensor, n_logits: int | None, cache: Tensor | None, start: int) -> None:
        B, L = tokens.shape
        if not 0 <= start <= start + L <= self.n_positions:
            raise ValueError(f"positions must be from 0 to {self.n_positions - 1}, got {L} from {start} on")
        if start > 0 and cache is None:
            raise ValueError(f"start must be 0 without a cache of the positions before, got {start}")
        if cache is not None and cache.shape[2] != B:
            raise ValueError(f"cache must have the {B} rows of tokens, got {cache.shape[2]}")
        if n_logits is not None and not 0 <= n_logits <= L:
            raise ValueError(f"n_logits must be from 0 to the {L} positions given, got {n_logits}")

    def empty_cache(self, n_rows: int) -> Tensor:
        """Return room for keys and values, (layers, 2, n_rows, heads, n_positions, width/heads)."""
        size = self.size
        shape = (size.layers, 2, n_rows, size.heads, self.n_positions, size.width // size.heads)
        where = self.positions
        return torch.empty(shape, dtype=where.dtype, device=where.device)  # not like it: it may be sharded
