"""Figure of when the gate saves time: by batch and width on a CPU, and by batch and device, from committed tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from paper_figs.mnist.savings import screened_over_full
from paper_figs.panels import caption, finding, panels
from paper_figs.ratio_maps import ratio_map
from paper_figs.reversal.style import PROTOCOL_ANSWERS, TOTAL
from paper_figs.tables import measured, step_times
from paper_figs.wording import percent
from simulations.results.tables import Table, with_seconds

__all__ = ["when_it_saves"]

_RATE = 0.03
_GATE, _BASE = "row gate(3 %)", "PG"
_CPU = "one CPU thread"


def when_it_saves() -> Figure:
    """Map a gated update's seconds over a full one's: over batch and width, and over batch and device."""
    steps = with_seconds(measured("mnist-cost", "mnist-cost-paper", "mnist-cost-quick"))
    steps = steps[(steps["seeds"] == 1) & (steps["dtype"] == "float32")]
    networks, devices = screened_over_full(steps, _RATE), _by_device(step_times())
    figure, (left, right) = panels(2, height=2.3)
    ratio_map(left, networks)
    left.set(xlabel="images a batch", ylabel="width of the hidden layers")
    saving = int((networks < 1).sum().sum())
    finding(left, f"One CPU thread, MNIST at {percent(_RATE, 1)}: {saving} of {networks.count().sum()} sizes save, "
                  f"up to {percent(1 - networks.min().min())}")  # fmt: skip
    ratio_map(right, devices)
    right.set(xlabel="answers a batch")
    small = {name: f"{row[PROTOCOL_ANSWERS]:.2f}" for name, row in devices.iterrows()}
    finding(right, f"At {PROTOCOL_ANSWERS} answers the gate takes {small.pop(_CPU)} of PG's time on {_CPU}, "
                   + ", ".join(f"{ratio} on an {name}" for name, ratio in small.items()))  # fmt: skip
    caption(f"""Seconds of an update that backpropagates {percent(_RATE, 1)}, over those of a full one; green saves,
        brown loses, bold: they break even, no number: not measured. (a) Steps of the MNIST network on one CPU
        thread, float32, by batch and width. (b) Updates of the transformer on token reversal by {_GATE}, over PG's,
        sampling included, by batch and device. Numbers: measured on networks, medians over rounds of one seed's
        updates, points without intervals.""")
    return figure


def _by_device(times: Mapping[str, Table]) -> pd.DataFrame:
    """Return the median over rounds of the gate's seconds over PG's, by device (the CPU on top) and answers."""
    found: dict[tuple[str, int], float] = {}
    for device, table in times.items():
        name = _CPU if device == "CPU" else device.removeprefix("NVIDIA ")
        rows = with_seconds(table)
        total = {(row["label"], row["answers"]): np.array(row["seconds"])[:, TOTAL] for _, row in rows.iterrows()}
        for answers in sorted(set(rows["answers"])):
            found[name, answers] = float(np.median(total[_GATE, answers] / total[_BASE, answers]))
    ratios = pd.Series(found).unstack()
    return ratios.loc[[*(name for name in ratios.index if name != _CPU), _CPU]]
