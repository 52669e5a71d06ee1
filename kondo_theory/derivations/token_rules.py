"""Which rules on tokens stall: those that look at advantage and surprisal both; what unequal positions get.

Source: this project. The rules are those that :mod:`kondo_theory.screening.token_rules` and its registry name, with
their sources.

It is longer than 300 lines because the rules share one mean field, and their proof is read in one piece.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.token_moments import T, advantage, best_advantage, drift, neighbour_mean, neighbours, p
from kondo_theory.derivations.token_trap import mean_field

__all__ = ["derive"]

rho, M, alpha, beta = sp.symbols("rho M alpha beta", positive=True)
w_right, w_wrong = sp.symbols("w_r w_w", nonnegative=True)
n, f, o = sp.symbols("n f o", positive=True, integer=True)
_k = sp.Symbol("k", integer=True, nonnegative=True)
_right, _wrong = neighbour_mean(advantage(1)), neighbour_mean(advantage(0))  # E[A | right], E[A | wrong]
_odds = sp.Symbol("y", positive=True)


def _full() -> sp.Expr:
    """Return PG's drift, p(1 − p)/T."""
    return p * (1 - p) / T


def _blind(right: sp.Expr = w_right, wrong: sp.Expr = w_wrong) -> sp.Expr:
    """Return the claimed share of PG's drift that weights of right and wrong tokens leave."""
    return (1 - p) * right + p * wrong


def _unequal(position: int) -> sp.Expr:
    """Return how far a position of three, p_t unequal, is from the claimed drift under weights, by enumeration."""
    chances = sp.symbols("p1:4", positive=True)
    total = sp.Integer(0)
    for row in product((1, 0), repeat=3):
        mass = sp.Mul(*(c if right else 1 - c for c, right in zip(chances, row, strict=True)))
        own, weight = chances[position], w_right if row[position] else w_wrong
        total += mass * weight * sp.Rational(1, 3) * (sum(row) - sum(chances)) * (row[position] - own)
    return sp.cancel(total / (own * (1 - own) / 3) - _blind().subs(p, own))


def _without_the_advantage(proof: Proof) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Rules and weights that do not look at the advantage leave a positive share of PG's drift."""
    share = proof.identity(
        "A rule that does not look at the advantage keeps, or weights, right tokens of a position by w_r and wrong "
        "ones by w_w, whatever their neighbours. As E[A | right] = (1−p)/T and E[A | wrong] = −p/T, it leaves this "
        "share of PG's drift:",
        drift(w_right * _right, w_wrong * _wrong) / _full(),
        _blind(),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = (1-p)w_r+p\,w_w",
    )
    proof.sample(
        "The same at each of three positions with unequal p_t (by enumeration of their rows).",
        (_unequal(position) == 0 for position in range(3)),
        latex=r"\mathrm{drift}_t = \frac{p_t(1-p_t)}{T}\{(1-p_t)w_r+p_t\,w_w\}",
    )
    proof.check(
        "It is positive unless both weights are zero: no rule of surprisal, probability or entropy alone stalls "
        "while it keeps anything of the position.",
        _blind().subs(p, _odds / (1 + _odds)).subs({w_right: sp.Symbol("a", positive=True)}).is_positive
        and _blind().subs(p, _odds / (1 + _odds)).subs({w_wrong: sp.Symbol("a", positive=True)}).is_positive,
        latex=r"(1-p)w_r+p\,w_w>0",
    )
    proof.identity(
        "By probability, p > 1/M: right tokens come first, and while ρ ≤ p a share ρ/p of them is kept, which leaves "
        "ρ(1−p)/p of PG's drift: nothing as p → 1.",
        drift(rho / p * _right, sp.Integer(0)) / _full(),
        rho * (1 - p) / p,
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = \rho\,\frac{1-p}{p}",
    )
    weighted = proof.identity(
        "All tokens, their advantage weighted by απ + 1 − α, π the token's probability: 1 − α as p → 1.",
        drift((alpha * p + 1 - alpha) * _right, (alpha * (1 - p) / (M - 1) + 1 - alpha) * _wrong) / _full(),
        1 - alpha + alpha * p * (1 - p) * M / (M - 1),
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = 1-\alpha+\alpha\,p(1-p)\,\frac{M}{M-1}",
    )
    percentile = proof.identity(
        "Kept with the probability F(ℓ)^β, F the distribution of surprisals, p > 1/M: F is p at right tokens and 1 "
        "at wrong ones.",
        drift(p**beta * _right, _wrong) / _full(),
        p + (1 - p) * p**beta,
        latex=r"\frac{\mathrm{drift}}{p(1-p)/T} = p+(1-p)\,p^\beta",
    )
    proof.define(
        "The policy gradient's own loss is −A·log π = Aℓ: with that loss the same method ranks by delight, which "
        "looks at both.",
        r"-A\log\pi=\chi",
    )
    return share, weighted, percentile


