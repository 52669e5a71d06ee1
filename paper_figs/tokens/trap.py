"""Figures of the token trap: exact curves as lines and areas, simulated training as points with 95 % intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kondo_theory import token_trap as closed
from kondo_theory.token_trap.groups import group_drift
from paper_figs.arranging import label_at, label_curves, stack_names
from paper_figs.marks import REFERENCE, SIMULATED, draw_rows, mark_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.reversal.trap import RUN_LEARNT, RUN_STALLED
from paper_figs.style import SMALLEST, MethodStyle, method_style, shades
from paper_figs.tables import points, reversal_curves, rows
from paper_figs.wording import P_TOKEN, number, simulated
from simulations.reversal.summary import LEARNT, progress

__all__ = ["row_gate", "token_dg", "token_trap"]

FloatArray = NDArray[np.float64]
_VOCABULARIES = (2, 10, 100, 1000)
_MAP_VOCABULARIES = (2, 3, 5, 10, 30, 100, 1000)
_MAP_TOKENS = (2, 3, 4, 6, 10, 16, 32, 64)
_SHADE = 0.22
_NEAR = 0.02
"""Reward, as near as a stall counts as predicted."""


def token_trap() -> Figure:
    """Map the critical rate with the transformer's runs, the drift, and where training ends against the rate."""
    figure, (rates, drifts, ends) = panels(3, height=2.5, width_ratios=(1.5, 1, 1))
    _critical_rates(rates)
    _drifts(drifts)
    _stall_points(ends)
    caption(f"""Gates that keep a fixed share ρ of tokens, answers of T tokens of M kinds. (a) Numbers and shades: the
        critical rate ρ_c in percent, below which training stalls (exact; 0: small rates learn). Below them the
        transformer's runs on token reversal (filled, measured on networks, T its prompt): left those with ρ < ρ_c,
        right those with ρ > ρ_c, ✖ if they stalled, a dot if they learnt. (b) Drift of three gates over PG's, M = T
        = 10, ρ = 0.1. (c) Mean reward at which training ends, M = 10. Lines: exact.
        {simulated("token-runs")}""")
    return figure


def _critical_rates(ax: Axes) -> None:
    """Map ρ_c over tokens and vocabulary, and mark what became of the transformer's runs at each pair."""
    vocabularies = _MAP_VOCABULARIES[::-1]
    critical = np.array([[closed.critical_rate(m, t) for t in _MAP_TOKENS] for m in vocabularies])
    style = method_style("token gate")
    sns.heatmap(
        pd.DataFrame(100 * critical, [f"{m:,}" for m in vocabularies], list(_MAP_TOKENS)),
        ax=ax,
        annot=True,
        fmt=".0f",
        annot_kws={"va": "bottom", "size": SMALLEST},
        cmap=sns.light_palette(style.colour, as_cmap=True),
        vmax=100 * critical.max() * 1.6,
        cbar=False,
        linewidths=0.6,
    )
    ends = progress(reversal_curves("token-trap").frame)
    runs = ends[ends["method"] == "token-gate"]
    runs = runs.assign(critical=closed.critical_rate(runs["vocab_size"], runs["length"]))
    setting: Any
    for setting, found in runs.groupby(["vocab_size", "length", "rate"]):
        vocab_size, n_tokens, rate = setting
        if vocab_size not in vocabularies or n_tokens not in _MAP_TOKENS:
            continue
        x = _MAP_TOKENS.index(n_tokens) + (0.3 if rate < found["critical"].iloc[0] else 0.7)
        y = vocabularies.index(vocab_size) + 0.74
        mark_measured(ax, x, y, RUN_LEARNT if found["learnt"].mean() > 0.5 else RUN_STALLED, ms=4)
    ax.set(xlabel="tokens per answer, T", ylabel="vocabulary, M")
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0)
    below = runs[runs["rate"] < runs["critical"]]
    above = runs[runs["rate"] > runs["critical"]]
    finding(
        ax,
        f"Below the critical rate {int((~below['learnt'].astype(bool)).sum())} of {len(below)} runs of a transformer "
        f"stall, above it {int(above['learnt'].sum())} of {len(above)} learn",
    )


def _stall_points(ax: Axes, vocab_size: int = 10) -> None:
    """Draw p* against ρ, and where simulated training ends."""
    gaps: list[float] = []
    for n_tokens, colour in zip((3, 10, 32), shades(3), strict=True):
        stall = rows("token-trap", gate="token", vocab_size=vocab_size, n_tokens=n_tokens).sort_values("rate")
        ax.plot(stall["rate"], stall["stall_point"], "-", color=colour, label=f"T = {n_tokens}")
        found = points("token-runs", "reward at the end", vocab_size=vocab_size, n_tokens=n_tokens, n_steps=800)
        draw_rows(ax, found, "rate", MethodStyle(colour, "o"))
        stalled = found[found["estimate"] < LEARNT]
        gaps.extend((stalled["estimate"] - np.interp(stalled["rate"], stall["rate"], stall["stall_point"])).abs())
    reference(ax, y=1 / vocab_size)
    ax.text(0.99, 1 / vocab_size, "uniform", color="0.4", va="bottom", ha="right")
    ax.set(xlabel="gate rate, ρ", ylabel="mean reward at the end", ylim=(0, 1.05), xlim=(0, 1))
    near = sum(gap < _NEAR for gap in gaps)
    finding(ax, f"{near} of {len(gaps)} simulated stalls are within {_NEAR:g} of the prediction")
    stack_names(ax, (0.4, 0.85))


