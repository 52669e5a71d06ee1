"""The baseline of least noise, of PG and of gates, and the step that the noise allows.

Source: this project; PG's baseline is the classical one, the step is after OBLR-PO.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import (
    B,
    K,
    at_odds,
    b,
    correct_score,
    epsilon,
    p,
    signal_squared,
    w_minus,
    w_plus,
    wrong_score,
)

__all__ = ["derive"]

_n0, _n1, _n2 = sp.symbols("n_0 n_1 n_2", positive=True)
_s0, _s1 = sp.symbols("s_0 s_1", real=True)
_D = sp.Symbol("D", positive=True)
_x, _y = sp.symbols("x y", positive=True)
_L = sp.Symbol("L", positive=True)


def _best() -> sp.Expr:
    """Return the claimed baseline of a gate that does not change with it."""
    return (_n1 * _s0 - _n0 * _s1) / (_n2 * _s0 - _n1 * _s1)


def _drawn() -> sp.Expr:
    """Return the claimed baseline of every drawn gate in a symmetric context."""
    return K * p * epsilon / (K * p + K - 2)


def _soft() -> sp.Expr:
    """Return the claimed baseline of soft weights, with D as a symbol."""
    return w_plus * epsilon / (w_plus * epsilon + w_minus * p * _D**2)


def _cost() -> sp.Expr:
    """Return the claimed cost of signal of a drawn gate at its best baseline, with D as a symbol."""
    return (p * w_plus + epsilon * w_minus) / (p * w_plus + epsilon * w_minus / _D**2)


def _step_zero_price() -> sp.Expr:
    """Return the claimed best step of zero price, times L."""
    return B * p / ((1 - b) * (B * p + epsilon))


def _step_pg() -> sp.Expr:
    """Return the claimed best step of PG at its best baseline, times L."""
    return B * p * (K * p + K - 2) / (B * p * (K * p + K - 2) + epsilon * (K - 2))


def _ratio_squared() -> sp.Expr:
    """Return D²."""
    return 1 + (K - 2) / (K * p**2)


def _moving(baseline: sp.Rational) -> sp.Expr:
    """Return the cost of signal of the gate σ(χ/η), K = 10, p = 3/10, η = 3/10."""
    arms, chance, eta = 10, sp.Rational(3, 10), sp.Rational(3, 10)
    right, wrong = sp.log(1 / chance), sp.log((arms - 1) / (1 - chance))
    up, down = (1 / (1 + sp.exp(-delight / eta)) for delight in ((1 - baseline) * right, -baseline * wrong))
    square = _ratio_squared().subs({K: arms, p: chance})
    second = up * (1 - baseline) ** 2 / chance + down * baseline**2 * square / (1 - chance)
    return (chance * up + (1 - chance) * down) * second / (up * (1 - baseline) + down * baseline) ** 2


def _any_context(proof: Proof) -> None:
    """Show the baseline of any gate that does not change with it."""
    proof.define(
        "A gate keeps or weighs samples by w, g = w(R−b)φ, u along ∇J, which does not depend on b, as E φ = 0. "
        "Noise: E‖g‖²/(E g·u)².",
        r"\frac{\mathbb E\lVert g\rVert^2}{(\mathbb E g\cdot u)^2}=\frac{n_0-2n_1b+n_2b^2}{(s_0-s_1b)^2},\quad "
        r"n_i=\mathbb E[wR^{2-i}\lVert\varphi\rVert^2],\ s_i=\mathbb E[wR^{1-i}\varphi\cdot u]",
    )
    noise = (_n0 - 2 * _n1 * b + _n2 * b**2) / (_s0 - _s1 * b) ** 2
    whole = _n2 * _s0**2 - 2 * _n1 * _s0 * _s1 + _n0 * _s1**2
    proof.identity(
        "For a gate that does not change with b it exceeds its least by a square, zero at the best b alone.",
        noise - (_n0 * _n2 - _n1**2) / whole,
        ((_n2 * _s0 - _n1 * _s1) * (b - _best())) ** 2 / ((_s0 - _s1 * b) ** 2 * whole),
        latex=r"\frac{n_0-2n_1b+n_2b^2}{(s_0-s_1b)^2}-\frac{n_0n_2-n_1^2}{n_2s_0^2-2n_1s_0s_1+n_0s_1^2}"
        r"=\frac{(n_2s_0-n_1s_1)^2(b-b^*)^2}{(s_0-s_1b)^2(n_2s_0^2-2n_1s_0s_1+n_0s_1^2)}",
    )
    proof.argue(
        "n₀n₂ ≥ n₁², and the last bracket is positive; the signal at the best b has the sign of n₂s₀ − n₁s₁.",
        "Cauchy and Schwarz with the measure w‖φ‖²; and s₀ − s₁b* is the bracket over n₂s₀ − n₁s₁",
        sp.cancel(sp.together(_s0 - _s1 * _best() - whole / (_n2 * _s0 - _n1 * _s1))) == 0,
        latex=r"s_0-s_1b^*=\frac{n_2s_0^2-2n_1s_0s_1+n_0s_1^2}{n_2s_0-n_1s_1}",
    )
    proof.identity(
        "PG has s₁ = E φ·u = 0 and a mean that does not change with b: its variance exceeds its least, "
        "at the same b, by",
        (_n0 - 2 * _n1 * b + _n2 * b**2) - (_n0 - _n1**2 / _n2),
        _n2 * (b - _best().subs(_s1, 0)) ** 2,
    )


def _symmetric(proof: Proof) -> None:
    """Show the best baselines of drawn gates and of soft weights, and that zero price has none."""
    right, wrong = correct_score().dot(correct_score()), wrong_score().dot(wrong_score())
    alongs = correct_score().dot(correct_score()), wrong_score().dot(correct_score())  # times ‖d‖
    second = (w_plus * p * right, w_plus * p * right, w_plus * p * right + w_minus * epsilon * wrong)
    signal = (w_plus * p * alongs[0], w_plus * p * alongs[0] + w_minus * epsilon * alongs[1])
    named = dict(zip((_n0, _n1, _n2, _s0, _s1), (*second, *signal), strict=True))
    proof.identity(
        "One symmetric context, kept with w₊ and w₋: whatever these are, the best baseline is PG's.",
        _best().subs(named),
        _drawn(),
    )
    drawn = w_plus * (1 - b) ** 2 / p + w_minus * b**2 * _D**2 / epsilon
    kappa = w_plus * (1 - b) + w_minus * b
    at = epsilon / (epsilon + p * _D**2)
    proof.identity("That is ε/(ε+pD²), D² = 1+(K−2)/(Kp²),", at.subs(_D, sp.sqrt(_ratio_squared())), _drawn())
    proof.identity(
        "and the cost of signal there is",
        ((p * w_plus + epsilon * w_minus) * drawn / kappa**2).subs(b, at),
        _cost(),
    )
    noise = (_x**2 / p + _y**2 * _D**2 / epsilon) / (_x + _y) ** 2
    least = 1 / (p + epsilon / _D**2)
    proof.identity(
        "Soft weights: with x = w₊(1−b), y = w₋b the noise depends on x/y alone, and exceeds its least by",
        noise - least,
        (_x * epsilon - _y * p * _D**2) ** 2 / (p * epsilon * (_x + _y) ** 2 * (p * _D**2 + epsilon)),
    )
    proof.identity(
        "so with fixed weights the best baseline, x/y = pD²/ε, is",
        sp.solve(w_plus * (1 - b) * epsilon - w_minus * b * p * _D**2, b)[0],
        _soft(),
    )
    proof.argue(
        "DG's weights change with b, and there is a b with x/y = pD²/ε all the same: at its best baseline DG has "
        "PG's noise at PG's.",
        "x/y is continuous in b, goes to infinity as b → 0 and to zero as b → 1, for both weights stay positive; and "
        "the least noise does not depend on the weights",
        sp.cancel(noise.subs({_x: 1 - b, _y: b}).subs(b, at) - least) == 0,
        latex=r"\frac{w_+(1-b)}{w_-b}=\frac{pD^2}{\varepsilon},\qquad\text{noise}=\frac{1}{p+\varepsilon/D^2}",
    )
    proof.identity(
        "Zero price, y = 0, has the same noise at every b: none is best, and all are noisier than PG at its best.",
        noise.subs(_y, 0) - least,
        epsilon / (p * (p * _D**2 + epsilon)),
    )


def _unbiased(proof: Proof) -> None:
    """Show the baseline of the best gate of weight 1/w."""
    mass = sp.symbols("m1:4", positive=True)
    reward = (0, 1, 3)
    between = sum(m * sp.Abs(r - (1 + b)) for m, r in zip(mass, reward, strict=True))
    inside = {sp.Abs(-b): b, sp.Abs(-b - 1): 1 + b, sp.Abs(2 - b): 2 - b}
    proof.check(
        "The best gate of weight 1/w costs (E|R−b|‖φ‖)²/‖∇J‖², whose slope in b is the mass of smaller rewards less "
        "that of greater ones, weighted by ‖φ‖: it is least at a median. Here between the second and the third of "
        "three rewards.",
        sp.expand(sp.diff(between.subs(inside), b) - (mass[0] + mass[1] - mass[2])) == 0,
        latex=r"\frac{\partial}{\partial b}\mathbb E|R-b|\lVert\varphi\rVert"
        r"=\mathbb E[\lVert\varphi\rVert;R<b]-\mathbb E[\lVert\varphi\rVert;R>b]",
    )
    right, wrong = correct_score().dot(correct_score()), wrong_score().dot(wrong_score())
    excess = sp.factor(at_odds((epsilon**2 * wrong - p**2 * right) * (K - 1)))
    proof.check(
        "With rewards 0 and 1 in a symmetric context failures have at least half of the mass: the median is b = 0, "
        "where failures have no gradient, and the cost is one.",
        excess.is_nonnegative,
        latex=r"\varepsilon\lVert\varphi_-\rVert\ge p\lVert\varphi_+\rVert",
    )


def _moves(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Show that the fixed point is not the best of a gate that changes with b; return the costs."""
    fixed, other = _moving(_drawn().subs({K: 10, p: sp.Rational(3, 10)})), _moving(sp.Rational(3, 5))
    proof.check(
        "A gate that changes with b has another optimum: σ(χ/η) at K = 10, p = η = 3/10 costs more at the baseline "
        "that is best for the gate as it is there than at b = 3/5.",
        fixed > sp.Rational(5, 4) * other,
        latex=rf"{float(fixed):.4g}>{float(other):.4g}",
    )
    return sp.Float(fixed.evalf(30), 30), sp.Float(other.evalf(30), 30)


