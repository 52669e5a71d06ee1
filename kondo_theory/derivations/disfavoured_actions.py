"""Actions that the learner disfavours and a broken actor plays: what DG makes of them, and what PG does.

Sources: [DDG] I. Osband, "Delightful Distributed Policy Gradient", arXiv 2603.20521, Lemma 1, Corollary 1, Prop. 3;
the threshold of |U|, the bounds on cosines and where DG's advantage grows are this project's.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import K, b, epsilon, eta, p

__all__ = ["derive"]

_x = sp.Symbol("x", positive=True)  # π of the action
_u, _short = sp.symbols("u s", positive=True)  # |U|; how far 2|U|/η stays below one
_delta, _n = sp.symbols("delta n", positive=True)
_A, _C, _a, _c, _g = sp.symbols("A C a c g", positive=True)  # parts of E g; ‖v‖², v·v′, ‖v′‖²
_omega, _left = sp.symbols("omega t", positive=True)  # π_j^{b/η}, and ε over it
_q, _nu, _t = sp.symbols("q1:4", positive=True), sp.symbols("nu1:4", positive=True), sp.symbols("t0:4", real=True)


def _weight(exponent: sp.Expr) -> sp.Expr:
    """Return DG's weight of a failing action, σ(−|U|ℓ/η), exponent = |U|/η."""
    return _x**exponent / (1 + _x**exponent)


def _bound() -> sp.Expr:
    """Return what the weight stays below."""
    return _x ** (_u / eta)


def _parts() -> tuple[sp.Expr, sp.Expr]:
    """Return A and C: PG's mean gradient is A(e_y − q) + C(e_y − ν)."""
    mu_y = (1 - _delta) * p + _delta * _n
    return epsilon * (mu_y - b * _delta), b * _delta * (1 - _n)


def _cosine_squared(along: sp.Expr, aside: sp.Expr, overlap: sp.Expr = _c) -> sp.Expr:
    """Return cos² of along·v + aside·v′ with v."""
    return (along * _a + aside * overlap) ** 2 / (_a * (along**2 * _a + 2 * along * aside * overlap + aside**2 * _g))


def _symmetric_least() -> sp.Expr:
    """Return PG's least cosine where the learner's mistakes are spread evenly."""
    return sp.sqrt(K / (2 * (K - 1)))


def _growth() -> sp.Expr:
    """Return lim (cos DG/cos PG)·π_j^{b/η} where the failing arm's push is across the signal, b < η."""
    return (1 - b) * (1 - _delta) / (2 * (1 - _delta - b * _delta))


def _sign_ratio() -> sp.Expr:
    """Return DG's weight of a success over that of a failure, both of probability x and the same |U|."""
    return _x ** (-_u / eta)


def _lemma(proof: Proof) -> None:
    """Show the bound on the weight, and what it takes for its square to be below π."""
    rate = _u / eta
    proof.identity(
        "A failing action, advantage −|U|, has DG's weight w = σ(−|U|ℓ/η) = x^{|U|/η}/(1 + x^{|U|/η}), x = π(a):",
        1 / (1 + sp.exp(-_u * sp.log(_x) / eta)),
        _weight(rate),
    )
    proof.identity(
        "below the bound by a positive number, whatever |U| > 0 and η > 0.",
        _bound() - _weight(rate),
        _x ** (2 * rate) / (1 + _x**rate),
    )
    proof.argue(
        "Its square is then below x^{2|U|/η}, and so below x once |U| ≥ η/2: failures add at most Σ_aμ_aπ_a, the "
        "overlap of actor and learner, times U²‖φ‖², to the second moment.",
        "x ≤ 1, so that a power of at least one is at most x",
        (2 * rate).subs(_u, eta / 2) == 1,
        latex=r"w^2<x^{2|U|/\eta}\le x",
    )
    ratio = _weight((1 - _short) / 2) ** 2 / _x
    y = _x ** ((1 - _short) / 2)
    proof.identity(
        "Below that the bound by π fails: with 2|U|/η = 1 − s, 0 < s < 1, and y = x^{(1−s)/2} ≤ 1, w²/x exceeds "
        "x^{−s}/4 by",
        ratio - _x ** (-_short) / 4,
        _x ** (-_short) * (1 - y) * (3 + y) / (4 * (1 + y) ** 2),
    )
    proof.check(
        "which is not negative, and x^{−s}/4 grows without bound as x → 0: |U| ≥ η/2 is where [DDG]'s |U| ≥ 1/2, at "
        "η = 1, is needed, and the bound on w itself holds without it.",
        sp.limit(_x ** (-sp.Rational(1, 3)) / 4, _x, 0) == sp.oo,
        latex=r"w^2/x\ge x^{-s}/4\to\infty",
    )


