"""Symbols and Gaussian functions of the gambling derivations: one gambling arm with probability x, Δ = 1."""

from __future__ import annotations

import sympy as sp

__all__ = [
    "by_erf",
    "density",
    "eta",
    "excess_density",
    "expected_reward",
    "gain_above",
    "isoperimetric",
    "m",
    "normal_mean",
    "odds",
    "positive_part",
    "r",
    "rho",
    "s",
    "t",
    "tau",
    "u",
    "update_of_log_odds",
    "upper_tail",
    "x",
    "xi",
]

x, r, eta, u, t = sp.symbols("x r eta u t", positive=True)  # share, noise ratio, temperature, advantage, deviate
m = sp.Symbol("m", positive=True)  # 1 − x, how far the gamble's mean lies below zero
s = sp.Symbol("s", positive=True)  # m/r
odds = sp.Symbol("o", positive=True)  # x/(1 − x)
rho, tau = sp.symbols("rho tau", positive=True)  # gate rate, share kept of the gambles
xi = sp.Symbol("xi", real=True)  # a standard normal deviate


def density(z: sp.Expr) -> sp.Expr:
    """Return φ(z)."""
    return sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)


def upper_tail(z: sp.Expr) -> sp.Expr:
    """Return Φ(−z)."""
    return sp.erfc(z / sp.sqrt(2)) / 2


def isoperimetric(share: sp.Expr) -> sp.Expr:
    """Return I(τ) = φ(Φ⁻¹(τ)); Φ⁻¹(1−τ) = √2·erf⁻¹(1−2τ)."""
    return density(sp.sqrt(2) * sp.erfinv(1 - 2 * share))


def positive_part(gap: sp.Expr = m, noise: sp.Expr = r) -> sp.Expr:
    """Return h(m, r) = E[U₊] of U ~ N(−m, r²)."""
    return noise * density(gap / noise) - gap * upper_tail(gap / noise)


def normal_mean(value: sp.Expr) -> sp.Integral:
    """Return E[value(ξ)] of ξ ~ N(0, 1), unevaluated."""
    return sp.Integral(value * density(xi), (xi, -sp.oo, sp.oo))


def gain_above(threshold: sp.Expr, mean: sp.Expr = -m) -> sp.Integral:
    """Return E[U; ξ > z] of U = mean + rξ, unevaluated."""
    return sp.Integral((mean + r * xi) * density(xi), (xi, threshold, sp.oo))


def excess_density(gap: sp.Expr) -> sp.Expr:
    """Return what E[U₊], U ~ N(−gap, r²), integrates over t > 0, in the ξ = gap/r + t that exceed the threshold."""
    return r * t * density(t + gap / r)


def expected_reward() -> sp.Expr:
    """Return b = E R: arm 1 pays 0, arm 2 pays −1 + rξ with probability x."""
    return x * normal_mean(-1 + r * xi)


def update_of_log_odds(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Return the expected update of z₁ − z₂ from the gated means of the two arms, by the scores e_a − π."""
    policy = sp.Matrix([1 - x, x])
    total = sp.zeros(2, 1)
    for arm, mean in enumerate((first, second)):
        total += policy[arm] * mean * (sp.eye(2)[:, arm] - policy)
    return total[0] - total[1]


def by_erf(expression: sp.Expr) -> sp.Expr:
    """Return an expression with its integrals carried out and its error functions written one way."""
    return expression.doit().rewrite(sp.erf)
