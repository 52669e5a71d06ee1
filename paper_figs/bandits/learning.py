"""Figures of alignment, learning time and graded rewards: closed forms as lines, simulations as points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kondo_theory import geometry as closed
from kondo_theory.geometry.alignment import mean_cosine
from paper_figs.arranging import label_curves, stack_names
from paper_figs.marks import draw_points, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style, shades
from paper_figs.tables import points
from paper_figs.wording import P_CORRECT, number, percent, simulated

__all__ = ["backward_passes_to_align", "graded_rewards", "learning_time"]


@dataclass(frozen=True)
class _Curve:
    """One method with its baseline, as the figures name it; ``style`` is a key of the style sheet."""

    label: str
    style: str
    method: str
    baseline: float | str

    def found(self, sweep: str, quantity: str, **where: float) -> pd.DataFrame:
        """Return its simulated rows."""
        baseline = "value" if self.baseline == "value" else "constant"
        return points(sweep, quantity, method=self.method, baseline=baseline, **where)


_CURVES = (
    # The baseline of the tables is 1/2.
    _Curve("PG, b = 1/2", "PG", "pg", 0.5),
    _Curve("PG, b = p", "PG, b = p", "pg", "value"),
    _Curve("DG, b = 1/2", "DG", "dg", 0.5),
    _Curve("zero price, b = 1/2", "zero price", "zero-price", 0.5),
)


def backward_passes_to_align(
    p_correct: float = 0.01, n_arms: int = 10, cosine: float = 0.9, confidence: float = 0.95
) -> Figure:
    """Show the cosine against forward samples and backward passes, and the backward passes needed against p."""
    figure, axes = panels(3)
    lines, places = np.unique(np.geomspace(1, 100_000, 60).round()), np.geomspace(1e-4, 0.3, 100)
    context = {"p_correct": p_correct, "n_arms": n_arms}
    samples, wanted = {}, {}
    for curve in _CURVES:
        style = method_style(curve.style)
        expected = mean_cosine(curve.method, p_correct, n_arms, curve.baseline, lines)
        found = curve.found("batch-direction", "cosine", **context)
        passes = curve.found("batch-direction", "backward passes", **context)["estimate"]
        share = p_correct if curve.method == "zero-price" else 1.0
        for ax, factor, spent in ((axes[0], 1.0, found["n_samples"]), (axes[1], share, passes)):
            ax.plot(factor * lines, expected, color=style.colour, label=curve.label)
            draw_points(ax, spent, found["estimate"], found["standard_error"], style)
        needed = closed.backward_passes_to_align(curve.method, places, n_arms, curve.baseline, cosine, confidence)
        samples[curve.style] = float(np.interp(0.9, expected, lines))
        wanted[curve.style] = float(np.interp(1e-3, places, needed))
        axes[2].plot(places, needed, color=style.colour)
        settings = {"n_arms": n_arms, "cosine": cosine, "confidence": confidence}
        draw_rows(axes[2], curve.found("alignment", "backward passes", **settings), "p_correct", style)
    axes[0].set(xlabel="forward samples in the batch, N")
    axes[1].set(xlabel="backward passes in the batch (mean)")
    for ax in axes[:2]:
        ax.set(xscale="log", ylim=(0, 1.05), ylabel="mean cosine with ∇J")
    axes[2].set(xlabel=P_CORRECT, ylabel="backward passes (mean)", xscale="log", yscale="log")
    zero, pg, value = (samples[name] for name in ("zero price", "PG", "PG, b = p"))
    finding(axes[0], f"Cosine 0.9 takes zero price {number(zero)} forward samples, PG {number(pg)}")
    fewer = value / (p_correct * zero)
    finding(
        axes[1], f"… and {number(p_correct * zero)} backward passes, {number(fewer)} times fewer than PG with b = p"
    )
    finding(
        axes[2], f"At p = 0.001: {number(wanted['zero price'])} backward passes against {number(wanted['PG, b = p'])}"
    )
    stack_names(axes[0], (0.99, 0.02))
    caption(f"""Mean cosine of a batch's gradient with ∇J against its forward samples (a) and its backward passes (b),
        at p = {p_correct:g}, and the backward passes until the cosine is {cosine:g} or more with probability
        {confidence:g} (c), against the probability p of the correct arm. K = {n_arms} arms, b: baseline, η = 1.
        Lines: theory (wrong arms' counts of PG and DG at their χ² limit). {simulated("batch-direction")} In (c):
        {simulated("alignment").removeprefix("Hollow points: ")}""")
    return figure


def learning_time(p_end: float = 0.9) -> Figure:
    """Show learning time against the number of arms, forward and backward, and when the saving is made."""
    figure, axes = panels(3)
    lines = np.unique(np.geomspace(2, 10_000, 200).round())
    curves = (_CURVES[0], *_CURVES[2:], _Curve("zero price, b = p", "zero price, b = p", "zero-price", "value"))
    last = {}
    for curve in curves:
        style = method_style(curve.style)
        for ax, unit in zip(axes, ("forward", "backward"), strict=False):
            exact = closed.learning_time(curve.method, lines, p_end, curve.baseline, unit)
            last[curve.style, unit] = float(exact[-1])
            label = "PG, any b" if curve.method == "pg" else curve.label
            ax.plot(lines, exact, color=style.colour, label=label)
            draw_rows(ax, curve.found("learning-time", f"{unit} time", p_end=p_end), "n_arms", style)
    odds = np.linspace(-3, 7, 200)
    for n_arms, colour in zip((10, 100, 10_000), shades(3), strict=True):
        ends = 1 / (1 + np.exp(-odds[odds > -np.log(n_arms - 1)]))
        spent = closed.learning_time("zero-price", n_arms, ends, 0.5, "backward")
        ratio = spent / closed.learning_time("pg", n_arms, ends, 0.5)
        axes[2].plot(1 - ends, ratio, color=colour, label=f"K = {n_arms:,}")
    reference(axes[2], y=1.0)
    for ax, unit in zip(axes, ("forward", "backward"), strict=False):
        ax.set(xlabel="number of arms, K", ylabel=f"{unit} time to p = {p_end:g}\n(learning rate × batches)")
        ax.set(xscale="log", yscale="log")
    axes[2].set(xlabel="error reached, 1 − p₁", ylabel="backward passes of zero price\nover PG's")
    axes[2].set(xscale="log", yscale="log", xlim=(1, 1e-3))
    label_curves(axes[2])
    forward = last["zero price", "forward"] / last["PG", "forward"]
    backward = last["PG", "backward"] / last["zero price", "backward"]
    finding(axes[0], f"Forward, zero price takes {number(forward)} times PG's time at K = {int(lines[-1]):,}")
    finding(axes[1], f"Backward, {number(backward)} times fewer passes than PG")
    finding(
        axes[2],
        f"The saving is made early: {percent(float(ratio[0]))} of PG's passes at first, "
        f"{percent(float(ratio[-1]))} in the end",
    )
    stack_names(axes[0], (0.03, 0.99))
    caption(f"""Time of gradient flow from the uniform policy to p = {p_end:g} against the number of arms K, counted
        in forward batches (a) and in backward passes (b), and backward passes of the gate at price zero over PG's
        against the error reached (c, b = 1/2). b: baseline; DG at η = 1. Lines: exact, of the flow; points: steps
        extrapolated to size 0. {simulated("learning-time")}""")
    return figure


def graded_rewards() -> Figure:
    """Show how far zero price turns the direction: along the family of the worst case, and over three arms."""
    figure, axes = panels(2)
    style = method_style("zero price")
    sizes = np.unique(np.concatenate([np.arange(1, 100), np.geomspace(100, 10_000, 60).round()]))
    exact = np.array([float(closed.zero_price_cosine(*closed.graded_worst_case(int(n)))) for n in sizes])
    axes[0].plot(2 * sizes + 1, exact, color=style.colour)
    found = points("graded", "cosine")
    draw_points(axes[0], 2 * found["family_size"] + 1, found["estimate"], found["standard_error"], style)
    first = int(2 * sizes[exact < 0][0] + 1)
    reference(axes[0], y=0)
    reference(axes[0], x=first)
    axes[0].annotate(f"K = {first}", (first, 0.6), xytext=(4, 0), textcoords="offset points")
    axes[0].set(
        xlabel="number of arms, K = 2n + 1", ylabel="cosine of E[g] with ∇J", xscale="log", ylim=(-1.05, 1.05)
    )
    others, reward = np.geomspace(1e-3, 0.5, 160), np.linspace(0.005, 0.995, 160)
    share, middle = np.meshgrid(others, reward)
    policy = np.stack([1 - 2 * share, share, share], axis=-1)
    rewards = np.stack([middle, np.ones_like(middle), np.zeros_like(middle)], axis=-1)
    cosine = closed.zero_price_cosine(policy[:, :-1], rewards[:, :-1])
    mesh = axes[1].pcolormesh(
        others[:-1], reward, cosine, cmap="RdBu", vmin=-1, vmax=1, shading="nearest", rasterized=True
    )
    if (cosine < 0).any():
        axes[1].contour(others[:-1], reward, cosine, levels=[0.0], colors="black", linewidths=0.8)
    axes[1].set(xlabel="probability of each of the other two arms", ylabel="reward of the likely arm", xscale="log")
    figure.colorbar(mesh, ax=axes[1], label="cosine of E[g] with ∇J")
    finding(axes[0], f"From K = {first} arms on, zero price can point away from ∇J, at last to {number(exact[-1])}")
    worst = float(np.nanmin(cosine))
    away = f"turns at most to {number(worst)}" if worst > 0 else f"points away at worst, {number(worst)}"
    finding(axes[1], f"With three arms it {away}")
    caption(f"""Cosine of the mean zero-price gradient with ∇J under graded rewards: along the family of worst cases
        (a), and for three arms of which the two others have equal probability and pay 1 and 0 (b). Line and colours:
        exact; black: cosine 0. {simulated("graded")}""")
    return figure
