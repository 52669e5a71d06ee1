"""The figure of whole answers whose second token depends on the first: the drift, and where training ends."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap.autoregressive_rows import answer_law, tied_drift, tied_stall_point, tied_tokens
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import points
from paper_figs.wording import number, percent, simulated

__all__ = ["autoregressive_rows"]

_RULES = {"delight": "delight", "|advantage|": "abs-advantage"}
_UNTIED = "delight, a logit for each prefix"


def autoregressive_rows(after_right: float = 1e-3, after_wrong: float = 8.0, rate: float = 0.3) -> Figure:
    """Draw the drift of the logit that right tokens share, and the reward at which training ends against the rate."""
    figure, (drifts, ends) = panels(2)
    _drifts(drifts, after_right, after_wrong, rate)
    _ends(ends, after_right, after_wrong)
    legend_below([ends])
    caption(f"""Answers of two tokens of two words, the top share ρ kept whole by row delight or |advantage|. The
        first token is right with odds o, the second with {after_right:g}·o after a right one, {after_wrong:g}·o after
        a wrong one; the baseline is the exact mean. (a) Drift of the logit that right tokens share, all answers
        kept (PG) or ρ = {rate:g}. (b) Reward at which training ends, from o = 0.5, against ρ: right tokens share
        one logit, or each of the three prefixes has its own. Lines: exact. {simulated("row-dependence")}""")
    return figure


def _drifts(ax: Axes, after_right: float, after_wrong: float, rate: float) -> None:
    odds = np.exp(np.linspace(-4, 9, 1_301))
    laws = [answer_law(tied_tokens(each, after_right, after_wrong)) for each in odds]
    reward = np.array([law.mass @ law.right.mean(axis=1) for law in laws])
    for label, kept in (("PG", 1.0), ("delight", rate)):
        speed = tied_drift(odds, after_right, after_wrong, kept)
        ax.plot(reward, speed, color=method_style(label).colour, label=label)
    reference(ax, y=0)
    ax.set(xlabel="mean reward", ylabel="drift of the right tokens' logit", xlim=(0, 1))
    ax.set_yscale("symlog", linthresh=0.01)
    ax.set_yticks([-0.005, 0, 0.005, 0.01, 0.1], ["−0.005", "0", "0.005", "0.01", "0.1"])
    ax.set_ylim(-0.006, 0.3)
    stall = tied_stall_point(after_right, after_wrong, rate)
    if stall is None:
        finding(ax, f"At ρ = {rate:g} the drift does not fall through zero by a jump")
    else:
        finding(ax, f"By row delight the drift falls through zero at the reward {number(stall)}, by a jump")
    stack_names(ax, (0.05, 0.42))


def _ends(ax: Axes, after_right: float, after_wrong: float) -> None:
    where: dict[str, float | str] = {"after_right": after_right, "after_wrong": after_wrong}
    rates = np.linspace(0.02, 1, 491)
    stalls = np.asarray(tied_stall_point(after_right, after_wrong, rates))
    style = method_style("delight")
    ax.plot(rates, np.where(np.isnan(stalls), 1.0, stalls), color=style.colour, lw=1.2)
    shared = {label: points("row-dependence", "reward at the end", rule=rule, logits="shared", **where)
              for label, rule in _RULES.items()}  # fmt: skip
    for label, rule in _RULES.items():
        draw_rows(ax, shared[label], "rate", method_style(rule), label=f"{label}, one logit")
    untied = points("row-dependence", "reward at the end", logits="tabular", **where)
    draw_rows(ax, untied, "rate", MethodStyle("0.4", "s"), label=_UNTIED)
    ax.set(xlabel="gate rate, ρ", ylabel="mean reward at the end", xlim=(0, 1.02), ylim=(0, 1.05))
    stalled = rates[~np.isnan(stalls)]
    if stalled.size:
        span = f"{percent(stalled.min(), 1)} to {percent(stalled.max())}"
        finding(ax, f"Rates of {span} stall if right tokens share a logit, none if each prefix has its own")
    else:
        finding(ax, "No rate stalls")
