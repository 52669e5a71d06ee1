"""What cheap screeners and noise on delight cost in error on the MNIST bandit, drawn from committed tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.arranging import label_curves
from paper_figs.marks import MEASURED, draw_measured, mark_measured, reference
from paper_figs.mnist.recall import noisy, screeners_of, seeds
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import measured
from paper_figs.wording import number, percent
from simulations.mnist.summary import final_error, samples_to_error
from simulations.mnist.tables import with_training_seconds
from simulations.statistics import bootstrap

__all__ = ["mnist_approximate"]

_GATE = "DG-K(3 %)"
_TARGET = 0.05
_PUBLISHED_NOISE = 0.5


def mnist_approximate() -> Figure:
    """Show the final error and the seconds to 5 % error by what screens the batch, and the error under noise."""
    noise = measured("mnist-noise", "mnist-noise-paper", "mnist-noise-quick").frame
    screened = with_training_seconds(measured("mnist-screeners", "mnist-screeners-paper", "mnist-screeners-quick"))
    figure, (errors, seconds, under_noise) = panels(3, height=2.6)
    names = screeners_of(screened, _GATE)
    _error_by_screener(errors, screened, names)
    _seconds_by_screener(seconds, screened, names)
    _error_under_noise(under_noise, noise)
    for ax in (errors, seconds):
        ax.set_ylim(len(names) - 0.5, -0.5)
    errors.set_yticks(range(len(names)), list(names.values()))
    seconds.set_yticks(range(len(names)), [])
    caption(f"""Approximate delight on the MNIST bandit. (a) Final test error of {_GATE} by what screens the batch:
        each seed pale, median of {seeds(screened)} with its quartiles. (b) CPU seconds to {percent(_TARGET, 1)} error
        in the same rows, one thread; in words: how many seeds got there. (c) Final error against relative noise τ on
        delight, median of {seeds(noise)} with 95 % bootstrap intervals; dotted: the published limit of DG. Filled
        points: measured on networks.""")
    return figure


def _dots(ax: Axes, place: int, values: Any, colour: Any, marker: str) -> float:
    """Draw values pale in a row, and their median with the quartiles; return the median."""
    finite = values[np.isfinite(values)]
    style = MethodStyle(colour, marker)
    mark_measured(ax, finite, np.full(len(finite), place + 0.22), style, alpha=0.25, ms=2.5, mew=0)
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    if np.isfinite(high):
        drawn = ax.errorbar(median, place - 0.1, xerr=[[median - low], [high - median]], fmt=marker, color=colour)
        drawn.lines[0].set_gid(MEASURED)
    return float(median)


def _error_by_screener(ax: Axes, frame: pd.DataFrame, names: dict[str, str]) -> None:
    style = method_style(_GATE)
    medians = {
        name: _dots(ax, place, 100 * final_error(frame, label), style.colour, style.marker)
        for place, (label, name) in enumerate(names.items())
    }
    reference(ax, x=medians["exact"])
    loss = {name: median - medians["exact"] for name, median in medians.items()}
    cheap = [name for name, more in loss.items() if more <= 0.5 and name != "exact"]
    worst = max(loss, key=lambda name: loss[name])
    finding(ax, f"{len(cheap)} of {len(names) - 1} cheap screeners cost at most "
                f"{number(max(loss[name] for name in cheap), 1)} points of error, a {worst} {number(loss[worst])}"
            if cheap else f"Every cheap screener costs over half a point of error, {worst} the most")  # fmt: skip
    ax.set(xlabel="final test error (percent)")


def _seconds_by_screener(ax: Axes, frame: pd.DataFrame, names: dict[str, str]) -> None:
    style, medians = method_style(_GATE), {}
    for place, (label, name) in enumerate(names.items()):
        spent = samples_to_error(frame, label, _TARGET, "seconds")
        medians[name] = _dots(ax, place, spent, style.colour, style.marker)
        arrived = np.isfinite(spent).sum()
        if arrived < len(spent):
            text = f"reached by {arrived} of {len(spent)}"
            ax.annotate(text, (1.0, place - 0.1), xycoords=("axes fraction", "data"), ha="right", va="center")
    reference(ax, x=medians["exact"])
    fastest = min(medians, key=lambda name: medians[name])
    sooner = percent(1 - medians[fastest] / medians["exact"], 1)
    found = "None is sooner" if fastest == "exact" else f"Only {fastest} is sooner, by {sooner}"
    if sum(median < medians["exact"] for median in medians.values()) > 1:
        found = f"The fastest, {fastest}, is {sooner} sooner"
    finding(ax, found)
    ax.set(xlabel=f"CPU seconds to {percent(_TARGET, 1)} error", xlim=(0, None))


def _error_under_noise(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the median of the final errors against relative noise."""
    growth = {}
    for method in ("DG", _GATE):
        finals = {0.0: 100 * final_error(frame, method)}
        for value, rows in noisy(frame, method, "relative").items():
            finals[value] = 100 * final_error(rows, rows["label"].iloc[0])
        found = [bootstrap(errors, n_resamples=2_000) for errors in finals.values()]
        value, low, high = np.array([(each.value, each.low, each.high) for each in found]).T
        draw_measured(ax, list(finals), value, low, high, method_style(method))
        ax.plot(list(finals), value, color=method_style(method).colour, lw=0, label=method)
        growth[method] = value[list(finals).index(1.0)] / value[0]
    reference(ax, x=_PUBLISHED_NOISE)
    ax.annotate("published\nlimit of DG", (_PUBLISHED_NOISE, 0.97), (2, 0), ("data", "axes fraction"),
                "offset points", va="top")  # fmt: skip
    ax.set(xlabel="relative noise τ", ylabel="final test error (percent)", ylim=(0, None))
    label_curves(ax)
    times = " and ".join(f"{method} by {number(ratio)}" for method, ratio in growth.items())
    finding(ax, f"Noise as large as delight multiplies the error of {times}")
