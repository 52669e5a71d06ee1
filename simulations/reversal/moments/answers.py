"""Many answers of one policy of token reversal, each with its own gradient, in blocks that are independent.

An answer's gradient g is its advantage times the score of the whole answer, Σ_t ∇ log π(a_t), in the network's
parameters, and the mean of g is (1 − 1/S)·∇J, S answers to a prompt. Of g two things are kept: ‖g‖², and its product
with every block's mean gradient. The mean over the answers of one block of a gate times that product with another
block's is an unbiased estimate of the gate's drift along that gradient, for the two share no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from kondo_theory.training.policies import log_probabilities
from simulations.networks.rollouts import Rollout, sample
from simulations.networks.transformer import Transformer
from simulations.reversal.config import ReversalConfig
from simulations.reversal.objectives import advantage_of, points, right_tokens

__all__ = ["Answers", "Blocks", "answer_scores", "draw_blocks", "read_answers"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blocks:
    """Answers that were drawn, n blocks of batches.

    Attributes
    ----------
    batches : tuple of n tuples of (Rollout, (B,) tensor)
        The answers of each batch, and their advantages.
    means : (n, number of parameters) tensor
        The mean gradient of each block's answers.
    """

    batches: tuple[tuple[tuple[Rollout, Tensor], ...], ...]
    means: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of one policy: n blocks of batches, B answers a batch.

    Attributes
    ----------
    right, right_probability : (n, batches, B, T) array
        Whether each token is right, and the probability of the right token there.
    advantage, surprisal, entropy : (n, batches, B) array
        Of whole answers: sums over tokens, nats.
    square : (n, batches, B) array
        ‖g‖².
    products : (n, batches, B, n) array
        ⟨g, the mean gradient of each block⟩.
    """

    right: FloatArray
    right_probability: FloatArray
    advantage: FloatArray
    surprisal: FloatArray
    entropy: FloatArray
    square: FloatArray
    products: FloatArray


def answer_scores(policy: Transformer, rollout: Rollout, weights: Tensor | None = None) -> Tensor:
    """Return Σ_t w_t ∇ log π(a_t) of every answer, (B, number of parameters), weights (B, T) or one."""
    B, T = rollout.answers.shape
    parameters = {name: each.detach() for name, each in policy.named_parameters()}
    w = rollout.log_policy.new_ones(B, T) if weights is None else weights

    def log_prob(values: dict[str, Tensor], tokens: Tensor, weight: Tensor) -> Tensor:
        logits = functional_call(policy, values, (tokens[None, :-1], T))[0]
        return (weight * logits.log_softmax(-1).gather(-1, tokens[-T:, None]).squeeze(-1)).sum()

    with sdpa_kernel(SDPBackend.MATH):  # the only one that takes a gradient an answer
        each = vmap(grad(log_prob), (None, 0, 0))(parameters, rollout.tokens, w)
    return torch.cat([each[name].flatten(1) for name in parameters], 1)


def draw_blocks(
    policy: Transformer, config: ReversalConfig, n_blocks: int, n_batches: int, generator: torch.Generator
) -> Blocks:
    """Draw blocks of batches of the configuration's task, and each block's mean gradient.

    Parameters
    ----------
    policy : Transformer
    config : ReversalConfig
        Its task, its prompts a batch and answers a prompt, and its baseline.
    n_blocks, n_batches : int
        Blocks, and batches of each.
    generator : torch.Generator
        Draws prompts and answers, on the policy's device.
    """
    shape = (config.prompts, config.length)
    blocks, means = [], []
    for _ in range(n_blocks):
        total = torch.zeros(sum(each.numel() for each in policy.parameters()), device=generator.device)
        drawn: list[tuple[Rollout, Tensor]] = []
        for _ in range(n_batches):
            prompts = torch.randint(config.vocab_size, shape, generator=generator, device=generator.device)
            rollout = sample(policy, prompts, config.length, n_answers=config.answers, generator=generator)
            point = points(rollout.prompts, rollout.answers, config.reward)
            dtype = rollout.log_policy.dtype
            advantage = advantage_of(point, config.baseline, config.answers, len(point), config.length, dtype)
            total += _gradient(policy, rollout, advantage) / (n_batches * len(point))
            drawn.append((rollout, advantage))
        blocks.append(tuple(drawn))
        means.append(total)
    return Blocks(tuple(blocks), torch.stack(means))


def read_answers(policy: Transformer, blocks: Blocks) -> Answers:
    """Return what every answer's gradient is, one by one."""
    parts = [list(_read(policy, *each, blocks.means)) for block in blocks.batches for each in block]
    stacked = [np.stack(each) for each in zip(*parts, strict=True)]
    shape = len(blocks.batches), len(blocks.batches[0])
    return Answers(*(each.reshape(*shape, *each.shape[1:]) for each in stacked))


def _gradient(policy: Transformer, rollout: Rollout, advantage: Tensor) -> Tensor:
    """Return Σ g of a batch, (number of parameters,)."""
    log_policy = log_probabilities(policy(rollout.tokens[:, :-1], rollout.answers.shape[1]))
    total = (advantage * rollout.log_prob(log_policy).sum(1)).sum()
    return torch.cat([each.flatten() for each in torch.autograd.grad(total, list(policy.parameters()))])


def _read(policy: Transformer, rollout: Rollout, advantage: Tensor, means: Tensor) -> Iterator[FloatArray]:
    """Yield the fields of :class:`Answers` of one batch."""
    wanted = rollout.prompts.flip(1).unsqueeze(2)
    gradients = answer_scores(policy, rollout) * advantage.unsqueeze(1)
    entropy = torch.special.entr(rollout.log_policy.exp()).sum((1, 2))
    for each in (
        right_tokens(rollout.prompts, rollout.answers),
        rollout.log_policy.gather(2, wanted).squeeze(2).exp().clamp(max=1),
        advantage,
        rollout.surprisal.sum(1),
        entropy,
        gradients.square().sum(1),
        gradients @ means.T,
    ):
        yield each.double().numpy(force=True)
