"""Simulations of the claims about one context: what a gate does to the gradient of a single softmax bandit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kondo_theory.geometry import zero_price_moments
from kondo_theory.moments import GradientMoments
from simulations.bandits import Context as Bandit
from simulations.bandits import Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.checks import Context
from simulations.statistics import Simulated

__all__ = ["moment_rows", "zero_price_geometry"]

ZERO_PRICE = Gate("zero-price")
SYMMETRIC_GRID = [
    (n_arms, p, baseline)
    for n_arms in (2, 10, 1000)
    for p in (0.02, 0.5, 0.95)
    for baseline in dict.fromkeys((0.0, 0.5, p))
]
RANDOM_POLICIES = ((5, 0.5), (50, 0.1), (50, 0.9))  # number of arms, baseline
BATCH_SIZE = 50
ZERO_RESOLUTION = 1e-9  # of quantities claimed to vanish: variance per sample, in squared units of reward


def zero_price_geometry(context: Context, gate: Gate = ZERO_PRICE) -> list[Simulated]:
    """Simulate batches at zero price over a grid of (K, p, b), and under random policies with one correct arm.

    ``gate`` is a parameter so that a wrong one can be shown to fail: the predictions are always those of zero price.
    """
    replicates = {"smoke": 400, "quick": 1_000, "paper": 10_000}[context.preset]
    rows: list[Simulated] = []
    for index, (n_arms, p, baseline) in enumerate(SYMMETRIC_GRID):
        predicted = zero_price_moments(p, n_arms, baseline)
        bandit = Bandit.symmetric(p, n_arms, baseline, gate)
        estimates = simulate_moments(_moments_config(bandit, replicates, index, context.workers))
        rows.extend(moment_rows(f"K={n_arms}, p={p:g}, b={baseline:g}", predicted, p, estimates))
    for index, (n_arms, baseline) in enumerate(RANDOM_POLICIES):
        rows.extend(_random_policy_rows(n_arms, baseline, gate, replicates, 1_000 + index, context.workers))
    return rows


def _moments_config(bandit: Bandit, replicates: int, seed: int, threads: int) -> MomentsConfig:
    return MomentsConfig(bandit, BATCH_SIZE, n_batches=200, n_replicates=replicates, seed=seed, n_threads=threads)


def moment_rows(
    point: str, predicted: GradientMoments, rate: float, estimates: MomentEstimates
) -> Iterator[Simulated]:
    """Yield signal, Var_∥, Var_⊥ and backward rate of one point of a grid beside their predictions."""
    pairs = (
        ("E[g]·u", predicted.signal, estimates.signal),
        ("Var_∥", predicted.var_parallel, estimates.var_parallel),
        ("Var_⊥", predicted.var_perpendicular, estimates.var_perpendicular),
        ("backward rate", rate, estimates.backward_rate),
    )
    for name, value, estimate in pairs:
        resolution = ZERO_RESOLUTION if value == 0 else 0.0
        yield Simulated(f"{name} at {point}", float(value), estimate.value, estimate.standard_error, resolution)


def _random_policy_rows(
    n_arms: int, baseline: float, gate: Gate, replicates: int, seed: int, threads: int
) -> Iterator[Simulated]:
    """Yield the rows of one policy drawn at random: direction and Var_⊥ do not need equally likely wrong arms."""
    policy = np.random.default_rng(np.random.SeedSequence(seed)).dirichlet(np.ones(n_arms))
    advantage = np.where(np.arange(n_arms) == 0, 1.0 - baseline, -baseline)
    estimates = simulate_moments(_moments_config(Bandit.gated(policy, advantage, gate), replicates, seed, threads))
    # Only the correct arm's score is ever added: E[g]·u = π₀(1−b)‖φ₀‖, and the gradient has no other part.
    score = np.sqrt((1 - policy[0]) ** 2 + (policy[1:] ** 2).sum())
    length = policy[0] * (1 - baseline) * score
    variance = policy[0] * (1 - policy[0]) * ((1 - baseline) * score) ** 2
    point = f"a random policy, K={n_arms}, p={policy[0]:.3g}, b={baseline:g}"
    pairs = (
        ("E[g]·u", length, estimates.signal, 0.0),
        ("‖E[g_⊥]‖²", 0.0, estimates.perpendicular_bias_squared, ZERO_RESOLUTION),
        ("Var_∥", variance, estimates.var_parallel, 0.0),
        ("Var_⊥", 0.0, estimates.var_perpendicular, ZERO_RESOLUTION),
        ("backward rate", policy[0], estimates.backward_rate, 0.0),
    )
    for name, value, estimate, resolution in pairs:
        yield Simulated(f"{name} at {point}", float(value), estimate.value, estimate.standard_error, resolution)
