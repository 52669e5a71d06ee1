"""Figures of one context's geometry: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from kondo_theory.geometry import dg_weights, symmetric_moments
from kondo_theory.geometry.alignment import mean_cosine
from kondo_theory.words import choice
from paper_figs.style import PANEL, draw_points, draw_rows, label_panels, legend_beside, method_style
from paper_figs.tables import points

__all__ = ["baseline_dependence", "dg_noise_ratio", "forward_efficiency", "zero_price_geometry"]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]

_TABLE = "baselines"
_METHODS = {"PG": "pg", "DG": "dg", "zero price": "zero-price"}
_BATCH_SIZE, _LARGE_BATCH = 100, 10_000
_NOISE = "perpendicular variance"


def _weights(method: str, p: FloatArray, baseline: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (w₊, w₋) at K = 10, η = 1."""
    if method == "dg":
        return dg_weights(p, 10, baseline, 1.0)
    wrong = {"pg": 1.0, "zero-price": 0.0}
    return np.ones_like(p), np.full_like(p, wrong[choice("method", method, wrong)])


def _constant(quantity: str, **where: float | str) -> pd.DataFrame:
    """Return rows at a constant baseline; 100 samples a batch and ten arms unless said otherwise."""
    settings = {"baseline": "constant", "batch_size": _BATCH_SIZE, "n_arms": 10, "temperature": 1.0, **where}
    return points(_TABLE, quantity, **settings)


def zero_price_geometry() -> Figure:
    """Show what zero price does to one context: noise against p and against b, and the direction of a batch."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines = np.linspace(0.005, 0.995, 200)
    half, p = np.full_like(lines, 0.5), np.full_like(lines, 0.3)
    rare = np.geomspace(0.004, 0.97, 200)
    for name, method in _METHODS.items():
        style = method_style(name)
        for ax, place in ((axes[0], (lines, half)), (axes[1], (p, lines))):
            exact = symmetric_moments(place[0], 10, place[1], *_weights(method, *place)).var_perpendicular
            ax.plot(lines, exact, style.line, color=style.colour, label=name)
        draw_rows(axes[0], _constant(_NOISE, method=method, constant_baseline=0.5), "p_correct", style)
        draw_rows(axes[1], _constant(_NOISE, method=method, p_correct=0.3), "constant_baseline", style)
        # Zero price's line is exact: it points the right way as soon as one sample is kept. PG's and DG's is exact in
        # the number of successes, with the wrong arms' counts at their χ² limit.
        axes[2].plot(rare, mean_cosine(method, rare, 10, 0.5, _BATCH_SIZE), style.line, color=style.colour)
        draw_rows(axes[2], _constant("cosine", method=method, constant_baseline=0.5), "p_correct", style)
    axes[0].set(
        xlabel="probability of the correct arm, p",
        ylabel="perpendicular variance\n(squared reward per sample)",
        title="noise against p  (K = 10, b = 1/2)",
    )
    axes[1].set(xlabel="baseline, b", title="noise against b  (K = 10, p = 0.3)")
    axes[2].set(
        xlabel="probability of the correct arm, p",
        ylabel="mean cosine of a batch with ∇J",
        title=f"direction  (K = 10, b = 1/2, B = {_BATCH_SIZE})",
        xscale="log",
        ylim=(0.0, 1.05),
    )
    note = "line: theory\n(PG, DG: wrong arms as χ²)"
    axes[2].text(0.97, 0.05, note, transform=axes[2].transAxes, ha="right", va="bottom", fontsize=7.5)
    axes[0].legend(title=f"line: exact; point: simulated,\n{_interval()}", title_fontsize=7.5)
    label_panels(list(axes))
    return figure


def _interval() -> str:
    runs = points(_TABLE, _NOISE)["n_replicates"].iloc[0]
    return f"95 % interval over {runs:,} runs"


def baseline_dependence() -> Figure:
    """Show that PG's perpendicular noise is the baseline's: against b, against K, and over squared signal."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, sizes = np.geomspace(0.01, 0.99, 200), np.unique(np.geomspace(2, 1_000, 200).round())
    style = method_style("PG")
    for p, opacity in ((0.1, 0.35), (0.5, 0.65), (0.9, 1.0)):
        shade = {"alpha": opacity, "color": style.colour}
        axes[0].plot(lines, closed.pg_moments(p, 10, lines).var_perpendicular, label=f"p = {p:g}", **shade)
        draw_rows(axes[0], _constant(_NOISE, method="pg", p_correct=p), "constant_baseline", style)
        axes[1].plot(sizes, closed.pg_moments(p, sizes, 0.5).var_perpendicular, **shade)
        context: Where = {"method": "pg", "baseline": "constant", "p_correct": p, "constant_baseline": 0.5}
        found = points(_TABLE, _NOISE, **context, batch_size=_BATCH_SIZE, temperature=1.0)
        draw_rows(axes[1], found, "n_arms", style)
    for name, baseline in (("PG", 0.5), ("PG, b = p", "value"), ("PG, b = Σπ²", "confidence")):
        style, p_lines = method_style(name), np.geomspace(1e-3, 0.99, 200)
        moments = closed.pg_moments(p_lines, 10, baseline)
        label = "PG, b = 1/2" if name == "PG" else name
        exact = moments.var_perpendicular / moments.signal**2
        axes[2].plot(p_lines, exact, style.line, color=style.colour, label=label)
        draw_rows(axes[2], _noise_to_signal("constant" if name == "PG" else str(baseline)), "p_correct", style)
    noise = "perpendicular variance\n(squared reward per sample)"
    axes[0].set(
        xlabel="baseline, b (reward)",
        ylabel=noise,
        title="slope 2  (K = 10)",
        xscale="log",
        yscale="log",
        ylim=(5e-6, 20),
    )
    axes[1].set(xlabel="number of arms, K", ylabel=noise, title="K = 2 has none  (b = 1/2)", xscale="log")
    axes[2].set(
        xlabel="probability of the correct arm, p",
        ylabel="perpendicular variance\nover squared signal",
        title="three baselines  (K = 10)",
        xscale="log",
        yscale="log",
    )
    legend = f"PG; line: exact; point: simulated,\n{_interval()}"
    axes[0].legend(title=legend, title_fontsize=7.5, loc="upper left")
    axes[2].legend()
    label_panels(list(axes))
    return figure


