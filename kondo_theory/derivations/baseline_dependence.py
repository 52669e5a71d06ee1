"""The perpendicular noise that zero price removes is made by the baseline, and grows as its square.

Source: this project. The noise itself is that of [KG Prop. 1] and [DG Prop. 1] (arXiv 2603.20526 and 2603.14608).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p

__all__ = ["derive"]

_ONE, _ZERO = sp.Integer(1), sp.Integer(0)


def _noise() -> sp.Expr:
    """Return PG's Var_⊥: the claimed dependence on the baseline."""
    return context.var_perpendicular(b, _ONE)


def _noise_to_signal() -> sp.Expr:
    """Return PG's Var_⊥/‖∇J‖², per sample."""
    return b**2 * (K - 2) / (K * p**2 * context.epsilon)


def _enumerated(proof: Proof) -> None:
    """PG's noise arm by arm, as a polynomial in b."""
    for n_arms in range(2, 7):
        everything = context.by_sign(_ONE, _ONE, n_arms)
        noise = ExplicitContext.symmetric(n_arms).moments(b, everything, everything).var_perpendicular
        polynomial = sp.Poly(sp.cancel(sp.together(noise)), b)
        proof.check(
            f"Enumeration over K = {n_arms} arms: Var_⊥(PG) has no term in b⁰ or b¹, and the stated one in b².",
            polynomial.coeff_monomial(1) == 0
            and polynomial.coeff_monomial(b) == 0
            and sp.cancel(polynomial.as_expr() - _noise().subs(K, n_arms)) == 0,
            latex=rf"K={n_arms}:\ \mathrm{{Var}}_\perp(\mathrm{{PG}}) = \varepsilon "
            rf"b^2\,\tfrac{{{n_arms - 2}}}{{{n_arms - 1}}}",
        )


def _no_baseline(proof: Proof) -> None:
    """At b = 0 there is nothing to remove, and the two updates coincide sample by sample."""
    arms = ExplicitContext.symmetric(5)
    keeps_all, keeps_correct = context.by_sign(_ONE, _ONE, 5), context.by_sign(_ONE, _ZERO, 5)
    updates = [
        [
            weight * reward * arms.score(arm)
            for arm, (weight, reward) in enumerate(zip(kept, arms.rewards, strict=True))
        ]
        for kept in (keeps_all, keeps_correct)
    ]
    proof.argue(
        "At b = 0 PG and zero price make the same update from the same sample, so they have the same variance.",
        "a wrong sample has U = 0 and contributes nothing, kept or not; a correct one is kept by both.",
        every(sp.simplify(left - right) == sp.zeros(5, 1) for left, right in zip(*updates, strict=True)),
        latex=r"b=0:\quad U_a\varphi_a = \mathbf 1\{\chi_a>0\}\,U_a\varphi_a\ \text{ for every arm } a",
    )
    arm = sp.Symbol("a", integer=True)
    soft = 1 / (1 + sp.exp(-context.delights(_ZERO)[1] / context.eta))  # the soft gate on χ = 0
    proof.identity(
        "What zero price still saves at b = 0 is compute: the backward passes of the K − 1 wrong arms.",
        sp.Sum(context.wrong_probability, (arm, 2, K)),
        context.epsilon,
        latex=r"\rho(\mathrm{PG})-\rho(\text{zero price}) = \sum_{a=2}^{K}\pi_a = \varepsilon",
    )
    proof.identity(
        "The limit of the soft gate keeps a wrong sample (χ = 0) with probability 1/2 and spends ε/2 on zero "
        "gradients.",
        sp.Sum(context.wrong_probability * soft, (arm, 2, K)),
        context.epsilon / 2,
        latex=r"b=0:\quad \lim_{\eta\to0}\mathbb E\,\sigma(\chi/\eta) - p = \varepsilon/2",
    )


def _against_signal(proof: Proof) -> None:
    """Noise per squared signal for the three usual baselines."""
    d, wrong, arm = context.correct_score(), context.wrong_score(), sp.Symbol("a", integer=True)
    noise = sp.Sum(
        context.wrong_probability * b**2 * (wrong.dot(wrong) - wrong.dot(d) ** 2 / d.dot(d)),
        (arm, 2, K),
    )
    ratio = proof.identity(
        "PG's perpendicular noise per squared signal, summed over the K − 1 wrong arms.",
        noise / (p**2 * d.dot(d)),
        _noise_to_signal(),
        latex=r"\frac{\mathrm{Var}_\perp}{\|\nabla J\|^2} = \frac{b^2(K-2)}{K\,p^2\,\varepsilon}",
    )
    proof.identity(
        "A constant baseline is fatal for a rare correct arm: the noise grows as 1/p².",
        sp.Limit(p**2 * ratio, p, 0, "+"),
        b**2 * (K - 2) / K,
        latex=r"\lim_{p\to0}p^2\,\frac{\mathrm{Var}_\perp}{\|\nabla J\|^2} = b^2\,\frac{K-2}{K}",
    )
    proof.identity(
        "With the value baseline b = p the factor 1/p² is gone.",
        (noise / (p**2 * d.dot(d))).subs(b, p),
        (K - 2) / (K * context.epsilon),
        latex=r"b=p:\quad \frac{\mathrm{Var}_\perp}{\|\nabla J\|^2} = \frac{K-2}{K\varepsilon}",
    )
    confidence = p**2 + (1 - p) ** 2 / (K - 1)
    arms = ExplicitContext.symmetric(4)
    proof.identity(
        "The confidence baseline Σπ² is p² + ε²/(K−1), here against four explicit arms.",
        sum(q**2 for q in arms.policy),
        confidence.subs(K, 4),
        latex=r"\sum_a\pi_a^2 = p^2+\frac{\varepsilon^2}{K-1}",
    )
    proof.identity(
        "At the uniform policy the confidence baseline is the value baseline: both are 1/K, and so is the noise.",
        confidence.subs(p, 1 / K),
        1 / K,
        latex=r"p=\tfrac1K:\quad \sum_a\pi_a^2 = \frac1{K^2}+\frac{(1-1/K)^2}{K-1} = \frac1K = p",
    )
    proof.identity(
        "With b = p the noise itself, εp²(K−2)/(K−1), rises up to p = 2/3 and falls beyond.",
        sp.Derivative(_noise().subs(b, p), p),
        3 * p * (sp.Rational(2, 3) - p) * (K - 2) / (K - 1),
        latex=r"\partial_p\,\varepsilon p^2 = 3p\,(\tfrac23-p)",
    )


def derive() -> Derivation:
    """Derive Var_⊥(PG) ∝ b², and what the usual baselines make of it."""
    proof = Proof(
        "baseline-dependence",
        "Var_⊥(PG) = εb²(K−2)/(K−1) is proportional to b²: the noise that the gate removes is made by the baseline. "
        "At b = 0 zero price makes PG's update and only saves compute.",
        (
            "one symmetric context, K ≥ 2, R = 1{a = y*}, 0 < p < 1, 0 ≤ b < 1",
            "zero price is the strict rule χ > 0",
        ),
    )
    _enumerated(proof)
    _no_baseline(proof)
    _against_signal(proof)
    return proof.conclude(
        var_perpendicular_pg=_noise(),
        noise_to_signal=_noise_to_signal(),
        noise_to_signal_value_baseline=(K - 2) / (K * context.epsilon),
        saved_backward_rate=context.epsilon,
    )