def _drifts(ax: Axes) -> None:
    """Draw the drift of every gate against p, in units of PG's."""
    p = np.linspace(0.02, 0.98, 481)
    scale = p * (1 - p) / 10
    for name, gate in (("zero price", "zero-price"), ("row gate", "row"), ("token gate", "token")):
        style = method_style(name)
        speed = closed.drift(p, 10, 10, 0.1, gate) / scale
        ax.plot(p, speed, color=style.colour, label=name)
    stall = closed.stall_point(0.1, 10, 10)
    assert stall is not None
    reference(ax, y=0)
    ax.fill_between(p, np.minimum(speed, 0), 0, color=style.colour, alpha=_SHADE, lw=0)
    ax.set(xlabel=P_TOKEN, ylabel="drift, in units of PG's", ylim=(-0.45, 0.95))
    ax.set_xlim(0, 1)
    for name, place in (("zero price", (0.5, 0.58)), ("row gate", (0.2, 0.4)), ("token gate", (0.02, -0.38))):
        ax.text(*place, name, color=method_style(name).colour)
    finding(ax, f"At p = {number(stall)} the token gate's drift turns against the right token")


def row_gate() -> Figure:
    """Show the row gate's drift at several rates, what a group's mean as the baseline does, and training."""
    figure, axes = panels(3, height=2.4)
    _rates(axes[0])
    _groups(axes[1])
    _training(axes[2])
    caption(f"""Drift over PG's of gates that keep a share ρ of whole answers (rows) or of tokens, against the
        probability p that a token is right, M = T = 10, with the exact mean as the baseline (a, ρ in percent); of the
        row gate with the mean of S answers as the baseline, ρ = 3 % (b). Lines: exact. (c) Mean reward of simulated
        training at ρ = 10 %, learning rate 10; bands: from the least to the greatest run, dotted: the predicted
        stall. {simulated("token-learning")}""")
    return figure


def _speed(p: FloatArray, rate: float, gate: str) -> FloatArray:
    """Return a gate's drift over PG's for M = T = 10."""
    return np.asarray(closed.drift(p, 10, 10, rate, gate) / (p * (1 - p) / 10))


def _rates(ax: Axes) -> None:
    """Draw the row gate's drift at three rates, and the token gate's at the middle one."""
    p = np.linspace(0.005, 0.995, 397)
    token = _speed(p, 0.1, "token")
    ax.plot(p, token, color=method_style("token gate").colour, label="tokens, 10 %")
    lowest = []
    for rate, colour in zip((0.03, 0.1, 0.3), shades(4)[1:], strict=True):
        speed = _speed(p, rate, "row")
        ax.plot(p, speed, color=colour, label=f"rows, {100 * rate:g} %")
        lowest.append(float(speed.min()))
    reference(ax, y=0)
    ax.set(xlabel=P_TOKEN, ylabel="drift, in units of PG's", ylim=(-0.5, 1.15))
    ax.set_xlim(0, 1)
    turned = "never drifts" if min(lowest) > -1e-9 else f"drifts at most {number(-min(lowest))}"
    finding(ax, f"The row gate {turned} away from the answer, the token gate by up to {number(-float(token.min()))}")
    stack_names(ax, (0.99, 0.99))


def _groups(ax: Axes) -> None:
    """Draw the row gate's drift with the mean of S answers as the baseline."""
    p = np.linspace(0.02, 0.98, 97)
    back = {}
    for size, colour in zip((2, 4, 10), shades(4)[1:], strict=True):
        speed = group_drift(p, 10, 10, 0.03, size, "row") / (p * (1 - p) / 10)
        ax.plot(p, speed, color=colour, label=f"S = {size}")
        back[size] = p[speed < 0]
    advantage = group_drift(p, 10, 10, 0.03, 2, "row", "advantage") / (p * (1 - p) / 10)
    ax.plot(p, advantage, color=method_style("advantage").colour, label="S = 2, by advantage", lw=2)
    reference(ax, y=0)
    ax.set(xlabel=P_TOKEN, ylabel="drift, in units of PG's", ylim=(-0.03, 0.25))
    ax.set_xlim(0, 1)
    by = "does not" if float(advantage.min()) >= 0 else "does so too"
    finding(ax, f"With S = 2 it drifts away from p = {number(float(back[2].min()))} on; by advantage it {by}")
    stack_names(ax, (0.99, 0.98))


