"""Simulation of the claim ``learning-time``: discrete stochastic updates, extrapolated to gradient flow."""

from __future__ import annotations

from kondo_theory import geometry as closed
from simulations.bandits.learning_times import Run, Times, extrapolated_times
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["learning_time"]

METHODS = (("pg", 0.5), ("pg", "value"), ("dg", 0.5), ("zero-price", 0.5), ("zero-price", "value"))
N_ARMS = {"smoke": (2, 10, 100), "quick": (2, 10, 100, 1_000), "paper": (2, 10, 100, 1_000, 10_000)}
REPLICATES = {"smoke": 8, "quick": 8, "paper": 16}


def learning_time(context: Context, time: Times = closed.learning_time) -> list[Simulated]:
    """Simulate the time from the uniform policy to p = 0.9, and late stretches, in forward and backward batches.

    Gradient flow is the limit of small steps and large batches. Batches are so large that their noise hardly matters;
    steps are extrapolated (:func:`extrapolated_times`). ``time`` has the signature of
    :func:`kondo_theory.geometry.learning_time` and can be a wrong formula.
    """
    runs = [Run(method, b, n_arms) for n_arms in N_ARMS[context.preset] for method, b in METHODS]
    # Late, nearly every sample is kept: the saving in backward passes is gone.
    runs += [Run(method, 0.5, 10, p_end=0.99, p_start=0.9) for method in ("pg", "zero-price")]
    rows: list[Simulated] = []
    for index, run in enumerate(runs):
        found = extrapolated_times(run, REPLICATES[context.preset], 10_000 + 10 * index, context.workers)
        for unit, estimate in zip(("forward", "backward"), found, strict=True):
            name = f"time in {unit} batches, {run}"
            start = 1 / run.n_arms if run.p_start is None else run.p_start
            point: dict[str, Value] = {"method": run.method, "unit": unit, "K": run.n_arms, "b": run.baseline}
            point |= {"p start": start, "p end": run.p_end}
            predicted = run.predicted(time, unit)
            rows.append(Simulated(name, predicted, estimate.value, estimate.standard_error, parameters=point))
    return rows
