"""Adam's mean step on a gated gradient: what is left of a gate, its rate, its divisor and the baseline.

Source: this project.
"""

from __future__ import annotations

from itertools import product
from math import comb

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

B, K, p, rho, m, s, kappa, g, v, n = (
    sp.Symbol(name, positive=True) for name in ("B", "K", "p", "rho", "m", "s", "kappa", "g", "v", "n")
)
b = sp.Symbol("b", real=True)
h = sp.Symbol("h", positive=True)  # E[ρB/N; N ≥ 1], N the number kept
q = sp.Symbol("q", nonnegative=True)  # (1−ρ)^B, the probability that nothing is kept
x = sp.Symbol("x", positive=True)
plus, minus = sp.Symbol("w_+", positive=True), sp.Symbol("w_-", positive=True)
eps = 1 - p
other = eps / (K - 1)


def _step() -> sp.Expr:
    """Return the claimed mean step of a coordinate with mean m and variance s a sample."""
    return m / sp.sqrt(m**2 + s / B)


def _one_gradient() -> sp.Expr:
    """Return the claimed size of the step where all that is kept is alike."""
    return sp.sqrt(B * rho / (1 - rho + B * rho))


def _right() -> sp.Expr:
    """Return the claimed step of PG on the right arm's logit."""
    return 1 / sp.sqrt(1 + (eps - b) ** 2 / (B * p * eps))


def _wrong() -> sp.Expr:
    """Return the claimed size of PG's step on a wrong arm's logit."""
    noise = (1 - b) ** 2 / p + b**2 / p**2 * ((1 - other) ** 2 / other + eps - other) - 1
    return 1 / sp.sqrt(1 + noise / B)


def _kept_pays() -> sp.Expr:
    """Return the claimed v/g² below which dividing by the kept lengthens a step."""
    return (1 - q) * (1 - rho - q * (1 - rho + rho * B)) / (h - (1 - q) ** 2)


def _factor(proof: Proof) -> None:
    """Show what Adam's mean step is, and that no factor changes it."""
    proof.define(
        "ĝ: one coordinate of the gradient of B independent samples, m and s its mean and variance for one sample. "
        "Adam steps by its learning rate times m̂/√v̂, averages of ĝ and of ĝ² over past batches.",
        r"\mathbb E\hat g=m,\qquad \operatorname{Var}\hat g=s/B",
    )
    proof.argue(
        "At a policy that hardly moves and with β₂ → 1 the mean step is the mean over the root mean square, whatever "
        "β₁ is; its inner product with the true gradient is what an update gains, to first order in the learning "
        "rate.",
        "v̂ tends to E ĝ² and m̂ has the mean E ĝ: an average's mean does not depend on its weights",
        _step().subs(m, 0) == 0,
        latex=r"\frac{m}{\sqrt{m^2+s/B}}",
    )
    proof.identity(
        "A factor κ of the whole gradient, such as zero price's 1 − b or DG's w₊(1−b) + w₋b, is gone:",
        _step().subs({m: kappa * m, s: kappa**2 * s}, simultaneous=True),
        _step(),
    )
    proof.check(
        "Noise-dominated coordinates move by their signal to noise, √B·m/√s; without noise all move alike, by one: "
        "gates that keep every sign are then the same.",
        sp.limit(_step() / sp.sqrt(B), B, 0, "+") == m / sp.sqrt(s) and sp.limit(_step(), B, sp.oo) == 1,
        latex=r"B\to0:\ \sqrt B\,m/\sqrt s,\qquad B\to\infty:\ 1",
    )


def _memory(proof: Proof) -> None:
    """Show by how much β₂ < 1 changes it, to first order."""
    d = sp.Symbol("d", real=True)
    proof.identity(
        "With v̂ = E ĝ²·(1 + d), 1/√(1+d) is 1 − d/2 + 3d²/8 to second order: its square times 1 + d is 1 up to",
        (1 - d / 2 + 3 * d**2 / 8) ** 2 * (1 + d) - 1,
        d**3 * (40 - 15 * d + 9 * d**2) / 64,
    )
    beta, gamma, own, joint = sp.symbols("beta gamma V C")
    own_found = sp.solve(sp.Eq(own, beta**2 * own + (1 - beta) ** 2), own)
    joint_found = sp.solve(sp.Eq(joint, beta * gamma * joint + (1 - beta) * (1 - gamma)), joint)
    claimed = ((1 - beta) / (1 + beta), (1 - beta) * (1 - gamma) / (1 - beta * gamma))
    proof.argue(
        "and the averages of independent batches have Var v̂ = (1−β₂)/(1+β₂)·Var ĝ² and Cov(m̂, v̂) = "
        "(1−β₁)(1−β₂)/(1−β₁β₂)·Cov(ĝ, ĝ²): the step is off by the order 1 − β₂, times the fourth moment over the "
        "squared second, which a small rate makes large.",
        "an average is β times itself and 1 − β times the new batch: a variance V solves V = β²V + (1−β)², and a "
        "covariance C = βγC + (1−β)(1−γ); what is left out is of the order (1−β₂)² if ĝ has six moments",
        every(sp.cancel(each - told) == 0 for each, told in zip((*own_found, *joint_found), claimed, strict=True)),
        latex=r"\frac{1}{\sqrt{V}}\Bigl(m-\frac{\operatorname{Cov}(\hat m,\hat v)}{2V}+\frac{3m\operatorname{Var}"
        r"\hat v}{8V^2}\Bigr),\quad V=\mathbb E\hat g^2",
    )


