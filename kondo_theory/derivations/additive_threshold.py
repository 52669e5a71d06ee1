"""When an additive score of advantage and surprisal prefers a rare failure to a common success.

Source: [KG Prop. 2] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); the closed form of the threshold
in K, the gap and p, and what happens for baselines outside the rewards, are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, p

__all__ = ["derive"]

_alpha = sp.Symbol("alpha", positive=True)  # weight of the advantage, 0 < α < 1
_gap = sp.Symbol("Delta", positive=True)  # reward of the correct arm less that of a wrong one
_low, _base = sp.symbols("R_low b", real=True)
_log_odds = sp.Symbol("L", positive=True)  # ℓ(wrong) − ℓ(correct), positive for p > 1/K


def _surprisal_gap() -> sp.Expr:
    """Return L = log(p(K−1)/(1−p))."""
    return sp.log(p * (K - 1) / (1 - p))


def _threshold(log_odds: sp.Expr = _log_odds) -> sp.Expr:
    """Return the claimed α*."""
    return log_odds / (_gap + log_odds)


def _additive(proof: Proof) -> None:
    """Compare the two additive scores."""
    right, wrong = ExplicitContext.symmetric(3).policy[:2]
    proof.identity(
        "A wrong sample is the more surprising one by L, here from the probabilities of three explicit arms.",
        context.at_odds(sp.log(right) - sp.log(wrong)),
        context.at_odds(_surprisal_gap().subs(K, 3)),
        latex=r"L = \ell_- - \ell_+ = \log\frac{p(K-1)}{1-p}",
    )
    proof.identity(
        "L is positive exactly for p > 1/K.",
        sp.exp(_surprisal_gap()) - 1,
        K * (p - 1 / K) / (1 - p),
        latex=r"e^L-1 = \frac{Kp-1}{1-p}",
    )
    common = sp.Symbol("l", positive=True)
    success = _alpha * (_low + _gap - _base) + (1 - _alpha) * common
    failure = _alpha * (_low - _base) + (1 - _alpha) * (common + _log_odds)
    proof.identity(
        "The baseline and the common surprisal cancel from the comparison.",
        failure - success,
        (1 - _alpha) * _log_odds - _alpha * _gap,
        latex=r"s_- - s_+ = (1-\alpha)L-\alpha\Delta",
    )
    proof.identity(
        "The comparison is a positive factor times α* − α: the failure wins iff α < α*.",
        failure - success,
        (_gap + _log_odds) * (_threshold() - _alpha),
        latex=r"s_- - s_+ = (\Delta+L)(\alpha^*-\alpha),\qquad \alpha^* = \frac{L}{\Delta+L}",
    )
    beaten = sp.Symbol("M", nonnegative=True)  # −L ≥ 0
    share = sp.Symbol("x", positive=True)  # α = x/(1+x) runs over (0, 1)
    margin = sp.expand(success - failure).subs(_log_odds, -beaten).subs(_alpha, share / (1 + share))
    proof.check(
        "For p ≤ 1/K (L ≤ 0) a failure never wins, at any 0 < α < 1.",
        sp.factor(margin).is_positive,
        latex=r"L\le0:\quad s_+-s_- = \alpha\Delta+(1-\alpha)|L| > 0",
    )
    for variable, slope in ((_gap, -_log_odds), (_log_odds, _gap)):
        proof.identity(
            f"For p > 1/K the threshold {'falls in the reward gap' if variable is _gap else 'rises in L'}.",
            sp.Derivative(_threshold(), variable),
            slope / (_gap + _log_odds) ** 2,
        )
    proof.check(
        "It lies strictly between 0 and 1 there.",
        sp.And(sp.Gt(_threshold(), 0), sp.Gt(sp.cancel(1 - _threshold()), 0)),
        latex=r"L > 0:\quad 0 < \alpha^* = 1-\frac{\Delta}{\Delta+L} < 1",
    )


def _delight(proof: Proof) -> None:
    """Delight makes no such exchange, and where that ends."""
    above = sp.Symbol("u", positive=True)  # distance of the baseline from the correct arm's reward
    ell, extra = sp.symbols("l L", positive=True)
    # In units of the gap Δ, measured from the lower reward, the baseline is in (0, 1): the standard context.
    correct_delight, wrong_delight = context.delights_on_domain()
    proof.check(
        "With the baseline strictly between the two rewards delight has the sign of the advantage, for every p, K "
        "and gap: a success always outranks a failure.",
        correct_delight.is_positive is True and wrong_delight.is_negative is True,
        latex=r"\chi_+ = U_+\ell_+ > 0 > U_-\ell_- = \chi_-",
    )
    proof.identity(
        "A baseline above both rewards (U₊ = −u, U₋ = −u−Δ) still ranks the success first for p > 1/K, by a "
        "positive margin.",
        -above * ell - (-(above + _gap) * (ell + extra)),
        above * extra + _gap * (ell + extra),
        latex=r"b>R_{\mathrm{high}}:\quad \chi_+-\chi_- = uL+\Delta(\ell_++L) > 0",
    )
    odds_of = [1 / q for q in (p, context.wrong_probability)]  # e^ℓ
    failure, success = (o.subs({p: sp.Rational(99, 100), K: 100}) for o in reversed(odds_of))
    proof.check(
        "A baseline below both rewards breaks it: with U₊ = 2, U₋ = 1, K = 100 and p = .99 the failure has more "
        "delight, ℓ₋ > 2ℓ₊, as e^{ℓ₋−2ℓ₊} is 9702.99.",
        sp.Eq(failure / success**2, sp.Rational(970299, 100)),
        latex=r"b<R_{\mathrm{low}}:\quad \chi_--\chi_+ = \log9900-2\log\tfrac1{.99} = \log9702.99 > 0",
    )


def _example(proof: Proof) -> None:
    """Check a sharp instance on explicit arms."""
    base, half = sp.Rational(1, 3), sp.Rational(1, 2)
    arms = ExplicitContext.symmetric(10)
    star = _threshold(_surprisal_gap()).subs({p: half, K: 10, _gap: 1})
    leads = []
    for alpha in (star - sp.Rational(1, 1000), star + sp.Rational(1, 1000)):
        scores = [
            alpha * (reward - base) - (1 - alpha) * sp.log(q.subs(p, half))
            for q, reward in zip(arms.policy, arms.rewards, strict=True)
        ]
        leads.append(scores[1] - scores[0])
    proof.sample(
        "Ten explicit arms with p = 1/2, b = 1/3: just below α* a failure has the top score, just above it the "
        "success.",
        [sp.N(leads[0], 30) > 0, sp.N(leads[1], 30) < 0],
        latex=rf"K=10,\ p=\tfrac12:\ \alpha^* = \frac{{\log 9}}{{1+\log 9}} \approx {float(star):.4f}",
    )


def derive() -> Derivation:
    """Derive α* = L/(Δ+L), and that delight needs no such constant."""
    proof = Proof(
        "additive-threshold",
        "For p > 1/K the score αU + (1−α)ℓ ranks a rare failure above a common success iff α < α* = L/(Δ+L), "
        "L = log(p(K−1)/(1−p)). Delight never does while the baseline lies strictly between the two rewards.",
        (
            "one symmetric context, K ≥ 2; the correct arm's reward exceeds a wrong arm's by Δ > 0",
            "0 < α < 1; any baseline for the additive score",
        ),
    )
    _additive(proof)
    _delight(proof)
    _example(proof)
    return proof.conclude(
        surprisal_gap=_surprisal_gap(),
        threshold=_threshold(_surprisal_gap()),
        score_margin=(1 - _alpha) * _surprisal_gap() - _alpha * _gap,
    )
