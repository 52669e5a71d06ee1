"""The gate of a rate with the least cost of signal, and the one with the least noise among those without bias.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_S, _Q, _rho, _exchange, _t, _w, _q, _mu = (
    sp.Symbol(name, positive=True) for name in ("S", "Q", "rho", "x", "t", "w", "q", "mu")
)
_POLICY = (sp.Rational(4, 5), sp.Rational(3, 20), sp.Rational(1, 20))
_ADVANTAGE = (sp.Rational(1, 2), sp.Rational(1, 4), sp.Integer(1))
_RATE = sp.Rational(1, 5)

Gate = tuple[sp.Expr, ...]
"""Probabilities that the arms are kept."""


def _value() -> sp.Expr:
    """Return the claimed maximum of 2xS − x²Q over x."""
    return _S**2 / _Q


def _cost() -> sp.Expr:
    """Return the cost of signal."""
    return _rho * _Q / _S**2


def _unbiased(scale: sp.Expr) -> sp.Expr:
    """Return the claimed best probability of a sample with ‖g‖² = q, before it is cut at one."""
    return scale * sp.sqrt(_q)


def _the_top(proof: Proof) -> None:
    """Show that a threshold on one score is best, and that it splits at most one arm."""
    proof.define(
        "w is the gate probability of a sample, a = g·u its part along the true gradient, S = E[wa] and Q = "
        "E[w‖g‖²]; the cost of signal at the rate ρ = E w is c = ρQ/S².",
        r"S=\mathbb E[wa],\quad Q=\mathbb E[w\lVert g\rVert^2],\quad c=\rho Q/S^2",
    )
    proof.identity(
        "For any x > 0, 2xS − x²Q falls short of S²/Q by a square,",
        _value() - (2 * _exchange * _S - _exchange**2 * _Q),
        _Q * (_exchange - _S / _Q) ** 2,
    )
    proof.check(
        "which is zero at the exchange rate x = S/Q alone.",
        sp.solve(sp.diff(2 * _exchange * _S - _exchange**2 * _Q, _exchange), _exchange) == [_S / _Q],
        latex=r"\frac{S^2}{Q}=\max_{x}\,(2xS-x^2Q)",
    )
    proof.argue(
        "At a given x the most of 2xS − x²Q = E[w(2xa − x²‖g‖²)] at the rate ρ has the gate that keeps the top ρ of "
        "a − (x/2)‖g‖².",
        "it is linear in w: if λ is the price of that score at ρ, (w* − w)(score − λ) ≥ 0 for every sample and every "
        "other w of the same rate",
        latex=r"\mathbb E[(w^*-w)(2xa-x^2\lVert g\rVert^2)]\ge0",
    )
    first, second, cost_one, cost_two = sp.symbols("S1 S2 Q1 Q2", positive=True)
    mixed = (_t * first + (1 - _t) * second) ** 2 / (_t * cost_one + (1 - _t) * cost_two)
    proof.identity(
        "S²/Q is convex: a mixture of two gates, t and 1 − t, is less than the mean of their values by",
        _t * first**2 / cost_one + (1 - _t) * second**2 / cost_two - mixed,
        _t
        * (1 - _t)
        * (first * cost_two - second * cost_one) ** 2
        / (cost_one * cost_two * (_t * cost_one + (1 - _t) * cost_two)),
    )
    proof.argue(
        "So among finitely many kinds of samples the best gate splits at most one, and it is the best of the gates "
        "that keep the top ρ of a − (x/2)‖g‖², one for each order that x gives.",
        "a convex function is largest at a vertex of the gates of one rate, and the two maxima, over w and over x, "
        "may be taken in either order",
        latex=r"\max_w\max_x=\max_x\max_w",
    )


def _never_below_one(proof: Proof) -> None:
    """Show that the cost of signal is at least one, and who attains it."""
    weights, parts = sp.symbols("w1:4", nonnegative=True), sp.symbols("a1:4", real=True)
    square = sum(w * a**2 for w, a in zip(weights, parts, strict=True))
    pairs = sum(weights[i] * weights[j] * (parts[i] - parts[j]) ** 2 for i, j in product(range(3), repeat=2) if i < j)
    proof.identity(
        "Lagrange's identity, here for three kinds of samples: E w·E[wa²] − (E[wa])² is a sum of squares,",
        sum(weights) * square - sum(w * a for w, a in zip(weights, parts, strict=True)) ** 2,
        pairs,
    )
    proof.argue(
        "so that S² ≤ ρE[wa²] ≤ ρQ and c ≥ 1, with equality where what is kept has one gradient, along u: zero price "
        "and delight in a symmetric context, as long as they keep successes alone.",
        "a² ≤ ‖g‖² by Cauchy and Schwarz; the kept successes of a symmetric context all have g = (1−b)φ, along ∇J",
        pairs.subs(dict.fromkeys(parts, parts[0])) == 0,
        latex=r"S^2\le\rho\,\mathbb E[wa^2]\le\rho Q",
    )


def _arms() -> tuple[list[sp.Expr], list[sp.Expr], sp.Expr]:
    """Return a·‖∇J‖ and ‖g‖² of the example's arms, and ‖∇J‖²."""
    n = len(_POLICY)
    phi = [[sp.Integer(i == a) - _POLICY[i] for i in range(n)] for a in range(n)]
    gradient = [sum(_POLICY[a] * _ADVANTAGE[a] * phi[a][i] for a in range(n)) for i in range(n)]
    along = [_ADVANTAGE[a] * sum(phi[a][i] * gradient[i] for i in range(n)) for a in range(n)]
    return along, [_ADVANTAGE[a] ** 2 * sum(x**2 for x in phi[a]) for a in range(n)], sum(x**2 for x in gradient)


