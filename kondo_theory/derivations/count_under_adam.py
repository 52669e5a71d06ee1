"""What an optimizer that divides by the root of a slowly moving second moment leaves of a gate's random count.

Source: this project. Part of the derivation of ``normalised-price-gate``.
"""

from __future__ import annotations

from math import comb

import sympy as sp

from kondo_theory.derivations.kept_sums import B, count_variance, g, rho, spread, v, with_variate, x
from kondo_theory.derivations.proof import Proof

__all__ = ["under_adam"]


def under_adam(proof: Proof) -> None:
    """Show what is left of it where steps are divided by the root of a slowly moving second moment."""
    proof.argue(
        "A price gate's step is K/(ρB) times that of the gate divided by the kept. Adam does not take this factor "
        "out: its standard deviation is √((1−ρ)/(ρB)), its mean 1.",
        "both are multiples of one sum, with one factor for all parameters; the second moment is an average over "
        "many steps (1,000 at β₂ = 0.999) and hardly moves with the K of one",
        sp.cancel(count_variance - spread**2) == 0,
        latex=r"\frac{K}{\rho B}:\quad 1,\ \sqrt{\frac{1-\rho}{\rho B}}",
    )
    mean = rho * g
    price, kept = with_variate(sp.Integer(0)) / B, with_variate(g) / B
    longer = sp.cancel((mean**2 + price) / (mean**2 + kept) - 1)
    room = (1 - rho) * v / (rho * B * (B * rho * g**2 + v))
    proof.check(
        "Adam's mean step is the mean over the root of the mean square. Dividing by the kept makes it longer (h = 1),"
        " at most by the factor √(1 + (1−ρ)/(ρB)), reached by a parameter without other noise (v = 0).",
        sp.cancel(spread**2 - longer - room) == 0
        and room.subs(rho, x / (1 + x)).is_positive
        and longer.subs(v, 0).equals(spread**2),
        latex=r"1\le\frac{\mathbb E y_{\mathrm{price}}^2}{\mathbb E y_{\mathrm{kept}}^2}"
        r"\le1+\frac{1-\rho}{\rho B}",
    )
    proof.identity(
        "The noise of a step relative to its mean is the gradient's own, whatever constant divides it:",
        price / mean**2,
        spread**2 + v / (rho * B * g**2),
        latex=r"\frac{1-\rho}{\rho B}+\frac{v}{\rho Bg^2}\ \text{(price)},\qquad \frac{hv}{\rho Bg^2}\ "
        r"\text{(divided by the kept)}",
    )
    proof.argue(
        "The factor is a clock and no direction: over T steps along one gradient it varies, relative to T, by "
        "√((1−ρ)/(ρBT)). Across, what a sum over steps keeps is h times as noisy if each is divided by its kept.",
        "the sum of the price gate's steps gives every kept sample of the run the same weight; dividing by K gives "
        "those of a batch that kept few more weight",
        latex=r"\sqrt{\frac{1-\rho}{\rho BT}},\qquad h=\mathbb E\Bigl[\frac{\rho B}{K};K\ge1\Bigr]",
    )
    rate = sp.Rational(3, 100)
    at = {rho: rate, B: 100}
    law = [sp.Integer(comb(100, n)) * rate**n * (1 - rate) ** (100 - n) for n in range(101)]
    sizes = {
        spread.subs(at): "0.57",
        sp.sqrt(1 + spread**2).subs(at): "1.15",
        3 * sum(law[n] / n for n in range(1, 101)): "1.23",
        spread.subs(at) / sp.sqrt(1000): "0.02",
    }
    proof.sample(
        "B = 100, ρ = 3 %: the factor varies by 57 %, a mean step is at most 15 % longer, the kept samples' own "
        "noise is 23 % larger (h = 1.23), and over 1,000 steps the clock varies by 2 %.",
        [abs(size - sp.Rational(printed)) < sp.Rational(1, 200) for size, printed in sizes.items()],
        latex=r"0.57,\quad 1.15,\quad h=1.23,\quad 0.02",
    )
