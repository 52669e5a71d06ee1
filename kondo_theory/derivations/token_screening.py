"""Which screening rules stall on tokens that share one advantage, and how much of PG's drift each keeps near the end.

Source: this project; additive rules are those of [KG] Prop. 2 (I. Osband, "Does This Gradient Spark Joy?", arXiv
2603.20526), whose threshold comes back with a token's own share of the reward, 1/T, in the place of the reward gap.

It is longer than 300 lines because the rules share one mean field, and their proof is read in one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof
from kondo_theory.derivations.token_moments import T, advantage, all_right, best_advantage, drift, neighbour_mean, p
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

rho = sp.Symbol("rho", positive=True)
M, S = sp.symbols("M S", positive=True)
_right, _wrong = neighbour_mean(advantage(1)), neighbour_mean(advantage(0))  # E[A | right], E[A | wrong]
_positive = sp.Symbol("y", positive=True)
_SIZES = (1, 2, 3, 4)

Kept = Callable[[bool, int], sp.Expr]
"""Probability that a token is kept, from whether it is right and its number of right neighbours."""


def _full(size: sp.Expr = T) -> sp.Expr:
    """Return PG's drift, p(1 − p)/T."""
    return p * (1 - p) / size


def _enumerate(proof: Proof, text: str, kept_of: Callable[[int], Kept], expected: sp.Expr) -> None:
    """Compare the drift for any T with the enumeration of the rows at every small T, in p and ρ."""
    proof.sample(
        f"{text} (by enumeration of the rows, T = 1 to 4).",
        (sp.cancel(mean_field(size, kept_of(size)) - expected.subs(T, size)) == 0 for size in _SIZES),
        latex=sp.latex(sp.simplify(expected)),
    )


def _advantage_alone(proof: Proof) -> None:
    """Rules of the advantage, or of its size, rank whole rows, and neither can stall."""
    price, share, value = sp.Symbol("c", positive=True), sp.Symbol("s", nonnegative=True), sp.Symbol("a", real=True)
    kept = sp.Piecewise((value, sp.Abs(value) > price), (share * value, sp.Eq(sp.Abs(value), price)), (0, True))
    levels = [kept.subs(value, at) for at in (-2 * price, -price, -price / 2, 0, price / 2, price, 2 * price)]
    rises = [sp.simplify(after - before) for before, after in pairwise(levels)]
    proof.argue(
        "By advantage or |A| whole rows are ranked. With the exact mean that suffices: the drifts sum to T·E[G·A²] "
        "(row-gate). With a group's mean the top ρ by |A| keeps A where |A| > c and a share s ≤ 1 of it where |A| = "
        "c, which never falls as A rises, and A rises with the row's own reward: given the other answers the drifts "
        "sum to Cov(G·A, N) ≥ 0. So |A| does not stall, at any rate.",
        "below −c it is A itself, at −c it is −sc, then 0, then sc, then A: ascending for 0 ≤ s ≤ 1",
        rises == [price * (2 - share), price * share, 0, 0, price * share, price * (2 - share)],
        latex=r"f(A)=A\,\mathbf 1\{|A|>c\}+sA\,\mathbf 1\{|A|=c\}\ \text{never falls}",
    )
    given, overall = _two_answers()
    proof.argue(
        "Advantage does not stall with a group's mean either. At a price c ≥ 0 what is kept never falls. At c < 0 it "
        "does, and given the others the sum can be negative (S = T = 2, p = 1/4, the other answer right: −3/64); on "
        "average it is not.",
        "let h(a) = E[N − Tp | A = a]. It never falls: the others' total has a log-concave mass, so N given A rises "
        "with A in likelihood ratio. If h(0) ≥ 0, then A·h(A) ≥ A·h(0) on both sides of 0 and E[G·A·h] ≥ h(0)·E[G·A] "
        "≥ 0, as E A = 0 and only negative A are dropped. If h(0) < 0, every A < 0 that is kept adds A·h > 0, and "
        "E[A₊h] = Cov(A₊, h) ≥ 0, as E h = 0.",
        given == -sp.Rational(3, 64) and bool(overall > 0),
        latex=r"\mathbb E[G\,A\,(N-Tp)] \ge 0",
    )
    proof.identity(
        "Among independent tokens of equal p the policy's entropy is the same for all, so |A|·H ranks as |A| does, "
        "and the entropy band and a random choice keep ρ of PG's drift, p(1−p)/T: slow, but no stall.",
        drift(rho * _right, rho * _wrong),
        rho * _full(),
        latex=r"\mathrm{drift} = \rho\,\frac{p(1-p)}{T}",
    )


