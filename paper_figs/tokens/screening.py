"""Figures of the screening rules on tokens that share one advantage: in theory, and in the transformer."""

from __future__ import annotations

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory import token_trap as closed
from kondo_theory.screening import RULES, additive_odds_limit
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.reversal.sensitivity import draw_seeds, error_axis, final_errors
from paper_figs.reversal.trap import GROUP
from paper_figs.style import PANEL, draw_rows, label_panels, method_style
from paper_figs.tables import points, reversal_curves
from simulations.reversal.summary import progress

__all__ = ["reversal_screening", "token_screening"]

_RULES = ("delight", "advantage", "abs-advantage", "surprisal", "additive", "uniform", "positive-surprisal")
_STALLING, _LEARNING = ("additive", "positive-surprisal"), ("advantage", "abs-advantage", "surprisal")
_TASK = ["vocab_size", "length", "rate", "rule"]
_VOCABULARIES = {2: "-", 10: "--", 100: ":"}


def token_screening() -> Figure:
    """Show each rule's drift along p, over PG's, early and late; and where additive rules stall."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1] + 0.6))
    _early(axes[0])
    _late(axes[1])
    _additive(axes[2])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), columnspacing=1.2, handlelength=2.2)
    label_panels(list(axes))
    return figure


def _early(ax: Axes) -> None:
    """Draw the drift on the way from the uniform policy to p = 0.95."""
    p = np.linspace(0.5005, 0.96, 461)
    scale = p * (1 - p) / 10
    for rule in _RULES:
        style = method_style(rule)
        speed = closed.drift(p, 10, 2, 0.03, rule=rule) / scale
        ax.plot(p, speed, style.line, color=style.colour, lw=1.1, label=rule)
        found = points("token-rules", "drift over PG's", rule=rule)
        draw_rows(ax, found[found["p_correct"] < 0.96], "p_correct", style, ms=3)
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.35, 0.6))
    ax.set_title("M = 2, T = 10, ρ = 3 %")


def _late(ax: Axes) -> None:
    """Draw the drift near p = 1 against the share of wrong tokens."""
    wrong = np.geomspace(2e-4, 0.1, 400)
    for rule in _RULES:
        style = method_style(rule)
        speed = closed.drift(1 - wrong, 10, 2, 0.03, rule=rule) / ((1 - wrong) * wrong / 10)
        ax.plot(wrong, np.where(speed > 0, speed, np.nan), style.line, color=style.colour, lw=1.1)
        found = points("token-rules", "drift over PG's", rule=rule)
        near = found[(found["p_correct"] > 0.89) & (found["estimate"] > 0)]
        draw_rows(ax, near.assign(wrong=1 - near["p_correct"]), "wrong", style, ms=3)
    ax.set(xscale="log", yscale="log", xlabel="share of wrong tokens, 1 − p", ylim=(3e-5, 2), xlim=(0.13, 1.5e-4))
    ax.set(ylabel="drift, in units of PG's", title="late in training, the same")
    ax.text(4e-3, 1.1e-3, "delight, advantage,\npositive-surprisal", fontsize=7, color="0.3", va="bottom")


def _additive(ax: Axes) -> None:
    """Draw where the additive rule stalls against its weight: as ρ → 0, and at 3 %."""
    alpha = np.linspace(0.01, 0.98, 98)  # at 0 the rule is surprisal, which does not stall
    colour = method_style("additive").colour
    for vocab_size, line in _VOCABULARIES.items():
        stall = 1 / (1 + np.exp(-np.array([additive_odds_limit(a, vocab_size, 1 / 10) for a in alpha])))
        ax.plot(alpha, np.where(stall < 1 - 1 / 10, stall, np.nan), line, color=colour, label=f"M = {vocab_size}")
        for weight in np.linspace(0.1, 0.9, 9):
            at_rate = closed.stall_point(0.03, vocab_size, 10, rule=partial(RULES["additive"], alpha=float(weight)))
            if at_rate is not None:
                ax.plot(weight, at_rate, "s", color=colour, mfc="white", ms=3.5)
    ax.plot([], [], "s", color=colour, mfc="white", ms=3.5, label="ρ = 3 %")
    ax.set(xlabel="weight of the advantage, α", ylabel="p at which it stalls", ylim=(0, 1), xlim=(0, 1))
    ax.set_title("additive rules, T = 10, ρ → 0")
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.94))


def reversal_screening() -> Figure:
    """Show the transformer's stalls by rule against predictions, and the final errors of the rules that learn."""
    figure, (stalls, errors) = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 1.4, PANEL[1] + 0.7))
    _stalls(stalls)
    _errors(errors)
    label_panels([stalls, errors])
    return figure


def _token_gates(rules: tuple[str, ...]) -> pd.DataFrame:
    """Return the curves of the token gates by these rules, on the one task of one study and those of the other."""
    both = pd.concat([reversal_curves(study).frame for study in ("screening", "screening-tasks")], ignore_index=True)
    return both[(both["method"] == "token-gate") & both["rule"].isin(rules)]


def _stalls(ax: Axes) -> None:
    """Draw the reward at which each run stopped against the predicted one."""
    frame = _token_gates(_STALLING)
    setting: Any
    for setting, runs in frame.groupby(_TASK, sort=False):
        vocab_size, length, rate, rule = setting
        style = method_style(rule)
        predicted = group_stall_point(rate, vocab_size, length, GROUP, "token", rule)
        assert predicted is not None
        found = progress(runs)["late_reward"]
        ax.plot(np.full(len(found), predicted), found, style.marker, color=style.colour, mfc="white", ms=5)
        if rule == "additive":
            shift, side = ((-8, 8), "right") if (vocab_size, length) == (2, 6) else ((6, -11), "left")
            name = f"M = {vocab_size}, H = {length}"
            ax.annotate(name, (predicted, found.max()), shift, textcoords="offset points", fontsize=7, ha=side)
    for rule in _STALLING:
        style = method_style(rule)
        ax.plot([], [], style.marker, color=style.colour, mfc="white", label=rule)
    ends = np.array([0.05, 0.66])
    ax.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    ax.set(xlabel="predicted reward", ylabel="reward over the last third", xlim=ends, ylim=ends)
    fewest = frame.groupby(_TASK)["seed"].nunique().min()
    ax.set_title(f"token gates that stall, {fewest} seeds or more")
    ax.legend(loc="upper left")


def _errors(ax: Axes) -> None:
    """Draw the final token errors of the rules that do not stall: seeds pale, medians and intervals."""
    names = []
    setting: Any
    for place, (setting, frame) in enumerate(_token_gates(_LEARNING).groupby(_TASK[:-1], sort=False)):
        vocab_size, length, rate = setting
        names.append(f"M = {vocab_size}, H = {length}, {100 * rate:g} %")
        for number, rule in enumerate(_LEARNING):
            style = method_style(rule)
            found = final_errors(frame[frame["rule"] == rule])
            draw_seeds(ax, found, place + 0.2 * (number - 1), style.colour, style.marker)
            if not place:
                ax.plot([], [], style.marker, color=style.colour, ms=5, label=rule)
    ax.set_yticks(range(len(names)), names)
    error_axis(ax)
    ax.set_title("token gates that do not stall")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3)