def _sums(gate: Gate) -> tuple[sp.Expr, sp.Expr]:
    """Return S·‖∇J‖ and Q of a gate."""
    along, square, _ = _arms()
    kept = [p * w for p, w in zip(_POLICY, gate, strict=True)]
    signal = sum(k * a for k, a in zip(kept, along, strict=True))
    return signal, sum(k * q for k, q in zip(kept, square, strict=True))


def _example_cost(gate: Gate) -> sp.Expr:
    """Return the cost of signal of a gate of the example's rate."""
    signal, second = _sums(gate)
    return _RATE * second * _arms()[2] / signal**2


def _top(exchange: sp.Expr) -> Gate:
    """Return the gate that keeps the top ρ of a − (x/2)‖g‖²; ``exchange`` is x·‖∇J‖."""
    along, square, _ = _arms()
    scores = [a - exchange * q / 2 for a, q in zip(along, square, strict=True)]
    left, gate = _RATE, [sp.Integer(0)] * len(scores)
    for arm in sorted(range(len(scores)), key=lambda a: -scores[a]):
        gate[arm] = sp.Min(1, left / _POLICY[arm])
        left -= gate[arm] * _POLICY[arm]
    return tuple(gate)


def _vertices() -> Iterator[Gate]:
    """Yield the gates of the example's rate that split at most one arm."""
    for chosen in product((0, 1), repeat=len(_POLICY)):
        left = _RATE - sum(p * w for p, w in zip(_POLICY, chosen, strict=True))
        for arm, whole in enumerate(chosen):
            if not whole and 0 <= left <= _POLICY[arm]:
                yield tuple(left / _POLICY[arm] if a == arm else sp.Integer(w) for a, w in enumerate(chosen))


def _iterated() -> sp.Expr:
    """Return the cost at which x ← S/Q ends, begun with every sample as likely to be kept."""
    gate: Gate = (_RATE,) * len(_POLICY)
    for _ in range(10):
        signal, second = _sums(gate)
        following = _top(signal / second)
        if following == gate:
            break
        gate = following
    return _example_cost(gate)


def _iteration(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Show that iterating the exchange rate can end elsewhere; return the costs of the best gate and of that one."""
    best, ended = min(_example_cost(gate) for gate in _vertices() if _sums(gate)[0] > 0), _iterated()
    proof.check(
        "Three arms, π = (0.8, 0.15, 0.05), U = (1/2, 1/4, 1), ρ = 0.2: iterating x ← S/Q from the gate that keeps "
        "all alike ends at a gate that reproduces itself and costs more than three times the best.",
        ended > 3 * best,
        latex=rf"{sp.latex(ended)}\approx{float(ended):.4g},\qquad {sp.latex(best)}\approx{float(best):.4g}",
    )
    return best, ended


def _without_bias(proof: Proof) -> None:
    """Show the best gate among those that weight the kept by 1/w."""
    scale = 1 / sp.sqrt(_mu)
    proof.identity(
        "A kept sample weighted by 1/w has no bias and the second moment E[‖g‖²/w], q = ‖g‖². With a price μ of a "
        "backward pass q/w + μw exceeds its least by a square,",
        _q / _w + _mu * _w - 2 * sp.sqrt(_mu * _q),
        (sp.sqrt(_q / _w) - sp.sqrt(_mu * _w)) ** 2,
    )
    proof.check(
        "which is zero at w = ‖g‖/√μ.",
        sp.simplify((_q / _w - _mu * _w).subs(_w, _unbiased(scale))) == 0,
        latex=r"w=\lVert g\rVert/\sqrt\mu",
    )
    slope = sp.diff(_q / _w + _mu * _w, _w)
    proof.check(
        "Where that exceeds one, q > μ, it falls up to w = 1, which is then the best: w = min(1, s‖g‖), s set by "
        "the rate.",
        slope.subs(_q, _mu + _t).subs(_w, 1).is_negative and sp.diff(slope, _w).is_positive,
        latex=r"w=\min(1,s\lVert g\rVert)",
    )


def derive() -> Derivation:
    """Derive the gates of a rate with the least cost of signal and with the least noise without bias."""
    proof = Proof(
        "optimal-gate",
        "The least cost of signal c = ρQ/S² at a rate has a gate that keeps the top ρ of a − (x/2)‖g‖², x = S/Q its "
        "own, at most one kind of samples split; c ≥ 1. Of the gates that weight the kept by 1/w the least E[‖g‖²/w] "
        "has w = min(1, s‖g‖).",
        (
            "independent samples of finitely many kinds, gates that decide sample by sample, 0 < ρ ≤ 1",
            "a = g·u with u a unit vector, the direction of the true gradient; gates with S = E[wa] > 0",
            "one sample: its second moment and not the variance of a batch is what is divided",
        ),
    )
    _the_top(proof)
    _never_below_one(proof)
    best, ended = _iteration(proof)
    _without_bias(proof)
    return proof.conclude(
        value=_value(),
        cost_of_signal=_cost(),
        exchange=_S / _Q,
        example_best=sp.nsimplify(best),
        example_iterated=sp.nsimplify(ended),
    )
