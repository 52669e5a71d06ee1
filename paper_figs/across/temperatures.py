"""The figure of gates drawn at the batch's quantile: what they keep, and errors over temperatures on both tasks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.quantile_gate import exponential_share
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import MethodStyle, method_style, shades
from paper_figs.tables import measured, reversal_curves
from paper_figs.wording import count, number, percent
from simulations.reversal.summary import FINAL_EVALUATIONS, final
from simulations.statistics import bootstrap

__all__ = ["temperature_robustness"]

_RATES, _SOFT = (0.03, 0.1, 0.3), (0.1, 0.3, 1.0)
_NONE = 0.03  # where η = 0 stands on a logarithmic axis


def temperature_robustness() -> Figure:
    """Draw kept shares against η, and errors on MNIST against the share and against η, on token reversal too."""
    images = measured("mnist-temperature", "mnist-temperature-paper", "mnist-temperature-quick").frame
    answers = reversal_curves("temperature").frame
    figure, (shares, errors, robust) = panels(3)
    _shares(shares)
    _errors(errors, images)
    _robust(robust, images, answers)
    seeds, few = images["seed"].nunique(), answers["seed"].nunique()
    caption(f"""Gates at a rate ρ and a temperature η: each sample is drawn with probability σ((χ−λ)/η), λ the batch's
        1−ρ quantile. (a) What is kept of exponential delight of mean one, η in units of the mean; dotted: one half.
        Lines: exact. (b) MNIST: final test error against the share that was kept: hard gates at 3 to 50 %, and at
        each ρ the soft ones, warmer from left to right. (c) Final errors against η, on MNIST and of tokens on token
        reversal (H = 10, M = 2). Points: medians over {count([seeds])} seeds on MNIST and {count([few])} on token
        reversal, of the mean of the last three evaluations, with 95 % bootstrap intervals. Measured on networks.""")
    return figure


def _shares(ax: Axes) -> None:
    eta = np.geomspace(0.01, 100, 200)
    rates = (0.01, 0.03, 0.1, 0.45)
    for rate, colour in zip(rates, shades(len(rates)), strict=True):
        ax.plot(eta, exponential_share(rate, eta), color=colour, label=f"ρ = {100 * rate:g} %")
    reference(ax, y=0.5)
    ax.set(xscale="log", yscale="log", xlabel="temperature η", ylabel="share kept", ylim=(0.008, 0.9))
    kept = float(exponential_share(0.03, 1.0))
    finding(ax, f"At ρ = {percent(0.03, 1)} and η = 1 the gate keeps {percent(kept)}")
    stack_names(ax, (0.97, 0.45))


def _errors(ax: Axes, images: pd.DataFrame) -> None:
    hard = [f"DG-K({100 * rate:g} %)" for rate in (*_RATES, 0.5)]
    found = _drawn(ax, images, hard, method_style("exact k"))
    names = {"hard": method_style("exact k").colour}
    for rate, colour in zip(_RATES, shades(len(_RATES)), strict=True):
        soft = [f"DG-K({100 * rate:g} %, η={eta:g})" for eta in _SOFT]
        there = [label for label in soft if label in set(images["label"])]
        found |= _drawn(ax, images, there, MethodStyle(colour, "o"))
        names[f"soft, ρ = {100 * rate:g} %"] = colour
    ax.set(xlabel="share of the samples kept", ylabel="final test error (percent)", xlim=(0, 0.55))
    warm, half = found[f"DG-K(3 %, η={_SOFT[-1]:g})"], found["DG-K(50 %)"]
    finding(ax, f"ρ = {percent(0.03, 1)} at η = 1 ends at {number(warm)} %, the hard gate at {percent(0.5, 1)} at "
                f"{number(half)} %")  # fmt: skip
    stack_names(ax, (0.05, 0.97), names)


def _drawn(ax: Axes, images: pd.DataFrame, labels: list[str], style: MethodStyle) -> dict[str, float]:
    """Draw final errors against shares kept, and return the medians of the errors in percent by label."""
    runs = {each: images[images["label"] == each] for each in labels}
    share = [float(np.median(_shares_of(each))) for each in runs.values()]
    ends = [bootstrap(100 * _final(each)) for each in runs.values()]
    value, low, high = ([getattr(end, name) for end in ends] for name in ("value", "low", "high"))
    draw_measured(ax, share, value, low, high, style)
    return dict(zip(labels, value, strict=True))


def _shares_of(runs: pd.DataFrame) -> pd.Series:
    spent = runs.groupby("seed")[["backward_samples", "forward_samples"]].max()
    return spent["backward_samples"] / spent["forward_samples"]


def _final(runs: pd.DataFrame) -> np.ndarray:
    """Return the mean test error of each seed's last evaluations, as the rule of the claim says."""
    curves = runs.sort_values(["seed", "update"]).groupby("seed")["test_error"]
    return curves.apply(lambda errors: errors.tail(FINAL_EVALUATIONS).mean()).to_numpy(np.float64)


def _robust(ax: Axes, images: pd.DataFrame, answers: pd.DataFrame) -> None:
    most, names = {}, {}
    for name, style, frame, labels in (
        ("DG, MNIST", "DG", images, {eta: _dg(eta) for eta in (0.1, 0.3, 1.0, 3.0, 10.0)}),
        ("DG-K(3 %), MNIST", "DG-K(3 %)", images, _gates("DG-K")),
        ("token gate(3 %), reversal", "token gate", answers, _gates("token gate")),
    ):
        there = {eta: label for eta, label in labels.items() if label in set(frame["label"])}
        runs = [frame[frame["label"] == label] for label in there.values()]
        ends = [bootstrap(_final(each) if frame is images else final(each, "token_error")) for each in runs]
        if not ends:
            continue
        value, low, high = ([100 * getattr(end, each) for end in ends] for each in ("value", "low", "high"))
        places = [eta or _NONE for eta in there]
        draw_measured(ax, places, value, low, high, method_style(style))
        names[name] = method_style(style).colour
        most[name] = max(value) / min(value)
    ax.set(xscale="log", yscale="log", xlabel="temperature η", ylabel="final error (percent)")
    ax.set_ylim(top=300)  # room for the names
    ax.set_xticks([_NONE, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    worst = max(most, key=lambda name: most[name])
    finding(ax, f"Errors move by up to {number(most[worst])} times, most for the {worst}")
    stack_names(ax, (0.97, 0.97), names)


def _dg(eta: float) -> str:
    return "DG" if eta == 1 else f"DG(η={eta:g})"


def _gates(name: str) -> dict[float, str]:
    return {0.0: f"{name}(3 %)"} | {eta: f"{name}(3 %, η={eta:g})" for eta in _SOFT}
