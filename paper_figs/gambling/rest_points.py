"""Figures of the rest points on a gamble: of the gate at a rate, and with the same noise on both arms."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.gambling import CRITICAL_NOISE_RATIO
from kondo_theory.gambling.equal_noise import (
    equal_noise_drift,
    equal_noise_floor_ratio,
    equal_noise_top_rate_drift,
)
from kondo_theory.gambling.top_rate import corner_noise_ratio, top_rate_drift
from paper_figs.arranging import label_at, named_colours, stack_names
from paper_figs.gambling.gamble import ALONE, DRIFT_LABEL, NOISE_LABEL, RATES, SHARE_LABEL, Where, draw_drifts
from paper_figs.marks import REFERENCE, draw_exact, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import Colour, MethodStyle, method_style, shades
from paper_figs.tables import points, rows
from paper_figs.wording import number, percent, simulated

__all__ = ["equal_noise", "gambling_top_rate"]

FloatArray = NDArray[np.float64]


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
        style, rest = method_style(name), rows("gambling-rest", gate="rate", rate=rate, **ALONE)
        _branches(axes[0], rest, style.colour)
        axes[0].plot([], [], color=style.colour, lw=1.8, label=f"{name}")
        corner = float(corner_noise_ratio(rate))
        draw_exact(axes[0], corner, 1.02, style.colour)
        ends = rest[rest["stable"]].groupby("noise_ratio")["x"].max()
        several[name] = (float(ends.index[ends > 0.5].min()), corner)
    stack_names(axes[0], (0.99, 0.02), named_colours(axes[0]) | {"thin: unstable": "0.3"})
    axes[0].set(xscale="log", xlabel=NOISE_LABEL, ylabel=SHARE_LABEL, ylim=(0, 1.05))
    first, corner = several["DG-K(3 %)"]
    finding(
        axes[0],
        f"DG-K(3 %) mostly gambles from r = {number(first)} on, can do so always from {number(corner)}",
    )
    lines = np.geomspace(0.004, 0.9, 500)
    for colour, r in zip(shades(3), (0.34, 0.4, 0.44), strict=True):
        axes[1].plot(lines, 1e3 * top_rate_drift(lines, r, 0.02), color=colour, label=f"r = {r:g}")
    found = points("gambling-drift", "drift", gate="rate", rate=0.02, noise_ratio=0.4, **ALONE)
    thousandths = found.assign(estimate=1e3 * found["estimate"], standard_error=1e3 * found["standard_error"])
    draw_rows(axes[1], thousandths, "x", MethodStyle(shades(3)[1], "o"))
    reference(axes[1], y=0)
    axes[1].set(xscale="log", xlabel=SHARE_LABEL, ylabel="drift, f (10⁻³ Δ)", ylim=(-4, 4), xlim=(0.004, 1))
    signs = np.diff(np.sign(top_rate_drift(lines, 0.4, 0.02)))
    finding(axes[1], f"At ρ = 2 %, r = 0.4 there are {int((signs > 0).sum() + (signs < 0).sum())} rest points inside")
    label_at(axes[1], {"r = 0.34": (0.12, -4, 3), "r = 0.4": (0.006, 0, -3), "r = 0.44": (0.006, 0, -3)})
    rates = np.linspace(0.005, 0.995, 300)
    needed = corner_noise_ratio(rates)
    axes[2].plot(rates, needed, color="0.35")
    axes[2].text(0.5, 8, "1/φ(Φ⁻¹(1 − ρ))", color="0.35", ha="center")
    style = method_style("zero price")
    axes[2].axhline(CRITICAL_NOISE_RATIO, color=style.colour, ls=":", gid=REFERENCE)
    axes[2].annotate("zero price, √(2π)", (0.5, CRITICAL_NOISE_RATIO), (0, -3), textcoords="offset points",
                     color=style.colour, ha="center", va="top")  # fmt: skip
    axes[2].set(yscale="log", ylim=(1.7, 80), xlabel="gate rate, ρ", ylabel="r above which x = 1 attracts")
    axes[2].set_yticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
    axes[2].minorticks_off()
    best = float(rates[np.argmin(needed)])
    low, least = float(needed[0]), float(needed.min())
    finding(
        axes[2],
        f"x = 1 attracts from r = {number(low)} at ρ = {percent(rates[0])}, {number(least)} at {percent(best)}",
    )
    caption(f"""The gate that keeps the top ρ by delight on a gambling arm that is worse on average by Δ, with noise σ
        = rΔ: its rest points (a, thick: stable, thin: not; crosses: from there on x = 1 attracts), its drift where
        several coexist (b), and the noise above which gambles alone attract (c). Lines: exact.
        {simulated("gambling-drift")}""")
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
        draw_exact(axes[2], floors[name], 0.0, style.colour)
    axes[2].set(xscale="log", xlabel=NOISE_LABEL, ylabel="probability of the worse arm, x", ylim=(0, 0.75))
    finding(axes[2], f"Zero price never rests off x = 0; DG-K(3 %) does from r = {number(floors['DG-K(3 %)'])} on")
    stack_names(axes[1], (0.03, 0.99))
    axes[2].text(0.99, 0.97, "thin: unstable", color="0.3", ha="right", va="top", transform=axes[2].transAxes)
    caption(f"""Both arms have noise σ = rΔ and differ by Δ on average: drift of each gate towards the better arm at
        two r (a, b; DG at η = 1), and all rest points off x = 0 (c, thick: stable, thin: not; crosses: from there on
        x = 0 repels). Lines: exact.
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
        draw_drifts(ax, look.colour, look.marker, noise_ratio=r, equal_noise=True, **where)
    reference(ax, y=0)
    return {name: float(line.min()) for name, line, _ in cases}