def _two_answers() -> tuple[sp.Expr, sp.Expr]:
    """Return Σ_t drift_t at S = T = 2, p = 1/4, when A ≥ −1/4 is kept: given a right other answer, and on average."""
    chance = sp.Rational(1, 4)
    masses = [(1 - chance) ** 2, 2 * chance * (1 - chance), chance**2]
    drifts = {2: sp.Integer(0)} | dict.fromkeys((0, 1), sp.Integer(0))
    for own, other in product(range(3), repeat=2):
        advantage = sp.Rational(own - other, 4)
        if advantage >= -sp.Rational(1, 4):
            drifts[other] += masses[own] * advantage * (own - 2 * chance)
    return drifts[2], sp.Add(*(masses[other] * drifts[other] for other in range(3)))


def _surprisal(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Surprisal keeps wrong tokens at random, and their mean advantage is negative."""
    early = proof.identity(
        "By surprisal, p > 1/M: wrong tokens come first. While ρ ≤ 1 − p a share ρ/(1−p) of them is kept, whatever "
        "their advantage, which is −p/T on average: the drift is ρp²/T > 0.",
        drift(sp.Integer(0), rho / (1 - p) * _wrong),
        rho * p**2 / T,
        latex=r"\mathrm{drift} = \rho\,\frac{p^2}{T}",
    )
    _enumerate(proof, "The same", lambda size: lambda right, n: 0 if right else rho / (1 - p), early)
    left = (rho - (1 - p)) / p
    late = p + left * (1 - p)
    proof.identity(
        "At ρ ≥ 1 − p all wrong tokens are kept, and a share (ρ−1+p)/p of the right ones, of mean advantage (1−p)/T: "
        "p + (1−p)(ρ−1+p)/p of PG's drift.",
        drift(left * _right, _wrong),
        late * _full(),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = p+(1-p)\frac{\rho-1+p}{p}",
    )
    _enumerate(proof, "The same", lambda size: lambda right, n: left if right else sp.Integer(1), late * _full())
    more = sp.Symbol("d", nonnegative=True)  # ρ − (1 − p)
    proof.check(
        "Both are positive: surprisal does not stall.",
        early.is_positive and late.subs(rho, 1 - p + more).subs(p, 1 / (1 + _positive)).is_positive,
        latex=r"\mathrm{drift}>0",
    )
    proof.identity(
        "It starts slowly in large vocabularies: just above p = 1/M, at ρ ≤ 1 − 1/M, it has ρ/(M−1) of PG's drift, "
        "where a random choice has ρ.",
        (rho * p**2 / T / (p * (1 - p) / T)).subs(p, 1 / M),
        rho / (M - 1),
    )
    own, others = sp.symbols("R R_o", real=True)
    proof.identity(
        "It never looks at the advantage, and the drift is linear in it: the mean of S answers as baseline, the "
        "others' mean being p on average, multiplies both drifts by 1 − 1/S.",
        (own - (own + (S - 1) * others) / S).subs(others, p),
        (1 - 1 / S) * (own - p),
    )
    return early, late


def _late(proof: Proof, surprisal: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Near p = 1, with the exact mean: what each rule keeps of PG's drift at a fixed rate."""
    flawless = p**T
    share = (rho - 1 + flawless) / flawless
    by_size = 1 - (1 - rho) * T * (1 - p) / p
    wrong = sp.Symbol("epsilon", positive=True)  # 1 − p
    proof.check(
        "Exact mean, p = 1 − ε: a flawless row has A = ε, and one with errors A ≤ ε − 1/T, so a larger |A| while "
        "ε < 1/(2T).",
        sp.solve((best_advantage(1) + best_advantage(0)).subs(p, 1 - wrong), wrong) == [1 / (2 * T)],
        latex=r"\varepsilon<\tfrac{1}{2T}:\ |A|>\varepsilon",
    )
    proof.identity(
        "So, once 1 − p^T ≤ ρ, |A| keeps every row with an error and (ρ−1+p^T)/p^T of the flawless: all of PG's "
        "drift but (1−ρ)T(1−p)/p.",
        drift(_right - (1 - share) * all_right() * best_advantage(1), _wrong),
        by_size * _full(),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = 1-(1-\rho)\,\frac{T(1-p)}{p}",
    )
    _enumerate(
        proof,
        "The same",
        lambda size: lambda right, n: share.subs(T, size) if right and n == size - 1 else sp.Integer(1),
        by_size * _full(),
    )
    by_sign = rho * T * (1 - p) / p
    proof.identity(
        "Exact mean, p ≥ 1 − 1/T: only a flawless row has A > 0. While ρ ≤ p^T delight and advantage, on tokens or "
        "rows, and positive surprisal keep flawless rows alone, and with them ρT(1−p)/p of PG's drift.",
        drift(rho / flawless * all_right() * best_advantage(1), sp.Integer(0)),
        by_sign * _full(),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = \rho\,\frac{T(1-p)}{p}",
    )
    _enumerate(
        proof,
        "The same",
        lambda size: lambda right, n: rho / p**size if right and n == size - 1 else sp.Integer(0),
        by_sign * _full(),
    )
    proof.check(
        "In the limit p → 1, at any fixed ρ < 1: |A| and surprisal keep all of PG's drift, a random choice ρ of it, "
        "and delight and advantage none. What is left to learn from is in answers with an error, which have A < 0.",
        [sp.limit(each, p, 1) for each in (by_size, surprisal, rho, by_sign)] == [1, 1, rho, 0],
        latex=r"p\to1:\ 1,\ 1,\ \rho,\ 0",
    )
    return by_size, by_sign


def _additive(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Show where additive rules stall, 0 < α < 1: at low rates."""
    alpha, odds, wrong_tokens = sp.symbols("alpha o V", positive=True)  # V = M − 1
    chance = 1 / (1 + odds)  # 1 − p

    def score(right: int, surprisal: sp.Expr) -> sp.Expr:
        return alpha * advantage(right) + (1 - alpha) * surprisal

    lead = score(0, sp.log(wrong_tokens / chance)) - score(1, -sp.log(odds * chance))
    ahead = proof.identity(
        "Additive, αA + (1−α)ℓ: a wrong token leads the right one with the same neighbours by (1−α)·log((M−1)o) − "
        "α/T, with o = p/(1−p), whatever the neighbours,",
        sp.expand_log(sp.expand(lead)),
        (1 - alpha) * sp.log(wrong_tokens * odds) - alpha / T,
        latex=r"s_{\mathrm{wrong}}-s_{\mathrm{right}} = (1-\alpha)\log\{(M-1)\,o\}-\tfrac{\alpha}{T}",
    )
    threshold = sp.exp(alpha / ((1 - alpha) * T)) / wrong_tokens
    log_odds = alpha / ((1 - alpha) * T) - sp.log(M - 1)
    stall = 1 / (1 + sp.exp(-log_odds))
    proof.identity(
        "so from these odds on. That is the threshold of Prop. 2 with the reward gap 1/T: a token's own share.",
        sp.solve(ahead, odds)[0],
        threshold,
        latex=r"\log\frac{p^*}{1-p^*} = \frac{\alpha}{(1-\alpha)T}-\log(M-1)",
    )
    proof.identity(
        "As a probability, p* = 1/(1 + (M−1)e^{−α/((1−α)T)}).",
        stall.subs(M, 1 + wrong_tokens),
        threshold / (1 + threshold),
        latex=r"p^* = \frac{1}{1+(M-1)e^{-\alpha/((1-\alpha)T)}}",
    )
    _lowest_rates(proof)
    weighted = stall.subs(M, 1 + wrong_tokens).subs(alpha, _positive / (1 + _positive))
    proof.check(
        "At M = 2, T = 10, α = 1/2 that is p* = 1/(1 + e^{−1/10}) = 0.525. It rises with α; at α = 1 the rule is "
        "advantage, at α = 0 surprisal, and neither stalls.",
        sp.Abs(stall.subs({M: 2, T: 10, alpha: sp.Rational(1, 2)}) - sp.Rational(525, 1000)) < sp.Rational(1, 2000)
        and sp.simplify(sp.diff(weighted, _positive)).is_positive,
        latex=r"\partial_\alpha p^*>0",
    )
    return stall, log_odds


def _lowest_rates(proof: Proof) -> None:
    """As ρ → 0 only the highest atom is kept, one whose T − 1 neighbours are right."""
    up = proof.identity(
        "As ρ → 0 only the highest atom is kept, one whose T − 1 neighbours are right. Before the threshold it is "
        "the right token, with the drift ρ(1−p)²;",
        drift(rho / p**T * all_right() * best_advantage(1), sp.Integer(0)),
        rho * (1 - p) ** 2,
        latex=r"\rho\to0:\ \rho(1-p)^2",
    )
    down = proof.identity(
        "past it the wrong one, with −ρp(1 − 1/T − p). So the first stall is at p*, if p* < 1 − 1/T; else there is "
        "none.",
        drift(sp.Integer(0), rho / (p ** (T - 1) * (1 - p)) * all_right() * best_advantage(0)),
        -rho * p * (1 - 1 / T - p),
        latex=r"\rho\to0:\ -\rho p\left(1-\tfrac1T-p\right)",
    )
    _enumerate(
        proof,
        "The first",
        lambda size: lambda right, n: rho / p**size if right and n == size - 1 else sp.Integer(0),
        up,
    )
    _enumerate(
        proof,
        "The second",
        lambda size: (
            lambda right, n: rho / (p ** (size - 1) * (1 - p)) if not right and n == size - 1 else sp.Integer(0)
        ),
        down,
    )


def _positive_surprisal(proof: Proof) -> sp.Expr:
    """Show that positive surprisal stalls at 1/M while wrong tokens with A > 0 are plenty."""
    cases = []
    for size, vocab_size in ((2, 2), (3, 3), (4, 2), (4, 5)):
        start = sp.Rational(1, vocab_size)
        lucky = {n for n in range(size) if sp.Rational(n, size) > start}
        found = mean_field(size, lambda right, n, good=lucky: sp.Integer(not right and n in good))  # type: ignore[misc]
        value = found.subs(p, start)
        cases.append(value < 0 if lucky else sp.And(sp.Eq(value, 0), start >= 1 - sp.Rational(1, size)))
    proof.sample(
        "Positive surprisal, just above p = 1/M: up to the rate P(wrong, A > 0) only wrong tokens with A > 0 are "
        "kept, and each pulls down; none has A > 0 if 1/M ≥ 1 − 1/T. (T, M) = (2, 2), (3, 3), (4, 2), "
        "(4, 5).",
        cases,
        latex=r"\mathrm{drift} \propto -\mathbb E[A_+\,;\ \mathrm{wrong}]\,p \le 0",
    )
    rate = proof.identity(
        "In a large vocabulary, 1/M < 1/T, one right neighbour will do: M·P(wrong, A > 0) → T − 1.",
        sp.Limit(M * (1 - 1 / M) * (1 - (1 - 1 / M) ** (T - 1)), M, sp.oo),
        T - 1,
        latex=r"M\left(1-\tfrac1M\right)\left(1-\left(1-\tfrac1M\right)^{T-1}\right)\to T-1",
    )
    proof.argue(
        "So positive surprisal stalls where learning starts, at 1/M, at every rate 0 < ρ ≤ P(wrong, A > 0), which is "
        "positive iff 1/M < 1 − 1/T and about (T−1)/M in a large vocabulary. At higher rates it may stall later, or "
        "not at all.",
        "at p = 1/M all surprisals tie and rows are kept by A alone, with drift E[g(A)A²] ≥ 0 (token-trap); just "
        "above it is negative, and a fall through zero by a jump is a stall point. A wrong token with all neighbours "
        "right has A = 1 − 1/T − p; the chance that one of T − 1 neighbours is right is about (T−1)/M.",
        latex=r"p^* = \tfrac1M\quad(0<\rho\le P(\mathrm{wrong},\,A>0))",
    )
    proof.identity(
        "From p = 1 − 1/T on no wrong token has A > 0: at p = 1 − 1/T + y the best has −y.",
        best_advantage(0).subs(p, 1 - 1 / T + _positive),
        -_positive,
    )
    proof.identity("Right tokens have the mean advantage (1−p)/T.", neighbour_mean(advantage(1)), (1 - p) / T)
    proof.argue(
        "So there the drift is not negative under any of these rules, and a stall lies below.",
        "wrong tokens that are kept pull upwards or not at all. Delight, advantage, additive and positive surprisal "
        "keep right tokens in descending order of A, and then Σ A over those kept is at least min(0, E[A | right]) = "
        "0; |A| has E[G·A²], surprisal and a random choice are above.",
        latex=r"p\ge1-\tfrac1T:\ \mathrm{drift}\ge0",
    )
    return rate / M


def derive() -> Derivation:
    """Derive which rules stall, where, and what the others keep of PG's drift as p → 1."""
    proof = Proof(
        "token-screening",
        "A token gate at a fixed rate, on tokens that share one advantage, never stalls if it ranks by |advantage|, "
        "advantage or surprisal. By an additive rule, 0 < α < 1, it stalls as ρ → 0 at log-odds α/((1−α)T) − "
        "log(M−1), if that is below p = 1 − 1/T; by positive surprisal at p = 1/M, at rates up to P(wrong, A > 0) "
        "there. As p → 1, at any ρ < 1, it keeps all of PG's drift by |advantage| or surprisal, none by delight or "
        "advantage.",
        (
            "T independent tokens, each right with probability p; the wrong mass is even over M − 1 tokens",
            "reward the share of right tokens, baseline its exact mean, or the mean of S answers where said",
            "infinitely many rows; the top ρ of all tokens, the atom at the price in proportion",
        ),
    )
    _advantage_alone(proof)
    early, late = _surprisal(proof)
    by_size, by_sign = _late(proof, late)
    stall, log_odds = _additive(proof)
    lucky = _positive_surprisal(proof)
    return proof.conclude(
        surprisal_drift=early,
        late_share_surprisal=late,
        late_share_abs_advantage=by_size,
        late_share_delight=by_sign,
        surprisal_start=early.subs(p, 1 / M) / _full().subs(p, 1 / M),
        additive_stall=stall,
        additive_log_odds=log_odds,
        lucky_wrong_tokens=lucky,
    )
