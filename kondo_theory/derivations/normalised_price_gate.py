"""Dividing the kept gradients by B, keeping exactly k, or dividing by how many were kept: one control variate.

Source: this project.
"""

from __future__ import annotations

from math import comb

import sympy as sp

from kondo_theory.derivations.count_under_adam import under_adam
from kondo_theory.derivations.kept_sums import (
    B,
    best,
    c,
    count_variance,
    divided_by_the_kept,
    g,
    h,
    k,
    m,
    mixture,
    noise,
    q,
    rho,
    spread,
    v,
    with_variate,
    x,
)
from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

_d = sp.Symbol("delta", real=True)  # K/(ρB) − 1


def _normalised() -> sp.Expr:
    """Return the claimed B·Var of (ρ/K)ΣGy, zero where nothing is kept."""
    return rho * h * v + B * rho**2 * q * (1 - q) * g**2


def _gap() -> sp.Expr:
    """Return the claimed limit of B·(Var_price − Var_exact)."""
    return noise * (2 * m * g - m**2)


def _rank_moment(power: int) -> sp.Expr:
    """Return E V^power of V ~ Beta(k+1, B−k)."""
    return sp.gamma(k + 1 + power) * sp.gamma(B + 1) / (sp.gamma(k + 1) * sp.gamma(B + 1 + power))


def _variate(proof: Proof) -> None:
    """Show the price gate, and the control variate that all three are."""
    proof.define(
        "y: one sample's gradient along any direction. g and v: its mean and variance given that the sample is kept; "
        "m: its mean given a score at the price. G: the gate, K = ΣG, ρ = E G.",
        r"g=\mathbb E[y\mid G=1],\quad v=\operatorname{Var}[y\mid G=1],\quad m=\mathbb E[y\mid s=\lambda]",
    )
    kept = rho * (v + (g - c) ** 2) - (rho * (g - c)) ** 2
    proof.identity(
        "ΣG(y − c)/B + ρc has the mean ρg whatever c is, and B times its variance is Var[G(y − c)].",
        kept,
        with_variate(c),
        latex=r"\operatorname{Var}[G(y-c)]=\rho v+\rho(1-\rho)(g-c)^2",
    )
    proof.identity(
        "c = 0 is the price gate, exact at every B: the second part is the noise of K alone.",
        kept.subs(c, 0),
        with_variate(sp.Integer(0)),
    )
    proof.check(
        "c = g is the least, whatever the direction, so it is the vector E[g | kept] and least in the order of "
        "matrices.",
        sp.solve(sp.diff(with_variate(c), c), c) == [g]
        and sp.cancel(sp.diff(with_variate(c), c, 2) - 2 * noise) == 0,
        latex=r"\operatorname{Var}[G(y-c)]-\operatorname{Var}[G(y-g)]=\rho(1-\rho)(g-c)^2\ge0",
    )


def _second_order(batch: int) -> sp.Rational:
    """Return (h − 1 − (1−ρ)/(ρB))·(ρB)² at ρ = 1/4, nearly."""
    rate = sp.Rational(1, 4)
    law = [sp.Integer(comb(batch, n)) * rate**n * (1 - rate) ** (batch - n) / n for n in range(1, batch + 1)]
    return abs(rate * batch * sum(law) - 1 - (1 - rate) / (rate * batch)) * (rate * batch) ** 2


