"""Figures of what the Kondo gate costs and saves on the MNIST bandit, drawn from the committed tables."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from kondo_theory.cost import PUBLISHED_SPEEDUPS, step_cost
from paper_figs.style import PANEL, label_panels, method_style
from paper_figs.tables import measured
from simulations.mnist.tables import LEARNING_CURVES, speedups
from simulations.results.tables import with_seconds
from simulations.statistics import bootstrap

__all__ = ["mnist_savings"]

_GATE = "DG-K(3 %)"
_WIDTHS = {100: "o", 400: "s", 1_024: "D", 4_096: "^"}
_FORMATS = {"float32": ("-", 1.0), "bfloat16": (":", 0.75)}
_SIZE = ["batch_size", "width", "dtype"]


def mnist_savings() -> Figure:
    """Show the speed-up to 5 % error against c, seconds and bytes of full and screened steps, and the model."""
    curves = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    steps = with_seconds(measured("mnist-cost", "mnist-cost-paper", "mnist-cost-quick"))
    steps = steps[steps["seeds"] == 1]
    figure, grid = plt.subplots(2, 3, figsize=(3 * PANEL[0], 2 * PANEL[1] + 0.6))
    _speedup(grid[0, 0], curves)
    _seconds(grid[0, 1], steps)
    ratios = _ratios(steps)
    _over_batches(grid[0, 2], ratios, 0.03)
    _over_batches(grid[1, 0], ratios, 0.3)
    _over_rates(grid[1, 1], ratios)
    _memory(grid[1, 2], ratios)
    label_panels(list(grid.flat))
    handles: list[Any] = [
        Line2D([], [], color=_width_colour(width), marker=marker, label=f"width {width:,}")
        for width, marker in _WIDTHS.items()
    ]
    handles += [
        Line2D([], [], color="0.3", ls=line, alpha=alpha, label=name) for name, (line, alpha) in _FORMATS.items()
    ]
    handles.append(
        Line2D(
            [],
            [],
            color="0.3",
            ls="--",
            lw=0.8,
            label="model, float32: c from counted FLOPs, activations kept up to 16 MiB",
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=7.5)
    return figure


def _width_colour(width: int) -> Any:
    return plt.get_cmap("viridis")(list(_WIDTHS).index(width) / len(_WIDTHS))


def _speedup(ax: Axes, curves: pd.DataFrame) -> None:
    """Draw PG's cost to 5 % error over a method's, the median over seeds with its interval."""
    c = np.linspace(0, 16, 33)
    for label, accounting, line in (("DG", "logical", "-"), (_GATE, "logical", "-"), (_GATE, "physical", "--")):
        ratios, arrived = speedups(curves, label, c, accounting)
        intervals = [bootstrap(row, n_resamples=2_000) for row in ratios]
        colour = method_style(label).colour
        name = label if label == "DG" else f"{label}, {'1 + ρc' if accounting == 'logical' else '1 + ρ(1 + c)'}"
        ax.plot(c, [i.value for i in intervals], line, color=colour, label=name)
        if accounting == "logical":
            ax.fill_between(c, [i.low for i in intervals], [i.high for i in intervals], color=colour, alpha=0.2, lw=0)
    ax.plot(list(PUBLISHED_SPEEDUPS), list(PUBLISHED_SPEEDUPS.values()), "k*", ms=8, label=f"published, {_GATE}")
    ax.plot([0, 16], [2, 2], "k:", lw=0.8, label="published, DG: about 2")
    n_seeds, updates = len(arrived), curves["update"].max()
    bound = (
        ""
        if arrived.all()
        else f"lower bounds: {arrived.sum()} of {n_seeds} seeds\nof PG got there in {updates:,} updates"
    )
    ax.text(6.5, 3.4, bound, fontsize=7)
    ax.set(
        xlabel="backward cost c (forward passes)", ylabel="cost of PG / cost", title="speed-up to 5 % error", ylim=0
    )
    ax.legend(loc="upper left", fontsize=7)


def _median_seconds(steps: pd.DataFrame, variant: str, rate: float | None = None) -> pd.DataFrame:
    rows = steps[(steps["variant"] == variant) & (True if rate is None else steps["rate"] == rate)]
    return rows.assign(median=rows["seconds"].map(np.median))


def _seconds(ax: Axes, steps: pd.DataFrame) -> None:
    """Draw CPU seconds of a step against the batch size, float32: full solid, screened at 3 % dashed."""
    steps = steps[steps["dtype"] == "float32"]
    for width, marker in _WIDTHS.items():
        for variant, rate, line, face in (("full", None, "-", None), ("screened", 0.03, "--", "white")):
            rows = _median_seconds(steps[steps["width"] == width], variant, rate).sort_values("batch_size")
            colour = _width_colour(width)
            ax.plot(rows["batch_size"], rows["median"], line, marker=marker, color=colour, mfc=face or colour)
    ax.text(0.97, 0.04, "solid: full step\ndashed: screened, 3 %", transform=ax.transAxes, ha="right", fontsize=7)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="batch size B",
        ylabel="CPU seconds a step",
        title="one seed, float32, one thread",
    )


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
    line, alpha = _FORMATS[dtype]
    errors = (rows["value"] - rows["low"], rows["high"] - rows["value"])
    marker = _WIDTHS[width]
    ax.errorbar(
        x, rows["value"], errors, ls=line, marker=marker, color=_width_colour(width), alpha=alpha, elinewidth=0.8
    )


def _over_batches(ax: Axes, ratios: pd.DataFrame, rate: float) -> None:
    """Draw the ratio of seconds against the batch size, with the model of each width."""
    at_rate = ratios[ratios["rate"] == rate]
    for width in _WIDTHS:
        for dtype in _FORMATS:
            rows = at_rate[(at_rate["width"] == width) & (at_rate["dtype"] == dtype)]
            _points(ax, rows["batch_size"], rows, width, dtype)
            if dtype == "float32":
                model = [float(_model(rate, width, bool(kept))) for kept in rows["keeps_activations"]]
                ax.plot(rows["batch_size"], model, "--", color=_width_colour(width), lw=0.8, zorder=0)
    ax.axhline(1, color="0.6", lw=0.8, zorder=0)
    ax.set(
        xscale="log",
        ylim=(0, 1.75),
        xlabel="batch size B",
        ylabel="CPU seconds, screened / full",
        title=f"{100 * rate:g} % kept",
    )


def _over_rates(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw the ratio against the rate for one batch and every width, float32, with the model."""
    chosen = ratios[(ratios["batch_size"] == 1_000) & (ratios["dtype"] == "float32")]
    line = np.linspace(0, 0.32, 50)
    for width in _WIDTHS:
        rows = chosen[chosen["width"] == width]
        _points(ax, rows["rate"], rows, width, "float32")
        model = _model(line, width, bool(rows["keeps_activations"].all()))
        ax.plot(line, model, "--", color=_width_colour(width), lw=0.8)
    ax.axhline(1, color="0.6", lw=0.8, zorder=0)
    ax.set(xlabel="gate rate ρ", ylabel="CPU seconds, screened / full", title="B = 1,000, float32", ylim=(0, 1.15))


def _memory(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw bytes held for the backward pass and peak bytes against the rate, one batch, float32."""
    chosen = ratios[(ratios["batch_size"] == 1_000) & (ratios["dtype"] == "float32")]
    for width, marker in _WIDTHS.items():
        rows, colour = chosen[chosen["width"] == width], _width_colour(width)
        ax.plot(rows["rate"], rows["peak"], "-", marker=marker, color=colour)
        ax.plot(rows["rate"], rows["held"], ":", marker=marker, mfc="white", color=colour)
    ax.plot([0.01, 0.3], [0.01, 0.3], "--", color="0.3", lw=0.8)
    ax.text(0.011, 0.3, "filled: peak of a step", fontsize=7)
    ax.text(0.06, 0.03, "open: held for the\nbackward pass, = ρ", fontsize=7, va="top")
    ax.axhline(1, color="0.6", lw=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="gate rate ρ", ylabel="bytes, screened / full")
    ax.set_title("memory, B = 1,000, float32")
