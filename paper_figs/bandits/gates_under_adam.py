"""The figure of what Adam leaves of a gate: steps in one context, predicted gains on MNIST, learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.adam import adam_step, logit_moments, one_gradient_step
from kondo_theory.geometry.symmetric import symmetric_arms
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_measured, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import method_style
from paper_figs.tables import measured
from paper_figs.wording import number, percent
from simulations.mnist.summary import final_error

__all__ = ["gates_under_adam"]

_PREDICTED = {label: label for label in ("PG", "DG", "DG-K(10 %)", "DG-K(3 %)", "DG-K(1 %)")}
_TRAINED = {
    "DG-K(3 %)": "exact k",
    "price(3 %)": "price at the same rate",
    "price(3 %), by the kept": "divided by the kept",
    "last-layer(3 %)": "last layer",
}
"""Labels of the tables, and the styles that they are drawn in."""


def gates_under_adam(n_arms: int = 10, baseline: float = 0.5, batch_size: int = 100) -> Figure:
    """Show Adam's mean steps in one context, predicted gains of methods along training, and gates trained at 3 %."""
    figure, axes = panels(3, height=2.8)
    _steps(axes[0], n_arms, baseline, batch_size)
    predicted = measured("mnist-adam", "mnist-adam-paper", "mnist-adam-quick").frame
    _gains(axes[1], predicted)
    curves = measured("mnist-curves", "mnist-curves-paper", "mnist-curves-quick").frame
    _curves(axes[2], curves)
    caption(f"""(a) Size of Adam's mean step per unit of learning rate in one context of K = {n_arms} arms, b =
        {baseline:g}, batches of {batch_size}, against the probability p of the right arm: zero price moves all logits
        alike, PG the right arm's and, lower, a wrong arm's. Lines: exact, β₂ → 1. (b) What an update is predicted to
        gain in mean reward, over PG's, at policies along the training of DG-K(3 %) on MNIST: from exact first and
        second moments of every parameter's gradient; points: median of {predicted["seed"].nunique()} seeds,
        bars: least and greatest. (c) Greedy test error of gates at 3 % under Adam 1e-3: exactly k by delight, at a
        price that holds the rate, its sum divided by the number kept, and the samples whose last-layer gradient is
        most aligned with its average; median of {curves["seed"].nunique()} seeds, measured on networks, bands: least
        and greatest.""")
    return figure


def _steps(ax: Axes, n_arms: int, baseline: float, size: int) -> None:
    """Draw the sizes of mean steps against the probability of the right arm."""
    p = np.linspace(0.005, 0.995, 200)
    each = [logit_moments(*symmetric_arms(n_arms, float(x), baseline), 1.0, 1.0) for x in p]
    steps = np.array([np.abs(adam_step(mean, variance / size))[:2] for mean, variance in each])
    zero = np.asarray(one_gradient_step(p, size))
    ax.plot(p, zero, color=method_style("zero price").colour)
    for place in (0, 1):
        ax.plot(p, steps[:, place], color=method_style("PG").colour)
    reference(ax, y=1.0)
    ax.set(
        xlabel="right\N{NO-BREAK SPACE}arm,\N{NO-BREAK SPACE}p",
        ylabel="size of Adam's mean step",
        xlim=(0, 1),
        ylim=(0, 1.05),
    )
    stack_names(ax, (0.97, 0.03), {name: method_style(name).colour for name in ("PG", "zero price")})
    at = int(np.argmin(np.abs(p - 0.1)))
    finding(
        ax,
        f"At p = 0.1 zero price moves every logit by {number(zero[at])}, PG wrong arms' by {number(steps[at, 1])}",
    )


def _gains(ax: Axes, predicted: pd.DataFrame) -> None:
    """Draw predicted gains over PG's at each policy, along PG's gradient."""
    along = predicted[predicted["direction"] == "PG"]
    gains = along.pivot(index=["seed", "target"], columns="label", values="progress")
    over = gains.div(gains["PG"], axis=0)
    last = {}
    for label, name in _PREDICTED.items():
        found = over[label].groupby("target")
        low, middle, high = (found.quantile(level) for level in (0.0, 0.5, 1.0))
        style = method_style(name)
        draw_measured(ax, 100 * middle.index, middle, low, high, style)
        last[label] = middle
    ax.set(xlabel="accuracy\N{NO-BREAK SPACE}(percent)", ylabel="predicted gain over PG's", ylim=(0, 2.2))
    stack_names(ax, (0.03, 0.97), {name: method_style(name).colour for name in _PREDICTED.values()})
    three = last["DG-K(3 %)"]
    finding(
        ax,
        f"From a common policy DG-K(3 %) is predicted to gain {percent(three.loc[0.8])} of PG at 80 % accuracy, "
        f"{percent(three.loc[0.95])} at 95 %",
    )


def _curves(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw test error against updates, the median of the seeds in the band of them all."""
    ends = {}
    for label, name in _TRAINED.items():
        errors = 100 * frame[frame["label"] == label].pivot(index="update", columns="seed", values="test_error")
        low, middle, high = (errors.quantile(level, axis=1) for level in (0.0, 0.5, 1.0))
        draw_measured(ax, errors.index, middle, low, high, method_style(name), marks=6)
        ends[label] = 100 * float(np.median(final_error(frame, label)))
    ax.set(yscale="log", ylim=(4, 120), xlabel="updates", ylabel="test error (percent)")
    ax.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    ax.minorticks_off()
    names = dict(zip(("exact k", "price", "divided by the kept", "last layer"), _TRAINED.values(), strict=True))
    stack_names(ax, (0.97, 0.86), {name: method_style(style).colour for name, style in names.items()})
    finding(
        ax,
        f"At 3 % exact k ends at {number(ends['DG-K(3 %)'])} % error, a price at {number(ends['price(3 %)'])} %, "
        f"divided by the kept at {number(ends['price(3 %), by the kept'])} %, the last layer's gate at "
        f"{number(ends['last-layer(3 %)'])} %",
    )
