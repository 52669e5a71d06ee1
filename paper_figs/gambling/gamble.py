"""Figures of the gambling pathology: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

from functools import partial

import numpy as np
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
from paper_figs.arranging import label_at, label_curves, named_colours, stack_names
from paper_figs.marks import REFERENCE, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import GREYS, Colour, MethodStyle, method_style, shades
from paper_figs.tables import points, rows
from paper_figs.wording import number, percent, simulated

__all__ = [
    "ALONE",
    "DRIFT_LABEL",
    "NOISE_LABEL",
    "RATES",
    "SHARE_LABEL",
    "Where",
    "draw_drifts",
    "gambling_dg_floor",
    "gambling_false_positives",
    "gambling_fixed_point",
]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]

NOISE_LABEL = "noise ratio, r = σ/Δ"
SHARE_LABEL = "probability of the gamble, x"
DRIFT_LABEL = "drift to the better arm, f (Δ)"
RATES = {0.03: "DG-K(3 %)", 0.1: "DG-K(10 %)", 0.3: "DG-K(30 %)"}
_LEAST = 1e-6
"""The smallest share of the gamble that is drawn."""
ALONE = {"equal_noise": False}  # noise on the gambling arm alone


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
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 1), xlabel=NOISE_LABEL, ylabel="P(U > 0 | gamble)")
    one = float(false_positive_probability(0.5, np.asarray(1.0)))
    finding(ax, f"Noise as large as the gap (r = 1) makes {percent(one)} of losing gambles look good at x = 0.5")
    label_at(ax, {"x = 0.9": (0.24, 2, -4), "x = 0.5": (0.26, 3, -4), "x = 0.01": (0.4, 5, -4)})
    ax.text(0.98, 0.03, "dotted: bounds", color="0.35", ha="right", transform=ax.transAxes)
    caption(f"""How often the gate at price zero keeps a sample of an arm that is worse on average by Δ and has noise
        σ, against r = σ/Δ, at three probabilities x of that arm. Lines: exact; dotted: the bound exp(−((1 −
        x)/r)²/2)/2. {simulated("gambling-kept")}""")
    return figure


def gambling_fixed_point() -> Figure:
    """Show where learning ends against r for each gate, the drift, and learning on the phase diagram."""
    figure, axes = panels(4)
    _phase_diagram(axes[0])
    _drift_curves(axes[1])
    _flow(axes[2])
    _learning(axes[3])
    stack_names(axes[0], (0.99, 0.02))
    caption(f"""A gambling arm: worse on average by Δ, with noise σ = rΔ. (a) Lowest stable probability x* of the
        gamble under each gate against r; DG at η = 1. (b) Drift of the gate at price zero at four r, and PG's. (c)
        Learning at price zero on the plane of r and x: arrows from the start to 1,200 steps later, line: x*(r). (d)
        The same against steps (learning rate 4, batches of 1,000); lines: the expected update, bars at the right: x*.
        Lines: exact. {simulated("gambling-learning")}""")
    return figure


def _phase_diagram(ax: Axes) -> None:
    """Draw the lowest stable point of each gate against r, with simulated ends of learning."""
    gates: dict[str, Where] = {"zero price": {"gate": "zero-price"}, "DG": {"gate": "dg", "temperature": 1.0}}
    gates |= {name: {"gate": "rate", "rate": rate} for rate, name in RATES.items()}
    at_one = {}
    for name, where in gates.items():
        style, rest = method_style(name), rows("gambling-rest", **where, **ALONE)
        lowest = rest[rest["stable"]].groupby("noise_ratio")["x"].min()
        ax.plot(lowest.index, lowest, color=style.colour, label=name)
        at_one[name] = float(np.interp(1.0, lowest.index, lowest))
        draw_rows(ax, points("gambling", "x at rest", **where, **ALONE), "noise_ratio", style)
    reference(ax, x=CRITICAL_NOISE_RATIO, colour=method_style("zero price").colour)
    ax.text(2.7, 2.2e-2, "r = √(2π):\nzero price\nloses above", color=method_style("zero price").colour)
    ax.set(xscale="log", yscale="log", xlim=(0.2, 15), ylim=(1e-4, 1.5))
    ax.set(xlabel=NOISE_LABEL, ylabel="stable share x*")
    ax.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    finding(ax, f"At r = 1 zero price gambles in {percent(at_one['zero price'])}, "
                f"DG-K(3 %) in {percent(at_one['DG-K(3 %)'])}")  # fmt: skip


def _drift_curves(ax: Axes) -> None:
    """Draw f at zero price below, at and above the critical ratio, with simulated drifts."""
    lines = np.linspace(0.001, 0.999, 300)
    ratios = {4.0: "4", CRITICAL_NOISE_RATIO: "√(2π)", 1.5: "1.5", 0.5: "0.5"}
    for colour, (r, name) in zip(shades(4), ratios.items(), strict=True):
        ax.plot(lines, drift(lines, r), color=colour, label=f"r = {name}")
        draw_drifts(ax, colour, "o", gate="zero-price", noise_ratio=r, **ALONE)
    style = method_style("PG")
    ax.plot(lines, drift(lines, 1.0, "pg"), color=style.colour, label="PG, any r")
    reference(ax, y=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-1.65, 1.15), xlim=(0, 1))
    highest = float(drift(lines, CRITICAL_NOISE_RATIO).max())
    lost = "never drifts to the better arm" if highest <= 1e-2 else f"drifts at most {number(highest)}"
    finding(ax, f"From r = √(2π) on zero price {lost}")
    label_curves(ax)


def draw_drifts(ax: Axes, colour: Colour, marker: str, **where: float | str) -> None:
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
    found = points("gambling-learning", "x", gate="zero-price", n_steps=1_200, **ALONE)
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
            **ALONE,
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
    figure, (floors, drifts) = panels(2, height=2.3)
    _dg_floors(floors)
    _dg_drifts(drifts)
    caption(f"""DG on a gambling arm that is worse on average by Δ, with noise σ = rΔ: its stable share x* of the
        gamble at four temperatures η in units of Δ, dotted: the form for small noise (a), and its drift (b, η = 1).
        Shares below {number(_LEAST)} are not drawn: they do not show in a million samples. Lines: exact.
        {simulated("gambling")}""")
    return figure


def _dg_floors(ax: Axes) -> None:
    """Draw DG's stable share of the gamble against the noise at four temperatures."""
    noise = np.geomspace(0.1, 30, 140)
    at_one = {}
    for eta, grey in zip((0.05, 0.2, 1.0, 4.0), shades(4), strict=True):
        floor = np.array([fixed_point(float(r), "dg", eta) for r in noise], dtype=np.float64)
        ax.plot(noise, floor, color=grey, label=f"η = {eta:g}")
        small = noise[noise < 0.5]
        form = np.exp(log_small_noise_floor(small, "dg", eta))
        ax.plot(small, form, ":", color="black", lw=1.2, zorder=3, gid=REFERENCE)
        found = points("gambling", "x at rest", gate="dg", temperature=eta, **ALONE)
        draw_rows(ax, found, "noise_ratio", MethodStyle(grey, "s"))
        at_one[eta] = float(np.interp(1.0, noise, floor))
    ax.set(
        xscale="log", yscale="log", xlabel=NOISE_LABEL, ylabel="stable share x*", ylim=(_LEAST, 2), xlim=(0.15, 30)
    )
    finding(ax, f"At r = 1 DG keeps {percent(at_one[1.0])} gambles with η = 1, "
                f"{percent(at_one[4.0])} with η = 4")  # fmt: skip
    stack_names(ax, (0.98, 0.03), named_colours(ax) | {"dotted: form for small noise": "0.2"})


def _dg_drifts(ax: Axes) -> None:
    """Draw DG's drift to the better arm at four noise ratios."""
    lines = np.linspace(0.001, 0.999, 300)
    turns, changes = {}, []
    for colour, r in zip(shades(4), (10.0, 4.0, 2.0, 0.5), strict=True):
        speed = drift(lines, r, "dg")
        ax.plot(lines, speed, color=colour)
        draw_drifts(ax, colour, "s", gate="dg", noise_ratio=r, **ALONE)
        above = r < 1
        ax.text(0.27, float(speed[81]) + (0.15 if above else -0.1), f"r = {r:g}", color=colour,
                va="bottom" if above else "top", ha="center")  # fmt: skip
        turns[r] = float(lines[np.flatnonzero(speed > 0)[0]])
        changes.append(int((np.diff(np.sign(speed)) != 0).sum()))
    reference(ax, y=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, ylim=(-4.2, 1.4), xlim=(-0.02, 1.02))
    often = "once" if max(changes) == 1 else f"up to {max(changes)} times"
    finding(
        ax, f"DG's drift turns {often}, at x* = {number(turns[2.0])} for r = 2 and {number(turns[10.0])} for r = 10"
    )
