"""What the Bernoulli gate at the batch's quantile keeps, and its cost of signal beside the hard gate's at that share.

Source: this project; the gate is [KG] Algorithm 1 (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import K, b, eta, p

__all__ = ["derive"]

_rho = sp.Symbol("rho", positive=True)
_y, _x = sp.symbols("y x", positive=True)  # χ − λ; and shares of wrong samples among the kept, y of the soft gate
_u, _h, _e = sp.symbols("u h e", positive=True)  # a right sample along ∇J, a wrong one along and (squared) across it
_HOT = {K: 2, p: sp.Rational(1, 5), b: sp.Rational(9, 10)}


def _sigma(z: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-z))


def _slope(z: sp.Expr) -> sp.Expr:
    """Return σ′(z), the logistic density."""
    return 1 / (4 * sp.cosh(z / 2) ** 2)


def _limits(proof: Proof) -> None:
    """Cold and hot gates."""
    proof.define(
        "What the gate keeps, λ the 1 − ρ quantile of χ.", r"\rho(\eta)=\mathbb E\,\sigma((\chi-\lambda)/\eta)"
    )
    cold = sp.Symbol("beta", positive=True)  # 1/η
    proof.check(
        "A cold gate opens above the price, closes below it and keeps half of what ties with it: "
        "ρ(0+) = P(χ>λ) + P(χ=λ)/2, which is ρ where λ is no atom.",
        (sp.limit(_sigma(cold * _y), cold, sp.oo), sp.limit(_sigma(-cold * _y), cold, sp.oo), _sigma(sp.Integer(0)))
        == (1, 0, sp.Rational(1, 2)),
        latex=r"\rho(0+)=P(\chi>\lambda)+\tfrac12P(\chi=\lambda)",
    )
    batches = (
        {(4, 3, 2, 1, 0): 2 + sp.Rational(1, 2), (3, 2, 2, 1, 0): 2, (1, 1, 1, 1, 1): sp.Rational(5, 2)}
    ).items()
    proof.argue(
        "In a batch of B whose price is the (k+1)-th largest, n samples lie above and t ≥ 1 at it, n ≤ k < n + t; a "
        "cold gate keeps n + t/2. Without ties that is half a sample more than k.",
        "the step before holds for each sample",
        [sp.limit(sum(_sigma(cold * (chi - batch[2])) for chi in batch), cold, sp.oo) for batch, _ in batches]
        == [kept for _, kept in batches],
        latex=r"B\rho(0+)=n+\tfrac t2;\quad t=1:\ k+\tfrac12",
        points=len(batches),
    )
    place = sp.Symbol("y", real=True)
    proof.identity(
        "A hot gate tends to the fair coin, from above if the mean delight exceeds the price, else from below.",
        sp.Limit(eta * (_sigma(place / eta) - sp.Rational(1, 2)), eta, sp.oo),
        place / 4,
        latex=r"\rho(\eta)=\tfrac12+\frac{\mathbb E\chi-\lambda}{4\eta}+o(1/\eta)",
    )
    m = sp.Symbol("m", positive=True, integer=True)
    variance = proof.identity(
        "σ is the law of a logistic Z, so ρ(η) = P(χ > λ + ηZ), and Z has mean 0 and the variance",
        4 * sp.Sum((-1) ** (m - 1) / m**2, (m, 1, sp.oo)),
        sp.pi**2 / 3,
        latex=r"\mathrm{Var}Z=2\sum_{m\ge1}(-1)^{m-1}m\int_0^\infty z^2e^{-mz}dz"
        r"=4\sum_{m\ge1}\frac{(-1)^{m-1}}{m^2}=\frac{\pi^2}3",
    )
    z, slope, rate = sp.symbols("z f_1 rho")
    density = sp.Symbol("f_0")
    upper = rate - density * eta * z - slope * eta**2 * z**2 / 2  # P(χ > λ + ηz) to second order
    mean = upper.expand().coeff(z, 0) + upper.expand().coeff(z, 2) * variance
    proof.check(
        "So where χ has a density with slope f′ at the price the share grows by −π²η²f′/6: a falling density keeps "
        "more than ρ, a rising one less.",
        sp.simplify(mean - (rate - sp.pi**2 * eta**2 * slope / 6)) == 0,
        latex=r"\rho(\eta)=\rho-\frac{\pi^2}6f'(\lambda)\,\eta^2+o(\eta^2)",
    )


def _monotone(proof: Proof) -> None:
    """When the share rises with the temperature."""
    place = sp.Symbol("y", real=True)
    proof.identity(
        "Its derivative is an integral over the mirrored difference of the density, D(y) = f(λ−y) − f(λ+y), for σ′ "
        "is even.",
        sp.diff(_sigma(place / eta), eta).rewrite(sp.exp),
        (-place / eta**2 * _slope(place / eta)).rewrite(sp.exp),
        latex=r"\rho'(\eta)=\frac1{\eta^2}\int_0^\infty y\,\sigma'(y/\eta)\,D(y)\,dy",
    )
    proof.argue(
        "So the share never falls where D ≥ 0, as at the upper tail of a symmetric density with one peak, and never "
        "rises where D ≤ 0.",
        "the other factors are positive",
        latex=r"D\ge0\Rightarrow\rho'(\eta)\ge0,\qquad D\le0\Rightarrow\rho'(\eta)\le0",
    )
    u = _y / eta
    proof.identity(
        "The kernel is totally positive of order two:",
        sp.diff(sp.log(_y) + sp.log(_slope(u)), eta, _y).rewrite(sp.exp),
        ((sp.tanh(u / 2) + u / (2 * sp.cosh(u / 2) ** 2)) / eta**2).rewrite(sp.exp),
        latex=r"\partial_y\partial_\eta\log\{y\,\sigma'(y/\eta)\}=\frac{\tanh(u/2)+(u/2)\,\mathrm{sech}^2(u/2)}"
        r"{\eta^2}>0,\quad u=y/\eta",
    )
    proof.argue(
        "So the share turns at most as often as D changes its sign, and in the same order.",
        "a totally positive kernel does not increase the number of sign changes (Karlin's variation diminishing)",
        latex=r"S^-(\rho')\le S^-(D)",
    )
    s = sp.Symbol("s", positive=True)
    kept = proof.identity(
        "Exponential delight of mean one, λ = log(1/ρ), s = e^{−χ}, at η = 1:",
        sp.Integral(1 / (1 + s / _rho), (s, 0, 1)),
        _rho * sp.log(1 + 1 / _rho),
        latex=r"\rho(1)=\int_0^1\frac{ds}{1+s/\rho}=\rho\log(1+1/\rho)",
    )
    proof.check(
        "No monotonicity in general: at ρ = 9/20 that is above one half, the limit (ρ(η) rises beyond 1/2 and comes "
        "back, for λ < Eχ, that is ρ > 1/e); and a density 2x on [0, 1] rises at its price, so that the share first "
        "falls below ρ, whatever ρ below one half, and then rises to one half.",
        sp.And(kept.subs(_rho, sp.Rational(9, 20)) > sp.Rational(1, 2), -(sp.pi**2) / 6 * sp.diff(_y**2, _y, 2) < 0),
        latex=r"\tfrac9{20}\log\tfrac{29}9>\tfrac12",
    )


def _shares(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Return what is kept of one symmetric context at a rate below and above p."""
    plus, minus = context.delights()
    gap = plus - minus
    low = proof.identity(
        "In a symmetric context χ has two atoms, at a gap g = χ₊ − χ₋. For ρ < p the price is χ₊: half of the right "
        "samples are kept, and wrong ones by σ(−g/η).",
        p * _sigma((plus - plus) / eta) + (1 - p) * _sigma((minus - plus) / eta),
        p / 2 + (1 - p) / (1 + sp.exp(gap / eta)),
        latex=r"\rho<p:\ \rho(\eta)=\tfrac p2+\varepsilon\,\sigma(-g/\eta),\quad"
        r" g=(1-b)\log\tfrac1p+b\log\tfrac{K-1}\varepsilon",
    )
    high = proof.identity(
        "For ρ ≥ p it is χ₋: half of the wrong ones.",
        p * _sigma((plus - minus) / eta) + (1 - p) * _sigma((minus - minus) / eta),
        p / (1 + sp.exp(-gap / eta)) + (1 - p) / 2,
        latex=r"\rho\ge p:\ \rho(\eta)=p\,\sigma(g/\eta)+\tfrac\varepsilon2",
    )
    g = sp.Symbol("g", positive=True)
    proof.check(
        "So even a cold gate does not keep ρ but p/2, or p + ε/2.",
        (
            sp.limit(p / 2 + (1 - p) / (1 + sp.exp(g / eta)), eta, 0, "+"),
            sp.simplify(sp.limit(p / (1 + sp.exp(-g / eta)) + (1 - p) / 2, eta, 0, "+") - p - (1 - p) / 2),
        )
        == (p / 2, 0),
        latex=r"\rho(0+)=\tfrac p2\ \text{or}\ p+\tfrac\varepsilon2",
    )
    return low, high


