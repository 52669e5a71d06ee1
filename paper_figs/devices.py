"""What is measured on a GPU beside what is measured on a CPU, from the committed learning curves."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from paper_figs.reversal import reversal_style
from paper_figs.style import PANEL, method_style, shown
from paper_figs.tables import own_tables
from simulations.device_tables import pairs
from simulations.results import ResultError

__all__ = ["device_agreement"]

_MARGIN = 0.1


def device_agreement() -> Figure:
    """Draw each method's error over training on a GPU over that on a CPU, with its interval."""
    found = pairs(own_tables())
    if not found:
        raise ResultError("no learning curves of a GPU whose protocol is that of a CPU's")
    figure, ax = plt.subplots(figsize=(PANEL[0] + 1.6, PANEL[1] + 0.7))
    ax.axvspan(1 - _MARGIN, 1 + _MARGIN, color="0.93", zorder=0)
    ax.axvline(1, color="0.6", linewidth=0.8, linestyle=":")
    for place, pair in enumerate(found):
        style = (method_style if pair.experiment == "MNIST" else reversal_style)(pair.label)
        ratio = pair.ratio
        reach = [[ratio.value - ratio.low], [ratio.high - ratio.value]]
        ax.errorbar(ratio.value, place, xerr=reach, color=style.colour, marker=style.marker, capsize=2, ls="")
    names: Any = [
        f"{shown(pair.label)}, {pair.experiment}\n{len(pair.gpu)} and {len(pair.cpu)} seeds" for pair in found
    ]
    ax.set_yticks(range(len(found)), names, fontsize=7)
    ax.invert_yaxis()
    ax.set(
        xlabel="mean error over training, GPU / CPU", title="the same protocol on two devices\n(grey: within a tenth)"
    )
    return figure
