"""Figures of screening rules: where additive scores turn, and what every rule keeps at a rate."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import additive_odds_limit, additive_threshold, screen_context
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import method_style, shades
from paper_figs.tables import points
from paper_figs.wording import simulated

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
    figure, axes = panels(3)
    sizes = (2, 10, 100, 1000)
    for n_arms, colour in zip(sizes, shades(len(sizes)), strict=True):
        log_odds = np.linspace(-np.log(n_arms - 1) + 1e-6, np.log(0.9999 / 1e-4), 400)
        p = 1 / (1 + np.exp(-log_odds))
        axes[0].plot(p, additive_threshold(p, n_arms), color=colour, label=f"K = {n_arms:,}")
        alpha = np.linspace(0.0, 0.97, 400)
        axes[1].plot(alpha, additive_odds_limit(alpha, n_arms) / np.log(10), color=colour)
    axes[0].set(
        xlabel="probability of the correct arm, p",
        ylabel="threshold α* (failures first below it)",
        ylim=(0.0, 1.0),
    )
    finding(axes[0], "Threshold, reward gap Δ = 1")
    finding(axes[1], "Where a fixed α turns")
    axes[1].set(
        xlabel="weight of the advantage, α",
        ylabel="log₁₀ of the critical odds p/(1−p)",
    )
    for exponent, name in ((2, "99 % right"), (6, "one error in a million")):
        reference(axes[1], y=exponent)
        axes[1].text(0.01, exponent + 0.3, name, color="0.35")
    _failures(axes[2])
    legend_below(axes)
    caption(f"""The weight α* of the advantage below which an additive score αU + (1 − α)ℓ ranks failures above
        successes (a), the odds at which a fixed α turns (b), and how often the best of a batch is a failure (c). p:
        probability of the correct arm, K: arms, Δ: reward gap, ℓ: surprisal. Lines: exact.
        {simulated("additive-top")}""")
    return figure


def _failures(ax: Axes) -> None:
    """Draw how often the best of 20 samples is a failure while the policy learns, K = 10."""
    size, line = 20, np.linspace(-3.0, 12.0, 1_501)
    success, failure = -np.expm1(-size * np.logaddexp(0.0, -line)), np.exp(-size * np.logaddexp(0.0, line))
    for alpha, opacity in ((0.5, 1.0), (0.8, 0.7), (0.9, 0.45)):
        style, turn = method_style("additive"), float(additive_odds_limit(alpha, _K))
        expected = np.where(line > turn, success, failure)
        ax.plot(line, expected, color=style.colour, alpha=opacity, label=f"additive, α = {alpha:g}")
        context: dict[str, float | str] = {"rule": "additive", "alpha": alpha, "n_arms": _K, "batch_size": size}
        draw_rows(ax, points("additive-top", "failure on top", **context), "log_odds", style)
    style = method_style("delight")
    ax.plot(line, failure, color=style.colour, label="delight")
    found = points("additive-top", "failure on top", rule="delight", n_arms=_K, batch_size=size)
    draw_rows(ax, found, "log_odds", style)
    ax.set(
        xlabel="log-odds of the correct arm, log(p/(1−p))",
        ylabel=f"share of batches of {size}\ntopped by a failure",
        ylim=(-0.03, 1.03),
    )
    ax.text(3.9, 0.5, "past its turn every α\nis on this curve")
    finding(ax, f"What a turn costs (K = {_K}, Δ = 1)")


def screening_at_rate() -> Figure:
    """Draw purity, signal and noise of what rules keep, and the efficiency of a budget, against the rate."""
    figure, axes = panels(4)
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
            ax.plot(rates, value, color=style.colour, label=_LABELS[rule])
            draw_rows(ax, points("screening", quantity, rule=rule, **context), "rate", style)
    labels = (
        ("share of successes in what is kept", "composition"),
        ("signal per forward sample (reward)", "signal"),
        ("B·Var⊥ (squared reward)", "noise across ∇J"),
        (f"efficiency of {_BUDGET:g} backward passes", "quality at a fixed cost"),
    )
    for ax, (label, title) in zip(axes, labels, strict=True):
        reference(ax, x=_P)
        ax.set(xlabel="gate rate, ρ", ylabel=label)
        finding(ax, title)
    axes[0].set_ylim(-0.03, 1.05)
    axes[3].set_ylim(0.0, 1.05)
    legend_below(axes[:1])
    caption(f"""What a screening rule that keeps the top ρ keeps: share of successes (a), signal per forward sample
        (b), noise across ∇J (c), and the part of a mean gradient's energy that is signal when {_BUDGET:g} samples are
        kept (d). Rules that rank one context alike share a line. K = {_K} arms, p = {_P:g} (dotted), baseline
        {_BASELINE:g}. Lines: exact, B → ∞. {simulated("screening")}""")
    return figure
