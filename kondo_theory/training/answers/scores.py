"""What a gate ranks of answers, token by token, answer by answer or group by group, and what it keeps of them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import Rule, score_function
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.selection import Selection, select_samples
from kondo_theory.words import choice

__all__ = [
    "LEVELS",
    "ROW_SURPRISALS",
    "group_places",
    "groups_without_spread",
    "needs_entropy",
    "needs_log_prob",
    "select_answers",
    "token_coefficient",
]

LEVELS = ("row", "token", "group")
ROW_SURPRISALS = ("sum", "mean")
_BY_ADVANTAGE = ("advantage", "abs-advantage", "uniform")
_BY_ENTROPY = ("abs-advantage-entropy", "entropy-band")


def needs_log_prob(rule: str | Rule) -> bool:
    """Return whether a screening rule looks at log-probabilities or entropies at all; a function is taken to."""
    return rule not in _BY_ADVANTAGE


def needs_entropy(rule: str | Rule) -> bool:
    """Return whether a screening rule looks at the policy's entropy; a function is taken not to."""
    return rule in _BY_ENTROPY


def select_answers(
    answers: Answers,
    advantage: Tensor,
    gate: Gate | None,
    *,
    level: str = "row",
    rule: str | Rule = "delight",
    row_surprisal: str = "sum",
    groups: int | Tensor | None = None,
    weight: Tensor | None = None,
    rng: torch.Generator | Tensor | None = None,
    check: bool = True,
) -> Selection:
    """Gate tokens, answers or groups of answers, whose log-probabilities are known; no policy is needed.

    At a rate k = ``kept_count(rate, n_valid)`` of the valid tokens, answers or groups are kept, those of zero
    advantage included in ``n_valid``; these, padding and what is no number are never kept, so that all of those that
    are eligible are kept where they are fewer.

    Parameters
    ----------
    answers : Answers
        With ``log_prob``, and ``entropy``, where the rule needs them; what the gate ranks is made of them.
    advantage : (B,) tensor, or (B, L) at the level of tokens
        U of each answer, or of each token.
    gate : Gate or None
        None keeps all that are eligible.
    level : {"row", "token", "group"}
        What the gate keeps or drops. A row's score is the rule's of its advantage and the sums of its tokens'
        surprisals and entropies. A group's is the sum of its rows' positive scores, −∞ if none of them is eligible.
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them.
    row_surprisal : {"sum", "mean"}
        How a row's surprisal and entropy are made of its tokens': the sum, −log π(answer), grows with the length, so
        that delight favours long answers; the mean does not.
    groups : int or (B,) integer tensor, optional
        As in :func:`kondo_theory.advantage.group_advantage`; the level of groups needs it.
    weight : (B,) or (B, L) tensor, optional
        What a row or token is going to be multiplied by beside its advantage; where the product is not finite, or
        zero, it is never kept.
    rng : torch.Generator, tensor of uniform numbers or None
        As in :func:`kondo_theory.training.select_samples`: (B·L,) of them for tokens, (B,) for rows and groups.
    check : bool
        Let the gate check its price at a temperature, which waits for the device.

    Returns
    -------
    Selection
        ``keep`` is of the tokens, (B, L); everything else is of what is gated.

    Raises
    ------
    ValueError
        If the rule needs what the answers lack, the level needs ``groups``, or a name is unknown.
    """
    choice("level", level, LEVELS)
    choice("row_surprisal", row_surprisal, ROW_SURPRISALS)
    coefficient = token_coefficient(answers, advantage, weight)  # (B, L)
    if level != "token" and advantage.ndim == 2:
        raise ValueError(f"advantage must have a value for each answer at the level of {level}s, got one a token")
    if level == "token":
        valid, U = answers.answered, token_coefficient(answers, advantage)
    else:
        valid, U, coefficient = answers.present, advantage.detach(), coefficient.abs().amax(1)
    score = _score(answers, U, valid, rule, row_surprisal) if gate is not None else U
    score = score.masked_fill((coefficient == 0) | ~valid, -math.inf)
    place, eligible = None, score > -math.inf
    if level == "group":
        place = group_places(groups, answers)
        score, coefficient, valid = _over_groups(place, score, coefficient, valid)
    # A price of −∞ keeps all that are eligible, for their scores are finite.
    opened, factor, mask = gate or Gate(price=-math.inf), coefficient.flatten(), valid.flatten()
    selection = select_samples(score.flatten(), opened, rng, coefficient=factor, mask=mask, check=check)
    keep = selection.keep.view(valid.shape)
    if place is not None:
        keep = keep[place] & eligible
    if level != "token":
        keep = keep.unsqueeze(1) & answers.answered
    return replace(selection, keep=keep, gate=gate)


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
    if isinstance(groups, int) and not isinstance(groups, bool):
        if groups < 1 or B % groups:
            raise ValueError(f"groups must divide the {B} rows, got {groups}")
        return torch.arange(B, device=device) // groups
    if groups is None:
        raise ValueError("groups must be given: the size of the groups, neighbours, or an integer for each row")
    if not isinstance(groups, Tensor) or groups.dtype.is_floating_point or groups.dtype.is_complex:
        raise TypeError(f"groups must be a size or an integer tensor, got {getattr(groups, 'dtype', type(groups))}")
    if tuple(groups.shape) != (B,):
        raise ValueError(f"groups must have a number for each of the {B} rows, got shape {tuple(groups.shape)}")
    return torch.searchsorted(groups.sort().values, groups)


