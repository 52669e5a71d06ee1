"""Figures of token reversal, drawn from the committed tables: nothing here trains, and nothing imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from kondo_theory.cost import surviving_rows
from kondo_theory.token_trap import critical_rate, stall_point, stalling_rates
from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.style import PANEL, MethodStyle, label_panels, method_style, shown
from paper_figs.tables import reversal_curves, step_times
from simulations.errors import ResultError
from simulations.results.tables import Table, with_seconds
from simulations.reversal.summary import LEARNT, progress
from simulations.statistics import bootstrap

__all__ = ["GROUP", "SEEN", "reversal_physical_cost", "reversal_quality", "reversal_style", "reversal_token_trap"]

SEEN = 1 / 30_000
"""One token of the three evaluations that a final error is the mean of: smaller errors are drawn there."""
GROUP = 10
MARGIN = 0.05
_SHADE = 0.22
_NO_ERROR = 1e-5
"""The smallest error that is drawn, and where smaller ones are."""
_SINGLE = 1_000
"""Updates up to which every evaluation is drawn."""
_LEGEND = 7.5
_PROTOCOL_ANSWERS = 100
_TOTAL = -1
"""Place of the whole update in the parts that are timed."""
_COMPARED = ("row gate(3 %)", "token gate(3 %)", "zero-price")

Pair = tuple[int, int]
"""M and H."""


def reversal_style(label: str) -> MethodStyle:
    """Return the style of a label of the tables: gates look alike at every rate but for the line."""
    if label == "row gate(3 %, advantage)":
        return method_style("advantage")
    if label.startswith("token gate") and label != "token gate(3 %)":
        return replace(method_style("token gate"), line="--", marker="x")
    return method_style(label.partition("(")[0])


def reversal_quality() -> Figure:
    """Token error against rows, kept and processed tokens, and seconds: the median thick, every seed thin."""
    frame = reversal_curves("quality").frame
    rounds = _protocol(with_seconds(step_times("CPU")["CPU"]))
    if lacking := sorted(set(frame["label"]) - set(rounds)):
        raise ResultError(f"table reversal-step-times has no time of {', '.join(lacking)}")
    times = {label: float(np.median(seconds[:, _TOTAL])) for label, seconds in rounds.items()}
    frame = _thinned(frame[frame["update"] > 0])
    frame = frame.assign(
        seconds=frame["update"] * frame["label"].map(times),
        processed=frame["processed_tokens"].where(frame["processed_tokens"] > 0),
        token_error=frame["token_error"].clip(lower=_NO_ERROR),
    )
    figure, axes = plt.subplots(1, 4, figsize=(4 * PANEL[0] - 1.4, PANEL[1] + 0.9), sharey=True)
    panels = {
        "forward_rows": ("answers sampled", "equal sampling"),
        "backward_tokens": ("tokens kept, each time", "logical backward cost"),
        "processed": ("positions through forward and backward", "physical backward cost"),
        "seconds": ("seconds, one CPU thread", "time"),
    }
    for ax, (column, (name, title)) in zip(axes, panels.items(), strict=True):
        _curves(ax, frame[frame[column].notna()], column)
        ax.set(xlabel=name, title=title, xscale="log", yscale="log", ylim=(0.8 * _NO_ERROR, 0.6))
    axes[0].set_ylabel("token error of sampled answers (percent)")
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.3]
    axes[0].set_yticks([_NO_ERROR, *ticks], [f"≤ {100 * _NO_ERROR:g}", *(f"{100 * tick:g}" for tick in ticks)])
    axes[0].minorticks_off()
    label_panels(list(axes))
    seeds = frame.groupby("label")["seed"].nunique()
    ppo, others = seeds.get("PPO", 0), seeds.drop("PPO", errors="ignore")
    number = f"{others.min()} to {others.max()}" if others.min() < others.max() else str(others.max())
    labels = [str(label) for label in frame["label"].unique()]
    handles = [
        Line2D(
            [],
            [],
            color=reversal_style(label).colour,
            ls=reversal_style(label).line,
            label=shown(label),
        )
        for label in labels
    ]
    title = (
        f"H = 10, M = 2; median of {number} seeds (PPO {ppo}) with 95 % intervals, every seed thin;"
        " beyond 1,000 updates, means over a tenth of a decade\nseconds: updates × the median time of one in an"
        " interleaved run, evaluation apart"
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(labels), title=title, title_fontsize=_LEGEND)
    return figure


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each run with the evaluations beyond ``_SINGLE`` updates averaged, a tenth of a decade at a time."""
    tenth = (10 * np.log10(frame["update"] / _SINGLE)).clip(lower=0.0).apply(np.ceil)
    group = frame["update"].where(frame["update"] <= _SINGLE, _SINGLE + tenth)
    numbers = ["update", "forward_rows", "backward_tokens", "processed_tokens", "token_error"]
    return frame.groupby(["label", "seed", group], sort=False)[numbers].mean().reset_index(["label", "seed"])