def _step(proof: Proof) -> None:
    """Show the step of the largest certain gain, and the smoothness of the softmax."""
    eta, signal, second = sp.symbols("eta S Q", positive=True)
    best = signal / (_L * second)
    proof.identity(
        "Of an L-smooth J a step ηĝ gains at least ηS − Lη²Q/2 on average, S = ∇J·E ĝ and Q = E‖ĝ‖², which falls "
        "short of S²/(2LQ) by a square, zero at η = S/(LQ).",
        signal**2 / (2 * _L * second) - (eta * signal - _L * eta**2 * second / 2),
        _L * second * (eta - best) ** 2 / 2,
    )
    square = signal_squared()
    zero = (1 - b) * square / ((1 - b) ** 2 * square * (1 + epsilon / (p * B)))
    proof.identity("Zero price, variance over squared signal ε/p: the best step times L is", zero, _step_zero_price())
    pg = 1 / (1 + (1 / (p + epsilon / _ratio_squared()) - 1) / B)
    proof.identity("PG at its best baseline:", pg, _step_pg())
    proof.argue(
        "E R of a softmax policy is L-smooth in its logits with L = (greatest less smallest reward)/2.",
        "along a unit v the second derivative is E[(R−c)(Z−E Z)], Z = (v_a − E v)² and c the middle of the rewards, "
        "at most half of their spread times E|Z−E Z| ≤ 2E Z = 2Var v, and Var v ≤ (max v − min v)²/4 ≤ 1/2",
        latex=r"\left|\tfrac{d^2}{dt^2}\mathbb E R\right|\le\tfrac{\max R-\min R}{2}\cdot2\operatorname{Var}v"
        r"\le\tfrac{\max R-\min R}{2}",
    )
    t, x = sp.symbols("t x", real=True)
    share = 1 / (1 + sp.exp(-t))
    proof.check(
        "For instance with two arms the second derivative along a unit vector is 2σ″ ≤ 1/5, below 1/2.",
        sp.maximum(sp.Rational(2) * x * (1 - x) * (1 - 2 * x), x, sp.Interval(0, 1)) < sp.Rational(1, 5)
        and sp.simplify(sp.diff(share, t, 2) - share * (1 - share) * (1 - 2 * share)) == 0,
        latex=r"\max_{0\le x\le1}2x(1-x)(1-2x)=\frac{1}{3\sqrt3}",
    )


