"""The figure of what a gate's sum is divided by: B, exactly k kept, or how many were kept."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.gate import kept_count
from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.normal_rewards import normal_exact_moments, normal_kept
from kondo_theory.geometry.normalised import normalised_moments, price_moments
from kondo_theory.moments import GradientMoments
from paper_figs.arranging import named_colours, stack_names
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import points
from paper_figs.wording import number, simulated

__all__ = ["normalised_price_gate"]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]
"""The rows of a table that are drawn."""
Arms = tuple[FloatArray, FloatArray, float]
"""Policy, mean advantages, deviation of the rewards."""

_METHODS = {"price at the same rate": "price", "exact k": "exact-k", "divided by the kept": "normalised"}


def normalised_price_gate(
    n_arms: int = 5,
    p_best: float = 0.15,
    baseline: float = 0.5,
    batch_size: int = 100,
    noise: float = 0.2,
    large_noise: float = 1.0,
    rate: float = 0.1,
) -> Figure:
    """Draw the noise of a batch's gradient against the rate, in all and across its mean, and against the batch."""
    figure, (total, across, sizes) = panels(3)
    policy, advantage = evenly_graded(n_arms, p_best, baseline)
    context: Where = {"n_arms": n_arms, "p_best": p_best, "baseline": baseline}
    spaced = np.round(np.linspace(1, np.sqrt(batch_size - 1), 40) ** 2).astype(int)
    n_kept = np.unique([*spaced, kept_count(rate, batch_size)])
    lines = {
        name: [_moments(method, (policy, advantage, noise), k / batch_size, batch_size) for k in n_kept]
        for name, method in _METHODS.items()
    }
    for name, moments in lines.items():
        style = method_style(name)
        total.plot(n_kept / batch_size, _total(moments), color=style.colour, label=name)
        across.plot(n_kept / batch_size, [each.var_perpendicular for each in moments], color=style.colour)
        where: Where = {**context, "method": _METHODS[name], "batch_size": batch_size, "reward_noise": noise}
        draw_rows(total, points("normalised-gates", "total variance", **where), "rate", style)
        draw_rows(across, points("normalised-gates", "perpendicular variance", **where), "rate", style)
    crossing = _against_batch(sizes, (policy, advantage, large_noise), rate, context)
    for ax, symbol in ((total, ""), (across, "⊥")):
        ax.set(xlabel="gate rate, ρ", xlim=(0, 1), ylabel=f"B·Var{symbol} (squared reward)", ylim=(0, None))
    place = list(n_kept).index(kept_count(rate, batch_size))
    left = _total(lines["divided by the kept"])[place] / _total(lines["price at the same rate"])[place]
    finding(total, f"At ρ = {rate:g} dividing by the kept leaves {number(float(left))} of the noise")
    price, exact = (lines[name][place].var_perpendicular for name in ("price at the same rate", "exact k"))
    finding(across, f"Across E g exact k has {number(float(exact / price))} times the price gate's")
    finding(sizes, f"Where rewards are noisy it pays from B = {crossing} on" if crossing else "Against the batch")
    stack_names(across, (0.97, 0.03), named_colours(total))
    caption(f"""B times the variance of a batch's gradient, in all (a) and across the mean gradient (b), against the
        rate ρ at B = {batch_size}, and in all over the squared mean gradient against the batch size at ρ = {rate:g}
        (c; dotted: from where dividing by the kept pays). Price: samples whose delight is above the price of the
        rate, their sum divided by B; exact k: the best ρB; divided by the kept: the price gate's sum times ρ over the
        number kept. One context of K = {n_arms} arms of rewards from 1 down to 0 with normal noise of deviation
        {noise:g} (a, b) and {large_noise:g} (c), probability {p_best:g} of the best, baseline {baseline:g}. Lines:
        exact at these B. {simulated("normalised-gates")}""")
    return figure


def _moments(method: str, arms: Arms, rate: float, batch_size: int) -> GradientMoments:
    """Return a method's moments at this B."""
    kept = normal_kept(*arms, rate)
    if method == "exact-k":
        return normal_exact_moments(*arms, batch_size, kept_count(rate, batch_size), direction=kept.direction)
    return price_moments(kept) if method == "price" else normalised_moments(kept, batch_size)


def _total(moments: list[GradientMoments]) -> FloatArray:
    """Return the variances in all."""
    return np.array([float(each.var_parallel + each.var_perpendicular) for each in moments])


def _against_batch(ax: Axes, arms: Arms, rate: float, context: Where) -> int | None:
    """Draw the variances against the batch size, and return from which on dividing by the kept pays."""
    batches = np.unique(np.round(np.geomspace(1, 64, 30)).astype(int)) * round(1 / rate)
    lines = {}
    for name, method in _METHODS.items():
        style = method_style(name)
        moments = [_moments(method, arms, rate, int(size)) for size in batches]
        lines[name] = _total(moments) / np.array([float(each.signal) for each in moments]) ** 2
        ax.plot(batches, lines[name], color=style.colour)
        where: Where = {**context, "method": method, "rate": rate, "reward_noise": float(arms[2])}
        found = points("normalised-gates", "variance over squared signal", **where)
        draw_rows(ax, found, "batch_size", style)
    ax.set(xlabel="batch size, B (samples)", ylabel="B·Var/‖E g‖²", xscale="log", ylim=(0, None))
    pays = lines["divided by the kept"] < lines["price at the same rate"]
    if pays.all() or not pays[-1]:
        return None
    crossing = int(batches[len(pays) - int(np.argmin(pays[::-1]))])
    reference(ax, x=crossing)
    return crossing
