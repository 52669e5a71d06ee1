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


def _cosine_gap_ratio(correct: sp.Expr | None = None, wrong: sp.Expr | None = None) -> sp.Expr:
    if correct is None or wrong is None:
        correct, wrong = _soft_weights()
    return (wrong / context.kappa(b, correct, wrong)) ** 2


def _weights(proof: Proof) -> None:
    """Write the two soft weights as powers of probabilities: log(1/w − 1) = −χ/η is what σ means."""
    for name, weight, delight, latex in zip(
        ("A correct sample's soft weight is a power of its probability", "A wrong one's of its odds against"),
        _soft_weights(),
        context.delights(),
        (
            r"w_+ = \sigma(\chi_+/\eta) = \big[1+p^{(1-b)/\eta}\big]^{-1}",
            r"w_- = \sigma(\chi_-/\eta) = \Big[1+\Big(\frac{K-1}{1-p}\Big)^{b/\eta}\Big]^{-1}",
        ),
        strict=True,
    ):
        proof.identity(
            f"{name}: its log-odds are χ/η.",
            context.at_odds(sp.log(1 / weight - 1)),
            context.at_odds(-delight / eta),
            latex=latex,
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
    wrong, d = context.wrong_score(), context.correct_score()
    perpendicular = wrong.dot(wrong) - wrong.dot(d) ** 2 / d.dot(d)
    arm = sp.Symbol("a", integer=True)
    noise = [
        sp.Sum(context.wrong_probability * weight**2 * b**2 * perpendicular, (arm, 2, K))
        for weight in (_soft_weights()[1], sp.Integer(1))
    ]
    proof.identity(
        "For every K, summed over the K − 1 wrong arms, with the soft weight put in.",
        noise[0] / noise[1],
        _noise_ratio(),
        latex=r"\mathrm{Var}_\perp(\mathrm{DG})/\mathrm{Var}_\perp(\mathrm{PG}) = \sigma(\chi_-/\eta)^2",
    )


def _cosine_gap(proof: Proof) -> None:
    """From noise to cosine."""
    x, y = sp.symbols("x y", positive=True)
    gap = 1 - x / sp.sqrt(x**2 + y**2)
    proof.identity(
        "A vector with parallel part x and a small perpendicular part y has 1 − cos = y²/(2x²) to leading order.",
        sp.Limit(gap / y**2, y, 0, "+"),
        1 / (2 * x**2),
    )
    proof.identity(
        "What is left is of fourth order.",
        sp.Limit((gap - y**2 / (2 * x**2)) / y**4, y, 0, "+"),
        -3 / (8 * x**4),
    )
    arms, gaps = ExplicitContext.symmetric(3), []
    for first in (context.by_sign(w_plus, w_minus, 3), context.by_sign(sp.Integer(1), sp.Integer(1), 3)):
        exact = arms.moments(b, first, tuple(w**2 for w in first))
        gaps.append(sp.cancel(exact.var_perpendicular) / sp.factor(exact.mean.dot(exact.mean)))
    proof.identity(
        "At the same large batch the ratio of the two gaps is the noise ratio over κ², as PG has κ = 1: here from "
        "three explicit arms.",
        gaps[0] / gaps[1],
        _cosine_gap_ratio(w_plus, w_minus),
        latex=r"\frac{1-\cos(\mathrm{DG})}{1-\cos(\mathrm{PG})}\to\Big(\frac{w_-}{\kappa}\Big)^2",
    )
    share, low, high = sp.symbols("t y z", positive=True)
    soft = _soft_weights()
    weight_correct = soft[0].subs(p ** ((1 - b) / eta), low / (1 + low))  # a power of p is in (0, 1)
    weight_wrong = soft[1].subs(((K - 1) / (1 - p)) ** (b / eta), 1 + high)  # a power of (K − 1)/(1 − p) is above 1
    lead = context.kappa(share / (1 + share), weight_correct, weight_wrong) - weight_wrong
    proof.check(
        "DG's gap is smaller than PG's for every 0 < b < 1, every temperature and every p: κ exceeds w₋, as w₊ does.",
        sp.factor(lead).is_positive,
        latex=r"\kappa-w_- = (1-b)(w_+-w_-) > 0",
    )


_EXAMPLES = {"half": sp.Rational(1, 2), "tenth": sp.Rational(1, 10)}  # ε of the published gaps


def _at_example(ratio: sp.Expr, error: sp.Rational) -> sp.Expr:
    """Put in the setting of the published numbers: K = 100, b = 1/2, η = 1."""
    return ratio.subs({K: 100, b: sp.Rational(1, 2), eta: 1, p: 1 - error})


def _limits_and_published(proof: Proof) -> None:
    """Temperature limits, the learned policy, and the two numbers of the paper."""
    small = sp.Symbol("u", positive=True)  # (ε/(K−1))^{b/η}, in (0, 1)
    ratio = _noise_ratio().subs(((K - 1) / (1 - p)) ** (b / eta), 1 / small)
    proof.identity(
        "Cold, or late in learning, u = (ε/(K−1))^{b/η} → 0 and the ratio vanishes as u², as at zero price.",
        sp.Limit(ratio / small**2, small, 0, "+"),
        sp.Integer(1),
        latex=r"u\to0:\quad w_-^2 \sim u^2 = \Big(\frac{\varepsilon}{K-1}\Big)^{2b/\eta}",
    )
    proof.identity(
        "Hot, u → 1: every weight is 1/2.",
        sp.Limit(ratio, small, 1, "-"),
        sp.Rational(1, 4),
        latex=r"\eta\to\infty:\quad w_-^2 \to \tfrac14",
    )
    published = {name: sp.N(_at_example(_cosine_gap_ratio(), error), 20) for name, error in _EXAMPLES.items()}
    proof.sample(
        "[DG Prop. 1] prints that DG keeps about 4 % of PG's gap at K = 100, ε = 0.5 and about 1 % at ε = 0.1; the "
        f"formula gives {100 * float(published['half']):.2f} % and {100 * float(published['tenth']):.2f} %.",
        [round(100 * published["half"]) == 4, round(100 * published["tenth"]) == 1],
        latex=rf"(w_-/\kappa)^2 = {float(published['half']):.4f},\ {float(published['tenth']):.4f}",
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
        kappa=context.kappa(b, correct, wrong),
        **{f"published_gap_{name}": _at_example(_cosine_gap_ratio(), error) for name, error in _EXAMPLES.items()},
        **{f"published_noise_{name}": _at_example(_noise_ratio(), error) for name, error in _EXAMPLES.items()},
    )
