"""Gates that weight what they keep by one over its probability: their noise, what it costs, and where it pays.

Source: this project; Horvitz and Thompson's weights, on tokens after arXiv 2603.06619.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import (
    K,
    alpha_squared,
    at_odds,
    b,
    correct_score,
    epsilon,
    p,
    s_minus,
    s_plus,
    signal_squared,
    var_parallel,
    var_perpendicular,
    w_minus,
    w_plus,
    wrong_score,
)

__all__ = ["derive"]

_k, _c, _Q, _v, _V, _gap = (sp.Symbol(name, positive=True) for name in ("k", "c", "Q", "v", "V", "delta"))
_kept = sp.symbols("w1:4", positive=True)
_drawn = sp.symbols("q1:4", positive=True)
_part = sp.symbols("y1:4", real=True)
_survival = sp.symbols("p_1:4", positive=True)
_D = sp.Symbol("D", positive=True)


def _added() -> sp.Expr:
    """Return the claimed extra variance along a direction, over three kinds of samples."""
    return sum(q * (1 / w - 1) * y**2 for q, w, y in zip(_drawn, _kept, _part, strict=True))


def _weighted_parallel() -> sp.Expr:
    """Return the variance along ∇J of a gate of weight 1/w, by the project's formula for any second moments."""
    return var_parallel(correct=1, wrong=1, correct_second=1 / w_plus, wrong_second=1 / w_minus)


def _wrong_ratio() -> sp.Expr:
    """Return the claimed D."""
    return sp.sqrt(1 + (K - 2) / (K * p**2))


def _cost() -> sp.Expr:
    """Return the claimed least cost of signal, with D as a symbol."""
    return ((1 - b) + b * _D) ** 2


def _crossing() -> sp.Expr:
    """Return the claimed batch size at which both errors agree, with D as a symbol."""
    return (_D**2 + 2 * _D * (1 - b) / b) / p - 2 / b + 1


def _top_kept() -> sp.Expr:
    """Return the claimed noise of winner take all: v is the variance of one draw of the rest."""
    return _Q**2 * _v / (_k - _c)


def _prefix() -> sp.Expr:
    """Return the claimed noise of prefixes along a direction, an answer of three tokens."""
    odds = [1 / each - 1 for each in _survival]
    pairs = [2 * odds[s] * _part[s] * _part[t] for s, t in product(range(3), repeat=2) if s < t]
    return sum(o * y**2 for o, y in zip(odds, _part, strict=True)) + sum(pairs)


def _without_bias(proof: Proof) -> None:
    """Show mean and variance of the kept, weighted by 1/w."""
    proof.define(
        "Samples of three kinds are drawn with probabilities q; y is the gradient's part along any direction. A "
        "sample is kept, G = 1, with probability w, and weighted by 1/w.",
        r"\hat y=\frac{G}{w}\,y,\qquad P(G=1)=w",
    )
    outcomes = [(q * w, y / w) for q, w, y in zip(_drawn, _kept, _part, strict=True)]
    mean = sum(q * y for q, y in zip(_drawn, _part, strict=True))
    everything = sum(q * y**2 for q, y in zip(_drawn, _part, strict=True)) - mean**2
    proof.identity(
        "The mean is that of all samples, and the variance is theirs plus E[(1/w − 1)y²].",
        sum(chance * y**2 for chance, y in outcomes) - sum(chance * y for chance, y in outcomes) ** 2,
        everything + _added(),
        latex=r"\operatorname{Var}\hat y=\operatorname{Var}y+\mathbb E\left[\left(\tfrac1w-1\right)y^2\right]",
    )
    pairs = [(i, j) for i, j in product(range(3), repeat=2) if i < j]
    lengths = sp.symbols("L1:4", positive=True)
    proof.identity(
        "By Lagrange's identity E w·E[‖g‖²/w] exceeds (E‖g‖)² by a sum of squares, ‖g‖ = L,",
        sum(q * w for q, w in zip(_drawn, _kept, strict=True))
        * sum(q * length**2 / w for q, length, w in zip(_drawn, lengths, _kept, strict=True))
        - sum(q * length for q, length in zip(_drawn, lengths, strict=True)) ** 2,
        sum(
            _drawn[i] * _drawn[j] * (_kept[i] * lengths[j] - _kept[j] * lengths[i]) ** 2 / (_kept[i] * _kept[j])
            for i, j in pairs
        ),
    )
    proof.argue(
        "so that at every rate the cost of signal is at least (E‖g‖)²/‖∇J‖² ≥ 1, attained at w = s‖g‖ ≤ 1.",
        "the squares vanish where w is proportional to L; and ‖E g‖ ≤ E‖g‖, as the norm is convex",
        every((_kept[i] * lengths[j] - _kept[j] * lengths[i]).subs(
            dict(zip(_kept, (_D * length for length in lengths), strict=True))) == 0 for i, j in pairs),
        latex=r"c=\frac{\rho\,\mathbb E[\lVert g\rVert^2/w]}{\lVert\nabla J\rVert^2}"
        r"\ge\frac{(\mathbb E\lVert g\rVert)^2}{\lVert\nabla J\rVert^2}",
    )  # fmt: skip


