"""Zero price on a gamble: one stable share x*(r) for r < √(2π), and none above, where the gambling arm wins.

Source: this project, in the setting of [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    excess_density,
    expected_reward,
    m,
    normal_mean,
    positive_part,
    r,
    s,
    t,
    update_of_log_odds,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_K = sp.Symbol("K", positive=True)


def _drift() -> sp.Expr:
    return x - positive_part(1 - x)


def _critical() -> sp.Expr:
    return sp.sqrt(2 * sp.pi)


def _small_noise_floor() -> sp.Expr:
    return r**3 * density(1 / r)


def _drift_steps(proof: Proof) -> None:
    """Where f comes from: the update of the log-odds and the gated mean of a gamble."""
    first, second = sp.symbols("E_1 E_2", real=True)
    proof.identity(
        "The expected update moves the log-odds of arm 1 by 2x(1−x)f, f the difference of the gated means.",
        update_of_log_odds(first, second),
        2 * x * (1 - x) * (first - second),
    )
    baseline = expected_reward()
    proof.identity("Arm 1 has the advantage 0 − b = x > 0, always kept.", -baseline, x)
    proof.identity(
        "A gamble is kept iff ξ > m/r, m = 1 − x; with ξ = m/r + t its advantage is rt, and its gated mean "
        "is h(m, r). "
        "So f = x − h(1−x, r).",
        sp.Integral(excess_density(m), (t, 0, sp.oo)),
        positive_part(),
    )
    proof.identity(
        "PG keeps everything: f = (0 − b) − (E[−1 + rξ] − b) = 1 everywhere, no rest point.",
        -baseline - normal_mean(-1 + r * xi - baseline.doit()),
        sp.Integer(1),
    )
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
    slope = proof.identity(
        "So the slope of f is f′ = 1 − Φ(−(1−x)/r) = Φ((1−x)/r)",
        sp.Derivative(_drift(), x),
        1 - upper_tail((1 - x) / r),
    )
    proof.identity(
        "= 1/2 + ∫φ from 0 to m/r,",
        sp.Integral(density(t), (t, 0, m / r)),
        (slope.subs(x, 1 - m) - sp.Rational(1, 2)).rewrite(sp.erf),
        latex=r"f'(x)=\tfrac12+\int_0^{m/r}\varphi(t)\,dt",
    )
    proof.check(
        "and φ > 0: f′ > 1/2 on (0, 1), f is strictly increasing.",
        density(t).is_positive,
        latex=r"f'(x)>\tfrac12",
    )
    by_noise = proof.identity("Slope of h in r: it grows.", sp.Derivative(positive_part(), r), density(m / r))
    proof.identity(
        "At the safe end f(0) = −h(1, r) = −∫₀^∞ rtφ(t + 1/r)dt,",
        _drift().subs(x, 0),
        -sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
    )
    proof.check(
        "which is negative: the integrand is positive, as is φ in the slope above.",
        excess_density(sp.Integer(1)).is_positive and by_noise.is_positive,
        latex="f(0)=-h(1,r)<0",
    )
    proof.identity("At the corner.", sp.Limit(_drift(), x, 1, "-"), 1 - r / sp.sqrt(2 * sp.pi))


def _conclusions(proof: Proof) -> None:
    """Existence, uniqueness, stability, the critical ratio, and how x* moves."""
    corner = _drift().subs(x, 1)
    beyond = sp.Symbol("d", nonnegative=True)
    proof.identity("f(1) falls through zero at r = √(2π).", corner, (_critical() - r) / _critical())
    proof.argue(
        "A zero in (0, 1) exists, and is unique, iff r < √(2π).",
        "f is continuous and strictly increasing with f(0) < 0, so it has a zero in (0, 1) iff f(1) > 0, and then "
        "one",
        latex=r"f(1)>0\iff r<\sqrt{2\pi}",
    )
    slope, rest = sp.symbols("f' c", positive=True)
    near = slope * (x - rest)  # f to first order at its zero c
    flow = x * (1 - x) * -update_of_log_odds(near, sp.Integer(0))
    proof.identity(
        "Stability: ẋ = x(1−x)·d(logit x)/dt = −2x²(1−x)²f, whose slope at f = 0 is −2x²(1−x)²f′ < 0.",
        sp.Subs(sp.Derivative(flow, x), x, rest),
        -2 * rest**2 * (1 - rest) ** 2 * slope,
    )
    proof.check(
        "For r ≥ √(2π) f(1) ≤ 0, so f < 0 on [0, 1): ẋ > 0, and the gambling arm wins from everywhere.",
        sp.simplify(corner.subs(r, _critical() + beyond)).is_nonpositive,
        latex=r"r\ge\sqrt{2\pi}\ \Rightarrow\ f<0\ \text{on}\ [0,1)",
    )
    proof.identity(
        "x* grows with r: dx*/dr = −(∂f/∂r)/(∂f/∂x) = φ/Φ > 0, and x* → 1 as r → √(2π).",
        -sp.Derivative(_drift(), r) / sp.Derivative(_drift(), x),
        density((1 - x) / r) / (1 - upper_tail((1 - x) / r)),
    )


def _small_noise(proof: Proof) -> None:
    """Derive x* ~ r³φ(1/r)."""
    standard = positive_part(s, sp.Integer(1))
    proof.identity(
        "With ξ = s + t: g(s) = h(s, 1) = φ(s)∫₀^∞ te^{−st}e^{−t²/2}dt; as 1 − t²/2 ≤ e^{−t²/2} ≤ 1, it lies between",
        standard / density(s),
        sp.Integral(t * sp.exp(-s * t - t**2 / 2), (t, 0, sp.oo)),
    )
    lower = t * sp.exp(-s * t) * (1 - t**2 / 2)
    proof.identity("φ(s)(1/s² − 3/s⁴)", sp.Integral(lower, (t, 0, sp.oo)), 1 / s**2 - 3 / s**4)
    proof.identity("and φ(s)/s².", sp.Integral(t * sp.exp(-s * t), (t, 0, sp.oo)), 1 / s**2)
    slack, y = sp.Symbol("w", positive=True), sp.Symbol("y", positive=True)
    proof.identity(
        "(e^{−y} − 1 + y is ∫₀^y(y − w)e^{−w}dw ≥ 0.)",
        sp.Integral((y - slack) * sp.exp(-slack), (slack, 0, y)),
        sp.exp(-y) - 1 + y,
    )
    proof.identity(
        "So h(1, r) = r·g(1/r) ~ r³φ(1/r) as r → 0.",
        sp.Limit(standard / (s * _small_noise_floor().subs(r, 1 / s)), s, sp.oo),
        sp.Integer(1),
        latex=r"h(1,r)\sim r^3\varphi(1/r)",
    )
    proof.argue(
        "And x* ~ h(1, r).",
        "h(1, r) ≤ x* = h(1−x*, r) ≤ h(1, r) + x*Φ(−(1−x*)/r), because −∂h/∂m = Φ(−m/r) grows as m falls; with "
        "Φ ≤ 1/2 this gives x* ≤ 2h(1, r) → 0, then Φ(−(1−x*)/r) → 0 and x*/h(1, r) → 1",
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
    return proof.conclude(drift=_drift(), critical_noise_ratio=_critical(), small_noise=_small_noise_floor())
