"""The simulation of the claim optimal-gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_gate, best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import screen_context
from simulations.bandits.one_sample import sample_moments
from simulations.bandits.simulation import Context as Bandit
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["optimal_gate"]

FloatArray = NDArray[np.float64]
Chosen = Callable[[FloatArray, FloatArray, float], FloatArray]
"""Gate probabilities (K,) from policy, advantage and rate."""

RULES = ("delight", "advantage", "abs-advantage", "uniform")
RATES = (0.1, 0.3)
# Rewards that fall evenly from 1 to 0, (K, probability of the best, b): early, midway and late; and one correct arm,
# where delight is the best gate.
GRADED = ((10, 0.1, 0.5), (10, 0.3, 0.65), (10, 0.6, 0.8))
SYMMETRIC = (10, 0.4, 0.25)
DEAREST = 30.0  # of the costs that are compared: beyond, there is next to no signal
RESOLUTION = 0.1  # relative


def best(policy: FloatArray, advantage: FloatArray, rate: float) -> FloatArray:
    """Return the gate of least cost."""
    return best_gate(policy, advantage, rate).keep


def optimal_gate(context: Context, chosen: Chosen = best, unbiased: Chosen = best_unbiased_gate) -> list[Simulated]:
    """Simulate the best gate of a rate, and what rules keep at it, and compare their costs of signal.

    The simulated ``chosen`` is held against the least cost; by rows that say by how much rules are dearer, it is the
    cheapest. ``unbiased`` likewise. Both are parameters so that wrong ones can be shown to fail.
    """
    n_samples = {"smoke": 40_000, "quick": 4_000_000, "paper": 40_000_000}[context.preset]
    rows: list[Simulated] = []
    settings = [(*evenly_graded(*at), at, "graded") for at in GRADED]
    settings.append((*symmetric_arms(*SYMMETRIC), SYMMETRIC, "right or wrong"))
    for seed, (policy, advantage, at, reward) in enumerate(settings):
        for rate in RATES:
            point = f"K={at[0]}, p={at[1]:g}, b={at[2]:g}, {reward} rewards, ρ={rate:g}"
            where: dict[str, Value] = {"K": at[0], "p": at[1], "b": at[2], "reward": reward, "ρ": rate}
            gates = {"the best gate": chosen(policy, advantage, rate)}
            gates |= {rule: screen_context(policy, advantage, rule, rate).keep for rule in RULES}
            rows.extend(_costs(policy, advantage, rate, gates, n_samples, seed, context.workers, point, where))
            w = unbiased(policy, advantage, rate)
            least = best_unbiased_gate(policy, advantage, rate)
            weight = np.where(w > 0, 1 / np.where(w > 0, w, 1.0), 0.0)
            found = sample_moments(Bandit(policy, advantage, keep=w, weight=weight), n_samples, seed, context.workers)
            predicted = float(np.sum(policy * _square(policy, advantage) / np.where(least > 0, least, 1.0)))
            row = f"E‖g‖² without bias at {point}", predicted, found.second.value, found.second.standard_error
            rows.append(Simulated(*row, RESOLUTION * predicted, where | {"gate": "unbiased"}))
    return rows


def _costs(
    policy: FloatArray,
    advantage: FloatArray,
    rate: float,
    gates: dict[str, FloatArray],
    n_samples: int,
    seed: int,
    n_threads: int,
    point: str,
    where: dict[str, Value],
) -> Iterator[Simulated]:
    """Yield the cost of signal of each gate; of those that are too dear the signal."""
    least = float(best_gate(policy, advantage, rate).cost_of_signal)
    for name, keep in gates.items():
        own = float(cost_of_signal(policy, advantage, keep))
        predicted = least if name == "the best gate" else own
        found = sample_moments(Bandit(policy, advantage, keep=keep), n_samples, seed, n_threads)
        if predicted <= DEAREST:
            cost = found.cost_of_signal
            row = f"cost of signal of {name} at {point}", predicted, cost.value, cost.standard_error
            yield Simulated(*row, RESOLUTION * predicted, where | {"gate": name})


def _square(policy: FloatArray, advantage: FloatArray) -> FloatArray:
    """Return ‖g‖² of each arm, written out."""
    return np.asarray(advantage**2 * (1 - 2 * policy + np.sum(policy**2)))