def groups_without_spread(groups: int | Tensor, answers: Answers, advantage: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of groups, and of those in which every answer has advantage zero; 0-d, without waiting."""
    place, present = group_places(groups, answers), answers.present
    alive = token_coefficient(answers, advantage).abs().amax(1) != 0
    there, spread = (_any(place, each) for each in (present, alive & present))
    return there.sum(), (there & ~spread).sum()


def _score(answers: Answers, U: Tensor, valid: Tensor, rule: str | Rule, row_surprisal: str) -> Tensor:
    """Return the rule's score of each token, (B, L), or row, (B,); anything where not valid."""
    if needs_log_prob(rule) and answers.log_prob is None:
        raise ValueError(f"rule {rule!r} needs log-probabilities: give log_prob, or let a step's screen compute them")
    if needs_entropy(rule) and answers.entropy is None:
        raise ValueError(
            f"rule {rule!r} needs the policy's entropies, got log-probabilities alone: give entropy too, or pass"
            " answers without log_prob, or what a step's screen returns"
        )
    log_prob = answers.log_prob
    surprisal: Tensor = torch.zeros_like(U) if log_prob is None else _settled(-log_prob, answers, U, row_surprisal)
    entropy = None
    if answers.entropy is not None:
        entropy = _settled(answers.entropy, answers, U, row_surprisal)
        entropy = entropy.masked_fill(~valid, math.nan).flatten()  # padding has no place among quantiles
    score: Tensor = score_function(rule)(U.flatten(), surprisal.flatten(), entropy)
    return score.view(U.shape)


def _settled(values: Tensor, answers: Answers, U: Tensor, row_surprisal: str) -> Tensor:
    """Return values of tokens in the shape of U, zero off the answers: as they are, or over each row."""
    zero = torch.zeros((), dtype=values.dtype, device=values.device)
    values = torch.where(answers.answered, values.detach(), zero)
    if U.ndim == 2:
        return values
    total = values.sum(1)
    return total if row_surprisal == "sum" else total / answers.answered.sum(1).clamp(min=1)


def _over_groups(place: Tensor, score: Tensor, coefficient: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return score, coefficient and validity of the groups, (B,) each; places without a group are not valid.

    One row that is no number makes its group none.
    """
    total = torch.zeros_like(score).scatter_add_(0, place, score.clamp(min=0.0).masked_fill(~valid, 0.0))
    eligible = _any(place, (score > -math.inf) | score.isnan())
    unknown = _any(place, ~coefficient.isfinite() & valid)
    coefficient = torch.ones_like(coefficient).masked_fill(unknown, math.nan)
    return total.masked_fill(~eligible, -math.inf), coefficient, _any(place, valid)


def _any(place: Tensor, mask: Tensor) -> Tensor:
    """Return for each place whether the mask is True on any of its rows, (B,)."""
    return torch.zeros_like(mask, dtype=torch.int64).index_add_(0, place, mask.long()) > 0


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
