"""How long a finite batch takes to leave a stall of the token gate: diffusion, mean time, barrier.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import factorial

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

p, rho, T, B = sp.symbols("p rho T B", positive=True)
v, c = sp.symbols("v c", positive=True)  # chance of an answer with one wrong token, and how many a batch has
delta, a, b, D, y = sp.symbols("delta a b D y", positive=True)
curve, M = sp.symbols("r M", positive=True)  # |r''| at the critical place


def _rate_zero() -> sp.Expr:
    """Return the claimed rate at which the drift vanishes at p."""
    return p ** (T - 1) * (1 - (1 + 1 / T) * p) / (1 - p)


def _step() -> sp.Expr:
    """Return what one more answer with one wrong token takes from the batch's mean gradient, times B."""
    return (1 - (1 + 1 / T) * p) / T


def _diffusion() -> sp.Expr:
    return v * (1 - v) * _step() ** 2


def _leading_drift(n: int) -> sp.Expr:
    """Return the drift by enumeration of T = n: wrong tokens beside right ones, then those of answers all right."""
    share = (rho - p ** (n - 1) * (1 - p)) / p**n

    def kept(right: bool, count: int) -> sp.Expr:
        return sp.Integer(0) if count < n - 1 else share if right else sp.Integer(1)

    return mean_field(n, kept)


def _drift(proof: Proof) -> None:
    proof.define(
        "Leading regime: of the tokens, wrong ones beside T − 1 right ones have the most delight and are all kept, "
        "tokens of answers that are all right come next, and the price lies among them. z: the right logit; x: "
        "log-odds, which move M/(M − 1) times as much, because the wrong tokens share the opposite push.",
        r"\rho\in\left(p^{T-1}(1-p),\ p^{T-1}\right)",
    )
    for n in (2, 3, 4):
        proof.identity(
            f"The drift (T = {n}, by enumeration) vanishes at the rate r(p), and is (1−p)² times the rate's excess.",
            _leading_drift(n),
            ((1 - p) ** 2 * (rho - _rate_zero())).subs(T, n),
            latex=r"f=(1-p)^2(\rho-r(p)),\qquad r=p^{T-1}\frac{1-(1+1/T)p}{1-p}",
        )
    odds, wrong = sp.symbols("z w", positive=True)
    proof.identity(
        "x = z − log Σe^w: moving the right logit by s and each of M − 1 wrong ones by −s/(M − 1) moves x by …",
        sp.Derivative((odds + a) - sp.log((M - 1) * sp.exp(wrong - a / (M - 1))), a),
        M / (M - 1),
    )


def _batch(counts: Sequence[int], n: int, kept: sp.Expr) -> sp.Expr:
    """Return T times B times the mean gradient of a batch, by how many answers have T − 1 and T right tokens."""
    first, second = sp.Integer(counts[0]), n * sp.Integer(counts[1])
    left = sp.Min(kept - first, second)
    return -first * (sp.Rational(n - 1, n) - p) * p + left * (1 - p) ** 2


