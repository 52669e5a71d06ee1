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
    best_wrong = (n_tokens - 1) / n_tokens - (1 - 1 / n_tokens + gap)
    proof.argue(
        "From p = 1 − 1/T on the drift is not negative, so a stall point lies in (1/M, 1 − 1/T); T = 1 has none.",
        "there A ≤ 0 for every wrong token, so those kept pull upwards or not at all. Right tokens are kept in "
        "descending order of A, so Σ A over those kept is at least min(0, E[A | right]) = 0, as E[A | right] = "
        "(1−p)/T.",
        sp.simplify(best_wrong) == -gap and sp.limit(1 - 1 / n_tokens, n_tokens, 1) == 0,
        latex=r"\tfrac{T-1}{T} - p \le 0",
    )
    odds = sp.Symbol("o", positive=True)  # p/(1 − p)
    vocab, chance = sp.Symbol("m", positive=True), 1 / (1 + odds)  # M − 1, and 1 − p
    proof.identity(
        "A wrong token is more surprising than a right one by log((M−1)p/(1−p)): positive iff p > 1/M.",
        sp.expand_log(sp.log(vocab / chance) + sp.log(odds * chance), force=True),
        sp.log(vocab) + sp.log(odds),
        latex=r"\log\tfrac{M-1}{1-p}-\log\tfrac1p = \log\tfrac{(M-1)p}{1-p}",
    )
    proof.check(
        "The same in the odds o = p/(1−p): the sign changes at o = 1/(M−1), that is at p = 1/M.",
        sp.solve(sp.Eq(odds * (M - 1), 1), odds) == [1 / (M - 1)] and sp.cancel(1 / (1 / (1 / (M - 1)) + 1)) == 1 / M,
        latex=r"\ell_{\mathrm{wrong}}-\ell_{\mathrm{right}} = \log\{(M-1)\,o\}",
    )


def _lead(n_tokens: int, vocab_size: int, chance: sp.Expr) -> sp.Expr:
    """Return the largest delight of a wrong token less the largest of a right one."""
    wrong = (1 - sp.Rational(1, n_tokens) - chance) * sp.log((vocab_size - 1) / (1 - chance))
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
    top = sp.Symbol("m", positive=True)
    proof.identity(
        "As ρ → 0 only the highest atom is kept. If it is a wrong token with A > 0 the drift is −ρAp < 0; it is "
        "wrong iff (1−1/T−p)·log((M−1)/(1−p)) > (1−p)·log(1/p), its neighbours all right.",
        rho / top * top * (-p * (1 - sp.Rational(1, 3) - p)),
        -rho * p * (sp.Rational(2, 3) - p),
        latex=r"\left(1-\tfrac1T-p\right)\log\tfrac{M-1}{1-p} > (1-p)\log\tfrac1p",
    )
    for vocab_size, n_tokens, chance in _WITNESSES:
        proof.check(
            f"Low rates stall at M = {vocab_size}, T = {n_tokens}: a wrong token leads at p = {chance}. The lead "
            "grows with M and with T at fixed p, so they do for all larger M and T.",
            bool(_lead(n_tokens, vocab_size, sp.Rational(chance)).evalf(20) > 0),
            latex=rf"M={vocab_size},\ T={n_tokens},\ p={chance}",
        )
    for vocab_size, n_tokens in _SAFE:
        proof.check(
            f"They do not at M = {vocab_size}, T = {n_tokens}, nor at smaller M or T: bounded on intervals of p.",
            _never_leads(n_tokens, vocab_size),
            latex=rf"M={vocab_size},\ T={n_tokens}:\ \text{{no wrong token leads}}",
        )


