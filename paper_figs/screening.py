"""Figures of screening rules: where additive scores turn, and what every rule keeps at a rate."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.screening import RULES, additive_odds_limit, additive_threshold, screen_context
from paper_figs.style import PANEL, draw_points, label_panels, method_style
from simulations import bandit_kernels as kernels
from simulations.bandits import Context, Estimate, MomentsConfig, simulate_moments
from simulations.checks.composition import Setting, kept_by_arm
from simulations.checks.frontier import symmetric_arms
from simulations.checks.moments import generator, noise_per_backward, of_means, total_variance
from simulations.checks.screening import Setting as Scored
from simulations.checks.screening import failure_on_top

__all__ = ["additive_scores", "screening_at_rate"]

FloatArray = NDArray[np.float64]
_AT = Setting(10, 0.3, 0.25, alpha=0.5)  # here surprisal and the additive rule keep failures first
_BUDGET = 10  # backward passes
# Rules that cannot be told apart in one context share a line.
_DRAWN = ("delight", "surprisal", "uniform", "positive-surprisal")
_LABELS = {
    "delight": "delight, advantage, |advantage|",
    "surprisal": "surprisal, additive (α = 1/2)",
    "uniform": "uniform, entropy band",
    "positive-surprisal": "surprisal, U > 0 only",
}


def additive_scores() -> Figure:
    """Draw α* against p, the critical probability of failure against α, and how often a failure tops a batch."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    sizes = (2, 10, 100, 1000)
    colours = [tuple(colour) for colour in plt.get_cmap("viridis")(np.linspace(0.05, 0.8, len(sizes)))]
    for n_arms, colour in zip(sizes, colours, strict=True):
        log_odds = np.linspace(-np.log(n_arms - 1) + 1e-6, np.log(0.9999 / 1e-4), 400)
        p = 1 / (1 + np.exp(-log_odds))
        axes[0].plot(p, additive_threshold(p, n_arms), color=colour, label=f"K = {n_arms:,}")
        alpha = np.linspace(0.0, 0.97, 400)
        axes[1].plot(alpha, additive_odds_limit(alpha, n_arms) / np.log(10), color=colour)
    axes[0].set(
        xlabel="probability of the correct arm, p",
        ylabel="threshold α* (failures first below it)",
        title="threshold, reward gap Δ = 1",
        ylim=(0.0, 1.0),
    )
    axes[0].legend(loc="lower right")
    axes[1].set(
        xlabel="weight of the advantage, α",
        ylabel="log₁₀ of the critical odds p/(1−p)",
        title="where a fixed α turns",
    )
    for exponent, name in ((2, "99 % right"), (6, "one error in a million")):
        axes[1].axhline(exponent, color="0.7", lw=0.8, ls=":")
        axes[1].text(0.01, exponent + 0.3, name, fontsize=7.5, color="0.35")
    _failures(axes[2])
    label_panels(list(axes))
    return figure


def _failures(ax: Axes) -> None:
    """Draw how often the best of 20 samples is a failure while the policy learns, K = 10."""
    size, n_batches, at = 20, 1_000, Scored(10, 0.5, 1.0, 0.5)
    line, points = np.linspace(-3.0, 12.0, 1_501), np.linspace(-3.0, 12.0, 16)
    success, failure = -np.expm1(-size * np.logaddexp(0.0, -line)), np.exp(-size * np.logaddexp(0.0, line))
    curves = {f"additive, α = {alpha:g}": ("additive", alpha) for alpha in (0.5, 0.8, 0.9)}
    curves["delight"] = ("delight", 0.0)
    dashes = {0.5: "-", 0.8: "--", 0.9: ":"}
    for index, (label, (rule, alpha)) in enumerate(curves.items()):
        style = method_style(rule)
        parameters = {"alpha": alpha} if rule == "additive" else {}
        turn = float(additive_odds_limit(alpha, at.n_arms)) if rule == "additive" else np.inf
        expected = np.where(line > turn, success, failure)
        ax.plot(line, expected, dashes.get(alpha, "-"), color=style.colour, label=label)
        found = [
            failure_on_top(n_batches, size, at, float(x), RULES[rule], generator(40, index), **parameters)
            for x in points
        ]
        share = np.array([x.mean() for x in found])
        draw_points(ax, points, share, np.sqrt(share * (1 - share) / n_batches), style)
    ax.set(
        xlabel="log-odds of the correct arm, log(p/(1−p))",
        ylabel=f"share of batches of {size}\ntopped by a failure",
        title=f"what a turn costs  (K = {at.n_arms}, Δ = 1)",
        ylim=(-0.03, 1.03),
    )
    ax.text(3.9, 0.5, "past its turn every α\nis on this curve", fontsize=7.5)
    ax.legend(loc="upper right")


