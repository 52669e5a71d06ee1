"""What to log of a gated step, in one transfer, and an early sign that a token gate has stopped learning.

The sign is of the drift that the theory of stalling gates is about (:func:`kondo_theory.token_trap.drift`), taken
from batches: a gate on tokens stalls where E[kept·A·(1{right} − p)] falls through zero, p the share of right tokens.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from kondo_theory.training.answers.batch import Answers
from kondo_theory.training.answers.coefficient import token_coefficient
from kondo_theory.training.answers.groups import groups_without_spread
from kondo_theory.training.policies import wide
from kondo_theory.training.records import Screening
from kondo_theory.training.selection import Selection

__all__ = ["Statistics", "TrapSign", "answer_statistics", "row_statistics"]

_LEVELS = {"delight_10": 0.1, "delight_50": 0.5, "delight_90": 0.9}


class Statistics(dict[str, Tensor]):
    """Statistics of a step by name, 0-d tensors on the device: making them waits for nothing."""

    def read(self) -> dict[str, float]:
        """Return them as numbers: one transfer, the only time that the host waits."""
        together = torch.stack(list(self.values())).cpu()
        return dict(zip(self, together.tolist(), strict=True))


def answer_statistics(
    answers: Answers,
    advantage: Tensor,
    selection: Selection,
    *,
    by_token: bool = False,
    row_surprisal: str = "sum",
    groups: int | Tensor | None = None,
    correct: Tensor | None = None,
) -> Statistics:
    """Return what to log of a selection from answers; a step's ``statistics`` calls it.

    Parameters
    ----------
    answers : Answers
        With ``log_prob``, and ``entropy``, for the statistics that need them.
    advantage : (B,) or (B, L) tensor
    selection : Selection
        Of these answers.
    by_token : bool
        Whether delight is that of tokens; otherwise of rows, U times the row's surprisal.
    row_surprisal : {"sum", "mean"}
        As in :func:`kondo_theory.training.answers.select_answers`.
    groups : int or (B,) integer tensor, optional
    correct : (B,) or (B, L) boolean tensor, optional
        Which answers, or answer tokens, are right.

    Returns
    -------
    Statistics
        * ``rate``, kept over valid tokens, rows or groups; ``eligible``, the share of them that could be kept;
          ``invalid``, how many were no numbers; ``price``, with a gate
        * ``rows``, ``tokens``, ``positions``: shares that enter the backward pass, of all answers, answer tokens, and
          positions that a full step runs through
        * ``delight_10``, ``delight_50``, ``delight_90``: quantiles; ``surprisal`` and ``kept_surprisal``, means over
          tokens, with log-probabilities; ``entropy`` with entropies
        * ``groups``, ``groups_without_spread`` with groups: how many
        * ``right``, ``kept_right``: shares of all and of kept tokens, and ``drift``, ``full_drift`` for
          :class:`TrapSign`, with ``correct``

        A mean or share of nothing is NaN.

    Raises
    ------
    TypeError, ValueError
        If a dtype or shape does not fit.
    """
    keep, answered = selection.keep, answers.answered
    if keep.shape != answered.shape:
        raise ValueError(
            f"selection must be of the answers' tokens, {tuple(answered.shape)}, got {tuple(keep.shape)}"
        )
    n_tokens = answered.sum()
    found = {
        "rate": selection.n_kept / selection.n_valid,
        "eligible": selection.n_eligible / selection.n_valid,
        "invalid": selection.n_invalid,
        "rows": keep.any(1).sum() / answers.present.sum(),
        "tokens": keep.sum() / n_tokens,
        "positions": _positions(keep, answers).sum() / _positions(answered, answers).sum(),
    }
    if (price := selection.price) is not None:
        found["price"] = price if isinstance(price, Tensor) else n_tokens.new_full((), price, dtype=torch.float32)
    if answers.log_prob is not None:
        surprisal = _cleared(-answers.log_prob, answered)
        found |= _delight(surprisal, advantage, answers, by_token, row_surprisal)
        found |= {"surprisal": surprisal.sum() / n_tokens, "kept_surprisal": _mean(surprisal, keep)}
    if answers.entropy is not None:
        found["entropy"] = _mean(answers.entropy, answered)
    if groups is not None:
        found["groups"], found["groups_without_spread"] = groups_without_spread(groups, answers, advantage)
    if correct is not None:
        found |= _drifts(_per_token(correct, answers), token_coefficient(answers, advantage), keep, answered)
    dtype = torch.float32 if keep.device.type == "mps" else torch.float64
    return Statistics({name: value.detach().to(dtype) for name, value in found.items()})


def row_statistics(screening: Screening, advantage: Tensor, selection: Selection, **options: Any) -> Statistics:
    """Return :func:`answer_statistics` of samples, which are answers of one token; options as there."""
    log_policy, there = screening.log_policy, torch.ones_like(screening.actions, dtype=torch.bool).unsqueeze(1)
    entropy = None if log_policy is None else -_cleared(log_policy.exp() * log_policy, log_policy > -math.inf).sum(-1)
    log_prob, entropy = -screening.surprisal.unsqueeze(1), None if entropy is None else entropy.unsqueeze(1)
    answers = Answers(screening.actions.unsqueeze(1), there, there, log_prob, entropy)
    spread = replace(selection, keep=selection.keep.unsqueeze(1))
    found = answer_statistics(answers, advantage, spread, **options)
    del found["tokens"], found["positions"]  # those of one token are rows
    return found


class TrapSign:
    """Whether the kept tokens have stopped to push the right ones up, while all tokens together still do.

    A gate on tokens that share their answer's advantage can stall: a rare wrong token of a lucky answer has more
    delight than a common right one (claim ``token-trap``). The right token's logit then no longer drifts. Here the
    drift is the mean over batches of Σ_kept A·(1{right} − share right)/tokens: the sign is on where its mean over the
    last updates is below ``threshold`` standard errors while that of all tokens is above ``seen``. Where there is too
    little to see the latter, few answers or hardly an error left, there is no sign. Host only: it takes what
    :meth:`Statistics.read` gives.

    Parameters
    ----------
    updates : int
        How many are looked at, at least 2; before there are as many the sign is off.
    threshold, seen : float
        Standard errors.

    Attributes
    ----------
    z, full_z : float
        Mean over standard error of the drift of kept tokens and of all, NaN before there are enough updates.
    """

    def __init__(self, updates: int = 50, threshold: float = 3.0, seen: float = 10.0) -> None:
        if isinstance(updates, bool) or not isinstance(updates, int) or updates < 2:
            raise ValueError(f"updates must be a whole number of at least 2, got {updates!r}")
        self.updates, self.threshold, self.seen = updates, threshold, seen
        self._drifts: deque[tuple[float, float]] = deque(maxlen=updates)
        self.z = self.full_z = math.nan

    def add(self, statistics: Mapping[str, float]) -> bool:
        """Take the statistics of an update, ``drift`` and ``full_drift`` among them, and return whether it is on.

        Raises
        ------
        ValueError
            If they are not there, for want of ``correct``.
        """
        if not {"drift", "full_drift"} <= set(statistics):
            raise ValueError(f"statistics must have drift and full_drift: give correct; got {', '.join(statistics)}")
        self._drifts.append((statistics["drift"], statistics["full_drift"]))
        if len(self._drifts) < self.updates:
            return False
        self.z, self.full_z = (_over_error(each) for each in zip(*self._drifts, strict=True))
        return self.z < self.threshold and self.full_z > self.seen


def _over_error(values: tuple[float, ...]) -> float:
    """Return the mean over its standard error; 0 where all are 0."""
    mean, error = fmean(values), stdev(values) / math.sqrt(len(values))
    return mean / error if error > 0 else math.copysign(math.inf, mean) if mean else 0.0


def _drifts(right: Tensor, coefficient: Tensor, keep: Tensor, answered: Tensor) -> dict[str, Tensor]:
    share, coefficient = _mean(right, answered), coefficient.to(wide(coefficient.dtype))
    pull = coefficient * (right.to(coefficient.dtype) - share)
    pull = torch.where(coefficient.isfinite(), pull, torch.zeros_like(pull))
    return {
        "right": share,
        "kept_right": _mean(right, keep),
        "drift": _cleared(pull, keep).sum() / answered.sum(),
        "full_drift": _cleared(pull, answered).sum() / answered.sum(),
    }


def _delight(
    surprisal: Tensor, advantage: Tensor, answers: Answers, by_token: bool, row_surprisal: str
) -> dict[str, Tensor]:
    """Return quantiles, of the nearest rank; surprisal (B, L) is zero off the answers."""
    if by_token:
        values, valid = token_coefficient(answers, advantage) * surprisal, answers.answered
    else:
        total, valid = surprisal.sum(1), answers.present
        values = advantage.detach() * (total if row_surprisal == "sum" else total / answers.answered.sum(1))
    valid = valid & values.isfinite()
    ordered = values.masked_fill(~valid, math.inf).flatten().sort().values
    last = valid.sum() - 1
    places = [(level * last).round().long().clamp(min=0) for level in _LEVELS.values()]
    found = ordered[torch.stack(places)].masked_fill(last < 0, math.nan)
    return dict(zip(_LEVELS, found.unbind(), strict=True))


def _positions(wanted: Tensor, answers: Answers) -> Tensor:
    """Return how many positions of each row a pass up to its last wanted token reads, (B,)."""
    column = torch.arange(wanted.shape[1], device=wanted.device)
    last = torch.where(wanted, column, -1).amax(1)
    return torch.where(wanted.any(1), last - answers.attended.long().argmax(1), 0)


def _per_token(correct: Tensor, answers: Answers) -> Tensor:
    shape = tuple(answers.tokens.shape)
    if not isinstance(correct, Tensor) or correct.dtype != torch.bool:
        kind = correct.dtype if isinstance(correct, Tensor) else type(correct).__name__
        raise TypeError(f"correct must be a boolean tensor, True where right, got {kind}")
    if tuple(correct.shape) not in (shape, shape[:1]):
        got = tuple(correct.shape)
        raise ValueError(f"correct must have a value for each row, {shape[:1]}, or token, {shape}, got {got}")
    return correct if correct.ndim == 2 else correct.unsqueeze(1).expand(shape)


def _cleared(values: Tensor, mask: Tensor) -> Tensor:
    if values.is_floating_point():  # sums of 16 bits lose what is small, or overflow
        values = values.to(wide(values.dtype))
    return torch.where(mask, values.detach(), torch.zeros((), dtype=values.dtype, device=values.device))


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return _cleared(values, mask).sum() / mask.sum()