def _rises(size: int, chance: sp.Rational) -> bool:
    """Return whether E[f(A) | right] exceeds E[f(A) | wrong] at one p: where A > 0 is kept, and the largest |A|."""

    def advantage_of(right: bool, near: int) -> sp.Expr:
        return sp.Rational(near + right, size) - chance

    def largest(least: sp.Expr) -> sp.Expr:
        return mean_field(size, lambda *token: sp.Integer(bool(abs(advantage_of(*token)) >= least)), chance)

    positive = mean_field(size, lambda *token: sp.Integer(bool(advantage_of(*token) > 0)), chance)
    return every(bool(each > 0) for each in (positive, *(largest(abs(advantage_of(False, n))) for n in range(size))))


def _positive_advantage(proof: Proof) -> None:
    """Rules of the advantage alone keep answers whole."""
    proof.argue(
        "A rule of the advantage alone keeps or drops answers whole (row-gate). Where A > 0 alone is kept, or the "
        "largest |A|, the drift of each position is p(1−p)(E[f | right] − E[f | wrong]) ≥ 0, f = A₊ or A·1{|A| ≥ c}, "
        "its p_t unequal or not.",
        "neither f falls when the position's own token turns right, its neighbours as they are; nor does f where a "
        "share of |A| = c is kept. An f that jumps down as A grows, as by the advantage from a price below zero on, "
        "may",
        every(_rises(size, sp.Rational(x, 7)) for size in (2, 3, 4) for x in (1, 3, 6)),
        latex=r"\mathbb E[f(A)\mid\mathrm{right}]\ge\mathbb E[f(A)\mid\mathrm{wrong}]",
        points=9,
    )


def _entropy(proof: Proof) -> sp.Expr:
    """Rules of entropy: each position gets a share, and free positions may take all."""
    entropy = -p * sp.log(p) - (1 - p) * sp.log((1 - p) / (M - 1))
    words = sp.Symbol("V", positive=True)  # M − 1
    slope = proof.identity(
        "The entropy of a position changes by −log((M−1)o) for each unit of p, o = p/(1−p) its odds:",
        sp.diff(entropy, p).subs({p: _odds / (1 + _odds), M: 1 + words}),
        -sp.log(words * _odds),
        latex=r"H'(p) = -\log\{(M-1)\,o\}",
    )
    proof.argue(
        "So a free position, uniform for ever, has more entropy than one with p > 1/M, and a smaller p > 1/M more "
        "than a larger.",
        "the logarithm is zero at the odds 1/(M−1), p = 1/M, and positive above",
        slope.subs(_odds, 1 / words) == 0 and slope.subs(_odds, 2 / words).is_negative,
        latex=r"p>\tfrac1M:\ H'(p)<0",
    )
    left = sp.Symbol("s", real=True)
    share = proof.identity(
        "Of T = n + f positions f are free, and the n open ones alike: at ρ > f/T a share s of the open tokens is "
        "kept beside all free ones, whatever their advantage, and with it that share of PG's drift. At ρ ≤ f/T it is "
        "none, from 1/M on.",
        sp.solve(sp.Eq(f + n * left, rho * (n + f)), left)[0],
        (rho * (n + f) - f) / n,
        latex=r"s = \frac{\rho\,(n+f)-f}{n}",
    )
    proof.argue(
        "Where the others are learnt instead, the n open ones come first, and at ρ = n/T keep all of PG's drift.",
        "the smaller p has more entropy; all their tokens are kept then, w_r = w_w = 1",
        sp.simplify(_blind(sp.Integer(1), sp.Integer(1))) == 1,
        latex=r"\rho=\tfrac nT:\ \mathrm{drift}=\tfrac{p(1-p)}{T}",
    )
    proof.argue(
        "By |A|·H a token of an open position is kept only if |A|·H(p) exceeds the price. As ρ → 0 the price is the "
        "largest |A| times log M, that of free positions: nothing open is kept from 1/M on.",
        "A is shared, so tokens of open and free positions of one answer have the same |A|, and the free one more H",
        latex=r"|A|\,H(p)<|A|\log M",
    )
    return share


def _excess() -> sp.Expr:
    """Return the claimed E[(N − np − 1)₊], N ~ Bin(n, p)."""
    return sp.Sum(sp.binomial(n, _k) * p**_k * (1 - p) ** (n - _k) * sp.Max(_k - n * p - 1, 0), (_k, 0, n))


