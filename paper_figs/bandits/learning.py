"""Figures of alignment, learning time and graded rewards: closed forms as lines, simulations as points."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kondo_theory import geometry as closed
from kondo_theory.geometry.alignment import mean_cosine
from paper_figs.style import PANEL, draw_points, draw_rows, label_panels, legend_beside, method_style
from paper_figs.tables import points

__all__ = ["backward_passes_to_align", "graded_rewards", "learning_time"]

_P, _K, _COSINE, _DELTA = 0.01, 10, 0.9, 0.05
_P_END = 0.9


@dataclass(frozen=True)
class _Curve:
    """One method with its baseline, as the figures name it; ``style`` is a key of the style sheet."""

    label: str
    style: str
    method: str
    baseline: float | str

    def found(self, sweep: str, quantity: str, **where: float) -> pd.DataFrame:
        """Return its simulated rows."""
        baseline = "value" if self.baseline == "value" else "constant"
        return points(sweep, quantity, method=self.method, baseline=baseline, **where)


_CURVES = (
    _Curve("PG, b = 1/2", "PG", "pg", 0.5),
    _Curve("PG, b = p", "PG, b = p", "pg", "value"),
    _Curve("DG, b = 1/2", "DG", "dg", 0.5),
    _Curve("zero price, b = 1/2", "zero price", "zero-price", 0.5),
)


def backward_passes_to_align() -> Figure:
    """Show the cosine against forward samples and backward passes, and the backward passes needed against p."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0] + 1.1, PANEL[1]))
    lines, places = np.unique(np.geomspace(1, 100_000, 60).round()), np.geomspace(1e-4, 0.3, 100)
    context = {"p_correct": _P, "n_arms": _K}
    for curve in _CURVES:
        style = method_style(curve.style)
        expected = mean_cosine(curve.method, _P, _K, curve.baseline, lines)
        found = curve.found("batch-direction", "cosine", **context)
        passes = curve.found("batch-direction", "backward passes", **context)["estimate"]
        share = _P if curve.method == "zero-price" else 1.0
        for ax, factor, spent in ((axes[0], 1.0, found["n_samples"]), (axes[1], share, passes)):
            ax.plot(factor * lines, expected, style.line, color=style.colour, label=curve.label)
            draw_points(ax, spent, found["estimate"], found["standard_error"], style)
        arguments = (_K, curve.baseline, _COSINE, 1 - _DELTA)
        needed = closed.backward_passes_to_align(curve.method, places, *arguments)
        axes[2].plot(places, needed, style.line, color=style.colour)
        settings = {"n_arms": _K, "cosine": _COSINE, "confidence": 1 - _DELTA}
        draw_rows(axes[2], curve.found("alignment", "backward passes", **settings), "p_correct", style)
    runs = found["n_replicates"].iloc[0]
    axes[0].set(xlabel="forward samples in the batch, N", ylabel="mean cosine of the batch with ∇J")
    axes[1].set(xlabel="backward passes in the batch (mean)", ylabel="mean cosine of the batch with ∇J")
    for ax, title in zip(axes, ("forward", "backward"), strict=False):
        ax.set(xscale="log", ylim=(0, 1.05), title=f"{title}  (p = {_P:g}, K = {_K})")
    axes[2].set(
        xlabel="probability of the correct arm, p",
        ylabel="backward passes (mean)",
        title=f"until cos ≥ {_COSINE:g} with probability {1 - _DELTA:g}",
        xscale="log",
        yscale="log",
    )
    legend_beside(
        axes[2],
        *axes[0].get_legend_handles_labels(),
        title=f"line: theory\npoint: simulated, 95 %\ninterval over {runs:,} runs",
    )
    label_panels(list(axes))
    return figure


