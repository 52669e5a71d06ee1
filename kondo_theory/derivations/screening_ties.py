"""What is kept where everything that ties with the k-th score is kept, and answers share their tokens' advantage.

Source: this project; the gate is that of the code of [KG] (I. Osband, arXiv 2603.20526).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

Score = Callable[[int], int]

_p = sp.Symbol("p", positive=True)
_P, _n, _N, _T = (sp.Symbol(name, positive=True, integer=True) for name in ("P", "n", "N", "T"))
_RING = sp.ring([_p], sp.QQ)[0]  # polynomials in p
_RULES: dict[str, Score] = {"advantage": lambda distance: distance, "|advantage|": abs}
_SIZES = ((1, 2, 2), (1, 2, 3), (2, 2, 2), (1, 3, 2))  # T, P, n


def _late_loss_advantage() -> sp.Expr:
    """Return the claimed share of the answers that is not kept near p = 1, by advantage."""
    return _T * (_N - _n + 1) * (1 - _p)


def _late_loss_abs_advantage() -> sp.Expr:
    """Return the same by |advantage|."""
    return _T * (_N - _n) * (1 - _p)


def _mixed() -> sp.Expr:
    """Return the probability that two answers of one token differ."""
    return 2 * _p * (1 - _p)


def _pairs(kept_of_a_pair: sp.Expr) -> sp.Expr:
    """Return the claimed share kept of P pairs of answers of one token, m = 1."""
    return (1 - _mixed()) ** _P + _mixed() * kept_of_a_pair


@cache
def _group(T: int, n: int) -> tuple[tuple[tuple[int, ...], sp.Expr], ...]:
    """Return the points of a group's answers with their probabilities, polynomials in p."""
    p = _RING.from_expr(_p)
    mass = [sp.binomial(T, x) * p**x * (1 - p) ** (T - x) for x in range(T + 1)]
    rows = product(range(T + 1), repeat=n)
    return tuple((row, sp.prod([mass[x] for x in row], start=_RING.one)) for row in rows)


def _scores(row: tuple[int, ...], score: Score) -> list[int]:
    return [score(len(row) * x - sum(row)) for x in row]


def _enumerated(T: int, P: int, n: int, m: int, score: Score) -> sp.Expr:
    """Return the expected share kept, from all batches: whatever is at least the m-th largest score."""
    share = _RING.zero
    for batch in product(_group(T, n), repeat=P):
        scores = [each for row, _ in batch for each in _scores(row, score)]
        price = sorted(scores, reverse=True)[m - 1]
        chance = sp.prod([mass for _, mass in batch], start=_RING.one)
        share += chance * sp.QQ(sum(each >= price for each in scores), P * n)
    return share.as_expr()


def _counted(T: int, P: int, n: int, m: int, score: Score) -> sp.Expr:
    """Return the same from the first answer's score and how many of each group are above it."""
    share = _RING.zero
    levels = {each for row, _ in _group(T, n) for each in _scores(row, score)}
    for level in levels:
        group, own = [_RING.zero] * (n + 1), [_RING.zero] * (n + 1)
        for row, mass in _group(T, n):
            found = _scores(row, score)
            n_above = sum(each > level for each in found)
            group[n_above] += mass
            if found[0] == level:
                own[n_above] += mass
        law = own
        for _ in range(P - 1):
            law = _sum_of(law, group, m)
        share += sum(law[:m], _RING.zero)
    return share.as_expr()


def _sum_of(one: list[sp.Expr], other: list[sp.Expr], m: int) -> list[sp.Expr]:
    """Return the law of a sum of two counts, its first m values."""
    found = [_RING.zero] * m
    for x, y in product(range(len(one)), range(len(other))):
        if x + y < m:
            found[x + y] += one[x] * other[y]
    return found


def _which(proof: Proof) -> None:
    """Show which answers are kept, and how many are on average."""
    proof.define(
        "Of N = P·n answers of T tokens the score of each token is f(A), A its answer's reward less the mean over "
        "the n answers to its prompt. Kept is every token whose score is at least the k-th largest.",
        r"\text{keep}_{it}\iff f(A_i)\ge s_{(k)}",
    )
    proof.argue(
        "An answer is kept whole, if and only if fewer than m = ⌈k/T⌉ answers score above it; so at least k tokens "
        "are, and more than k unless the m-th answer ends at the k-th token and ties with no later one.",
        "the T tokens of an answer tie, so the k-th token is of the m-th answer; a score is at least the m-th "
        "largest if and only if fewer than m are above it",
        latex=r"\text{keep}_i\iff\#\{j: f(A_j)>f(A_i)\}<m,\quad m=\lceil k/T\rceil",
    )
    for name, score in _RULES.items():
        agrees = [
            sp.expand(_enumerated(T, P, n, m, score) - _counted(T, P, n, m, score)) == 0
            for T, P, n in _SIZES
            for m in range(1, P * n + 1)
        ]
        proof.sample(
            "Answers are alike, so the expected share is the chance that the first is kept: groups are independent, "
            f"and of each the number above is drawn from one law. By {name}, against all batches with T, P, n of "
            + "; ".join(", ".join(map(str, size)) for size in _SIZES)
            + " and every m, as polynomials in p.",
            agrees,
            latex=r"\mathbb E\,\text{share}=\sum_v P\big(f(A_1)=v,\ X_1(v)+\dots+X_P(v)<m\big)",
        )


