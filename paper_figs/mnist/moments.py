"""Figures of signal and noise in the parameters of the MNIST network, drawn from the committed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_figs.style import PANEL, label_panels, method_style, shown
from paper_figs.tables import measured
from simulations.statistics import bootstrap

__all__ = ["mnist_decomposition", "mnist_screening"]

_PATH = _GATE = "DG-K(3 %)"
_METHODS = ("PG", "DG", "zero-price", _GATE)
_PARTS = {
    "var_own_parallel": ("within an image, along its gradient", ""),
    "var_own_perpendicular": ("within an image, across it", "////"),
    "var_between": ("between images", "...."),
}
_RULES = ("delight", "positive-surprisal", "advantage", "abs-advantage", "surprisal", "uniform")
_DIRECTIONS = {"PG": "PG's gradient", "cross-entropy": "cross-entropy's gradient"}
_SIZE = (2 * PANEL[0] + 0.6, 2 * PANEL[1] + 1.0)


def mnist_decomposition() -> Figure:
    """Noise and direction of PG, DG and the gates along training, beside the theory of independent contexts."""
    frame = _common_path()
    figure, grid = plt.subplots(2, 2, figsize=_SIZE)
    noise, parts, *directions = grid.flat
    _noise_ratios(noise, frame)
    _variance_parts(parts, frame)
    for ax, (direction, name) in zip(directions, _DIRECTIONS.items(), strict=True):
        for number, label in enumerate(_METHODS):
            if label == direction:
                continue
            _along_training(ax, _values(frame, "cosine", label, direction), label, number - 1.5)
            _theory(ax, _values(frame, "cosine", label, direction, model="independent"), label)
        ax.set(ylabel="cosine of the mean gradient", ylim=(0, 1.04), title=f"direction: cosine with {name}")
    for ax in grid.flat:
        _name_checkpoints(ax, frame)
    label_panels(list(grid.flat))
    styles = [(label, method_style(label)) for label in _METHODS]
    handles: list[Any] = [Line2D([], [], color=s.colour, marker=s.marker, label=shown(label)) for label, s in styles]
    handles += [
        Line2D([], [], color="0.3", label="network"),
        Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="theory: every image a context of its own"),
    ]
    _legend_below(figure, handles, frame, columns=6)
    return figure


def mnist_screening() -> Figure:
    """Signal that each screening rule captures per backward pass at 3 %, against the oracle's and over α."""
    frame = _common_path()
    figure, grid = plt.subplots(2, 2, figsize=_SIZE, sharey="row")
    for ax, (direction, name) in zip(grid[0], _DIRECTIONS.items(), strict=True):
        best = _capture(frame, f"oracle, {direction}(3 %)", direction)
        for number, rule in enumerate(_RULES):
            label = _GATE if rule == "delight" else f"{rule}(3 %)"
            _along_training(ax, _capture(frame, label, direction) / best, rule, number - 2.5)
        _name_checkpoints(ax, frame)
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set_title(f"rules at 3 %, along {name}")
    for ax, (direction, name) in zip(grid[1], _DIRECTIONS.items(), strict=True):
        _over_alpha(ax, frame, direction)
        ax.set(xlabel="α of the additive rule αU + (1 − α)ℓ, at 3 %", title=f"any α, along {name}")
    grid[0, 0].set_ylabel("signal per backward pass\nover the oracle's")
    grid[1, 0].set_ylabel("signal per backward pass\nover delight's")
    grid[1, 1].legend(loc="upper right", title="accuracy", title_fontsize=7.5)
    label_panels(list(grid.flat))
    styles = [(rule, method_style(rule)) for rule in _RULES]
    handles: list[Any] = [
        Line2D([], [], color=s.colour, marker=s.marker, ls=cast(Any, s.line), label=rule) for rule, s in styles
    ]
    _legend_below(figure, handles, frame, columns=6)
    return figure


def _common_path() -> pd.DataFrame:
    """Return the rows of the path of training that all methods are compared on."""
    frame = measured("mnist-moments", "mnist-moments-paper", "mnist-moments-quick").frame
    return frame[frame["path"] == _PATH]


def _values(
    frame: pd.DataFrame, column: str, label: str, direction: str = "PG", model: str = "network"
) -> pd.DataFrame:
    """Return a column as seeds × checkpoints."""
    rows = frame[(frame["label"] == label) & (frame["direction"] == direction) & (frame["model"] == model)]
    return rows.pivot(index="seed", columns="target", values=column)


def _capture(frame: pd.DataFrame, label: str, direction: str) -> pd.DataFrame:
    """Return the signal per backward pass, seeds × checkpoints."""
    return _values(frame, "signal", label, direction) / _values(frame, "backward_rate", label, direction)


