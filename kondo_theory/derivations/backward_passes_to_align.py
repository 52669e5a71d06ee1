"""Backward passes until the batch gradient points the right way, with confidence 1 − δ.

Source: [KG Prop. 1(iv)] (I. Osband, "Does This Gradient Spark Joy?", arXiv 2603.20526); the dependence on the
baseline, the case K = 2 and the lack of monotonicity are this project's.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p

__all__ = ["derive"]

_N = sp.Symbol("N", positive=True)  # forward samples
_cosine, _delta = sp.symbols("c_0 delta", positive=True)
_quantile = sp.Symbol("q", positive=True)  # the 1 − δ quantile of χ² with K − 2 degrees of freedom
_load = sp.Symbol("x", positive=True)  # expected number of successes N·p
_odds_of_cosine = _cosine**2 / (1 - _cosine**2)  # c₀²/(1−c₀²) = cot² of the allowed angle


def _parallel_parts() -> tuple[sp.Expr, sp.Expr]:
    """Return the parts of one correct and one wrong PG sample along ∇J, in units of α: claimed (1−b)ε and bp."""
    return (1 - b) * (1 - p), b * p


def _forward_pg(quantile: sp.Expr = _quantile) -> sp.Expr:
    """Return the claimed number of PG samples."""
    return _odds_of_cosine * b**2 * quantile / ((1 - p) * K * p**2)


def _forward_zero_price() -> sp.Expr:
    """Return the claimed number of zero-price forward samples."""
    return sp.log(1 / _delta) / -sp.log(1 - p)


def _zero_price(proof: Proof) -> None:
    odds = sp.Symbol("o", positive=True)
    forward = _forward_zero_price()
    proof.check(
        "Zero price: one success is enough. The batch gradient is (number of successes)·(1−b)d/N, so its cosine is "
        "+1 with at least one success and undefined with none; N samples have none with probability (1−p)^N, which "
        "is "
        "δ at N = log(1/δ)/(−log(1−p)).",
        (1 - p) ** forward == _delta,
        latex=r"(1-p)^N = \delta \iff N = \frac{\log(1/\delta)}{-\log(1-p)}",
    )
    proof.identity(
        "For a rare correct arm N ≈ log(1/δ)/p, and pN ≈ log(1/δ) of them are backpropagated on average.",
        sp.Limit(p * forward, p, 0, "+"),
        sp.log(1 / _delta),
        latex=r"\lim_{p\to0}pN = \log\tfrac1\delta",
    )
    slack = -sp.log(1 - p) - p
    proof.check(
        "For every p it is at most that, as −log(1−p) ≥ p: the difference vanishes at p = 0 and rises.",
        slack.subs(p, 0) == 0 and sp.diff(slack, p).subs(p, odds / (1 + odds)).cancel().is_positive,
        latex=r"pN = \frac{p}{-\log(1-p)}\log\tfrac1\delta \le \log\tfrac1\delta",
    )
    proof.argue(
        "N is whole: ⌈log(1/δ)/(−log(1−p))⌉ samples, of which less than log(1/δ) + p are backpropagated on average.",
        "⌈x⌉ < x + 1, and px ≤ log(1/δ)",
        latex=r"p\lceil N\rceil < pN + p \le \log\tfrac1\delta + p",
    )
    at = {p: sp.Rational(99, 100), _delta: sp.Rational(1, 2)}
    whole = (p * sp.ceiling(forward)).subs(at)
    proof.check(
        "Rounded up it can exceed log(1/δ): p = .99, δ = .5 needs one sample, .99 backward passes, and log 2 = .693.",
        (whole - sp.log(1 / _delta).subs(at)).is_positive is True and whole == sp.Rational(99, 100),
        latex=r"p=.99,\ \delta=.5:\quad p\lceil N\rceil = .99 > \log 2",
    )


def _geometry(proof: Proof) -> None:
    """Split one PG sample's contribution along and across ∇J."""
    d, wrong = context.correct_score(), context.wrong_score()
    on_correct, on_wrong = _parallel_parts()
    proof.check(
        "Along ∇J every PG sample moves forward: a correct one by (1−b)εα, a wrong one by bpα (‖d‖ = εα).",
        sp.cancel((1 - b) * d.dot(d) / (context.epsilon * context.alpha_squared) - on_correct) == 0
        and sp.cancel(-b * wrong.dot(d) / (context.epsilon * context.alpha_squared) - on_wrong) == 0,
        latex=r"U\,\varphi\cdot\tfrac{d}{\|d\|} = (1-b)\varepsilon\alpha\ \text{ or }\ bp\,\alpha",
    )
    ratio = wrong.dot(d) / d.dot(d)
    left = [w - ratio * v for w, v in ((wrong.correct, d.correct), (wrong.marked, d.marked), (wrong.rest, d.rest))]
    proof.check(
        "Across ∇J a wrong sample leaves its own unit vector, centred over the wrong arms, whatever p.",
        [sp.cancel(value - claim) for value, claim in zip(left, (0, 1 - 1 / (K - 1), -1 / (K - 1)), strict=True)]
        == [0, 0, 0],
        latex=r"\varphi_a-\frac{\varphi_a\cdot d}{\|d\|^2}d = e_a-\tfrac1{K-1}\mathbf 1_{\mathrm{wrong}}",
    )
    agrees = []
    for categories, count in ((2, 2), (2, 5), (3, 2), (3, 3), (3, 4), (4, 3)):
        statistics = []
        for draw in product(range(categories), repeat=count):
            tallies = [sp.Integer(draw.count(c)) - sp.Rational(count, categories) for c in range(categories)]
            statistics.append(sum(t**2 for t in tallies) * sp.Rational(categories, count))
        mean = sum(statistics) / len(statistics)
        variance = sum(s**2 for s in statistics) / len(statistics) - mean**2
        degrees = categories - 1
        agrees.append(mean == degrees and variance == 2 * degrees * sp.Rational(count - 1, count))
    proof.sample(
        "So the squared perpendicular part of m wrong samples is b² times a multinomial sum of squares: (K−1)/m "
        "times it is Pearson's statistic, with mean K−2 and variance 2(K−2)(m−1)/m (enumerated), and χ² "
        "with K−2 degrees of freedom as m → ∞.",
        agrees,
        latex=r"\|\hat g_\perp\|^2 = b^2\sum_a\Big(m_a-\tfrac{m}{K-1}\Big)^2,\qquad"
        r" \tfrac{K-1}{m}\sum_a(\cdot)^2 \to \chi^2_{K-2}",
    )


