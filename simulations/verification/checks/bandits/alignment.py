"""Simulation of the claim ``backward-passes-to-align``: how often a batch points the right way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr

from kondo_theory import geometry as closed
from kondo_theory.words import unhandled
from simulations.bandits.simulation import (
    AlignmentConfig,
    AlignmentTimeConfig,
    Estimate,
    Gate,
    simulate_alignment,
    simulate_alignment_times,
)
from simulations.bandits.simulation import Context as Bandit
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["GATES", "backward_passes_to_align", "exact_failure", "simulate_failure"]

FloatArray = NDArray[np.float64]
Samples = Callable[..., FloatArray]

GATES: Mapping[str, Gate] = {method: Gate(method) for method in closed.METHODS}
COSINE = 0.9  # c₀
REPLICATES = {"smoke": 400, "quick": 1_000, "paper": 5_000}
N_BATCHES = 1_000  # a replicate, for δ = 0.05; fewer resolve a larger failure probability
SMALL_P = 1e-4


@dataclass(frozen=True)
class Setting:
    """A method in one symmetric context, and the failure probability δ asked for."""

    method: str
    p: float
    n_arms: int
    baseline: float | str
    delta: float = 0.05

    def count(self, samples: Samples) -> float:
        """Return the claimed number of samples."""
        return float(samples(self.method, self.p, self.n_arms, self.baseline, COSINE, 1 - self.delta))

    def bandit(self, gates: Mapping[str, Gate]) -> Bandit:
        baseline = self.p if self.baseline == "value" else float(self.baseline)
        return Bandit.symmetric(self.p, self.n_arms, baseline, gates[self.method])

    def point(self, **more: Value) -> dict[str, Value]:
        """Return the point of a grid by symbol."""
        place: dict[str, Value] = {"method": self.method, "K": self.n_arms, "p": self.p, "b": self.baseline}
        return {**place, "δ": self.delta, "c₀": COSINE, **more}

    def __str__(self) -> str:
        baseline = "p" if self.baseline == "value" else f"{self.baseline:g}"
        return f"{self.method}, p={self.p:g}, K={self.n_arms}, b={baseline}"


ZERO_PRICE = [
    Setting("zero-price", p, n_arms, b, delta)
    for n_arms, b in ((2, 0.5), (10, 0.0), (1000, 0.9))
    for p, delta in ((0.003, 0.05), (0.05, 0.3), (0.4, 0.2))
]
CHI_SQUARE = [
    Setting("pg", SMALL_P, 3, 0.5),
    Setting("pg", SMALL_P, 10, 0.5),
    Setting("pg", SMALL_P / 10, 10, 0.1),
    Setting("pg", SMALL_P, 30, 0.5, 0.3),
    Setting("dg", SMALL_P, 10, 0.5),
]
VALUE_BASELINE = [Setting("pg", SMALL_P / 100, n_arms, "value", delta) for n_arms in (3, 10) for delta in (0.05, 0.3)]
SMALL_BATCHES = ((3, 0.3, 0.5, 12), (10, 0.3, 0.5, 8), (10, 0.1, 0.1, 30), (10, 0.5, 0.9, 20))  # K, p, b, N


def backward_passes_to_align(
    context: Context,
    forward: Samples = closed.forward_samples_to_align,
    backward: Samples = closed.backward_passes_to_align,
    gates: Mapping[str, Gate] = GATES,
) -> list[Simulated]:
    """Simulate the probability of *not* pointing the right way after the claimed number of samples.

    ``forward`` and ``backward`` have the signature of :func:`kondo_theory.geometry.forward_samples_to_align`; they
    and the gates are parameters so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    for index, setting in enumerate(ZERO_PRICE):
        rows.extend(_zero_price_rows(setting, forward, backward, gates, context, 20_000 + 10 * index))
        if setting.n_arms == 10:
            rows.extend(_first_time_rows(setting, forward, gates, context, 20_001 + 10 * index))
    for index, setting in enumerate(CHI_SQUARE):
        # Theory leaves out the parallel noise, of relative order p·(w₊(1−b))²/(w₋b)²: at most p/b² for PG.
        relative = setting.p / (_wrong_weight(setting) * float(setting.baseline)) ** 2
        rows.append(_limit_row(setting, forward, gates, relative * setting.delta, context, 20_200 + index))
    for index, setting in enumerate(VALUE_BASELINE):
        rows.append(_limit_row(setting, forward, gates, _beside_success(setting), context, 20_300 + index))
    rows.extend(_finite_rows(gates, context, 20_400))
    return rows


