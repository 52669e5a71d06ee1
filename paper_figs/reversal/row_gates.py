"""The figure of gates on whole answers along training: the slope of the row balance, and the cost of signal."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import stack_names
from paper_figs.marks import mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import measured
from paper_figs.wording import count, number

__all__ = ["reversal_row_gates"]

RATE = 0.03
_RULES = ("delight", "advantage", "abs-advantage")
_GATES = (*_RULES, "uniform", "best")
_LEARNING, _IDLE = "row gate(3 %)", "row gate(3 %, positive-surprisal)"
_TASKS = ((2, 10), (10, 4))
_MOST = 1e3


def reversal_row_gates() -> Figure:
    """Draw the slope of the row balance, and costs of signal on two tasks, against the reward along training."""
    frame = measured("reversal-row-gates", "reversal-row-gates-paper", "reversal-row-gates-quick").frame
    frame = frame[frame["rate"] == RATE]
    figure, (slopes, *costs) = panels(3)
    _slopes(slopes, frame)
    for ax, task in zip(costs, _TASKS, strict=True):
        _costs(ax, frame, task)
    costs[1].sharey(costs[0])
    stack_names(slopes, (0.03, 0.97))
    stack_names(costs[1], (0.03, 0.97))
    seeds = count(frame.groupby(["label", "vocab_size"])["seed"].nunique())
    caption(f"""Gates that keep {100 * RATE:g} % of the answers whole, read at policies along the training of row gates
        by delight on token reversal, M kinds of token and prompts of H, against the mean reward there. (a) Slope of the
        row balance, below 1 where the drifts of the right logits sum to something positive, M = 2, H = 10; triangles:
        of the gate by positive surprisal along its own training, which does not learn. (b, c) Cost of signal
        c = ρE‖g‖²/(E g·u)², u along the mean gradient; best gate: the top by a·x − ‖g‖² with a noisy u, an upper bound
        of the least. No point: no signal was found, or it costs more than {_MOST:,.0f}. Medians of {seeds} seeds.
        Measured on networks.""")
    return figure


def _medians(frame: pd.DataFrame, gate: str, column: str) -> pd.DataFrame:
    """Return the median over seeds of the reward and of a column, by update."""
    return frame[frame["gate"] == gate].groupby("update")[["reward", column]].median()


def _slopes(ax: Axes, frame: pd.DataFrame) -> None:
    highest = -np.inf
    here = frame[frame["vocab_size"] == _TASKS[0][0]]
    for rule in _RULES:
        found = _medians(here[here["label"] == _LEARNING], rule, "slope")
        highest = max(highest, float(found["slope"].max()))
        mark_measured(ax, found["reward"], found["slope"], method_style(rule), ls="-", label=_shown(rule))
    style = method_style("positive-surprisal")
    found = _medians(here[here["label"] == _IDLE], "positive-surprisal", "slope")
    mark_measured(ax, found["reward"], found["slope"], style, ls="-", label="positive surprisal")
    reference(ax, y=1)
    ax.set(xlabel="mean reward", ylabel="slope of the row balance", ylim=(-0.6, 1.2))
    finding(ax, f"The slope stays below 1, at {number(highest)} and less; so it does where nothing is learnt")


def _costs(ax: Axes, frame: pd.DataFrame, task: tuple[int, int]) -> None:
    here = frame[(frame["label"] == _LEARNING) & (frame["vocab_size"] == task[0]) & (frame["length"] == task[1])]
    found = {gate: _medians(here, gate, "cost") for gate in _GATES}
    for gate in _GATES:
        style, shown = method_style("best gate" if gate == "best" else gate), found[gate]
        shown = shown[shown["cost"] <= _MOST]
        mark_measured(ax, shown["reward"], shown["cost"], style, ls="-", label=_shown(gate))
    ratio = found["delight"]["cost"] / found["abs-advantage"]["cost"]
    ax.set(xlabel="mean reward", ylabel="cost of signal, c", yscale="log")
    first, last = (number(float(ratio.iloc[place])) for place in (0, -1))
    finding(ax, f"M = {task[0]}, H = {task[1]}: delight costs {first} times |advantage| at first, {last} at last")


def _shown(gate: str) -> str:
    return {"abs-advantage": "|advantage|", "best": "best gate"}.get(gate, gate)
