"""What data from another policy do to policy gradient, importance weights, and the gate at zero price.

Source: this project.
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import K, OrbitVector, b, correct_score, epsilon, eta, p

__all__ = ["derive"]

_N = 4  # arms written out; arm 0 is the correct one
_pi = (1 - sp.Symbol("pi1") - sp.Symbol("pi2") - sp.Symbol("pi3"), *sp.symbols("pi1:4"))
_mu = sp.symbols("mu0:4", positive=True)
_t = sp.symbols("t0:4", real=True)  # any vector: an identity in t is one of each component
_mu_y, _r, _delta, _n, _error = (sp.Symbol(name, positive=True) for name in ("mu_y", "r", "delta", "n", "E"))

_odds = sp.symbols("x0:4", positive=True)

Arms = tuple[sp.Expr, ...]
"""One expression an arm."""


def _softmax() -> sp.Expr:
    """Return p = e^{z_0}/Σe^z by the odds e^z."""
    return _odds[0] / sum(_odds)


def _score(arm: int) -> sp.Expr:
    """Return φ_a·t."""
    return sum((sp.Integer(i == arm) - _pi[i]) * _t[i] for i in range(_N))


def _by_odds(expression: sp.Expr) -> sp.Expr:
    """Put x_i/Σx for π_i."""
    return expression.subs({chance: x / sum(_odds) for chance, x in zip(_pi[1:], _odds[1:], strict=True)})


def _mean(coefficients: Arms) -> sp.Expr:
    """Return Σ_a μ_a c_a φ_a·t."""
    return sum(m * c * _score(a) for a, (m, c) in enumerate(zip(_mu, coefficients, strict=True)))


def _advantages(correct: sp.Expr, wrong: sp.Expr) -> Arms:
    return (correct, *(wrong,) * (_N - 1))


def _kept_mass(mu_y: sp.Expr) -> sp.Expr:
    """Return the probability that a sample is paid, and so kept, where wrong arms pay with probability r."""
    return mu_y + _r * (1 - mu_y)


def _floor() -> sp.Expr:
    """Return ε*, the error at which zero price rests."""
    kept, wrong = 1 - _delta, _delta * (1 - _n)
    half = 1 - (1 - _r) * wrong - _r * kept
    return 2 * _r * wrong / (half + sp.sqrt(half**2 - 4 * (1 - _r) * kept * _r * wrong))


def _never_right() -> sp.Expr:
    """Return ε* where the broken actors are never right."""
    return _r * _delta / ((1 - _r) * (1 - _delta))


def _least_weight(share: sp.Expr = _delta) -> sp.Expr:
    """Return DG's weight of a failing arm of probability ``share``, its advantage −b."""
    return share ** (b / eta) / (1 + share ** (b / eta))


def _pg_coefficient() -> sp.Expr:
    """Return by what PG moves along d where a share δ of the actors plays at random."""
    return (1 - _delta) * p + _delta / K + b * _delta * (p - 1 / K) / epsilon


