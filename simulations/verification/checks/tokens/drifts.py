"""Simulations of the claims about tokens that share one advantage: drifts at a policy, and where learning ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kondo_theory import token_trap as closed
from kondo_theory.screening import SAMPLE_RULES
from simulations.statistics import mean_and_error
from simulations.tokens.runs import LEARNED, Run, end_of_learning, rewards
from simulations.tokens.simulation import TokenGate, TokenTask, simulate_drift
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value
from simulations.verification.checks.tokens.examples import example_rows, vanishing_rows

__all__ = ["row_gate", "token_dg", "token_screening", "token_trap"]

FloatArray = NDArray[np.float64]
Drift = Callable[..., FloatArray]

DRIFT_BATCH = 10_000  # rows: the kept share of a batch then differs from the limit by far less than 1 %
REPLICATES = {"smoke": 4, "quick": 8, "paper": 32}
SIZE = {"smoke": 1, "quick": 2, "paper": 12}  # batches a drift, and batch size of learning


def _token(rate: float) -> TokenGate:
    return TokenGate("token", rate)


STALLED = (
    Run(2, 10, _token(0.1), 10.0),
    Run(10, 3, _token(0.1), 10.0),
    Run(10, 5, _token(0.1), 10.0),
    Run(10, 10, _token(0.1), 10.0),
    Run(100, 4, _token(0.1), 20.0),
    Run(10, 32, _token(0.9), 20.0, batch_size=1_000, n_steps=500),
)
FREE = (
    Run(10, 1, _token(0.03), 20.0),
    Run(2, 10, _token(0.3), 10.0),
    Run(10, 3, _token(0.3), 10.0),
    Run(10, 5, _token(0.3), 10.0),
    Run(10, 10, _token(0.4), 10.0),
    Run(100, 10, _token(0.45), 20.0),
    Run(10, 32, _token(0.5), 20.0),  # between the two intervals of stalling rates
)
STARTED = (  # at rates that stall from the uniform policy: beyond the drift's last rise, below what counts as learned
    Run(10, 3, _token(0.1), 10.0, start=0.7),
    Run(10, 5, _token(0.1), 10.0, start=0.85),
    Run(10, 10, _token(0.1), 10.0, start=0.88),
)
DRIFT_POINTS = ((2, 10, 0.1, 0.6), (10, 5, 0.1, 0.5), (10, 10, 0.03, 0.3), (100, 10, 0.1, 0.3), (10, 3, 0.3, 0.4))
"""M, T, ρ and p of the drifts."""


def token_trap(context: Context, drift: Drift = closed.drift, gate: str = "token") -> list[Simulated]:
    """Simulate drifts of the token gate and of every screening rule, and where training ends below and above ρ_c.

    At the rates that stall from the uniform policy training from beyond the drift's last rise learns.

    ``drift`` and ``gate``, the kind that is simulated, are parameters so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    for index, (vocab_size, n_tokens, rate, p) in enumerate(DRIFT_POINTS):
        predicted = float(drift(p, n_tokens, vocab_size, rate))
        task = TokenTask(vocab_size, n_tokens, DRIFT_BATCH, p)
        rows.append(_drift_row(context, task, TokenGate(gate, rate), predicted, 100 + index))
    for index, rule in enumerate(SAMPLE_RULES):
        task, chosen = TokenTask(10, 5, DRIFT_BATCH, 0.5), TokenGate("token", 0.2, rule)
        predicted = float(closed.drift(0.5, 5, 10, 0.2, rule=rule))
        rows.append(_drift_row(context, task, chosen, predicted, 200 + index))
    rows.extend(_ends(context, [_gated(run, kind=gate) for run in STALLED], 300))
    rows.extend(_learned(context, [_gated(run, kind=gate) for run in STALLED[-2:]], 0.0, 400))
    rows.extend(_learned(context, [_gated(run, kind=gate) for run in FREE], 1.0, 500))
    rows.extend(_learned(context, [_gated(run, kind=gate) for run in STARTED], 1.0, 600))
    return rows


