"""Error of token reversal along training, drawn from the committed tables: nothing here trains or imports torch."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.reversal.style import LEGEND_SIZE, TOTAL, protocol_seconds, reversal_style
from paper_figs.style import PANEL, label_panels, shown
from paper_figs.tables import reversal_curves, step_times
from simulations.errors import ResultError
from simulations.results.tables import with_seconds
from simulations.statistics import bootstrap

__all__ = ["reversal_quality"]

_NO_ERROR = 1e-5
"""The smallest error that is drawn, and where smaller ones are."""
_SINGLE = 1_000
"""Updates up to which every evaluation is drawn."""


def reversal_quality() -> Figure:
    """Token error against rows, kept and processed tokens, and seconds: the median thick, every seed thin."""
    frame = reversal_curves("quality").frame
    rounds = protocol_seconds(with_seconds(step_times("CPU")["CPU"]))
    if lacking := sorted(set(frame["label"]) - set(rounds)):
        raise ResultError(f"table reversal-step-times has no time of {', '.join(lacking)}")
    times = {label: float(np.median(seconds[:, TOTAL])) for label, seconds in rounds.items()}
    frame = _thinned(frame[frame["update"] > 0])
    frame = frame.assign(
        seconds=frame["update"] * frame["label"].map(times),
        processed=frame["processed_tokens"].where(frame["processed_tokens"] > 0),
        token_error=frame["token_error"].clip(lower=_NO_ERROR),
    )
    figure, axes = plt.subplots(1, 4, figsize=(4 * PANEL[0] - 1.4, PANEL[1] + 0.9), sharey=True)
    panels = {
        "forward_rows": ("answers sampled", "equal sampling"),
        "backward_tokens": ("tokens kept, each time", "logical backward cost"),
        "processed": ("positions through forward and backward", "physical backward cost"),
        "seconds": ("seconds, one CPU thread", "time"),
    }
    for ax, (column, (name, title)) in zip(axes, panels.items(), strict=True):
        _curves(ax, frame[frame[column].notna()], column)
        ax.set(xlabel=name, title=title, xscale="log", yscale="log", ylim=(0.8 * _NO_ERROR, 0.6))
    axes[0].set_ylabel("token error of sampled answers (percent)")
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.3]
    axes[0].set_yticks([_NO_ERROR, *ticks], [f"≤ {100 * _NO_ERROR:g}", *(f"{100 * tick:g}" for tick in ticks)])
    axes[0].minorticks_off()
    label_panels(list(axes))
    seeds = frame.groupby("label")["seed"].nunique()
    ppo, others = seeds.get("PPO", 0), seeds.drop("PPO", errors="ignore")
    number = f"{others.min()} to {others.max()}" if others.min() < others.max() else str(others.max())
    labels = [str(label) for label in frame["label"].unique()]
    handles = [
        Line2D(
            [],
            [],
            color=reversal_style(label).colour,
            ls=reversal_style(label).line,
            label=shown(label),
        )
        for label in labels
    ]
    title = (
        f"H = 10, M = 2; median of {number} seeds (PPO {ppo}) with 95 % intervals, every seed thin;"
        " beyond 1,000 updates, means over a tenth of a decade\nseconds: updates × the median time of one in an"
        " interleaved run, evaluation apart"
    )
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(labels), title=title, title_fontsize=LEGEND_SIZE
    )
    return figure


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each run with the evaluations beyond ``_SINGLE`` updates averaged, a tenth of a decade at a time."""
    tenth = (10 * np.log10(frame["update"] / _SINGLE)).clip(lower=0.0).apply(np.ceil)
    group = frame["update"].where(frame["update"] <= _SINGLE, _SINGLE + tenth)
    numbers = ["update", "forward_rows", "backward_tokens", "processed_tokens", "token_error"]
    return frame.groupby(["label", "seed", group], sort=False)[numbers].mean().reset_index(["label", "seed"])


def _curves(ax: Axes, frame: pd.DataFrame, column: str) -> None:
    for label, runs in frame.groupby("label", sort=False):
        style = reversal_style(str(label))
        errors = runs.pivot(index="update", columns="seed", values="token_error")
        spent = runs.pivot(index="update", columns="seed", values=column)
        for seed in errors.columns:
            ax.plot(spent[seed], errors[seed], color=style.colour, linewidth=0.4, alpha=0.3)
        found = [bootstrap(row, n_resamples=1_000) for row in errors.to_numpy()]
        x: Any = spent.median(axis=1).to_numpy()
        ax.plot(x, [interval.value for interval in found], style.line, color=style.colour)
        low, high = np.array([i.low for i in found]), np.array([i.high for i in found])
        ax.fill_between(x, low, high, color=style.colour, alpha=0.15, linewidth=0)
