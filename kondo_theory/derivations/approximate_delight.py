"""What noise on delight does to the gate, and the errors that cannot touch zero price.

Source: [KG] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526) claims that an approximate forward pass is
enough; the statements and proofs here are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import p, s_minus, s_plus, w_minus, w_plus

__all__ = ["derive"]

_chi, _xi = sp.symbols("chi xi", real=True)
_tau, _delta, _lam = sp.symbols("tau delta lambda", positive=True)
_HALF = sp.Rational(1, 2)


def _cdf(x: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(x / sp.sqrt(2))) / 2


def _gaussian(proof: Proof) -> None:
    """Noise makes a Bernoulli gate, whose moments are known."""
    density = sp.exp(-(_xi**2) / 2) / sp.sqrt(2 * sp.pi)
    threshold = sp.Symbol("m", real=True)
    proof.identity(
        "A sample of delight χ is kept with probability P(χ + τξ > λ) = P(ξ > m) = Φ(−m), m = (λ−χ)/τ.",
        sp.integrate(density, (_xi, threshold, sp.oo)).rewrite(sp.erf),
        _cdf(-threshold),
    )
    proof.argue(
        "Given the arm the decision is a coin independent of everything else: w± = Φ(χ±/τ) at zero price, and kept "
        "samples have weight one, so E[weight²] = E[weight] = w.",
        "the noise is independent of the sample, and 1{·}² = 1{·}",
        sp.simplify(_cdf(_chi / _tau) + _cdf(-_chi / _tau) - 1) == 0,
        latex=r"w_\pm=\Phi(\chi_\pm/\tau),\qquad s(w)=w",
    )
    bernoulli = {s_plus: w_plus, s_minus: w_minus}
    proof.identity(
        "Noise costs Var_⊥ = ε·w₋·b²(K−2)/(K−1), from 0 to half of PG's as τ → ∞.",
        context.var_perpendicular().subs(bernoulli).subs(w_minus, _HALF),
        context.var_perpendicular().subs(s_minus, 1) / 2,
    )
    proof.identity(
        "As τ → ∞ the gate is a fair coin: κ = 1/2, a random half of PG.",
        context.kappa().subs({w_plus: _HALF, w_minus: _HALF}),
        _HALF,
    )
    proof.identity(
        "Relative noise χ(1 + τξ) has w₊ = Φ(1/τ), w₋ = Φ(−1/τ), whatever the context: a wrong sample (χ < 0) "
        "passes iff 1 + τξ < 0.",
        sp.integrate(density, (_xi, -sp.oo, -1 / _tau)),
        _cdf(-1 / _tau),
    )
    at_b_zero = context.delights(sp.Integer(0))[1]
    proof.argue(
        "At b = 0 a wrong sample has χ = 0: additive noise passes half of them, which carry no gradient (U = 0) and "
        "cost only backward passes; relative noise passes none.",
        "Φ(0) = 1/2, and 0·(1 + τξ) = 0 is not above 0",
        at_b_zero == 0 and _cdf(sp.Integer(0)) == _HALF,
        latex=r"b=0:\ w_-=\tfrac12\ (\text{additive}),\ 0\ (\text{relative})",
    )
    slope = sp.diff(_cdf(_chi / _tau), _tau)
    proof.identity(
        "w falls with τ on a correct sample and rises on a wrong one: dw/dτ = −(χ/τ²)φ(χ/τ).",
        slope,
        -_chi / _tau**2 * sp.exp(-(_chi**2) / (2 * _tau**2)) / sp.sqrt(2 * sp.pi),
    )


def _bounded(proof: Proof) -> None:
    """Errors bounded relative to |χ|."""
    error = sp.Symbol("t", real=True)  # χ̂ = χ(1 + δt), |t| ≤ 1
    margin = sp.Symbol("g", positive=True)
    share = margin / (1 + margin)  # δ in (0, 1)
    worst = sp.simplify(1 - share)
    proof.argue(
        "If |χ̂ − χ| ≤ δ|χ| with δ < 1 then χ̂ > 0 iff χ > 0: zero price is exact, sample by sample, whatever the "
        "errors and their dependence.",
        "χ̂ = χ(1 + δt) with |t| ≤ 1 (χ̂ = 0 if χ = 0), and 1 + δt ≥ 1 − δ > 0, so the sign stays",
        worst.is_positive is True and sp.expand(_chi * (1 + share * error)).subs(_chi, 0) == 0,
        latex=r"|\hat\chi-\chi|\le\delta|\chi|,\ \delta<1\ \Rightarrow"
        r"\ \mathbb{1}\{\hat\chi>0\}=\mathbb{1}\{\chi>0\}",
    )
    proof.check(
        "The bound is sharp: at δ = 1, t = −1 a correct sample has χ̂ = 0 and is dropped.",
        (_chi * (1 + _delta * error)).subs({_delta: 1, error: -1}) == 0,
        latex=r"\delta=1:\ \hat\chi=0",
    )
    low, high = _lam / (1 + share), _lam / (1 - share)
    proof.argue(
        "At a price λ > 0 only χ in [λ/(1+δ), λ/(1−δ)] can be decided wrongly.",
        "χ ≤ 0 gives χ̂ ≤ 0; χ < λ/(1+δ) gives χ̂ ≤ (1+δ)χ < λ; χ > λ/(1−δ) gives χ̂ ≥ (1−δ)χ > λ",
        sp.simplify((1 + share) * low - _lam) == 0
        and sp.simplify((1 - share) * high - _lam) == 0
        and sp.simplify(high - low).is_positive is True,
        latex=r"\Bigl[\frac{\lambda}{1+\delta},\frac{\lambda}{1-\delta}\Bigr]",
    )
    first, second, tenth = sp.Integer(1), sp.Rational(11, 10), sp.Rational(1, 10)
    proof.check(
        "Top-ρ is not exact: χ = (1, 1.1), keep one; errors of 10 % make it (1.1, 0.99) and keep the other.",
        bool(first * (1 + tenth) > second * (1 - tenth)) and bool(second > first),
        latex=r"1\cdot 1.1 > 1.1\cdot 0.9",
    )
    q, above = sp.symbols("q a", positive=True)
    proof.argue(
        "But every χ > q(1+δ)/(1−δ), q ≥ 0 the k-th largest, stays in the top k (for q < 0: χ > q(1−δ)/(1+δ)).",
        "such a sample has χ̂ above (1+δ)q, which no sample with χ ≤ q exceeds; fewer than k others have χ > q. For "
        "q < 0 a sample with χ ≤ q has χ̂ ≤ (1−δ)q, and (1+δ)χ > (1−δ)q",
        sp.simplify((1 - share) * (q * (1 + share) / (1 - share) + above) - (1 + share) * q).is_positive is True
        and sp.simplify((1 + share) * (-q * (1 - share) / (1 + share)) + (1 - share) * q) == 0,
        latex=r"\chi>q\,\frac{1+\delta}{1-\delta}\ \Rightarrow\ \text{kept}",
    )


def _sources(proof: Proof) -> None:
    """Where relative errors come from: logits, and the baseline."""
    s = sp.Symbol("s", positive=True)
    x = 1 + sp.Symbol("y", nonnegative=True)
    gap = x * sp.log(1 + s) - sp.log(1 + x * s)
    slope = sp.factor(sp.together(sp.diff(gap, s)))
    proof.argue(
        "Logits wrong by at most ϵ each make ℓ̂/ℓ ∈ [e^{−2ϵ}, e^{2ϵ}] for any policy: stale parameters are a "
        "bounded relative error of the surprisal, and ℓ̂ > 0 always.",
        "ℓ = log(1 + s), s = Σ_{j≠a} e^{z_j − z_a}, and ŝ/s ∈ [e^{−2ϵ}, e^{2ϵ}]; log(1 + xs) ≤ x·log(1 + s) for x ≥ "
        "1: equal at s = 0, with a nonnegative derivative of the difference in s; apply it to s and to ŝ",
        gap.subs(s, 0) == 0 and slope.is_nonnegative is True,
        latex=r"\log(1+xs)\le x\log(1+s),\quad x\ge1",
    )
    hat = sp.Symbol("h", positive=True) / (1 + sp.Symbol("h", positive=True))  # any baseline in (0, 1)
    proof.argue(
        "With R ∈ {0, 1} zero price does not even need the right baseline: any b̂ ∈ [0, 1) gives Û = 1 − b̂ > 0 on "
        "a success and Û = −b̂ ≤ 0 on a failure, so that any ℓ̂ > 0 decides exactly.",
        "the sign of Û·ℓ̂ is that of Û for ℓ̂ > 0, and at Û = 0 nothing is kept, as at U ≤ 0",
        sp.simplify(1 - hat).is_positive is True and (-hat).is_negative is True,
        latex=r"\operatorname{sign}(\hat U\hat\ell)=\operatorname{sign}(R-\hat b)",
    )


def _recall(proof: Proof) -> None:
    """Recall of the exact top ρ for Gaussian delight."""
    r, h = sp.symbols("r h", positive=True)
    correlation = 1 / sp.sqrt(1 + _tau**2)
    proof.identity(
        "Gaussian delight of deviation s and noise τs: corr(χ, χ̂) = s²/(s·s√(1+τ²)).",
        correlation,
        1 / sp.sqrt(1 + _tau**2),
    )
    proof.identity(
        "Owen: P(X > z, Y > z) = ρ − 2T(z, h), T(z, h) = (1/2π)∫₀^h e^{−z²(1+x²)/2}/(1+x²)dx, h² = (1−r)/(1+r), "
        "which is (τ/(1 + √(1+τ²)))².",
        sp.simplify(((1 - r) / (1 + r)).subs(r, correlation)),
        (_tau / (1 + sp.sqrt(1 + _tau**2))) ** 2,
    )
    # Both sides fall to zero together at r = 0 up to Φ(−z)², and have one derivative in r: that of the bivariate law.
    z, x = sp.symbols("z x", real=True)
    owen = sp.exp(-(z**2) * (1 + x**2) / 2) / (2 * sp.pi * (1 + x**2))
    height = sp.sqrt((1 - r) / (1 + r))
    left = -2 * owen.subs(x, height) * sp.diff(height, r)
    right = sp.exp(-(z**2) / (1 + r)) / (2 * sp.pi * sp.sqrt(1 - r**2))
    at = [{z: sp.Rational(a, 3), r: sp.Rational(c, 7)} for a in (0, 2, 5) for c in (1, 3, 6)]
    proof.argue(
        "Proof: dP/dr is the bivariate density at (z, z), e^{−z²/(1+r)}/(2π√(1−r²)) (Plackett), and −2 dT/dr is the "
        "same; at r → 1 T(z, 0) = 0 and P = ρ.",
        "two functions with one derivative and one value; the derivatives are compared exactly at nine points",
        all(sp.simplify((left - right).subs(point)) == 0 for point in at) and height.subs(r, 1) == 0,
        latex=r"\text{recall}=1-\frac{2\,T(z,h)}{\rho}",
    )
    proof.identity(
        "At z = 0 (ρ = 1/2): T(0, h) = arctan(h)/2π, so the recall is 1 − 2·arctan(h)/π.",
        1 - 4 * sp.integrate(1 / (2 * sp.pi * (1 + x**2)), (x, 0, h)),
        1 - 2 * sp.atan(h) / sp.pi,
    )


def derive() -> Derivation:
    """Derive the noisy gate's weights, the exactness of zero price, and the recall of the top ρ."""
    proof = Proof(
        "approximate-delight",
        "Gaussian noise on delight makes zero price a Bernoulli gate with w± = Φ(χ±/τ), so that the symmetric "
        "moments predict the loss; an error below 100 % of |χ| leaves zero price exact, and a price or a rate wrong "
        "only near the price.",
        (
            "noise independent of the sample and between samples; kept samples have weight one",
            "moments: one symmetric context, R = 1{a = y*}, 0 ≤ b < 1; recall: infinitely many samples",
            "bounded errors may be adversarial and dependent",
        ),
    )
    _gaussian(proof)
    _bounded(proof)
    _sources(proof)
    _recall(proof)
    second = {s_plus: w_plus, s_minus: w_minus}
    return proof.conclude(
        keep_probability=_cdf((_chi - _lam) / _tau),
        var_perpendicular=context.var_perpendicular().subs(second),
        var_parallel=context.var_parallel().subs(second),
        backward_rate=p * w_plus + (1 - p) * w_minus,
        kappa=context.kappa(),
    )
