"""The simulations of the claims decision-price and cascade: costs counted sample by sample of drawn delights."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry import cascade as windows
from kondo_theory.geometry import decision_price as closed
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["cascade", "decision_price"]

FloatArray = NDArray[np.float64]

BATCHES = {"smoke": 40, "quick": 200, "paper": 4_000}
BATCH = 20_000
GAUSSIAN = ((0.5, 0.0, 1.0, 0.0), (0.5, 0.0, 1.0, 0.7), (1.0, 0.0, 1.0, 1.0), (0.4, 0.6, 0.5, 0.5))
"""c, μ, d and τ."""
TWO_POINTS = ((0.1, 0.6, -0.4, 0.3, 0.5), (0.3, 1.2, -0.1, 0.1, 0.8))
"""c, a, b, p and τ."""
WIDTH = 0.02  # to either side of the best price
CASCADES = (
    (0.02, 0.5, 0.0, 1.0, 0.7),
    (0.05, 1.0, 0.0, 1.0, 1.0),
    (0.01, -0.2, 0.3, 0.5, 0.2),
    (0.4, 0.5, 0.0, 1.0, 1.0),
)
"""e, c, μ, d and τ. The last delight costs more than it is ever worth."""
EDGE = 0.012  # to either side of the window's edge


def decision_price(context: Context, formulas: ModuleType = closed) -> list[Simulated]:
    """Draw delights and noisy scores, and count gain and regret at the best price and at c.

    Samples whose score lies at the best price are worth their cost on average. ``formulas`` is a parameter so that
    wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    n = BATCHES[context.preset]
    for index, (c, mu, sigma, tau) in enumerate(GAUSSIAN):
        rng = np.random.default_rng(np.random.SeedSequence(9_500, spawn_key=(index,)))
        chi = mu + sigma * rng.normal(size=(n, BATCH))
        law = (c, mu, sigma, tau)
        point: dict[str, Value] = {"c": c, "μ": mu, "d": sigma, "τ": tau}
        best = float(formulas.gaussian_price(*law))
        score = chi + tau * rng.normal(size=chi.shape)
        where = f"Gaussian delight, c={c:g}, μ={mu:g}, d={sigma:g}, τ={tau:g}"
        for name, price in (("the best price", best), ("the price c", c)):
            gain = float(formulas.gaussian_gain(price, *law))
            regret = float(formulas.gaussian_regret(price, *law))
            rows.append(_row(f"gain at {name}, {where}", gain, _gain(chi, score, c, price), point))
            rows.append(_row(f"missed and wasted at {name}, {where}", regret, _regret(chi, score, c, price), point))
        rows.extend(_worth(chi, score, c, best, where, point))
    for index, (c, a, b, p, tau) in enumerate(TWO_POINTS):
        rng = np.random.default_rng(np.random.SeedSequence(9_600, spawn_key=(index,)))
        chi = np.where(rng.random((n, BATCH)) < p, a, b)
        score = chi + tau * rng.normal(size=chi.shape)
        best = float(formulas.two_point_price(c, a, b, p, tau))
        point = {"c": c, "a": a, "b": b, "p": p, "τ": tau}
        where = f"two delights, c={c:g}, a={a:g}, b={b:g}, p={p:g}, τ={tau:g}"
        gain = float(formulas.two_point_gain(best, c, a, b, p, tau))
        rows.append(_row(f"gain at the best price, {where}", gain, _gain(chi, score, c, best), point))
        rows.extend(_worth(chi, score, c, best, where, point))
    return rows


def cascade(context: Context, formulas: ModuleType = windows) -> list[Simulated]:
    """Draw delights and scores, and count gain, evaluated share and recall of the best window.

    At the window's edge the exact delight is worth what it costs on average. ``formulas`` is a parameter so that
    wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    for index, law in enumerate(CASCADES):
        e, c, mu, d, tau = law
        rng = np.random.default_rng(np.random.SeedSequence(9_700, spawn_key=(index,)))
        chi = mu + d * rng.normal(size=(BATCHES[context.preset], BATCH))
        score = chi + tau * rng.normal(size=chi.shape)
        off = mu + (score - mu) * d**2 / (d**2 + tau**2) - c  # the calibrated score over the cost
        w = float(formulas.cascade_window(e, d, tau))
        inside = np.abs(off) < w
        keep = np.where(inside, chi > c, off > 0)
        worth = chi > c
        where = f"e={e:g}, c={c:g}, μ={mu:g}, d={d:g}, τ={tau:g}"
        point: dict[str, Value] = {"e": e, "c": c, "μ": mu, "d": d, "τ": tau}
        recall = (keep & worth).sum(axis=1) / worth.sum(axis=1)
        gain = ((chi - c) * keep).mean(axis=1) - e * inside.mean(axis=1)
        for name, value, found in (
            ("gain", formulas.cascade_gain(*law), gain),
            ("evaluated share", formulas.evaluated_share(*law), inside.mean(axis=1)),
            ("recall", formulas.cascade_recall(*law), recall),
        ):
            rows.append(Simulated(f"{name}, {where}", float(value), *mean_and_error(found), 0.002, point))
        if w > 0:
            saved = np.where(off > 0, np.maximum(c - chi, 0), np.maximum(chi - c, 0))
            edge = np.abs(np.abs(off) - w) < EDGE
            each = (saved * edge).sum(axis=1) / edge.sum(axis=1)
            rows.append(Simulated(f"worth at the edge, {where}", e, *mean_and_error(each), 0.002, point))
    return rows


def _gain(chi: FloatArray, score: FloatArray, c: float, price: float) -> FloatArray:
    return np.asarray(((chi - c) * (score > price)).mean(axis=1))


def _regret(chi: FloatArray, score: FloatArray, c: float, price: float) -> FloatArray:
    return np.asarray(np.where(score > price, np.maximum(c - chi, 0), np.maximum(chi - c, 0)).mean(axis=1))


def _worth(
    chi: FloatArray, score: FloatArray, c: float, best: float, where: str, point: dict[str, Value]
) -> Iterator[Simulated]:
    """Yield the mean of χ − c over the samples whose score is close to the best price: zero."""
    near = np.abs(score - best) < WIDTH
    mean = ((chi - c) * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
    yield Simulated(f"E[χ − c | score at the best price], {where}", 0.0, *mean_and_error(mean), 0.02, point)


def _row(name: str, predicted: float, found: FloatArray, point: dict[str, Value]) -> Simulated:
    return Simulated(name, predicted, *mean_and_error(found), 0.002, point)
