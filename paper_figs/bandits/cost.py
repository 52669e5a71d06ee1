"""Figures of what a gated step costs, of rows that survive a token gate, and of gates on noisy delight."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory import approximate, cost
from paper_figs.style import PANEL, draw_rows, label_panels, method_style
from paper_figs.tables import points

__all__ = ["approximate_delight", "step_cost"]

_RATIO = 1.37  # N_PG/N_gate: what the published 6x and 10x stand for, about
_ACCOUNTINGS = (
    ("logical, 1 + ρc", "logical", 1.0),
    ("reused log-probabilities, s = 0", "physical", 0.0),
    ("screened, s = 1", "physical", 1.0),
)
_P, _N_ARMS, _BASELINE = 0.1, 20, 0.5
_NOISES = ("additive", "relative")
_BATCH_SIZE, _N_TOKENS = 100, 10


def step_cost() -> Figure:
    """Show the speed-up against c, the cost of a step against ρ, and rows and tokens that survive a token gate."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1] + 0.2))
    _speedup(axes[0])
    _step(axes[1])
    _survival(axes[2])
    label_panels(list(axes))
    return figure


def _speedup(ax: Axes) -> None:
    c = np.linspace(0, 16, 200)
    for name, accounting, screening in _ACCOUNTINGS:
        style = method_style(name)
        gain = cost.speedup(_RATIO, 1.0, cost.PUBLISHED_RATE, c, accounting, screening_cost=screening)
        ax.plot(c, gain, style.line, color=style.colour, label=name)
    published = cost.PUBLISHED_SPEEDUPS
    ax.plot(list(published), list(published.values()), "k*", ms=8, label="published, DG-K(3 %)")
    ax.set(
        xlabel="backward cost c (forward passes)",
        ylabel="speed-up over PG",
        title=f"ρ = 3 %, N$_{{PG}}$/N$_{{gate}}$ = {_RATIO:g}",
        yscale="log",
        ylim=(0.2, 100),
    )
    ax.text(0, 1.12 * _RATIO / cost.PUBLISHED_RATE, "acting not counted on either side", fontsize=7.5)
    ax.set_yticks([1, 3, 10, 30, 100], labels=["1", "3", "10", "30", "100"])
    ax.legend(loc="lower right")


def _step(ax: Axes) -> None:
    rate = np.linspace(0, 1, 200)
    for name, accounting, screening in _ACCOUNTINGS:
        style = method_style(name)
        share = cost.step_cost(rate, 2.0, accounting, screening_cost=screening) / cost.step_cost(1.0, 2.0, "full")
        ax.plot(rate, share, style.line, color=style.colour)
    even = float(cost.break_even_rate(2.0))
    ax.plot([even, even], [0, 1], ":", color="0.5", lw=1)
    ax.text(even - 0.02, 0.06, f"break-even at s = 1:\nρ = {even:.2f}", ha="right", fontsize=7.5)
    ax.axhline(1.0, color="0.7", lw=0.8, zorder=0)
    ax.set(
        xlabel="gate rate ρ",
        ylabel="cost of a step\n(share of the full step)",
        title="c = 2",
        xlim=(0, 1),
        ylim=(0, 1.4),
    )


def _survival(ax: Axes) -> None:
    """Draw rows that survive and tokens to process at T = 10, keeps independent or clustered, with simulations."""
    rates = np.geomspace(1e-3, 1, 200)
    for name, r in (("rows, independent", 0.0), ("rows, correlation 0.2", 0.2)):
        style = method_style(name)
        ax.plot(rates, cost.surviving_rows(rates, _N_TOKENS, r), style.line, color=style.colour, label=name)
        draw_rows(ax, points("survival", "rows", n_tokens=_N_TOKENS, correlation=r), "rate", style)
    style = method_style("tokens, independent")
    ax.plot(rates, cost.token_share(rates, _N_TOKENS), style.line, color=style.colour, label="tokens, independent")
    found = points("survival", "tokens to the last kept", n_tokens=_N_TOKENS, correlation=0.0)
    draw_rows(ax, found, "rate", style)
    ax.plot(rates, rates, ":", color="0.5", label="kept tokens, ρ")
    ax.plot([0.03], cost.surviving_rows(0.03, _N_TOKENS), "k*", ms=8, zorder=5)
    ax.annotate(
        "26 % at ρ = 3 %", (0.03, 0.2626), (0.0012, 0.45), fontsize=7.5, arrowprops={"arrowstyle": "-", "lw": 0.6}
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="gate rate ρ",
        ylabel="share still to be processed",
        title="token gate, T = 10",
        ylim=(8e-4, 1.3),
    )
    ax.legend(loc="lower right")


def approximate_delight() -> Figure:
    """Show rate, noise and cosine of zero price on noisy delight, against noise in deviations or relative to |χ|."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines = np.linspace(0.01, 3, 150)
    scale = float(approximate.delight_scale(_P, _N_ARMS, _BASELINE))
    for kind in _NOISES:
        style = method_style(f"{kind} noise")
        unit = scale if kind == "additive" else 1.0
        moments = approximate.noisy_moments(_P, _N_ARMS, _BASELINE, lines * unit, kind)
        rate = approximate.noisy_rate(_P, _N_ARMS, _BASELINE, lines * unit, kind)
        exact = {
            "backward rate": rate,
            "perpendicular variance": moments.var_perpendicular,
            "r.m.s. cosine": approximate.rms_cosine(moments, _BATCH_SIZE),
        }
        context = {"p_correct": _P, "n_arms": _N_ARMS, "baseline": _BASELINE, "batch_size": _BATCH_SIZE}
        for ax, (quantity, line) in zip(axes, exact.items(), strict=True):
            label = "τ in deviations of χ" if kind == "additive" else "τ relative to |χ|"
            ax.plot(lines, line, style.line, color=style.colour, label=label)
            draw_rows(ax, points("noise", quantity, kind=kind, **context), "noise", style)
    _finish(list(axes))
    return figure


def _finish(axes: list[Axes]) -> None:
    """Add the noiseless gate, PG and the labels."""
    plain = approximate.noisy_moments(_P, _N_ARMS, _BASELINE, 0.0)
    pg_noise = (1 - _P) * _BASELINE**2 * (_N_ARMS - 2) / (_N_ARMS - 1)
    signal = float(plain.signal) / (1 - _BASELINE)
    references = {
        "zero price": (_P, 0.0, 1.0),
        "PG": (1.0, pg_noise, signal / np.sqrt(signal**2 + pg_noise / _BATCH_SIZE)),
    }
    for ax, title, label, place in zip(
        axes,
        ("backward passes", "perpendicular noise", "direction"),
        (
            "backward rate",
            "perpendicular variance\n(per sample, squared reward)",
            f"r.m.s. cosine with ∇J\n(B = {_BATCH_SIZE})",
        ),
        range(3),
        strict=True,
    ):
        for name, values in references.items():
            style = method_style(name)
            ax.axhline(
                values[place], color=style.colour, ls=":", lw=1.2, label="PG" if name == "PG" else f"{name}, exact χ"
            )
        ax.set(xlabel="noise scale τ", ylabel=label, title=title)
    axes[0].set(ylim=(0, 1.05))
    axes[0].legend(
        title="line: exact, point: simulated (95 %)", title_fontsize=7.5, loc="upper left", bbox_to_anchor=(0, 0.95)
    )
    axes[2].text(
        0.97, 0.86, f"p = {_P:g}, K = {_N_ARMS}, b = 1/2", transform=axes[2].transAxes, fontsize=7.5, ha="right"
    )
    label_panels(axes)
