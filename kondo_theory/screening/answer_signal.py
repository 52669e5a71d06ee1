"""What rules on the answers of a group buy: signal and noise per backward pass, exact over all groups of a size.

A prompt has G answers, independent, with rewards R of mean r̄. A rule keeps k of them by their rewards, and each kept
one adds U·φ, U its reward minus a mean: that of the whole group, or of the kept alone. The signal is measured along w
with φ·w = R − r̄. A tabular softmax policy has it for every answer, w its rewards, the natural gradient. Of any policy
with rewards 0 and 1 it holds on average over the answers of each reward, w = p(1 − p)∇J/‖∇J‖², which is enough where
the rewards alone decide. Noise is that of the answers' own scores, E ΣU² for scores of one length.

A group whose answers all earn the same has advantages zero and gets no backward pass, under every rule.

Source: this project; the rules are those of :data:`kondo_theory.screening.RULES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, lgamma

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from kondo_theory import _domain
from kondo_theory._domain import FloatArray
from kondo_theory.screening.registry import Rule
from kondo_theory.screening.rules import score_function
from kondo_theory.words import Brief

__all__ = ["MEANS", "AnswerSignal", "answer_signal", "kept_signal"]

MEANS = ("group", "kept")
_MOST_GROUPS = 100_000


@dataclass(frozen=True, eq=False, repr=False)
class AnswerSignal(Brief):
    """What a rule buys of one group of answers, expected over groups.

    Attributes
    ----------
    signal : (...) array
        E Σ U(R − r̄) over the kept, in units of reward squared; of all G answers with the mean known it is G·Var R.
    square : (...) array
        E Σ U² over the kept: the noise, in units of the variance of an answer's score.
    n_kept : (...) array
        Expected backward passes.
    """

    signal: FloatArray
    square: FloatArray
    n_kept: FloatArray

    @property
    def per_backward(self) -> FloatArray:
        """Signal per backward pass, 0 where there is none."""
        return np.asarray(self.signal / np.where(self.n_kept > 0, self.n_kept, 1.0))[()]

    @property
    def cost(self) -> FloatArray:
        """Backward passes to a signal as large as the noise, n_kept·square/signal²; infinite without signal.

        In units of the variance of an answer's score over ‖w‖⁻², as far as the scores' own noise outweighs that of
        the rewards.
        """
        positive = self.signal > 0
        cost = self.n_kept * self.square / np.where(positive, self.signal, 1.0) ** 2
        return np.asarray(np.where(positive, cost, np.inf))[()]


def kept_signal(
    kept_share: ArrayLike, group_share: ArrayLike, pass_rate: ArrayLike, mean: str = "group"
) -> FloatArray:
    """Return the signal per backward pass of a group of right and wrong answers.

    x(1 − f)(1 − p) + (1 − x)fp with the group's mean, x(1 − x) with that of the kept: less by (x − f)(x − p).

    Parameters
    ----------
    kept_share, group_share : (...) array
        x and f, shares of right answers of the kept and of the group.
    pass_rate : (...) array
        p, the probability of a right answer.
    mean : {"group", "kept"}
        Which mean is subtracted from rewards.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real.
    """
    x, f, p = (
        _domain.interval(name, value, 0, 1, "[]")
        for name, value in (("kept_share", kept_share), ("group_share", group_share), ("pass_rate", pass_rate))
    )
    x, f, p = _domain.broadcast(kept_share=x, group_share=f, pass_rate=p)
    if _domain.choice("mean", mean, MEANS) == "group":
        return np.asarray(x * (1 - f) * (1 - p) + (1 - x) * f * p)[()]
    return np.asarray(x * (1 - x) + 0 * (f + p))[()]


def answer_signal(
    rule: str | Rule,
    reward: ArrayLike,
    probability: ArrayLike,
    group_size: int,
    n_kept: int | None,
    mean: str = "group",
) -> AnswerSignal:
    """Return what a rule buys of groups of answers with finitely many rewards, summed over all groups there are.

    Parameters
    ----------
    rule : str or callable
        A name in :data:`kondo_theory.screening.RULES`, or a function like them; surprisals and entropies are the same
        for all answers, so that delight ranks as the advantage does. Ties are kept at random.
    reward : (L,) array
        The rewards that there are.
    probability : (..., L) array
        Of each.
    group_size : int
        G ≥ 2.
    n_kept : int or None
        k in 1 to G, fewer where fewer have an advantage; None keeps what scores above zero, the gate at price zero.
    mean : {"group", "kept"}
        Which mean is subtracted from the rewards of the kept. The rule sees advantages over the group's in any case.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its domain or not real, or there are more than 100,000 different groups.
    """
    levels = _domain.finite("reward", reward)
    chance = _domain.distribution("probability", probability)
    if levels.ndim != 1 or len(levels) != chance.shape[-1]:
        shapes = f"{chance.shape[-1]} outcomes, got shape {levels.shape}"
        raise ValueError(f"reward must have one value for each of the {shapes}")
    G = _domain.integer("group_size", group_size, 2)
    k = None if n_kept is None else _domain.integer("n_kept", n_kept, 1, G)
    _domain.choice("mean", mean, MEANS)
    counts = _counts(len(levels), G)
    R = np.array([np.repeat(levels, each) for each in counts])  # (groups, G)
    spread = R.max(axis=1) > R.min(axis=1)
    U = np.where(spread[:, None], R - R.mean(axis=1, keepdims=True), 0.0)
    sure, tied, n_drawn = _selected(score_function(rule)(U, np.ones_like(U), np.ones_like(U)), U, k)
    one = sure + tied * n_drawn / np.maximum(tied.sum(axis=1, keepdims=True), 1)  # the probability to be kept
    if mean == "group":
        raised, alone, square = (np.sum(one * each, axis=1) for each in (U * R, U, U**2))
    else:
        kept = np.maximum(one.sum(axis=1), 1.0)
        raised = square = np.sum(one * R**2, axis=1) - _squared_sum(one, tied, n_drawn, R) / kept
        alone = np.zeros_like(raised)  # deviations from their own mean sum to zero
    weight = np.exp(_log_multinomial(counts) + xlogy(counts, chance[..., None, :]).sum(axis=-1))  # (..., groups)
    true_mean = chance @ levels
    signal = weight @ raised - true_mean * (weight @ alone)
    return AnswerSignal(*(np.asarray(each)[()] for each in (signal, weight @ square, weight @ one.sum(axis=1))))


def _selected(
    score: FloatArray, advantage: FloatArray, n_kept: int | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return who is kept for certain and who ties at the price, (groups, G), and how many of these are drawn."""
    score = np.where(advantage == 0, -np.inf, score)
    if n_kept is None:
        return (score > 0).astype(np.float64), np.zeros_like(score), np.zeros((len(score), 1))
    price = -np.sort(-score, axis=1)[:, n_kept - 1 : n_kept]
    sure = ((score > price) & (score > -np.inf)).astype(np.float64)
    tied = ((score == price) & (score > -np.inf)).astype(np.float64)
    return sure, tied, np.minimum(n_kept - sure.sum(axis=1, keepdims=True), tied.sum(axis=1, keepdims=True))


