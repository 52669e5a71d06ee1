"""What a step on a language model costs by phase and by rows kept, drawn from the committed table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import stack_names
from paper_figs.language_model.style import LEARNS
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import language_model
from paper_figs.wording import number, percent
from simulations.language_model.tables import FULL, timed_steps
from simulations.statistics import bootstrap

__all__ = ["language_model_savings"]

_PARTS = {"sampling": "0.75", "backward": method_style("row gate").colour, "optimizer": "0.35"}
_EIGHTH = 0.125
_QUANTITIES = {
    "seconds": MethodStyle("#2a80ff", "o"),
    "FLOPs": MethodStyle("#804095", "D"),
    "memory": MethodStyle("#aa152a", "^"),
}


def language_model_savings() -> Figure:
    """Draw a step by phase and by rows kept, its time over the full one's, and what forward and backward take."""
    table = language_model("cost")
    steps = timed_steps(table)
    everything = steps[(steps["trainable"] == "all") & ~steps["reuse"]]
    figure, axes = panels(3, height=2.3, width_ratios=(1.1, 1.0, 1.0))
    _phases(axes[0], everything)
    _over_full(axes[1], steps)
    _second_pass(axes[2], everything)
    rounds = len(everything["step"].iloc[0])
    caption(f"""A step of SmolLM2-135M, seed 0, on {int(everything["answers"].iloc[0])} answers of 24 tokens, one
        CPU thread, medians of {rounds} interleaved rounds with 95 % bootstrap intervals. (a) Seconds by phase
        when all parameters learn: sampling pale, forward and backward of the kept rows in colour, the optimizer
        dark; number: time over that of all rows. (b) The same ratio by what learns; lines: the physical model,
        sampling, the optimizer and the share of rows of the full forward and backward; dotted: no backward at
        all. (c) Forward and backward alone, all parameters: seconds, FLOPs, and bytes held at once above
        parameters, gradients and optimizer, all rows in one micro-batch; dotted: in proportion. Filled points and
        bars: measured.""")
    return figure


def _phases(ax: Axes, steps: pd.DataFrame) -> None:
    left: Any = np.zeros(len(steps))
    places: Any = np.arange(len(steps))
    for part, colour in _PARTS.items():
        width = np.array([np.median(each) for each in steps[part]])
        ax.barh(places, width, 0.62, left, color=colour, linewidth=0)
        left = left + width
    full = steps.loc[steps["rate"] == FULL, "step"].iloc[0]
    ratios = [float(np.median(each / full)) for each in steps["step"]]
    for place, end, ratio in zip(places, left, ratios, strict=True):
        ax.text(end + 0.02 * left.max(), place, number(ratio), va="center")
    ax.set_yticks(places, [f"{rows} of {of}" for rows, of in zip(steps["rows"], steps["answers"], strict=True)])
    ax.invert_yaxis()
    ax.set(xlabel="CPU seconds of a step", xlim=(0, 1.16 * left.max()), ylabel="rows kept")
    at = list(steps["rate"]).index(_EIGHTH)
    sampling = float(np.median(steps["sampling"].iloc[at] / steps["step"].iloc[at]))
    finding(ax, f"With an eighth of the rows {percent(sampling)} of a step is sampling")
    stack_names(ax, (0.99, 0.4), {"sampling": "0.55", "forward, backward": _PARTS["backward"], "optimizer": "0.35"})


def _over_full(ax: Axes, steps: pd.DataFrame) -> None:
    styles = {("all", False): method_style("row gate"), ("last-6", True): method_style("zero price")}
    names, said = {}, []
    for key, rows in steps.groupby(["trainable", "reuse"], sort=False):
        if key not in styles:
            continue
        full = rows.loc[rows["rate"] == FULL, "step"].iloc[0]
        share = (rows["rows"] / rows["answers"]).to_numpy()
        found = [bootstrap(each / full) for each in rows["step"]]
        value, low, high = (np.array([getattr(each, end) for each in found]) for end in ("value", "low", "high"))
        draw_measured(ax, share, value, low, high, styles[key], ls="")
        beside = rows["model"].iloc[0] - rows.loc[rows["rate"] == FULL, "backward"].iloc[0]
        ends: Any = np.geomspace(0.025, 1, 60)
        least = float(np.median(beside / full))
        ax.plot(ends, least + ends * (1 - least), color=styles[key].colour, lw=0.8)
        reference(ax, y=least, colour=styles[key].colour)
        names[LEARNS[key]] = styles[key].colour
        said.append(f"{number(1 / least)} times" + (" (all)" if key == ("all", False) else " (six blocks)"))
    ax.set(xlabel="share of rows kept", ylabel="time of a step over that of all rows", ylim=(0, 1.05), xscale="log")
    ax.set_xticks([1 / 32, 1 / 8, 1 / 4, 1], ["1/32", "1/8", "1/4", "1"])
    ax.minorticks_off()
    finding(ax, f"Without any backward pass a step would be {' or '.join(said)} faster at most")
    stack_names(ax, (0.98, 0.05), names)


def _second_pass(ax: Axes, steps: pd.DataFrame) -> None:
    share = (steps["rows"] / steps["answers"]).to_numpy()
    full = steps[steps["rate"] == FULL].iloc[0]
    seconds = [bootstrap(each / full["backward"]) for each in steps["backward"]]
    columns = {"FLOPs": "backward_flops", "memory": "peak_bytes"}
    counted = {name: steps[column] / full[column] for name, column in columns.items()}
    for name, style in _QUANTITIES.items():
        if name == "seconds":
            value, low, high = (
                np.array([getattr(each, end) for each in seconds]) for end in ("value", "low", "high")
            )
        else:
            value = low = high = counted[name].to_numpy(dtype=np.float64)
        draw_measured(ax, share, value, low, high, style, ls="")
    line: Any = np.array([1 / 40, 1.2])
    ax.plot(line, line, color="0.5", lw=0.8, ls=":", zorder=0, gid="reference")
    ax.set(xscale="log", yscale="log", xlabel="share of rows kept", ylabel="forward and backward, over all rows")
    ax.set_xticks([1 / 32, 1 / 8, 1 / 4, 1], ["1/32", "1/8", "1/4", "1"])
    ax.set_yticks([1 / 32, 1 / 8, 1 / 4, 1], ["1/32", "1/8", "1/4", "1"])
    ax.minorticks_off()
    at = list(steps["rate"]).index(_EIGHTH)
    memory = float(counted["memory"].iloc[at])
    finding(ax, f"An eighth of the rows: {number(seconds[at].value)} of the time, {number(memory)} of the memory")
    stack_names(ax, (0.03, 0.98), {name: style.colour for name, style in _QUANTITIES.items()})
