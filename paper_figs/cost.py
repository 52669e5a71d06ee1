"""Figures of what a gated step costs, of rows that survive a token gate, and of gates on noisy delight."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import approximate, cost
from paper_figs.style import PANEL, label_panels, method_style
from simulations import bandit_kernels
from simulations.bandits import Estimate
from simulations.checks.cost import BATCH_SIZE, keep_patterns, noisy_statistics
from simulations.checks.estimates import jackknife

__all__ = ["approximate_delight", "step_cost"]

FloatArray = NDArray[np.float64]

_RATIO = 1.37  # N_PG/N_gate: what the published 6x and 10x stand for, about
_ACCOUNTINGS = (
    ("logical, 1 + ρc", "logical", 1.0),
    ("reused log-probabilities, s = 0", "physical", 0.0),
    ("screened, s = 1", "physical", 1.0),
)
_P, _N_ARMS, _BASELINE = 0.1, 20, 0.5
_NOISES = ("additive", "relative")


def step_cost() -> Figure:
    """Show the speed-up against c, the cost of a step against ρ, and rows and tokens that survive a token gate."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1] + 0.2))
    _speedup(axes[0])
    _step(axes[1])
    _survival(axes[2])
    label_panels(list(axes))
    return figure


def _speedup(ax: Axes) -> None:
    c = np.linspace(0, 16, 200)
    for name, accounting, screening in _ACCOUNTINGS:
        style = method_style(name)
        gain = cost.speedup(_RATIO, 1.0, cost.PUBLISHED_RATE, c, accounting, screening_cost=screening)
        ax.plot(c, gain, style.line, color=style.colour, label=name)
    published = cost.PUBLISHED_SPEEDUPS
    ax.plot(list(published), list(published.values()), "k*", ms=8, label="published, DG-K(3 %)")
    ax.set(
        xlabel="backward cost c (forward passes)",
        ylabel="speed-up over PG",
        title=f"ρ = 3 %, N$_{{PG}}$/N$_{{gate}}$ = {_RATIO:g}",
        yscale="log",
        ylim=(0.2, 100),
    )
    ax.text(0, 1.12 * _RATIO / cost.PUBLISHED_RATE, "acting not counted on either side", fontsize=7.5)
    ax.set_yticks([1, 3, 10, 30, 100], labels=["1", "3", "10", "30", "100"])
    ax.legend(loc="lower right")


def _step(ax: Axes) -> None:
    rate = np.linspace(0, 1, 200)
    for name, accounting, screening in _ACCOUNTINGS:
        style = method_style(name)
        share = cost.step_cost(rate, 2.0, accounting, screening_cost=screening) / cost.step_cost(1.0, 2.0, "full")
        ax.plot(rate, share, style.line, color=style.colour)
    even = float(cost.break_even_rate(2.0))
    ax.plot([even, even], [0, 1], ":", color="0.5", lw=1)
    ax.text(even - 0.02, 0.06, f"break-even at s = 1:\nρ = {even:.2f}", ha="right", fontsize=7.5)
    ax.axhline(1.0, color="0.7", lw=0.8, zorder=0)
    ax.set(
        xlabel="gate rate ρ",
        ylabel="cost of a step\n(share of the full step)",
        title="c = 2",
        xlim=(0, 1),
        ylim=(0, 1.4),
    )


def _survival(ax: Axes) -> None:
    """Draw rows that survive and tokens to process at T = 10, keeps independent or clustered, with simulations."""
    rates, points, n_tokens = np.geomspace(1e-3, 1, 200), np.geomspace(2e-3, 0.6, 7), 10
    settings = (("rows, independent", 0.0), ("rows, correlation 0.2", 0.2))
    for number, (name, r) in enumerate(settings):
        style = method_style(name)
        ax.plot(rates, cost.surviving_rows(rates, n_tokens, r), style.line, color=style.colour, label=name)
        _points(ax, points, n_tokens, r, name, lambda keeps: keeps.any(axis=1).mean(), number)
    style = method_style("tokens, independent")
    ax.plot(rates, cost.token_share(rates, n_tokens), style.line, color=style.colour, label="tokens, independent")
    positions = np.arange(1, n_tokens + 1)
    _points(ax, points, n_tokens, 0.0, "tokens, independent", lambda k: (k * positions).max(axis=1).mean() / 10, 2)
    ax.plot(rates, rates, ":", color="0.5", label="kept tokens, ρ")
    ax.plot([0.03], cost.surviving_rows(0.03, n_tokens), "k*", ms=8, zorder=5)
    ax.annotate(
        "26 % at ρ = 3 %", (0.03, 0.2626), (0.0012, 0.45), fontsize=7.5, arrowprops={"arrowstyle": "-", "lw": 0.6}
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="gate rate ρ",
        ylabel="share still to be processed",
        title="token gate, T = 10",
        ylim=(8e-4, 1.3),
    )
    ax.legend(loc="lower right")


