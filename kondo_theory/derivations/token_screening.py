"""Which screening rules stall on tokens that share one advantage, and how much of PG's drift each keeps near the end.

Source: this project; additive rules are those of [KG] Prop. 2 (I. Osband, "Does This Gradient Spark Joy?", arXiv
2603.20526), whose threshold comes back with a token's own share of the reward, 1/T, in the place of the reward gap.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

p, rho = sp.symbols("p rho", positive=True)
M, T, S = sp.symbols("M T S", positive=True)
_SIZES = (1, 2, 3, 4)


def _shared(size: int) -> sp.Expr:
    """Return PG's drift, p(1 − p)/T."""
    return p * (1 - p) / size


def _advantage_alone(proof: Proof) -> None:
    """Rules of the advantage, or of its size, rank whole rows, and neither can stall."""
    price, share, value = sp.Symbol("c", positive=True), sp.Symbol("s", nonnegative=True), sp.Symbol("a", real=True)
    kept = sp.Piecewise((value, sp.Abs(value) > price), (share * value, sp.Eq(sp.Abs(value), price)), (0, True))
    levels = [kept.subs(value, at) for at in (-2 * price, -price, -price / 2, 0, price / 2, price, 2 * price)]
    rises = [sp.simplify(after - before) for before, after in pairwise(levels)]
    proof.argue(
        "The top ρ by |A| keeps A where |A| > c and a share s ≤ 1 of it where |A| = c. What is kept never falls as A "
        "rises, and A rises with the row's own reward. So, given the other answers, the drifts of the row's tokens "
        "sum to Cov(G·A, N) ≥ 0 (row-gate), with the exact mean or a group's as baseline: |A| does not stall, nor "
        "does A.",
        "below −c it is A itself, at −c it is −sc, then 0, then sc, then A: ascending for 0 ≤ s ≤ 1",
        rises == [price * (2 - share), price * share, 0, 0, price * share, price * (2 - share)],
        latex=r"f(A)=A\,\mathbf 1\{|A|>c\}+sA\,\mathbf 1\{|A|=c\}\ \text{never falls}",
    )
    proof.check(
        "Among independent tokens of equal p the policy's entropy is the same for all, so |A|·H ranks as |A| does, "
        "and the entropy band and a random choice keep ρ of PG's drift: slow, but no stall.",
        all(sp.cancel(mean_field(size, lambda right, n: rho) - rho * _shared(size)) == 0 for size in _SIZES),
        latex=r"\mathrm{drift} = \rho\,\frac{p(1-p)}{T}",
    )