def _noise(proof: Proof) -> None:
    kept = rho * B * T
    pull, price = -(1 - 1 / T - p) * p, (1 - p) ** 2
    proof.identity(
        "Exactly k = ρBT are kept: c tokens of the first kind and k − c of the second, so that one answer more with "
        "one wrong token puts its pull in the place of one at the price.",
        (c * pull + (kept - c) * price) / (B * T),
        rho * (1 - p) ** 2 - c * _step() / B,
        latex=r"\hat f=\rho(1-p)^2-\frac cB\cdot\frac{1-(1+1/T)p}{T}",
    )
    proof.identity(
        "c ~ Bin(B, v), v = T·p^{T−1}(1−p), E c(c−1) = B(B−1)v². So B times its variance, at every B while the price "
        "stays where it is:",
        B * (B * (B - 1) * v**2 + B * v - (B * v) ** 2) * (_step() / B) ** 2,
        _diffusion(),
        latex=r"D=v(1-v)\Bigl(\frac{1-(1+1/T)p}{T}\Bigr)^2",
    )
    agrees = []
    for n, size, k in ((2, 3, 2), (3, 3, 3)):
        chance = {0: n * p ** (n - 1) * (1 - p), 1: p**n}
        rest = 1 - chance[0] - chance[1]
        inside = sp.Integer(0)
        linear = _batch_linear(n, k, size)
        for one, two in product(range(size + 1), repeat=2):
            if one + two <= size and one <= k and one + n * two >= k:
                weight = sp.Integer(factorial(size)) / (factorial(one) * factorial(two) * factorial(size - one - two))
                law = weight * chance[0] ** one * chance[1] ** two * rest ** (size - one - two)
                inside += law * (_batch((one, two), n, sp.Integer(k)) / (size * n) - linear.subs(c, one))
        agrees.append(sp.expand(inside) == 0)
    proof.sample("Every batch of T = 2 and 3, B = 3, whose price lies there, against that line.", agrees)
    proof.argue(
        "In general D is the variance over answers of Σ_t G(g − m)/T, g a token's pull, m the mean pull at the "
        "price.",
        "the atoms above the price are kept whole, and what is left of k goes to the price: Σ_above n_i g_i + (k − "
        "Σ_above n_i)m, exactly, in every batch whose price lies in the same atom; batches whose price does not are "
        "exponentially rare (Chernoff) while the price is inside an atom. The answers are independent, their tokens "
        "are not. The side condition: without − m the leading regime would have another D",
        sp.simplify(_diffusion() - v * (1 - v) * ((pull - price) / T) ** 2) == 0
        and sp.simplify(_diffusion() - v * (1 - v) * (pull / T) ** 2) != 0,
        latex=r"D=\operatorname{Var}_{\text{answers}}\Bigl[\tfrac1T\sum_tG_t(g_t-m)\Bigr]",
    )
    proof.argue(
        "Where the price lies in the first atom of all, all that is kept is alike and D = 0: to this order no batch "
        "leaves.",
        "the sum over atoms above the price is empty",
        _step().subs({T: 3, p: sp.Rational(3, 4)}) == 0,
        latex=r"D=0",
    )


def _batch_linear(n: int, k: int, size: int) -> sp.Expr:
    """Return the mean gradient as the line in c, with ρ = k/(BT)."""
    return (rho * (1 - p) ** 2 - c * _step() / B).subs({T: n, rho: sp.Rational(k, size * n), B: size})


def _time(proof: Proof) -> None:
    x, u, low = sp.symbols("x u l", real=True)
    phi = sp.Function("phi")
    s, var = sp.Function("s"), sp.Function("V")
    slope = -sp.exp(-phi(x)) * sp.Integral(2 / var(u) * sp.exp(phi(u)), (u, low, x))
    equation = var(x) / 2 * sp.diff(slope, x) + s(x) * slope
    equation = equation.doit().subs(sp.Derivative(phi(x), x), 2 * s(x) / var(x))
    proof.check(
        "The mean time τ(x) of dx = s dt + √V dW to pass a level solves ½Vτ″ + sτ′ = −1, reflected below; its slope "
        "is this integral, φ′ = 2s/V.",
        sp.expand(equation) == -1,
        latex=r"\tau'(x)=-e^{-\varphi(x)}\int^x\frac{2}{V}e^{\varphi}\,du,\qquad \tfrac12V\tau''+s\tau'=-1",
    )
    rate, stretch, f = sp.symbols("h kappa f", positive=True)
    exponent = 2 * (rate * stretch * f) / (rate**2 * stretch**2 * D / B) * stretch
    proof.check(
        "An update has s = h·κ·f and V = h²κ²D/B, κ = M/(M−1), and dx = κ dz: the exponent is that of the right "
        "logit z.",
        sp.cancel(exponent * rate * D - 2 * B * f) == 0,
        latex=r"\frac{2s}{V}\,dx=\frac{2B}{h}\,\frac fD\,dz",
    )
    proof.argue(
        "So (h/B)·log τ → S = 2∫|f|/D dz from the stable zero to the unstable one as h → 0 with B/h → ∞.",
        "Laplace: the double integral is of exp(φ(u) − φ(y)), u < y, whose exponent is largest from the stable zero "
        "to the unstable one: down to the first φ falls, between them it rises; widths and prefactors add no more "
        "than a logarithm of B/h",
        latex=r"\frac hB\log\tau\to S=2\int_{z_*}^{z_u}\frac{|f|}{D}\,dz",
    )
    proof.argue(
        "Free tokens: S is an upper bound of the exponent as h → 0, not of the time at a given h.",
        "the exponent of the whole system is the least action of all paths out of the stall's basin (Freidlin and "
        "Wentzell), and the path on which all move together is one of them. It needs the stall to attract in the "
        "other directions; where tokens at the price tie, they chatter over the tie by steps of the order of h, "
        "which adds to the drift and is not small beside it unless h is",
        latex=r"\inf_{\text{paths}} A\le S",
    )


