"""Figures of the token trap: exact curves as lines and areas, simulated training as points with 95 % intervals."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import token_trap as closed
from kondo_theory.token_groups import group_drift
from paper_figs.style import PANEL, label_panels, method_style
from simulations.checks import Context
from simulations.checks.tokens import LEARNED, Run, rewards
from simulations.statistics import bootstrap
from simulations.tokens import TokenGate

__all__ = ["row_gate", "token_dg", "token_trap"]

FloatArray = NDArray[np.float64]

_CONTEXT = Context("smoke", "cpu", 2, lambda _: None)
_TOKENS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 45, 64, 90, 128)
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
    for n_tokens in _TOKENS:
        for low, high in closed.stalling_rates(vocab_size, n_tokens):
            left, right = n_tokens * 0.9, n_tokens * 1.1
            ax.fill_between([left, right], low, high, color=style.colour, alpha=_SHADE + 0.15, lw=0)
    for seed, (n_tokens, rate) in enumerate((t, r) for t in (2, 4, 10, 32) for r in (0.1, 0.25, 0.45, 0.85)):
        gate = TokenGate("token", rate)
        # Small steps: noise must not kick a run across a shallow stall. Rare right tokens need larger ones.
        run = Run(vocab_size, n_tokens, gate, 6.0 + 0.1 * vocab_size, 8_000 // n_tokens + 400, 500)
        if vocab_size > 100:
            continue  # a thousand arms at every position cost minutes; the areas are exact
        learned = float(np.median(rewards(run, _CONTEXT, 600 + seed)[:, -1])) > LEARNED
        ax.plot(n_tokens, rate, "o" if learned else "X", color="black", ms=4.5, mfc="white" if learned else "black")
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
        ax.plot([], [], "X", color="black", label="run stalled", ms=4.5)
        ax.plot([], [], "o", color="black", mfc="white", label="run learned", ms=4.5)
        ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.64))


def _stall_points(ax: Axes, vocab_size: int) -> None:
    """Draw p* against ρ, and where simulated training ends."""
    shades = dict(zip((3, 10, 32), ("#c994c7", "#df65b0", "#980043"), strict=True))
    for n_tokens, colour in shades.items():
        rates = np.linspace(0.01, 0.99, 99)
        points = [closed.stall_point(float(rate), vocab_size, n_tokens) for rate in rates]
        ax.plot(rates, [np.nan if p is None else p for p in points], "-", color=colour, label=f"T = {n_tokens}")
        for index, rate in enumerate((0.1, 0.15, 0.2, 0.25, 0.4, 0.6, 0.9)):
            run = Run(vocab_size, n_tokens, TokenGate("token", rate), 5.0, 1_000 + 6_000 // n_tokens, 800)
            ends = rewards(run, _CONTEXT, 700 + 10 * n_tokens + index).mean(axis=1)
            found = bootstrap(ends, n_resamples=1_000)
            bars = [[found.value - found.low], [found.high - found.value]]
            ax.errorbar([rate], [found.value], bars, fmt="o", color=colour, capsize=2, mfc="white")
    ax.axhline(1 / vocab_size, color="0.6", lw=0.8, ls=":")
    ax.text(0.99, 1 / vocab_size, "uniform", fontsize=7, color="0.4", va="bottom", ha="right")
    ax.set(xlabel="gate rate, ρ", ylabel="mean reward at the end", title=f"stall point, M = {vocab_size}")
    ax.set(ylim=(0, 1.05), xlim=(0, 1))
    ax.legend(loc="lower left", bbox_to_anchor=(0.42, 0.42), title="line: exact, point: 4 runs", title_fontsize=7.5)


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
    speed = group_drift(p, 10, 10, 0.03, 2, "row-advantage") / (p * (1 - p) / 10)
    ax.plot(p, speed, ":", color="#b2182b", label="S = 2, by advantage")
    ax.axhline(0, color="0.3", lw=0.8)
    ax.set(xlabel="probability that a token is right, p", ylabel="drift, in units of PG's", ylim=(-0.03, 0.22))
    ax.set_title("row gate, mean of S answers, ρ = 0.03")
    ax.legend(loc="upper right", ncols=2, columnspacing=1.0, handlelength=1.6)


def _training(ax: Axes) -> None:
    """Draw training from the uniform policy under each gate at the same rate."""
    for index, (name, kind) in enumerate(
        (("token gate", "token"), ("row gate", "row"), ("zero price", "zero-price"))
    ):
        style = method_style(name)
        steps = np.unique(np.geomspace(1, 400, 30).astype(int))
        run = Run(10, 10, TokenGate(kind, 0.1), 10.0, 2_000, 2)
        curves = np.stack([_reward_after(run, int(n), 900 + index) for n in steps], axis=1)
        ax.plot(steps, np.median(curves, axis=0), style.line, color=style.colour, label=name)
        ax.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=style.colour, alpha=_SHADE, lw=0)
    stall = closed.stall_point(0.1, 10, 10)
    assert stall is not None
    ax.axhline(stall, color="0.4", lw=0.8, ls=":")
    ax.text(1.1, stall + 0.02, "predicted stall", fontsize=7.5, color="0.3")
    ax.set(xscale="log", xlabel="updates (learning rate 10)", ylabel="mean reward", ylim=(0, 1))
    ax.set_title("training, M = T = 10, ρ = 0.1, 4 seeds")
    ax.legend(loc="upper left")


def _reward_after(run: Run, n_steps: int, seed: int) -> FloatArray:
    """Return the reward after so many updates; runs with the same seed are the same run, further on."""
    return rewards(replace(run, n_steps=n_steps), _CONTEXT, seed)[:, -1]


def token_dg() -> Figure:
    """Show the stalling temperatures against T, the critical temperature against M, and DG's drift."""
    figure, axes = plt.subplots(1, 3, figsize=(3 * PANEL[0], PANEL[1]))
    colours = dict(zip(_VOCABULARIES, ("#fdbe85", "#fd8d3c", "#d94801", "#7f2704"), strict=True))
    tokens = np.array([10, 12, 14, 16, 18, 20, 24, 28, 32, 45, 64, 90, 128])
    for vocab_size, colour in colours.items():
        windows = [closed.stalling_temperatures(vocab_size, int(n)) for n in tokens]
        ends = np.array([window[-1] if window else (np.nan, np.nan) for window in windows])
        axes[0].plot(tokens, ends[:, 1], "-", color=colour, label=f"M = {vocab_size}")
        axes[0].plot(tokens, ends[:, 0], "-", color=colour)
        axes[0].axhline(closed.critical_temperature(vocab_size), color=colour, lw=0.8, ls=":")
    axes[0].plot(tokens[4:], 4.79 / tokens[4:] ** 2.0, "--", color="0.4", lw=0.9)
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
        few = np.unique(np.geomspace(2, 100_000, 9).astype(int))
        ends = [closed.stalling_temperatures(int(m), n_tokens)[-1][1] for m in few]
        ax.plot(few, ends, marker, color=style.colour, mfc="white", label=f"T = {n_tokens}, exact")
    ax.axhline(1, color="0.5", lw=0.8, ls=":")
    ax.axvline(2634, color="0.5", lw=0.8, ls=":")
    ax.text(2300, 0.12, "M = 2,634", rotation=90, fontsize=7.5, ha="right", va="bottom", color="0.3")
    ax.set(xscale="log", xlabel="vocabulary, M", ylabel="highest stalling temperature, η", ylim=(0, 1.6))
    ax.set_title("where η = 1 stops being safe")
    ax.legend(loc="upper left")


def _ends(ax: Axes) -> None:
    """Draw DG's stall point against the temperature, and where simulated training ends."""
    style = method_style("DG")
    temperatures = np.geomspace(0.004, 1.0, 120)
    points = [closed.stall_point(None, 10, 32, "dg", float(eta)) for eta in temperatures]
    ax.plot(
        temperatures, [np.nan if p is None else p for p in points], color=style.colour, label="stall point, exact"
    )
    for index, eta in enumerate((0.004, 0.03, 0.06, 0.1, 0.2, 0.25, 0.4, 1.0)):
        run = Run(10, 32, TokenGate("dg", temperature=eta), 30.0, 1_000, 400)
        found = bootstrap(rewards(run, _CONTEXT, 800 + index).mean(axis=1), n_resamples=1_000)
        bars = [[found.value - found.low], [found.high - found.value]]
        label = "end of training, 4 runs" if index == 0 else None
        ax.errorbar(
            [eta], [found.value], bars, fmt=style.marker, color=style.colour, capsize=2, mfc="white", label=label
        )
    ax.set(xscale="log", xlabel="temperature, η", ylabel="mean reward at the end", ylim=(0, 1.05))
    ax.set_title("DG on tokens, M = 10, T = 32")
    ax.legend(loc="lower right")
