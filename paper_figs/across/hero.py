"""The one figure that says what the gate does, what it saves, and where it stalls, from committed tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap import critical_rate
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.marks import mark_measured
from paper_figs.mnist.batches import batch, pack, price_of
from paper_figs.mnist.quality import GATE, TARGET, error_axis, learning_curves, saving_arrow
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.style import reversal_style
from paper_figs.reversal.trap import GROUP
from paper_figs.style import Colour, method_style
from paper_figs.tables import measured, reversal_curves
from paper_figs.wording import count, number, percent
from simulations.mnist.tables import LEARNING_CURVES
from simulations.reversal.summary import progress

__all__ = ["hero"]


def hero() -> Figure:
    """Show a batch on its delight axis, backward samples to 5 % error, and rewards at which token gates stall."""
    table = batch()
    early = table.frame[table.frame["update"] == table.frame["update"].min()]
    curves = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    ends = progress(reversal_curves("token-trap").frame)
    figure, axes = panels(3, height=2.4, width_ratios=(1.35, 1, 1))
    kept, moved = _digits(axes[0], early, float(table.config["rate"]))
    _savings(axes[1], curves)
    _stalls(axes[2], ends)
    caption(f"""(a) A batch of {len(early)} MNIST digits after {early["update"].max():,} updates of {GATE}, by the
        delight of one answer drawn for each: advantage (reward less its expectation) times surprisal; stacked, at
        most {number(moved, 1)} from their place. The {kept} with the most, drawn large, are kept for the backward
        pass. (b) Test error against backward samples, median of {curves["seed"].nunique()} seeds with quartile bands;
        ratio: PG's over the gate's at {percent(TARGET, 1)} error, median. (c) Reward at which gates of a transformer
        stop on reversing prompts of M kinds of token, against the theory's stall point of the token gate, every one
        of {count(ends.groupby(["label", "vocab_size", "length"])["seed"].nunique())} seeds; the row gate keeps as
        many tokens, in whole answers. Line: theory; filled points: measured on networks.""")
    return figure


def _digits(ax: Axes, frame: pd.DataFrame, rate: float) -> tuple[int, float]:
    """Draw the digits of a batch where their delight is, those that are kept large; return how many these are.

    And how far the others are from their place, at most.
    """
    kept = frame["delight"].rank(ascending=False, method="first") <= round(rate * len(frame))
    price = price_of(frame["delight"], int(kept.sum()))
    low, high = float(frame["delight"].min()) - 0.1, price + 0.62
    picture, moved = pack(frame[~kept], low, high, columns=38, rows=19)
    ax.imshow(picture, extent=(low, high, 0, 1), aspect="auto", cmap="gray_r", interpolation="antialiased", vmin=0)
    colour = method_style(GATE).colour
    for place, (_, digit) in enumerate(frame[kept].sort_values("delight").iterrows()):
        _large(ax, digit, price + 0.12, place / kept.sum(), 1 / kept.sum(), colour)
    ax.plot([price, price], [0, 1], color=colour, lw=1.6)
    ax.annotate("price ", (price, 0.99), ha="right", va="top", color=colour)
    right = frame["label"] == frame["action"]
    for rows, name, shift, height in ((~right, "wrong", 0.5, 0.99), (right & ~kept, "right,\nnot kept", 0.0, 0.5)):
        if rows.any():
            middle = float(frame[rows]["delight"].median())
            ax.annotate(f"{rows.sum()} {name}", (middle + shift, height), ha="center", va="top")
    ax.set(xlim=(low, high), ylim=(0, 1.02), yticks=[], xlabel="delight χ = advantage × surprisal")
    ax.spines["left"].set_visible(False)
    luck = percent(float(frame[kept]["probability"].max()))
    finding(ax, f"Keep {kept.sum()} of {len(frame)}: answers of at most {luck} probability, "
                f"{(right & kept).sum()} of them right")  # fmt: skip
    return int(kept.sum()), moved


def _large(ax: Axes, digit: pd.Series, left: float, bottom: float, height: float, colour: Colour) -> None:
    """Draw a digit large, with ink in a colour."""
    ink = np.frombuffer(digit["pixels"], np.uint8).reshape(28, 28)[..., None] / 255
    red, green, blue = (int(str(colour)[at : at + 2], 16) / 255 for at in (1, 3, 5))
    extent = (left, left + 0.44, bottom + 0.04 * height, bottom + 0.96 * height)
    ax.imshow(1 - ink * (1 - np.array([red, green, blue])), extent=extent, aspect="auto")


def _savings(ax: Axes, curves: pd.DataFrame) -> None:
    learning_curves(ax, curves, "backward_samples", ("PG", GATE))
    fewer = saving_arrow(ax, curves, 0.5)
    error_axis(ax)
    ax.set(xlabel="backward samples", ylabel="test error (percent)")
    for line in [line for line in ax.lines if line.get_label() in ("PG", GATE)]:
        x, y = (np.asarray(each, dtype=np.float64) for each in line.get_data())
        ax.annotate(str(line.get_label()), (x[0], y[0]), (5, 2), textcoords="offset points", va="bottom",
                    color=line.get_color())  # fmt: skip
    finding(ax, f"{fewer.capitalize()} backward samples to {percent(TARGET, 1)} error")


def _stalls(ax: Axes, ends: pd.DataFrame) -> None:
    """Draw the late reward of token and row gates against the theory's stall point, where there is one."""
    span: Any = np.array([0.2, 0.75])
    ax.plot(span, span, color="0.3", lw=0.8)
    gaps: list[float] = []
    names: list[object] = []
    for (m, h, label), runs in ends.groupby(["vocab_size", "length", "label"]):
        rate, method = float(runs["rate"].iloc[0]), runs["method"].iloc[0]
        if rate >= critical_rate(m, h) or "advantage" in str(label):
            continue
        stall = float(group_stall_point(rate, m, h, GROUP) or np.nan)
        style = reversal_style(str(label))
        mark_measured(ax, [stall] * len(runs), runs["late_reward"], style)
        if method == "token-gate":
            gaps.extend((runs["late_reward"] - stall).abs())
            if m not in names:
                ax.annotate(f"M = {m}", (stall, stall), (3, -4), textcoords="offset points", va="top")
                names.append(m)
    for label, place in (("row gate(3 %)", (0.45, 0.96)), ("token gate(3 %)", (0.24, 0.5))):
        ax.text(*place, label.partition("(")[0] + (" learns" if label.startswith("row") else "\nstalls"),
                color=reversal_style(label).colour, ha="center" if place[0] > 0.3 else "left", va="top")  # fmt: skip
    ax.set(xlabel="stall predicted at reward", ylabel="reward reached", xlim=span, ylim=(0.2, 1.04))
    finding(ax, f"On tokens it stalls where theory says, within {number(max(gaps), 1)} of reward")
