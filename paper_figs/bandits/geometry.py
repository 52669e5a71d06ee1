"""Figures of one context's geometry: closed forms as lines, simulations as points with 95 % intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import geometry as closed
from kondo_theory.geometry import dg_weights, symmetric_moments
from kondo_theory.geometry.alignment import mean_cosine
from kondo_theory.words import choice
from paper_figs.arranging import label_at, label_curves
from paper_figs.marks import draw_exact, draw_points, draw_published, draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import points
from paper_figs.wording import ACROSS, P_CORRECT, number, percent, simulated

__all__ = ["baseline_dependence", "dg_noise_ratio", "forward_efficiency", "zero_price_geometry"]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]

_TABLE = "baselines"
_METHODS = {"PG": "pg", "DG": "dg", "zero price": "zero-price"}
_BATCH_SIZE, _LARGE_BATCH = 100, 10_000
_NOISE = "perpendicular variance"
_PUBLISHED = {0.5: 4.0, 0.1: 1.0}
"""DG's share of PG's cosine gap in percent by the probability of a wrong arm, about, as it was published."""


def _weights(method: str, p: FloatArray, baseline: FloatArray, n_arms: int = 10) -> tuple[FloatArray, FloatArray]:
    """Return (w₊, w₋) at η = 1."""
    if method == "dg":
        return dg_weights(p, n_arms, baseline, 1.0)
    wrong = {"pg": 1.0, "zero-price": 0.0}
    return np.ones_like(p), np.full_like(p, wrong[choice("method", method, wrong)])


def _constant(quantity: str, **where: float | str) -> pd.DataFrame:
    """Return rows at a constant baseline; 100 samples a batch and ten arms unless said otherwise."""
    settings = {"baseline": "constant", "batch_size": _BATCH_SIZE, "n_arms": 10, "temperature": 1.0, **where}
    return points(_TABLE, quantity, **settings)


def zero_price_geometry(
    n_arms: int = 10, baseline: float = 0.5, p_correct: float = 0.3, batch_size: int = _BATCH_SIZE
) -> Figure:
    """Show what zero price does to one context: noise against p and against b, and the direction of a batch."""
    figure, axes = panels(3)
    lines = np.linspace(0.005, 0.995, 200)
    half, p = np.full_like(lines, baseline), np.full_like(lines, p_correct)
    rare = np.geomspace(0.004, 0.97, 200)
    most: dict[str, float] = {}
    cosines: dict[str, float] = {}
    for name, method in _METHODS.items():
        style = method_style(name)
        context: Where = {"method": method, "n_arms": n_arms}
        for ax, place in ((axes[0], (lines, half)), (axes[1], (p, lines))):
            weights = _weights(method, place[0], place[1], n_arms)
            exact = symmetric_moments(place[0], n_arms, place[1], *weights).var_perpendicular
            ax.plot(lines, exact, color=style.colour, label=name)
            most.setdefault(name, float(exact.max()))
        draw_rows(axes[0], _constant(_NOISE, constant_baseline=baseline, **context), "p_correct", style)
        draw_rows(axes[1], _constant(_NOISE, p_correct=p_correct, **context), "constant_baseline", style)
        # Zero price's line is exact: it points the right way as soon as one sample is kept. PG's and DG's is exact in
        # the number of successes, with the wrong arms' counts at their χ² limit.
        axes[2].plot(rare, mean_cosine(method, rare, n_arms, baseline, batch_size), color=style.colour)
        cosines[name] = float(mean_cosine(method, 0.05, n_arms, baseline, batch_size))
        found = _constant("cosine", constant_baseline=baseline, **context | {"batch_size": batch_size})
        draw_rows(axes[2], found, "p_correct", style)
    axes[0].set(xlabel=P_CORRECT, ylabel=ACROSS)
    axes[1].set(xlabel="baseline, b", ylabel=ACROSS)
    axes[2].set(xlabel=P_CORRECT, ylabel="mean cosine with ∇J", xscale="log", ylim=(0.0, 1.05))
    zero, pg = most["zero price"], most["PG"]
    finding(axes[0], f"Zero price: noise {number(zero)} across ∇J at every p, where PG's reaches {number(pg)}")
    share = (
        f"PG's grows as b² and DG's to {percent(most['DG'] / pg)} of it" if pg else "two arms have none by any method"
    )
    finding(axes[1], f"… and at every baseline, where {share}")
    finding(
        axes[2],
        f"At p = 0.05 a batch points right to {number(cosines['zero price'])}; PG's to {number(cosines['PG'])}",
    )
    axes[0].set_ylim(bottom=-0.16 * (pg or 1.0))
    label_at(axes[0], {"PG": (0.35, 3, 2), "DG": (0.35, 0, 3), "zero price": (0.35, 0, -4)})
    caption(f"""Noise across the true gradient ∇J of policy gradient (PG), delight-weighted gradient (DG, η = 1) and
        the gate at price zero against the probability p of the correct arm (a, b = {baseline:g}) and the baseline b
        (b, p = {p_correct:g}), and the mean cosine of a batch of {batch_size} with ∇J (c, b = {baseline:g}). One
        context of K = {n_arms} arms; variances are those of one sample. Lines: exact, in (c) for PG and DG with the
        wrong arms' counts at their χ² limit. {simulated(_TABLE)}""")
    return figure


