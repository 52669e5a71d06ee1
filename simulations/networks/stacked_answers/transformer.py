"""Transformers of several seeds side by side: batched matrix products, and a prompt is read once for all its answers.

A prompt and its answers are one line of positions, a tree: the prompt's H tokens, then the first tokens of all A
answers, then their second ones, and so on. Each position sees the prompt and its own answer's tokens. With one answer
that is the causal row of :class:`~simulations.networks.transformer.Transformer`; with A answers of T tokens it
has H + A·(T − 1) positions in place of A·(H + T − 1), and every answer's logits are the same up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, scaled_dot_product_attention

from simulations.networks.transformer import Block, Transformer

__all__ = ["Products", "StackedTransformer", "Tree", "tree"]


@dataclass(frozen=True)
class Tree:
    """Where the N tokens of a prompt and its answers stand, and what they see.

    Attributes
    ----------
    place : (N,) tensor of int64
        Position in the row of its own answer.
    mask : (N, N) tensor
        What is added to the attention's scores: 0 where a position (row) sees another (column), −∞ elsewhere.
    """

    place: Tensor
    mask: Tensor


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept for passes with a graph, whoever asks first
def tree(prompt_length: int, n_answers: int, answer_length: int, dtype: torch.dtype, device: torch.device) -> Tree:
    """Return the tree of a prompt of H tokens and A answers of T, without the answers' last tokens."""
    prompt = torch.arange(prompt_length, device=device)
    later = torch.arange(prompt_length, prompt_length + answer_length - 1, device=device)
    place = torch.cat([prompt, later.repeat_interleave(n_answers)])
    answer = torch.arange(n_answers, device=device).repeat(answer_length - 1)
    answer = torch.cat([prompt.new_full((prompt_length,), -1), answer])  # −1: the prompt, which all answers share
    shared = (answer == -1) | (answer[:, None] == answer)
    sees = shared & (place[:, None] >= place)
    mask = torch.zeros(sees.shape, dtype=dtype, device=device).masked_fill_(~sees, -torch.inf)
    return Tree(place, mask)


@dataclass(frozen=True)
class Products:
    """The matrices of one state of the parameters, (S, n_in, n_out), those of the norms' weights multiplied in.

    Attributes
    ----------
    blocks : list of tuples of tensors
        Of each layer: queries, keys and values; their mix; up; down.
    head : tensor
    """

    blocks: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    head: Tensor