def _moments(right: sp.Expr, wrong: sp.Expr) -> list[tuple[sp.Expr, ...]]:
    """Return mean and second moment of one sample on the right arm's logit and on a wrong one's."""
    drawn = p, other, eps - other  # the right arm, the wrong one, all other wrong ones
    paid = right * (1 - b), -wrong * b, -wrong * b
    found = []
    for score in ((eps, -p, -p), (-other, 1 - other, -other)):
        values = [u * y for u, y in zip(paid, score, strict=True)]
        found.append(tuple(sum(c * y**power for c, y in zip(drawn, values, strict=True)) for power in (1, 2)))
    return found


def _one_context(proof: Proof) -> None:
    """Show the steps of gates and of PG in one symmetric context."""
    (right, _), (wrong, _) = _moments(plus, minus)
    weight = p * (plus * (1 - b) + minus * b)
    proof.identity(
        "One context, K arms, R = 1 for one of probability p, ε = 1 − p. Weights w₊ of successes and w₋ of failures: "
        "the mean on the right arm's logit",
        right,
        weight * eps,
    )
    proof.identity("and on a wrong arm's.", wrong, -weight * other)
    count = B * rho, B * rho * (1 - rho) + (B * rho) ** 2
    proof.identity(
        "A gate that keeps successes alone, each with the probability that makes its rate ρ, moves every logit by "
        "the sign of φ times r = E N/√(E N²), N ~ Bin(B, ρ) the number kept: b is gone, and ρ = p at zero price.",
        count[0] ** 2 / count[1],
        _one_gradient() ** 2,
        latex=r"r=\frac{\mathbb EN}{\sqrt{\mathbb EN^2}}=\sqrt{\frac{B\rho}{1-\rho+B\rho}}",
    )
    proof.identity(
        "Divided by the number kept it is an indicator of N ≥ 1, q = (1−ρ)^B = P(N = 0), and the step is √(1−q); of "
        "exactly k, while there are k successes, one. Its square:",
        (1 - q) ** 2 / ((1 - q) ** 2 + q * (1 - q)),
        1 - q,
    )
    (mean, square), (low, low_square) = _moments(sp.Integer(1), sp.Integer(1))
    right_square = mean**2 / (mean**2 + (square - mean**2) / B)
    proof.identity("PG on the right arm's logit:", right_square, _right() ** 2)
    proof.identity(
        "PG on a wrong arm's:",
        low**2 / (low**2 + (low_square - low**2) / B),
        _wrong() ** 2,
        latex=r"r'=\Bigl(1+\frac1B\Bigl[\frac{(1-b)^2}{p}+\frac{b^2}{p^2}\Bigl(\frac{(1-\omega)^2}{\omega}+\epsilon-"
        r"\omega\Bigr)-1\Bigr]\Bigr)^{-1/2},\quad \omega=\frac{\epsilon}{K-1}",
    )
    more = b**2 * (K - 2) / (eps * p**2)
    proof.check(
        "A wrong arm's has more noise over its squared signal, by b²(K−2)/(εp²): none more at K = 2, and at b = 0, "
        "where both are zero price's. b = ε takes all noise from the right arm's.",
        sp.cancel(B / _wrong() ** 2 - B / _right() ** 2 - more) == 0
        and sp.simplify(_right().subs(b, 0) ** 2 - (_one_gradient() ** 2).subs(rho, p)) == 0
        and sp.simplify(_wrong().subs(b, 0) ** 2 - (_one_gradient() ** 2).subs(rho, p)) == 0
        and _right().subs(b, eps) == 1,
        latex=r"b=0:\ r=r'=\sqrt{Bp/(1-p+Bp)},\qquad b=\epsilon:\ r=1",
    )
    gradient = p * eps, -p * other
    steps = sp.symbols("r r'", positive=True)
    proof.identity(
        "The gain of E R per unit of learning rate, with steps r and −r′: the right arm counts as much as all the "
        "others.",
        steps[0] * gradient[0] + (K - 1) * -steps[1] * gradient[1],
        p * eps * (steps[0] + steps[1]),
    )


def _enumerated(proof: Proof) -> None:
    """Show it on every batch of a small bandit."""
    policy, advantage = (sp.Rational(1, 2), sp.Rational(3, 10), sp.Rational(1, 5)), (2, -1, sp.Rational(1, 2))
    agrees = []
    for size, kept in product((1, 2, 3), ((1, 1, 1), (1, 0, 1), (0, 1, 0))):
        first = second = sp.Integer(0)
        for batch in product(range(3), repeat=size):
            chance = sp.prod([policy[a] for a in batch])
            value = sum(kept[a] * advantage[a] * (int(a == 0) - policy[0]) for a in batch) / sp.Integer(size)
            first, second = first + chance * value, second + chance * value**2
        one = [kept[a] * advantage[a] * (int(a == 0) - policy[0]) for a in range(3)]
        mean = sum(q * y for q, y in zip(policy, one, strict=True))
        spread = sum(q * y**2 for q, y in zip(policy, one, strict=True)) - mean**2
        agrees.append(first == mean and second == mean**2 + spread / size)
    proof.sample(
        "Every batch of B = 1 to 3 of three arms, under three gates: mean and mean square of a logit's coordinate.",
        agrees,
        latex=r"\mathbb E\hat g=m,\quad \mathbb E\hat g^2=m^2+s/B",
    )


