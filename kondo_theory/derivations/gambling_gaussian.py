"""Symbols and Gaussian functions of the gambling derivations: one gambling arm with probability x, Δ = 1."""

from __future__ import annotations

import sympy as sp

x, r, eta, u, t = sp.symbols("x r eta u t", positive=True)  # share, noise ratio, temperature, advantages, deviates
m = sp.Symbol("m", positive=True)  # 1 − x, how far the gamble's mean lies below zero
s = sp.Symbol("s", positive=True)  # m/r
rho, tau = sp.symbols("rho tau", positive=True)  # gate rate, share kept of the gambles


def density(z: sp.Expr) -> sp.Expr:
    """Return φ(z)."""
    return sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)


def upper_tail(z: sp.Expr) -> sp.Expr:
    """Return Φ(−z)."""
    return sp.erfc(z / sp.sqrt(2)) / 2


def positive_part(gap: sp.Expr = m, noise: sp.Expr = r) -> sp.Expr:
    """Return h(m, r) = E[U₊] of U ~ N(−m, r²)."""
    return noise * density(gap / noise) - gap * upper_tail(gap / noise)


def mean_above(threshold: sp.Expr) -> sp.Expr:
    """Return ∫_z^∞ (−m + rt)φ(t)dt, by SymPy's integration."""
    z = sp.Symbol("z", real=True)
    return sp.integrate((-m + r * t) * density(t), (t, z, sp.oo)).subs(z, threshold)


def update_of_log_odds(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Return the expected update of z₁ − z₂ from the gated means of the two arms, by the scores e_a − π."""
    policy = sp.Matrix([1 - x, x])
    total = sp.zeros(2, 1)
    for arm, mean in enumerate((first, second)):
        total += policy[arm] * mean * (sp.eye(2)[:, arm] - policy)
    return total[0] - total[1]