def _wrong_weight(setting: Setting) -> float:
    if setting.method == "pg":
        return 1.0
    if setting.method != "dg":
        raise unhandled("method", setting.method, ("pg", "dg"))
    return float(closed.dg_weights(setting.p, setting.n_arms, float(setting.baseline), 1.0)[1])


def _beside_success(setting: Setting) -> float:
    """Bound how far P(not aligned) at b = p is from P(no success): both ways to differ, of order p and p^{(K−2)/2}.

    Failures can spoil a success: Markov's bound of the derivation. And without a success the wrong samples can happen
    to cancel: χ²_{K−2} ≤ xpK(1−c₀²)/c₀², x = log(1/δ), counted twice because at K = 3 the counts' lattice is as
    coarse as that bound.
    """
    odds, load = COSINE**2 / (1 - COSINE**2), math.log(1 / setting.delta) * setting.p
    cancelled = float(chdtr(setting.n_arms - 2, load * setting.n_arms / odds))
    return odds * load / (1 - setting.p) ** 4 + 2 * setting.delta * cancelled


def simulate_failure(
    bandit: Bandit, n_samples: int, cosine: float, n_batches: int, replicates: int, seed: int, threads: int
) -> tuple[Estimate, Estimate]:
    """Return P(cos(ĝ, ∇J) < c₀) after N samples, and the mean number of backward passes."""
    found = simulate_alignment(AlignmentConfig(bandit, cosine, (n_samples,), n_batches, replicates, seed, threads))
    return Estimate.of(1 - found.aligned[:, 0]), Estimate.of(found.backward[:, 0])


def _simulated(
    setting: Setting, n: int, gates: Mapping[str, Gate], context: Context, seed: int
) -> tuple[Estimate, Estimate]:
    n_batches = math.ceil(N_BATCHES * min(1.0, (1 / setting.delta - 1) / 19))
    replicates = REPLICATES[context.preset]
    return simulate_failure(setting.bandit(gates), n, COSINE, n_batches, replicates, seed, context.workers)


def _zero_price_rows(
    setting: Setting, forward: Samples, backward: Samples, gates: Mapping[str, Gate], context: Context, seed: int
) -> Iterator[Simulated]:
    """Yield failure probability and backward passes at the whole number of samples, and the first time.

    The claim reads N(δ) = −log δ/const, so after n samples δ^{n/N(δ)} of the batches fail: (1−p)^n if it is true.
    """
    claimed = setting.count(forward)
    n = math.ceil(claimed)
    failure, passes = _simulated(setting, n, gates, context, seed)
    point = setting.point(N=n)
    yield _row(f"P(not aligned) after {n} samples, {setting}", setting.delta ** (n / claimed), failure, point)
    spent = setting.count(backward) * n / claimed
    yield _row(f"backward passes in {n} samples, {setting}", spent, passes, point)


def _first_time_rows(
    setting: Setting, forward: Samples, gates: Mapping[str, Gate], context: Context, seed: int
) -> Iterator[Simulated]:
    """Yield the mean first time at zero price and its backward passes; without memory it is geometric."""
    replicates = 40 * REPLICATES[context.preset]
    limit = math.ceil(30 / setting.p)
    config = AlignmentTimeConfig(setting.bandit(gates), COSINE, limit, replicates, seed, context.workers)
    times = simulate_alignment_times(config)
    mean = -1 / math.expm1(math.log(setting.delta) / setting.count(forward))
    for name, predicted, found in (("samples", mean, times.forward), ("backward passes", 1.0, times.backward)):
        quantity = f"{name} until first aligned, {setting}"
        yield _row(quantity, predicted, Estimate.of(found.astype(np.float64)), setting.point())


