"""Learning curves of a language model, and where rows by delight end, drawn from the committed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import stack_names
from paper_figs.language_model.style import language_model_style, task_name
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shown
from paper_figs.tables import language_model
from paper_figs.wording import count, number
from simulations.language_model.tables import ends, with_run_seconds
from simulations.results.tables import Table

__all__ = ["language_model_delight", "language_model_quality"]

_TASKS = ("reversal-3", "spelling")
_AXES = {"update": "updates", "backward_rows": "answers that went backward", "seconds": "CPU seconds"}
_TICKS = (0, 0.25, 0.5, 0.75, 1)
_ROOM = 1.5
"""Top of an axis of rewards: five names stand above the curves."""
_RULES = {"delight": "by delight", "uniform": "at random", "abs-advantage": "by |advantage|"}
"""What ranks answers, and how it is called."""


def language_model_quality() -> Figure:
    """Draw the reward of every method against updates, answers that went backward and seconds, task by task."""
    table = language_model("learning")
    curves = with_run_seconds(table)
    tasks = [task for task in _TASKS if task in set(curves["task"])]
    figure, axes = panels(3 * len(tasks), height=2.1)
    for row, task in enumerate(tasks):
        runs = curves[curves["task"] == task]
        for place, (column, name) in enumerate(_AXES.items()):
            ax = axes[3 * row + place]
            _against(ax, runs, column)
            ax.set(xlabel=name, ylabel=f"reward, {task_name(task)}", ylim=(0, _ROOM), yticks=_TICKS)
            finding(ax, _said(runs, column))
        labels = list(dict.fromkeys(runs["label"]))
        names = {shown(label): language_model_style(label).colour for label in labels}
        stack_names(axes[3 * row], (0.03, 0.98), names)
    caption(f"""Reward of sampled answers of SmolLM2-135M over {count(curves["updates"])} updates of 32 answers,
        against updates, answers that went through the model a second time, and CPU seconds of training on one
        thread. Points: measured, means of {count(curves.groupby(["label", "task"])["seed"].nunique())} seeds with
        the range over them; 100 evaluation prompts, 500 at the end. Runs were not all on one machine, nor alone on
        it, so that seconds are a rough guide.""")
    return figure


def _against(ax: Axes, runs: pd.DataFrame, column: str) -> None:
    for label, curve in runs.groupby("label", sort=False):
        points = curve.groupby("update")
        middle, least, most = (points["reward"].agg(statistic) for statistic in ("mean", "min", "max"))
        low, high = np.minimum(least, middle), np.maximum(most, middle)  # a mean of equal rewards is rounded
        draw_measured(ax, points[column].mean(), middle, low, high, language_model_style(str(label)), ms=4)


def _said(runs: pd.DataFrame, column: str) -> str:
    """Return what a panel shows: where methods end, or what the eighth has spent of what PG has."""
    last = runs[runs["update"] == runs["updates"]]
    means = last.groupby("label")[["reward", "backward_rows", "seconds"]].mean()
    if column == "update":
        best = means["reward"].drop(index="token gate(3 %)", errors="ignore")
        tokens = means["reward"].get("token gate(3 %)")
        said = f"Gates on answers end within {number(float(best.max() - best.min()))} of each other"
        return said + ("" if tokens is None else f", the token gate at {number(float(tokens))}")
    eighth = next((label for label in means.index if label.startswith("row gate(12.5")), means.index[-1])
    what = "of PG's answers" if column == "backward_rows" else "of PG's time"
    share = means.loc[eighth, column] / means.loc["PG", column]
    return f"{shown(eighth)} takes {number(float(share))} {what}"


def language_model_delight() -> Figure:
    """Draw where an eighth and a quarter of the answers end, by what ranks them."""
    tables = [language_model("learning"), language_model("methods")]
    runs = ends(tables)
    tasks = [task for task in _TASKS if task in set(runs["task"])]
    figure, axes = panels(len(tasks), height=2.3)
    for ax, task in zip(axes, tasks, strict=True):
        _by_rule(ax, runs[runs["task"] == task])
        ax.set(ylabel=f"final reward, {task_name(task)}")
    caption(f"""Final reward of SmolLM2-135M trained on a share of the answers of each batch, by what ranks them:
        points are means over {_seeds(tables)} seeds with the range over them, dotted the mean of PG. Measured; 500
        sampled answers.""")
    return figure


def _seeds(tables: list[Table]) -> str:
    frame = pd.concat([table.frame for table in tables])
    return count(frame.groupby(["label", "task"])["seed"].nunique())


def _by_rule(ax: Axes, runs: pd.DataFrame) -> None:
    shares, last = (0.125, 0.25), {}
    gates = runs[(runs["method"] == "row-gate") & (runs["row_surprisal"] == "sum") & runs["rate"].isin(shares)]
    for beside, rule in enumerate(_RULES):
        for place, share in enumerate(shares):
            found = gates[(gates["rule"] == rule) & np.isclose(gates["rate"], share)]
            if len(found) > 1:
                ends_at = found["reward"]
                x, value = place + 0.15 * (beside - 1), float(ends_at.mean())
                low, high = min(value, ends_at.min()), max(value, ends_at.max())
                draw_measured(ax, [x], [value], [low], [high], method_style(rule), label=rule)
                last[rule, share] = value
    reference(ax, y=float(runs.loc[runs["label"] == "PG", "reward"].mean()))
    ax.set_xticks([0, 1], ["1/8 of the answers", "1/4"])
    ax.set(xlim=(-0.5, 1.5), ylim=(0, 1))
    gap = last.get(("delight", 0.125), np.nan) - last.get(("uniform", 0.125), np.nan)
    finding(ax, f"An eighth by delight ends {number(abs(gap))} {'above' if gap > 0 else 'below'} an eighth at random")
    stack_names(ax, (0.98, 0.05), {name: method_style(rule).colour for rule, name in _RULES.items()})
