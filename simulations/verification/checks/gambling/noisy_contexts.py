"""The simulation of the claim gambling-transformer: two kinds of contexts in one batch, one of them noisy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kondo_theory.gambling.equal_noise import equal_noise_drift
from kondo_theory.gambling.noisy_contexts import (
    SharedBudget,
    entropy_weight,
    priced_gamble_drift,
    shared_budget,
    shut_out_noise,
)
from simulations.gambling.noisy_contexts import (
    CLEAN_DRIFT,
    CLEAN_KEPT,
    NOISY_DRIFT,
    NOISY_KEPT,
    BudgetGate,
    Kind,
    simulate_contexts,
)
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["gambling_transformer"]

BUDGETS = (
    # noise, share of the noisy, p noisy, p clean, ρ, rule
    (0.4, 0.5, 0.5, 0.4, 0.25, "abs-advantage"),
    (0.4, 0.5, 0.9, 0.4, 0.25, "abs-advantage"),
    (0.4, 0.5, 0.9, 0.4, 0.25, "delight"),
    (1.0, 0.3, 0.8, 0.4, 0.1, "delight"),
    (2.0, 0.3, 0.9, 0.7, 0.2, "delight"),
    (2.0, 0.5, 0.6, 0.7, 0.3, "advantage"),
)
SHUT = ((0.1, 0.5, "delight"), (0.2, 0.4, "abs-advantage"))
"""ρ, share of the noisy and rule: a fifth below the noise that shuts the clean contexts out, and a fifth above."""
SOFT = ((6.0, 60.0, 0.3), (4.0, 40.0, 0.2))
"""r, η and the probability of the worse arm: far enough from 0 that the entropy shows."""
PRICED = ((0.3, 0.5, 0.15), (0.6, 0.5, 0.15), (0.6, 1.5, 0.3))
"""x, r and λ."""
ZERO_PRICE = ((0.3, 1.0), (0.1, 3.0))
"""Probability of the worse arm, and r, of both arms."""
BATCH, REPLICATES, RESOLUTION = 2_000, 100, 0.006
_QUIET = Kind(0.5, 0.0, 0.0, 0.0, 0.0)
Budget = Callable[..., SharedBudget]


def gambling_transformer(
    context: Context,
    budget: Budget = shared_budget,
    weight: Callable[..., object] = entropy_weight,
    priced: Callable[..., object] = priced_gamble_drift,
    shut_out: Callable[..., object] = shut_out_noise,
) -> list[Simulated]:
    """Simulate budgets that are shared, and gates that decide alone; negative controls replace the closed forms."""
    rows: list[Simulated] = []
    point: dict[str, Value]
    for number, setting in enumerate(BUDGETS):
        rows += _budget(context, 70_000 + number, setting, budget)
    for number, (rate, share, rule) in enumerate(SHUT):
        rows += _shut_out(
            context, 70_100 + 10 * number, rate, share, rule, float(np.asarray(shut_out(rate, share, rule)))
        )
    for number, (r, eta, x) in enumerate(SOFT):
        expected = 0.5 + float(np.asarray(weight(r, eta))) * float(np.log(x / (1 - x)))
        kind, gate = Kind(1 - x, 1.0, 0.0, r, r), BudgetGate("soft", eta)
        point = {"gate": "DG", "r": r, "η": eta, "x": x}
        name = f"drift (Δ) of DG from noise as an entropy, r={r:g}, η={eta:g}, x={x:g}"
        rows.append(_alone(context, 70_200 + number, kind, gate, name, expected, point))
    for number, (x, r) in enumerate(ZERO_PRICE):
        kind, gate = Kind(1 - x, 1.0, 0.0, r, r), BudgetGate("price", 0.0)
        point = {"gate": "zero-price", "r": r, "x": x}
        name = f"drift (Δ) of zero price in a noisy context, r={r:g}, x={x:g}"
        rows.append(_alone(context, 70_300 + number, kind, gate, name, float(equal_noise_drift(x, r)), point))
    for number, (x, r, price) in enumerate(PRICED):
        kind, gate = Kind(1 - x, 0.0, -1.0, 0.0, r), BudgetGate("price", price)
        point = {"gate": "price", "r": r, "x": x, "λ": price}
        name = f"drift (Δ) of a gamble at a price, x={x:g}, r={r:g}, λ={price:g}"
        expected = float(np.asarray(priced(x, r, price)))
        rows.append(_alone(context, 70_400 + number, kind, gate, name, expected, point))
    return rows


def _batches(context: Context) -> int:
    return {"smoke": 4, "quick": 10, "paper": 100}[context.preset]


def _budget(
    context: Context, seed: int, setting: tuple[float, float, float, float, float, str], budget: Budget
) -> list[Simulated]:
    """Return the noisy share of the kept and both drifts, where right pays 1 more than wrong."""
    noise, share, noisy, clean, rate, rule = setting
    kinds = Kind(noisy, 1.0, 0.0, noise, noise), Kind(clean, 1.0, 0.0, 0.0, 0.0)
    found = simulate_contexts(
        *kinds, share, BudgetGate(rule, rate), BATCH, _batches(context), REPLICATES, seed, context.workers
    )
    p = np.array([noisy, 1 - noisy, clean, 1 - clean])
    mass = p * np.array([share, share, 1 - share, 1 - share])
    mean = np.array([1 - noisy, -noisy, 1 - clean, -clean])
    expected = budget(mass, mean, np.array([noise, noise, 0, 0]), -np.log(p), rate, rule)
    kept, gained = mass * expected.kept, expected.gated_mean
    name = f"σ={noise:g}, s={share:g}, p={noisy:g} and {clean:g}, ρ={rate:g}, by {rule}"
    where: dict[str, Value] = {"σ": noise, "s": share, "p noisy": noisy, "p clean": clean, "ρ": rate, "rule": rule}
    allowed = RESOLUTION * max(1.0, noise)
    return [
        Simulated(f"{what}, {name}", float(value), *mean_and_error(column), allowed, where)
        for what, value, column in (
            ("noisy share of the kept", kept[:2].sum() / rate, found[:, NOISY_KEPT] / rate),
            ("drift of the noisy", gained[0] - gained[1], found[:, NOISY_DRIFT]),
            ("drift of the clean", gained[2] - gained[3], found[:, CLEAN_DRIFT]),
        )
    ]


def _shut_out(context: Context, seed: int, rate: float, share: float, rule: str, noise: float) -> list[Simulated]:
    """Return whether clean contexts get anything a fifth below the noise, and above: 1 and 0 are predicted.

    The noisy contexts pay the same on both arms, of one surprisal; the largest clean score is a right answer's.
    """
    rows = []
    for place, factor in enumerate((0.8, 1.2)):
        largest = 0.5 * (np.log(2) if rule == "delight" else 1.0)
        sigma = factor * noise * largest / (np.log(2) if rule == "delight" else 1.0)
        kinds = Kind(0.5, 0.0, 0.0, sigma, sigma), Kind(0.5, 1.0, 0.0, 0.0, 0.0)
        found = simulate_contexts(
            *kinds, share, BudgetGate(rule, rate), BATCH, _batches(context), REPLICATES, seed + place, context.workers
        )
        gets = (found[:, CLEAN_KEPT] > 0.05 * rate).astype(np.float64)
        name = f"clean contexts get something at {factor:g} of the noise, s={share:g}, ρ={rate:g}, by {rule}"
        where: dict[str, Value] = {"s": share, "ρ": rate, "rule": rule, "of the noise": factor}
        rows.append(Simulated(name, float(factor < 1), *mean_and_error(gets), RESOLUTION, where))
    return rows


def _alone(
    context: Context, seed: int, kind: Kind, gate: BudgetGate, name: str, expected: float, point: dict[str, Value]
) -> Simulated:
    """Return the drift towards arm 1 under a gate that decides on each sample alone."""
    most = max(kind.noise_first, kind.noise_second, 1.0)
    found = simulate_contexts(
        kind, _QUIET, 0.9, gate, BATCH, 2 * _batches(context), REPLICATES, seed, context.workers
    )
    return Simulated(name, expected, *mean_and_error(found[:, NOISY_DRIFT]), RESOLUTION * most, point)
