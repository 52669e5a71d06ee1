"""The simulation of the claim corner-escape: times out of corners, first updates, and logits that are shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry.corners import escape_time, kept_updates, shared_rest_point
from kondo_theory.geometry.learning import learning_time
from simulations.bandits.updates.corners import (
    Corner,
    SharedLogits,
    Weigh,
    escape_times,
    rest_point,
    samples_before_an_update,
    shared_time,
    weigh,
)
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["corner_escape"]

Closed = Callable[..., NDArray[np.float64]]

CORNERS = {
    "two arms": (1 / 31, 30 / 31),
    "two arms, far": (1 / 301, 300 / 301),
    "ten arms": (0.01, 0.9, *[0.09 / 8] * 8),
    "five arms": (0.03, 0.6, 0.3, 0.05, 0.02),
}
SMALL = ("two arms", "five arms")
METHODS: tuple[tuple[str, float | str], ...] = (("pg", 0.5), ("zero-price", 0.5), ("zero-price", "value"))
REPLICATES = {"smoke": 4, "quick": 8, "paper": 16}
SINGLE = {"smoke": 14_000, "quick": 40_000, "paper": 200_000}
"""Runs whose batches are small, or samples drawn one at a time."""


def corner_escape(
    context: Context, time: Closed = escape_time, rest: Closed = shared_rest_point, decide: Weigh = weigh
) -> list[Simulated]:
    """Simulate escapes from corners, zero price's first updates, and two contexts with shared logits.

    The closed forms and the gate are arguments so that wrong ones can be shown to fail.
    """
    preset = context.preset
    return [
        *_escapes(time, decide, REPLICATES[preset], SMALL if preset == "smoke" else tuple(CORNERS)),
        *_late(time, decide, REPLICATES[preset]),
        *_delightful(decide, REPLICATES[preset]),
        *_first_updates(decide, SINGLE[preset]),
        *_kept_updates(decide, SINGLE[preset] // 8),
        *_shared(rest, decide, REPLICATES[preset]),
    ]


def _escapes(time: Closed, decide: Weigh, replicates: int, corners: tuple[str, ...]) -> Iterator[Simulated]:
    for index, corner in enumerate(corners):
        policy = CORNERS[corner]
        for offset, (method, b) in enumerate(METHODS):
            found = escape_times(Corner(method, b, policy), replicates, 100 * index + 10 * offset, decide)
            for unit, estimate in zip(("forward", "backward"), found, strict=True):
                where: dict[str, Value] = {"method": method, "unit": unit, "b": b, "policy": policy, "p end": 0.5}
                predicted = float(time(method, policy, b, unit))
                quantity = f"{unit} time out of {corner} by {method}, b={'p' if b == 'value' else b}"
                yield Simulated(quantity, predicted, estimate.value, estimate.standard_error, parameters=where)


def _late(time: Closed, decide: Weigh, replicates: int) -> Iterator[Simulated]:
    """Yield late stretches, over which the inverse error (its square, if b = p) grows steadily."""
    policy = (0.8, 0.15, 0.03, 0.02)
    stretches: tuple[tuple[str, float | str, float], ...] = (("zero-price", 0.5, 0.99), ("zero-price", "value", 0.96))
    for offset, (method, b, end) in enumerate(stretches):
        found, _ = escape_times(Corner(method, b, policy, end), replicates, 1_000 + 10 * offset, decide)
        where: dict[str, Value] = {"method": method, "b": b, "policy": policy, "p start": policy[0], "p end": end}
        quantity = f"late time from p={policy[0]:g} to {end:g} by {method}, b={'p' if b == 'value' else b}"
        predicted = float(time(method, policy, b, p_end=end))
        yield Simulated(quantity, predicted, found.value, found.standard_error, parameters=where)


def _delightful(decide: Weigh, replicates: int) -> Iterator[Simulated]:
    """Yield DG's time out of a corner of two arms, at two temperatures."""
    policy = CORNERS["two arms"]
    for offset, eta in enumerate((1.0, 0.01)):
        run = Corner("dg", 0.5, policy, temperature=eta)
        found, _ = escape_times(run, replicates, 2_000 + 10 * offset, decide)
        predicted = float(learning_time("dg", 2, 0.5, 0.5, p_start=policy[0], temperature=eta))
        where: dict[str, Value] = {"method": "dg", "b": 0.5, "policy": policy, "η": eta, "p end": 0.5}
        quantity = f"forward time out of two arms by dg, η={eta:g}"
        yield Simulated(quantity, predicted, found.value, found.standard_error, parameters=where)


