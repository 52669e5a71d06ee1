"""Batches of answers for tests: padding on the left, the right or both, several turns, rows without an answer."""

import torch
from steps import SMALL, freeze, masked_loss

from kondo_theory.training import Answers
from simulations.networks.transformer import Transformer

B, L, V = 12, 13, 11
PADDINGS = ("none", "left", "right", "both")


def ragged(padding="both", *, turns=True, seed=0, log_prob=None):
    """Twelve rows; row 3 has no answer, row 5 is one that is cut after its first answer token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(V, (B, L), generator=generator)
    column, zero = torch.arange(L), torch.zeros(B, 1, dtype=torch.int64)
    start = torch.randint(4, (B, 1), generator=generator) if padding in ("left", "both") else zero
    end = torch.randint(L - 4, L + 1, (B, 1), generator=generator) if padding in ("right", "both") else zero + L
    if padding in ("right", "both"):
        end[5] = start[5] + 3
    attended = (column >= start) & (column < end)
    answered = attended & (column >= start + 2)
    if turns:  # what another says in between
        answered &= ~((column == start + 5) | (column == start + 6)) | (torch.arange(B)[:, None] % 2 == 0)
    answered[3] = False
    return Answers(torch.where(attended, tokens, -100), attended, answered, log_prob)


def advantages(seed=1, *, zero=(2,)):
    advantage = torch.randn(B, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    advantage[list(zero)] = 0.0
    return advantage


def small_model(*, tied=False, frozen=(), dtype=torch.float64):
    policy = Transformer(V, L, SMALL, seed=0).to(dtype)
    with torch.no_grad():
        policy.head.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    if tied:
        policy.head.weight = policy.tokens.weight
    return freeze(policy, frozen)


def own_gradients(model):
    return [None if each.grad is None else each.grad.clone() for each in model.parameters()]


def masked_gradients(model, answers, advantage, keep, normaliser, call=None):
    """The gradients of the masked full batch, by a call of the model; its own are as before."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    loss = masked_loss(call or model, answers, advantage, keep) / normaliser
    found = iter(torch.autograd.grad(loss, parameters, allow_unused=True))
    return [next(found) if each.requires_grad else None for each in model.parameters()]


def relative_error(found, expected):
    """‖found − expected‖ / ‖expected‖; where one has no gradient the other must have none."""
    assert [each is None for each in found] == [each is None for each in expected]
    pairs = [(mine, other) for mine, other in zip(found, expected, strict=True) if mine is not None]
    size = sum(float(other.square().sum()) for _, other in pairs)
    return (sum(float((mine - other).square().sum()) for mine, other in pairs) / size) ** 0.5