def baseline_dependence(n_arms: int = 10, baseline: float = 0.5) -> Figure:
    """Show that PG's perpendicular noise is the baseline's: against b, against K, and over squared signal."""
    if n_arms < 3:
        raise ValueError("two arms have no noise across ∇J")
    figure, axes = panels(3)
    lines, sizes = np.geomspace(0.01, 0.99, 200), np.unique(np.geomspace(2, 1_000, 200).round())
    for p, colour in zip((0.1, 0.5, 0.9), shades(3), strict=True):
        noise, style = closed.pg_moments(p, n_arms, lines).var_perpendicular, MethodStyle(colour, "o")
        axes[0].plot(lines, noise, color=colour, label=f"p = {p:g}")
        found = _constant(_NOISE, method="pg", p_correct=p, n_arms=n_arms)
        draw_rows(axes[0], found, "constant_baseline", style)
        axes[1].plot(sizes, closed.pg_moments(p, sizes, baseline).var_perpendicular, color=colour, label=f"p = {p:g}")
        context: Where = {"method": "pg", "baseline": "constant", "p_correct": p, "constant_baseline": baseline}
        found = points(_TABLE, _NOISE, **context, batch_size=_BATCH_SIZE, temperature=1.0)
        draw_rows(axes[1], found, "n_arms", style)
    slope = float(np.polyfit(np.log(lines), np.log(noise), 1)[0])
    needed = {}
    for name, kind in (("PG", baseline), ("PG, b = p", "value"), ("PG, b = Σπ²", "confidence")):
        style, p_lines = method_style(name), np.geomspace(1e-3, 0.99, 200)
        moments = closed.pg_moments(p_lines, n_arms, kind)
        needed[name] = moments.var_perpendicular / moments.signal**2
        label = f"b = {baseline:g}" if name == "PG" else name.removeprefix("PG, ")
        axes[2].plot(p_lines, needed[name], color=style.colour, label=label)
        found = _noise_to_signal("constant" if name == "PG" else str(kind), n_arms)
        draw_rows(axes[2], found, "p_correct", style)
    axes[0].set(xlabel="baseline, b (reward)", ylabel=ACROSS, xscale="log", yscale="log", ylim=(5e-6, 5))
    axes[0].set(xlim=(0.009, 1))
    axes[1].set(xlabel="number of arms, K", ylabel=ACROSS, xscale="log", xlim=(1.8, 1_000))
    axes[2].set(xlabel=P_CORRECT, ylabel="variance across ∇J\nover squared signal", xscale="log", yscale="log")
    axes[2].set_xlim(1e-3, 1)
    two = float(closed.pg_moments(0.5, 2, baseline).var_perpendicular)
    finding(axes[0], f"PG's noise across ∇J grows as b to the power {number(slope, 3)}")
    many = float(closed.pg_moments(0.1, sizes[-1], baseline).var_perpendicular)
    finding(axes[1], f"With two arms it is {number(two)}, with {int(sizes[-1]):,} up to {number(many)}")
    finding(
        axes[2], f"At p = 0.001, b = p has {number(float(needed['PG'][0] / needed['PG, b = p'][0]))} times less noise"
    )
    for ax in axes[:2]:
        label_curves(ax)
    label_at(axes[2], {f"b = {baseline:g}": (0.006, 4, 2), "b = Σπ²": (0.02, -3, -3), "b = p": (0.002, 0, -3)})
    caption(f"""PG's noise across ∇J in one context, against the baseline b (a, K = {n_arms}), against the number of
        arms K (b, b = {baseline:g}), and over squared signal for three baselines (c, K = {n_arms}; Σπ²: the policy's
        confidence). p: probability of the correct arm. Lines: exact. {simulated(_TABLE)}""")
    return figure


