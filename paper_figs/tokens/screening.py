"""Figures of the screening rules on tokens that share one advantage: in theory, and in the transformer."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import token_trap as closed
from kondo_theory.screening import RULES, additive_odds_limit
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.arranging import label_curves
from paper_figs.marks import REFERENCE, draw_rows, mark_measured, named, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.sensitivity import draw_seeds, error_axis, final_errors
from paper_figs.reversal.trap import GROUP
from paper_figs.style import method_style, shades
from paper_figs.tables import points, reversal_curves
from paper_figs.wording import P_TOKEN, count, number, percent, simulated
from simulations.reversal.summary import progress

__all__ = ["reversal_screening", "token_screening"]

_RULES = ("delight", "advantage", "abs-advantage", "surprisal", "additive", "uniform", "positive-surprisal")
_STALLING, _LEARNING = ("additive", "positive-surprisal"), ("advantage", "abs-advantage", "surprisal")
_TASK = ["vocab_size", "length", "rate", "rule"]
_VOCABULARIES = (2, 10, 100)
_RATE = 0.03
FloatArray = NDArray[np.float64]


def token_screening() -> Figure:
    """Show each rule's drift over PG's along training, one panel a group of rules; and where additive rules stall."""
    figure, axes = panels(4, height=1.9)
    for ax, (rules, text) in zip(axes, _groups().items(), strict=False):
        _drifts(ax, rules)
        finding(ax, text)
    _additive(axes[3])
    caption(f"""Drift of the reward when the top 3 % of tokens by each screening rule are kept, over PG's, against the
        probability p that a token is right: rules whose drift turns negative (a), rules whose drift
        stays positive and ends at or below that of keeping tokens at random (b), and rules whose drift ends near PG's
        (c). Answers of T = 10 tokens, M = 2 kinds. (d) The p at which additive rules αU + (1 − α)ℓ stall at ρ = 3 %;
        dotted: as ρ → 0. Lines: exact. {simulated("token-rules")}""")
    return figure


def _right() -> FloatArray:
    """Return the probabilities of the right token that are drawn, from the uniform policy to almost certainty."""
    return np.concatenate([np.linspace(0.5005, 0.95, 450), 1 - np.geomspace(0.0499, 2e-4, 150)])


def _over_pg(rule: str) -> FloatArray:
    """Return a rule's drift over PG's at these probabilities."""
    p = _right()
    return np.asarray(closed.drift(p, 10, 2, _RATE, rule=rule) / (p * (1 - p) / 10))


def _groups() -> dict[tuple[str, ...], str]:
    """Return the rules in three groups by their drift, each with its finding."""
    speeds = {rule: _over_pg(rule) for rule in _RULES}
    turned = tuple(rule for rule, speed in speeds.items() if speed.min() < 0)
    slow = tuple(rule for rule, speed in speeds.items() if rule not in turned and speed[-1] <= _RATE * (1 + 1e-9))
    fast = tuple(rule for rule in _RULES if rule not in turned + slow)
    deepest = min(float(speeds[rule].min()) for rule in turned)
    most, least = max(float(speeds[rule][-1]) for rule in slow), min(float(speeds[rule][-1]) for rule in fast)
    return {
        turned: f"{len(turned)} rules turn against the right token, to {number(deepest)} of PG's drift",
        slow: f"{len(slow)} never do but end at {percent(most)} of PG's drift or less",
        fast: f"{len(fast)} never do and end at {percent(least)} of PG's drift",
    }


def _drifts(ax: Axes, rules: tuple[str, ...]) -> None:
    """Draw the drift of a group's rules along training."""
    for rule in rules:
        style = method_style(rule)
        ax.plot(_right(), _over_pg(rule), color=style.colour, label=rule)
        found = points("token-rules", "drift over PG's", rule=rule)
        sampled = found[~found["exact"].astype(bool)]
        draw_rows(ax, sampled, "p_correct", style)
    reference(ax, y=0)
    ax.set(xlabel=P_TOKEN, ylabel="drift, in units of PG's", xlim=(0.49, 1.005))
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    label_curves(ax)


def _additive(ax: Axes) -> None:
    """Draw where the additive rule stalls against its weight: as ρ → 0, and at 3 %."""
    alpha = np.linspace(0.01, 0.98, 98)  # at 0 the rule is surprisal, which does not stall
    weights = np.linspace(0.05, 0.95, 37)
    ends = {}
    for vocab_size, colour in zip(_VOCABULARIES, shades(len(_VOCABULARIES)), strict=True):
        limit = 1 / (1 + np.exp(-np.array([additive_odds_limit(a, vocab_size, 1 / 10) for a in alpha])))
        ax.plot(alpha, np.where(limit < 1 - 1 / 10, limit, np.nan), ":", color=colour, lw=0.9, gid=REFERENCE)
        rules = [partial(RULES["additive"], alpha=float(weight)) for weight in weights]
        stall = np.array([closed.stall_point(_RATE, vocab_size, 10, rule=rule) for rule in rules], dtype=np.float64)
        ax.plot(weights, stall, color=colour, label=f"M = {vocab_size}")
        ends[vocab_size] = float(np.interp(0.5, weights, stall))
    ax.set(xlabel="weight of the advantage, α", ylabel="p at which it stalls", ylim=(0, 1), xlim=(0, 1))
    said = ", ".join(f"{number(end)} at M = {vocab_size}" for vocab_size, end in ends.items())
    finding(ax, f"The additive rule at α = 1/2 stalls at p = {said}")
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
        mark_measured(ax, np.full(len(found), predicted), found, style)
        gaps.extend((found - predicted).abs())
        if rule == "additive":
            shift, side = ((-8, 8), "right") if (vocab_size, length) == (2, 6) else ((6, -11), "left")
            name = f"M = {vocab_size}, H = {length}"
            ax.annotate(name, (predicted, found.max()), shift, textcoords="offset points", ha=side)
    ends = np.array([0.05, 0.66])
    ax.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    ax.set(xlabel="predicted reward", ylabel="reward over the last third", xlim=ends, ylim=ends)
    finding(ax, f"By {' and '.join(_STALLING)} it stalls where predicted, within {number(max(gaps))}")
    ax.legend(handles=[named(rule, method_style(rule)) for rule in _STALLING], loc="upper left")


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
    ax.set_yticks(range(len(names)), names)
    error_axis(ax)
    below = sum(median < 0.1 for median in medians)
    finding(ax, f"By {', '.join(_LEARNING)} {below} of {len(medians)} medians end below 10 %")
    handles = [named(rule, method_style(rule)) for rule in _LEARNING]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.17), ncols=3)
