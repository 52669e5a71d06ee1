"""Rate, signal and noise of the soft gate as functions of price and temperature, and what each backward pass buys.

Source: this project; the gate is [KG §2] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import B, ExplicitContext, K, b, eta, p, w_minus, w_plus

__all__ = ["derive"]

_price = sp.Symbol("lambda", real=True)
_BERNOULLI = {context.s_plus: w_plus, context.s_minus: w_minus}

_ABOVE_HALF = {K: 2, b: sp.Rational(9, 10), p: sp.Rational(3, 10)}  # where neither monotonicity holds

# Kept mass of correct and wrong samples, and the moments of one of each: u = (1−b)εα and h = bpα along ∇J, e ⊥ to it.
_X, _Y, _u, _h, _e = sp.symbols("X Y u h e", positive=True)


def _cost_of_signal(x: sp.Expr = _X, y: sp.Expr = _Y) -> sp.Expr:
    """Return ρ·E‖g‖²/‖E g‖²: second moment over squared signal, per backward pass; dimensionless and at least 1."""
    return (x + y) * (x * _u**2 + y * (_h**2 + _e)) / (x * _u + y * _h) ** 2


def _in_context(expression: sp.Expr) -> sp.Expr:
    """Put the symmetric context's kept masses and moments in."""
    alpha = sp.sqrt(context.alpha_squared)
    values = {
        _X: p * w_plus,
        _Y: (1 - p) * w_minus,
        _u: (1 - b) * (1 - p) * alpha,
        _h: b * p * alpha,
        _e: b**2 * (K - 2) / (K - 1),
    }
    return expression.subs(values)


def _gates() -> tuple[sp.Expr, sp.Expr]:
    """Return w₊ and w₋ at price λ and temperature η."""
    chi_plus, chi_minus = context.delights()
    return 1 / (1 + sp.exp(-(chi_plus - _price) / eta)), 1 / (1 + sp.exp(-(chi_minus - _price) / eta))


def _cost_of_gates() -> sp.Expr:
    """Return the cost of signal at price λ and temperature η."""
    plus, minus = _gates()
    return _in_context(_cost_of_signal()).subs({w_plus: plus, w_minus: minus})


def _noise_to_signal() -> sp.Expr:
    """Return (Var_∥ + Var_⊥)/‖E g‖² per forward sample, Bernoulli gate."""
    noise = (context.var_parallel() + context.var_perpendicular()).subs(_BERNOULLI, simultaneous=True)
    return noise / (context.kappa() ** 2 * context.signal_squared())


def _bookkeeping(proof: Proof) -> None:
    """From per-sample moments to the quality of a batch with a budget of backward passes."""
    for n_arms in (2, 4):
        first = context.by_sign(w_plus, w_minus, n_arms)
        exact = ExplicitContext.symmetric(n_arms).moments(b, first, first)
        signal = exact.mean.dot(exact.mean)
        second_moment = exact.var_parallel + exact.var_perpendicular + signal
        proof.identity(
            f"Enumeration, K = {n_arms}: rate times second moment over squared signal, in kept masses X = pw₊, Y = "
            f"εw₋.",
            exact.backward_rate * second_moment / signal,
            _in_context(_cost_of_signal()).subs(K, n_arms),
            latex=r"\rho\,\frac{\mathbb E\|g\|^2}{\|\mathbb Eg\|^2} = "
            r"\frac{(X+Y)\{Xu^2+Y(h^2+e)\}}{(Xu+Yh)^2},\ u=(1-b)\varepsilon\alpha,\ "
            r"h=bp\alpha,\ e=b^2\tfrac{K-2}{K-1}",
        )
    rate = p * w_plus + (1 - p) * w_minus
    proof.identity(
        "For every K: the noise per backward pass is that cost less the rate.",
        rate * _noise_to_signal(),
        _in_context(_cost_of_signal()) - rate,
        latex=r"\rho\,\nu = \rho\,\frac{\mathbb E\|g\|^2}{\|\mathbb Eg\|^2}-\rho,\qquad"
        r" \nu=\frac{\mathrm{Var}_\parallel+\mathrm{Var}_\perp}{\|\mathbb Eg\|^2}",
    )
    signal, noise, budget, rho = sp.symbols("S V N rho", positive=True)
    proof.identity(
        "A budget of N backward passes buys B = N/ρ forward samples, so efficiency depends on ρν alone.",
        (signal / (signal + noise / B)).subs(B, budget / rho),
        1 / (1 + rho * (noise / signal) / budget),
        latex=r"\mathrm{eff} = \frac{S}{S+V/B} = \frac1{1+\rho\nu/N}",
    )


