"""Gates that luck does not take in: by the size of the advantage, by a second draw, whole groups; and what fails.

Source: this project. The floors that it removes are those of ``gambling-fixed-point`` and ``gambling-top-rate``, the
stall that of ``token-trap``.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.gambling_gaussian import (
    by_erf,
    density,
    gain_above,
    m,
    positive_part,
    r,
    s,
    t,
    u,
    update_of_log_odds,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.noise_aware_steps import (
    cost_steps,
    margin_critical,
    margin_drift,
    margin_steps,
    second_draw_drift,
    second_draw_steps,
    token_steps,
)
from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

c = sp.Symbol("c", positive=True)  # price of |U|
_q = sp.Symbol("q", nonnegative=True)  # kept share of the safe arm


def _far(gap: sp.Expr = m) -> tuple[sp.Expr, sp.Expr]:
    """Return (c + m)/r and (c − m)/r, how far the price lies from the gamble's mean on either side."""
    return (c + gap) / r, (c - gap) / r


def _extremes_mean(gap: sp.Expr = m) -> sp.Expr:
    """Return the claimed E[U; |U| > c] of U ~ N(−gap, r²)."""
    above, below = _far(gap)
    return -gap * (upper_tail(above) + upper_tail(below)) - r * (density(below) - density(above))


def _extremes_drift() -> sp.Expr:
    return x * _q - _extremes_mean(1 - x)


def _efficiency() -> sp.Expr:
    return 1 + c * density(c) / upper_tail(c)


def _even(proof: Proof) -> None:
    """Show that a gate that sees |U| and the arm leaves each arm's gated mean the sign of its mean."""
    lean = 2 * density(u / r) * sp.exp(-(m**2) / (2 * r**2)) * sp.sinh(u * m / r**2)
    proof.identity(
        "A gate that sees |U|, not its sign, keeps ±u alike, so E[wU] = ∫₀^∞ w(u)u{p(u) − p(−u)}du. Under Gaussian "
        "noise, at the mean m > 0:",
        density((u - m) / r) - density((u + m) / r),
        lean.rewrite(sp.exp),
        latex=r"p(u)-p(-u)=2\varphi(u/r)e^{-m^2/2r^2}\sinh(um/r^2)",
    )
    proof.check(
        "It is positive, and for the mean −m negative: the gated mean has the sign of the mean.",
        lean.is_positive is True and lean.subs(m, -m).is_negative is True,
        latex=r"\mathrm{sign}\,\mathbb E[w(|U|)U] = \mathrm{sign}\,\mathbb E\,U",
    )
    proof.argue(
        "So it does under any noise that is symmetric with one peak, whatever w ≥ 0, also one for each arm.",
        "such a density falls with the distance to its mean m > 0, and u is nearer to it than −u is, by "
        "(u + m)² − (u − m)² = 4um > 0; so p(u) ≥ p(−u)",
        sp.expand((u + m) ** 2 - (u - m) ** 2).is_positive,
        latex=r"|u-m|<|-u-m|\ \Rightarrow\ p(u)\ge p(-u)",
    )
    first, second = sp.symbols("E_1 E_2", real=True)
    proof.identity(
        "Two arms: the log-odds of the better arm move by 2x(1−x)(E₁ − E₂), with E₁ ≥ 0 ≥ E₂, not both zero: no rest "
        "point inside.",
        update_of_log_odds(first, second),
        2 * x * (1 - x) * (first - second),
    )
    means = sp.symbols("E1:4", real=True)
    shares = sp.symbols("pi1:3", positive=True)
    policy = (*shares, 1 - sum(shares))
    average = sum(share * mean for share, mean in zip(policy, means, strict=True))
    proof.identity(
        "K arms, each with its own noise, b = E R: the logits move by π_a(E_a − Ē), which sum to zero (here K = 3). "
        "At rest inside they are equal, so zero, and all E_a are equal.",
        sum(share * (mean - average) for share, mean in zip(policy, means, strict=True)),
        sp.Integer(0),
        latex=r"\sum_a\pi_a(E_a-\bar E)=0",
    )
    proof.argue(
        "They are not, unless all arms are equally good: there is no rest point inside for any K, any noises of the "
        "kind, any such gate that keeps some of every arm.",
        "Σπ_aμ_a = 0, so some mean advantage is positive and another negative, and so are their gated means",
        latex=r"\min_aE_a<0<\max_aE_a",
    )


