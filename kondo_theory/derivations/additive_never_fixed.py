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
    odds = context.odds
    expanded = sp.expand_log(_margin(odds), force=True)
    proof.identity(
        "The failure's lead over the success, in units of 1 − α, as the odds o = p/(1−p) rise.",
        sp.expand_log(sp.logcombine(expanded, force=True), force=True),
        sp.log(odds) + sp.log(K - 1) - _ratio * _gap,
        latex=r"\frac{s_- - s_+}{1-\alpha} = \log o+\log(K-1)-\frac{\alpha\Delta}{1-\alpha}",
    )
    proof.identity(
        "The lead grows with the odds, without bound.",
        sp.diff(_margin(odds), odds),
        1 / odds,
        latex=r"\partial_o\,\frac{s_- - s_+}{1-\alpha} = \frac1o > 0",
    )
    proof.identity(
        "It vanishes at o = e^{αΔ/(1−α)}/(K−1), and so is positive beyond: every α < 1 is inconsistent in the end.",
        sp.expand_log(expanded.subs(odds, _critical_odds()), force=True),
        sp.Integer(0),
        latex=r"o^* = \frac{e^{\alpha\Delta/(1-\alpha)}}{K-1}",
    )
    policy = sp.together(_critical_odds() / (1 + _critical_odds()))
    proof.identity(
        "As a probability of the correct arm.",
        policy,
        1 / (1 + (K - 1) * sp.exp(-_ratio * _gap)),
        latex=r"p^* = \frac1{1+(K-1)e^{-\alpha\Delta/(1-\alpha)}}",
    )
    log_odds = _ratio * _gap  # L at the turn
    proof.identity(
        "It is the p at which the threshold α* = L/(Δ+L) has risen to α.",
        sp.log(_critical_odds() * (K - 1)).expand(force=True) / (_gap + log_odds),
        _ratio / (1 + _ratio),
        latex=r"\alpha^*(p^*) = \frac{L}{\Delta+L} = \alpha",
    )


def _no_constant(proof: Proof) -> None:
    """No α < 1 covers the whole of learning; how soon a given one fails."""
    log_odds = sp.Symbol("L", positive=True)
    proof.identity(
        "The threshold tends to 1 as the policy learns: only α = 1, the plain advantage rule, is consistent for "
        "every p.",
        sp.Limit(log_odds / (_gap + log_odds), log_odds, sp.oo),
        sp.Integer(1),
        latex=r"p\to1:\quad L\to\infty,\quad \alpha^*\to1",
    )
    proof.check(
        "The turn always comes after the uniform policy, o = 1/(K−1), and moves away from it as α rises.",
        (_critical_odds() * (K - 1) - 1).subs(_ratio, sp.log(1 + context.odds) / _gap).is_positive is True
        and sp.diff(_ratio * _gap, _ratio).is_positive is True,
        latex=r"(K-1)\,o^* = e^{\alpha\Delta/(1-\alpha)} > 1,\quad\text{rising in }\alpha",
    )
    moderate = _critical_odds(sp.Integer(1)).subs({K: 100, _gap: 1})
    late = _critical_odds(sp.Integer(99)).subs({K: 100, _gap: 1})
    at = float(moderate / (1 + moderate))
    proof.check(
        f"How soon, at K = 100 and Δ = 1: α = 1/2 turns at p = {at:.3f}; α = .99 only at odds above 10⁴⁰, when it "
        f"has been "
        "the advantage rule for all practical purposes.",
        0.026 < at < 0.027 and bool(late > 10**40) and bool(late < 10**42),
        latex=rf"\alpha=\tfrac12:\ p^*\approx{at:.4f},\qquad \alpha=.99:\ o^* = e^{{99}}/99\approx 10^{{41}}",
    )
    odds = context.odds
    primitive = 2 * sp.log(odds) + (1 + odds) - (1 + odds) / odds  # F of the learning-time derivation, in the odds
    proof.identity(
        "Along PG's gradient flow the time to reach large odds is proportional to them, so the turn is "
        "exponentially late.",
        sp.Limit(primitive / odds, odds, sp.oo),
        sp.Integer(1),
        latex=r"t(o^*) \sim o^*/\alpha_K^2 = e^{\alpha\Delta/(1-\alpha)}/K,\qquad \alpha_K^2=\tfrac{K}{K-1}",
    )


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
    ratio = _alpha / (1 - _alpha)
    critical = _critical_odds(ratio)
    return proof.conclude(
        critical_odds=critical,
        critical_probability=1 / (1 + (K - 1) * sp.exp(-ratio * _gap)),
        threshold_at_probability=sp.log(p * (K - 1) / (1 - p)) / (_gap + sp.log(p * (K - 1) / (1 - p))),
    )
