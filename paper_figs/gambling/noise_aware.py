"""Figure of the gates that noise does not take in: drift, what a margin leaves, and training on MNIST."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.gambling import drift
from kondo_theory.gambling.noise_aware import (
    extremes_drift,
    margin_critical_noise_ratio,
    margin_fixed_point,
    second_draw_drift,
)
from kondo_theory.gambling.top_rate import top_rate_drift
from paper_figs.arranging import stack_names
from paper_figs.gambling.gamble import DRIFT_LABEL, NOISE_LABEL, SHARE_LABEL
from paper_figs.marks import draw_measured, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import measured, points
from paper_figs.wording import number, percent, simulated
from simulations.mnist.summary import final_error

__all__ = ["noise_aware_gate"]

_GATE, _SIZE, _DRAW, _RANDOM = "DG-K(3 %)", "abs-advantage(3 %)", "DG-K(3 %), second draw", "uniform(3 %)"
_STYLES = {
    "PG": method_style("PG"),
    _GATE: method_style(_GATE),
    _DRAW: method_style("second draw"),
    _SIZE: method_style("abs-advantage"),
    _RANDOM: method_style("uniform"),
}
_MARGINS = (0.0, 0.5, 1.0, 2.0)


def noise_aware_gate(noise_ratio: float = 3.0) -> Figure:
    """Show drifts of four gates, the floor under margins, and test errors on MNIST with a gambling action."""
    figure, axes = panels(4, height=2.2)
    _drifts(axes[0], noise_ratio)
    _floors(axes[1])
    curves = measured("mnist-gamble", "mnist-gamble-paper", "mnist-gamble-quick").frame
    _errors(axes[2], curves, "")
    _errors(axes[3], curves, ", value baseline")
    stack_names(axes[0], (0.97, 0.03), {label: style.colour for label, style in _STYLES.items()})
    caption(f"""(a) Drift to the better arm on a gamble with noise r = {noise_ratio:g} under PG, the top 3 % by
        delight (DG-K) and by |advantage|, and zero price where a second draw of the reward decides. (b) What the
        gambling arm keeps under zero price with a margin, U > κσ, against r; dotted: the critical noise
        √(2π)exp(κ²/2). (c, d) Greedy test error on MNIST where action 0 on another digit pays σξ, σ = 2, at equal
        forward samples, with the confidence Σπ² and with the value as baseline; median of {curves["seed"].nunique()}
        seeds, measured on networks, bands: least and greatest. Lines in (a, b): exact. In (a):
        {simulated("noise-aware-drift")} In (b): {simulated("margin-rest")}""")
    return figure


def _drifts(ax: Axes, r: float) -> None:
    x = np.linspace(0.005, 0.995, 250)
    curves = {
        "PG": drift(x, r, "pg"),
        _GATE: top_rate_drift(x, r, 0.03),
        _DRAW: second_draw_drift(x, r),
        _SIZE: extremes_drift(x, r, 0.03),
    }
    for label, curve in curves.items():
        ax.plot(x, curve, color=_STYLES[label].colour)
    for gate, label in (("second-draw", _DRAW), ("extremes", _SIZE)):
        found = points("noise-aware-drift", "drift", gate=gate, noise_ratio=r)
        draw_rows(ax, found, "x", _STYLES[label])
    reference(ax, y=0)
    ax.set(xlabel=SHARE_LABEL, ylabel=DRIFT_LABEL, xlim=(0, 1), ylim=(-1.7, 1.15))
    least = min(float(curves[label].min()) for label in (_DRAW, _SIZE))
    never = "neither |advantage| nor a second draw" if least > 0 else "|advantage| or a second draw"
    finding(ax, f"At r = {r:g} {never} can drift to the gamble, as delight does")


def _floors(ax: Axes) -> None:
    """Draw the floor under each margin against the noise, with simulated ends of learning."""
    at_two = {}
    for margin, colour in zip(_MARGINS, shades(len(_MARGINS)), strict=True):
        critical = float(margin_critical_noise_ratio(margin))
        noise = np.geomspace(0.3, min(critical, 20.0), 160)[:-1]
        floor = np.asarray(margin_fixed_point(noise, margin), dtype=np.float64)
        ax.plot(noise, floor, color=colour, label=f"κ = {margin:g}")
        reference(ax, x=critical, colour=colour)
        at_two[margin] = float(np.interp(2.0, noise, floor))
        if margin in (0.5, 1.0):
            draw_rows(ax, points("margin-rest", "x at rest", margin=margin), "noise_ratio", MethodStyle(colour, "o"))
    ax.set(xscale="log", yscale="log", xlim=(0.3, 20), ylim=(1e-4, 1.3))
    ax.set(xlabel=NOISE_LABEL, ylabel="stable share x* of the gamble")
    ax.set_xticks([0.5, 1, 3, 10], ["0.5", "1", "3", "10"])
    ax.minorticks_off()
    stack_names(ax, (0.97, 0.03))
    finding(
        ax, f"At r = 2 a margin of one σ leaves {percent(at_two[1.0])} gambles of {percent(at_two[0.0])}, not none"
    )


def _errors(ax: Axes, frame: pd.DataFrame, baseline: str) -> None:
    """Draw test error against updates under one baseline, the median of the seeds in the band of them all."""
    ends = {}
    for label, style in _STYLES.items():
        runs = frame[frame["label"] == label + baseline]
        errors = 100 * runs.pivot(index="update", columns="seed", values="test_error")
        low, middle, high = (errors.quantile(level, axis=1) for level in (0.0, 0.5, 1.0))
        draw_measured(ax, errors.index, middle, low, high, style, marks=6)
        ends[label] = float(np.median(final_error(frame, label + baseline)))
    ax.set(yscale="log", ylim=(4, 120), xlabel="updates of 100 images", ylabel="test error (percent)")
    ax.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    ax.minorticks_off()
    how = "value baseline" if baseline else "confidence baseline"
    finding(
        ax,
        f"{how.capitalize()}: delight ends at {number(100 * ends[_GATE])} % error, |advantage| at "
        f"{number(100 * ends[_SIZE])} %, a second draw at {number(100 * ends[_DRAW])} %",
    )
