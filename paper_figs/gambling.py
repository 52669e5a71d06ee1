"""Figures of the gambling pathology: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from kondo_theory.gambling import (
    CRITICAL_NOISE_RATIO,
    drift,
    expected_path,
    false_positive_probability,
    fixed_point,
    log_small_noise_floor,
)
from kondo_theory.gambling.equal_noise import (
    equal_noise_drift,
    equal_noise_floor_ratio,
    equal_noise_top_rate_drift,
)
from kondo_theory.gambling.top_rate import corner_noise_ratio, top_rate_drift
from paper_figs.style import PANEL, Colour, MethodStyle, draw_rows, label_panels, method_style
from paper_figs.tables import points, rows

__all__ = [
    "equal_noise",
    "gambling_dg_floor",
    "gambling_false_positives",
    "gambling_fixed_point",
    "gambling_top_rate",
]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]

NOISE_LABEL = "noise ratio, r = σ/Δ"
SHARE_LABEL = "probability of the gambling arm, x"
DRIFT_LABEL = "drift towards the better arm, f (Δ)"
RATES = {0.03: "DG-K(3 %)", 0.1: "DG-K(10 %)", 0.3: "DG-K(30 %)"}
GREYS = ("0.0", "0.35", "0.55", "0.7")
_ALONE = {"equal_noise": False}  # noise on the gambling arm alone


def gambling_false_positives() -> Figure:
    """Show how often zero price keeps a losing gamble, with its bound."""
    figure, ax = plt.subplots(figsize=(1.3 * PANEL[0], 1.1 * PANEL[1]))
    lines = np.geomspace(0.15, 100, 200)
    for x, grey in zip((0.01, 0.5, 0.9), GREYS, strict=False):
        ax.plot(lines, false_positive_probability(x, lines), color=grey, label=f"x = {x:g}")
        ax.plot(lines, 0.5 * np.exp(-(((1 - x) / lines) ** 2) / 2), ":", color=grey, lw=1)
        found = points("gambling-kept", "kept gambles", x=x)
        draw_rows(ax, found[found["predicted"] > 1e-5], "noise_ratio", MethodStyle(grey, "o"))
    ax.axhline(0.5, color="0.8", lw=0.8)
    ax.plot([], [], ":", color="0.35", lw=1, label="bound")
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 1), xlabel=NOISE_LABEL, ylabel="P(U > 0 | gambling arm)")
    ax.legend(title="line: exact, point: simulated", title_fontsize=7.5, loc="lower right")
    return figure


def gambling_fixed_point() -> Figure:
    """Show where learning ends against r for each gate, the drift, and learning on the phase diagram."""
    figure, axes = plt.subplots(2, 2, figsize=(2.1 * PANEL[0], 2.1 * PANEL[1]))
    _phase_diagram(axes[0, 0])
    _drift_curves(axes[0, 1])
    _flow(axes[1, 0])
    _learning(axes[1, 1])
    label_panels(list(axes.ravel()))
    return figure


def _phase_diagram(ax: Axes) -> None:
    """Draw the lowest stable point of each gate against r, with simulated ends of learning."""
    gates: dict[str, Where] = {"zero price": {"gate": "zero-price"}, "DG": {"gate": "dg", "temperature": 1.0}}
    gates |= {name: {"gate": "rate", "rate": rate} for rate, name in RATES.items()}
    for name, where in gates.items():
        style, rest = method_style(name), rows("gambling-rest", **where, **_ALONE)
        lowest = rest[rest["stable"]].groupby("noise_ratio")["x"].min()
        label = {"DG": "DG, η = 1", "zero price": name}.get(name, f"ρ = {name[5:-1]}")
        ax.plot(lowest.index, lowest, style.line, color=style.colour, label=label)
        draw_rows(ax, points("gambling", "x at rest", **where, **_ALONE), "noise_ratio", style, zorder=3)
    ax.axvline(CRITICAL_NOISE_RATIO, color=method_style("zero price").colour, ls=":", lw=1)
    ax.text(2.7, 1.3e-2, "r = √(2π):\nzero price\nloses above", fontsize=7, color=method_style("zero price").colour)
    ax.set(xscale="log", yscale="log", xlim=(0.2, 15), ylim=(1e-4, 1.5))
    ax.set(xlabel=NOISE_LABEL, ylabel="stable share x* of the gamble")
    ax.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    ax.set_title("phase diagram")
    ax.legend(loc="lower right", handlelength=1.4)


def _drift_curves(ax: Axes) -> None:
    """Draw f at zero price below, at and above the critical ratio, with simulated drifts."""
    lines = np.linspace(0.001, 0.999, 300)
    for grey, r, name in zip(GREYS, (4.0, CRITICAL_NOISE_RATIO, 1.5, 0.5), ("4", "√(2π)", "1.5", "0.5"), strict=True):
        ax.plot(lines, drift(lines, r), color=grey, label=f"r = {name}")
        _drift_points(ax, grey, "o", gate="zero-price", noise_ratio=r, **_ALONE)
    style = method_style("PG")
    ax.plot(lines, drift(lines, 1.0, "pg"), "--", color=style.colour, label="PG, any r")
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-1.65, 1.15), title="drift at zero price")
    ax.legend(loc="lower right", ncols=2)


def _drift_points(ax: Axes, colour: Colour, marker: str, **where: float | str) -> None:
    """Draw simulated drifts at some policies."""
    draw_rows(ax, points("gambling-drift", "drift", **where), "x", MethodStyle(colour, marker), ms=3.5)


def _flow(ax: Axes) -> None:
    """Draw learning runs at zero price on the (r, x) plane: from the start to the end, beside the stable line."""
    style = method_style("zero price")
    noise = np.linspace(0.02, CRITICAL_NOISE_RATIO, 300)[:-1]
    line = np.array([fixed_point(float(r)) for r in noise], dtype=np.float64)
    ax.fill_between(noise, line, 1, color="0.93", lw=0)
    ax.plot(noise, line, color=style.colour)
    ax.plot([CRITICAL_NOISE_RATIO, 4], [1, 1], color=style.colour)
    ax.axvline(CRITICAL_NOISE_RATIO, color=style.colour, ls=":", lw=1)
    found = points("gambling-learning", "x", gate="zero-price", n_steps=1_200, **_ALONE)
    arrow = {"arrowstyle": "->", "color": "0.4", "lw": 0.9, "shrinkA": 0, "shrinkB": 2}
    for r, start, end in found[["noise_ratio", "x_start", "estimate"]].to_numpy(dtype=np.float64):
        ax.annotate("", (r, end), (r, start), arrowprops=arrow)
    draw_rows(ax, found, "noise_ratio", style, zorder=3)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(1.0, 0.72, "f > 0: to the better arm", ha="center", fontsize=7.5, bbox=box)
    ax.text(2.6, 0.3, "f < 0: to the gamble", ha="center", fontsize=7.5, bbox=box)
    ax.set(xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, xlim=(0, 4), ylim=(0, 1.04))
    ax.set_title("zero price, 1,200 steps; line: stable x*(r)")


def _learning(ax: Axes) -> None:
    """Draw learning curves at zero price on both sides of the critical ratio: simulated mean and expected update."""
    for r, grey in zip((1.0, 2.0, 2.4, 3.0), GREYS, strict=True):
        path = expected_path(partial(_speed, r), 0.5, 4.0, 1_000)
        ax.plot(np.arange(1, 1_001), expit(path), color=grey, label=f"r = {r:g}")
        target = fixed_point(r)
        ax.plot([1_150, 1_600], 2 * [1.0 if target is None else target], color=grey, lw=2.5)
        settings: Where = {
            "gate": "zero-price",
            "noise_ratio": r,
            "x_start": 0.5,
            "batch_size": 1_000,
            **_ALONE,
        }
        draw_rows(ax, points("gambling-learning", "x", **settings), "n_steps", MethodStyle(grey, "o"), ms=3.5)
    ax.set(xscale="log", xlabel="steps (learning rate 4, batch 1,000)", ylabel=SHARE_LABEL, ylim=(0, 1.04))
    ax.set_title("learning at zero price, bars at the right: x*")
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.33), ncols=2)


def _speed(r: float, x: float) -> float:
    return float(drift(x, r))


def gambling_dg_floor() -> Figure:
    """Show DG's floor against noise and temperature, with its small-noise forms, and DG's drift."""
    figure, axes = plt.subplots(1, 2, figsize=(2.1 * PANEL[0], 1.1 * PANEL[1]))
    noise = np.geomspace(0.1, 30, 140)
    for eta, grey in zip((0.05, 0.2, 1.0, 4.0), GREYS, strict=True):
        axes[0].plot(noise, [fixed_point(float(r), "dg", eta) for r in noise], color=grey, label=f"η = {eta:g}")
        small = noise[noise < 0.5]
        form = np.exp(log_small_noise_floor(small, "dg", eta))
        axes[0].plot(small, form, ":", color=method_style("DG").colour, lw=2, zorder=3)
        found = points("gambling", "x at rest", gate="dg", temperature=eta, **_ALONE)
        draw_rows(axes[0], found, "noise_ratio", MethodStyle(grey, "s"), zorder=3)
    axes[0].plot([], [], ":", color=method_style("DG").colour, lw=2, label="small-noise form")
    axes[0].set(xscale="log", yscale="log", xlabel=NOISE_LABEL, ylabel="stable share x*", ylim=(1e-62, 1e2))
    axes[0].set_title("DG's floor: every r, every η (units of Δ)")
    axes[0].legend(loc="lower right")
    lines = np.linspace(0.001, 0.999, 300)
    for grey, r in zip(GREYS, (10.0, 4.0, 2.0, 0.5), strict=True):
        axes[1].plot(lines, drift(lines, r, "dg"), color=grey, label=f"r = {r:g}")
        _drift_points(axes[1], grey, "s", gate="dg", noise_ratio=r, **_ALONE)
    axes[1].axhline(0, color="0.8", lw=0.8, zorder=0)
    axes[1].set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-4.2, 1.25), title="DG's drift, η = 1: one zero")
    axes[1].legend(loc="center left", bbox_to_anchor=(0.0, 0.35))
    label_panels(list(axes))
    return figure


def _branches(ax: Axes, rest: pd.DataFrame, colour: Colour) -> None:
    """Draw all rest points against r as small dots: filled where stable, hollow where not."""
    for stable, size, face in ((True, 5, colour), (False, 7, "none")):
        shown = rest[rest["stable"] == stable]
        ax.scatter(shown["noise_ratio"], shown["x"], s=size, facecolors=face, edgecolors=colour, linewidths=0.6)


def gambling_top_rate() -> Figure:
    """Show every rest point of the top-ρ gate against r, where several coexist, and when the corner attracts."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], 1.1 * PANEL[1]))
    for rate, name in RATES.items():
        style = method_style(name)
        _branches(axes[0], rows("gambling-rest", gate="rate", rate=rate, **_ALONE), style.colour)
        axes[0].plot([], [], "o", ms=3, color=style.colour, label=f"ρ = {100 * rate:g} %")
        axes[0].plot(float(corner_noise_ratio(rate)), 1.02, "v", color=style.colour, clip_on=False)
    axes[0].plot([], [], "o", ms=3.5, color="0.3", mfc="none", label="unstable")
    axes[0].plot([], [], "v", color="0.3", label="x = 1 attracts from here on")
    axes[0].set(xscale="log", xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, ylim=(0, 1.05), title="rest points")
    axes[0].legend(loc="lower right")
    lines = np.geomspace(0.004, 0.9, 500)
    for grey, r in zip(GREYS, (0.34, 0.4, 0.44), strict=False):
        axes[1].plot(lines, 1e3 * top_rate_drift(lines, r, 0.02), color=grey, label=f"r = {r:g}")
    found = points("gambling-drift", "drift", gate="rate", rate=0.02, noise_ratio=0.4, **_ALONE)
    thousandths = found.assign(estimate=1e3 * found["estimate"], standard_error=1e3 * found["standard_error"])
    draw_rows(axes[1], thousandths, "x", MethodStyle(GREYS[1], "o"))
    axes[1].axhline(0, color="0.8", lw=0.8, zorder=0)
    axes[1].set(xscale="log", xlabel=SHARE_LABEL, ylabel="drift f (10⁻³ Δ)", ylim=(-4, 4))
    axes[1].set_title("two stable interior points, ρ = 2 %")
    axes[1].legend(loc="upper left")
    rates = np.linspace(0.005, 0.995, 300)
    axes[2].plot(rates, corner_noise_ratio(rates), color=method_style("DG-K(3 %)").colour, label="1/φ(Φ⁻¹(1−ρ))")
    axes[2].axhline(CRITICAL_NOISE_RATIO, color=method_style("zero price").colour, ls=":", label="zero price, √(2π)")
    axes[2].set(yscale="log", xlabel="gate rate, ρ", ylabel="r above which x = 1 attracts", title="corner")
    axes[2].set_yticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
    axes[2].minorticks_off()
    axes[2].legend()
    label_panels(list(axes))
    return figure


