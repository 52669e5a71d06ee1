"""Figures of the gate: its law, the value of a rate, what a backward pass buys, exact-k against a price."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.exact_rate import exact_rate_moments, finite_rate_value
from kondo_theory.frontier import arm_delight, frontier, rate_value
from kondo_theory.gate import gate_probability, sample_gate, select
from kondo_theory.moments import GradientMoments
from kondo_theory.symmetric import symmetric_moments
from paper_figs.style import PANEL, draw_points, label_panels, method_style
from simulations import bandit_kernels as kernels
from simulations.bandits import Context, Estimate, Gate, MomentEstimates, MomentsConfig, simulate_moments
from simulations.checks.frontier import priced_at_rate, symmetric_arms
from simulations.checks.moments import generator, noise_per_backward, of_means, total_variance
from simulations.statistics import mean_and_error

__all__ = ["exact_k_or_price", "gate_law", "price_rate_duality", "quality_cost_frontier"]

FloatArray = NDArray[np.float64]
_TEMPERATURES = (0.1, 0.5, 2.0)
_CONTEXT = (10, 0.2, 0.5)  # K, p, b of the frontier
_BUDGET = 10  # backward passes
_EXACT_CONTEXT = (10, 0.3, 0.25)
_POINTS: dict[str, Any] = {"fmt": "o", "capsize": 2, "mfc": "white"}


def _shades(n: int) -> list[tuple[float, ...]]:
    """Return colours of a sequence, dark to light; methods have colours of their own."""
    return [tuple(colour) for colour in plt.get_cmap("viridis")(np.linspace(0.05, 0.8, n))]


def gate_law() -> Figure:
    """Draw the gate's probability and the value of the choice against χ − λ, with frequencies of sampled gates."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(2 * PANEL[0], PANEL[1]))
    line, points = np.linspace(-2.5, 2.5, 401), np.linspace(-2.25, 2.25, 10)
    n_draws = 2_000
    for index, (temperature, colour) in enumerate(zip(_TEMPERATURES, _shades(3), strict=True)):
        left.plot(line, gate_probability(line, 0.0, temperature), color=colour)
        law = gate_probability(points, 0.0, temperature)
        found = sample_gate(np.repeat(law[:, None], n_draws, axis=1), generator(30, index)).mean(axis=1)
        error = 1.96 * np.sqrt(law * (1 - law) / n_draws)
        left.errorbar(points, found, error, color=colour, **_POINTS)
        right.plot(
            line, temperature * np.logaddexp(0.0, line / temperature), color=colour, label=f"η = {temperature:g}"
        )
    hard = method_style("zero price")
    left.step(line, line > 0, where="mid", color=hard.colour, ls=":")
    right.plot(line, np.maximum(line, 0.0), color=hard.colour, ls=":", label="hard gate, η → 0")
    label = "delight less price, χ − λ (nats × reward)"
    left.set(xlabel=label, ylabel="gate probability, w*", title="the gate")
    right.set(xlabel=label, ylabel="value (nats × reward)", title="value, η·log(1 + exp((χ−λ)/η))")
    right.legend(title=f"point in (a): {n_draws:,} sampled gates", title_fontsize=7.5, loc="upper left")
    label_panels([left, right])
    return figure


