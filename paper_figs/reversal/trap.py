"""Where the transformer's token gates stall, against the theory's predictions, drawn from the committed tables."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kondo_theory.token_trap import critical_rate, stall_point, stalling_rates
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.reversal.style import LEGEND_SIZE, reversal_style
from paper_figs.style import PANEL, label_panels, method_style
from paper_figs.tables import reversal_curves
from simulations.reversal.summary import LEARNT, progress

__all__ = ["GROUP", "reversal_token_trap"]

GROUP = 10
"""Answers to a prompt, whose mean is the baseline."""
MARGIN = 0.05
_SHADE = 0.22

Pair = tuple[int, int]
"""M and H."""


def reversal_token_trap() -> Figure:
    """Draw runs on the phase diagram, stalled against predicted rewards, learning curves, and equal budgets."""
    frame = reversal_curves("token-trap").frame
    ends = progress(frame)
    figure, grid = plt.subplots(2, 2, figsize=(2 * PANEL[0] + 0.8, 2 * PANEL[1] + 0.6))
    diagram, stalls, curves, gates = grid.flat
    found: set[Pair] = set(zip(ends["vocab_size"], ends["length"], strict=True))
    pairs = sorted(found, key=lambda pair: (pair[0], -pair[1]))
    tokens = ends[ends["method"] == "token-gate"]
    critical = {pair: critical_rate(*pair) for pair in pairs}
    keys = zip(tokens["vocab_size"], tokens["length"], tokens["rate"], strict=True)
    below = tokens[[rate < critical[m, h] for m, h, rate in keys]]
    _phase_diagram(diagram, tokens, pairs)
    _stalled_rewards(stalls, below)
    _training(curves, frame, pairs[0])
    _equal_budgets(gates, ends, below, pairs)
    for ax in (diagram, gates):
        ax.set_xticks(range(len(pairs)), [f"M = {m}\nH = {h}" for m, h in pairs])
    label_panels(list(grid.flat))
    return figure


def _seeds(ends: pd.DataFrame) -> str:
    """Return how many seeds the runs have: one number, or the least and the most."""
    counts = ends.groupby(["label", "vocab_size", "length"])["seed"].nunique()
    return f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"


def _phase_diagram(ax: Axes, tokens: pd.DataFrame, pairs: list[Pair]) -> None:
    colour = method_style("token gate").colour
    for place, pair in enumerate(pairs):
        for low, high in stalling_rates(*pair):
            ax.bar(place, high - low, 0.6, low, color=colour, alpha=_SHADE + 0.15, linewidth=0)
        runs = tokens[(tokens["vocab_size"] == pair[0]) & (tokens["length"] == pair[1])]
        for rate in sorted(set(runs["rate"])):
            seeds = runs[runs["rate"] == rate]
            shifts = np.linspace(-0.24, 0.24, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            for shift, learnt in zip(shifts, seeds["learnt"], strict=True):
                marker, face = ("o", "white") if learnt else ("X", "black")
                ax.plot(place + shift, rate, marker, color="black", mfc=face, ms=3.5)
    ax.plot([], [], "s", color=colour, alpha=_SHADE + 0.15, label="predicted to stall", ms=7)
    ax.plot([], [], "X", color="black", label="did not learn", ms=4.5)
    ax.plot([], [], "o", color="black", mfc="white", label="learnt", ms=4.5)
    ax.set(
        ylabel="gate rate, ρ",
        ylim=(0, 0.62),
        title=f"token gates of the transformer, {_seeds(tokens)} seeds",
    )
    ax.legend(loc="upper center", ncols=3, columnspacing=0.8, handletextpad=0.2)


def _stalled_rewards(ax: Axes, below: pd.DataFrame) -> None:
    span: Any = np.array([0.2, 0.75])
    ax.plot(span, span, color="0.3", linewidth=0.8)
    ax.fill_between(span, span - MARGIN, span + MARGIN, color="0.5", alpha=0.15, linewidth=0)
    style = method_style("token gate")
    for _, runs in below.groupby(["vocab_size", "length", "rate"]):
        m, h, rate = int(runs["vocab_size"].iloc[0]), int(runs["length"].iloc[0]), float(runs["rate"].iloc[0])
        group: Any = [group_stall_point(rate, m, h, GROUP)] * len(runs)
        exact: Any = [stall_point(rate, m, h)] * len(runs)
        ax.plot(group, runs["late_reward"], style.marker, color=style.colour)
        ax.plot(exact, runs["late_reward"], "|", color="0.3")
        shift = (6, -9) if h == below["length"].max() else (4, 5)  # the two of M = 2 are neighbours
        place = (group[0], runs["late_reward"].max())
        ax.annotate(f"M={m}, H={h}", place, shift, textcoords="offset points", size=6.5)
    handles: list[Any] = [
        Line2D([], [], color=style.colour, marker=style.marker, ls="", label="baseline: mean of 10 answers"),
        Line2D([], [], color="0.3", marker="|", ls="", label="baseline: exact mean"),
    ]
    ax.legend(handles=handles, loc="lower right", title="predicted with", title_fontsize=LEGEND_SIZE)
    ax.set(
        xlabel="predicted reward at the stall, p*", ylabel="reward, last third of training", title="where it stops"
    )
    ax.set(xlim=span, ylim=span)


def _training(ax: Axes, frame: pd.DataFrame, pair: Pair) -> None:
    """Draw the training reward of each gate at the first task, every seed."""
    runs = frame[(frame["vocab_size"] == pair[0]) & (frame["length"] == pair[1]) & (frame["update"] > 0)]
    for label, method in runs.groupby("label", sort=False):
        style = reversal_style(str(label))
        for number, (_, run) in enumerate(method.groupby("seed")):
            name = str(label) if number == 0 else None
            ax.plot(run["update"], run["train_reward"], style.line, color=style.colour, label=name, lw=0.7)
    predicted = group_stall_point(float(runs["rate"].min()), pair[0], pair[1], GROUP)
    assert predicted is not None
    ax.axhline(predicted, color="0.3", linewidth=0.8, linestyle=":")
    ax.text(runs["update"].max(), predicted + 0.02, "predicted", size=7, color="0.3", ha="right", va="bottom")
    ax.set(xlabel="updates", ylabel="training reward", ylim=(0.47, 1.02), title=f"M = {pair[0]}, H = {pair[1]}")
    ax.legend(loc="center right")


def _equal_budgets(ax: Axes, ends: pd.DataFrame, below: pd.DataFrame, pairs: list[Pair]) -> None:
    """Draw the final reward of token and row gates at the stalling rates, each seed a point."""
    rows = ends[ends["method"] == "row-gate"]
    series = {
        "tokens by delight": (below, method_style("token gate")),
        "rows by delight": (rows[rows["rule"] == "delight"], method_style("row gate")),
        "rows by advantage": (rows[rows["rule"] == "advantage"], method_style("advantage")),
    }
    for number, (name, (part, style)) in enumerate(series.items()):
        places = [pairs.index((m, h)) for m, h in zip(part["vocab_size"], part["length"], strict=True)]
        x: Any = np.array(places) + 0.2 * (number - 1)
        ax.plot(x, part["final_reward"], style.marker, color=style.colour, label=name, ms=5)
    ax.axhline(LEARNT, color="0.6", linewidth=0.8, linestyle=":")
    ax.text(len(pairs) - 0.6, LEARNT - 0.01, "learnt", size=7, color="0.4", ha="right", va="top")
    ax.set(ylabel="final training reward", ylim=(0, 1.05), title="the same backward tokens")
    ax.legend(loc="lower left")
