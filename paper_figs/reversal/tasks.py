"""Figure of the other tasks of token reversal, drawn from the tables of studies ``tasks`` and ``reward``."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paper_figs.marks import REFERENCE, mark_measured, named
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.sensitivity import draw_seeds
from paper_figs.reversal.style import reversal_style
from paper_figs.style import shown
from paper_figs.tables import reversal_curves
from paper_figs.wording import count, number
from simulations.reversal.readings.tasks import CELLS, METHODS, PAIRS, PPO, TaskErrors, flip_distance

__all__ = ["reversal_tasks"]

_LEAST = 1e-3
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Errors of the seeds on a task and on its flip."""


def reversal_tasks() -> Figure:
    """Draw every method's errors while it trained, task by task, and those on a task against those on its flip."""
    errors = TaskErrors.of(reversal_curves("tasks").frame)
    figure, (cells, flips) = panels(2, height=3.3)
    _cells(cells, errors)
    _flips(flips, errors)
    labels = (*METHODS, PPO)
    legend_below([cells, flips], [named(shown(label), reversal_style(label)) for label in labels])
    updates = max(int(runs["update"].max()) for runs in errors.groups.values())
    seeds = count(len(errors.training(cell, name)) for cell in CELLS for name in errors.names(cell))
    caption(f"""Token reversal and its other tasks at H = 10, M = 2: the prompt as it is (copy), backwards (reverse),
        with every token replaced by the other one (flip), and both (reverse-flip), paid for the share of tokens
        before the first error (prefix) or for the share of the right answer's tokens in any order (bag), by which
        copy is reverse. Errors: the share of wrong tokens of sampled answers, as the reward judges them, in the mean
        over {updates:,} updates. (a) Every task and method. (b) The error on a task against that on its flip;
        dotted: the same. Filled points: measured on networks, {seeds} seeds, in (a) every seed
        pale and medians with their range, in (b) medians.""")
    return figure


def _cells(ax: Axes, errors: TaskErrors) -> None:
    best = 0
    for place, cell in enumerate(CELLS):
        names = errors.names(cell)
        for number_, name in enumerate(names):
            style = reversal_style(name)
            y = place + 0.13 * (number_ - (len(names) - 1) / 2)
            draw_seeds(ax, errors.training(cell, name).clip(_LEAST), y, style.colour, style.marker)
        medians = {name: float(np.median(errors.training(cell, name))) for name in METHODS}
        best += max(medians["DG"], medians["zero-price"]) < min(medians["PG"], medians["PMPO"])
    ax.set_yticks(range(len(CELLS)), [f"{task}\nby {reward}" for task, reward in CELLS])
    ax.set(xscale="log", xlabel="errors in training (share of tokens)")
    ax.invert_yaxis()
    ax.grid(axis="y", color="0.92", linewidth=0.6)
    finding(ax, f"DG and zero price make fewer errors than PG and PMPO in {best} of {len(CELLS)} cells")


def _flips(ax: Axes, errors: TaskErrors) -> None:
    samples: dict[str, list[Pair]] = {"prefix": [], "bag": []}
    for plain, flip in PAIRS:
        for name in METHODS:
            both = errors.training(plain, name), errors.training(flip, name)
            samples[plain[1]].append(both)
            mark_measured(ax, [np.median(both[0])], [np.median(both[1])], reversal_style(name), ms=5)
    every = [pair for pairs in samples.values() for pair in pairs]
    low, high = (edge(float(np.median(each)) for pair in every for each in pair) for edge in (min, max))
    ends = np.array([0.8 * low, 1.25 * high])
    ax.plot(ends, ends, color="0.5", linestyle=":", linewidth=0.8, zorder=0, gid=REFERENCE)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.set(xlabel="errors in training on a task", ylabel="on its flip")
    prefix, bag = (number(flip_distance(pairs)) for pairs in samples.values())
    finding(ax, f"A task less its flip: {prefix} standard errors by prefix, {bag} by bag")
