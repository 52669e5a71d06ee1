"""The figure of gates on answers along training: slope of the row balance, cost of signal, drift, and tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap import drift
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_measured, mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import measured
from paper_figs.wording import count, number

__all__ = ["reversal_row_gates"]

RATE = 0.03
M, H = 2, 10
_RULES = ("delight", "advantage", "abs-advantage")
_GATES = (*_RULES, "uniform", "best")
_LEARNING, _IDLE = "row gate(3 %)", "row gate(3 %, positive-surprisal)"


def reversal_row_gates() -> Figure:
    """Draw slopes of the row balance, costs of signal and drifts along training, and drifts of tokens by reward."""
    whole = measured("reversal-row-gates", "reversal-row-gates-paper", "reversal-row-gates-quick").frame
    whole = whole[whole["rate"] == RATE]
    frame = whole[(whole["vocab_size"] == M) & (whole["length"] == H)]
    learning, idle = (frame[frame["label"] == label] for label in (_LEARNING, _IDLE))
    figure, (slopes, costs, drifts, tokens) = panels(4, height=2.5)
    _slopes(slopes, learning, idle)
    _costs(costs, learning)
    _drifts(drifts, learning)
    _tokens(tokens, whole[(whole["label"] == _LEARNING) & (whole["gate"] == "delight, tokens")])
    for ax in (slopes, costs, drifts):
        ax.set(xlabel="updates", xlim=(0, 900))
    seeds = count(frame.groupby("label")["seed"].nunique())
    caption(f"""Gates that keep {100 * RATE:g} % of the answers whole, read at policies along the training of the row
        gate by delight on token reversal, M = {M}, H = {H}. (a) Slope of the row balance, below 1 where the drifts of
        the right logits sum to something positive; positive surprisal: along its own training, which does not learn.
        (b) Cost of signal c = ρE‖g‖²/(E g·u)², u along the mean gradient; best gate: that found by a noisy u. (c)
        Drift along the mean gradient over that of |advantage|. Points: medians over seeds, {seeds} a path. (d) At the
        same policies of rows by delight, and at M = 10, H = 4: the drifts of the right logits, summed, if single
        tokens were kept instead, {100 * RATE:g} % by delight, against the mean reward; a point for each policy and
        seed, bars of 1.96 standard errors; lines (M = 10 wide): the mean field of independent tokens. Measured on
        networks.""")
    return figure


_TASKS = {(2, 10): ("X", (0.59, 0.026)), (10, 4): ("D", (0.25, 0.031))}
"""M and H of the tasks, their markers, and where their names stand."""


def _tokens(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the right logits' drifts by tokens at each policy, beside the mean field."""
    for (m, h), (marker, place) in _TASKS.items():
        style = replace(method_style("delight"), marker=marker)
        rewards = np.linspace(1 / m, 0.999, 400)
        wide = 2.0 if m == 10 else 0.9
        ax.plot(rewards, h * drift(rewards, h, m, rate=RATE), color=style.colour, lw=wide)
        at = frame[(frame["vocab_size"] == m) & (frame["length"] == h)]
        error = 1.96 * at["balance_error"]
        draw_measured(ax, at["reward"], at["balance"], at["balance"] - error, at["balance"] + error, style, ls="")
        ax.text(*place, f"M = {m}, H = {h}", color=style.colour)
    reference(ax, y=0)
    ax.set(xlabel="mean reward", ylabel="drifts of the right logits", xlim=(0, 1.02))
    lowest = frame.sort_values("balance").iloc[0]
    m, h = int(lowest["vocab_size"]), int(lowest["length"])
    finding(
        ax,
        f"Tokens by delight push right logits down, at M = {m}, H = {h}, reward {number(float(lowest['reward']))} "
        f"by {number(-float(lowest['balance']))}",
    )


def _medians(frame: pd.DataFrame, gate: str, column: str) -> pd.Series:
    """Return the median over seeds of a column, by update."""
    return frame[frame["gate"] == gate].groupby("update")[column].median()


def _draw(ax: Axes, gate: str, values: pd.Series) -> None:
    style, name = method_style("best gate" if gate == "best" else gate), _NAMES.get(gate, gate)
    mark_measured(ax, values.index, values, style, ls="-", label=name)


_NAMES = {"abs-advantage": "|advantage|", "best": "best gate", "positive-surprisal": "positive surprisal"}


def _slopes(ax: Axes, learning: pd.DataFrame, idle: pd.DataFrame) -> None:
    found = {rule: _medians(learning, rule, "slope") for rule in _RULES}
    for rule, values in found.items():
        _draw(ax, rule, values)
    _draw(ax, "positive-surprisal", _medians(idle, "positive-surprisal", "slope"))
    reference(ax, y=1)
    ax.set(ylabel="slope of the row balance", ylim=(-0.5, 2.1))
    ax.set_yticks([-0.5, 0, 0.5, 1])
    highest = number(max(float(values.max()) for values in found.values()))
    finding(ax, f"Slopes stay below 1, at {highest} and less, whether the gate learns or not")
    stack_names(ax, (0.97, 0.97))


def _costs(ax: Axes, frame: pd.DataFrame) -> None:
    found = {gate: _medians(frame, gate, "cost") for gate in _GATES}
    for gate, values in found.items():
        _draw(ax, gate, values)
    ax.set(ylabel="cost of signal, c", yscale="log", ylim=(0.9, 1e3))
    ratio = found["delight"] / found["abs-advantage"]
    first, last = (number(float(ratio.iloc[place])) for place in (0, -1))
    finding(ax, f"Delight's signal costs {first} times |advantage|'s at first and {last} times at last")
    stack_names(ax, (0.97, 0.97))


def _drifts(ax: Axes, frame: pd.DataFrame) -> None:
    size = _medians(frame, "abs-advantage", "drift")
    found = {gate: _medians(frame, gate, "drift") / size for gate in ("delight", "advantage", "uniform")}
    for gate, values in found.items():
        _draw(ax, gate, values.where(values > 0, np.nan))
    reference(ax, y=1)
    ax.set(ylabel="drift over that by |advantage|", yscale="log", ylim=(0.01, 20))
    first, last = (number(1 / float(found["delight"].iloc[place])) for place in (0, -1))
    finding(ax, f"|advantage| has {first} times delight's drift at first, {last} times at last")
    stack_names(ax, (0.97, 0.97))