def _one_context(proof: Proof) -> sp.Expr:
    """Show what zero price and PG make of any behaviour policy; return zero price's noise over squared signal."""
    total = sum(_mu)
    normalised = {_mu[0]: 1 - sum(_mu[1:])}
    proof.define(
        "Arms a ~ μ, g = w·U·φ_a with φ_a = e_a − π, one correct arm y, d = e_y − π = φ_y, U = 1 − b or −b. "
        "Four arms are written out, y the first; t is any vector.",
        r"\mathbb E\,g\cdot t=\sum_a\mu_a\,\mathbb E[wU\mid a]\,\varphi_a\cdot t",
    )
    proof.identity(
        "Zero price keeps successes alone: for every μ its mean is (1−b)μ_y/p times the gradient of p in the logits, "
        "here with odds x_i = e^{z_i},",
        _by_odds(_mean(_advantages(1 - b, sp.Integer(0)))),
        (1 - b) * _mu[0] / _softmax() * sum(t * x * sp.diff(_softmax(), x) for t, x in zip(_t, _odds, strict=True)),
        latex=r"\mathbb E\,g\cdot t=(1-b)\frac{\mu_y}{p}\nabla p\cdot t",
    )
    variance, noise = _mu_y * (1 - b) ** 2 - (_mu_y * (1 - b)) ** 2, (1 - _mu_y) / _mu_y
    proof.identity(
        "and so is each of its gradients: nothing across d, and along it a variance over squared signal of",
        variance / (_mu_y * (1 - b)) ** 2,
        noise,
    )
    proof.identity(
        "PG is pulled off d by what π has more of than μ, b times,",
        _mean(_advantages(1 - b, -b)).subs(normalised),
        (_mu[0] * _score(0) + b * sum((x - m) * t for x, m, t in zip(_pi, _mu, _t, strict=True))).subs(normalised),
        latex=r"\mathbb E\,g=\mu_y d+b(\pi-\mu)",
    )
    by_own_mean = _mean(_advantages(1 - _mu[0], -_mu[0])).subs(normalised)
    proof.identity(
        "With what the actors were paid on average as baseline, b = μ_y, as with the mean of a group, π drops out,",
        by_own_mean,
        (_mu[0] * (_t[0] - sum(m * t for m, t in zip(_mu, _t, strict=True)))).subs(normalised),
        latex=r"\mathbb E\,g=\mu_y(e_y-\mu)",
    )
    proof.identity(
        "and PG never turns away from d: along it no term is negative.",
        by_own_mean.subs({t: sp.Integer(a == 0) - _pi[a] for a, t in enumerate(_t)}),
        (_mu[0] * (1 - _mu[0] - _pi[0] + sum(m * x for m, x in zip(_mu, _pi, strict=True)))).subs(normalised),
        latex=r"\mathbb E\,g\cdot d=\mu_y\Bigl((1-\mu_y)(1-p)+\sum_{a\ne y}\mu_a\pi_a\Bigr)",
    )
    proof.argue(
        "All of this holds for any number of arms, and in every context of many: zero price changes the weights of "
        "the contexts, μ_y(1−b) in place of p(1−b), and nothing else.",
        "both sides are sums over arms, and an arm more adds the same term to each",
        sp.simplify((_mean(_advantages(sp.Integer(1), sp.Integer(1))) - _mean((total,) * _N)).subs(normalised)) == 0,
        latex=r"\mathbb E\,g=(1-b)\mu_y d",
    )
    return noise


def _importance_weights(proof: Proof) -> None:
    """Show what importance weights restore, and at what noise."""
    squares = sp.symbols("q0:4", positive=True)
    learner = sp.symbols("rho0:4", positive=True)
    ratios = tuple(x / m for x, m in zip(learner, _mu, strict=True))
    weighted = sum(m * r**2 * q for m, r, q in zip(_mu, ratios, squares, strict=True))
    masses = [x**2 / m for x, m in zip(learner, _mu, strict=True)]
    tilted = sum(x / sum(masses) * q for x, q in zip(masses, squares, strict=True))
    proof.identity(
        "Weights π/μ give PG its mean on policy back, p·d, whatever the baseline,",
        _mean(tuple(x / m * u for x, m, u in zip(_pi, _mu, _advantages(1 - b, -b), strict=True))),
        _pi[0] * _score(0),
    )
    proof.identity(
        "and the second moment becomes 1 + χ² = Σπ²/μ times a mean under τ ∝ π²/μ of q_a = U²‖φ_a‖²,",
        weighted,
        sum(masses) * tilted,
        latex=r"\sum_a\frac{\pi_a^2}{\mu_a}q_a=(1+\chi^2)\sum_a\tau_a q_a",
    )
    length = sp.Symbol("L", positive=True)
    success = _mu_y * (p / _mu_y) ** 2 * (1 - b) ** 2 * length
    proof.check(
        "so that successes alone give a second moment over squared signal, (p‖d‖)², of (1−b)²/μ_y: that rare arms "
        "are rare no method gets around.",
        sp.simplify(success / (p**2 * length) * _mu_y / (1 - b) ** 2) == 1,
        latex=r"\mu_y(p/\mu_y)^2(1-b)^2\lVert d\rVert^2=\frac{(1-b)^2}{\mu_y}\,(p\lVert d\rVert)^2",
    )
    chi = sp.Limit((p**2 / _mu_y + (1 - p) ** 2 / (1 - _mu_y)) - 1, p, 1)
    proof.identity("As p → 1 the divergence χ²(π‖μ) tends to zero price's own ratio.", chi, (1 - _mu_y) / _mu_y)


