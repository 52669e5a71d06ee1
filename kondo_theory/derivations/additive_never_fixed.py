"""No fixed mixture of advantage and surprisal stays sign-consistent while the policy learns.

Source: this project, from the threshold of [KG Prop. 2] (I. Osband, "Does This Gradient Spark Joy?", arXiv
2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import K, p

__all__ = ["derive"]

_alpha = sp.Symbol("alpha", positive=True)
_gap = sp.Symbol("Delta", positive=True)
_ratio = sp.Symbol("r", positive=True)  # α/(1−α), so that 0 < α < 1 is r > 0


def _margin(odds: sp.Expr, ratio: sp.Expr = _ratio) -> sp.Expr:
    """Return (failure's score − success's score)/(1−α) from the definition, at the given odds p/(1−p)."""
    success = ratio * _gap + sp.log(1 / (odds / (1 + odds)))
    failure = ratio * 0 + sp.log((K - 1) * (1 + odds))
    return failure - success


def _critical_odds(ratio: sp.Expr = _ratio) -> sp.Expr:
    """Return the claimed odds at which the additive rule turns."""
    return sp.exp(ratio * _gap) / (K - 1)


def _turn(proof: Proof) -> None:
    """Existence, uniqueness and place of the turn."""
    odds, arms = context.odds, context.at_odds(K)
    margin = _margin(odds).subs(K, arms)
    proof.identity(
        "The failure's lead over the success, in units of 1 − α, as the odds o = p/(1−p) rise.",
        margin,
        sp.log(odds) + sp.log(arms - 1) - _ratio * _gap,
        latex=r"\frac{s_- - s_+}{1-\alpha} = \log o+\log(K-1)-\frac{\alpha\Delta}{1-\alpha}",
    )
    proof.identity(
        "The lead grows with the odds, without bound.",
        sp.Derivative(_margin(odds), odds),
        1 / odds,
        latex=r"\partial_o\,\frac{s_- - s_+}{1-\alpha} = \frac1o > 0",
    )
    proof.identity(
        "It vanishes at o = e^{αΔ/(1−α)}/(K−1), and so is positive beyond: every α < 1 is inconsistent in the end.",
        margin.subs(odds, _critical_odds().subs(K, arms)),
        sp.Integer(0),
        latex=r"o^* = \frac{e^{\alpha\Delta/(1-\alpha)}}{K-1}",
    )
    proof.identity(
        "As a probability of the correct arm.",
        _critical_odds() / (1 + _critical_odds()),
        _critical_probability(),
        latex=r"p^* = \frac1{1+(K-1)e^{-\alpha\Delta/(1-\alpha)}}",
    )
    log_odds = sp.log(_critical_odds() * (K - 1))  # L at the turn
    proof.identity(
        "It is the p at which the threshold α* = L/(Δ+L) has risen to α.",
        (log_odds / (_gap + log_odds)).subs(_ratio, _alpha / (1 - _alpha)),
        _alpha,
        latex=r"\alpha^*(p^*) = \frac{L}{\Delta+L} = \alpha",
    )


def _no_constant(proof: Proof) -> None:
    """No α < 1 covers the whole of learning."""
    log_odds = sp.Symbol("L", positive=True)
    proof.identity(
        "The threshold tends to 1 as the policy learns: only α = 1, the plain advantage rule, is consistent for "
        "every p.",
        sp.Limit(log_odds / (_gap + log_odds), log_odds, sp.oo),
        sp.Integer(1),
        latex=r"p\to1:\quad L\to\infty,\quad \alpha^*\to1",
    )
    beyond = sp.Symbol("y", positive=True)  # e^{rΔ} = 1 + y runs over all that a ratio r > 0 gives
    proof.check(
        "The turn always comes after the uniform policy, o = 1/(K−1): by the factor e^{αΔ/(1−α)} = 1 + y, y > 0.",
        sp.Eq(sp.cancel(_critical_odds().subs(_ratio, sp.log(1 + beyond) / _gap) * (K - 1)), 1 + beyond),
        latex=r"(K-1)\,o^* = e^{\alpha\Delta/(1-\alpha)} = 1+y > 1",
    )
    proof.identity(
        "It moves away from it as α rises, exponentially in α/(1−α).",
        sp.Derivative(_critical_odds(), _ratio) / _critical_odds(),
        _gap,
        latex=r"\frac{\partial\log o^*}{\partial r} = \Delta > 0,\qquad r = \frac{\alpha}{1-\alpha}",
    )
    odds = context.odds
    primitive = 2 * sp.log(odds) + (1 + odds) - (1 + odds) / odds  # F of the learning-time derivation, in the odds
    proof.identity(
        "The time of PG's gradient flow, dp/(p²ε²) up to a constant, in the odds: dp = do/(1+o)².",
        sp.Derivative(primitive, odds),
        context.on_domain(1 / (p * context.epsilon) ** 2) / (1 + odds) ** 2,
        latex=r"\alpha_K^2\,\frac{dt}{do} = \frac{(1+o)^2}{o^2},\qquad \alpha_K^2=\tfrac{K}{K-1}",
    )
    proof.identity(
        "The time to reach large odds is proportional to them, so the turn is exponentially late.",
        sp.Limit(primitive / odds, odds, sp.oo),
        sp.Integer(1),
        latex=r"t(o^*) \sim o^*/\alpha_K^2 = e^{\alpha\Delta/(1-\alpha)}/K",
    )


def _how_soon(proof: Proof) -> None:
    """Two weights, and what a turn costs."""
    moderate, late = (_critical_odds(sp.Integer(ratio)).subs({K: 100, _gap: 1}) for ratio in (1, 99))
    at = sp.N(moderate / (1 + moderate), 20)
    proof.sample(
        "How soon, at K = 100 and Δ = 1: α = 1/2 turns at p = 0.027; α = .99 only at odds of about 10⁴¹, when it has "
        "been the advantage rule for all practical purposes.",
        [
            abs(at - sp.Rational(27, 1000)) < sp.Rational(1, 2000),
            abs(sp.log(late, 10).n(20) - 41) < sp.Rational(1, 100),
        ],
        latex=rf"\alpha=\tfrac12:\ p^*\approx{float(at):.4f},\qquad \alpha=.99:\ o^* = e^{{99}}/99",
    )
    bound = sp.N(_failure_bound(sp.Integer(99)).subs({context.B: 20, K: 10, _gap: 1}), 20)
    proof.sample(
        "Past the turn the top of a batch is a failure only if one was drawn, with probability 1 − p^B ≤ B(1−p): "
        "between 10⁻⁴¹ and 10⁻⁴⁰ at K = 10, α = .99, B = 20.",
        [sp.Rational(1, 10**41) < bound < sp.Rational(1, 10**40)],
        latex=r"1-p^B \le B\,(1-p^*) = \frac{B}{1+o^*} < 10^{-40}",
    )


def _critical_probability(ratio: sp.Expr = _ratio) -> sp.Expr:
    """Return the claimed probability of the correct arm at which the additive rule turns."""
    return 1 / (1 + (K - 1) * sp.exp(-ratio * _gap))


def _failure_bound(ratio: sp.Expr = _ratio) -> sp.Expr:
    """Return the claimed bound on the chance that a batch of B holds a failure at the turn."""
    return context.B * (1 - _critical_probability(ratio))


def derive() -> Derivation:
    """Derive the odds at which an additive rule with fixed α < 1 turns, and that they are always reached."""
    proof = Proof(
        "additive-never-fixed",
        "For every α < 1 the additive rule ranks failures above successes once p/(1−p) exceeds e^{αΔ/(1−α)}/(K−1): "
        "early for moderate α, astronomically late for α near 1, when it is the advantage rule in all but name.",
        (
            "one symmetric context, K ≥ 2; the correct arm's reward exceeds a wrong arm's by Δ > 0",
            "0 < α < 1 fixed while p rises from 1/K towards 1",
        ),
    )
    _turn(proof)
    _no_constant(proof)
    _how_soon(proof)
    ratio = _alpha / (1 - _alpha)
    return proof.conclude(
        critical_odds=_critical_odds(ratio),
        critical_probability=_critical_probability(ratio),
        failure_bound=_failure_bound(ratio),
        threshold_at_probability=sp.log(p * (K - 1) / (1 - p)) / (_gap + sp.log(p * (K - 1) / (1 - p))),
    )