def _two_tokens(proof: Proof) -> sp.Expr:
    """T = 2 in closed form: the smallest stall."""
    deficit = p * (1 - p) * p * (sp.Rational(1, 2) - p)  # the wrong tokens with a right neighbour, all kept
    zero = p * (1 - p) + deficit / (1 - p) ** 2
    rate = proof.identity(
        "T = 2, where a wrong token leads: the drift is negative up to the rate at which the right tokens with a "
        "right neighbour have made good the wrong ones that come first.",
        zero,
        p * (2 - 3 * p) / (2 * (1 - p)),
        latex=r"\rho_0(p) = \frac{p(2-3p)}{2(1-p)}",
    )
    best = 1 - 1 / sp.sqrt(3)
    proof.identity("It is largest at p = 1 − 1/√3.", sp.diff(rate, p).subs(p, best), sp.Integer(0))
    critical = proof.identity("So ρ_c ≤ 2 − √3 at T = 2.", rate.subs(p, best), 2 - sp.sqrt(3))
    proof.check(
        "A wrong token leads there from M = 359 on, so ρ_c(M, 2) = 2 − √3 for every M ≥ 359.",
        bool(_lead(2, 359, best).evalf(20) > 0) and bool(_lead(2, 358, best).evalf(20) < 0),
        latex=r"M\ge359:\ \rho_c(M,2)=2-\sqrt3",
    )
    return critical


def _jumps(proof: Proof) -> None:
    """Where two atoms change places the drift jumps, and a fall by a jump is a stall point."""
    a, b, m = sp.symbols("a b m", positive=True)
    proof.identity(
        "Where a wrong atom (advantage b) overtakes a right one (advantage a) at the price, mass m changes hands "
        "and the drift falls by m{a(1−p) + bp}: it is piecewise continuous in p, and a change of sign need not be "
        "a zero.",
        -m * b * p - m * a * (1 - p),
        -m * (a * (1 - p) + b * p),
    )
    chance = sp.nsolve(_lead(2, 100, p), p, (0.1, 0.2), solver="bisect")
    proof.check(
        "Such a jump is a stall point at M = 100, T = 2 for every ρ up to p(1−p): p* = 0.1355, where the two tie. "
        "Before it a right token leads and the drift is positive, behind it a wrong one.",
        bool(abs(chance - 0.135488823430) < 1e-10)
        and bool(_lead(2, 100, chance - sp.Rational(1, 1000)) < 0)
        and bool(_lead(2, 100, chance + sp.Rational(1, 1000)) > 0),
        latex=r"p^*(\rho\to0,\,100,\,2) = 0.13549",
    )


def _long_rows(proof: Proof) -> None:
    """T → ∞ at a fixed rate: the central limit theorem."""
    x = sp.Symbol("x", real=True)
    level, s = sp.symbols("lambda s", positive=True)
    surprisal = sp.Symbol("ell", positive=True)
    tail = sp.integrate(
        x * sp.exp(-(x**2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s), (x, level / surprisal, sp.oo), conds="none"
    )
    density = sp.exp(-((level / (s * surprisal)) ** 2) / 2) / sp.sqrt(2 * sp.pi)
    proof.identity(
        "T → ∞: A is normal with deviation s = √(p(1−p)/T) for both kinds of token, and keeping Aℓ > λ leaves "
        "E[A·kept] = sφ(λ/(sℓ)); it depends on λ² alone, so it is the same for a negative price.",
        tail,
        s * density,
        latex=r"\mathbb E[A;\,A\ell>\lambda] = s\,\varphi(\lambda/(s\ell))",
    )
    slope = sp.simplify(sp.diff(density, surprisal) / density)
    proof.argue(
        "So drift/(p(1−p)s) → φ(λ/(sℓ_right)) − φ(λ/(sℓ_wrong)) < 0 at every p > 1/M, for every ρ but 1/2 and 1: the "
        "stalling rates tend to (0, 1/2) and (1/2, 1), and every stall point to 1/M.",
        "φ(λ/(sℓ)) strictly rises with ℓ unless λ = 0, and the wrong token's surprisal is the larger one. Keeping "
        "half of the tokens is λ = 0, because A is symmetric in the limit. What right tokens gain by their own "
        "share, 1/T, is of lower order.",
        bool(sp.simplify(slope - level**2 / (s**2 * surprisal**3)) == 0),
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
        two_token_rate=p * (2 - 3 * p) / (2 * (1 - p)),
        two_token_critical_rate=critical,
    )
