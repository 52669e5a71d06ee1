"""The figure of the best gate of a rate beside what screening rules keep at it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kondo_theory.geometry.graded import evenly_graded
from kondo_theory.geometry.optimal import best_gate, cost_of_signal
from kondo_theory.screening import screen_context
from paper_figs.arranging import named_colours, stack_names
from paper_figs.marks import draw_rows
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import points
from paper_figs.wording import number, simulated

__all__ = ["optimal_gate"]

_GATES = {
    "best gate": "best",
    "delight": "delight",
    "advantage": "advantage",
    "abs-advantage": "abs-advantage",
    "uniform": "uniform",
}
_STAGES = {"early": (0.1, 0.5), "midway": (0.3, 0.65), "late": (0.6, 0.8)}
"""Probability of the best arm and baseline."""


def optimal_gate(n_arms: int = 10, rate: float = 0.3, dearest: float = 30.0) -> Figure:
    """Draw the cost of signal of gates against their rate, early, midway and late."""
    figure, axes = panels(3, sharey=True)
    rates = np.linspace(0.01, 1.0, 100)
    for ax, (stage, (p_best, baseline)) in zip(axes, _STAGES.items(), strict=True):
        policy, advantage = evenly_graded(n_arms, p_best, baseline)
        costs = {}
        for label, gate in _GATES.items():
            style = method_style(label)
            keep = [_keep(gate, policy, advantage, each) for each in (*rates, rate)]
            found = np.asarray(cost_of_signal(policy, advantage, np.array(keep)))
            costs[gate] = float(found[-1])
            line = np.where(found[:-1] <= dearest, found[:-1], np.nan)
            ax.plot(rates, line, color=style.colour, label=label, lw=3.0 if gate == "best" else None)
            shown = points("best-gates", "cost of signal", gate=gate, n_arms=n_arms, p_best=p_best, baseline=baseline)
            draw_rows(ax, shown[shown["predicted"] <= dearest], "rate", style)
        ax.set(xlabel="gate rate, ρ", xlim=(0, 1), yscale="log", ylim=(0.9, dearest))
        delight, size = (number(costs[gate] / costs["best"]) for gate in ("delight", "abs-advantage"))
        finding(ax, f"{stage.capitalize()} delight costs {delight} times the least, |advantage| {size} times")
    axes[0].set_ylabel("cost of signal, c")
    stack_names(axes[1], (0.97, 0.97), named_colours(axes[0]))
    stages = ", ".join(f"p = {p:g} and b = {b:g}" for p, b in _STAGES.values())
    caption(f"""Cost of signal c = ρE‖g‖²/(E g·u)² of gates that decide sample by sample, against their rate ρ: the
        least there is (wide), and what is kept at that rate by delight, advantage, |advantage| and at random; in the
        titles at ρ = {rate:g}. u: direction of the true gradient. One context of K = {n_arms} arms of rewards from 1
        down to 0; the best arm has probability p, b is the baseline: {stages}. Lines: exact, left out where there is
        no signal or it costs more than {dearest:g}. {simulated("best-gates")}""")
    return figure


def _keep(gate: str, policy: np.ndarray, advantage: np.ndarray, rate: float) -> np.ndarray:
    """Return the probabilities that the arms are kept."""
    if gate == "best":
        return best_gate(policy, advantage, rate).keep
    return screen_context(policy, advantage, gate, rate).keep