def _divided_by_the_kept(proof: Proof) -> None:
    """Show the noise of the sum divided by the kept, at every B."""
    proof.argue(
        "Given K = n ≥ 1 the kept samples are n independent draws from the law given G = 1: (ρ/K)ΣGy has the mean ρg "
        "and the variance ρ²v/n.",
        "samples and gates are independent and alike, so which were kept says nothing of their values; there is no "
        "bias of a ratio, because the sum's mean given K is proportional to K",
        latex=r"\mathbb E[\cdot\mid K=n]=\rho g,\quad \operatorname{Var}[\cdot\mid K=n]=\rho^2v/n",
    )
    means = (1 - q) * (rho * g) ** 2 - ((1 - q) * rho * g) ** 2
    proof.identity(
        "Total variance, h = E[ρB/K; K ≥ 1] and q = (1−ρ)^B = P(K = 0): the mean is (1−q)ρg, and",
        B * (rho**2 * v * h / (rho * B) + means),
        _normalised(),
        latex=r"B\operatorname{Var}=\rho hv+B\rho^2q(1-q)g^2",
    )
    agrees = []
    w = sp.Symbol("w", positive=True)
    for batch in (1, 2, 3, 4):
        mean, variance = divided_by_the_kept(batch, w)
        rate, average = 3 * w / 2, sp.Rational(11, 9)
        nothing = (1 - rate) ** batch
        one = {g: average, v: sp.Rational(2, 3) * 4 + sp.Rational(1, 27) - average**2, q: nothing, B: batch}
        law = [comb(batch, n) * rate**n * (1 - rate) ** (batch - n) for n in range(batch + 1)]
        one |= {h: rate * batch * sum(law[n] / sp.Integer(n) for n in range(1, batch + 1))}
        claimed = _normalised().subs(rho, rate).subs(one)
        agrees.append(sp.expand(mean - (1 - nothing) * rate * average) == 0 and sp.expand(variance - claimed) == 0)
    proof.sample("Every batch of B = 1 to 4, as polynomials in the gate probability.", agrees, latex=r"B=1,\dots,4")
    proof.identity(
        "For h: with K = ρB(1 + δ), 1/(1+δ) leaves",
        1 / (1 + _d) - (1 - _d + _d**2),
        -(_d**3) / (1 + _d),
    )
    proof.identity(
        "and δ has mean 0 and, from E K(K−1) = B(B−1)ρ², the variance",
        count_variance,
        spread**2,
    )
    proof.argue(
        "So h = 1 + (1−ρ)/(ρB) + O(1/B²), and q vanishes exponentially: the limit of B·Var is ρv.",
        "E δ³ is of order 1/B² and E δ⁴ too; where δ < −1/2 the quotient is at most ρB·|δ|³ for K ≥ 1, and that has "
        "an exponentially small probability (Chernoff). The side condition compares h with the first order: what is "
        "left falls as 1/B²",
        every(_second_order(batch) < 3 for batch in (100, 200, 400)),
        latex=r"h=1+\frac{1-\rho}{\rho B}+O(B^{-2})",
        points=3,
    )


def _best_of_the_batch(proof: Proof) -> None:
    """Show the noise of exactly k, at every B and in the limit."""
    proof.argue(
        "Given the best score that is dropped, of rank V (the share of all samples above it), the k kept are "
        "independent draws from the best share V, and V ~ Beta(k+1, B−k).",
        "the ranks of the batch are independent and uniform on (0, 1), ties within an atom being broken by a uniform "
        "number; V is their (k+1)-th order statistic, and those below it are again independent and uniform",
        latex=r"V\sim\mathrm{Beta}(k+1,B-k)",
    )
    masses, values = (sp.Rational(1, 5), sp.Rational(1, 2), sp.Rational(3, 10)), (3, -1, 2)
    sizes = ((2, 1), (3, 2), (4, 2))
    proof.sample(
        "Every batch of three kinds of samples, ties broken at random, against that mixture: B = 2, 3, 4.",
        [
            every(
                sp.cancel(left - right) == 0
                for left, right in zip(mixture(masses, values, *at), best(masses, values, *at), strict=True)
            )
            for at in sizes
        ],
        latex=r"(B,k)=(2,1),(3,2),(4,2)",
    )
    proof.identity("Its mean", _rank_moment(1), (k + 1) / (B + 1), latex=r"\mathbb EV=\frac{k+1}{B+1}")
    spread = (k + 1) * (B - k) / ((B + 1) ** 2 * (B + 2))
    proof.identity(
        "and its variance.",
        _rank_moment(2) - _rank_moment(1) ** 2,
        spread,
        latex=r"\operatorname{Var}V=\frac{(k+1)(B-k)}{(B+1)^2(B+2)}",
    )
    proof.identity(
        "At k = ρB, B·Var V tends to",
        sp.Limit(B * spread.subs(k, rho * B), B, sp.oo),
        noise,
    )
    total = sp.Function("M")
    share_mean = total(x) / x
    proof.identity(
        "The mean of the best share x is M(x)/x, M the integral of the mean at a rank; with x it moves by (m − g)/x.",
        sp.Derivative(share_mean, x),
        (sp.Derivative(total(x), x) - share_mean) / x,
        latex=r"\frac{d}{dx}\,\frac{M(x)}{x}=\frac{M'(x)-M(x)/x}{x},\qquad M'(\rho)=m,\ M(\rho)/\rho=g",
    )
    proof.identity(
        "Total variance in the limit: B·Var = (k/B)E v(V) + (k²/B)Var g(V) tends to that of c = m.",
        rho * v + rho**2 * noise * ((m - g) / rho) ** 2,
        with_variate(m),
        latex=r"\rho v+\rho^2\cdot\rho(1-\rho)\Bigl(\frac{m-g}{\rho}\Bigr)^2=\rho v+\rho(1-\rho)(g-m)^2",
    )
    proof.argue(
        "That is the limit if E‖g‖² is finite and the mean of y at a rank is bounded near ρ and continuous there.",
        "delta method: √B(V − ρ) is asymptotically normal with bounded fourth moments, g(·) is Lipschitz near ρ and "
        "differentiable at ρ, v(·) is continuous, and P(V < ρ/2), weighted with the 1/V² by which both are bounded, "
        "is exponentially small",
        latex=r"B\operatorname{Var}_{k}\to\rho v+\rho(1-\rho)(m-g)^2",
    )
    proof.argue(
        "Inside an atom whose ties are broken at random the mean at a rank is constant, so this includes atoms. At "
        "the edge of an atom it jumps from m₋ to m₊, and the limit is ρv + Var(a·min(Z,0) + b·max(Z,0)) with a, b = "
        "√(ρ(1−ρ))(m∓ − g).",
        "on each side of ρ the mean of the best share has a slope of its own, and V is on either side half the time",
        latex=r"m=\mathbb E[y\mid\text{atom}]",
    )


