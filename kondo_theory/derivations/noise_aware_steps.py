"""What else is done about luck: a margin, a second draw, tokens and groups; and what keeping extremes costs.

The steps that :mod:`kondo_theory.derivations.noise_aware_gate` puts after those on the size of the advantage. Source:
this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import token_moments as tokens
from kondo_theory.derivations.gambling_gaussian import (
    by_erf,
    density,
    gain_above,
    m,
    normal_mean,
    r,
    rho,
    s,
    t,
    u,
    upper_tail,
    x,
    xi,
)
from kondo_theory.derivations.proof import Proof
from kondo_theory.derivations.token_trap import mean_field

__all__ = [
    "cost_steps",
    "margin_critical",
    "margin_drift",
    "margin_steps",
    "second_draw_drift",
    "second_draw_steps",
    "token_steps",
]

kappa = sp.Symbol("kappa", positive=True)  # margin in standard deviations
_K = sp.Symbol("K", positive=True)


def margin_drift() -> sp.Expr:
    """Return the claimed drift under a margin."""
    level = kappa + (1 - x) / r
    return x - r * density(level) + (1 - x) * upper_tail(level)


def margin_critical() -> sp.Expr:
    """Return the claimed critical noise under a margin."""
    return sp.sqrt(2 * sp.pi) * sp.exp(kappa**2 / 2)


def second_draw_drift() -> sp.Expr:
    """Return the claimed drift where a second draw decides."""
    return x + (1 - x) * upper_tail((1 - x) / r)


def margin_steps(proof: Proof) -> None:
    """Gate on a lower confidence bound: a lower floor, and a higher critical noise."""
    level = kappa + m / r
    gated = r * density(level) - m * upper_tail(level)
    proof.identity(
        "Kept on a lower confidence bound, U > κσ: a gamble with ξ > κ + m/r. The safe arm has no noise.",
        by_erf(gain_above(level)),
        by_erf(gated),
        latex=r"\mathbb E[U;U>\kappa r] = r\varphi(\kappa+\tfrac mr)-m\Phi(-\kappa-\tfrac mr)",
    )
    proof.identity("It falls with the margin", sp.Derivative(gated, kappa), -r * kappa * density(level))
    proof.identity(
        "and with the gap, so f rises with x at the rate Φ(τ) − κφ(τ), τ = κ + m/r,",
        1 + sp.Derivative(gated, m),
        1 - upper_tail(level) - kappa * density(level),
        latex=r"f'=\Phi(\tau)-\kappa\varphi(\tau)",
    )
    proof.identity(
        "which is at least Φ(τ) − τφ(τ) = 1/2 + ∫₀^τ y²φ(y)dy > 1/2.",
        sp.Rational(1, 2) + sp.Integral(t**2 * density(t), (t, 0, s)),
        (1 - upper_tail(s) - s * density(s)).rewrite(sp.erf),
        latex=r"\Phi(\tau)-\tau\varphi(\tau)=\tfrac12+\int_0^\tau y^2\varphi(y)\,dy",
    )
    corner = proof.identity("At the corner", sp.Limit(margin_drift(), x, 1, "-"), 1 - r * density(kappa))
    proof.identity(
        "f(1) = 0 at the critical noise, e^{κ²/2} times that of zero price.",
        corner,
        (margin_critical() - r) / margin_critical(),
    )
    proof.argue(
        "So a margin leaves exactly one floor, stable, below that noise; it is lower the larger κ, and never gone.",
        "f rises strictly; f(0) = −E[U; U > κr] < 0, where only positive U are counted; f(1) > 0 iff r is below the "
        "critical noise; and f rises with κ at every x",
        (r * kappa * density(level)).is_positive,
        latex=r"0<x^*_\kappa<x^*_0",
    )


def second_draw_steps(proof: Proof) -> None:
    """Decide by another draw of the reward, or by the other answers that share a token."""
    other = sp.Symbol("zeta", real=True)
    inner = by_erf(normal_mean(-m + r * xi))
    proof.identity(
        "Decided by another draw of the reward, U′ > 0, the gradient has U: E[1{U′ > 0}U] = P(U′ > 0)·E U for any "
        "noise; for the gamble",
        by_erf(sp.Integral(inner * density(other), (other, m / r, sp.oo))),
        by_erf(-m * upper_tail(m / r)),
        latex=r"\mathbb E[\mathbf 1\{U'>0\}U] = -m\Phi(-m/r)",
    )
    proof.check(
        "So f = x + mΦ(−m/r) > 0. At a rate too: the price is a number, and each arm's gated mean is its mean times "
        "the chance that it is kept.",
        density(t).is_positive is True and (x + m * u).is_positive is True,  # u: an integral of the density
        latex=r"f = x+m\Phi(-m/r)>0",
    )
    right, wrong = sp.symbols("P_r P_w", nonnegative=True)
    proof.identity(
        "Tokens: decided by the mean reward of the other answers with the same token there, which does not depend on "
        "the own neighbours, kept with the chances P_r and P_w: no stall at any rate.",
        tokens.drift(
            right * tokens.neighbour_mean(tokens.advantage(1)), wrong * tokens.neighbour_mean(tokens.advantage(0))
        ),
        tokens.p * (1 - tokens.p) / tokens.T * ((1 - tokens.p) * right + tokens.p * wrong),
        latex=r"\mathrm{drift} = \tfrac{p(1-p)}{T}\{(1-p)P_r+pP_w\}",
    )
    proof.identity(
        "Importance weights 1/w on the kept leave PG's drift under any noise and credit; with w in proportion to "
        "|U|, the best, they are worth E U²/(E|U|)² of PG a backward pass, π/2 where noise drowns the gap.",
        normal_mean(xi**2) / (2 * sp.Integral(t * density(t), (t, 0, sp.oo))) ** 2,
        sp.pi / 2,
        latex=r"\frac{\mathbb E\,\xi^2}{(\mathbb E|\xi|)^2}=\frac\pi2",
    )


def token_steps(proof: Proof) -> None:
    """Keep groups whole; and show why the size of delight is no way out on tokens."""
    size, length = 3, 2
    hits = [[sp.Symbol(f"x{i}{j}") for j in range(length)] for i in range(size)]
    chances = sp.symbols(f"p1:{length + 1}", positive=True)
    mean = sum(sum(row) for row in hits) / sp.Integer(size * length)
    advantages = [sum(row) / sp.Integer(length) - mean for row in hits]
    proof.identity(
        "A group of answers kept or dropped whole, by any rule, with its own mean as baseline: its drifts sum to "
        "T·ΣA² ≥ 0 in every group, since ΣA = 0 (here S = 3, T = 2). No stall while E[G·ΣA²] stays away from 0.",
        sum(
            a * sum(x_t - p_t for x_t, p_t in zip(row, chances, strict=True))
            for a, row in zip(advantages, hits, strict=True)
        ),
        length * sum(a**2 for a in advantages),
        latex=r"\sum_iA_i\sum_t(x_{it}-p_t) = T\sum_iA_i^2",
    )
    proof.argue(
        "Tokens ranked by |advantage| never stall, with the exact or a group's mean (token-screening), nor when A is "
        "divided by the group's spread.",
        "what is kept, A·1{|A| > c} or that over the spread, never falls with the own reward: u/(√(au² + v) + d) "
        "rises with u, its slope having the sign of v/√(au² + v) + d > 0",
        sp.simplify(
            sp.diff(u / (sp.sqrt(u**2 + m) + s), u) * (sp.sqrt(u**2 + m) + s) ** 2 - m / sp.sqrt(u**2 + m) - s
        )
        == 0,
        latex=r"\mathrm{Cov}(G\,A,N)\ge0",
    )
    p = tokens.p
    chance, vocabulary, length = sp.Rational(3, 10), 10, 3
    wrong = sp.log((vocabulary - 1) / (1 - chance))
    leads = [
        (sp.Rational(2, 3) - chance) * wrong - other
        for other in ((1 - chance) * -sp.log(chance), chance * wrong, (chance - sp.Rational(1, 3)) * sp.log(chance))
    ]
    proof.check(
        "Ranked by |delight| they do, as surprisal tells the tokens of an answer apart: at M = 10, T = 3, p = 0.3 a "
        "wrong token between two right ones leads all others.",
        sp.And(*(lead > 0 for lead in leads)),
        latex=r"(\tfrac23-p)\log\tfrac{M-1}{1-p} > \max\{(1-p)\log\tfrac1p,\ p\log\tfrac{M-1}{1-p}\}",
    )
    proof.identity(
        "Then the drift at low rates is ρp(p − 2/3) < 0: learning, which starts at p = 1/10, stalls before p = 0.3.",
        mean_field(length, lambda right, n: sp.Integer(0) if right or n < 2 else rho / ((1 - p) * p**2)),
        rho * p * (p - sp.Rational(2, 3)),
    )


def cost_steps(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Show where the extremes are taken in, and what they cost where there is no noise."""
    win, loss, luck = sp.Integer(3), sp.Integer(-2), sp.Rational(1, 5)
    chance = sp.Rational(1, 2)
    lottery = [value + chance for value in (win, loss)]  # the advantages: b = −x
    proof.check(
        "A lottery (3 with probability 1/5, −2 otherwise: −1 on average) is not symmetric, and takes |advantage| in: "
        "at x = 1/2, ρ ≤ 1/10 it keeps wins alone. The second draw and importance weights stand it.",
        luck * win + (1 - luck) * loss == -1
        and abs(lottery[0]) > max(abs(lottery[1]), chance)
        and chance * luck == sp.Rational(1, 10)
        and lottery[0] > 0,
        latex=r"x=\tfrac12:\ |3+\tfrac12|>|-2+\tfrac12|",
    )
    return _without_noise(proof)


