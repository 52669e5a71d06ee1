"""Figures of signal and noise in the parameters of the MNIST network, drawn from the committed table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from paper_figs.arranging import label_curves, stack_names
from paper_figs.marks import draw_measured, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.style import MethodStyle, method_style, shades, shown
from paper_figs.tables import measured
from paper_figs.wording import number, percent
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
_HEIGHT = 2.3
_CHECKPOINTS = "at checkpoints of DG-K(3 %)'s training"


def mnist_decomposition() -> Figure:
    """Noise and direction of PG, DG and the gates along training, beside the theory of independent contexts."""
    frame = _common_path()
    figure, (noise, parts, *directions) = panels(4, height=_HEIGHT)
    _noise_ratios(noise, frame)
    _variance_parts(parts, frame)
    for ax, (direction, name) in zip(directions, _DIRECTIONS.items(), strict=True):
        last = {}
        for place, label in enumerate(_METHODS):
            if label == direction:
                continue
            values = _values(frame, "cosine", label, direction)
            last[label] = float(values.iloc[:, -1].median())
            _along_training(ax, values, label, place - 1.5)
            _theory(ax, _values(frame, "cosine", label, direction, model="independent"), label)
        ax.set(ylabel="cosine of the mean gradient", ylim=(0, 1.04))
        order = ", ".join(f"{shown(label)} {number(value)}" for label, value in last.items())
        finding(ax, f"Cosine with {name} in the end: {order}")
    for ax in (noise, parts, *directions):
        _name_checkpoints(ax, frame)
    names = {shown(label): method_style(label).colour for label in _METHODS}
    stack_names(directions[1], (0.99, 0.02), names | {"thin: theory, every image a context of its own": "0.3"})
    caption(f"""Moments of each method's gradient in the parameters of the network, {_CHECKPOINTS}: variance across
        PG's gradient over PG's (a), its parts for PG, DG and zero price as means over seeds (b), and the cosine of
        the mean gradient with PG's (c) and with cross-entropy's (d). Filled points: measured, median of
        {frame["seed"].nunique()} seeds with its 95 % bootstrap interval; thin lines without points: the theory of
        independent contexts, with each image's own probability.""")
    return figure


def mnist_screening() -> Figure:
    """Signal that each screening rule captures per backward pass at 3 %, against the oracle's and over α."""
    frame = _common_path()
    figure, axes = panels(4, height=_HEIGHT)
    for ax, (direction, name) in zip(axes[:2], _DIRECTIONS.items(), strict=True):
        best, last = _capture(frame, f"oracle, {direction}(3 %)", direction), {}
        for place, rule in enumerate(_RULES):
            values = _capture(frame, _GATE if rule == "delight" else f"{rule}(3 %)", direction) / best
            last[rule] = float(values.iloc[:, -1].median())
            _along_training(ax, values, rule, place - 2.5)
        _name_checkpoints(ax, frame)
        reference(ax, y=0)
        ax.set(ylabel="signal per backward pass over the oracle's")
        first = max(last, key=lambda rule: last[rule])
        finding(ax, f"Along {name}, {first} captures most in the end: {percent(last[first])} of the oracle's, "
                    f"uniform {percent(last['uniform'])}")  # fmt: skip
    for ax, (direction, name) in zip(axes[2:], _DIRECTIONS.items(), strict=True):
        most = _over_alpha(ax, frame, direction)
        ax.set(xlabel="α of the additive rule αU + (1 − α)ℓ", ylabel="signal per backward pass over delight's")
        finding(ax, f"Along {name}, the best α reaches {number(most.min())} to {number(most.max())} of delight's")
        label_curves(ax)
    legend_below(axes, [named(rule, method_style(rule), mark="curve") for rule in _RULES])
    caption(f"""Signal per backward pass of the top 3 % by each screening rule, in the parameters of the network,
        {_CHECKPOINTS}: over that of the best choice, the oracle's, along PG's gradient (a) and cross-entropy's (b),
        and of the additive rule at each weight α over delight's (c, d; lines: accuracy of the checkpoint). U:
        advantage, ℓ: surprisal. Filled points: measured, median of {frame["seed"].nunique()} seeds with its 95 %
        bootstrap interval.""")
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
    x: Any = np.arange(values.shape[1]) + 0.05 * shift
    centre, low, high = _intervals(values)
    draw_measured(ax, x, centre, low, high, method_style(label))