def _beside(size: int, learnt: int) -> sp.Expr:
    """Return E[A₊ | wrong] at a learnt position, q → 1, beside ``size`` open ones of p = 1/2, by enumeration."""
    chance, T_all = sp.Rational(1, 2), size + learnt
    total = sp.Integer(0)
    for row in product((1, 0), repeat=size):
        reward = sp.Rational(sum(row) + learnt - 1, T_all)
        total += chance**size * sp.Max(reward - (size * chance + learnt) / T_all, 0)
    return total * T_all


def _spurious(proof: Proof) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Show that dropping improbable tokens of A > 0 adds what keeping them alone takes away."""
    lucky = sp.Symbol("L", nonnegative=True)  # E[A₊ | wrong]
    proof.identity(
        "Wrong tokens with A > 0 dropped, L = E[A₊ | wrong], all others kept: the drift is PG's and p(1−p)L more.",
        drift(_right, _wrong - lucky),
        _full() + p * (1 - p) * lucky,
        latex=r"\mathrm{drift} = p(1-p)\left(\tfrac1T+L\right)",
    )
    proof.sample(
        "The same by enumeration of the rows, T = 2 to 4, at p = 1/5, where L > 0.",
        (
            _sound(size, chance) == chance * (1 - chance) * (sp.Rational(1, size) + _lucky(size, chance))
            for size, chance in ((2, sp.Rational(1, 5)), (3, sp.Rational(1, 5)), (4, sp.Rational(1, 5)))
        ),
        latex=r"\mathrm{drift} = p(1-p)\left(\tfrac1T+L\right)",
    )
    proof.argue(
        "Delight among the rest sends no position back: where wrong tokens with A > 0 are dropped and right ones "
        "are not, no drift is negative, at any rate.",
        "right tokens of a position have one surprisal, so they are kept in descending order of A while A > 0, and "
        "with the least |A| first, which is descending again, where A < 0: the sum of A over those kept is at least "
        "min(0, E[A | right]) = 0, as (1−p)/T > 0. Wrong tokens that are left have A ≤ 0 and push upwards or not.",
        every(_descending(size, sp.Rational(x, 7)) for size in (2, 3, 4) for x in (1, 3, 6)),
        latex=r"\mathrm{drift}\ge0",
        points=9,
    )
    excess = _excess()
    proof.sample(
        "A position that is learnt, q → 1, beside n open ones of p and other learnt ones: a wrong token there has A "
        "= (N − np − 1)/T, N ~ Bin(n, p) (enumerated at p = 1/2, n = 2 to 5, one and three learnt positions).",
        (
            _beside(size, learnt) == excess.subs({n: size, p: sp.Rational(1, 2)}).doit()
            for size in (2, 3, 4, 5)
            for learnt in (1, 3)
        ),
        latex=r"T\,\mathbb E[A_+\mid\mathrm{wrong}]\to\mathbb E[(N-np-1)_+]",
    )
    proof.argue(
        "Its log-odds move by the drift over q(1−q). While ρ is below the share of open tokens with A > 0, delight "
        "and positive surprisal move them by −E[(N−np−1)₊]/T, PG by 1/T, and what is left where those tokens are "
        "dropped by 1/T + E[(N−np−1)₊]/T: delight forgets it.",
        "the price of delight stays positive, for more than ρ of the tokens have A > 0 at open positions; a learnt "
        "right token has a delight of A·log(1/q) → 0, below it, and a wrong one one of A·log((M−1)/(1−q)) → ∞ where "
        "A > 0. By positive surprisal the same tokens come first and last.",
        excess.subs({n: 4, p: sp.Rational(1, 2)}).doit() == sp.Rational(1, 16),
        latex=r"\dot z\to-\tfrac1T\mathbb E[(N-np-1)_+]",
        points=1,
    )
    return 1 / T + lucky, excess, excess.subs({n: 100, p: sp.Rational(1, 2)})


def _sound(size: int, chance: sp.Rational) -> sp.Expr:
    """Return the drift of all tokens but wrong ones with A > 0, by enumeration."""
    return mean_field(size, lambda right, near: sp.Integer(bool(right or sp.Rational(near, size) <= chance)), chance)


def _lucky(size: int, chance: sp.Rational) -> sp.Expr:
    """Return E[A₊ | wrong] by enumeration."""
    return sp.Add(
        *(
            sp.binomial(size - 1, near) * chance**near * (1 - chance) ** (size - 1 - near)
            * sp.Max(sp.Rational(near, size) - chance, 0)
            for near in range(size)
        )
    )  # fmt: skip


def _descending(size: int, chance: sp.Rational) -> bool:
    """Return whether right tokens, kept in descending order of A, have no negative sum of A at one p."""
    total, sums = sp.Integer(0), []
    for near in reversed(range(size)):
        mass = sp.binomial(size - 1, near) * chance**near * (1 - chance) ** (size - 1 - near)
        total += mass * (sp.Rational(near + 1, size) - chance)
        sums.append(total >= 0)
    return every(bool(each) for each in sums)


def _late_stall() -> sp.Expr:
    """Return the claimed p at which the weighted size of the advantage stalls as ρ → 0."""
    return (T + 1) / (2 * T)


def _weighted_size(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Ranked by |A| times a weight that falls with the surprisal: a stall late."""
    worst = advantage(1).subs(neighbours, 0)  # a right token whose neighbours are all wrong
    proof.identity(
        "Ranked by |A|(απ + 1 − α), p > 1/M, a right token comes before a wrong one of the same |A|. The first right "
        "token is the one of a flawless row, A = 1 − p, until the one whose neighbours are all wrong, A = 1/T − p, "
        "overtakes it:",
        (best_advantage(1) + worst).subs(p, _late_stall()),
        sp.Integer(0),
        latex=r"1-p=p-\tfrac1T\iff p=\tfrac{T+1}{2T}",
    )
    at = _late_stall()
    lead = (1 - at) * (alpha * at + 1 - alpha) - at * (alpha * (1 - at) / (M - 1) + 1 - alpha)
    condition = proof.identity(
        "There it comes before the wrong token of a row without a right one, |A| = p, where this is positive:",
        lead * 4 * T**2,
        alpha * (T**2 - 1) * (M - 2) / (M - 1) - 4 * T * (1 - alpha),
    )
    proof.identity(
        "As ρ → 0 the drift is then that of the right token in the worst row, kept in the share ρ over its mass: "
        "−ρ(p − 1/T)(1 − p) < 0 (here T = 3).",
        mean_field(3, lambda right, near: rho / (p * (1 - p) ** 2) if right and near == 0 else sp.Integer(0)),
        -rho * (p - sp.Rational(1, 3)) * (1 - p),
        latex=r"\rho\to0:\ -\rho\left(p-\tfrac1T\right)(1-p)",
    )
    proof.argue(
        "So as ρ → 0 it stalls at (T+1)/(2T), where the condition holds: a common right token of a failed answer is "
        "the mirror of the rare wrong one of a lucky answer.",
        "before it the first token is a right one with A > 0 or the wrong one with A = −p, and either pushes "
        "upwards; a wrong one with A > 0 comes behind the right one of its neighbours, which has the larger A and "
        "weight",
        sp.simplify(best_advantage(1) - best_advantage(0) - 1 / T) == 0,
        latex=r"p^*=\tfrac{T+1}{2T}",
    )
    return _late_stall(), condition


