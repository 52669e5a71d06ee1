"""How long learning takes from the uniform policy, in forward samples and in backward passes.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import K, b, p, w_minus, w_plus

__all__ = ["derive"]

_start, _end = sp.symbols("p_0 p_1", positive=True)


def _forward_primitive(x: sp.Expr) -> sp.Expr:
    """Return F, the claimed primitive of 1/(p²ε²)."""
    return 2 * sp.log(x / (1 - x)) + 1 / (1 - x) - 1 / x


def _backward_primitive(x: sp.Expr) -> sp.Expr:
    """Return Γ, the claimed primitive of 1/(pε²)."""
    return sp.log(x / (1 - x)) + 1 / (1 - x)


def _value_backward_primitive(x: sp.Expr) -> sp.Expr:
    """Return the claimed primitive of 1/(pε³): zero price with b = p, in backward passes."""
    return sp.log(x / (1 - x)) + 1 / (1 - x) + 1 / (2 * (1 - x) ** 2)


def _value_forward_primitive(x: sp.Expr) -> sp.Expr:
    """Return the claimed primitive of 1/(p²ε³): zero price with b = p, in forward samples."""
    return 3 * sp.log(x / (1 - x)) + 2 / (1 - x) + 1 / (2 * (1 - x) ** 2) - 1 / x


def _flow(proof: Proof) -> sp.Expr:
    """Reduce the gradient flow to one equation for p."""
    logits = sp.symbols("z0:3", real=True)
    total = sum(sp.exp(z) for z in logits)
    policy = [sp.exp(z) / total for z in logits]
    score = [(1 if i == 0 else 0) - q for i, q in enumerate(policy)]
    proof.check(
        "The correct arm's probability has logit gradient p·d, here by differentiating a softmax of three logits.",
        every(sp.simplify(sp.diff(policy[0], z) - policy[0] * s) == 0 for z, s in zip(logits, score, strict=True)),
        latex=r"\nabla_z\,p = p\,(e_{y^*}-\pi) = p\,d",
    )
    d = context.correct_score()
    speed = context.kappa() * p**2 * context.epsilon**2 * context.alpha_squared
    proof.identity(
        "Under ż = E g = κp·d the wrong logits move together, so they stay equal, and p obeys one equation.",
        p * context.kappa() * p * d.dot(d),
        speed,
        latex=r"\dot p = \nabla_z p\cdot\dot z = p\,d\cdot\kappa p\,d = \kappa\,p^2\varepsilon^2\alpha^2",
    )
    return speed


def _policy_gradient(proof: Proof) -> sp.Expr:
    """PG: κ = 1."""
    integrand = 1 / (p**2 * (1 - p) ** 2)
    d = context.correct_score()
    proof.identity(
        "PG has κ = 1 for every baseline, ṗ = p²‖d‖²; separate variables.",
        context.alpha_squared / (p**2 * d.dot(d)),
        integrand,
        latex=r"\alpha^2\,dt = \frac{dp}{p^2\varepsilon^2}",
    )
    proof.identity(
        "Partial fractions.",
        integrand,
        1 / p**2 + 2 / p + 2 / (1 - p) + 1 / (1 - p) ** 2,
        latex=r"\frac1{p^2\varepsilon^2} = \frac1{p^2}+\frac2p+\frac2{\varepsilon}+\frac1{\varepsilon^2}",
    )
    proof.identity(
        "Their primitive is F.",
        sp.Derivative(_forward_primitive(p), p),
        integrand,
        latex=r"F(p) = 2\ln\frac p{1-p}+\frac1{1-p}-\frac1p,\qquad F'=\frac1{p^2\varepsilon^2}",
    )
    time = (_forward_primitive(_end) - _forward_primitive(_start)) / context.alpha_squared
    from_uniform = time.subs({_start: 1 / K})
    proof.identity(
        "From the uniform policy PG needs time K to leading order, whatever fixed p₁ it is to reach: Θ(K).",
        sp.Limit(sp.expand(from_uniform / K), K, sp.oo),
        sp.Integer(1),
        latex=r"\lim_{K\to\infty}\tfrac1K\,\frac{F(p_1)-F(1/K)}{\alpha^2} = 1",
    )
    return time


def _zero_price(proof: Proof, speed: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Zero price with a constant baseline: κ = 1 − b, and only a fraction p of the samples is paid for."""
    gated, d = speed.subs({w_plus: 1, w_minus: 0}), context.correct_score()
    proof.identity(
        "Zero price has κ = 1 − b and rate p: backward passes grow as dN = p·dt.",
        p / ((1 - b) * p**2 * d.dot(d)),
        1 / ((1 - b) * context.alpha_squared * p * (1 - p) ** 2),
        latex=r"\frac{dN}{dp} = \frac{p}{(1-b)p^2\varepsilon^2\alpha^2} = "
        r"\frac1{(1-b)\alpha^2}\,\frac1{p\,\varepsilon^2}",
    )
    proof.identity(
        "The primitive is Γ.",
        sp.Derivative(_backward_primitive(p), p),
        1 / (p * (1 - p) ** 2),
        latex=r"\Gamma(p) = \ln\frac p{1-p}+\frac1{1-p},\qquad \Gamma' = \frac1{p\,\varepsilon^2}",
    )
    backward = (_backward_primitive(_end) - _backward_primitive(_start)) / ((1 - b) * context.alpha_squared)
    goal = sp.Symbol("Gamma_1", real=True)  # Γ(p₁), fixed as K grows
    from_uniform = backward.subs({_start: 1 / K, _backward_primitive(_end): goal})
    proof.identity(
        "From the uniform policy the backward passes grow only as log K: what is left has a limit. So Θ(log K).",
        sp.Limit(sp.expand_log(sp.simplify(from_uniform * (1 - b)), force=True) - sp.log(K), K, sp.oo),
        goal - 1,
        latex=r"\lim_{K\to\infty}\Big\{\frac{\Gamma(p_1)-\Gamma(1/K)}{\alpha^2}-\log K\Big\} = \Gamma(p_1)-1",
    )
    forward = (_forward_primitive(_end) - _forward_primitive(_start)) / ((1 - b) * context.alpha_squared)
    proof.identity(
        "Its forward samples are PG's, divided by 1 − b: screening does not make learning faster per forward sample.",
        sp.diff(forward, _end).subs(_end, p),
        1 / gated,
        latex=r"t_{\text{zero price}} = \frac{F(p_1)-F(p_0)}{(1-b)\,\alpha^2}",
    )
    near = sp.Symbol("e", positive=True)
    ratio = _backward_primitive(1 - near) / _forward_primitive(1 - near)
    proof.identity(
        "The saving is made early. Late, at p₁ → 1, nearly every sample is kept and backward passes exceed PG's by "
        "1/(1−b).",
        sp.Limit(ratio, near, 0, "+"),
        sp.Integer(1),
        latex=r"\lim_{p_1\to1}\frac{\Gamma(p_1)}{F(p_1)} = 1",
    )
    return backward, forward


