"""Figures of the gate: its law, the value of a rate, what a backward pass buys, exact-k against a price."""

from __future__ import annotations

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
from paper_figs.arranging import label_at, label_curves, stack_names
from paper_figs.marks import REFERENCE, draw_exact, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import points
from paper_figs.wording import ACROSS, ALONG, farthest, number, percent, simulated

__all__ = ["exact_k_or_price", "gate_law", "price_rate_duality", "quality_cost_frontier"]

FloatArray = NDArray[np.float64]
Context = tuple[int, float, float]
"""Arms, probability of the correct or the best one, baseline."""


def gate_law(temperatures: tuple[float, ...] = (0.1, 0.5, 2.0)) -> Figure:
    """Draw the gate's probability and the value of the choice against χ − λ, with frequencies of sampled gates."""
    figure, (left, right) = panels(2)
    line = np.linspace(-2.5, 2.5, 401)
    frames = []
    for temperature, colour in zip(temperatures, shades(len(temperatures)), strict=True):
        left.plot(line, gate_probability(line, 0.0, temperature), color=colour)
        found = points("gate-frequency", "gate frequency", temperature=temperature)
        frames.append(found)
        draw_rows(left, found, "excess", MethodStyle(colour, "o"))
        value = temperature * np.logaddexp(0.0, line / temperature)
        right.plot(line, value, color=colour, label=f"η = {temperature:g}")
    left.step(line, line > 0, where="mid", color="0.4", ls=":", gid=REFERENCE)
    right.plot(line, np.maximum(line, 0.0), color="0.4", ls=":", gid=REFERENCE, label="η → 0")
    label = "delight less price, χ − λ (nats × reward)"
    left.set(xlabel=label, ylabel="gate probability, w*")
    right.set(xlabel=label, ylabel="value (nats × reward)", xlim=(-2.5, 2.5), ylim=(0, None))
    finding(left, f"Sampled gates follow σ((χ − λ)/η): all within {farthest(*frames)} standard errors")
    gain = max(temperatures) * np.log(2.0)
    finding(
        right, f"A soft gate gains most where χ = λ: η log 2, at η = {max(temperatures):g} that is {number(gain)}"
    )
    label_curves(right)
    caption(f"""The gate that maximises E[wχ] less the price of what it keeps plus η times its entropy keeps a sample
        of delight χ with probability w* = σ((χ − λ)/η) (a), which is worth η log(1 + exp((χ − λ)/η)) (b). λ: price,
        η: temperature; dotted: the hard gate, η → 0. Lines: exact. {simulated("gate-frequency")}""")
    return figure


def price_rate_duality(n_arms: int = 5, p_best: float = 0.15, baseline: float = 0.5) -> Figure:
    """Draw V(ρ) of a bandit context with its slope, for infinite and finite batches."""
    figure, (left, right) = panels(2)
    policy, advantage = evenly_graded(n_arms, p_best, baseline)
    chi = arm_delight(policy, advantage)
    rates = np.linspace(0.0, 1.0, 501)
    limit = rate_value(chi, policy, rates)
    left.plot(rates, limit.value, color="black", label="B → ∞")
    frames = []
    for size, colour in zip((8, 40), shades(3)[::2], strict=True):
        n_kept = np.arange(1, size + 1)
        left.plot(n_kept / size, finite_rate_value(chi, policy, size, n_kept), color=colour, label=f"B = {size}")
        context = {"n_arms": n_arms, "p_best": p_best, "baseline": baseline, "batch_size": size}
        found = points("rate-value", "value", **context)
        frames.append(found)
        draw_rows(left, found.assign(rate=found["n_kept"] / size), "rate", MethodStyle(colour, "o"))
    natural, possible = float(policy[chi > 0].sum()), float(policy[chi >= 0].sum())
    for ax in (left, right):
        ax.axvspan(natural, possible, color="0.92", lw=0)
    right.step(rates[1:-1], limit.price_low[1:-1], where="post", color="black")
    reference(right, y=0.0)
    right.text((natural + possible) / 2, 0.05, "price 0", ha="center", va="bottom")
    left.set(xlabel="gate rate, ρ", ylabel="delight collected per sample\n(nats × reward)", xlim=(0, 1))
    right.set(xlabel="gate rate, ρ", ylabel="price λ = V′(ρ)\n(nats × reward)")
    finding(left, f"A rate of {number(natural)} to {number(possible)} collects all delight there is")
    finding(right, f"The slope falls in {len(np.unique(np.round(limit.price_low[1:-1], 12)))} steps: each is a price")
    label_curves(left)
    caption(f"""The most delight that a rate ρ can collect per sample, V(ρ), in one context (a), and its slope, the
        price λ at which the gate keeps that rate (b). K = {n_arms} arms with rewards from 1 down to 0, probability
        {p_best:g} of the best, baseline {baseline:g}; grey: rates of price 0. Lines: exact, for batches of B samples
        of which exactly ρB are kept. {simulated("rate-value")} They are at most
        {farthest(*frames) if len(pd.concat(frames)) else "–"} standard errors from the lines.""")
    return figure


