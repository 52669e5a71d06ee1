"""The token trap: a fixed-rate gate on tokens that share one advantage has stable zeros of the drift.

Source: this project; it is the candidate explanation of fixed rates that are "too aggressive" in [KG §5] (I. Osband,
"Does This Gradient Spark Joy?", arXiv 2603.20526).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive", "mean_field"]

p, rho = sp.symbols("p rho", positive=True)
M = sp.Symbol("M", positive=True)

# Where low rates begin to stall: (M, T) with a witness p, and the largest M that T − 1 tokens leave untrapped.
_WITNESSES = ((2, 5, "0.69"), (3, 4, "0.59"), (5, 3, "0.4944"), (48, 2, "0.28"))
_SAFE = ((2, 4), (4, 3), (47, 2))


def mean_field(n_tokens: int, kept: Callable[[bool, int], sp.Expr], chance: sp.Expr = p) -> sp.Expr:
    """Return the drift of one token's right logit by enumerating the T tokens of a row.

    ``kept(right, n)`` is the probability that the token is kept if it is right or not and has n right neighbours.
    """
    total = sp.Integer(0)
    for row in product((True, False), repeat=n_tokens):
        chances = sp.Mul(*(chance if right else 1 - chance for right in row))
        advantage = sp.Rational(sum(row), n_tokens) - chance
        push = (1 - chance) if row[0] else -chance
        total += chances * kept(row[0], sum(row[1:])) * advantage * push
    return total


def _signs(proof: Proof) -> None:
    """Everything kept, the uniform policy, and p ≥ 1 − 1/T: where the drift is positive."""
    for n in (1, 2, 3, 4):
        proof.identity(
            f"ρ = 1 is PG: the drift is p(1−p)/T, here by enumeration at T = {n}.",
            mean_field(n, lambda right, count: sp.Integer(1)),
            p * (1 - p) / n,
        )
    for n in (2, 3, 4):
        gates = sp.symbols(f"g0:{n + 1}", nonnegative=True)
        rows = sum(
            sp.binomial(n, k) * p**k * (1 - p) ** (n - k) * gates[k] * (sp.Rational(k, n) - p) ** 2
            for k in range(n + 1)
        )
        proof.identity(
            "At p = 1/M right and wrong tokens have the same surprisal, so the token gate ranks rows by A and its "
            f"drift is E[g(A)A²] > 0 (T = {n}, any g): learning always starts.",
            mean_field(n, lambda right, count, gates=gates: gates[count + right]),  # type: ignore[misc]
            rows,
            latex=r"p=\tfrac1M:\ \mathrm{drift} = \mathbb E[g(A)A^2]",
        )
    n_tokens, gap = sp.Symbol("T", positive=True), sp.Symbol("d", nonnegative=True)
    proof.check(
        "From p = 1 − 1/T on no wrong token has A > 0: at most T − 1 of T are right beside it.",
        sp.expand((n_tokens - 1) / n_tokens - (1 - 1 / n_tokens + gap)).is_nonpositive,
        latex=r"p\ge1-\tfrac1T:\ \tfrac{T-1}{T} - p \le 0",
    )
    proof.identity(
        "Right tokens have the mean advantage E[A | right] = (1−p)/T (enumerated at T = 4).",
        sum(
            sp.Mul(*(p if right else 1 - p for right in row)) * (sp.Rational(1 + sum(row), 4) - p)
            for row in product((1, 0), repeat=3)
        ),
        (1 - p) / 4,
        latex=r"\mathbb E[A\mid\mathrm{right}] = \tfrac{1-p}{T}",
    )
    proof.argue(
        "So from p = 1 − 1/T on the drift is not negative, and a stall point lies in (1/M, 1 − 1/T); T = 1 has none.",
        "there A ≤ 0 for every wrong token, so those kept pull upwards or not at all. Right tokens are kept in "
        "descending order of A, so Σ A over those kept is at least min(0, E[A | right]) = 0",
        latex=r"p\ge1-\tfrac1T\ \Rightarrow\ \mathrm{drift}\ge0",
    )
    odds, vocab = sp.symbols("o m", positive=True)  # p/(1 − p), and M − 1
    chance = odds / (1 + odds)
    proof.identity(
        "A wrong token is more surprising than a right one by log((M−1)p/(1−p)) = log((M−1)o), o the odds.",
        sp.log(vocab / (1 - chance).cancel()) - sp.log(1 / chance),
        sp.log(vocab * odds),
        latex=r"\log\tfrac{M-1}{1-p}-\log\tfrac1p = \log\tfrac{(M-1)p}{1-p}",
    )
    proof.identity(
        "That is zero where the odds are 1/(M−1): at p = 1/M, and positive above.",
        chance.subs(odds, 1 / (M - 1)),
        1 / M,
        latex=r"o=\tfrac1{M-1}\iff p=\tfrac1M",
    )


def _lead(n_tokens: int | sp.Expr, vocab_size: int | sp.Expr, chance: sp.Expr) -> sp.Expr:
    """Return the largest delight of a wrong token less the largest of a right one."""
    wrong = (1 - sp.Integer(1) / n_tokens - chance) * sp.log((vocab_size - 1) / (1 - chance))
    return wrong + (1 - chance) * sp.log(chance)


def _never_leads(n_tokens: int, vocab_size: int, limit: int = 4000) -> bool:
    """Return whether no wrong token leads anywhere, by bounding the lead on ever smaller intervals of p.

    On [a, b] the lead is at most (1 − 1/T − a)·log((M−1)/(1−b)) − (1 − b)·log(1/b): each factor at its worse end.
    """
    pending = [(sp.Rational(1, vocab_size), 1 - sp.Rational(1, n_tokens))]
    for _ in range(limit):
        if not pending:
            return True
        low, high = pending.pop()
        bound = (1 - sp.Rational(1, n_tokens) - low) * sp.log((vocab_size - 1) / (1 - high))
        if (bound + (1 - high) * sp.log(high)).evalf(20) >= 0:
            middle = (low + high) / 2
            pending += [(low, middle), (middle, high)]
    return False


def _low_rates(proof: Proof) -> None:
    """Take the limit ρ → 0: who has the most delight."""
    proof.identity(
        "As ρ → 0 only the highest atom is kept, in the share ρ over its mass. If it is a wrong token, its "
        "neighbours "
        "all right, the drift is −ρAp < 0 (here T = 3); it is wrong iff (1−1/T−p)·log((M−1)/(1−p)) > (1−p)·log(1/p).",
        mean_field(3, lambda right, n: sp.Integer(0) if right or n < 2 else rho / ((1 - p) * p**2)),
        rho * p * (p - sp.Rational(2, 3)),
        latex=r"\left(1-\tfrac1T-p\right)\log\tfrac{M-1}{1-p} > (1-p)\log\tfrac1p",
    )
    size, length, advantage = sp.symbols("M T A", positive=True)
    lead = _lead(length, size, 1 - 1 / length - advantage)
    proof.identity(
        "The lead, the left side less the right, rises with M at fixed p < 1 − 1/T, by A/(M−1) …",
        sp.Derivative(lead, size),
        advantage / (size - 1),
    )
    proof.identity(
        "… and with T, by the wrong token's surprisal over T².",
        sp.Derivative(_lead(length, size, p), length),
        sp.log((size - 1) / (1 - p)) / length**2,
    )
    for vocab_size, n_tokens, chance in _WITNESSES:
        proof.check(
            f"Low rates stall at M = {vocab_size}, T = {n_tokens}: a wrong token leads at p = {chance}. So they do "
            f"for "
            "all larger M and T.",
            _lead(n_tokens, vocab_size, sp.Rational(chance)).is_positive,
            latex=rf"M={vocab_size},\ T={n_tokens},\ p={chance}",
        )
    for vocab_size, n_tokens in _SAFE:
        proof.argue(
            f"They do not at M = {vocab_size}, T = {n_tokens}, nor at smaller M or T.",
            "(1/M, 1 − 1/T) is cut into intervals, on each of which the lead is bounded with each factor at its "
            "worse "
            "end, to 20 digits",
            _never_leads(n_tokens, vocab_size),
            latex=rf"M={vocab_size},\ T={n_tokens}:\ \text{{no wrong token leads}}",
        )


def _two_token_rate() -> sp.Expr:
    """Return the claimed rate up to which the drift is negative at p, T = 2, where a wrong token leads."""
    return p * (2 - 3 * p) / (2 * (1 - p))


def _two_tokens(proof: Proof) -> sp.Expr:
    """T = 2 in closed form: the smallest stall."""
    share = sp.Symbol("s", positive=True)  # of the right tokens with a right neighbour, which come second
    drift = mean_field(2, lambda right, n: sp.Integer(0) if n == 0 else share if right else sp.Integer(1))
    (zero,) = sp.solve(drift, share)
    rate = proof.identity(
        "T = 2, where a wrong token leads: the wrong tokens with a right neighbour come first, then the right "
        "ones. The "
        "drift is negative up to the rate at which these have made good those.",
        p * (1 - p) + zero * p**2,
        _two_token_rate(),
        latex=r"\rho_0(p) = \frac{p(2-3p)}{2(1-p)}",
    )
    best = 1 - 1 / sp.sqrt(3)
    proof.identity(
        "It is stationary at p = 1 − 1/√3.", sp.diff(rate, p).subs(p, best) * (1 - best) ** 2, sp.Integer(0),
        latex=r"\rho_0'(1-\tfrac1{\sqrt3}) = 0",
    )  # fmt: skip
    odds = sp.Symbol("o", positive=True)
    proof.check(
        "It is concave on (0, 1), so that is its maximum.",
        sp.factor(sp.diff(rate, p, 2).subs(p, odds / (1 + odds))).is_negative,
        latex=r"\rho_0''<0",
    )
    critical = proof.identity("So ρ_c ≤ 2 − √3 at T = 2.", rate.subs(p, best), 2 - sp.sqrt(3))
    proof.check(
        "A wrong token leads there from M = 359 on, so ρ_c(M, 2) = 2 − √3 for every M ≥ 359.",
        _lead(2, 359, best).is_positive is True and _lead(2, 358, best).is_negative is True,
        latex=r"M\ge359:\ \rho_c(M,2)=2-\sqrt3",
    )
    return critical


def _jumps(proof: Proof) -> None:
    """Where two atoms change places the drift jumps, and a fall by a jump is a stall point."""
    m = sp.Symbol("m", positive=True)
    swapped = mean_field(2, lambda right, n: sp.Integer(0) if n == 0 else (-m / p**2 if right else m / (p * (1 - p))))
    a, b = 1 - p, sp.Rational(1, 2) - p
    proof.identity(
        "Where a wrong atom (advantage b) overtakes a right one (advantage a) at the price, mass m changes hands "
        "and the drift falls by m{a(1−p) + bp} (here T = 2): it is piecewise continuous in p, and a change of sign "
        "need not be a zero.",
        swapped,
        -m * (a * (1 - p) + b * p),
        latex=r"\Delta\,\mathrm{drift} = -m\{a(1-p)+bp\}",
    )
    before, after = (sp.Rational(x, 10**6) for x in (135488, 135489))
    proof.check(
        "At M = 100, T = 2 right and wrong tie at p* = 0.13549: before it a right token leads, behind it a wrong "
        "one.",
        _lead(2, 100, before).is_negative is True and _lead(2, 100, after).is_positive is True,
        latex=r"0.135488 < p^*(\rho\to0,\,100,\,2) < 0.135489",
    )
    rest = (rho - p**2) / (p * (1 - p))  # of the wrong tokens, once the right ones are all kept
    first = mean_field(2, lambda right, n: sp.Integer(0) if n == 0 else sp.Integer(1) if right else rest)
    gap = sp.Symbol("g", positive=True)
    proof.check(
        "That jump is a stall point for every ρ up to p(1−p): before it the drift is positive (least at ρ = p(1−p), "
        "for p < 1/2), behind it only wrong tokens are kept.",
        sp.factor(first.subs(rho, p * (1 - p)).subs(p, 1 / (2 + gap))).is_positive is True
        and sp.factor(sp.diff(first, rho).subs(p, 1 / (2 + gap))).is_negative is True,
        latex=r"\rho\le p(1-p):\ \mathrm{drift}(p^*-)>0>\mathrm{drift}(p^*+)",
    )


def _long_rows(proof: Proof) -> None:
    """T → ∞ at a fixed rate: the central limit theorem."""
    x = sp.Symbol("x", real=True)
    level, s = sp.symbols("lambda s", positive=True)
    surprisal = sp.Symbol("ell", positive=True)
    tail = sp.Integral(x * sp.exp(-(x**2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s), (x, level / surprisal, sp.oo))
    density = sp.exp(-((level / (s * surprisal)) ** 2) / 2) / sp.sqrt(2 * sp.pi)
    proof.identity(
        "T → ∞: A is normal with deviation s = √(p(1−p)/T) for both kinds of token, and keeping Aℓ > λ leaves "
        "E[A·kept] = sφ(λ/(sℓ)); it depends on λ² alone, so it is the same for a negative price.",
        tail,
        s * density,
        latex=r"\mathbb E[A;\,A\ell>\lambda] = s\,\varphi(\lambda/(s\ell))",
    )
    proof.identity(
        "φ(λ/(sℓ)) strictly rises with ℓ, unless λ = 0.",
        sp.Derivative(density, surprisal),
        density * level**2 / (s**2 * surprisal**3),
    )
    proof.argue(
        "So drift/(p(1−p)s) → φ(λ/(sℓ_right)) − φ(λ/(sℓ_wrong)) < 0 at every p > 1/M, for every ρ but 1/2 and 1: the "
        "stalling rates tend to (0, 1/2) and (1/2, 1), and every stall point to 1/M.",
        "the wrong token's surprisal is the larger one. Keeping half of the tokens is λ = 0, because A is "
        "symmetric in "
        "the limit. What right tokens gain by their own share, 1/T, is of lower order.",
        latex=r"\frac{\mathrm{drift}}{p(1-p)s}\to\varphi\!\left(\tfrac{\lambda}{s\ell_r}\right)"
        r"-\varphi\!\left(\tfrac{\lambda}{s\ell_w}\right)",
    )


def derive() -> Derivation:
    """Derive where the token gate's drift is positive and negative: small rates, two tokens, long rows."""
    proof = Proof(
        "token-trap",
        "Keeping the top ρ of tokens that share their row's advantage has negative drift somewhere above p = 1/M for "
        "all small ρ iff T ≥ 5 (M = 2), 4 (M = 3, 4), 3 (5 ≤ M ≤ 47) or 2 (M ≥ 48); training from the uniform policy "
        "then stops at a stall point in (1/M, 1 − 1/T). As T → ∞ every rate but 1/2 and 1 stalls.",
        (
            "T independent tokens, each right with probability p; the wrong mass is even over M − 1 tokens",
            "reward the share of right tokens, baseline its exact mean, infinitely many rows",
            "the top ρ of all tokens by advantage × surprisal; the atom at the price is kept in proportion",
        ),
    )
    _signs(proof)
    _low_rates(proof)
    critical = _two_tokens(proof)
    _jumps(proof)
    _long_rows(proof)
    return proof.conclude(
        full_drift=p * (1 - p) / sp.Symbol("T", positive=True),
        two_token_rate=_two_token_rate(),
        two_token_critical_rate=critical,
    )
