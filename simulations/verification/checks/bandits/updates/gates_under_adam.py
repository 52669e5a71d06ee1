"""The simulation of the claim gates-under-adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from kondo_theory.geometry.adam import adam_step, logit_moments, one_gradient_step, symmetric_adam_progress
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.normalised import exact_batch_moments, kept_gradient, normalised_moments
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import kept_at_rate
from simulations.bandits.simulation import Estimate
from simulations.bandits.updates.adam import AdamBandit, simulate_steps
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["gates_under_adam"]

FloatArray = NDArray[np.float64]
Step = Callable[[ArrayLike, ArrayLike], FloatArray]
"""From mean and variance of a batch gradient's coordinates to their mean steps."""
Change = Callable[[AdamBandit], AdamBandit]

# (K, p, b): early, midway and late, a large baseline; and rewards that fall evenly from 1 to 0.
SYMMETRIC = ((10, 0.1, 0.5), (10, 0.5, 0.6), (3, 0.8, 0.3))
GRADED = ((5, 0.15, 0.5), (10, 0.4, 0.7))
BATCH, RATE = 50, 0.1
_BY_THE_KEPT = ", by the kept"
RESOLUTION = 0.02  # of a step: one is the longest


def gates_under_adam(
    context: Context, formula: Step = adam_step, change: Change = lambda same: same
) -> list[Simulated]:
    """Simulate Adam at policies that stand still: its mean steps on logits, and the gain along the true gradient.

    ``formula`` and ``change``, of what is simulated, are parameters so that wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    for number, at in enumerate(SYMMETRIC):
        rows.extend(_symmetric(context, at, number, formula, change))
    for number, at in enumerate(GRADED):
        rows.extend(_graded(context, at, 100 + number, formula, change))
    return rows


def _simulated(context: Context, bandit: AdamBandit, *seed: int) -> FloatArray:
    """Return mean steps (n_replicates, K)."""
    replicates, filling, averaged = {
        "smoke": (20, 2_000, 2_000),
        "quick": (60, 4_000, 6_000),
        "paper": (600, 6_000, 6_000),
    }[context.preset]
    return simulate_steps(bandit, replicates, filling, averaged, (83_000, *seed))


def _symmetric(
    context: Context, at: tuple[int, float, float], number: int, formula: Step, change: Change
) -> Iterator[Simulated]:
    """Yield steps of the right arm's logit and of the first wrong one's, and the gain, of gates by sign."""
    K, p, b = at
    policy, advantage = symmetric_arms(K, p, b)
    soft = expit(advantage * -np.log(policy))
    right = np.zeros(K)
    right[0] = 1.0
    one = np.ones(K)
    gates = {"PG": (one, one), "DG": (one, soft), "zero price": (right, one)}
    for place, (name, (keep, weight)) in enumerate(gates.items()):
        bandit = AdamBandit(policy, advantage, keep, weight, BATCH)
        mean, variance = logit_moments(policy, advantage, keep * weight, keep * weight**2)
        predicted = formula(mean, variance / BATCH)
        found = _simulated(context, change(bandit), number, place)
        yield from _rows(at, "right or wrong", name, predicted, found, bandit)
        sign = keep * weight
        closed = symmetric_adam_progress(p, K, b, sign[0], sign[1], BATCH)
        gain = Estimate.of(found @ _gradient(policy, advantage))
        where = _where(at, "right or wrong", name)
        title = f"gain by the closed form at K={K}, p={p:g}, b={b:g}, {name}"
        yield Simulated(title, float(closed), gain.value, gain.standard_error, RESOLUTION * p, where)
    kept = AdamBandit(policy, advantage, right, one, BATCH, by_the_kept=True)
    size = float(one_gradient_step(p, BATCH, "kept"))
    predicted = size * np.sign(_gradient(policy, advantage))
    found = _simulated(context, change(kept), number, 9)
    yield from _rows(at, "right or wrong", "zero price, by the kept", predicted, found, kept)


def _graded(
    context: Context, at: tuple[int, float, float], number: int, formula: Step, change: Change
) -> Iterator[Simulated]:
    """Yield steps and gains of PG, and of a gate by delight at a rate with three divisors."""
    K, p, b = at
    policy, advantage = evenly_graded(K, p, b)
    score, one, each = advantage * -np.log(policy), np.ones(K), np.eye(K)
    keep = kept_at_rate(policy, score, RATE)
    kept = kept_gradient(np.tile(policy, (K, 1)), keep, keep * advantage, keep * advantage**2, direction=each)
    divided = normalised_moments(kept, BATCH)
    exact = [_exact(policy, advantage, score, direction) for direction in each]
    count = round(RATE * BATCH)
    laws = {
        "PG": (AdamBandit(policy, advantage, one, one, BATCH), *logit_moments(policy, advantage, one, one)),
        "price": (AdamBandit(policy, advantage, keep, one, BATCH), *logit_moments(policy, advantage, keep, keep)),
        "price, by the kept": (
            AdamBandit(policy, advantage, keep, one, BATCH, by_the_kept=True), divided.signal, divided.var_parallel,
        ),
        "exactly k": (
            AdamBandit(policy, advantage, score, one, BATCH, n_kept=count), *np.array(exact).T,
        ),
    }  # fmt: skip
    for place, (name, (bandit, mean, variance)) in enumerate(laws.items()):
        predicted = formula(mean, np.asarray(variance) / BATCH)
        found = _simulated(context, change(bandit), number, place)
        yield from _rows(at, "graded", name, predicted, found, bandit)


def _exact(
    policy: FloatArray, advantage: FloatArray, score: FloatArray, direction: FloatArray
) -> tuple[float, float]:
    """Return mean, and variance times B, of one coordinate under exactly k."""
    order = np.argsort(-score)
    edges = np.cumsum(policy[order])[:-1]

    def kept_at(rates: FloatArray, u: FloatArray | None) -> object:
        keep = kept_at_rate(policy, score, rates)
        return kept_gradient(policy, keep, keep * advantage, keep * advantage**2, direction=u)

    found = exact_batch_moments(kept_at, BATCH, round(RATE * BATCH), direction=direction, breaks=edges)  # type: ignore[arg-type]
    return float(found.signal), float(found.var_parallel)


def _gradient(policy: FloatArray, advantage: FloatArray) -> FloatArray:
    """Return the true gradient in the logits."""
    return np.asarray(policy * advantage - policy * (policy @ advantage))


def _where(at: tuple[int, float, float], reward: str, name: str) -> dict[str, Value]:
    gate, kept = name.removesuffix(_BY_THE_KEPT), name.endswith(_BY_THE_KEPT)
    where: dict[str, Value] = {"K": at[0], "p": at[1], "b": at[2], "reward": reward, "gate": gate, "B": BATCH}
    return where | {"ρ": RATE, "divisor": "kept" if kept else "batch"}


def _rows(
    at: tuple[int, float, float],
    reward: str,
    name: str,
    predicted: FloatArray,
    found: FloatArray,
    bandit: AdamBandit,
) -> Iterator[Simulated]:
    """Yield the steps of the first two logits, and the gain."""
    point = f"K={at[0]}, p={at[1]:g}, b={at[2]:g}, {reward} rewards, {name}"
    where = _where(at, reward, name)
    for arm in (0, 1):
        step = Estimate.of(found[:, arm])
        row = f"Adam's step on logit {arm + 1} at {point}", float(predicted[arm]), step.value, step.standard_error
        yield Simulated(*row, RESOLUTION, where | {"logit": arm + 1})
    true = _gradient(bandit.policy, bandit.advantage)
    gain = Estimate.of(found @ true)
    row = f"gain at {point}", float(predicted @ true), gain.value, gain.standard_error
    yield Simulated(*row, RESOLUTION * float(np.abs(true).sum()), where)
