"""Tokens of answers that are paid only if wholly right: no gate by delight stalls, while one answer is right.

Source: this project.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import sympy as sp

from kondo_theory.derivations.proof import Derivation, Proof

__all__ = ["derive"]

p, r, rho, S, T, reach, w = sp.symbols("p r rho S T P w", positive=True)
paid, missed, wrong = sp.symbols("w_+ w_- w_0", nonnegative=True)
"""Weights of a right token of a paid answer, of a right one of another answer, and of a wrong token."""


def derive() -> Derivation:
    """Derive the drifts of right logits where whole answers are paid, and their signs."""
    proof = Proof(
        "all-or-nothing",
        "Where one answer is right and only it is paid, no right logit falls under any gate that keeps no less of a "
        "larger delight, and that of its least likely token rises; with several right answers this fails.",
        (
            "the reward is 1 for a wholly right answer and 0 for every other",
            "logits of each beginning of an answer, or independent tokens",
            "the baseline is the exact mean reward, or the mean of a group of answers",
            "large batches",
        ),
    )
    _drift(proof)
    _signs(proof)
    pieces = _top_rate(proof)
    _groups(proof)
    against, along = _several(proof)
    return proof.conclude(**pieces, two_right_answers=against, two_right_gradient=along)


def _rows(chances: tuple[sp.Expr, ...], t: int, weight: Callable[[bool, bool], sp.Expr]) -> sp.Expr:
    """Return token t's drift by enumeration of the answers, tokens independent; ``weight`` of (paid, right)."""
    mean, total = sp.Mul(*chances), sp.Integer(0)
    for row in product((1, 0), repeat=len(chances)):
        mass = sp.Mul(*(q if x else 1 - q for x, q in zip(row, chances, strict=True)))
        whole = sum(row) == len(row)
        total += mass * weight(whole, bool(row[t])) * (int(whole) - mean) * (row[t] - chances[t])
    return total


def _weight(whole: bool, right: bool) -> sp.Expr:
    return paid if whole else missed if right else wrong


def _as_told(chance: sp.Expr, mean: sp.Expr, come: sp.Expr = sp.S.One) -> sp.Expr:
    """Return r(1 − π)[(1 − r)w₊ − (Pπ − r)w₋] + rπ·P(1 − π)w₀."""
    kept = (1 - mean) * paid - (come * chance - mean) * missed + come * chance * wrong
    return mean * (1 - chance) * kept


def _drift(proof: Proof) -> None:
    for n in (2, 3):
        chances = sp.symbols(f"p1:{n + 1}", positive=True)
        proof.identity(
            f"Independent tokens of unequal chances, T = {n}: a right token of a paid answer has A = 1 − r, all "
            "others −r.",
            _rows(chances, 0, _weight),
            _as_told(chances[0], sp.Mul(*chances)),
            latex=r"d_t=r(1-p_t)\left[(1-r)w_+-(p_t-r)w_-+p_tw_0\right]",
        )
    first, second = sp.symbols("p1 p2", positive=True)
    mean = first * second
    through = first * second * paid * (1 - mean) * (1 - second) + first * (1 - second) * wrong * mean * second
    proof.identity(
        "Logits of their own after each beginning, which comes with the chance P (here the second token of two).",
        through,
        _as_told(second, mean, first),
        latex=r"d_t=r(1-\pi)\left[(1-r)w_+-(P\pi-r)w_-+P\pi w_0\right],\quad P\pi=r\text{ at the last token}",
    )


def _signs(proof: Proof) -> None:
    outweighed = proof.identity(
        "The paid tokens outweigh the right tokens that others lose.",
        (1 - r) * paid - (reach * p - r) * missed,
        (1 - r) * (paid - missed) + (1 - reach * p) * missed,
        latex=r"(1-r)w_+-(P\pi-r)w_-=(1-r)(w_+-w_-)+(1-P\pi)w_-",
    )
    proof.argue(
        "So no drift is negative, and that of the least likely right token is positive where anything is kept.",
        "tokens of paid answers have positive delight, all others have none or less: w₊ ≥ w₋ ≥ 0 and w₀ ≥ 0 if no "
        "less is kept of a larger delight; then each term is ≥ 0, and (1 − r)w₊ or (1 − Pπ)w₋ is positive with w₊. "
        "Weights may differ by position, and the least likely paid token, whose delight is the largest, has the most",
        condition=outweighed.subs({paid: 1, missed: 1, reach: 1}) == 1 - p,
        latex=r"w_+\ge w_-\ge 0\ \Rightarrow\ d_t\ge 0",
    )