def _points(
    ax: Axes,
    rates: FloatArray,
    n_tokens: int,
    r: float,
    name: str,
    statistic: Callable[[NDArray[np.bool_]], float],
    seed: int,
) -> None:
    style = method_style(name)
    found = []
    for index, rate in enumerate(rates):
        children = np.random.SeedSequence([91_000, seed, index]).spawn(20)
        generators = [np.random.default_rng(child) for child in children]
        values = [statistic(keep_patterns(each, 2_000, n_tokens, float(rate), r, "row")) for each in generators]
        found.append(Estimate.of(np.array(values, dtype=float)))
    errors = [1.96 * each.standard_error for each in found]
    ax.errorbar(
        rates, [each.value for each in found], errors, fmt=style.marker, color=style.colour, capsize=2, mfc="white"
    )


def approximate_delight() -> Figure:
    """Show rate, noise and cosine of zero price on noisy delight, against noise in deviations or relative to |χ|."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    lines, points = np.linspace(0.01, 3, 150), np.linspace(0.25, 2.75, 6)
    scale = float(approximate.delight_scale(_P, _N_ARMS, _BASELINE))
    for number, kind in enumerate(_NOISES):
        style = method_style(f"{kind} noise")
        unit = scale if kind == "additive" else 1.0
        moments = approximate.noisy_moments(_P, _N_ARMS, _BASELINE, lines * unit, kind)
        rate = approximate.noisy_rate(_P, _N_ARMS, _BASELINE, lines * unit, kind)
        exact = (rate, moments.var_perpendicular, approximate.rms_cosine(moments, BATCH_SIZE))
        tables = [
            noisy_statistics(_P, _N_ARMS, _BASELINE, kind, float(x) * unit, 50, 92_000 + 10 * number + i, 1)
            for i, x in enumerate(points)
        ]
        for ax, line, found in zip(axes, exact, zip(*map(_measured, tables), strict=True), strict=True):
            label = "τ in deviations of χ" if kind == "additive" else "τ relative to |χ|"
            ax.plot(lines, line, style.line, color=style.colour, label=label)
            errors = [1.96 * each.standard_error for each in found]
            values = [each.value for each in found]
            ax.errorbar(points, values, errors, fmt=style.marker, color=style.colour, capsize=2, mfc="white")
    _finish(list(axes))
    return figure


def _measured(table: FloatArray) -> tuple[Estimate, Estimate, Estimate]:
    """Return backward rate, Var_⊥ and r.m.s. cosine of the kernel's statistics."""
    signal, square = table[:, bandit_kernels.SIGNAL], table[:, bandit_kernels.PERPENDICULAR_SQUARE]
    return (
        Estimate.of(table[:, bandit_kernels.KEPT] / BATCH_SIZE),
        Estimate.of(BATCH_SIZE * square),
        jackknife(lambda s, q: np.asarray(s / np.sqrt(s**2 + q)), signal, square),
    )


def _finish(axes: list[Axes]) -> None:
    """Add the noiseless gate, PG and the labels."""
    plain = approximate.noisy_moments(_P, _N_ARMS, _BASELINE, 0.0)
    pg_noise = (1 - _P) * _BASELINE**2 * (_N_ARMS - 2) / (_N_ARMS - 1)
    signal = float(plain.signal) / (1 - _BASELINE)
    references = {
        "zero price": (_P, 0.0, 1.0),
        "PG": (1.0, pg_noise, signal / np.sqrt(signal**2 + pg_noise / BATCH_SIZE)),
    }
    for ax, title, label, place in zip(
        axes,
        ("backward passes", "perpendicular noise", "direction"),
        (
            "backward rate",
            "perpendicular variance\n(per sample, squared reward)",
            f"r.m.s. cosine with ∇J\n(B = {BATCH_SIZE})",
        ),
        range(3),
        strict=True,
    ):
        for name, values in references.items():
            style = method_style(name)
            ax.axhline(
                values[place], color=style.colour, ls=":", lw=1.2, label="PG" if name == "PG" else f"{name}, exact χ"
            )
        ax.set(xlabel="noise scale τ", ylabel=label, title=title)
    axes[0].set(ylim=(0, 1.05))
    axes[0].legend(
        title="line: exact, point: simulated (95 %)", title_fontsize=7.5, loc="upper left", bbox_to_anchor=(0, 0.95)
    )
    axes[2].text(
        0.97, 0.86, f"p = {_P:g}, K = {_N_ARMS}, b = 1/2", transform=axes[2].transAxes, fontsize=7.5, ha="right"
    )
    label_panels(axes)
