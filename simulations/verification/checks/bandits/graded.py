"""Simulation of the claim ``graded-rewards``: the angle of the zero-price direction where rewards are graded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kondo_theory.geometry import graded_worst_case, zero_price_cosine
from simulations.bandits import kernels
from simulations.bandits.estimates import jackknife
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["family_cosine", "graded_rewards", "simulate_direction"]

FloatArray = NDArray[np.float64]

BATCH_SIZE = 1_000_000  # the mean gradient does not depend on it, and counts cost no more
FAMILY_SIZES = (1, 3, 10, 29, 30, 100, 1000)
COSINE_RESOLUTION = 1e-3  # of a cosine; an angle of 0.06° at a right angle
PERPENDICULAR_RESOLUTION = 1e-3  # of E[g]·v over ‖E g‖: radians
EXAMPLES = {
    "three arms": ((0.99, 0.001, 0.009), (0.5, 1.0, 0.0)),
    "a nearly sure arm of three": ((0.01, 0.98, 0.01), (1.0, 0.9, 0.0)),
    "two arms": ((0.8, 0.2), (0.3, 0.7)),
}
RANDOM_ARMS = (3, 5, 20, 50)
TWO_LEVELS = ((0.4, 0.05, 0.25, 0.1, 0.2), (0.8, 0.2, 0.2, 0.8, 0.2))


def family_cosine(n: int) -> float:
    """Return the claimed cosine of the family of 2n + 1 arms: negative from n = 30, with limit −1."""
    return float((2819 - 96 * n) / np.sqrt((72.0 * n + 3757) * (128.0 * n + 2273)))


def graded_rewards(
    context: Context,
    gate: Gate = Gate("zero-price"),  # noqa: B008 (frozen)
    family: Callable[[int], float] = family_cosine,
    cosine: Callable[[ArrayLike, ArrayLike], ArrayLike] = zero_price_cosine,
) -> list[Simulated]:
    """Simulate the direction of the gate's mean gradient in the family, in examples and under random policies.

    ``family(n)`` and ``cosine(policy, rewards)`` are parameters so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    point: dict[str, Value]
    for n in FAMILY_SIZES:
        name, point = f"the family at n={n} (K={2 * n + 1})", {"n": n, "policy": "the family"}
        rows.append(_cosine_row(name, point, *graded_worst_case(n), family(n), gate, context, 8_000 + n))
    cases = {name: (np.array(policy), np.array(rewards)) for name, (policy, rewards) in EXAMPLES.items()}
    rng = np.random.default_rng(np.random.SeedSequence(8_000))
    for n_arms in RANDOM_ARMS:
        cases[f"a random policy, K={n_arms}"] = (rng.dirichlet(np.ones(n_arms)), rng.uniform(size=n_arms))
    for index, (name, (policy, rewards)) in enumerate(cases.items()):
        predicted = float(np.asarray(cosine(policy, rewards)))
        point = {"policy": name.partition(",")[0]}
        rows.append(_cosine_row(name, point, policy, rewards, predicted, gate, context, 9_100 + index))
    rows.extend(_two_level_rows(gate, context))
    return rows


def simulate_direction(
    policy: FloatArray, rewards: FloatArray, gate: Gate, preset: str, seed: int, threads: int
) -> MomentEstimates:
    """Simulate a gate's mean gradient with the value baseline; the parallel direction is that of ∇J."""
    replicates, n_batches = {"smoke": (50, 20), "quick": (100, 50), "paper": (400, 200)}[preset]
    bandit = Bandit.gated(policy, rewards - policy @ rewards, gate)
    return simulate_moments(MomentsConfig(bandit, BATCH_SIZE, n_batches, replicates, seed, n_threads=threads))


def _cosine_row(
    name: str,
    point: Mapping[str, Value],
    policy: FloatArray,
    rewards: FloatArray,
    predicted: float,
    gate: Gate,
    context: Context,
    seed: int,
) -> Simulated:
    found = simulate_direction(policy, rewards, gate, context.preset, seed, context.workers)
    # ‖E g_⊥‖² is estimated without bias; its noise is far below the signal's square, so the root is safe.
    across = found.perpendicular_bias_squared
    signal = found.statistics[:, kernels.SIGNAL]
    cosine = jackknife(lambda along: along / np.sqrt(along**2 + max(across.value, 0.0)), signal)
    size = np.sqrt(found.signal.value**2 + max(across.value, 0.0))
    from_across = abs(cosine.value) * across.standard_error / (2 * size**2)
    # The two errors may be correlated: their sum bounds both signs.
    error = float(cosine.standard_error + from_across)
    parameters: dict[str, Value] = {"K": len(policy), **point}
    return Simulated(f"cos(E g, ∇J) of {name}", predicted, cosine.value, error, COSINE_RESOLUTION, parameters)


def _two_level_rows(gate: Gate, context: Context) -> Iterator[Simulated]:
    """Yield every component of E[g_⊥], relative to ‖E g‖: all vanish where rewards take two values."""
    policy, rewards = (np.array(values) for values in TWO_LEVELS)
    found = simulate_direction(policy, rewards, gate, context.preset, 9_200, context.workers)
    for arm, column in enumerate(found.perpendicular.T):
        part = jackknife(np.divide, column, found.statistics[:, kernels.SIGNAL])
        name = f"E[g_⊥] over E[g]·u, logit {arm}, two reward levels, K={len(policy)}"
        point: dict[str, Value] = {"K": len(policy), "policy": "two reward levels", "logit": arm}
        yield Simulated(name, 0.0, part.value, part.standard_error, PERPENDICULAR_RESOLUTION, point)
