"""Keeping exactly k samples and charging a price are different estimators at the same rate: exact finite-B moments.

Source: this project. [KG §2] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526) uses both forms.

It is longer than 300 lines because the two estimators are compared moment by moment in one proof.
"""

from __future__ import annotations

import math
from itertools import combinations, product

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import B, ExplicitContext, K, b, p

__all__ = ["derive"]

_k = sp.Symbol("k", positive=True)  # samples kept, an integer from 1 to B
_rho = sp.Symbol("rho", positive=True)  # k/B
_mean_s, _var_s = sp.symbols("m v", nonnegative=True)  # mean and variance of s = min(n, k), the kept successes
_n = sp.Symbol("n", integer=True, nonnegative=True)
_RING = sp.ring([p, b], sp.QQ)[0]  # polynomials in p and b: enumeration without simplification
_along_correct, _along_wrong = (1 - b) * (1 - p), b * p  # parallel parts of one sample, in units of α


def _signal(mean_s: sp.Expr = _mean_s) -> sp.Expr:
    """Return the claimed parallel mean of the batch gradient under exact-k selection."""
    return sp.sqrt(context.alpha_squared) / B * (b * p * _k + (context.epsilon - b) * mean_s)


def _batch_var_parallel(var_s: sp.Expr = _var_s) -> sp.Expr:
    """Return the claimed Var_∥ of the batch gradient under exact-k selection."""
    return context.alpha_squared / B**2 * (context.epsilon - b) ** 2 * var_s


def _batch_var_perpendicular(mean_s: sp.Expr = _mean_s) -> sp.Expr:
    """Return the claimed Var_⊥ of the batch gradient under exact-k selection."""
    return b**2 * (K - 2) / (K - 1) * (_k - mean_s) / B**2


def _shortfall_sums() -> tuple[sp.Expr, sp.Expr]:
    """Return E s and Var s as sums over the n ~ Bin(B, p) that fall short of k."""
    mass = sp.binomial(B, _n) * p**_n * (1 - p) ** (B - _n)
    mean = _k - sp.Sum((_k - _n) * mass, (_n, 0, _k - 1))
    return mean, _k**2 - sp.Sum((_k**2 - _n**2) * mass, (_n, 0, _k - 1)) - mean**2


def _write_out(expression: sp.Expr) -> sp.Expr:
    """Write every finite sum out term by term; ``doit`` would look for a closed form first, slowly."""
    terms = {}
    for total in expression.atoms(sp.Sum):
        index, first, last = total.limits[0]
        terms[total] = sum(total.function.subs(index, i) for i in range(int(first), int(last) + 1))
    return expression.xreplace(terms)


def _direct_moments(batch: int, keep: int) -> tuple[sp.Expr, sp.Expr]:
    """Return E s and Var s from the binomial distribution of n itself."""
    masses = [sp.binomial(batch, n) * p**n * (1 - p) ** (batch - n) for n in range(batch + 1)]
    mean = sum(mass * min(n, keep) for n, mass in enumerate(masses))
    return mean, sum(mass * min(n, keep) ** 2 for n, mass in enumerate(masses)) - mean**2


