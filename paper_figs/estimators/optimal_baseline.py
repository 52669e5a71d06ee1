"""The figure of the baseline of least noise, and of the step that the noise allows."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.estimators import best_step, dg_baseline
from kondo_theory.gate import gate_probability
from kondo_theory.geometry.optimal import cost_of_signal
from kondo_theory.geometry.symmetric import (
    dg_weights,
    optimal_pg_baseline,
    pg_moments,
    symmetric_arms,
    symmetric_moments,
    zero_price_moments,
)
from kondo_theory.moments import GradientMoments
from paper_figs.arranging import label_curves, stack_names
from paper_figs.marks import draw_exact, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shades
from paper_figs.wording import number

__all__ = ["optimal_baseline"]


def optimal_baseline(
    n_arms: int = 10, p: float = 0.3, temperature: float = 1.0, keep_wrong: float = 0.2, step_baseline: float = 0.5
) -> Figure:
    """Draw noise and cost of signal against the baseline, and the best step against the batch size."""
    figure, (noise, cost, step) = panels(3)
    _noise(noise, n_arms, p, temperature, keep_wrong)
    _cost(cost, n_arms, p)
    _step(step, n_arms, p, step_baseline)
    caption(f"""One context of K = {n_arms} arms, one right, with probability p = {p:g}. (a) Noise E‖g‖²/(E g·u)² of
        one sample against the baseline b: PG, DG at η = {temperature:g}, a gate that keeps all right and
        {keep_wrong:g} of the wrong samples whatever b, and zero price; crosses: the least of each. (b) Cost of signal
        of gates that are drawn with σ(χ/η), which change with b; dotted: the best baseline of every gate that does
        not. (c) The learning rate of the largest certain gain times the smoothness L, against the batch size: PG at
        its best baseline, and PG and zero price at b = {step_baseline:g}. Everything is exact: no points, no
        seeds.""")
    return figure


def _ratio(moments: GradientMoments) -> NDArray[np.float64]:
    """Return E‖g‖²/(E g·u)²."""
    return np.asarray(1 + (moments.var_parallel + moments.var_perpendicular) / moments.signal**2)


def _noise(ax: Axes, n_arms: int, p: float, eta: float, wrong: float) -> None:
    """Draw the noise against the baseline."""
    b = np.linspace(0.005, 0.95, 190)
    best, own = float(optimal_pg_baseline(p, n_arms)), float(dg_baseline(p, n_arms, eta))
    lines = {
        "PG": (lambda at: pg_moments(p, n_arms, at), best),
        "DG": (lambda at: symmetric_moments(p, n_arms, at, *dg_weights(p, n_arms, at, eta)), own),
        "gate, fixed": (lambda at: symmetric_moments(p, n_arms, at, 1.0, wrong, bernoulli=True), best),
    }
    for name, (moments, least) in lines.items():
        style = method_style(name)
        ax.plot(b, _ratio(moments(b)), color=style.colour, label=name)
        draw_exact(ax, [least], [_ratio(moments(least))], style.colour)
    zero = method_style("zero price").colour
    ax.plot(b, _ratio(zero_price_moments(p, n_arms, b)), color=zero, label="zero price")
    ax.set(xlabel="baseline, b", ylabel="noise, E‖g‖²/(E g·u)²", ylim=(0, 12), xlim=(0, 1))
    finding(ax, f"PG and a fixed gate are best at b = {number(best)}, DG at {number(own)} with PG's noise")
    names = [*lines, "zero price"]
    stack_names(ax, (0.03, 0.97), {name: method_style(name).colour for name in names})


def _cost(ax: Axes, n_arms: int, p: float) -> None:
    """Draw the cost of signal of gates that change with the baseline."""
    b = np.linspace(0.01, 0.99, 99)
    fixed = float(optimal_pg_baseline(p, n_arms))
    temperatures = (0.1, 0.3, 1.0)
    saved, names = [], {}
    for eta, colour in zip(temperatures, shades(len(temperatures)), strict=True):
        names[f"η = {eta:g}"] = colour
        costs = np.array([_drawn_cost(n_arms, p, float(each), eta) for each in b])
        ax.plot(b, costs, color=colour, label=f"η = {eta:g}")
        saved.append(_drawn_cost(n_arms, p, fixed, eta) / costs.min())
    reference(ax, x=fixed)
    ax.set(xlabel="baseline, b", ylabel="cost of signal, c", xlim=(0, 1), ylim=(1, 4))
    finding(ax, f"A gate that changes with b is up to {number(max(saved))} times cheaper at another baseline")
    stack_names(ax, (0.3, 0.97), names)


def _drawn_cost(n_arms: int, p: float, b: float, eta: float) -> float:
    """Return the cost of signal of σ(χ/η)."""
    policy, advantage = symmetric_arms(n_arms, p, b)
    return float(cost_of_signal(policy, advantage, gate_probability(-advantage * np.log(policy), 0.0, eta)))


def _step(ax: Axes, n_arms: int, p: float, b: float) -> None:
    """Draw the best step against the batch size."""
    length = p * (1 - p) * np.sqrt(n_arms / (n_arms - 1))
    sizes = np.geomspace(1, 1e4, 100)
    best = float(optimal_pg_baseline(p, n_arms))
    lines = {
        "PG, best b": pg_moments(p, n_arms, best),
        "PG": pg_moments(p, n_arms, b),
        "zero price": zero_price_moments(p, n_arms, b),
    }
    for name, moments in lines.items():
        ax.plot(sizes, best_step(moments, length, sizes, 1.0), color=method_style(name).colour, label=name)
    one = [float(best_step(moments, length, 1, 1.0)) for moments in lines.values()]
    ax.set(xscale="log", xlabel="batch size, B (samples)", ylabel="best learning rate × L", ylim=(0, None))
    finding(ax, f"At B = 1 zero price may step {number(one[2] / one[1])} times as far as PG with its baseline")
    label_curves(ax)