def _intervals(values: pd.DataFrame) -> tuple[Any, ...]:
    """Return median, low and high over seeds, one of each a column."""
    found = [bootstrap(values[column].dropna(), n_resamples=2_000) for column in values]
    return tuple(np.array([(each.value, each.low, each.high) for each in found]).T)


def _along_training(ax: Axes, values: pd.DataFrame, label: str, shift: float = 0.0) -> None:
    """Draw the median at each checkpoint with its interval, moved aside by ``shift`` so that none hides another."""
    style, (centre, low, high) = method_style(label), _intervals(values)
    x: Any = np.arange(values.shape[1]) + 0.05 * shift
    ax.errorbar(x, centre, (centre - low, high - centre), fmt=style.line, color=style.colour, elinewidth=0.8)
    ax.plot(x, centre, style.marker, color=style.colour, label=label)


def _theory(ax: Axes, values: pd.DataFrame, label: str) -> None:
    x: Any = np.arange(values.shape[1])
    ax.plot(x, values.median().to_numpy(), "--", color=method_style(label).colour, linewidth=0.9)


def _noise_ratios(ax: Axes, frame: pd.DataFrame) -> None:
    whole, own = "var_perpendicular", "var_own_perpendicular"
    for label in ("DG", "zero-price"):
        _along_training(ax, _values(frame, whole, label) / _values(frame, whole, "PG"), label)
        pg = _values(frame, own, "PG", model="independent")
        _theory(ax, _values(frame, own, label, model="independent") / pg, label)
    ax.set(ylabel="Var$_⊥$ over PG's, per sample", ylim=(-0.03, 1.04), title="noise across PG's gradient")


def _variance_parts(ax: Axes, frame: pd.DataFrame) -> None:
    """Stack the parts of the variance over PG's, means over seeds: a bar for each of PG, DG and zero price."""
    whole = _values(frame, "var_parallel", "PG") + _values(frame, "var_perpendicular", "PG")
    for number, label in enumerate(_METHODS[:3]):
        colour = method_style(label).colour
        places: Any = np.arange(whole.shape[1]) + 0.26 * (number - 1)
        bottom = np.zeros(whole.shape[1])
        for part, (_, hatch) in _PARTS.items():
            share = (_values(frame, part, label) / whole).mean().to_numpy()
            ax.bar(places, share, 0.24, bottom, color=(*colour, 0.35), edgecolor=colour, hatch=hatch, linewidth=0.6)
            bottom = bottom + share
    ax.set(ylabel="variance over PG's, per sample", ylim=(0, 1.5), title="parts of the variance (means)")
    handles = [Patch(facecolor="white", edgecolor="0.3", hatch=hatch, label=name) for name, hatch in _PARTS.values()]
    ax.legend(handles=handles[::-1], loc="upper right")


def _over_alpha(ax: Axes, frame: pd.DataFrame, direction: str) -> None:
    """Draw the additive rule's capture over delight's against α, one line a checkpoint."""
    delight = _capture(frame, _GATE, direction)
    swept = frame[(frame["rule"] == "additive") & frame["alpha"].notna()]
    alphas = sorted(swept["alpha"].unique())
    ratios = {
        alpha: _capture(rows, rows["label"].iloc[0], direction) / delight for alpha, rows in swept.groupby("alpha")
    }
    colours = plt.get_cmap("viridis")(np.linspace(0.9, 0, delight.shape[1]))
    x: Any = np.arange(len(alphas))
    for target, colour in zip(delight.columns, colours, strict=True):
        centre, low, high = _intervals(pd.DataFrame({alpha: ratios[alpha][target] for alpha in alphas}))
        ax.plot(x, centre, ".-", color=colour, label=_checkpoint(target))
        ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    ax.axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
    ax.set_xticks(x, [f"{alpha:g}".removeprefix("0") or "0" for alpha in alphas])


def _legend_below(figure: Figure, handles: Sequence[Any], frame: pd.DataFrame, columns: int) -> None:
    seeds = frame["seed"].nunique()
    title = f"at checkpoints of DG-K(3 %)'s training; median of {seeds} seeds with its 95 % bootstrap interval"
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns,
        title=title,
        title_fontsize=7.5,
        fontsize=7.5,
    )


def _checkpoint(target: Any) -> str:
    return "start" if target == 0 else f"{100 * target:g} %"


def _name_checkpoints(ax: Axes, frame: pd.DataFrame) -> None:
    targets = sorted(frame["target"].unique())
    ax.set_xticks(range(len(targets)), [_checkpoint(target) for target in targets])
    ax.set_xlabel("held-out accuracy of the policy")
