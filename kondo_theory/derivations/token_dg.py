"""DG on tokens that share one advantage: negative drift in a window of temperatures.

Source: this project; DG is [DG] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.token_moments import T, advantage, best_advantage, neighbour_mean, neighbours, p
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

eta, M = sp.symbols("eta M", positive=True)
right_level, wrong_level = sp.symbols("ell_r ell_w", positive=True)  # surprisals
_EDGE = sp.Rational(48, 10)  # of the window, in units of 1/T²: an upper bound
_u, _y = sp.symbols("u y", positive=True)


def _moments(proof: Proof) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return E[A_right − A_wrong], E[A_right²] and E[A_wrong²]."""
    gain = proof.identity(
        "With N ~ Bin(T−1, p) right neighbours, E[A | right] − E[A | wrong] = (1−p)/T + p/T,",
        neighbour_mean(advantage(1)) - neighbour_mean(advantage(0)),
        (1 - p) / T + p / T,
        latex=r"\mathbb E[A\mid\mathrm{right}]-\mathbb E[A\mid\mathrm{wrong}]=\tfrac1T",
    )
    right = proof.identity(
        "a right token has E[A²] = p(1−p)(T−1)/T² + (1−p)²/T²,",
        neighbour_mean(advantage(1) ** 2),
        (p * (1 - p) * (T - 1) + (1 - p) ** 2) / T**2,
    )
    wrong = proof.identity(
        "and a wrong one p(1−p)(T−1)/T² + p²/T².",
        neighbour_mean(advantage(0) ** 2),
        (p * (1 - p) * (T - 1) + p**2) / T**2,
    )
    for size in (2, 3):
        weights = sp.symbols("c_r c_w")
        found = _linear_weights(size, weights)
        exact = p * (1 - p) * (weights[0] * right - weights[1] * wrong)
        proof.identity(f"Weights linear in A, by enumeration of the T = {size} tokens.", found, exact.subs(T, size))
    return sp.simplify(gain), right, wrong


