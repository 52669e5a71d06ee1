"""The figure of easy prompts with noisy rewards: whose budget they take, and where training ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.gambling.first_batches import first_batch
from kondo_theory.gambling.noisy_contexts import soft_rest_odds
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import Colour, MethodStyle, method_style
from paper_figs.tables import reversal_curves
from paper_figs.wording import count, number, percent
from simulations.reversal.readings.gambling import LENGTH, NOISES, STUDY
from simulations.reversal.summary import final

__all__ = ["gambling_transformer"]

_BY_SIZE, _ROWS, _FEW = "row gate(25 %, abs-advantage)", "row gate(25 %)", "row gate(3 %)"
_STYLES = {
    "PG": method_style("PG"),
    "DG": method_style("DG"),
    "zero-price": method_style("zero price"),
    _BY_SIZE: method_style("row gate, |advantage|"),
    _ROWS: method_style("row gate"),
    _FEW: replace(method_style("row gate"), marker="*"),
}
_NAMES = {
    "PG": "PG",
    "DG": "DG",
    "zero-price": "zero price",
    _BY_SIZE: "25 % by |advantage|",
    _ROWS: "25 % by delight",
    _FEW: "3 % by delight",
}
_GATES = {_ROWS: (0.25, "delight"), _BY_SIZE: (0.25, "abs-advantage"), _FEW: (0.03, "delight")}
_TAKEN_IN = 0.1
_NOISE = "noise σ of easy rewards"


def gambling_transformer() -> Figure:
    """Draw the drift that clean prompts keep against the noise, and final errors on clean and on easy prompts."""
    frame = reversal_curves(STUDY).frame
    frame = frame[frame["noise"] == 0]
    runs = {
        (label, noise): frame[(frame["zero_noise"] == noise) & (frame["label"].str.split(", 5 zero").str[0] == label)]
        for label in _STYLES
        for noise in NOISES
    }
    figure, (left, clean, easy) = panels(3, height=2.3)
    _first(left)
    _clean(clean, runs)
    _easy(easy, runs)
    caption(f"""Half of the prompts are all zeros, and their answers' rewards have Gaussian noise. Gates on whole
        answers. (a) Drift on the other prompts at the first policy, over what it is without noise; exact but for the
        mean of a prompt's other answers, taken as Gaussian. PG, DG and zero price keep all of it. Dotted: a tenth.
        (b) Token error at the end on the other prompts; dotted: a coin. (c) The same on the zero prompt; line: the
        odds e^(−2η/(Hσ²)) at which DG rests with independent tokens. (b, c) Token reversal, H = {LENGTH}, M = 2,
        {frame["update"].max()} updates; points: medians of {count([frame["seed"].nunique()])} seeds, bars: both.
        Measured on networks.""")
    return figure


def _first(ax: Axes) -> None:
    noise = np.geomspace(0.03, 3, 40)
    left = {}
    for label, (rate, rule) in _GATES.items():
        drift = [first_batch(float(each), rate, rule, n_tokens=LENGTH).clean_drift for each in noise]
        style = _STYLES[label]
        ax.plot(noise, drift, color=style.colour, lw=0.8 if label == _FEW else 1.6, label=_NAMES[label])
        left[label] = first_batch(1.0, rate, rule, n_tokens=LENGTH).clean_drift
    reference(ax, y=_TAKEN_IN)
    ax.set(xscale="log", xlim=(0.03, 3), ylim=(-0.02, 1.55), xlabel=_NOISE, ylabel="clean drift left")
    ax.set_yticks([0, 0.5, 1])
    stack_names(ax, (0.97, 0.99), _names(_GATES))
    finding(
        ax,
        f"At σ = 1 delight leaves {percent(left[_ROWS])} of the drift, |advantage| at that rate "
        f"{percent(left[_BY_SIZE])}",
    )


def _clean(ax: Axes, runs: dict[tuple[str, float], pd.DataFrame]) -> None:
    ends = {}
    for label, style in _STYLES.items():
        ends[label] = _draw(ax, runs, label, style, "token_error")
    reference(ax, y=0.5)
    ax.set(ylim=(-0.02, 1.05), xlabel=_NOISE, ylabel="clean token error")
    ax.set_yticks([0, 0.25, 0.5])
    stack_names(ax, (0.03, 0.99), _names(_STYLES))
    worst = number(ends[_BY_SIZE])
    finding(ax, f"At σ = 1 |advantage| ends at {worst}, delight at the same rate at {number(ends[_ROWS])}")


def _easy(ax: Axes, runs: dict[tuple[str, float], pd.DataFrame]) -> None:
    noise = np.linspace(0.02, 1.05, 200)
    odds = soft_rest_odds(1 / LENGTH, noise)
    ax.plot(noise, odds / (1 + odds), color=_STYLES["DG"].colour, label="_DG at rest")
    ends = {}
    for label in ("PG", "DG", "zero-price", _FEW):
        ends[label] = _draw(ax, runs, label, _STYLES[label], "zero_token_error", ls="" if label == "DG" else "-")
    ax.set(ylim=(-0.02, 0.85), xlabel=_NOISE, ylabel="zero token error")
    ax.set_yticks([0, 0.25, 0.5])
    stack_names(ax, (0.03, 0.99), _names(ends))
    finding(ax, f"On the zero prompt DG stays at {number(ends['DG'])}, PG ends at {number(ends['PG'])}")


def _names(labels: Iterable[str]) -> dict[str, Colour]:
    """Return names with their colours; what is kept at 3 % is drawn thin."""
    return {_NAMES[label] + (", thin" if label == _FEW else ""): _STYLES[label].colour for label in labels}


def _draw(
    ax: Axes,
    runs: dict[tuple[str, float], pd.DataFrame],
    label: str,
    style: MethodStyle,
    column: str,
    ls: str = "-",
) -> float:
    """Draw a method's final errors against the noise, and return the last."""
    noises = [noise for noise in NOISES if len(runs[label, noise])]
    found = [final(runs[label, noise], column) for noise in noises]
    middle, low, high = ([float(how(each)) for each in found] for how in (np.median, np.min, np.max))
    draw_measured(ax, noises, middle, low, high, style, ls=ls, lw=0.8 if label == _FEW else 1.2)
    return middle[-1]