def _value_baseline(proof: Proof, speed: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Zero price with b = p: κ = ε."""
    gated = speed.subs({w_plus: 1, w_minus: 0}).subs(b, p) / context.alpha_squared
    proof.identity(
        "With the value baseline κ = ε; backward passes.",
        p / gated,
        sp.diff(_value_backward_primitive(p), p),
        latex=r"\alpha^2\frac{dN}{dp} = \frac1{p\,\varepsilon^3}"
        r" = \frac{d}{dp}\Big\{\ln\frac p\varepsilon+\frac1\varepsilon+\frac1{2\varepsilon^2}\Big\}",
    )
    proof.identity(
        "With the value baseline; forward samples.",
        1 / gated,
        sp.diff(_value_forward_primitive(p), p),
        latex=r"\alpha^2\frac{dt}{dp} = \frac1{p^2\varepsilon^3}"
        r" = \frac{d}{dp}\Big\{3\ln\frac p\varepsilon+\frac2\varepsilon+\frac1{2\varepsilon^2}-\frac1p\Big\}",
    )
    backward = (_value_backward_primitive(_end) - _value_backward_primitive(_start)) / context.alpha_squared
    forward = (_value_forward_primitive(_end) - _value_forward_primitive(_start)) / context.alpha_squared
    for text, time, scale in (
        ("Θ(log K) backward passes", backward, sp.log(K)),
        ("Θ(K) forward samples", forward, K),
    ):
        proof.identity(
            f"From the uniform policy, again {text}, with constant 1.",
            sp.Limit(sp.expand_log(sp.expand(time.subs(_start, 1 / K) / scale), force=True), K, sp.oo),
            sp.Integer(1),
            latex=rf"\lim_{{K\to\infty}}\frac{{t}}{{{sp.latex(scale)}}} = 1",
        )
    return backward, forward


def _delightful(proof: Proof) -> None:
    """DG has no closed form here, but is of PG's order."""
    odds, half = sp.symbols("t y z", positive=True), sp.Rational(1, 2)
    share, low, high = (v / (1 + v) for v in odds)  # b, 2w₊ − 1 and w₋, each anywhere in (0, 1)
    kappa = context.kappa(share, half + low / 2, high)
    proof.check(
        "1/2 < w₊ < 1 and 0 < w₋ < 1 give (1−b)/2 < κ < 1 at every p.",
        sp.And(sp.Gt(sp.factor(kappa - (1 - share) / 2), 0), sp.Gt(sp.factor(1 - kappa), 0)),
        latex=r"\frac{1-b}2 < \kappa_{\mathrm{DG}} < 1",
    )
    proof.argue(
        "DG's time lies between PG's and 2/(1−b) times PG's: Θ(K) forward samples, every one of them backpropagated.",
        "time is the integral of 1/(κp²ε²α²) over p, so bounds on κ at every p bound the ratio of the integrals.",
        latex=r"1 < \frac{t_{\mathrm{DG}}}{t_{\mathrm{PG}}} < \frac2{1-b}",
    )


def derive() -> Derivation:
    """Derive learning times of PG and zero price by integration, and their growth in K."""
    proof = Proof(
        "learning-time",
        "Gradient flow from p₀ to p₁: PG takes [F(p₁)−F(p₀)]/α², Θ(K) from the uniform policy; zero price with a "
        "constant baseline spends [Γ(p₁)−Γ(p₀)]/((1−b)α²) backward passes, Θ(log K); with b = p, Γ/(1−b) becomes "
        "ln(p/ε) + 1/ε + 1/(2ε²).",
        (
            "one symmetric context, R = 1{a = y*}, logits follow the expected update, 0 ≤ b < 1",
            "the unit of time is learning rate × forward samples, and backward passes are counted in that unit",
            "p₁ is fixed as K → ∞",
        ),
    )
    speed = _flow(proof)
    pg = _policy_gradient(proof)
    backward, forward = _zero_price(proof, speed)
    value_backward, value_forward = _value_baseline(proof, speed)
    _delightful(proof)
    uniform = {_start: 1 / K}
    return proof.conclude(
        forward_primitive=_forward_primitive(p),
        backward_primitive=_backward_primitive(p),
        value_backward_primitive=_value_backward_primitive(p),
        forward_ratio=1 / (1 - b),
        pg_from_uniform=pg.subs(uniform),
        zero_price_backward_from_uniform=backward.subs(uniform),
        speed=speed,
        pg=pg,
        zero_price_backward=backward,
        zero_price_forward=forward,
        zero_price_value_backward=value_backward,
        zero_price_value_forward=value_forward,
    )