def _noise_to_signal(baseline: str, n_arms: int) -> pd.DataFrame:
    """Return PG's Var_⊥ over squared signal; both are measured on the same batches."""
    where: Where = {"method": "pg", "baseline": baseline, "n_arms": n_arms, "batch_size": _LARGE_BATCH}
    return points(_TABLE, "perpendicular variance over squared signal", **where)


def dg_noise_ratio(n_arms: int = 100, baseline: float = 0.5) -> Figure:
    """Show what DG keeps of PG's perpendicular variance and of its cosine gap, with the published numbers."""
    figure, axes = panels(2)
    errors = np.geomspace(0.01, 0.99, 200)
    for temperature, colour in zip((0.5, 1.0, 4.0), shades(3), strict=True):
        label = f"η = {temperature:g}"
        noise = 100 * closed.dg_noise_ratio(1 - errors, n_arms, baseline, temperature)
        right, wrong = dg_weights(1 - errors, n_arms, baseline, temperature)
        for ax, line in zip(axes, (noise, 100 * (2 * wrong / (right + wrong)) ** 2), strict=True):
            ax.plot(errors, line, color=colour, label=label)
        for ax, quantity in zip(axes, (_NOISE, "cosine gap"), strict=True):
            _draw_share(ax, quantity, temperature, n_arms, baseline, MethodStyle(colour, "s"))
    draw_published(axes[1], _PUBLISHED)
    axes[1].annotate("published", (0.1, 1.0), (0, -9), textcoords="offset points", ha="center")
    label = "probability of a wrong arm, ε"
    axes[0].set(xlabel=label, ylabel="DG's share of PG's\nvariance across ∇J (percent)")
    axes[1].set(xlabel=label, ylabel="DG's share of PG's\ncosine gap (percent)")
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlim=(0.009, 1))
        label_curves(ax)
    share = float(closed.dg_noise_ratio(0.9, n_arms, baseline, 1.0))
    right, wrong = dg_weights(np.asarray(0.9), n_arms, baseline, 1.0)
    gap = float((2 * wrong / (right + wrong)) ** 2)
    finding(axes[0], f"At ε = 0.1 and η = 1 DG keeps {percent(share)} of PG's noise")
    finding(axes[1], f"… and {percent(gap)} of its cosine gap; published: about {_PUBLISHED[0.1]:g} %")
    caption(f"""What the delight-weighted gradient (DG) keeps of PG's variance across ∇J (a), and of the gap between
        the cosine with ∇J and one (b), against the probability ε of a wrong arm, at three temperatures η. One context
        of K = {n_arms} arms, baseline {baseline:g}. Lines: exact, in (b) as B → ∞; stars: published values.
        {simulated(_TABLE)}""")
    return figure


def _draw_share(
    ax: Axes, quantity: str, temperature: float, n_arms: int, baseline: float, style: MethodStyle
) -> None:
    """Draw DG over PG in percent; the two were simulated independently, so relative errors add in squares."""
    where: Where = {"n_arms": n_arms, "constant_baseline": baseline, "batch_size": 100_000}
    dg, pg = (_constant(quantity, method=each, temperature=temperature, **where) for each in ("dg", "pg"))
    value, whole = dg["estimate"].to_numpy(), pg["estimate"].to_numpy()
    relative = np.hypot(dg["standard_error"].to_numpy() / value, pg["standard_error"].to_numpy() / whole)
    share = 100 * value / whole
    draw_points(ax, 1 - dg["p_correct"].to_numpy(), share, share * relative, style)


