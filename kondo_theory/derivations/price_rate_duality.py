"""A price per backward pass and a budget of backward passes are two descriptions of one rule.

Source: this project (the gate's law itself is [KG §2], I. Osband, arXiv 2603.20526). The proof is weak duality, made
tight by the quantile function; the discrete case is also checked against every vertex of the linear programme.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import B, K, b, eta, p

__all__ = ["derive"]

_rho = sp.Symbol("rho", positive=True)
_u = sp.Symbol("u", positive=True)
_density = sp.Symbol("f", positive=True)  # of χ at the price
_price = sp.Symbol("lambda", real=True)
_Q = sp.Function("Q_chi")

# Three atoms of delight, written by their (positive) gaps so that SymPy can order them, with fixed masses.
_low = sp.Symbol("c", real=True)
_gaps = sp.symbols("g1 g2", positive=True)
_ATOMS = (_low + _gaps[0] + _gaps[1], _low + _gaps[1], _low)
_MASSES = (sp.Rational(1, 5), sp.Rational(3, 10), sp.Rational(1, 2))


def _quantile_value(rate: sp.Expr, atoms: tuple[sp.Expr, ...] = _ATOMS) -> sp.Expr:
    """Return ∫_{1−ρ}^1 Q(u)du for the three atoms: each atom's value times its share of [1−ρ, 1]."""
    value, upper = sp.Integer(0), sp.Integer(1)
    for atom, mass in zip(atoms, _MASSES, strict=True):
        value += atom * sp.Max(0, upper - sp.Max(upper - mass, 1 - rate))
        upper -= mass
    return value


def _vertex_values(rate: sp.Expr) -> list[sp.Expr]:
    """Return E[wχ] at every vertex of {0 ≤ w ≤ 1, E w = ρ}: at most one weight is fractional there."""
    values = []
    for fractional in range(3):
        others = [i for i in range(3) if i != fractional]
        for corner in product((0, 1), repeat=2):
            used = sum(_MASSES[i] * w for i, w in zip(others, corner, strict=True))
            weight = (rate - used) / _MASSES[fractional]
            if 0 <= weight <= 1:
                kept = sum(_MASSES[i] * w * _ATOMS[i] for i, w in zip(others, corner, strict=True))
                values.append(kept + _MASSES[fractional] * weight * _ATOMS[fractional])
    return values


def _symmetric_value(rate: sp.Expr = _rho) -> sp.Expr:
    """Return V(ρ) in the symmetric context: correct samples first, then wrong ones, at a loss."""
    chi_plus, chi_minus = context.delights()
    return sp.Piecewise((rate * chi_plus, rate <= p), (p * chi_plus + (rate - p) * chi_minus, True))


def _hard_duality(proof: Proof) -> None:
    """Solve the hard budget: upper bound, attainment, slope, concavity."""
    gap, odds = sp.symbols("g o", positive=True)
    w = odds / (1 + odds)
    proof.check(
        "(χ−λ)₊ − w(χ−λ) is positive for 0 < w < 1 on both sides of the price, and zero exactly for the rule that "
        "keeps what is above and nothing below.",
        every(sp.factor(sp.Max(x, 0) - w * x).is_positive is True for x in (gap, -gap))
        and sp.Max(gap, 0) - 1 * gap == 0
        and sp.Max(-gap, 0) == 0,
        latex=r"(\chi-\lambda)_+-w(\chi-\lambda)\ge0",
    )
    proof.argue(
        "Upper bound: for every price λ and every rule with E w = ρ, E[wχ] ≤ λρ + E(χ−λ)₊.",
        "E[wχ] = λρ + E[w(χ−λ)], and 0 ≤ w ≤ 1",
        latex=r"\mathbb E[w\chi] \le \lambda\rho + \mathbb E(\chi-\lambda)_+",
    )
    proof.argue(
        "Attained at λ = Q(1−ρ), by the rule that keeps χ > λ and, at an atom, draws so that E w = ρ: the bound is "
        "then the area under Q.",
        "χ is distributed as Q(u) with u uniform, and Q(u) > λ only for u > 1 − ρ; hence E(χ−λ)₊ = ∫_{1−ρ}^1 "
        "(Q(u)−λ)du, and adding λρ gives ∫_{1−ρ}^1 Q(u)du. A rule with rate ρ exists because P(χ>λ) ≤ ρ ≤ P(χ≥λ).",
        latex=r"\rho\,Q(1-\rho)+\int_{1-\rho}^1\{Q(u)-Q(1-\rho)\}\,du = \int_{1-\rho}^1 Q(u)\,du = V(\rho)",
    )
    excess = sp.Symbol("y", positive=True)  # χ − λ above the price
    proof.identity(
        "So it is for exponential delight, density against quantiles, at every rate.",
        sp.Integral(excess * sp.exp(-(excess - sp.log(_rho))), (excess, 0, sp.oo)),
        sp.Integral(sp.log(_rho) - sp.log(_u), (_u, 0, _rho)),  # Q(1−u) − Q(1−ρ), for χ ~ Exp(1)
    )
    value = sp.Integral(_Q(_u), (_u, 1 - _rho, 1))
    proof.identity(
        "The slope of V is the price.",
        sp.Derivative(value, _rho),
        _Q(1 - _rho),
        latex=r"V'(\rho) = Q_\chi(1-\rho) = \lambda",
    )
    t = sp.Symbol("t")
    proof.identity(
        "V is concave: its second derivative is −Q′(1−ρ), and a quantile function never falls.",
        sp.Derivative(value, (_rho, 2)),
        -sp.Subs(sp.Derivative(_Q(t), t), t, 1 - _rho),
        latex=r"V''(\rho) = -Q_\chi'(1-\rho)\le 0",
    )