def _noise_to_signal(baseline: str) -> pd.DataFrame:
    """Return PG's Var_⊥ over squared signal; both are measured on the same batches."""
    where: Where = {"method": "pg", "baseline": baseline, "n_arms": 10, "batch_size": _LARGE_BATCH}
    return points(_TABLE, "perpendicular variance over squared signal", **where)


def dg_noise_ratio() -> Figure:
    """Show what DG keeps of PG's perpendicular variance and of its cosine gap, with the published numbers."""
    figure, axes = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 1.6, PANEL[1] + 0.2))
    style, errors = method_style("DG"), np.geomspace(0.01, 0.99, 200)
    for temperature, alpha in ((0.5, 1.0), (1.0, 0.7), (4.0, 0.4)):
        look = {"color": style.colour, "alpha": alpha, "label": f"η = {temperature:g}"}
        axes[0].plot(errors, 100 * closed.dg_noise_ratio(1 - errors, 100, 0.5, temperature), **look)
        right, wrong = dg_weights(1 - errors, 100, 0.5, temperature)
        axes[1].plot(errors, 100 * (2 * wrong / (right + wrong)) ** 2, **look)
        for ax, quantity in ((axes[0], _NOISE), (axes[1], "cosine gap")):
            _draw_share(ax, quantity, temperature)
    axes[1].plot([0.5, 0.1], [4.0, 1.0], "*", color="black", markersize=9, label="published, about")
    label = "probability of a wrong arm, ε"
    axes[0].set(xlabel=label, ylabel="DG's share of PG's\nperpendicular variance (percent)", title="noise, w₋²")
    axes[1].set(xlabel=label, ylabel="DG's share of PG's\ncosine gap (percent)", title="cosine gap, (w₋/κ)²")
    for ax in axes:
        ax.set(xscale="log", yscale="log")
    legend_beside(
        axes[1],
        title=f"K = 100, b = 1/2\nline: exact, (b) as B → ∞\npoint: simulated, B = 10⁵,\n{_interval()}",
    )
    label_panels(list(axes))
    return figure


def _draw_share(ax: Axes, quantity: str, temperature: float) -> None:
    """Draw DG over PG in percent; the two were simulated independently, so relative errors add in squares."""
    dg, pg = (
        _constant(quantity, method=method, n_arms=100, batch_size=100_000, temperature=temperature)
        for method in ("dg", "pg")
    )
    value, whole = dg["estimate"].to_numpy(), pg["estimate"].to_numpy()
    relative = np.hypot(dg["standard_error"].to_numpy() / value, pg["standard_error"].to_numpy() / whole)
    share = 100 * value / whole
    draw_points(ax, 1 - dg["p_correct"].to_numpy(), share, share * relative, method_style("DG"))


def forward_efficiency() -> Figure:
    """Show variance over squared signal per forward sample and backward pass, and where PG and zero price cross."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines = np.geomspace(0.004, 0.97, 200)
    for name in ("PG", "PG, b = p", "PG, best b", "zero price"):
        style, exact, found = method_style(name), _needed(name, lines, 10), _needed_simulated(name)
        label = "PG, b = 1/2" if name == "PG" else name
        axes[0].plot(lines, exact, style.line, color=style.colour, label=label)
        draw_rows(axes[0], found, "p_correct", style)
        kept = name == "zero price"
        axes[1].plot(lines, (lines if kept else 1.0) * exact, style.line, color=style.colour)
        share = found["p_correct"] if kept else 1.0
        draw_points(axes[1], found["p_correct"], share * found["estimate"], share * found["standard_error"], style)
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
    note = "line: exact\npoint: simulated, 95 %\n" + _interval().replace("95 % ", "")
    axes[0].legend(title=note, title_fontsize=7.5, loc="lower left")
    axes[2].legend()
    label_panels(list(axes))
    return figure


def _needed(name: str, p: FloatArray, n_arms: int) -> FloatArray:
    if name == "zero price":
        return closed.forward_efficiency("zero-price", p, n_arms, 0.5)
    baseline = {"PG, best b": closed.optimal_pg_baseline(p, n_arms), "PG, b = p": p}.get(name, np.full_like(p, 0.5))
    return closed.forward_efficiency("pg", p, n_arms, baseline)


def _needed_simulated(name: str) -> pd.DataFrame:
    method = "zero-price" if name == "zero price" else "pg"
    baseline = {"PG, best b": "optimal", "PG, b = p": "value"}.get(name, "constant")
    where: Where = {"method": method, "baseline": baseline, "n_arms": 10, "batch_size": _LARGE_BATCH}
    return points(_TABLE, "variance over squared signal", **where)
