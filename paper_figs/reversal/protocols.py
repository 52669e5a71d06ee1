"""Figure of the grid of protocols of token reversal, drawn from the tables of study ``protocols``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.marks import draw_measured, draw_published, mark_measured, named
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import SEEN, reversal_style
from paper_figs.style import MethodStyle
from paper_figs.tables import reversal_curves
from paper_figs.wording import count
from simulations.errors import ResultError
from simulations.reversal.readings.protocols import (
    ProtocolReading,
    errors_of,
    protocol_name,
    readings,
    verdict,
)
from simulations.reversal.readings.published import FIGURES

__all__ = ["reversal_protocols"]

_ROW = 0.13
"""Inches of a protocol."""
_LEAST = 2.3
_ASIDE = 0.25
"""Of a row: methods of equal errors stand one below the other."""
_SEQUENCE = "sequence_error"


def reversal_protocols() -> Figure:
    """Draw every protocol's sequence errors at the end beside the published ones, and the nearest one's training.

    Raises
    ------
    ResultError
        If no protocol has a method for each published figure.
    """
    frame = reversal_curves("protocols").frame
    read = readings(frame)
    said, best = verdict(read)
    if best is None:
        raise ResultError("no protocol of the table has runs of every method of the published figures")
    ends = [each for each in read if each.last and each.error == _SEQUENCE]
    ends.sort(key=lambda each: each.distance)
    figure, (grid, curves) = panels(2, height=max(_LEAST, 1.1 + _ROW * (len(ends) + 2)), width_ratios=(1.2, 1))
    _grid(grid, ends)
    held = {each.protocol for each in read if each.end and each.holds}
    finding(grid, f"The published errors, in their order, by some error: {len(held)} of {len(ends)} protocols")
    _training(curves, frame, best, said)
    legend_below([grid, curves], [named(name, _style(name)) for name in FIGURES])
    caption(f"""Token reversal at H = 10, M = 2: where the published sequence errors (black stars) might appear. (a)
        The share of answers with a wrong token after {count(each.update for each in ends)} updates under
        {len(ends)} protocols, the nearest first: the reward and Adam's learning rate; n, no final normalisation; h, a
        head that starts as every linear layer, not at zero; b, the batch's mean as baseline, not that of a prompt's
        answers; o, that of the prompt's other answers. (b) The {_words(best.error)} under the nearest protocol and
        kind of error, {protocol_name(*best.protocol)}, as it trains. Of several variants of PPO, and of gates for
        DG-K(3 %), the one nearest to its figure at that update. Filled points: measured on networks, medians over
        {count(frame.groupby("label")["seed"].nunique())} seeds of the mean of three evaluations, in (b) with their
        range.""")
    return figure


def _style(figure: str) -> MethodStyle:
    return reversal_style(figure.replace("DG-K", "row gate"))


def _words(error: str) -> str:
    return error.replace("_", " ")


def _by_value() -> dict[float, str]:
    """Return the methods of each published error, without rates."""
    found: dict[float, list[str]] = {}
    for name, figure in FIGURES.items():
        found.setdefault(figure.published, []).append(name.partition("(")[0])
    return {published: ", ".join(names) for published, names in found.items()}


def _grid(ax: Axes, ends: Sequence[ProtocolReading]) -> None:
    draw_published(ax, {figure.published: -1.0 for figure in FIGURES.values()})
    for published, names in _by_value().items():
        ax.annotate(names, (published, -1.0), (0, 4), textcoords="offset points", ha="center", va="bottom")
    for figure, aside in zip(FIGURES, np.linspace(-_ASIDE, _ASIDE, len(FIGURES)), strict=True):
        errors = [max(SEEN, reading.nearest[figure][1]) for reading in ends]
        mark_measured(ax, errors, np.arange(len(ends)) + aside, _style(figure), ms=4)
    ax.set_yticks(range(-1, len(ends)), ["published", *(_short(reading) for reading in ends)])
    ax.set(xscale="log", xlabel="sequence error", ylim=(len(ends) - 0.4, -2.4))
    ax.grid(axis="y", color="0.92", linewidth=0.6)


def _short(reading: ProtocolReading) -> str:
    reward, final_norm, head, baseline, learning_rate = reading.protocol
    letters = {
        "n": not final_norm,
        "h": head != "zero",
        "b": baseline == "batch-mean",
        "o": baseline == "leave-one-out",
    }
    return " ".join(
        [f"{reward} {learning_rate:g}", "".join(name for name, there in letters.items() if there)]
    ).strip()


def _training(ax: Axes, frame: pd.DataFrame, best: ProtocolReading, said: str) -> None:
    for figure, (method, _) in best.nearest.items():
        errors = errors_of(frame, best, method).pivot(index="update", columns="seed", values="error").clip(SEEN)
        middle, low, high = errors.median(axis=1), errors.min(axis=1), errors.max(axis=1)
        draw_measured(ax, errors.index, middle, low, high, _style(figure), marks=6, ms=4)
        ax.lines[-1].set_label("_" + figure)
    beside = 1.06 * float(np.max(ax.lines[0].get_xdata()))
    for published, names in _by_value().items():
        draw_published(ax, {beside: published})
        ax.annotate(
            names, (beside, published), (5, 0), textcoords="offset points", va="center", annotation_clip=False
        )
    ax.set(yscale="log", xlabel="updates", ylabel=_words(best.error))
    when = "at the end" if best.last else f"at {best.update:,} updates"
    finding(ax, f"Nearest, {when}: {len(best.reproduced)} of {len(FIGURES)} published errors ({said})")
