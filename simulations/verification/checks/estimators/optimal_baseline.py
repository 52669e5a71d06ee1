"""The simulation of the claim optimal-baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from kondo_theory.estimators.baseline import (
    BestBaseline,
    best_baseline,
    best_step,
    dg_baseline,
    least_gated_cost,
    median_baseline,
    soft_baseline,
)
from kondo_theory.estimators.unbiased import wrong_score_ratio
from kondo_theory.gate import gate_probability
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_unbiased_gate, cost_of_signal
from kondo_theory.geometry.symmetric import optimal_pg_baseline, pg_moments, symmetric_arms, zero_price_moments
from kondo_theory.moments import GradientMoments
from simulations.bandits.estimates import of_means
from simulations.bandits.estimators.blends import draw_batches
from simulations.bandits.one_sample import sample_moments
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Estimate
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["optimal_baseline"]

FloatArray = NDArray[np.float64]
Best = Callable[..., BestBaseline]
"""The best baseline from policy, rewards and gate."""
Step = Callable[[GradientMoments, float, int, float], FloatArray]
"""The best step from moments, ‖∇J‖, B and L."""

SIZES = {"smoke": 40_000, "quick": 300_000, "paper": 10_000_000}
"""Samples; a tenth as many batches."""
SYMMETRIC = ((10, 0.3), (4, 0.1), (5, 0.6))
GRADED = ((10, 0.3, 0.65), (6, 0.5, 0.6))
RATE, SMALL_RATE = 0.3, 0.05
BATCHES = (5, 50)
RESOLUTION = 0.1
"""Relative."""


def optimal_baseline(
    context: Context,
    best: Best = best_baseline,
    median: Callable[[FloatArray, FloatArray], BestBaseline] = median_baseline,
    own: Callable[[float, int, float], FloatArray] = dg_baseline,
    step: Step = best_step,
) -> list[Simulated]:
    """Simulate gates at the baselines of least noise, zero price at several, and the step of largest certain gain.

    The baselines and the step are parameters so that wrong ones can be shown to fail: what is simulated at them is
    held against the least noise there is.
    """
    n, workers = SIZES[context.preset], context.workers
    rows: list[Simulated] = []
    for seed, at in enumerate(GRADED):
        policy, advantage = evenly_graded(*at)
        rewards = advantage + at[2]
        where: dict[str, Value] = {"K": at[0], "p": at[1], "reward": "graded"}
        name = f"K={at[0]}, p={at[1]:g}, graded rewards"
        rows.extend(_fixed_gates(policy, rewards, best, name, where, n, seed, workers))
        rows.extend(_median(policy, rewards, median, name, where, n, seed, workers))
    for seed, (n_arms, p) in enumerate(SYMMETRIC):
        rows.extend(_symmetric(n_arms, p, best, own, n, 10 + seed, workers))
        rows.extend(_steps(n_arms, p, step, n // 10, 20 + seed))
    return rows


def _fixed_gates(
    policy: FloatArray,
    rewards: FloatArray,
    best: Best,
    name: str,
    where: dict[str, Value],
    n: int,
    seed: int,
    workers: int,
) -> Iterator[Simulated]:
    """Yield the noise of gates that do not change with the baseline, at the best one."""
    middle = float(policy @ rewards)
    tilted = np.asarray(gate_probability(-(rewards - middle) * np.log(policy), 0.0, 0.3))
    gates = {"pg": (np.ones(len(policy)), False), "price": (tilted, False), "dg": (tilted, True)}
    for gate, (w, soft) in gates.items():
        found = best(policy, rewards, w, soft=soft)
        least = best_baseline(policy, rewards, w, soft=soft).noise
        keep, weight = (np.ones_like(w), w) if soft else (w, np.ones_like(w))
        bandit = Bandit(policy, rewards - float(found.baseline), keep=keep, weight=weight)
        noise = _noise(bandit, n, seed, workers)
        yield _row(f"noise of {gate} at its best baseline, {name}", float(least), noise, where | {"gate": gate})


def _noise(bandit: Bandit, n: int, seed: int, workers: int) -> Estimate:
    """Return E‖g‖² over the squared signal."""
    found = sample_moments(bandit, n, seed, workers)
    signal, second = found.signal, found.second
    value = second.value / signal.value**2
    error = np.hypot(second.standard_error / second.value, 2 * signal.standard_error / signal.value)
    return Estimate(value, float(value * error))


def _median(
    policy: FloatArray,
    rewards: FloatArray,
    median: Callable[[FloatArray, FloatArray], BestBaseline],
    name: str,
    where: dict[str, Value],
    n: int,
    seed: int,
    workers: int,
) -> Iterator[Simulated]:
    """Yield the cost of signal of the best gate of weight 1/w at the weighted median."""
    advantage = rewards - float(median(policy, rewards).baseline)
    keep = best_unbiased_gate(policy, advantage, SMALL_RATE)
    weight = np.where(keep > 0, 1 / np.where(keep > 0, keep, 1.0), 0.0)
    found = sample_moments(Bandit(policy, advantage, keep=keep, weight=weight), 4 * n, seed, workers)
    where = where | {"gate": "weight 1/w", "ρ": SMALL_RATE}
    row = f"cost of signal of weight 1/w, the median as baseline, ρ={SMALL_RATE:g}, {name}"
    yield _row(row, float(median_baseline(policy, rewards).noise), found.cost_of_signal, where)


def _symmetric(
    n_arms: int, p: float, best: Best, own: Callable[[float, int, float], FloatArray], n: int, seed: int, workers: int
) -> Iterator[Simulated]:
    """Yield costs of drawn gates at PG's baseline, DG's noise at its own, and zero price's at several."""
    name = f"K={n_arms}, p={p:g}, right or wrong rewards"
    where: dict[str, Value] = {"K": n_arms, "p": p, "reward": "right or wrong"}
    policy, rewards = symmetric_arms(n_arms, p, 0.0)
    least = 1 / (p + (1 - p) / float(wrong_score_ratio(p, n_arms)) ** 2)
    for up, down in ((1.0, 1.0), (0.9, 0.2), (0.3, 0.8)):
        keep = np.where(rewards > 0, up, down)
        b = float(best(policy, rewards, keep).baseline)
        found = sample_moments(Bandit(policy, rewards - b, keep=keep), n, seed, workers).cost_of_signal
        predicted = float(least_gated_cost(p, n_arms, up, down))
        row = f"cost of signal of a drawn gate at its best baseline, w₊={up:g}, w₋={down:g}, {name}"
        yield _row(row, predicted, found, where | {"w₊": up, "w₋": down})
    for eta in (0.3, 1.0):
        b = float(own(p, n_arms, eta))
        advantage = rewards - b
        w = np.asarray(gate_probability(-advantage * np.log(policy), 0.0, eta))
        noise = _noise(Bandit(policy, advantage, weight=w), n, seed, workers)
        yield _row(
            f"noise of dg at its own best baseline, η={eta:g}, {name}",
            least,
            noise,
            where | {"η": eta, "method": "dg"},
        )
        found = sample_moments(
            Bandit(*symmetric_arms(n_arms, p, 0.6), keep=_moving(policy, rewards - 0.6, eta)), n, seed, workers
        ).cost_of_signal
        predicted = float(cost_of_signal(policy, rewards - 0.6, _moving(policy, rewards - 0.6, eta)))
        row = f"cost of signal of price, λ=0, η={eta:g}, b=0.6, {name}"
        yield _row(row, predicted, found, where | {"gate": "price", "λ": 0.0, "η": eta, "b": 0.6})
    w = np.where(rewards > 0, 0.8, 0.3)
    b = float(soft_baseline(p, n_arms, 0.8, 0.3))
    noise = _noise(Bandit(policy, rewards - b, weight=w), n, seed, workers)
    yield _row(
        f"noise of soft weights at their best baseline, w₊=0.8, w₋=0.3, {name}",
        least,
        noise,
        where | {"w₊": 0.8, "w₋": 0.3},
    )
    for b in (0.1, 0.5, 0.9):
        keep = np.where(rewards > 0, 1.0, 0.0)
        noise = _noise(Bandit(policy, rewards - b, keep=keep), n, seed, workers)
        yield _row(f"noise of zero-price, b={b:g}, {name}", 1 / p, noise, where | {"method": "zero-price", "b": b})


