"""Zero price keeps the direction of ∇J and removes the perpendicular noise, in a context with one correct arm.

Source: [KG Prop. 1] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526) and [DG Prop. 1] (I. Osband,
"Delightful Policy Gradient", arXiv 2603.14608); the exact parallel variance and the Bernoulli draw are this
project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p, s_minus, s_plus, w_minus, w_plus

__all__ = ["derive"]

_ENUMERATED_SIZES = range(2, 7)


def _over_wrong_arms(term: sp.Expr) -> sp.Sum:
    """Sum a term over the K − 1 wrong arms, unevaluated, each with its probability."""
    return sp.Sum(context.wrong_probability * term, (sp.Symbol("a", integer=True), 2, K))


def _mean_coefficients() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return the correct-arm and wrong-arm coordinates of E[g], and κ·p as it multiplies d; K symbolic."""
    d, wrong, q = context.correct_score(), context.wrong_score(), context.wrong_probability
    correct_coordinate = p * w_plus * (1 - b) * d.correct + _over_wrong_arms(w_minus * (-b) * wrong.correct)
    # A given wrong coordinate meets its own arm once and the other wrong arms K − 2 times.
    wrong_sum = wrong.marked + (K - 2) * wrong.rest
    wrong_coordinate = p * w_plus * (1 - b) * d.marked + q * w_minus * (-b) * wrong_sum
    return correct_coordinate, wrong_coordinate, context.kappa() * p


def _scores(proof: Proof) -> None:
    """Lengths and parallel parts of the two kinds of score, for symbolic K."""
    d, wrong = context.correct_score(), context.wrong_score()
    epsilon, alpha_squared = context.epsilon, context.alpha_squared
    proof.identity(
        "Only the correct arm pays, so ∇J = p·φ(y*) = p·d; a score has mean zero, here on the correct coordinate.",
        p * d.correct + _over_wrong_arms(wrong.correct),
        sp.Integer(0),
        latex=r"\nabla J = p\,d,\qquad \sum_a \pi_a \varphi_a = 0",
    )
    proof.identity(
        "The length of d, over 1 correct and K − 1 wrong coordinates.",
        d.dot(d),
        epsilon**2 * alpha_squared,
        latex=r"\|d\|^2 = \varepsilon^2\alpha^2,\qquad \alpha^2 = \frac{K}{K-1}",
    )
    proof.identity(
        "A wrong arm's score points against d; its parallel part is −pα, that is φ·d/‖d‖ = −pα with ‖d‖ = εα.",
        wrong.dot(d),
        -p * epsilon * alpha_squared,
        latex=r"\varphi_{\mathrm{wrong}}\cdot d = -p\,\varepsilon\,\alpha^2",
    )
    proof.identity(
        "What is left of a wrong arm's score after its parallel part is removed does not depend on p.",
        wrong.dot(wrong) - wrong.dot(d) ** 2 / d.dot(d),
        (K - 2) / (K - 1),
        latex=r"\|\varphi_{\mathrm{wrong}}\|^2 - p^2\alpha^2 = \frac{K-2}{K-1}",
    )


def _moments(proof: Proof) -> None:
    """E[g], Var_∥ and Var_⊥ for weights that depend on the sign of the advantage alone, K symbolic."""
    d, wrong = context.correct_score(), context.wrong_score()
    on_correct, on_wrong, scale = _mean_coefficients()
    proof.identity("E[g] = κ·p·d on the correct coordinate.", on_correct, scale * d.correct)
    proof.identity("E[g] = κ·p·d on each wrong coordinate: so E[g] = κ·∇J.", on_wrong, scale * d.marked)
    parallel = (
        p * s_plus * (1 - b) ** 2 * d.dot(d) + _over_wrong_arms(s_minus * b**2 * wrong.dot(d) ** 2 / d.dot(d))
    ) - context.kappa() ** 2 * p**2 * d.dot(d)
    proof.identity(
        "Parallel variance: second moment of U·φ·d/‖d‖ over both kinds of arm, less the squared mean.",
        parallel,
        context.var_parallel(),
        latex=r"\mathrm{Var}_\parallel = \alpha^2\{p\,s_+(1-b)^2\varepsilon^2 + \varepsilon\,s_-b^2p^2\}"
        r" - (\kappa p\varepsilon\alpha)^2",
    )
    perpendicular = _over_wrong_arms(s_minus * b**2 * (wrong.dot(wrong) - wrong.dot(d) ** 2 / d.dot(d)))
    proof.identity(
        "Perpendicular variance: a correct sample has no perpendicular part, and E[g] has none either.",
        perpendicular,
        context.var_perpendicular(),
        latex=r"\mathrm{Var}_\perp = \varepsilon\,s_-\,b^2\,\frac{K-2}{K-1}",
    )


