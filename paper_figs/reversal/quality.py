"""Error of token reversal along training, drawn from the committed tables: nothing here trains or imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.marks import draw_measured
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import TOTAL, protocol_seconds, reversal_style
from paper_figs.style import shown
from paper_figs.tables import reversal_curves, step_times
from paper_figs.wording import count
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
    figure, axes = panels(4, height=2.4, sharey=True)
    costs = {
        "forward_rows": ("answers sampled", "equal sampling"),
        "backward_tokens": ("tokens kept, each time", "logical backward cost"),
        "processed": ("positions through forward and backward", "physical backward cost"),
        "seconds": ("seconds, one CPU thread", "time"),
    }
    for ax, (column, (name, title)) in zip(axes, costs.items(), strict=True):
        _curves(ax, frame[frame[column].notna()], column)
        ax.set(xlabel=name, xscale="log", yscale="log", ylim=(0.8 * _NO_ERROR, 0.6))
        ax.set_ylabel("token error of sampled answers (percent)")
        finding(ax, title)
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.3]
    axes[0].set_yticks([_NO_ERROR, *ticks], [f"≤ {100 * _NO_ERROR:g}", *(f"{100 * tick:g}" for tick in ticks)])
    axes[0].minorticks_off()
    legend_below(axes[:1])
    seeds = frame.groupby("label")["seed"].nunique()
    caption(f"""Token error of sampled answers on token reversal, prompts of ten tokens of two kinds, against answers
        sampled (a), tokens kept (b), positions processed (c), and seconds (d: updates by the median time of one in an
        interleaved run, evaluation apart). Filled points: measured on networks, median of {count(seeds)} seeds;
        bands: 95 % bootstrap intervals; thin: every seed; beyond {_SINGLE:,} updates means over a tenth of a
        decade.""")
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
        median, low, high = np.array([(i.value, i.low, i.high) for i in found]).T
        draw_measured(ax, x, median, low, high, style, marks=8, label=shown(label))
