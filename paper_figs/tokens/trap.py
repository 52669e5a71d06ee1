"""Figures of the token trap: exact curves as lines and areas, simulated training as points with 95 % intervals."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory import token_trap as closed
from kondo_theory.token_trap.groups import group_drift
from paper_figs.style import PANEL, MethodStyle, draw_rows, label_panels, method_style
from paper_figs.tables import points, rows

__all__ = ["row_gate", "token_dg", "token_trap"]

_VOCABULARIES = (2, 10, 100, 1000)
_SHADE = 0.22


def token_trap() -> Figure:
    """Show the phase diagram, one panel a vocabulary, with runs on it, and the stall point against the rate."""
    figure, axes = plt.subplots(2, 3, figsize=(3 * PANEL[0], 2 * PANEL[1]))
    flat = list(axes.ravel())
    for ax, vocab_size in zip(flat[:4], _VOCABULARIES, strict=True):
        _phase_diagram(ax, vocab_size)
    _stall_points(flat[4], 10)
    _drifts(flat[5])
    label_panels(flat)
    return figure


def _phase_diagram(ax: Axes, vocab_size: int) -> None:
    """Shade the stalling rates at each T, and mark the simulated runs by what became of them."""
    style = method_style("token gate")
    intervals = rows("token-windows", gate="token", vocab_size=vocab_size)[["n_tokens", "low", "high"]]
    for n_tokens, low, high in intervals.to_numpy(dtype=np.float64):
        left, right = n_tokens * 0.9, n_tokens * 1.1
        ax.fill_between([left, right], low, high, color=style.colour, alpha=_SHADE + 0.15, lw=0)
    if vocab_size <= 100:  # a thousand arms at every position cost minutes; the areas are exact
        runs = points("token-runs", "share that learned", vocab_size=vocab_size, gate="token", n_steps=500)
        for learned, marker, face in ((True, "o", "white"), (False, "X", "black")):
            shown = runs[(runs["estimate"] > 0.5) == learned]
            ax.plot(shown["n_tokens"], shown["rate"], marker, color="black", ms=4.5, mfc=face)
    ax.set(
        xscale="log",
        ylim=(0, 1),
        xlim=(1.7, 150),
        xlabel="tokens per answer, T",
        ylabel="gate rate, ρ",
        title=f"M = {vocab_size}",
    )
    ax.set_xticks([2, 4, 10, 32, 100], ["2", "4", "10", "32", "100"])
    ax.minorticks_off()
    if vocab_size == 100:
        ax.text(
            1.9, 0.62, "a circle in the area:\nbatch noise leaked out\nof a shallow stall", fontsize=7, color="0.3"
        )
    if vocab_size == 2:
        ax.plot([], [], "s", color=style.colour, alpha=_SHADE + 0.15, label="stalls (exact)", ms=7)
        ax.plot([], [], "X", color="black", label="most runs stalled", ms=4.5)
        ax.plot([], [], "o", color="black", mfc="white", label="most runs learned", ms=4.5)
        ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.64))


def _stall_points(ax: Axes, vocab_size: int) -> None:
    """Draw p* against ρ, and where simulated training ends."""
    shades = dict(zip((3, 10, 32), ("#c994c7", "#df65b0", "#980043"), strict=True))
    for n_tokens, colour in shades.items():
        stall = rows("token-trap", gate="token", vocab_size=vocab_size, n_tokens=n_tokens).sort_values("rate")
        ax.plot(stall["rate"], stall["stall_point"], "-", color=colour, label=f"T = {n_tokens}")
        found = points("token-runs", "reward at the end", vocab_size=vocab_size, n_tokens=n_tokens, n_steps=800)
        draw_rows(ax, found, "rate", MethodStyle(colour, "o"))
    runs = found["n_replicates"].iloc[0]
    ax.axhline(1 / vocab_size, color="0.6", lw=0.8, ls=":")
    ax.text(0.99, 1 / vocab_size, "uniform", fontsize=7, color="0.4", va="bottom", ha="right")
    ax.set(xlabel="gate rate, ρ", ylabel="mean reward at the end", title=f"stall point, M = {vocab_size}")
    ax.set(ylim=(0, 1.05), xlim=(0, 1))
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.42, 0.42), title=f"line: exact, point: {runs} runs", title_fontsize=7.5
    )


def _drifts(ax: Axes) -> None:
    """Draw the drift of every gate against p, in units of PG's."""
    p = np.linspace(0.02, 0.98, 481)
    scale = p * (1 - p) / 10
    for name, gate in (("token gate", "token"), ("row gate", "row"), ("zero price", "zero-price")):
        style = method_style(name)
        speed = closed.drift(p, 10, 10, 0.1, gate) / scale
        ax.plot(p, speed, style.line, color=style.colour, label=name)
    stall = closed.stall_point(0.1, 10, 10)
    assert stall is not None
    ax.plot([stall], [0], "o", color=method_style("token gate").colour, ms=5)
    ax.annotate(
        "stall point",
        (stall, 0),
        (0.06, -0.55),
        fontsize=7.5,
        arrowprops={"arrowstyle": "->", "lw": 0.8, "color": "0.2"},
    )
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.8, 1.6))
    ax.set_title("drift, M = T = 10, ρ = 0.1")
    ax.legend(loc="upper right")


