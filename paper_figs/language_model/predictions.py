"""What was predicted from the pretrained policy against what training did, drawn from the committed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.language_model.style import language_model_style, task_name
from paper_figs.marks import draw_measured, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import shown
from paper_figs.tables import language_model
from paper_figs.wording import count, number
from simulations.language_model.predictions import gate_estimates
from simulations.language_model.tables import ends

__all__ = ["language_model_token_trap"]


def language_model_token_trap() -> Figure:
    """Draw what each gate gained against its alignment at the pretrained policy, task by task."""
    tables = [language_model(study) for study in ("learning", "methods")]
    blocks = language_model("frozen").frame
    predicted, runs = gate_estimates(blocks).set_index(["task", "gate"]), ends(tables)
    tasks = [task for task in runs["task"].unique() if task in predicted.index.get_level_values("task")]
    blocks = blocks[blocks["task"].isin(tasks)]
    figure, axes = panels(len(tasks), height=2.6)
    shared: dict[str, Line2D] = {}
    for ax, task in zip(axes, tasks, strict=True):
        shared |= _task(ax, predicted.loc[task], runs[runs["task"] == task])
        ax.set(xlabel="alignment at the pretrained policy over PG's", ylabel=f"reward gained, {task_name(task)}")
    legend_below(axes, shared.values())
    caption(f"""Each gate's alignment at the pretrained policy, ⟨E g, ∇J⟩ over ‖∇J‖√E‖g‖² and over that of PG, with
        two standard errors ({count(blocks.groupby("task")["block"].nunique())} blocks of batches), against the
        reward that its runs gained, means of {count(runs.groupby(["label", "task"])["seed"].nunique())} seeds.
        Points: measured on the network; dotted: no alignment, no gain. Grey: gates of other studies, rows (plus),
        tokens (cross), groups (diamond).""")
    return figure


def _task(ax: Axes, predicted: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Line2D]:
    handles, x, y = {}, [], []
    for label, each in runs.groupby("label", sort=False):
        if label not in predicted.index:
            continue
        at, error = (float(predicted[name][label]) for name in ("alignment", "alignment_error"))
        gained, style = float(each["gained"].mean()), language_model_style(str(label))
        if np.isfinite(error):
            ax.plot([at - 2 * error, at + 2 * error], [gained, gained], color=style.colour, lw=0.8)
        draw_measured(ax, [at], [gained], [each["gained"].min()], [each["gained"].max()], style)
        x.append(at)
        y.append(gained)
        if style.colour != "0.45":
            handles[str(label)] = named(shown(label), style)
    reference(ax, x=0)
    reference(ax, y=0)
    order = pd.Series(x).rank().corr(pd.Series(y).rank())
    finding(ax, f"Order of alignment and of gain agree with rank correlation {number(float(order))}")
    return handles