def _atoms(proof: Proof) -> None:
    """Discrete delight: every vertex of the linear programme, the kinks, and the sign of the price."""
    rates = [sp.Rational(n, 20) for n in (1, 4, 7, 10, 13, 19)]
    best = []
    for rate in rates:
        gaps = [sp.expand(_quantile_value(rate) - value) for value in _vertex_values(rate)]
        best.append(0 in gaps and every(gap.is_nonnegative is True for gap in gaps))
    proof.sample(
        "Three atoms in general position: no vertex of {0 ≤ w ≤ 1, E w = ρ} beats the area under Q, and one attains "
        "it; six rates, any atoms.",
        best,
        latex=r"\max_w \sum_i m_iw_i\chi_i = V(\rho),\qquad \rho\in\{\tfrac1{20},\ldots,\tfrac{19}{20}\}",
    )
    kinks = (sp.Integer(0), sp.Rational(1, 5), sp.Rational(1, 2), sp.Integer(1))

    def slopes(atoms: tuple[sp.Expr, ...]) -> list[sp.Expr]:
        values = [_quantile_value(rate, atoms) for rate in kinks]
        return [sp.expand((values[i + 1] - values[i]) / (kinks[i + 1] - kinks[i])) for i in range(3)]

    proof.check(
        "Between its kinks V is straight with the atoms as slopes, in falling order; at a kink every price between "
        "the two neighbouring atoms gives the same rate.",
        every(sp.expand(slope - atom) == 0 for slope, atom in zip(slopes(_ATOMS), _ATOMS, strict=True)),
        latex=r"V'(\rho)\in\{\chi_{(1)}>\chi_{(2)}>\chi_{(3)}\}",
    )
    signed = (_gaps[0], sp.Integer(0), -_gaps[1])
    rising, level, falling = slopes(signed)
    proof.check(
        "With one positive, one zero and one negative atom V rises, is level and falls: it is largest exactly for "
        "P(χ>0) ≤ ρ ≤ P(χ≥0).",
        rising.is_positive is True and level == 0 and falling.is_negative is True,
        latex=r"\arg\max_\rho V = [P(\chi>0),\,P(\chi\ge0)]",
    )
    positive_part = sum(m * sp.Max(x, 0) for m, x in zip(_MASSES, signed, strict=True))
    proof.check(
        "Its largest value is E χ₊.",
        sp.expand(positive_part - _quantile_value(kinks[1], signed)) == 0,
        latex=r"V(\rho_0)=\mathbb E\chi_+",
    )
    proof.argue(
        "With the budget as an inequality the value is V(min(ρ, ρ₀)), ρ₀ = P(χ>0), and the price is never negative.",
        "the bound holds for every λ ≥ 0 when E w ≤ ρ. For ρ ≤ ρ₀ the price Q(1−ρ) is already nonnegative; for ρ > "
        "ρ₀ the price 0 gives the bound E χ₊, which the rule that keeps χ > 0 attains with rate ρ₀ < ρ.",
        latex=r"\max_{\mathbb E w\le\rho}\mathbb E[w\chi] = V(\min(\rho,\rho_0)),\quad V(\rho_0)=\mathbb E\chi_+",
    )


