"""The figure of gates that weight what they keep by one over its probability."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.estimators import biased_below, draws_variance, least_unbiased_cost, mean_squared_error
from kondo_theory.geometry.optimal import best_unbiased_gate
from kondo_theory.geometry.symmetric import symmetric_arms
from paper_figs.arranging import label_curves, stack_names
from paper_figs.marks import draw_exact, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shades
from paper_figs.wording import number

__all__ = ["unbiased_gates"]


def unbiased_gates(
    n_arms: int = 10, p: float = 0.1, baseline: float = 0.5, n_gradients: int = 100, n_draws: int = 20
) -> Figure:
    """Draw the least cost of gates without bias, errors against the batch size, and the top kept for certain."""
    figure, (costs, errors, draws) = panels(3)
    _costs(costs, n_arms, p, baseline)
    _errors(errors, n_arms, p, baseline)
    _draws(draws, n_gradients, n_draws)
    caption(f"""(a) The least cost of signal, c = ρE‖g‖²/‖∇J‖², of gates that weight what they keep by 1/w, against
        the probability p of the right arm; zero price has one. (b) Mean squared error of a batch's gradient over
        ‖∇J‖², against the batch size, of all samples (PG), zero price, and the best gate of weight 1/w that keeps as
        many
        (p = {p:g}, K = {n_arms}); dotted: the batch size at which the last two agree. One context, b = {baseline:g}.
        (c) Noise of a sum of {n_gradients} gradients from k = {n_draws} backward passes, c of them the largest, kept
        for certain, and the others drawn by length, over the noise of {n_draws} plain draws; the lengths fall as a
        power of their rank, the directions are random. Crosses: the first c whose share of all lengths is below c/k.
        Everything is exact: no points, no seeds.""")
    return figure


def _costs(ax: Axes, n_arms: int, p: float, b: float) -> None:
    """Draw the least cost of signal against p."""
    at = np.geomspace(0.01, 0.99, 120)
    sizes = sorted({2, 3, n_arms, 10 * n_arms})
    for size, colour in zip(sizes, shades(len(sizes)), strict=True):
        ax.plot(at, least_unbiased_cost(at, size, b), color=colour, label=f"K = {size}")
    ax.set(xscale="log", yscale="log", xlabel="probability of the right arm, p", ylabel="least cost of signal, c")
    ax.set_ylim(0.8)
    least = float(least_unbiased_cost(p, n_arms, b))
    finding(ax, f"At p = {p:g}, K = {n_arms} it takes {number(least)} times zero price's passes")
    label_curves(ax)


def _errors(ax: Axes, n_arms: int, p: float, b: float) -> None:
    """Draw mean squared errors against the batch size."""
    policy, advantage = symmetric_arms(n_arms, p, b)
    kept, least = (advantage > 0) * 1.0, best_unbiased_gate(policy, advantage, p)
    square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
    sizes = np.geomspace(1, 1e4, 100)
    names = {}
    one = np.ones(n_arms)
    gates = {"PG": (one, one), "zero price": (kept, kept), "weight 1/w": (one, 1 / least)}
    for name, (first, second) in gates.items():
        names[name] = method_style(name).colour
        ax.plot(
            sizes, mean_squared_error(policy, advantage, first, second, sizes) / square, color=names[name], label=name
        )
    crossing = float(biased_below(p, n_arms, b))
    reference(ax, x=crossing)
    ax.set(xscale="log", yscale="log", xlabel="batch size, B (samples)", ylabel="mean squared error / ‖∇J‖²")
    finding(ax, f"Up to {round(crossing):,} samples the biased gate has the smaller error")
    stack_names(ax, (0.03, 0.03), names)


def _draws(ax: Axes, n: int, k: int) -> None:
    """Draw the noise of draws against how many of the top are kept for certain."""
    directions = np.random.default_rng(0).normal(size=(n, 10))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    powers = {"equal": 0.0, "1/√rank": 0.5, "1/rank": 1.0, "1/rank^1.5": 1.5}
    least = 1.0
    for (name, power), colour in zip(powers.items(), shades(len(powers)), strict=True):
        lengths = np.arange(1, n + 1) ** -power
        sure = np.arange(k)
        found = np.array([float(draws_variance(directions * lengths[:, None], lengths, k, int(c))) for c in sure])
        ax.plot(sure, found / found[0], color=colour, label=name)
        share = np.concatenate([[0.0], np.cumsum(lengths)])[:k] / lengths.sum()
        less = np.flatnonzero(share[1:] < sure[1:] / k)
        if power and len(less):
            draw_exact(ax, sure[less[0] + 1], (found / found[0])[less[0] + 1], colour)
        least = float(found.min() / found[0])
    ax.set(yscale="log", xlabel="kept for certain, c", ylabel="noise over that of plain draws", xlim=(0, k - 1))
    reference(ax, y=1.0)
    finding(ax, f"The top for certain leaves {number(least)} of the noise where few are long")
    label_curves(ax)
