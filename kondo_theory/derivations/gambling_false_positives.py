"""Zero price keeps a losing gamble with probability Φ(−(1−x)/r), always below one half.

Source: [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); bounds and monotonicity are this
project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import density, m, r, s, t, upper_tail, x
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]


def _probability() -> sp.Expr:
    return upper_tail((1 - x) / r)


def derive() -> Derivation:
    """Derive the probability, how it moves with x and r, its bound and its limits."""
    proof = Proof(
        "gambling-false-positives",
        "P(U > 0 | gambling arm) = Φ(−(1−x)/r) ≤ ½e^{−(1−x)²/(2r²)}; increasing in x and in r.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ with ξ ~ N(0, 1); Δ = 1, r = σ/Δ > 0",
            "x is the probability of arm 2, 0 < x < 1; the baseline is b = E R",
        ),
    )
    proof.identity("The advantage of a gamble: −1 + rξ − b with b = −x.", -1 + r * t - (-x), -(1 - x) + r * t)
    proof.identity(
        "It is positive iff ξ > (1−x)/r: the tail of the normal density.",
        sp.integrate(density(t), (t, (1 - x) / r, sp.oo)),
        _probability(),
    )
    proof.identity("Increasing in x.", sp.Derivative(_probability(), x), density((1 - x) / r) / r)
    proof.identity("Increasing in r.", sp.Derivative(_probability(), r), (1 - x) * density((1 - x) / r) / r**2)
    gap = sp.exp(-(s**2) / 2) / 2 - upper_tail(s)
    slope = proof.identity(
        "The gap of the bound, ½e^{−s²/2} − Φ(−s), has one turning point, s = √(2/π).",
        sp.Derivative(gap, s),
        sp.exp(-(s**2) / 2) * (1 / sp.sqrt(2 * sp.pi) - s / 2),
    )
    proof.argue(
        "So Φ(−s) ≤ ½e^{−s²/2} for s ≥ 0.",
        "the gap is 0 at s = 0 and in the limit s → ∞, rises up to √(2/π) and falls after it, so it is never "
        "negative",
        gap.subs(s, 0) == 0
        and sp.limit(gap, s, sp.oo) == 0
        and sp.solve(slope, s) == [sp.sqrt(2 / sp.pi)]
        and bool(slope.subs(s, sp.Rational(1, 10)) > 0),
        latex=r"\Phi(-s)\le\tfrac12 e^{-s^2/2}",
    )
    proof.identity(
        "Large noise: one half.",
        sp.limit(upper_tail(m / r), r, sp.oo),
        sp.Rational(1, 2),
        latex=r"\lim_{r\to\infty}\Phi(-m/r)=\tfrac12",
    )
    proof.identity("Nearly always gambling: one half too.", sp.limit(_probability(), x, 1), sp.Rational(1, 2))
    proof.identity(
        "Small noise at fixed x < 1: the exponent is −(1−x)²/(2r²), since the hazard φ(s)/Φ(−s) grows like s.",
        sp.limit(s * upper_tail(s) / density(s), s, sp.oo),
        sp.Integer(1),
        latex=r"\lim_{s\to\infty} s\,\Phi(-s)/\varphi(s)=1",
    )
    return proof.conclude(probability=_probability(), bound=sp.exp(-((1 - x) ** 2) / (2 * r**2)) / 2)
