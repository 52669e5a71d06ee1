"""Zero price on a gamble: one stable share x*(r) for r < √(2π), and none above, where the gambling arm wins.

Source: this project, in the setting of [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    m,
    mean_above,
    positive_part,
    r,
    s,
    t,
    update_of_log_odds,
    upper_tail,
    x,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_K = sp.Symbol("K", positive=True)


def _drift() -> sp.Expr:
    return x - positive_part(1 - x)


def _critical() -> sp.Expr:
    return sp.sqrt(2 * sp.pi)


def _drift_steps(proof: Proof) -> None:
    """Where f comes from: the update of the log-odds and the gated mean of a gamble."""
    first, second = sp.symbols("E_1 E_2", real=True)
    proof.identity(
        "The expected update moves the log-odds of arm 1 by 2x(1−x)f, f the difference of the gated means.",
        update_of_log_odds(first, second),
        2 * x * (1 - x) * (first - second),
    )
    proof.identity("Gated mean of a gamble: h(m, r), m = 1 − x.", mean_above(m / r), positive_part())
    proof.identity("PG keeps everything: f = x − (x − 1) = 1 everywhere, no rest point.", x - (x - 1), sp.Integer(1))
    share = (1 - x) / (_K - 1)
    mean = (1 - x) * first + x * second
    proof.identity(
        "One gambling arm among K, the others alike: the log-odds move by x(1−x)f·K/(K−1) (drifts π_a(E_a − Ē)).",
        share * (first - mean) - x * (second - mean),
        x * (1 - x) * (first - second) * _K / (_K - 1),
    )


def _shape(proof: Proof) -> None:
    """Derive monotonicity and the two ends."""
    proof.identity("h falls with the gap.", sp.Derivative(positive_part(), m), -upper_tail(m / r))
    proof.identity(
        "The slope of f is Φ((1−x)/r).",
        sp.diff(_drift(), x),
        1 - upper_tail((1 - x) / r),
        latex=r"f'(x) = 1-\Phi\!\left(-\tfrac{1-x}{r}\right) = \Phi\!\left(\tfrac{1-x}{r}\right)",
    )
    proof.argue(
        "f′ ≥ 1/2 on [0, 1]: f is strictly increasing.",
        "(1−x)/r ≥ 0 and Φ is increasing with Φ(0) = 1/2",
        upper_tail(sp.Integer(0)) == sp.Rational(1, 2) and sp.simplify(sp.diff(upper_tail(t), t) + density(t)) == 0,
        latex=r"f'(x)\ge\tfrac12",
    )
    proof.identity("h grows with the noise.", sp.Derivative(positive_part(), r), density(m / r))
    proof.argue(
        "f(0) = −h(1, r) < 0.",
        "h(m, r) is the integral over t > m/r of the positive function (rt − m)φ(t), hence positive",
        sp.simplify(_drift().subs(x, 0) + positive_part(sp.Integer(1))) == 0
        and sp.limit(positive_part(sp.Integer(1)), r, 0, "+") == 0,
        latex="f(0)=-h(1,r)<0",
    )
    proof.identity("At the corner.", _drift().subs(x, 1), 1 - r / sp.sqrt(2 * sp.pi))


def _conclusions(proof: Proof) -> None:
    """Existence, uniqueness, stability, the critical ratio, and how x* moves."""
    corner = _drift().subs(x, 1)
    proof.argue(
        "A zero in (0, 1) exists, and is unique, iff r < √(2π).",
        "f is continuous and strictly increasing with f(0) < 0, so it has a zero in (0, 1) iff f(1) > 0, and then "
        "one",
        sp.solve(corner, r) == [_critical()] and sp.simplify(sp.diff(corner, r) + 1 / sp.sqrt(2 * sp.pi)) == 0,
        latex=r"f(1)>0\iff r<\sqrt{2\pi}",
    )
    slope, value = sp.symbols("f1 f", real=True)
    flow = sp.diff(-2 * x**2 * (1 - x) ** 2, x) * value - 2 * x**2 * (1 - x) ** 2 * slope
    proof.identity(
        "Stability: ẋ = x(1−x)·d(logit x)/dt = −2x²(1−x)²f, whose slope at f = 0 is −2x²(1−x)²f′ < 0.",
        flow.subs(value, 0),
        -2 * x**2 * (1 - x) ** 2 * slope,
    )
    proof.argue(
        "For r ≥ √(2π) the gambling arm wins from everywhere.",
        "f < f(1) ≤ 0 on [0, 1), so ẋ > 0 on (0, 1), and x tends to 1, the only rest point left above",
        bool(corner.subs(r, 3) < 0) and corner.subs(r, _critical()) == 0,
        latex=r"r\ge\sqrt{2\pi}\ \Rightarrow\ f<0\ \text{on}\ [0,1)",
    )
    proof.identity(
        "x* grows with r: dx*/dr = −(∂f/∂r)/(∂f/∂x) = φ/Φ > 0, and x* → 1 as r → √(2π).",
        sp.simplify(-sp.diff(_drift(), r) / sp.diff(_drift(), x)),
        density((1 - x) / r) / (1 - upper_tail((1 - x) / r)),
        latex=r"\frac{dx^*}{dr}=\frac{\varphi((1-x)/r)}{\Phi((1-x)/r)}",
    )


def _small_noise(proof: Proof) -> None:
    """Derive x* ~ r³φ(1/r)."""
    proof.identity(
        "With t = s + v/s: g(s) = h(s, 1) = φ(s)s⁻²∫ve^{−v−v²/(2s²)}dv over v > 0; the integrand is at most "
        "ve^{−v} …",
        sp.Integral(t * sp.exp(-t), (t, 0, sp.oo)),
        sp.Integer(1),
    )
    proof.identity(
        "… and, as e^{−y} ≥ 1 − y, at least ve^{−v}(1 − v²/(2s²)): so 1 − 3/s² ≤ s²g(s)/φ(s) ≤ 1.",
        sp.integrate(sp.expand(t * (1 - t**2 / (2 * s**2))) * sp.exp(-t), (t, 0, sp.oo)),
        1 - 3 / s**2,
        latex=r"1-\frac{3}{s^2}\le\frac{s^2 g(s)}{\varphi(s)}\le 1",
    )
    ratio = positive_part(sp.Integer(1)) / (r**3 * density(1 / r))
    proof.argue(
        "x* ~ h(1, r) ~ r³φ(1/r) as r → 0.",
        "h(1, r) ≤ x* = h(1−x*, r) ≤ h(1, r) + x*Φ(−(1−x*)/r), because −∂h/∂m = Φ(−m/r) grows as m falls; with "
        "Φ ≤ 1/2 this gives x* ≤ 2h(1, r) → 0, then Φ(−(1−x*)/r) → 0 and x*/h(1, r) → 1",
        all(1 - 3 * q**2 <= ratio.subs(r, q).evalf(30) <= 1 for q in (sp.Rational(1, 5), sp.Rational(1, 20))),
        latex=r"x^*\sim r^3\varphi(1/r)",
    )


def derive() -> Derivation:
    """Derive the drift at zero price, its only zero, its stability and the critical noise ratio."""
    proof = Proof(
        "gambling-fixed-point",
        "At zero price the drift f = x − h(1−x, r) has one zero in (0, 1), and it is stable, iff r < √(2π); for "
        "larger r "
        "the gambling arm wins from everywhere.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ with ξ ~ N(0, 1); Δ = 1, r = σ/Δ > 0",
            "softmax on two logits, b = E R, the expected update (small steps or large batches)",
            "f > 0 is towards arm 1",
        ),
    )
    _drift_steps(proof)
    _shape(proof)
    _conclusions(proof)
    _small_noise(proof)
    return proof.conclude(drift=_drift(), critical_noise_ratio=_critical(), small_noise=r**3 * density(1 / r))