def row_gate(context: Context, drift: Drift = closed.drift, gate: str = "row") -> list[Simulated]:
    """Simulate drifts and training of whole rows and of tokens at zero price, where the token gate stalls.

    The last rows are the derivation's counterexamples, each sampled or trained. Parameters as in :func:`token_trap`.
    """
    rows: list[Simulated] = []
    for index, (vocab_size, n_tokens, rate, p) in enumerate(DRIFT_POINTS):
        task = TokenTask(vocab_size, n_tokens, DRIFT_BATCH, p)
        for number, kind in enumerate(("row", "zero-price")):
            predicted = float(drift(p, n_tokens, vocab_size, rate, kind))
            used = TokenGate(gate if kind == "row" else kind, rate)
            rows.append(_drift_row(context, task, used, predicted, 1_100 + 10 * index + number))
    rows.extend(_learned(context, [_gated(run, kind=gate) for run in STALLED], 1.0, 1_200))
    rows.extend(_learned(context, [_gated(run, kind="zero-price") for run in STALLED], 1.0, 1_300))
    batch_baseline = [_gated(run, kind=gate) for run in STALLED[:4]]
    rows.extend(_learned(context, batch_baseline, 1.0, 1_400, batch_mean=True))
    by_advantage = [replace(run, gate=TokenGate("token", run.gate.rate, "advantage")) for run in STALLED[:4]]
    rows.extend(_learned(context, by_advantage, 1.0, 1_500))
    rows.extend(example_rows({"smoke": 200_000, "quick": 1_000_000, "paper": 10_000_000}[context.preset]))
    rows.extend(vanishing_rows())
    return rows


DG_POINTS = ((10, 10, 1.0, 0.5), (100, 32, 0.2, 0.6), (1000, 10, 0.2, 0.85), (10, 5, 0.02, 0.3))
"""M, T, η and p of the drifts."""


def _dg(temperature: float) -> TokenGate:
    return TokenGate("dg", temperature=temperature)


DG_STALLED = (
    Run(100, 16, _dg(0.15), 50.0, batch_size=1_000, n_steps=400),
    Run(10, 32, _dg(0.1), 20.0, batch_size=1_000),
)
DG_FREE = (
    Run(100, 32, _dg(1.0), 40.0, batch_size=500),
    Run(10, 32, _dg(1.0), 40.0, batch_size=500),
    Run(10, 32, _dg(0.002), 40.0, batch_size=500),
    Run(10, 10, _dg(0.1), 20.0),
)


def token_dg(context: Context, drift: Drift = closed.drift, gate: str = "dg") -> list[Simulated]:
    """Simulate DG's drifts, and training inside and on both sides of its window; parameters as in the others."""
    rows: list[Simulated] = []
    for index, (vocab_size, n_tokens, eta, p) in enumerate(DG_POINTS):
        predicted = float(drift(p, n_tokens, vocab_size, gate="dg", temperature=eta))
        task = TokenTask(vocab_size, n_tokens, DRIFT_BATCH, p)
        used = TokenGate(gate, temperature=eta)
        rows.append(_drift_row(context, task, used, predicted, 2_100 + index))
    rows.extend(_ends(context, [_gated(run, kind=gate) for run in DG_STALLED], 2_200))
    rows.extend(_learned(context, [_gated(run, kind=gate) for run in DG_FREE], 1.0, 2_300))
    return rows


def _by(rule: str, vocab_size: int, n_tokens: int, rate: float, learning_rate: float = 10.0) -> Run:
    return Run(vocab_size, n_tokens, TokenGate("token", rate, rule), learning_rate)


RULE_POINTS = ((2, 10, 0.03, 0.55), (2, 10, 0.1, 0.99), (5, 4, 0.1, 0.98))
"""M, T, ρ and p of the drifts by rule: early, and where rows with an error are rarer than ρ."""
COMPARED = ("delight", "advantage", "abs-advantage", "surprisal", "additive", "positive-surprisal")
RULE_STALLED = (
    _by("additive", 2, 10, 0.03),
    _by("additive", 2, 10, 0.1),
    _by("additive", 3, 6, 0.03),
    _by("additive", 10, 5, 0.05),
    _by("positive-surprisal", 2, 10, 0.03, 2.0),
    _by("positive-surprisal", 5, 6, 0.05, 2.0),
    _by("positive-surprisal", 10, 4, 0.3),
)
RULE_FREE = (
    _by("abs-advantage", 2, 10, 0.03),
    _by("abs-advantage", 10, 5, 0.05),
    _by("additive", 2, 10, 0.5),
    _by("positive-surprisal", 2, 10, 0.5),
    _by("surprisal", 2, 10, 0.03, 60.0),
    _by("surprisal", 10, 5, 0.05, 200.0),
)


