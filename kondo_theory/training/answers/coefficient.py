"""What the loss of each token of a batch of answers is multiplied by."""

from __future__ import annotations

import torch
from torch import Tensor

from kondo_theory.training.answers.batch import Answers

__all__ = ["token_coefficient"]


def token_coefficient(answers: Answers, advantage: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return advantage · weight for each token, (B, L), zero off the answers, without a graph.

    Raises
    ------
    TypeError
        If a dtype is not a real floating one.
    ValueError
        If a shape is neither (B,) nor (B, L).
    """
    product = _per_token("advantage", advantage, answers)
    if weight is not None:
        product = product * _per_token("weight", weight, answers)
    zero = torch.zeros((), dtype=product.dtype, device=product.device)
    return torch.where(answers.answered, product, zero)


def _per_token(name: str, values: Tensor, answers: Answers) -> Tensor:
    shape = tuple(answers.tokens.shape)
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"{name} must be a tensor of a real floating dtype, got {kind}")
    if tuple(values.shape) not in (shape, shape[:1]):
        raise ValueError(
            f"{name} must have a value for each row, {shape[:1]}, or token, {shape}, got {tuple(values.shape)}"
        )
    values = values.detach()
    return values if values.ndim == 2 else values.unsqueeze(1).expand(shape)