def _inverse_count(size: int, rate: sp.Rational) -> sp.Rational:
    """Return h."""
    law = [comb(size, n) * rate**n * (1 - rate) ** (size - n) / n for n in range(1, size + 1)]
    return rate * size * sum(law)


def _divisor_and_contexts(proof: Proof) -> None:
    """Show what dividing by the kept is worth to a coordinate, and what many contexts make of zero price."""
    mean, noise = (1 - q) * rho * g, (rho * h * v + B * rho**2 * q * (1 - q) * g**2) / B  # divided by the kept
    price = (rho * g) ** 2 / ((rho * g) ** 2 + (rho * v + rho * (1 - rho) * g**2) / B)
    ratio = v / g**2
    proof.identity(
        "A coordinate whose kept samples have mean g and variance v, h = E[ρB/N; N ≥ 1]: the squared step of the sum "
        "divided by the kept over a price gate's, less one, has the sign of y − v/g²,",
        mean**2 / (mean**2 + noise) / price - 1,
        (h - (1 - q) ** 2) * (_kept_pays() - ratio) / ((1 - q) * rho * B + h * ratio),
        latex=r"\frac{r_{\mathrm{kept}}^2}{r_{\mathrm{price}}^2}-1=\frac{(h-(1-q)^2)\,(y-v/g^2)}"
        r"{(1-q)\rho B+h\,v/g^2},\qquad y=\frac{(1-q)\{1-\rho-q(1-\rho+\rho B)\}}{h-(1-q)^2}",
    )
    rate = sp.Rational(3, 100)
    few = {rho: rate, B: 100, q: (1 - rate) ** 100, h: _inverse_count(100, rate)}
    proof.argue(
        "So for B ≥ 2 dividing by the kept lengthens the step of coordinates with v/g² below y, and shortens all "
        "others. Where q is negligible y is (1−ρ)/(h−1), about ρB; where 3 of 100 are kept it is 2.29.",
        "h > (1−q)²: given N ≥ 1 the mean of 1/N is above one over that of N, ρB/(1−q), as 1/N is convex",
        sp.simplify(_kept_pays().subs({q: 0, h: 1 + (1 - rho) / (rho * B)}) - rho * B) == 0
        and abs(_kept_pays().subs(few) - sp.Rational("2.29")) < sp.Rational(1, 200),
        latex=r"\frac{v}{g^2}<y,\qquad q\to0:\ y=\frac{1-\rho}{h-1}\approx\rho B",
    )
    sparse = _one_gradient().subs(rho, p / n)
    proof.check(
        "Of n contexts, drawn with probability 1/n each, with logits of their own, zero price moves one by "
        "√(Bp/(n−p+Bp)); where each is seen rarely, n → ∞, in proportion to √p, where descent moves it by p(1−b)/n "
        "and the cross-entropy of its right arm by 1/n: half way, on a logarithmic scale.",
        sp.limit(sparse * sp.sqrt(n), n, sp.oo) == sp.sqrt(B * p),
        latex=r"\sqrt n\,r\to\sqrt{Bp}",
    )


def derive() -> Derivation:
    """Derive Adam's mean step on a gated gradient, coordinate by coordinate."""
    proof = Proof(
        "gates-under-adam",
        "Adam's mean step is m/√(m² + s/B), coordinate by coordinate: a constant factor is gone, signal to noise is "
        "left. Gates that keep successes alone move all logits of a context by √(Bρ/(1−ρ+Bρ)), whatever the "
        "baseline; PG moves those of wrong arms by less than the right one's, for K ≥ 3 and b ≠ 0. Dividing by the "
        "kept lengthens steps where v/g² is below a number near ρB, or less where often nothing is kept. Rarely seen "
        "contexts move as √p.",
        (
            "independent samples and batches; a policy that hardly moves while the averages fill, β₂ → 1 (to first "
            "order: the step on 1 − β₂), Adam's small constant left out",
            "gains to first order in the learning rate: what a step's noise costs where the reward bends is left out",
            "one correct arm, R in {0, 1}, equally likely wrong arms, constant b in the formulas in (p, K, b)",
        ),
    )
    _factor(proof)
    _memory(proof)
    _one_context(proof)
    _enumerated(proof)
    _divisor_and_contexts(proof)
    return proof.conclude(
        step=_step(),
        one_gradient_step=_one_gradient(),
        right_step=_right(),
        wrong_step=_wrong(),
        kept_pays=_kept_pays(),
        sparse_step=sp.sqrt(B * p / (n - p + B * p)),
    )