def _training(ax: Axes) -> None:
    """Draw training from the uniform policy under each gate at the same rate."""
    places = {"zero-price": (2.2, 0.62), "row": (60, 0.62), "token": (60, 0.12)}
    ends = {}
    for name, gate in (("token gate", "token"), ("row gate", "row"), ("zero price", "zero-price")):
        style = method_style(name)
        context = {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, "learning_rate": 10.0}
        found = points("token-learning", "reward", gate=gate, **context)
        look: Any = {"marker": style.marker, "mfc": "white", "markevery": 4, "gid": SIMULATED}
        ax.plot(found["update"], found["estimate"], color=style.colour, **look)
        ax.fill_between(found["update"], found["low"], found["high"], color=style.colour, alpha=_SHADE, lw=0)
        ax.text(*places[gate], name, color=style.colour)
        ends[gate] = float(found["estimate"].iloc[-1])
    stall = closed.stall_point(0.1, 10, 10)
    assert stall is not None
    reference(ax, y=stall)
    ax.text(1, stall + 0.02, "predicted", color="0.3")
    ax.set(xscale="log", xlabel="updates", ylabel="mean reward", ylim=(0, 1))
    finding(ax, f"Trained at ρ = 10 % on rows it ends at {number(ends['row'])}, on tokens at {number(ends['token'])}")


def token_dg() -> Figure:
    """Show the stalling temperatures against T, the critical temperature against M, and DG's drift."""
    figure, axes = panels(3, height=2.3)
    for vocab_size, colour in zip(_VOCABULARIES, shades(len(_VOCABULARIES)), strict=True):
        window = rows("token-windows", gate="dg", vocab_size=vocab_size).groupby("n_tokens").last()
        axes[0].plot(window.index, window["high"], color=colour, label=f"M = {vocab_size:,}")
        axes[0].plot(window.index, window["low"], color=colour)
        reference(axes[0], y=closed.critical_temperature(vocab_size), colour=colour)
    tokens = np.array([18, 128])
    axes[0].plot(tokens, 4.79 / tokens**2.0, "--", color="0.4", lw=0.9, gid=REFERENCE)
    axes[0].text(40, 0.001, "4.79/T²", color="0.3", ha="right")
    axes[0].text(50, 0.03, "DG stalls between\nits two lines", color="0.3", ha="center", va="center")
    axes[0].set(xscale="log", yscale="log", xlabel="tokens per answer, T", ylabel="temperature, η", ylim=(2e-4, 4))
    axes[0].set_xticks([10, 32, 100], ["10", "32", "100"])
    last = rows("token-windows", gate="dg", vocab_size=10, n_tokens=128).iloc[-1]
    finding(axes[0], f"At M = 10, T = 128 DG stalls for η from {number(last['low'])} to {number(last['high'])}")
    label_curves(axes[0])
    _critical(axes[1])
    _ends(axes[2])
    caption(f"""DG on answers of T tokens of M kinds. (a) Temperatures η at which it stalls lie between two lines;
        dotted: the upper end as T → ∞, dashed: the lower end's 4.79/T². (b) That upper end, and those at finite T.
        (c) The reward at which it stalls for M = 10, T = 32. Lines: exact.
        {simulated("token-runs")}""")
    return figure


def _critical(ax: Axes) -> None:
    """Draw the critical temperature and the upper ends of the window at finite T."""
    sizes = np.unique(np.concatenate([np.geomspace(2, 100_000, 60).astype(int), np.arange(2_500, 2_800, 2)]))
    style = method_style("DG")
    critical = np.array([closed.critical_temperature(int(m)) for m in sizes])
    ax.plot(sizes, critical, color=style.colour, label="T → ∞")
    for n_tokens, colour in zip((32, 128), shades(3), strict=False):
        ends = rows("token-windows", gate="dg", n_tokens=n_tokens).groupby("vocab_size")["high"].max()
        ax.plot(ends.index, ends, color=colour, label=f"T = {n_tokens}")
    first = int(sizes[critical > 1][0])
    reference(ax, y=1)
    reference(ax, x=first)
    ax.set(
        xscale="log", xlabel="vocabulary, M", ylabel="highest stalling temperature, η", ylim=(0, 1.6), xlim=(1.8, 1e5)
    )
    label_curves(ax)
    finding(ax, f"The published η = 1 is safe up to about M = {number(first, 3)}")


def _ends(ax: Axes) -> None:
    """Draw DG's stall point against the temperature, and where simulated training ends."""
    style = method_style("DG")
    stall = rows("token-trap", gate="dg", vocab_size=10, n_tokens=32)
    ax.plot(stall["temperature"], stall["stall_point"], color=style.colour, label="stall point")
    found = points("token-runs", "reward at the end", vocab_size=10, n_tokens=32, gate="dg")
    draw_rows(ax, found, "temperature", style)
    label_at(ax, {"stall point": (0.1, 0, -4)}, ha="center")
    ax.set(xscale="log", xlabel="temperature, η", ylabel="mean reward at the end", ylim=(0, 1.05))
    lowest = found.sort_values("estimate").iloc[0]
    finding(ax, f"Training ends there: at η = {lowest['temperature']:g} at a reward of {number(lowest['estimate'])}")