def _symmetric(proof: Proof) -> None:
    """Show the moments in one symmetric context, and the least cost."""
    right, wrong = 1 / w_plus - 1, 1 / w_minus - 1
    proof.identity(
        "One symmetric context: along ∇J the variance is PG's and",
        _weighted_parallel() - var_parallel(correct=1, wrong=1, correct_second=1, wrong_second=1),
        alpha_squared * (p * right * (1 - b) ** 2 * epsilon**2 + epsilon * wrong * b**2 * p**2),
    )
    proof.identity(
        "and the whole second moment; D is the length of a wrong arm's score over its part along ∇J.",
        p / w_plus * (1 - b) ** 2 * correct_score().dot(correct_score())
        + epsilon / w_minus * b**2 * wrong_score().dot(wrong_score()),
        signal_squared() * ((1 - b) ** 2 / (p * w_plus) + b**2 * _wrong_ratio() ** 2 / (epsilon * w_minus)),
        latex=r"\mathbb E\lVert\hat g\rVert^2=\lVert\nabla J\rVert^2"
        r"\left(\frac{(1-b)^2}{pw_+}+\frac{b^2D^2}{\varepsilon w_-}\right)",
    )
    along = wrong_score().dot(correct_score()) ** 2 / correct_score().dot(correct_score())
    proof.identity("Indeed D² is", wrong_score().dot(wrong_score()) / along, _wrong_ratio() ** 2)
    lengths = p * (1 - b) * epsilon + epsilon * b * p * _D  # E‖g‖ over α
    proof.identity(
        "So the least cost of signal of gates without bias is, zero price having one,",
        alpha_squared * lengths**2 / signal_squared(),
        _cost(),
        latex=r"\frac{(\mathbb E\lVert g\rVert)^2}{\lVert\nabla J\rVert^2}=(1-b+bD)^2",
    )
    proof.check(
        "more than one for 0 < b < 1 but at K = 2: D² − 1 is",
        sp.factor(at_odds(_wrong_ratio() ** 2 - 1)).is_nonnegative and (_wrong_ratio().subs(K, 2) == 1),
        latex=sp.latex((K - 2) / (K * p**2)),
    )


def _errors(proof: Proof) -> None:
    """Show where zero price has the smaller mean squared error."""
    B = sp.Symbol("B", positive=True)
    unbiased = (_cost() / p - 1) / B
    zero_price = b**2 + (1 - b) ** 2 * (1 - p) / (p * B)
    proof.identity(
        "Zero price at the rate p: bias b∇J and variance (1−b)²ε/p over ‖∇J‖², as its moments say.",
        (var_parallel().subs({s_plus: 1, s_minus: 0, w_plus: 1, w_minus: 0}) / signal_squared()),
        (1 - b) ** 2 * epsilon / p,
    )
    proof.identity(
        "The best unbiased gate of that rate has the variance ((1−b+bD)²/p − 1)‖∇J‖². Errors over ‖∇J‖² of a batch's "
        "mean differ by",
        (unbiased - zero_price) * B / b**2,
        _crossing() - B,
        latex=r"\frac{B}{b^2}\left[\frac{(1-b+bD)^2/p-1}{B}-b^2-\frac{(1-b)^2\varepsilon}{pB}\right]=B^*-B",
    )
    t = sp.Symbol("t", positive=True)
    at_least = _crossing().subs({_D: 1, p: 1 / (1 + t)})
    proof.check(
        "that is positive below B*, which is at least ε(2/b − 1)/p, its value at K = 2, and grows with D: of small "
        "batches zero price has the smaller error.",
        sp.cancel(at_least - t * (2 / b - 1)) == 0
        and sp.diff(_crossing(), _D).subs(b, 1 / (1 + t)).is_positive,
        latex=r"B^*=\frac{D^2+2D(1-b)/b}{p}-\frac2b+1",
    )  # fmt: skip


def _winner_takes_all(proof: Proof) -> None:
    """Show the noise of keeping the top for certain, and when it is less than that of plain draws."""
    proof.define(
        "Given n gradients and scores that sum to one: kind i is drawn with probability q_i and worth y_i/q_i. The c "
        "of highest score are kept as they are, Q is the others' share; k − c draws of the others are averaged, "
        "times Q. v and V are variances of one draw's worth among the others and among the kept.",
        r"\hat y=\sum_{i\le c}y_i+\frac{Q}{k-c}\sum_{j=1}^{k-c}\frac{y_{i_j}}{q_{i_j}}",
    )
    q, y = sp.symbols("q2:4", positive=True), sp.symbols("y2:4", real=True)
    total = sum(q)
    one_draw = sum(a / total * (total * z / a) ** 2 for a, z in zip(q, y, strict=True)) - sum(y) ** 2
    within = sum(a / total * (z / a) ** 2 for a, z in zip(q, y, strict=True)) - (sum(y) / total) ** 2
    proof.identity(
        "The mean of such a draw is the others' sum, and its variance Q²v, here for two others:",
        one_draw,
        total**2 * within,
        latex=r"\operatorname{Var}\hat y=\frac{Q^2v}{k-c}",
    )
    plain = (_Q * _v + (1 - _Q) * _V + _Q * (1 - _Q) * _gap**2) / _k
    proof.identity(
        "k plain draws have, by the law of total variance, δ the difference of the two means, more by",
        plain - _top_kept(),
        _Q * _v * ((_k - _c) - _k * _Q) / (_k * (_k - _c)) + (1 - _Q) * (_V + _Q * _gap**2) / _k,
    )
    t = sp.Symbol("t", nonnegative=True)
    excess = sp.cancel(((_k - _c) - _k * _Q).subs(_Q, (1 - _c / _k) - t))
    proof.check(
        "which is positive where the c kept have at least c/k of the scores, Q ≤ (k−c)/k, whatever the gradients.",
        sp.cancel(excess - _k * t) == 0,
        latex=r"1-Q\ge c/k",
    )


