"""Figures of the gambling pathology: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from functools import partial

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
from paper_figs.arranging import label_curves
from paper_figs.marks import REFERENCE, draw_rows, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import GREYS, Colour, MethodStyle, method_style, shades
from paper_figs.tables import points, rows
from paper_figs.wording import number, percent, simulated

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
SHARE_LABEL = "probability of the gamble, x"
DRIFT_LABEL = "drift to the better arm, f (Δ)"
RATES = {0.03: "DG-K(3 %)", 0.1: "DG-K(10 %)", 0.3: "DG-K(30 %)"}
_ALONE = {"equal_noise": False}  # noise on the gambling arm alone


def gambling_false_positives() -> Figure:
    """Show how often zero price keeps a losing gamble, with its bound."""
    figure, (ax,) = panels(1, height=2.4)
    lines = np.geomspace(0.15, 100, 200)
    for x, grey in zip((0.01, 0.5, 0.9), GREYS, strict=False):
        ax.plot(lines, false_positive_probability(x, lines), color=grey, label=f"x = {x:g}")
        ax.plot(lines, 0.5 * np.exp(-(((1 - x) / lines) ** 2) / 2), ":", color=grey, lw=0.9, gid=REFERENCE)
        found = points("gambling-kept", "kept gambles", x=x)
        draw_rows(ax, found[found["predicted"] > 1e-5], "noise_ratio", MethodStyle(grey, "o"))
    reference(ax, y=0.5)
    ax.plot([], [], ":", color="0.35", lw=0.9, gid=REFERENCE, label="bound")
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 1), xlabel=NOISE_LABEL, ylabel="P(U > 0 | gamble)")
    one = float(false_positive_probability(0.5, np.asarray(1.0)))
    finding(ax, f"Noise as large as the gap (r = 1) makes {percent(one)} of losing gambles look good at x = 0.5")
    legend_below([ax])
    caption(f"""How often the gate at price zero keeps a sample of an arm that is worse on average by Δ and has noise σ,
        against r = σ/Δ, at three probabilities x of that arm. Lines: exact; dotted: the bound
        exp(−((1 − x)/r)²/2)/2. {simulated("gambling-kept")}""")
    return figure


def gambling_fixed_point() -> Figure:
    """Show where learning ends against r for each gate, the drift, and learning on the phase diagram."""
    figure, axes = panels(4)
    _phase_diagram(axes[0])
    _drift_curves(axes[1])
    _flow(axes[2])
    _learning(axes[3])
    gates = [handle for handle in axes[0].lines if not str(handle.get_label()).startswith("_")]
    legend_below(axes, gates)
    caption(f"""A gambling arm: worse on average by Δ, with noise σ = rΔ. (a) Lowest stable probability x* of the gamble
        under each gate against r; DG at η = 1. (b) Drift of the gate at price zero at four r, and PG's. (c) Learning
        at price zero on the plane of r and x: arrows from the start to 1,200 steps later, line: x*(r). (d) The same
        against steps (learning rate 4, batches of 1,000); lines: the expected update, bars at the right: x*.
        Lines: exact. {simulated("gambling-learning")}""")
    return figure


def _phase_diagram(ax: Axes) -> None:
    """Draw the lowest stable point of each gate against r, with simulated ends of learning."""
    gates: dict[str, Where] = {"zero price": {"gate": "zero-price"}, "DG": {"gate": "dg", "temperature": 1.0}}
    gates |= {name: {"gate": "rate", "rate": rate} for rate, name in RATES.items()}
    at_one = {}
    for name, where in gates.items():
        style, rest = method_style(name), rows("gambling-rest", **where, **_ALONE)
        lowest = rest[rest["stable"]].groupby("noise_ratio")["x"].min()
        ax.plot(lowest.index, lowest, color=style.colour, label=name)
        at_one[name] = float(np.interp(1.0, lowest.index, lowest))
        draw_rows(ax, points("gambling", "x at rest", **where, **_ALONE), "noise_ratio", style)
    reference(ax, x=CRITICAL_NOISE_RATIO, colour=method_style("zero price").colour)
    ax.text(2.7, 1.3e-2, "r = √(2π):\nzero price\nloses above", color=method_style("zero price").colour)
    ax.set(xscale="log", yscale="log", xlim=(0.2, 15), ylim=(1e-4, 1.5))
    ax.set(xlabel=NOISE_LABEL, ylabel="stable share x* of the gamble")
    ax.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    finding(ax, f"At r = 1 zero price keeps {percent(at_one['zero price'])} gambles, "
                f"DG-K(3 %) {percent(at_one['DG-K(3 %)'])}")  # fmt: skip


def _drift_curves(ax: Axes) -> None:
    """Draw f at zero price below, at and above the critical ratio, with simulated drifts."""
    lines = np.linspace(0.001, 0.999, 300)
    ratios = {4.0: "4", CRITICAL_NOISE_RATIO: "√(2π)", 1.5: "1.5", 0.5: "0.5"}
    for colour, (r, name) in zip(shades(4), ratios.items(), strict=True):
        ax.plot(lines, drift(lines, r), color=colour, label=f"r = {name}")
        _drift_points(ax, colour, "o", gate="zero-price", noise_ratio=r, **_ALONE)
    style = method_style("PG")
    ax.plot(lines, drift(lines, 1.0, "pg"), color=style.colour, label="PG, any r")
    reference(ax, y=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-1.65, 1.15), xlim=(0, 1))
    highest = float(drift(lines, CRITICAL_NOISE_RATIO).max())
    lost = "never towards the better arm" if highest <= 1e-2 else f"at most {number(highest)}"
    finding(ax, f"Above r = √(2π) = {number(CRITICAL_NOISE_RATIO, 3)} zero price drifts {lost}")
    label_curves(ax)


def _drift_points(ax: Axes, colour: Colour, marker: str, **where: float | str) -> None:
    """Draw simulated drifts at some policies."""
    draw_rows(ax, points("gambling-drift", "drift", **where), "x", MethodStyle(colour, marker))


def _flow(ax: Axes) -> None:
    """Draw learning runs at zero price on the (r, x) plane: from the start to the end, beside the stable line."""
    style = method_style("zero price")
    noise = np.linspace(0.02, CRITICAL_NOISE_RATIO, 300)[:-1]
    line = np.array([fixed_point(float(r)) for r in noise], dtype=np.float64)
    ax.fill_between(noise, line, 1, color="0.93", lw=0)
    ax.plot(noise, line, color=style.colour)
    ax.plot([CRITICAL_NOISE_RATIO, 4], [1, 1], color=style.colour)
    reference(ax, x=CRITICAL_NOISE_RATIO, colour=style.colour)
    found = points("gambling-learning", "x", gate="zero-price", n_steps=1_200, **_ALONE)
    arrow = {"arrowstyle": "->", "color": "0.4", "lw": 0.9, "shrinkA": 0, "shrinkB": 2}
    for r, start, end in found[["noise_ratio", "x_start", "estimate"]].to_numpy(dtype=np.float64):
        ax.annotate("", (r, end), (r, start), arrowprops=arrow)
    draw_rows(ax, found, "noise_ratio", style)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(1.0, 0.72, "f > 0: to the better arm", ha="center", bbox=box)
    ax.text(2.6, 0.3, "f < 0: to the gamble", ha="center", bbox=box)
    ax.set(xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, xlim=(0, 4), ylim=(0, 1.04))
    ends = found.assign(
        target=[1.0 if (each := fixed_point(float(r))) is None else each for r in found["noise_ratio"]]
    )
    away = float((ends["estimate"] - ends["target"]).abs().max())
    finding(ax, f"{len(found)} starts all end at x*(r), within {number(away)}")


def _learning(ax: Axes) -> None:
    """Draw learning curves at zero price on both sides of the critical ratio: simulated mean and expected update."""
    ends = {}
    for r, grey in zip((1.0, 2.0, 2.4, 3.0), shades(4), strict=True):
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
        ends[r] = float(expit(path[-1]))
        draw_rows(ax, points("gambling-learning", "x", **settings), "n_steps", MethodStyle(grey, "o"))
    ax.set(xscale="log", xlabel="steps (learning rate 4, batches of 1,000)", ylabel=SHARE_LABEL, ylim=(0, 1.04))
    ax.set_xlim(right=1_700)
    finding(
        ax, f"From x = 0.5 at r = 1 gambles fall to {percent(ends[1.0])}, at r = 3 they grow to {percent(ends[3.0])}"
    )
    label_curves(ax)


def _speed(r: float, x: float) -> float:
    return float(drift(x, r))


def gambling_dg_floor() -> Figure:
    """Show DG's floor against noise and temperature, with its small-noise forms, and DG's drift."""
    figure, axes = panels(2, height=2.3)
    noise = np.geomspace(0.1, 30, 140)
    for eta, grey in zip((0.05, 0.2, 1.0, 4.0), GREYS, strict=True):
        axes[0].plot(noise, [fixed_point(float(r), "dg", eta) for r in noise], color=grey, label=f"η = {eta:g}")
        small = noise[noise < 0.5]
        form = np.exp(log_small_noise_floor(small, "dg", eta))
        axes[0].plot(small, form, ":", color=method_style("DG").colour, lw=2, zorder=3, gid=REFERENCE)
        found = points("gambling", "x at rest", gate="dg", temperature=eta, **_ALONE)
        draw_rows(axes[0], found, "noise_ratio", MethodStyle(grey, "s"))
    axes[0].plot([], [], ":", color=method_style("DG").colour, lw=2, gid=REFERENCE, label="small-noise form")
    axes[0].set(xscale="log", yscale="log", xlabel=NOISE_LABEL, ylabel="stable share x*", ylim=(1e-62, 1e2))
    finding(axes[0], "DG's floor: every r, every η (units of Δ)")
    axes[0].legend(loc="lower right")
    lines = np.linspace(0.001, 0.999, 300)
    for grey, r in zip(GREYS, (10.0, 4.0, 2.0, 0.5), strict=True):
        axes[1].plot(lines, drift(lines, r, "dg"), color=grey, label=f"r = {r:g}")
        _drift_points(axes[1], grey, "s", gate="dg", noise_ratio=r, **_ALONE)
    reference(axes[1], y=0)
    axes[1].set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-4.2, 1.25))
    finding(axes[1], "DG's drift, η = 1: one zero")
    axes[1].legend(loc="center left", bbox_to_anchor=(0.0, 0.35))
    caption(f"""DG on a gambling arm that is worse on average by Δ, with noise σ = rΔ: its stable share x* of the gamble at
        four temperatures η, with the form for small noise (a), and its drift (b, η = 1). Lines: exact.
        {simulated("gambling")}""")
    return figure


def _branches(ax: Axes, rest: pd.DataFrame, colour: Colour) -> None:
    """Draw all rest points against r, branch by branch along x: thick where stable, thin where not."""
    path = rest.sort_values("x")
    r, x = (path[name].to_numpy(dtype=np.float64) for name in ("noise_ratio", "x"))
    joined = np.abs(np.diff(np.log(r))) < 0.15
    stable = path["stable"].to_numpy(dtype=bool)
    for part, width in ((stable, 1.8), (~stable, 0.6)):
        for start in np.flatnonzero(part[:-1] & joined):
            ax.plot(r[start : start + 2], x[start : start + 2], "-", color=colour, lw=width, solid_capstyle="round")


def gambling_top_rate() -> Figure:
    """Show every rest point of the top-ρ gate against r, where several coexist, and when the corner attracts."""
    figure, axes = panels(3, height=2.3)
    several = {}
    for rate, name in RATES.items():
        style, rest = method_style(name), rows("gambling-rest", gate="rate", rate=rate, **_ALONE)
        _branches(axes[0], rest, style.colour)
        axes[0].plot([], [], color=style.colour, lw=1.8, label=f"{name}")
        corner = float(corner_noise_ratio(rate))
        axes[0].plot(corner, 1.02, "v", color=style.colour, clip_on=False)
        ends = rest[rest["stable"]].groupby("noise_ratio")["x"].max()
        several[name] = (float(ends.index[ends > 0.5].min()), corner)
    axes[0].plot([], [], color="0.3", lw=0.6, label="unstable")
    axes[0].plot([], [], "v", color="0.3", label="x = 1 attracts from here on")
    axes[0].set(xscale="log", xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, ylim=(0, 1.05))
    first, corner = several["DG-K(3 %)"]
    finding(
        axes[0],
        f"DG-K(3 %) rests at mostly gambles from r = {number(first)} on, at gambles alone from {number(corner)}",
    )
    lines = np.geomspace(0.004, 0.9, 500)
    for colour, r in zip(shades(3), (0.34, 0.4, 0.44), strict=True):
        axes[1].plot(lines, 1e3 * top_rate_drift(lines, r, 0.02), color=colour, label=f"r = {r:g}")
    found = points("gambling-drift", "drift", gate="rate", rate=0.02, noise_ratio=0.4, **_ALONE)
    thousandths = found.assign(estimate=1e3 * found["estimate"], standard_error=1e3 * found["standard_error"])
    draw_rows(axes[1], thousandths, "x", MethodStyle(shades(3)[1], "o"))
    reference(axes[1], y=0)
    axes[1].set(xscale="log", xlabel=SHARE_LABEL, ylabel="drift, f (10⁻³ Δ)", ylim=(-4, 4), xlim=(0.004, 1))
    signs = np.diff(np.sign(top_rate_drift(lines, 0.4, 0.02)))
    finding(axes[1], f"At ρ = 2 %, r = 0.4 there are {int((signs > 0).sum() + (signs < 0).sum())} rest points inside")
    label_curves(axes[1])
    rates = np.linspace(0.005, 0.995, 300)
    needed = corner_noise_ratio(rates)
    axes[2].plot(rates, needed, color="black", label="1/φ(Φ⁻¹(1 − ρ))")
    style = method_style("zero price")
    axes[2].axhline(CRITICAL_NOISE_RATIO, color=style.colour, ls=":", gid=REFERENCE, label="zero price, √(2π)")
    axes[2].set(yscale="log", xlabel="gate rate, ρ", ylabel="r above which x = 1 attracts")
    axes[2].set_yticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
    axes[2].minorticks_off()
    best = float(rates[np.argmin(needed)])
    low, least = float(needed[0]), float(needed.min())
    finding(
        axes[2],
        f"Gambles alone attract from r = {number(low)} at ρ = {percent(rates[0])}, {number(least)} at {percent(best)}",
    )
    legend_below([axes[0], axes[2]])
    caption(f"""The gate that keeps the top ρ by delight on a gambling arm that is worse on average by Δ, with noise
        σ = rΔ: its rest points (a, thick: stable, thin: not), its drift where several coexist (b), and the noise
        above which gambles alone attract (c). Lines: exact. {simulated("gambling-drift")}""")
    return figure


def equal_noise() -> Figure:
    """Show equal noise under each gate: drift, and all rest points with the ratio above which x = 0 repels."""
    figure, axes = panels(3, height=2.3)
    for ax, r in zip(axes, (1.5, 0.5), strict=False):
        lowest = _equal_drifts(ax, r)
        ax.set(xlabel="probability of the worse arm, x", ylabel=DRIFT_LABEL)
        wrong = [name for name, value in lowest.items() if value < 0]
        finding(ax, f"At r = {r:g} {', '.join(wrong) or 'no gate'} can drift to the worse arm")
    line = rows("gambling-rest", gate="dg", temperature=1.0, equal_noise=True)
    axes[2].plot(line["noise_ratio"], line["x"], color=method_style("DG").colour, lw=1.8)
    floors = {}
    for rate, name in RATES.items():
        style = method_style(name)
        _branches(axes[2], rows("gambling-rest", gate="rate", rate=rate, equal_noise=True), style.colour)
        floors[name] = float(equal_noise_floor_ratio(rate))
        axes[2].plot(floors[name], 0.0, "^", color=style.colour, clip_on=False)
    axes[2].plot([], [], color="0.3", lw=0.6, label="unstable")
    axes[2].plot([], [], "^", color="0.3", label="x = 0 repels from here on")
    axes[2].set(xscale="log", xlabel=NOISE_LABEL, ylabel="probability of the worse arm, x", ylim=(0, 0.75))
    finding(axes[2], f"Zero price never rests off x = 0; DG-K(3 %) does from r = {number(floors['DG-K(3 %)'])} on")
    legend_below([axes[0], axes[2]])
    caption(f"""Both arms have noise σ = rΔ and differ by Δ on average: drift of each gate towards the better arm at two r
        (a, b; DG at η = 1), and all rest points off x = 0 (c, thick: stable, thin: not). Lines: exact.
        {simulated("gambling-drift")}""")
    return figure


def _equal_drifts(ax: Axes, r: float) -> dict[str, float]:
    """Draw every gate's drift; return the least of each."""
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
    reference(ax, y=0)
    return {name: float(line.min()) for name, line, _ in cases}
