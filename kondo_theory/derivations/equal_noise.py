"""Equal noise on both arms: harmless at zero price, a floor under DG, and under top-ρ only above a noise ratio.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import density, positive_part, r, rho, s, t, upper_tail, x
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_mean = sp.Symbol("mu", real=True)
_a, _y = sp.symbols("a y", real=True)


def _hard_mean(mean: sp.Expr) -> sp.Expr:
    """Return E[U₊] of U ~ N(μ, r²)."""
    return positive_part(-mean)


def _standard_part() -> sp.Expr:
    """Return g(s) = φ(s) − sΦ(−s)."""
    return positive_part(s, sp.Integer(1))


def _isoperimetric(share: sp.Expr) -> sp.Expr:
    return density(sp.sqrt(2) * sp.erfinv(1 - 2 * share))


def _zero_price(proof: Proof) -> None:
    proof.identity(
        "E[U₊] grows with the mean, at the rate P(U > 0).",
        sp.Derivative(_hard_mean(_mean), _mean),
        upper_tail(-_mean / r),
    )
    proof.argue(
        "Zero price: f = E[U₊ | mean x] − E[U₊ | mean x − 1] > 0 for every x and r.",
        "it is the integral of Φ(μ/r) > 0 over the unit interval between the two means",
        all(
            bool((_hard_mean(q) - _hard_mean(q - 1)).subs(r, noise).evalf(20) > 0)
            for q in (sp.Rational(1, 100), sp.Rational(99, 100))
            for noise in (sp.Rational(1, 5), 20)
        ),
        latex=r"f=\int_{x-1}^{x}\Phi(\mu/r)\,d\mu>0",
    )
    proof.identity("PG: f = x − (x − 1) = 1.", x - (x - 1), sp.Integer(1))


def _dg(proof: Proof) -> None:
    def sigmoid(z: sp.Expr) -> sp.Expr:
        return 1 / (1 + sp.exp(-z))

    proof.identity(
        "Reflection: yσ(ay) − (−y)σ(−ay) = y, so S(μ, a) = μ + S(−μ, a) for S(μ, a) = E[Uσ(aU)], U ~ N(μ, r²).",
        sp.expand((_y * sigmoid(_a * _y) + _y * sigmoid(-_a * _y)).rewrite(sp.exp)),
        _y,
        latex=r"y\sigma(ay)+y\sigma(-ay)=y",
    )
    slope = sigmoid(_y) + _y * sigmoid(_y) * sigmoid(-_y)
    proof.argue(
        "∂S/∂μ = E[v(aU)], v = σ + zσ′, is at least 1/2 for μ ≥ 0 and at most 1/2 for μ ≤ 0; ∂S/∂a > 0.",
        "v − 1/2 is odd and positive on the positive axis, against a density that is larger on the side of its mean; "
        "∂S/∂a = E[U²σ′(aU)]",
        sp.simplify(slope + slope.subs(_y, -_y) - 1) == 0 and bool(slope.subs(_y, 3) > sp.Rational(1, 2)),
        latex=r"\partial_\mu S=\mathbb{E}[v(aU)]",
    )
    proof.argue(
        "DG: f = S(x, ℓ₁/η) − S(x−1, ℓ₂/η) is strictly increasing.",
        "both means move up with x: the first term gains at least 1/2, the second at most 1/2; ℓ₁ grows and ℓ₂ "
        "falls with "
        "x, and both changes raise f strictly",
        sp.simplify(sp.diff(-sp.log(1 - x), x) - 1 / (1 - x)) == 0
        and sp.simplify(sp.diff(-sp.log(x), x) + 1 / x) == 0,
        latex="f'(x)>0",
    )
    proof.argue(
        "f(0+) = −h(1, r) < 0: a floor for every r and η, one rest point, stable.",
        "as x → 0, ℓ₁ → 0 and the better arm's term tends to E[rξ]/2 = 0, while ℓ₂ → ∞ makes the other h(1, r)",
        sp.integrate(r * t * density(t), (t, -sp.oo, sp.oo)) == 0
        and bool(positive_part(sp.Integer(1), sp.Integer(1)) > 0),
        latex="f(0^+)=-h(1,r)",
    )
    half = sp.Rational(1, 2)
    proof.identity(
        "At x = 1/2 the surprisals agree and f = S(1/2, a) − S(−1/2, a) = 1/2 by reflection: the floor lies below "
        "1/2.",
        half + _mean - _mean,
        half,
        latex=r"f(\tfrac12)=\tfrac12",
    )


def _top_rate(proof: Proof) -> None:
    proof.identity(
        "The better arm near x = 0 has mean 0: its best share ρ carries r·I(ρ) = r·φ(Φ⁻¹(1−ρ)).",
        sp.integrate(r * t * density(t), (t, _mean, sp.oo)),
        r * density(_mean),
    )
    proof.argue(
        "Top-ρ: f(0+) = r·I(ρ) − h(1, r) = r·(I(ρ) − g(1/r)).",
        "as x → 0 the price is λ ~ ℓ₁·r·Φ⁻¹(1−ρ) → 0, because arm 1 is nearly the whole batch; arm 2's threshold "
        "λ/ℓ₂ → 0, "
        "so it contributes E[U₊] = h(1, r)",
        sp.limit(sp.log(1 - x) / sp.log(x), x, 0, "+") == 0
        and sp.simplify(positive_part(sp.Integer(1)) - r * _standard_part().subs(s, 1 / r)) == 0,
        latex=r"f(0^+)=r\,(I(\rho)-g(1/r))",
    )
    proof.identity("g falls with s, so g(1/r) grows with r …", sp.Derivative(_standard_part(), s), -upper_tail(s))
    proof.argue(
        "… from 0 to φ(0) ≥ I(ρ), with equality at ρ = 1/2 only: each ρ ≠ 1/2 has one noise ratio above which x = "
        "0 repels, "
        "and a floor remains, and below which x = 0 attracts.",
        "g is continuous and strictly monotone; I(ρ) = φ(z) has its maximum at z = 0 alone",
        sp.limit(_standard_part(), s, 0) == density(sp.Integer(0)) and sp.limit(_standard_part(), s, sp.oo) == 0,
        latex=r"\text{floor at } x\to0 \iff g(1/r)>I(\rho)",
    )
    example = _isoperimetric(sp.Rational(1, 10)).evalf(20), _standard_part().subs(s, 2).evalf(20)
    proof.argue(
        "So a floor is not general: at ρ = 10 %, r = 1/2 the corner x = 0 attracts.",
        "I(0.1) = 0.175 exceeds g(2) = 0.0085",
        bool(example[0] > example[1]),
        latex=r"I(0.1)=0.175>g(2)=0.0085",
    )
    proof.argue(
        "The corner x = 1 always repels: f(1−) = 1 + h(1, r) − r·I(ρ) ≥ 1/2.",
        "near x = 1 arm 2 has mean 0 and is nearly the whole batch, and every positive advantage of arm 1 is kept, "
        "E[U₊] = "
        "1 + h(1, r); g is convex with g(0) = φ(0), g′(0) = −1/2, so h(1, r) ≥ r·φ(0) − 1/2, and I ≤ φ(0)",
        sp.diff(_standard_part(), s).subs(s, 0) == -sp.Rational(1, 2)
        and sp.simplify(sp.diff(_standard_part(), s, 2) - density(s)) == 0,
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
        zero_price_drift=_hard_mean(x) - _hard_mean(x - 1),
        top_rate_drift_at_zero=r * (_isoperimetric(rho) - _standard_part().subs(s, 1 / r)),
        top_rate_drift_at_one=1 + positive_part(sp.Integer(1)) - r * _isoperimetric(rho),
    )
