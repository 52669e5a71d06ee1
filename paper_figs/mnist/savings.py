"""Figures of what the Kondo gate costs and saves on the MNIST bandit, drawn from the committed tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from kondo_theory.cost import PUBLISHED_SPEEDUPS, step_cost
from paper_figs.marks import REFERENCE, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import method_style, shades
from paper_figs.tables import measured
from simulations.mnist.tables import LEARNING_CURVES, speedups
from simulations.results.tables import with_seconds
from simulations.statistics import bootstrap

__all__ = ["mnist_savings"]

_GATE = "DG-K(3 %)"
_WIDTHS = {100: "o", 400: "s", 1_024: "D", 4_096: "^"}
_FORMATS = {"float32": 1.0, "bfloat16": 0.45}
"""Opacity."""
_SIZE = ["batch_size", "width", "dtype"]


def mnist_savings() -> Figure:
    """Show the speed-up to 5 % error against c, seconds and bytes of full and screened steps, and the model."""
    curves = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    steps = with_seconds(measured("mnist-cost", "mnist-cost-paper", "mnist-cost-quick"))
    steps = steps[steps["seeds"] == 1]
    figure, axes = panels(6, height=2.2)
    ratios = _ratios(steps)
    _speedup(axes[0], curves)
    _seconds(axes[1], steps)
    _over_batches(axes[2], ratios, 0.03)
    _over_batches(axes[3], ratios, 0.3)
    _over_rates(axes[4], ratios)
    _memory(axes[5], ratios)
    entries: list[Any] = [handle for handle in axes[0].lines if not str(handle.get_label()).startswith("_")]
    entries += [
        Line2D([], [], color=_width_colour(width), marker=marker, ls="", label=f"width {width:,}")
        for width, marker in _WIDTHS.items()
    ]
    entries += [
        Line2D([], [], color="0.3", marker="o", ls="", alpha=alpha, label=name) for name, alpha in _FORMATS.items()
    ]
    legend_below(axes, [*entries, Line2D([], [], color="0.3", lw=0.8, label="model")])
    n_seeds = curves["seed"].nunique()
    arrived = speedups(curves, _GATE, np.zeros(1), "logical")[1]
    caption(f"""(a) PG's cost to 5 % error over a method's, median of {n_seeds} seeds with its 95 % bootstrap
        interval, against the backward cost c; lower bounds, as {arrived.sum()} of {n_seeds} seeds of PG got there in
        {curves["update"].max():,} updates; stars: published, DG-K(3 %). (b) CPU seconds of a step against the batch
        size, one thread, float32: full pale, screened at 3 % strong. (c–e) Seconds of a screened step over a full
        one's, median of rounds with 95 % bootstrap interval. (f) Bytes, screened over full. Filled points: measured
        on networks; lines: the model, c from counted FLOPs, activations kept up to 16 MiB.""")
    return figure


def _width_colour(width: int) -> Any:
    return shades(len(_WIDTHS))[list(_WIDTHS).index(width)]


def _speedup(ax: Axes, curves: pd.DataFrame) -> None:
    """Draw PG's cost to 5 % error over a method's, the median over seeds with its interval."""
    c = np.linspace(0, 16, 33)
    for label, accounting, opacity in (("DG", "logical", 1.0), (_GATE, "logical", 1.0), (_GATE, "physical", 0.5)):
        ratios, _ = speedups(curves, label, c, accounting)
        intervals = [bootstrap(row, n_resamples=2_000) for row in ratios]
        colour = method_style(label).colour
        name = label if label == "DG" else f"{label}, {'1 + ρc' if accounting == 'logical' else '1 + ρ(1 + c)'}"
        ax.plot(c, [i.value for i in intervals], color=colour, alpha=opacity, label=name)
        if accounting == "logical":
            ax.fill_between(c, [i.low for i in intervals], [i.high for i in intervals], color=colour, alpha=0.2, lw=0)
    ax.plot(list(PUBLISHED_SPEEDUPS), list(PUBLISHED_SPEEDUPS.values()), "k*", ms=6, label=f"published, {_GATE}")
    ax.plot([0, 16], [2, 2], "k:", lw=0.8, gid=REFERENCE, label="published, DG: about 2")
    ax.set(xlabel="backward cost, c (forward passes)", ylabel="cost of PG / cost", ylim=0)
    finding(ax, "Speed-up to 5 % error")


def _median_seconds(steps: pd.DataFrame, variant: str, rate: float | None = None) -> pd.DataFrame:
    rows = steps[(steps["variant"] == variant) & (True if rate is None else steps["rate"] == rate)]
    return rows.assign(median=rows["seconds"].map(np.median))


def _seconds(ax: Axes, steps: pd.DataFrame) -> None:
    """Draw CPU seconds of a step against the batch size, float32: full solid, screened at 3 % dashed."""
    steps = steps[steps["dtype"] == "float32"]
    for width, marker in _WIDTHS.items():
        for variant, rate, opacity in (("full", None, 0.4), ("screened", 0.03, 1.0)):
            rows = _median_seconds(steps[steps["width"] == width], variant, rate).sort_values("batch_size")
            colour = _width_colour(width)
            ax.plot(rows["batch_size"], rows["median"], "-", marker=marker, color=colour, alpha=opacity)
    ax.set(xscale="log", yscale="log", xlabel="batch size, B", ylabel="CPU seconds a step")
    finding(ax, "Full (pale) and screened steps")


def _ratios(steps: pd.DataFrame) -> pd.DataFrame:
    """Return, of each size and rate, the interval of the ratio screened over full within rounds, and of bytes."""
    found = []
    for _, rows in steps.groupby(_SIZE, sort=True):
        full = rows[rows["variant"] == "full"].iloc[0]
        for _, screened in rows[rows["variant"] == "screened"].iterrows():
            interval = bootstrap(np.array(screened["seconds"]) / np.array(full["seconds"]), n_resamples=2_000)
            found.append(
                screened[[*_SIZE, "rate", "keeps_activations"]].to_dict()
                | {"value": interval.value, "low": interval.low, "high": interval.high}
                | {name: screened[f"{name}_bytes"] / full[f"{name}_bytes"] for name in ("peak", "held")}
            )
    return pd.DataFrame(found)


def _model(rate: float | NDArray[np.float64], width: int, keeps_activations: bool) -> Any:
    """Return the screened step over the full one, c being the counted FLOPs of a backward pass over a forward's."""
    first, rest = 784 * width, width**2 + 10 * width
    c = (first + 2 * rest) / (first + rest)
    accounting = "kept-activations" if keeps_activations else "physical"
    return step_cost(rate, c, accounting) / step_cost(1.0, c, "full")


