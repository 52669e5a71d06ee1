"""The simulation of the claim unbiased-gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kondo_theory.estimators.draws import best_sure_count, draws_variance, mask_variance
from kondo_theory.estimators.unbiased import (
    biased_below,
    effective_share,
    least_unbiased_cost,
    mean_squared_error,
    symmetric_weighted_moments,
    weighted_moments,
)
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_unbiased_gate
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.moments import GradientMoments
from simulations.bandits.estimators import subsets
from simulations.bandits.one_sample import sample_moments
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import Estimate, MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["horvitz_thompson", "unbiased_gates"]

FloatArray = NDArray[np.float64]
Weighting = Callable[[FloatArray], FloatArray]
"""Weights of the kept, from the probabilities that they are kept."""
Point = tuple[int, float, float]
"""K, p and b."""

SIZES = {"smoke": 40_000, "quick": 500_000, "paper": 10_000_000}
"""Samples, or batches, draws and masks by fives."""
SYMMETRIC: tuple[Point, ...] = ((10, 0.3, 0.5), (5, 0.1, 0.3), (2, 0.2, 0.6))
GRADED: tuple[Point, ...] = ((10, 0.3, 0.65), (6, 0.5, 0.6))
RATE, BATCHES = 0.2, (5, 50, 400)
N_DRAWS = 6
RESOLUTION = 0.05
"""Of a second moment or an error relative to itself; of a variance and a signal relative to the second moment."""


def horvitz_thompson(keep: FloatArray) -> FloatArray:
    """Return 1/w, zero where nothing is kept."""
    return np.where(keep > 0, 1 / np.where(keep > 0, keep, 1.0), 0.0)


def unbiased_gates(
    context: Context,
    weighting: Weighting = horvitz_thompson,
    share: Callable[[FloatArray, int], float] = subsets.rest_share,
    mask: subsets.Mask = subsets.cut_or_skipped,
    crossing: Callable[[float, int, float], FloatArray] = biased_below,
) -> list[Simulated]:
    """Simulate gates of weight 1/w, errors beside zero price's, draws with the top kept for certain, and masks.

    How the kept are weighted, the draws scaled and the masks drawn, and the formula of the batch size at which both
    errors agree, are parameters so that wrong ones can be shown to fail.
    """
    n = SIZES[context.preset]
    rows: list[Simulated] = []
    for seed, at in enumerate(SYMMETRIC):
        rows.extend(_moments(*symmetric_arms(*at), at, "right or wrong", weighting, n, seed, context.workers))
        rows.extend(_errors(at, weighting, crossing, n // 5, seed))
    for seed, at in enumerate(GRADED):
        rows.extend(_moments(*evenly_graded(*at), at, "graded", weighting, n, 10 + seed, context.workers))
    rows.extend(_draws(share, n // 5))
    rows.extend(_masks(mask, n // 5))
    return rows


def _gates(policy: FloatArray, advantage: FloatArray) -> dict[str, FloatArray]:
    """Return gates of one rate, or nearly: the best, at random, and one that prefers the failures."""
    least = best_unbiased_gate(policy, advantage, RATE)
    return {
        "least noise": least,
        "uniform": np.full(len(policy), RATE),
        "failures": np.where(advantage > 0, RATE / 2, 1.0),
    }


def _moments(
    policy: FloatArray,
    advantage: FloatArray,
    at: Point,
    reward: str,
    weighting: Weighting,
    n: int,
    seed: int,
    workers: int,
) -> Iterator[Simulated]:
    """Yield moments and effective sample sizes of gates of weight 1/w, and the least cost of signal."""
    name = f"K={at[0]}, p={at[1]:g}, b={at[2]:g}, {reward} rewards"
    for gate, keep in _gates(policy, advantage).items():
        where: dict[str, Value] = {"K": at[0], "p": at[1], "b": at[2], "reward": reward, "gate": gate}
        exact = weighted_moments(policy, advantage, keep)
        if reward == "right or wrong":  # by the closed form of a symmetric context
            exact = symmetric_weighted_moments(at[1], at[0], at[2], keep[0], keep[-1])
        bandit = Bandit(policy, advantage, keep=keep, weight=weighting(keep))
        found = simulate_moments(MomentsConfig(bandit, 1, n // 200, 200, seed, n_threads=workers))
        rows: dict[str, tuple[float, Estimate]] = {
            "signal": (float(exact.signal), found.signal),
            "parallel variance": (float(exact.var_parallel), found.var_parallel),
            "perpendicular variance": (float(exact.var_perpendicular), found.var_perpendicular),
        }
        yield from _rows(rows, f"{gate}, {name}", where, RESOLUTION * _second(exact))
        share = subsets.effective_share(policy, keep, weighting(keep), 100, n // 100, seed)
        size = {"effective sample size": (float(effective_share(policy, keep)), share)}
        yield from _rows(size, f"{gate}, {name}", where, 0.01)
        if gate == "least noise" and reward == "right or wrong":
            cost = sample_moments(bandit, n, seed, workers).cost_of_signal
            least = {"cost of signal": (float(least_unbiased_cost(at[1], at[0], at[2])), cost)}
            yield from _rows(least, f"{gate}, {name}", where, RESOLUTION * least["cost of signal"][0])


def _second(moments: GradientMoments) -> float:
    """Return the second moment."""
    return float(moments.signal**2 + moments.var_parallel + moments.var_perpendicular)


def _errors(
    at: Point, weighting: Weighting, crossing: Callable[[float, int, float], FloatArray], n: int, seed: int
) -> Iterator[Simulated]:
    """Yield mean squared errors of zero price and of the best unbiased gate of its rate, and their difference."""
    n_arms, p, b = at
    policy, advantage = symmetric_arms(n_arms, p, b)
    kept = np.where(advantage > 0, 1.0, 0.0)
    least = best_unbiased_gate(policy, advantage, p)
    gates = {"zero-price": (kept, kept), "least noise": (least, weighting(least))}
    seconds = {"zero-price": (kept, kept), "least noise": (np.ones(n_arms), 1 / least)}
    square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
    for size in BATCHES:
        where: dict[str, Value] = {"K": n_arms, "p": p, "b": b, "B": size}
        found: dict[str, Estimate] = {}
        for place, (gate, (keep, weight)) in enumerate(gates.items()):
            seeds = 1000 * seed + 10 * size + place
            found[gate] = subsets.batch_errors(policy, advantage, keep, weight, size, n, seeds)
            exact = float(mean_squared_error(policy, advantage, *seconds[gate], size))
            name = f"{gate}, K={n_arms}, p={p:g}, b={b:g}, B={size}"
            row = {"mean squared error": (exact, found[gate])}
            yield from _rows(row, name, where | {"gate": gate}, RESOLUTION * exact)
        gap = found["least noise"].value - found["zero-price"].value
        error = float(np.hypot(found["least noise"].standard_error, found["zero-price"].standard_error))
        more = b**2 * square * (float(crossing(p, n_arms, b)) / size - 1)
        name = f"least noise, zero-price subtracted, K={n_arms}, p={p:g}, b={b:g}, B={size}"
        row = {"mean squared error": (more, Estimate(gap, error))}
        scale = RESOLUTION * max(each.value for each in found.values())
        yield from _rows(row, name, where | {"gate": "least noise", "against": "zero-price"}, scale)


def heavy_gradients(n: int = 12, seed: int = 7) -> FloatArray:
    """Return gradients, (n, 3), some of which are much longer than others."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(n, 3)) * (1 + np.arange(n)[:, None]) ** -1.5)