def token_screening(context: Context, drift: Drift = closed.drift, rule: str | None = None) -> list[Simulated]:
    """Simulate drifts early and late by six screening rules, and where training ends, with the exact mean.

    ``rule``, what is simulated in the place of each rule, is for negative controls.
    """
    rows: list[Simulated] = []
    for index, (vocab_size, n_tokens, rate, p) in enumerate(RULE_POINTS):
        task = TokenTask(vocab_size, n_tokens, DRIFT_BATCH, p)
        for number, name in enumerate(COMPARED):
            predicted = float(drift(p, n_tokens, vocab_size, rate, rule=name))
            gate = TokenGate("token", rate, rule or name)
            rows.append(_drift_row(context, task, gate, predicted, 3_100 + 10 * index + number))
    rows.extend(_ends(context, RULE_STALLED, 3_200, rule))
    rows.extend(_learned(context, [_gated(run, rule=rule or run.gate.rule) for run in RULE_FREE], 1.0, 3_300))
    return rows


def _gated(run: Run, **changes: Any) -> Run:
    """Return the run with its gate changed."""
    return replace(run, gate=replace(run.gate, **changes))


def _drift_row(context: Context, task: TokenTask, gate: TokenGate, predicted: float, seed: int) -> Simulated:
    """Return the row of one drift, divided by p(1 − p); resolved to 1 % or to 2 % of PG's, which is p(1 − p)/T."""
    assert task.p is not None
    scale = task.p * (1 - task.p)
    found = simulate_drift(task, gate, SIZE[context.preset], 16, seed, context.workers) / scale
    estimate, error = mean_and_error(found)
    how = f"η={gate.temperature:g}" if gate.kind == "dg" else f"ρ={gate.rate:g}"
    rule = "" if gate.rule == "delight" else f" by {gate.rule}"
    name = f"drift/(p(1−p)), {gate.kind}{rule}, M={task.vocab_size}, T={task.n_tokens}, {how}, p={task.p:g}"
    point = _point(gate, task.vocab_size, task.n_tokens) | {"p": task.p}
    return Simulated(name, predicted / scale, estimate, error, 0.02 / task.n_tokens, point)


def _point(gate: TokenGate, vocab_size: int, n_tokens: int) -> dict[str, Value]:
    """Return the point of a grid by symbol."""
    how: dict[str, Value] = {"η": gate.temperature} if gate.kind == "dg" else {"ρ": gate.rate}
    return {"gate": gate.kind, "rule": gate.rule, "M": vocab_size, "T": n_tokens, **how}


def _run_point(run: Run) -> dict[str, Value]:
    """Return the point of a grid by symbol; training starts at the uniform policy unless it says otherwise."""
    start = 1 / run.vocab_size if run.start is None else run.start
    return _point(run.gate, run.vocab_size, run.n_tokens) | {"p start": start}


def _ends(context: Context, runs: Sequence[Run], seed: int, rule: str | None = None) -> Iterator[Simulated]:
    """Yield where training ends beside the stall point of the gate that the claim is about.

    ``rule``, if any, is simulated in the place of the run's own.
    """
    for index, run in enumerate(runs):
        gate, kind = run.gate, "dg" if run.gate.temperature != 1.0 else "token"
        predicted = closed.stall_point(gate.rate, run.vocab_size, run.n_tokens, kind, gate.temperature, gate.rule)
        larger = replace(_gated(run, rule=rule or gate.rule), batch_size=run.batch_size * SIZE[context.preset])
        estimate, error = end_of_learning(larger, REPLICATES[context.preset], seed + 10 * index, context.workers)
        found = (math.nan if predicted is None else predicted, estimate, error)
        yield Simulated(f"end of training, {run}", *found, parameters=_run_point(run))


def _learned(
    context: Context, runs: Sequence[Run], predicted: float, seed: int, *, batch_mean: bool = False
) -> Iterator[Simulated]:
    """Yield the share of runs that end above ``LEARNED``; every run must agree."""
    for index, run in enumerate(runs):
        smaller, replicates = replace(run, batch_size=1_000), REPLICATES[context.preset]
        found = rewards(smaller, replicates, seed + index, context.workers, batch_mean=batch_mean)[:, -1] > LEARNED
        baseline = ", batch mean as baseline" if batch_mean else ""
        share, error = mean_and_error(found)
        point = _run_point(run) | {"batch mean": batch_mean}
        yield Simulated(f"share of runs that learn, {run}{baseline}", predicted, share, error, parameters=point)
