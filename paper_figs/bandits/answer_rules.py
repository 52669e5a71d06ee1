"""The figure of what rules on the answers of a group buy per backward pass."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.screening import RULES, answer_signal
from paper_figs.arranging import named_colours, stack_names
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.wording import number

__all__ = ["answer_rules"]

_OF_ANSWERS = ("sample", "answer")
_RULES = tuple(
    name for name, rule in RULES.items() if set(rule.inputs) <= {"advantage"} and rule.granularity in _OF_ANSWERS
)
_MEANS = {"group": "the group's mean", "kept": "the mean of the kept"}


def answer_rules(group_size: int = 16, n_kept: int = 4, pass_rate: float = 0.3, dearest: float = 30.0) -> Figure:
    """Draw signal per backward pass against the pass rate, with either mean, and costs against how many are kept."""
    figure, axes = panels(3)
    rates = np.linspace(0.01, 0.99, 99)
    for ax, mean in zip(axes[:2], _MEANS, strict=True):
        _signals(ax, rates, group_size, n_kept, pass_rate, mean)
    axes[1].sharey(axes[0])
    axes[0].set_ylabel("signal per backward pass")
    _costs(axes[2], group_size, pass_rate, dearest)
    stack_names(axes[1], (0.03, 0.97), named_colours(axes[0]))
    caption(f"""Rules on the answers of a group: G = {group_size} answers, rewards 0 and 1, right with probability p.
        (a, b) Signal per backward pass along w, φ·w = R − p, with k = {n_kept} kept: advantages over the mean reward
        of the group, and over that of the kept, taken after they are chosen. (c) Backward passes to a signal as large
        as the noise of the answers' scores, in units of their variance, against k at p = {pass_rate:g}: wide with the
        group's mean, thin with that of the kept; left out above {dearest:g}. Groups without spread get no backward
        pass. Lines: exact sums over all groups; no points, no seeds.""")
    return figure


def _law(pass_rate: np.ndarray | float) -> tuple[list[float], np.ndarray]:
    """Return rewards and their probabilities."""
    p = np.asarray(pass_rate)
    return [0.0, 1.0], np.stack([1 - p, p], axis=-1)


def _signals(ax: Axes, rates: np.ndarray, group_size: int, n_kept: int, pass_rate: float, mean: str) -> None:
    at = {}
    for rule in _RULES:
        found = answer_signal(rule, *_law(rates), group_size, n_kept, mean)
        ax.plot(rates, found.per_backward, color=method_style(rule).colour, label=rule)
        at[rule] = float(answer_signal(rule, *_law(pass_rate), group_size, n_kept, mean).per_backward)
    ax.set(xlabel="pass rate, p", xlim=(0, 1), ylim=(0, None))
    wide, size = (number(at[rule]) for rule in ("max-variance", "abs-advantage"))
    finding(ax, f"With {_MEANS[mean]} |advantage| buys {size} at p = {pass_rate:g}, the largest variance {wide}")


def _costs(ax: Axes, group_size: int, pass_rate: float, dearest: float) -> None:
    sizes = np.arange(2, group_size + 1)
    least = {}
    for mean, width in (("group", 2.4), ("kept", 0.8)):
        for rule in _RULES:
            costs = [float(answer_signal(rule, *_law(pass_rate), group_size, int(k), mean).cost) for k in sizes]
            shown = [cost if cost <= dearest else np.nan for cost in costs]
            ax.plot(sizes, shown, color=method_style(rule).colour, lw=width)
            least[rule, mean] = min(costs)
    ax.set(xlabel="kept answers, k", ylabel="cost of signal", yscale="log", xlim=(2, group_size), xticks=sizes[::2])
    ratio = number(least["max-variance", "kept"] / least["abs-advantage", "group"])
    finding(ax, f"At best the largest variance with its own mean costs {ratio} times |advantage| with the group's")
