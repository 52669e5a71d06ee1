"""What gates on whole answers do at one policy: drift along ∇J, cost of signal, and both sides of the row condition.

Every batch keeps its top ρ, as in training. With w the share kept, g an answer's gradient and u along the mean
gradient ḡ, the cost of signal is c = ρE[w‖g‖²]/(E[w g·u])², as in :mod:`kondo_theory.geometry.optimal`; 1/c is
signal per backward pass. E[w g]·ḡ and ‖ḡ‖² are means over pairs of different blocks, which makes both unbiased;
errors are the jackknife's over blocks.

The best gate of a rate keeps the top a − (x/2)‖g‖², a = g·u. Here u is the mean gradient of all blocks but the
answers' own and the one that the signal is measured along, and so is noisy: the cost found is an upper bound of the
least.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kondo_theory.gate import select
from kondo_theory.screening import RULES
from kondo_theory.token_trap.row_balance import row_balance
from simulations.reversal.moments.answers import Answers

__all__ = ["BEST", "GATES", "cost_of_signal", "gate_rows", "pairs"]

FloatArray = NDArray[np.float64]

BEST = "best"
GATES = ("delight", "advantage", "abs-advantage", "surprisal", "positive-surprisal", "uniform", "length of g", BEST)
"""Screening rules, the length of an answer's gradient, |U|·‖φ‖, and the best gate by a noisy u."""
_EXCHANGES = (0.0, *np.geomspace(1e-3, 10, 9))


def gate_rows(answers: Answers, rates: tuple[float, ...], seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row for every gate and rate.

    Parameters
    ----------
    answers : Answers
        Of n ≥ 3 blocks.
    rates : tuple of float
    seed : int
        Of the draws among ties.

    Yields
    ------
    dict
        gate, rate; drift, E[w g]·ḡ, and length2, ‖ḡ‖²; second, E[w‖g‖²]; cost, c, and its relative error, cost_error;
        exchange, x of the best gate, NaN of others; and, NaN of the best gate, the row balance: balance, slope,
        margin, each with its error, and reward_side.
    """
    n = len(answers.advantage)
    if n < 3:
        raise ValueError(f"answers must be of at least 3 blocks, got {n}")
    length2 = pairs(answers.products.mean(axis=(1, 2)))
    for rate in rates:
        for gate in GATES:
            rng = np.random.default_rng(seed)
            if gate == BEST:
                found = min((_best(answers, rate, x, length2) for x in _EXCHANGES), key=lambda row: row["cost"])
                balance = dict.fromkeys(_BALANCE, np.nan)
            else:
                keep = select(_score(answers, gate), rate, rng)
                signals = pairs((keep[..., None] * answers.products).mean(axis=(1, 2)))
                second = (keep * answers.square).mean(axis=(1, 2))
                found = cost_of_signal(rate, signals, length2, second) | {"exchange": np.nan}
                balance = _balance(answers, keep)
            yield {"gate": gate, "rate": rate} | found | balance


def _score(answers: Answers, gate: str) -> FloatArray:
    """Return what is ranked, (n, batches, B)."""
    if gate == "length of g":
        return np.sqrt(answers.square)
    return np.asarray(RULES[gate](answers.advantage, answers.surprisal, answers.entropy), dtype=np.float64)


def pairs(products: FloatArray) -> FloatArray:
    """Return products of block with block, (n, n), NaN on the diagonal, where they would share answers."""
    found = np.array(products, dtype=np.float64)
    np.fill_diagonal(found, np.nan)
    return found


def _best(answers: Answers, rate: float, exchange: float, length2: FloatArray) -> dict[str, float]:
    """Return the cost of the gate by a − (x/2)‖g‖², x in units of mean |a| over mean ‖g‖²."""
    n = len(answers.advantage)
    total = answers.products.sum(axis=-1, keepdims=True)
    signals, seconds = np.full((n, n), np.nan), np.full((n, n), np.nan)
    for own in range(n):
        for along in (block for block in range(n) if block != own):
            a = (total[own] - answers.products[own][..., [own]] - answers.products[own][..., [along]])[..., 0]
            scale = np.abs(a).mean() / answers.square[own].mean()
            keep = select(a - exchange * scale / 2 * answers.square[own], rate, np.random.default_rng(0))
            signals[own, along] = (keep * answers.products[own][..., along]).mean()
            seconds[own, along] = (keep * answers.square[own]).mean()
    return cost_of_signal(rate, signals, length2, np.nanmean(seconds, axis=1)) | {"exchange": exchange}


def cost_of_signal(rate: float, signals: FloatArray, length2: FloatArray, second: FloatArray) -> dict[str, float]:
    """Return drift, squared length and cost of signal, with the jackknife's relative error over blocks."""

    def cost(left_out: int | None) -> float:
        kept = np.arange(len(second)) != (-1 if left_out is None else left_out)
        drift, square = np.nanmean(signals[kept][:, kept]), np.nanmean(length2[kept][:, kept])
        return float(rate * second[kept].mean() * square / drift**2) if drift > 0 and square > 0 else np.inf

    n, whole = len(second), cost(None)
    each = np.log([cost(block) for block in range(n)])
    error = float(np.sqrt((n - 1) * each.var())) if np.isfinite(each).all() else np.inf
    drifts = np.array([np.nanmean(np.delete(np.delete(signals, b, 0), b, 1)) for b in range(n)])
    return {
        "drift": float(np.nanmean(signals)),
        "drift_error": float(np.sqrt((n - 1) * drifts.var())),
        "length2": float(np.nanmean(length2)),
        "second": float(second.mean()),
        "cost": whole,
        "cost_error": error,
    }


_BALANCE = ("balance", "balance_error", "slope", "slope_error", "margin", "margin_error", "reward_side")


def _balance(answers: Answers, keep: NDArray[np.bool_]) -> dict[str, float]:
    """Return the row balance; the errors are those between batches, within which a gate ranks."""
    n, batches, B = answers.advantage.shape
    tokens = (answers.right.reshape(n * batches * B, -1), answers.right_probability.reshape(n * batches * B, -1))
    groups = np.repeat(np.arange(n * batches), B)
    found = row_balance(*tokens, answers.advantage.ravel(), keep.ravel().astype(np.float64), groups=groups)
    values = (found.drift, found.drift_error, found.slope, found.slope_error)
    return dict(zip(_BALANCE, (*values, found.margin, found.margin_error, found.reward_side), strict=True))
