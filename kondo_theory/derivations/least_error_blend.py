"""The blend of PG and a gated gradient of the same batch with the least mean squared error.

Source: this project, after bias–variance optimised training (BVPO).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import (
    B,
    K,
    b,
    epsilon,
    p,
    signal_squared,
    var_parallel,
    var_perpendicular,
    wrong_score,
)

__all__ = ["derive"]

_beta, _V, _v, _Q, _lost, _share = (sp.Symbol(name, positive=True) for name in ("beta", "V", "v", "Q", "s", "u"))
_c, _a, _mixed = (sp.Symbol(name, real=True) for name in ("c", "a", "m"))
_D = sp.Symbol("D", positive=True)


def _weight() -> sp.Expr:
    """Return the claimed a*, from bias, variances and covariance."""
    return (_beta**2 + _v - _c) / (_beta**2 + _V + _v - 2 * _c)


def _gated_weight() -> sp.Expr:
    """Return the claimed a* of a gate that keeps or drops: s = ‖d̄‖², m = ȳ·d̄."""
    return (B * _lost + _mixed) / ((B - 1) * _lost + _Q)


def _zero_price() -> sp.Expr:
    """Return the claimed a* of zero price, with D as a symbol."""
    return (B + 1 / b - 1) / (B - 1 + _D**2 / (_share * epsilon))


def _least_error() -> sp.Expr:
    """Return the claimed error of that blend over ‖∇J‖², with D as a symbol."""
    noise = B - 1 + _D**2 / (_share * epsilon)
    return b**2 + (1 - b) ** 2 * epsilon / (p * B) - b**2 * (B + 1 / b - 1) ** 2 / (B * noise)


def _ratio_squared() -> sp.Expr:
    """Return D²."""
    return 1 + (K - 2) / (K * p**2)


def _any_two(proof: Proof) -> None:
    """Show the best weight of any two estimates, and what another weight costs."""
    proof.define(
        "x and y estimate one vector from one batch; x has no bias, y has the bias β; V, v and c are traces of their "
        "covariances; h = ax + (1−a)y.",
        r"h=ax+(1-a)y",
    )
    error = (1 - _a) ** 2 * _beta**2 + _a**2 * _V + (1 - _a) ** 2 * _v + 2 * _a * (1 - _a) * _c
    between = _beta**2 + _V + _v - 2 * _c
    proof.identity(
        "The mean squared error of h exceeds its value at a* by the squared distance of a from it,",
        error - error.subs(_a, _weight()),
        (_a - _weight()) ** 2 * between,
        latex=r"\mathbb E\lVert h-\nabla J\rVert^2=\text{least}+(a-a^*)^2\,\mathbb E\lVert x-y\rVert^2",
    )
    proof.argue(
        "so a* is the best weight; the factor is E‖x − y‖². An estimate of a that is independent of the batch costs "
        "its mean squared error times that, and pays beside PG while |a − a*| < |1 − a*|, beside the gate while "
        "|a − a*| < |a*|.",
        "E‖x − y‖² is the squared difference of the means, β², and the trace of the covariance of x − y",
        sp.expand(between - (_beta**2 + (_V + _v - 2 * _c))) == 0,
        latex=r"\mathbb E\lVert x-y\rVert^2=\beta^2+V+v-2c",
    )


def _a_gate(proof: Proof) -> None:
    """Show the weight of a gate that keeps or drops each sample."""
    w = sp.symbols("w1:3", positive=True)
    q = sp.symbols("q1:3", positive=True)
    y = sp.symbols("y1:3", real=True)
    kept, dropped = (
        sum(mass * value for mass, value in zip(masses, y, strict=True))
        for masses in ([a * k for a, k in zip(q, w, strict=True)], [a * (1 - k) for a, k in zip(q, w, strict=True)])
    )
    second = sum(a * value**2 for a, value in zip(q, y, strict=True))
    squares = [sum(a * each * value**2 for a, each, value in zip(q, gate, y, strict=True))
               for gate in (w, [1 - k for k in w])]  # fmt: skip
    proof.identity(
        "Of one sample, y what a gate keeps and d what it drops: no outcome has both, so their covariance along any "
        "direction is −ȳd̄; here for two kinds of samples.",
        (second - (kept + dropped) ** 2 - (squares[0] - kept**2) - (squares[1] - dropped**2)) / 2,
        -kept * dropped,
        latex=r"\operatorname{Cov}(y,d)=\mathbb E[G(1-G)\ldots]-\bar y\,\bar d=-\bar y\,\bar d",
    )
    variance = (_Q - _lost) / B
    proof.identity(
        "x = y + d has β² = s = ‖d̄‖², V − c the covariance of d with y and itself, c − v that of d with y; with "
        "m = ȳ·d̄ and Q = E‖d‖² of one sample the best weight is",
        _weight().subs({_V: _v + variance - 2 * _mixed / B, _c: _v - _mixed / B}).subs(_beta, sp.sqrt(_lost)),
        _gated_weight(),
    )
    numerator, denominator = sp.fraction(_gated_weight())
    proof.check(
        "It is one or more where d̄·∇J ≥ Q, s + m ≥ Q, whatever B: numerator less denominator is s + m − Q. It is "
        "zero or less where Bs ≤ −m, what is kept and what is dropped being opposed.",
        sp.expand(numerator - denominator - (_lost + _mixed - _Q)) == 0
        and sp.expand(numerator - B * _lost) == _mixed,
        latex=r"a^*\ge1\iff\bar d\cdot\nabla J\ge Q,\qquad a^*\le0\iff B\lVert\bar d\rVert^2\le-\bar y\cdot\bar d",
    )


def _symmetric(proof: Proof) -> None:
    """Show the weight, the error and the blend itself for zero price in one symmetric context."""
    square = signal_squared()
    dropped = epsilon * b**2 * wrong_score().dot(wrong_score())
    proof.identity(
        "Zero price drops the failures: d̄ = b∇J, ȳ = (1−b)∇J, and of one sample",
        dropped,
        square * b**2 * _ratio_squared() / epsilon,
        latex=r"Q=\lVert\nabla J\rVert^2\,\frac{b^2D^2}{\varepsilon},\qquad D^2=1+\frac{K-2}{Kp^2}",
    )
    at = {_lost: b**2, _mixed: b * (1 - b), _Q: b**2 * _D**2 / (_share * epsilon)}
    proof.identity(
        "With a share u of the dropped, weighted by 1/u, Q becomes Q/u, and over ‖∇J‖² the best weight is",
        _gated_weight().subs(at),
        _zero_price(),
    )
    error = b**2 + (1 - b) ** 2 * epsilon / (p * B) - _gated_weight() ** 2 * (_lost + (_Q - _lost) / B)
    proof.identity("and its error over ‖∇J‖²", error.subs(at), _least_error())
    pg = (var_parallel(correct=1, wrong=1, correct_second=1, wrong_second=1)
          + var_perpendicular(wrong_second=1)) / (square * B)  # fmt: skip
    zero = b**2 + (1 - b) ** 2 * epsilon / (p * B)
    curvature = (_lost + (_Q - _lost) / B).subs(at).subs(_share, 1)
    proof.identity(
        "The error at a = 1 is PG's, by the project's moments.",
        (zero + curvature * (1 - 2 * _zero_price().subs(_share, 1))).subs(_D, sp.sqrt(_ratio_squared())),
        pg,
    )
    proof.identity(
        "So PG is the best blend of weights in [0, 1] at every B iff b ≤ uε/D²: at u = 1 there is b = D⁻²ε,",
        (epsilon / _ratio_squared()),
        K * p**2 * epsilon / (K * p**2 + K - 2),
    )
    scale = 1 - b + _a * b
    proof.check(
        "The blend pays successes 1 − b and failures −ab: it is PG with the baseline ab/(1−b+ab), times 1−b+ab.",
        sp.cancel(scale * (1 - _a * b / scale) - (1 - b)) == 0 and sp.cancel(scale * (_a * b / scale) - _a * b) == 0,
        latex=r"1-b=(1-b+ab)(1-b'),\quad ab=(1-b+ab)\,b',\quad b'=\frac{ab}{1-b+ab}",
    )
    proof.identity("As B → ∞ all is kept,", sp.Limit(_zero_price(), B, sp.oo), sp.Integer(1))


def _estimated(proof: Proof) -> sp.Expr:
    """Show what an estimate of the weight costs; return how its relative error grows with that of p."""
    weight = _zero_price().subs(_share, 1).subs(_D, sp.sqrt(_ratio_squared()))
    m = sp.Symbol("m", positive=True)
    relative = (p * sp.diff(weight, p) / weight).subs(K, 2 + m)
    limit = sp.limit(sp.cancel(sp.together(relative)), p, 0)
    proof.check(
        "K ≥ 3, p → 0: a* falls as p², so its relative error is twice that of p.",
        sp.simplify(limit - 2) == 0,
        latex=r"\lim_{p\to0}\frac{p}{a^*}\frac{\partial a^*}{\partial p}=2",
    )
    proof.argue(
        "So an estimate of p from n samples, S/n, knows a* to 2/√(np) of itself: with less than four successes it is "
        "off by as much as zero is. There a* is next to zero, and the gate next to the best blend.",
        "the deviation of S/n over p is √(ε/(np)), and a smooth function of it has that times its relative slope",
        latex=r"\frac{\sigma(a^*(S/n))}{a^*}\approx\frac{2}{\sqrt{np}}",
    )
    return sp.sympify(limit)


def derive() -> Derivation:
    """Derive the blend of least error, where it is PG or the gate alone, and what estimating it costs."""
    proof = Proof(
        "least-error-blend",
        "Of a·PG + (1−a)·gated the mean squared error is least at a* = (β²+v−c)/(β²+V+v−2c), and another a costs "
        "(a−a*)²E‖PG − gated‖². For zero price in one symmetric context a* = (B+1/b−1)/(B−1+D²/ε), one or more iff "
        "b ≤ ε/D², and the blend is PG with a lower baseline, scaled.",
        (
            "both estimates from one batch of B independent samples; PG without bias",
            "the closed form: one symmetric context, R in {0, 1}, constant 0 < b < 1, zero price",
            "a known, or estimated from other samples than the batch",
        ),
    )
    _any_two(proof)
    _a_gate(proof)
    _symmetric(proof)
    slope = _estimated(proof)
    return proof.conclude(
        weight=_weight(),
        gated_weight=_gated_weight(),
        zero_price=_zero_price().subs(_D, sp.sqrt(_ratio_squared())),
        least_error=_least_error().subs(_D, sp.sqrt(_ratio_squared())),
        pg_below=epsilon / _ratio_squared(),
        slope=slope,
    )
