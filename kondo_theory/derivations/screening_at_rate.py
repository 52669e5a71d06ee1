"""What each screening rule keeps at rate ρ in a symmetric context, and what the kept samples are worth.

Source: this project; the rules are those compared in [KG §3] (I. Osband, "Does This Gradient Spark Joy?", arXiv
2603.20526).
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kondo_theory.derivations import symmetric_context as context
from kondo_theory.derivations.proof import Derivation, Proof, every
from kondo_theory.derivations.symmetric_context import ExplicitContext, K, b, p, w_minus, w_plus

__all__ = ["derive"]

_rho = sp.Symbol("rho", positive=True)
_alpha = sp.Symbol("alpha", positive=True)
_X, _Y = sp.symbols("X Y", nonnegative=True)  # kept mass of correct and of wrong samples
_ROOT_ALPHA = sp.sqrt(context.alpha_squared)
_Rule = Callable[[sp.Expr, sp.Expr], sp.Expr]

_RULES: dict[str, _Rule] = {
    "delight": lambda advantage, surprisal: advantage * surprisal,
    "advantage": lambda advantage, surprisal: advantage,
    "absolute advantage": lambda advantage, surprisal: sp.Abs(advantage),
    "surprisal": lambda advantage, surprisal: surprisal,
    "additive": lambda advantage, surprisal: _alpha * advantage + (1 - _alpha) * surprisal,
    "uniform": lambda advantage, surprisal: sp.Integer(0),
}


def _kept(order: str) -> tuple[sp.Expr, sp.Expr]:
    """Return the claimed kept masses (correct, wrong) at rate ρ for the given order of the two groups."""
    if order == "correct first":
        return sp.Min(_rho, p), sp.Max(_rho - p, 0)
    if order == "wrong first":
        return sp.Max(_rho - (1 - p), 0), sp.Min(_rho, 1 - p)
    return _rho * p, _rho * (1 - p)


def _claimed_order(rule: str, at: dict[sp.Symbol, sp.Expr]) -> str:
    """Return which group the rule is claimed to fill first."""
    arms, mass, base, alpha = (at[symbol] for symbol in (K, p, b, _alpha))
    log_odds = sp.log(mass * (arms - 1) / (1 - mass))
    # Positive: correct first; negative: wrong first; zero: a tie, broken uniformly.
    lead = {
        "delight": sp.Integer(1),
        "advantage": sp.Integer(1),
        "absolute advantage": sp.Rational(1, 2) - base,
        "surprisal": 1 / arms - mass,
        "additive": alpha - log_odds / (1 + log_odds) if mass * arms > 1 else sp.Integer(1),
        "uniform": sp.Integer(0),
    }[rule]
    sign = sp.sign(sp.N(lead, 30))
    return {1: "correct first", -1: "wrong first", 0: "tie"}[int(sign)]


def _fill(scores: list[sp.Expr], masses: list[sp.Expr], rate: sp.Expr) -> list[sp.Expr]:
    """Fill the top ``rate`` of a discrete distribution by falling score, splitting a tie in proportion to mass."""
    kept, left = [sp.Integer(0)] * len(scores), rate
    numeric = [sp.N(score, 30) for score in scores]
    for level in sorted(set(numeric), reverse=True):
        group = [i for i, value in enumerate(numeric) if value == level]
        mass = sum(masses[i] for i in group)
        share = min(sp.Integer(1), left / mass)
        for i in group:
            kept[i] = share * masses[i]
        left -= share * mass
    return kept


def _cases() -> list[dict[sp.Symbol, sp.Expr]]:
    """Return settings on both sides of every threshold, and on those that can be hit exactly."""
    r = sp.Rational
    points = [(3, r(1, 5), r(1, 4), r(1, 4)), (4, r(1, 4), r(1, 2), r(1, 4)), (5, r(3, 5), r(7, 10), r(9, 10))]
    return [
        {K: sp.Integer(n), p: mass, b: base, _alpha: alpha, _rho: rate}
        for n, mass, base, alpha in points
        for rate in (r(1, 10), r(1, 2), r(9, 10), r(1))
    ]


_ORDERS = {
    "delight": "correct samples first, for every 0 ≤ b < 1",
    "advantage": "correct samples first",
    "absolute advantage": "correct samples first iff b < 1/2, wrong ones iff b > 1/2, a tie at 1/2",
    "surprisal": "wrong samples first iff p > 1/K, correct ones iff p < 1/K, a tie at 1/K",
    "additive": "wrong samples first iff p > 1/K and α < α* = L/(1+L)",
    "uniform": "both in proportion",
}


def _lead(rule: str, baseline: sp.Expr = b) -> sp.Expr:
    """Return a correct sample's score less a wrong one's, in the odds o and the extra arms m."""
    correct = _RULES[rule](1 - baseline, -sp.log(p))
    wrong = _RULES[rule](-baseline, -sp.log(context.wrong_probability))
    return context.at_odds(correct - wrong)


def _orders(proof: Proof) -> None:
    """Which of the two groups each rule prefers."""
    share = sp.Symbol("t", positive=True)
    inside = share / (1 + share)  # a baseline anywhere in (0, 1)
    log_odds = context.at_odds(sp.log(p * (K - 1) / (1 - p)))  # L
    correct, wrong = context.delights_on_domain()
    proof.check(
        "Delight prefers a success, for every 0 < b < 1; at b = 0 too, where a failure's delight is 0.",
        sp.And(sp.Gt(correct, 0), sp.Lt(wrong, 0)),
        latex=r"\chi_+ > 0 > \chi_-",
    )
    proof.identity(
        "|Advantage| prefers a success iff b < 1/2.",
        _lead("absolute advantage", inside),
        2 * (sp.Rational(1, 2) - inside),
        latex=r"|U_+|-|U_-| = 1-2b",
    )
    proof.identity(
        "Surprisal prefers a failure iff L > 0.",
        _lead("surprisal"),
        -log_odds,
        latex=r"\ell_+-\ell_- = -L = -\log\frac{p(K-1)}{1-p}",
    )
    proof.identity(
        "That is iff p > 1/K.",
        context.at_odds(sp.exp(log_odds) - 1),
        context.at_odds(K * (p - 1 / K) / (1 - p)),
        latex=r"e^L-1 = \frac{Kp-1}{1-p}",
    )
    proof.identity(
        "The additive score prefers a failure iff α(1+L) < L: for L > 0 iff α < α* = L/(1+L), for L ≤ 0 never.",
        _lead("additive"),
        _alpha * (1 + log_odds) - log_odds,
        latex=r"s_+-s_- = \alpha-(1-\alpha)L = (1+L)(\alpha-\alpha^*)",
    )


def _composition(proof: Proof) -> None:
    """Return the kept masses, given the order."""
    proof.argue(
        "The rule that prefers the group of mass m keeps min(ρ, m) of it and (ρ − m)₊ of the other; a tie is split "
        "in proportion.",
        "the wrong arms tie with one another, so the score has two atoms of masses p and 1 − p, and the top ρ fills "
        "the higher one first.",
        latex=r"(X,Y)\in\{(\min(\rho,p),(\rho-p)_+),\,((\rho-\varepsilon)_+,\min(\rho,\varepsilon)),\,"
        r"(\rho p,\rho\varepsilon)\}",
    )
    for rule, score in _RULES.items():
        agrees = []
        for at in _cases():
            arms = ExplicitContext.symmetric(int(at[K]))
            policy = [q.subs(at) for q in arms.policy]
            scores = [score(r - b, -sp.log(q)).subs(at) for r, q in zip(arms.rewards, policy, strict=True)]
            kept = _fill(scores, policy, at[_rho])
            claimed = [mass.subs(at) for mass in _kept(_claimed_order(rule, at))]
            agrees.append(kept[0] == claimed[0] and sum(kept[1:]) == claimed[1])
        proof.sample(
            f"{rule.capitalize()} keeps {_ORDERS[rule]}: explicit arms filled in order of their scores, on both "
            "sides of every threshold.",
            agrees,
            latex=rf"\text{{{rule}}}:\ (X,Y)",
        )


def _signal() -> sp.Expr:
    """Return the claimed length of E[g] for kept masses X and Y."""
    return _ROOT_ALPHA * (_X * (1 - b) * (1 - p) + _Y * b * p)


def _var_perpendicular() -> sp.Expr:
    """Return the claimed Var_⊥ per forward sample for kept masses X and Y."""
    return _Y * b**2 * (K - 2) / (K - 1)


def _cost() -> sp.Expr:
    """Return the claimed ρ·E‖g‖²/‖E g‖² for independent draws with kept masses X and Y."""
    second = _X * (1 - b) ** 2 * (1 - p) ** 2 * context.alpha_squared + _Y * b**2 * (
        p**2 * context.alpha_squared + (K - 2) / (K - 1)
    )
    return (_X + _Y) * second / _signal() ** 2


def _wrong_only_cost() -> sp.Expr:
    """Return the claimed cost of signal where wrong samples alone are kept."""
    return 1 + (K - 2) / (K * p**2)


def _worth(proof: Proof) -> None:
    """Signal, noise and cost of any composition, by enumeration and for every K."""
    weights = {_X: p * w_plus, _Y: (1 - p) * w_minus}
    for n_arms in (2, 3, 5):
        first = context.by_sign(w_plus, w_minus, n_arms)
        exact = ExplicitContext.symmetric(n_arms).moments(b, first, first)
        length_squared = exact.mean.dot(exact.mean)
        total = exact.var_parallel + exact.var_perpendicular + length_squared
        differences = [
            length_squared - (_signal() ** 2).subs(weights).subs(K, n_arms),
            exact.var_perpendicular - _var_perpendicular().subs(weights).subs(K, n_arms),
            exact.backward_rate * total / length_squared - _cost().subs(weights).subs(K, n_arms),
        ]
        proof.check(
            f"Enumeration over K = {n_arms} arms: signal, Var_⊥ and cost of signal depend on the rule through X and "
            f"Y alone.",
            every(sp.cancel(sp.together(difference)) == 0 for difference in differences),
            latex=r"\|\mathbb Eg\| = \alpha\{X(1-b)\varepsilon+Ybp\},\quad \mathrm{Var}_\perp = Yb^2\tfrac{K-2}{K-1}",
        )
    cost = {}
    for name, right, wrong in (("X", w_plus, sp.Integer(0)), ("Y", sp.Integer(0), w_minus), ("both", w_plus, w_plus)):
        keep = context.by_sign(right, wrong, 3)
        exact = ExplicitContext.symmetric(3).moments(b, keep, keep)
        length_squared = exact.mean.dot(exact.mean)
        total = exact.var_parallel + exact.var_perpendicular + length_squared
        cost[name] = exact.backward_rate * total / length_squared
    proof.identity(
        "Correct samples alone (delight and advantage at ρ ≤ p): no perpendicular noise, and cost of signal 1, the "
        "least possible; here from three explicit arms.",
        cost["X"],
        sp.Integer(1),
        latex=r"Y=0:\quad \rho\,\mathbb E\|g\|^2/\|\mathbb Eg\|^2 = 1",
    )
    proof.identity(
        "Wrong samples alone (surprisal at p > 1/K, ρ ≤ ε): the direction is still right on average, at a cost that "
        "explodes for a rare correct arm.",
        _cost().subs(_X, 0),
        _wrong_only_cost(),
        latex=r"X=0:\quad \rho\,\mathbb E\|g\|^2/\|\mathbb Eg\|^2 = 1+\frac{K-2}{Kp^2}",
    )
    proof.identity("The same from three explicit arms.", cost["Y"], _wrong_only_cost().subs(K, 3))
    proof.identity(
        "Uniform screening has PG's cost at every rate, here from three explicit arms with one probability w.",
        cost["both"],
        cost["both"].subs(w_plus, 1),
        latex=r"\rho\,\mathbb E\|g\|^2/\|\mathbb Eg\|^2\ \text{does not depend on}\ \rho",
    )
    each = [_signal().subs({_X: x, _Y: 1 - x}) for x in (1, 0)]
    proof.identity(
        "Signal alone is another matter: a wrong sample moves further along ∇J than a correct one iff b > 1 − p. "
        "Delight wins by noise, not by signal, once the policy is that good.",
        each[1] - each[0],
        _ROOT_ALPHA * (b - (1 - p)),
        latex=r"bp\alpha-(1-b)\varepsilon\alpha = \alpha\,(b-\varepsilon)",
    )
    proof.identity(
        "Delight above its natural rate, ρ > p: perpendicular noise per backward pass enters in proportion to ρ − p.",
        (_var_perpendicular() / _rho).subs(_Y, _rho - p),
        (1 - p / _rho) * b**2 * (K - 2) / (K - 1),
        latex=r"\frac{\mathrm{Var}_\perp}{\rho} = \Big(1-\frac p\rho\Big)b^2\,\frac{K-2}{K-1}",
    )


def derive() -> Derivation:
    """Derive what each rule keeps at rate ρ, and the signal, noise and cost of what it keeps."""
    proof = Proof(
        "screening-at-rate",
        "At rate ρ a rule keeps (X, Y) of correct and wrong mass: delight and advantage (min(ρ,p), (ρ−p)₊); "
        "|advantage| the same iff b < 1/2; surprisal the reverse iff p > 1/K; the additive score the reverse iff "
        "also α < α*; uniform (ρp, ρε). Signal is α{X(1−b)ε + Ybp} and Var_⊥ is Yb²(K−2)/(K−1).",
        (
            "one symmetric context, K ≥ 2, R = 1{a = y*}, 0 < p < 1, 0 ≤ b < 1, reward gap 1",
            "composition in the limit of many samples; ties are broken uniformly at random",
            "cost of signal is ρE‖g‖²/‖E g‖² for independent draws; exact-k selection couples them "
            "(exact-k-or-price)",
        ),
    )
    _orders(proof)
    _composition(proof)
    _worth(proof)
    correct_first, wrong_first = _kept("correct first"), _kept("wrong first")
    return proof.conclude(
        correct_first_correct=correct_first[0],
        correct_first_wrong=correct_first[1],
        wrong_first_correct=wrong_first[0],
        wrong_first_wrong=wrong_first[1],
        signal=_signal(),
        var_perpendicular=_var_perpendicular(),
        cost_of_signal=_cost(),
        wrong_only_cost=_wrong_only_cost(),
        tie_correct=_kept("tie")[0],
        tie_wrong=_kept("tie")[1],
    )
