"""Two contexts that share their logits, under zero price and DG: steps of the derivation ``corner-escape``."""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Proof
from kondo_theory.derivations.symmetric_context import b, eta, p

__all__ = ["delightful", "shared_logits"]

r, q = sp.symbols("r q", positive=True)  # any positive number, and the share of the samples of the smaller context


def _push(minority: sp.Expr) -> sp.Expr:
    """Zero price's push on the shared log-odds, each context's value its baseline."""
    return (1 - minority) * p * (1 - p) * (1 - p) - minority * (1 - p) * p * p


def shared_logits(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Two contexts with one parameter."""
    theta = sp.Symbol("theta", real=True)
    logit = sp.Function("z", real=True)(theta)  # of the right arm over another
    success = 1 / (1 + sp.exp(-logit))
    score = (1 - success) * sp.diff(logit, theta)  # ∇ ln p
    proof.identity(
        "In any parameters zero price's E g of a context is (1−b)∇p_n. A common b leaves (1−b)∇J: it follows PG.",
        (1 - b) * success * score,
        (1 - b) * sp.Derivative(success, theta),
        latex=r"E[g_n] = (1-b_n)\,p_n\nabla\ln p_n = (1-b_n)\nabla p_n",
    )
    proof.identity(
        "With its own value as baseline each context has ε_n∇p_n, a gradient too: of the mean squared error rate. PG "
        "lowers Σω_nε_n, zero price ½Σω_nε_n², in whatever parameters.",
        (1 - success) * success * score,
        -sp.Derivative((1 - success) ** 2 / 2, theta),
        latex=r"\varepsilon_n\nabla p_n = -\nabla\,\tfrac12\varepsilon_n^2",
    )
    rest = 1 - q
    proof.identity(
        "Two contexts with the same logits of two arms, arm 1 right in a share 1−q > 1/2 of samples, arm 2 in the "
        "rest: zero price drives the log-odds by p(1−p)(1−q−p), PG by p(1−p)(1−2q) towards p = 1.",
        _push(q),
        p * (1 - p) * (rest - p),
        latex=r"(1-q)\,p\varepsilon\cdot\varepsilon-q\,p\varepsilon\cdot p = p\varepsilon\,(1-q-p)",
    )
    proof.check(
        "Its zero p = 1−q is stable and the only one inside: probabilities are matched, from every start.",
        sp.Lt(sp.simplify(sp.diff(_push(q), p).subs(p, 1 - q).subs(q, 1 / (1 + r))), 0),
        latex=r"\frac{d}{dp}\,p\varepsilon(1-q-p)\Big|_{p=1-q} = -q(1-q) < 0",
    )
    lost = q * (1 - 2 * q)
    proof.identity(
        "What that costs of the reward.", (1 - q) - ((1 - q) ** 2 + q**2), lost,
        latex=r"(1-q)-\{(1-q)^2+q^2\} = q(1-2q)",
    )  # fmt: skip
    proof.identity(
        "It is 1/8 at most, at q = 1/4.",
        sp.Rational(1, 8) - lost,
        2 * (q - sp.Rational(1, 4)) ** 2,
    )
    proof.argue(
        "Fewer contexts or parameters cannot do it.",
        "in one context E g = κ∇J with κ > 0, which has PG's zeros; the example has one parameter, and with those "
        "of their own two contexts flow as one each.",
        latex=r"E[g] = (1-b)\nabla J,\quad 1-b > 0",
    )
    return rest, lost


def _weights(success: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """DG's weights of a right and of a wrong sample at two arms."""
    up, down = success ** ((1 - b) / eta), (1 - success) ** (b / eta)
    return 1 / (1 + up), down / (1 + down)


def delightful(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """DG in the corner and on the shared parameter."""
    power = sp.Symbol("c", positive=True)
    x = sp.Symbol("x", positive=True)
    rare, sure = sp.limit(1 / (1 + x**power), x, 0, "+"), sp.limit(x**power / (1 + x**power), x, 0, "+")
    half = sp.Rational(1, 2)
    right, wrong = _weights(1 - x)
    proof.check(
        "DG's weights at two arms, 0 < b < 1: in the corner, p → 0, w₊ → 1 and w₋ → 1/2, for the wrong arm is no "
        "surprise; at p → 1 w₊ → 1/2 and w₋ → 0.",
        sp.And(
            sp.Eq(rare, 1),
            sp.Eq(sure, 0),
            sp.Eq(right.subs(x, 0), half),
            sp.Eq(_weights(x)[1].subs(x, 0), half),
            sp.Eq(wrong.subs(x, 1), half),
        ),
        latex=r"w_+ = \frac1{1+p^{(1-b)/\eta}},\qquad w_- = \frac{\varepsilon^{b/\eta}}{1+\varepsilon^{b/\eta}}",
    )
    start, end = (1 - b) * rare + b * half, (1 - b) * half + b * sure
    corner = sp.simplify(1 / (2 * start))
    proof.identity(
        "So κ → 1 − b/2 in the corner, at every η > 0: DG's time is r/(2−b), PG's r/2, zero price's r/(2(1−b)). The "
        "limits r → ∞ and η → 0 do not commute.",
        1 / (2 * start),
        corner,
        latex=r"\lim_{r\to\infty}\frac{T_{\mathrm{DG}}}r = \frac1{2-b}",
    )
    share = (1 - b) / (3 - 2 * b)
    proof.identity(
        "On the shared parameter DG, with a common b, is pushed back at p → 1 if q(1−b/2) exceeds (1−q)(1−b)/2.",
        sp.solve(sp.Eq(q * start, (1 - q) * end), q)[0],
        share,
        latex=r"q > \frac{1-b}{3-2b}",
    )
    proof.argue(
        "Above that share DG has one rest point, inside, at every η, which goes to 1 as η → 0 and as η → ∞; below it "
        "goes to 1.",
        "both of DG's weights fall as p grows, so κ(p)(1−q) − κ(1−p)q has one zero at most, and is positive at 1/2; "
        "at each p < 1 both κ tend to 1−b as η → 0 and to 1/2 as η → ∞, which leaves (1−b)(1−2q) > 0 or half of "
        "1−2q.",
        sp.Eq(sp.simplify((end / start).subs(b, half) - half / (2 - half)), 0),
        latex=r"(1-q)\,\kappa(p^*) = q\,\kappa(1-p^*)",
    )
    return corner, share
