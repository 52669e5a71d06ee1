"""Figure of what the row gate saves on token reversal as it gets harder, from the table of study ``speedup``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.cost import speedup
from paper_figs.marks import draw_exact, draw_measured, mark_measured, named, reference
from paper_figs.panels import caption, finding, legend_below, panels
from paper_figs.reversal.style import reversal_style
from paper_figs.style import MethodStyle, shades, shown
from paper_figs.tables import measured, reversal_curves
from paper_figs.wording import count, number
from simulations.reversal.readings.speedup import (
    COSTS,
    GATE,
    HARDNESS,
    JUDGED_COST,
    LEVELS,
    METHODS,
    REFERENCE,
    Setting,
    Spending,
    saved_a_step,
    seconds_an_update,
)
from simulations.statistics import bootstrap

__all__ = ["reversal_speedup"]

_RATE = 0.03
_MARKERS = ("o", "s", "^", "D")


def reversal_speedup() -> Figure:
    """Draw speed-ups over PG: of the row gate against c, of every method by task, and of the gate in other units."""
    frame = reversal_curves("speedup").frame
    seconds = seconds_an_update(measured("reversal-speedup", "reversal-speedup-paper", "reversal-speedup-quick"))
    spending = Spending(frame)
    figure, (costs, methods, units) = panels(3, height=2.5)
    _costs(costs, spending)
    _methods(methods, spending)
    _units(units, spending, seconds)
    legend_below([costs, methods, units], [named(shown(label), reversal_style(label)) for label in METHODS[1:]])
    seeds = count(len(spending.by_seed(label, at, LEVELS[0])) for label in METHODS for at in HARDNESS)
    caption(f"""Token reversal to a token error of {100 * LEVELS[0]:g} percent: what PG spends over what another
        method spends, an answer costing one forward pass to sample and c to train on. (a) The row gate at
        {100 * _RATE:g} percent by length H and vocabulary M; line: at as many answers, (1 + c)/(1 + ρc).
        (b) At c = {JUDGED_COST:g}, by method; a token counts as a tenth of an answer of ten. (c) The row gate in
        counted answers at c = 2, in FLOPs of sampling and training, and in CPU seconds where they were
        taken; crosses: FLOPs by the model of step cost. Filled points: measured on networks, medians of {seeds}
        seeds with 95 % bootstrap intervals, in (b) every seed.""")
    return figure


def _costs(ax: Axes, spending: Spending) -> None:
    grid = np.linspace(0, max(COSTS), 65)
    ax.plot(grid, speedup(1.0, 1.0, _RATE, grid, "logical"), color="0.5")
    for setting, colour, marker in zip(HARDNESS, shades(len(HARDNESS)), _MARKERS, strict=True):
        found = [bootstrap(spending.speedups(GATE, setting, c, LEVELS[0]).to_numpy()) for c in COSTS]
        ends = ([each.low for each in found], [each.high for each in found])
        style = MethodStyle(colour, marker)
        draw_measured(ax, COSTS, [each.value for each in found], *ends, style, label=_name(setting))
    ax.set(xlabel="backward cost c (forward passes)", ylabel="speed-up over PG")
    ax.legend(loc="upper left")
    longer, larger = (number(_growth(spending, *ends)) for ends in (((5, 2), (20, 2)), ((10, 2), (10, 4))))
    finding(ax, f"Gains at c = {JUDGED_COST:g} change {longer}-fold from H = 5 to 20, {larger}-fold from M = 2 to 4")


def _growth(spending: Spending, small: Setting, large: Setting) -> float:
    """Return the median over seeds of the ratio of the speed-ups at two settings."""
    above, below = (spending.speedups(GATE, setting, JUDGED_COST, LEVELS[0]) for setting in (large, small))
    return float((above / below).dropna().median())


def _methods(ax: Axes, spending: Spending) -> None:
    for beside, label in enumerate(METHODS[1:]):
        style = reversal_style(label)
        for place, setting in enumerate(HARDNESS):
            values = spending.speedups(label, setting, JUDGED_COST, LEVELS[0]).to_numpy()
            x = place + 0.2 * (beside - 1)
            mark_measured(ax, [x] * len(values), values, style, alpha=0.35, ms=3, mew=0)
            mark_measured(ax, [x], [np.median(values)], style, ms=5)
    reference(ax, y=1)
    _settings(ax)
    ax.set(ylabel=f"speed-up over PG at c = {JUDGED_COST:g}")
    medians = [
        float(np.median(spending.speedups(label, setting, JUDGED_COST, LEVELS[0])))
        for setting in HARDNESS
        for label in ("DG", GATE)
    ]
    finding(ax, f"The row gate saves {_range(medians[1::2])}, DG {_range(medians[::2])}")


def _units(ax: Axes, spending: Spending, seconds: Mapping[tuple[Setting, str], pd.Series]) -> None:
    kinds = {"answers": ("o", -0.2), "FLOPs": ("s", 0.0), "seconds": ("^", 0.2)}
    gained: dict[str, list[float]] = {kind: [] for kind in kinds}
    for place, setting in enumerate(HARDNESS):
        full, gate = (spending.by_seed(label, setting, LEVELS[0]) for label in (REFERENCE, GATE))
        answers = (full["forward_rows"] / gate["forward_rows"]).dropna()
        values = {"answers": spending.speedups(GATE, setting, 2.0, LEVELS[0])}
        values["FLOPs"] = (full["flops"] / gate["flops"]).dropna()
        if all((setting, label) in seconds for label in (REFERENCE, GATE)):
            values["seconds"] = answers * float((seconds[setting, REFERENCE] / seconds[setting, GATE]).median())
        for kind, found in values.items():
            marker, shift = kinds[kind]
            interval = bootstrap(found.to_numpy())
            style = MethodStyle("0.25", marker)
            draw_measured(ax, [place + shift], [interval.value], [interval.low], [interval.high], style)
            gained[kind].append(interval.value)
        draw_exact(ax, [place], [float(answers.median()) * saved_a_step(spending.frame, setting)], "0.6", ms=8)
    reference(ax, y=1)
    _settings(ax)
    ax.set(ylabel="speed-up over PG")
    ax.set_ylim(0, 1.15 * ax.get_ylim()[1])
    handles = [named(kind, MethodStyle("0.25", marker)) for kind, (marker, _) in kinds.items()]
    ax.legend(handles=handles, loc="upper center", ncols=3)
    finding(ax, f"FLOPs say {_range(gained['FLOPs'])}, CPU seconds {_range(gained['seconds'])}")


def _settings(ax: Axes) -> None:
    ax.set_xticks(range(len(HARDNESS)), [_name(setting).replace(", ", "\n") for setting in HARDNESS])
    ax.set_xlim(-0.5, len(HARDNESS) - 0.5)
    ax.set_ylim(0, None)


def _name(setting: Setting) -> str:
    return f"H = {setting[0]}, M = {setting[1]}"


def _range(values: list[float]) -> str:
    """Return the least and the most of a few speed-ups."""
    return f"{number(min(values))} to {number(max(values))}" if values else "nothing"
