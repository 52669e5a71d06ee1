"""What Delightful Policy Gradient leaves of the perpendicular noise, and of the gap between its cosine and one.

Source: [DG Prop. 1] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608); the closed form of the ratio, the
cosine-gap ratio and its bound are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, eta, p, w_minus, w_plus

__all__ = ["derive"]


def _soft_weights() -> tuple[sp.Expr, sp.Expr]:
    """Return σ(χ₊/η) and σ(χ₋/η) in their power form."""
    correct = 1 / (1 + p ** ((1 - b) / eta))
    wrong = 1 / (1 + ((K - 1) / (1 - p)) ** (b / eta))
    return correct, wrong


def _noise_ratio() -> sp.Expr:
    return _soft_weights()[1] ** 2


def _cosine_gap_ratio() -> sp.Expr:
    correct, wrong = _soft_weights()
    return (wrong / context.kappa(b, correct, wrong)) ** 2


def _weights(proof: Proof) -> None:
    """Write the two soft weights as powers of probabilities."""
    correct, wrong = _soft_weights()
    chi_plus, chi_minus = context.delights()
    surprisal = sp.Symbol("l", positive=True)  # of the wrong arm: (K−1)/(1−p) = e^ℓ
    base = (K - 1) / (1 - p)
    proof.identity(
        "A wrong sample's soft weight is a power of its odds against.",
        (1 / (1 + sp.exp(-chi_minus / eta))).subs(sp.log(base), surprisal),
        wrong.subs(base, sp.exp(surprisal)),
        latex=r"w_- = \sigma(\chi_-/\eta) = \Big[1+\Big(\frac{K-1}{1-p}\Big)^{b/\eta}\Big]^{-1}",
    )
    proof.identity(
        "A correct sample's soft weight is a power of its probability.",
        (1 / (1 + sp.exp(-chi_plus / eta))).subs(sp.log(1 / p), surprisal),
        correct.subs(p, sp.exp(-surprisal)),
        latex=r"w_+ = \sigma(\chi_+/\eta) = \big[1+p^{(1-b)/\eta}\big]^{-1}",
    )


def _ratio(proof: Proof) -> None:
    """Derive the ratio of perpendicular variances, by enumeration and for symbolic K."""
    for n_arms in range(3, 7):
        arms = ExplicitContext.symmetric(n_arms)
        soft_first, soft_second = (
            context.by_sign(w_plus, w_minus, n_arms),
            context.by_sign(w_plus**2, w_minus**2, n_arms),
        )
        ones = context.by_sign(sp.Integer(1), sp.Integer(1), n_arms)
        soft = arms.moments(b, soft_first, soft_second).var_perpendicular
        plain = arms.moments(b, ones, ones).var_perpendicular
        proof.identity(
            f"Ratio of the perpendicular variances by enumeration over K = {n_arms} arms.",
            soft / plain,
            w_minus**2,
            latex=rf"K={n_arms}:\ \mathrm{{Var}}_\perp(\mathrm{{DG}})/\mathrm{{Var}}_\perp(\mathrm{{PG}}) = w_-^2",
        )
    proof.identity(
        "For every K, from Var_⊥ = ε·E[weight²|wrong]·b²(K−2)/(K−1), with the soft weight put in.",
        context.var_perpendicular(wrong_second=_soft_weights()[1] ** 2)
        / context.var_perpendicular(wrong_second=sp.Integer(1)),
        _noise_ratio(),
        latex=r"\mathrm{Var}_\perp(\mathrm{DG})/\mathrm{Var}_\perp(\mathrm{PG}) = \sigma(\chi_-/\eta)^2",
    )


def _cosine_gap(proof: Proof) -> None:
    """From noise to cosine."""
    x, y = sp.symbols("x y", positive=True)
    gap = 1 - x / sp.sqrt(x**2 + y**2)
    proof.check(
        "A vector with parallel part x and a small perpendicular part y has 1 − cos = y²/(2x²) + O(y⁴).",
        sp.simplify(sp.limit(gap / y**2, y, 0) - 1 / (2 * x**2)) == 0
        and sp.limit((gap - y**2 / (2 * x**2)) / y**3, y, 0) == 0,
        latex=r"1-\frac{x}{\sqrt{x^2+y^2}} = \frac{y^2}{2x^2}+O(y^4)",
    )
    correct, wrong = sp.symbols("W_plus W_minus", positive=True)
    gap_of = context.var_perpendicular(wrong_second=wrong**2) / (
        context.kappa(b, correct, wrong) ** 2 * context.signal_squared()
    )
    proof.identity(
        "At the same large batch the ratio of the two gaps is the noise ratio over κ², as PG has κ = 1.",
        gap_of / gap_of.subs({correct: 1, wrong: 1}),
        (wrong / context.kappa(b, correct, wrong)) ** 2,
        latex=r"\frac{1-\cos(\mathrm{DG})}{1-\cos(\mathrm{PG})}\to\Big(\frac{w_-}{\kappa}\Big)^2",
    )
    part = sp.Symbol("y", positive=True)
    weight_correct = _soft_weights()[0].subs(p ** ((1 - b) / eta), part / (1 + part))  # a power of p is in (0, 1)
    weight_wrong = _soft_weights()[1].subs(((K - 1) / (1 - p)) ** (b / eta), 1 + part)  # a power of 1/q is above 1
    proof.argue(
        "DG's gap is smaller than PG's for every 0 < b < 1, every temperature and every p.",
        "κ − w₋ = (1−b)(w₊−w₋), and w₊ > 1/2 > w₋ because χ₊ > 0 > χ₋; so 0 < w₋ < κ.",
        sp.expand(context.kappa() - w_minus - (1 - b) * (w_plus - w_minus)) == 0
        and sp.factor(weight_correct - sp.Rational(1, 2)).is_positive is True
        and sp.factor(weight_wrong - sp.Rational(1, 2)).is_negative is True,
        latex=r"\kappa-w_- = (1-b)(w_+-w_-) > 0",
    )


def _limits_and_published(proof: Proof) -> None:
    """Temperature limits, the learned policy, and the two numbers of the paper."""
    base, power = sp.symbols("c t", positive=True)
    ratio = (1 + (1 + base) ** power) ** -2  # (K−1)/(1−p) = 1 + c > 1 and b/η = t
    proof.check(
        "Cold: the ratio goes to 0, as at zero price. Hot: to 1/4, because every weight is 1/2.",
        (sp.limit(ratio.subs(base, 3), power, sp.oo), sp.limit(ratio, power, 0, "+")) == (0, sp.Rational(1, 4)),
        latex=r"\eta\to0:\ 0,\qquad \eta\to\infty:\ \tfrac14",
    )
    small = sp.Symbol("e", positive=True)
    half = {p: 1 - small, b: sp.Rational(1, 2), eta: 1}
    proof.identity(
        "Late in learning the ratio vanishes as (ε/(K−1))^{2b/η}; here b = 1/2, η = 1.",
        sp.Limit(_noise_ratio().subs(half) / small, small, 0, "+"),
        1 / (K - 1),
        latex=r"\lim_{\varepsilon\to0}\frac{w_-^2}{\varepsilon} = \frac1{K-1}\qquad(b=\tfrac12,\ \eta=1)",
    )
    published = [
        float(_cosine_gap_ratio().subs({K: 100, b: sp.Rational(1, 2), eta: 1, p: 1 - error}))
        for error in (sp.Rational(1, 2), sp.Rational(1, 10))
    ]
    proof.check(
        "[DG Prop. 1] prints that DG keeps about 4 % of PG's gap at K = 100, ε = 0.5 and about 1 % at ε = 0.1; the "
        f"formula gives {100 * published[0]:.2f} % and {100 * published[1]:.2f} %.",
        round(100 * published[0]) == 4 and round(100 * published[1]) == 1,
        latex=rf"(w_-/\kappa)^2 = {published[0]:.4f},\ {published[1]:.4f}",
    )


def derive() -> Derivation:
    """Derive Var_⊥(DG)/Var_⊥(PG) = σ(χ₋/η)² and the ratio of cosine gaps."""
    proof = Proof(
        "dg-noise-ratio",
        "DG keeps the fraction w₋² = [1 + ((K−1)/(1−p))^{b/η}]^{−2} of PG's perpendicular variance, and, at large "
        "batches, the fraction (w₋/κ)² < 1 of its cosine gap.",
        (
            "one symmetric context, K ≥ 3, R = 1{a = y*}, 0 < p < 1, 0 < b < 1, η > 0",
            "DG multiplies each sample by σ(χ/η) and backpropagates all of them",
            "the cosine gap is compared at equal batch size, to leading order in 1/B",
        ),
    )
    _weights(proof)
    _ratio(proof)
    _cosine_gap(proof)
    _limits_and_published(proof)
    correct, wrong = _soft_weights()
    return proof.conclude(
        noise_ratio=_noise_ratio(),
        cosine_gap_ratio=_cosine_gap_ratio(),
        weight_correct=correct,
        weight_wrong=wrong,
    )
