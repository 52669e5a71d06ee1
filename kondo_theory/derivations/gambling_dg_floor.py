"""DG on a gamble: one stable share for every noise and temperature, and the surprisal from which luck looks good.

Source: this project, for the update of [DG] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608) in the
setting of [KG Prop. 3] (arXiv 2603.20526).

It is longer than 300 lines because the floor and its limits are one proof, read in one piece.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    density,
    eta,
    excess_density,
    m,
    normal_mean,
    odds,
    positive_part,
    r,
    t,
    u,
    x,
    xi,
)
from kondo_theory.derivations.gambling_soft import gate_slope_steps, sigmoid
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_a, _c, _d = sp.symbols("a c d", positive=True)  # ℓ/η, a factor, a distance
_others = sp.Symbol("L", nonnegative=True)  # log(K − 1)


def _threshold() -> sp.Expr:
    """Return the surprisal at which the gated gamble has mean zero."""
    return 2 * eta * m / r**2


def _partial_fractions(shift: sp.Expr) -> sp.Expr:
    """Return π/sin πa, which is Σ(−1)ⁿ/(n + a) over all whole n."""
    return sp.pi / sp.sin(sp.pi * shift)


def _tilted_mean() -> sp.Expr:
    """Return J(η) = ∫₀^∞τ sinh(τ(α−1))/cosh(τα)dτ at α = 1/(4η)."""
    return (2 * sp.pi * eta) ** 2 * sp.cos(2 * sp.pi * eta) / sp.sin(2 * sp.pi * eta) ** 2


def _cubic() -> sp.Expr:
    return r**3 * density(1 / r)


def _cold_floor() -> sp.Expr:
    return 2 * _tilted_mean() * _cubic()


def _warm_floor() -> sp.Expr:
    return sp.exp(-2 * eta / r**2)


def _large_noise_gap() -> sp.Expr:
    return 4 * eta / r**2


def _folded(value: sp.Expr) -> sp.Expr:
    """Return the positive factor of E[Uσ(aU)] = ∫₀^∞ factor·sinh(u(a/2 − m/r²))/cosh(ua/2) du."""
    return sp.exp(-(m**2) / (2 * r**2)) * value * density(value / r) / r


def _sign(proof: Proof) -> None:
    """Derive the sign of E[Uσ(aU)] by adding the parts at u and −u."""
    tilt = m / r**2

    def gated(value: sp.Expr) -> sp.Expr:
        return value * sigmoid(_a * value) * density((value + m) / r) / r

    proof.identity(
        "u and −u together, under the density of N(−m, r²): uσ(au)p(u) − uσ(−au)p(−u) = "
        "e^{−m²/2r²}·u·φ(u/r)/r·sinh(u(a/2 − k))/cosh(ua/2), k = m/r².",
        gated(u) + gated(-u),
        (_folded(u) * sp.sinh(u * (_a / 2 - tilt)) / sp.cosh(u * _a / 2)).rewrite(sp.exp),
        latex=r"u\,\sigma(au)p(u)-u\,\sigma(-au)p(-u)"
        r"=e^{-m^2/2r^2}\,u\,\tfrac{1}{r}\varphi(u/r)\,\frac{\sinh(u(a/2-k))}{\cosh(ua/2)}",
    )
    proof.identity(
        "At a = ℓ/η, a/2 − k changes sign where ℓ passes 2ηm/r².",
        _a / 2 - tilt,
        (_a * eta - _threshold()) / (2 * eta),
    )
    proof.check(
        "So the integrand, and E[Uσ(aU)], is positive for a/2 = k + d and negative for a/2 = k − d, d > 0: "
        "E[Uσ(Uℓ/η)] > 0 iff ℓ > 2ηm/r².",
        (_folded(u) * sp.sinh(u * _d) / sp.cosh(u * _a / 2)).is_positive
        and (_folded(u) * sp.sinh(-u * _d) / sp.cosh(u * _a / 2)).is_negative,
        latex=r"\mathbb{E}[U\sigma(U\ell/\eta)]>0\iff \ell>2\eta m/r^2",
    )


def _monotone(proof: Proof) -> None:
    """Derive f′ > 0: one rest point for every r and η, and it is stable."""
    advantage = -(1 - x) + r * xi
    z = advantage * -sp.log(x) / eta
    gate = sigmoid(z) + z * sigmoid(z) * sigmoid(-z)
    proof.identity(
        "Slope in x of a gamble's gated advantage, ξ fixed: v(aU) − U²σ′(aU)/(ηx), with v = σ + zσ′, a = −log(x)/η.",
        sp.Derivative(advantage * sigmoid(z), x),
        gate - advantage**2 * sigmoid(z) * sigmoid(-z) / (eta * x),
        latex=r"\partial_x\,U\sigma(aU)=v(aU)-\frac{U^2\sigma'(aU)}{\eta x}",
    )
    over = gate_slope_steps(proof)
    excess = density((u - m) / r) - density((u + m) / r)
    weight = 2 * density(u / r) * sp.exp(-(m**2) / (2 * r**2)) * sp.sinh(u * m / r**2)
    proof.identity(
        "U ~ N(−m, r²) is denser at −u than at u > 0, by 2e^{−m²/2r²}φ(u/r)sinh(um/r²)/r.",
        excess,
        weight.rewrite(sp.exp),
        latex=r"p(-u)-p(u)=\tfrac{2}{r}e^{-m^2/2r^2}\varphi(u/r)\sinh(um/r^2)",
    )
    proof.check(
        "So 1/2 − E[v(aU)] = ∫₀^∞(v(au) − 1/2)(p(−u) − p(u))du > 0.",
        (over(_a * u) * weight / r).is_positive,
        latex=r"\mathbb{E}[v(aU)]<\tfrac12",
    )
    surprisal = _others - sp.log(1 - x)
    w = x * surprisal / eta
    safe_slope = x / eta * sigmoid(w) * sigmoid(-w) * (surprisal + x / (1 - x))
    proof.identity(
        "Slope of the safe arm's term, its surprisal ℓ₁ = log((K−1)/(1−x)): σ and a term in σ′.",
        sp.Derivative(x * sigmoid(w), x),
        sigmoid(w) + safe_slope,
        latex=r"\partial_x\,x\sigma(x\ell_1/\eta)=\sigma+\frac{x}{\eta}\sigma'\cdot\left(\ell_1+\frac{x}{1-x}\right)",
    )
    level = sp.Symbol("w", positive=True)  # xℓ₁/η
    at_odds = (surprisal + x / (1 - x)).subs(x, odds / (1 + odds))
    proof.check(
        "In the odds o = x/(1−x), ℓ₁ = log((K−1)(1+o)) > 0: the last term is positive, and σ − 1/2 = ½tanh(w/2) > 0.",
        sp.simplify(at_odds - (_others + sp.log(1 + odds) + odds)) == 0
        and (_others + sp.log(1 + odds) + odds).is_positive
        and sp.cancel((sigmoid(level) - sp.Rational(1, 2) - sp.tanh(level / 2) / 2).rewrite(sp.exp)) == 0
        and sp.tanh(level / 2).is_positive,
        latex=r"\partial_x\,x\sigma(x\ell_1/\eta)>\tfrac12",
    )
    proof.argue(
        "f′ > 1/2 − 1/2 = 0 on (0, 1): the drift is strictly increasing for every r, η and K.",
        "f′ is the safe arm's slope, above 1/2, less E[v(aU)] < 1/2, plus E[U²σ′(aU)]/(ηx) > 0; the slope may be "
        "taken under E, since it is at most a polynomial in ξ",
        latex="f'(x)>0",
    )


def _ends(proof: Proof) -> None:
    proof.identity(
        "u₊ − uσ(au) = u/(1 + e^{au}) for u > 0, and at −u it is the same,",
        u - u * sigmoid(_a * u),
        u / (1 + sp.exp(_a * u)),
    )
    proof.identity(
        "which vanishes as x → 0, a = −log(x)/η → ∞.",
        sp.Limit((u / (1 + sp.exp(_a * u))).subs(_a, -sp.log(x) / eta), x, 0, "+"),
        sp.Integer(0),
    )
    proof.identity(
        "h(1, r) is an integral of rtφ(t + 1/r) over t > 0, positive:",
        sp.Integral(excess_density(sp.Integer(1)), (t, 0, sp.oo)),
        positive_part(sp.Integer(1)),
    )
    proof.argue(
        "f(0+) = −h(1, r) < 0.",
        "Uσ(aU) → U₊, dominated by |U|, so the gamble's term tends to h(1, r); the safe arm's is at most x",
        excess_density(sp.Integer(1)).is_positive,
        latex="f(0^+)=-h(1,r)<0",
    )
    proof.identity(
        "As x → 1 the safe arm's surprisal diverges, so its term tends to 1;",
        sp.Limit(x * sigmoid(x * -sp.log(1 - x) / eta), x, 1, "-"),
        sp.Integer(1),
    )
    proof.identity(
        "the gamble's a → 0 and its mean → 0, so its term tends to E[rξ]/2 = 0.",
        normal_mean(r * xi * sp.Limit(sigmoid(-sp.log(x) * r * xi / eta), x, 1, "-").doit()),
        sp.Integer(0),
    )
    proof.argue(
        "f(1−) = 1 > 0: with the slope, exactly one zero, and it is stable; there is no critical noise.",
        "f rises through zero once, and ẋ = −2x²(1−x)²f points back on both sides",
        latex="f(1^-)=1>0",
    )


def _tilted_mean_steps(proof: Proof) -> None:
    """J in closed form, by expanding 1/cosh."""
    alpha, n = 1 / (4 * eta), sp.Symbol("n", integer=True, nonnegative=True)
    first, second = t * sp.exp(-t), t * sp.exp(-t * (2 * alpha - 1))
    proof.identity(
        "Let J = ∫₀^∞τ sinh(τ(α−1))/cosh(τα)dτ at α = 1/(4η) > 1. Its integrand is τ(e^{−τ} − e^{−τ(2α−1)})/(1 + "
        "e^{−2ατ}),",
        (t * sp.sinh(t * (alpha - 1)) / sp.cosh(t * alpha)).rewrite(sp.exp),
        (first - second) / (1 + sp.exp(-2 * alpha * t)),
        latex=r"\tau\,\frac{\sinh\tau(\alpha-1)}{\cosh\tau\alpha}"
        r"=\tau\,\frac{e^{-\tau}-e^{-\tau(2\alpha-1)}}{1+e^{-2\alpha\tau}}",
    )
    near = sp.Symbol("eps", positive=True)  # 1/4 − η > 0 in 2α − 1 > 1, where both integrals converge
    for term, index, text in (
        (first, n, "a geometric series. Its first part has the terms 4η²(−1)ⁿ/(n+2η)², n ≥ 0,"),
        (-second, -n - 1, "its second the same for n < 0:"),
    ):
        power = (term * (-1) ** n * sp.exp(-2 * alpha * n * t)).subs(eta, 1 / (4 * (1 + near)))
        proof.identity(
            text,
            sp.Integral(sp.powsimp(power), (t, 0, sp.oo)),
            (4 * eta**2 * (-1) ** index / (index + 2 * eta) ** 2).subs(eta, 1 / (4 * (1 + near))),
            latex=rf"\text{{term }}{sp.latex(index)}:\ \frac{{4\eta^2(-1)^n}}{{(n+2\eta)^2}}",
        )
    shift = sp.Symbol("b", positive=True)
    proof.identity(
        "The sum over all n is 4η²π²cos(πb)/sin²(πb) at b = 2η, the negative slope of Σ(−1)ⁿ/(n+b) = π/sin(πb).",
        -4 * eta**2 * sp.Subs(sp.Derivative(_partial_fractions(shift), shift), shift, 2 * eta),
        _tilted_mean(),
        latex=r"J(\eta)=\frac{(2\pi\eta)^2\cos 2\pi\eta}{\sin^2 2\pi\eta}",
    )
    proof.identity(
        "Both sums have the pole 1/b", sp.Limit(shift * _partial_fractions(shift), shift, 0), sp.Integer(1)
    )
    proof.argue(
        "and are equal: Σ(−1)ⁿ/(n+b) = π/sin(πb).",
        "the partial fractions of the cosecant (Mittag-Leffler); the terms n = 0 of both have the residue 1",
        abs(_alternating_sum(2000) - _partial_fractions(sp.Rational(3, 10)).evalf(20)) < sp.Rational(1, 1000),
        latex=r"\sum_{n\in\mathbb Z}\frac{(-1)^n}{n+b}=\frac{\pi}{\sin\pi b}",
        points=1,
    )


def _alternating_sum(last: int) -> sp.Expr:
    """Return Σ(−1)ⁿ/(n + 3/10) over |n| ≤ last, which leaves out less than 1/last."""
    shift = sp.Float("0.3", 20)
    return 1 / shift + sum((-1) ** n * (1 / (n + shift) + 1 / (shift - n)) for n in range(1, last + 1))


def _small_noise(proof: Proof) -> None:
    """Derive the floor for small r, on both sides of η = 1/4."""
    _tilted_mean_steps(proof)
    alpha = sp.Symbol("alpha", positive=True)
    proof.identity(
        "At x = c·r³φ(1/r), u = r²τ/m: the argument of 1/cosh is τα, α = r²ℓ/(2ηm) → 1/(4η).",
        sp.Limit(-(r**2) * sp.log(_c * _cubic()) / (2 * eta), r, 0, "+"),
        1 / (4 * eta),
    )
    place = r**2 * t / m
    rate = 2 * m * alpha / r**2
    proof.identity(
        "Then the gamble's mean integrates r³φ(m/r)m⁻²·e^{−(rτ/m)²/2}·τ sinh(τ(α−1))/cosh(τα), with m → 1 "
        "and e^{…} → 1.",
        _folded(place) * place.diff(t) * sp.sinh(place * (rate / 2 - m / r**2)) / sp.cosh(place * rate / 2),
        _cubic().subs(r, r / m)
        * m
        * sp.exp(-((r * t / m) ** 2) / 2)
        * t
        * sp.sinh(t * (alpha - 1))
        / sp.cosh(t * alpha),
        latex=r"E[U\sigma(aU)]=r^3\varphi(m/r)\,m^{-2}\int_0^\infty e^{-(r\tau/m)^2/2}\,"
        r"\tau\,\frac{\sinh\tau(\alpha-1)}{\cosh\tau\alpha}\,d\tau",
    )
    proof.argue(
        "η < 1/4: x* ~ 2J(η)r³φ(1/r) as r → 0.",
        "the integrals are dominated by τe^{−τ} as α > 1, so the gamble's mean is ~ r³φ(1/r)J, while the safe arm's "
        "term is ~ x/2; f, increasing, changes sign between any c below and any c above 2J",
        sp.simplify((_cold_floor() / 2 - _cubic() * _tilted_mean()) / _cubic()) == 0
        and sp.limit(_tilted_mean(), eta, 0) == 1
        and _tilted_mean().subs(eta, sp.Rational(1, 4)) == 0,
        latex=r"x^*\sim 2J(\eta)\,r^3\varphi(1/r)\quad(\eta<\tfrac14)",
    )
    proof.identity(
        "η > 1/4: as the gated mean is positive, log x* < −2η(1−x*)/r², an upper bound ~ e^{−2η/r²}. At x = c·"
        "e^{−2η/r²}, c < 1, the sinh has a − 2k = ℓ/η − 2m/r² = 2x/r² + log(1/c)/η, above a positive number.",
        sp.expand_log(-sp.log(_c * _warm_floor()) / eta - 2 * (1 - x) / r**2, force=True),
        2 * x / r**2 - sp.log(_c) / eta,
    )
    y = sp.Symbol("y", positive=True)
    proof.identity(
        "As sinh y − y rises from 0 …", sp.Derivative(sp.sinh(y) - y, y), (2 * sp.sinh(y / 2) ** 2).rewrite(sp.exp)
    )
    proof.check(
        "… and e^y − cosh y = sinh y > 0 …",
        sp.simplify((sp.exp(y) - sp.cosh(y) - sp.sinh(y)).rewrite(sp.exp)) == 0 and sp.sinh(y).is_positive,
        latex=r"\cosh y\le e^y",
    )
    proof.identity(
        "… sinh(td)/cosh(tA) ≥ td·e^{−tA}, and ∫t²e^{−tA}dt = 2/A³ with A ~ 1/r: the mean is a power of r times "
        "e^{−1/(2r²)},",
        sp.Integral(t**2 * sp.exp(-t * alpha), (t, 0, sp.oo)),
        2 / alpha**3,
    )
    proof.identity(
        "which outweighs x at η = 1/4 + d, for any power, here r⁸.",
        sp.Limit(_warm_floor().subs(eta, sp.Rational(1, 4) + _d) / (r**8 * sp.exp(-1 / (2 * r**2))), r, 0, "+"),
        sp.Integer(0),
    )
    proof.argue(
        "η > 1/4: x* ~ e^{−2η/r²} as r → 0.",
        "f < 0 at c·e^{−2η/r²} for every c < 1, so c < x*e^{2η/r²} ≤ 1 + o(1)",
        latex=r"x^*\sim e^{-2\eta/r^2}\quad(\eta>\tfrac14)",
    )


def _large_noise(proof: Proof) -> None:
    """Derive the floor near 1 for large r."""
    half = _a / 2
    proof.identity(
        "Large r: for small a and k the folded integrand is u²φ(u/r)/r·(a/2 − k),",
        sp.Limit(sp.sinh(_d * u * (half - m)) / (_d * sp.cosh(_d * u * half)), _d, 0),
        u * (half - m),
    )
    proof.identity(
        "whose integral is (a/2 − k)r²/2.", sp.Integral(u**2 * density(u / r) / r, (u, 0, sp.oo)), r**2 / 2
    )
    gap = _large_noise_gap()
    proof.identity(
        "The safe arm's term tends to 1, and the gamble's, at 1 − x = 4η/r², a = −log(x)/η and k = (1 − x)/r², does "
        "too; at (1 − x)c it tends to c. So 1 − x* ~ 4η/r² as r → ∞.",
        sp.Limit((-sp.log(1 - _c * gap) / (2 * eta) - _c * gap / r**2) * r**2 / 2, r, sp.oo),
        _c,
        latex=r"1-x^*\sim 4\eta/r^2",
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
    _large_noise(proof)
    return proof.conclude(
        threshold=_threshold(),
        warm_floor=_warm_floor(),
        cold_floor=_cold_floor(),
        large_noise_gap=_large_noise_gap(),
    )