def _first_updates(decide: Weigh, replicates: int) -> Iterator[Simulated]:
    """Yield zero price's samples until its first update."""
    for offset, name in enumerate(("two arms", "ten arms")):
        policy = CORNERS[name]
        found = samples_before_an_update(Corner("zero-price", 0.5, policy), replicates, 3_000 + offset, decide)
        where: dict[str, Value] = {"method": "zero-price", "policy": policy, "unit": "samples"}
        quantity = f"samples before the first update, {name}"
        yield Simulated(quantity, 1 / policy[0], found.value, found.standard_error, parameters=where)


def _kept_updates(decide: Weigh, replicates: int) -> Iterator[Simulated]:
    """Yield updates out of a corner that are means over the kept."""
    for offset, size in enumerate((10, 1_000)):
        policy = CORNERS["two arms"]
        run = Corner("zero-price", 0.5, policy, batch_size=size, kept=True)
        found, _ = escape_times(run, replicates, 3_100 + 10 * offset, decide, (0.2, 0.1, 0.05))
        where: dict[str, Value] = {"method": "zero-price", "policy": policy, "b": 0.5, "B": size, "unit": "updates"}
        predicted = float(kept_updates(policy, 0.5, size))
        quantity = f"updates, means over the kept, out of two arms, B={size}"
        yield Simulated(quantity, predicted, found.value, found.standard_error, parameters=where)


def _shared(rest: Closed, decide: Weigh, replicates: int) -> Iterator[Simulated]:
    """Yield where flow on shared logits rests, and how long what does not rest takes to p = 0.9."""
    both = (0.05, 0.95)
    cases: tuple[tuple[str, float | str, float, float, tuple[float, ...]], ...] = (
        ("zero-price", "value", 0.25, 1.0, both),
        ("dg", 0.5, 0.4, 1.0, both[:1]),
        ("dg", 0.5, 0.4, 0.2, both[1:]),
    )
    for index, (method, b, q, eta, starts) in enumerate(cases):
        for start in starts:
            seed = 4_000 + 10 * index + (start > 0.5)
            found = rest_point(SharedLogits(method, b, q, eta), start, 8 * replicates, seed, decide)
            where: dict[str, Value] = {"method": method, "b": b, "q": q, "η": eta, "p start": start}
            quantity = f"p of shared logits, {method}, q={q:g}, η={eta:g}, from {start:g}"
            predicted = float(rest(method, q, b, temperature=eta))
            yield Simulated(quantity, predicted, found.value, found.standard_error, parameters=where)
    followers: tuple[tuple[str, float | str], ...] = (("pg", "value"), ("zero-price", 0.5))
    for index, (method, b) in enumerate(followers):
        q, ends = 0.25, (0.3, 0.9)
        found = shared_time(SharedLogits(method, b, q), *ends, replicates, 4_100 + 10 * index, decide)
        # One log-odds moves by half of what two logits do, and by 1 − 2q of it.
        predicted = float(learning_time(method, 2, ends[1], b, p_start=ends[0])) * 2 / (1 - 2 * q)
        where = {"method": method, "b": b, "q": q, "p start": ends[0], "p end": ends[1], "unit": "forward"}
        quantity = f"time of shared logits from {ends[0]:g} to {ends[1]:g}, {method}, q={q:g}"
        yield Simulated(quantity, predicted, found.value, found.standard_error, parameters=where)
