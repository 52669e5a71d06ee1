"""Groups of answers of a tabular policy, whose gradients are summed over what a rule keeps of each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import select
from simulations.bandits.moments import Estimate

__all__ = ["AnswerBandit", "Choose", "GroupEstimates", "by_score", "simulate_groups"]

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""A screening rule: scores of answers from advantages, surprisals and entropies, each (n, G)."""
Choose = Callable[[FloatArray, np.random.Generator], NDArray[np.bool_]]
"""Which answers are kept of groups of rewards, both (n, G)."""


@dataclass(frozen=True)
class AnswerBandit:
    """One prompt, whose answers are the arms of a softmax policy.

    Attributes
    ----------
    policy, reward : (K,) array
        π and R of each answer there is.
    along : (K,) array
        What gradients are projected on.
    """

    policy: FloatArray
    reward: FloatArray
    along: FloatArray


@dataclass(frozen=True)
class GroupEstimates:
    """Of the sum over the kept answers of a group: its part along ``along``, ΣU², and how many they are."""

    signal: Estimate
    square: Estimate
    n_kept: Estimate


def by_score(score: Score, n_kept: int | None) -> Choose:
    """Return what keeps the top k by a rule of what has an advantage, or what scores above zero for k None.

    The rule sees surprisals and entropies of one.
    """

    def choose(reward: FloatArray, rng: np.random.Generator) -> NDArray[np.bool_]:
        advantage = _advantage(reward)
        found = np.where(advantage == 0, -np.inf, score(advantage, np.ones_like(advantage), np.ones_like(advantage)))
        return np.asarray(found > 0 if n_kept is None else select(found, n_kept / reward.shape[1], rng))

    return choose


def simulate_groups(
    bandit: AnswerBandit,
    choose: Choose,
    group_size: int,
    n_groups: int,
    rng: np.random.Generator,
    *,
    own_mean: bool = False,
) -> GroupEstimates:
    """Draw groups, keep some answers of each, and sum the gradients U·(e_a − π).

    Parameters
    ----------
    bandit : AnswerBandit
    choose : callable
        What is kept of the groups' rewards.
    group_size : int
        G.
    n_groups : int
    rng : numpy.random.Generator
    own_mean : bool
        Subtract the mean reward of the kept from theirs, not that of the group.
    """
    arm = rng.choice(len(bandit.policy), size=(n_groups, group_size), p=bandit.policy)
    reward = bandit.reward[arm]
    advantage, keep = _advantage(reward), choose(reward, rng)
    count = keep.sum(axis=1, keepdims=True)
    if own_mean:
        advantage = reward - np.sum(keep * reward, axis=1, keepdims=True) / np.maximum(count, 1)
    paid = keep * advantage
    gradient = np.zeros((n_groups, len(bandit.policy)))
    np.add.at(gradient, (np.arange(n_groups)[:, None], arm), paid)
    gradient -= paid.sum(axis=1, keepdims=True) * bandit.policy
    return GroupEstimates(
        *(_estimate(each) for each in (gradient @ bandit.along, np.sum(paid**2, axis=1), count[:, 0]))
    )


def _advantage(reward: FloatArray) -> FloatArray:
    """Return rewards less their group's mean, zero where they are all the same, (n, G)."""
    spread = np.ptp(reward, axis=1, keepdims=True) > 0
    return np.where(spread, reward - reward.mean(axis=1, keepdims=True), 0.0)


def _estimate(values: FloatArray) -> Estimate:
    return Estimate(float(values.mean()), float(values.std() / np.sqrt(len(values))))