def derive() -> Derivation:
    """Derive the baselines of least noise, of fixed gates, of DG and of unbiased gates, and the best step."""
    proof = Proof(
        "optimal-baseline",
        "A gate that does not change with b has the least noise at b = (n₁s₀−n₀s₁)/(n₂s₀−n₁s₁). In one symmetric "
        "context that is PG's baseline for every drawn gate; DG's own gives it PG's noise; zero price has none, and "
        "the best gate of weight 1/w a median of the reward. The step of largest certain gain is ∇J·Eĝ/(L E‖ĝ‖²).",
        (
            "independent samples; noise is E‖g‖²/(E g·u)² of one sample; n₂s₀ > n₁s₁",
            "symmetric context: one correct arm, R in {0, 1}, 0 < b < 1",
            "the step: J is L-smooth, the gain that is certain, not the gain",
        ),
    )
    _any_context(proof)
    _symmetric(proof)
    _unbiased(proof)
    fixed, other = _moves(proof)
    _step(proof)
    return proof.conclude(
        best=_best(),
        drawn=_drawn(),
        ratio=sp.sqrt(_ratio_squared()),
        soft=_soft().subs(_D, sp.sqrt(_ratio_squared())),
        cost=_cost().subs(_D, sp.sqrt(_ratio_squared())),
        dg_noise=(1 / (p + epsilon / _D**2)).subs(_D, sp.sqrt(_ratio_squared())),
        zero_price_noise=1 / p,
        step_zero_price=_step_zero_price(),
        step_pg=_step_pg(),
        moving_fixed=fixed,
        moving_other=other,
    )