def _draws(share: Callable[[FloatArray, int], float], n: int) -> Iterator[Simulated]:
    """Yield the noise of draws by score with so many of the top kept for certain; scores with an error too."""
    gradients = heavy_gradients()
    lengths = np.linalg.norm(gradients, axis=1)
    for place, (by, scores) in enumerate({"length": lengths, "square root of length": np.sqrt(lengths)}.items()):
        for sure in sorted({0, 1, 3, best_sure_count(scores, N_DRAWS)}):
            exact = float(draws_variance(gradients, scores, N_DRAWS, sure))
            found = subsets.draw_errors(gradients, scores, N_DRAWS, sure, n, 100 * place + sure, share)
            name = f"the sum of 12 gradients, {N_DRAWS} draws by {by}, {sure} of them for certain"
            where: dict[str, Value] = {"n": 12, "k": N_DRAWS, "rule": by, "for certain": sure}
            yield from _rows({"mean squared error": (exact, found)}, name, where, RESOLUTION * exact)


def _masks(mask: subsets.Mask, n: int) -> Iterator[Simulated]:
    """Yield the noise of masked answers: tokens apart, prefixes, and answers dropped whole."""
    T = 6
    gradients = 0.3 + heavy_gradients(T, 3)
    falling = (T - np.arange(T)) / T
    even = np.full(T, falling.mean())
    for seed, (kind, keep, name) in enumerate(
        (("tokens", even, "tokens"), ("prefix", falling, "prefixes"), ("prefix", even, "whole answers"))
    ):
        exact = float(mask_variance(gradients, keep, kind))
        found = subsets.mask_errors(gradients, keep, kind, n, seed, mask)
        where: dict[str, Value] = {"T": T, "ρ": float(falling.mean()), "kept": name}
        row = f"an answer of T={T} tokens, {name} kept at ρ={falling.mean():.3g}"
        yield from _rows({"mean squared error": (exact, found)}, row, where, RESOLUTION * exact)


def _rows(
    pairs: Mapping[str, tuple[float, Estimate]], name: str, where: Mapping[str, Value], resolution: float
) -> Iterator[Simulated]:
    """Yield quantities beside their predictions."""
    for quantity, (predicted, found) in pairs.items():
        yield Simulated(f"{quantity} of {name}", predicted, found.value, found.standard_error, resolution, {**where})
