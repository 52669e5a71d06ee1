"""Why a gate on tokens stalls: a lucky answer's tokens with what is kept of them, and where that turns the drift."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from kondo_theory.token_trap import stall_point
from kondo_theory.token_trap.rows import Atoms, surprisals, token_atoms, top_drift
from paper_figs.marks import reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.wording import P_TOKEN, number, percent

__all__ = ["tokens_stall"]

FloatArray = NDArray[np.float64]
_MOST_NUMBERED = 12
"""Tokens of an answer whose delights are written below them: more do not find room."""
_RIGHT, _WRONG = "#4a7fb0", "#b3434f"


def tokens_stall(vocab_size: int = 10, n_tokens: int = 10, rate: float = 0.1) -> Figure:
    """Show the tokens of one lucky answer that a gate keeps, and the pull of right and wrong tokens along p."""
    figure, (answer, pulls) = panels(2, height=2.3, width_ratios=(1.35, 1))
    worst = _pulls(pulls, vocab_size, n_tokens, rate)
    _answer(answer, worst, vocab_size, n_tokens, rate)
    pulls.axvline(worst, color="0.3", lw=0.8, zorder=0)
    pulls.annotate(
        "(a)", (worst, pulls.get_ylim()[1]), (-3, -2), textcoords="offset points", va="top", ha="right", color="0.3"
    )
    caption(f"""Why keeping the top ρ = {percent(rate)} of tokens by delight stalls: answers of T = {n_tokens} tokens
        of M = {vocab_size} kinds share one advantage, A = the share of right tokens − p. (a) The tokens of a lucky
        answer at p = {number(worst)}, ✓ right, ✗ wrong, with their delight, A times surprisal; framed: kept. Wrong
        tokens are the more surprising ones. The push on the right token is the sum of A(1 − p) over the right tokens
        that are kept less Ap over the wrong ones. (b) Pull of right and of wrong tokens that are kept on the right
        token, over PG's drift, and their sum, the drift. Everything is exact: no points, no seeds.""")
    return figure


def _parts(p: FloatArray, vocab_size: int, n_tokens: int, rate: float) -> tuple[FloatArray, FloatArray]:
    """Return the drift's parts from right and from wrong tokens at each p."""
    atoms = token_atoms(p, n_tokens, vocab_size)
    half = atoms.pull.shape[1] // 2
    right = np.arange(2 * half) < half
    return (
        top_drift(Atoms(atoms.mass, atoms.score, atoms.pull * right), rate),
        top_drift(Atoms(atoms.mass, atoms.score, atoms.pull * ~right), rate),
    )


def _pulls(ax: Axes, vocab_size: int, n_tokens: int, rate: float) -> float:
    """Draw the pulls and the drift along p; return the p at which the drift is lowest."""
    p = np.linspace(1 / vocab_size, 0.98, 600)
    right, wrong = (part * n_tokens / (p * (1 - p)) for part in _parts(p, vocab_size, n_tokens, rate))
    drift = right + wrong
    colour = method_style("token gate").colour
    ax.plot(p, right, color=_RIGHT)
    ax.plot(p, wrong, color=_WRONG)
    ax.plot(p, drift, color=colour)
    ax.fill_between(p, np.minimum(drift, 0), 0, color=colour, alpha=0.25, lw=0)
    reference(ax, y=0)
    names = {"right tokens kept": _RIGHT, "wrong tokens kept": _WRONG, "their sum, the drift": colour}
    for place, (name, shade) in enumerate(names.items()):
        ax.text(0.99, 0.97 - 0.09 * place, name, color=shade, transform=ax.transAxes, ha="right", va="top")
    top = float(max(right.max(), -wrong.min(), np.abs(drift).max()))
    ax.set(xlabel=P_TOKEN, ylabel="pull, in units of PG's drift", xlim=(0, 1))
    ax.set_ylim(1.15 * float(min(wrong.min(), drift.min())), 1.3 * top)
    stall = stall_point(rate, vocab_size, n_tokens)
    if stall is None:
        finding(ax, "At no p do the wrong tokens that are kept outweigh the right ones")
    else:
        last = float(p[drift < 0].max()) if (drift < 0).any() else stall
        finding(
            ax, f"The wrong tokens kept outweigh the right ones first at p = {number(stall)}, last at {number(last)}"
        )
    return float(p[drift.argmin()])


def _price(p: float, vocab_size: int, n_tokens: int, rate: float) -> float:
    """Return the delight of the last token that is among the top ρ."""
    atoms = token_atoms(np.array([p]), n_tokens, vocab_size)
    order = np.argsort(-atoms.score[0])
    kept = int(np.searchsorted(np.cumsum(np.asarray(atoms.mass)[0][order]), rate))
    return float(atoms.score[0][order[min(kept, len(order) - 1)]])


def _answer(ax: Axes, p: float, vocab_size: int, n_tokens: int, rate: float) -> None:
    """Draw the tokens of the least lucky answer of which something is kept, under the token gate and zero price."""
    price = _price(p, vocab_size, n_tokens, rate)
    surprise_right, surprise_wrong = (float(each[0]) for each in surprisals(np.array([p]), vocab_size))
    k = next(
        (k for k in range(math.ceil(n_tokens * p), n_tokens)
         if (k / n_tokens - p) * max(surprise_wrong, surprise_right) >= price),
        n_tokens - 1,
    )  # fmt: skip
    advantage = k / n_tokens - p
    right = np.isin(np.random.default_rng(0).permutation(n_tokens), np.arange(k))
    delight = advantage * np.where(right, surprise_right, surprise_wrong)
    gates = {f"token gate, top {percent(rate, 1)}": delight >= price, "zero price": delight > 0}
    for row, (name, kept) in enumerate(gates.items()):
        push = float((advantage * np.where(right, 1 - p, -p))[kept].sum())
        y = -2.6 * row
        _tokens(ax, y, right, delight, kept)
        ax.text(0, y + 1.15, name, va="bottom", weight="bold")
        ax.text(n_tokens, y + 1.15, f"push {number(push)}", ha="right", va="bottom")
    ax.set(xlim=(-0.1, n_tokens + 0.1), ylim=(-3.4, 1.9))
    ax.set(xticks=[], yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    kept = gates[next(iter(gates))]
    finding(ax, f"A lucky answer, {k} of {n_tokens} right at p = {number(p)}: the top {percent(rate, 1)} are "
                f"{int((kept & ~right).sum())} wrong and {int((kept & right).sum())} right tokens")  # fmt: skip


def _tokens(ax: Axes, y: float, right: NDArray[np.bool_], delight: FloatArray, kept: NDArray[np.bool_]) -> None:
    """Draw an answer's tokens as boxes, those that are kept framed and strong, with their delight below."""
    for place, (good, value, stays) in enumerate(zip(right, delight, kept, strict=True)):
        ax.add_patch(
            Rectangle(
                (place + 0.08, y),
                0.84,
                1.0,
                facecolor=_RIGHT if good else _WRONG,
                alpha=1.0 if stays else 0.3,
                edgecolor="none",
            )
        )
        if stays:
            ax.add_patch(Rectangle((place + 0.08, y), 0.84, 1.0, facecolor="none", edgecolor="black", lw=1.4))
        ax.text(
            place + 0.5, y + 0.5, "✓" if good else "✗", ha="center", va="center", color="white" if stays else "0.2"
        )
        if len(right) <= _MOST_NUMBERED:
            ax.text(place + 0.5, y - 0.1, f"{value:.2f}", ha="center", va="top", color="0.2")