def _decomposition(proof: Proof) -> None:
    """Show PG's mean gradient under contamination as two parts."""
    wrong, broken = (dict(zip(values, (*values[:2], 1 - values[0] - values[1]), strict=True)) for values in (_q, _nu))
    policy = (p, *(epsilon * q for q in _q))
    behaviour = tuple(
        (1 - _delta) * x + _delta * y for x, y in zip(policy, (_n, *((1 - _n) * v for v in _nu)), strict=True)
    )
    mean = sum(
        m * ((1 - b) if a == 0 else -b) * (_t[a] - sum(x * t for x, t in zip(policy, _t, strict=True)))
        for a, m in enumerate(behaviour)
    )
    v, other = (_t[0] - sum(x * t for x, t in zip(values, _t[1:], strict=True)) for values in (_q, _nu))
    along, aside = _parts()
    proof.identity(
        "A share δ of the samples comes from actors that are right with probability n and divide their mistakes as "
        "ν, the learner as q. PG's mean is a sum of v = e_y − q, the direction of ∇J, and v′ = e_y − ν: written out "
        "for four arms and any t,",
        mean.subs(wrong).subs(broken),
        (along * v + aside * other).subs(wrong).subs(broken),
        latex=r"\mathbb E\,g=A(e_y-q)+C(e_y-\nu),\quad A=\varepsilon(\mu_y-b\delta),\ C=b\delta(1-n)",
    )
    d = (1 - p, *(-x for x in policy[1:]))
    proof.identity(
        "As e_y − π = εv the direction is v's, and (e_y − π)·v′ = ε(1 + q·ν); likewise ‖v‖² = 1 + ‖q‖², ‖v′‖² = 1 + "
        "‖ν‖². So v·v′ ≥ 1: arms with logits of their own are never against each other.",
        sum(x * sp.diff(other, t) for x, t in zip(d, _t, strict=True)),
        epsilon * (1 + sum(x * y for x, y in zip(_q, _nu, strict=True))),
        latex=r"v\cdot v'=1+q\cdot\nu",
    )


def _bounded(proof: Proof) -> None:
    """Show that a tabular context with one correct arm keeps PG's cosine above one half."""
    least = _c**2 / (_a * _g)
    length = _A**2 * _a + 2 * _A * _C * _c + _C**2 * _g
    proof.identity(
        "With a = ‖v‖², g = ‖v′‖² and c = v·v′ the cosine of Av + Cv′ with v has a square that exceeds the one "
        "between v and v′ by",
        _cosine_squared(_A, _C) - least,
        _A * (_a * _g - _c**2) * (_A * _a + 2 * _C * _c) / (_a * _g * length),
    )
    proof.argue(
        "which is not negative for A ≥ 0, that is μ_y ≥ bδ: PG's cosine is at least c/√(ag) ≥ 1/2, whatever the "
        "error, the share and K. So there no method's cosine is more than twice PG's: [DDG]'s Corollary 1 does not "
        "hold in a tabular context with one correct arm.",
        "ag ≥ c² by Cauchy and Schwarz; c ≥ 1; a, g ≤ 2, as distributions have ‖q‖ ≤ 1",
        sp.sqrt(least).subs({_c: 1, _a: 2, _g: 2}) == sp.Rational(1, 2),
        latex=r"\cos\ge\frac{1+q\cdot\nu}{\sqrt{(1+\lVert q\rVert^2)(1+\lVert\nu\rVert^2)}}\ge\tfrac12",
    )
    even = {_c: K / (K - 1), _a: K / (K - 1), _g: 2}
    proof.identity(
        "Where the learner's mistakes are spread evenly and ν is one arm, the bound is",
        sp.sqrt(least).subs(even),
        _symmetric_least(),
    )
    proof.identity(
        "and it is PG's limit as p → 1, where A vanishes and C does not;",
        sp.Limit(_cosine_squared(_A, _C), _A, 0, "+"),
        least,
    )
    dg = _cosine_squared((1 - b) * (1 - _delta) * _omega * _left / 2, b * _delta * _omega / (1 + _omega))
    proof.identity(
        "DG's own too, for b < η: its failing weight ω/(1+ω), ω = π_j^{b/η} at π_j = ε, vanishes more slowly than "
        "the signal, ∝ ε = ωt: t = ε^{1−b/η} → 0.",
        sp.Limit(dg, _left, 0, "+"),
        least,
    )


def _crossed_dg(error: sp.Expr, weight: sp.Expr, up: sp.Expr) -> sp.Expr:
    """Return DG's cos² at an error ε where failures, of this weight, push across the signal; ``up``: of successes."""
    along = error * ((1 - b) * up * (1 - _delta) * (1 - error) - b * _delta * weight)
    return _cosine_squared(along, b * _delta * weight, sp.Integer(0))


