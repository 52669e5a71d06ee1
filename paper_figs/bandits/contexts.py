"""Figure of many contexts: how close each method's mean gradient comes to cross-entropy's."""

from __future__ import annotations

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
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_rows
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import points
from paper_figs.wording import number, simulated

__all__ = ["context_allocation"]

_LINES = {"PG": "pg", "DG": "dg", "zero price": "zero-price", "best price": "best-price"}
_TITLES: dict[float | str, str] = {
    0.5: "b = 1/2",
    "value": "b = p",
    "confidence": "b = Σπ²",
}


def context_allocation(n_arms: int = 10, n_contexts: int = 12, centre: float = -0.5) -> Figure:
    """Show the cosine to cross-entropy against the spread of log-odds, and the gap where all p_n are near one."""
    figure, axes = panels(4, height=2.0)
    for ax, (baseline, title) in zip(axes, _TITLES.items(), strict=False):
        last = _draw(ax, baseline, (centre, n_contexts, n_arms))
        ax.set(xlabel="spread of the contexts' log-odds (s.d., nats)", ylabel="cosine with cross-entropy")
        ax.set_ylim(0.38, 1.01)
        best = "best price" if last["best price"] > 1.02 * last["zero price"] else "zero price"
        finding(
            ax, f"{title}: at spread 4, DG {number(last['DG'])}, {best} {number(last[best])}, PG {number(last['PG'])}"
        )
    gaps = _near_one(axes[3])
    finding(axes[3], f"Near p = 1, DG's gap stays at {number(gaps['DG'])} while PG's vanishes ({number(gaps['PG'])})")
    stack_names(axes[0], (0.03, 0.03))
    caption(f"""Cosine of each method's mean gradient over {n_contexts} contexts with cross-entropy's, against the
        spread of the contexts' log-odds around a mean of {centre:g}, under three baselines (a–c); and one less the
        cosine for 6 contexts of two arms, spread 0.5, that move together towards p = 1, b = 1/2 (d). K = {n_arms}
        arms in (a–c), η = 1; best price: the one price for all contexts of the highest cosine. Lines: exact.
        {simulated("contexts")}""")
    return figure


def _near_one(ax: Axes) -> dict[str, float]:
    """Draw the gap to cross-entropy of contexts that move together towards p = 1, K = 2; return the last gaps."""
    lines, last = np.linspace(0, 7, 120), {}
    for name in ("PG", "DG"):
        style, method = method_style(name), _LINES[name]
        exact = []
        for centre in lines:
            p = spread_probabilities(float(centre), 0.5, 6)
            exact.append(float(gap_to_cross_entropy(context_weights(method, p, 2, 0.5), p, 2)))
        ax.plot(lines, exact, color=style.colour)
        last[name] = exact[-1]
        found = points("contexts", "cosine gap", method=method, baseline="constant", n_arms=2, spread=0.5)
        draw_rows(ax, found, "centre", style)
    ax.set(yscale="log", xlabel="mean of the contexts' log-odds (nats)", ylabel="1 − cosine")
    return last


Contexts = tuple[float, int, int]
"""Mean log-odds, number of contexts, number of arms."""


def _cosine(name: str, spread: float, baseline: float | str, contexts: Contexts) -> float:
    centre, n_contexts, n_arms = contexts
    p = spread_probabilities(centre, spread, n_contexts)
    price = float(best_price(p, n_arms, baseline).price) if name == "best price" else 0.0
    kind = _LINES[name] if name in ("PG", "DG") else "kondo"
    weights = context_weights(kind, p, n_arms, baseline, price=price)
    return float(cosine_to_cross_entropy(weights, p, n_arms))


def _draw(ax: Axes, baseline: float | str, contexts: Contexts) -> dict[str, float]:
    """Draw every method's cosine against the spread; return the cosines at the widest."""
    lines, last = np.linspace(0.02, 4.0, 120), {}
    for name, method in _LINES.items():
        style = method_style(name)
        exact = [_cosine(name, float(spread), baseline, contexts) for spread in lines]
        ax.plot(lines, exact, color=style.colour, label=name)
        last[name] = exact[-1]
        where = dict(zip(("centre", "n_contexts", "n_arms"), contexts, strict=True))
        kind = baseline if isinstance(baseline, str) else "constant"
        draw_rows(ax, points("contexts", "cosine", method=method, baseline=kind, **where), "spread", style)
    return last