def _squared_sum(one: FloatArray, tied: FloatArray, n_drawn: FloatArray, values: FloatArray) -> FloatArray:
    """Return E of the squared sum over the kept, (groups,): of a draw without replacement from the tied."""
    n = np.maximum(tied.sum(axis=1, keepdims=True), 1)
    centred = tied * (values - np.sum(tied * values, axis=1, keepdims=True) / n)
    spread = np.sum(centred**2, axis=1, keepdims=True) / n
    drawn = n_drawn * (n - n_drawn) / np.maximum(n - 1, 1) * spread
    return np.asarray(np.sum(one * values, axis=1) ** 2 + drawn[:, 0])


def _counts(n_levels: int, group_size: int) -> FloatArray:
    """Return how often each reward can be in a group, (groups, L)."""
    n_groups = comb(group_size + n_levels - 1, n_levels - 1)
    if n_groups > _MOST_GROUPS:
        raise ValueError(f"there must be at most {_MOST_GROUPS} different groups, got {n_groups}")
    bars = np.array(list(combinations(range(group_size + n_levels - 1), n_levels - 1)), dtype=np.int64)
    ends = np.pad(bars.reshape(n_groups, n_levels - 1), ((0, 0), (1, 0)), constant_values=-1)
    ends = np.pad(ends, ((0, 0), (0, 1)), constant_values=group_size + n_levels - 1)
    return np.diff(ends, axis=1) - 1


def _log_multinomial(counts: FloatArray) -> FloatArray:
    """Return the log of the number of orders of each group, (groups,)."""
    log_factorial = np.array([lgamma(n + 1) for n in range(int(counts.sum(axis=1).max()) + 1)])
    return np.asarray(log_factorial[counts.sum(axis=1)] - log_factorial[counts].sum(axis=1))
