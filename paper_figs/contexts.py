"""Figure of many contexts: how close each method's mean gradient comes to cross-entropy's."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.contexts import best_price, context_weights, cosine_to_cross_entropy, gap_to_cross_entropy
from paper_figs.style import PANEL, label_panels, method_style
from simulations.checks.contexts import METHODS, Population, simulate_cosine, spread_population

__all__ = ["context_allocation"]

_CENTRE, _N_ARMS, _N_CONTEXTS = -0.5, 10, 12
_LINES = {"PG": "pg", "DG": "dg", "zero price": "kondo", "best price": "kondo"}
_TITLES: dict[float | str, str] = {
    0.5: "constant baseline, b = 1/2",
    "value": "value baseline, b = p",
    "confidence": "confidence, b = Σπ²",
}


def context_allocation() -> Figure:
    """Show the cosine to cross-entropy against the spread of log-odds, and the gap where all p_n are near one."""
    figure, grid = plt.subplots(2, 2, figsize=(2 * PANEL[0], 2 * PANEL[1]))
    axes = list(grid.flat)
    for ax, (baseline, title) in zip(axes, _TITLES.items(), strict=False):
        _draw(ax, baseline)
        ax.set(
            xlabel="spread of the contexts' log-odds (s.d., nats)",
            ylabel="cosine of the mean gradient\nwith cross-entropy's",
            title=title,
            ylim=(0.38, 1.01),
        )
    axes[0].text(0.03, 0.05, "PG and zero price coincide", transform=axes[0].transAxes, fontsize=7.5)
    axes[1].legend(title="line: exact\npoint: simulated (95 %)", title_fontsize=7.5, loc="lower left")
    details = f"{_N_CONTEXTS} contexts, K = {_N_ARMS}, η = 1,\nmean log-odds −{-_CENTRE:g}"
    axes[2].text(0.03, 0.05, details, transform=axes[2].transAxes, fontsize=7.5, va="bottom")
    _near_one(axes[3])
    label_panels(axes)
    return figure


def _near_one(ax: Axes) -> None:
    """Draw the gap to cross-entropy of contexts that move together towards p = 1, K = 2, constant baseline."""
    lines, points = np.linspace(0, 7, 120), np.array([0.3, 1.2, 2.1, 3.0, 3.9])
    for number, name in enumerate(("PG", "DG")):
        style = method_style(name)
        populations = [spread_population(float(centre), 0.5, 6, 2) for centre in lines]
        exact = [gap_to_cross_entropy(context_weights(_LINES[name], q.p, 2, 0.5), q.p, 2) for q in populations]
        ax.plot(lines, exact, style.line, color=style.colour)
        found = []
        for index, centre in enumerate(points):
            population, seed = spread_population(float(centre), 0.5, 6, 2), 95_000 + 10 * number + index
            found.append(simulate_cosine(population, METHODS[_LINES[name]], 0.5, 0.0, 30_000, seed, 1)[0])
        errors = [1.96 * each.standard_error for each in found]
        values = [each.value for each in found]
        ax.errorbar(points, values, errors, fmt=style.marker, color=style.colour, capsize=2, mfc="white")
    ax.set(
        yscale="log",
        xlabel="mean of the contexts' log-odds (nats)",
        ylabel="1 − cosine",
        title="towards p = 1  (b = 1/2)",
    )
    ax.text(0.03, 0.05, "6 contexts, K = 2,\nspread 0.5", transform=ax.transAxes, fontsize=7.5, va="bottom")


def _population(spread: float) -> Population:
    return spread_population(_CENTRE, spread, _N_CONTEXTS, _N_ARMS)


def _price(name: str, population: Population, baseline: float | str) -> float:
    if name != "best price":
        return 0.0
    return float(best_price(population.p, population.n_arms, population.baselines(baseline)).price)


def _cosine(name: str, population: Population, baseline: float | str) -> float:
    price = _price(name, population, baseline)
    weights = context_weights(_LINES[name], population.p, population.n_arms, baseline, price=price)
    return float(cosine_to_cross_entropy(weights, population.p, population.n_arms))


def _draw(ax: Axes, baseline: float | str) -> None:
    lines, points = np.linspace(0.02, 4.0, 120), np.linspace(0.4, 3.9, 6)
    for number, name in enumerate(_LINES):
        style = method_style(name)
        exact = [_cosine(name, _population(spread), baseline) for spread in lines]
        ax.plot(lines, exact, style.line, color=style.colour, label=name)
        found = []
        for index, spread in enumerate(points):
            population = _population(float(spread))
            price = _price(name, population, baseline)
            seed = 90_000 + 100 * number + index
            found.append(simulate_cosine(population, METHODS[_LINES[name]], baseline, price, 1_000, seed, 1)[0])
        estimate = 1 - np.array([gap.value for gap in found])
        error = 1.96 * np.array([gap.standard_error for gap in found])
        ax.errorbar(points, estimate, error, fmt=style.marker, color=style.colour, capsize=2, mfc="white")
