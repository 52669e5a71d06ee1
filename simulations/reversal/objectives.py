"""Token reversal's tasks, rewards, advantages, and the losses of methods that are not a weighted policy gradient.

Rewards are counted in whole points, H for a perfect answer: the points of a group sum without rounding, so that the
advantage of equally good answers is exactly zero, and a zero-price gate or a method that looks at the sign alone sees
no phantom winners.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from kondo_theory.words import choice
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_step import Loss, policy_gradient_loss

__all__ = [
    "BASELINES",
    "REWARDS",
    "TASKS",
    "advantage_of",
    "as_reversal",
    "error_columns",
    "group_advantage",
    "pmpo_coefficient",
    "pmpo_loss",
    "points",
    "ppo_loss",
    "right_in_bag",
    "wrong_answers",
    "wrong_kinds",
]

TASKS = MappingProxyType(
    {
        "reverse": "the prompt backwards",
        "copy": "the prompt as it is",
        "flip": "of each token x of the prompt its complement M − 1 − x",
        "reverse-flip": "the complements backwards",
    }
)
"""What is to be written. At M = 2 the complement is the other token; at odd M the middle one is its own."""

_POINTS: dict[str, Callable[[Tensor], Tensor]] = {
    "fraction": lambda right: right.sum(1),
    "prefix": lambda right: right.cumprod(1).sum(1),
    "exact": lambda right: right.shape[1] * right.prod(1),
    "bag": lambda right: right.sum(1),  # of right_in_bag
}

REWARDS = MappingProxyType(
    {
        "fraction": "share of the right positions",
        "prefix": "share of the positions before the first error",
        "exact": "1 if every position is right",
        "bag": "share of the right answer's tokens that the answer has, whatever their order",
    }
)

BASELINES = MappingProxyType(
    {
        "mean": "mean over the answers to the same prompt",
        "leave-one-out": "mean over the other answers to the same prompt",
        "batch-mean": "mean over all answers of the batch, whatever their prompts",
    }
)
"""What is taken from a reward to make it an advantage."""


def right_tokens(prompts: Tensor, answers: Tensor) -> Tensor:
    """Return whether each token of the answers (B, H) is that of the reversed prompt (B, H), as int64 (B, H)."""
    return (answers == prompts.flip(1)).long()


def right_in_bag(prompts: Tensor, answers: Tensor) -> Tensor:
    """Return whether the prompt (B, H) has as many of each answer token as there are of it up to there, (B, H).

    Of the answers (B, H), so that the sum over a row is the number of tokens that both have, Σ_a min(n_a, n'_a).
    """
    nth = (answers[:, :, None] == answers[:, None, :]).tril().sum(2)
    there = (answers[:, :, None] == prompts[:, None, :]).sum(2)
    return (nth <= there).long()


def as_reversal(prompts: Tensor, task: str, vocab_size: int) -> Tensor:
    """Return the prompts whose reversals are the right answers of a task, one of ``TASKS``, to prompts (..., H)."""
    choice("task", task, TASKS)
    prompts = vocab_size - 1 - prompts if task in ("flip", "reverse-flip") else prompts
    return prompts.flip(-1) if task in ("copy", "flip") else prompts


_OWN = {"prefix": "prefix", "bag": "bag", "multiset": "bag"}
"""Kinds of errors that are those of one reward, and its name."""


def wrong_kinds(prompts: Tensor, answers: Tensor) -> dict[str, Tensor]:
    """Return what is wrong of answers (B, H): numbers by kind, each (B,).

    Of each answer its wrong tokens, ``token``; those from the first wrong one on, ``prefix``; 1 if it has any,
    ``sequence``; the tokens that the prompt has not, ``bag``; and 1 if there are any of them, ``multiset``. Over H,
    or over 1 for ``sequence``, they are one minus the rewards ``fraction``, ``prefix``, ``exact`` and ``bag``.
    """
    right, in_bag = right_tokens(prompts, answers), right_in_bag(prompts, answers)
    return {
        "token": (1 - right).sum(1),
        "prefix": (1 - right.cumprod(1)).sum(1),
        "sequence": 1 - right.prod(1),
        "bag": (1 - in_bag).sum(1),
        "multiset": 1 - in_bag.prod(1),
    }


def wrong_answers(prompts: Tensor, answers: Tensor) -> Tensor:
    """Return the sums of :func:`wrong_kinds` over answers (B, H), and how many tokens and answers, (7,)."""
    wrong = torch.stack([each.sum() for each in wrong_kinds(prompts, answers).values()])
    return torch.cat([wrong, wrong.new_tensor([answers.numel(), len(answers)])])


def error_columns(reward: str, prefix: str, wrong: Sequence[int], n_tokens: int, n_answers: int) -> dict[str, float]:
    """Return the errors of an evaluation from the sums of :func:`wrong_kinds`, by column.

    One minus the reward has a column of its own where no other column is it; with reward ``bag`` there is also the
    share of the answers whose tokens are not the right ones in any order, ``multiset_error``.
    """
    totals = {"token": n_tokens, "prefix": n_tokens, "sequence": n_answers, "bag": n_tokens, "multiset": n_answers}
    shares = {kind: number / total for (kind, total), number in zip(totals.items(), wrong, strict=True)}
    return {f"{prefix}{kind}_error": share for kind, share in shares.items() if _OWN.get(kind, reward) == reward}


def points(prompts: Tensor, answers: Tensor, reward: str) -> Tensor:
    """Return H times the reward of each answer, a whole number.

    Parameters
    ----------
    prompts, answers : (B, H) int64 tensor
        The right answers are the prompts backwards; of another task see :func:`as_reversal`.
    reward : str
        One of ``REWARDS``.

    Returns
    -------
    (B,) int64 tensor
        From 0 to H.

    Raises
    ------
    ValueError
        If the reward is unknown or the shapes differ.
    """
    choice("reward", reward, _POINTS)
    if prompts.shape != answers.shape:
        raise ValueError(f"answers must be as long as prompts, {tuple(prompts.shape)}, got {tuple(answers.shape)}")
    return _POINTS[reward]((right_in_bag if reward == "bag" else right_tokens)(prompts, answers))


def group_advantage(point: Tensor, n_answers: int, length: int, dtype: torch.dtype) -> Tensor:
    """Return the reward minus the mean over the answers to the same prompt; it sums to zero over each group.

    Parameters
    ----------
    point : (B,) int64 tensor
        From :func:`points`; neighbours answer the same prompt.
    n_answers : int
        Answers to each prompt, a divisor of B. With one answer every advantage is zero.
    length : int
        H, the points of a perfect answer.
    dtype : torch.dtype
        Of the result, (B,).
    """
    grouped = point.view(-1, n_answers).to(dtype)
    return ((grouped - grouped.mean(1, keepdim=True)) / length).view(-1)


def advantage_of(point: Tensor, baseline: str, n_answers: int, batch: int, length: int, dtype: torch.dtype) -> Tensor:
    """Return the reward minus one of ``BASELINES``.

    Without its own, the mean over n − 1 answers leaves n/(n − 1) times the advantage with it: the same ranks and
    signs, and up to the ε of Adam the same steps, of every method but those that put the delight through a σ.

    Parameters
    ----------
    point : (N,) int64 tensor
        From :func:`points`, of one batch or of several, one after the other.
    baseline : str
    n_answers, batch : int
        Answers to each prompt, and all answers of a batch.
    length : int
        H.
    dtype : torch.dtype
        Of the result, (N,).
    """
    choice("baseline", baseline, BASELINES)
    advantage = group_advantage(point, batch if baseline == "batch-mean" else n_answers, length, dtype)
    return advantage * (n_answers / (n_answers - 1)) if baseline == "leave-one-out" else advantage


def ppo_loss(clip: float, divergence: float = 0.0) -> Loss:
    """Return PPO's clipped surrogate, −Σ min(r·A, clamp(r, 1 − clip, 1 + clip)·A), r = π/π_sampler a token.

    The coefficients are the advantages A. While π is the sampler's policy its gradient is the policy gradient's.
    With a ``divergence`` β > 0 there is added β·Σ KL(π_sampler ‖ π), as in PMPO: exact at every visited context, it
    only acts from the second epoch over a batch on.
    Source: J. Schulman et al., "Proximal policy optimization algorithms", arXiv 1707.06347, equations 7 and 8.
    """

    def loss(log_policy: Tensor, part: Rollout, coefficient: Tensor) -> Tensor:
        ratio = (part.log_prob(log_policy) + part.surprisal).exp()
        surrogate = -torch.minimum(ratio * coefficient, ratio.clamp(1 - clip, 1 + clip) * coefficient).sum()
        return surrogate + divergence * _divergence(log_policy, part) if divergence else surrogate

    return loss


def _divergence(log_policy: Tensor, part: Rollout) -> Tensor:
    """Return Σ KL(π_sampler ‖ π) over the visited contexts."""
    return kl_div(log_policy, part.log_policy, reduction="sum", log_target=True)


def pmpo_coefficient(advantage: Tensor, alpha: float) -> Tensor:
    """Return the weights that make the mean over all rows PMPO's two means over preferred and rejected rows.

    Preferred is U > 0, rejected U < 0; α·B/B₊ on preferred rows, −(1 − α)·B/B₋ on rejected ones, 0 on neither. The
    size of the advantage does not matter.

    Parameters
    ----------
    advantage : (..., B) tensor
        Of a batch, or of batches side by side.
    alpha : float
        α in [0, 1].

    Returns
    -------
    (..., B) tensor
    """
    preferred, rejected = (advantage > 0).to(advantage.dtype), (advantage < 0).to(advantage.dtype)
    reward = alpha * preferred / preferred.sum(-1, keepdim=True).clamp(min=1)
    penalty = (1 - alpha) * rejected / rejected.sum(-1, keepdim=True).clamp(min=1)
    return advantage.shape[-1] * (reward - penalty)


def pmpo_loss(beta: float) -> Loss:
    """Return PMPO's loss for coefficients from :func:`pmpo_coefficient`.

    Divided by the number of answer tokens it is, with means over the tokens of preferred (+), rejected (−) and all
    rows,

        −α·mean₊ log π(a) + (1 − α)·mean₋ log π(a) + β·mean KL(π_sampler(·|context) ‖ π(·|context)).

    The divergence is exact over the vocabulary at every visited context. Its gradient vanishes at π = π_sampler, so
    it only acts from the second epoch over a batch on.

    Source: A. Abdolmaleki et al., "Preference optimization as probabilistic inference", arXiv 2410.04166: the
    objective with accepted and rejected samples; the reference policy is the sampler here.
    """

    def loss(log_policy: Tensor, part: Rollout, coefficient: Tensor) -> Tensor:
        return policy_gradient_loss(log_policy, part, coefficient) + beta * _divergence(log_policy, part)

    return loss