def _bound(proof: Proof) -> None:
    """Nothing that sees only the sign of the advantage has a cost of signal below one."""
    difference = (_X + _Y) * (_X * _u**2 + _Y * (_h**2 + _e)) - (_X * _u + _Y * _h) ** 2
    proof.identity(
        "Numerator less denominator is a sum of squares: ρE‖g‖² ≥ ‖E g‖², with equality when wrong samples are "
        "dropped.",
        difference,
        _X * _Y * ((_u - _h) ** 2 + _e) + _Y**2 * _e,
        latex=r"(X+Y)(Xu^2+Y(h^2+e))-(Xu+Yh)^2 = XY\{(u-h)^2+e\}+Y^2e \ge 0",
    )
    zero_price = {w_plus: 1, w_minus: 0}
    proof.identity(
        "Zero price attains the bound at rate p: noise ε per backward pass, whatever b and K.",
        (p * _noise_to_signal()).subs(zero_price),
        context.epsilon,
        latex=r"\text{zero price: } \rho\,\frac{\mathbb E\|g\|^2}{\|\mathbb Eg\|^2} = 1,\quad \rho\nu = \varepsilon",
    )
    proof.identity(
        "Zero price is not always the least noisy: for K = 2 and b = ε a wrong sample carries exactly the gradient "
        "of a correct one, and PG, which keeps both, has no noise at all.",
        _noise_to_signal().subs({w_plus: 1, w_minus: 1, K: 2}).subs(b, 1 - p),
        sp.Integer(0),
        latex=r"K=2,\ b=\varepsilon:\quad \nu_{\mathrm{PG}} = 0 < \varepsilon/p",
    )


def _price_path(proof: Proof) -> None:
    """Show what raising the price does, at any temperature."""
    chi_plus, chi_minus = sp.symbols("chi_plus chi_minus", real=True)
    plus, minus = (1 / (1 + sp.exp(-(x - _price) / eta)) for x in (chi_plus, chi_minus))
    proof.identity(
        "Raising the price lowers the rate and the signal κ: each gate falls by w(1−w)/η.",
        sp.diff(p * plus + (1 - p) * minus, _price),
        -(p * plus * (1 - plus) + (1 - p) * minus * (1 - minus)) / eta,
        latex=r"\partial_\lambda\rho = -\tfrac1\eta\{p\,w_+(1-w_+)+\varepsilon\,w_-(1-w_-)\} < 0",
    )
    proof.identity(
        "Raising the price purifies what is kept: w₋/w₊ falls, because χ₋ < χ₊ makes w₋ < w₊.",
        sp.diff(sp.log(minus) - sp.log(plus), _price),
        -(plus - minus) / eta,
        latex=r"\partial_\lambda\log\frac{w_-}{w_+} = -\frac{w_+-w_-}{\eta} < 0",
    )
    x, y = sp.symbols("x y", positive=True)  # e^{−χ₊/η}, e^{−χ₋/η}
    z = sp.Symbol("z", positive=True)  # e^{λ/η}
    proof.check(
        "Even an infinite price does not purify a warm gate completely: w₋/w₊ falls from 1 to e^{−(χ₊−χ₋)/η}.",
        (sp.limit((1 + x * z) / (1 + y * z), z, 0), sp.limit((1 + x * z) / (1 + y * z), z, sp.oo)) == (1, x / y),
        latex=r"\lambda\to-\infty:\ \frac{w_-}{w_+}\to1,\qquad \lambda\to\infty:\ \frac{w_-}{w_+}\to "
        r"e^{-(\chi_+-\chi_-)/\eta}",
    )


def _monotone(proof: Proof) -> None:
    """When a purer kept set is a better one."""
    t = sp.Symbol("t", positive=True)  # Y/X
    cost = _cost_of_signal(sp.Integer(1), t)
    bracket = _e * (_u + 2 * _u * t - _h * t) + (_u - _h) ** 2 * (_u - _h * t)
    proof.identity(
        "The cost of signal depends on the kept masses through t = Y/X alone.",
        _cost_of_signal(_X, t * _X),
        cost,
        latex=r"c(t) = \frac{(1+t)\{u^2+t(h^2+e)\}}{(u+th)^2}",
    )
    proof.identity(
        "Its slope in t: positive as long as th ≤ u.",
        sp.diff(cost, t),
        bracket / (_u + t * _h) ** 3,
        latex=r"c'(t) = \frac{e\{u(1+2t)-ht\}+(u-h)^2(u-ht)}{(u+th)^3}",
    )
    slack = sp.Symbol("q", nonnegative=True)  # u − ht
    square = sp.Symbol("r", nonnegative=True)  # (u − h)², to keep its sign visible
    proof.identity(
        "With q = u − ht the slope's numerator is a sum of terms that are not negative for q ≥ 0.",
        bracket.subs(_u, slack + _h * t),
        (_e * (slack * (1 + 2 * t) + 2 * _h * t**2) + square * slack).subs(square, (slack + _h * t - _h) ** 2),
    )
    proof.check(
        "So c′(t) ≥ 0 where u ≥ ht.",
        (_e * (slack * (1 + 2 * t) + 2 * _h * t**2) + square * slack).is_nonnegative,
        latex=r"u\ge ht\ \Rightarrow\ c'(t)\ge0",
    )
    proof.identity(
        "The gates satisfy w₋ ≤ w₊, so t ≤ ε/p, and there u − ht = (1−2b)εα: not negative for b ≤ 1/2.",
        _in_context(_u - _h * (1 - p) / p),
        (1 - 2 * b) * (1 - p) * sp.sqrt(context.alpha_squared),
        latex=r"t\le\frac{\varepsilon}{p}\ \Rightarrow\ u-ht\ge(1-2b)\varepsilon\alpha",
    )
    proof.argue(
        "For 0 < b ≤ 1/2 every price path is a frontier: a higher price costs rate and never raises c, and lowers it "
        "unless right and wrong samples carry one gradient (K = 2, b = ε).",
        "c rises with t up to ε/p, and t falls with the price; the slope vanishes only where e = 0 and u = h, which "
        "is K = 2 and b = ε",
        latex=r"0<b\le\tfrac12:\quad \frac{dc}{d\lambda}\le0",
    )
    example = _in_context(cost).subs(_ABOVE_HALF)
    proof.check(
        "Above b = 1/2 it can fail: at K = 2, b = 0.9, p = 0.3 (t up to 7/3) c is larger at t = 1/4 than at t = 2.",
        (example.subs(t, sp.Rational(1, 4)) - example.subs(t, 2)).is_positive,
        latex=r"c(\tfrac14) > c(2)",
    )


