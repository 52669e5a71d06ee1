"""Figures of approximate delight on the MNIST bandit, and of the digits that delight picks, from committed tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from scipy.special import ndtr

from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import measured
from paper_figs.wording import count
from simulations.mnist.summary import final_error, samples_to_error
from simulations.mnist.tables import with_training_seconds
from simulations.statistics import bootstrap

__all__ = ["mnist_approximate", "mnist_digits"]

_GATE = "DG-K(3 %)"
_TARGET = 0.05
_AGES = {1.0: 1.0, 10.0: 0.7, 100.0: 0.45}


def mnist_approximate() -> Figure:
    """Show what noise and cheap screeners do to recall, error and seconds, with the theory of noisy gates."""
    noise = measured("mnist-noise", "mnist-noise-paper", "mnist-noise-quick").frame
    screeners = with_training_seconds(measured("mnist-screeners", "mnist-screeners-paper", "mnist-screeners-quick"))
    figure, axes = panels(6, height=3.0, columns=2)
    _error_under_noise(axes[0], noise)
    _recall_under_noise(axes[1], noise)
    _shares_under_noise(axes[2], noise)
    labels = list(screeners["label"].unique())
    _recall(axes[3], screeners, [label for label in labels if label.startswith(f"{_GATE}, screened")])
    _error_against_seconds(axes[4], screeners)
    _seconds_to_error(axes[5], screeners, labels)
    caption(f"""Approximate delight on the MNIST bandit. (a) Final test error against relative noise τ,
        {_seeds(noise)} and medians with 95 % bootstrap intervals; dotted: the published limit of DG. (b) Recall of
        the exact top 3 % along DG-K(3 %)'s training under noise, relative (|χ|) or added; hollow: measured, lines:
        theory. (c) What zero price would keep of right and wrong samples; lines: Φ(±1/τ). (d) Recall of cheap
        screeners, median of {_seeds(screeners)}. (e) Test error against CPU seconds, and (f) every seed's seconds to
        5 % error, bar: median.""")
    return figure


def _seeds(frame: pd.DataFrame) -> str:
    return f"{frame['seed'].nunique()} seeds"


def _noisy(frame: pd.DataFrame, method: str, kind: str) -> dict[float, pd.DataFrame]:
    """Return the rows of a method under one kind of noise, by τ."""
    rows = frame[(frame["screener"] == kind) & frame["label"].str.startswith(f"{method},")]
    return {float(str(value)): group for value, group in rows.groupby("value")}


def _error_under_noise(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw each seed's final error against relative noise, and the median with its interval."""
    updates = frame["update"].max()
    for method in ("DG", _GATE):
        style = method_style(method)
        finals = {0.0: 100 * final_error(frame, method)}
        finals |= {
            value: 100 * final_error(rows, rows["label"].iloc[0])
            for value, rows in _noisy(frame, method, "relative").items()
        }
        for value, errors in finals.items():
            ax.plot([value] * len(errors), errors, style.marker, color=style.colour, alpha=0.3, ms=3)
        found = {value: bootstrap(errors, n_resamples=2_000) for value, errors in finals.items()}
        x, median = list(found), np.array([each.value for each in found.values()])
        low, high = (np.array([getattr(each, end) for each in found.values()]) for end in ("low", "high"))
        ax.errorbar(
            x,
            median,
            (median - low, high - median),
            fmt="-",
            marker=style.marker,
            color=style.colour,
            label=method,
        )
    reference(ax, x=0.5)
    ax.annotate("published: DG stands 50 %", (0.5, 0.02), (4, 0), ("data", "axes fraction"), "offset points")
    ax.set(xlabel="relative noise on delight, τ", ylabel="final test error (percent)")
    finding(ax, f"Error after {updates:,} updates, {_seeds(frame)}")
    ax.legend()