def forward_efficiency(n_arms: int = 10, baseline: float = 0.5) -> Figure:
    """Show variance over squared signal per forward sample and backward pass, and where PG and zero price cross."""
    figure, axes = panels(3)
    lines = np.geomspace(0.004, 0.97, 200)
    for name in ("PG", "PG, b = p", "PG, best b", "zero price"):
        style, exact = method_style(name), _needed(name, lines, n_arms, baseline)
        found = _needed_simulated(name, n_arms)
        label = f"PG, b = {baseline:g}" if name == "PG" else name
        axes[0].plot(lines, exact, color=style.colour)
        draw_rows(axes[0], found, "p_correct", style)
        kept = name == "zero price"
        axes[1].plot(lines, (lines if kept else 1.0) * exact, color=style.colour, label=label)
        share = found["p_correct"] if kept else 1.0
        draw_points(axes[1], found["p_correct"], share * found["estimate"], share * found["standard_error"], style)
    for size, colour in zip((3, 10, 1_000), shades(3), strict=True):
        p = np.linspace(0.01, 0.97, 200)
        ratio = _needed("PG, b = p", p, size, baseline) / _needed("zero price", p, size, baseline)
        axes[2].plot(p, ratio, color=colour, label=f"K = {size:,}")
        draw_exact(axes[2], (1 + 2 / size) / 3, 1.0, colour)
    reference(axes[2], y=1.0)
    axes[0].set(xlabel=P_CORRECT, ylabel="variance over squared signal\n(forward samples)")
    axes[1].set(xlabel=P_CORRECT, ylabel="variance × backward rate\nover squared signal")
    for ax in axes[:2]:
        ax.set(xscale="log", yscale="log")
    axes[2].set(xlabel=P_CORRECT, ylabel="PG's forward samples, b = p,\nover zero price's", yscale="log", xlim=(0, 1))
    label_curves(axes[2])
    zero, pg = (_needed(name, np.asarray(0.01), n_arms, baseline) for name in ("zero price", "PG, b = p"))
    cross = (1 + 2 / n_arms) / 3
    finding(axes[0], f"Forward, zero price beats PG with b = p from p = {number(cross)} on")
    finding(axes[1], f"Backward, at p = 0.01, it needs {number(float(pg / (0.01 * zero)))} times less")
    finding(axes[2], f"Forward they cross at p = (1 + 2/K)/3, {number(cross)} for K = {n_arms}")
    places = {"PG, b = p": (1.0, -4, 4), "PG, best b": (0.1, -3, -3), "zero price": (0.01, 0, -3)}
    label_at(axes[1], {f"PG, b = {baseline:g}": (0.012, 4, 2), **places})
    caption(f"""Variance over squared signal in one context, per forward sample (a) and per backward pass (b), of PG
        with three baselines b and of the gate at price zero; and PG's forward samples at b = p over zero price's,
        with crosses where they meet (c). p: probability of the correct arm, K = {n_arms} arms in (a) and (b); best
        b: the baseline of least variance. Lines: exact. {simulated(_TABLE)}""")
    return figure


def _needed(name: str, p: FloatArray, n_arms: int, baseline: float) -> FloatArray:
    if name == "zero price":
        return closed.forward_efficiency("zero-price", p, n_arms, baseline)
    kinds = {"PG, best b": closed.optimal_pg_baseline(p, n_arms), "PG, b = p": p}
    return closed.forward_efficiency("pg", p, n_arms, kinds.get(name, np.full_like(p, baseline)))


def _needed_simulated(name: str, n_arms: int) -> pd.DataFrame:
    method = "zero-price" if name == "zero price" else "pg"
    baseline = {"PG, best b": "optimal", "PG, b = p": "value"}.get(name, "constant")
    where: Where = {"method": method, "baseline": baseline, "n_arms": n_arms, "batch_size": _LARGE_BATCH}
    return points(_TABLE, "variance over squared signal", **where)