def quality_cost_frontier(
    n_arms: int = 10, p_correct: float = 0.2, baseline: float = 0.5, budget: float = 10.0
) -> Figure:
    """Trace the gate over prices at several temperatures: rate, cost of signal, and efficiency of a budget."""
    figure, axes = panels(3)
    temperatures = (0.1, 0.5, 2.0)
    context: Context = (n_arms, p_correct, baseline)
    for temperature, colour in zip(temperatures, shades(3), strict=True):
        path = frontier(*symmetric_arms(*context), np.linspace(-4.0, 3.0, 351), temperature)
        rate = path.backward_rate
        for ax, line in zip(axes, _quality(path.moments, rate, budget), strict=True):
            ax.plot(rate, line, color=colour, label=f"η = {temperature:g}")
        where = {"n_arms": n_arms, "p_correct": p_correct, "constant_baseline": baseline, "temperature": temperature}
        kept = points("price-gates", "backward rate", **where)["estimate"].to_numpy()
        for ax, quantity in zip(axes, ("signal", "cost of signal", "efficiency"), strict=True):
            found = points("price-gates", quantity, **where)
            if len(found) == len(kept):
                draw_rows(ax, found.assign(kept=kept), "kept", MethodStyle(colour, "o"))
    ends = {}
    for name, weights in (("PG", (1.0, 1.0)), ("zero price", (1.0, 0.0))):
        style, rate = method_style(name), np.asarray(p_correct * weights[0] + (1 - p_correct) * weights[1])
        ends[name] = _quality(symmetric_moments(p_correct, n_arms, baseline, *weights), rate, budget)
        for ax, value in zip(axes, ends[name], strict=True):
            draw_exact(ax, rate, value, style.colour, zorder=5)
        right, above = (-5, 1) if name == "PG" else (5, -3)
        axes[1].annotate(name, (float(rate), float(ends[name][1])), (right, above), textcoords="offset points",
                         color=style.colour, ha="right" if right < 0 else "left", va="center")  # fmt: skip
    axes[0].set(ylabel="signal per forward sample (reward)")
    axes[1].set(ylabel="cost of signal, ρE‖g‖²/‖E g‖²", ylim=(0, None))
    axes[2].set(ylabel=f"efficiency of {budget:g} backward passes")
    for ax in axes:
        ax.set_xlabel("backward passes per sample, ρ")
    (pg, pg_cost, pg_quality), (zero, cost, quality) = (ends[name] for name in ("PG", "zero price"))
    finding(axes[0], f"Zero price keeps {number(float(100 * zero / pg))} % of PG's signal")
    finding(axes[1], f"… at a cost per unit of signal {number(float(pg_cost / cost))} times lower")
    finding(axes[2], f"Efficiency {number(float(quality))} in place of PG's {number(float(pg_quality))}")
    stack_names(axes[2], (0.98, 0.98))
    caption(f"""The gate traced over its prices, from low (right) to high (left), at three temperatures η: signal per
        forward sample (a), second moment of the gradient per backward pass over squared signal (b), and the part of a
        mean gradient's energy that is signal when {budget:g} samples are kept (c). One context of K = {n_arms} arms,
        p = {p_correct:g}, baseline {baseline:g}. Lines and crosses: exact. {simulated("price-gates")}""")
    return figure


