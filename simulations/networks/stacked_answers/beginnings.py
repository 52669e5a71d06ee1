"""Every way in which an answer can begin, read together with its prompt.

Over M tokens there are M + M² + … + M^D beginnings of 1 to D tokens. While M^D is no more than the number A of a
prompt's answers they are no more positions than the first D tokens of all answers, A·D; and since they are known
before anything is drawn, they take one pass through the network in place of D.

They are numbered by length: 0 is the empty beginning, and number i goes on with token a as number M·i + 1 + a.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from simulations.networks.stacked_answers.transformer import Tree, tree

__all__ = ["Beginnings", "beginnings", "common_depth"]


@dataclass(frozen=True)
class Beginnings:
    """The E beginnings of 1 to D tokens, behind a prompt of H.

    Attributes
    ----------
    tokens : (E,) tensor of int64
        The last token of each.
    tree : Tree
        Of the prompt and the beginnings, H + E positions. Each beginning sees the prompt, those that it holds, and
        itself; what goes on from it sees the same.
    """

    tokens: Tensor
    tree: Tree


def common_depth(vocab_size: int, n_answers: int, answer_length: int) -> int:
    """Return D: M^D ≤ A, and no more than the T − 1 tokens that are read of an answer."""
    depth = 0
    while depth < answer_length - 1 and vocab_size ** (depth + 1) <= n_answers:
        depth += 1
    return depth


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept, whoever asks first
def beginnings(
    prompt_length: int, vocab_size: int, depth: int, dtype: torch.dtype, device: torch.device
) -> Beginnings:
    """Return all beginnings of up to D tokens, in the order of their numbers."""
    H, M = prompt_length, vocab_size
    prompt = tree(H, 1, 1, dtype, device)
    sizes = [M**length for length in range(1, depth + 1)]
    number = torch.arange(1, 1 + sum(sizes), device=device)
    lengths = [number.new_full((size,), length) for length, size in enumerate(sizes, start=1)]
    place = torch.cat([prompt.place, *(H - 1 + length for length in lengths)])
    holds, held = torch.zeros(len(number), len(number), dtype=torch.bool, device=device), number
    for _ in range(depth):  # itself, what it goes on from, and so on to the empty one
        holds |= held[:, None] == number
        held = (held - 1).clamp(min=0).div(M, rounding_mode="floor")
    mask = torch.zeros(len(place), len(place), dtype=dtype, device=device)
    mask[:H, :H], mask[:H, H:] = prompt.mask, -torch.inf
    mask[H:, H:].masked_fill_(~holds, -torch.inf)
    return Beginnings((number - 1) % M, Tree(place, mask))
