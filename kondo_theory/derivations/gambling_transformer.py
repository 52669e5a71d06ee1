"""Contexts with and without noise under one gate: what the noise moves, and who takes a shared budget.

Source: this project; the setting of the gamble is that of [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?",
arXiv 2603.20526), the share of easy prompts with noisy rewards a knob of the code released with it.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    eta,
    normal_mean,
    odds,
    positive_part,
    r,
    rho,
    s,
    t,
    u,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_p, _q = sp.symbols("p q", positive=True)  # the right arm, and the first wrong one of two
_w, _v = sp.symbols("w_plus w_minus", real=True)  # E[wU] of the right arm, and of a wrong one
_mu = sp.Symbol("mu", real=True)
_ell, _c, _lam, _tau = sp.symbols("ell c lambda tau", positive=True)  # surprisal, largest clean score, price, share
_z = sp.Symbol("z", real=True)


def _quantile(share: sp.Expr) -> sp.Expr:
    """Return Φ⁻¹(1−τ)."""
    return sp.sqrt(2) * sp.erfinv(1 - 2 * share)


def _shut_out() -> sp.Expr:
    """Return the noise from which on the clean contexts get nothing by delight, in units of c/ℓ."""
    return 1 / _quantile(rho / s)


def _shut_out_abs() -> sp.Expr:
    """Return the same by |advantage|, in units of c."""
    return 1 / _quantile(rho / (2 * s))


def _entropy_weight() -> sp.Expr:
    return r**2 / (4 * eta)


def _soft_odds() -> sp.Expr:
    return sp.exp(-2 * eta / r**2)


def _priced_floor() -> sp.Expr:
    return sp.sqrt(_lam)


def _soft(advantage: sp.Expr) -> sp.Expr:
    """Return Uσ(Uℓ/η)."""
    return advantage / (1 + sp.exp(-advantage * _ell / eta))


def _alone(proof: Proof) -> None:
    """Gates that decide on each sample alone: PG and zero price."""
    policy = (_p, _q, 1 - _p - _q)
    right = sp.Matrix([1, 0, 0])
    pulls = (_w, _v, _v)
    total = sp.zeros(3, 1)
    for arm, (share, pull) in enumerate(zip(policy, pulls, strict=True)):
        total += share * pull * (sp.eye(3)[:, arm] - sp.Matrix(policy))
    for arm in range(3):
        proof.identity(
            "A gate that sees the advantage alone, one right arm with probability p, wrong ones of one mean: noise "
            f"that is independent of the arm leaves the direction of E g. Component {arm + 1} of three.",
            total[arm],
            _p * (_w - _v) * (right[arm] - policy[arm]),
            latex=rf"(\mathbb E\,g)_{arm + 1} = p\,(w_+ - w_-)\,(e_{{y^*}}-\pi)_{arm + 1}",
        )
    slope = proof.identity(
        "Zero price: w(μ) = E[U₊] of U ~ N(μ, r²) grows with the mean at the rate Φ(μ/r),",
        sp.Derivative(positive_part(-_mu), _mu),
        upper_tail(-_mu / r),
    )
    proof.check(
        "which is positive, so that w₊ > w₋ and no noise makes a floor;",
        density(xi).is_positive and sp.Integral(density(xi), (xi, -_mu / r, sp.oo)).doit() == slope,
        latex=r"w_+-w_-=\int_{\mu_-}^{\mu_+}\Phi(\mu/r)\,d\mu>0",
    )
    proof.identity(
        "as the noise grows half of PG's pull is left.",
        sp.Limit(upper_tail(-u / r), r, sp.oo),
        sp.Rational(1, 2),
        latex=r"\lim_{r\to\infty}\Phi(\mu/r)=\tfrac12",
    )
    squares = x * ((1 - x) ** 2 + (1 - x) ** 2) + (1 - x) * 2 * x**2
    proof.identity("What noise adds to a sample's variance is r²E‖φ‖², for two arms", squares, 2 * x * (1 - x))
    proof.identity(
        "which vanishes as a context is learnt, in proportion to x.", sp.Limit(2 * x * (1 - x) / x, x, 0, "+"), 2
    )


def _soft_gate(proof: Proof) -> None:
    """DG follows noise as it would follow an entropy."""
    for order, coefficient in ((1, sp.Rational(1, 2)), (2, _ell / (4 * eta)), (3, sp.Integer(0))):
        proof.identity(
            f"DG, in powers of U: the coefficient of order {order} of Uσ(Uℓ/η).",
            sp.Subs(sp.Derivative(_soft(xi), (xi, order)), xi, 0) / sp.factorial(order),
            coefficient,
            latex=rf"[U^{order}]\; U\sigma(U\ell/\eta) = {sp.latex(coefficient)}",
        )
    proof.identity("For U ~ N(μ, r²) the mean square is", normal_mean((_mu + r * xi) ** 2), _mu**2 + r**2)
    proof.identity(
        "so that noise adds ℓ times the weight r²/(4η) to each arm's pull.",
        (_ell / (4 * eta) * (_mu**2 + r**2) - _ell / (4 * eta) * _mu**2),
        _entropy_weight() * _ell,
        latex=r"\frac{\ell}{4\eta}\,\mathbb E\,(U^2-\mu^2) = \frac{r^2}{4\eta}\,\ell",
    )
    entropy = -x * sp.log(x) - (1 - x) * sp.log(1 - x)
    pulled = x * -sp.log(x) * (1 - x) + (1 - x) * -sp.log(1 - x) * (0 - x)
    proof.identity(
        "Σ π ℓ φ is the gradient of the entropy in the logits: here of two arms, dx/dz = x(1−x).",
        sp.diff(entropy, x) * x * (1 - x),
        pulled,
        latex=r"\textstyle\sum_a\pi_a\ell_a\varphi_a = \nabla_z\,\mathrm H",
    )
    drift = sp.Rational(1, 2) + _entropy_weight() * sp.log(odds)
    proof.identity(
        "The right arm pays 1 more, in units of Δ, and the odds of the wrong one to it are o: the drift is 1/2 + "
        "weight·log o, zero at",
        sp.Subs(drift, odds, _soft_odds()),
        0,
        latex=r"o = e^{-2\eta/r^2}:\quad \tfrac12+\tfrac{r^2}{4\eta}\log o=0",
    )
    proof.check("and it rises with o: a stable floor.", sp.diff(drift, odds).is_positive, latex=r"df/do>0")


def _budget(proof: Proof) -> None:
    """Contexts that bid for one budget."""
    proof.define(
        "A share s of the samples is noisy, with a share N(λ) above the price λ, the others are clean, with C(λ): "
        "the price clears the budget.",
        r"s\,N(\lambda)+(1-s)\,C(\lambda)=\rho",
    )
    noisy = upper_tail(_c / (_ell * r))
    proof.identity(
        "By delight a noisy sample, U ~ N(0, r²), surprisal ℓ, is above c with probability Φ(−c/(ℓr)): it falls "
        "with c,",
        sp.Derivative(noisy, _c),
        -density(_c / (_ell * r)) / (_ell * r),
    )
    proof.check(
        "and rises with r and ℓ.",
        sp.And(
            sp.simplify(sp.diff(noisy, r) / density(_c / (_ell * r))).is_positive is True,
            sp.simplify(sp.diff(noisy, _ell) / density(_c / (_ell * r))).is_positive is True,
        ),
        latex=r"\partial_r N>0,\ \partial_\ell N>0",
    )
    proof.argue(
        "The clean ones get nothing if and only if the noisy ones above the largest clean score c fill the budget.",
        "N falls and C vanishes from c on: the price reaches c if and only if s·N(c) is at least ρ, and below c some "
        "clean samples are kept",
        sp.diff(noisy, _c).is_negative,
        latex=r"C=0\iff s\,N(c)\ge\rho",
    )
    proof.identity(
        "By delight s·N(c) = ρ at the noise 1/Φ⁻¹(1−ρ/s), in units of c/ℓ.",
        sp.Subs((s * noisy).rewrite(sp.erf), r, _c / _ell * _shut_out()),
        rho,
        latex=r"s\,\Phi\!\left(-\Phi^{-1}(1-\rho/s)\right)=\rho",
    )
    proof.identity(
        "By |advantage| both signs count, and ℓ does not: 2s·Φ(−c/r) = ρ at 1/Φ⁻¹(1−ρ/(2s)), in units of c.",
        sp.Subs((2 * s * upper_tail(_c / r)).rewrite(sp.erf), r, _c * _shut_out_abs()),
        rho,
        latex=r"2s\,\Phi\!\left(-\Phi^{-1}(1-\rho/(2s))\right)=\rho",
    )
    proof.identity(
        "However large the noise, half of the noisy samples are above 0: at ρ ≥ s/2 delight always has some budget "
        "left, and |advantage|, by the same for both signs, at ρ ≥ s.",
        sp.Limit(noisy, r, sp.oo),
        sp.Rational(1, 2),
    )
    proof.identity(
        "Learning the noisy contexts, ℓ → 0, empties their bids by delight, for at t = c/(ℓr) they are φ(t)/t,",
        sp.Limit(upper_tail(t) * t / density(t), t, sp.oo),
        1,
        latex=r"\Phi(-t)\sim\varphi(t)/t\to0",
    )
    proof.identity(
        "and the surprisal of an arm of probability 1 − x vanishes with x; its rivals' samples are no more than x.",
        sp.Limit(-sp.log(1 - x), x, 0, "+"),
        0,
    )
    gained = r * density(_lam / (_ell * r))
    proof.identity(
        "But noise at a price works against it: what it gives an arm, E[rξ; rξℓ > λ] = rφ(λ/(ℓr)),",
        sp.Integral(r * xi * density(xi), (xi, _lam / (_ell * r), sp.oo)),
        gained,
    )
    proof.check(
        "rises with ℓ at λ > 0: rarer arms are pushed up.",
        sp.diff(gained, _ell).is_positive,
        latex=r"\partial_\ell\, r\varphi(\lambda/(\ell r))>0",
    )


def _gamble(proof: Proof) -> None:
    """Noise on one bad arm, at a price that other contexts set."""
    delight = -x * sp.log(1 - x)
    proof.identity(
        "The safe arm of a gamble, U = x, has the delight −x·log(1−x) ~ x².", sp.Limit(delight / x**2, x, 0, "+"), 1
    )
    proof.check(
        "It rises with x: at a price λ safe samples are kept above one x, about √λ, and below it none.",
        sp.diff(delight, x).subs(x, odds / (1 + odds)).simplify().is_positive,
        latex=r"-x\log(1-x)=\lambda:\quad x\sim\sqrt\lambda",
    )
    proof.identity(
        "There: x = √λ solves it to first order,",
        sp.Limit(delight.subs(x, _priced_floor()) / _lam, _lam, 0, "+"),
        1,
    )
    gambled = (u + t) * density((u + t + 1 - x) / r)  # of U = u + t, u = λ/ℓ₂ the threshold
    proof.check(
        "and below it only gambles above λ/ℓ₂ > 0 are kept, so that the drift is negative at every noise, however "
        "small.",
        gambled.is_positive,
        latex=r"f=-\mathbb E[U;\,U>\lambda/\ell_2]<0",
    )


def derive() -> Derivation:
    """Derive what noise moves under gates that decide alone, and who takes a shared budget."""
    proof = Proof(
        "gambling-transformer",
        "Noise independent of the arm leaves the direction under PG and zero price, adds r²/(4η) times the entropy "
        "under DG, and at rate ρ takes the budget of clean contexts from 1/Φ⁻¹(1−ρ/s) on by delight, from "
        "1/Φ⁻¹(1−ρ/(2s)) on by |advantage|. A gamble at a price λ keeps a floor of about √λ.",
        (
            "a share s of the samples in noisy contexts, rewards R + rξ with ξ ~ N(0, 1) independent of the arm",
            "infinite batches; DG to second order in the advantage",
            "budget: noisy advantages have mean 0, and by delight one surprisal ℓ; c is the largest clean score",
        ),
    )
    _alone(proof)
    _soft_gate(proof)
    _budget(proof)
    _gamble(proof)
    return proof.conclude(
        shut_out=_shut_out(),
        shut_out_abs=_shut_out_abs(),
        entropy_weight=_entropy_weight(),
        soft_odds=_soft_odds(),
        priced_floor=_priced_floor(),
    )