def _extremes(proof: Proof) -> None:
    """Derive the drift at a rate, its ends, and what it is worth."""
    above, below = _far()
    lucky, unlucky = r * density(above) - m * upper_tail(above), -m * upper_tail(below) - r * density(below)
    proof.identity(
        "Gambles above the price, |U| > c, U ~ N(−m, r²): on the side of luck",
        by_erf(gain_above(above)),
        by_erf(lucky),
        latex=r"\mathbb E[U;U>c] = -m\Phi(-\tfrac{c+m}r)+r\varphi(\tfrac{c+m}r)",
    )
    proof.identity(
        "and on the other, the mirrored draws ξ → −ξ with ξ > (c − m)/r:",
        by_erf(sp.Integral((-m - r * xi) * density(xi), (xi, below, sp.oo))),
        by_erf(unlucky),
        latex=r"\mathbb E[U;U<-c] = -m\Phi(-\tfrac{c-m}r)-r\varphi(\tfrac{c-m}r)",
    )
    proof.identity(
        "Together",
        lucky + unlucky,
        _extremes_mean(),
        latex=r"\mathbb E[U;|U|>c] = -m\{\Phi(-\tfrac{c+m}r)+\Phi(-\tfrac{c-m}r)\}"
        r"-r\{\varphi(\tfrac{c-m}r)-\varphi(\tfrac{c+m}r)\}",
    )
    nearer = sp.expand(above**2 - below**2)
    proof.check(
        "Both brackets are positive (the second as (c+m)² > (c−m)²), so f = xq − E[U; |U| > c] > 0: no floor and no "
        "critical noise, at any r and ρ.",
        nearer.is_positive is True and density(t).is_positive is True,
        latex=r"f = xq+m\{\Phi(-\tfrac{c+m}r)+\Phi(-\tfrac{c-m}r)\}"
        r"+r\{\varphi(\tfrac{c-m}r)-\varphi(\tfrac{c+m}r)\}>0",
    )
    proof.identity(
        "As x → 0 at a fixed rate every gamble with |U| > x is kept, and f → 1, as for PG.",
        sp.Limit(_extremes_drift().subs(c, x), x, 0, "+"),
        sp.Integer(1),
    )
    slope = proof.identity(
        "Near x = 1 nothing of the safe arm is kept and f ~ m{2Φ(−z) + 2zφ(z)}, z = c/r, ρ = 2Φ(−z): the way out of "
        "a policy that gambles already is slow, where PG has f = 1.",
        sp.Limit(-_extremes_mean().subs(c, s * r) / m, m, 0, "+"),
        2 * upper_tail(s) + 2 * s * density(s),
        latex=r"f/m\to 2\Phi(-z)+2z\varphi(z)",
    )
    proof.identity(
        "That is also the second moment of what is kept, over r².",
        by_erf(2 * sp.Integral(t**2 * density(t), (t, s, sp.oo))),
        by_erf(slope),
        latex=r"\mathbb E[\xi^2;|\xi|>z] = 2\Phi(-z)+2z\varphi(z)",
    )
    proof.identity(
        "So, where noise drowns the gap, squared signal over variance is (1 + zφ(z)/Φ(−z)) times PG's a backward "
        "pass: extremes are worth more than samples at random.",
        slope**2 / slope / (2 * upper_tail(s)),
        _efficiency().subs(c, s),
        latex=r"\frac{2\Phi(-z)+2z\varphi(z)}{2\Phi(-z)} = 1+\frac{z\varphi(z)}{\Phi(-z)}",
    )


def _baselines(proof: Proof) -> None:
    """Take the mean of a group as the baseline, and divide by its spread, inside the gate and outside."""
    size, n = sp.symbols("S n", positive=True)
    own, others = sp.symbols("R R_o", real=True)
    proof.identity(
        "Mean of S answers as baseline: U = (1 − 1/S)(own − mean of the others).",
        own - (own + (size - 1) * others) / size,
        (1 - 1 / size) * (own - others),
    )
    proof.check(
        "Given that n of the others gamble, U is symmetric about −(1 − n/(S−1)) ≤ 0 for a gamble and about n/(S−1) ≥ "
        "0 for the safe arm, up to that factor: the signs hold for each n ≤ S − 1, and so on average.",
        sp.simplify((1 - n / (size - 1)).subs(size, n + 1 + t)).is_nonnegative is True
        and (n / (size - 1)).subs(size, n + 1 + t).is_nonnegative is True,
        latex=r"\mathbb E[U\mid n]=-\left(1-\tfrac{n}{S-1}\right)\left(1-\tfrac1S\right)\le0",
    )
    first, second = sp.symbols("R_1 R_2", real=True)
    three = ((first + second) / 2 + xi, first, second)  # xi: the distance to the others' mean
    spread = sum((reward - sum(three) / 3) ** 2 for reward in three) / 3
    proof.identity(
        "Of the own reward's distance u to the others' mean the group's variance has the square alone, au² + v (here "
        "S = 3): divided by the group's spread U only changes sign with u. Its size is even in u, and so nothing of "
        "this changes, whether it is divided in the gate, in the gradient or in both.",
        spread,
        sp.Rational(2, 9) * xi**2 + (first - second) ** 2 / 6,
        latex=r"\frac13\sum_j(R_j-\bar R)^2 = \frac29u^2+\frac16(R_1-R_2)^2",
    )
    width = sp.Symbol("w", positive=True)
    proof.identity(
        "Zero price is not mended by it: as S → ∞ the spread w of a context is one number, E[(U/w)₊] = E[U₊]/w, the "
        "same floor and the same critical noise; DG becomes DG at the temperature ηw.",
        positive_part(m / width, r / width),
        positive_part() / width,
        latex=r"h(m/w,r/w)=h(m,r)/w",
    )


def derive() -> Derivation:
    """Derive which gates keep no floor under a gamble and no stall on tokens, and what each of them costs."""
    proof = Proof(
        "noise-aware-gate",
        "Ranked by |advantage|, no gamble keeps a floor at any noise or rate, if noise is symmetric with one peak, "
        "and no token stalls. A second draw of the reward that decides removes the floor under any noise; a margin "
        "of κ deviations leaves a lower one and the critical noise √(2π)e^{κ²/2}.",
        (
            "two arms: arm 1 pays 0, arm 2 pays −Δ + σξ; Δ = 1, r = σ/Δ > 0, b = E R, the expected update",
            "the top ρ by |U| with B → ∞, ties at random; a margin knows each arm's σ; second draws are independent",
            "tokens as in token-trap",
        ),
    )
    _even(proof)
    _extremes(proof)
    _baselines(proof)
    margin_steps(proof)
    second_draw_steps(proof)
    token_steps(proof)
    signal, passes = cost_steps(proof)
    return proof.conclude(
        extremes_drift=_extremes_drift(),
        extremes_efficiency=_efficiency(),
        margin_drift=margin_drift(),
        margin_critical_noise=margin_critical(),
        second_draw_drift=second_draw_drift(),
        signal_per_pass=signal,
        passes_to_align=passes,
    )