def _surprisal(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Surprisal keeps wrong tokens at random, and their mean advantage is negative."""
    wrong_alone = proof.identity(
        "By surprisal, p > 1/M: wrong tokens come first. While ρ ≤ 1 − p a share ρ/(1−p) of them is kept, "
        "whatever their advantage, which is −p/T on average: the drift is ρp²/T, by enumeration at T = 3,",
        mean_field(3, lambda right, n: sp.Integer(0) if right else rho / (1 - p)),
        rho * p**2 / 3,
        latex=r"\mathrm{drift} = \rho\,\frac{p^2}{T}",
    ).subs(rho, rho * 3 / T)
    both = rho * p**2 / (1 - p) / p
    proof.check(
        "and at T = 1, 2, 4 as well.",
        all(
            sp.cancel(
                mean_field(size, lambda right, n: sp.Integer(0) if right else rho / (1 - p)) - rho * p**2 / size
            )
            == 0
            for size in _SIZES
        ),
    )
    left = (rho - (1 - p)) / p
    late = p + left * (1 - p)
    proof.check(
        "At ρ ≥ 1 − p all wrong tokens are kept, and a share (ρ−1+p)/p of the right ones, of mean advantage (1−p)/T: "
        "p + (1−p)(ρ−1+p)/p of PG's drift. Both are positive: surprisal does not stall.",
        all(
            sp.cancel(mean_field(size, lambda right, n: left if right else sp.Integer(1)) - late * _shared(size)) == 0
            for size in _SIZES
        ),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = p+(1-p)\frac{\rho-1+p}{p}",
    )
    proof.identity(
        "Early it is poor: just above p = 1/M its share of PG's drift is ρ/(M−1), no more than a random choice has.",
        both.subs(p, 1 / M),
        rho / (M - 1),
    )
    own, others = sp.symbols("R R_o", real=True)
    proof.identity(
        "It never looks at the advantage, and the drift is linear in it. A group's mean over S answers only divides: "
        "the others' mean is p on average, so both are times 1 − 1/S.",
        (own - (own + (S - 1) * others) / S).subs(others, p),
        (1 - 1 / S) * (own - p),
    )
    return wrong_alone, late


def _late(proof: Proof, surprisal: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Near p = 1: what each rule keeps of PG's drift at a fixed rate."""
    flawless = p**T
    share = (rho - 1 + flawless) / flawless
    by_size = 1 - (1 - share) * T * p ** (T - 1) * (1 - p)

    def kept_by_size(size: int) -> Callable[[bool, int], sp.Expr]:
        return lambda right, n: share.subs(T, size) if right and n == size - 1 else sp.Integer(1)

    proof.check(
        "Late in training, 1 − p < 1/(2T): a row with an error has |A| ≥ 1/T − (1−p), a flawless one 1 − p, which is "
        "less. Once 1 − p^T ≤ ρ, |A| keeps every row with an error and (ρ−1+p^T)/p^T of the flawless: all of PG's "
        "drift but (1−ρ)T(1−p)/p.",
        all(
            sp.cancel(mean_field(size, kept_by_size(size)) - by_size.subs(T, size) * _shared(size)) == 0
            for size in _SIZES
        )
        and sp.simplify(1 - by_size - (1 - rho) * T * (1 - p) / p) == 0,
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = 1-(1-\rho)\,\frac{T(1-p)}{p}",
    )

    def flawless_alone(size: int) -> Callable[[bool, int], sp.Expr]:
        return lambda right, n: rho / p**size if right and n == size - 1 else sp.Integer(0)

    by_sign = rho * T * (1 - p) / p
    proof.check(
        "From p = 1 − 1/T on only a flawless row has A > 0. While ρ ≤ p^T delight and advantage, on tokens or rows, "
        "and positive surprisal keep flawless rows alone: the share ρT(1−p)/p of PG's drift, and it vanishes.",
        all(
            sp.cancel(mean_field(size, flawless_alone(size)) - by_sign.subs(T, size) * _shared(size)) == 0
            for size in _SIZES
        ),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = \rho\,\frac{T(1-p)}{p}",
    )
    proof.check(
        "In the limit p → 1, at any fixed ρ: |A| and surprisal keep all of PG's drift, a random choice ρ of it, and "
        "delight and advantage none. What is left to learn from is in answers with an error, and those have A < 0.",
        [sp.limit(each, p, 1) for each in (by_size, surprisal, rho, by_sign)] == [1, 1, rho, 0],
        latex=r"p\to1:\ 1,\ 1,\ \rho,\ 0",
    )
    return sp.simplify(by_size), by_sign


def _stalls(proof: Proof) -> sp.Expr:
    """Additive rules and positive surprisal stall."""
    alpha, odds = sp.symbols("alpha o", positive=True)
    lead = (1 - alpha) * sp.log((M - 1) * odds) - alpha / T
    threshold = proof.identity(
        "Additive, αA + (1−α)ℓ: a wrong token leads the right one with the same neighbours by (1−α)·log((M−1)o) − "
        "α/T, with o = p/(1−p). That is the threshold of Prop. 2 with the reward gap 1/T: a token's own share.",
        sp.solve(sp.Eq(lead, 0), odds)[0],
        sp.exp(alpha / ((1 - alpha) * T)) / (M - 1),
        latex=r"\log\frac{p^*}{1-p^*} = \frac{\alpha}{(1-\alpha)T}-\log(M-1)",
    )
    top = sp.Symbol("m", positive=True)
    proof.identity(
        "As ρ → 0 only the highest atom is kept: past that threshold a wrong token among right ones, whose drift is "
        "−ρAp with A = 1 − 1/T − p. So it stalls at p*, if p* < 1 − 1/T; before, a right token leads.",
        rho / top * top * (-p * (1 - 1 / T - p)),
        -rho * p * (1 - 1 / T - p),
    )
    stall = 1 / (1 + (M - 1) * sp.exp(-alpha / ((1 - alpha) * T)))
    proof.check(
        "At M = 2, T = 10, α = 1/2 that is p* = 1/(1 + e^{−1/10}) = 0.525. It rises with α; α = 1 ranks by advantage "
        "and does not stall.",
        sp.simplify(stall / (1 - stall) - threshold) == 0
        and bool(sp.Abs(stall.subs({M: 2, T: 10, alpha: sp.Rational(1, 2)}) - sp.Rational(524979, 10**6)) < 1e-6)
        and sp.limit(stall.subs({M: 2, T: 10}), alpha, 1, "-") == 1,
        latex=r"p^* = \frac{1}{1+(M-1)e^{-\alpha/((1-\alpha)T)}}",
    )
    for size, vocab_size in ((2, 2), (3, 3), (4, 2), (4, 5)):
        start = sp.Rational(1, vocab_size)
        lucky = [n for n in range(size) if sp.Rational(n, size) > start]
        found = mean_field(size, lambda right, n, good=lucky: sp.Integer(not right and n in good))  # type: ignore[misc]
        expected = -sum(
            sp.binomial(size - 1, n) * p**n * (1 - p) ** (size - 1 - n) * (sp.Rational(n, size) - p) * p * (1 - p)
            for n in lucky
        )
        value = found.subs(p, start)
        proof.check(
            f"Positive surprisal, just above p = 1/M (M = {vocab_size}, T = {size}): while there are enough wrong "
            "tokens in rows with A > 0 only those are kept, and every one pulls down"
            + ("." if lucky else "; here no wrong token has A > 0."),
            sp.cancel(found - expected) == 0 and (bool(value < 0) if lucky else value == 0),
            latex=r"\mathrm{drift} \propto -\mathbb E[A_+\,;\ \mathrm{wrong}]\,p \le 0",
        )
    proof.argue(
        "So positive surprisal stalls at 1/M, where learning starts, at every rate ρ ≤ P(wrong, A > 0): it learns "
        "nothing at all.",
        "at p = 1/M all surprisals tie and rows are kept by A alone, with drift E[g(A)A²] ≥ 0 (token-trap); just "
        "above, the drift is negative. A fall through zero by a jump is a stall point.",
        bool(mean_field(4, lambda right, n: sp.Integer(right + n > 2)).subs(p, sp.Rational(1, 2)) > 0),
        latex=r"p^* = \tfrac1M",
    )
    return stall


def derive() -> Derivation:
    """Derive which rules stall, where, and what the others keep of PG's drift as p → 1."""
    proof = Proof(
        "token-screening",
        "On tokens that share one advantage, ranking by |advantage|, by advantage or by surprisal never stalls; an "
        "additive rule stalls at log-odds α/((1−α)T) − log(M−1) as ρ → 0, and positive surprisal at p = 1/M. As "
        "p → 1 a fixed rate keeps all of PG's drift by |advantage| or surprisal, none of it by delight or advantage.",
        (
            "T independent tokens, each right with probability p; the wrong mass is even over M − 1 tokens",
            "reward the share of right tokens, baseline its exact mean, or the mean of S answers where said",
            "infinitely many rows; the top ρ of all tokens, the atom at the price in proportion",
        ),
    )
    _advantage_alone(proof)
    early, late = _surprisal(proof)
    by_size, by_sign = _late(proof, late)
    stall = _stalls(proof)
    return proof.conclude(
        surprisal_drift=early,
        late_share_surprisal=late,
        late_share_abs_advantage=by_size,
        late_share_delight=by_sign,
        additive_stall=stall,
    )