class StackedTransformer(nn.Module):
    """S transformers of one shape, in one program; each computes what it would alone, up to rounding.

    Parameters
    ----------
    policies : sequence of Transformer
        One a seed, equal in shape, dtype and device; their parameters are copied.

    Attributes
    ----------
    stacked : Transformer
        Holds the parameters under their names, each with the seeds as first axis; it is never called.

    Raises
    ------
    ValueError
        If there is no policy or their shapes differ.
    """

    ones: Tensor
    first_token: Tensor

    def __init__(self, policies: Sequence[Transformer]) -> None:
        super().__init__()
        if len({(each.size, each.vocab_size, each.n_positions) for each in policies}) != 1:
            shapes = [(each.size, each.vocab_size, each.n_positions) for each in policies]
            raise ValueError(f"policies must be at least one and of one shape, got {shapes}")
        first = policies[0]
        self.size, self.vocab_size, self.n_positions = first.size, first.vocab_size, first.n_positions
        self.stacked = copy.deepcopy(first)
        for name, parameter in self.stacked.named_parameters():
            parameter.data = torch.stack([policy.get_parameter(name).detach() for policy in policies])
        self.register_buffer("ones", first.positions.new_ones(self.size.width).detach(), persistent=False)
        vocabularies = self.vocab_size * torch.arange(len(policies), device=first.positions.device)
        self.register_buffer("first_token", vocabularies[:, None, None], persistent=False)

    def __len__(self) -> int:
        return len(self.stacked.positions)

    def policy(self, index: int) -> Transformer:
        """Return a copy of one seed's policy, on the same device."""
        policy = Transformer(self.vocab_size, self.n_positions, self.size, seed=0).to(self.stacked.positions)
        policy.load_state_dict({name: each[index] for name, each in self.stacked.state_dict().items()})
        return policy

    def products(self) -> Products:
        """Return the matrices of the parameters as they are.

        A norm's weight multiplies the rows of the matrix that follows it, once, and not every activation.
        """
        blocks = []
        for block in self.stacked.blocks:
            assert isinstance(block, Block)
            attention = _after(block.attention_norm, block.queries_keys_values), block.mix.weight.mT
            blocks.append((*attention, _after(block.perceptron_norm, block.up), block.down.weight.mT))
        norm, head = self.stacked.final_norm, self.stacked.head
        return Products(blocks, _after(norm, head) if isinstance(norm, nn.LayerNorm) else head.weight.mT)

    def tree(self, prompt_length: int, n_answers: int, answer_length: int) -> Tree:
        """Return the tree of such rows, in the parameters' dtype; see :func:`tree`."""
        where = self.stacked.positions
        return tree(prompt_length, n_answers, answer_length, where.dtype, where.device)

    def forward(
        self, tokens: Tensor, places: Tree, products: Products, cache: Tensor | None = None, start: int = 0
    ) -> Tensor:
        """Map tokens of G trees a seed (S, G, n) to their activations (S, G, n, width), before the last norm.

        Parameters
        ----------
        tokens : (S, G, n) int64 tensor
            Positions ``start`` to ``start`` + n − 1 of each tree.
        places : Tree
            Of these tokens: n places, or one that all share, and a mask whose rows they are and whose columns are all
            positions up to them; with axes (S·G, 1) in front it is each tree's own.
        products : Products
        cache : (layers, S·G, N, 2, heads, width/heads) tensor, optional
            Keys and values of the positions before ``start``; those of ``tokens`` are written into it.
        start : int
            0, or with a cache any position whose predecessors it holds.
        """
        S, G, n = tokens.shape
        width, heads, end = self.size.width, self.size.heads, start + n
        # Rows of all vocabularies joined: an embedding's gradient takes a fraction of the time of a gather's.
        x = embedding(tokens + self.first_token, self.stacked.tokens.weight.flatten(0, 1))
        x = x + self.stacked.positions[:, None, places.place]
        x = x.view(S, G * n, width)
        add = torch.baddbmm if torch.is_grad_enabled() else Tensor.baddbmm_  # in place where no graph remembers x
        if cache is not None:
            written = cache[:, :, start:end].unbind()
            keys, values = (each.unbind() for each in cache[:, :, :end].permute(3, 0, 1, 4, 2, 5))
        for layer, (queries_keys_values, mix, up, down) in enumerate(products.blocks):
            projected = torch.bmm(self._normalised(x), queries_keys_values).view(S * G, n, 3, heads, width // heads)
            query, key, value = projected.permute(2, 0, 3, 1, 4).unbind()  # (S·G, heads, n, width/heads) each
            if cache is not None:
                written[layer].copy_(projected[:, :, 1:])
                key, value = keys[layer], values[layer]
            mixed = scaled_dot_product_attention(query, key, value, places.mask)
            x = add(x, mixed.transpose(1, 2).reshape(S, G * n, width), mix)
            x = add(x, torch.bmm(self._normalised(x), up).relu_(), down)
        return x.view(S, G, n, width)

    def logits(self, activations: Tensor, products: Products) -> Tensor:
        """Return the logits (S, G, n, M) of what follows positions with these activations (S, G, n, width)."""
        S, G, n, _ = activations.shape
        x = activations.flatten(1, 2)
        return torch.bmm(self._normalised(x) if self.size.final_norm else x, products.head).view(S, G, n, -1)

    def answer_logits(self, prompts: Tensor, answers: Tensor) -> Tensor:
        """Return the logits (S, G, A, T, M) of every token of answers (S, G, A, T) to prompts (S, G, H)."""
        (S, G, A, T), H, products = answers.shape, prompts.shape[-1], self.products()
        read = torch.cat([prompts, answers[..., :-1].transpose(2, 3).flatten(2)], 2)  # all but the last tokens
        activations = self(read, self.tree(H, A, T), products)
        logits = self.logits(activations[:, :, H - 1 :], products)
        first = logits[:, :, None, :1].expand(-1, -1, A, -1, -1)
        return torch.cat([first, logits[:, :, 1:].view(S, G, T - 1, A, self.vocab_size).transpose(2, 3)], 3)

    def empty_cache(self, n_trees: int, n_positions: int) -> Tensor:
        """Return room for keys and values, (layers, n_trees, n_positions, 2, heads, width/heads)."""
        size = self.size
        shape = (size.layers, n_trees, n_positions, 2, size.heads, size.width // size.heads)
        return self.stacked.positions.new_empty(shape)

    def _normalised(self, x: Tensor) -> Tensor:
        """Return activations at mean 0 and variance 1."""
        # With a weight, even of ones, the CPU's kernel takes half as long.
        return torch.layer_norm(x, self.ones.shape, self.ones)


def _after(norm: nn.LayerNorm, linear: nn.Linear) -> Tensor:
    """Return the matrices (S, n_in, n_out) that take normalised activations to what the layer gives."""
    return (norm.weight[:, None] * linear.weight).mT
