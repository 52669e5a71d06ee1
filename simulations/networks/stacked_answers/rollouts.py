"""Answers of several seeds' transformers side by side, each drawn from its own stream."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kondo_theory.training.policies import log_probabilities, wide
from simulations.networks.rollouts import Rollout
from simulations.networks.stacked_answers.beginnings import beginnings, common_depth
from simulations.networks.stacked_answers.transformer import StackedTransformer, Tree

__all__ = ["log_race", "sample_side_by_side"]


def sample_side_by_side(network: StackedTransformer, prompts: Tensor, log_race: Tensor) -> Rollout:
    """Let every seed's policy answer its prompts, as :func:`~.rollouts.sample` does for one.

    While there are no more ways to begin than a prompt has answers, all of these are read with the prompt; from there
    on one token is read at a time.

    Parameters
    ----------
    network : StackedTransformer
    prompts : (S, P, H) int64 tensor
    log_race : (S, P, A, T, M) tensor
        Logarithms of exponential numbers, from :func:`log_race`; zeros in their place take the most probable token.

    Returns
    -------
    Rollout
        S·P·A rows: the answers to a prompt are neighbours, and so are a seed's prompts.
    """
    (S, P, A, T, M), H = log_race.shape, prompts.shape[-1]
    depth, where = common_depth(M, A, T), network.stacked.positions
    begun = beginnings(H, M, depth, where.dtype, where.device)
    n_shared, place = len(begun.tree.place), torch.arange(H + T - 1, device=where.device)
    race = log_race.unbind(-2)
    answers: list[Tensor] = []  # the tokens (S, P, A) of each step, and the logits that they were drawn from
    logits: list[Tensor] = []

    def draw(of_each: Tensor) -> None:
        logits.append(of_each)
        answers.append((of_each - race[len(answers)]).argmax(-1))

    # Inference mode: a tenth of the time less than without a graph alone; what leaves it is made outside.
    with torch.inference_mode():
        products, cache = network.products(), network.empty_cache(S * P, n_shared + A * (T - 1 - depth))
        read = torch.cat([prompts, begun.tokens.expand(S, P, -1)], -1)
        activations = network(read, begun.tree, products, cache)[:, :, H - 1 :]
        of_beginnings = network.logits(activations, products)  # the empty one ends with the prompt
        number = prompts.new_zeros(S, P, A)  # of the beginning that each answer has
        for step in range(depth + 1):
            if step > 0:
                number = M * number + 1 + answers[-1]
            draw(of_beginnings.gather(2, number[..., None].expand(S, P, A, M)))
        mask = _seen(begun.tree.mask[H - 1 :][number.view(S * P, A)], T - 1 - depth)
        for step in range(depth + 1, T):
            start = n_shared + A * (step - 1 - depth)
            own = Tree(place[H + step - 1 :][:1], mask[..., : start + A])
            draw(network.logits(network(answers[-1], own, products, cache, start), products))
    tokens = torch.cat([prompts[:, :, None].expand(S, P, A, H), torch.stack(answers, -1)], -1)
    log_policy = log_probabilities(torch.stack(logits, -2).to(log_race.dtype))
    return Rollout(tokens.view(S * P * A, H + T), log_policy.flatten(0, 2))


def _seen(shared: Tensor, n_own: int) -> Tensor:
    """Return the mask (S·P, 1, A, n) of each answer's next token: of ``shared`` (S·P, A, n) and its ``n_own`` own.

    Whichever token is next, it sees all of the answer's own that are read by then.
    """
    A = shared.shape[1]
    own = torch.full_like(shared[0, :, :1].expand(A, A), -torch.inf).fill_diagonal_(0.0)
    return torch.cat([shared, own.repeat(1, n_own).expand(len(shared), -1, -1)], 2).unsqueeze(1)


def log_race(shape: tuple[int, ...], network: StackedTransformer, generators: Sequence[torch.Generator]) -> Tensor:
    """Return logarithms of exponential numbers, of this shape for each seed from its own generator, (S, …)."""
    where = network.stacked.positions
    race = torch.empty(len(generators), *shape, dtype=wide(where.dtype), device=where.device)
    for numbers, generator in zip(race, generators, strict=True):
        numbers.exponential_(generator=generator)
    return race.log_()
