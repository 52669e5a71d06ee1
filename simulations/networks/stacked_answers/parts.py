"""What a step of several seeds backpropagates: whole trees of answers, or the rows that hold a kept token."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kondo_theory.training.selection import Selection
from simulations.networks.rollouts import Rollout
from simulations.networks.stacked_answers.transformer import StackedTransformer

__all__ = ["Part", "part_of"]


@dataclass(frozen=True)
class Part:
    """Answers to prompts in ``shape`` (S, G, A), G trees of A answers a seed, as S·G·A rows.

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


def part_of(
    network: StackedTransformer,
    rollout: Rollout,
    coefficient: Tensor,
    selection: Selection,
    width: int,
    length: int,
    n_prompts: int,
) -> Part:
    """Return what is backpropagated, cut to ``length`` tokens: the whole trees, or ``width`` rows of each seed.

    Rows that hold no kept token have coefficients of zero. Whichever takes fewer FLOPs is taken.

    Parameters
    ----------
    network : StackedTransformer
    rollout : Rollout
    coefficient : (S·B, T) tensor
    selection : Selection
        ``keep`` is that of the tokens, (S, B, T).
    width, length : int
        At least the most rows of a seed that hold a kept token, and the tokens up to its last.
    n_prompts : int
        Prompts of each seed.
    """
    (S, B, T), H = selection.keep.shape, rollout.prompts.shape[1]
    coefficient = torch.where(selection.keep.view(S * B, T), coefficient.detach(), 0.0)
    n_answers, M = B // n_prompts, network.vocab_size
    n_new = n_answers * (length - 1)
    trees = network.size.forward_flops(n_prompts, H + n_new, 1 + n_new, M)
    if trees <= network.size.forward_flops(width, H + length - 1, length, M):
        keep = selection.keep.view(S * B, T)[:, :length]
        return Part(rollout.part(slice(None), length), coefficient[:, :length], keep, (S, n_prompts, n_answers))
    rows, present = replace(selection, keep=selection.keep.any(2)).padded_rows(width)
    flat = (rows + torch.arange(0, S * B, B, device=rows.device)[:, None]).flatten()
    keep = selection.keep.view(S * B, T)[flat, :length] & present.view(-1, 1)
    return Part(rollout.part(flat, length), coefficient[flat, :length] * keep, keep, (S, width, 1))
