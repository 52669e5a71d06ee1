"""The simulation of the claim token-rules: drifts at positions of each kind, and where open ones end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kondo_theory.screening import RULES, Rule
from kondo_theory.token_trap.positions import Positions, open_rest_point, percentile_drifts, position_drifts
from simulations.statistics import mean_and_error
from simulations.tokens.positions import Keep, PositionTask, drifts, probabilities_at_the_end, top_share
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["token_rules"]

FloatArray = NDArray[np.float64]
Drifts = Callable[..., FloatArray]

N_BATCHES = {"smoke": 10, "quick": 50, "paper": 800}
REPLICATES = {"smoke": 2, "quick": 6, "paper": 24}
BATCH = 2_000  # answers
STEPS = 120

LEARNT = ((4, 0.5), (6, 0.93))
FREE = ((4, 0.5), (6, None))
ALIKE = ((6, 0.6),)
"""How many positions of each kind, and their p; None is free."""
POINTS = (
    (ALIKE, 10, 0.1, "probability"),
    (ALIKE, 10, 0.2, "positive-advantage"),
    (ALIKE, 10, 0.07, "weighted-advantage"),
    (ALIKE, 10, 1.0, "no-spurious"),
    (ALIKE, 10, 0.15, "delight-no-spurious"),
    (LEARNT, 100, 0.1, "delight"),
    (LEARNT, 100, 0.1, "positive-surprisal"),
    (LEARNT, 100, 0.15, "delight-no-spurious"),
    (LEARNT, 100, 1.0, "no-spurious"),
    (LEARNT, 100, 0.3, "entropy"),
    (LEARNT, 100, 0.3, "entropy-band"),
    (LEARNT, 100, 0.2, "abs-advantage-entropy"),
    (FREE, 10, 0.7, "entropy"),
    (FREE, 10, 0.3, "entropy"),
    (FREE, 10, 0.1, "abs-advantage-entropy"),
    (FREE, 10, 0.1, "delight"),
    (FREE, 10, 0.1, "surprisal"),
    (FREE, 10, 1.0, "no-spurious"),
)
"""Positions, M, ρ and rule of the drifts. Rates lie apart from the edges of atoms."""
PERCENTILES = ((ALIKE, 10, 2.0, "surprisal"), (ALIKE, 10, 8.0, "delight"))
SPURIOUS = {"least_probability": 0.1, "entropy": 2.5}
"""By which wrong tokens of the points are spurious and right ones are not."""
ENDS = (
    (5, 0, 10, 0.05, "weighted-advantage", 0.69, 3.0),
    (4, 6, 10, 0.1, "abs-advantage-entropy", 0.85, 60.0),
    (6, 0, 10, 0.1, "delight", 0.2, 4.0),
)
"""Open and free positions, M, ρ, rule, the p where training starts, and the learning rate."""


def _rule(name: str) -> Rule:
    return partial(RULES[name], **SPURIOUS) if name.endswith("no-spurious") else RULES[name]


def token_rules(
    context: Context,
    drift: Drifts = position_drifts,
    percentile: Drifts = percentile_drifts,
    rest: Callable[..., float | None] = open_rest_point,
    rule: str | None = None,
) -> list[Simulated]:
    """Simulate drifts by rule at open, learnt and beside free positions, and where open ones end.

    ``drift``, ``percentile`` and ``rest`` are the predictions; ``rule`` is simulated in the place of each rule:
    negative controls.
    """
    rows: list[Simulated] = []
    for index, (kinds, M, rate, name) in enumerate(POINTS):
        predicted = drift(_positions(kinds), M, rate, _rule(name))
        rows.extend(_rows(context, kinds, M, ("ρ", rate), name, rule or name, predicted, top_share(rate), index))
    for index, (kinds, M, power, name) in enumerate(PERCENTILES):
        predicted = percentile(_positions(kinds), M, power, _rule(name))
        keep = _by_percentile(power)
        rows.extend(_rows(context, kinds, M, ("β", power), name, rule or name, predicted, keep, 100 + index))
    for index in range(len(ENDS)):
        rows.append(_end(context, index, rest, rule))
    return rows


def _positions(kinds: tuple[tuple[int, float | None], ...]) -> list[Positions]:
    return [Positions(count, judged=False) if p is None else Positions(count, p) for count, p in kinds]


def _task(kinds: tuple[tuple[int, float | None], ...], vocab_size: int) -> PositionTask:
    each = [p for count, p in kinds for _ in range(count)]
    return PositionTask(tuple(0.5 if p is None else p for p in each), tuple(p is not None for p in each), vocab_size)


def _by_percentile(power: float) -> Keep:
    """Return weights of the share of a batch's scores that are not above a token's own, to a power."""

    def keep(score: FloatArray) -> FloatArray:
        weights = np.empty_like(score)
        for row, values in enumerate(score):
            scale = 1e-9 * np.abs(values).max()
            ranked = np.sort(values)
            weights[row] = (np.searchsorted(ranked, values + scale, side="right") / values.size) ** power
        return weights

    return keep


def _rows(
    context: Context,
    kinds: tuple[tuple[int, float | None], ...],
    M: int,
    how: tuple[str, float],
    named: str,
    simulated: str,
    predicted: FloatArray,
    keep: Keep,
    stream: int,
) -> Iterator[Simulated]:
    """Yield each judged kind's drift over p(1 − p)/J, J the number of judged positions: in units of PG's."""
    rng = np.random.default_rng(np.random.SeedSequence(9_300, spawn_key=(stream,)))
    task = _task(kinds, M)
    found = drifts(task, _rule(simulated), keep, BATCH, N_BATCHES[context.preset], rng)
    judged = sum(task.judged)
    place = 0
    free = sum(count for count, p in kinds if p is None)
    for kind, (count, p) in enumerate(kinds):
        if p is not None:
            scale = p * (1 - p) / judged
            estimate, error = mean_and_error(found[:, place : place + count].mean(axis=1) / scale)
            beside = f"{free} free" if free else f"{judged - count} others"
            symbol, value = how
            quantity = f"drift of {count} positions beside {beside}, p={p:g}, M={M}, {symbol}={value:g}, by {named}"
            point: dict[str, Value] = {"n": count, "free": free, "others": judged - count, "p": p, "M": M}
            point |= {symbol: value, "rule": named}
            yield Simulated(quantity, float(predicted[kind]) / scale, estimate, error, 0.02, point)
        place += count


def _end(context: Context, index: int, rest: Callable[..., float | None], rule: str | None) -> Simulated:
    """Return where open positions end, moved alike; steps to and fro across a jump shift it by less than 10⁻³."""
    n, free, M, rate, named, p, learning_rate = ENDS[index]
    predicted = rest(n, free, M, rate, _rule(named))
    task = _task(((n, p), (free, None)), M)
    rng = np.random.default_rng(np.random.SeedSequence(9_400, spawn_key=(index,)))
    how = (1_000, learning_rate, STEPS, REPLICATES[context.preset], rng)
    found = probabilities_at_the_end(task, _rule(rule or named), top_share(rate), *how)
    estimate, error = mean_and_error(found)
    quantity = f"end of {n} open positions beside {free} free ones, M={M}, ρ={rate:g}, by {named}, from p={p:g}"
    point: dict[str, Value] = {"n": n, "free": free, "M": M, "ρ": rate, "rule": named, "p start": p}
    return Simulated(quantity, 1.0 if predicted is None else predicted, estimate, error + 1e-3, parameters=point)
