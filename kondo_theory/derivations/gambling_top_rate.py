"""The top-ρ gate on a gamble: a floor for every noise, when the corner attracts, and several rest points at once.

Source: this project, in the setting of [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    m,
    mean_above,
    positive_part,
    r,
    rho,
    t,
    tau,
    upper_tail,
    x,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_z = sp.Symbol("z", real=True)  # Φ⁻¹(1−τ)


def _isoperimetric(share: sp.Expr) -> sp.Expr:
    """Return I(τ) = φ(Φ⁻¹(τ)); Φ⁻¹(1−τ) = √2·erf⁻¹(1−2τ)."""
    return density(sp.sqrt(2) * sp.erfinv(1 - 2 * share))


def _corner() -> sp.Expr:
    return 1 / _isoperimetric(rho)


def _split_drift(share: sp.Expr, noise: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """Return f where the price lies on the atom."""
    gap, tie = 1 - share, share * sp.log(1 - share) / sp.log(share)
    beat = upper_tail((tie + gap) / noise)
    return share * (rate - share * beat) / gap - (noise * density((tie + gap) / noise) - gap * beat)


def _regions(proof: Proof) -> None:
    proof.identity(
        "Mean of the gambles above a threshold −m + rz: r·φ(z) − mΦ(−z); for the best share τ, r·I(τ) − mτ.",
        mean_above(_z),
        r * density(_z) - m * upper_tail(_z),
    )
    proof.argue(
        "Only gambles kept (ρ < xP): f < 0, no rest point.",
        "the price lies above the atom, χ₁ > 0, so every kept gamble has a positive advantage and no safe sample "
        "is kept",
        bool((x * -sp.log(1 - x)).subs(x, sp.Rational(1, 2)) > 0),
        latex=r"f=-\mathbb{E}[U;\,U>u']<0",
    )
    top = sp.Symbol("I", positive=True)
    share = (rho - (1 - x)) / x
    proof.identity(
        "Whole atom kept, best share τ = (ρ−m)/x of the gambles: f = x − (r·I − mτ) = 1 − ρ + τ − r·I(τ).",
        x - (r * top - (1 - x) * share),
        1 - rho + share - r * top,
    )
    proof.identity(
        "I′(τ) = Φ⁻¹(1−τ): with z as the parameter, dτ = −φ(z)dz.",
        sp.diff(density(_z), _z) / sp.diff(upper_tail(_z), _z),
        _z,
        latex=r"I'(\tau)=\Phi^{-1}(1-\tau)",
    )
    proof.identity(
        "I″ = −1/I < 0: there f is strictly convex in τ, which grows with x, so it has at most two zeros, the "
        "first of them "
        "unstable if f starts positive.",
        sp.diff(_z, _z) / sp.diff(upper_tail(_z), _z),
        -1 / density(_z),
        latex=r"I''(\tau)=-1/I(\tau)",
    )


def _ends(proof: Proof) -> None:
    tie = x * sp.log(1 - x) / sp.log(x)
    proof.argue(
        "f(0+) = −h(1, r) < 0 for every ρ < 1: the gate always keeps some gambling, and there is no escape "
        "downwards.",
        "as x → 0 the tie u = xℓ₁/ℓ₂ → 0, the price stays on the atom, xq → 0 and E[U; U > u] → h(1, r) > 0",
        sp.limit(tie, x, 0, "+") == 0
        and bool(_split_drift(sp.Rational(1, 10**6), sp.Integer(1), sp.Rational(1, 10)).evalf(20) < 0),
        latex="f(0^+)=-h(1,r)<0",
    )
    proof.argue(
        "f(1−) = 1 − r·I(ρ): the corner attracts if r > 1/φ(Φ⁻¹(1−ρ)) and repels if r is smaller.",
        "as x → 1 the tie u → ∞ and m → 0, so the whole atom is kept and τ → ρ in f = 1 − ρ + τ − r·I(τ)",
        sp.limit(tie, x, 1, "-") == sp.oo and sp.solve(1 - r * _isoperimetric(rho), r) == [_corner()],
        latex=r"f(1^-)=1-r\,\varphi(\Phi^{-1}(1-\rho))",
    )
    proof.argue(
        "Where the corner repels, a stable interior point exists; where it attracts, stable points come with "
        "unstable ones.",
        "f is continuous, negative at 0+; if it ends positive some zero is crossed upwards, and if it ends "
        "negative the "
        "upward and downward crossings are equally many",
        sp.simplify(_corner().subs(rho, sp.Rational(1, 2)) - sp.sqrt(2 * sp.pi)) == 0,
        latex=r"r<1/I(\rho)\ \Rightarrow\ \exists\ \text{a floor}",
    )
    proof.identity(
        "The corner's noise ratio is smallest at ρ = 1/2 (I is concave with I′(1/2) = 0): there it is zero price's "
        "√(2π).",
        _corner().subs(rho, sp.Rational(1, 2)),
        sp.sqrt(2 * sp.pi),
    )
    proof.identity(
        "It is the same at ρ and 1 − ρ, because Φ⁻¹ only changes its sign and φ is even.",
        density(-_z),
        density(_z),
        latex=r"I(1-\rho)=I(\rho)",
    )


def _small_noise(proof: Proof) -> None:
    floor = sp.diff(r * density((t + m) / r) - m * upper_tail((t + m) / r), t)
    proof.identity(
        "Small noise: d/du E[U; U > u] = −u·p(u) ≥ 0 in size, p the density of U: near u = 0 only second order is "
        "lost.",
        floor,
        -t * density((t + m) / r) / r,
    )
    proof.argue(
        "ρx* ~ h(1, r) as r → 0 (lowest rest point).",
        "at x = c·h(1, r), x → 0 faster than any power of r, so u = O(x²), q → ρ, E[U; U > u] = h(1, r)(1 + o(1)) "
        "and "
        "f/h(1, r) → ρc − 1, which changes sign at c = 1/ρ; below, f < 0",
        sp.limit(positive_part(sp.Integer(1)) / r**20, r, 0, "+") == 0,
        latex=r"\rho x^*\sim h(1,r)",
    )


def _coexistence(proof: Proof) -> None:
    """Exact signs of f at points where the price lies on the atom."""
    signs = [
        sp.sign(_split_drift(sp.Rational(q, 100), sp.Rational(2, 5), sp.Rational(1, 50)).evalf(30))
        for q in (2, 15, 33, 60)
    ]
    proof.argue(
        "Two stable interior points at ρ = 2 %, r = 0.4.",
        "f at x = .02, .15, .33, .60 has the signs −, +, −, +, evaluated to 30 digits, with the price on the atom",
        signs == [-1, 1, -1, 1],
        latex=r"f(.02)<0<f(.15),\ f(.33)<0<f(.60)",
    )
    values = []
    for share in (sp.Rational(83, 100), sp.Rational(99, 100)):
        kept = (sp.Rational(3, 10) - (1 - share)) / share
        values.append(1 - sp.Rational(3, 10) + kept - sp.Rational(7, 2) * _isoperimetric(kept))
    values = [value.evalf(30) for value in values]
    proof.argue(
        "A stable interior point beside an attracting corner at ρ = 30 %, r = 3.5 (above 1/I(ρ) = 2.88).",
        "f(0+) < 0, f(.83) > 0 and f(.99) < 0, evaluated to 30 digits with the whole atom kept: so an attracting "
        "corner "
        "does not win from everywhere",
        bool(values[0] > 0 > values[1])
        and bool(sp.Rational(7, 2) > _corner().subs(rho, sp.Rational(3, 10)).evalf(20)),
        latex=r"f(0^+)<0<f(.83),\ f(.99)<0",
    )


def derive() -> Derivation:
    """Derive the drift in each region, both ends, and examples with several rest points."""
    proof = Proof(
        "gambling-top-rate",
        "At rate ρ < 1 the drift is −h(1, r) < 0 at x = 0+ and 1 − r·φ(Φ⁻¹(1−ρ)) at x = 1−: a floor wherever a "
        "rest point "
        "exists, certainly for r < 1/φ(Φ⁻¹(1−ρ)), and an attracting corner for r above it.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ with ξ ~ N(0, 1); Δ = 1, r = σ/Δ > 0",
            "the share ρ of the highest delight is kept, B → ∞, ties at the atom broken at random",
            "softmax on two logits, b = E R, the expected update",
        ),
    )
    _regions(proof)
    _ends(proof)
    _small_noise(proof)
    _coexistence(proof)
    return proof.conclude(
        corner_noise_ratio=_corner(),
        whole_atom_drift=1 - rho + tau - r * _isoperimetric(tau),
        floor=positive_part(sp.Integer(1)) / rho,
    )
