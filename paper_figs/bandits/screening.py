"""Figures of screening rules: where additive scores turn, and what every rule keeps at a rate."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import additive_odds_limit, additive_threshold, screen_context
from paper_figs.style import PANEL, draw_rows, label_panels, method_style
from paper_figs.tables import points

__all__ = ["additive_scores", "screening_at_rate"]

_K, _P, _BASELINE, _ALPHA = 10, 0.3, 0.25, 0.5  # here surprisal and the additive rule keep failures first
_BUDGET = 10.0  # backward passes
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
    size, line = 20, np.linspace(-3.0, 12.0, 1_501)
    success, failure = -np.expm1(-size * np.logaddexp(0.0, -line)), np.exp(-size * np.logaddexp(0.0, line))
    for alpha, dash in ((0.5, "-"), (0.8, "--"), (0.9, ":")):
        style, turn = method_style("additive"), float(additive_odds_limit(alpha, _K))
        expected = np.where(line > turn, success, failure)
        ax.plot(line, expected, dash, color=style.colour, label=f"additive, α = {alpha:g}")
        context: dict[str, float | str] = {"rule": "additive", "alpha": alpha, "n_arms": _K, "batch_size": size}
        draw_rows(ax, points("additive-top", "failure on top", **context), "log_odds", style)
    style = method_style("delight")
    ax.plot(line, failure, color=style.colour, label="delight")
    found = points("additive-top", "failure on top", rule="delight", n_arms=_K, batch_size=size)
    draw_rows(ax, found, "log_odds", style)
    ax.set(
        xlabel="log-odds of the correct arm, log(p/(1−p))",
        ylabel=f"share of batches of {size}\ntopped by a failure",
        title=f"what a turn costs  (K = {_K}, Δ = 1)",
        ylim=(-0.03, 1.03),
    )
    ax.text(3.9, 0.5, "past its turn every α\nis on this curve", fontsize=7.5)
    ax.legend(loc="upper right")


def screening_at_rate() -> Figure:
    """Draw purity, signal and noise of what rules keep, and the efficiency of a budget, against the rate."""
    figure, axes = plt.subplots(1, 4, figsize=(3.6 * PANEL[0], PANEL[1] + 0.6))
    policy, advantage = symmetric_arms(_K, _P, _BASELINE)
    rates = np.linspace(0.005, 1.0, 400)
    context = {"n_arms": _K, "p_correct": _P, "baseline": _BASELINE, "alpha": _ALPHA, "n_backward": _BUDGET}
    for rule in _DRAWN:
        style, parameters = method_style(rule), {"alpha": _ALPHA} if rule == "additive" else {}
        kept = screen_context(policy, advantage, rule, rates, **parameters)
        values = {
            "share of successes": kept.composition[:, 0],
            "signal": kept.moments.signal,
            "perpendicular variance": kept.moments.var_perpendicular,
            "efficiency": kept.efficiency_per_backward(_BUDGET),
        }
        for ax, (quantity, value) in zip(axes, values.items(), strict=True):
            ax.plot(rates, value, style.line, color=style.colour, label=_LABELS[rule])
            draw_rows(ax, points("screening", quantity, rule=rule, **context), "rate", style)
    labels = (
        ("share of successes in what is kept", "composition"),
        ("signal per forward sample (reward)", "signal"),
        (r"$B\,\mathrm{Var}_\perp$ (squared reward)", "noise across ∇J"),
        (f"efficiency of {_BUDGET:g} backward passes", "quality at a fixed cost"),
    )
    for ax, (label, title) in zip(axes, labels, strict=True):
        ax.axvline(_P, color="0.6", lw=0.8, ls=":")
        ax.set(xlabel="gate rate, ρ", ylabel=label, title=title)
    axes[0].set_ylim(-0.03, 1.05)
    axes[3].set_ylim(0.0, 1.05)
    handles, names = axes[0].get_legend_handles_labels()
    title = f"K = {_K}, p = {_P:g} (dotted), b = {_BASELINE:g}; line: B → ∞, point: simulated"
    figure.legend(handles, names, title=title, title_fontsize=7.5, loc="outside lower center", ncols=4)
    label_panels(list(axes))
    return figure