def _moving(policy: FloatArray, advantage: FloatArray, eta: float) -> FloatArray:
    """Return the gate σ(χ/η)."""
    return np.asarray(gate_probability(-advantage * np.log(policy), 0.0, eta))


def _steps(n_arms: int, p: float, step: Step, n: int, seed: int) -> Iterator[Simulated]:
    """Yield the step of largest certain gain times L: ∇J·E ĝ over E‖ĝ‖²."""
    length = p * (1 - p) * float(np.sqrt(n_arms / (n_arms - 1)))
    best = float(optimal_pg_baseline(p, n_arms))
    cases = {"pg": (best, pg_moments(p, n_arms, best)), "zero-price": (0.5, zero_price_moments(p, n_arms, 0.5))}
    for method, (b, moments) in cases.items():
        policy, advantage = symmetric_arms(n_arms, p, b)
        keep = np.where((advantage > 0) | (method == "pg"), 1.0, 0.0)
        true = (policy * advantage) @ (np.eye(n_arms) - policy)
        for size in BATCHES:
            gradients = draw_batches(policy, advantage, keep, size, n, seed + size).gated + true
            found = of_means(lambda a, c: a / c, gradients @ true, np.sum(gradients**2, axis=1))
            predicted = float(step(moments, length, size, 1.0))
            baseline = "its best baseline" if method == "pg" else f"b={b:g}"
            where: dict[str, Value] = {"K": n_arms, "p": p, "method": method, "B": size, "reward": "right or wrong"}
            where |= {"b": b} if method != "pg" else {}
            row = f"best step times L of {method}, {baseline}, K={n_arms}, p={p:g}, B={size}, right or wrong rewards"
            yield _row(row, predicted, found, where)


def _row(quantity: str, predicted: float, found: Estimate, where: dict[str, Value]) -> Simulated:
    """Return a row whose resolution is a part of the prediction."""
    return Simulated(quantity, predicted, found.value, found.standard_error, RESOLUTION * predicted, where)