def _points(ax: Axes, x: Any, rows: pd.DataFrame, width: int, dtype: str) -> None:
    errors = (rows["value"] - rows["low"], rows["high"] - rows["value"])
    look: Any = {"ls": "", "marker": _WIDTHS[width], "color": _width_colour(width), "alpha": _FORMATS[dtype]}
    ax.errorbar(x, rows["value"], errors, elinewidth=0.8, **look)


def _over_batches(ax: Axes, ratios: pd.DataFrame, rate: float) -> None:
    """Draw the ratio of seconds against the batch size, with the model of each width."""
    at_rate = ratios[ratios["rate"] == rate]
    for width in _WIDTHS:
        for dtype in _FORMATS:
            rows = at_rate[(at_rate["width"] == width) & (at_rate["dtype"] == dtype)]
            _points(ax, rows["batch_size"], rows, width, dtype)
            if dtype == "float32":
                model = [float(_model(rate, width, bool(kept))) for kept in rows["keeps_activations"]]
                ax.plot(rows["batch_size"], model, "-", color=_width_colour(width), lw=0.8, zorder=0)
    reference(ax, y=1)
    ax.set(
        xscale="log",
        ylim=(0, 1.75),
        xlabel="batch size, B",
        ylabel="CPU seconds, screened / full",
    )
    finding(ax, f"{100 * rate:g} % kept")


def _over_rates(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw the ratio against the rate for one batch and every width, float32, with the model."""
    chosen = ratios[(ratios["batch_size"] == 1_000) & (ratios["dtype"] == "float32")]
    line = np.linspace(0, 0.32, 50)
    for width in _WIDTHS:
        rows = chosen[chosen["width"] == width]
        _points(ax, rows["rate"], rows, width, "float32")
        model = _model(line, width, bool(rows["keeps_activations"].all()))
        ax.plot(line, model, "-", color=_width_colour(width), lw=0.8)
    reference(ax, y=1)
    ax.set(xlabel="gate rate, ρ", ylabel="CPU seconds, screened / full", ylim=(0, 1.15))
    finding(ax, "B = 1,000, float32")


def _memory(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw bytes held for the backward pass and peak bytes against the rate, one batch, float32."""
    chosen = ratios[(ratios["batch_size"] == 1_000) & (ratios["dtype"] == "float32")]
    for width, marker in _WIDTHS.items():
        rows, colour = chosen[chosen["width"] == width], _width_colour(width)
        ax.plot(rows["rate"], rows["peak"], "-", marker=marker, color=colour)
        ax.plot(rows["rate"], rows["held"], marker, color=colour)
    ax.plot([0.01, 0.3], [0.01, 0.3], color="0.3", lw=0.8)
    ax.text(0.011, 0.3, "joined: peak of a step")
    ax.text(0.05, 0.03, "apart: held for the\nbackward pass, = ρ", va="top")
    reference(ax, y=1)
    ax.set(xscale="log", yscale="log", xlabel="gate rate, ρ", ylabel="bytes, screened / full")
    finding(ax, "Memory, B = 1,000, float32")
