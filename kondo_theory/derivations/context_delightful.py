"""DG against PG over many contexts: closer while its weights rise with p, farther in the limit p → 1.

Source: [DG Prop. 2] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608) for DG; both limits are this
project's. Part of the derivation of ``context-allocation``.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Proof
from kondo_theory.derivations.symmetric_context import K, b, eta, p

__all__ = ["cosine_squared", "near_one", "while_weights_rise"]

_W1, _W2, _V1, _V2 = sp.symbols("w1 w2 v1 v2", positive=True)
_error, _up, _down = sp.symbols("epsilon a beta", positive=True)  # ε, a = (1−b)/η, β = b/η
_HALF = sp.Rational(1, 2)

Group = tuple[tuple[sp.Expr, sp.Expr], ...]
"""(p, w) of each context."""


def cosine_squared(group: Group, weights: tuple[sp.Expr, ...]) -> sp.Expr:
    """Return cos² to cross-entropy times Σw, from the inner products of the blocks."""
    mean = sum(w * c for (_, w), c in zip(group, weights, strict=True))
    square = sum(w * c**2 for (_, w), c in zip(group, weights, strict=True))
    return mean**2 / square


def _weights() -> tuple[sp.Expr, sp.Expr]:
    """Return DG's w₊ = 1/(1 + p^a) in p, and w₋ = ε^β/(ε^β + (K−1)^β) in ε."""
    return 1 / (1 + p**_up), _error**_down / (_error**_down + (K - 1) ** _down)


def while_weights_rise(proof: Proof) -> None:
    """DG against PG while p·κ(p) rises."""
    plus, minus = _weights()
    u, odds, slack, arms = sp.symbols("u o g C", positive=True)  # C is K − 1, later its power β
    exponents = {_up: (1 - b) / eta, _down: b / eta}
    proof.identity(
        "DG's weight of a right arm is w₊ = 1/(1 + p^a), a = (1−b)/η.",
        1 / (1 + sp.exp(-sp.log(p ** -(1 - b)) / eta)),
        plus.subs(exponents),
    )
    proof.identity(
        "Of a wrong arm it is w₋ = ε^β/(ε^β + (K−1)^β), β = b/η.",
        (1 / (1 + sp.exp(sp.log(((K - 1) / _error) ** b) / eta))).subs(K, 1 + arms),
        minus.subs(exponents).subs(K, 1 + arms),
    )
    bend = -(1 + _up) + (_up - 1) * p**_up
    proof.identity(
        "The correct part p·w₊ of p·κ has a second derivative with the sign of −(1 + a) + (a − 1)p^a.",
        sp.Derivative(p * plus, p, 2),
        _up * p ** (_up - 1) * bend / (1 + p**_up) ** 3,
    )
    proof.check(
        "That is negative for every a > 0, p^a < 1: the correct part is concave.",
        sp.factor(bend.subs(p**_up, odds / (1 + odds))).is_negative,
        latex=r"-(1+a)+(a-1)u < 0,\quad 0<u<1",
    )
    wrong = _error**_down / (_error**_down + arms)
    falling = (_down - 1) * arms - (_down + 1) * _error**_down
    proof.identity(
        "w₋ bends in ε with the sign of (β − 1)(K−1)^β − (β + 1)ε^β.",
        sp.Derivative(wrong, _error, 2),
        arms * _down * _error ** (_down - 2) * falling / (_error**_down + arms) ** 3,
    )
    slope, curvature = (sp.diff(wrong, _error, order).subs(_error, 1 - p) for order in (1, 2))
    proof.identity(
        "The wrong part p·w₋ bends in p like −2w₋′ + p·w₋″, derivatives in ε = 1 − p.",
        sp.Derivative(p * wrong.subs(_error, 1 - p), p, 2),
        -2 * slope + p * curvature,
        latex=r"(p\,w_-)'' = -2w_-'+p\,w_-''",
    )
    # β ≤ 1 is β = 1/(1 + o) or β = 1.
    concave = falling.subs(_error**_down, u)
    proof.check(
        "w₋ rises with ε, and for β ≤ 1 it is concave; w₊ falls with p. So p·κ is concave for b ≤ η, and κ falls.",
        sp.factor(sp.diff(wrong, _error)).is_positive is True
        and sp.factor(sp.together(concave.subs(_down, 1 / (1 + slack)))).is_negative is True
        and concave.subs(_down, 1).is_negative is True
        and sp.diff(plus, p).is_negative is True,
        latex=r"\beta\le1:\ (p\,\kappa)''<0,\qquad \kappa'<0",
    )
    proof.argue(
        "So for b ≤ η p·κ rises up to one turning point P, which depends on K: with one K and one b DG is at least "
        "as close as PG if every p_n ≤ P.",
        "a concave function that vanishes at 0 and is positive rises up to its only maximum; the lemma then applies "
        "with h = κ, which is one function of p only where K and b are one",
        latex=r"c'=p\,\kappa(p),\quad \kappa'<0",
    )
    half = minus.subs({_error: _HALF, _down: _HALF})
    proof.check(
        "One K is needed: p = (1/2, 1/2), b = 1/2, η = 1 and K = (2, 1000) give PG equal weights, the cosine 1, and "
        "DG unequal ones, a smaller cosine.",
        (half.subs(K, 2) - half.subs(K, 1000)).is_positive,
        latex=r"w_-(K=2) > w_-(K=1000):\quad \cos_{\mathrm{DG}} < 1 = \cos_{\mathrm{PG}}",
    )