def _enumeration(proof: Proof) -> None:
    """Derive the same moments from explicit K-vectors, K = 2 to 6, everything else symbolic."""
    for n_arms in _ENUMERATED_SIZES:
        first = context.by_sign(w_plus, w_minus, n_arms)
        second = context.by_sign(s_plus, s_minus, n_arms)
        exact = ExplicitContext.symmetric(n_arms).moments(b, first, second)
        differences = [
            *(exact.mean - context.kappa() * exact.gradient),
            exact.var_parallel - context.var_parallel().subs(K, n_arms),
            exact.var_perpendicular - context.var_perpendicular().subs(K, n_arms),
            exact.backward_rate - _backward_rate(),
        ]
        proof.check(
            f"Enumeration over the K = {n_arms} arms with vectors e_a − π gives the same E[g], Var_∥, Var_⊥ and "
            f"rate.",
            every(sp.cancel(sp.together(difference)) == 0 for difference in differences),
            latex=rf"K={n_arms}:\ \sum_a\pi_a w_aU_a\varphi_a = \kappa\nabla J,\ \ldots",
        )


def _bernoulli_draw(proof: Proof) -> None:
    """Derive what drawing the gate, rather than multiplying by its probability, adds."""
    w, u, length = sp.symbols("w U L", positive=True)
    drawn = (w * (1 - w) ** 2 + (1 - w) * (0 - w) ** 2) * u**2 * length
    proof.identity(
        "Drawing G ~ Bernoulli(w) adds its variance to w², here from its two outcomes: each arm gains "
        "(w − w²)U²‖φ‖², which is nonnegative and vanishes only at w = 0 and w = 1.",
        drawn,
        (w - w**2) * u**2 * length,
        latex=r"w(1-w)^2+(1-w)w^2 = \mathbb{E}[G^2]-w^2 = w - w^2",
    )
    total_gap = (
        context.second_moment_parallel(correct_second=w_plus, wrong_second=w_minus)
        - context.second_moment_parallel(correct_second=w_plus**2, wrong_second=w_minus**2)
        + context.var_perpendicular(wrong_second=w_minus)
        - context.var_perpendicular(wrong_second=w_minus**2)
    )
    scores = context.correct_score(), context.wrong_score()
    proof.identity(
        "Summed over the arms, with the squared lengths of the scores: the price of really skipping.",
        p * (w_plus - w_plus**2) * (1 - b) ** 2 * scores[0].dot(scores[0])
        + context.epsilon * (w_minus - w_minus**2) * b**2 * scores[1].dot(scores[1]),
        total_gap,
        latex=r"\mathrm{Var}_{\mathrm{Bernoulli}}-\mathrm{Var}_{\mathrm{soft}}"
        r" = \sum_a \pi_a (w_a-w_a^2)U_a^2\|\varphi_a\|^2",
    )


