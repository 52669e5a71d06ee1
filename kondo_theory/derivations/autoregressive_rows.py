"""Answers kept whole whose tokens depend on each other: the sum of the drifts, and when training can stay.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof, every

__all__ = ["derive"]

Row = tuple[int, ...]
Chances = Mapping[Row, Sequence[sp.Expr]]  # of the words at a prefix; word 0 is right
Values = Mapping[Row, sp.Expr]  # of the answers
Half = sp.Rational(1, 2)
AFTER_RIGHT, AFTER_WRONG = sp.Rational(1, 1000), sp.Integer(8)  # u and v of the example that stalls


def _policy(T: int, M: int) -> Chances:
    """Return symbols for the probabilities of the words at every prefix."""
    found = {}
    for t in range(T):
        for prefix in product(range(M), repeat=t):
            q = sp.symbols([f"p{''.join(map(str, prefix))}_{word}" for word in range(M - 1)], positive=True)
            found[prefix] = (*q, 1 - sum(q))
    return found


def _answers(chances: Chances, M: int) -> dict[Row, sp.Expr]:
    T = 1 + max(map(len, chances))
    rows = product(range(M), repeat=T)
    return {row: sp.Mul(*(chances[row[:t]][row[t]] for t in range(T))) for row in rows}


def _counts(row: Row, chances: Chances) -> tuple[sp.Expr, sp.Expr]:
    """Return N and C of an answer."""
    return sp.Integer(row.count(0)), sp.Add(*(chances[row[:t]][0] for t in range(len(row))))


def _drift(
    prefix: Row, word: int, chances: Chances, mass: Mapping[Row, sp.Expr], f: Mapping[Row, sp.Expr]
) -> sp.Expr:
    """Return the expected gradient of f·log π on one logit of one prefix."""
    t, q = len(prefix), chances[prefix][word]
    return sp.Add(*(mass[row] * f[row] * (int(row[t] == word) - q) for row in mass if row[:t] == prefix))


def _identity(proof: Proof) -> None:
    """Sum the drifts of the right logits of all prefixes."""
    n, c, T, b, g = sp.symbols("N C T b G", real=True)
    A = n / T - b
    proof.identity(
        "Row by row, for any baseline b, A = N/T − b: what a kept answer adds to the right logits of its own "
        "prefixes.",
        g * A * (n - c),
        T * g * A**2 - g * A * (c - T * b),
        latex=r"G A\sum_t(x_t-p_t(x_{<t})) = T\,G A^2 - G A\,(C-T b)",
    )
    for T_, M in ((2, 2), (2, 3), (3, 2)):
        chances = _policy(T_, M)
        mass = _answers(chances, M)
        gates = {row: sp.Symbol("g" + "".join(map(str, row))) for row in mass}
        counts = {row: _counts(row, chances) for row in mass}
        mean = sp.expand(sp.Add(*(mass[row] * counts[row][0] for row in mass)))
        f = {row: gates[row] * (counts[row][0] - mean) / T_ for row in mass}
        drifts = sp.Add(*(_drift(prefix, 0, chances, mass, f) for prefix in chances))
        sides = sp.Add(*(mass[r] * f[r] * ((counts[r][0] - mean) - (counts[r][1] - mean)) for r in mass))
        proof.identity(
            f"So with tabular logits, one set for each prefix, any rule and the exact mean, here T = {T_}, M = "
            f"{M}: the drifts of the right logits, summed over the {len(chances)} prefixes. E C = E N.",
            drifts,
            sides,
            latex=r"\sum_{h}\mathrm{drift}_h = T\,\mathbb E[G A^2] - \mathbb E[G A\,(C-\mathbb E C)]",
        )
        proof.check(
            f"C is the compensator of N, T = {T_}, M = {M}.",
            sp.expand(sp.Add(*(mass[row] * counts[row][1] for row in mass)) - mean) == 0,
            latex=r"\mathbb E\,C = \mathbb E\,N",
        )


def _condition(proof: Proof) -> None:
    """Say what is sufficient, and how far from necessary."""
    proof.argue(
        "The sum is positive while the prefixes of what is kept promise less than its reward varies.",
        "Cauchy–Schwarz: E[G A (C−Tb)]² ≤ E[G A²]·E[G (C−Tb)²] for G ≥ 0; independent tokens have C = E C = T b",
        latex=r"\mathbb E[G(C-Tb)^2] < T^2\,\mathbb E[G A^2]\ \Rightarrow\ \sum\mathrm{drift} > 0",
    )
    a, d, T = sp.symbols("A d T", real=True)  # d = N − C
    proof.identity(
        "It is more than is needed: the sides differ by 2T times the sum, less E[G(N − C)²]. What is needed is a "
        "slope, of C − T·b on T·A among the kept, below 1.",
        (T * a) ** 2 - (T * a - d) ** 2,
        2 * T * a * d - d**2,
        latex=r"T^2\mathbb E[GA^2]-\mathbb E[G(C-Tb)^2] = 2T\sum\mathrm{drift}-\mathbb E[G(N-C)^2]",
    )
    scale, u, n, c = sp.symbols("k u N C", real=True)
    proof.identity(
        "A group's mean, the answer's own reward in it, is a baseline like any other: T·b is then the group's "
        "mean of N. With L, the mean of the other S − 1, T·A = (1 − 1/S)(N − L). The same step with k(N − L) in "
        "the place of T·A has a margin that grows with k where the sum is positive: E[G(C − L)²] < E[G(N − L)²], "
        "k = 1, asks less than the group's own mean does, k = 1 − 1/S.",
        sp.diff((scale * u) ** 2 - (c - n + scale * u) ** 2, scale),
        2 * u * (n - c),
        latex=r"\frac{d}{dk}\mathbb E\big[G\{k^2(N-L)^2-(C-N+k(N-L))^2\}\big] = 2\,\mathbb E[G(N-L)(N-C)]",
    )
    S, own, others = sp.symbols("S N L", positive=True)
    proof.identity(
        "The factor of one's own reward in the mean.",
        own - (own + (S - 1) * others) / S,
        (1 - 1 / S) * (own - others),
        latex=r"N-\bar N = (1-\tfrac1S)(N-L)",
    )


def _tabular(proof: Proof) -> None:
    """With a set of logits for each prefix no rule on answers has a stationary point inside."""
    q = (*sp.symbols("q0:2", positive=True), sp.Symbol("q2"))
    V, reach = sp.symbols("V0:3", real=True), sp.Symbol("r", positive=True)
    q = (*q[:2], 1 - q[0] - q[1])
    value = sum(a * b for a, b in zip(q, V, strict=True))
    proof.identity(
        "Let V(h) be the mean of f = G·A over the answers that go on from a prefix h, reached with probability "
        "r. The drift of word w's logit there, here of three words:",
        sum(reach * q[w] * V[w] * (int(w == 1) - q[1]) for w in range(3)),
        reach * q[1] * (V[1] - value),
        latex=r"\mathrm{drift}_{h,w} = r_h\,\pi(w\mid h)\,\{V(hw)-V(h)\}",
    )
    proof.argue(
        "So where all logits are at rest inside, f is the same for every answer, whatever the rule, the reward "
        "and the dependence: 0, if the baseline lies between the least and the largest reward. With tabular "
        "logits no rule with E[G·A²] > 0 has a stationary point inside: a negative sum is no stall.",
        "V(hw) = V(h) for every word of every prefix carries V from the root to the answers. f = G·A is ≥ 0 at "
        "the best answer and ≤ 0 at the worst. Where the drift jumps, mixtures of gates are gates, so none is at "
        "rest either",
        latex=r"V(hw)=V(h)\ \forall h,w\ \Rightarrow\ G A\equiv V(\emptyset)=0",
    )
    m = sp.symbols("m0:3", positive=True)  # probability of 0, 1 and 2 right tokens
    keep = {(1, 0): m[2], (1, 2): m[0]}
    f = [sum(m[k] * keep.get((own, k), 0) * sp.Rational(own - k, 4) for k in range(3)) for own in range(3)]
    proof.check(
        "Under a group's mean f(x) = E[G·A | own answer x] takes the place of G·A, and some rules do rest "
        "everywhere: T = S = 2, keep an answer with one right token if the other has none with chance m₂, if it "
        "has two with chance m₀ (m_n: probability of n right tokens).",
        [sp.expand(each) for each in f] == [0, 0, 0]
        and sp.expand(sum(m[1] * m[k] * keep[1, k] / 16 for k in (0, 2)) - m[0] * m[1] * m[2] / 8) == 0,
        latex=r"\mathbb E[G A\mid x]=0\ \forall x,\quad \mathbb E[G A^2]=\tfrac18m_0m_1m_2>0",
    )
    proof.argue(
        "The top share by row delight, advantage or |advantage| has no such point under a group's mean either.",
        "at rest f is constant, ≥ 0 at the all-right answer and ≤ 0 at the all-wrong one, so 0. By |advantage| "
        "what is kept first is all-right against all-wrong: f > 0 there. By delight or advantage, if the rate "
        "keeps every A > 0, f(all right) = E A₊ > 0; if not, nothing with A < 0 is kept, f = 0 says that none "
        "with A > 0 is",
        latex=r"\mathbb E[G A\mid x]\equiv c\ \Rightarrow\ c=0\ \Rightarrow\ \mathbb E[G A^2]=0",
    )


def _per_position(proof: Proof) -> None:
    """One logit a position, T = M = 2: none either."""
    p, q, w = sp.symbols("p q w", positive=True)
    chances = {(): (p, 1 - p), (0,): (q, 1 - q), (1,): (w, 1 - w)}
    mass = _answers(chances, 2)
    gates = {row: sp.Symbol("g" + "".join(map(str, row)), nonnegative=True) for row in mass}
    mean = p + p * q + (1 - p) * w
    f = {row: gates[row] * (row.count(0) - mean) / 2 for row in mass}
    first = _drift((), 0, chances, mass, f)
    second = _drift((0,), 0, chances, mass, f) + _drift((1,), 0, chances, mass, f)
    lost = mass[1, 1] - mass[0, 0]  # 1 − E N
    squares = (
        gates[0, 0] * mass[0, 0] * (2 - mean) / 2
        + gates[1, 0] * mass[1, 0] * lost**2 / (2 * (1 - p))
        + gates[1, 1] * mass[1, 1] * mean / 2 * (q * p / (1 - p) + w)
    )
    proof.identity(
        "Nor is there one, T = M = 2, where both prefixes of the second token move one logit: the drifts of the two "
        "positions, the first q/(1 − p) times, are a sum of terms that are not negative. Where it vanishes only "
        "(right, wrong) is kept, and that moves the first.",
        q / (1 - p) * first + second,
        squares,
        latex=r"\tfrac{q}{1-p}\,\mathrm{drift}_1+\mathrm{drift}_2 = g_{11}m_{11}A_{11}"
        r"+g_{01}m_{01}\tfrac{(1-\mathbb E N)^2}{2(1-p)}+g_{00}m_{00}|A_{00}|\big(\tfrac{qp}{1-p}+w\big)",
    )
    proof.check(
        "A sum below 0 can be what ascent itself does: all answers kept, T = 3, p₁ = 1/2, then 1/20 each after a "
        "right token and 19/20 each after a wrong one. Right now costs more than it pays.",
        _ascent() == -sp.Rational(7, 200),
        latex=r"G\equiv1:\ \sum\mathrm{drift} = -\tfrac{7}{200}",
    )


def _ascent() -> sp.Expr:
    small, chances = sp.Rational(1, 20), _policy(3, 2)
    given = {prefix: small if prefix and prefix[0] == 0 else 1 - small for prefix in chances} | {(): Half}
    numbers = {prefix: (q, 1 - q) for prefix, q in given.items()}
    mass = _answers(numbers, 2)
    mean = sum(mass[row] * row.count(0) for row in mass)
    f = {row: (row.count(0) - mean) / 3 for row in mass}
    return sp.Add(*(_drift(prefix, 0, numbers, mass, f) for prefix in numbers))


def _place(u: sp.Expr, v: sp.Expr) -> sp.Expr:
    """Return the claimed odds at which the answers with one right token change places."""
    return (1 - 1 / v) / (1 - u)


def _tied(proof: Proof) -> dict[str, sp.Expr]:
    """Both tokens of an answer share one logit: the sum is its drift, and there is a stall."""
    o, u, v = sp.symbols("o u v", positive=True)
    p, q, w = o / (1 + o), o * u / (1 + o * u), o * v / (1 + o * v)
    place = _place(u, v)
    proof.identity(
        "Let right tokens share one logit, T = M = 2: odds o, then o·u after a right token and o·v after a wrong "
        "one. The sum is the drift of that logit. The answers with one right token are equally likely, and so "
        "change places in delight, at the odds o*.",
        (p * (1 - q)).subs(o, place),
        ((1 - p) * w).subs(o, place),
        latex=r"o^* = \frac{1-1/v}{1-u}:\quad m_{10}=m_{01}",
    )
    at = {o: place, u: AFTER_RIGHT, v: AFTER_WRONG}
    p, q, w = (each.subs(o, place).subs(at) for each in (p, q, w))
    best, single = p * q, p * (1 - q)
    mean = (p + p * q + (1 - p) * w) / 2
    gain, half = 1 - mean, Half - mean
    first = best * gain * (2 - p - q)  # of the answers that are all right
    begun, ended = half * (1 - p - q), half * (1 - p - w)  # a unit of (right, wrong), and of (wrong, right)
    lowest, highest = best - first / ended, best + single - (first + single * ended) / begun
    proof.check(
        "The reward there is the first token's probability: E N = 2p, as both answers with one right token are "
        "alike.",
        mean == p,
        latex=r"\tfrac12\mathbb E\,N = \frac{o^*}{1+o^*}",
    )
    top = gain * -sp.log(best) - half * -sp.log(single)
    proof.check(
        "The example u = 1/1000, v = 8: at o* the all-right answer leads in delight; a unit of (right, wrong) "
        "pushes the logit up, one of (wrong, right) down.",
        every([top.is_positive, begun.is_positive, ended.is_negative, (half).is_positive]),
        latex=r"1-p-q>0>1-p-w,\quad A>0",
    )
    proof.check(
        "Below o* the kept rate beyond the all-right answers goes to (right, wrong) first, so the drift is "
        "positive; above, (wrong, right) comes first, and it is negative between the rates where it vanishes. It "
        "is a stall: by a jump.",
        every(
            [
                0 < best < lowest < best + single < highest < best + 2 * single,
                first > 0,
                first + begun * single + ended * (highest - best - single) > 0,
                first + ended * (lowest - best) == 0,
                first + ended * single + begun * (highest - best - single) == 0,
                first + ended * single < 0,
            ]
        ),
        latex=r"\rho_-<\rho<\rho_+:\ \mathrm{drift}(o^*-)>0>\mathrm{drift}(o^*+)",
    )
    x, y, z = sp.symbols("x y z", positive=True)  # p, q, w
    ascent = x * (1 - x) * (1 + y - z) / 2 + (x * y * (1 - y) + (1 - x) * z * (1 - z)) / 2
    chances = {(): (x, 1 - x), (0,): (y, 1 - y), (1,): (z, 1 - z)}
    mass = _answers(chances, 2)
    f = {row: sp.Rational(row.count(0), 2) for row in mass}  # the baseline adds nothing where all are kept
    proof.identity(
        "The policy gradient climbs from everywhere there: 1 + q − w > 0.",
        sum(_drift(prefix, 0, chances, mass, f) for prefix in chances),
        ascent,
        latex=r"\tfrac12p(1-p)(1+q-w)+\tfrac12\{p\,q(1-q)+(1-p)w(1-w)\} > 0",
    )
    return {"stall_odds": place, "stall_reward": place / (1 + place), "lowest_rate": lowest, "highest_rate": highest}


def derive() -> Derivation:
    """Derive the sum of the drifts, its condition, what both mean where logits are shared, and a stall."""
    proof = Proof(
        "autoregressive-rows",
        "Answers kept whole, each token depending on those before it: the drifts of the right logits sum to "
        "T·E[G·A²] − E[G·A·(C − T·b)] over the prefixes, for any baseline. With tabular logits no such gate has "
        "a stationary point inside all the same; where right tokens share a logit the sum is its drift, and a "
        "row gate can stall.",
        (
            "x_t is right with probability p_t(x_<t); N = Σx_t, C = Σp_t(x_<t), A = N/T − b, weight G ≥ 0 of the "
            "answer",
            "tabular: softmax logits for each prefix; infinite batches, so that G is a function of the answer; "
            "with a group's mean, of the group",
            "inside: every word has a positive probability at every prefix; E[G·A²] > 0 there",
        ),
    )
    _identity(proof)
    _condition(proof)
    _tabular(proof)
    _per_position(proof)
    return proof.conclude(**_tied(proof))
