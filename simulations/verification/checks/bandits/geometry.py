"""Simulations of the claims about one context: what a gate does to the gradient of a single softmax bandit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from kondo_theory.geometry import confidence_baseline, optimal_pg_baseline, pg_moments, zero_price_moments
from kondo_theory.moments import GradientMoments
from simulations.bandits import kernels
from simulations.bandits.estimates import jackknife
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Estimate, Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["baseline_dependence", "forward_efficiency", "moment_rows", "pg_noise", "zero_price_geometry"]

FloatArray = NDArray[np.float64]

ZERO_PRICE = Gate("zero-price")
SYMMETRIC_GRID = [
    (n_arms, p, baseline)
    for n_arms in (2, 10, 1000)
    for p in (0.02, 0.5, 0.95)
    for baseline in dict.fromkeys((0.0, 0.5, p))
]
RANDOM_POLICIES = ((5, 0.5), (50, 0.1), (50, 0.9))  # number of arms, baseline
BATCH_SIZE = 50
LARGE_BATCH = 10_000
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
        point: dict[str, Value] = {"K": n_arms, "p": p, "b": baseline}
        rows.extend(moment_rows(f"K={n_arms}, p={p:g}, b={baseline:g}", point, predicted, p, estimates))
    for index, (n_arms, baseline) in enumerate(RANDOM_POLICIES):
        rows.extend(_random_policy_rows(n_arms, baseline, gate, replicates, 1_000 + index, context.workers))
    return rows


def _moments_config(bandit: Bandit, replicates: int, seed: int, threads: int) -> MomentsConfig:
    return MomentsConfig(bandit, BATCH_SIZE, n_batches=200, n_replicates=replicates, seed=seed, n_threads=threads)


def moment_rows(
    name: str, point: Mapping[str, Value], predicted: GradientMoments, rate: float, estimates: MomentEstimates
) -> Iterator[Simulated]:
    """Yield signal, Var_∥, Var_⊥ and backward rate of one point of a grid beside their predictions."""
    pairs = (
        ("E[g]·u", predicted.signal, estimates.signal),
        ("Var_∥", predicted.var_parallel, estimates.var_parallel),
        ("Var_⊥", predicted.var_perpendicular, estimates.var_perpendicular),
        ("backward rate", rate, estimates.backward_rate),
    )
    for moment, value, estimate in pairs:
        resolution = ZERO_RESOLUTION if value == 0 else 0.0
        found = (estimate.value, estimate.standard_error)
        yield Simulated(f"{moment} at {name}", float(value), *found, resolution, point)


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
    exact: dict[str, Value] = {"policy": "random", "K": n_arms, "p": float(policy[0]), "b": baseline}
    pairs = (
        ("E[g]·u", length, estimates.signal, 0.0),
        ("‖E[g_⊥]‖²", 0.0, estimates.perpendicular_bias_squared, ZERO_RESOLUTION),
        ("Var_∥", variance, estimates.var_parallel, 0.0),
        ("Var_⊥", 0.0, estimates.var_perpendicular, ZERO_RESOLUTION),
        ("backward rate", policy[0], estimates.backward_rate, 0.0),
    )
    for name, value, estimate, resolution in pairs:
        yield Simulated(
            f"{name} at {point}", float(value), estimate.value, estimate.standard_error, resolution, exact
        )


def pg_noise(p_correct: float, n_arms: int, baseline: float) -> float:
    """Return the claimed Var_⊥ of PG, per sample."""
    return float(pg_moments(p_correct, n_arms, baseline).var_perpendicular)


def baseline_dependence(
    context: Context, noise: Callable[[float, int, float], float] = pg_noise, gate: Gate = ZERO_PRICE
) -> list[Simulated]:
    """Simulate PG over baselines: Var_⊥ ∝ b², none at b = 0, where PG and zero price make the same update.

    ``noise(p, K, b)`` and ``gate`` are parameters so that wrong ones can be shown to fail.
    """
    replicates = {"smoke": 400, "quick": 1_000, "paper": 10_000}[context.preset]
    rows: list[Simulated] = []
    points = [(n_arms, p) for n_arms in (2, 3, 10, 1000) for p in (0.02, 0.5, 0.95)]
    for index, (n_arms, p) in enumerate(points):
        for number, baseline in enumerate(dict.fromkeys((0.0, 0.1, 0.9, p, float(confidence_baseline(p, n_arms))))):
            bandit = Bandit.symmetric(p, n_arms, baseline, Gate("pg"))
            config = _moments_config(bandit, replicates, 2_000 + 10 * index + number, context.workers)
            found, predicted = simulate_moments(config).var_perpendicular, noise(p, n_arms, baseline)
            name = f"Var_⊥ of PG at K={n_arms}, p={p:g}, b={baseline:.3g}"
            resolution = ZERO_RESOLUTION if predicted == 0 else 0.0
            rows.append(_row(name, predicted, found, resolution, method="pg", K=n_arms, p=p, b=baseline))
        rows.extend(_without_baseline(p, n_arms, gate, replicates, 3_000 + 10 * index, context.workers))
    return rows


def _without_baseline(
    p: float, n_arms: int, gate: Gate, replicates: int, seed: int, threads: int
) -> Iterator[Simulated]:
    """Yield the rows at b = 0: the same moments for PG and for the gate; they differ in backward passes alone."""
    soft = Gate("price", price=0.0, temperature=1e-4)  # its limit keeps half of the samples with χ = 0
    rates = (("PG", Gate("pg"), 1.0), ("zero price", gate, p), ("the soft gate, η → 0,", soft, p + (1 - p) / 2))
    for number, (name, used, rate) in enumerate(rates):
        bandit = Bandit.symmetric(p, n_arms, 0.0, used)
        found = simulate_moments(_moments_config(bandit, replicates, seed + number, threads))
        kind = ZERO_PRICE.kind if used is gate else used.kind  # what the row says, whatever is put in its place
        point: dict[str, Value] = {"gate": kind, "K": n_arms, "p": p, "b": 0.0}
        if used is soft:
            point |= {"λ": soft.price, "η": soft.temperature}
        at = f"b=0 with {name} at K={n_arms}, p={p:g}"
        yield from moment_rows(at, point, zero_price_moments(p, n_arms, 0.0), rate, found)


def forward_efficiency(
    context: Context, formula: Callable[..., FloatArray] = closed.forward_efficiency, gate: Gate = ZERO_PRICE
) -> list[Simulated]:
    """Simulate total variance over squared signal: zero price, PG at three baselines, and where the two cross.

    Variances per sample do not depend on B, so a large batch is used, in which the signal is precise. ``formula`` has
    the signature of :func:`kondo_theory.geometry.forward_efficiency`.
    """
    replicates = {"smoke": 400, "quick": 1_000, "paper": 10_000}[context.preset]
    rows: list[Simulated] = []
    seed = 4_000
    for n_arms in (2, 3, 10, 100):
        for p in (0.02, 0.3, 0.95):
            best = float(optimal_pg_baseline(p, n_arms))
            settings = [("zero-price", b) for b in (0.0, 0.5, 0.9, p)] + [("pg", b) for b in (0.5, p, best)]
            for method, baseline in settings:
                seed += 1
                used = gate if method == "zero-price" else Gate(method)
                found = jackknife(_noise_to_signal, *_columns(p, n_arms, baseline, used, replicates, seed, context))
                predicted = float(formula(method, p, n_arms, baseline))
                name = f"variance over squared signal of {method} at K={n_arms}, p={p:g}, b={baseline:.3g}"
                # With two arms PG's best baseline leaves no variance at all.
                vanishes = n_arms == 2 and method == "pg" and baseline == best
                resolution = ZERO_RESOLUTION if vanishes else 0.0
                rows.append(_row(name, predicted, found, resolution, method=method, K=n_arms, p=p, b=baseline))
        for p in (1 + 2 / n_arms) / 3 + np.array([-0.1, 0.0, 0.1]):
            seed += 2
            rows.append(_crossing_row(float(p), n_arms, formula, gate, replicates, seed, context))
    return rows


def _crossing_row(
    p: float,
    n_arms: int,
    formula: Callable[..., FloatArray],
    gate: Gate,
    replicates: int,
    seed: int,
    context: Context,
) -> Simulated:
    """Return PG at b = p over zero price, which is one at p = (1 + 2/K)/3 and smaller below."""
    plain = _columns(p, n_arms, p, Gate("pg"), replicates, seed - 1, context)
    gated = _columns(p, n_arms, p, gate, replicates, seed, context)
    found = jackknife(
        lambda v, s, gated_v, gated_s: _noise_to_signal(v, s) / _noise_to_signal(gated_v, gated_s), *plain, *gated
    )
    predicted = float(formula("pg", p, n_arms, "value") / formula("zero-price", p, n_arms, "value"))
    name = f"forward samples of PG over zero price's at K={n_arms}, b=p={p:.3g}"
    return _row(name, predicted, found, method="pg", against="zero-price", K=n_arms, p=p, b=p)


def _columns(
    p: float, n_arms: int, baseline: float, gate: Gate, replicates: int, seed: int, context: Context
) -> tuple[FloatArray, FloatArray]:
    """Return total variance per sample and signal, (n_replicates,) each."""
    bandit = Bandit.symmetric(p, n_arms, baseline, gate)
    config = replace(_moments_config(bandit, replicates, seed, context.workers), batch_size=LARGE_BATCH)
    table = simulate_moments(config).statistics
    variance = table[:, kernels.SIGNAL_VARIANCE] + table[:, kernels.PERPENDICULAR_SQUARE]
    return LARGE_BATCH * variance, table[:, kernels.SIGNAL]


def _noise_to_signal(variance: FloatArray, signal: FloatArray) -> FloatArray:
    return np.asarray(variance / signal**2)


def _row(quantity: str, predicted: float, found: Estimate, resolution: float = 0.0, **parameters: Value) -> Simulated:
    return Simulated(quantity, predicted, found.value, found.standard_error, resolution, parameters)
