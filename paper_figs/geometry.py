"""Figures of one context's geometry: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from kondo_theory.geometry import dg_weights, symmetric_moments
from paper_figs.learning import mean_cosine
from paper_figs.style import PANEL, draw_points, label_panels, method_style
from simulations import bandit_kernels as kernels
from simulations.bandits import Context, Estimate, Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.checks.estimates import jackknife

__all__ = ["baseline_dependence", "dg_noise_ratio", "forward_efficiency", "zero_price_geometry"]

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
        ylabel="perpendicular variance\n(squared reward per sample)",
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
    note = "line: theory\n(PG, DG: wrong arms as χ²)"
    axes[2].text(0.97, 0.05, note, transform=axes[2].transAxes, ha="right", va="bottom", fontsize=7.5)
    axes[0].legend(title="line: exact; point: simulated,\n95 % interval over 200 runs", title_fontsize=7.5)
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
        _draw_estimates(ax, points, [row.var_perpendicular for row in found], method.name)


def _direction(ax: Axes, lines: FloatArray, points: FloatArray) -> None:
    """Draw the mean cosine of a batch with the true gradient; an empty batch has cosine 0.

    Zero price's line is exact: it points the right way as soon as one sample is kept. PG's and DG's is exact in the
    number of successes, with the wrong arms' counts at their χ² limit.
    """
    for number, method in enumerate(_METHODS):
        style = method_style(method.name)
        baseline = np.full_like(lines, 0.5)
        line = mean_cosine(method.gate.kind, lines, 10, baseline, _BATCH_SIZE)
        ax.plot(lines, line, style.line, color=style.colour)
        found = [_simulate(method, float(p), 0.5, seed=10 + number) for p in points]
        _draw_estimates(ax, points, [row.cosine for row in found], method.name)


def _simulate(method: _Method, p: float, baseline: float, seed: int) -> MomentEstimates:
    context = Context.symmetric(float(p), 10, float(baseline), method.gate)
    return simulate_moments(MomentsConfig(context, _BATCH_SIZE, n_batches=50, n_replicates=200, seed=seed))


def baseline_dependence() -> Figure:
    """Show that PG's perpendicular noise is the baseline's: against b, against K, and over squared signal."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, points = np.geomspace(0.01, 0.99, 200), np.geomspace(0.02, 0.9, 6)
    for number, p in enumerate((0.1, 0.5, 0.9)):
        shade = {"alpha": (0.35, 0.65, 1.0)[number], "color": method_style("PG").colour}
        axes[0].plot(lines, closed.pg_moments(p, 10, lines).var_perpendicular, label=f"p = {p:g}", **shade)
        found = [_moments(p, 10, b, Gate("pg"), 20 + number).var_perpendicular for b in points]
        _draw_estimates(axes[0], points, found, "PG")
        sizes, simulated = np.unique(np.geomspace(2, 1_000, 200).round()), np.array([2, 3, 5, 10, 100, 1_000])
        axes[1].plot(sizes, closed.pg_moments(p, sizes, 0.5).var_perpendicular, **shade)
        found = [_moments(p, int(k), 0.5, Gate("pg"), 30 + number).var_perpendicular for k in simulated]
        _draw_estimates(axes[1], simulated, found, "PG")
    for name, baseline in (("PG", 0.5), ("PG, b = p", "value"), ("PG, b = Σπ²", "confidence")):
        style, p_lines = method_style(name), np.geomspace(1e-3, 0.99, 200)
        moments = closed.pg_moments(p_lines, 10, baseline)
        label = "PG, b = 1/2" if name == "PG" else name
        axes[2].plot(
            p_lines, moments.var_perpendicular / moments.signal**2, style.line, color=style.colour, label=label
        )
        p_points = np.geomspace(2e-3, 0.9, 7)
        found = [_across_signal(float(p), _baseline(baseline, float(p)), 40) for p in p_points]
        _draw_estimates(axes[2], p_points, found, name)
    noise = "perpendicular variance\n(squared reward per sample)"
    axes[0].set(xlabel="baseline, b (reward)", ylabel=noise, title="slope 2  (K = 10)", xscale="log", yscale="log")
    axes[1].set(xlabel="number of arms, K", ylabel=noise, title="K = 2 has none  (b = 1/2)", xscale="log")
    axes[2].set(
        xlabel="probability of the correct arm, p",
        ylabel="perpendicular variance\nover squared signal",
        title="three baselines  (K = 10)",
        xscale="log",
        yscale="log",
    )
    axes[0].legend(
        title="PG; line: exact; point: simulated,\n95 % interval over 200 runs", title_fontsize=7.5, loc="upper left"
    )
    axes[2].legend()
    label_panels(list(axes))
    return figure


