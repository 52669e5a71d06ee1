"""Equal noise on both arms: harmless at zero price, a floor under DG, and under top-ρ only above a noise ratio.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    excess_density,
    gain_above,
    isoperimetric,
    m,
    normal_mean,
    odds,
    positive_part,
    r,
    rho,
    s,
    t,
    tau,
    u,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.gambling_soft import gate_slope_steps, sigmoid
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_mean = sp.Symbol("mu", real=True)
_a = sp.Symbol("a", positive=True)
_c = sp.Symbol("z", real=True)
_FLOOR_RATIOS = {3: sp.Rational(91, 100), 10: sp.Rational(174, 100)}  # the claim's examples: rate in %, noise ratio


def _hard_mean(mean: sp.Expr) -> sp.Expr:
    """Return E[U₊] of U ~ N(μ, r²)."""
    return positive_part(-mean)


def _hard_drift() -> sp.Expr:
    return _hard_mean(x) - _hard_mean(x - 1)


def _standard_part() -> sp.Expr:
    """Return g(s) = φ(s) − sΦ(−s)."""
    return positive_part(s, sp.Integer(1))


def _at_zero() -> sp.Expr:
    return r * (isoperimetric(rho) - _standard_part().subs(s, 1 / r))


def _at_one() -> sp.Expr:
    return 1 + positive_part(sp.Integer(1)) - r * isoperimetric(rho)


def _zero_price(proof: Proof) -> None:
    first, second = r * xi, -1 + r * xi
    baseline = (1 - x) * normal_mean(first) + x * normal_mean(second)
    proof.identity("b = E R = −x, so the arms' advantages are N(x, r²) and N(x − 1, r²).", baseline, -x)
    proof.identity(
        "PG: f = E[U | arm 1] − E[U | arm 2] = 1.",
        normal_mean(first - baseline.doit()) - normal_mean(second - baseline.doit()),
        1,
    )
    proof.identity(
        "With ξ = t − μ/r: E[U₊] of U ~ N(μ, r²), here at μ = −m.",
        sp.Integral(excess_density(m), (t, 0, sp.oo)),
        _hard_mean(-m),
    )
    slope = proof.identity(
        "E[U₊] grows with the mean, at the rate P(U > 0) = Φ(μ/r).",
        sp.Derivative(_hard_mean(_mean), _mean),
        upper_tail(-_mean / r),
    )
    proof.identity(
        "Zero price: f is the integral of Φ(μ/r) between the two means",
        sp.Integral(slope, (_mean, x - 1, x)),
        _hard_drift(),
    )
    proof.check(
        "and Φ is the integral of φ > 0: f > 0 for every x and r, and no point attracts but x = 0.",
        density(xi).is_positive and sp.Integral(density(xi), (xi, -_mean / r, sp.oo)).doit() == slope,
        latex=r"f=\int_{x-1}^{x}\Phi(\mu/r)\,d\mu>0",
    )


def _dg(proof: Proof) -> None:
    proof.identity(
        "Reflection: yσ(ay) − (−y)σ(−ay) = y, so S(μ, a) = μ + S(−μ, a) for S(μ, a) = E[Uσ(aU)], U ~ N(μ, r²).",
        u * sigmoid(_a * u) + u * sigmoid(-_a * u),
        u,
        latex=r"y\sigma(ay)+y\sigma(-ay)=y",
    )
    over = gate_slope_steps(proof)
    lean = 2 * density(u / r) * sp.exp(-(m**2) / (2 * r**2)) * sp.sinh(u * m / r**2)
    proof.identity(
        "N(μ, r²) is denser on the side of its mean, by 2e^{−μ²/2r²}φ(u/r)sinh(uμ/r²)/r at ±u (here μ = m > 0).",
        density((u - m) / r) - density((u + m) / r),
        lean.rewrite(sp.exp),
        latex=r"p(u)-p(-u)=\tfrac{2}{r}e^{-\mu^2/2r^2}\varphi(u/r)\sinh(u\mu/r^2)",
    )
    proof.check(
        "∂S/∂μ = E[v(aU)] = 1/2 + ∫₀^∞(v(au) − 1/2)(p(u) − p(−u))du: above 1/2 for μ > 0, and by reflection below "
        "for μ < 0.",
        (over(_a * u) * lean).is_positive and (over(_a * u) * lean.subs(m, -m)).is_negative,
        latex=r"\partial_\mu S=\mathbb{E}[v(aU)]",
    )
    sharper = proof.identity(
        "In a: the slope of uσ(au) is u²σ′(au),",
        sp.Derivative(xi * sigmoid(_a * xi), _a),
        xi**2 * sigmoid(_a * xi) * sigmoid(-_a * xi),
    )
    proof.check(
        "positive but at u = 0; ℓ₁ = −log(1−x) grows with x, and ℓ₂ = −log x falls.",
        sharper.subs(xi, u).is_positive
        and sharper.subs(xi, -u).is_positive
        and sp.diff(-sp.log(1 - x), x).subs(x, odds / (1 + odds)).simplify().is_positive
        and sp.diff(-sp.log(x), x).is_negative,
        latex=r"\partial_a S>0,\quad \ell_1'>0>\ell_2'",
    )
    proof.argue(
        "DG: f = S(x, ℓ₁/η) − S(x−1, ℓ₂/η) is strictly increasing.",
        "both means move up with x: the first term gains more than 1/2, the second less; ℓ₁ grows and ℓ₂ falls, and "
        "both changes raise f",
        latex="f'(x)>0",
    )
    proof.identity(
        "As x → 0, ℓ₁ → 0 and the better arm's term tends to E[rξ]/2 = 0,",
        normal_mean(r * xi * sp.Limit(sigmoid(-sp.log(1 - x) * r * xi), x, 0, "+").doit()),
        0,
    )
    proof.identity(
        "while ℓ₂ → ∞ lets through all of U₊ and no more: u₊ − uσ(au) = u/(1 + e^{au}) on both sides of 0, and it "
        "vanishes.",
        sp.Limit(u - u * sigmoid(_a * u), _a, sp.oo) + sp.Limit(u * sigmoid(-_a * u), _a, sp.oo),
        0,
    )
    proof.argue(
        "f(0+) = −h(1, r) < 0: a floor for every r and η, one rest point, stable.",
        "dominated by |U|, the worse arm's term tends to h(1, r), the integral of a positive function",
        excess_density(sp.Integer(1)).is_positive,
        latex="f(0^+)=-h(1,r)",
    )
    half = sp.Rational(1, 2)
    proof.identity(
        "At x = 1/2 the surprisals agree, and by reflection f = S(1/2, a) − S(−1/2, a) = E[U] of N(1/2, r²): the "
        "floor lies below 1/2.",
        normal_mean(half + r * xi),
        half,
    )


def _top_rate(proof: Proof) -> None:
    proof.identity(
        "The better arm near x = 0 has mean 0: what lies above z = Φ⁻¹(1−ρ), its best share ρ, carries "
        "r·φ(z) = r·I(ρ).",
        gain_above(_c, sp.Integer(0)),
        r * density(_c),
    )
    proof.identity(
        "As x → 0 the price λ ~ ℓ₁·r·Φ⁻¹(1−ρ), because arm 1 is nearly the whole batch, and ℓ₁ ~ x; arm 2's "
        "threshold λ/ℓ₂ → 0.",
        sp.Limit(-sp.log(1 - x) / x, x, 0, "+"),
        1,
    )
    proof.identity(
        "So arm 2 contributes h(1, r): f(0+) = r·I(ρ) − h(1, r) = r·(I(ρ) − g(1/r)).",
        r * isoperimetric(rho) - sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
        _at_zero(),
    )
    proof.identity("g falls with s, at the rate Φ(−s),", sp.Derivative(_standard_part(), s), -upper_tail(s))
    proof.identity(
        "an integral of φ > 0, so g(1/r) grows with r,", sp.Integral(density(xi), (xi, _c, sp.oo)), upper_tail(_c)
    )
    proof.identity("from 0", sp.Limit(_standard_part(), s, sp.oo), 0)
    proof.identity(
        "to I(1/2),",
        sp.Limit(_standard_part(), s, 0),
        sp.Integral(t * density(t), (t, 0, sp.oo)),
        latex="g(0)=I(1/2)",
    )
    top = sp.sqrt(2) * sp.erfinv(1 - 2 * tau)
    proof.identity(
        "the maximum of I: I′(τ) = Φ⁻¹(1−τ) is zero at τ = 1/2,", sp.Derivative(isoperimetric(tau), tau), top
    )
    proof.identity("and I″ = −1/I < 0.", sp.Derivative(isoperimetric(tau), (tau, 2)), -1 / isoperimetric(tau))
    proof.argue(
        "So each ρ ≠ 1/2 has one noise ratio above which x = 0 repels, and a floor remains, and below which x = 0 "
        "attracts.",
        "g(1/r) is continuous and strictly monotone, from 0 to I(1/2) > I(ρ)",
        top.subs(tau, sp.Rational(1, 2)) == 0,
        latex=r"\text{floor at } x\to0 \iff g(1/r)>I(\rho)",
    )
    proof.check(
        "So a floor is not general: at ρ = 10 %, r = 1/2 the corner x = 0 attracts.",
        _at_zero().subs({rho: sp.Rational(1, 10), r: sp.Rational(1, 2)}) > 0,
        latex=r"I(0.1)=0.175>g(2)=0.0085",
    )
    for percent, ratio in _FLOOR_RATIOS.items():
        edge = _at_zero().subs(rho, sp.Rational(percent, 100))
        proof.check(
            f"At ρ = {percent} % that noise ratio is {float(ratio):.2f}, to two digits.",
            sp.And(edge.subs(r, ratio - sp.Rational(1, 200)) > 0, edge.subs(r, ratio + sp.Rational(1, 200)) < 0),
            latex=rf"g(1/r)=I({percent}\,\%):\ r\approx {float(ratio):.2f}",
        )
    proof.identity(
        "Near x = 1 arm 2 has mean 0 and is nearly the whole batch, and every positive advantage of arm 1 is kept: "
        "E[U₊] = E[rξ; U > 0] + P(U > 0) = 1 + h(1, r).",
        r * density(1 / r) + 1 - upper_tail(1 / r),
        1 + sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
    )
    tangent = density(sp.Integer(0)) - s / 2
    proof.identity(
        "g lies above its tangent at 0, φ(0) − s/2, by ∫₀ˢ(s − t)φ(t)dt ≥ 0.",
        sp.Integral((s - t) * density(t), (t, 0, s)),
        (_standard_part() - tangent).rewrite(sp.erf),
    )
    proof.identity(
        "So f(1−) = 1 + h(1, r) − r·I(ρ) ≥ 1 + r·(φ(0) − 1/(2r)) − r·φ(0) = 1/2: the corner x = 1 always repels.",
        _at_one() - positive_part(sp.Integer(1)) + r * tangent.subs(s, 1 / r) + r * (isoperimetric(rho) - density(0)),
        sp.Rational(1, 2),
        latex=r"f(1^-)=1+h(1,r)-r\,I(\rho)\ge\tfrac12",
    )


def derive() -> Derivation:
    """Derive the sign of the drift for each gate when both arms are equally noisy."""
    proof = Proof(
        "equal-noise",
        "Rewards σξ and −Δ + σξ. Zero price: f > 0 everywhere. DG: one rest point, stable and below 1/2, for every "
        "r and η. "
        "Top-ρ: x = 0 repels if g(1/r) > I(ρ), attracts if g(1/r) < I(ρ).",
        (
            "two arms with the same Gaussian noise, Δ = 1, r = σ/Δ > 0, b = E R, x the probability of the worse arm",
            "softmax on two logits, the expected update; top-ρ with B → ∞",
        ),
    )
    _zero_price(proof)
    _dg(proof)
    _top_rate(proof)
    return proof.conclude(
        zero_price_drift=_hard_drift(),
        top_rate_drift_at_zero=_at_zero(),
        top_rate_drift_at_one=_at_one(),
        floor_ratio_at_3_percent=_FLOOR_RATIOS[3],
        floor_ratio_at_10_percent=_FLOOR_RATIOS[10],
    )