def _theory(ax: Axes, values: pd.DataFrame, label: str) -> None:
    x: Any = np.arange(values.shape[1])
    ax.plot(x, values.median().to_numpy(), "-", color=method_style(label).colour, linewidth=0.6)


def _noise_ratios(ax: Axes, frame: pd.DataFrame) -> None:
    whole, own, last = "var_perpendicular", "var_own_perpendicular", {}
    for label in ("DG", "zero-price"):
        values = _values(frame, whole, label) / _values(frame, whole, "PG")
        last[label] = float(values.iloc[:, -1].median())
        _along_training(ax, values, label)
        pg = _values(frame, own, "PG", model="independent")
        _theory(ax, _values(frame, own, label, model="independent") / pg, label)
    ax.set(ylabel="variance across PG's gradient over PG's, per sample", ylim=(-0.03, 1.04))
    finding(ax, f"In the end zero price has {percent(last['zero-price'])} of PG's noise across its gradient, "
                f"DG {percent(last['DG'])}")  # fmt: skip


def _variance_parts(ax: Axes, frame: pd.DataFrame) -> None:
    """Stack the parts of the variance over PG's, means over seeds: a bar for each of PG, DG and zero price."""
    whole = _values(frame, "var_parallel", "PG") + _values(frame, "var_perpendicular", "PG")
    for place, label in enumerate(_METHODS[:3]):
        colour = to_rgb(method_style(label).colour)
        places: Any = np.arange(whole.shape[1]) + 0.26 * (place - 1)
        bottom = np.zeros(whole.shape[1])
        for part, (_, hatch) in _PARTS.items():
            share = (_values(frame, part, label) / whole).mean().to_numpy()
            ax.bar(places, share, 0.24, bottom, color=(*colour, 0.35), edgecolor=colour, hatch=hatch, linewidth=0.6)
            bottom = bottom + share
    ax.set(ylabel="variance over PG's, per sample", ylim=(0, 1.6))
    between = (_values(frame, "var_between", "zero-price") / whole).iloc[:, -1].mean()
    finding(ax, f"What zero price leaves is between images: {percent(float(between))} of PG's variance in the end")
    handles = [Patch(facecolor="white", edgecolor="0.3", hatch=hatch, label=name) for name, hatch in _PARTS.values()]
    ax.legend(handles=handles[::-1], loc="upper right")


def _over_alpha(ax: Axes, frame: pd.DataFrame, direction: str) -> pd.Series[float]:
    """Draw the additive rule's capture over delight's against α, one line a checkpoint; return each one's highest."""
    delight = _capture(frame, _GATE, direction)
    swept = frame[(frame["rule"] == "additive") & frame["alpha"].notna()]
    alphas = sorted(swept["alpha"].unique())
    ratios = {
        alpha: _capture(rows, rows["label"].iloc[0], direction) / delight for alpha, rows in swept.groupby("alpha")
    }
    x: Any = np.arange(len(alphas))
    most = {}
    for target, colour in zip(delight.columns, reversed(shades(delight.shape[1])), strict=True):
        centre, low, high = _intervals(pd.DataFrame({alpha: ratios[alpha][target] for alpha in alphas}))
        draw_measured(ax, x, centre, low, high, MethodStyle(colour, "."), marks=len(x), label=_checkpoint(target))
        most[target] = float(centre.max())
    reference(ax, y=1)
    ax.set_xlim(0, len(alphas) - 1)
    ax.set_xticks(x[::2], [f"{alpha:g}" for alpha in alphas[::2]])
    return pd.Series(most)


def _checkpoint(target: Any) -> str:
    return "start" if target == 0 else f"{100 * target:g} %"


def _name_checkpoints(ax: Axes, frame: pd.DataFrame) -> None:
    targets = sorted(frame["target"].unique())
    ax.set_xticks(range(len(targets)), [_checkpoint(target) for target in targets])
    ax.set_xlabel("held-out accuracy of the policy")
