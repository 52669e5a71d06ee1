"""Figures of the gambling pathology: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit, logit

from kondo_theory.gambling import (
    CRITICAL_NOISE_RATIO,
    drift,
    false_positive_probability,
    fixed_point,
    log_small_noise_floor,
)
from kondo_theory.gambling_equal_noise import (
    equal_noise_drift,
    equal_noise_fixed_point,
    equal_noise_floor_ratio,
    equal_noise_top_rate_drift,
    equal_noise_top_rate_points,
)
from kondo_theory.gambling_roots import RestPoint
from kondo_theory.gambling_top_rate import corner_noise_ratio, top_rate_drift, top_rate_points
from paper_figs.style import PANEL, label_panels, method_style
from simulations.checks.gambling_runs import iterate, learned_end, schedule
from simulations.gambling_kernels import Gamble, simulate_drift, simulate_learning
from simulations.statistics import mean_and_error

__all__ = [
    "equal_noise",
    "gambling_dg_floor",
    "gambling_false_positives",
    "gambling_fixed_point",
    "gambling_top_rate",
]

FloatArray = NDArray[np.float64]
Colour = str | tuple[float, float, float]

NOISE_LABEL = "noise ratio, r = σ/Δ"
SHARE_LABEL = "probability of the gambling arm, x"
DRIFT_LABEL = "drift towards the better arm, f (Δ)"
RATES = {0.03: "DG-K(3 %)", 0.1: "DG-K(10 %)", 0.3: "DG-K(30 %)"}
GREYS = ("0.0", "0.35", "0.55", "0.7")
_N_REPLICATES = 40


def gambling_false_positives() -> Figure:
    """Show how often zero price keeps a losing gamble, with its bound."""
    figure, ax = plt.subplots(figsize=(1.3 * PANEL[0], 1.1 * PANEL[1]))
    lines = np.geomspace(0.15, 100, 200)
    for number, (x, grey) in enumerate(zip((0.01, 0.5, 0.9), GREYS, strict=False)):
        ax.plot(lines, false_positive_probability(x, lines), color=grey, label=f"x = {x:g}")
        ax.plot(lines, 0.5 * np.exp(-(((1 - x) / lines) ** 2) / 2), ":", color=grey, lw=1)
        points = np.array([r for r in np.geomspace(0.2, 80, 10) if false_positive_probability(x, r) > 1e-5])
        found = [simulate_drift(Gamble(r), x, 5_000, 8, 50, 100 * number + i)[:, 3] for i, r in enumerate(points)]
        value, error = np.array([mean_and_error(column) for column in found]).T
        ax.errorbar(points, value, 1.96 * error, fmt="o", color=grey, capsize=2, mfc="white")
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
    """Draw the stable points of each gate against r, with simulated ends of learning."""
    noise = np.geomspace(0.25, 12, 160)
    for gate, name in (("zero-price", "zero price"), ("dg", "DG")):
        style = method_style(name)
        label = f"{name}, η = 1" if gate == "dg" else name
        line = np.array([fixed_point(float(r), gate) for r in noise], dtype=np.float64)
        ax.plot(noise, line, style.line, color=style.colour, label=label)
        for number, r in enumerate((0.9, 1.5, 2.2) if gate == "zero-price" else (0.9, 1.7, 3.5, 8.0)):
            _end_point(ax, Gamble(r, gate), fixed_point(r, gate) or np.nan, (style.colour, style.marker), number)
    for rate, name in RATES.items():
        style = method_style(name)
        lowest = [next((p.x for p in top_rate_points(float(r), rate)), np.nan) for r in noise]
        ax.plot(noise, lowest, color=style.colour, label=f"ρ = {100 * rate:g} %")
        for number, r in enumerate((1.0, 3.0)):
            target = top_rate_points(r, rate)[0].x
            _end_point(ax, Gamble(r, "rate", rate=rate), target, (style.colour, style.marker), 10 + number)
    ax.axvline(CRITICAL_NOISE_RATIO, color=method_style("zero price").colour, ls=":", lw=1)
    ax.text(2.7, 1.3e-2, "r = √(2π):\nzero price\nloses above", fontsize=7, color=method_style("zero price").colour)
    ax.set(xscale="log", yscale="log", ylim=(1e-4, 1.5), xlabel=NOISE_LABEL, ylabel="stable share x* of the gamble")
    ax.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    ax.set_title("phase diagram")
    ax.legend(loc="lower right", handlelength=1.4)


def _end_point(ax: Axes, gamble: Gamble, target: float, look: tuple[Colour, str], seed: int) -> None:
    """Learn from above the target and draw the end with its 95 % interval; ``look`` is colour and marker."""
    start = float(expit(logit(target) + 0.8))
    rate, n_steps, batch = schedule(gamble, start, target)
    size = {"batch_size": batch, "n_replicates": _N_REPLICATES, "seed": 7_000 + seed, "n_threads": 2}
    end = learned_end(gamble, start, rate, n_steps, n_averaged=n_steps // 2, safe=False, **size)
    colour, marker = look
    error = 1.96 * end.standard_error
    ax.errorbar(gamble.noise_ratio, end.value, error, fmt=marker, color=colour, capsize=2, mfc="white", zorder=3)


def _drift_curves(ax: Axes) -> None:
    """Draw f at zero price below, at and above the critical ratio, with simulated drifts."""
    lines, points = np.linspace(0.001, 0.999, 300), np.linspace(0.05, 0.95, 7)
    for grey, r, name in zip(GREYS, (4.0, CRITICAL_NOISE_RATIO, 1.5, 0.5), ("4", "√(2π)", "1.5", "0.5"), strict=True):
        ax.plot(lines, drift(lines, r), color=grey, label=f"r = {name}")
        _drift_points(ax, Gamble(r), points, grey, "o")
    style = method_style("PG")
    ax.plot(lines, drift(lines, 1.0, "pg"), "--", color=style.colour, label="PG, any r")
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-1.65, 1.15), title="drift at zero price")
    ax.legend(loc="lower right", ncols=2)


def _drift_points(ax: Axes, gamble: Gamble, points: FloatArray, colour: Colour, marker: str) -> None:
    """Draw simulated drifts at some policies."""
    batches = [simulate_drift(gamble, float(x), 2_000, 5, 50, 300 + i) for i, x in enumerate(points)]
    value, error = np.array([mean_and_error(found[:, 0] - found[:, 1]) for found in batches]).T
    ax.errorbar(points, value, 1.96 * error, fmt=marker, color=colour, capsize=2, mfc="white", ms=3.5)


def _flow(ax: Axes) -> None:
    """Draw learning runs at zero price on the (r, x) plane: from the start to the end, beside the stable line."""
    style = method_style("zero price")
    noise = np.linspace(0.02, CRITICAL_NOISE_RATIO, 300)[:-1]
    line = np.array([fixed_point(float(r)) for r in noise], dtype=np.float64)
    ax.fill_between(noise, line, 1, color="0.93", lw=0)
    ax.plot(noise, line, color=style.colour)
    ax.plot([CRITICAL_NOISE_RATIO, 4], [1, 1], color=style.colour)
    ax.axvline(CRITICAL_NOISE_RATIO, color=style.colour, ls=":", lw=1)
    for number, r in enumerate((0.6, 1.0, 1.4, 1.8, 2.2, 2.8, 3.4)):
        for start in (0.97, 0.05) if r < CRITICAL_NOISE_RATIO else (0.05,):
            shares, _ = simulate_learning(Gamble(r), start, 2_000, 4.0, 1_200, 1, 24, 500 + number, 2)
            mean, error = mean_and_error(shares)
            arrow = {"arrowstyle": "->", "color": "0.4", "lw": 0.9, "shrinkA": 0, "shrinkB": 2}
            ax.annotate("", (r, mean), (r, start), arrowprops=arrow)
            ax.errorbar(r, mean, 1.96 * error, fmt=style.marker, color=style.colour, capsize=2, mfc="white", zorder=3)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(1.0, 0.72, "f > 0: to the better arm", ha="center", fontsize=7.5, bbox=box)
    ax.text(2.6, 0.3, "f < 0: to the gamble", ha="center", fontsize=7.5, bbox=box)
    ax.set(xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, xlim=(0, 4), ylim=(0, 1.04))
    ax.set_title("zero price, 1,200 steps; line: stable x*(r)")


def _learning(ax: Axes) -> None:
    """Draw learning curves at zero price on both sides of the critical ratio: simulated mean and expected update."""
    steps = np.unique(np.geomspace(1, 1_000, 12).astype(int))
    for number, (r, grey) in enumerate(zip((1.0, 2.0, 2.4, 3.0), GREYS, strict=True)):
        gamble = Gamble(r)
        path = expit(iterate(gamble, 0.5, 4.0, 1_000))
        ax.plot(np.arange(1, 1_001), path, color=grey, label=f"r = {r:g}")
        target = fixed_point(r)
        ax.plot([1_150, 1_600], 2 * [1.0 if target is None else target], color=grey, lw=2.5)
        runs = [simulate_learning(gamble, 0.5, 1_000, 4.0, int(n), 1, 24, 600 + number, 2)[0] for n in steps]
        value, error = np.array([mean_and_error(shares) for shares in runs]).T
        ax.errorbar(steps, value, 1.96 * error, fmt="o", color=grey, capsize=2, mfc="white", ms=3.5)
    ax.set(xscale="log", xlabel="steps (learning rate 4, batch 1,000)", ylabel=SHARE_LABEL, ylim=(0, 1.04))
    ax.set_title("learning at zero price, bars at the right: x*")
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.33), ncols=2)


def gambling_dg_floor() -> Figure:
    """Show DG's floor against noise and temperature, with its small-noise forms, and DG's drift."""
    figure, axes = plt.subplots(1, 2, figsize=(2.1 * PANEL[0], 1.1 * PANEL[1]))
    noise = np.geomspace(0.1, 30, 140)
    for number, (eta, grey) in enumerate(zip((0.05, 0.2, 1.0, 4.0), GREYS, strict=True)):
        axes[0].plot(noise, [fixed_point(float(r), "dg", eta) for r in noise], color=grey, label=f"η = {eta:g}")
        small = noise[noise < 0.5]
        form = np.exp(log_small_noise_floor(small, "dg", eta))
        axes[0].plot(small, form, ":", color=method_style("DG").colour, lw=2, zorder=3)
        for r in (1.2, 4.0):
            target = fixed_point(r, "dg", eta) or np.nan
            if target > 1e-2:
                _end_point(axes[0], Gamble(r, "dg", eta), target, (grey, "s"), 20 + number)
    axes[0].plot([], [], ":", color=method_style("DG").colour, lw=2, label="small-noise form")
    axes[0].set(xscale="log", yscale="log", xlabel=NOISE_LABEL, ylabel="stable share x*", ylim=(1e-62, 1e2))
    axes[0].set_title("DG's floor: every r, every η (units of Δ)")
    axes[0].legend(loc="lower right")
    lines, points = np.linspace(0.001, 0.999, 300), np.linspace(0.05, 0.95, 7)
    for grey, r in zip(GREYS, (10.0, 4.0, 2.0, 0.5), strict=True):
        axes[1].plot(lines, drift(lines, r, "dg"), color=grey, label=f"r = {r:g}")
        _drift_points(axes[1], Gamble(r, "dg"), points, grey, "s")
    axes[1].axhline(0, color="0.8", lw=0.8, zorder=0)
    axes[1].set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-4.2, 1.25), title="DG's drift, η = 1: one zero")
    axes[1].legend(loc="center left", bbox_to_anchor=(0.0, 0.35))
    label_panels(list(axes))
    return figure


def _branches(ax: Axes, noise: FloatArray, points: Sequence[tuple[RestPoint, ...]], colour: Colour) -> None:
    """Draw all rest points against r as small dots: filled where stable, hollow where not."""
    for stable, size, face in ((True, 5, colour), (False, 7, "none")):
        pairs = [(r, p.x) for r, row in zip(noise, points, strict=True) for p in row if p.stable == stable]
        if pairs:
            r, x = np.array(pairs).T
            ax.scatter(r, x, s=size, facecolors=face, edgecolors=colour, linewidths=0.6)


def gambling_top_rate() -> Figure:
    """Show every rest point of the top-ρ gate against r, where several coexist, and when the corner attracts."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], 1.1 * PANEL[1]))
    noise = np.geomspace(0.2, 25, 130)
    for rate, name in RATES.items():
        style = method_style(name)
        _branches(axes[0], noise, [top_rate_points(float(r), rate) for r in noise], style.colour)
        axes[0].plot([], [], "o", ms=3, color=style.colour, label=f"ρ = {100 * rate:g} %")
        axes[0].plot(float(corner_noise_ratio(rate)), 1.02, "v", color=style.colour, clip_on=False)
    axes[0].plot([], [], "o", ms=3.5, color="0.3", mfc="none", label="unstable")
    axes[0].plot([], [], "v", color="0.3", label="x = 1 attracts from here on")
    axes[0].set(xscale="log", xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, ylim=(0, 1.05), title="rest points")
    axes[0].legend(loc="lower right")
    lines = np.geomspace(0.004, 0.9, 500)
    for grey, r in zip(GREYS, (0.34, 0.4, 0.44), strict=False):
        axes[1].plot(lines, 1e3 * top_rate_drift(lines, r, 0.02), color=grey, label=f"r = {r:g}")
    places = np.array([0.02, 0.06, 0.15, 0.24, 0.33, 0.4])
    two = Gamble(0.4, "rate", rate=0.02)
    found = [simulate_drift(two, float(x), 2_000, 40, 100, 900 + i, 2) for i, x in enumerate(places)]
    value, error = np.array([mean_and_error(1e3 * (row[:, 0] - row[:, 1])) for row in found]).T
    axes[1].errorbar(places, value, 1.96 * error, fmt="o", color=GREYS[1], capsize=2, mfc="white")
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
    noise = np.geomspace(0.3, 20, 70)
    line = np.array([equal_noise_fixed_point(float(r), "dg") for r in noise], dtype=np.float64)
    axes[2].plot(noise, line, color=method_style("DG").colour, label="DG, η = 1")
    for rate, name in RATES.items():
        style = method_style(name)
        _branches(axes[2], noise, [equal_noise_top_rate_points(float(r), rate) for r in noise], style.colour)
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
    lines, points = np.linspace(0.002, 0.998, 200), np.linspace(0.06, 0.94, 7)
    cases: list[tuple[str, FloatArray, Gamble]] = [
        ("zero price", equal_noise_drift(lines, r), Gamble(r, equal_noise=True)),
        ("DG", equal_noise_drift(lines, r, "dg"), Gamble(r, "dg", equal_noise=True)),
    ]
    for rate, name in RATES.items():
        line = equal_noise_top_rate_drift(lines, r, rate)
        cases.append((name, line, Gamble(r, "rate", rate=rate, equal_noise=True)))
    for name, line, gamble in cases:
        look = method_style(name)
        ax.plot(lines, line, color=look.colour, label=name)
        _drift_points(ax, gamble, points, look.colour, look.marker)
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
