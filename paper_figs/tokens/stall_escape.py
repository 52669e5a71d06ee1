"""The figure of how long a stall lasts: times against B over the learning rate, barriers below ρ_c, a transformer."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.token_trap import critical_rate
from kondo_theory.token_trap.groups import group_stall_point
from kondo_theory.token_trap.stall_escape import barrier, escape_time
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_rows, mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.trap import GROUP
from paper_figs.style import MethodStyle
from paper_figs.tables import points, reversal_curves
from paper_figs.wording import farthest, number, percent, simulated
from simulations.reversal.summary import progress

__all__ = ["stall_escape"]

_TOGETHER = MethodStyle("C0", "o")
_FREE = {
    8.0: MethodStyle("C3", "s"),
    4.0: MethodStyle("C1", "^"),
    2.0: MethodStyle("C2", "D"),
    1.0: MethodStyle("C4", "v"),
}
_SHALLOW = {(5, 10, 0.17): 0.628, (3, 6, 0.1): 0.721}
"""By M, H and ρ, the last rise of the drift through zero: who is beyond has got away."""
_RUNS = {(5, 10, 0.17): "C0", (3, 6, 0.1): "C1", (5, 6, 0.1): "C2", (5, 10, 0.1): "C3"}
_TASKS = {(10, 3): "C0", (10, 4): "C1", (2, 5): "C2", (5, 5): "C3"}


def stall_escape(vocab_size: int = 2, n_tokens: int = 5, rate: float = 0.128) -> Figure:
    """Draw the time to leave a stall against B over the learning rate, and the barrier against ρ_c − ρ."""
    figure, (times, barriers, curves) = panels(3, height=2.7)
    _times(times, vocab_size, n_tokens, rate)
    _barriers(barriers)
    _curves(curves)
    stack_names(times, (0.03, 0.97))
    stack_names(barriers, (0.03, 0.97))
    stack_names(curves, (0.03, 0.97))
    caption(f"""The token gate at a fixed rate, trained from its stall point. (a) M = {vocab_size}, T = {n_tokens},
        ρ = {rate:g}: logarithm of the mean time to leave, in updates times learning rate h, against batch size B over
        h. Blue: all tokens move together, the line is the integral over drift and diffusion. Other colours: free
        tokens at their learning rate; lines: the same integral over the drift and diffusion that are measured while
        the positions' mean is held. (b) Barrier S = 2∫|f|/D dz against the distance of ρ from ρ_c. Exact.
        {simulated("token-escape")} (c) Reward of the transformer trained on token reversal by token gates, every
        seed; dotted: the predicted stalls, with the mean of {GROUP} answers as the baseline. Measured on
        networks.""")
    return figure


def _times(ax: Axes, M: int, T: int, rate: float) -> None:
    where: dict[str, float | str] = {"vocab_size": M, "n_tokens": T, "rate": rate}
    frame = points("token-escape", "log time", moving="together", **where)
    frame = frame.assign(ratio=frame["batch_size"] / frame["learning_rate"])
    ratio = np.linspace(10, 35, 26)
    exact = np.log(200 / ratio) + np.log(escape_time(rate, M, T, 200, 200 / ratio))
    ax.plot(ratio, exact, color=_TOGETHER.colour, label="together")
    draw_rows(ax, frame, "ratio", _TOGETHER)
    free = points("token-escape", "log time", moving="free", **where)
    free = free.assign(ratio=free["batch_size"] / free["learning_rate"]).sort_values("ratio")
    for step, style in _FREE.items():
        part = free[free["learning_rate"] == step]
        ax.plot(part["ratio"], part["predicted"], color=style.colour, lw=0.9, label=f"free, h = {step:g}")
        draw_rows(ax, part, "ratio", style)
    ax.set(
        xlabel="batch size over learning rate, B/h", ylabel="log of the time to leave", xlim=(10, 35), ylim=(4, 17)
    )
    at = free[free["ratio"] == 25].set_index("learning_rate")["estimate"]
    together = float(np.interp(25, ratio, exact))
    leaves = [number(float(np.exp(together - at[step]))) for step in (8.0, 1.0)]
    finding(ax, f"At B/h = 25 free tokens leave {leaves[0]} times sooner than together at h = 8, {leaves[1]} at "
                f"h = 1; together within {farthest(frame)} standard errors")  # fmt: skip


def _barriers(ax: Axes) -> None:
    gaps = np.geomspace(3e-4, 1e-2, 12)
    powers = {}
    for (M, T), colour in _TASKS.items():
        found = np.asarray(barrier(critical_rate(M, T) - gaps, M, T))
        powers[M, T] = np.polyfit(np.log(gaps[:6]), np.log(found[:6]), 1)[0]
        ax.plot(gaps, found, color=colour, label=f"M = {M}, T = {T}")
    ax.set(xlabel="distance to the critical rate, ρ_c − ρ", ylabel="barrier S", xscale="log", yscale="log",
           ylim=(2e-5, 60))  # fmt: skip
    smooth = [power for task, power in powers.items() if task != (5, 5)]
    said = " to ".join(dict.fromkeys(number(power, 3) for power in (min(smooth), max(smooth))))
    finding(ax, f"S falls as (ρ_c − ρ) to the power {said}, and {number(powers[5, 5], 3)} where the drift jumps")


def _curves(ax: Axes) -> None:
    frame = reversal_curves("stall-escape").frame
    frame = frame[frame["update"] > 0]
    gaps, away = [], []
    for (M, H, rate), colour in _RUNS.items():
        runs = frame[(frame["vocab_size"] == M) & (frame["length"] == H) & np.isclose(frame["rate"], rate)]
        predicted = group_stall_point(rate, M, H, GROUP)
        assert predicted is not None
        reference(ax, y=predicted, colour=colour)
        for place, (_, run) in enumerate(runs.groupby("seed")):
            name = f"M = {M}, H = {H}, {percent(rate)}" if place == 0 else None
            mark_measured(ax, run["update"], run["train_reward"], MethodStyle(colour, "o"), ls="-", lw=0.7, ms=2,
                          markevery=4, label=name)  # fmt: skip
        ends = progress(runs)
        if (M, H, rate) in _SHALLOW:
            away += list(ends["final_reward"] > _SHALLOW[M, H, rate])
        else:
            gaps += list((ends["late_reward"] - predicted).abs())
    ax.set(xlabel="updates", ylabel="training reward", ylim=(0.15, 1.45))
    ax.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])
    finding(ax, f"{sum(away)} of {len(away)} runs leave shallow stalls; {len(gaps)} in deep ones stay within "
                f"{number(max(gaps))}")  # fmt: skip