def derive() -> Derivation:
    """Derive which rules on tokens stall, and what unequal positions get of PG's drift."""
    proof = Proof(
        "token-rules",
        "A token gate that does not look at advantages leaves (1−p)w_r + p·w_w of PG's drift at every position, w "
        "the shares kept of right and wrong tokens, and sends none back; one of advantages alone keeps answers "
        "whole. By entropy n open positions beside f free ones get (ρ(n+f)−f)/n of it, or nothing. Improbable "
        "tokens of A > 0 are what delight keeps first: kept, a learnt position beside open ones is forgotten; where "
        "they alone are dropped more than PG's drift is left, and delight among the rest sends no position back. "
        "|A| weighted by probability stalls late.",
        (
            "T independent tokens; the wrong mass is even over M − 1 tokens; free positions are uniform and not "
            "judged",
            "reward the share of right tokens among those judged, baseline its exact mean, infinitely many rows",
            "the top ρ of all tokens, the atom at the price in proportion",
        ),
    )
    share, weighted, percentile = _without_the_advantage(proof)
    _positive_advantage(proof)
    entropy = _entropy(proof)
    masked, excess, many = _spurious(proof)
    stall, condition = _weighted_size(proof)
    return proof.conclude(
        blind_share=share,
        probable_share=rho * (1 - p) / p,
        weighted_share=weighted,
        percentile_share=percentile,
        entropy_share=entropy,
        masked_speed=masked,
        forgetting=excess,
        forgetting_at_four=excess.subs({n: 4, p: sp.Rational(1, 2)}).doit(),
        forgetting_at_hundred=many,
        late_stall=stall,
        late_condition=condition,
    )