def _extremes(proof: Proof) -> None:
    """Show what the random choice keeps, what exactly k are, and what pairs of answers give."""
    proof.argue(
        "By the random choice all scores are the same: everything is kept, and the gradient is the policy "
        "gradient's, whatever the rate.",
        "none is above another",
        latex=r"f\equiv0:\quad\text{share}=1",
    )
    proof.argue(
        "Where ties at the k-th score are broken at random k tokens are kept by every rule: equal rates.",
        "k is a number of the batch, not of the scores, which are finite",
        latex=r"\#\text{kept}=k",
    )
    for name, kept in (("advantage", sp.Rational(1, 2)), ("|advantage|", sp.Integer(1))):
        score = _RULES[name]
        proof.check(
            f"Pairs of answers of one token, m = 1, by {name}: all are kept if no pair differs, else of each pair "
            "that does " + ("the right one" if kept != 1 else "both") + "; here for P = 1, 2 and 3.",
            every(sp.expand(_enumerated(1, P, 2, 1, score) - _pairs(kept).subs(_P, P)) == 0 for P in (1, 2, 3)),
            latex=rf"\mathbb E\,\text{{share}} = (1-d)^P+{sp.latex(kept)}\,d,\quad d=2p(1-p)",
        )


def _late(proof: Proof) -> None:
    """Near p = 1 nearly everything is kept, and nearly nothing of it moves."""
    right = _p ** (_N * _T)
    one_wrong = _N * _T * (1 - _p) * _p ** (_N * _T - 1)
    for name, kept, claimed, where in (
        ("advantage", _n - 1, _late_loss_advantage(), "m < n"),
        ("|advantage|", _n, _late_loss_abs_advantage(), "1 < m ≤ n"),
    ):
        proof.identity(
            f"To first order in 1 − p, {where}, by {name}: all N are kept of a batch without a wrong token, and of "
            f"one with a single wrong token {'the n − 1 other' if name == 'advantage' else 'all n'} answers to its "
            "prompt.",
            sp.diff(right + kept / _N * one_wrong, _p).subs(_p, 1),
            -sp.diff(claimed, _p),
            latex=rf"1-\mathbb E\,\text{{share}} = {sp.latex(claimed)}+O((1-p)^2)",
        )
        size = {_T: 1, _N: 4, _n: 2}
        proof.check(
            f"The same, from all batches of two pairs of one token, m = {1 if name == 'advantage' else 2}.",
            sp.diff(_enumerated(1, 2, 2, 1 if name == "advantage" else 2, _RULES[name]), _p).subs(_p, 1)
            == -sp.diff(claimed.subs(size), _p),
            latex=r"-\frac{d}{dp}\,\mathbb E\,\text{share}\big|_{p=1} = "
            + sp.latex(-sp.diff(claimed.subs(size), _p).subs(_p, 1)),
        )
    mean = 1 - 1 / (_n * _T)
    right_pull = (_n - 1) * (1 - mean) * _T * (1 - _p)
    wrong_pull = (1 - 1 / _T - mean) * ((_T - 1) * (1 - _p) - _p)
    proof.identity(
        "What advantage keeps there has little pull: the n − 1 right answers, A = 1/(nT), against the wrong one, "
        "A = −(n − 1)/(nT), which only |advantage| keeps. Pulls are A times the sum of x − p over an answer's "
        "tokens.",
        right_pull / wrong_pull,
        _T * (1 - _p) / (1 - _T * (1 - _p)),
        latex=r"\frac{(n-1)\,\frac1{nT}\,T(1-p)}{\frac{n-1}{nT}\{1-T(1-p)\}} = \frac{T(1-p)}{1-T(1-p)}\to0",
    )


def derive() -> Derivation:
    """Derive what a gate keeps that keeps whatever ties with the k-th score."""
    proof = Proof(
        "screening-ties",
        "A gate that keeps whatever ties with the k-th score keeps an answer whole, by a rule of the advantage, if "
        "and only if fewer than ⌈k/T⌉ answers score above it. Near p = 1 it keeps all but a share T(N−n+1)(1−p) of N "
        "answers by advantage, all but T(N−n)(1−p) by |advantage|; the random choice keeps all. Ties broken by "
        "chance keep k.",
        (
            "N = P·n answers to P prompts, T independent tokens each, all right with probability p",
            "reward: the share of right tokens; baseline: the mean over the n ≥ 2 answers to a prompt",
            "late: m = ⌈k/T⌉ < n for advantage, 1 < m ≤ n for |advantage|",
        ),
    )
    _which(proof)
    _extremes(proof)
    _late(proof)
    return proof.conclude(
        late_loss_advantage=_late_loss_advantage(),
        late_loss_abs_advantage=_late_loss_abs_advantage(),
        pairs_advantage=_pairs(sp.Rational(1, 2)),
        pairs_abs_advantage=_pairs(sp.Integer(1)),
    )
