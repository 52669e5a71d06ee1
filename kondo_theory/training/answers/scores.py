"""What a gate ranks of answers, token by token, answer by answer or group by group, and what it keeps of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from kondo_theory.gate import Gate
from kondo_theory.screening import Rule, score_function
from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.coefficient import token_coefficient
from kondo_theory.training.answers.groups import group_places, over_groups, places_of_all
from kondo_theory.training.answers.rules import (
    LEVELS,
    needs_entropy,
    needs_log_prob,
    of_groups,
    registered,
    require_rule,
)
from kondo_theory.training.policies import wide
from kondo_theory.training.ranks.group import Ranks
from kondo_theory.training.ranks.selection import select_on_each_rank, select_over_ranks
from kondo_theory.training.selection import Selection, select_samples
from kondo_theory.training.streaming import StreamingGate
from kondo_theory.words import choice

__all__ = [
    "ROW_SURPRISALS",
    "Ranked",
    "rank_answers",
    "select_answers",
]

ROW_SURPRISALS = ("sum", "mean")


@dataclass(frozen=True, eq=False, repr=False)
class Ranked:
    """What a gate is going to rank: n tokens, rows or groups of B rows of L tokens, padding among them.

    Tokens are the B·L places of the batch, rows the B of it. Groups have B places too, of which as many are valid as
    there are groups; over ranks they are those of the global batch.

    Attributes
    ----------
    score : (n,) tensor
        −∞ for what is never kept, NaN for what is no number.
    coefficient : (n,) tensor
        Not finite where what is going to be multiplied is not.
    mask : (n,) boolean tensor
        True where there is a token, an answer or a group.
    answered : (B, L) boolean tensor
        Which tokens are those of answers.
    eligible : (B,) boolean tensor or None
        Which rows are kept with their group; None where rows or tokens are ranked.
    place : (B,) tensor of int64 or None
        The place of each row's group.
    """

    score: Tensor
    coefficient: Tensor
    mask: Tensor
    answered: Tensor
    eligible: Tensor | None = None
    place: Tensor | None = None

    def select(
        self,
        gate: Gate | StreamingGate | None,
        rng: torch.Generator | Tensor | None = None,
        *,
        check: bool = True,
        ranks: Ranks | None = None,
    ) -> Selection:
        """Gate what is ranked; ``keep`` of the selection is of the tokens, everything else of what is ranked.

        Parameters as for :func:`select_answers`.
        """
        # A price of −∞ keeps all that are eligible, for their scores are finite.
        opened, given = gate or Gate(price=-math.inf), {"coefficient": self.coefficient, "mask": self.mask}
        if ranks is None:
            selection = select_samples(self.score, opened, rng, check=check, **given)
        else:
            over_ranks = select_over_ranks if self.place is None else select_on_each_rank  # each rank has all groups
            selection = over_ranks(self.score, opened, rng, ranks, check=check, **given)
        return replace(selection, keep=self.tokens(selection.keep), gate=None if gate is None else selection.gate)

    def tokens(self, keep: Tensor) -> Tensor:
        """Return the tokens, (B, L) boolean, of what is kept of the ranked, (n,) boolean."""
        if self.place is not None and self.eligible is not None:
            keep = keep[self.place] & self.eligible
        rows = len(self.answered)
        return (keep.unsqueeze(1) if len(keep) == rows else keep.view(rows, -1)) & self.answered


def rank_answers(
    answers: Answers,
    advantage: Tensor,
    *,
    level: str = "row",
    rule: str | Rule | None = "delight",
    row_surprisal: str = "sum",
    groups: int | Tensor | None = None,
    weight: Tensor | None = None,
    ranks: Ranks | None = None,
) -> Ranked:
    """Return what a gate is going to rank; parameters and errors as for :func:`select_answers`.

    ``rule`` None ranks by the advantage, where everything that is eligible is going to be kept.

    With ranks the answers are a part of a global batch, whose groups may be spread over several: an integer that
    names a group means the same on all.
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
    learns = valid & (coefficient != 0)
    score = (
        U if rule is None else _score(answers, U, valid, rule, row_surprisal, groups, learns & coefficient.isfinite())
    )
    score = score.masked_fill(~learns, -math.inf)
    if level == "group":
        place, eligible = group_places(groups, answers), score > -math.inf
        own = slice(None)
        if ranks is not None:
            place, own = places_of_all(groups, place, ranks)
            score, coefficient = ranks.concatenate(score), ranks.concatenate(coefficient)
            valid = ranks.concatenate(valid)
        found = None if rule is None else registered(rule)
        of_prompts = found is not None and found.granularity == "prompt"
        ranked = over_groups(place, score, coefficient, valid, of_prompts=of_prompts)
        return Ranked(*ranked, answers.answered, eligible, place[own])
    return Ranked(score.flatten(), coefficient.flatten(), valid.flatten(), answers.answered)


