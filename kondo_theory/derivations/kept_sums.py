"""The sum over the kept samples of a batch: its symbols, the control variate, and batches gone through one by one.

Source: this project. Part of the derivation of ``normalised-price-gate``.
"""

from __future__ import annotations

from itertools import product
from math import comb, prod

import sympy as sp

__all__ = [
    "B",
    "best",
    "c",
    "count_variance",
    "divided_by_the_kept",
    "g",
    "h",
    "k",
    "m",
    "mixture",
    "noise",
    "q",
    "rho",
    "spread",
    "v",
    "with_variate",
    "x",
]

rho, x, v = (sp.Symbol(name, positive=True) for name in ("rho", "x", "v"))
g, m, c = (sp.Symbol(name, real=True) for name in ("g", "m", "c"))
B, k = (sp.Symbol(name, positive=True, integer=True) for name in ("B", "k"))
h = sp.Symbol("h", positive=True)  # E[ρB/K; K ≥ 1]
q = sp.Symbol("q", nonnegative=True)  # (1−ρ)^B, the probability that nothing is kept
noise = rho * (1 - rho)
spread = sp.sqrt((1 - rho) / (rho * B))
count_variance = (B * (B - 1) * rho**2 + B * rho) / (rho * B) ** 2 - 1  # of K/(ρB)


def with_variate(variate: sp.Expr) -> sp.Expr:
    """Return the claimed Var[G(y − c)], y one sample's gradient along a direction."""
    return rho * v + noise * (g - variate) ** 2


def divided_by_the_kept(batch: int, keep: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return mean and B·variance of (ρ/K)ΣGy over all batches of three kinds of samples, the third always dropped."""
    masses, values = (keep, keep / 2, 1 - 3 * keep / 2), (sp.Integer(2), sp.Rational(-1, 3))
    rate = 3 * keep / 2
    mean = second = sp.Integer(0)
    for first in range(batch + 1):
        for other in range(batch + 1 - first):
            rest, kept = batch - first - other, first + other
            if kept == 0:
                continue
            ways = sp.Integer(comb(batch, first) * comb(batch - first, other))
            chance = ways * masses[0] ** first * masses[1] ** other * masses[2] ** rest
            value = rate * (first * values[0] + other * values[1]) / kept
            mean, second = mean + chance * value, second + chance * value**2
    return sp.expand(mean), sp.expand(batch * (second - mean**2))


def mixture(
    masses: tuple[sp.Rational, ...], values: tuple[int, ...], batch: int, keep: int
) -> tuple[sp.Expr, sp.Expr]:
    """Return mean and second moment of the best k's sum, from V ~ Beta(k+1, B−k); the first kind scores highest."""
    density = x**keep * (1 - x) ** (batch - keep - 1) * sp.Integer(comb(batch, keep) * (batch - keep))
    mean = second = sp.Integer(0)
    start = total = square = sp.Integer(0)
    for mass, value in zip(masses, values, strict=True):
        one = (total + value * (x - start)) / x  # means of y and y² in the best share x
        two = (square + value**2 * (x - start)) / x
        sums = keep * one, keep * two + keep * (keep - 1) * one**2
        parts = [sp.integrate(sp.expand(sp.cancel(density * each)), (x, start, start + mass)) for each in sums]
        mean, second = mean + parts[0], second + parts[1]
        start, total, square = start + mass, total + mass * value, square + mass * value**2
    return mean, second


def best(masses: tuple[sp.Rational, ...], values: tuple[int, ...], batch: int, keep: int) -> tuple[sp.Expr, sp.Expr]:
    """Return the same by going through all batches; the tied are alike, however the tie is broken."""
    mean = second = sp.Integer(0)
    for draw in product(range(len(masses)), repeat=batch):
        chance = prod((masses[kind] for kind in draw), start=sp.Integer(1))
        kept = sum(values[kind] for kind in sorted(draw)[:keep])
        mean, second = mean + chance * kept, second + chance * kept**2
    return mean, second