def _where_it_grows(proof: Proof) -> sp.Expr:
    """Show that the advantage grows where the failing arm's push is across the signal; return its rate."""
    up, half = sp.Symbol("w_plus", positive=True), sp.Rational(1, 2)
    error = _omega * _left
    pg = _cosine_squared(error * ((1 - _delta) * (1 - error) - b * _delta), b * _delta, sp.Integer(0))
    dg = _crossed_dg(error, _omega / (1 + _omega), up)
    proof.argue(
        "Elsewhere c can be zero or negative: where logits share parameters (c = vᵀ𝒦v′ for a metric 𝒦), or where "
        "the failures fall into another context than the signal.",
        "a metric is positive definite, no more; and the logits of two contexts are different coordinates",
        sp.Matrix([[1, -1], [-1, 2]]).is_positive_definite,
        latex=r"c=v^\top K v'",
    )
    limit = sp.cancel(dg / pg * _omega**2).subs({_omega: 0, _left: 0}).subs(up, half)  # rational, finite there
    proof.identity(
        "At c = 0, b < η, n = 0, π_j = ε and δ(1 + b) < 1, PG's cosine positive, the squared ratio of the cosines "
        "times ω² tends to, as ω and t do to 0,",
        limit,
        _growth() ** 2,
        latex=r"\lim\Bigl(\tfrac{\cos_{\rm DG}}{\cos_{\rm PG}}\Bigr)^2\pi_j^{2b/\eta}=" + sp.latex(_growth() ** 2),
    )
    proof.identity(
        "so that the advantage grows as π_j^{−b/η}; but both cosines vanish, PG's as ε, DG's as t = ε^{1−b/η}, for "
        "its square over t² tends to",
        sp.cancel(dg / _left**2).subs({_omega: 0, _left: 0}),
        _a * ((1 - b) * up * (1 - _delta) / (b * _delta)) ** 2 / _g,
        latex=r"\lim\cos_{\rm DG}^2/t^2=" + sp.latex(_a * ((1 - b) * up * (1 - _delta) / (b * _delta)) ** 2 / _g),
    )
    fast = _crossed_dg(error, error**2, up)
    proof.identity(
        "unless b > η or π_j falls faster than ε^{η/b}, as with a weight of ε², when DG's cosine tends to one.",
        sp.Limit(fast.subs(up, half).subs(_left, 1), _omega, 0, "+"),
        sp.Integer(1),
        latex=r"\lim_{\epsilon\to0}\cos_{\rm DG}^2=1",
    )
    return _growth()


def _sign(proof: Proof) -> sp.Expr:
    """Show that no weight that ignores the sign can tell rare failures from rare successes."""
    rate = _u / eta
    proof.identity(
        "DG's weights of a success, σ(χ) = 1 − σ(−χ), and of a failure of one probability and |U| have the ratio",
        (1 - _weight(rate)) / _weight(rate),
        _sign_ratio(),
    )
    proof.argue(
        "For a weight f(π, |U|), or f(π) alone, that ratio is 1: what suppresses rare failures suppresses rare "
        "successes by as much.",
        "f has the same value on both, as only the sign differs",
        sp.limit(_sign_ratio().subs(_u, eta), _x, 0) == sp.oo,
        latex=r"f(\pi,|U|)/f(\pi,|U|)=1",
    )
    mu = sp.Symbol("mu", positive=True)
    proof.argue(
        "Importance weights π/μ ignore the sign as well, but look at μ: their mean is the true gradient, so that for "
        "means the statement is about weights of the learner's probability alone.",
        "Σ_aμ_a(π_a/μ_a)U_aφ_a = Σ_aπ_aU_aφ_a",
        mu * (_x / mu) == _x,
        latex=r"\mathbb E_\mu\bigl[\tfrac{\pi}{\mu}U\varphi\bigr]=\nabla J",
    )
    return _sign_ratio()


def derive() -> Derivation:
    """Derive what DG's weights make of disfavoured failing actions, and what that is worth against PG."""
    proof = Proof(
        "disfavoured-actions",
        "DG's weight of a failing action is below π^{|U|/η}, its square below π if |U| ≥ η/2. In a tabular context "
        "with one correct arm PG's cosine is at least 1/2; across contexts, or with shared parameters, DG's gain "
        "grows as π_j^{−b/η}. A weight without the sign of the advantage cannot tell failures from successes.",
        (
            "one correct arm, rewards 0 or 1, a constant baseline 0 < b < 1, surprisal under the learner",
            "a share 0 < δ < 1 of the samples from broken actors, μ_y ≥ bδ",
            "mean gradients; the limits in ω = π_j^{b/η} and t = ε/ω, which vanish together for 0 < b < η at π_j = ε",
        ),
    )
    _lemma(proof)
    _decomposition(proof)
    _bounded(proof)
    growth = _where_it_grows(proof)
    ratio = _sign(proof)
    return proof.conclude(bound=_bound(), least_cosine=_symmetric_least(), growth=growth, sign_ratio=ratio)