def _constant_baseline(proof: Proof) -> None:
    """Derive the chi-square approximation and its regime."""
    on_correct, on_wrong = _parallel_parts()
    parallel_squared = (_N * (p * on_correct + (1 - p) * on_wrong)) ** 2 * context.alpha_squared
    perpendicular_squared = _N * context.epsilon * b**2 / (K - 1) * _quantile
    proof.identity(
        "PG, K ≥ 3: the cosine is at least c₀ iff ‖perp‖² ≤ (1−c₀²)/c₀²·(parallel)². With Nε wrong samples at the "
        "1−δ quantile, and the mean for the parallel part, equality holds at this N.",
        perpendicular_squared.subs(_N, _forward_pg()) * _odds_of_cosine,
        parallel_squared.subs(_N, _forward_pg()),
        latex=r"N = \frac{c_0^2}{1-c_0^2}\,\frac{b^2(K-2)}{\varepsilon K p^2}\,\frac{\chi^2_{K-2,1-\delta}}{K-2}",
    )
    proof.identity(
        "So PG with a constant baseline needs Θ(1/p²) backward passes.",
        sp.Limit(p**2 * _forward_pg(), p, 0, "+"),
        _odds_of_cosine * b**2 * _quantile / K,
        latex=r"\lim_{p\to0}p^2N = \frac{c_0^2}{1-c_0^2}\,\frac{b^2}{K}\,\chi^2_{K-2,1-\delta}",
    )
    one = sp.Integer(1)
    neglected = context.var_parallel(b, one, one, one, one) / (context.signal_squared() * _forward_pg())
    proof.identity(
        "What was neglected: the relative variance of the parallel part at that N is of order p(1−b)²/b², small iff "
        "p ≪ b².",
        sp.Limit(sp.cancel(sp.together(neglected / p)), p, 0, "+"),
        (1 - b) ** 2 * K / (_odds_of_cosine * b**2 * _quantile),
        latex=r"\frac{\mathrm{Var}_\parallel}{N\|\nabla J\|^2}"
        r" \sim \frac{p(1-b)^2}{b^2}\,\frac{K}{\chi^2_{K-2,1-\delta}}\,\frac{1-c_0^2}{c_0^2}",
    )


def _value_baseline(proof: Proof) -> None:
    """With b = p the noise is so small that one success decides, as at zero price; N = x/p throughout."""
    on_correct, on_wrong = (part.subs(b, p) for part in _parallel_parts())
    across = (_load / p) * p**2 * (K - 2) / (K - 1)  # at most N wrong samples, each b²(K−2)/(K−1) on average
    markov = _odds_of_cosine * across / (on_correct**2 * context.alpha_squared)
    proof.identity(
        "b = p: N = x/p samples have no success with probability (1−p)^N → e^{−x}.",
        sp.Limit((1 - p) ** (_load / p), p, 0, "+"),
        sp.exp(-_load),
    )
    proof.identity(
        "With at least one success the parallel part is at least ε²α, and its odds against the mean squared "
        "perpendicular part, at most xp(K−2)/(K−1), are of order p.",
        sp.Limit(markov / p, p, 0, "+"),
        _odds_of_cosine * _load * (K - 2) / K,
    )
    proof.argue(
        "So one success is enough as p → 0: the failure probability is at most e^{−x}(1 + o(1)).",
        "all parallel parts are positive, so one success bounds their sum from below; P(perp² > t) ≤ E perp²/t → 0 "
        "(Markov)",
        sp.limit(markov, p, 0) == 0,
        latex=r"P(\text{fail}) \le (1-p)^{x/p} + \frac{c_0^2}{1-c_0^2}\,\frac{x\,p\,(K-2)}{K\varepsilon^4}"
        r"\ \to\ e^{-x}",
    )
    without_success = (_load / p * on_wrong) ** 2 * context.alpha_squared
    proof.identity(
        "Without a success the parallel part squared is smaller than the mean squared perpendicular part by a factor "
        "of order p …",
        sp.Limit(without_success / across / p, p, 0, "+"),
        _load * K / (K - 2),
        latex=r"\frac{(\text{parallel})^2}{\mathbb E\,\mathrm{perp}^2} = \frac{xpK}{K-2}\to0",
    )
    proof.argue(
        "… so a success is needed: the cosine is small and the failure probability is at least e^{−x}(1−o(1)). Hence "
        "pN → log(1/δ): with b = p PG needs Θ(log(1/δ)/p), not Θ(1/p²).",
        "perp² over its mean tends to χ²_{K−2}/(K−2), which has no atom at 0, so it exceeds any multiple of p with "
        "probability tending to 1; both bounds tend to e^{−x}, which is δ at x = log(1/δ)",
        latex=r"b=p:\quad \lim_{p\to0}pN = \log\tfrac1\delta",
    )
    proof.identity(
        "The χ² count is bounded there; it is not the binding one, because it presumes many successes.",
        sp.Limit(sp.cancel(_forward_pg().subs(b, p)), p, 0, "+"),
        _odds_of_cosine * _quantile / K,
    )


