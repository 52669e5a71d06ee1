"""Simulation of what every screening rule keeps at a rate, and what the kept samples are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import select
from kondo_theory.geometry.exact_rate import exact_rate_moments, kept_successes
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import SAMPLE_RULES, Screened, screen_context
from simulations.bandits import kernels
from simulations.bandits.estimates import noise_per_backward, of_means, total_variance
from simulations.bandits.kept_batches import Keep, Setting, batch_gradients, claimed_order, kept_by_arm
from simulations.bandits.simulation import Context as Bandit
from simulations.bandits.simulation import MomentsConfig, simulate_moments
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import estimated, generator
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["SETTINGS", "screening_at_rate"]

FloatArray = NDArray[np.float64]

FINITE, LARGE = 6, 2_000  # batch sizes: one for the exact finite object, one for the limit
KEPT_OF_FINITE, LARGE_RATES = (3, 5), (0.1, 0.5)
DRAWN = 200  # batch size of samples kept independently: their moments per sample do not depend on it
BACKWARD_BUDGET = 100  # backward passes at which efficiencies are compared
SHARE_RESOLUTION = 0.005  # of a share of the batch

SETTINGS = (
    Setting(10, 0.3, 0.25, alpha=0.5),  # p > 1/K, α < α*: surprisal and the additive rule keep failures first
    Setting(10, 0.06, 0.7, alpha=0.5),  # p < 1/K, b > 1/2: only the absolute advantage does
    Setting(3, 0.6, 0.5, alpha=0.7),  # b = 1/2 ties absolute advantages; b > 1 − p: failures carry more signal
)


def screening_at_rate(context: Context, keep: Keep = select) -> list[Simulated]:
    """Let every rule keep the top ρ of real batches, and compare with the exact finite batch and with the limit.

    B = 6: kept successes, signal, Var_⊥ and efficiency of exactly-k selection. B = 2,000: the kept masses against
    the limit that the theory fills; at these rates it is reached to below 1e-8, the exact finite-batch mean says. And
    the efficiency per backward pass of samples kept independently with the limit's probabilities. ``keep`` is a
    parameter so that a wrong selection can be shown to fail.
    """
    n_samples = {"smoke": 120_000, "quick": 600_000, "paper": 10_000_000}[context.preset]
    n_replicates = n_samples // 1_000
    rows: list[Simulated] = []
    settings = [(at, rule, which) for at in SETTINGS for rule in SAMPLE_RULES for which in (0, 1)]
    for index, (at, rule, which) in enumerate(settings):
        finite = _Draw(keep, n_samples // FINITE, FINITE, index)
        rows.extend(_finite_rows(at, rule, KEPT_OF_FINITE[which], finite))
        rate = LARGE_RATES[which]
        point = f"{rule}, {at}, ρ={rate:g}"
        policy, advantage = symmetric_arms(at.n_arms, at.p, at.baseline)
        limit = screen_context(policy, advantage, rule, rate, **at.parameters(rule))
        rows.extend(_large_rows(point, at, rule, rate, _Draw(keep, n_samples // LARGE, LARGE, index), limit))
        drawn = Bandit(policy, advantage, limit.keep)
        where = at.point(rule) | {"ρ": rate, "backward passes": BACKWARD_BUDGET}
        rows.append(_efficiency_row(point, where, drawn, limit, n_replicates, index, context))
    return rows


@dataclass(frozen=True)
class _Draw:
    """How batches are drawn and kept."""

    keep: Keep
    n_batches: int
    batch_size: int
    seed: int

    def counts(self, at: Setting, rule: str, rate: float) -> NDArray[np.int64]:
        """Return the kept samples by arm, shape (n_batches, K)."""
        rng = generator(20, self.batch_size, self.seed)
        return kept_by_arm(at, rule, rate, self.n_batches, self.batch_size, rng, self.keep)


def _finite_rows(at: Setting, rule: str, n_kept: int, draw: _Draw) -> Iterator[Simulated]:
    """Yield the rows of the exact finite object: exactly k of 6."""
    counts = draw.counts(at, rule, n_kept / FINITE)
    along, across = batch_gradients(counts, at, FINITE)
    order = claimed_order(rule, at)
    kept = kept_successes(at.p, FINITE, n_kept, order)
    exact = exact_rate_moments(at.p, at.n_arms, at.baseline, FINITE, n_kept, order)
    name = f"of {n_kept} kept of {FINITE}, {rule}, {at}"
    point = at.point(rule) | {"B": FINITE, "k": n_kept}
    yield estimated(f"successes {name}", float(kept.mean), counts[:, 0], SHARE_RESOLUTION * FINITE, at=point)
    one_sample = float(np.sqrt(at.n_arms / (at.n_arms - 1))) / FINITE  # the longest parallel part of one sample
    yield estimated(f"signal {name}", float(exact.signal), along, SHARE_RESOLUTION * one_sample * FINITE, at=point)
    squared = at.baseline**2 * (at.n_arms - 2) / (at.n_arms - 1)  # of one wrong sample's perpendicular part
    predicted = float(exact.var_perpendicular)
    yield estimated(f"B·Var_⊥ {name}", predicted, FINITE * across, 2 * SHARE_RESOLUTION * squared, at=point)

    def efficiency(signal: FloatArray, square: FloatArray, across: FloatArray) -> FloatArray:
        return signal**2 / (square + across)

    found = of_means(efficiency, along, along**2, across)
    predicted = float(exact.efficiency(FINITE))
    yield Simulated(f"efficiency {name}", predicted, found.value, found.standard_error, SHARE_RESOLUTION, point)


def _large_rows(point: str, at: Setting, rule: str, rate: float, draw: _Draw, limit: Screened) -> Iterator[Simulated]:
    """Yield kept masses and signal of large batches beside the limit B → ∞."""
    counts = draw.counts(at, rule, rate)
    along, across = batch_gradients(counts, at, LARGE)
    masses = symmetric_arms(at.n_arms, at.p, at.baseline)[0] * limit.keep
    where = at.point(rule) | {"ρ": rate, "B": LARGE}
    for name, predicted, found in (
        ("correct mass", masses[0], counts[:, 0] / LARGE),
        ("wrong mass", masses[1:].sum(), counts[:, 1:].sum(axis=1) / LARGE),
        ("signal", limit.moments.signal, along),
        ("B·Var_⊥", limit.moments.var_perpendicular, LARGE * across),
    ):
        resolution = SHARE_RESOLUTION if name != "B·Var_⊥" else 0.05 * at.baseline**2
        quantity = f"{name} kept, {point}, B={LARGE}"
        yield estimated(quantity, float(predicted), found, resolution, at=where)


def _efficiency_row(
    point: str,
    where: Mapping[str, Value],
    bandit: Bandit,
    limit: Screened,
    n_replicates: int,
    seed: int,
    context: Context,
) -> Simulated:
    """Return the efficiency of 100 backward passes of samples kept independently."""
    config = MomentsConfig(bandit, DRAWN, 200, n_replicates, seed, n_threads=context.workers)
    found = simulate_moments(config)
    columns = found.statistics[:, kernels.KEPT] / DRAWN, found.statistics[:, kernels.SIGNAL]

    def efficiency(rate: FloatArray, signal: FloatArray, variance: FloatArray) -> FloatArray:
        return np.asarray(1 / (1 + noise_per_backward(rate, signal, variance) / BACKWARD_BUDGET))

    estimate = of_means(efficiency, *columns, total_variance(found, DRAWN))
    predicted = float(limit.efficiency_per_backward(BACKWARD_BUDGET))
    name = f"efficiency of {BACKWARD_BUDGET} backward passes, {point}"
    return Simulated(name, predicted, estimate.value, estimate.standard_error, SHARE_RESOLUTION, where)
