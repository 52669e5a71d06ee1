"""What noise on delight does to the gate, and the errors that cannot touch zero price.

Source: [KG] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526) claims that an approximate forward pass is
enough; the statements and proofs here are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
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
        "A sample of delight χ is kept with probability P(χ + τξ > λ) = P(ξ > m) = 1/2 − ∫₀^m φ = Φ(−m), m = "
        "(λ−χ)/τ.",
        _HALF - sp.Integral(density, (_xi, 0, threshold)),
        _keep_probability().subs(_chi, _lam - _tau * threshold),
    )
    proof.identity(
        "At zero price w± = Φ(χ±/τ).",
        _HALF - sp.Integral(density, (_xi, 0, -_chi / _tau)),
        _keep_probability().subs(_lam, 0),
    )
    proof.define(
        "Given the arm the decision is a coin independent of everything else, and kept samples have weight one: a "
        "Bernoulli gate, E[weight²] = E[weight] = w.",
        r"w_\pm=\Phi(\chi_\pm/\tau),\qquad s(w)=w",
    )
    noisy = _keep_probability().subs(_lam, 0)
    bernoulli = {s_plus: w_plus, s_minus: w_minus}
    proof.identity(
        "Noise costs Var_⊥ = ε·w₋·b²(K−2)/(K−1), from 0 to half of PG's as τ → ∞.",
        sp.Limit(context.var_perpendicular().subs(bernoulli).subs(w_minus, noisy), _tau, sp.oo),
        context.var_perpendicular().subs(s_minus, 1) / 2,
        latex=r"\lim_{\tau\to\infty}\mathrm{Var}_\perp = \tfrac12\mathrm{Var}_\perp^{\mathrm{PG}}",
    )
    proof.identity(
        "As τ → ∞ the gate is a fair coin: κ = 1/2, a random half of PG.",
        sp.Limit(context.kappa().subs({w_plus: noisy, w_minus: noisy}), _tau, sp.oo),
        _HALF,
        latex=r"\lim_{\tau\to\infty}\kappa = \tfrac12",
    )
    low = sp.Integral(density, (_xi, -sp.oo, -1 / _tau))
    for which, share, side in (("a correct sample (χ > 0) passes iff", 1 - low, 1), ("a wrong one iff not", low, -1)):
        proof.identity(
            f"Relative noise χ(1 + τξ): {which} 1 + τξ > 0, so w± = Φ(±1/τ) in every context with 0 < b < 1.",
            share,
            _cdf(side / _tau),
        )
    at_b_zero = context.delights(sp.Integer(0))[1]
    proof.check(
        "At b = 0 a wrong sample has χ = 0: additive noise passes half of them, w₋ = Φ(0) = 1/2, which carry no "
        "gradient "
        "(U = 0) and cost only backward passes; relative noise passes none, w₋ = 0 and not Φ(−1/τ), as 0 is not "
        "above 0.",
        at_b_zero == 0 and noisy.subs(_chi, at_b_zero) == _HALF and at_b_zero * (1 + _tau * _xi) == 0,
        latex=r"b=0:\ w_-=\tfrac12\ (\text{additive}),\ 0\ (\text{relative})",
    )
    proof.identity(
        "w falls with τ on a correct sample and rises on a wrong one: dw/dτ = −(χ/τ²)φ(χ/τ).",
        sp.Derivative(noisy, _tau),
        -_chi / _tau**2 * sp.exp(-(_chi**2) / (2 * _tau**2)) / sp.sqrt(2 * sp.pi),
    )


def _keep_probability() -> sp.Expr:
    """Return the claimed P(χ + τξ > λ)."""
    return _cdf((_chi - _lam) / _tau)


def _band(delta: sp.Expr = _delta) -> tuple[sp.Expr, sp.Expr]:
    """Return the claimed ends of the undecided band at a price λ."""
    return _lam / (1 + delta), _lam / (1 - delta)


def _bounded(proof: Proof) -> None:
    """Errors bounded relative to |χ|."""
    margin, place, beyond = sp.symbols("g r s", positive=True)
    share = margin / (1 + margin)  # δ in (0, 1)
    inside = (1 - place) / (1 + place)  # t in (−1, 1)
    proof.check(
        "If |χ̂ − χ| ≤ δ|χ| with δ < 1 then χ̂ = χ(1 + δt), |t| ≤ 1 (χ̂ = 0 if χ = 0), and 1 + δt > 0: χ̂ > 0 iff "
        "χ > 0. "
        "Zero price is exact, sample by sample, whatever the errors and their dependence.",
        every(sp.factor(1 + share * t).is_positive is True for t in (inside, sp.Integer(1), sp.Integer(-1))),
        latex=r"|\hat\chi-\chi|\le\delta|\chi|,\ \delta<1\ \Rightarrow"
        r"\ \mathbb{1}\{\hat\chi>0\}=\mathbb{1}\{\chi>0\}",
    )
    proof.check(
        "The bound is sharp: at δ = 1, t = −1 a correct sample has χ̂ = 0 and is dropped.",
        (_chi * (1 + _delta * inside)).subs(_delta, 1).limit(place, sp.oo) == 0,
        latex=r"\delta=1:\ \hat\chi=0",
    )
    low, high = _band(share)
    below = _lam - (1 + share) * (low - beyond)  # the price less the largest χ̂ of a delight below the band
    above = (1 - share) * (high + beyond) - _lam  # the least χ̂ of a delight above it, less the price
    proof.check(
        "At a price λ > 0 only χ in [λ/(1+δ), λ/(1−δ)] can be decided wrongly: below χ̂ ≤ (1+δ)χ < λ (χ ≤ 0 gives "
        "χ̂ ≤ "
        "0), above χ̂ ≥ (1−δ)χ > λ.",
        every(sp.factor(gap).is_positive is True for gap in (below, above)),
        latex=r"\Bigl[\frac{\lambda}{1+\delta},\frac{\lambda}{1-\delta}\Bigr]",
    )
    proof.check(
        "That band is sharp: its ends lie on their own side of the price, and the largest error carries each to it.",
        sp.factor(_lam - low).is_positive is True
        and sp.factor(high - _lam).is_positive is True
        and sp.cancel(low * (1 + share)) == _lam
        and sp.cancel(high * (1 - share)) == _lam,
        latex=r"\frac{\lambda}{1+\delta}(1+\delta) = \lambda = \frac{\lambda}{1-\delta}(1-\delta)",
    )
    first, second, tenth = sp.Integer(1), sp.Rational(11, 10), sp.Rational(1, 10)
    proof.check(
        "Top-ρ is not exact: χ = (1, 1.1), keep one; errors of 10 % make it (1.1, 0.99) and keep the other.",
        bool(first * (1 + tenth) > second * (1 - tenth)) and bool(second > first),
        latex=r"1\cdot 1.1 > 1.1\cdot 0.9",
    )
    q = sp.Symbol("q", positive=True)
    stretch = (1 + share) / (1 - share)
    proof.argue(
        "But every χ > q(1+δ)/(1−δ), q ≥ 0 the k-th largest, stays in the top k (for q < 0: χ > q(1−δ)/(1+δ)).",
        "such a sample has χ̂ above (1+δ)q, which no sample with χ ≤ q exceeds; fewer than k others have χ > q. For "
        "q < 0 a sample with χ ≤ q has χ̂ ≤ (1−δ)q, and (1+δ)χ > (1−δ)q",
        sp.factor((1 - share) * (q * stretch + beyond) - (1 + share) * q).is_positive is True
        and sp.factor((1 + share) * (-q / stretch + beyond) + (1 - share) * q).is_positive is True,
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
    proof.check(
        "With R ∈ {0, 1} zero price does not even need the right baseline: any b̂ ∈ [0, 1) gives Û = 1 − b̂ > 0 on "
        "a success and Û = −b̂ ≤ 0 on a failure, so that any ℓ̂ > 0 decides exactly.",
        sp.simplify(1 - hat).is_positive is True and (-hat).is_negative is True,
        latex=r"\operatorname{sign}(\hat U\hat\ell)=\operatorname{sign}(R-\hat b)",
    )


def _recall(proof: Proof) -> None:
    """Recall of the exact top ρ for Gaussian delight."""
    r, h, scale = sp.symbols("r h s", positive=True)
    z, x = sp.symbols("z x", real=True)
    correlation = 1 / sp.sqrt(1 + _tau**2)
    normal = sp.exp(-(_xi**2) / 2) / sp.sqrt(2 * sp.pi)
    proof.identity(
        "Noise τsξ adds τ²s² to the variance s² of delight and nothing to its covariance with it: corr(χ, χ̂) = "
        "1/√(1 + τ²).",
        scale**2
        / (scale * sp.sqrt(scale**2 + sp.Integral((_tau * scale * _xi) ** 2 * normal, (_xi, -sp.oo, sp.oo)))),
        correlation,
        latex=r"\mathrm{corr}(\chi,\hat\chi) = \frac{s^2}{s\sqrt{s^2+\tau^2s^2}} = \frac1{\sqrt{1+\tau^2}}",
    )
    proof.identity(
        "Owen: P(X > z, Y > z) = ρ − 2T(z, h), T(z, h) = (1/2π)∫₀^h e^{−z²(1+x²)/2}/(1+x²)dx, h² = (1−r)/(1+r), "
        "which is (τ/(1 + √(1+τ²)))².",
        ((1 - r) / (1 + r)).subs(r, correlation),
        (_tau / (1 + sp.sqrt(1 + _tau**2))) ** 2,
    )
    owen = sp.exp(-(z**2) * (1 + x**2) / 2) / (2 * sp.pi * (1 + x**2))
    at_height = (1 - h**2) / (1 + h**2)  # r as a function of h
    bivariate = sp.exp(-(z**2) / (1 + r)) / (2 * sp.pi * sp.sqrt(1 - r**2))
    proof.identity(
        "dP/dr is the bivariate density at (z, z), e^{−z²/(1+r)}/(2π√(1−r²)) (Plackett), and −2 dT/dr is the same: "
        "both "
        "as functions of h, dT/dr = (dT/dh)/(dr/dh).",
        -2 * owen.subs(x, h) / sp.diff(at_height, h),
        bivariate.subs(r, at_height),
    )
    proof.argue(
        "So P and ρ − 2T are one function of r.",
        "they have one derivative and, at r → 1, one value: T(z, 0) = 0 and P = ρ",
        latex=r"\text{recall}=1-\frac{2\,T(z,h)}{\rho}",
    )
    proof.identity(
        "At z = 0 (ρ = 1/2): T(0, h) = arctan(h)/2π, so the recall is 1 − 2·arctan(h)/π.",
        1 - 4 * sp.Integral(owen.subs(z, 0), (x, 0, h)),
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
            "moments: one symmetric context, R = 1{a = y*}, 0 < b < 1 (at b = 0 wrong samples have χ = 0); recall: "
            "infinitely many samples",
            "bounded errors may be adversarial and dependent",
        ),
    )
    _gaussian(proof)
    _bounded(proof)
    _sources(proof)
    _recall(proof)
    second = {s_plus: w_plus, s_minus: w_minus}
    return proof.conclude(
        keep_probability=_keep_probability(),
        band_low=_band()[0],
        band_high=_band()[1],
        logit_error_bound=sp.exp(2 * sp.Symbol("h", positive=True)) - 1,
        recall_of_half=1 - 2 * sp.atan(_tau / (1 + sp.sqrt(1 + _tau**2))) / sp.pi,
        var_perpendicular=context.var_perpendicular().subs(second),
        var_parallel=context.var_parallel().subs(second),
        backward_rate=p * w_plus + (1 - p) * w_minus,
        kappa=context.kappa(),
    )