def _cost(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Return the criterion for the lower cost of signal at equal shares, and that of a hot gate with two arms."""

    def cost(y: sp.Expr) -> sp.Expr:
        return ((1 - y) * _u**2 + y * (_h**2 + _e)) / ((1 - y) * _u + y * _h) ** 2

    bracket = (_u - _h) ** 2 * ((_h**2 + _e) * _y * _x - _u**2 * (1 - _y) * (1 - _x)) - _u**2 * _e
    proof.define(
        "Of what a gate keeps let y be the share of wrong samples; the cost of signal (quality-cost-frontier) is a "
        "function of y alone.",
        r"c(y)=\frac{(1-y)u^2+y(h^2+e)}{\{(1-y)u+yh\}^2}",
    )
    proof.identity(
        "At equal shares the gate with y has a lower cost than the one with x < y iff G > 0:",
        (cost(_x) - cost(_y)) * ((1 - _y) * _u + _y * _h) ** 2 * ((1 - _x) * _u + _x * _h) ** 2,
        (_y - _x) * bracket,
        latex=r"c(x)-c(y)=\frac{(y-x)\,G}{\{(1-x)u+xh\}^2\{(1-y)u+yh\}^2},\quad"
        r" G=(u-h)^2\{(h^2+e)xy-u^2(1-x)(1-y)\}-u^2e",
    )
    proof.identity(
        "Where the hard gate keeps no wrong sample (x = 0: its share is at most p) the soft one never has the lower "
        "cost.",
        bracket.subs(_x, 0),
        -(_u**2) * ((_u - _h) ** 2 * (1 - _y) + _e),
        latex=r"x=0:\ G=-u^2\{(u-h)^2(1-y)+e\}\le0",
    )
    values = {_u: (1 - b) * (1 - p), _h: b * p, _e: b**2 * (K - 2) / K}  # over α, α and α²
    gain = bracket.subs(values)
    hot = {_y: 1 - p, _x: 1 - 2 * p, K: 2}
    threshold = 2 * (1 - p) / (1 - 2 * p)
    proof.identity(
        "Two arms, a hot gate: it keeps a half, y = ε, the hard one all right samples and x = 1 − 2p (p < 1/2). It "
        "has the lower cost iff (b/(1−b))² > 2ε/(1−2p), but for u = h: never for b ≤ 1/2, and in a failing context "
        "with a high baseline.",
        gain.subs(hot),
        (values[_u] - values[_h]) ** 2
        * p**2
        * (1 - p)
        * (1 - 2 * p)
        * (1 - b) ** 2
        * ((b / (1 - b)) ** 2 - threshold),
        latex=r"K=2:\ G=(u-h)^2p^2\varepsilon(1-2p)(1-b)^2\left\{\left(\tfrac b{1-b}\right)^2"
        r"-\tfrac{2\varepsilon}{1-2p}\right\}",
    )
    at = {_u: values[_u].subs(_HOT), _h: values[_h].subs(_HOT), _e: 0}
    costs = [sp.nsimplify(cost(y).subs(at)) for y in (sp.Rational(4, 5), sp.Rational(3, 5))]
    proof.check(
        "Both ways: at K = 2, p = 1/5, b = 9/10 the hot gate's cost is below the hard gate's at the same half; at "
        "b = 1/2 it is above.",
        sp.And(costs[0] < costs[1], gain.subs(hot).subs({p: sp.Rational(1, 5), b: sp.Rational(1, 2)}) < 0),
        latex=rf"c_{{\mathrm{{soft}}}}={sp.latex(costs[0])}<c_{{\mathrm{{hard}}}}={sp.latex(costs[1])}",
    )
    return gain, threshold


def _direction(proof: Proof) -> sp.Expr:
    """Return the cosine of the hard gate at one half in a bandit of three arms, where the hot gate's is one."""
    policy = sp.Matrix([1, 18, 1]) / 20
    reward = sp.Matrix([1, sp.Rational(9, 10), 0])
    advantage = reward - sp.ones(3, 1) * policy.dot(reward)

    def mean(keep: tuple[sp.Expr, ...]) -> sp.Matrix:
        pull = sp.Matrix([q * w * a for q, w, a in zip(policy, keep, advantage, strict=True)])
        return pull - policy * sum(pull)

    gradient, hard = mean((sp.S.One,) * 3), mean((sp.S.One, sp.Rational(1, 2), sp.S.Zero))
    cosine = sp.simplify(hard.dot(gradient) / sp.sqrt(hard.dot(hard) * gradient.dot(gradient)))
    delight = [-a * sp.log(q) for a, q in zip(advantage, policy, strict=True)]
    proof.check(
        "With graded rewards the direction differs: arms of probability 1/20, 18/20, 1/20 and reward 1, 9/10, 0, b "
        "their mean. The top half by delight is all of the first and half of the second, and points away from ∇J; a "
        "hot gate keeps half of everything, along ∇J.",
        sp.And(delight[0] > delight[1], delight[1] > delight[2], cosine < 0),
        latex=rf"\cos_{{\mathrm{{hard}}}}={sp.latex(cosine)}",
    )
    proof.check(
        "The hot gate's mean gradient is half of ∇J.",
        mean((sp.Rational(1, 2),) * 3) == gradient / 2,
        latex=r"\mathbb E g=\tfrac12\nabla J",
    )
    return cosine


def derive() -> Derivation:
    """Derive what the gate keeps, when that is monotone, and when softness pays at the share that is kept."""
    proof = Proof(
        "quantile-bernoulli-gate",
        "The gate drawn at the 1 − ρ quantile of delight does not keep ρ; at the share that it keeps softness lowers "
        "the cost of signal only where the hard gate keeps wrong samples, and there under a condition.",
        (
            "infinite batches where none is named; G ~ Bernoulli(σ((χ−λ)/η)) for each sample independently",
            "one symmetric context, R in {0, 1}, constant 0 < b < 1, where none else is named",
            "the hard gate at a share keeps the samples of highest delight, ties by independent draws",
        ),
    )
    _limits(proof)
    _monotone(proof)
    low, high = _shares(proof)
    gain, threshold = _cost(proof)
    cosine = _direction(proof)
    return proof.conclude(
        low_share=low,
        high_share=high,
        cold_growth=sp.pi**2 / 6,
        exponential=_rho * sp.log(1 + 1 / _rho),
        gain=gain,
        hot_odds=threshold,
        hard_cosine=cosine,
    )
