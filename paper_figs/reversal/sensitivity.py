"""Figure of token reversal with other screening rules and other rewards, drawn from the committed tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from paper_figs.reversal.style import SEEN, reversal_style
from paper_figs.style import PANEL, Colour, label_panels, method_style, shown
from paper_figs.tables import reversal_curves
from simulations.reversal.summary import final
from simulations.statistics import bootstrap

__all__ = ["draw_seeds", "error_axis", "final_errors", "reversal_sensitivity"]

_REWARDS = {"fraction": "o", "prefix": "^", "exact": "X"}


def reversal_sensitivity() -> Figure:
    """Show final token errors: of every screening rule, and of every method by the reward; seeds, medians, intervals.

    Those of the reward ``fraction`` are the study quality's, at as many updates as the others have.
    """
    figure, (rules, rewards) = plt.subplots(1, 2, figsize=(2 * PANEL[0] + 2.6, PANEL[1] + 1.4))
    _rules(rules, reversal_curves("screening").frame)
    sparse = reversal_curves("reward").frame
    dense = reversal_curves("quality").frame
    same = dense["label"].isin(sparse["label"]) & (dense["update"] <= sparse["update"].max())
    _rewards(rewards, pd.concat([dense[same], sparse], ignore_index=True))
    for ax in (rules, rewards):
        error_axis(ax)
    label_panels([rules, rewards])
    return figure


def _rules(ax: Axes, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["rule"]))
    looks = {"row-gate": ("whole answers", "o", -0.14), "token-gate": ("tokens", "X", 0.14)}
    for place, rule in enumerate(names):
        for method, (_, marker, shift) in looks.items():
            runs = frame[(frame["rule"] == rule) & (frame["method"] == method)]
            draw_seeds(ax, final_errors(runs), place + shift, method_style(rule).colour, marker)
    ax.set_yticks(range(len(names)), names)
    handles = [Line2D([], [], color="0.3", marker=marker, ls="", label=name) for name, marker, _ in looks.values()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=2)
    ax.set_title(f"the top 3 % by each rule, {frame['seed'].nunique()} seeds")


def _rewards(ax: Axes, frame: pd.DataFrame) -> None:
    labels = list(dict.fromkeys(frame["label"]))
    for place, label in enumerate(labels):
        for number, (reward, marker) in enumerate(_REWARDS.items()):
            runs = frame[(frame["label"] == label) & (frame["reward"] == reward)]
            if not runs.empty:
                style = reversal_style(str(label))
                draw_seeds(ax, final_errors(runs), place + 0.22 * (number - 1), style.colour, marker)
    ax.set_yticks(range(len(labels)), [shown(label) for label in labels])
    handles = [Line2D([], [], color="0.3", marker=marker, ls="", label=name) for name, marker in _REWARDS.items()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3)
    few, ppo = (
        frame.loc[(frame["label"] == label) & (frame["reward"] == "exact"), "seed"].nunique()
        for label in ("PG", "PPO")
    )
    ax.set_title(f"each reward, {few} seeds or more (PPO {ppo})")


def error_axis(ax: Axes) -> None:
    """Set the axes of final token errors, one line a method or task, from the top down."""
    ax.set(xscale="log", xlim=(0.6 * SEEN, 1.6), xlabel="final token error of sampled answers (percent)")
    ax.set_xticks([SEEN, 1e-3, 1e-2, 0.1, 1], ["≤ 0.003", "0.1", "1", "10", "100"])
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.grid(axis="y", color="0.92", linewidth=0.6)


def final_errors(runs: pd.DataFrame) -> NDArray[np.float64]:
    """Return each seed's final token error, the least that is seen at least."""
    return final(runs, "token_error").clip(SEEN)


def draw_seeds(ax: Axes, values: NDArray[np.float64], y: float, colour: Colour, marker: str) -> None:
    """Draw each seed pale, their median, and its interval, at height ``y``."""
    found = bootstrap(values, n_resamples=2_000)
    ax.plot(values, np.full(len(values), y), marker, color=colour, alpha=0.3, ms=3, mew=0)
    ax.plot([found.low, found.high], [y, y], color=colour, linewidth=1.0)
    ax.plot(found.value, y, marker, color=colour, ms=5)