def _soft_duality(proof: Proof) -> None:
    """Do the same with an entropy bonus: the multiplier of the budget is the price of the gate's law."""
    gates = [1 / (1 + sp.exp(-(x - _price) / eta)) for x in _ATOMS]
    rate = sum(m * w for m, w in zip(_MASSES, gates, strict=True))
    softplus = sum(m * eta * sp.log(1 + sp.exp((x - _price) / eta)) for m, x in zip(_MASSES, _ATOMS, strict=True))
    dual = _price * _rho + softplus
    proof.identity(
        "With the bonus ηH(w) the inner maximum is the gate's law; the dual function's slope is budget minus rate, "
        "so at its minimum the gate σ((χ−λ)/η) meets the budget.",
        sp.diff(dual, _price),
        _rho - rate,
        latex=r"\partial_\lambda\{\lambda\rho+\mathbb E\,\eta\log(1+e^{(\chi-\lambda)/\eta})\}"
        r" = \rho-\mathbb E\,\sigma((\chi-\lambda)/\eta)",
    )
    proof.identity(
        "The dual function is strictly convex: one price for each rate, and the rate falls as the price rises.",
        sp.diff(dual, _price, 2),
        sum(m * w * (1 - w) for m, w in zip(_MASSES, gates, strict=True)) / eta,
        latex=r"\partial_\lambda^2 = \tfrac1\eta\,\mathbb E\,\sigma(1-\sigma) > 0",
    )
    v = sp.symbols("v1:4", positive=True)  # odds of the three gates: e^{(χ−λ)/η} = v
    weights = [x / (1 + x) for x in v]
    entropy = sum(
        m * (sp.log(1 + x) - w * sp.log(x)) for m, w, x in zip(_MASSES, weights, v, strict=True)
    )  # H(v/(1+v)) = log(1+v) − w·log v
    earned = sum(m * w * (_price + eta * sp.log(x)) for m, w, x in zip(_MASSES, weights, v, strict=True))
    proof.identity(
        "At that price primal and dual values coincide, which proves optimality.",
        earned + eta * entropy,
        _price * sum(m * w for m, w in zip(_MASSES, weights, strict=True))
        + sum(m * eta * sp.log(1 + x) for m, x in zip(_MASSES, v, strict=True)),
        latex=r"\mathbb E[w\chi]+\eta\,\mathbb E H(w) = \lambda\rho+\mathbb E\,\eta\log(1+e^{(\chi-\lambda)/\eta})",
    )
    optimal_value = _price * rate + softplus
    proof.identity(
        "So the optimal value has slope λ in the rate: along the curve, dV_η = λ dρ.",
        sp.diff(optimal_value, _price),
        _price * sp.diff(rate, _price),
        latex=r"\frac{dV_\eta}{d\lambda} = \lambda\,\frac{d\rho}{d\lambda}",
    )
    gain, loss = sp.symbols("g l", positive=True)  # χ₊ and −χ₋
    free_rate = p / (1 + sp.exp(-gain / eta)) + (1 - p) / (1 + sp.exp(loss / eta))
    proof.identity(
        "Unpriced, the soft gate runs at E σ(χ/η): 1/2 when hot …",
        sp.Limit(free_rate, eta, sp.oo),
        sp.Rational(1, 2),
        latex=r"\eta\to\infty:\ \mathbb E\,\sigma(\chi/\eta)\to\tfrac12",
    )
    proof.identity(
        "… and ρ₀ = P(χ>0) = p in the cold limit only.",
        sp.Limit(free_rate, eta, 0, "+"),
        p,
        latex=r"\eta\to0:\ \mathbb E\,\sigma(\chi/\eta)\to p",
    )
    proof.check(
        "At p = 1/10, K = 10, b = 1/2, η = 1 it is above 1/5, twice ρ₀.",
        (_soft_rate().subs({**_EXAMPLE, eta: 1}) - sp.Rational(1, 5)).is_positive,
        latex=r"\mathbb E\,\sigma(\chi/\eta)\ne P(\chi>0)",
    )


def _smooth_gap() -> sp.Expr:
    """Return the claimed leading gap between V(ρ) and what exactly k = ρB of B samples collect; f density at λ."""
    return _rho * (1 - _rho) / (2 * _density * B)


