"""What the neighbours of one token do to the advantage that T tokens share, for any T.

The number of right neighbours, N ~ Bin(T−1, p), enters by its generating function (1 − p + pz)^{T−1}.
"""

from __future__ import annotations

import sympy as sp

__all__ = [
    "T",
    "advantage",
    "all_right",
    "best_advantage",
    "drift",
    "neighbour_mean",
    "neighbours",
    "p",
]

p, T = sp.symbols("p T", positive=True)
neighbours = sp.Symbol("N", nonnegative=True)
_z = sp.Symbol("z", positive=True)


def neighbour_mean(polynomial: sp.Expr) -> sp.Expr:
    """Return E[polynomial(N)], unevaluated: E[N^k] is (z d/dz)^k of the generating function at z = 1."""
    moment, total = (1 - p + p * _z) ** (T - 1), sp.Integer(0)
    for coefficient in reversed(sp.Poly(sp.expand(polynomial), neighbours).all_coeffs()):
        total += coefficient * sp.Subs(moment, _z, 1)
        moment = _z * sp.Derivative(moment, _z)
    return total


def all_right() -> sp.Expr:
    """Return P(N = T − 1), unevaluated: the highest coefficient of the generating function."""
    return sp.Limit((p + (1 - p) / _z) ** (T - 1), _z, sp.oo)


def advantage(right: int) -> sp.Expr:
    """Return A of a right (1) or wrong (0) token with N right neighbours."""
    return (neighbours + right) / T - p


def best_advantage(right: int) -> sp.Expr:
    """Return A where all neighbours are right."""
    return advantage(right).subs(neighbours, T - 1)


def drift(right_mean: sp.Expr, wrong_mean: sp.Expr) -> sp.Expr:
    """Return the drift of the right token's logit from E[kept·A | right] and E[kept·A | wrong]."""
    return p * (1 - p) * right_mean - (1 - p) * p * wrong_mean
