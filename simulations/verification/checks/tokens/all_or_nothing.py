"""The simulation of the claim all-or-nothing: updates from drawn answers, one right answer or two, and training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kondo_theory.token_trap import all_or_nothing as theory
from simulations.statistics import mean_and_error
from simulations.tokens.whole_answers import Pay, chance_at_the_end, updates
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value
from simulations.verification.checks.tokens.autoregressive_rows import dependent_policy

__all__ = ["all_or_nothing"]

FloatArray = NDArray[np.float64]

POINTS = (
    (3, 2, 0.6, 0.05, None),
    (3, 2, 0.6, 0.4, None),
    (3, 2, 0.6, 0.8, None),
    (2, 5, 0.4, 0.1, None),
    (2, 5, 0.4, 0.3, None),
    (2, 2, 0.4, 0.5, None),
    (10, 2, 0.8, 0.03, None),
    (3, 2, 0.6, 0.03, 4),
    (2, 3, 0.5, 0.6, 8),
    (10, 2, 0.8, 0.03, 10),
)
"""T, M, p, ρ and, with the mean of a group as baseline, its S answers.

Rates lie apart from the edges of atoms, where ranking within a batch has a bias of the order of 1/√B."""
DEPENDENT = ((2, 2, 0.05, 22), (2, 3, 0.3, 5), (3, 2, 0.3, 10), (3, 3, 0.8, 36))
"""T, M and ρ, and the seed of a policy that is drawn at random."""
TRAINED = ((6, 2, 0.03, False), (6, 2, 0.3, False), (3, 5, 0.03, False), (6, 2, 0.03, True))
"""T, M, ρ, and whether the reward is the share of right tokens, which stalls."""
TWO_ANSWERS = (np.array([0.9, 0.1]), np.array([[0.99, 0.01], [0.2, 0.8]]))
"""Two words; a right answer begins with either and ends with word 0."""

BATCH = 8_000  # answers, a multiple of every S
N_BATCHES = {"smoke": 16, "quick": 80, "paper": 800}
RUNS = {"smoke": 4, "quick": 8, "paper": 32}
TRAINING_BATCH = 1_000
STEPS, LEARNING_RATE = 400, 60.0
LEARNED = 0.9
_ROUNDING = 1e-12  # where a batch holds more paid tokens than are kept, the update does not depend on the draw


def whole(words: NDArray[np.int64]) -> FloatArray:
    """Pay answers of words 0 alone."""
    return np.asarray((words == 0).all(axis=-1), dtype=np.float64)


def all_or_nothing(
    context: Context,
    formula: Callable[..., FloatArray] = theory.all_or_nothing_drift,
    enumerated: Callable[..., Sequence[FloatArray]] = theory.expected_update,
    pay: Pay = whole,
) -> list[Simulated]:
    """Draw answers, gate their tokens, and compare the updates; then train where whole answers are paid, or parts.

    ``formula`` and ``enumerated`` are the predictions, and ``pay`` replaces the simulated rewards of one right
    answer: negative controls.
    """
    rows = [_equal(context, index, formula, pay) for index in range(len(POINTS))]
    for index in range(len(DEPENDENT)):
        rows.extend(_dependent(context, index, enumerated, pay))
    rows.extend(_two_answers(context, enumerated))
    rows.extend(_trained(context, index) for index in range(len(TRAINED)))
    return rows


def _either(words: NDArray[np.int64]) -> FloatArray:
    return np.asarray(words[..., -1] == 0, dtype=np.float64)


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(9_700, spawn_key=key))


def _equal(context: Context, index: int, formula: Callable[..., FloatArray], pay: Pay) -> Simulated:
    """Return the drift of a right logit where all tokens are right with the same chance."""
    T, M, p, rate, S = POINTS[index]
    first = np.array([p, *[(1 - p) / (M - 1)] * (M - 1)])
    policies = [np.broadcast_to(first, (M,) * (t + 1)) for t in range(T)]
    found = updates(policies, pay, rate, (N_BATCHES[context.preset], BATCH), _rng(index), S)
    drift = sum(each[..., 0].reshape(len(each), -1).sum(axis=1) for each in found) / T
    estimate, error = mean_and_error(drift)
    predicted = float(formula(p, T, M, rate, S))
    baseline = "exact mean" if S is None else "group mean"
    name = f"drift, T={T}, M={M}, p={p:g}, ρ={rate:g}, {baseline}" + ("" if S is None else f", S={S}")
    point: dict[str, Value] = {"T": T, "M": M, "p": p, "ρ": rate, "baseline": baseline, "S": S}
    return Simulated(name, predicted, estimate, error + _ROUNDING, 0.01 * p**T * (1 - p), point)


def _dependent(
    context: Context, index: int, enumerated: Callable[..., Sequence[FloatArray]], pay: Pay
) -> Iterator[Simulated]:
    """Yield the drift of each right logit after the right beginning, where tokens depend on each other."""
    T, M, rate, seed = DEPENDENT[index]
    policies = dependent_policy(T, M, seed)
    predicted, ungated = enumerated(policies, rate), theory.expected_update(policies, 1.0)
    found = updates(policies, pay, rate, (N_BATCHES[context.preset], BATCH), _rng(100, index))
    for t in range(T):
        at = (0,) * (t + 1)
        estimate, error = mean_and_error(found[t].reshape(len(found[t]), -1)[:, 0])
        scale = float(ungated[t][at])
        name = f"drift after the right beginning of {t}, T={T}, M={M}, ρ={rate:g}, logits of each beginning"
        point: dict[str, Value] = {"T": T, "M": M, "ρ": rate, "beginning": t, "logits": "of each beginning"}
        yield Simulated(name, float(predicted[t][at]), estimate, error + _ROUNDING, 0.01 * scale, point)


def _two_answers(context: Context, enumerated: Callable[..., Sequence[FloatArray]]) -> Iterator[Simulated]:
    """Yield the update of the first word's logit with two right answers, by the gate and by the policy gradient."""
    paid = np.array([[True, False], [True, False]])
    for place, rate in enumerate((0.005, 1.0)):
        found = updates(TWO_ANSWERS, _either, rate, (N_BATCHES[context.preset], BATCH), _rng(200, place))
        estimate, error = mean_and_error(found[0][:, 0])
        predicted = float(enumerated(TWO_ANSWERS, rate, paid)[0][0])
        name = f"update of the better first word, two right answers, ρ={rate:g}"
        yield Simulated(name, predicted, estimate, error + _ROUNDING, parameters={"right answers": 2, "ρ": rate})


def _trained(context: Context, index: int) -> Simulated:
    T, M, rate, partial = TRAINED[index]
    shape = RUNS[context.preset], TRAINING_BATCH
    ends = chance_at_the_end(T, M, rate, LEARNING_RATE, STEPS, shape, _rng(300, index), partial)
    share, error = mean_and_error(ends > LEARNED)
    reward = "share of right tokens" if partial else "all or nothing"
    name = f"share of runs that learn, T={T}, M={M}, ρ={rate:g}, reward {reward}"
    point: dict[str, Value] = {"T": T, "M": M, "ρ": rate, "reward": reward}
    return Simulated(name, 0.0 if partial else 1.0, share, error, parameters=point)