def _recall_under_noise(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw recall along DG-K's training against the noisy gate's prediction from each image's exact delight."""
    for kind, marker in (("relative", "o"), ("additive", "s")):
        for value, rows in _noisy(frame, _GATE, kind).items():
            name = f"τ = {value:g}" + (" |χ|" if kind == "relative" else "")
            means = rows.groupby("update")[["recall", "predicted_recall"]].mean()
            (drawn,) = ax.plot(means.index, means["recall"], marker, ms=3, mfc="white")
            ax.plot(means.index, means["predicted_recall"], "-", color=drawn.get_color(), lw=1, label=name)
    ax.set(xlabel="updates", ylabel="recall of the exact top 3 %")
    finding(ax, "Noise on DG-K(3 %); lines: theory")
    _legend_above(ax)


def _legend_above(ax: Axes) -> None:
    """Put the legend above curves of shares, within the axes."""
    ax.set(ylim=(0, 1.75), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    ax.legend(ncols=2, loc="upper left", columnspacing=0.6, handlelength=1.4)


def _shares_under_noise(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw what zero price would keep of right and wrong samples under relative noise, and Φ(±1/τ)."""
    line = np.linspace(0.05, 2.2, 100)
    for side, sign, style in (("right", 1, method_style("zero price")), ("wrong", -1, method_style("PG"))):
        ax.plot(line, ndtr(sign / line), color=style.colour, label=f"{side}: Φ({'−' if sign < 0 else ''}1/τ)")
        for value, rows in _noisy(frame, _GATE, "relative").items():
            shares = rows.groupby("seed")[f"kept_{side}"].mean()
            ax.plot([value] * len(shares), shares, style.marker, color=style.colour, mfc="white")
    ax.set(
        xlabel="relative noise τ on delight",
        ylabel="share kept at zero price",
        ylim=(-0.02, 1.04),
    )
    finding(ax, "Right and wrong samples that zero price keeps")
    ax.text(2.2, 0.4, "sure answers, χ = 0, stay out", ha="right", va="top")
    ax.legend(loc="center right")


def _screener_style(label: str) -> MethodStyle:
    """Return the style of a contender: colour and marker of its screener, or of its method."""
    _, screened, how = label.partition(", screened ")
    if not screened:
        method, _, dtype = label.partition(", ")
        style = method_style(method)
        return MethodStyle(style.colour, "*") if dtype else style
    kind = "parameters" if "parameters" in how else "network" if "network" in how else how.removeprefix("in ")
    return method_style(f"screened: {kind}")


def _short(label: str) -> str:
    """Return a contender's label without the words that say how it screens."""
    return (
        label.replace("screened by parameters ", "")
        .replace("screened by a network of ", "")
        .replace("screened in", "by")
    )


def _recall(ax: Axes, frame: pd.DataFrame, labels: list[str]) -> None:
    """Draw recall along training of every screener."""
    for label in labels:
        style, rows = _screener_style(label), frame[frame["label"] == label]
        median = rows.groupby("update")["recall"].median()
        name = _short(label).partition(", ")[2]
        alpha = _AGES.get(rows["value"].iloc[0], 1.0)  # the older, the paler
        ax.plot(median.index, median, color=style.colour, alpha=alpha, lw=1.2, label=name)
    ax.set(
        xlabel="updates",
        ylabel="recall of the exact top 3 %",
    )
    finding(ax, f"Screeners of DG-K(3 %), median of {_seeds(frame)}")
    _legend_above(ax)


def _error_against_seconds(ax: Axes, frame: pd.DataFrame) -> None:
    chosen = (
        "PG",
        "PG, bfloat16",
        "DG",
        "DG, bfloat16",
        _GATE,
        f"{_GATE}, bfloat16",
        f"{_GATE}, screened in bfloat16",
    )
    for label in chosen:
        style, rows = _screener_style(label), frame[frame["label"] == label]
        median = 100 * rows.groupby("seconds")["test_error"].median()
        look: Any = {"marker": style.marker, "markevery": max(1, len(median) // 6)}
        ax.plot(median.index, median, "-", color=style.colour, label=label, lw=0.9, **look)
    reference(ax, y=100 * _TARGET)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=f"CPU seconds a seed, {_seeds(frame)} side by side",
        ylabel="test error (percent)",
    )
    finding(ax, "Error over time, one CPU thread")
    ticks = [3, 5, 10, 20, 50]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(0.5, 60)
    ax.legend(loc="lower left")


def _seconds_to_error(ax: Axes, frame: pd.DataFrame, labels: list[str]) -> None:
    """Draw every seed's CPU seconds to 5 % error, the fastest contender on top; at the right who never got there."""
    spent = {label: samples_to_error(frame, label, _TARGET, "seconds") for label in labels}
    order = sorted(labels, key=lambda label: (np.median(spent[label]), label), reverse=True)
    edge = 1.15 * max(values[np.isfinite(values)].max() for values in spent.values() if np.isfinite(values).any())
    for place, label in enumerate(order):
        style, values = _screener_style(label), spent[label]
        reached = values[np.isfinite(values)]
        ax.plot(reached, [place] * len(reached), style.marker, color=style.colour, alpha=0.4, ms=3)
        if len(reached) < len(values):
            ax.text(
                edge,
                place,
                f"{len(values) - len(reached)} of {len(values)} never",
                va="center",
                ha="right",
            )
        if np.isfinite(np.median(values)):
            ax.plot([np.median(values)], [place], "|", color="k", ms=9)
    ax.set_yticks(range(len(order)), [_short(label) for label in order])
    ax.set(xlim=(0, 1.02 * edge), ylim=(-0.6, len(order) - 0.4), xlabel="CPU seconds a seed (bar: median)")
    finding(ax, "Time to 5 % error")


def mnist_digits() -> Figure:
    """Show the training digits with the highest and the lowest delight, early and late in training."""
    table = measured("mnist-digits", "mnist-digits-paper", "mnist-digits-quick")
    groups = list(table.frame.groupby(["update", "side"], sort=False))
    figure, axes = panels(len(groups), height=1.2, columns=1)
    for ax, ((update, side), digits) in zip(axes, groups, strict=True):
        _row(ax, digits.sort_values("place"))
        right = (digits["label"] == digits["action"]).sum()
        delight = f"{_signed(digits['delight'].min())} to {_signed(digits['delight'].max())}"
        side = str(side).capitalize()
        finding(ax, f"{side} delight after {update:,} updates, χ = {delight}: {right} of {len(digits)} right")
    caption(f"""The training digits with the highest and the lowest delight χ,
        {count(table.frame.groupby(["update", "side"]).size())} each, early and late in the training of a network.
        Below each its delight, the digit or digit → answer, and the answer's probability. Framed in green: right
        answers; in red: wrong ones.""")
    return figure


def _row(ax: Axes, digits: pd.DataFrame) -> None:
    """Draw digits side by side, each framed by whether the answer is right, with its delight below."""
    for place, (_, digit) in enumerate(digits.iterrows()):
        left = 34 * place
        pixels = np.frombuffer(digit["pixels"], np.uint8).reshape(28, 28)
        ax.imshow(pixels, cmap="gray_r", extent=(left, left + 28, 28, 0))
        right = digit["label"] == digit["action"]
        colour = method_style("DG-K(3 %)" if right else "zero price").colour
        ax.add_patch(Rectangle((left, 0), 28, 28, fill=False, edgecolor=colour, lw=1.0))
        said = f"{digit['label']}" if right else f"{digit['label']} → {digit['action']}"
        text = f"{_signed(digit['delight'])}\n{said}\n{_percent(digit['probability'])}"
        ax.text(left + 14, 30, text, ha="center", va="top", color=colour)
    ax.set(xlim=(-1, 34 * len(digits) - 5), ylim=(56, -1))
    ax.axis("off")


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _percent(probability: float) -> str:
    return f"{100 * probability:.{1 if probability < 0.001 else 2}g} %"
