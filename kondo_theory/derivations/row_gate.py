"""Rows kept or dropped whole cannot stall, nor can tokens at zero price; and what each of these needs.

Source: this project.

It is longer than 300 lines because the proof and the counterexamples beyond it are read in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["COUNTEREXAMPLES", "derive"]

Row = tuple[int, ...]
Half, Tenth = sp.Rational(1, 2), sp.Rational(1, 10)

COUNTEREXAMPLES = {
    "unequal": -sp.Rational(9, 2500),
    "autoregressive": -sp.Rational(32493599, 8000000000),
    "constant baseline": -sp.Rational(36, 625),
    "two answers": -sp.Rational(3, 1024),
    "correlated reward": -sp.Rational(217, 12800),
}
"""Negative drifts where a condition is dropped, each proved below."""


def _mass(row: Row, chances: Sequence[sp.Expr]) -> sp.Expr:
    return sp.Mul(*(q if right else 1 - q for right, q in zip(row, chances, strict=True)))


def _drifts(
    chances: Sequence[sp.Expr], kept: Callable[[Row], sp.Expr], baseline: sp.Expr | None = None
) -> list[sp.Expr]:
    """Return each token's drift for independent tokens, by enumeration of the row's T tokens."""
    n = len(chances)
    mean = sp.Add(*chances) / n if baseline is None else baseline
    return [
        sp.Add(
            *(
                _mass(row, chances) * kept(row) * (sp.Rational(sum(row), n) - mean) * (row[t] - chances[t])
                for row in product((0, 1), repeat=n)
            )
        )
        for t in range(n)
    ]


def _identity(proof: Proof) -> None:
    """Σ_t drift_t = T·E[G·A²], for any rule."""
    for n in (2, 3):
        chances = sp.symbols(f"p1:{n + 1}", positive=True)
        gates = {row: sp.Symbol("g" + "".join(map(str, row))) for row in product((0, 1), repeat=n)}
        squares = sp.Add(
            *(
                _mass(row, chances) * gates[row] * (sp.Rational(sum(row), n) - sp.Add(*chances) / n) ** 2
                for row in gates
            )
        )
        proof.identity(
            f"Unequal p_t and any rule on the row's tokens, T = {n}: the drifts sum to T·E[G·A²].",
            sp.Add(*_drifts(chances, gates.__getitem__)),
            n * squares,
            latex=r"\sum_t\mathbb E[G\,A\,(x_t-p_t)] = T\,\mathbb E[G\,A^2]",
        )
    x, q, g = sp.symbols("x1:5"), sp.symbols("q1:5", positive=True), sp.Symbol("G", nonnegative=True)
    advantage = sum(x) / sp.Integer(4) - sum(q) / sp.Integer(4)
    proof.identity(
        "It holds row by row, Σ_t (x_t − p_t) = T·A (here T = 4): so in every finite batch with that baseline, "
        "whatever the rule looks at (other rows, which wrong tokens, a draw) and however the wrong tokens are "
        "spread.",
        sum(g * advantage * (a - c) for a, c in zip(x, q, strict=True)),
        4 * g * advantage**2,
        latex=r"G A\sum_t(x_t-p_t) = T\,G A^2",
    )
    proof.argue(
        "So training has no interior limit where E[G·A²] stays above some m > 0 around it.",
        "the right logits' sum grows by at least T·m a unit of time there, and at a limit inside it would converge",
        latex=r"\mathbb E[G A^2]\ge m\ \Rightarrow\ \frac{d}{dt}\sum_t z_t\ge T m",
    )
    proof.argue(
        "The top share of rows by row delight, advantage or |advantage| has it.",
        "the all-right row has A = 1 − p̄ > 0, so the row kept first has at least that delight, advantage or "
        "|advantage|, and A ≠ 0; all of these are continuous in the p_t",
        latex=r"\max_{\mathrm{rows}}A^2\ell \ge (1-\bar p)^2\sum_t\log\tfrac1{p_t}>0",
    )


def _vanishing(proof: Proof) -> None:
    """Rules whose E[G·A²] vanishes on the way: a stall, and a token whose drift stays negative."""
    p = sp.Symbol("p", positive=True)
    one_right = _drifts((p, p), lambda row: sp.Integer(sum(row) == 1))
    proof.identity(
        "P(G=1, A≠0) > 0 on the way is not enough: keep the answers with exactly one of two right. From p = 1/M < "
        "1/2 "
        "the drift is positive up to p = 1/2, where A = 0 on all that is kept, and training ends.",
        one_right[0],
        _one_right_drift(),
        latex=r"\mathrm{drift} = \tfrac12p(1-p)(1-2p)^2",
    )
    first, second = sp.symbols("p1 p2", positive=True)
    half_gap = (1 - first - second) / 2  # A of a row with one right token
    pushes = _drifts((first, second), lambda row: sp.Integer(sum(row) == 1))
    for token, drift, own, other in ((1, pushes[0], first, second), (2, pushes[1], second, first)):
        proof.identity(
            f"Unequal p_t, for 1/2 < p₁ + p₂ < 1 these are the rows of least |A|: the drift of token {token}.",
            drift,
            half_gap * own * (1 - own) * (1 - 2 * other),
        )
    speeds = [q * (1 - q) * push for q, push in zip((first, second), pushes, strict=True)]  # even wrong tokens
    conserved = 1 / (first * (1 - first)) - 1 / (second * (1 - second))
    proof.identity(
        "With evenly spread wrong tokens dp_t/dt is in proportion to p_t(1−p_t)·drift_t, and 1/(p₁(1−p₁)) − "
        "1/(p₂(1−p₂)) does not change.",
        sum(sp.diff(conserved, q) * speed for q, speed in zip((first, second), speeds, strict=True)),
        sp.Integer(0),
        latex=r"\frac{d}{dt}\Big\{\frac1{p_1(1-p_1)}-\frac1{p_2(1-p_2)}\Big\}=0",
    )
    start = conserved.subs({first: sp.Rational(25, 100), second: sp.Rational(26, 100)})
    proof.argue(
        "A token's negative drift can last for ever: from (0.25, 0.26) p₂ passes 1/2, from then on token 1's drift "
        "is "
        "negative and p → (0, 1).",
        "the constant is positive, and it is zero where p₁ + p₂ = 1: that line is never reached and A > 0 on all "
        "that is "
        "kept. p₁ < 1/2 keeps token 2's drift positive, and p₂ > 1/2 token 1's negative; no point inside is "
        "stationary",
        start.is_positive is True and sp.cancel(conserved.subs(second, 1 - first)) == 0,
        latex=r"\tfrac1{p_1(1-p_1)}-\tfrac1{p_2(1-p_2)}>0,\ p_2>\tfrac12\ \Rightarrow\ \mathrm{drift}_1<0",
    )


def _one_right_drift() -> sp.Expr:
    """Return the claimed drift where the answers with exactly one of two right tokens are kept."""
    p = sp.Symbol("p", positive=True)
    return p * (1 - p) * (1 - 2 * p) ** 2 / 2


def _conditions(proof: Proof) -> None:
    """Show what breaks when a condition is dropped; every rule here is the top share of rows by row delight."""
    chances = (sp.Rational(3, 5), Tenth)
    leads = _row_delight((0, 1), chances, 10**5) - _row_delight((1, 1), chances, 10**5)
    single = _drifts(chances, lambda row: sp.Integer(row == (0, 1)))
    proof.check(
        "One token's drift can be negative under row delight too: M = 10⁵, p = (3/5, 1/10), ρ = 0.04 keeps (wrong, "
        "right).",
        leads.is_positive is True and single[0] == COUNTEREXAMPLES["unequal"] and sp.Add(*single) > 0,
        latex=r"\mathrm{drift}_1 = -\tfrac{9}{2500},\quad \mathrm{drift}_1+\mathrm{drift}_2>0",
    )
    proof.check(
        "Autoregression breaks it: p₁ = 1/2, p₂ = 1/1000 after a right token and 9/10 after a wrong one, M = 2. "
        "Row delight at ρ = 0.4505 keeps (right, right), then (wrong, right), which is worse than its own prefix "
        "promised.",
        _autoregressive() == COUNTEREXAMPLES["autoregressive"],
        latex=r"\mathbb E\Big[G A\sum_t(x_t-p_t(x_{<t}))\Big] < 0",
    )
    easy = (sp.Rational(9, 10),) * 2
    gap = (Half - Tenth) * (-sp.log(easy[0]) - sp.log(Tenth)) - (1 - Tenth) * (-2 * sp.log(easy[0]))
    constant = _drifts(easy, lambda row: sp.Integer(sum(row) == 1), baseline=Tenth)
    proof.check(
        "A baseline that is not the row's own mean breaks it (constant, or the mean over prompts of unequal "
        "difficulty): p = 9/10 twice, b = 1/10, M = 2; ρ = 0.18 keeps rows with one wrong token.",
        gap.is_positive is True and sp.Add(*constant) == COUNTEREXAMPLES["constant baseline"],
        latex=r"b\ne\tfrac1T\sum_tp_t:\ \sum_t\mathrm{drift}_t = T\,\mathbb E[G A(A+b-\bar p)]",
    )


def _row_delight(row: Row, chances: Sequence[sp.Expr], vocab_size: int) -> sp.Expr:
    advantage = (sp.Integer(sum(row)) - sp.Add(*chances)) / len(row)
    levels = (
        -sp.log(q) if right else sp.log((vocab_size - 1) / (1 - q)) for right, q in zip(row, chances, strict=True)
    )
    return advantage * sp.Add(*levels)


def _autoregressive() -> sp.Expr:
    """Return the summed drift of the autoregressive example, or nan if the order of row delight is not as claimed."""
    first, after = Half, {1: sp.Rational(1, 1000), 0: sp.Rational(9, 10)}
    rows = list(product((1, 0), repeat=2))
    chances = {row: (first, after[row[0]]) for row in rows}
    mass = {row: _mass(row, chances[row]) for row in rows}
    mean = sp.Add(*(mass[row] * sum(row) for row in rows)) / 2
    advantage = {row: sp.Rational(sum(row), 2) - mean for row in rows}
    delight = {row: (advantage[row] * -sp.log(mass[row])).evalf(20) for row in rows}  # M = 2: one wrong token each
    order = sorted(rows, key=lambda row: -delight[row])
    if order[:2] != [(1, 1), (0, 1)] or mass[order[0]] + mass[order[1]] != sp.Rational(4505, 10000):
        return sp.nan
    return sp.Add(*(mass[row] * advantage[row] * (sum(row) - sp.Add(*chances[row])) for row in order[:2]))


def _groups(proof: Proof) -> None:
    """Take the mean of S answers as the baseline."""
    f = sp.symbols("f0:4", real=True)
    q = sp.symbols("q0:3", positive=True)
    masses = (*q, 1 - sum(q))
    mean = sum(m * k for k, m in enumerate(masses))
    pairs = sum(masses[i] * masses[j] * (f[i] - f[j]) * (i - j) for i in range(4) for j in range(4)) / 2
    proof.identity(
        "Given the other answers, Σ_t drift_t = Cov(G·A, N): for independent copies it is half of "
        "E[(f(N)−f(N′))(N−N′)], never negative if G·A does not fall with the row's own reward. So ranking rows by "
        "advantage is safe.",
        sum(m * f[k] * (k - mean) for k, m in enumerate(masses)),
        pairs,
        latex=r"\mathrm{Cov}(f(N),N) = \tfrac12\mathbb E[(f(N)-f(N'))(N-N')] \ge 0",
    )
    chance = sp.Rational(3, 4)
    tops = {
        (own, other): sp.Rational(own - other, 4) * -(own * sp.log(chance) + (2 - own) * sp.log(1 - chance))
        for own in range(3)
        for other in range(3)
    }
    leader = max(tops, key=lambda pair: tops[pair].evalf(20))
    mass = 2 * chance * (1 - chance) * (1 - chance) ** 2
    proof.check(
        "Row delight does fall with the row's reward, as sure rows have little surprisal: with S = 2 answers, T = "
        "M = 2 and p = 3/4 the best row has one wrong token, and ρ = 3/128 keeps such rows alone.",
        leader == (1, 0) and mass * sp.Rational(1, 4) * (1 - 2 * chance) == COUNTEREXAMPLES["two answers"],
        latex=r"S=2:\ \sum_t\mathrm{drift}_t = -\tfrac{3}{1024}",
    )


def _zero_price(proof: Proof) -> None:
    """Tokens at zero price: a coupling argument, its extensions, and its limit."""
    u, a, v, d = sp.symbols("u a v d", positive=True)
    chances = sp.symbols("p1:4", positive=True)
    f = sp.symbols("f0:4", real=True)  # of the advantage with this many of three tokens right
    rows, neighbours = (list(product((0, 1), repeat=n)) for n in (3, 2))
    pulls = sum(_mass(row, chances) * f[sum(row)] * (row[0] - chances[0]) for row in rows)
    gains = sum(_mass(row, chances[1:]) * (f[1 + sum(row)] - f[sum(row)]) for row in neighbours)
    proof.identity(
        "Coupling (here T = 3): with the same neighbours a right token has 1/T more advantage. For any function f "
        "of A "
        "in the place of G·A the drift is p_t(1−p_t)·E[f(A + 1/T) − f(A)]; zero price has f = A₊.",
        pulls,
        chances[0] * (1 - chances[0]) * gains,
        latex=r"\mathbb E[f(A)(x_t-p_t)] = p_t(1-p_t)\,\mathbb E[f(A+\tfrac1T)-f(A)]",
    )
    above, step = sp.symbols("x h", nonnegative=True)
    proof.check(
        "A₊ never falls, so the drift is never negative, for any p_t; it is positive as the all-right row has A > 0.",
        (sp.Max(above + step, 0) - sp.Max(above, 0)).is_nonnegative is True
        and (sp.Max(step - above, 0) - sp.Max(-above, 0)).is_nonnegative is True,
        latex=r"\mathbb E[(A+\tfrac1T)_+-A_+]\ge0",
    )
    p = chances[0]
    proof.identity(
        "Two tokens of equal p ≤ 1/2, by enumeration.",
        _drifts((p, p), lambda row: sp.Integer(sum(row) > 0))[0],
        _two_tokens_at_zero_price().subs(sp.Symbol("p", positive=True), p),
    )
    standardised = u / (sp.sqrt(a * u**2 + v) + d)
    root = sp.sqrt(a * u**2 + v)
    proof.identity(
        "A group mean leaves (1−1/S)/T of the gain. Divided by the group's deviation (plus d) the advantage still "
        "rises with the row's own reward: u, its distance to the others' mean, enters as u/(√(au²+v)+d), with "
        "positive slope.",
        sp.diff(standardised, u) * (root + d) ** 2,
        v / root + d,
        latex=r"\frac{d}{du}\frac{u}{\sqrt{au^2+v}+d} = \frac{v/\sqrt{au^2+v}+d}{(\sqrt{au^2+v}+d)^2} > 0",
    )
    luck, lucky = sp.Rational(45, 100), sp.Rational(3, 4)
    odds = sp.Symbol("o", positive=True)
    baseline = (odds * Half + luck * lucky) / (1 + odds)  # p = o/(1 + o)
    gain = (Half - baseline) - luck * (lucky - baseline)
    proof.check(
        "Independence is needed: T = 4, a right token has R = 1/2, a wrong one 3/4 with probability 0.45, else 0. "
        "Right is better on average, and yet the drift is negative at every p; −217/12800 at p = 1/2.",
        (Half - luck * lucky).is_positive is True
        and (Half - baseline).factor().is_positive is True  # so a right token is kept
        and gain.factor().is_negative is True
        and Half * Half * gain.subs(odds, 1) == COUNTEREXAMPLES["correlated reward"],
        latex=r"\tfrac12-b < 0.45\,(\tfrac34-b)\ \text{for}\ b>0.2955",
    )


def _two_tokens_at_zero_price() -> sp.Expr:
    """Return the claimed drift of tokens at zero price, T = 2 and p ≤ 1/2."""
    p = sp.Symbol("p", positive=True)
    return p * (1 - p) * (p * (1 - p) + (1 - 2 * p) ** 2 / 2)


def derive() -> Derivation:
    """Derive the identity for rows kept whole, its conditions with counterexamples, and the zero-price coupling."""
    proof = Proof(
        "row-gate",
        "Rows kept or dropped whole by any rule, independent tokens and the exact mean as baseline: the drifts of "
        "the T right logits sum to T·E[G·A²] ≥ 0, row by row; no stall where that stays away from 0. Tokens at zero "
        "price have a positive drift each.",
        (
            "T independent tokens, right with probabilities p_t; reward the share of right tokens",
            "baseline Σp_t/T; for groups of S answers G·A must not fall with the row's own reward",
            "zero price keeps A > 0 strictly; the baseline may be the exact mean or a group's, divided by its "
            "deviation",
        ),
    )
    _identity(proof)
    _vanishing(proof)
    _conditions(proof)
    _groups(proof)
    _zero_price(proof)
    return proof.conclude(
        one_right_drift=_one_right_drift(),
        zero_price_two_tokens=_two_tokens_at_zero_price(),
        two_answers=COUNTEREXAMPLES["two answers"],
    )
