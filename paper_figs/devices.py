"""What is measured on a GPU beside what is measured on a CPU, from a user's own learning curves or the committed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from kondo_theory.claims import CLAIMS
from paper_figs.marks import MEASURED, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.style import reversal_style
from paper_figs.style import method_style, shown
from paper_figs.tables import every, feed
from simulations.results.device_agreement import EXPERIMENTS, Pair, compare

__all__ = ["device_agreement"]


def device_agreement() -> Figure:
    """Draw each method's errors on a GPU over those on a CPU, with their intervals."""
    found = _pairs()
    low, high = next((c.low, c.high) for c in CLAIMS["device-agreement"].rule.criteria if math.isfinite(c.low))
    measures = list(dict.fromkeys(pair.measure for pair in found))
    figure, axes = panels(len(measures), height=2.6, sharex=True, sharey=True)
    for ax, measure in zip(axes, measures, strict=True):
        pairs = [pair for pair in found if pair.measure == measure]
        ax.axvspan(low, high, color="0.93", zorder=0)
        reference(ax, x=1)
        for place, pair in enumerate(pairs):
            style = (method_style if pair.experiment == "MNIST" else reversal_style)(pair.label)
            ratio = pair.ratio
            reach = [[ratio.value - ratio.low], [ratio.high - ratio.value]]
            drawn = ax.errorbar(ratio.value, place, xerr=reach, color=style.colour, marker=style.marker, ls="")
            drawn.lines[0].set_gid(MEASURED)
        inside = sum(low <= pair.ratio.value <= high for pair in pairs)
        finding(ax, f"{measure.capitalize()}: {inside} of {len(pairs)} ratios are within {low:g} to {high:g}")
        ax.set(xlabel="error on a GPU over that on a CPU")
    names: Any = [f"{shown(pair.label)}, {pair.experiment}, {len(pair.gpu)} seeds" for pair in pairs]
    axes[0].set_yticks(range(len(pairs)), names)
    axes[0].invert_yaxis()
    caption(f"""Each method's error on a GPU over its error on a CPU, the same seeds on both: ratio of means with
        Student's 95 % interval of its logarithm. Grey: from {low:g} to {high:g}. Filled points: measured on
        networks.""")
    return figure


def _pairs() -> Sequence[Pair]:
    """Return what can be paired, and note which of a user's own tables of a GPU are among it."""
    own = {name: every(experiment.kind) for name, experiment in EXPERIMENTS.items()}
    found = compare([table for tables in own.values() for table in tables])
    for name, experiment in EXPERIMENTS.items():
        used = [table for table in own[name] if table.path.name not in found.left_out]
        feed(experiment.kind, *used)
    return found.pairs
