"""The simulation of the claim cascade: gains, shares and recall of drawn samples, and windows beside the best."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kondo_theory.geometry import cascade as closed
from simulations.statistics import mean_and_error
from simulations.verification.checks import Context
from simulations.verification.checks.evidence import Simulated, Value

__all__ = ["cascade"]

FloatArray = NDArray[np.float64]

BATCHES = {"smoke": 40, "quick": 150, "paper": 3_000}
BATCH = 20_000
LAWS = (
    (0.02, 0.5, 0.0, 1.0, 0.7),
    (0.05, 1.0, 0.0, 1.0, 1.0),
    (0.01, -0.2, 0.3, 0.5, 0.2),
    (0.4, 0.5, 0.0, 1.0, 1.0),
)
"""e, c, μ, d and τ. The last delight costs more than it is ever worth."""
WIDTH = 0.04  # to either side of the window's edge


def cascade(context: Context, formulas: ModuleType = closed) -> list[Simulated]:
    """Draw delights and scores, and count gain, evaluated share and recall of the best window.

    At the window's edge the exact delight is worth what it costs on average. ``formulas`` is a parameter so that
    wrong ones can be shown to fail.
    """
    rows: list[Simulated] = []
    for index, law in enumerate(LAWS):
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
            edge = np.abs(np.abs(off) - w) < WIDTH
            each = (saved * edge).sum(axis=1) / edge.sum(axis=1)
            rows.append(Simulated(f"worth at the edge, {where}", e, *mean_and_error(each), 0.002, point))
    return rows
