"""Additive scores αU + (1 − α)ℓ: where they rank failures above successes, and how often that tops a batch."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kondo_theory.screening import RULES, additive_odds_limit, additive_threshold
from kondo_theory.words import choice
from simulations.bandits.simulation import Estimate
from simulations.bandits.top_samples import Setting, failure_on_top
from simulations.randomness.cell_seeds import stream_seed
from simulations.sweeps.cells.tokens.rows import Row, row
from simulations.sweeps.cells.types import Arms, Count, Fraction, Positive, Probability, Replicates, Seed

__all__ = ["additive", "top_failures"]


def additive(
    *, p_correct: Probability, alpha: Fraction, n_arms: Arms = 10, reward_gap: Positive = 1.0
) -> dict[str, float | bool]:
    """Return α* at this p, log of the critical odds of this α, and whether a failure outranks a success at both.

    α* is nan for p ≤ 1/K, where no failure outranks a success.

    Parameters
    ----------
    p_correct, n_arms : float, int
        p in (0, 1) and K ≥ 2.
    alpha : float
        Weight of the advantage, in [0, 1).
    reward_gap : float
        Δ, reward of the correct arm less that of the others.
    """
    common = p_correct > 1 / n_arms
    threshold = float(additive_threshold(p_correct, n_arms, reward_gap)) if common else np.nan
    return {
        "threshold": threshold,
        "log_odds_limit": float(additive_odds_limit(alpha, n_arms, reward_gap)),
        "failure_first": common and alpha < threshold,
    }


def top_failures(
    *,
    rule: Literal["additive", "delight"],
    alpha: Fraction = 0.5,
    log_odds: float,
    n_arms: Arms = 10,
    reward_gap: Positive = 1.0,
    batch_size: Count = 20,
    n_batches: Replicates = 1_000,
    seed: Seed = 0,
) -> list[Row]:
    """Return how often the best sample of a batch is a failure; the error is that of the claimed probability.

    Parameters
    ----------
    rule, alpha : str, float
        The score, and the weight of the advantage in ``additive``.
    log_odds : float
        log(p/(1 − p)), nats; not at the turn of ``additive``, where success and failure tie.
    n_arms, reward_gap : int, float
        K and Δ; the baseline is Δ/2.
    batch_size : int
        B.
    n_batches, seed : int
        Batches drawn, and the entropy of their stream.
    """
    rng = np.random.default_rng(stream_seed(**locals()))
    at = Setting(n_arms, 0.5, reward_gap, reward_gap / 2)
    choice("rule", rule, ("additive", "delight"))
    parameters = {"alpha": alpha} if rule == "additive" else {}
    found = failure_on_top(n_batches, batch_size, at, log_odds, RULES[rule], rng, **parameters)
    turned = rule == "additive" and log_odds > float(additive_odds_limit(alpha, n_arms, reward_gap))
    if turned:  # a failure is on top wherever there is one
        claimed = -float(np.expm1(-batch_size * np.logaddexp(0.0, -log_odds)))
    else:  # only where there is nothing else
        claimed = float(np.exp(-batch_size * np.logaddexp(0.0, log_odds)))
    error = float(np.sqrt(claimed * (1 - claimed) / n_batches))
    return [row("failure on top", claimed, Estimate(float(found.mean()), error))]