def _enumerate(n_arms: int, batch: int, keep: int) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Sum over all batches of arms and all ways to break ties, exact-k.

    Returns E g·d, Var(g·d) and Var_⊥·‖d‖² of the batch gradient, as polynomials in p and b.
    """
    arms = ExplicitContext.symmetric(n_arms)
    policy = [_RING.from_expr(sp.expand(q)) for q in arms.policy]
    updates = [
        [_RING.from_expr(sp.expand((r - b) * entry / batch)) for entry in arms.score(a)]
        for a, r in enumerate(arms.rewards)
    ]
    direction = [_RING.from_expr(sp.expand(entry)) for entry in arms.score(0)]
    length = sum(x * x for x in direction)
    mean = second = total = _RING.zero
    for draw in product(range(n_arms), repeat=batch):
        probability = math.prod((policy[a] for a in draw), start=_RING.one)
        # Highest delight first: a correct sample has χ > 0, a wrong one χ < 0, and all wrong ones tie.
        correct = [i for i in range(batch) if draw[i] == 0]
        wrong = [i for i in range(batch) if draw[i] != 0]
        if len(correct) >= keep:
            choices = [list(chosen) for chosen in combinations(correct, keep)]
        else:
            choices = [correct + list(chosen) for chosen in combinations(wrong, keep - len(correct))]
        for chosen in choices:
            gradient = [sum(updates[draw[i]][arm] for i in chosen) for arm in range(n_arms)]
            weight = probability * sp.QQ(1, len(choices))
            inner = sum(x * y for x, y in zip(gradient, direction, strict=True))
            mean += weight * inner
            second += weight * inner**2
            total += weight * sum(x * x for x in gradient)
    # E g is parallel to d by symmetry, so the perpendicular variance is what is left of the second moment.
    return mean.as_expr(), (second - mean**2).as_expr(), (total * length - second).as_expr()


def _finite(proof: Proof) -> None:
    """Exact moments at every batch size, by conditioning on the number of successes."""
    s = sp.Symbol("s", nonnegative=True)
    proof.identity(
        "With 0 < b < 1 every success outranks every failure: n ~ Bin(B, p) successes leave s = min(n, k) kept "
        "successes and k − s kept failures, and the parallel part of the batch gradient is linear in s.",
        s * _along_correct + (_k - s) * _along_wrong,
        b * p * _k + (context.epsilon - b) * s,
        latex=r"\hat g_\parallel = \frac{\alpha}{B}\{s(1-b)\varepsilon+(k-s)bp\} = "
        r"\frac{\alpha}{B}\{bpk+(\varepsilon-b)s\}",
    )
    agrees = []
    for batch in (2, 3, 5):
        for keep in range(1, batch + 1):
            sums = [_write_out(value.subs({B: batch, _k: keep})) for value in _shortfall_sums()]
            direct = _direct_moments(batch, keep)
            agrees.append(all(sp.expand(x - y) == 0 for x, y in zip(sums, direct, strict=True)))
    proof.sample(
        "Moments of s = min(n, k) as sums over n < k, against the binomial distribution itself for B = 2, 3, 5, "
        "every k, as polynomials in p.",
        agrees,
        latex=r"\mathbb E s = k-\sum_{n<k}(k-n)P(n),\qquad \mathbb E s^2 = k^2-\sum_{n<k}(k^2-n^2)P(n)",
    )
    for n_arms, batch in ((2, 3), (3, 2), (3, 3), (4, 2)):
        length = context.epsilon**2 * context.alpha_squared
        agrees = []
        for keep in range(1, batch + 1):
            mean, var_parallel, var_perpendicular = _enumerate(n_arms, batch, keep)
            mean_s, var_s = _direct_moments(batch, keep)
            at = {K: n_arms, B: batch, _k: keep}
            norm = sp.sqrt(context.alpha_squared) * context.epsilon
            differences = (
                mean - (_signal(mean_s) * norm).subs(at),
                var_parallel - (_batch_var_parallel(var_s) * length).subs(at),
                var_perpendicular - (_batch_var_perpendicular(mean_s) * length).subs(at),
            )
            agrees.append(all(sp.expand(difference) == 0 for difference in differences))
        proof.sample(
            f"Every batch of B = {batch} draws from K = {n_arms} explicit arms, every k, ties averaged: signal, "
            "Var_∥ and Var_⊥, as polynomials in p and b.",
            agrees,
            latex=r"\mathrm{Var}_\parallel = \frac{\alpha^2}{B^2}(\varepsilon-b)^2\operatorname{Var}s,\qquad"
            r" \mathrm{Var}_\perp = \frac{b^2}{B^2}\,\frac{K-2}{K-1}\,(k-\mathbb E s)",
        )


def _price_var_parallel(first_plus: sp.Expr, first_minus: sp.Expr) -> sp.Expr:
    """Return B·Var_∥ of the batch gradient under an independent gate with these two gate probabilities."""
    return context.var_parallel(b, first_plus, first_minus, first_plus, first_minus)


def _gap_above() -> sp.Expr:
    """Return the claimed limit of B·(Var_∥(price) − Var_∥(exact-k)) for ρ > p."""
    return context.alpha_squared * (1 - _rho) * b * p * ((_rho - 2 * p) * b * p + 2 * p * (1 - b) * (1 - p))


def _gap_below() -> sp.Expr:
    """Return the claimed limit of the same for ρ < p, where exact-k has no parallel variance left."""
    return context.alpha_squared * (1 - b) ** 2 * (1 - p) ** 2 * _rho * (1 - _rho)


def _what_agrees(proof: Proof) -> None:
    """Show what the two have in common as B → ∞ at equal rate."""
    norm = p * context.epsilon * sp.sqrt(context.alpha_squared)
    above, below = (sp.Integer(1), (_rho - p) / (1 - p)), (_rho / p, sp.Integer(0))
    kept_above, kept_below = {_mean_s: p * B, _k: _rho * B}, {_mean_s: _rho * B, _k: _rho * B}
    for side, kept, gates in (("ρ > p", kept_above, above), ("ρ < p", kept_below, below)):
        proof.identity(
            f"What agrees, {side}: at E s/B = min(ρ, p) the signal is the price gate's, w₊ = min(1, ρ/p) and w₋ = "
            "(ρ−p)₊/ε …",
            _signal().subs(kept),
            context.kappa(b, *gates) * norm,
        )
        proof.check(
            "… and so is B·Var_⊥.",
            sp.simplify((B * _batch_var_perpendicular()).subs(kept) - context.var_perpendicular(b, gates[1])) == 0,
            latex=r"B\,\mathrm{Var}_\perp = \varepsilon w_-b^2\frac{K-2}{K-1}",
        )
    proof.argue(
        "E s/B → min(ρ, p), so that signal and B·Var_⊥ tend to these.",
        "n/B → p by the law of large numbers and min(n/B, ρ) is bounded and continuous, so its mean tends to min(p, "
        "ρ)",
        latex=r"\tfrac1B\mathbb E s\to\min(\rho,p):\quad \hat g_\parallel,\ B\,\mathrm{Var}_\perp"
        r"\ \text{as with } w_+=\min(1,\rho/p),\ w_-=(\rho-p)_+/\varepsilon",
    )


def _what_does_not(proof: Proof) -> None:
    """Show that the parallel variances keep apart as B → ∞ at equal rate."""
    above, below = (sp.Integer(1), (_rho - p) / (1 - p)), (_rho / p, sp.Integer(0))
    hoeffding = [
        float(_variance_at(batch, batch // 4, sp.Rational(1, 2))) <= (batch // 4) ** 2 * math.exp(-batch / 8)
        for batch in (8, 16, 32, 64)
    ]
    proof.identity(
        "ρ < p: the price gate's B·Var_∥, which alone is left of the gap.",
        _price_var_parallel(*below),
        _gap_below(),
    )
    proof.argue(
        "What does not, ρ < p: B·Var_∥ of exact-k vanishes exponentially, while the price gate keeps the binomial "
        "noise of its own draws.",
        "s = k unless n < k, and P(n < ρB) ≤ e^{−2B(p−ρ)²} (Hoeffding), so Var s ≤ E(k−s)² ≤ k²e^{−2B(p−ρ)²}; the "
        "bound is also compared with exact variances at p = 1/2, ρ = 1/4",
        all(hoeffding),
        points=len(hoeffding),
        latex=r"\rho<p:\quad B\,\mathrm{Var}_\parallel \to 0\ (\text{exact-}k),\qquad"
        r" \alpha^2(1-b)^2\varepsilon^2\rho(1-\rho)\ (\text{price})",
    )
    exact_above = context.alpha_squared * (context.epsilon - b) ** 2 * p * (1 - p)
    proof.identity(
        "ρ > p: the price gate's B·Var_∥ less exact-k's α²(ε−b)²Var s/B, Var s/B = pε.",
        _price_var_parallel(*above) - exact_above,
        _gap_above(),
    )
    proof.argue(
        "What does not, ρ > p: Var s/B → pε, and a gap remains for ρ < 1, except where the bracket vanishes.",
        "s = n − (n−k)₊, and (n−k)₊ ≤ B is zero but for a probability of at most e^{−2B(ρ−p)²}, so Var s − Var n → 0",
        latex=r"\rho>p:\quad B\{\mathrm{Var}^{\mathrm{price}}_\parallel-\mathrm{Var}^{k}_\parallel\}\to"
        r"\alpha^2(1-\rho)\,bp\,\{(\rho-2p)bp+2p(1-b)\varepsilon\}",
    )
    proof.identity("At ρ = 1 both are PG.", _price_var_parallel(*above).subs(_rho, 1), exact_above)
    sign = {p: sp.Rational(1, 2), K: 10}
    low = _gap_above().subs({**sign, b: sp.Rational(1, 4), _rho: sp.Rational(3, 4)})
    high = _gap_above().subs({**sign, b: sp.Rational(9, 10), _rho: sp.Rational(11, 20)})
    proof.check(
        "Above p the gap has no fixed sign: p = 1/2, K = 10 gives a positive one at b = 1/4, ρ = 3/4 and a negative "
        "one, with exact-k the noisier, at b = 9/10, ρ = 11/20.",
        low.is_positive is True and high.is_negative is True,
        latex=rf"{sp.latex(low)} > 0 > {sp.latex(high)}",
    )
    z = sp.Symbol("z", real=True)
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    first, second = (sp.Integral(z**power * density, (z, -sp.oo, 0)) for power in (1, 2))
    proof.identity(
        "min(Z, 0) of a standard normal Z has the variance (π−1)/(2π), about 0.34.",
        second - first**2,
        (sp.pi - 1) / (2 * sp.pi),
    )
    proof.argue(
        "At ρ = p exactly: (s−k)/√(Bpε) tends to min(Z, 0), so Var s/B → pε(π−1)/(2π), about 0.34 of a free count's.",
        "central limit theorem; squares are uniformly integrable because the fourth moment of (n−Bp)/√B is bounded",
        latex=r"\operatorname{Var}\min(Z,0) = \tfrac12-\tfrac1{2\pi}",
    )


def _sizes(proof: Proof) -> None:
    """How large the finite-B gap is."""
    at = {p: sp.Rational(1, 2), b: sp.Rational(1, 4)}
    ratios = []
    for batch in (8, 32, 128):
        keep = batch // 4
        var_s = _variance_at(batch, keep, sp.Rational(1, 2))
        exact = (B * _batch_var_parallel(var_s)).subs({**at, B: batch, K: 10})
        price = _price_var_parallel(_rho / p, sp.Integer(0)).subs({_rho: sp.Rational(1, 4), **at, K: 10})
        ratios.append(float(exact / price))
    proof.sample(
        "Orders of magnitude: p = 1/2, ρ = 1/4, b = 1/4, B = 8, 32, 128 give exact-k "
        + ", ".join(f"{ratio:.1e}" for ratio in ratios)
        + " of the price gate's Var_∥.",
        [1e-1 > ratios[0] > 1e-2, 1e-2 > ratios[1] > 1e-4, 1e-8 > ratios[2] > 0],
        latex=r"\mathrm{Var}^k_\parallel/\mathrm{Var}^{\mathrm{price}}_\parallel: "
        + ", ".join(f"{r:.1e}" for r in ratios),
    )
    sizes = [(batch, keep) for batch in (3, 6, 10) for keep in range(1, batch + 1)]
    proof.argue(
        "At every B and k, Var s ≤ Var n = Bpε, so exact-k never exceeds PG's parallel variance.",
        "min(·, k) is 1-Lipschitz, and a 1-Lipschitz map of a variable has at most its variance (compare "
        "independent copies)",
        all(
            (sp.Integer(batch) * sp.Rational(3, 16) - _variance_at(batch, keep, sp.Rational(1, 4))).is_nonnegative
            for batch, keep in sizes
        ),
        latex=r"\operatorname{Var}\min(n,k)\le\operatorname{Var}n = Bp\varepsilon",
        points=len(sizes),
    )


def _variance_at(batch: int, keep: int, mass: sp.Rational) -> sp.Rational:
    """Return Var s in rationals at one p."""
    masses = [sp.binomial(batch, n) * mass**n * (1 - mass) ** (batch - n) for n in range(batch + 1)]
    mean = sum(m * min(n, keep) for n, m in enumerate(masses))
    return sum(m * min(n, keep) ** 2 for n, m in enumerate(masses)) - mean**2


def derive() -> Derivation:
    """Derive exact-k's finite-B moments and compare them with an independent gate at the same rate."""
    proof = Proof(
        "exact-k-or-price",
        "Keeping exactly k = ρB samples by delight has Var_∥ = α²(ε−b)²Var(min(n,k))/B² and Var_⊥ = "
        "b²(K−2)/(K−1)·(k−E min(n,k))/B², n ~ Bin(B,p). As B → ∞ signal and B·Var_⊥ agree with the price gate at "
        "the same rate; B·Var_∥ does not in general: for ρ < p exact-k's vanishes exponentially.",
        (
            "one symmetric context, K ≥ 2, R = 1{a = y*}, 0 < p < 1, 0 < b < 1, constant",
            "B independent samples, the k of largest delight are kept, ties broken uniformly; gradients divided by B",
            "the price gate draws independently for each sample, with a draw at the price so that its rate is ρ = "
            "k/B",
        ),
    )
    _finite(proof)
    _what_agrees(proof)
    _what_does_not(proof)
    _sizes(proof)
    mean_s, var_s = _shortfall_sums()
    return proof.conclude(
        expected_kept_successes=mean_s,
        variance_kept_successes=var_s,
        signal=_signal(),
        batch_var_parallel=_batch_var_parallel(),
        batch_var_perpendicular=_batch_var_perpendicular(),
        limit_gap_below=_gap_below(),
        limit_gap_above=_gap_above(),
    )
