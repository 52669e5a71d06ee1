"""Figures of the gate: its law, the value of a rate, what a backward pass buys, exact-k against a price."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.gate import gate_probability, kept_count
from kondo_theory.geometry.exact_rate import exact_rate_moments, finite_rate_value, price_weights
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.quality_cost import arm_delight, efficiency_per_backward, frontier, rate_value
from kondo_theory.geometry.symmetric import symmetric_arms, symmetric_moments
from kondo_theory.moments import GradientMoments
from paper_figs.style import PANEL, draw_rows, label_panels, method_style
from paper_figs.tables import points

__all__ = ["exact_k_or_price", "gate_law", "price_rate_duality", "quality_cost_frontier"]

FloatArray = NDArray[np.float64]
_TEMPERATURES = (0.1, 0.5, 2.0)
_GRADED = (5, 0.15, 0.5)  # K, probability of the best arm, b of the value of a rate
_CONTEXT = (10, 0.2, 0.5)  # K, p, b of the frontier
_BUDGET = 10.0  # backward passes
_EXACT_CONTEXT = (10, 0.3, 0.25)
_POINTS: dict[str, Any] = {"fmt": "o", "capsize": 2, "mfc": "white"}


def _shades(n: int) -> list[tuple[float, ...]]:
    """Return colours of a sequence, dark to light; methods have colours of their own."""
    return [tuple(colour) for colour in plt.get_cmap("viridis")(np.linspace(0.05, 0.8, n))]


def gate_law() -> Figure:
    """Draw the gate's probability and the value of the choice against χ − λ, with frequencies of sampled gates."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(2 * PANEL[0], PANEL[1]))
    line = np.linspace(-2.5, 2.5, 401)
    for temperature, colour in zip(_TEMPERATURES, _shades(3), strict=True):
        left.plot(line, gate_probability(line, 0.0, temperature), color=colour)
        found = points("gate-frequency", "gate frequency", temperature=temperature)
        left.errorbar(found["excess"], found["estimate"], 1.96 * found["standard_error"], color=colour, **_POINTS)
        right.plot(
            line, temperature * np.logaddexp(0.0, line / temperature), color=colour, label=f"η = {temperature:g}"
        )
    hard = method_style("zero price")
    left.step(line, line > 0, where="mid", color=hard.colour, ls=":")
    right.plot(line, np.maximum(line, 0.0), color=hard.colour, ls=":", label="hard gate, η → 0")
    label = "delight less price, χ − λ (nats × reward)"
    left.set(xlabel=label, ylabel="gate probability, w*", title="the gate")
    right.set(xlabel=label, ylabel="value (nats × reward)", title="value, η·log(1 + exp((χ−λ)/η))")
    drawn = found["n_draws"].iloc[0]
    right.legend(title=f"point in (a): {drawn:,} sampled gates", title_fontsize=7.5, loc="upper left")
    label_panels([left, right])
    return figure


def price_rate_duality() -> Figure:
    """Draw V(ρ) of a bandit context with its slope, for infinite and finite batches."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(2 * PANEL[0], PANEL[1]))
    n_arms, p_best, baseline = _GRADED
    policy, advantage = evenly_graded(n_arms, p_best, baseline)
    chi = arm_delight(policy, advantage)
    rates = np.linspace(0.0, 1.0, 501)
    limit = rate_value(chi, policy, rates)
    left.plot(rates, limit.value, color="black", label="B → ∞: V(ρ)")
    for size, colour in zip((8, 40), _shades(2), strict=True):
        n_kept = np.arange(1, size + 1)
        line = finite_rate_value(chi, policy, size, n_kept)
        left.plot(n_kept / size, line, color=colour, ls="--", label=f"B = {size}")
        context = {"n_arms": n_arms, "p_best": p_best, "baseline": baseline, "batch_size": size}
        found = points("rate-value", "value", **context)
        error = 1.96 * found["standard_error"]
        left.errorbar(found["n_kept"] / size, found["estimate"], error, color=colour, **_POINTS)
    natural, possible = float(policy[chi > 0].sum()), float(policy[chi >= 0].sum())
    for ax in (left, right):
        ax.axvspan(natural, possible, color="0.92", lw=0)
    right.step(rates[1:-1], limit.price_low[1:-1], where="post", color="black")
    right.axhline(0.0, color="0.6", lw=0.8)
    right.text((natural + possible) / 2, 0.05, "price 0", ha="center", va="bottom", fontsize=7.5)
    left.set(xlabel="gate rate, ρ", ylabel="delight collected per sample\n(nats × reward)", title="value of a rate")
    right.set(xlabel="gate rate, ρ", ylabel="price λ = V′(ρ)\n(nats × reward)", title="its slope is the price")
    left.set_ylim(top=1.55 * float(limit.value.max()))
    left.legend(
        title="point: simulated, exactly ρB kept", title_fontsize=7.5, loc="upper left", ncols=3, columnspacing=1
    )
    label_panels([left, right])
    return figure


def quality_cost_frontier() -> Figure:
    """Trace the gate over prices at several temperatures: rate, cost of signal, and efficiency of a budget."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1] + 0.5))
    n_arms, p, b = _CONTEXT
    for temperature, colour in zip(_TEMPERATURES, _shades(3), strict=True):
        path = frontier(*symmetric_arms(n_arms, p, b), np.linspace(-4.0, 3.0, 351), temperature)
        rate = path.backward_rate
        for ax, line in zip(axes, _quality(path.moments, rate), strict=True):
            ax.plot(rate, line, color=colour, label=f"η = {temperature:g}" if ax is axes[0] else None)
        context = {"n_arms": n_arms, "p_correct": p, "constant_baseline": b, "temperature": temperature}
        kept = points("price-gates", "backward rate", **context)["estimate"]
        for ax, quantity in zip(axes, ("signal", "cost of signal", "efficiency"), strict=True):
            found = points("price-gates", quantity, **context)
            ax.errorbar(kept, found["estimate"], 1.96 * found["standard_error"], color=colour, **_POINTS)
    for name, weights in (("PG", (1.0, 1.0)), ("zero price", (1.0, 0.0))):
        style, rate = method_style(name), np.asarray(p * weights[0] + (1 - p) * weights[1])
        for ax, value in zip(axes, _quality(symmetric_moments(p, n_arms, b, *weights), rate), strict=True):
            label = name if ax is axes[0] else None
            ax.plot(rate, value, style.marker, color=style.colour, ms=7, zorder=5, label=label)
    axes[0].set(ylabel="signal per forward sample (reward)", title="signal against rate")
    axes[1].set(ylabel="cost of signal, ρE‖g‖²/‖E g‖²", title="second moment per backward pass")
    axes[2].set(ylabel=f"efficiency of {_BUDGET:g} backward passes", title="quality at a fixed cost")
    for ax in axes:
        ax.set_xlabel("backward passes per forward sample, ρ")
    title = f"K = {n_arms}, p = {p:g}, b = {b:g}; lines: the price rises from right to left, points: simulated"
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, title=title, title_fontsize=7.5, loc="outside lower center", ncols=5)
    label_panels(list(axes))
    return figure


