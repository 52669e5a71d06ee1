"""Figures of the screening rules on tokens that share one advantage: in theory, and in the transformer."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory import token_trap as closed
from kondo_theory.screening import RULES, additive_odds_limit
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.arranging import label_curves
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.sensitivity import draw_seeds, error_axis, final_errors
from paper_figs.reversal.trap import GROUP
from paper_figs.style import method_style, shades
from paper_figs.tables import points, reversal_curves
from paper_figs.wording import count, number, simulated
from simulations.reversal.summary import progress

__all__ = ["reversal_screening", "token_screening"]

_RULES = ("delight", "advantage", "abs-advantage", "surprisal", "additive", "uniform", "positive-surprisal")
_STALLING, _LEARNING = ("additive", "positive-surprisal"), ("advantage", "abs-advantage", "surprisal")
_TASK = ["vocab_size", "length", "rate", "rule"]
_VOCABULARIES = (2, 10, 100)


def token_screening() -> Figure:
    """Show each rule's drift along p, over PG's, early and late; and where additive rules stall."""
    figure, axes = panels(3, height=2.4)
    _early(axes[0])
    _late(axes[1])
    _additive(axes[2])
    legend_below(axes[:1])
    caption(f"""Drift of the reward when the top 3 % of tokens by each screening rule are kept, over PG's: along the
        probability p that a token is right (a), and late in training (b; rules that drift backwards are not drawn).
        Answers of T = 10 tokens, M = 2 kinds. (c) The p at which additive rules αU + (1 − α)ℓ stall, as ρ → 0 (lines)
        and at ρ = 3 % (dots). Lines and dots: exact. {simulated("token-rules")}""")
    return figure


def _early(ax: Axes) -> None:
    """Draw the drift on the way from the uniform policy to p = 0.95."""
    p = np.linspace(0.5005, 0.96, 461)
    scale = p * (1 - p) / 10
    for rule in _RULES:
        style = method_style(rule)
        speed = closed.drift(p, 10, 2, 0.03, rule=rule) / scale
        ax.plot(p, speed, color=style.colour, label=rule)
        found = points("token-rules", "drift over PG's", rule=rule)
        draw_rows(ax, found[found["p_correct"] < 0.96], "p_correct", style)
    reference(ax, y=0)
    ax.set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.35, 0.6))
    finding(ax, "Drift over PG's, early")


def _late(ax: Axes) -> None:
    """Draw the drift near p = 1 against the share of wrong tokens."""
    wrong = np.geomspace(2e-4, 0.1, 400)
    for rule in _RULES:
        style = method_style(rule)
        speed = closed.drift(1 - wrong, 10, 2, 0.03, rule=rule) / ((1 - wrong) * wrong / 10)
        ax.plot(wrong, np.where(speed > 0, speed, np.nan), color=style.colour)
        found = points("token-rules", "drift over PG's", rule=rule)
        near = found[(found["p_correct"] > 0.89) & (found["estimate"] > 0)]
        draw_rows(ax, near.assign(wrong=1 - near["p_correct"]), "wrong", style)
    ax.set(xscale="log", yscale="log", xlabel="share of wrong tokens, 1 − p", ylim=(3e-5, 2), xlim=(0.13, 1.5e-4))
    ax.set_ylabel("drift, in units of PG's")
    finding(ax, "The same late in training")
    ax.text(4e-3, 1.1e-3, "delight, advantage,\npositive-surprisal", color="0.3", va="bottom")


def _additive(ax: Axes) -> None:
    """Draw where the additive rule stalls against its weight: as ρ → 0, and at 3 %."""
    alpha = np.linspace(0.01, 0.98, 98)  # at 0 the rule is surprisal, which does not stall
    for vocab_size, colour in zip(_VOCABULARIES, shades(len(_VOCABULARIES)), strict=True):
        stall = 1 / (1 + np.exp(-np.array([additive_odds_limit(a, vocab_size, 1 / 10) for a in alpha])))
        ax.plot(alpha, np.where(stall < 1 - 1 / 10, stall, np.nan), color=colour, label=f"M = {vocab_size}")
        for weight in np.linspace(0.1, 0.9, 9):
            at_rate = closed.stall_point(0.03, vocab_size, 10, rule=partial(RULES["additive"], alpha=float(weight)))
            if at_rate is not None:
                ax.plot(weight, at_rate, ".", color=colour)
    ax.set(xlabel="weight of the advantage, α", ylabel="p at which it stalls", ylim=(0, 1), xlim=(0, 1))
    finding(ax, "Where additive rules stall")
    label_curves(ax)


def reversal_screening() -> Figure:
    """Show the transformer's stalls by rule against predictions, and the final errors of the rules that learn."""
    figure, (stalls, errors) = panels(2, height=2.7)
    _stalls(stalls)
    _errors(errors)
    seeds = _token_gates((*_STALLING, *_LEARNING)).groupby(_TASK)["seed"].nunique()
    caption(f"""Token gates of the transformer on token reversal by other screening rules, M kinds of token, prompts
        of H. (a) Reward over the last third of training against the predicted stall, of the rules that stall; line:
        equal. (b) Final token error of the rules that do not, every seed pale, the median with its 95 % bootstrap
        interval. Filled points: measured on networks, {count(seeds)} seeds a setting.""")
    return figure


