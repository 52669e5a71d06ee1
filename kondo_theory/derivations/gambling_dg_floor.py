"""DG on a gamble: one stable share for every noise and temperature, and the surprisal from which luck looks good.

Source: this project, for the update of [DG] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608) in the
setting of [KG Prop. 3] (arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import density, eta, m, positive_part, r, t, u, x
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_a, _y, _n = sp.symbols("a y n", positive=True)  # ℓ/η, any positive argument, an index
_surprisal = sp.Symbol("ell", positive=True)


def _sigmoid(z: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-z))


def _gate_slope(z: sp.Expr) -> sp.Expr:
    """Return v(z) = d(zσ(z))/dz = σ + zσ′."""
    return _sigmoid(z) + z * _sigmoid(z) * _sigmoid(-z)


def _threshold() -> sp.Expr:
    """Return the surprisal at which the gated gamble has mean zero."""
    return 2 * eta * m / r**2


def _small_noise_factor() -> sp.Expr:
    return (2 * sp.pi * eta) ** 2 * sp.cos(2 * sp.pi * eta) / sp.sin(2 * sp.pi * eta) ** 2


def _sign(proof: Proof) -> None:
    """Derive the sign of E[Uσ(aU)] by reflecting and tilting."""
    shifted = density((u + m) / r) / r
    proof.identity(
        "Tilting: the density of N(−m, r²) is that of N(0, r²) times e^{−um/r² − m²/(2r²)}.",
        shifted,
        density(u / r) / r * sp.exp(-u * m / r**2 - m**2 / (2 * r**2)),
    )
    half, tilt = sp.symbols("E_a E_k", positive=True)  # e^{au/2}, e^{um/r²}
    gate = half**2 / (1 + half**2)
    proof.identity(
        "Reflection: u and −u together, σ(au)e^{−uk} − σ(−au)e^{uk} = sinh(u(a/2 − k))/cosh(ua/2), k = m/r².",
        gate / tilt - (1 - gate) * tilt,
        (half / tilt - tilt / half) / (half + 1 / half),
        latex=r"\sigma(au)e^{-uk}-\sigma(-au)e^{uk}=\frac{\sinh(u(a/2-k))}{\cosh(ua/2)}",
    )
    proof.argue(
        "So E[Uσ(aU)] = e^{−m²/2r²}∫₀^∞ u·φ(u/r)/r·sinh(u(a/2−k))/cosh(ua/2)du > 0 iff a > 2k, that is ℓ > 2ηm/r².",
        "every factor but the sinh is positive, and sinh(u(a/2−k)) has the sign of a/2 − k for every u > 0",
        sp.solve(_surprisal / eta - 2 * m / r**2, _surprisal) == [_threshold()],
        latex=r"\mathbb{E}[U\sigma(U\ell/\eta)]>0\iff \ell>2\eta m/r^2",
    )


def _monotone(proof: Proof) -> None:
    """Derive f′ > 0: one rest point for every r and η, and it is stable."""
    gain = (-(1 - x) + r * t) * _sigmoid((-(1 - x) + r * t) * -sp.log(x) / eta)
    advantage = -(1 - x) + r * t
    z = advantage * -sp.log(x) / eta
    inner = _sigmoid(z) * _sigmoid(-z)
    proof.identity(
        "Slope in x of a gamble's gated advantage, ξ fixed: v(aU) − U²σ′(aU)/(ηx), with v = σ + zσ′, a = −log(x)/η.",
        sp.diff(gain, x),
        _gate_slope(z) - advantage**2 * inner / (eta * x),
        latex=r"\partial_x\,U\sigma(aU)=v(aU)-\frac{U^2\sigma'(aU)}{\eta x}",
    )
    proof.identity(
        "v − 1/2 is odd: v(y) + v(−y) = 1.",
        sp.expand((_gate_slope(_y) + _gate_slope(-_y)).rewrite(sp.exp)),
        sp.Integer(1),
        latex="v(y)+v(-y)=1",
    )
    proof.argue(
        "E[v(aU)] ≤ 1/2 for U ~ N(−m, r²), m ≥ 0.",
        "E[v(aU)] − 1/2 = ∫₀^∞(v(au) − 1/2)(p(u) − p(−u))du; v > 1/2 on u > 0, because σ > 1/2 and yσ′ > 0 there, "
        "and "
        "p(u) ≤ p(−u)",
        sp.simplify(density((u + m) / r) / density((u - m) / r) - sp.exp(-2 * u * m / r**2)) == 0
        and all(bool(_gate_slope(sp.Integer(q)) > sp.Rational(1, 2)) for q in (1, 5)),
        latex=r"\mathbb{E}[v(aU)]\le\tfrac12",
    )
    safe = x * _sigmoid(x * -sp.log(1 - x) / eta)
    w = x * -sp.log(1 - x) / eta
    proof.identity(
        "Slope of the safe arm's term: at least σ > 1/2, since −log(1−x) and x/(1−x) are positive.",
        sp.diff(safe, x),
        _sigmoid(w) + x / eta * _sigmoid(w) * _sigmoid(-w) * (-sp.log(1 - x) + x / (1 - x)),
        latex=r"\partial_x\,x\sigma(x\ell_1/\eta)=\sigma+\frac{x}{\eta}\sigma'\cdot\left(\ell_1+\frac{x}{1-x}\right)",
    )
    proof.argue(
        "f′ > 1/2 − 1/2 = 0 on (0, 1): the drift is strictly increasing for every r and η (and for every K).",
        "f′ is the safe arm's slope, above 1/2, less E[v(aU)] ≤ 1/2, plus E[U²σ′(aU)]/(ηx) > 0; K − 1 safe arms "
        "add the "
        "constant log(K−1) ≥ 0 to their surprisal, which leaves the first slope above 1/2",
        bool(_sigmoid(sp.Integer(0)) == sp.Rational(1, 2)),
        latex="f'(x)>0",
    )


def _ends(proof: Proof) -> None:
    proof.argue(
        "f(0+) = −h(1, r) < 0.",
        "as x → 0, a = −log(x)/η → ∞ and Uσ(aU) → U₊, dominated by |U|; the safe arm's term is at most x",
        sp.limit(-sp.log(x), x, 0, "+") == sp.oo and bool(positive_part(sp.Integer(1), sp.Integer(1)) > 0),
        latex="f(0^+)=-h(1,r)<0",
    )
    proof.argue(
        "f(1−) = 1 > 0: with the slope, exactly one zero, and it is stable; there is no critical noise.",
        "as x → 1 the safe arm's surprisal diverges, so its term tends to 1; the gamble's a → 0 and its mean → 0, "
        "so its "
        "term tends to E[rξ]/2 = 0; f rises through zero once, and ẋ = −2x²(1−x)²f points back on both sides",
        sp.limit(-x * sp.log(1 - x), x, 1, "-") == sp.oo
        and sp.integrate(r * t * density(t), (t, -sp.oo, sp.oo)) == 0,
        latex="f(1^-)=1>0",
    )


def _factor_agrees(value: sp.Rational) -> bool:
    """Compare the closed form of J with quadrature in 30 digits."""
    import mpmath

    with mpmath.workdps(30):
        alpha = 1 / (4 * mpmath.mpf(value.p) / value.q)

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            lower, twice = mpmath.exp(-2 * z * (alpha - 1)), mpmath.exp(-2 * z * alpha)
            return z * mpmath.exp(-z) * (1 - lower) / (1 + twice)

        found = mpmath.quad(integrand, [0, 1, 5, 20, 80])
        exact = mpmath.mpf(str(_small_noise_factor().subs(eta, value).evalf(30)))
        return bool(abs(found - exact) < mpmath.mpf("1e-20"))


def _small_noise(proof: Proof) -> None:
    """Derive the floor for small r, on both sides of η = 1/4, and the floor near 1 for large r."""
    proof.argue(
        "J = ∫₀^∞τ sinh(τ(α−1))/cosh(τα)dτ at α = 1/(4η) > 1 is (2πη)²cos(2πη)/sin²(2πη).",
        "expanding 1/cosh gives J = 4η²Σ_{n∈Z}(−1)ⁿ/(n+2η)², and Σ(−1)ⁿ/(n+a)² = π²cos(πa)/sin²(πa)",
        all(_factor_agrees(q) for q in (sp.Rational(1, 10), sp.Rational(1, 5), sp.Rational(1, 50))),
        latex=r"J(\eta)=\frac{(2\pi\eta)^2\cos 2\pi\eta}{\sin^2 2\pi\eta}",
    )
    proof.argue(
        "η < 1/4: x* ~ 2J(η)r³φ(1/r) as r → 0.",
        "put u = r²τ/m in the integral: the gamble's mean is ~ r³φ(1/r)J once rℓ/(2η)·(r/m) → α > 1, dominated by "
        "τe^{−τ}; "
        "at x = c·r³φ(1/r), ℓ ~ 1/(2r²), so α = 1/(4η), while the safe arm's term is ~ x/2; f, increasing, changes "
        "sign "
        "between any c below and any c above 2J",
        sp.limit(r**2 * -sp.log(r**3 * density(1 / r)) / (2 * eta), r, 0, "+") == 1 / (4 * eta)
        and sp.limit(_small_noise_factor(), eta, 0) == 1
        and _small_noise_factor().subs(eta, sp.Rational(1, 4)) == 0,
        latex=r"x^*\sim 2J(\eta)\,r^3\varphi(1/r)\quad(\eta<\tfrac14)",
    )
    proof.argue(
        "η > 1/4: x* ~ e^{−2η/r²} as r → 0.",
        "f = 0 needs a positive gated mean, so log x* < −2η(1−x*)/r², an upper bound ~ e^{−2η/r²}; at x = "
        "c·e^{−2η/r²}, "
        "c < 1, the mean is at least a power of r times e^{−1/(2r²)}, by sinh(td)/cosh(tA) ≥ td·e^{−tA} on 0 < t < "
        "1, "
        "which outweighs x because 2η > 1/2; so f < 0 there and c < x*e^{2η/r²} ≤ 1 + o(1)",
        sp.limit(sp.exp(-2 * sp.Rational(3, 10) / r**2) / (r**8 * sp.exp(-1 / (2 * r**2))), r, 0, "+") == 0,
        latex=r"x^*\sim e^{-2\eta/r^2}\quad(\eta>\tfrac14)",
    )
    proof.identity(
        "Large r: D(s, A) ~ (A − s)∫₀^∞t²φ(t)dt as A, s → 0; at 1 − x = cη/r² the gamble's term tends to c/4, the "
        "safe "
        "arm's to 1: so 1 − x* ~ 4η/r².",
        sp.Integral(t**2 * density(t), (t, 0, sp.oo)),
        sp.Rational(1, 2),
    )


def derive() -> Derivation:
    """Derive the sign of DG's gated gamble, the only rest point, and its limits."""
    proof = Proof(
        "gambling-dg-floor",
        "For U ~ N(−m, r²), E[Uσ(Uℓ/η)] > 0 iff ℓ > 2ηm/r². DG's drift is strictly increasing in x from −h(1, r) "
        "to 1: one "
        "rest point in (0, 1), stable, for every r and η.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ with ξ ~ N(0, 1); Δ = 1, r = σ/Δ > 0; η > 0 in units of Δ",
            "softmax on two logits, b = E R, the expected update (small steps or large batches)",
        ),
    )
    _sign(proof)
    _monotone(proof)
    _ends(proof)
    _small_noise(proof)
    return proof.conclude(
        threshold=_threshold(), small_noise=sp.exp(-2 * eta / r**2), small_noise_factor=_small_noise_factor()
    )
