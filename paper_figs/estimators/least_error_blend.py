"""The figure of the blend of PG and zero price with the least mean squared error."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.estimators import best_blend, estimated_blend_error, zero_price_blend
from kondo_theory.geometry.symmetric import symmetric_arms
from paper_figs.arranging import label_curves, stack_names
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shades
from paper_figs.wording import number, percent

__all__ = ["least_error_blend"]


def least_error_blend(
    n_arms: int = 10, p: float = 0.3, baseline: float = 0.5, batch_size: int = 30, n_seen: int = 10
) -> Figure:
    """Draw the best weight of PG, the errors of the blend and of both, and what estimating the weight costs."""
    figure, (weights, errors, estimated) = panels(3)
    _weights(weights, n_arms, baseline)
    _errors(errors, n_arms, p, baseline)
    _estimated(estimated, n_arms, baseline, batch_size, n_seen)
    caption(f"""Blends a·PG + (1−a)·zero price of one batch's gradients. (a) The weight a of least mean squared error
        against the batch size, at probabilities p of the right arm. (b) Mean squared errors over ‖∇J‖² at p = {p:g}.
        (c) The same at B = {batch_size} over PG's, against p: with the best weight, and with the weight that an
        estimate of p from n = {n_seen} other samples gives. One context of K = {n_arms} arms, one right,
        b = {baseline:g}. Everything is exact: no points, no seeds.""")
    return figure


def _weights(ax: Axes, n_arms: int, b: float) -> None:
    """Draw the best weight against the batch size."""
    sizes = np.geomspace(1, 1e4, 100)
    chances = (0.03, 0.1, 0.3, 0.6)
    for p, colour in zip(chances, shades(len(chances)), strict=True):
        ax.plot(sizes, zero_price_blend(p, n_arms, b, sizes), color=colour, label=f"p = {p:g}")
    half = float(sizes[np.argmax(zero_price_blend(chances[0], n_arms, b, sizes) >= 0.5)])
    ax.set(xscale="log", xlabel="batch size, B (samples)", ylabel="best weight of PG, a", ylim=(0, 1.02))
    finding(ax, f"At p = {chances[0]:g} PG has half of the weight from B = {number(half)}")
    label_curves(ax)


def _errors(ax: Axes, n_arms: int, p: float, b: float) -> None:
    """Draw mean squared errors against the batch size."""
    policy, advantage = symmetric_arms(n_arms, p, b)
    square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
    sizes = np.geomspace(1, 1e4, 100)
    found = best_blend(policy, advantage, advantage > 0, sizes)
    lines = {"PG": found.pg_error, "zero price": found.gated_error, "best blend": found.error}
    for name, error in lines.items():
        ax.plot(sizes, error / square, color=method_style(name).colour, label=name)
    least = float(np.min(found.error / np.minimum(found.pg_error, found.gated_error)))
    ax.set(xscale="log", yscale="log", xlabel="batch size, B (samples)", ylabel="mean squared error / ‖∇J‖²")
    finding(ax, f"The blend has at least {number(least)} of the smaller of both errors")
    stack_names(ax, (0.03, 0.03), {name: method_style(name).colour for name in lines})


def _estimated(ax: Axes, n_arms: int, b: float, size: int, n_seen: int) -> None:
    """Draw errors over PG's against p, the weight known and estimated."""
    chances = np.linspace(0.02, 0.95, 94)
    pg, zero, best, guessed = [], [], [], []
    for p in chances:
        policy, advantage = symmetric_arms(n_arms, float(p), b)
        square = p**2 * (1 - p) ** 2 * n_arms / (n_arms - 1)
        found = best_blend(policy, advantage, advantage > 0, size)
        pg.append(float(found.pg_error))
        zero.append(float(found.gated_error))
        best.append(float(found.error))
        guessed.append(best[-1] + square * float(estimated_blend_error(float(p), n_arms, b, size, n_seen)))
    lines = {"zero price": zero, "best blend": best, "blend, estimated": guessed}
    for name, error in lines.items():
        ax.plot(chances, np.array(error) / pg, color=method_style(name).colour, label=name)
    worse = np.array(guessed) > np.minimum(pg, zero)
    share = float(1 - worse.mean())
    ax.set(xlabel="probability of the right arm, p", ylabel="mean squared error / PG's", ylim=(0, 2), xlim=(0, 1))
    reference(ax, y=1.0)
    finding(ax, f"Estimated from {n_seen} samples it is better than both at {percent(share)} of p")
    stack_names(ax, (0.8, 0.03), {name: method_style(name).colour for name in lines})