def _token_gates(rules: tuple[str, ...]) -> pd.DataFrame:
    """Return the curves of the token gates by these rules, on the one task of one study and those of the other."""
    both = pd.concat([reversal_curves(study).frame for study in ("screening", "screening-tasks")], ignore_index=True)
    return both[(both["method"] == "token-gate") & both["rule"].isin(rules)]


def _stalls(ax: Axes) -> None:
    """Draw the reward at which each run stopped against the predicted one."""
    frame = _token_gates(_STALLING)
    setting: Any
    gaps: list[float] = []
    for setting, runs in frame.groupby(_TASK, sort=False):
        vocab_size, length, rate, rule = setting
        style = method_style(rule)
        predicted = group_stall_point(rate, vocab_size, length, GROUP, "token", rule)
        assert predicted is not None
        found = progress(runs)["late_reward"]
        ax.plot(np.full(len(found), predicted), found, style.marker, color=style.colour)
        gaps.extend((found - predicted).abs())
        if rule == "additive":
            shift, side = ((-8, 8), "right") if (vocab_size, length) == (2, 6) else ((6, -11), "left")
            name = f"M = {vocab_size}, H = {length}"
            ax.annotate(name, (predicted, found.max()), shift, textcoords="offset points", ha=side)
    for rule in _STALLING:
        style = method_style(rule)
        ax.plot([], [], style.marker, color=style.colour, label=rule)
    ends = np.array([0.05, 0.66])
    ax.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    ax.set(xlabel="predicted reward", ylabel="reward over the last third", xlim=ends, ylim=ends)
    finding(ax, f"{' and '.join(_STALLING)} stall where predicted, to {number(max(gaps))}")
    ax.legend(loc="upper left")


def _errors(ax: Axes) -> None:
    """Draw the final token errors of the rules that do not stall: seeds pale, medians and intervals."""
    names, medians = [], []
    setting: Any
    for place, (setting, frame) in enumerate(_token_gates(_LEARNING).groupby(_TASK[:-1], sort=False)):
        vocab_size, length, rate = setting
        names.append(f"M = {vocab_size}, H = {length}, {100 * rate:g} %")
        for beside, rule in enumerate(_LEARNING):
            style = method_style(rule)
            found = final_errors(frame[frame["rule"] == rule])
            draw_seeds(ax, found, place + 0.2 * (beside - 1), style.colour, style.marker)
            medians.append(float(np.median(found)))
            if not place:
                ax.plot([], [], style.marker, color=style.colour, label=rule)
    ax.set_yticks(range(len(names)), names)
    error_axis(ax)
    below = sum(median < 0.1 for median in medians)
    finding(ax, f"{', '.join(_LEARNING)} learn: {below} of {len(medians)} medians below 10 %")
    ax.legend(loc="upper center", bbox_to_anchor=(0.3, -0.17), ncols=3)