def _finite_batches(proof: Proof) -> None:
    """Exactly k of B samples of a continuous χ: the gap is of order 1/B."""
    x, i = sp.Symbol("x", positive=True), sp.Symbol("i", integer=True, positive=True)
    k, size = sp.symbols("k B", positive=True, integer=True)
    V = sp.Function("V")
    mean, variance = (k + 1) / (size + 1), (k + 1) * (size - k) / ((size + 1) ** 2 * (size + 2))
    proof.identity(
        "Given the first sample that is not kept, at the upper quantile X, the k kept ones collect V(X)/X each on "
        "average, and X ~ Beta(k+1, B−k). Its mean is off ρ = k/B by (1−ρ)/B …",
        sp.Limit((size * (mean - k / size)).subs(k, _rho * size), size, sp.oo),
        1 - _rho,
    )
    proof.identity(
        "… and its variance is ρ(1−ρ)/B, to that order.",
        sp.Limit((size * variance).subs(k, _rho * size), size, sp.oo),
        _rho * (1 - _rho),
    )
    collected = _rho * V(x) / x
    expansion = (1 - _rho) * sp.diff(collected, x) + _rho * (1 - _rho) / 2 * sp.diff(collected, x, 2)
    curvature = sp.Symbol("c", positive=True)  # −V″(ρ) = 1/f(λ)
    at_rate = expansion.subs(sp.Derivative(V(x), (x, 2)), -curvature).subs(
        {sp.Derivative(V(x), x): sp.Symbol("V1"), V(x): sp.Symbol("V0")}
    )
    proof.identity(
        "So with a density f(λ) > 0 at the price, where V″ = −1/f, exactly k samples collect less than V(ρ) by "
        "ρ(1−ρ)/(2fB), to first order in 1/B: all terms but that of V″ cancel.",
        -at_rate.subs(x, _rho).subs(curvature, 1 / _density) / B,
        _smooth_gap(),
        latex=r"V(\rho)-V_B(\rho) \sim -\frac{\rho(1-\rho)}{2B}V''(\rho) = \frac{\rho(1-\rho)}{2f(\lambda)B}",
    )
    uniform = sp.Sum(i / (size + 1), (i, size - k + 1, size)) / size  # means of the k largest of B
    rate = k / size
    proof.identity(
        "Uniform χ, every k and B: the gap is ρ(1−ρ)/(2(B+1)).",
        rate - rate**2 / 2 - uniform,
        rate * (1 - rate) / (2 * (size + 1)),
        latex=r"\chi\sim U(0,1):\quad V-V_B = \frac{\rho(1-\rho)}{2(B+1)}",
    )


_EXAMPLE = {p: sp.Rational(1, 10), K: 10, b: sp.Rational(1, 2)}


def _soft_rate() -> sp.Expr:
    """Return E σ(χ/η) in the symmetric context."""
    chi_plus, chi_minus = context.delights()
    return p / (1 + sp.exp(-chi_plus / eta)) + (1 - p) / (1 + sp.exp(-chi_minus / eta))


def derive() -> Derivation:
    """Derive V(ρ) = ∫_{1−ρ}^1 Q_χ(u)du with slope λ, its concavity, and the entropy-regularised version."""
    proof = Proof(
        "price-rate-duality",
        "max{E[wχ] : E w = ρ} = ∫_{1−ρ}^1 Q_χ(u)du, concave in ρ with slope λ = Q_χ(1−ρ), largest on [P(χ>0), "
        "P(χ≥0)]; as an inequality budget the value is V(min(ρ, P(χ>0))) and λ ≥ 0. With an entropy bonus the "
        "optimal rule is σ((χ−λ)/η), and the unpriced rate is E σ(χ/η).",
        (
            "χ has a finite mean; w is any function of the sample with values in [0, 1]",
            "Q_χ is the quantile function; at an atom of χ the price is an interval and the gate draws at the price",
            "exactly k of B samples: χ with a density, positive and continuous at the price",
        ),
    )
    _hard_duality(proof)
    _atoms(proof)
    _soft_duality(proof)
    _finite_batches(proof)
    chi_plus, chi_minus = context.delights()
    return proof.conclude(
        soft_gate=1 / (1 + sp.exp(-(sp.Symbol("chi", real=True) - _price) / eta)),
        symmetric_value=_symmetric_value(),
        symmetric_price=sp.Piecewise((chi_plus, _rho < p), (chi_minus, True)),
        symmetric_soft_rate=_soft_rate(),
        smooth_gap=_smooth_gap(),
    )
