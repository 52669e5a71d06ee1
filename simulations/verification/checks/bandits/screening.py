"""Simulations of the claims about additive scores: where they start to rank failures above successes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kondo_theory.screening import RULES, Rule, additive_odds_limit, additive_threshold
from simulations.bandits.top_samples import Setting, failure_on_top, successes_on_top
from simulations.verification.checks import Context
from simulations.verification.checks.bandits.moments import generator
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["additive_never_fixed", "additive_threshold_turn"]

FloatArray = NDArray[np.float64]
Threshold = Callable[..., FloatArray]
"""α* of p, K and the reward gap Δ."""
OddsLimit = Callable[..., FloatArray]
"""Log of the critical odds of α, K and the reward gap Δ."""

FREQUENCY_RESOLUTION = 0.002  # of a probability, for those too small to resolve to 1 %
TURN_RESOLUTION = 1e-7  # of a turning point found by bisection: α, or a log-odds
TOP_OF = 4  # samples a batch of which the best one is kept


COMMON = (  # p > 1/K: the additive rule has a threshold
    Setting(10, 0.5, 1.0, 1 / 3),
    Setting(100, 0.2, 1.0, 0.0),
    Setting(3, 0.5, 0.5, 2.0),  # baseline above both rewards: delight is still right
    Setting(10, 0.9, 2.0, -1.0, delight_errs=True),  # baseline below both rewards
)
RARE = Setting(10, 0.05, 1.0, 0.5)  # p < 1/K: the additive rule never errs
NEVER_GRID = tuple(
    (n_arms, alpha, gap) for n_arms in (2, 10, 1000) for alpha in (0.2, 0.5, 0.9, 0.99) for gap in (1, 3)
)
TURN_MARGIN = 0.2  # in log-odds, how far on both sides of the turn batches are drawn
LATE_BATCH = 20


def additive_threshold_turn(
    context: Context, rule: Rule = RULES["additive"], threshold: Threshold = additive_threshold
) -> list[Simulated]:
    """Find the α at which the best sample of a batch turns from failure to success, and its frequency on both sides.

    Just below α* a batch's top sample is a failure whenever it holds one, with probability 1 − p^B; just above it
    only when there is nothing else, with probability (1 − p)^B. Delight is simulated in the same contexts. ``rule``
    and ``threshold`` are parameters so that wrong ones can be shown to fail.
    """
    n_batches = {"smoke": 50_000, "quick": 200_000, "paper": 2_000_000}[context.preset]
    rows: list[Simulated] = []
    for index, at in enumerate(COMMON):
        star = float(threshold(at.p, at.n_arms, at.gap))
        mixed = np.array([[True, False]])

        def errs(alpha: float, at: Setting = at, mixed: NDArray[np.bool_] = mixed) -> bool:
            return not successes_on_top(mixed, at, at.log_odds, rule, alpha=alpha)[0]

        rows.append(_turn(f"α* at {at}", star, errs, (1.0, 0.0), at.point("additive")))
        always, only = 1 - at.p**TOP_OF, (1 - at.p) ** TOP_OF
        rng = generator(10, index)
        for alpha, predicted in ((star - 0.01, always), (star + 0.01, only)):
            found = failure_on_top(n_batches, TOP_OF, at, at.log_odds, rule, rng, alpha=alpha)
            name = f"failure on top at {at}, α={alpha:.3f}"
            rows.append(_frequency(name, predicted, found, **at.point("additive", B=TOP_OF, α=alpha)))
        found = failure_on_top(n_batches, TOP_OF, at, at.log_odds, RULES["delight"], rng)
        predicted = always if at.delight_errs else only
        point = at.point("delight", B=TOP_OF)
        rows.append(_frequency(f"failure on top at {at}, delight", predicted, found, **point))
    rng = generator(11)
    for alpha in (0.01, 0.5, 0.99):
        found = failure_on_top(n_batches, TOP_OF, RARE, RARE.log_odds, rule, rng, alpha=alpha)
        name = f"failure on top at {RARE}, α={alpha:g}"
        rows.append(_frequency(name, (1 - RARE.p) ** TOP_OF, found, **RARE.point("additive", B=TOP_OF, α=alpha)))
    return rows


def additive_never_fixed(
    context: Context, rule: Rule = RULES["additive"], limit: OddsLimit = additive_odds_limit
) -> list[Simulated]:
    """Raise the odds p/(1−p) until a fixed α ranks a failure first, and see how often that happens in batches.

    The ordering of one success and one failure is followed to any odds. In batches of 20 past the turn a failure is
    on top with probability 1 − p^20: often for moderate α, and never seen for α near one, whose turn comes where
    failures are no longer drawn. ``rule`` and ``limit`` are parameters so that wrong ones can be shown to fail.
    """
    n_batches = {"smoke": 20_000, "quick": 50_000, "paper": 200_000}[context.preset]
    rows: list[Simulated] = []
    mixed = np.array([[True, False]])
    for n_arms, alpha, gap in NEVER_GRID:
        at = Setting(n_arms, 0.5, float(gap), gap / 2)

        def errs(log_odds: float, at: Setting = at, alpha: float = alpha) -> bool:
            return not successes_on_top(mixed, at, log_odds, rule, alpha=alpha)[0]

        name = f"log of the critical odds at K={n_arms}, Δ={gap}, α={alpha:g}"
        point: dict[str, Value] = {"rule": "additive", "K": n_arms, "Δ": gap, "b": at.baseline, "α": alpha}
        rows.append(_turn(name, float(limit(alpha, n_arms, gap)), errs, (-20.0, 1_000.0), point))
    for index, alpha in enumerate((0.5, 0.8, 0.9, 0.99)):
        rows.extend(_around_the_turn(alpha, rule, limit, n_batches, index))
    return rows


def _around_the_turn(alpha: float, rule: Rule, limit: OddsLimit, n_batches: int, seed: int) -> Iterator[Simulated]:
    """Yield how often a failure tops a batch of 20 before and after the turn, for the additive rule and delight."""
    rng = generator(12, seed)
    at = Setting(10, 0.5, 1.0, 0.5)
    turn = float(limit(alpha, at.n_arms, at.gap))
    for side, log_odds in (("before", turn - TURN_MARGIN), ("after", turn + TURN_MARGIN)):
        # log p and log(1 − p) from the log-odds: p rounds to one for α near one.
        log_p, log_error = -np.logaddexp(0.0, -log_odds), -np.logaddexp(0.0, log_odds)
        always, only = -float(np.expm1(LATE_BATCH * log_p)), float(np.exp(LATE_BATCH * log_error))
        point = f"K=10, α={alpha:g}, log-odds {log_odds:.2f}, {side} the turn"
        found = failure_on_top(n_batches, LATE_BATCH, at, log_odds, rule, rng, alpha=alpha)
        predicted = always if side == "after" else only
        where: dict[str, Value] = {"K": at.n_arms, "Δ": at.gap, "b": at.baseline, "B": LATE_BATCH, "α": alpha}
        where |= {"log-odds": log_odds, "log-odds of the turn": turn, "side": side}
        yield _frequency(f"failure on top of 20 at {point}", predicted, found, rule="additive", **where)
        found = failure_on_top(n_batches, LATE_BATCH, at, log_odds, RULES["delight"], rng)
        yield _frequency(f"failure on top of 20 at {point}, delight", only, found, rule="delight", **where)


def _frequency(quantity: str, predicted: float, found: FloatArray, **parameters: Value) -> Simulated:
    """Return the row of a probability, with its standard error under the prediction.

    The sample's own would be zero where nothing happened, and a prediction of 1e-10 would then fail on it.
    """
    error = float(np.sqrt(predicted * (1 - predicted) / len(found)))
    return Simulated(quantity, predicted, float(found.mean()), error, FREQUENCY_RESOLUTION, parameters)


def _turn(
    quantity: str,
    predicted: float,
    errs: Callable[[float], bool],
    between: tuple[float, float],
    point: Mapping[str, Value],
) -> Simulated:
    """Bisect for the point where a rule starts to err, between a safe and a wrong one; nan where it does not turn.

    The ordering is not random, so the bracket's half-width, below 1e-8, stands in for a standard error.
    """
    safe, wrong = between
    if errs(safe) or not errs(wrong):
        return Simulated(quantity, predicted, float("nan"), 0.0, TURN_RESOLUTION, point)
    while abs(wrong - safe) > TURN_RESOLUTION / 10:
        middle = (safe + wrong) / 2
        if errs(middle):
            wrong = middle
        else:
            safe = middle
    return Simulated(quantity, predicted, (safe + wrong) / 2, abs(wrong - safe) / 2, TURN_RESOLUTION, point)
