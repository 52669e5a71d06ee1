"""The figure of gates that keep whatever ties with the k-th score: what they keep, and what errors they end at."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap.screening_ties import share_with_ties
from paper_figs.arranging import stack_names
from paper_figs.marks import mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import measured, reversal_curves
from paper_figs.wording import count, number, percent
from simulations.reversal.summary import final

__all__ = ["screening_ties"]

RATE, SIZES = 0.03, (10, 10, 10)
_RULES = ("advantage", "abs-advantage")
_NAMES = {"advantage": "advantage", "abs-advantage": "|advantage|", "delight": "delight", "uniform": "at random"}


def screening_ties() -> Figure:
    """Draw the share kept against 1 − p, and final errors at exactly k and with ties against the share kept."""
    tied = measured("reversal-screening-ties", "reversal-screening-ties-paper", "reversal-screening-ties-quick").frame
    exact, full = (reversal_curves(study).frame for study in ("screening", "quality"))
    exact, full = (frame[frame["update"] <= tied["update"].max()] for frame in (exact, full))
    seeds = tied["seed"].unique()
    exact = exact[(exact["method"] == "token-gate") & exact["rule"].isin(_NAMES) & exact["seed"].isin(seeds)]
    pg = full[(full["label"] == "PG") & full["seed"].isin(seeds)].assign(rule="uniform")
    figure, (shares, errors) = panels(2)
    _shares(shares)
    _errors(errors, pd.concat([tied, pg]), exact)
    caption(f"""Gates at {100 * RATE:g} % on answers of {SIZES[0]} tokens, {SIZES[1]} prompts a batch and {SIZES[2]}
        answers to each, their mean as baseline; whatever ties with the k-th score is kept. (a) Expected
        share that is kept of independent tokens, right with probability p; thin: what is kept and has an advantage;
        dotted: exactly k. Lines: exact. (b) Token reversal, M = 2: token error at the end against the share kept over
        the training, at exactly k (left ends of the lines) and with ties (right ends); at random with ties is the
        policy gradient. Points: medians over {count([len(seeds)])} seeds. Measured on networks.""")
    return figure


def _shares(ax: Axes) -> None:
    wrong = np.geomspace(2e-4, 0.5, 16)
    found = {rule: [share_with_ties(1 - each, *SIZES, RATE, rule) for each in wrong] for rule in _RULES}
    for rule, each in found.items():
        colour = method_style(rule).colour
        ax.plot(wrong, [one.kept for one in each], color=colour, label=_NAMES[rule])
        ax.plot(wrong, [one.moving for one in each], color=colour, lw=0.7)
    reference(ax, y=RATE)
    ax.set(xscale="log", yscale="log", xlabel="probability that a token is wrong, 1 − p", ylabel="share kept")
    ax.set_xlim(0.5, 2e-4)
    ax.set_ylim(0.01, 1.1)
    most = {rule: each[0].kept for rule, each in found.items()}
    start = max(each[-1].kept for each in found.values())
    finding(
        ax, f"By a rule of the advantage {percent(start)} are kept at first, {percent(min(most.values()))} at last"
    )
    stack_names(ax, (0.03, 0.97))


def _errors(ax: Axes, tied: pd.DataFrame, exact: pd.DataFrame) -> None:
    ends = {}
    for rule, name in _NAMES.items():
        style = method_style(rule)
        places = [_place(frame[frame["rule"] == rule]) for frame in (exact, tied)]
        share, error = zip(*places, strict=True)
        mark_measured(ax, share, error, style, ls="-", lw=0.8, label=name)
        ends[rule] = (error[0] / error[1], share[1] / share[0])
    ax.set(xscale="log", yscale="log", xlabel="share of the tokens kept", ylabel="token error at the end")
    ax.set_xlim(0.02, 1.6)
    ax.set_ylim(5e-5, 1)
    fewer, more = map(number, ends["uniform"])
    finding(ax, f"With ties the error at random is {fewer} times less, by {more} times the tokens")
    stack_names(ax, (0.97, 0.95))


def _place(runs: pd.DataFrame) -> tuple[float, float]:
    """Return the share kept over the training and the final token error, medians over seeds."""
    last = runs.groupby("seed")[["backward_tokens", "forward_tokens"]].max()
    share = (last["backward_tokens"] / last["forward_tokens"]).median()
    return float(share), float(np.median(final(runs, "token_error")))