def row_gate() -> Figure:
    """Show the row gate's drift at several rates, what a group's mean as the baseline does, and training."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    p = np.linspace(0.005, 0.995, 397)
    scale = p * (1 - p) / 10
    for rate, line in ((0.03, ":"), (0.1, "--"), (0.3, "-")):
        for name, gate in (("token gate", "token"), ("row gate", "row")):
            speed = closed.drift(p, 10, 10, rate, gate) / scale
            axes[0].plot(p, speed, line, color=method_style(name).colour, label=f"{name}, ρ = {rate:g}")
    axes[0].axhline(0, color="0.3", lw=0.8)
    axes[0].set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.6, 2.0))
    axes[0].set_title("M = T = 10, exact mean as baseline")
    axes[0].legend(ncols=2, loc="upper center", columnspacing=1.0, handlelength=1.6)
    _groups(axes[1])
    _training(axes[2])
    label_panels(list(axes))
    return figure


def _groups(ax: Axes) -> None:
    """Draw the row gate's drift with the mean of S answers as the baseline."""
    p = np.linspace(0.02, 0.98, 97)
    for size, colour in ((2, "#b2182b"), (3, "#ef8a62"), (4, "#67a9cf"), (10, "#2166ac")):
        speed = group_drift(p, 10, 10, 0.03, size, "row") / (p * (1 - p) / 10)
        ax.plot(p, speed, color=colour, label=f"S = {size}")
    speed = group_drift(p, 10, 10, 0.03, 2, "row", "advantage") / (p * (1 - p) / 10)
    ax.plot(p, speed, ":", color="#b2182b", label="S = 2, by advantage")
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.03, 0.22))
    ax.set_title("row gate, mean of S answers, ρ = 0.03")
    ax.legend(loc="upper right", ncols=2, columnspacing=1.0, handlelength=1.6)


def _training(ax: Axes) -> None:
    """Draw training from the uniform policy under each gate at the same rate."""
    for name, gate in (("token gate", "token"), ("row gate", "row"), ("zero price", "zero-price")):
        style = method_style(name)
        context = {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, "learning_rate": 10.0}
        found = points("token-learning", "reward", gate=gate, **context)
        ax.plot(found["update"], found["estimate"], style.line, color=style.colour, label=name)
        ax.fill_between(found["update"], found["low"], found["high"], color=style.colour, alpha=_SHADE, lw=0)
    runs = found["n_replicates"].iloc[0]
    stall = closed.stall_point(0.1, 10, 10)
    assert stall is not None
    ax.axhline(stall, color="0.4", lw=0.8, ls=":")
    ax.text(1.1, stall + 0.02, "predicted stall", fontsize=7.5, color="0.3")
    ax.set(xscale="log", xlabel="updates (learning rate 10)", ylabel="mean reward", ylim=(0, 1))
    ax.set_title(f"training, M = T = 10, ρ = 0.1, {runs} seeds")
    ax.legend(loc="upper left")


