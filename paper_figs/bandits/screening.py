"""Figures of screening rules: where additive scores turn, and what every rule keeps at a rate."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.screening import additive_odds_limit, additive_threshold, screen_context
from paper_figs.arranging import label_at
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import points
from paper_figs.wording import ACROSS, P_CORRECT, number, percent, simulated

__all__ = ["additive_scores", "screening_at_rate"]

FloatArray = NDArray[np.float64]
_K, _P, _BASELINE, _ALPHA = 10, 0.3, 0.25, 0.5  # here surprisal and the additive rule keep failures first
_BUDGET = 10.0  # backward passes
_RIGHT = 0.99
# Rules that cannot be told apart in one context share a line; where its name stands, at which share of successes.
_DRAWN = {
    "delight": ("delight, advantage,\nabs-advantage", 0.45, 0.72),
    "surprisal": ("surprisal, additive (α = 1/2)", 0.02, 0.04),
    "uniform": ("uniform, entropy-band", 0.02, 0.34),
    "positive-surprisal": ("positive-surprisal", 0.45, 1.04),
}


def additive_scores() -> Figure:
    """Draw α* against p, the critical odds of the right arm against α, and how often a failure tops a batch."""
    figure, axes = panels(3, height=2.2)
    sizes = (2, 10, 100, 1000)
    needed, turns = {}, {}
    for n_arms, colour in zip(sizes, shades(len(sizes)), strict=True):
        odds = np.geomspace((1 + 1e-6) / (n_arms - 1), 1e4, 400)
        p = odds / (1 + odds)
        axes[0].plot(p, additive_threshold(p, n_arms), color=colour)
        alpha = np.linspace(0.0, 0.97, 400)
        axes[1].plot(alpha, np.exp(additive_odds_limit(alpha, n_arms)), color=colour, label=f"K = {n_arms:,}")
        needed[n_arms] = float(additive_threshold(np.array(0.9), n_arms))
        turns[n_arms] = float(np.exp(additive_odds_limit(0.9, n_arms)))
    axes[0].set(xlabel=P_CORRECT, ylabel="threshold α*", ylim=(0.0, 1.0))
    low, high = min(needed, key=lambda k: needed[k]), max(needed, key=lambda k: needed[k])
    finding(axes[0], f"At p = 0.9 α must exceed {number(needed[low])} with K = {low:,}, {number(needed[high])} with "
                     f"K = {high:,}")  # fmt: skip
    axes[1].set(xlabel="weight of the advantage, α", ylabel="critical odds p/(1 − p)", yscale="log", ylim=(5e-4, 1e8))
    finding(axes[1], f"α = 0.9 ranks failures first up to odds of {number(min(turns.values()))} to "
                     f"{number(max(turns.values()))}")  # fmt: skip
    for right, name in ((_RIGHT, "99 % right"), (1 - 1e-6, "one error in a million")):
        reference(axes[1], y=right / (1 - right))
        axes[1].text(0.12, 1.4 * right / (1 - right), name, color="0.35")
    _failures(axes[2])
    label_at(axes[1], {f"K = {n_arms:,}": (0.02, 0, 0.5) for n_arms in sizes})
    caption(f"""The weight α* of the advantage below which an additive score αU + (1 − α)ℓ ranks failures above
        successes (a), the odds p/(1 − p) up to which a fixed α does so (b), and how often the best of a batch of
        20 is a failure, K = 10 (c). p: probability of the correct arm, K: arms, ℓ: surprisal; the reward gap is 1.
        Lines: exact. {simulated("additive-top")}""")
    return figure


def _failures(ax: Axes) -> None:
    """Draw how often the best of 20 samples is a failure while the policy learns, K = 10."""
    size, line = 20, np.linspace(-3.0, 12.0, 1_501)
    success, failure = -np.expm1(-size * np.logaddexp(0.0, -line)), np.exp(-size * np.logaddexp(0.0, line))
    style = method_style("additive")
    for alpha, marker in ((0.5, "s"), (0.8, "o"), (0.9, "^")):
        turn = float(additive_odds_limit(alpha, _K))
        ax.plot(np.exp(line), np.where(line > turn, success, failure), color=style.colour)
        context: dict[str, float | str] = {"rule": "additive", "alpha": alpha, "n_arms": _K, "batch_size": size}
        found = points("additive-top", "failure on top", **context)
        draw_rows(ax, found.assign(odds=np.exp(found["log_odds"])), "odds", MethodStyle(style.colour, marker))
        ax.text(float(np.exp(turn)), 1.04, f"{alpha:g}", color=style.colour, ha="center")
    ax.text(2.5e3, 1.04, "= α, additive", color=style.colour)
    style = method_style("delight")
    ax.plot(np.exp(line), failure, color=style.colour)
    found = points("additive-top", "failure on top", rule="delight", n_arms=_K, batch_size=size)
    draw_rows(ax, found.assign(odds=np.exp(found["log_odds"])), "odds", style)
    ax.text(4e3, 0.06, "delight", color=style.colour)
    ax.set(xscale="log", xlabel="odds of the correct arm", ylabel="batches topped by a failure")
    ax.set_ylim(-0.03, 1.15)
    odds = float(np.log(_RIGHT / (1 - _RIGHT)))
    worst = float(np.interp(odds, line, success)) if odds > float(additive_odds_limit(0.8, _K)) else 0.0
    best = float(np.interp(odds, line, failure))
    finding(ax, f"At {percent(_RIGHT)} right a failure tops {percent(worst)} of batches (α = 0.8), "
                f"by delight {_share(best)}")  # fmt: skip


def screening_at_rate() -> Figure:
    """Draw purity, signal and noise of what rules keep, and the efficiency of a budget, against the rate."""
    figure, axes = panels(4, height=1.9)
    rates = np.linspace(0.005, 1.0, 400)
    context = {"n_arms": _K, "p_correct": _P, "baseline": _BASELINE, "alpha": _ALPHA, "n_backward": _BUDGET}
    at: dict[str, list[float]] = {}
    for rule, (name, *place) in _DRAWN.items():
        style = method_style(rule)
        for ax, (quantity, value) in zip(axes, _kept(rule, rates).items(), strict=True):
            ax.plot(rates, value, color=style.colour)
            draw_rows(ax, points("screening", quantity, rule=rule, **context), "rate", style)
        axes[0].text(place[0], place[1], name, color=style.colour)
        at[rule] = [float(value[0]) for value in _kept(rule, np.array([_P])).values()]
    whole = [float(value[0]) for value in _kept("uniform", np.array([1.0])).values()]
    labels = ("share of successes kept", "signal per sample", ACROSS, "efficiency")
    for ax, label in zip(axes, labels, strict=True):
        reference(ax, x=_P)
        ax.set(xlabel="gate rate, ρ", ylabel=label)
    axes[0].set_ylim(-0.05, 1.2)
    axes[3].set_ylim(0.0, 1.05)
    good, chance, bad = at["delight"], at["uniform"], at["surprisal"]
    finding(
        axes[0],
        f"At ρ = p delight keeps successes alone, surprisal {percent(bad[0])}"
        if good[0] > 1 - 1e-9
        else f"At ρ = p {percent(good[0])} of what delight keeps are successes, by surprisal {percent(bad[0])}",
    )
    finding(
        axes[1],
        f"There delight has {percent(good[1] / whole[1])} of PG's signal, surprisal {percent(bad[1] / whole[1])}",
    )
    finding(
        axes[2],
        f"There delight has {_share(good[2] / whole[2])} of PG's noise, surprisal {_share(bad[2] / whole[2])}",
    )
    finding(axes[3], f"{_BUDGET:g} backward passes: {number(good[3])} by delight, {number(chance[3])} at random, "
                     f"{number(bad[3])} by surprisal")  # fmt: skip
    caption(f"""What a screening rule that keeps the top ρ keeps: share of successes (a), signal per forward sample
        (b), noise across ∇J (c), and the part of a mean gradient's energy that is signal when {_BUDGET:g} samples are
        kept (d). Rules that rank one context alike share a line, named in (a). K = {_K} arms, p = {_P:g} (dotted),
        baseline {_BASELINE:g}. Lines: exact, B → ∞. {simulated("screening")}""")
    return figure


def _kept(rule: str, rates: FloatArray) -> dict[str, FloatArray]:
    """Return what a rule keeps at each rate, by the names of the sweep's quantities."""
    kept = screen_context(*symmetric_arms(_K, _P, _BASELINE), rule, rates)
    return {
        "share of successes": kept.composition[:, 0],
        "signal": np.asarray(kept.moments.signal),
        "perpendicular variance": np.asarray(kept.moments.var_perpendicular),
        "efficiency": np.asarray(kept.efficiency_per_backward(_BUDGET)),
    }


def _share(value: float) -> str:
    """Return a share in percent, or that there is none of it."""
    return percent(value) if value > 1e-9 else "none"
