"""The figure of escapes from a corner, and of two contexts that share their logits."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.corners import escape_time, kept_updates, shared_rest_point
from kondo_theory.geometry.learning import learning_time
from paper_figs.arranging import label_curves
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.wording import number

__all__ = ["corner_escape"]


def corner_escape(baseline: float = 0.5, batch_size: int = 1_000, temperature: float = 1.0) -> Figure:
    """Draw times out of a corner of two arms against their ratio, and rest points of shared logits."""
    figure, (times, rest) = panels(2)
    _times(times, baseline, batch_size, temperature)
    _rest(rest, baseline, temperature)
    caption(f"""(a) Time of gradient flow out of a corner of two arms to even odds, against how many times as likely
        the wrong arm is at first: in samples, in backward passes, and in updates that are means over what a batch of
        B = {batch_size:,} kept. (b) Two contexts of two arms with the same logits disagree; where flow leaves the
        probability p of the arm that most samples want, against the share of the others. With a common baseline zero
        price lies on PG; b = p is each context's own value, and DG has the common baseline {baseline:g}. Zero
        price in (a): b = {baseline:g}; η = {temperature:g} for DG unless it says otherwise. Everything is exact: no
        points, no seeds.""")
    return figure


def _times(ax: Axes, b: float, batch_size: int, temperature: float) -> None:
    ratio = np.geomspace(2, 1e6, 120)
    policy = np.column_stack([1 / (1 + ratio), ratio / (1 + ratio)])
    samples = escape_time("zero-price", policy, b)
    passes = escape_time("zero-price", policy, b, "backward")
    dg = learning_time("dg", 2, 0.5, b, p_start=policy[:, 0], temperature=temperature)
    zero = method_style("zero price").colour
    ax.plot(ratio, samples, color=zero, label="zero price, samples")
    ax.plot(ratio, dg, color=method_style("DG").colour, label="DG, samples")
    ax.plot(ratio, escape_time("pg", policy, b), color=method_style("PG").colour, label="PG, samples")
    ax.plot(
        ratio, kept_updates(policy, b, batch_size), color=method_style("exact k").colour, label="means over the kept"
    )
    ax.plot(ratio, passes, color=zero, label="zero price, backward")
    ax.set(xscale="log", yscale="log", xlabel="ratio of the wrong arm to the right one, r")
    ax.set(ylabel="time to even odds\n(learning rate × batches)")
    finding(
        ax,
        f"At the largest r zero price takes {number(samples[-1])} in samples, {number(passes[-1])} in passes",
    )
    label_curves(ax)


def _rest(ax: Axes, b: float, temperature: float) -> None:
    share = np.linspace(0.002, 0.498, 249)
    ax.plot(share, shared_rest_point("pg", share, b), color=method_style("PG").colour, label="PG")
    for eta in (temperature, temperature / 20):
        points = shared_rest_point("dg", share, b, temperature=eta)
        ax.plot(share, points, color=method_style("DG").colour, label=f"DG, η = {eta:g}")
    zero = method_style("zero price, b = p")
    ax.plot(share, shared_rest_point("zero-price", share, "value"), color=zero.colour, label="zero price, b = p")
    least = (1 - b) / (3 - 2 * b)
    reference(ax, x=least)
    ax.set(
        xlabel="share of the smaller context, q", ylabel="p where the flow rests", xlim=(0, 0.5), ylim=(0.45, 1.03)
    )
    finding(ax, f"Zero price with b = p matches probabilities; DG stops short of 1 from q = {number(least)}")
    label_curves(ax)