def price_rate_duality() -> Figure:
    """Draw V(ρ) of a bandit context with its slope, for infinite and finite batches."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(2 * PANEL[0], PANEL[1]))
    policy = np.array([0.15, 0.1, 0.2, 0.25, 0.3])
    advantage = np.array([0.6, 0.25, 0.0, -0.3, -0.5])
    chi = arm_delight(policy, advantage)
    rates = np.linspace(0.0, 1.0, 501)
    limit = rate_value(chi, policy, rates)
    left.plot(rates, limit.value, color="black", label="B → ∞: V(ρ)")
    sizes = (8, 40)
    for index, (size, colour) in enumerate(zip(sizes, _shades(2), strict=True)):
        n_kept = np.arange(1, size + 1)
        left.plot(
            n_kept / size, finite_rate_value(chi, policy, size, n_kept), color=colour, ls="--", label=f"B = {size}"
        )
        shown = n_kept if size == sizes[0] else n_kept[3::6]
        _collected(left, chi, policy, size, shown, colour, index)
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


def _collected(
    ax: Axes, chi: FloatArray, policy: FloatArray, size: int, n_kept: NDArray[np.int64], colour: Any, seed: int
) -> None:
    """Draw the mean delight that exactly-k selection collects in simulated batches."""
    rng = generator(31, seed)
    batches = chi[rng.choice(len(policy), size=(2_000, size), p=policy)]
    found = [np.where(select(batches, k / size, rng), batches, 0.0).mean(axis=1) for k in n_kept]
    mean, error = np.array([mean_and_error(collected) for collected in found]).T
    ax.errorbar(n_kept / size, mean, 1.96 * error, color=colour, **_POINTS)


def quality_cost_frontier() -> Figure:
    """Trace the gate over prices at several temperatures: rate, cost of signal, and efficiency of a budget."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1] + 0.5))
    n_arms, p, b = _CONTEXT
    prices, points = np.linspace(-4.0, 3.0, 351), np.linspace(-2.0, 1.5, 6)
    for index, (temperature, colour) in enumerate(zip(_TEMPERATURES, _shades(3), strict=True)):
        path = frontier(*symmetric_arms(n_arms, p, b), prices, temperature)
        variance = path.moments.var_parallel + path.moments.var_perpendicular
        noise = noise_per_backward(path.backward_rate, path.moments.signal, variance)
        axes[0].plot(path.backward_rate, path.moments.signal, color=colour, label=f"η = {temperature:g}")
        axes[1].plot(path.backward_rate, noise + path.backward_rate, color=colour)
        axes[2].plot(path.backward_rate, 1 / (1 + noise / _BUDGET), color=colour)
        for number, price in enumerate(points):
            gate = Gate("price", price=float(price), temperature=temperature)
            _frontier_point(list(axes), gate, colour, 10 * index + number)
    for name, weights in (("PG", (1.0, 1.0)), ("zero price", (1.0, 0.0))):
        moments, style = symmetric_moments(p, n_arms, b, *weights), method_style(name)
        rate = p * weights[0] + (1 - p) * weights[1]
        noise = rate * (moments.var_parallel + moments.var_perpendicular) / moments.signal**2
        for ax, value in zip(axes, (moments.signal, noise + rate, 1 / (1 + noise / _BUDGET)), strict=True):
            ax.plot(
                rate, value, style.marker, color=style.colour, ms=7, zorder=5, label=name if ax is axes[0] else None
            )
    axes[0].set(ylabel="signal per forward sample (reward)", title="signal against rate")
    axes[1].set(ylabel="cost of signal, ρE‖g‖²/‖E g‖²", title="second moment per backward pass")
    axes[2].set(ylabel=f"efficiency of {_BUDGET} backward passes", title="quality at a fixed cost")
    for ax in axes:
        ax.set_xlabel("backward passes per forward sample, ρ")
    title = f"K = {n_arms}, p = {p:g}, b = {b:g}; lines: the price rises from right to left, points: simulated"
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, title=title, title_fontsize=7.5, loc="outside lower center", ncols=5)
    label_panels(list(axes))
    return figure


def _frontier_point(axes: list[Axes], gate: Gate, colour: Any, seed: int) -> None:
    """Draw one simulated gate in the three panels, with 95 % intervals."""
    n_arms, p, b = _CONTEXT
    size = 100
    found = simulate_moments(MomentsConfig(Context.symmetric(p, n_arms, b, gate), size, 100, 100, seed))
    rate, signal = found.statistics[:, kernels.KEPT] / size, found.statistics[:, kernels.SIGNAL]
    columns = rate, signal, total_variance(found, size)
    cost = of_means(lambda r, s, v: noise_per_backward(r, s, v) + r, *columns)
    quality = of_means(lambda r, s, v: 1 / (1 + noise_per_backward(r, s, v) / _BUDGET), *columns)
    for ax, estimate in zip(axes, (found.signal, cost, quality), strict=True):
        error = 1.96 * estimate.standard_error
        ax.errorbar(found.backward_rate.value, estimate.value, error, color=colour, **_POINTS)