def _quality(moments: GradientMoments, rate: FloatArray, budget: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return signal, cost of signal and efficiency of the budget."""
    second = moments.var_parallel + moments.var_perpendicular + moments.signal**2
    return moments.signal, rate * second / moments.signal**2, efficiency_per_backward(moments, rate, budget)


def exact_k_or_price(
    n_arms: int = 10, p_correct: float = 0.3, baseline: float = 0.25, batch_size: int = 40
) -> Figure:
    """Draw the noise of exact-k and of the price gate: along ∇J against B and against ρ, and across it against ρ."""
    figure, axes = panels(3)
    context: Context = (n_arms, p_correct, baseline)
    sizes = np.unique(np.round(np.geomspace(1, 32, 40)).astype(int)) * 10  # so that ρB is whole
    exact = np.empty(0)
    for rate, opacity in ((0.5, 0.45), (0.2, 1.0)):
        exact = exact_rate_moments(
            p_correct, n_arms, baseline, sizes, [kept_count(rate, size) for size in sizes]
        ).var_parallel
        price = np.full(len(sizes), _price_moments(context, np.asarray(rate)).var_parallel)
        for name, line in (("exact k", exact), ("price at the same rate", price)):
            style = method_style(name)
            axes[0].plot(sizes, line, color=style.colour, alpha=opacity)
            draw_rows(axes[0], _found(context, name, "parallel variance", rate=rate), "batch_size", style)
    axes[0].text(0.03, 0.06, "exact k, ρ = 0.2", transform=axes[0].transAxes, color=method_style("exact k").colour)
    axes[0].text(0.03, 0.97, "price; exact k at ρ = 0.5 (pale)", transform=axes[0].transAxes, va="top")
    axes[0].set(xlabel="batch size, B (samples)", ylabel=ALONG)
    axes[0].set(xscale="log", yscale="log", ylim=(1e-7, 1.0))
    less = float(price[-1] / exact[-1])
    finding(axes[0], f"Below ρ = p exact k has {number(less)} times less noise along ∇J at B = {sizes[-1]}")
    _against_rate(axes[1], axes[2], context, batch_size)
    label_at(axes[1], {"exact k": (0.3, 5, -5), "price at the same rate": (0.05, 0, 12)})
    caption(f"""Noise of keeping exactly k = ρB samples by delight, and of a price that keeps the same rate on
        average: along ∇J against the batch size (a) and the rate (b), and across it (c). One context of K = {n_arms}
        arms, p = {p_correct:g} (dotted), baseline {baseline:g}; in (b) and (c) B = {batch_size}. Lines: exact.
        {simulated("rate-gates")}""")
    return figure


def _against_rate(along: Axes, across: Axes, context: Context, size: int) -> None:
    """Draw both variances against the rate."""
    n_arms, p, b = context
    n_kept = np.arange(1, size + 1)
    lines = {
        "exact k": exact_rate_moments(p, n_arms, b, size, n_kept),
        "price at the same rate": _price_moments(context, n_kept / size),
    }
    for name, moments in lines.items():
        style = method_style(name)
        along.plot(n_kept / size, moments.var_parallel, color=style.colour, label=name)
        draw_rows(along, _found(context, name, "parallel variance", batch_size=size), "rate", style)
        across.plot(n_kept / size, moments.var_perpendicular, color=style.colour)
        draw_rows(across, _found(context, name, "perpendicular variance", batch_size=size), "rate", style)
    for ax, label in ((along, ALONG), (across, ACROSS)):
        reference(ax, x=p)
        ax.set(xlabel="gate rate, ρ", ylabel=label)
    along.set(yscale="log", ylim=(1e-7, 1.0))
    exact, price = (np.asarray(moments.var_parallel) for moments in lines.values())
    below, at = (max(1, round(share * p * size)) - 1 for share in (2 / 3, 1.0))
    finding(along, f"At B = {size} it has {number(float(price[below] / exact[below]))} times less at "
                   f"ρ = {n_kept[below] / size:g}, {number(float(price[at] / exact[at]))} at ρ = p")  # fmt: skip
    exact, price = (np.asarray(moments.var_perpendicular) for moments in lines.values())
    largest = float(max(exact.max(), price.max()))
    apart = float(np.abs(exact - price).max()) / largest if largest else 0.0
    finding(across, f"Across ∇J they differ by at most {percent(apart)} of the largest")


def _price_moments(context: Context, rate: FloatArray) -> GradientMoments:
    """Return the moments of the price gate at a rate."""
    n_arms, p, b = context
    return symmetric_moments(p, n_arms, b, *price_weights(p, rate), bernoulli=True)


def _found(context: Context, name: str, quantity: str, **where: float) -> pd.DataFrame:
    """Return simulated rows of a gate of the figure."""
    n_arms, p, b = context
    method = "exact-k" if name == "exact k" else "price-at-rate"
    given = {"n_arms": n_arms, "p_correct": p, "constant_baseline": b}
    return points("rate-gates", quantity, method=method, **given, **where)