def _without_noise(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Return the signal of a backward pass above p = 1/2, and the passes until the direction is right."""
    p, n_arms = tokens.p, 4
    policy = sp.Matrix([p] + [(1 - p) / (n_arms - 1)] * (n_arms - 1))
    scores = [
        sp.eye(n_arms)[:, arm] - policy for arm in (0, 1)
    ]  # of the correct arm, along the gradient; of a wrong one
    along = [score.dot(scores[0]) ** 2 / scores[0].dot(scores[0]) for score in scores]
    ratio = sp.Rational(n_arms, n_arms - 1)
    by_size = proof.identity(
        "One context without noise, b = p: below p = 1/2 |advantage| keeps successes first, as delight does. Above "
        "it keeps failures first, U = −p, and a backward pass has the squared signal p⁴α², α² = K/(K−1) (K = 4),",
        p**2 * along[1],
        p**4 * ratio,
        latex=r"U^2(\phi\cdot u)^2 = p^4\alpha^2",
    )
    proof.identity("where delight's, a success with U = ε, has", (1 - p) ** 2 * along[0], (1 - p) ** 4 * ratio)
    noise = proof.identity(
        "and no noise across it: Var_⊥ of a failure is p²(K−2)/(K−1).",
        p**2 * (scores[1].dot(scores[1]) - along[1]),
        p**2 * sp.Rational(n_arms - 2, n_arms - 1),
    )
    angle = sp.Symbol("c_0", positive=True)
    passes = angle**2 / (1 - angle**2) * (_K - 2) / (_K * p**2)
    proof.identity(
        "So it points the right way, at a cosine of c₀, after about (K−2)/(Kp²)·c₀²/(1−c₀²) backward passes, delight "
        "after one.",
        passes.subs(_K, n_arms) * by_size / (passes.subs(_K, n_arms) * by_size + noise),
        angle**2,
        latex=r"\frac{Np^4\alpha^2}{Np^4\alpha^2+\mathrm{Var}_\perp} = c_0^2",
    )
    return p**2 * sp.sqrt(_K / (_K - 1)), passes