def _barriers(proof: Proof) -> sp.Expr:
    fold = sp.sqrt(2 * a * delta / b)
    proof.identity(
        "A smooth ρ_c, δ = ρ_c − ρ: f = −aδ + ½by² between its zeros.",
        sp.Integral(a * delta - b * y**2 / 2, (y, -fold, fold)),
        sp.Rational(4, 3) * sp.sqrt(2 / b) * (a * delta) ** sp.Rational(3, 2),
        latex=r"\int|f|\,dy=\tfrac43\sqrt{2/b}\,(a\delta)^{3/2}",
    )
    proof.identity(
        "Where the drift at ρ_c ends in a jump up, and falls before it with a slope: a triangle, so δ² and no 3/2.",
        sp.Integral(a * delta - b * y, (y, 0, a * delta / b)),
        a**2 * delta**2 / (2 * b),
        latex=r"\int|f|\,dy=\frac{(a\delta)^2}{2b}",
    )
    chance = sp.Symbol("q", positive=True)  # 1 − p
    steep = curve * chance**2  # f'' in p
    barrier = (
        2 * (1 - 1 / M) / (D * p * chance)
        * (sp.Rational(4, 3) * sp.sqrt(2 / b) * (a * delta) ** sp.Rational(3, 2)).subs({b: steep, a: chance**2})
    )  # fmt: skip
    final = sp.Rational(8, 3) * (1 - 1 / M) * sp.sqrt(2 / curve) * chance / (p * D) * delta ** sp.Rational(3, 2)
    proof.identity(
        "Leading regime, with dz = (1 − 1/M)·dp/(p(1−p)), at the maximum p of r, where ρ_c = r(p).",
        barrier,
        final,
        latex=r"S\simeq\frac83\Bigl(1-\frac1M\Bigr)\sqrt{\frac2{|r''|}}\,\frac{1-p}{pD}\,(\rho_c-\rho)^{3/2}",
    )
    four = _rate_zero().subs(T, 4)
    place = sp.Rational(2, 3)
    proof.check(
        "T = 4: r is stationary at p = 2/3, where it is 4/27.",
        sp.diff(four, p).subs(p, place) == 0 and four.subs(p, place) == sp.Rational(4, 27)
        and sp.diff(four, p, 2).subs(p, place) < 0,
        latex=r"T=4:\ \rho_c=\tfrac4{27}",
    )  # fmt: skip
    sides = [(four - sp.Rational(4, 27)).subs(p, sp.Rational(n, 12)) < 0 for n in (6, 7, 9)]
    proof.sample("It is lower at p = 1/2, 7/12 and 3/4.", [every([side]) for side in sides])
    return final.subs(chance, 1 - p)


def derive() -> Derivation:
    """Derive how long a finite batch takes to leave a stall of the token gate, all tokens moving together."""
    proof = Proof(
        "stall-escape",
        "With all tokens moving together a batch leaves a stall after a time whose logarithm grows by S = 2∫|f|/D dz "
        "for each unit of B/h: f the drift, D the variance over answers of their kept tokens' pulls less that at the "
        "price. In the leading regime f = (1−p)²(ρ − r(p)), and S vanishes as (ρ_c − ρ)^{3/2}.",
        (
            "the mean field of token-trap, all positions alike; the exact mean as baseline; exactly k = ρBT are kept",
            "the price lies inside an atom; small steps h, batches so large that the price stays there",
        ),
    )
    _drift(proof)
    _noise(proof)
    _time(proof)
    barrier = _barriers(proof)
    return proof.conclude(
        rate_zero=_rate_zero(), diffusion=_diffusion(), barrier=barrier, four_tokens=sp.Rational(4, 27)
    )