def _zero_price(proof: Proof) -> None:
    """Put the price at zero: weights 1 and 0, and what they give."""
    correct_delight, wrong_delight = context.delights_on_domain()
    proof.check(
        "Zero price keeps a sample iff χ > 0. Every arm has probability below one, so ℓ > 0 and χ has the sign of U: "
        "for 0 < b < 1 a correct sample has χ > 0 and a wrong one χ < 0.",
        sp.And(sp.Gt(correct_delight, 0), sp.Lt(wrong_delight, 0)),
        latex=r"\chi_+ = (1-b)\log\tfrac1p > 0,\qquad \chi_- = -b\log\tfrac{K-1}{1-p} < 0",
    )
    proof.argue(
        "At b = 0 the same samples are kept.",
        "a wrong one has χ = −bℓ = 0 there, and the strict rule drops what is on the price.",
        latex=r"b=0:\quad \chi_+ = \log\tfrac1p > 0,\qquad \chi_- = 0",
    )
    proof.define(
        "So w₊ = s₊ = 1 and w₋ = s₋ = 0, which are put into the formulas above.",
        latex=r"\kappa = 1-b,\qquad \mathrm{Var}_\perp = 0,\qquad \rho = p",
    )
    pair = ExplicitContext.symmetric(2)
    weights = context.by_sign(w_plus, w_minus, 2), context.by_sign(s_plus, s_minus, 2)
    proof.identity(
        "Two arms have no perpendicular space: Var_⊥ = 0 for every gate.",
        pair.moments(b, *weights).var_perpendicular,
        sp.Integer(0),
        latex=r"K=2:\ \mathrm{Var}_\perp = 0",
    )


def _any_policy(proof: Proof) -> None:
    """One correct arm and R ∈ {0, 1}, but an arbitrary policy on the wrong arms."""
    for n_arms in (3, 4, 5):
        free = sp.symbols(f"pi1:{n_arms}", positive=True)
        policy = (1 - sum(free), *free)
        general = ExplicitContext(policy, context.by_sign(sp.Integer(1), sp.Integer(0), n_arms))
        kept = context.by_sign(sp.Integer(1), sp.Integer(0), n_arms)
        exact = general.moments(b, kept, kept)
        differences = [
            *(exact.mean - (1 - b) * exact.gradient),
            exact.var_perpendicular,
            exact.backward_rate - policy[0],
        ]
        proof.check(
            f"Any policy on K = {n_arms} arms, one of them correct: zero price gives E[g] = (1−b)∇J, Var_⊥ = 0 "
            "and the rate π(y*), because only φ(y*), which is parallel to ∇J, is ever added.",
            every(sp.cancel(sp.together(difference)) == 0 for difference in differences),
            latex=r"\pi_{y^*}(1-b)\,\varphi_{y^*} = (1-b)\,\nabla J",
        )


def _backward_rate() -> sp.Expr:
    return p * w_plus + (1 - p) * w_minus


def derive() -> Derivation:
    """Derive signal, variances and rate of a sign gate in one symmetric context, then put the price at zero."""
    proof = Proof(
        "zero-price-geometry",
        "A gate with weights w₊, w₋ on correct and wrong samples has E[g] = κ∇J with κ = w₊(1−b) + w₋b, and explicit "
        "Var_∥, Var_⊥. At zero price and 0 ≤ b < 1: E[g] = (1−b)∇J, Var_⊥ = 0, backward rate p.",
        (
            "one context, K ≥ 2 arms, R = 1 on one arm and 0 on the others, 0 < p < 1, 0 ≤ b < 1",
            "the wrong arms are equally likely (not needed for the zero-price conclusions)",
            "the weight depends on the sign of the advantage alone; samples are gated independently",
            "s = w² for soft weights, s = w for a Bernoulli gate; variances are per sample, Var_⊥ is a trace",
        ),
    )
    _scores(proof)
    _moments(proof)
    _enumeration(proof)
    _bernoulli_draw(proof)
    _zero_price(proof)
    _any_policy(proof)
    kappa, signal = context.kappa(), context.signal_squared()
    noise = context.var_parallel() + context.var_perpendicular()
    return proof.conclude(
        kappa=kappa,
        zero_price_kappa=kappa.subs({w_plus: 1, w_minus: 0}),
        zero_price_rate=_backward_rate().subs({w_plus: 1, w_minus: 0}),
        gradient_norm_squared=signal,
        var_perpendicular=context.var_perpendicular(),
        var_parallel=context.var_parallel(),
        backward_rate=_backward_rate(),
        cosine=sp.sign(kappa),
        efficiency=kappa**2 * signal / (kappa**2 * signal + noise / context.B),
    )
