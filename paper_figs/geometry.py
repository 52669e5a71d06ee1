"""Figures of the theory: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.geometry import dg_weights, symmetric_moments
from paper_figs.style import PANEL, label_panels, method_style
from simulations.bandits import Context, Gate, MomentEstimates, MomentsConfig, simulate_moments

__all__ = ["zero_price_geometry"]

FloatArray = NDArray[np.float64]
Place = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From the varied parameter to (p, b)."""


@dataclass(frozen=True)
class _Method:
    """A method of the figure: its gate in the simulation, and its weights (w₊, w₋) in the closed form."""

    name: str
    gate: Gate

    def weights(self, p: FloatArray, n_arms: int, baseline: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.gate.kind == "dg":
            return dg_weights(p, n_arms, baseline, self.gate.temperature)
        return np.ones_like(p), np.full_like(p, 0.0 if self.gate.kind == "zero-price" else 1.0)


_METHODS = (_Method("PG", Gate("pg")), _Method("DG", Gate("dg")), _Method("zero price", Gate("zero-price")))
_BATCH_SIZE = 100


def zero_price_geometry() -> Figure:
    """Show what zero price does to one context: noise against p and against b, and the direction of a batch."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, points = np.linspace(0.005, 0.995, 200), np.linspace(0.05, 0.95, 10)
    _noise(axes[0], lines, points, lambda x: (x, np.full_like(x, 0.5)))
    axes[0].set(
        xlabel="probability of the correct arm, p",
        ylabel="perpendicular variance per sample\n(squared reward)",
        title="noise against p  (K = 10, b = 1/2)",
    )
    _noise(axes[1], lines, points, lambda x: (np.full_like(x, 0.3), x))
    axes[1].set(xlabel="baseline, b", title="noise against b  (K = 10, p = 0.3)")
    _direction(axes[2], np.geomspace(0.004, 0.6, 200), np.geomspace(0.005, 0.5, 9))
    axes[2].set(
        xlabel="probability of the correct arm, p",
        ylabel="mean cosine of a batch with ∇J",
        title=f"direction  (K = 10, b = 1/2, B = {_BATCH_SIZE})",
        xscale="log",
        ylim=(0.0, 1.05),
    )
    note = "zero price: exact\nPG, DG: r.m.s. form"
    axes[2].text(0.97, 0.05, note, transform=axes[2].transAxes, ha="right", va="bottom", fontsize=7.5)
    axes[0].legend(title="line: exact, point: simulated", title_fontsize=7.5)
    label_panels(list(axes))
    return figure


def _noise(ax: Axes, lines: FloatArray, points: FloatArray, place: Place) -> None:
    """Draw Var_⊥ of every method along one parameter."""
    for number, method in enumerate(_METHODS):
        style = method_style(method.name)
        p, baseline = place(lines)
        exact = symmetric_moments(p, 10, baseline, *method.weights(p, 10, baseline)).var_perpendicular
        ax.plot(lines, exact, style.line, color=style.colour, label=method.name)
        found = [_simulate(method, x, b, seed=number) for x, b in zip(*place(points), strict=True)]
        estimate = np.array([row.var_perpendicular.value for row in found])
        error = np.array([1.96 * row.var_perpendicular.standard_error for row in found])
        ax.errorbar(points, estimate, error, fmt=style.marker, color=style.colour, capsize=2, mfc="white")


def _direction(ax: Axes, lines: FloatArray, points: FloatArray) -> None:
    """Draw the mean cosine of a batch with the true gradient; an empty batch has cosine 0.

    Zero price's line is exact: it points the right way as soon as one sample is kept. PG's and DG's is the cosine of
    a batch whose perpendicular part has its root-mean-square length.
    """
    for number, method in enumerate(_METHODS):
        style = method_style(method.name)
        baseline = np.full_like(lines, 0.5)
        moments = symmetric_moments(lines, 10, baseline, *method.weights(lines, 10, baseline))
        line = 1 / np.sqrt(1 + moments.var_perpendicular / (_BATCH_SIZE * moments.signal**2))
        if method.gate.kind == "zero-price":
            line = -np.expm1(_BATCH_SIZE * np.log1p(-lines))
        ax.plot(lines, line, style.line, color=style.colour)
        found = [_simulate(method, float(p), 0.5, seed=10 + number) for p in points]
        estimate = np.array([row.cosine.value for row in found])
        error = np.array([1.96 * row.cosine.standard_error for row in found])
        ax.errorbar(points, estimate, error, fmt=style.marker, color=style.colour, capsize=2, mfc="white")


def _simulate(method: _Method, p: float, baseline: float, seed: int) -> MomentEstimates:
    context = Context.symmetric(float(p), 10, float(baseline), method.gate)
    return simulate_moments(MomentsConfig(context, _BATCH_SIZE, n_batches=50, n_replicates=200, seed=seed))
