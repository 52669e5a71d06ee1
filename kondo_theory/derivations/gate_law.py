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
    slope = sp.diff(_objective(_w), _w)
    proof.identity(
        "Slope of the objective in w.",
        slope,
        _x - _eta * sp.log(_w) + _eta * sp.log(1 - _w),
        latex=r"\partial_w\{w x + \eta H(w)\} = x - \eta\log\frac{w}{1-w},\qquad x=\chi-\lambda",
    )
    # With x = η·log v the claimed gate is v/(1+v), and every expression below becomes algebraic in v.
    at_optimum = {_x: _eta * sp.log(_v)}
    proof.identity(
        "The slope vanishes at w* = σ(x/η).",
        sp.expand_log(slope.subs(_w, _gate(_x)).subs(at_optimum), force=True),
        sp.Integer(0),
        latex=r"x - \eta\log\frac{w^*}{1-w^*} = 0 \iff w^* = \sigma(x/\eta)",
    )
    proof.identity(
        "The curvature is −η/(w(1−w)), negative on (0, 1): the objective is strictly concave and w* its only "
        "maximum.",
        sp.diff(_objective(_w), _w, 2),
        -_eta / (_w * (1 - _w)),
        latex=r"\partial_w^2\{w x + \eta H(w)\} = -\frac{\eta}{w(1-w)} < 0",
    )
    proof.check(
        "The ends are never optimal at η > 0: the slope is +∞ at w → 0 and −∞ at w → 1.",
        sp.limit(slope, _w, 0, "+") == sp.oo and sp.limit(slope.subs(_w, 1 - _v), _v, 0, "+") == -sp.oo,
        latex=r"\lim_{w\to0^+}\partial_w = +\infty,\qquad \lim_{w\to1^-}\partial_w = -\infty",
    )
    maximum = _objective(_gate(_x)).subs(at_optimum)
    proof.identity(
        "The value at the optimum, a softplus.",
        sp.expand_log(sp.simplify(maximum), force=True),
        sp.expand_log(_value(_x).subs(at_optimum), force=True),
        latex=r"\max_w\{w x+\eta H(w)\} = \eta\log(1+e^{x/\eta})",
    )
    star = _v / (1 + _v)
    divergence = _w * sp.log(_w / star) + (1 - _w) * sp.log((1 - _w) / sp.together(1 - star))
    shortfall = _value(_x).subs(at_optimum) - _objective(_w).subs(at_optimum)
    proof.identity(
        "Any other probability loses exactly η times its divergence from w*, which proves the maximum globally.",
        sp.expand(sp.expand_log(shortfall, force=True)),
        sp.expand(sp.expand_log(_eta * divergence, force=True)),
        latex=r"\eta\log(1+e^{x/\eta}) - \{w x+\eta H(w)\} = \eta\,\mathrm{KL}(w\,\|\,w^*)\ge 0",
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


def _limits(proof: Proof) -> None:
    """Cold and hot gates."""
    proof.check(
        "Cold limit: the gate becomes the threshold rule, with 1/2 on the threshold itself.",
        (sp.limit(_gate(_gap), _eta, 0, "+"), sp.limit(_gate(-_gap), _eta, 0, "+"), _gate(sp.Integer(0)))
        == (1, 0, sp.Rational(1, 2)),
        latex=r"\eta\to0^+:\ \sigma(x/\eta)\to \mathbf 1\{x>0\}+\tfrac12\mathbf 1\{x=0\}",
    )
    # η log(1+e^{g/η}) = g + η log(1+e^{-g/η}), which leaves a limit that SymPy decides at once.
    proof.identity(
        "Softplus with the linear part taken out.",
        sp.expand_log(
            (_value(_x) - _value(-_x)).subs(_x, _eta * sp.log(_v)).subs(1 + 1 / _v, (1 + _v) / _v), force=True
        ),
        _eta * sp.log(_v),
        latex=r"\eta\log(1+e^{x/\eta}) = x + \eta\log(1+e^{-x/\eta})",
    )
    proof.check(
        "Cold limit of the value: it vanishes for x ≤ 0, so by the line before it is x for x > 0.",
        sp.limit(_value(-_gap), _eta, 0, "+") == 0 and sp.limit(_value(sp.Integer(0)), _eta, 0, "+") == 0,
        latex=r"\eta\to0^+:\ \eta\log(1+e^{x/\eta})\to \max(x,0)",
    )
    proof.check(
        "Hot limit: a fair coin, whatever the delight; the value grows as η·log 2.",
        sp.limit(_gate(_x), _eta, sp.oo) == sp.Rational(1, 2)
        and sp.simplify(sp.limit(_value(_x) / _eta, _eta, sp.oo) - sp.log(2)) == 0,
        latex=r"\eta\to\infty:\ \sigma(x/\eta)\to\tfrac12,\quad \tfrac1\eta\,\eta\log(1+e^{x/\eta})\to\log2",
    )


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
    _limits(proof)
    x = _chi - _price
    return proof.conclude(gate=_gate(x), value=_value(x), price_response=-_gate(x) * (1 - _gate(x)) / _eta)