def _top_rate(proof: Proof) -> dict[str, sp.Expr]:
    """Take the top ρ of the tokens, equal chances above 1/M: paid ones first, then right ones, then wrong ones."""
    found = {
        "low": (rho * (1 - r) * (1 - p), {paid: rho / r, missed: 0, wrong: 0}, r"\rho\le r"),
        "middle": (r * (1 - p) * (1 - rho), {paid: 1, missed: (rho - r) / (p - r), wrong: 0}, r"r<\rho\le p"),
        "high": (
            r * ((1 - p) ** 2 + p * (rho - p)),
            {paid: 1, missed: 1, wrong: (rho - p) / (1 - p)},
            r"\rho>p",
        ),
    }
    for name, (value, weights, where) in found.items():
        at_three = {symbol: sp.sympify(each).subs(r, p**3) for symbol, each in weights.items()}

        def kept(whole: bool, right: bool, weights: dict[sp.Symbol, sp.Expr] = at_three) -> sp.Expr:
            return weights[_weight(whole, right)]

        proof.identity(
            f"The top ρ by delight at {name} rates, p > 1/M; answers of three tokens enumerated.",
            sp.expand(_rows((p, p, p), 0, kept)),
            value.subs(r, p**3),
            latex=rf"d={sp.latex(value)},\quad {where},\quad r=p^T",
        )
    proof.identity(
        "At ρ = 1 it is the policy gradient's.",
        found["high"][0].subs({rho: 1, r: p**T}, simultaneous=True),
        p * (1 - p) / T * sp.Derivative(p**T, p),
        latex=r"r(1-p)=\frac{p(1-p)}{T}\frac{d}{dp}p^T",
    )
    return {name: value.subs(r, p**T) for name, (value, _, _) in found.items()}


def _groups(proof: Proof) -> None:
    for n in (3, 4):
        gains, losses = sp.Integer(0), sp.Integer(0)
        for others in range(n):
            mass = sp.binomial(n - 1, others) * r**others * (1 - r) ** (n - 1 - others)
            gains += r * mass * (1 - sp.Rational(others + 1, n))
            losses += (1 - r) * mass * sp.Rational(others, n)
        for who, side, latex in (
            ("paid answers gain", gains, r"\mathbb E[A\,1\{\text{paid}\}]=r(1-r)\tfrac{S-1}S"),
            ("the others lose", losses, r"\mathbb E[|A|\,1\{\text{not paid}\}]=r(1-r)\tfrac{S-1}S"),
        ):
            proof.identity(
                f"The mean of S = {n} answers as baseline: {who} as much.",
                side,
                r * (1 - r) * sp.Rational(n - 1, n),
                latex=latex,
            )
    loss = r * (1 - r) * (S - 1) / S
    proof.identity(
        "A token of an unpaid answer is right with chance (Pπ − r)/(1 − r), whatever the group's other answers are: "
        "at the least weight w of a paid token the drift is at least this.",
        w * (1 - p) * (loss - (reach * p - r) / (1 - r) * loss),
        w * (1 - p) * (1 - reach * p) * r * (S - 1) / S,
        latex=r"d_t\ge w(1-\pi)(1-P\pi)\,r\,\tfrac{S-1}S",
    )


def _several(proof: Proof) -> tuple[sp.Expr, sp.Expr]:
    """Two right answers: the first word a is mostly right, the rare word b seldom, and b is what the gate keeps."""
    q, good, bad = sp.symbols("q s_a s_b", positive=True)
    mean = q * good + (1 - q) * bad
    gradient = (1 - q) * (q * good * (1 - mean) - q * (1 - good) * mean)
    gradient -= q * ((1 - q) * bad * (1 - mean) - (1 - q) * (1 - bad) * mean)
    along = q * (1 - q) * (good - bad)
    proof.identity(
        "Two right answers of two tokens, one after each first word, a and b, completed with the chances s_a and "
        "s_b: the gradient on the logit of a.",
        gradient,
        along,
        latex=r"\nabla_aJ=q(1-q)(s_a-s_b)",
    )
    push = -(1 - q) * bad * (1 - mean) * q
    example = {q: sp.Rational(9, 10), good: sp.Rational(99, 100), bad: sp.Rational(1, 5)}
    chances = {"b": 1 - q, "after b": bad, "a": q, "after a": good}
    least = min(chances, key=lambda name: sp.sympify(chances[name]).subs(example))
    proof.check(
        "a with 9/10, then 99/100; b with 1/10, then 1/5: of paid tokens b is the least likely, so that it has the "
        "most delight, and the top 1 % of the tokens are the b of paid answers.",
        least == "b" and ((1 - q) * bad / 2).subs(example) == sp.Rational(1, 100),
        latex=r"\rho=\tfrac{(1-q)s_b}2",
    )
    proof.check(
        "They push away from a; the gradient is towards a.",
        push.subs(example) < 0 < along.subs(example),
        latex=r"-q(1-q)s_b(1-r)<0<q(1-q)(s_a-s_b)",
    )
    return push.subs(example), along.subs(example)