def _temperature_path(proof: Proof) -> None:
    """Show what heating does at price zero, and the cold frontier."""
    gain, loss = sp.symbols("g l", positive=True)  # χ₊ and −χ₋
    plus, minus = 1 / (1 + sp.exp(-gain / eta)), 1 / (1 + sp.exp(loss / eta))
    proof.identity(
        "At price zero heating lowers w₊.", sp.diff(plus, eta), -gain * plus * (1 - plus) / eta**2,
        latex=r"\partial_\eta w_+ = -\frac{\chi_+w_+(1-w_+)}{\eta^2} < 0",
    )  # fmt: skip
    proof.identity(
        "At price zero heating raises w₋, so it makes the kept set less pure.",
        sp.diff(minus, eta), loss * minus * (1 - minus) / eta**2,
        latex=r"\partial_\eta w_- = \frac{-\chi_-w_-(1-w_-)}{\eta^2} > 0",
    )  # fmt: skip
    proof.argue(
        "For 0 < b ≤ 1/2 heating at price zero never lowers c, and raises it unless K = 2, b = ε.",
        "t = εw₋/(pw₊) rises with η, and c rises with t while t ≤ ε/p",
        latex=r"0<b\le\tfrac12,\ \lambda=0:\quad \frac{dc}{d\eta}\ge0",
    )
    warm, hot = (_cost_of_gates().subs({**_ABOVE_HALF, _price: 0, eta: x}) for x in (sp.Rational(1, 10), 2))
    proof.check(
        "Above b = 1/2 it can lower c: at K = 2, b = 0.9, p = 0.3 c is larger at η = 1/10 than at η = 2, and both "
        "are above zero price's 1.",
        (warm - hot).is_positive is True and (hot - 1).is_positive is True,
        latex=r"c(\eta=\tfrac1{10}) > c(\eta=2) > 1",
    )
    for side, gate, limit in (("above", plus, 1), ("below", minus, 0)):
        proof.identity(
            f"Cold, a sample whose delight lies {side} the price has w → {limit}; so the frontier has three points: "
            "everything below χ₋, zero price between χ₋ and χ₊, nothing above χ₊.",
            sp.Limit(gate, eta, 0, "+"),
            sp.Integer(limit),
            latex=r"\eta\to0:\ \rho = 1\,(\lambda<\chi_-),\quad p\,(\chi_-<\lambda<\chi_+),"
            r"\quad 0\,(\lambda>\chi_+)",
        )


def derive() -> Derivation:
    """Derive rate, signal and noise per backward pass along price and temperature."""
    proof = Proof(
        "quality-cost-frontier",
        "In one symmetric context every gate on the sign of the advantage points along ∇J; what rate buys is less "
        "noise. ρE‖g‖²/‖E g‖² ≥ 1, with equality at zero price. Raising the price lowers rate and signal and "
        "purifies the kept set; for 0 < b ≤ 1/2 it never raises that cost, and heating at price zero never lowers "
        "it; "
        "above b = 1/2 both can.",
        (
            "one symmetric context, K ≥ 2, R = 1{a = y*}, 0 < p < 1, 0 < b < 1",
            "Bernoulli gate with w = σ((χ−λ)/η), samples gated independently, η > 0",
        ),
    )
    _bookkeeping(proof)
    _bound(proof)
    _price_path(proof)
    _monotone(proof)
    _temperature_path(proof)
    plus, minus = _gates()
    at_price = {w_plus: plus, w_minus: minus}
    return proof.conclude(
        backward_rate=p * plus + (1 - p) * minus,
        kappa=context.kappa(b, plus, minus),
        cosine=sp.sign(context.kappa(b, plus, minus)),
        efficiency=(1 / (1 + _noise_to_signal() / B)).subs(at_price),
        cost_of_signal=_cost_of_gates(),
        noise_per_backward_pass=((p * w_plus + (1 - p) * w_minus) * _noise_to_signal()).subs(at_price),
        zero_price_noise_per_backward_pass=context.epsilon,
    )
