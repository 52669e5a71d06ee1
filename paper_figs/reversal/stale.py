"""Figure of token reversal on answers that other policies wrote, drawn from the table of study ``stale``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.marks import draw_exact, draw_measured, named, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.sensitivity import draw_seeds
from paper_figs.reversal.style import reversal_style
from paper_figs.style import MethodStyle, shown
from paper_figs.tables import reversal_curves
from paper_figs.wording import count, number, percent
from simulations.reversal.stale.rests import Estimator, resting_probability

__all__ = ["reversal_stale"]

_DRAWN = ("PG", "DG", "zero-price", "row gate(3 %)", "token gate(30 %)", "PPO")
_FRICTIONS = {
    "none": ("o", (False, False, False)),
    "late": ("^", (True, False, False)),
    "broken": ("s", (False, True, False)),
    "false pay": ("X", (False, False, True)),
    "all": ("D", (True, True, True)),
}
"""Markers, and whether actors are late, broken, and paid by mistake."""
_LEAST = 1e-4


def reversal_stale() -> Figure:
    """Draw token errors along training with late actors, beside where methods rest, and final errors by friction."""
    frame = reversal_curves("stale").frame
    figure, (curves, ends) = panels(2, height=3.4)
    late = _of(frame, "late")
    delay = int(late["delay"].max())
    late = late[late["delay"] == delay]
    _training(curves, late, delay)
    _final(ends, frame)
    together = _of(frame, "all").iloc[0]
    caption(f"""Token reversal at M = {frame["vocab_size"].iloc[0]}, H = {frame["length"].iloc[0]} on answers that
        others wrote. (a) Token error where actors are {delay} updates late (dotted: the first ones leave); crosses:
        where the mean field lets a method rest until then, none for PG and DG. (b) Token error after
        {frame["update"].max():,} updates with actors {delay} updates late, with
        {percent(frame["random"].max())} broken answers, with {percent(frame["corruption"].max())} paid in full by
        mistake, and with all three, actors {together["delay"]:g} late; gates and DG by the learner's surprisal or by
        that which the actor sent along; no error is drawn at {100 * _LEAST:g} percent. Points: measured on networks,
        every seed pale, medians of {count(frame.groupby("label")["seed"].nunique())} seeds with their spread.""")
    return figure


def _of(frame: pd.DataFrame, friction: str) -> pd.DataFrame:
    late, broken, paid = _FRICTIONS[friction][1]
    same = (frame["delay"] > 0) == late
    return frame[same & ((frame["random"] > 0) == broken) & ((frame["corruption"] > 0) == paid)]


def _training(ax: Axes, late: pd.DataFrame, delay: int) -> None:
    there, resting = 0.0, []
    for label in _DRAWN:
        runs, style = late[late["contender"] == label], reversal_style(label)
        by_update = 100 * runs.pivot_table(index="update", columns="seed", values="token_error")
        ends = by_update.min(axis=1), by_update.max(axis=1)
        draw_measured(ax, by_update.index, by_update.median(axis=1), *ends, style, label=shown(label))
        length, vocab_size, n_answers = (int(runs[name].iloc[0]) for name in ("length", "vocab_size", "answers"))
        rate, method = runs["rate"].to_numpy(np.float64)[0], str(runs["method"].iloc[0])
        estimator = Estimator(method, None if np.isnan(rate) else float(rate), answers=n_answers)
        rest = resting_probability(estimator, length, vocab_size)
        if rest < 0.98:
            draw_exact(ax, [delay], [100 * (1 - rest)], style.colour, ms=7)
            found = 100 * float(np.median(runs[runs["update"] == delay]["token_error"].to_numpy(np.float64)))
            there = max(there, abs(found - 100 * (1 - rest)))
            resting.append(label)
    reference(ax, x=delay)
    ax.set(xlabel="update", ylabel="token error (percent)", ylim=(0, 55), xlim=(0, None))
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.15), ncols=3)
    finding(
        ax, f"While actors stand still {len(resting)} methods rest, within {number(there)} points of the predicted"
    )


def _final(ax: Axes, frame: pd.DataFrame) -> None:
    last = frame[frame["update"] == frame["update"].max()]
    labels = list(dict.fromkeys(last["contender"]))
    plain = [str(label).partition(",")[0] for label in labels]
    order = sorted(labels, key=lambda label: plain.index(str(label).partition(",")[0]))
    for place, label in enumerate(order):
        for shift, (friction, (marker, _)) in enumerate(_FRICTIONS.items()):
            runs = _of(last[last["contender"] == label], friction)
            runs = runs[runs["delay"] == runs["delay"].max()]
            if len(runs):
                values = runs["token_error"].to_numpy(np.float64).clip(_LEAST)
                style = reversal_style(label.partition(",")[0])
                draw_seeds(ax, values, place + 0.15 * (shift - 2), style.colour, marker)
    ax.set_yticks(range(len(order)), [shown(label) for label in order])
    ax.set(xscale="log", xlim=(0.6 * _LEAST, 1.3), xlabel="final token error (percent)")
    ax.set_xticks([_LEAST, 1e-3, 1e-2, 0.1, 1], ["≤ 0.01", "0.1", "1", "10", "100"])
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.grid(axis="y", color="0.92", linewidth=0.6)
    found = [name for name in _FRICTIONS if len(_of(last, name))]
    handles = [named(name, MethodStyle("0.3", _FRICTIONS[name][0])) for name in found]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.15), ncols=5)
    medians = last.groupby(["contender", "delay", "random", "corruption"])["token_error"].median()
    worst = [100 * float(medians[label].max()) for label in ("PG", "DG", "row gate(3 %)")]
    said = [number(value) for value in worst]
    finding(
        ax, f"With any friction PG ends within {said[0]} %, DG within {said[1]} %, the row gate at up to {said[2]} %"
    )