def _special_cases(proof: Proof) -> None:
    """Two arms, and a policy that is nearly right."""
    arms = ExplicitContext.symmetric(2)
    contributions = [(r - b) * arms.score(a) for a, r in enumerate(arms.rewards)]
    proof.check(
        "K = 2 with 0 < b < 1: one PG sample suffices, as both arms' contributions are positive multiples of (1, "
        "−1).",
        contributions[0].applyfunc(sp.expand) == ((1 - b) * (1 - p) * sp.Matrix([1, -1])).applyfunc(sp.expand)
        and contributions[1].applyfunc(sp.expand) == (b * p * sp.Matrix([1, -1])).applyfunc(sp.expand),
        latex=r"K=2:\quad (1-b)\varphi_{1} = (1-b)\varepsilon(1,-1),\quad -b\varphi_2 = bp\,(1,-1)",
    )
    one_sample, two_samples = (_success_probability(count) for count in (1, 2))
    proof.check(
        "Near p = 1 the probability is not monotone in N: with K = 10, b = 1/2, p = .99 and c₀ = .9 one PG sample "
        "points the right way with probability .99, two with .9801, because a wrong sample now spoils a right one.",
        one_sample == sp.Rational(99, 100) and two_samples == sp.Rational(9801, 10000),
        latex=r"P_1 = p = .99 > P_2 = p^2 = .9801",
    )


def _success_probability(count: int) -> sp.Expr:
    """Return P(cos ≥ .9) for ``count`` PG samples by enumerating ten explicit arms."""
    arms = ExplicitContext.symmetric(10)
    at = {p: sp.Rational(99, 100)}
    policy = [q.subs(at) for q in arms.policy]
    updates = [(r - sp.Rational(1, 2)) * arms.score(a).subs(at) for a, r in enumerate(arms.rewards)]
    direction = arms.score(0).subs(at)
    probability = sp.Integer(0)
    for draw in product(range(10), repeat=count):
        total = sum((updates[a] for a in draw[1:]), updates[draw[0]])
        inner = total.dot(direction)
        if inner > 0 and inner**2 >= sp.Rational(81, 100) * total.dot(total) * direction.dot(direction):
            probability += sp.prod(policy[a] for a in draw)
    return probability


def derive() -> Derivation:
    """Derive how many forward samples and backward passes zero price and PG need to point the right way."""
    proof = Proof(
        "backward-passes-to-align",
        "Until cos(ĝ,∇J) ≥ c₀ with probability 1−δ: zero price needs N = ⌈log(1/δ)/(−log(1−p))⌉ forward samples and "
        "pN < log(1/δ) + p backward passes; PG with constant b, K ≥ 3 and p ≪ b² about c₀²/(1−c₀²)·b²/(εKp²) times "
        "the "
        "1−δ quantile of χ²_{K−2}; PG with b = p has pN → log(1/δ); at K = 2 one PG sample suffices.",
        (
            "one symmetric context, R = 1{a = y*}, N independent samples, fixed 0 < c₀ < 1 and 0 < δ < 1",
            "PG with constant b: many wrong samples (χ² limit) and the parallel part at its mean, valid for p ≪ b²",
            "PG with b = p: p → 0 with K ≥ 3, c₀ and δ fixed",
        ),
    )
    _zero_price(proof)
    _geometry(proof)
    _constant_baseline(proof)
    _value_baseline(proof)
    _special_cases(proof)
    return proof.conclude(
        zero_price_forward=_forward_zero_price(),
        zero_price_bound=sp.log(1 / _delta) + p,
        zero_price_backward=p * _forward_zero_price(),
        pg=_forward_pg(),
        pg_value_baseline=sp.log(1 / _delta) / p,
    )