def equal_noise() -> Figure:
    """Show equal noise under each gate: drift, and all rest points with the ratio above which x = 0 repels."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], 1.1 * PANEL[1]))
    for ax, r in zip(axes, (1.5, 0.5), strict=False):
        _equal_drifts(ax, r)
        ax.set(xlabel="probability of the worse arm, x", ylabel=DRIFT_LABEL, title=f"drift at r = {r:g}")
    axes[1].legend(loc="upper left")
    line = rows("gambling-rest", gate="dg", temperature=1.0, equal_noise=True)
    axes[2].plot(line["noise_ratio"], line["x"], color=method_style("DG").colour, label="DG, η = 1")
    for rate, name in RATES.items():
        style = method_style(name)
        _branches(axes[2], rows("gambling-rest", gate="rate", rate=rate, equal_noise=True), style.colour)
        axes[2].plot([], [], "o", ms=3, color=style.colour, label=f"ρ = {100 * rate:g} %")
        axes[2].plot(equal_noise_floor_ratio(rate), 0.0, "^", color=style.colour, clip_on=False)
    axes[2].plot([], [], "o", ms=3.5, color="0.3", mfc="none", label="unstable")
    axes[2].plot([], [], "^", color="0.3", label="x = 0 repels from here on")
    axes[2].set(xscale="log", xlabel=NOISE_LABEL, ylabel="probability of the worse arm, x", ylim=(0, 0.75))
    axes[2].set_title("rest points (zero price: none)")
    axes[2].legend(loc="upper left", ncols=2)
    label_panels(list(axes))
    return figure


def _equal_drifts(ax: Axes, r: float) -> None:
    lines = np.linspace(0.002, 0.998, 200)
    cases: list[tuple[str, FloatArray, Where]] = [
        ("zero price", equal_noise_drift(lines, r), {"gate": "zero-price"}),
        ("DG", equal_noise_drift(lines, r, "dg"), {"gate": "dg"}),
    ]
    for rate, name in RATES.items():
        cases.append((name, equal_noise_top_rate_drift(lines, r, rate), {"gate": "rate", "rate": rate}))
    for name, line, where in cases:
        look = method_style(name)
        ax.plot(lines, line, color=look.colour, label=name)
        _drift_points(ax, look.colour, look.marker, noise_ratio=r, equal_noise=True, **where)
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
