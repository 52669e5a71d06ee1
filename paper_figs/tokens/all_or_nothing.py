"""The figure of a gate on tokens where whole answers are paid, not parts: drift, and training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap import drift
from kondo_theory.token_trap.all_or_nothing import all_or_nothing_drift
from paper_figs.arranging import stack_names
from paper_figs.marks import mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style
from paper_figs.tables import reversal_curves
from paper_figs.wording import count, number, percent
from simulations.reversal.readings.protocols import with_defaults

__all__ = ["all_or_nothing"]

_REWARDS = {"exact": "whole answers paid", "share": "right tokens paid", "prefix": "right beginnings paid"}
_MEASURED = ("exact", "prefix")
_RELEASED = {"final_norm": False, "head": "default", "baseline": "mean", "learning_rate": 3e-4}
_GATE = "token gate(3 %)"


def all_or_nothing(n_tokens: int = 10, vocab_size: int = 2, rate: float = 0.03) -> Figure:
    """Draw the drift of a right logit under the token gate, and token reversal under both kinds of reward."""
    figure, (drifts, curves) = panels(2, height=2.6)
    _drifts(drifts, n_tokens, vocab_size, rate)
    seeds, length = _curves(curves)
    caption(f"""The top {percent(rate, 1)} of tokens by delight, T = {n_tokens} tokens of M = {vocab_size}. (a) Drift
        of a right token's logit in parts of the policy gradient's, independent tokens, exact mean as baseline, from
        the uniform policy on: the reward is the share of right tokens, or 1 for a wholly right answer alone. Lines:
        exact. (b) Token reversal, H = {length}, M = 2, a transformer with the last layers of the released code,
        Adam 3e-4, the mean of 10 answers as baseline: share of sampled answers with a wrong token, where the reward
        is that of whole answers or of right beginnings. Filled points: measured on networks, {count(seeds)} seeds
        each.""")
    return figure


def _style(reward: str) -> MethodStyle:
    colour = "0.15" if reward == "exact" else method_style("token gate").colour
    return MethodStyle(colour, {"exact": "o", "share": "", "prefix": "s"}[reward])


def _drifts(ax: Axes, n_tokens: int, vocab_size: int, rate: float) -> None:
    p = np.linspace(1 / vocab_size, 0.999, 800)[1:]
    paid = p**n_tokens
    share = drift(p, n_tokens, vocab_size, rate) / (p * (1 - p) / n_tokens)
    whole = all_or_nothing_drift(p, n_tokens, vocab_size, rate) / (paid * (1 - p))
    ax.plot(p, whole, color=_style("exact").colour)
    ax.plot(p, share, color=_style("share").colour)
    reference(ax, y=0)
    stack_names(ax, (0.98, 0.9), {_REWARDS[reward]: _style(reward).colour for reward in ("exact", "share")})
    ax.set(xlabel="probability of a right token, p", ylabel="drift / that of PG")
    least = float(share.min())
    if least < 0 < whole.min():
        finding(ax, f"Negative from p = {number(float(p[share < 0].min()))} on where parts are paid, else never")
    else:
        finding(ax, f"Least drift {number(least)} of PG's where parts are paid, {number(float(whole.min()))} else")


def _curves(ax: Axes) -> tuple[list[int], int]:
    frame = with_defaults(reversal_curves("protocols").frame)
    for name, value in _RELEASED.items():
        frame = frame[frame[name] == value]
    frame = frame[frame["label"].str.startswith(_GATE)]
    learnt, seeds = {}, []
    for reward in _MEASURED:
        runs = frame[frame["reward"] == reward]
        errors = runs.pivot(index="update", columns="seed", values="sequence_error")
        for seed in errors:
            mark_measured(
                ax, errors.index, errors[seed].clip(1e-3), _style(reward), ls="-", lw=0.9, ms=3, markevery=4
            )
        learnt[reward] = int((errors.iloc[-1] < 0.1).sum())
        seeds.append(errors.shape[1])
    stack_names(ax, (0.05, 0.2), {_REWARDS[reward]: _style(reward).colour for reward in _MEASURED})
    ax.set(yscale="log", xlabel="updates", ylabel="sequence error")
    parts = [f"{learnt[reward]} of {n}" for reward, n in zip(_MEASURED, seeds, strict=True)]
    finding(ax, f"Whole answers paid: {parts[0]} runs learn; beginnings: {parts[1]}")
    return seeds, int(frame["length"].iloc[0])
