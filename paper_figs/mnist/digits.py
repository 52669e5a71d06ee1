"""Figure of the digits that delight picks, drawn from the committed table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import measured
from paper_figs.wording import count

__all__ = ["mnist_digits"]


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
