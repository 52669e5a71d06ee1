"""The price of least expected cost of missed and wasted backward passes: the Bayes threshold of a noisy score.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

c, mu, s, x, lam = sp.symbols("c mu s x lambda", real=True)
sigma, tau, r = sp.symbols("d tau r", positive=True)
a, b = sp.symbols("a b", real=True)
p, q = sp.symbols("p q", positive=True)
_z, _t = sp.symbols("z t", real=True)


def _phi(at: sp.Expr) -> sp.Expr:
    return sp.exp(-(at**2) / 2) / sp.sqrt(2 * sp.pi)


def _upper(at: sp.Expr) -> sp.Expr:
    """Return 1 − Φ."""
    return (1 - sp.erf(at / sp.sqrt(2))) / 2


def _gaussian_price() -> sp.Expr:
    return mu + (c - mu) * (1 + tau**2 / sigma**2)


def _two_point_price() -> sp.Expr:
    return (a + b) / 2 + tau**2 / (a - b) * sp.log(q * (c - b) / (p * (a - c)))


def _gain(t: sp.Expr) -> sp.Expr:
    """Return the claimed E[(χ − c)·1{s > λ}], t = (λ − μ)/√(d² + τ²)."""
    return sigma * r * _phi(t) - (c - mu) * _upper(t)


def _bayes(proof: Proof) -> None:
    """Show that the posterior mean decides, and that it never falls with the score."""
    keep, posterior = sp.symbols("G m", real=True)
    proof.define(
        "A backward pass costs c, a sample that gets none costs its delight χ; s is what is known of it, and G the "
        "decision.",
        r"\mathbb E[c\,G+\chi\,(1-G)]",
    )
    slope = sp.diff(c * keep + posterior * (1 - keep), keep)
    proof.argue(
        "Keeping where E[χ | s] > c is best of all rules of s, chance included: the Bayes threshold. With exact "
        "scores, or calibrated ones, E[χ | s] = s, it is the price c.",
        "given s the cost is linear in G with the slope c − m, m = E[χ | s], and a linear function of G in [0, 1] is "
        "least at the end that its slope names; averages over s follow",
        slope == c - posterior,
        latex=r"G=\mathbf 1\{\mathbb E[\chi\mid s]>c\}",
    )
    proof.sample(
        "Over the cost of deciding by χ itself, missed passes cost (χ−c)₊ and wasted ones (c−χ)₊ (both decisions, χ "
        "below and above c).",
        (
            g * 1 + (1 - g) * at - min(1, at) == (1 - g) * max(at - 1, 0) + g * max(1 - at, 0)
            for g in (0, 1)
            for at in (-2, sp.Rational(1, 3), 1, 4)
        ),
        latex=r"cG+\chi(1-G)-\min(c,\chi)=(\chi-c)_+(1-G)+(c-\chi)_+G",
    )
    kernel = sp.exp(-((s - x) ** 2) / (2 * tau**2))
    proof.identity(
        "Error τξ: each delight x adds to the scores' density f a kernel whose slope is (x−s)/τ² of it. So E[χ | s] "
        "= s + τ²(log f)′(s), whatever the law of delight.",
        sp.Derivative(kernel, s),
        kernel * (x - s) / tau**2,
        latex=r"\mathbb E[\chi\mid s]=s+\tau^2(\log f)'(s)",
    )
    proof.argue(
        "It never falls: its slope is Var(χ | s)/τ² ≥ 0. One price does, and what calibration must get right is "
        "where E[χ | s] crosses c, nothing else.",
        "the posterior of χ is an exponential family with the parameter s/τ², whose mean rises by its variance",
        sp.simplify(sp.diff(-((s - x) ** 2) / (2 * tau**2), s, x) - 1 / tau**2) == 0,
        latex=r"\partial_s\,\mathbb E[\chi\mid s]=\operatorname{Var}(\chi\mid s)/\tau^2",
    )


def _gaussian(proof: Proof) -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
    """Gaussian delight: price, gain, and what the price c on raw scores costs."""
    exponent = -((x - mu) ** 2) / (2 * sigma**2) - (s - x) ** 2 / (2 * tau**2)
    price = proof.identity(
        "χ ~ N(μ, d²): the posterior is Gaussian, its mean where the exponent is stationary. That mean is c at the "
        "score",
        sp.solve(sp.diff(exponent, x).subs(x, c), s)[0],
        _gaussian_price(),
        latex=r"\lambda^*=\mu+(c-\mu)\left(1+\tfrac{\tau^2}{d^2}\right)",
    )
    proof.identity(
        "E[χ | s] is N(μ, (dr)²), r = d/√(d²+τ²). A gate at λ, t = (λ−μ)/√(d²+τ²), gains over keeping nothing what "
        "lies above t: less by (μ + drt − c)φ(t) for each unit of t,",
        sp.Derivative(_gain(_t), _t),
        -(mu + sigma * r * _t - c) * _phi(_t),
        latex=r"g(t)=d r\,\varphi(t)-(c-\mu)\{1-\Phi(t)\},\quad g'(t)=-(\mu+d rt-c)\,\varphi(t)",
    )
    proof.check(
        "and nothing as t → ∞.",
        sp.limit(_phi(_t), _t, sp.oo) == 0 and sp.limit(_upper(_t), _t, sp.oo) == 0,
        latex=r"g(\infty)=0",
    )
    proof.check(
        "So it rises up to t = (c−μ)/(dr) and falls beyond,",
        sp.solve(mu + sigma * r * _t - c, _t) == [(c - mu) / (sigma * r)],
        latex=r"g'(t)=0\iff t=\tfrac{c-\mu}{d r}",
    )
    proof.identity(
        "which is λ* again.",
        (_gaussian_price() - mu) / sp.sqrt(sigma**2 + tau**2),
        ((c - mu) / (sigma * r)).subs(r, sigma / sp.sqrt(sigma**2 + tau**2)),
        latex=r"\tfrac{\lambda^*-\mu}{\sqrt{d^2+\tau^2}}=\tfrac{c-\mu}{d r}",
    )
    example = {mu: 0, sigma: 1, c: 1, r: 1 / sp.sqrt(2)}
    at_best, raw = (_gain(t).subs(example) for t in (sp.sqrt(2), 1 / sp.sqrt(2)))
    proof.check(
        "At c one deviation above the mean and an error as large as it, τ = d, the best price gains, and the price c "
        "on raw scores loses against keeping nothing.",
        bool(at_best > 0) and bool(raw < 0),
        latex=r"\text{gain}(\lambda^*)>0>\text{gain}(c)",
    )
    return price, _gain(_z), at_best, raw


def _two_points(proof: Proof) -> sp.Expr:
    """Two delights, as in a symmetric context: the likelihood ratio decides."""
    log_ratio = (
        sp.log(p) + sp.log(a - c) - (s - a) ** 2 / (2 * tau**2)
        - sp.log(q) - sp.log(c - b) + (s - b) ** 2 / (2 * tau**2)
    )  # fmt: skip
    proof.identity(
        "χ is a with probability p or b with q = 1 − p, b < c < a: the sample is kept where p(a−c)φ((s−a)/τ) exceeds "
        "q(c−b)φ((s−b)/τ). The logarithm of their ratio rises by (a−b)/τ² for each unit of s,",
        sp.Derivative(log_ratio, s),
        (a - b) / tau**2,
        latex=r"\partial_s\log\text{ratio}=\tfrac{a-b}{\tau^2}",
    )
    gaps = {a: c + sp.Symbol("A", positive=True), b: c - sp.Symbol("B", positive=True)}
    proof.identity(
        "and is zero at this price: the middle, moved by the odds and the stakes.",
        log_ratio.subs(s, _two_point_price()).subs(gaps),
        sp.Integer(0),
        latex=r"\lambda^*=\tfrac{a+b}2+\tfrac{\tau^2}{a-b}\log\tfrac{q\,(c-b)}{p\,(a-c)}",
    )
    return _two_point_price()


def derive() -> Derivation:
    """Derive the price of least expected cost under exact and noisy scores."""
    proof = Proof(
        "decision-price",
        "Keeping where E[χ | s] > c costs least of all rules of the score s, a backward pass costing c and a missed "
        "one its delight. With s = χ + τξ it is a price: c where τ = 0 or the score is calibrated, μ + "
        "(c−μ)(1+τ²/d²) for Gaussian delight, the middle moved by odds and stakes for two delights.",
        (
            "ξ standard normal, independent of the sample and between samples; the cost of a sample is of it alone",
            "delight in the unit of the cost; keeping a sample is worth its delight, whatever else is kept",
        ),
    )
    _bayes(proof)
    price, gain, at_best, raw = _gaussian(proof)
    two = _two_points(proof)
    return proof.conclude(gaussian_price=price, gain=gain, best_gain=at_best, raw_gain=raw, two_point_price=two)