def screening_at_rate() -> Figure:
    """Draw purity, signal and noise of what rules keep, and the efficiency of a budget, against the rate."""
    figure, axes = plt.subplots(1, 4, figsize=(3.6 * PANEL[0], PANEL[1] + 0.6))
    policy, advantage = symmetric_arms(_AT.n_arms, _AT.p, _AT.baseline)
    rates, points = np.linspace(0.005, 1.0, 400), np.array([0.05, 0.2, 0.4, 0.6, 0.8, 1.0])
    for seed, rule in enumerate(_DRAWN):
        style = method_style(rule)
        kept = screen_context(policy, advantage, rule, rates, **_AT.parameters(rule))
        values = (
            kept.composition[:, 0],
            kept.moments.signal,
            kept.moments.var_perpendicular,
            kept.efficiency_per_backward(_BUDGET),
        )
        for ax, value in zip(axes, values, strict=True):
            ax.plot(rates, value, style.line, color=style.colour, label=_LABELS[rule])
        found = [_simulate(rule, float(rate), seed) for rate in points]
        for ax, column in zip(axes, zip(*found, strict=True), strict=True):
            draw_points(ax, points, [x.value for x in column], [x.standard_error for x in column], style)
    labels = (
        ("share of successes in what is kept", "composition"),
        ("signal per forward sample (reward)", "signal"),
        (r"$B\,\mathrm{Var}_\perp$ (squared reward)", "noise across ∇J"),
        (f"efficiency of {_BUDGET} backward passes", "quality at a fixed cost"),
    )
    for ax, (label, title) in zip(axes, labels, strict=True):
        ax.axvline(_AT.p, color="0.6", lw=0.8, ls=":")
        ax.set(xlabel="gate rate, ρ", ylabel=label, title=title)
    axes[0].set_ylim(-0.03, 1.05)
    axes[3].set_ylim(0.0, 1.05)
    handles, names = axes[0].get_legend_handles_labels()
    title = f"K = {_AT.n_arms}, p = {_AT.p:g} (dotted), b = {_AT.baseline:g}; line: B → ∞, point: simulated"
    figure.legend(handles, names, title=title, title_fontsize=7.5, loc="outside lower center", ncols=4)
    label_panels(list(axes))
    return figure


def _simulate(rule: str, rate: float, seed: int) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Return share, signal and B·Var_⊥ of exactly k of 1,000, and the efficiency of independently kept samples."""
    size = 1_000
    counts, along, across = kept_by_arm(_AT, rule, rate, n_batches=500, batch_size=size, seed=seed)
    share = counts[:, 0] / counts.sum(axis=1)
    policy, advantage = symmetric_arms(_AT.n_arms, _AT.p, _AT.baseline)
    keep = screen_context(policy, advantage, rule, rate, **_AT.parameters(rule)).keep
    drawn = simulate_moments(MomentsConfig(Context(policy, advantage, keep=keep), 200, 100, 100, seed))
    columns = drawn.statistics[:, kernels.KEPT] / 200, drawn.statistics[:, kernels.SIGNAL], total_variance(drawn, 200)
    quality = of_means(lambda r, s, v: 1 / (1 + noise_per_backward(r, s, v) / _BUDGET), *columns)
    return Estimate.of(share), Estimate.of(along), Estimate.of(size * across), quality