def _linear_weights(size: int, weights: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """Enumerate the drift when right and wrong tokens are weighted by their own factor times the advantage."""

    def kept(right: bool, n: int) -> sp.Expr:
        return weights[0 if right else 1] * (sp.Rational(n + right, size) - p)

    return mean_field(size, kept)


def _tanh_steps(proof: Proof) -> None:
    """Bound the soft weight: u − u³/3 ≤ tanh u ≤ u for u ≥ 0."""
    proof.identity(
        "A·σ(Aℓ/η) = A/2 + ½A·tanh(Aℓ/(2η)).",
        1 / (1 + sp.exp(-2 * _u)),
        (sp.Rational(1, 2) + sp.tanh(_u) / 2).rewrite(sp.exp),
        latex=r"\sigma(2u)=\tfrac12+\tfrac12\tanh u",
    )
    over = _u - sp.tanh(_u)
    slope = proof.identity("u − tanh u rises from 0,", sp.Derivative(over, _u), sp.tanh(_u) ** 2)
    proof.identity(
        "so tanh u − u + u³/3, whose slope is (u − tanh u)(u + tanh u), does too:",
        sp.Derivative(sp.tanh(_u) - _u + _u**3 / 3, _u),
        over * (_u + sp.tanh(_u)),
    )
    proof.check(
        "u − u³/3 ≤ tanh u ≤ u for u ≥ 0.",
        slope.is_positive and (_u + sp.tanh(_u)).is_positive,
        latex=r"u-\tfrac{u^3}{3}\le\tanh u\le u",
    )


def _long_rows(proof: Proof, gain: sp.Expr, right: sp.Expr, wrong: sp.Expr) -> sp.Expr:
    """T → ∞ at a fixed temperature."""
    _tanh_steps(proof)
    speed = T * (gain / 2 + (right_level * right - wrong_level * wrong) / (4 * eta))
    limit = proof.identity(
        "To second order in A, T·drift/(p(1−p)) → 1/2 − p(1−p)(ℓ_wrong − ℓ_right)/(4η), with ℓ_wrong − ℓ_right = "
        "log((M−1)p/(1−p)).",
        sp.Limit(sp.expand(speed), T, sp.oo),
        sp.Rational(1, 2) - p * (1 - p) * (wrong_level - right_level) / (4 * eta),
    )
    for side, name in ((1, "right"), (0, "wrong")):
        proof.identity(
            f"What is left out is of fourth order: T²E[A⁴ | {name}] → 3p²(1−p)².",
            sp.Limit(sp.factor(T**2 * neighbour_mean(advantage(side) ** 4).doit()), T, sp.oo),
            3 * p**2 * (1 - p) ** 2,
        )
    proof.identity(
        "From p = 1 − 1/T on a wrong token has A ≤ 0: at p = 1 − 1/T + d the best has −d.",
        best_advantage(0).subs(p, 1 - 1 / T + _y),
        -_y,
    )
    proof.argue(
        "The limit is uniform on [1/M, 1 − 1/T], and beyond it the drift is positive. So as T → ∞ DG has negative "
        "drift somewhere iff η < η_c(M) = max_p ½p(1−p)·log((M−1)p/(1−p)).",
        "½A·tanh(Aℓ/2η) lies between A²ℓ/(4η) − A⁴ℓ³/(48η³) and A²ℓ/(4η). ℓ_right ≤ log M, ℓ_wrong ≤ log(MT) there: "
        "what is left out vanishes at least like log³(MT)/T. Beyond, E[wA | right] ≥ ½E[A | right] > 0 and E[wA | "
        "wrong] ≤ 0.",
        latex=r"\eta_c(M) = \max_p \tfrac12\,p(1-p)\log\frac{(M-1)p}{1-p}",
    )
    return limit


def _critical_at(chance: sp.Expr) -> sp.Expr:
    return chance * (1 - chance) * sp.log((M - 1) * chance / (1 - chance)) / 2


def _crossing() -> sp.Expr:
    """Return the M, not whole, at which η_c = 1: 1 + (1−p)/p·e^{1/(2p−1)} at p = (√17 − 3)/2."""
    best = (sp.sqrt(17) - 3) / 2
    return 1 + (1 - best) / best * sp.exp(1 / (2 * best - 1))


def _critical(proof: Proof, limit: sp.Expr) -> None:
    """Derive the critical temperature and the vocabulary at which it passes one."""
    level = sp.log((M - 1) * p / (1 - p))
    proof.identity(
        "The speed vanishes at η = ½p(1−p)·log((M−1)p/(1−p)): η_c(M) is its maximum over p.",
        sp.solve(limit, eta)[0].subs(wrong_level, level + right_level),
        _critical_at(p),
        latex=r"\eta=\tfrac12\,p(1-p)\log\frac{(M-1)p}{1-p}",
    )
    slope = proof.identity(
        "Its slope in p is ½(1 − (2p−1)·log((M−1)p/(1−p))).",
        sp.Derivative(_critical_at(p), p),
        ((1 - 2 * p) * level + 1) / 2,
    )
    over = sp.Symbol("d", positive=True)  # p − 1/2
    proof.check(
        "It is positive for 1/M < p ≤ 1/2. Beyond, the logarithm rises and 1/(2p−1) falls: one maximum, where they "
        "are equal.",
        sp.expand(slope.subs(level, _u).subs(p, sp.Rational(1, 2) - over)).is_positive
        and sp.cancel(sp.diff(level, p).subs(p, _u / (1 + _u)).subs(M, 1 + _y)).is_positive
        and sp.diff(1 / (2 * over), over).is_negative,
        latex=r"\log\frac{(M-1)p}{1-p}=\frac1{2p-1}",
    )
    peak = proof.identity(
        "There η_c = p(1−p)/(2(2p−1)).",
        _critical_at(p).subs(level, sp.solve(slope.subs(level, _u), _u)[0]),
        p * (1 - p) / (2 * (2 * p - 1)),
    )
    best = (sp.sqrt(17) - 3) / 2
    proof.check(
        "It is 1 at p = (√17 − 3)/2 alone,",
        sp.solve(peak - 1, p) == [best],
        latex=r"p=\tfrac12(\sqrt{17}-3)",
    )
    proof.identity(
        "so η_c = 1 at M = 1 + (1−p)/p·e^{1/(2p−1)} with this p.", _critical_at(best).subs(M, _crossing()), 1
    )
    proof.check(
        "η_c grows with M, and passes 1 between M = 2,633 and M = 2,634: at η = 1 long rows stall from M = 2,634 on.",
        sp.And(_crossing() > 2633, _crossing() < 2634)
        and sp.cancel(sp.diff(_critical_at(p), M) - p * (1 - p) / (2 * (M - 1))) == 0,
        latex=r"2633 < 1+\tfrac{1-p}{p}e^{1/(2p-1)} < 2634",
    )


def _cold(proof: Proof) -> None:
    """Cold DG is safe at every finite T."""
    top = sp.LambertW(sp.exp(-1))
    proof.identity(
        "Cold: x₊ − xσ(xℓ/η) = (η/ℓ)·y/(1+e^y) with y = |x|ℓ/η, here x > 0.",
        _u - _u / (1 + sp.exp(-_y)),
        _u / (1 + sp.exp(_y)),
    )
    w = sp.Symbol("w", positive=True)  # W(1/e): we^w = 1/e
    slack = w * (1 + sp.exp(_y)) - _y
    proof.check(
        "With w = W(1/e), e^{1+w} = 1/w: w(1 + e^y) − y is convex in y, and zero with its slope at y = 1 + w. So "
        "y/(1+e^y) ≤ w.",
        sp.solve(w * sp.exp(1 + w) - 1, w) == [top]
        and slack.subs(_y, 1 + w).subs(sp.exp(1 + w), 1 / w).expand() == 0
        and sp.diff(slack, _y).subs(_y, 1 + w).subs(sp.exp(1 + w), 1 / w) == 0
        and sp.diff(slack, _y, 2).is_positive,
        latex=r"x_+ - x\,\sigma(x\ell/\eta) \le W(1/e)\,\eta/\ell",
    )
    proof.argue(
        "At every finite T there is a temperature below which DG never stalls.",
        "drift/(p(1−p)) ≥ E[A_right₊ − A_wrong₊] − W(1/e)η/ℓ_right; the first term, zero price, is positive, and on "
        "[1/M, 1 − 1/T] both it and ℓ_right stay away from 0; beyond 1 − 1/T DG's drift is positive",
        latex=r"\frac{\mathrm{drift}}{p(1-p)}\ge\mathbb E[A_{r+}-A_{w+}]-W(1/e)\frac{\eta}{\ell_r}",
    )


def _window(proof: Proof, gain: sp.Expr, wrong: sp.Expr) -> None:
    """Bound both ends of the window of stalling temperatures."""
    _cold(proof)
    hot = T * wrong_level * wrong / 2
    proof.identity(
        "Hot: drift/(p(1−p)) ≥ 1/(2T) − ℓ_wrong·E[A_wrong²]/(4η), so no stall from η = ½T·max ℓ_wrong E[A_wrong²] "
        "on.",
        gain / 2 - wrong_level * wrong / (4 * eta),
        (1 - hot / eta) / (2 * T),
    )
    theta, k, c = sp.Symbol("theta", positive=True), sp.Symbol("k", real=True), sp.Symbol("c", positive=True)
    place = 1 - c / T
    proof.identity(
        "The window's lower end falls like 1/T², whatever M: at p = 1 − c/T the number of wrong tokens is "
        "Poisson(c), a right token among k wrong ones has A = (c−k)/T",
        advantage(1).subs({neighbours: T - 1 - k, p: place}),
        (c - k) / T,
    )
    proof.identity(
        "and ℓ → c/T, so η = θ/T² leaves the weight σ((c−k)c/θ).",
        sp.Limit(-sp.log(place) * (c - k) / T / (theta / T**2), T, sp.oo),
        (c - k) * c / theta,
    )
    chance, cold, warm = sp.Rational(143, 100), _EDGE - sp.Rational(1, 100), _EDGE
    proof.check(
        "A wrong token is then at zero price (its surprisal log(MT/c) is large beside η/A), so T·drift/(p(1−p)) → "
        "E[(c−k)σ((c−k)c/θ) − (c−k−1)₊]. At c = 1.43 it is positive at θ = 4.79 and negative at 4.80.",
        sp.And(
            _poisson_speed(chance, cold) - _poisson_rest(chance) > 0,
            _poisson_speed(chance, warm) + _poisson_rest(chance) < 0,
        ),
        latex=r"\limsup T^2\eta_{\mathrm{low}} \le 4.80",
    )


_TERMS = 20


def _poisson_speed(chance: sp.Expr, theta: sp.Expr) -> sp.Expr:
    """Return the first terms of the limit of T·drift/(p(1−p)) at p = 1 − c/T, η = θ/T²."""
    total = sp.Integer(0)
    for k in range(_TERMS):
        mass = sp.exp(-chance) * chance**k / sp.factorial(k)
        gain = (chance - k) / (1 + sp.exp(-(chance - k) * chance / theta)) - sp.Max(chance - k - 1, 0)
        total += mass * gain
    return total


def _poisson_rest(chance: sp.Expr) -> sp.Expr:
    """Return a bound of the other terms, |gain| ≤ k there: E[k] = c less the first terms of it."""
    first = (k * sp.exp(-chance) * chance**k / sp.factorial(k) for k in range(_TERMS))
    return chance - sum(first)


def derive() -> Derivation:
    """Derive DG's drift on long rows, its critical temperature, and why cold and hot DG are safe."""
    proof = Proof(
        "token-dg",
        "DG on tokens that share one advantage: as T → ∞ it has negative drift somewhere iff η < η_c(M) = max_p "
        "½p(1−p)·log((M−1)p/(1−p)). At every finite T cold and hot DG are safe, so the stalling temperatures lie "
        "in a window; T² times its lower end tends to at most 4.8 as T → ∞.",
        (
            "T independent tokens, each right with probability p; the wrong mass is even over M − 1 tokens",
            "reward the share of right tokens, baseline its exact mean, infinitely many rows; weights σ(χ/η) per "
            "token",
        ),
    )
    gain, right, wrong = _moments(proof)
    limit = _long_rows(proof, gain, right, wrong)
    _critical(proof, limit)
    _window(proof, gain, wrong)
    return proof.conclude(
        long_row_speed=limit,
        critical_temperature=_critical_at(p),
        first_vocabulary=sp.ceiling(_crossing()),
        cold_edge=_EDGE,
    )