def _limit_row(
    setting: Setting, forward: Samples, gates: Mapping[str, Gate], left_out: float, context: Context, seed: int
) -> Simulated:
    """Return the failure probability at a small p beside δ; what the law leaves out joins the standard error."""
    n = math.ceil(setting.count(forward))
    failure, _ = _simulated(setting, n, gates, context, seed)
    error = math.hypot(failure.standard_error, left_out)
    quantity = f"P(not aligned) after {n} samples, {setting}"
    return Simulated(quantity, setting.delta, failure.value, error, parameters=setting.point(N=n))


def _finite_rows(gates: Mapping[str, Gate], context: Context, seed: int) -> Iterator[Simulated]:
    """Yield PG's failure probability in small batches beside exact enumeration, and the two special cases."""
    for index, (n_arms, p, baseline, n) in enumerate(SMALL_BATCHES):
        setting = Setting("pg", p, n_arms, baseline)
        failure, _ = _simulated(setting, n, gates, context, seed + index)
        predicted = exact_failure(p, n_arms, baseline, n)
        yield _row(f"P(not aligned) after {n} samples, {setting}", predicted, failure, setting.point(N=n))
    two = Setting("pg", 0.3, 2, 0.5)
    failure, _ = _simulated(two, 1, gates, context, seed + 10)
    yield _row(f"P(not aligned) after 1 sample, {two}", 0.0, failure, two.point(N=1), 1e-9)
    sure = Setting("zero-price", 0.99, 10, 0.5, 0.5)  # one sample is enough, and its .99 passes exceed log(1/δ) = .69
    failure, passes = _simulated(sure, 1, gates, context, seed + 20)
    yield _row(f"P(not aligned) after 1 sample, {sure}", 0.01, failure, sure.point(N=1), 2e-3)
    yield _row(f"backward passes in 1 sample, {sure}", 0.99, passes, sure.point(N=1))
    for n, predicted in ((1, 0.01), (2, 0.0199)):  # 1 − p and 1 − p²: more samples are worse
        late = Setting("pg", 0.99, 10, 0.5)
        failure, _ = _simulated(late, n, gates, context, seed + 10 + n)
        yield _row(f"P(not aligned) after {n} samples, {late}", predicted, failure, late.point(N=n), 5e-4)


def exact_failure(p: float, n_arms: int, baseline: float, n_samples: int, cosine: float = COSINE) -> float:
    """Return PG's exact P(cos(ĝ, ∇J) < c₀) after N samples, by enumeration of Σ m_a² over the wrong arms.

    With m wrong samples the squared perpendicular part is b²(Σ m_a² − m²/(K−1)); table[m, s] is the probability that
    m samples over the arms so far have Σ m_a² = s, up to the factor m!/(K−1)^m.
    """
    n_wrong = n_arms - 1
    table = np.zeros((n_samples + 1, n_samples**2 + 1))
    table[0, 0] = 1.0
    for _ in range(n_wrong):
        added = table.copy()
        for c in range(1, n_samples + 1):
            added[c:, c * c :] += table[: n_samples + 1 - c, : n_samples**2 + 1 - c * c] / math.factorial(c)
        table = added
    squares = np.arange(n_samples**2 + 1)
    aligned = 0.0
    for wrong in range(n_samples + 1):
        right = n_samples - wrong
        along = right * (1 - baseline) * (1 - p) + wrong * baseline * p
        across = baseline**2 * (squares - wrong**2 / n_wrong)
        inside = (along > 0) & (n_arms / n_wrong * along**2 >= cosine**2 / (1 - cosine**2) * across)
        share = math.factorial(wrong) / n_wrong**wrong * table[wrong] @ inside
        aligned += math.comb(n_samples, wrong) * p**right * (1 - p) ** wrong * share
    return 1 - aligned


def _row(
    quantity: str, predicted: float, found: Estimate, point: Mapping[str, Value], resolution: float = 0.0
) -> Simulated:
    return Simulated(quantity, predicted, found.value, found.standard_error, resolution, point)