def _curves(ax: Axes, frame: pd.DataFrame, column: str) -> None:
    for label, runs in frame.groupby("label", sort=False):
        style = reversal_style(str(label))
        errors = runs.pivot(index="update", columns="seed", values="token_error")
        spent = runs.pivot(index="update", columns="seed", values=column)
        for seed in errors.columns:
            ax.plot(spent[seed], errors[seed], color=style.colour, linewidth=0.4, alpha=0.3)
        found = [bootstrap(row, n_resamples=1_000) for row in errors.to_numpy()]
        x: Any = spent.median(axis=1).to_numpy()
        ax.plot(x, [interval.value for interval in found], style.line, color=style.colour)
        low, high = np.array([i.low for i in found]), np.array([i.high for i in found])
        ax.fill_between(x, low, high, color=style.colour, alpha=0.15, linewidth=0)


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
    ax.legend(handles=handles, loc="lower right", title="predicted with", title_fontsize=_LEGEND)
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


def _protocol(times: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of an update of the protocol's batch by label, rounds × parts."""
    size = times[times["answers"] == _PROTOCOL_ANSWERS]
    return {str(row["label"]): np.array(row["seconds"]) for _, row in size.iterrows()}


def reversal_physical_cost() -> Figure:
    """Draw what the gates keep and process, against independent keeps; an update by phase; its time by batch size."""
    frame, times = reversal_curves("quality").frame, step_times()
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0] + 3.2, PANEL[1] + 1.1))
    _shares(axes[0], frame)
    _phases(axes[1], _protocol(with_seconds(times["CPU"])))
    _batch_sizes(axes[2], times)
    label_panels(axes)
    return figure