def near_one(proof: Proof) -> None:
    """When all p_n tend to one: DG's weights spread more than PG's."""
    plus, minus = _weights()
    x = sp.Symbol("x", real=True)
    group = ((p, _W1), (p, _W2))
    gap = 1 - cosine_squared(group, (1 + x * _V1, 1 + x * _V2)) / (_W1 + _W2)
    proof.identity(
        "Weights 1 + xv_n, x → 0, have 1 − cos² ~ x²·Var(v) under the shares w_n/Σw (two contexts).",
        sp.Limit(gap / x**2, x, 0),
        _W1 * _W2 * (_V1 - _V2) ** 2 / (_W1 + _W2) ** 2,
    )
    correct = 2 * (1 - _error) * plus.subs(p, 1 - _error) - 1
    proof.identity(
        "DG, constant 0 < b < η: of c/((1−b)/2) − 1 the correct part is of order ε …",
        sp.Limit(correct / _error, _error, 0, "+"),
        _up / 2 - 1,
    )
    proof.identity(
        "… and the wrong part, over ε^β, has the limit 2b/((1−b)(K−1)^β), with ε^β = x → 0 and β = b/η < 1.",
        sp.Limit(
            (2 * b / (1 - b) * (1 - _error) * minus / _error**_down).subs(_error**_down, x).subs(_error, 0), x, 0, "+"
        ),
        2 * b / (1 - b) / (K - 1) ** _down,
        latex=r"\frac{c_{\mathrm{DG}}}{(1-b)/2} ="
        r" 1+\frac{2b}{1-b}\Bigl(\frac{\varepsilon}{K-1}\Bigr)^{b/\eta}+O(\varepsilon)",
    )
    proof.argue(
        "So with ε_n = t·e_n, e_n/(K_n−1) not all equal, DG is farther than PG from some t on, as t → 0: its gap is "
        "of order t^{2β} and PG's of order t².",
        "PG's weights are 1 − t·e_n and DG's spread like (t·e_n/(K_n−1))^β, β < 1; the shares w_n/Σw do not depend "
        "on t",
        latex=r"1-\cos_{\mathrm{DG}}\sim t^{2b/\eta},\qquad 1-\cos_{\mathrm{PG}} = O(t^2)",
    )
    example = _gaps(
        (sp.Rational(827, 10**5), sp.Rational(159, 10**5)), sp.Rational(394, 1000), sp.Rational(589, 1000)
    )
    proof.sample(
        "A limit only: at ε = (0.00827, 0.00159), b = 0.394, η = 0.589, K = 10 DG is still closer than PG.",
        [bool(example[1] < example[0])],
        latex=r"1-\cos_{\mathrm{DG}} < 1-\cos_{\mathrm{PG}}",
    )
    value = 1 / (1 + (1 - _error) ** _error) + (1 - _error) / (_error + (K - 1) ** (1 - _error) * _error**_error)
    proof.identity(
        "With the value baseline at η = 1 DG's weights fall like (1/2 + 1/(K−1))·ε, as zero price's do like ε: both "
        "are farther than PG in that limit, unless these are all equal.",
        sp.Limit(value, _error, 0, "+"),
        _HALF + 1 / (K - 1),
        latex=r"b=p:\ \kappa\sim\Bigl(\tfrac12+\tfrac1{K-1}\Bigr)\varepsilon",
    )


def _gaps(errors: tuple[sp.Rational, sp.Rational], base: sp.Rational, warmth: sp.Rational) -> tuple[sp.Expr, sp.Expr]:
    """Return 1 − cos² of PG and DG for two contexts of ten arms, to 30 digits."""
    plus, minus = _weights()
    exponents = {_up: (1 - base) / warmth, _down: base / warmth, K: 10}
    group = tuple((1 - e, e**2) for e in errors)
    kappas = [
        (1 - base) * plus.subs(exponents).subs(p, 1 - e) + base * minus.subs(exponents).subs(_error, e)
        for e in errors
    ]
    total = sum(w for _, w in group)
    pg = 1 - cosine_squared(group, tuple(q for q, _ in group)) / total
    dg = 1 - cosine_squared(group, tuple(q * k for (q, _), k in zip(group, kappas, strict=True))) / total
    return pg.evalf(30), dg.evalf(30)
