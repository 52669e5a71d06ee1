"""Zero price keeps a losing gamble with probability Φ(−(1−x)/r), always below one half.

Source: [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); bounds and monotonicity are this
project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import density, expected_reward, m, r, s, t, upper_tail, x, xi
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]


def _probability() -> sp.Expr:
    return upper_tail((1 - x) / r)


def _monotone(proof: Proof) -> None:
    """Both slopes are positive."""
    by_share = proof.identity("Slope in x.", sp.Derivative(_probability(), x), density((1 - x) / r) / r)
    by_noise = proof.identity("Slope in r.", sp.Derivative(_probability(), r), (1 - x) * density((1 - x) / r) / r**2)
    proof.check(
        "Both are positive for 0 < x < 1: the probability increases in x and in r.",
        by_share.subs(x, 1 - m).is_positive and by_noise.subs(x, 1 - m).is_positive,
        latex=r"\partial_x P>0,\quad \partial_r P>0",
    )


def _bound(proof: Proof) -> None:
    """Φ(−s) ≤ ½e^{−s²/2} for s ≥ 0."""
    lost = sp.exp(-s * t)
    proof.identity(
        "With ξ = s + t: ½e^{−s²/2} − Φ(−s) = e^{−s²/2}∫₀^∞(1 − e^{−st})φ(t)dt,",
        sp.exp(-(s**2) / 2) / 2 - upper_tail(s),
        sp.exp(-(s**2) / 2) * sp.Integral((1 - lost) * density(t), (t, 0, sp.oo)),
    )
    share = sp.Symbol("w", positive=True)
    rate = s * t * sp.exp(-s * t * share)
    proof.identity("and 1 − e^{−st} = ∫₀¹ ste^{−stw}dw,", sp.Integral(rate, (share, 0, 1)), 1 - lost)
    proof.check(
        "whose integrand is positive: Φ(−s) < ½e^{−s²/2} for s > 0.",
        (rate * density(t)).is_positive,
        latex=r"\Phi(-s)<\tfrac12 e^{-s^2/2}",
    )


def derive() -> Derivation:
    """Derive the probability, how it moves with x and r, its bound and its limits."""
    proof = Proof(
        "gambling-false-positives",
        "P(U > 0 | gambling arm) = Φ(−(1−x)/r) < ½e^{−(1−x)²/(2r²)}; increasing in x and in r.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ with ξ ~ N(0, 1); Δ = 1, r = σ/Δ > 0",
            "x is the probability of arm 2, 0 < x < 1; the baseline is b = E R",
        ),
    )
    proof.identity(
        "The advantage of a gamble: −1 + rξ − b with b = E R = −x.",
        -1 + r * xi - expected_reward(),
        -(1 - x) + r * xi,
    )
    proof.identity(
        "It is positive iff ξ > (1−x)/r: the tail of the normal density.",
        sp.Integral(density(xi), (xi, (1 - x) / r, sp.oo)),
        _probability(),
    )
    _monotone(proof)
    _bound(proof)
    proof.identity("Large noise: one half.", sp.Limit(_probability(), r, sp.oo), sp.Rational(1, 2))
    proof.identity("Nearly always gambling: one half too.", sp.Limit(_probability(), x, 1), sp.Rational(1, 2))
    proof.identity(
        "Small noise at fixed x < 1: the exponent is −(1−x)²/(2r²), since the hazard φ(s)/Φ(−s) grows like s.",
        sp.Limit(s * upper_tail(s) / density(s), s, sp.oo),
        sp.Integer(1),
    )
    return proof.conclude(
        probability=_probability(),
        bound=sp.exp(-((1 - x) ** 2) / (2 * r**2)) / 2,
        largest=sp.limit(_probability(), x, 1),
    )
