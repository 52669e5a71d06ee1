"""Where the transformer's token gates stall, against the theory's predictions, drawn from the committed tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kondo_theory.token_trap import critical_rate, stall_point, stalling_rates
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.arranging import label_at, stack_names
from paper_figs.marks import draw_exact, mark_measured, named, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.style import reversal_style
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import reversal_curves
from paper_figs.wording import count, number
from simulations.reversal.summary import LEARNT, progress

__all__ = ["GROUP", "RUN_LEARNT", "RUN_STALLED", "reversal_token_trap"]

GROUP = 10
"""Answers to a prompt, whose mean is the baseline."""
MARGIN = 0.05
_SHADE = 0.22
RUN_LEARNT, RUN_STALLED = MethodStyle("0.4", "o"), MethodStyle("black", "X")
"""How a run looks that learnt, and one that did not."""

Pair = tuple[int, int]
"""M and H."""


def reversal_token_trap() -> Figure:
    """Draw runs on the phase diagram, stalled against predicted rewards, learning curves, and equal budgets."""
    frame = reversal_curves("token-trap").frame
    ends = progress(frame)
    figure, (diagram, stalls, curves, gates) = panels(4, height=2.4)
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
    caption(f"""Token gates of the transformer on token reversal with M kinds of token and prompts of H. (a) Runs by
        gate rate ρ; areas: the theory predicts a stall. (b) Reward of the stalled runs against the predicted, with
        the mean of {GROUP} answers as the baseline (crosses: predicted with the exact mean, at the
        median reward). (c) Training reward of every seed at
        M = {pairs[0][0]}, H = {pairs[0][1]}; dotted: predicted. (d) Final training reward at the stalling rates of
        gates on tokens and on whole answers. Points: measured on networks,
        {count(ends.groupby(["label", "vocab_size", "length"])["seed"].nunique())} seeds a setting.""")
    return figure


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
                mark_measured(ax, place + shift, rate, RUN_LEARNT if learnt else RUN_STALLED, ms=3)
    handles: list[Any] = [
        Patch(color=colour, alpha=_SHADE + 0.15, linewidth=0, label="predicted to stall"),
        named("did not learn", RUN_STALLED),
        named("learnt", RUN_LEARNT),
    ]
    ax.set(ylabel="gate rate, ρ", ylim=(0, 0.68))
    stalls = [
        any(low <= rate <= high for low, high in stalling_rates(m, h))
        for m, h, rate in zip(tokens["vocab_size"], tokens["length"], tokens["rate"], strict=True)
    ]
    as_said = int((np.array(stalls) != tokens["learnt"].to_numpy(dtype=bool)).sum())
    finding(ax, f"{as_said} of {len(tokens)} runs do as predicted: stall in the area, learn outside")
    ax.legend(
        handles=handles,
        loc="upper center",
        ncols=3,
        handlelength=1.0,
        columnspacing=0.6,
        handletextpad=0.1,
        borderaxespad=0.1,
    )


def _stalled_rewards(ax: Axes, below: pd.DataFrame) -> None:
    span: Any = np.array([0.2, 0.75])
    ax.plot(span, span, color="0.3", linewidth=0.8)
    gaps: list[float] = []
    ax.fill_between(span, span - MARGIN, span + MARGIN, color="0.5", alpha=0.15, linewidth=0)
    style = method_style("token gate")
    for _, runs in below.groupby(["vocab_size", "length", "rate"]):
        m, h, rate = int(runs["vocab_size"].iloc[0]), int(runs["length"].iloc[0]), float(runs["rate"].iloc[0])
        group: Any = [group_stall_point(rate, m, h, GROUP)] * len(runs)
        exact: Any = [stall_point(rate, m, h)] * len(runs)
        mark_measured(ax, group, runs["late_reward"], style)
        draw_exact(ax, exact[0], runs["late_reward"].median(), "0.3", ms=3.5, mew=0.8)
        gaps.extend((runs["late_reward"] - group[0]).abs())
        shift = (6, -9) if h == below["length"].max() else (4, 5)  # the two of M = 2 are neighbours
        place = (group[0], runs["late_reward"].max())
        ax.annotate(f"M = {m}, H = {h}", place, shift, textcoords="offset points")
    handles: list[Any] = [
        named(f"baseline: mean of {GROUP} answers", style),
        named("baseline: exact mean", MethodStyle("0.3", "x")),
    ]
    ax.legend(handles=handles, loc="lower right", title="predicted with")
    ax.set(xlabel="predicted reward at the stall, p*", ylabel="reward, last third of training")
    finding(ax, f"The reward at which they stop is predicted within {number(max(gaps))}")
    ax.set(xlim=span, ylim=span)


def _training(ax: Axes, frame: pd.DataFrame, pair: Pair) -> None:
    """Draw the training reward of each gate at the first task, every seed."""
    runs = frame[(frame["vocab_size"] == pair[0]) & (frame["length"] == pair[1]) & (frame["update"] > 0)]
    for label, method in runs.groupby("label", sort=False):
        style = reversal_style(str(label))
        for place, (_, run) in enumerate(method.groupby("seed")):
            name = str(label) if place == 0 else None
            every = max(1, len(run) // 6)
            mark_measured(ax, run["update"], run["train_reward"], style, ls="-", lw=0.7, ms=2.5, markevery=every,
                          label=name)  # fmt: skip
    predicted = group_stall_point(float(runs["rate"].min()), pair[0], pair[1], GROUP)
    assert predicted is not None
    reference(ax, y=predicted, colour="0.3")
    ax.text(runs["update"].max(), predicted + 0.02, "predicted", color="0.3", ha="right", va="bottom")
    ax.set(xlabel="updates", ylabel="training reward", ylim=(0.47, 1.02))
    token = runs[(runs["method"] == "token-gate") & (runs["rate"] == runs["rate"].min())]
    late = token[token["update"] > 2 / 3 * token["update"].max()].groupby("seed")["train_reward"].mean()
    finding(ax, f"At M = {pair[0]}, H = {pair[1]} the token gate stays at {number(float(late.median()))}, "
                f"predicted {number(predicted)}")  # fmt: skip
    label_at(ax, {"token gate(3 %)": (np.inf, -2, -8)})
    others = {name: reversal_style(name).colour for name in runs["label"].unique() if name != "token gate(3 %)"}
    stack_names(ax, (0.98, 0.85), others)


def _equal_budgets(ax: Axes, ends: pd.DataFrame, below: pd.DataFrame, pairs: list[Pair]) -> None:
    """Draw the final reward of token and row gates at the stalling rates, each seed a point."""
    rows = ends[ends["method"] == "row-gate"]
    series = {
        "tokens by delight": (below, method_style("token gate")),
        "rows by delight": (rows[rows["rule"] == "delight"], method_style("row gate")),
        "rows by advantage": (rows[rows["rule"] == "advantage"], method_style("advantage")),
    }
    for beside, (name, (part, style)) in enumerate(series.items()):
        places = [pairs.index((m, h)) for m, h in zip(part["vocab_size"], part["length"], strict=True)]
        x: Any = np.array(places) + 0.2 * (beside - 1)
        mark_measured(ax, x, part["final_reward"], style, label=name)
    reference(ax, y=LEARNT)
    ax.text(len(pairs) - 0.6, LEARNT - 0.01, "learnt", color="0.4", ha="right", va="top")
    ax.set(ylabel="final training reward", ylim=(0, 1.05))
    learnt = {name: f"{int(part['learnt'].sum())}/{len(part)}" for name, (part, _) in series.items()}
    finding(ax, "These learn on the same budget: " + ", ".join(f"{each} {n}" for each, n in learnt.items()))
    ax.legend(loc="lower left")