def _compare(proof: Proof) -> None:
    """Show what the three differ by."""
    price, exact, least = with_variate(sp.Integer(0)), with_variate(m), with_variate(g)
    proof.identity("Price less exact k, of either sign.", price - exact, _gap())
    proof.check(
        "m = g gives exact k all that there is to gain; m = 3g makes it the noisier.",
        sp.cancel(_gap().subs(m, g) - (price - least)) == 0
        and sp.cancel(_gap().subs(m, 3 * g) + 3 * (price - least)) == 0,
        latex=r"m=g:\ \rho(1-\rho)g^2,\qquad m=3g:\ -3\rho(1-\rho)g^2",
    )
    savings = (price - least, exact - least)
    proof.check(
        "Dividing by the kept saves, in the limit, ρ(1−ρ)g² of the price gate's and ρ(1−ρ)(m−g)² of exact k's: never "
        "less than nothing, in any direction.",
        savings == (noise * g**2, noise * (g - m) ** 2) and noise.subs(rho, x / (1 + x)).is_positive,
        latex=r"\rho(1-\rho)g^2\ge0,\qquad \rho(1-\rho)(m-g)^2\ge0",
    )
    proof.check(
        "Across the mean gradient, g = 0: it equals the price gate, and exact k has ρ(1−ρ)m² more.",
        savings[0].subs(g, 0) == 0 and (exact - price).subs(g, 0) == noise * m**2,
        latex=r"g=0:\quad \rho v=\rho v\le\rho v+\rho(1-\rho)m^2",
    )
    trace, length = sp.symbols("t l", positive=True)
    first = -noise * length**2 + rho * trace * (1 - rho) / (rho * B)
    proof.check(
        "In all directions together, t = tr Cov and l = ‖E‖ of one kept gradient: to first order in 1/B the change "
        "is −ρ(1−ρ)l² + (1−ρ)t/B, so that it pays where more than t/l² samples are kept.",
        sp.solve(first, B) == [trace / (rho * length**2)] and sp.diff(first, B).subs(rho, x / (1 + x)).is_negative,
        latex=r"\rho B>t/l^2",
    )
    proof.identity(
        "That is the cost of signal c = ρE‖g‖²/‖E g‖² of the price gate, less one.",
        rho * (rho * (trace + length**2)) / (rho * length) ** 2 - 1,
        trace / length**2,
        latex=r"\frac{\rho\cdot\rho(t+l^2)}{(\rho l)^2}-1=\frac{t}{l^2}",
    )


def derive() -> Derivation:
    """Derive the noise of a gate's sum divided by B, of exactly k, and of the sum divided by how many were kept."""
    proof = Proof(
        "normalised-price-gate",
        "Per sample, along any direction: price ρv + ρ(1−ρ)g²; exact k in the limit ρv + ρ(1−ρ)(m−g)²; the price "
        "gate's sum times ρ/K: ρhv + Bρ²q(1−q)g², in the limit ρv, the least of all. Adam divides by a slow second "
        "moment: it leaves the common factor K/(ρB) of a price gate's steps, which is a clock and no direction.",
        (
            "B independent samples, each with a gradient of finite second moment, and a gate that decides sample by "
            "sample; 0 < ρ = P(G = 1) < 1; hard or drawn, the kept keep weight one",
            "exactly k = ρB are the best by a score, ties broken at random; its limit needs the mean gradient at a "
            "rank to be continuous at ρ and bounded near it: scores continuous at the price, or a price in an atom",
            "nothing kept: a step of zero",
        ),
    )
    _variate(proof)
    _divided_by_the_kept(proof)
    _best_of_the_batch(proof)
    _compare(proof)
    under_adam(proof)
    return proof.conclude(
        price_variance=with_variate(sp.Integer(0)),
        exact_variance=with_variate(m),
        normalised_variance=_normalised(),
        normalised_limit=with_variate(g),
        gap=_gap(),
        saved=noise * g**2,
        exact_excess=noise * (m - g) ** 2,
        kept_to_pay=v / g**2,
        count_spread=spread,
        longest_step=sp.sqrt(1 + spread**2),
    )