def learning_time() -> Figure:
    """Show learning time against the number of arms, forward and backward, and when the saving is made."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines = np.unique(np.geomspace(2, 10_000, 200).round())
    curves = (_CURVES[0], *_CURVES[2:], _Curve("zero price, b = p", "zero price, b = p", "zero-price", "value"))
    for curve in curves:
        style = method_style(curve.style)
        for ax, unit in zip(axes, ("forward", "backward"), strict=False):
            exact = closed.learning_time(curve.method, lines, _P_END, curve.baseline, unit)
            label = "PG, any b" if curve.method == "pg" else curve.label
            ax.plot(lines, exact, style.line, color=style.colour, label=label)
            draw_rows(ax, curve.found("learning-time", f"{unit} time", p_end=_P_END), "n_arms", style)
    odds = np.linspace(-3, 7, 200)
    for n_arms, alpha in ((10, 0.35), (100, 0.65), (10_000, 1.0)):
        ends = 1 / (1 + np.exp(-odds[odds > -np.log(n_arms - 1)]))
        spent = closed.learning_time("zero-price", n_arms, ends, 0.5, "backward")
        ratio = spent / closed.learning_time("pg", n_arms, ends, 0.5)
        colour = method_style("zero price").colour
        axes[2].plot(1 - ends, ratio, color=colour, alpha=alpha, label=f"K = {n_arms:,}")
    axes[2].axhline(1.0, color="black", linewidth=0.6)
    for ax, unit in zip(axes, ("forward", "backward"), strict=False):
        ax.set(
            xlabel="number of arms, K",
            ylabel="time to p = 0.9 from 1/K\n(learning rate × batches)",
            title=f"{unit} batches",
            xscale="log",
            yscale="log",
        )
    axes[2].set(
        xlabel="error reached, 1 − p₁",
        ylabel="backward passes of zero price\nover PG's",
        title="the saving is made early  (b = 1/2)",
        xscale="log",
        yscale="log",
    )
    axes[2].invert_xaxis()
    axes[0].legend(title="line: gradient flow, point:\nsimulated, step → 0 (95 %)", title_fontsize=7.5)
    axes[2].legend()
    label_panels(list(axes))
    return figure


def graded_rewards() -> Figure:
    """Show how far zero price turns the direction: along the family of the worst case, and over three arms."""
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 0.8, PANEL[1] + 0.2))
    style, sizes = method_style("zero price"), np.unique(np.geomspace(1, 10_000, 200).round())
    exact = [float(closed.zero_price_cosine(*closed.graded_worst_case(int(n)))) for n in sizes]
    axes[0].plot(2 * sizes + 1, exact, color=style.colour)
    found = points("graded", "cosine")
    draw_points(axes[0], 2 * found["family_size"] + 1, found["estimate"], found["standard_error"], style)
    axes[0].axhline(0, color="black", linewidth=0.6)
    axes[0].axvline(61, color="black", linewidth=0.6, linestyle=":")
    axes[0].annotate("K = 61", (61, 0.6), xytext=(4, 0), textcoords="offset points", fontsize=7.5)
    axes[0].set(
        xlabel="number of arms, K = 2n + 1",
        ylabel="cosine of E[g] with ∇J",
        title="worst case; point: simulated (95 %)",
        xscale="log",
        ylim=(-1.05, 1.05),
    )
    others, reward = np.geomspace(1e-3, 0.5, 160), np.linspace(0.005, 0.995, 160)
    share, middle = np.meshgrid(others, reward)
    policy = np.stack([1 - 2 * share, share, share], axis=-1)
    rewards = np.stack([middle, np.ones_like(middle), np.zeros_like(middle)], axis=-1)
    cosine = closed.zero_price_cosine(policy[:, :-1], rewards[:, :-1])
    mesh = axes[1].pcolormesh(
        others[:-1], reward, cosine, cmap="RdBu", vmin=-1, vmax=1, shading="nearest", rasterized=True
    )
    axes[1].contour(others[:-1], reward, cosine, levels=[0.0], colors="black", linewidths=0.8)
    axes[1].set(
        xlabel="probability of each of the other two arms",
        ylabel="reward of the likely arm",
        title="three arms; the others pay 1 and 0",
        xscale="log",
    )
    figure.colorbar(mesh, ax=axes[1], label="cosine of E[g] with ∇J")
    label_panels(list(axes))
    return figure