def _quality(moments: GradientMoments, rate: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return signal, cost of signal and efficiency of the budget."""
    second = moments.var_parallel + moments.var_perpendicular + moments.signal**2
    return moments.signal, rate * second / moments.signal**2, efficiency_per_backward(moments, rate, _BUDGET)


def exact_k_or_price() -> Figure:
    """Draw the noise of exact-k and of the price gate: along ∇J against B and against ρ, and across it against ρ."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    n_arms, p, b = _EXACT_CONTEXT
    sizes = np.unique(np.round(np.geomspace(1, 32, 40)).astype(int)) * 10  # so that ρB is whole
    for rate, opacity in ((0.2, 1.0), (0.5, 0.5)):
        exact = exact_rate_moments(p, n_arms, b, sizes, [kept_count(rate, size) for size in sizes]).var_parallel
        price = np.full(len(sizes), _price_moments(np.asarray(rate)).var_parallel)
        for name, line in (("exact k", exact), ("price at the same rate", price)):
            style = method_style(name)
            axes[0].plot(sizes, line, style.line, color=style.colour, alpha=opacity)
            draw_rows(axes[0], _found(name, "parallel variance", rate=rate), "batch_size", style)
    axes[0].text(90, 3e-4, "exact k,\nρ = 0.2 < p", fontsize=7.5, va="bottom")
    axes[0].text(10, 0.12, "price at both rates; exact k, ρ = 0.5 > p (pale)", fontsize=7.5)
    axes[0].set(
        xlabel="batch size, B (samples)",
        ylabel=r"$B\,\mathrm{Var}_\parallel$ (squared reward)",
        xscale="log",
        yscale="log",
        ylim=(1e-7, 1.0),
        title="along ∇J, against B",
    )
    _against_rate(axes[1], axes[2])
    axes[1].legend(title=f"K = {n_arms}, p = {p:g}, b = {b:g}", title_fontsize=7.5, loc="lower right")
    label_panels(list(axes))
    return figure


def _against_rate(along: Axes, across: Axes) -> None:
    """Draw both variances at B = 40 against the rate."""
    n_arms, p, b = _EXACT_CONTEXT
    size = 40
    n_kept = np.arange(1, size + 1)
    lines = {
        "exact k": exact_rate_moments(p, n_arms, b, size, n_kept),
        "price at the same rate": _price_moments(n_kept / size),
    }
    for name, moments in lines.items():
        style = method_style(name)
        along.plot(n_kept / size, moments.var_parallel, style.line, color=style.colour, label=name)
        draw_rows(along, _found(name, "parallel variance", batch_size=size), "rate", style)
        across.plot(n_kept / size, moments.var_perpendicular, style.line, color=style.colour)
        draw_rows(across, _found(name, "perpendicular variance", batch_size=size), "rate", style)
    for ax, symbol in ((along, r"\parallel"), (across, r"\perp")):
        ax.axvline(p, color="0.6", lw=0.8, ls=":")
        ax.set(xlabel="gate rate, ρ", ylabel=rf"$B\,\mathrm{{Var}}_{symbol}$ (squared reward)")
    along.set(yscale="log", ylim=(1e-7, 1.0), title=f"along ∇J, B = {size}")
    across.set(title=f"across ∇J, B = {size}")
    across.annotate(
        "ρ = p", (p, 0.95), xycoords=("data", "axes fraction"), ha="right", rotation=90, va="top", fontsize=7.5
    )


def _price_moments(rate: FloatArray) -> GradientMoments:
    """Return the moments of the price gate at a rate."""
    n_arms, p, b = _EXACT_CONTEXT
    return symmetric_moments(p, n_arms, b, *price_weights(p, rate), bernoulli=True)


def _found(name: str, quantity: str, **where: float) -> pd.DataFrame:
    """Return simulated rows of a gate of the figure."""
    n_arms, p, b = _EXACT_CONTEXT
    method = "exact-k" if name == "exact k" else "price-at-rate"
    context = {"n_arms": n_arms, "p_correct": p, "constant_baseline": b}
    return points("rate-gates", quantity, method=method, **context, **where)