def _masks(proof: Proof) -> None:
    """Show the noise of masks on the tokens of an answer."""
    cuts = [1 - _survival[0], *(_survival[t] - _survival[t + 1] for t in range(2)), _survival[2]]
    values = [sum(_part[t] / _survival[t] for t in range(length)) for length in range(4)]
    proof.identity(
        "An answer of three tokens is cut after a random number of them; token t stays with probability p_t and is "
        "weighted by 1/p_t. The mean is the whole answer's,",
        sum(chance * value for chance, value in zip(cuts, values, strict=True)),
        sum(_part),
    )
    proof.identity(
        "and the variance, by enumeration of the cuts, is",
        sum(chance * value**2 for chance, value in zip(cuts, values, strict=True)) - sum(_part) ** 2,
        _prefix(),
        latex=r"\operatorname{Var}\hat y=\sum_t\left(\tfrac1{p_t}-1\right)y_t^2"
        r"+2\sum_{s<t}\left(\tfrac1{p_s}-1\right)y_sy_t",
    )
    independent = (
        sum(
            sp.prod([w if kept else 1 - w for w, kept in zip(_survival, mask, strict=True)])
            * sum(kept * y / w for w, y, kept in zip(_survival, _part, mask, strict=True)) ** 2
            for mask in product((0, 1), repeat=3)
        )
        - sum(_part) ** 2
    )
    proof.identity(
        "Tokens kept independently have the first sum alone, by enumeration of the masks.",
        independent,
        sum((1 / w - 1) * y**2 for w, y in zip(_survival, _part, strict=True)),
    )
    same = dict.fromkeys(_survival, _survival[0])
    proof.identity(
        "One probability for all prefixes keeps or drops the answer whole.",
        _prefix().subs(same),
        (1 / _survival[0] - 1) * sum(_part) ** 2,
    )  # fmt: skip


def _effective(proof: Proof) -> sp.Expr:
    """Show the effective sample size, and that it is no measure of noise; return it for two kinds of samples."""
    share = 1 / (p / w_plus + epsilon / w_minus)
    proof.identity(
        "The effective sample size (ΣG/w)²/Σ(G/w)², over B samples, tends to 1/E[1/w]; for two kinds of samples it "
        "falls short of the rate by",
        (p * w_plus + epsilon * w_minus) - share,
        share * p * epsilon * (w_plus - w_minus) ** 2 / (w_plus * w_minus),
    )
    proof.argue(
        "So it is the rate at most, and largest for the gate that keeps at random, which has more noise than w = "
        "s‖g‖ wherever lengths differ.",
        "the harmonic mean is at most the mean; at one rate E‖g‖²/ρ ≥ (E‖g‖)²/ρ, Jensen's inequality",
        latex=r"\frac{1}{\mathbb E[1/w]}\le\mathbb E w",
    )
    return share


def derive() -> Derivation:
    """Derive the noise of unbiased gates, its least cost, and where a biased gate has the smaller error."""
    proof = Proof(
        "unbiased-gates",
        "Kept samples weighted by 1/w have the mean of all, and the noise E[(1/w − 1)‖g‖²] more. In one symmetric "
        "context their cost of signal is at least ((1−b) + bD)²; zero price has a smaller mean squared error below a "
        "batch size B*. Keeping the top for certain beats plain draws where it has more than its share of the "
        "scores. Prefixes of an answer add the noise of the pairs of tokens to that of independent masks.",
        (
            "independent samples; the gate's probability w > 0 wherever there is a gradient, and known exactly",
            "one symmetric context, R in {0, 1}, 0 < b < 1 and p ≤ 1/2 for the batch size B*",
            "draws and masks: given gradients, scores that are positive",
        ),
    )
    _without_bias(proof)
    _symmetric(proof)
    _errors(proof)
    _winner_takes_all(proof)
    _masks(proof)
    share = _effective(proof)
    return proof.conclude(
        least_cost=_cost().subs(_D, _wrong_ratio()),
        ratio=_wrong_ratio(),
        crossing=_crossing().subs(_D, _wrong_ratio()),
        var_perpendicular=var_perpendicular(wrong_second=1 / w_minus),
        var_parallel=_weighted_parallel(),
        top_kept=_top_kept(),
        effective=share,
    )
