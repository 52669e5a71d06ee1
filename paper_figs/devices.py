"""What is measured on a GPU beside what is measured on a CPU, from a user's own learning curves or the committed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from kondo_theory.claims import CLAIMS
from paper_figs.reversal.style import reversal_style
from paper_figs.style import PANEL, label_panels, method_style, shown
from paper_figs.tables import every, feed
from simulations.results.device_agreement import EXPERIMENTS, Pair, compare

__all__ = ["device_agreement"]


def device_agreement() -> Figure:
    """Draw each method's errors on a GPU over those on a CPU, with their intervals."""
    found = _pairs()
    low, high = next((c.low, c.high) for c in CLAIMS["device-agreement"].rule.criteria if math.isfinite(c.low))
    measures = list(dict.fromkeys(pair.measure for pair in found))
    figure, axes = plt.subplots(
        1, len(measures), figsize=(2 * PANEL[0] + 1.4, PANEL[1] + 0.9), sharex=True, sharey=True
    )
    for ax, measure in zip(axes, measures, strict=True):
        pairs = [pair for pair in found if pair.measure == measure]
        ax.axvspan(low, high, color="0.93", zorder=0)
        ax.axvline(1, color="0.6", linewidth=0.8, linestyle=":")
        for place, pair in enumerate(pairs):
            style = (method_style if pair.experiment == "MNIST" else reversal_style)(pair.label)
            ratio = pair.ratio
            reach = [[ratio.value - ratio.low], [ratio.high - ratio.value]]
            ax.errorbar(ratio.value, place, xerr=reach, color=style.colour, marker=style.marker, capsize=2, ls="")
        ax.set(title=measure, xlabel=f"GPU / CPU (grey: {low:g} to {high:g})")
    names: Any = [f"{shown(pair.label)}, {pair.experiment}, {len(pair.gpu)} seeds" for pair in pairs]
    axes[0].set_yticks(range(len(pairs)), names)
    axes[0].invert_yaxis()
    label_panels(axes)
    return figure


def _pairs() -> Sequence[Pair]:
    """Return what can be paired, and note which of a user's own tables of a GPU are among it."""
    own = {name: every(experiment.kind) for name, experiment in EXPERIMENTS.items()}
    found = compare([table for tables in own.values() for table in tables])
    for name, experiment in EXPERIMENTS.items():
        used = [table for table in own[name] if table.path.name not in found.left_out]
        feed(experiment.kind, *used)
    return found.pairs
