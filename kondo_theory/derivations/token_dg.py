"""DG on tokens that share one advantage: negative drift in a window of temperatures.

Source: this project; DG is [DG] (I. Osband, "Delightful Policy Gradient", arXiv 2603.14608).
"""

from __future__ import annotations

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

p, eta, M = sp.symbols("p eta M", positive=True)
T = sp.Symbol("T", positive=True)
right_level, wrong_level = sp.symbols("ell_r ell_w", positive=True)  # surprisals


def _moments(proof: Proof) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return E[A_right − A_wrong], E[A_right²] and E[A_wrong²]."""
    n, mean = T - 1, (T - 1) * p
    square = n * p * (1 - p) + mean**2
    right = proof.identity(
        "With N ~ Bin(T−1, p) right neighbours a right token has E[A²] = p(1−p)(T−1)/T² + (1−p)²/T²,",
        (square + 2 * mean * (1 - T * p) + (1 - T * p) ** 2) / T**2,
        (p * (1 - p) * (T - 1) + (1 - p) ** 2) / T**2,
    )
    wrong = proof.identity(
        "a wrong one p(1−p)(T−1)/T² + p²/T², and with the same neighbours A is 1/T less.",
        (square - 2 * mean * T * p + (T * p) ** 2) / T**2,
        (p * (1 - p) * (T - 1) + p**2) / T**2,
    )
    for size in (2, 3):
        weights = sp.symbols("c_r c_w")
        found = _linear_weights(size, weights)
        exact = p * (1 - p) * (weights[0] * right - weights[1] * wrong)
        proof.identity(f"Weights linear in A, by enumeration of the T = {size} tokens.", found, exact.subs(T, size))
    return 1 / T, right, wrong


def _linear_weights(size: int, weights: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """Enumerate the drift when right and wrong tokens are weighted by their own factor times the advantage."""

    def kept(right: bool, n: int) -> sp.Expr:
        return weights[0 if right else 1] * (sp.Rational(n + right, size) - p)

    return mean_field(size, kept)


def _long_rows(proof: Proof, gain: sp.Expr, right: sp.Expr, wrong: sp.Expr) -> sp.Expr:
    """T → ∞ at a fixed temperature."""
    x = sp.Symbol("x", real=True)
    sigmoid = 1 / (1 + sp.exp(-x))
    proof.identity(
        "Small advantages: σ(x) = 1/2 + x/4 − x³/48 + …",
        sp.series(sigmoid, x, 0, 5).removeO(),
        sp.Rational(1, 2) + x / 4 - x**3 / 48,
    )
    speed = T * (gain / 2 + (right_level * right - wrong_level * wrong) / (4 * eta))
    limit = proof.identity(
        "So T·drift/(p(1−p)) → 1/2 − p(1−p)(ℓ_wrong − ℓ_right)/(4η), with ℓ_wrong − ℓ_right = log((M−1)p/(1−p)).",
        sp.limit(sp.expand(speed), T, sp.oo),
        sp.Rational(1, 2) - p * (1 - p) * (wrong_level - right_level) / (4 * eta),
    )
    u = sp.Symbol("u", positive=True)
    slack = sp.tanh(u) - u + u**3 / 3
    proof.argue(
        "The limit is uniform on [1/M, 1 − 1/T], and beyond it the drift is positive. So as T → ∞ DG has negative "
        "drift somewhere iff η < η_c(M) = max_p ½p(1−p)·log((M−1)p/(1−p)).",
        "A(σ(Aℓ/η) − 1/2) = ½A·tanh(Aℓ/2η) lies between A²ℓ/(4η) − A⁴ℓ³/(48η³) and A²ℓ/(4η), because u − u³/3 ≤ "
        "tanh u ≤ u for u ≥ 0. T·E[A⁴] = O(1/T), ℓ_right ≤ log M, ℓ_wrong ≤ log(MT): what is left out vanishes "
        "like log(T)/T. From p = 1 − 1/T on a wrong token has A ≤ 0, and E[wA | right] ≥ ½E[A | right] > 0.",
        sp.simplify(sp.diff(slack, u) - (u**2 - sp.tanh(u) ** 2)) == 0 and slack.subs(u, 0) == 0,
        latex=r"\eta_c(M) = \max_p \tfrac12\,p(1-p)\log\frac{(M-1)p}{1-p}",
    )
    return limit


def _critical(proof: Proof) -> sp.Expr:
    """Derive the critical temperature and the vocabulary at which it passes one."""
    eta_c = p * (1 - p) * sp.log((M - 1) * p / (1 - p)) / 2
    slope = proof.identity(
        "At its maximum log((M−1)p/(1−p)) = 1/(2p−1), so η_c = p(1−p)/(2(2p−1)) there, p > 1/2: one maximum, since "
        "the left side rises and the right side falls.",
        sp.diff(eta_c, p),
        ((1 - 2 * p) * sp.log((M - 1) * p / (1 - p)) + 1) / 2,
    )
    values = {}
    for size in (2633, 2634):
        best = sp.nsolve(slope.subs(M, size), p, 0.55, prec=30)
        values[size] = sp.N(eta_c.subs({M: size, p: best}), 30)
    proof.check(
        "η_c passes 1 between M = 2,633 and M = 2,634: at η = 1 long rows stall from M = 2,634 on.",
        bool(values[2633] < 1) and bool(values[2634] > 1),
        latex=r"\eta_c(2633) < 1 < \eta_c(2634)",
    )
    return eta_c


def _window(proof: Proof, wrong: sp.Expr) -> None:
    """Cold and hot DG are safe at every finite T."""
    y, c = sp.symbols("y c", positive=True)
    loss = y / (1 + sp.exp(y))
    top = 1 + sp.LambertW(sp.exp(-1))
    proof.argue(
        "Cold: at every finite T there is a temperature below which DG never stalls. drift/(p(1−p)) ≥ E[A_right₊ − "
        "A_wrong₊] − cη/ℓ_right with c = W(1/e) = 0.278; the first term, zero price, is positive, and on [1/M, 1 − "
        "1/T] both it and ℓ_right stay away from 0.",
        "xσ(xℓ/η) ≤ x₊, and x₊ − xσ(xℓ/η) = (η/ℓ)·y/(1+e^y) with y = |x|ℓ/η, whose maximum is W(1/e).",
        bool(sp.N(sp.diff(loss, y).subs(y, top)) < 1e-12)
        and bool(sp.Abs(sp.N(loss.subs(y, top) - sp.LambertW(sp.exp(-1)))) < 1e-12),
        latex=r"x_+ - x\,\sigma(x\ell/\eta) \le W(1/e)\,\eta/\ell",
    )
    bound = 1 / (2 * T) - wrong_level * wrong / (4 * eta)
    proof.identity(
        "Hot: drift/(p(1−p)) ≥ 1/(2T) − ℓ_wrong·E[A_wrong²]/(4η), so no stall from η = ½T·max ℓ_wrong E[A_wrong²] "
        "on.",
        sp.solve(bound, eta)[0],
        T * wrong_level * wrong / 2,
    )
    theta, k = sp.symbols("theta k", real=True)
    scaled = ((c - k) / T) * (c / T) / (theta / T**2)
    proof.identity(
        "The window's lower end falls like 1/T², whatever M: at p = 1 − c/T the number of wrong tokens is "
        "Poisson(c), a right token among k wrong ones has A = (c−k)/T and ℓ = c/T, and η = θ/T² leaves the weight "
        "σ((c−k)c/θ).",
        scaled,
        (c - k) * c / theta,
    )
    chance, cold, warm = sp.Rational(143, 100), sp.Rational(479, 100), sp.Rational(480, 100)
    signs = [_poisson_speed(chance, value) for value in (cold, warm)]
    proof.check(
        "A wrong token is then at zero price (its surprisal log(MT/c) is large beside η/A), so T·drift/(p(1−p)) → "
        "E[(c−k)σ((c−k)c/θ) − (c−k−1)₊]. At c = 1.43 it is positive at θ = 4.79 and negative at 4.80.",
        bool(signs[0] > 0) and bool(signs[1] < 0),
        latex=r"\limsup T^2\eta_{\mathrm{low}} \le 4.80",
    )


def _poisson_speed(chance: sp.Expr, theta: sp.Expr) -> sp.Expr:
    """Return the limit of T·drift/(p(1−p)) at p = 1 − c/T, η = θ/T²; 40 terms leave out less than 1e−40."""
    total = sp.Float(0, 30)
    for k in range(40):
        mass = sp.exp(-chance) * chance**k / sp.factorial(k)
        gain = (chance - k) / (1 + sp.exp(-(chance - k) * chance / theta)) - max(chance - k - 1, 0)
        total += sp.N(mass * gain, 30)
    return total


def derive() -> Derivation:
    """Derive DG's drift on long rows, its critical temperature, and why cold and hot DG are safe."""
    proof = Proof(
        "token-dg",
        "DG on tokens that share one advantage: as T → ∞ it has negative drift somewhere iff η < η_c(M) = max_p "
        "½p(1−p)·log((M−1)p/(1−p)). At every finite T cold and hot DG are safe, so the stalling temperatures lie "
        "in a window, whose lower end is at most about 4.8/T² on long rows.",
        (
            "T independent tokens, each right with probability p; the wrong mass is even over M − 1 tokens",
            "reward the share of right tokens, baseline its exact mean, infinitely many rows; weights σ(χ/η) per "
            "token",
        ),
    )
    gain, right, wrong = _moments(proof)
    limit = _long_rows(proof, gain, right, wrong)
    eta_c = _critical(proof)
    _window(proof, wrong)
    return proof.conclude(long_row_speed=limit, critical_temperature=eta_c, hot_bound=T * wrong_level * wrong / 2)
