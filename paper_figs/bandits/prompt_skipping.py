"""The figure of prompts that are skipped by their history."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kondo_theory.cost import step_cost
from kondo_theory.screening import expected_wait, idle_probability, visit_share
from paper_figs.arranging import stack_names
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import shades
from paper_figs.wording import number, percent

__all__ = ["prompt_skipping"]


def prompt_skipping(
    group_size: int = 8, exploration: float = 0.5, cap: int = 3, backward_cost: float = 2.0, acting_cost: float = 3.0
) -> Figure:
    """Draw shares of visits against the pass rate, costs beside a gate's, and waits after a time without spread."""
    figure, (shares, costs, waits) = panels(3)
    p = np.linspace(0, 1, 401)
    q = idle_probability(p, group_size)
    colours = shades(3)
    forever, capped = visit_share(q, exploration), visit_share(q, exploration, cap)
    for colour, label, share in ((colours[0], "no cap", forever), (colours[2], f"m = {cap}", capped)):
        shares.plot(p, share, color=colour, label=label)
    shares.plot(p, 1 - q, color="0.4", label="with spread, 1 − q")
    given_up = float(np.max(p[(p < 0.5) & (forever == 0)]))
    shares.set(xlabel="pass rate, p", ylabel="share", xlim=(0, 1), ylim=(0, 1.02))
    finding(shares, f"Without a cap prompts below p = {percent(given_up)} are given up")
    stack_names(shares, (0.24, 0.4))
    full = step_cost(1 - q, backward_cost, screening_cost=0.0, acting_cost=acting_cost)
    at_best = float(acting_cost / np.max(full))
    costs.plot(p, full / full.max(), color="0.4", label="every prompt")
    costs.plot(p, np.full_like(p, at_best), color=colours[0], label="the smallest gate")
    costs.plot(p, capped * full / full.max(), color=colours[2], label=f"skipping, m = {cap}")
    costs.set(xlabel="pass rate, p", ylabel="cost an epoch", xlim=(0, 1), ylim=(0, 1.02))
    finding(costs, f"A gate leaves at least {percent(at_best)} of the cost, for sampling")
    stack_names(costs, (0.24, 0.08))
    epochs = np.arange(0, 101)
    for colour, each in zip(colours, (0.9, 0.7, exploration), strict=True):
        waits.plot(epochs, expected_wait(epochs, each), color=colour, label=f"ξ = {each:g}")
    reference(waits, y=float(exploration**-cap))
    waits.set(xlabel="epochs without spread, T", ylabel="epochs to the next visit", xlim=(0, 100), ylim=(0, None))
    late = number(float(expected_wait(100, exploration)))
    finding(waits, f"After 100 idle epochs the next visit is {late} epochs away")
    stack_names(waits, (0.05, 0.95))
    caption(f"""Prompts that are sampled with probability ξ^z in an epoch after z visits in a row whose group of
        G = {group_size} answers had no spread, which has probability q = p^G + (1 − p)^G. (a) Share of epochs with a
        visit in the long run, ξ = {exploration:g}, which is the share of the signal that is left, with no cap and
        with at most m = {cap} visits counted. (b) Cost an epoch, sampling {acting_cost:g}, forward and backward
        1 + {backward_cost:g} an answer of a group with spread, over that of p = 1/2; a gate saves nothing of the
        sampling. (c) Expected epochs to the next visit of a prompt that had no spread for T epochs, without a cap;
        dashed: the most there is with m = {cap}. Lines: exact; no points, no seeds.""")
    return figure
