"""The figure of rules on tokens: positions alike, learnt ones beside open ones, open ones beside free ones."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.screening import RULES, Rule
from kondo_theory.token_trap.positions import Positions, open_rest_point, position_drifts
from paper_figs.arranging import stack_names
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.wording import number

__all__ = ["token_rules"]


def token_rules(
    vocab_size: int = 10, n_open: int = 4, n_others: int = 6, rate: float = 0.1, p_open: float = 0.5
) -> Figure:
    """Draw the drift over PG's by rule: against p, alike and beside free ones, and against learnt ones' error."""
    figure, (alike, learnt, free) = panels(3)
    _alike(alike, vocab_size, n_open + n_others, rate)
    _learnt(learnt, vocab_size, (n_open, p_open), n_others, rate)
    _free(free, vocab_size, n_open, n_others, rate)
    caption(f"""Drift of the right token's logit at a position over PG's, where the top ρ = {rate:g} of the tokens is
        kept by a rule: below zero training goes back. Vocabulary M = {vocab_size}. (a) T = {n_open + n_others}
        positions of one p. (b) {n_others} learnt positions beside {n_open} open ones of p = {p_open:g}, against the
        learnt ones' error; no-spurious keeps all but wrong tokens of A > 0 there (ρ = 1). (c) {n_open} open positions
        of one p beside {n_others} free ones, uniform and not judged. By delight-no-spurious wrong tokens of A > 0 are
        dropped, the best ρ of the rest by delight kept; weighted-advantage is |A|(π + 1)/2. Everything is exact:
        no points, no seeds.""")
    return figure


def _draw(ax: Axes, name: str, x: np.ndarray, values: list[float]) -> None:
    ax.plot(x, values, color=method_style(name).colour, label=name)


def _masked(name: str, least: float) -> Rule:
    """Return a rule that takes wrong tokens for spurious wherever A > 0."""
    return partial(RULES[name], least_probability=least, entropy=np.inf)


def _alike(ax: Axes, M: int, T: int, rate: float) -> None:
    p = np.linspace(1 / M, 1, 302)[1:-1]
    rules: dict[str, Rule] = {name: RULES[name] for name in ("delight", "weighted-advantage", "probability")}
    rules["delight-no-spurious"] = _masked("delight-no-spurious", 1 / M)
    for name, rule in rules.items():
        drifts = [
            position_drifts([Positions(T, float(each))], M, rate, rule)[0] / (each * (1 - each) / T) for each in p
        ]
        _draw(ax, name, p, drifts)
    reference(ax, y=0)
    ax.set(xlabel="probability of the right token, p", ylabel="drift over PG's", xlim=(1 / M, 1), ylim=(-0.4, 1.8))
    early, late = (open_rest_point(T, 0, M, rate, name) for name in ("delight", "weighted-advantage"))
    found = " and ".join(f"at p = {number(each)} by {name}" for each, name in (
        (early, "delight"), (late, "weighted advantage")) if each is not None)  # fmt: skip
    finding(ax, f"Stalls {found}" if found else "Neither stalls")
    stack_names(ax, (0.25, 0.98))


def _learnt(ax: Axes, M: int, open_ones: tuple[int, float], n_learnt: int, rate: float) -> None:
    error = np.geomspace(1e-4, 0.3, 60)
    judged = open_ones[0] + n_learnt
    rules: dict[str, tuple[Rule, float]] = {
        "no-spurious": (_masked("no-spurious", 0.4), 1.0),
        "surprisal": (RULES["surprisal"], rate),
        "entropy": (RULES["entropy"], rate),
        "delight": (RULES["delight"], rate),
    }
    for name, (rule, kept) in rules.items():
        drifts = [
            position_drifts([Positions(*open_ones), Positions(n_learnt, float(1 - each))], M, kept, rule)[1]
            / (each * (1 - each) / judged)
            for each in error
        ]
        _draw(ax, name, error, drifts)
        if name == "delight":
            finding(
                ax, f"By delight a learnt position goes back, by {number(-drifts[0])} of PG as its error vanishes"
            )
    reference(ax, y=0)
    ax.set(xlabel="error of the learnt positions, 1 − p", ylabel="drift over PG's", xscale="log", ylim=(-0.4, 1.8))
    stack_names(ax, (0.05, 0.63))


def _free(ax: Axes, M: int, n_open: int, n_free: int, rate: float) -> None:
    p = np.linspace(1 / M, 1, 202)[1:-1]
    names = ("surprisal", "abs-advantage-entropy", "delight", "entropy")
    for name in names:
        drifts = [
            position_drifts([Positions(n_open, float(each)), Positions(n_free, judged=False)], M, rate, name)[0]
            / (each * (1 - each) / n_open)
            for each in p
        ]
        _draw(ax, name, p, drifts)
    reference(ax, y=0)
    ax.set(xlabel="probability of the right token, p", ylabel="drift over PG's", xlim=(1 / M, 1), ylim=(-0.4, 1.8))
    rest = open_rest_point(n_open, n_free, M, rate, "abs-advantage-entropy")
    text = "" if rest is None else f", by |A|·H nothing at p = {number(rest)}"
    finding(ax, f"Beside free positions open ones get nothing by entropy{text}")
    stack_names(ax, (0.05, 0.98))