def _shares(ax: Axes, frame: pd.DataFrame) -> None:
    labels = [label for label in frame["label"].unique() if label.startswith(("token", "row", "zero"))]
    last = frame.sort_values("update").groupby(["label", "seed"]).last()
    looks = (
        ("backward_tokens", "forward_tokens", "tokens kept", 0.35),
        ("processed_tokens", "full_tokens", "positions processed", 1.0),
    )
    for place, label in enumerate(labels):
        run, style = last.loc[label], reversal_style(label)
        for number, (part, whole, _, alpha) in enumerate(looks):
            share = bootstrap((run[part] / run[whole]).to_numpy())
            y = place + 0.2 * (2 * number - 1)
            ax.barh(y, share.value, 0.38, color=style.colour, alpha=alpha)
            ax.errorbar(
                share.value, y, xerr=[[share.value - share.low], [share.high - share.value]], color="0.2", capsize=2
            )
            ax.text(share.value * 1.06, y, f"{100 * share.value:.3g} %", size=7, va="center")
        if label.startswith("token"):
            rate, length = float(run["rate"].iloc[0]), int(run["length"].iloc[0])
            ax.plot(float(surviving_rows(rate, length)), place + 0.2, "k|", ms=12, mew=1.5)
    ax.set_yticks(range(len(labels)), [shown(label).replace(", ", ",\n") for label in labels])
    ax.invert_yaxis()
    handles: list[Any] = [Line2D([], [], color="0.4", alpha=alpha, lw=6, label=name) for _, _, name, alpha in looks]
    handles.append(Line2D([], [], color="k", marker="|", ls="", ms=10, mew=1.5, label="rows, independent keeps"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3, columnspacing=0.9)
    ax.set(xscale="log", xlim=(0.02, 2.2), xlabel="share of the full step", title="logical and physical cost")
    ax.set_xticks([0.03, 0.1, 0.3, 1], ["3 %", "10 %", "30 %", "100 %"])
    ax.minorticks_off()


def _phases(ax: Axes, rounds: Mapping[str, NDArray[np.float64]]) -> None:
    phases = [1_000 * np.median(seconds, axis=0) for seconds in rounds.values()]
    left = np.zeros(len(rounds))
    places: Any = np.arange(len(rounds))
    for number, (phase, shade) in enumerate((("sampling", "0.75"), ("screening", "0.5"), ("training", None))):
        colours: Any = shade or [reversal_style(label).colour for label in rounds]
        width = np.array([parts[number] for parts in phases])
        ax.barh(places, width, 0.62, left, color=colours, label=phase if shade else None)
        left = left + width
    for place, (end, seconds) in enumerate(zip(left, rounds.values(), strict=True)):
        ratio = float(np.median(seconds[:, _TOTAL] / rounds["PG"][:, _TOTAL]))
        ax.text(end + 1, place, f"{ratio:.2f}", size=7, va="center")
    ax.set_yticks(places, [shown(label).replace(", ", ",\n") for label in rounds])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds an update, one CPU thread", xlim=(0, 1.12 * left.max()))
    ax.set(title=f"an update of {_PROTOCOL_ANSWERS} answers by phase")
    handles: list[Any] = [
        Line2D([], [], color="0.75", lw=6, label="sampling"),
        Line2D([], [], color="0.5", lw=6, label="screening"),
        Line2D([], [], color=method_style("PG").colour, lw=6, label="training; number: time over PG's"),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.17), ncols=3, columnspacing=0.9)


def _batch_sizes(ax: Axes, times: Mapping[str, Table]) -> None:
    """Draw an update's time over PG's against the size of the batch, each method a colour, each device a line."""
    lines = dict(zip(times, ("-", "--", ":", "-."), strict=False))  # of more than four devices the first are drawn
    for device, line in lines.items():
        rows = with_seconds(times[device]).iterrows()
        seconds = {(row["answers"], str(row["label"])): np.array(row["seconds"]) for _, row in rows}
        answers: Any = sorted({size for size, _ in seconds})
        for label in _COMPARED:
            ratios = [bootstrap(seconds[n, label][:, _TOTAL] / seconds[n, "PG"][:, _TOTAL]) for n in answers]
            style = reversal_style(label)
            value = np.array([ratio.value for ratio in ratios])
            spread = [value - [ratio.low for ratio in ratios], [ratio.high for ratio in ratios] - value]
            ax.errorbar(answers, value, yerr=spread, color=style.colour, marker=style.marker, ls=line, capsize=2)
    ax.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
    handles: list[Any] = [
        *(
            Line2D([], [], color=style.colour, marker=style.marker, ls="", label=shown(label))
            for label, style in ((label, reversal_style(label)) for label in _COMPARED)
        ),
        *(
            Line2D([], [], color="0.3", ls=line, label="one CPU thread" if device == "CPU" else device)
            for device, line in lines.items()
        ),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=3, columnspacing=0.9)
    ax.set(xscale="log", xlabel="answers a batch", ylabel="time of an update / PG's", ylim=(0, None))
    ax.set(title="an update by the size of its batch")
