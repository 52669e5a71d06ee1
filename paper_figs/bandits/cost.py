"""Figures of what a gated step costs, of rows that survive a token gate, and of gates on noisy delight."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory import approximate, cost
from paper_figs.arranging import named_colours, stack_names
from paper_figs.marks import REFERENCE, draw_published, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import points
from paper_figs.wording import ACROSS, number, percent, simulated

__all__ = ["approximate_delight", "step_cost"]

_RATIO = 1.37  # N_PG/N_gate: what the published 6x and 10x stand for, about
_ACCOUNTINGS = (
    ("logical, 1 + ρc", "logical", 1.0),
    ("reused log-probabilities, s = 0", "physical", 0.0),
    ("screened, s = 1", "physical", 1.0),
)
_NOISES = ("additive", "relative")


def step_cost(rate: float = cost.PUBLISHED_RATE, backward_cost: float = 2.0, n_tokens: int = 10) -> Figure:
    """Show the speed-up against c, the cost of a step against ρ, and rows and tokens that survive a token gate."""
    figure, axes = panels(3)
    _speedup(axes[0], rate)
    _step(axes[1], backward_cost)
    _survival(axes[2], rate, n_tokens)
    stack_names(axes[1], (0.03, 0.99), named_colours(axes[0]))
    stack_names(axes[2], (0.99, 0.02), named_colours(axes[2]) | {"dotted: kept tokens, ρ": "0.4"})
    caption(f"""Speed-up over PG at ρ = {percent(rate)} against the backward cost c in forward passes, where PG needs
        {_RATIO:g} times as many samples (a); cost of a step against the gate rate ρ at c = {backward_cost:g} (b);
        share of rows, and of tokens up to a row's last kept one, that a token gate leaves to be processed, rows of T
        = {n_tokens} tokens (c). Accountings: logical counts kept samples alone, 1 + ρc; screened adds a screening
        pass of cost s forward passes. Stars: published, DG-K(3 %). Lines: exact. {simulated("survival")}""")
    return figure


def _speedup(ax: Axes, rate: float) -> None:
    c = np.linspace(0, 16, 200)
    last = {}
    for name, accounting, screening in _ACCOUNTINGS:
        gain = cost.speedup(_RATIO, 1.0, rate, c, accounting, screening_cost=screening)
        ax.plot(c, gain, color=method_style(name).colour, label=name.replace(" log-probabilities", ""))
        last[name] = float(np.interp(8.0, c, gain))
    draw_published(ax, cost.PUBLISHED_SPEEDUPS)
    last_published = list(cost.PUBLISHED_SPEEDUPS.items())[-1]
    ax.annotate("published", last_published, (0, -6), textcoords="offset points", va="top")
    ax.set(xlabel="backward cost, c (forward passes)", ylabel="speed-up over PG", yscale="log", ylim=(0.5, 100))
    reused, screened = last["reused log-probabilities, s = 0"], last["screened, s = 1"]
    finding(ax, f"At c = 8 a screening pass leaves {number(screened)} of a {number(reused)}-fold speed-up")


def _step(ax: Axes, backward_cost: float) -> None:
    rate = np.linspace(0, 1, 200)
    full = cost.step_cost(1.0, backward_cost, "full")
    for name, accounting, screening in _ACCOUNTINGS:
        share = cost.step_cost(rate, backward_cost, accounting, screening_cost=screening) / full
        ax.plot(rate, share, color=method_style(name).colour)
    even = float(cost.break_even_rate(backward_cost))
    ax.plot([even, even], [0, 1], ":", color="0.5", lw=0.8, gid=REFERENCE)
    reference(ax, y=1.0)
    ax.set(xlabel="gate rate, ρ", ylabel="cost over the full step's", xlim=(0, 1), ylim=(0, 1.4))
    finding(ax, f"Screening pays below ρ = {number(even)} at c = {backward_cost:g}")


def _survival(ax: Axes, rate: float, n_tokens: int) -> None:
    """Draw rows that survive and tokens to process, keeps independent or clustered, with simulations."""
    rates = np.geomspace(1e-3, 1, 200)
    for name, r in (("rows, independent", 0.0), ("rows, correlation 0.2", 0.2)):
        style = method_style(name)
        ax.plot(rates, cost.surviving_rows(rates, n_tokens, r), color=style.colour, label=name)
        draw_rows(ax, points("survival", "rows", n_tokens=n_tokens, correlation=r), "rate", style)
    style = method_style("tokens, independent")
    ax.plot(rates, cost.token_share(rates, n_tokens), color=style.colour, label="tokens, independent")
    found = points("survival", "tokens to the last kept", n_tokens=n_tokens, correlation=0.0)
    draw_rows(ax, found, "rate", style)
    ax.plot(rates, rates, ":", color="0.5", lw=0.8, gid=REFERENCE)
    kept = float(cost.surviving_rows(rate, n_tokens))
    ax.set(xscale="log", yscale="log", xlabel="gate rate, ρ", ylabel="share still to be processed", ylim=(8e-4, 1.3))
    finding(ax, f"Keeping {percent(rate)} of tokens leaves {percent(kept)} of rows")


def approximate_delight(
    p_correct: float = 0.1, n_arms: int = 20, baseline: float = 0.5, batch_size: int = 100
) -> Figure:
    """Show rate, noise and cosine of zero price on noisy delight, against noise in deviations or relative to |χ|."""
    figure, axes = panels(3)
    lines = np.linspace(0.01, 3, 150)
    context = (p_correct, n_arms, baseline)
    scale = float(approximate.delight_scale(*context))
    quantities = ("backward rate", "perpendicular variance", "r.m.s. cosine")
    at_one: dict[str, dict[str, float]] = {}
    for kind in _NOISES:
        style = method_style(f"{kind} noise")
        unit = scale if kind == "additive" else 1.0
        moments = approximate.noisy_moments(*context, lines * unit, kind)
        rate = approximate.noisy_rate(*context, lines * unit, kind)
        exact = (rate, moments.var_perpendicular, approximate.rms_cosine(moments, batch_size))
        where = {"p_correct": p_correct, "n_arms": n_arms, "baseline": baseline, "batch_size": batch_size}
        for ax, quantity, line in zip(axes, quantities, exact, strict=True):
            label = "τ in deviations of χ" if kind == "additive" else "τ relative to |χ|"
            ax.plot(lines, line, color=style.colour, label=label)
            draw_rows(ax, points("noise", quantity, kind=kind, **where), "noise", style)
            at_one.setdefault(quantity, {})[kind] = float(np.interp(1.0, lines, line))
    pg = _references(axes, context, batch_size)
    labels = (
        "backward rate",
        ACROSS,
        "r.m.s. cosine with ∇J",
    )
    for ax, label in zip(axes, labels, strict=True):
        ax.set(xlabel="noise scale, τ", ylabel=label)
    axes[0].set_ylim(0, 1.05)
    rates, noises, cosines = (at_one[quantity] for quantity in quantities)
    finding(
        axes[0],
        f"With noise as large as delight (τ = 1) it keeps {percent(rates['relative'])}, not {percent(p_correct)}",
    )
    share = f"with {percent(noises['relative'] / pg[1])} of PG's noise" if pg[1] else "and two arms have no noise"
    finding(axes[1], f"… {share} across ∇J")
    better = "above" if min(cosines.values()) > pg[2] else "not always above"
    finding(axes[2], f"Its direction is {number(cosines['relative'])}, {better} PG's {number(pg[2])}")
    stack_names(axes[0], (0.03, 0.9))
    caption(f"""The gate at price zero where delight is known up to noise of scale τ: backward rate (a), variance
        across ∇J (b), and root mean square cosine of a batch of
        {batch_size} with ∇J (c). Noise is added in standard deviations of
        delight χ, or relative to |χ|. One context: p = {p_correct:g}, K = {n_arms} arms, baseline {baseline:g}.
        Dotted: zero price with exact delight, and PG. Lines: exact. {simulated("noise")}""")
    return figure


def _references(axes: list[Axes], context: tuple[float, int, float], batch_size: int) -> tuple[float, float, float]:
    """Add the noiseless gate and PG as references; return PG's rate, noise and cosine."""
    p, n_arms, baseline = context
    plain = approximate.noisy_moments(*context, 0.0)
    pg_noise = (1 - p) * baseline**2 * (n_arms - 2) / (n_arms - 1)
    signal = float(plain.signal) / (1 - baseline)
    pg = (1.0, pg_noise, float(signal / np.sqrt(signal**2 + pg_noise / batch_size)))
    for name, values in (("zero price", (p, 0.0, 1.0)), ("PG", pg)):
        label = "PG" if name == "PG" else f"{name}, exact χ"
        for ax, value in zip(axes, values, strict=True):
            ax.axhline(value, color=method_style(name).colour, ls=":", gid=REFERENCE, label=label)
    return pg
