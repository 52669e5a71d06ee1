"""The figure of the price of least expected cost under noisy scores."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kondo_theory.geometry.cascade import cascade_gain
from kondo_theory.geometry.decision_price import gaussian_gain, gaussian_price
from paper_figs.arranging import stack_names
from paper_figs.marks import draw_exact, reference
from paper_figs.panels import caption, finding, panels
from paper_figs.style import GREYS, shades
from paper_figs.wording import number

__all__ = ["decision_price"]

_NOISES = (0.0, 0.5, 1.0, 2.0)


def decision_price(cost: float = 1.0, mean: float = 0.0, deviation: float = 1.0, evaluation: float = 0.05) -> Figure:
    """Draw the gain over keeping nothing against the price, and against the noise at the best price and at c."""
    figure, (prices, noises) = panels(2)
    _against_price(prices, cost, mean, deviation)
    _against_noise(noises, cost, mean, deviation, evaluation)
    caption(f"""Expected gain over keeping nothing, per sample: a backward pass costs c = {cost:g} and is worth the
        sample's delight χ, Gaussian with mean {mean:g} and deviation d = {deviation:g}; scores are χ + τξ, ξ standard
        normal. (a) Against the price on the scores; the mark is the best price, where a sample of that score is worth
        c on average. (b) Against τ/d at the best price, at the price c on raw scores, and where the
        exact delight is learnt, at {evaluation:g} a sample, within the best window of the price (cascade). Everything
        is exact: no points, no seeds.""")
    return figure


def _against_price(ax: Axes, c: float, mu: float, sigma: float) -> None:
    price = np.linspace(c - 2 * sigma, c + 6 * sigma, 241)
    for noise, colour in zip(_NOISES, shades(len(_NOISES)), strict=True):
        ax.plot(price, gaussian_gain(price, c, mu, sigma, noise * sigma), color=colour, label=f"τ = {noise:g}d")
        best = gaussian_price(c, mu, sigma, noise * sigma)
        draw_exact(ax, best, gaussian_gain(best, c, mu, sigma, noise * sigma), colour)
    reference(ax, y=0)
    reference(ax, x=c)
    ax.set(xlabel="price on the score, λ", ylabel="gain over keeping nothing", xlim=(price[0], price[-1]))
    ax.set_ylim(-0.25 * sigma, 0.12 * sigma)
    noise = _NOISES[2]
    moved = float(gaussian_price(c, mu, sigma, noise * sigma))
    finding(ax, f"Noise as large as the deviation moves the best price from {number(c)} to {number(moved)}")
    stack_names(ax, (0.7, 0.5))


def _against_noise(ax: Axes, c: float, mu: float, sigma: float, evaluation: float) -> None:
    noise = np.linspace(0, 3, 121)
    window = cascade_gain(evaluation, c, mu, sigma, noise * sigma)
    ax.plot(noise, window, color=shades(2)[0], label="cascade")
    best = gaussian_gain(gaussian_price(c, mu, sigma, noise * sigma), c, mu, sigma, noise * sigma)
    raw = gaussian_gain(c, c, mu, sigma, noise * sigma)
    ax.plot(noise, best, color=GREYS[0], label="best price, or calibrated scores")
    ax.plot(noise, raw, color=shades(2)[1], label="price c on raw scores")
    reference(ax, y=0)
    ax.set(xlabel="noise over the deviation, τ/d", ylabel="gain over keeping nothing", xlim=(0, 3))
    worse = noise[np.asarray(raw) < 0]
    if worse.size:
        finding(ax, f"From τ = {number(float(worse[0]))}d on the price c loses against keeping nothing")
    else:
        finding(ax, "The price c gains at every noise that is drawn")
    stack_names(ax, (0.03, 0.4))