def token_dg() -> Figure:
    """Show the stalling temperatures against T, the critical temperature against M, and DG's drift."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    colours = dict(zip(_VOCABULARIES, ("#fdbe85", "#fd8d3c", "#d94801", "#7f2704"), strict=True))
    for vocab_size, colour in colours.items():
        window = rows("token-windows", gate="dg", vocab_size=vocab_size).groupby("n_tokens").last()
        axes[0].plot(window.index, window["high"], "-", color=colour, label=f"M = {vocab_size}")
        axes[0].plot(window.index, window["low"], "-", color=colour)
        axes[0].axhline(closed.critical_temperature(vocab_size), color=colour, lw=0.8, ls=":")
    tokens = np.array([18, 128])
    axes[0].plot(tokens, 4.79 / tokens**2.0, "--", color="0.4", lw=0.9)
    axes[0].text(45, 0.001, "4.79/T²", fontsize=7.5, color="0.3", ha="right")
    axes[0].text(55, 0.03, "DG stalls between\nits two lines", fontsize=7.5, color="0.3", ha="center", va="center")
    axes[0].set(xscale="log", yscale="log", xlabel="tokens per answer, T", ylabel="temperature, η")
    axes[0].set_xticks([10, 32, 100], ["10", "32", "100"])
    axes[0].set(title="window of stalling temperatures", ylim=(2e-4, 4))
    axes[0].legend(ncols=4, loc="upper center", columnspacing=0.8, handlelength=0.8, handletextpad=0.4)
    _critical(axes[1])
    _ends(axes[2])
    label_panels(list(axes))
    return figure


def _critical(ax: Axes) -> None:
    """Draw η_c(M) and upper ends of the window at finite T."""
    sizes = np.unique(np.geomspace(2, 100_000, 60).astype(int))
    style = method_style("DG")
    ax.plot(sizes, [closed.critical_temperature(int(m)) for m in sizes], color=style.colour, label="T → ∞: η_c(M)")
    for n_tokens, marker in ((32, "v"), (128, "s")):
        ends = rows("token-windows", gate="dg", n_tokens=n_tokens).groupby("vocab_size")["high"].max()
        ax.plot(ends.index, ends, marker, color=style.colour, mfc="white", label=f"T = {n_tokens}, exact")
    ax.axhline(1, color="0.5", lw=0.8, ls=":")
    ax.axvline(2634, color="0.5", lw=0.8, ls=":")
    ax.text(2300, 0.12, "M = 2,634", rotation=90, fontsize=7.5, ha="right", va="bottom", color="0.3")
    ax.set(xscale="log", xlabel="vocabulary, M", ylabel="highest stalling temperature, η", ylim=(0, 1.6))
    ax.set_title("where η = 1 stops being safe")
    ax.legend(loc="upper left")


def _ends(ax: Axes) -> None:
    """Draw DG's stall point against the temperature, and where simulated training ends."""
    style = method_style("DG")
    stall = rows("token-trap", gate="dg", vocab_size=10, n_tokens=32)
    ax.plot(stall["temperature"], stall["stall_point"], color=style.colour, label="stall point, exact")
    found = points("token-runs", "reward at the end", vocab_size=10, n_tokens=32, gate="dg")
    label = f"end of training, {found['n_replicates'].iloc[0]} runs"
    draw_rows(ax, found, "temperature", style, label=label)
    ax.set(xscale="log", xlabel="temperature, η", ylabel="mean reward at the end", ylim=(0, 1.05))
    ax.set_title("DG on tokens, M = 10, T = 32")
    ax.legend(loc="lower right")