def select_answers(
    answers: Answers,
    advantage: Tensor,
    gate: Gate | StreamingGate | None,
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
    gate : Gate, StreamingGate or None
        None keeps all that are eligible, and takes no rule that can drop some; ``Gate(rate=1.0)`` keeps those of
        them that the rule does not drop.
    level : {"row", "token", "group"}
        What the gate keeps or drops. A row's score is the rule's of its advantage and the sums of its tokens'
        surprisals and entropies. A group's is the sum of its rows' positive scores, or what a rule on prompts says
        of it; −∞ if none of them is eligible.
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them; with parameters of its own,
        ``functools.partial(RULES["no-spurious"], entropy=2.0)``. Rules on tokens are for the level of tokens, those
        on answers for rows, those on prompts for rows and groups. Rules that compare the answers of a group need
        ``groups``, one size, and look at those alone that have an advantage and a weight; what a rule ranks lowest
        of one group can still be kept, where there is room in the batch, and ``Gate(price=0.5 - k)`` keeps the first
        k of each group by max-variance.
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
    TypeError
        If the rule is neither a name nor a function, or the gate is none.
    ValueError
        If the rule needs what the answers lack, decides on something else than the level, has no gate or no score
        above the gate's price, the level needs ``groups``, or a name is unknown.
    """
    require_rule(rule, level, gate)
    rank = rank_answers(
        answers,
        advantage,
        level=level,
        rule=None if gate is None else rule,
        row_surprisal=row_surprisal,
        groups=groups,
        weight=weight,
    )
    return rank.select(gate, rng, check=check)


def _score(
    answers: Answers,
    U: Tensor,
    valid: Tensor,
    rule: str | Rule,
    row_surprisal: str,
    groups: int | Tensor | None,
    learns: Tensor,
) -> Tensor:
    """Return the rule's score of each token, (B, L), or row, (B,); anything where not valid.

    What never gets a gradient takes no place in its group: k are kept of those that ``learns`` says do.
    """
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
    shape = _layout(rule, U, groups)
    own = U if len(shape) == 1 else U.masked_fill(~learns, math.nan)
    parts = (own.reshape(shape), surprisal.reshape(shape), None if entropy is None else entropy.reshape(shape))
    score: Tensor = score_function(rule)(*parts)
    if score.shape != parts[0].shape:
        raise ValueError(f"rule must return scores of shape {tuple(parts[0].shape)}, got {tuple(score.shape)}")
    return score.reshape(U.shape)


def _layout(rule: str | Rule, U: Tensor, groups: int | Tensor | None) -> tuple[int, ...]:
    """Return the shape in which a rule takes what it scores: its batch, or groups side by side."""
    found = registered(rule)
    beside = found is not None and {"reference policy", "history"}.intersection(found.inputs)
    if beside and not isinstance(rule, partial):
        raise ValueError(f"rule {rule!r} looks at what answers do not hold: give weight 0 to what it drops")
    if not of_groups(rule):
        return (-1,)
    if U.ndim == 2 or not isinstance(groups, int) or groups < 1 or len(U) % groups:
        raise ValueError(
            f"rule {rule!r} needs rows, and groups as the size of all of them, which divides the batch;"
            f" got groups {groups if isinstance(groups, int) else type(groups).__name__} of {len(U)} rows"
        )
    return -1, groups


def _settled(values: Tensor, answers: Answers, U: Tensor, row_surprisal: str) -> Tensor:
    """Return values of tokens in the shape of U, zero off the answers: as they are, or over each row."""
    zero = torch.zeros((), dtype=values.dtype, device=values.device)
    values = torch.where(answers.answered, values.detach(), zero)
    if U.ndim == 2:
        return values
    total = values.sum(1, dtype=wide(values.dtype))
    return total if row_surprisal == "sum" else total / answers.answered.sum(1).clamp(min=1)
