"""Groups of answers to the same prompt, of any size, told by one size or by an integer for each row."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.ranks.group import Ranks

__all__ = ["group_places", "groups_without_spread", "over_groups", "places_of_all"]


def group_places(groups: int | Tensor | None, answers: Answers) -> Tensor:
    """Return a place from 0 to B − 1 for each row, (B,) int64, equal within a group and different between them.

    Raises
    ------
    TypeError
        If ``groups`` is neither an integer nor an integer tensor.
    ValueError
        If it is None, does not divide B, or has another shape.
    """
    B, device = len(answers.tokens), answers.tokens.device
    if isinstance(groups, int | np.integer) and not isinstance(groups, bool):
        if groups < 1 or B % groups:
            raise ValueError(f"groups must divide the {B} rows, got {groups}")
        return torch.arange(B, device=device) // int(groups)
    if groups is None:
        raise ValueError("groups must be given: the size of the groups, neighbours, or an integer for each row")
    if not isinstance(groups, Tensor) or groups.dtype.is_floating_point or groups.dtype.is_complex:
        what = groups.dtype if isinstance(groups, Tensor) else type(groups).__name__
        raise TypeError(f"groups must be a size or an integer tensor, got {what}")
    if tuple(groups.shape) != (B,):
        raise ValueError(f"groups must have a number for each of the {B} rows, got shape {tuple(groups.shape)}")
    return torch.searchsorted(groups.sort().values, groups)


def places_of_all(groups: int | Tensor | None, place: Tensor, ranks: Ranks) -> tuple[Tensor, slice]:
    """Return the place of each row of the ranks' batches, put one after another, and which of them are this rank's.

    Parameters
    ----------
    groups
        As for :func:`group_places`: the size of groups that each lie within a rank, or numbers, which name a group
        on all ranks alike.
    place : (B,) tensor of int64
        From :func:`group_places`.
    ranks : Ranks
    """
    first, total = ranks.place(len(place), place.device)
    own = slice(first, first + len(place))
    if isinstance(groups, Tensor):
        names = ranks.concatenate(groups.long())
        return torch.searchsorted(names.sort().values, names), own
    assert groups is not None
    return torch.arange(total, device=place.device) // groups, own


def groups_without_spread(groups: int | Tensor, answers: Answers, advantage: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of groups, and of those in which every answer has advantage zero; 0-d, without waiting.

    Parameters
    ----------
    groups, answers
        As for :func:`group_places`; rows without an answer count nowhere.
    advantage : (B,) or (B, L) tensor
    """
    alive = advantage != 0
    alive = alive if alive.ndim == 1 else (alive & answers.answered).any(1)
    place = group_places(groups, answers)
    there, spread = (_any(place, each) for each in (answers.present, alive & answers.present))
    return there.sum(), (there & ~spread).sum()


def over_groups(
    place: Tensor, score: Tensor, coefficient: Tensor, valid: Tensor, *, of_prompts: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, coefficient and validity of the groups, (B,) each; places without a group are not valid.

    One row that is no number makes its group none. A group's score is the sum of its rows' positive ones;
    ``of_prompts`` says that a row's is already that of its group.
    """
    if of_prompts:
        total = torch.full_like(score, -math.inf).scatter_reduce_(0, place, score, "amax")
    else:
        total = torch.zeros_like(score).scatter_add_(0, place, score.clamp(min=0.0))
    eligible = _any(place, (score > -math.inf) | score.isnan())
    unknown = _any(place, ~coefficient.isfinite() & valid)
    coefficient = torch.ones_like(coefficient).masked_fill(unknown, math.nan)
    return total.masked_fill(~eligible, -math.inf), coefficient, _any(place, valid)


def _any(place: Tensor, mask: Tensor) -> Tensor:
    """Return for each place whether the mask is True on any of its rows, (B,)."""
    return torch.zeros_like(mask, dtype=torch.int64).index_add_(0, place, mask.long()) > 0
