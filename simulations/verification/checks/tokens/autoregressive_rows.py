"""The simulation of the claim autoregressive-rows: drifts of drawn answers, both sides of the condition, training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kondo_theory.screening import RULES
from kondo_theory.token_trap.autoregressive_rows import enumerated_balance, tied_stall_point
from kondo_theory.token_trap.row_balance import RowBalance, row_balance
from simulations.statistics import mean_and_error
from simulations.tokens.dependent import Tied, draw_answers, keep_top_answers, rewards_at_the_end
from simulations.tokens.runs import LEARNED
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["autoregressive_rows", "dependent_policy"]

FloatArray = NDArray[np.float64]
Balance = Callable[..., RowBalance]

POINTS = (
    (2, 2, 0.3, "delight", None),
    (2, 3, 0.5, "delight", None),
    (3, 2, 0.3, "abs-advantage", None),
    (3, 3, 0.2, "delight", None),
    (4, 2, 0.4, "advantage", None),
    (4, 3, 0.5, "delight", None),
    (2, 2, 0.25, "delight", 3),
    (2, 3, 0.3, "advantage", 4),
    (3, 2, 0.3, "abs-advantage", 2),
)
"""T, M, ρ, rule and, with the mean of a group as the baseline, its S answers.

Rates lie apart from the edges of atoms, where ranking within a batch has a bias of the order of 1/√B."""
N_BATCHES = {"smoke": 12, "quick": 60, "paper": 600}
BATCH = 6_000  # answers, a multiple of every S
REPLICATES = {"smoke": 4, "quick": 8, "paper": 32}

AFTER = (1e-3, 8.0)
"""u and v: the odds of the second token over those of the first, after a right and a wrong one."""
STALLED = (Tied(*AFTER, 0.05), Tied(*AFTER, 0.3), Tied(*AFTER, 0.7, start=1.5))
FREE = (
    Tied(*AFTER, 0.9),
    Tied(*AFTER, 0.1, start=2.0),
    Tied(*AFTER, 0.3, "advantage"),
    Tied(*AFTER, 0.3, "abs-advantage"),
)
TABULAR = (Tied(*AFTER, 0.3, shared=False), Tied(*AFTER, 0.3, shared=False, start=1.0))
"""A set of logits a prefix: from the second start the sum of the drifts is negative."""


def dependent_policy(n_tokens: int, vocab_size: int, seed: int = 0) -> list[FloatArray]:
    """Return a policy drawn at random, as :func:`kondo_theory.token_trap.autoregressive_rows.answer_law` takes it."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, n_tokens, vocab_size)))
    return [rng.dirichlet(np.full(vocab_size, 0.7), (vocab_size,) * t) for t in range(n_tokens)]


def autoregressive_rows(
    context: Context,
    balance: Balance = enumerated_balance,
    stall: Callable[..., float | None] = tied_stall_point,
    rule: str | None = None,
    shared: bool = True,
) -> list[Simulated]:
    """Draw answers of policies whose tokens depend on each other, and train where right tokens share a logit or not.

    ``balance`` and ``stall`` are the predictions, ``rule`` replaces the rule that is simulated, and ``shared`` False
    unties the logits: negative controls.
    """
    rows = [row for index in range(len(POINTS)) for row in _balances(context, index, balance, rule)]
    tied = [replace(task, rule=rule or task.rule, shared=shared) for task in STALLED]
    for index, (task, gated) in enumerate(zip(STALLED, tied, strict=True)):
        predicted = stall(task.after_right, task.after_wrong, task.rate)
        rows.append(_end(context, gated, 1.0 if predicted is None else predicted, 100 + index))
    rows.extend(_learned(context, task, 5.0, 200 + index) for index, task in enumerate(FREE))
    rows.extend(_learned(context, task, 50.0, 300 + index) for index, task in enumerate(TABULAR))
    return rows


def _balances(context: Context, index: int, balance: Balance, rule: str | None) -> Iterator[Simulated]:
    """Yield the summed drift and both sides, each batch's answers ranked among themselves."""
    T, M, rate, named, group = POINTS[index]
    policies = dependent_policy(T, M)
    predicted = balance(policies, rate, named, group)
    rng = np.random.default_rng(np.random.SeedSequence(9_200, spawn_key=(index,)))
    n_batches = N_BATCHES[context.preset]
    drawn = draw_answers(policies, (n_batches, BATCH), rng)
    reward = drawn.right.mean(axis=2)
    if group is None:
        mean = np.full_like(reward, _exact_mean(policies))
    else:
        mean = np.repeat(reward.reshape(n_batches, -1, group).mean(axis=2), group, axis=1)
    advantage = reward - mean
    score = RULES[rule or named](advantage, drawn.surprisal, np.ones_like(reward))
    keep = keep_top_answers(score, rate)
    found = [
        row_balance(right, p, a, k)
        for right, p, a, k in zip(drawn.right, drawn.right_probability, advantage, keep, strict=True)
    ]
    baseline = "exact mean" if group is None else "group mean"
    name = f"T={T}, M={M}, ρ={rate:g}, by {named}, {baseline}" + ("" if group is None else f", S={group}")
    point: dict[str, Value] = {"T": T, "M": M, "ρ": rate, "rule": named, "baseline": baseline, "S": group}
    for quantity, value, each in (
        ("drift", predicted.drift, drawn.drift(advantage, keep)),
        ("reward side", predicted.reward_side, np.array([one.reward_side for one in found])),
        ("prefix side", predicted.prefix_side, np.array([one.prefix_side for one in found])),
    ):
        estimate, error = mean_and_error(each)
        yield Simulated(f"{quantity}, {name}", value, estimate, error, 0.01 * predicted.reward_side / T, point)


def _exact_mean(policies: list[FloatArray]) -> float:
    """Return the mean reward, token by token."""
    reach, total = np.ones(()), 0.0
    for table in policies:
        step = reach[..., None] * table
        total += float(step[..., 0].sum())
        reach = step
    return total / len(policies)


def _named(task: Tied) -> tuple[str, dict[str, Value]]:
    logits = "one logit" if task.shared else "tabular"
    u, v = task.after_right, task.after_wrong
    name = f"{logits}, u={u:g}, v={v:g}, ρ={task.rate:g}, by {task.rule}, from odds {task.start:g}"
    point: dict[str, Value] = {"logits": logits, "u": u, "v": v, "ρ": task.rate, "rule": task.rule}
    return name, point | {"odds start": task.start}


def _end(context: Context, task: Tied, predicted: float, stream: int) -> Simulated:
    """Return the reward at which training ends; steps to and fro across the jump shift it by less than 10⁻³."""
    ends = rewards_at_the_end(task, 2.0, 700, REPLICATES[context.preset], 9_200 + stream)
    estimate, error = mean_and_error(ends)
    name, point = _named(task)
    return Simulated(f"reward at the end, {name}", predicted, estimate, error + 1e-3, parameters=point)


def _learned(context: Context, task: Tied, learning_rate: float, stream: int) -> Simulated:
    ends = rewards_at_the_end(task, learning_rate, 900, REPLICATES[context.preset], 9_200 + stream)
    share, error = mean_and_error(ends > LEARNED)
    name, point = _named(task)
    return Simulated(f"share of runs that learn, {name}", 1.0, share, error, parameters=point)
