"""The gate's probability is the solution of a small optimisation problem, and the hard gate is its cold limit.

Source: [KG §2] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); the divergence form of the optimality
gap and the comparative statics are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

_w = sp.Symbol("w", positive=True)
_v = sp.Symbol("v", positive=True)  # odds w / (1 − w): runs over (0, ∞) as w runs over (0, 1)
_chi, _price = sp.symbols("chi lambda", real=True)
_eta = sp.Symbol("eta", positive=True)
_x = sp.Symbol("x", real=True)  # χ − λ
_gap = sp.Symbol("g", positive=True)  # |χ − λ| where it is not zero


def _entropy(w: sp.Expr) -> sp.Expr:
    """Binary entropy in nats."""
    return -w * sp.log(w) - (1 - w) * sp.log(1 - w)


def _objective(w: sp.Expr) -> sp.Expr:
    return w * _x + _eta * _entropy(w)


def _gate(x: sp.Expr, eta: sp.Expr = _eta) -> sp.Expr:
    """Return the claimed maximiser σ(x/η)."""
    return 1 / (1 + sp.exp(-x / eta))


def _value(x: sp.Expr, eta: sp.Expr = _eta) -> sp.Expr:
    """Return the claimed maximum η·log(1 + e^{x/η})."""
    return eta * sp.log(1 + sp.exp(x / eta))


def _optimality(proof: Proof) -> None:
    """First and second order, the value, and a global bound that needs neither."""
    slope = sp.Derivative(_objective(_w), _w)
    proof.identity(
        "Slope of the objective in w.",
        slope,
        _x - _eta * sp.log(_w) + _eta * sp.log(1 - _w),
        latex=r"\partial_w\{w x + \eta H(w)\} = x - \eta\log\frac{w}{1-w},\qquad x=\chi-\lambda",
    )
    # With x = η·log v the claimed gate is v/(1+v), and every expression below becomes algebraic in v and log v.
    at_optimum = {_x: _eta * sp.log(_v)}
    proof.identity(
        "The slope vanishes at w* = σ(x/η).",
        slope.doit().subs(_w, _gate(_x)).subs(at_optimum),
        sp.Integer(0),
        latex=r"x - \eta\log\frac{w^*}{1-w^*} = 0 \iff w^* = \sigma(x/\eta)",
    )
    proof.identity(
        "The curvature in w.",
        sp.Derivative(_objective(_w), (_w, 2)),
        -_eta / (_w * (1 - _w)),
        latex=r"\partial_w^2\{w x + \eta H(w)\} = -\frac{\eta}{w(1-w)}",
    )
    proof.check(
        "It is negative on all of (0, 1), w = v/(1+v) with v > 0: the objective is strictly concave and w* its only "
        "maximum.",
        sp.factor(sp.diff(_objective(_w), _w, 2).subs(_w, _v / (1 + _v))).is_negative,
        latex=r"-\frac{\eta}{w(1-w)} = -\frac{\eta(1+v)^2}{v} < 0",
    )
    for end, side, limit in (("0", _w, sp.oo), ("1", 1 - _w, -sp.oo)):
        proof.check(
            f"The end w = {end} is never optimal at η > 0: the slope tends to {'+' if limit > 0 else '−'}∞ there.",
            sp.Eq(sp.limit(slope.doit().subs(_w, side), _w, 0, "+"), limit),
            latex=rf"w\to {end}:\ \partial_w\{{w x+\eta H(w)\}} \to {sp.latex(limit)}",
        )
    proof.identity(
        "The value at the optimum, a softplus.",
        _objective(_gate(_x)).subs(at_optimum),
        _value(_x).subs(at_optimum),
        latex=r"\max_w\{w x+\eta H(w)\} = \eta\log(1+e^{x/\eta})",
    )
    odds = sp.Symbol("u", positive=True)  # of the other probability w
    other, star = odds / (1 + odds), _gate(_x).subs(at_optimum)
    divergence = other * sp.log(other / star) + (1 - other) * sp.log((1 - other) / (1 - star))
    proof.identity(
        "Any other probability loses exactly η times its divergence from w*.",
        (_value(_x) - _objective(other)).subs(at_optimum),
        _eta * divergence,
        latex=r"\eta\log(1+e^{x/\eta}) - \{w x+\eta H(w)\} = \eta\,\mathrm{KL}(w\,\|\,w^*)",
    )


def _response(proof: Proof) -> None:
    """How gate and value answer to delight and price."""
    gate, value = _gate(_chi - _price), _value(_chi - _price)
    proof.identity(
        "Envelope theorem: the value's slope in the delight is the gate probability.",
        sp.Derivative(value, _chi),
        gate,
        latex=r"\partial_\chi\,\eta\log(1+e^{(\chi-\lambda)/\eta}) = \sigma((\chi-\lambda)/\eta)",
    )
    proof.identity(
        "A higher price lowers every gate probability, most where the gate is undecided.",
        sp.Derivative(gate, _price),
        -gate * (1 - gate) / _eta,
        latex=r"\partial_\lambda w^* = -\frac{w^*(1-w^*)}{\eta}",
    )


def _limits(proof: Proof) -> sp.Rational:
    """Cold and hot gates; return the probability on the threshold."""
    proof.identity(
        "Cold limit above the threshold, χ − λ = g > 0: the gate is open.",
        sp.Limit(_gate(_gap), _eta, 0, "+"),
        sp.Integer(1),
        latex=r"\lim_{\eta\to0^+}\sigma(g/\eta) = 1",
    )
    proof.identity(
        "Below it, χ − λ = −g, the gate closes as e^{−g/η}.",
        sp.Limit(_gate(-_gap) * sp.exp(_gap / _eta), _eta, 0, "+"),
        sp.Integer(1),
        latex=r"\sigma(-g/\eta) \sim e^{-g/\eta} \to 0",
    )
    on_threshold = sp.Rational(1, 2)
    proof.identity(
        "On the threshold itself the gate is a fair coin at every temperature, and so in the limit.",
        sp.Subs(_gate(_x), _x, 0),
        on_threshold,
        latex=r"\sigma(0) = \tfrac12",
    )
    proof.identity(
        "Softplus with the linear part taken out, x = η·log v.",
        _value(_x).subs(_x, _eta * sp.log(_v)),
        (_x + _value(-_x)).subs(_x, _eta * sp.log(_v)),
        latex=r"\eta\log(1+e^{x/\eta}) = x + \eta\log(1+e^{-x/\eta})",
    )
    proof.identity(
        "Cold limit of the value below the threshold: it vanishes as ηe^{−g/η}; so above it, by the line before, the "
        "value tends to g.",
        sp.Limit(_value(-_gap) / (_eta * sp.exp(-_gap / _eta)), _eta, 0, "+"),
        sp.Integer(1),
        latex=r"\eta\log(1+e^{-g/\eta}) \sim \eta\,e^{-g/\eta} \to 0",
    )
    proof.identity(
        "On the threshold it vanishes with η: the limit is max(χ − λ, 0) everywhere.",
        sp.Subs(_value(_x), _x, 0),
        _eta * sp.log(2),
        latex=r"\eta\log(1+e^{0}) = \eta\log2 \to 0",
    )
    proof.identity(
        "Hot limit: a fair coin, whatever the delight.",
        sp.Limit(_gate(_x), _eta, sp.oo),
        sp.Rational(1, 2),
        latex=r"\lim_{\eta\to\infty}\sigma(x/\eta) = \tfrac12",
    )
    proof.identity(
        "The value then grows as η·log 2.",
        sp.Limit(_value(_x) / _eta, _eta, sp.oo),
        sp.log(2),
        latex=r"\lim_{\eta\to\infty}\log(1+e^{x/\eta}) = \log 2",
    )
    return on_threshold


def derive() -> Derivation:
    """Derive the gate's law w* = σ((χ−λ)/η), its value, and its limits in the temperature."""
    proof = Proof(
        "gate-law",
        "argmax over w of w(χ−λ) + ηH(w) is σ((χ−λ)/η), with value η·log(1+e^{(χ−λ)/η}); η → 0 gives the threshold "
        "rule χ > λ and η → ∞ the fair coin.",
        ("0 ≤ w ≤ 1, η > 0, χ and λ real", "H is the binary entropy in nats"),
    )
    _optimality(proof)
    _response(proof)
    on_threshold = _limits(proof)
    x = _chi - _price
    return proof.conclude(
        gate=_gate(x),
        value=_value(x),
        price_response=-_gate(x) * (1 - _gate(x)) / _eta,
        gate_on_threshold=on_threshold,
    )
