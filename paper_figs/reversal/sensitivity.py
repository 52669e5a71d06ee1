"""Figure of token reversal with other screening rules and other rewards, drawn from the committed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paper_figs.marks import mark_measured, named
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.style import SEEN, reversal_style
from paper_figs.style import Colour, MethodStyle, method_style, shown
from paper_figs.tables import reversal_curves
from paper_figs.wording import count
from simulations.reversal.summary import final
from simulations.statistics import bootstrap

__all__ = ["draw_seeds", "error_axis", "final_errors", "reversal_sensitivity"]

_REWARDS = {"fraction": "o", "prefix": "^", "exact": "X"}


def reversal_sensitivity() -> Figure:
    """Show final token errors: of every screening rule, and of every method by the reward; seeds, medians, intervals.

    Those of the reward ``fraction`` are the study quality's, at as many updates as the others have.
    """
    figure, (rules, rewards) = panels(2, height=3.0)
    screening = reversal_curves("screening").frame
    _rules(rules, screening)
    sparse = reversal_curves("reward").frame
    dense = reversal_curves("quality").frame
    same = dense["label"].isin(sparse["label"]) & (dense["update"] <= sparse["update"].max())
    both = pd.concat([dense[same], sparse], ignore_index=True)
    _rewards(rewards, both)
    for ax in (rules, rewards):
        error_axis(ax)
    seeds = count(both.groupby(["label", "reward"])["seed"].nunique())
    caption(f"""Final token error on token reversal: with the top 3 % of answers and of tokens by each screening rule
        (a, {screening["seed"].nunique()} seeds), and of every method under three rewards, the fraction of right
        tokens, that before the first wrong one, and all or nothing (b, {seeds} seeds). Filled points: measured on
        networks, every seed pale, the median with its 95 % bootstrap interval.""")
    return figure


def _rules(ax: Axes, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["rule"]))
    looks = {"row-gate": ("whole answers", "o", -0.14), "token-gate": ("tokens", "X", 0.14)}
    for place, rule in enumerate(names):
        for method, (_, marker, shift) in looks.items():
            runs = frame[(frame["rule"] == rule) & (frame["method"] == method)]
            draw_seeds(ax, final_errors(runs), place + shift, method_style(rule).colour, marker)
    ax.set_yticks(range(len(names)), names)
    handles = [named(name, MethodStyle("0.3", marker)) for name, marker, _ in looks.values()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.17), ncols=2)
    solved = {method: _solved(frame[frame["method"] == method], "rule") for method in looks}
    finding(
        ax,
        f"Below 1 % error: {solved['row-gate']} of {len(names)} rules on answers, {solved['token-gate']} on tokens",
    )


def _rewards(ax: Axes, frame: pd.DataFrame) -> None:
    labels = list(dict.fromkeys(frame["label"]))
    for place, label in enumerate(labels):
        for number, (reward, marker) in enumerate(_REWARDS.items()):
            runs = frame[(frame["label"] == label) & (frame["reward"] == reward)]
            if not runs.empty:
                style = reversal_style(str(label))
                draw_seeds(ax, final_errors(runs), place + 0.22 * (number - 1), style.colour, marker)
    ax.set_yticks(range(len(labels)), [shown(label) for label in labels])
    handles = [named(name, MethodStyle("0.3", marker)) for name, marker in _REWARDS.items()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.17), ncols=3)
    hard, easy = (frame[frame["reward"] == reward] for reward in ("exact", "fraction"))
    finding(ax, f"Below 1 % error: {_solved(easy, 'label')} of {easy['label'].nunique()} methods by fraction, "
                f"{_solved(hard, 'label')} of {hard['label'].nunique()} by all or nothing")  # fmt: skip


def _solved(frame: pd.DataFrame, column: str) -> int:
    """Return how many rules or methods have a median final error below one percent."""
    return sum(float(np.median(final_errors(runs))) < 0.01 for _, runs in frame.groupby(column))


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
    style = MethodStyle(colour, marker)
    mark_measured(ax, values, np.full(len(values), y), style, alpha=0.3, ms=3, mew=0)
    ax.plot([found.low, found.high], [y, y], color=colour, linewidth=1.0)
    mark_measured(ax, found.value, y, style, ms=5)