def _corrupted(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Show where zero price rests when unpaid arms pay with probability r; return that error, general and simple."""
    paid = _advantages(sp.Integer(1), _r)
    on_policy = _mean(tuple((1 - b) * r for r in paid)).subs(dict(zip(_mu, _pi, strict=True)))
    proof.identity(
        "A wrong arm that pays with probability r is kept as a success. On policy that only slows zero price,",
        on_policy,
        (1 - b) * (1 - _r) * _pi[0] * _score(0),
    )
    sums = [m * r for m, r in zip(_mu, paid, strict=True)]
    imitated = sum(s * sp.log(x / sum(_odds)) for s, x in zip(sums, _odds, strict=True))
    proof.identity(
        "because the mean is that of imitation: (1−b) times the gradient of Σ_a s_a log π_a, s_a = μ_aP(paid | a).",
        _by_odds(_mean(paid)),
        sum(t * x * sp.diff(imitated, x) for t, x in zip(_t, _odds, strict=True)),
        latex=r"\mathbb E\,g=(1-b)\nabla\sum_a s_a\log\pi_a",
    )
    proof.argue(
        "For a fixed μ it therefore ends at π = s/Σs, from everywhere: the error is that of the paid arms.",
        "Σ s_a log π_a is concave in the logits, strictly but for their common shift, and its slope vanishes there",
        sp.simplify(_r * (1 - _mu_y) / _kept_mass(_mu_y) + _mu_y / _kept_mass(_mu_y)) == 1,
        latex=r"\varepsilon^*=\frac{r(1-\mu_y)}{\mu_y+r(1-\mu_y)}",
    )
    mu_y = (1 - _delta) * (1 - _error) + _delta * _n
    balance = sp.expand(_error * _kept_mass(mu_y) - _r * (1 - mu_y))
    quadratic = (
        (1 - _r) * (1 - _delta) * _error**2
        - (1 - (1 - _r) * _delta * (1 - _n) - _r * (1 - _delta)) * _error
        + _r * _delta * (1 - _n)
    )
    proof.identity(
        "Where a share δ of the samples comes from actors that are right with probability n, and the rest from π, "
        "μ follows π, and the error E rests at a root of",
        balance,
        -quadratic,
        latex=r"E(\mu_y+r(1-\mu_y))=r(1-\mu_y)",
    )
    proof.identity("the smaller of which, ε*, is stable.", quadratic.subs(_error, _floor()), sp.Integer(0))
    at_one = sp.factor(quadratic.subs(_error, 1))
    proof.check(
        "The parabola opens upwards and is not positive at E = 1, so that 1 lies between its roots and the error "
        "falls above ε* and rises below it.",
        sp.simplify(at_one + _delta * _n) == 0,
        latex=rf"{sp.latex(at_one)}\le0",
    )
    simple = quadratic.subs(_n, 0)
    proof.identity(
        "Of actors that are never right the roots are 1 and rδ/((1−r)(1−δ)): from r + δ = 1 on, all is lost.",
        sp.factor(simple),
        (1 - _r) * (1 - _delta) * (_error - 1) * (_error - _never_right()),
    )
    along = _error * ((1 - _r) * mu_y - (b - _r) * _delta) + (b - _r) * _delta * (1 - _n)
    proof.identity(
        "PG with r ≤ b, broken actors and learner mistaken alike, moves along e_y − q by a sum that stays positive "
        "while E ≤ 1 − n: it has no floor.",
        along,
        (1 - _r) * mu_y * _error + (b - _r) * _delta * (1 - _n - _error),
    )
    return _floor(), _never_right()


def _many_contexts(proof: Proof) -> sp.Expr:
    """Show that random actors bring zero price closer to cross-entropy; return PG's coefficient with them."""
    mean, variance = sp.symbols("m V", positive=True)
    spread = (1 - _delta) ** 2 * variance / ((1 - _delta) * mean + _delta / K) ** 2
    proof.identity(
        "Over contexts zero price has the weights c_n = (1−b)μ_n. With a share δ of actors that play at random, "
        "μ_n = (1−δ)p_n + δ/K, their variance over squared mean falls with δ, from that of p_n to 0,",
        sp.diff(spread, _delta),
        -2 * (1 - _delta) * variance / K / ((1 - _delta) * mean + _delta / K) ** 3,
    )
    proof.argue(
        "so that its cosine to cross-entropy, (1 + that)^{−1/2}, never falls, and is 1 at δ = 1.",
        "the weights w_n = ‖d_n‖² of mean and variance do not depend on δ",
        spread.subs(_delta, 1) == 0,
        latex=r"\cos=\bigl(1+\mathrm{Var}\,c/\bar c^2\bigr)^{-1/2}",
    )
    d = correct_score()
    bias = OrbitVector(*(b * _delta * (x - 1 / K) for x in (p, (1 - p) / (K - 1), (1 - p) / (K - 1))))
    mean_gradient = ((1 - _delta) * p + _delta / K) * d.correct + bias.correct
    proof.identity(
        "PG's bias b(π−μ) has d's direction there, and a size that grows without bound as a context is learnt:",
        mean_gradient,
        _pg_coefficient() * d.correct,
    )
    proof.check(
        "on a wrong arm too,",
        sp.simplify(((1 - _delta) * p + _delta / K) * d.marked + bias.marked - _pg_coefficient() * d.marked) == 0,
        latex=r"b\delta(\pi-\tfrac1K)=\tfrac{b\delta(p-1/K)}{\varepsilon}\,d",
    )
    return _pg_coefficient()


def _whose_surprisal(proof: Proof) -> sp.Expr:
    """Show what surprisal under the actor does to DG; return the weight below which it cannot push."""
    x = sp.Symbol("x", positive=True)
    proof.identity(
        "DG weighs a failing arm by σ(−bℓ/η): with x its probability under whoever is asked,",
        1 / (1 + sp.exp(-b * sp.log(x) / eta)),
        _least_weight(x),
    )
    ratio = sp.Symbol("k", positive=True)
    proof.check(
        "which rises with x: under the actor x = μ_j ≥ δν_j, so that the weight stays above that of δν_j however "
        "unlikely the learner has made the arm; for actors that play one wrong arm above δ's.",
        sp.simplify(sp.diff(_least_weight(x).subs(b, ratio * eta), x)).is_positive,
        latex=r"w\ge\frac{\delta^{b/\eta}}{1+\delta^{b/\eta}}",
    )
    proof.check(
        "Under the learner x = π_j, and the weight vanishes with it.",
        sp.limit(_least_weight(x).subs(b, eta / 2), x, 0) == 0,
        latex=r"w\to0",
    )
    return _least_weight()


def derive() -> Derivation:
    """Derive what data from another policy do to zero price, PG, importance weights and DG."""
    proof = Proof(
        "stale-actors",
        "Arms from any μ: zero price keeps the direction of ∇J in every context, at the noise (1−μ_y)/μ_y; PG is "
        "biased by b(π−μ). Random actors bring zero price nearer cross-entropy, corrupted rewards give it a floor. "
        "With surprisal under the actor DG's weight of a broken actor's arm has a least value.",
        (
            "one correct arm, rewards 0 or 1, a constant baseline 0 ≤ b < 1",
            "corrupted: every unpaid sample pays with probability r, 0 < r < 1; broken actors: a share 0 < δ < 1",
            "mean gradients in the logits; the resting error where learner and actors are mistaken alike, q = ν",
        ),
    )
    noise = _one_context(proof)
    _importance_weights(proof)
    floor, simple = _corrupted(proof)
    coefficient = _many_contexts(proof)
    weight = _whose_surprisal(proof)
    return proof.conclude(
        zero_price_noise=noise,
        floor=floor,
        floor_never_right=simple,
        pg_coefficient=coefficient,
        least_weight=weight,
    )
