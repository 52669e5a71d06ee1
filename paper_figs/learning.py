"""Figures of alignment, learning time and graded rewards: closed forms as lines, simulations as points."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from paper_figs.style import PANEL, draw_points, label_panels, method_style
from simulations.bandits import AlignmentConfig, Context, Gate, simulate_alignment
from simulations.checks.graded import family_cosine, simulate_direction
from simulations.checks.learning import Run, extrapolated_times
from simulations.statistics import mean_and_error

__all__ = ["backward_passes_to_align", "graded_rewards", "learning_time", "mean_cosine"]

FloatArray = NDArray[np.float64]

_P, _K, _COSINE, _DELTA = 0.01, 10, 0.9, 0.05


@dataclass(frozen=True)
class _Curve:
    """One method with its baseline, as the figures name it; ``style`` is a key of the style sheet."""

    label: str
    style: str
    method: str
    baseline: float | str

    def context(self, p: float, n_arms: int) -> Context:
        baseline = p if self.baseline == "value" else float(self.baseline)
        return Context.symmetric(p, n_arms, baseline, Gate(self.method))


_CURVES = (
    _Curve("PG, b = 1/2", "PG", "pg", 0.5),
    _Curve("PG, b = p", "PG, b = p", "pg", "value"),
    _Curve("DG, b = 1/2", "DG", "dg", 0.5),
    _Curve("zero price, b = 1/2", "zero price", "zero-price", 0.5),
)


def backward_passes_to_align() -> Figure:
    """Show the cosine against forward samples and backward passes, and the backward passes needed against p."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0] + 1.1, PANEL[1]))
    sizes = tuple(int(n) for n in np.unique(np.geomspace(1, 100_000, 16).round()))
    lines = np.unique(np.geomspace(1, 100_000, 60).round())
    for number, curve in enumerate(_CURVES):
        style = method_style(curve.style)
        expected = mean_cosine(curve.method, np.array(_P), _K, curve.baseline, lines)
        config = AlignmentConfig(curve.context(_P, _K), _COSINE, sizes, 50, 100, 80 + number)
        found = simulate_alignment(config)
        value = found.cosine.mean(axis=0)
        error = found.cosine.std(axis=0, ddof=1) / np.sqrt(len(found.cosine))
        share = _P if curve.method == "zero-price" else 1.0
        for ax, factor, spent in ((axes[0], 1.0, np.array(sizes)), (axes[1], share, found.backward.mean(axis=0))):
            ax.plot(factor * lines, expected, style.line, color=style.colour, label=curve.label)
            draw_points(ax, spent, value, error, style)
        _needed(axes[2], curve)
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
    axes[2].legend(
        *axes[0].get_legend_handles_labels(),
        title="line: theory\npoint: simulated, 95 %\ninterval over 100 runs",
        title_fontsize=7.5,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    label_panels(list(axes))
    return figure


def mean_cosine(
    method: str, p: FloatArray, n_arms: int, baseline: FloatArray | float | str, n_samples: FloatArray | float
) -> FloatArray:
    """Return the mean cosine of N samples' gradient with ∇J, shapes broadcast to one axis.

    E cos = ∫₀¹ P(cos ≥ c) dc, as the cosine is never negative here and counts as zero for an empty batch.
    """
    nodes, weights = np.polynomial.legendre.leggauss(32)
    cosines = (nodes + 1) / 2
    p, n_samples = np.asarray(p)[..., None], np.asarray(n_samples)[..., None]
    if not isinstance(baseline, str):
        baseline = np.asarray(baseline)[..., None]
    return np.asarray(closed.alignment_probability(method, p, n_arms, baseline, n_samples, cosines) @ weights / 2)


def _needed(ax: Axes, curve: _Curve) -> None:
    """Draw the closed form of the backward passes needed, and points read off simulated probabilities."""
    style = method_style(curve.style)
    lines, points = np.geomspace(1e-4, 0.3, 100), np.geomspace(3e-4, 0.1, 5)
    arguments = (_K, curve.baseline, _COSINE, 1 - _DELTA)
    ax.plot(lines, closed.backward_passes_to_align(curve.method, lines, *arguments), style.line, color=style.colour)
    found = [_read_off(curve, float(p)) for p in points]
    share = points if curve.method == "zero-price" else np.ones_like(points)
    middle, low, high = share * np.array(found).T
    ax.errorbar(points, middle, (middle - low, high - middle), fmt=style.marker, color=style.colour, mfc="white")


def _read_off(curve: _Curve, p: float) -> tuple[float, float, float]:
    """Return the N at which a simulated failure probability crosses δ, with the 95 % interval of a local log fit."""
    guess = float(closed.forward_samples_to_align(curve.method, p, _K, curve.baseline, _COSINE, 1 - _DELTA))
    sizes = np.unique(np.maximum(1, np.round(guess * np.geomspace(0.5, 4.0, 13)))).astype(int)
    config = AlignmentConfig(curve.context(p, _K), _COSINE, tuple(map(int, sizes)), 100, 100, 90)
    failed = 1 - simulate_alignment(config).aligned
    share = failed.mean(axis=0)
    after = int(np.argmax(share < _DELTA))  # the curve falls: cross between this size and the one before
    if after == 0:
        return (float(sizes[0]),) * 3
    steps = np.log(sizes[after - 1 : after + 1])
    slope = (share[after] - share[after - 1]) / (steps[1] - steps[0])
    _, error = mean_and_error(failed[:, after])
    middle = steps[0] + (_DELTA - share[after - 1]) / slope
    low, high = np.exp(middle + 1.96 * error / abs(slope) * np.array([-1, 1]))
    return float(np.exp(middle)), float(low), float(high)


def learning_time() -> Figure:
    """Show learning time against the number of arms, forward and backward, and when the saving is made."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, points = np.unique(np.geomspace(2, 10_000, 200).round()), (10, 100, 1_000)
    curves = (_CURVES[0], *_CURVES[2:], _Curve("zero price, b = p", "zero price, b = p", "zero-price", "value"))
    for number, curve in enumerate(curves):
        style = method_style(curve.style)
        runs = [Run(curve.method, curve.baseline, n_arms) for n_arms in points]
        found = [extrapolated_times(run, 8, 100 + 10 * number + i, 2) for i, run in enumerate(runs)]
        for ax, unit, estimates in zip(axes, ("forward", "backward"), zip(*found, strict=True), strict=False):
            exact = closed.learning_time(curve.method, lines, 0.9, curve.baseline, unit)
            label = "PG, any b" if curve.method == "pg" else curve.label
            ax.plot(lines, exact, style.line, color=style.colour, label=label)
            draw_points(ax, points, [e.value for e in estimates], [e.standard_error for e in estimates], style)
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
    axes[0].legend(title="line: gradient flow, point:\nsimulated, step → 0, 8 runs", title_fontsize=7.5)
    axes[2].legend()
    label_panels(list(axes))
    return figure


def graded_rewards() -> Figure:
    """Show how far zero price turns the direction: along the family of the worst case, and over three arms."""
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 0.8, PANEL[1] + 0.2))
    style, gate = method_style("zero price"), Gate("zero-price")
    sizes, points = np.unique(np.geomspace(1, 10_000, 200).round()), (1, 3, 10, 30, 100, 300, 1_000)
    axes[0].plot(2 * sizes + 1, [family_cosine(int(n)) for n in sizes], color=style.colour)
    for n in points:
        found = simulate_direction(*closed.graded_worst_case(n), gate, "smoke", n, 2)
        signal, across = found.signal, found.perpendicular_bias_squared
        size = np.sqrt(signal.value**2 + max(across.value, 0.0))
        cosine = signal.value / size
        error = signal.standard_error / size + abs(cosine) * across.standard_error / (2 * size**2)
        draw_points(axes[0], [2 * n + 1], [cosine], [error], style)
    axes[0].axhline(0, color="black", linewidth=0.6)
    axes[0].axvline(61, color="black", linewidth=0.6, linestyle=":")
    axes[0].annotate("K = 61", (61, 0.6), xytext=(4, 0), textcoords="offset points", fontsize=7.5)
    axes[0].set(
        xlabel="number of arms, K = 2n + 1",
        ylabel="cosine of E[g] with ∇J",
        title="worst case; point: simulated, 50 runs",
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
