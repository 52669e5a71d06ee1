"""Figure of many contexts: how close each method's mean gradient comes to cross-entropy's."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.contexts import (
    best_price,
    context_weights,
    cosine_to_cross_entropy,
    gap_to_cross_entropy,
    spread_probabilities,
)
from paper_figs.style import PANEL, draw_rows, label_panels, method_style
from paper_figs.tables import points

__all__ = ["context_allocation"]

_CENTRE, _N_ARMS, _N_CONTEXTS = -0.5, 10, 12
_LINES = {"PG": "pg", "DG": "dg", "zero price": "zero-price", "best price": "best-price"}
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
    lines = np.linspace(0, 7, 120)
    for name in ("PG", "DG"):
        style, method = method_style(name), _LINES[name]
        exact = []
        for centre in lines:
            p = spread_probabilities(float(centre), 0.5, 6)
            exact.append(gap_to_cross_entropy(context_weights(method, p, 2, 0.5), p, 2))
        ax.plot(lines, exact, style.line, color=style.colour)
        found = points("contexts", "cosine gap", method=method, baseline="constant", n_arms=2, spread=0.5)
        draw_rows(ax, found, "centre", style)
    ax.set(
        yscale="log",
        xlabel="mean of the contexts' log-odds (nats)",
        ylabel="1 − cosine",
        title="towards p = 1  (b = 1/2)",
    )
    ax.text(0.03, 0.05, "6 contexts, K = 2,\nspread 0.5", transform=ax.transAxes, fontsize=7.5, va="bottom")


def _cosine(name: str, spread: float, baseline: float | str) -> float:
    p = spread_probabilities(_CENTRE, spread, _N_CONTEXTS)
    price = float(best_price(p, _N_ARMS, baseline).price) if name == "best price" else 0.0
    kind = _LINES[name] if name in ("PG", "DG") else "kondo"
    weights = context_weights(kind, p, _N_ARMS, baseline, price=price)
    return float(cosine_to_cross_entropy(weights, p, _N_ARMS))


def _draw(ax: Axes, baseline: float | str) -> None:
    lines = np.linspace(0.02, 4.0, 120)
    for name, method in _LINES.items():
        style = method_style(name)
        ax.plot(
            lines, [_cosine(name, spread, baseline) for spread in lines], style.line, color=style.colour, label=name
        )
        context = {"centre": _CENTRE, "n_contexts": _N_CONTEXTS, "n_arms": _N_ARMS}
        kind = baseline if isinstance(baseline, str) else "constant"
        draw_rows(ax, points("contexts", "cosine", method=method, baseline=kind, **context), "spread", style)
