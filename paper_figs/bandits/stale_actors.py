"""The figure of data from broken actors: directions, corrupted rewards, and many contexts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory.contexts import cosine_to_cross_entropy, spread_probabilities
from kondo_theory.geometry.symmetric import symmetric_arms
from kondo_theory.moments import GradientMoments
from kondo_theory.off_policy import imitation_floor, mixed_behaviour, off_policy_moments
from paper_figs.arranging import named_colours, stack_names
from paper_figs.marks import draw_rows, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import points
from paper_figs.wording import number, simulated

__all__ = ["stale_actors"]

FloatArray = NDArray[np.float64]
Where = dict[str, float | str]
"""The rows of a table that are drawn."""

_METHODS = {
    "importance weights": ("importance-weighted", "learner"),
    "zero price": ("zero-price", "learner"),
    "DG": ("dg", "learner"),
    "DG, actor's surprisal": ("dg", "actor"),
    "PG": ("pg", "learner"),
}


def stale_actors(
    n_arms: int = 10,
    baseline: float = 0.5,
    share: float = 0.1,
    larger_share: float = 0.2,
    corruption: float = 0.1,
    n_contexts: int = 12,
    spread: float = 2.0,
) -> Figure:
    """Draw cosines against the error, signals with corrupted rewards, and cosines to cross-entropy."""
    figure, (direction, corrupted, many) = panels(3)
    shape: dict[str, float] = {"n_arms": n_arms, "baseline": baseline}
    errors = np.geomspace(1e-3, 0.98, 120)
    last = {}
    for label, (method, whose) in _METHODS.items():
        style = method_style(label)
        found = _moments(method, errors, share, False, 0.0, whose, shape)
        wide = 3.0 if label == "importance weights" else None
        direction.plot(errors, found.cosine, color=style.colour, label=label, lw=wide)
        last[label] = float(found.cosine[0])
        where: Where = {
            **shape,
            "method": method,
            "surprisal": whose,
            "actor": "one-arm",
            "share": share,
            "corruption": 0.0,
        }
        draw_rows(direction, points("stale-gates", "cosine", **where), "error", style)
    direction.set(xlabel="error, ε", ylabel="cosine of E g with ∇J", xscale="log", ylim=(0.4, 1.03))
    finding(
        direction, f"At ε = {errors[0]:g} PG is at {number(last['PG'])}, DG at {number(last['DG'])}, zero price at 1"
    )
    stack_names(direction, (0.72, 0.03), named_colours(direction))
    floor = float(imitation_floor(corruption, larger_share))
    for label in ("zero price", "DG", "PG"):
        style = method_style(label)
        signal = (
            _moments(_METHODS[label][0], errors, larger_share, True, corruption, "learner", shape).signal / errors
        )
        corrupted.plot(errors, signal, color=style.colour)
        where = {
            **shape,
            "method": _METHODS[label][0],
            "actor": "even",
            "share": larger_share,
            "corruption": corruption,
        }
        draw_rows(corrupted, points("stale-gates", "signal over the error", **where), "error", style)
    reference(corrupted, x=floor)
    reference(corrupted, y=0)
    corrupted.set(xlabel="error, ε", ylabel="E g·u/ε", xscale="log", xlim=(0.008, 0.98), ylim=(-0.6, 1.6))
    finding(corrupted, f"With false rewards zero price turns back below ε = {number(floor)}")
    ends = _contexts(many, n_arms, baseline, spread_probabilities(0.0, spread, n_contexts))
    finding(many, f"Random actors turn zero price from {number(ends[0])} to {number(ends[1])}")
    caption(f"""Mean gradients of arms that other policies drew. (a) Cosine with the learner's true gradient
        against its error ε = 1 − p: a share δ = {share:g} of the samples comes from broken actors that
        play one wrong arm, the others from the learner; importance weights (wide) lie on zero price. (b)
        Signal along the true gradient, over ε, where δ = {larger_share:g}, broken actors play all wrong
        arms evenly and an unpaid sample is paid with probability r = {corruption:g} (dotted: the error at
        which zero price rests, and no signal). (c) Cosine with cross-entropy's gradient over {n_contexts}
        contexts, their log-odds of success normal with deviation {spread:g}, against the share of actors
        that play at random. K = {n_arms} arms, baseline {baseline:g}, one correct arm, wrong ones alike
        to the learner, temperature of DG 1. Lines: exact. In (a) and (b): {simulated("stale-gates")}""")
    return figure


def _moments(
    method: str,
    errors: FloatArray,
    share: float,
    even: bool,
    corruption: float,
    surprisal: str,
    shape: dict[str, float],
) -> GradientMoments:
    """Return a method's moments at many errors of the learner, (N,)."""
    n_arms = int(shape["n_arms"])
    wrong = (np.arange(n_arms) > 0) * 1.0 if even else (np.arange(n_arms) == 1) * 1.0
    policy = np.full((len(errors), n_arms), 1.0) * errors[:, None] / (n_arms - 1)
    policy[:, 0] = 1 - errors
    behaviour = mixed_behaviour(policy, share, wrong / wrong.sum())
    context = policy, behaviour, np.eye(n_arms)[0], shape["baseline"]
    return off_policy_moments(method, *context, corruption=corruption, surprisal=surprisal).moments


def _contexts(ax: Axes, n_arms: int, baseline: float, p: FloatArray) -> tuple[float, float]:
    """Draw cosines to cross-entropy against the share of random actors; return zero price's ends."""
    shares = np.linspace(0.0, 1.0, 101)
    lengths = (1 - p) * np.sqrt(n_arms / (n_arms - 1))
    policy = np.stack([symmetric_arms(n_arms, float(each), baseline)[0] for each in p])
    for label in ("zero price", "importance weights", "DG", "PG"):
        style = method_style(label)
        cosines = []
        for share in shares:
            behaviour = mixed_behaviour(policy, share, np.full(n_arms, 1 / n_arms))
            found = off_policy_moments(_METHODS[label][0], policy, behaviour, np.eye(n_arms)[0], baseline).moments
            cosines.append(float(cosine_to_cross_entropy(found.signal / lengths, p, n_arms)))
        ax.plot(shares, cosines, color=style.colour)
        if label == "zero price":
            ends = cosines[0], cosines[-1]
    ax.set(xlabel="share of random actors, δ", ylabel="cosine with cross-entropy", xlim=(0, 1))
    return ends