def exact_k_or_price() -> Figure:
    """Draw the noise of exact-k and of the price gate: along ∇J against B and against ρ, and across it against ρ."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    n_arms, p, b = _EXACT_CONTEXT
    sizes = np.unique(np.round(np.geomspace(1, 32, 40)).astype(int)) * 10  # so that ρB is whole
    simulated = np.array([10, 20, 40, 80])
    for rate, opacity in ((0.2, 1.0), (0.5, 0.5)):
        exact = exact_rate_moments(p, n_arms, b, sizes, np.round(rate * sizes)).var_parallel
        price = np.full(len(sizes), _price_moments(rate).var_parallel)
        for name, line in (("exact k", exact), ("price at the same rate", price)):
            style = method_style(name)
            axes[0].plot(sizes, line, style.line, color=style.colour, alpha=opacity)
            found = [_simulate(name, rate, int(size), seed).var_parallel for seed, size in enumerate(simulated)]
            _estimates(axes[0], simulated, found, name)
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
    n_kept, shown = np.arange(1, size + 1), np.array([8, 12, 16, 24, 32])
    lines = {
        "exact k": exact_rate_moments(p, n_arms, b, size, n_kept),
        "price at the same rate": _price_moments(n_kept / size),
    }
    for name, moments in lines.items():
        style = method_style(name)
        found = [_simulate(name, k / size, size, 100 + seed) for seed, k in enumerate(shown)]
        along.plot(n_kept / size, moments.var_parallel, style.line, color=style.colour, label=name)
        _estimates(along, shown / size, [row.var_parallel for row in found], name)
        across.plot(n_kept / size, moments.var_perpendicular, style.line, color=style.colour)
        _estimates(across, shown / size, [row.var_perpendicular for row in found], name)
    for ax, symbol in ((along, r"\parallel"), (across, r"\perp")):
        ax.axvline(p, color="0.6", lw=0.8, ls=":")
        ax.set(xlabel="gate rate, ρ", ylabel=rf"$B\,\mathrm{{Var}}_{symbol}$ (squared reward)")
    along.set(yscale="log", ylim=(1e-7, 1.0), title=f"along ∇J, B = {size}")
    across.set(title=f"across ∇J, B = {size}")
    across.annotate(
        "ρ = p", (p, 0.95), xycoords=("data", "axes fraction"), ha="right", rotation=90, va="top", fontsize=7.5
    )


def _price_moments(rate: float | FloatArray) -> GradientMoments:
    """Return the moments of the price gate at a rate."""
    n_arms, p, b = _EXACT_CONTEXT
    right, wrong = np.minimum(1.0, np.asarray(rate) / p), np.maximum(0.0, (np.asarray(rate) - p) / (1 - p))
    return symmetric_moments(p, n_arms, b, right, wrong, bernoulli=True)


def _simulate(name: str, rate: float, size: int, seed: int) -> MomentEstimates:
    n_arms, p, b = _EXACT_CONTEXT
    exact = Context.symmetric(p, n_arms, b, Gate("rate", rate=float(rate)))
    context = exact if name == "exact k" else priced_at_rate(n_arms, p, b, float(rate))
    return simulate_moments(MomentsConfig(context, size, n_batches=200, n_replicates=500, seed=seed))


def _estimates(ax: Axes, x: FloatArray | NDArray[np.int64], found: list[Estimate], name: str) -> None:
    values, errors = [row.value for row in found], [row.standard_error for row in found]
    draw_points(ax, x, values, errors, method_style(name))
