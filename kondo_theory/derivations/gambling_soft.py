"""DG's gate on a gamble: the sigmoid, and the slope of what it lets through; shared by two derivations."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kondo_theory.derivations.proof import Proof

__all__ = [
    "gate_slope",
    "gate_slope_steps",
    "sigmoid",
]

_y = sp.Symbol("y", positive=True)


def sigmoid(z: sp.Expr) -> sp.Expr:
    """Return σ(z)."""
    return 1 / (1 + sp.exp(-z))


def gate_slope(z: sp.Expr) -> sp.Expr:
    """Return v(z) = d(zσ(z))/dz = σ + zσ′."""
    return sigmoid(z) + z * sigmoid(z) * sigmoid(-z)


def gate_slope_steps(proof: Proof) -> Callable[[sp.Expr], sp.Expr]:
    """Add the steps that v − 1/2 is odd and positive on y > 0; return it there, as a function of y."""
    proof.identity(
        "v = d(zσ(z))/dz = σ + zσ′.", sp.Derivative(_y * sigmoid(_y), _y), gate_slope(_y), latex="v=(z\\sigma)'"
    )
    proof.identity("v − 1/2 is odd,", gate_slope(_y) + gate_slope(-_y), sp.Integer(1), latex="v(y)+v(-y)=1")

    def over(z: sp.Expr) -> sp.Expr:
        return sp.tanh(z / 2) / 2 + z / (4 * sp.cosh(z / 2) ** 2)

    proof.identity(
        "and v(y) − 1/2 = ½tanh(y/2) + y/(4cosh²(y/2)),",
        gate_slope(_y),
        sp.Rational(1, 2) + over(_y).rewrite(sp.exp),
        latex=r"v(y)=\tfrac12+\tfrac12\tanh\tfrac y2+\frac{y}{4\cosh^2(y/2)}",
    )
    proof.check("which is positive for y > 0.", over(_y).is_positive, latex=r"v(y)>\tfrac12\quad(y>0)")
    return over
