"""The top-ρ gate on a gamble: a floor for every noise, when the corner attracts, and several rest points at once.

Source: this project, in the setting of [KG Prop. 3] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    excess_density,
    gain_above,
    isoperimetric,
    m,
    odds,
    positive_part,
    r,
    rho,
    t,
    tau,
    u,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_z = sp.Symbol("z", real=True)  # Φ⁻¹(1−τ)


def _corner() -> sp.Expr:
    return 1 / isoperimetric(rho)


def _tie() -> sp.Expr:
    """Return u = xℓ₁/ℓ₂, the advantage of a gamble that ties with the atom."""
    return x * sp.log(1 - x) / sp.log(x)


def _split_drift(tie: sp.Expr = u) -> sp.Expr:
    """Return f where the price lies on the atom."""
    beat = upper_tail((tie + 1 - x) / r)
    kept = (rho - x * beat) / (1 - x)
    return x * kept - (r * density((tie + 1 - x) / r) - (1 - x) * beat)


def _whole_drift(share: sp.Expr) -> sp.Expr:
    """Return f where the whole atom is kept and a share of the gambles."""
    return 1 - rho + share - r * isoperimetric(share)


def _floor() -> sp.Expr:
    return positive_part(sp.Integer(1)) / rho


def _regions(proof: Proof) -> None:
    proof.identity(
        "Mean of the gambles above a threshold −m + rz: r·φ(z) − mΦ(−z); for the best share τ, r·I(τ) − mτ.",
        gain_above(_z),
        r * density(_z) - m * upper_tail(_z),
    )
    atom = proof.identity(
        "The atom lies at χ₁ = xℓ₁, in the odds o = x/(1−x)",
        (-x * sp.log(1 - x)).subs(x, odds / (1 + odds)),
        odds / (1 + odds) * sp.log(1 + odds),
    )
    proof.check(
        "above 0. Only gambles kept (ρ < xP): the price is above the atom, so every kept U is positive: f < 0, no "
        "rest "
        "point.",
        atom.is_positive,
        latex=r"f=-\mathbb{E}[U;\,U>u']<0",
    )
    beat = upper_tail(_z)  # P, with u = rz − m
    shared = sp.Symbol("q", positive=True)
    proof.identity(
        "Price on the atom: a share q of it is kept, (1−x)q + xP = ρ, beside every gamble above u: "
        "f = xq − E[U; U > u].",
        x * sp.solve((1 - x) * shared + x * beat - rho, shared)[0] - gain_above(_z, x - 1),
        _split_drift(r * _z - (1 - x)),
        latex=r"f = x\,\frac{\rho-xP}{1-x}-\mathbb E[U;U>u]",
    )
    share = (rho - (1 - x)) / x
    top = sp.sqrt(2) * sp.erfinv(1 - 2 * tau)
    proof.identity(
        "Whole atom kept, and the best share τ = (ρ−m)/x of the gambles: f = x − (r·I(τ) − mτ) = 1 − ρ + τ − r·I(τ).",
        (x - gain_above(_z, x - 1).doit().subs(_z, top)).subs(tau, share),
        _whole_drift(share),
        latex=r"f = 1-\rho+\tau-r\,I(\tau)",
    )
    proof.identity("I′(τ) = Φ⁻¹(1−τ),", sp.Derivative(isoperimetric(tau), tau), top)
    proof.identity("I″ = −1/I < 0:", sp.Derivative(isoperimetric(tau), (tau, 2)), -1 / isoperimetric(tau))
    proof.identity("f″ in τ is r/I,", sp.Derivative(_whole_drift(tau), (tau, 2)), r / isoperimetric(tau))
    proof.identity(
        "and τ grows with x where ρ < 1:", sp.Derivative(share.subs(rho, 1 - rho), x), rho / x**2, latex="d\\tau/dx>0"
    )
    proof.argue(
        "There f has at most two zeros, the first of them unstable if f starts positive.",
        "f is strictly convex in τ, which rises with x",
        (r / density(_z)).is_positive,
        latex="f''(\\tau)>0",
    )


def _ends(proof: Proof) -> None:
    proof.identity(
        "As x → 0 the tie vanishes, u ~ −x²/log x, so the price stays on the atom,",
        sp.Limit(_tie() * sp.log(x) / x**2, x, 0, "+"),
        -1,
    )
    proof.identity(
        "and f(0+) = −h(1, r) = −∫₀^∞ rtφ(t + 1/r)dt.",
        _split_drift().subs({x: 0, u: 0}),
        -sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
    )
    proof.check(
        "It is negative for every ρ < 1: the gate always keeps some gambling, and there is no escape downwards.",
        excess_density(sp.Integer(1)).is_positive,
        latex="f(0^+)=-h(1,r)<0",
    )
    proof.identity("As x → 1 the tie diverges and m → 0: the whole atom is kept.", sp.Limit(1 / _tie(), x, 1, "-"), 0)
    proof.identity(
        "τ → ρ: f(1−) = 1 − r·I(ρ), which falls through zero at r = 1/I(ρ). The corner attracts above it, and repels "
        "below.",
        _whole_drift((rho - 1 + x) / x).subs(x, 1),
        (_corner() - r) * isoperimetric(rho),
        latex=r"f(1^-)=1-r\,\varphi(\Phi^{-1}(1-\rho))",
    )
    proof.argue(
        "Where the corner repels, a stable interior point exists; where it attracts, stable points come with "
        "unstable ones.",
        "f is continuous, negative at 0+; if it ends positive some zero is crossed upwards, and if it ends "
        "negative the upward and downward crossings are equally many",
        latex=r"r<1/I(\rho)\ \Rightarrow\ \exists\ \text{a floor}",
    )
    proof.identity(
        "I is concave with I′(1/2) = 0: the corner's noise ratio is smallest at ρ = 1/2.",
        sp.Subs(sp.Derivative(_corner(), rho), rho, sp.Rational(1, 2)),
        0,
    )
    proof.identity(
        "There it is zero price's √(2π), one over E[ξ₊].",
        1 / sp.Integral(t * density(t), (t, 0, sp.oo)),
        _corner().subs(rho, sp.Rational(1, 2)),
    )
    proof.identity(
        "It is the same at ρ and 1 − ρ: what the best ρ win, the others lose.",
        sp.Integral(xi * density(xi), (xi, _z, sp.oo)),
        -sp.Integral(xi * density(xi), (xi, -sp.oo, _z)),
        latex=r"I(1-\rho)=I(\rho)",
    )


def _small_noise(proof: Proof) -> None:
    gained = gain_above((t + m) / r).doit()
    proof.identity(
        "Small noise: d/du E[U; U > u] = −u·p(u), p the density of U: near u = 0 only second order is lost.",
        sp.Derivative(gained, t),
        -t * density((t + m) / r) / r,
    )
    slope = proof.identity(
        "The slope of f in x at x = u = 0 is ρ − Φ(−1/r),",
        sp.Subs(sp.Derivative(_split_drift(), x), (x, u), (0, 0)),
        rho - upper_tail(1 / r),
    )
    proof.identity("which tends to ρ as r → 0,", sp.Limit(slope, r, 0, "+"), rho)
    proof.identity(
        "while u/x → 0 and h(1, r) vanishes faster than any power of r, here r²⁰.",
        sp.Limit(positive_part(sp.Integer(1)) / r**20, r, 0, "+") + sp.Limit(_tie() / x, x, 0, "+"),
        0,
    )
    proof.identity(
        "So f = −h(1, r) + ρx to first order, which is 0 at x = h(1, r)/ρ.",
        sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
        rho * _floor(),
        latex=r"x=h(1,r)/\rho",
    )
    proof.argue(
        "ρx* ~ h(1, r) as r → 0 (lowest rest point).",
        "at x = c·h(1, r), x → 0 faster than any power of r, so u = o(x), q → ρ, E[U; U > u] = h(1, r)(1 + o(1)) "
        "and f/h(1, r) → ρc − 1, which changes sign at c = 1/ρ; below, f < 0",
        latex=r"\rho x^*\sim h(1,r)",
    )


def _split_at(percent: int, noise: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """Return f at x = percent/100 if the price lies on the atom there, xP ≤ ρ ≤ 1 − x + xP; else not a number."""
    share = sp.Rational(percent, 100)
    tie = _tie().subs(x, share)
    beat = share * upper_tail((tie + 1 - share) / noise)
    inside = sp.And(beat < rate, rate < 1 - share + beat)
    return _split_drift(tie).subs({x: share, r: noise, rho: rate}) if inside == sp.true else sp.nan


def _whole_at(percent: int, noise: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """Return f at x = percent/100 if the whole atom is kept there, ρ > 1 − x + xP; else not a number."""
    share = sp.Rational(percent, 100)
    beat = share * upper_tail((_tie().subs(x, share) + 1 - share) / noise)
    kept = (rate - 1 + share) / share
    return _whole_drift(kept).subs({r: noise, rho: rate}) if (rate > 1 - share + beat) == sp.true else sp.nan


def _coexistence(proof: Proof) -> None:
    """Exact signs of f at given points, with the region that each lies in."""
    low, mid, dip, high = (_split_at(at, sp.Rational(2, 5), sp.Rational(1, 50)) for at in (2, 15, 33, 60))
    proof.check(
        "Two stable interior points at ρ = 2 %, r = 0.4: f at x = .02, .15, .33, .60 has the signs −, +, −, +, with "
        "the price on the atom.",
        sp.And(low < 0, mid > 0, dip < 0, high > 0),
        latex=r"f(.02)<0<f(.15),\ f(.33)<0<f(.60)",
    )
    noise, rate = sp.Rational(7, 2), sp.Rational(3, 10)
    up, down = (_whole_at(at, noise, rate) for at in (83, 99))
    proof.check(
        "A stable interior point beside an attracting corner at ρ = 30 %, r = 3.5 (above 1/I(ρ) = 2.88): f(0+) < 0, "
        "f(.83) > 0 and f(.99) < 0, with the whole atom kept. So an attracting corner does not win from everywhere.",
        sp.And(up > 0, down < 0, noise > _corner().subs(rho, rate)),
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
        whole_atom_drift=_whole_drift(tau),
        floor=_floor(),
        safest_rate=sp.Rational(1, 2),
    )