def dg_noise_ratio() -> Figure:
    """Show what DG keeps of PG's perpendicular variance and of its cosine gap, with the published numbers."""
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 1.6, PANEL[1] + 0.2))
    style = method_style("DG")
    errors, points = np.geomspace(0.01, 0.99, 200), np.array([0.02, 0.1, 0.5, 0.9])
    for temperature, alpha in ((0.5, 1.0), (1.0, 0.7), (4.0, 0.4)):
        look = {"color": style.colour, "alpha": alpha, "label": f"η = {temperature:g}"}
        axes[0].plot(errors, 100 * closed.dg_noise_ratio(1 - errors, 100, 0.5, temperature), **look)
        right, wrong = dg_weights(1 - errors, 100, 0.5, temperature)
        axes[1].plot(errors, 100 * (2 * wrong / (right + wrong)) ** 2, **look)
        for ax, column, batch in ((axes[0], kernels.PERPENDICULAR_SQUARE, 100), (axes[1], kernels.COSINE, 100_000)):
            found = [_kept(float(error), temperature, column, batch) for error in points]
            _draw_estimates(ax, points, found, "DG")
    axes[1].plot([0.5, 0.1], [4.0, 1.0], "*", color="black", markersize=9, label="published, about")
    label = "probability of a wrong arm, ε"
    axes[0].set(xlabel=label, ylabel="DG's share of PG's\nperpendicular variance (percent)", title="noise, w₋²")
    axes[1].set(xlabel=label, ylabel="DG's share of PG's\ncosine gap (percent)", title="cosine gap, (w₋/κ)²")
    for ax in axes:
        ax.set(xscale="log", yscale="log")
    axes[1].legend(
        title="K = 100, b = 1/2\nline: exact, (b) as B → ∞\npoint: simulated, B = 100 (a),\n"
        "10⁵ (b); 95 % interval, 200 runs",
        title_fontsize=7.5,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    label_panels(list(axes))
    return figure


def forward_efficiency() -> Figure:
    """Show variance over squared signal per forward sample and backward pass, and where PG and zero price cross."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, points = np.geomspace(0.01, 0.97, 200), np.geomspace(0.015, 0.9, 7)
    for number, name in enumerate(("PG", "PG, b = p", "PG, best b", "zero price")):
        style, seed = method_style(name), 60 + number
        exact, found = _needed(name, lines, 10), [_needed_simulated(name, float(p), 10, seed) for p in points]
        label = "PG, b = 1/2" if name == "PG" else name
        axes[0].plot(lines, exact, style.line, color=style.colour, label=label)
        _draw_estimates(axes[0], points, found, name)
        rate = (lambda p: p) if name == "zero price" else np.ones_like
        axes[1].plot(lines, rate(lines) * exact, style.line, color=style.colour)
        shares = zip(rate(points), found, strict=True)
        spent = [Estimate(share * e.value, share * e.standard_error) for share, e in shares]
        _draw_estimates(axes[1], points, spent, name)
    for n_arms, alpha in ((3, 0.35), (10, 0.65), (1_000, 1.0)):
        p = np.linspace(0.01, 0.97, 200)
        ratio = _needed("PG, b = p", p, n_arms) / _needed("zero price", p, n_arms)
        axes[2].plot(p, ratio, "--", color=method_style("PG").colour, alpha=alpha, label=f"K = {n_arms}")
        axes[2].plot((1 + 2 / n_arms) / 3, 1.0, "o", color="black", markersize=3)
    axes[2].axhline(1.0, color="black", linewidth=0.6)
    p_label = "probability of the correct arm, p"
    axes[0].set(xlabel=p_label, ylabel="variance over squared signal\n(forward samples)", title="forward  (K = 10)")
    axes[1].set(xlabel=p_label, ylabel="variance × backward rate\nover squared signal", title="backward  (K = 10)")
    for ax in axes[:2]:
        ax.set(xscale="log", yscale="log")
    axes[2].set(
        xlabel=p_label,
        ylabel="forward samples of PG, b = p,\nover zero price's",
        title="the crossing, p = (1 + 2/K)/3",
        yscale="log",
    )
    axes[0].legend(title="line: exact\npoint: simulated, 95 %\ninterval, 200 runs", title_fontsize=7.5)
    axes[2].legend()
    label_panels(list(axes))
    return figure


def _draw_estimates(ax: Axes, x: FloatArray, found: list[Estimate], name: str) -> None:
    draw_points(ax, x, [e.value for e in found], [e.standard_error for e in found], method_style(name))


def _moments(p: float, n_arms: int, baseline: float, gate: Gate, seed: int, batch: int = 100) -> MomentEstimates:
    context = Context.symmetric(float(p), n_arms, float(baseline), gate)
    return simulate_moments(MomentsConfig(context, batch, n_batches=100, n_replicates=200, seed=seed))


def _baseline(baseline: float | str, p: float) -> float:
    if baseline == "confidence":
        return float(closed.confidence_baseline(p, 10))
    return p if baseline == "value" else float(baseline)


def _across_signal(p: float, baseline: float, seed: int) -> Estimate:
    table = _moments(p, 10, baseline, Gate("pg"), seed, batch=100_000).statistics
    columns = table[:, kernels.PERPENDICULAR_SQUARE], table[:, kernels.SIGNAL]
    return jackknife(lambda noise, signal: 100_000 * noise / signal**2, *columns)


def _kept(error: float, temperature: float, column: int, batch: int) -> Estimate:
    """Return DG over PG, in percent, of one column of the statistics; of the gap to one for the cosine."""
    gates = Gate("dg", temperature=temperature), Gate("pg")
    pair = [_moments(1 - error, 100, 0.5, g, 50 + n, batch).statistics[:, column] for n, g in enumerate(gates)]
    dg, pg = (1 - values if column == kernels.COSINE else values for values in pair)
    return jackknife(lambda kept, whole: 100 * kept / whole, dg, pg)


def _setting(name: str, p: FloatArray, n_arms: int) -> tuple[str, FloatArray]:
    """Return method and baseline behind a name of the figure."""
    if name == "zero price":
        return "zero-price", np.full_like(p, 0.5)
    if name == "PG, best b":
        return "pg", closed.optimal_pg_baseline(p, n_arms)
    return "pg", p if name == "PG, b = p" else np.full_like(p, 0.5)


def _needed(name: str, p: FloatArray, n_arms: int) -> FloatArray:
    method, baseline = _setting(name, p, n_arms)
    return closed.forward_efficiency(method, p, n_arms, baseline)


def _needed_simulated(name: str, p: float, n_arms: int, seed: int) -> Estimate:
    method, baseline = _setting(name, np.array(p), n_arms)
    table = _moments(p, n_arms, float(baseline), Gate(method), seed, batch=10_000).statistics
    variance = 10_000 * (table[:, kernels.SIGNAL_VARIANCE] + table[:, kernels.PERPENDICULAR_SQUARE])
    return jackknife(lambda noise, signal: noise / signal**2, variance, table[:, kernels.SIGNAL])
