"""One symmetric softmax context: symbols, closed forms, and the same context written out arm by arm.

Arm 0 is correct and has probability ``p``; the other ``K − 1`` arms share ``1 − p`` equally. Everything that the
derivations need exists here twice, so that one can be held against the other:

* for a *symbolic* number of arms, as vectors that take one value on the correct arm, one on a marked wrong arm and
  one on the remaining ``K − 2`` wrong arms (:class:`OrbitVector`);
* for an *integer* number of arms, as explicit K-vectors ``φ_a = e_a − π`` (:class:`ExplicitContext`).

The closed forms (``kappa``, ``var_perpendicular``, ...) are proved in
:mod:`kondo_theory.derivations.zero_price_geometry`; other derivations start from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

__all__ = [
    "B",
    "ExplicitContext",
    "K",
    "Moments",
    "OrbitVector",
    "alpha_squared",
    "at_odds",
    "b",
    "by_sign",
    "correct_score",
    "delights",
    "delights_on_domain",
    "epsilon",
    "eta",
    "extra_arms",
    "kappa",
    "odds",
    "on_domain",
    "p",
    "s_minus",
    "s_plus",
    "second_moment_parallel",
    "signal_squared",
    "var_parallel",
    "var_perpendicular",
    "w_minus",
    "w_plus",
    "wrong_probability",
    "wrong_score",
]

K = sp.Symbol("K", positive=True)  # number of arms, an integer of at least 2
B = sp.Symbol("B", positive=True)  # batch size
p = sp.Symbol("p", positive=True)  # probability of the correct arm
b = sp.Symbol("b", nonnegative=True)  # baseline
eta = sp.Symbol("eta", positive=True)  # temperature of the gate
w_plus, w_minus = sp.symbols("w_plus w_minus", nonnegative=True)  # E[weight | correct], E[weight | wrong]
s_plus, s_minus = sp.symbols("s_plus s_minus", nonnegative=True)  # E[weight² | correct], E[weight² | wrong]

epsilon = 1 - p
alpha_squared = K / (K - 1)
wrong_probability = (1 - p) / (K - 1)  # of one wrong arm

# A positive parametrisation of the whole domain 0 < p < 1, K ≥ 2, with which SymPy can decide signs.
odds = sp.Symbol("o", positive=True)  # p / (1 − p)
extra_arms = sp.Symbol("m", nonnegative=True)  # K − 2


def at_odds(expression: sp.Expr) -> sp.Expr:
    """Rewrite an expression in p and K by the odds o > 0 and the extra arms m ≥ 0, where all logarithms are real."""
    return sp.sympify(expression).subs({p: odds / (1 + odds), K: 2 + extra_arms})


def on_domain(expression: sp.Expr) -> sp.Expr:
    """Return :func:`at_odds` of an expression, factored, so that its sign shows."""
    return sp.factor(sp.together(at_odds(expression)))


@dataclass(frozen=True)
class OrbitVector:
    """A K-vector with value ``correct`` on arm 0, ``marked`` on one wrong arm, ``rest`` on the K − 2 others."""

    correct: sp.Expr
    marked: sp.Expr
    rest: sp.Expr

    def dot(self, other: OrbitVector) -> sp.Expr:
        """Return the inner product of two K-vectors with the same marked arm, K symbolic."""
        return self.correct * other.correct + self.marked * other.marked + (K - 2) * self.rest * other.rest


def correct_score() -> OrbitVector:
    """Return φ of the correct arm, which is also d = e_{y*} − π."""
    q = wrong_probability
    return OrbitVector(1 - p, -q, -q)


def wrong_score() -> OrbitVector:
    """Return φ of the marked wrong arm."""
    q = wrong_probability
    return OrbitVector(-p, 1 - q, -q)


def delights(baseline: sp.Expr = b) -> tuple[sp.Expr, sp.Expr]:
    """Return χ of a correct and of a wrong sample: (1−b)·log(1/p) and −b·log((K−1)/(1−p))."""
    return (1 - baseline) * sp.log(1 / p), -baseline * sp.log((K - 1) / (1 - p))


def delights_on_domain() -> tuple[sp.Expr, sp.Expr]:
    """Return both delights in positive parameters (0 < b < 1 as t/(1+t)), so that SymPy decides their signs."""
    share = sp.Symbol("t", positive=True)
    rewritten = []
    for delight in delights(share / (1 + share)):
        expanded = at_odds(delight).replace(sp.log, lambda argument: sp.log(sp.expand(sp.cancel(argument))))
        rewritten.append(sp.Mul(*[sp.factor(part) for part in sp.Mul.make_args(expanded)]))
    return rewritten[0], rewritten[1]


def kappa(baseline: sp.Expr = b, correct: sp.Expr = w_plus, wrong: sp.Expr = w_minus) -> sp.Expr:
    """Return κ in E[g] = κ·∇J."""
    return correct * (1 - baseline) + wrong * baseline


def signal_squared() -> sp.Expr:
    """Return ‖∇J‖² = p²ε²α²."""
    return p**2 * epsilon**2 * alpha_squared


def var_perpendicular(baseline: sp.Expr = b, wrong_second: sp.Expr = s_minus) -> sp.Expr:
    """Return Var_⊥, per sample: the trace of the gradient's covariance orthogonal to ∇J."""
    return epsilon * wrong_second * baseline**2 * (K - 2) / (K - 1)


def second_moment_parallel(
    baseline: sp.Expr = b, correct_second: sp.Expr = s_plus, wrong_second: sp.Expr = s_minus
) -> sp.Expr:
    """Return E[g_∥²], per sample."""
    correct = p * correct_second * (1 - baseline) ** 2 * epsilon**2
    wrong = epsilon * wrong_second * baseline**2 * p**2
    return alpha_squared * (correct + wrong)


def var_parallel(
    baseline: sp.Expr = b,
    correct: sp.Expr = w_plus,
    wrong: sp.Expr = w_minus,
    correct_second: sp.Expr = s_plus,
    wrong_second: sp.Expr = s_minus,
) -> sp.Expr:
    """Return Var_∥, per sample: the variance of the gradient along ∇J."""
    mean_squared = kappa(baseline, correct, wrong) ** 2 * signal_squared()
    return second_moment_parallel(baseline, correct_second, wrong_second) - mean_squared


@dataclass(frozen=True)
class Moments:
    """First and second moments of one sample's gradient, by enumeration; ``mean`` has shape (K, 1)."""

    mean: sp.Matrix
    gradient: sp.Matrix
    var_parallel: sp.Expr
    var_perpendicular: sp.Expr
    backward_rate: sp.Expr


@dataclass(frozen=True)
class ExplicitContext:
    """A softmax context of known size: one ``policy`` and one ``rewards`` entry an arm, scores built from e_a − π."""

    policy: tuple[sp.Expr, ...]
    rewards: tuple[sp.Expr, ...]

    @classmethod
    def symmetric(cls, n_arms: int) -> ExplicitContext:
        """Return the symmetric context with ``n_arms`` arms, p symbolic."""
        wrong = (1 - p) / sp.Integer(n_arms - 1)
        return cls((p, *[wrong] * (n_arms - 1)), (sp.Integer(1), *[sp.Integer(0)] * (n_arms - 1)))

    def score(self, arm: int) -> sp.Matrix:
        """Return φ_arm = e_arm − π, shape (K, 1)."""
        return sp.Matrix([(1 if i == arm else 0) - q for i, q in enumerate(self.policy)])

    def mean_gradient(self, coefficients: tuple[sp.Expr, ...]) -> sp.Matrix:
        """Return Σ_a π_a·coefficient_a·φ_a, shape (K, 1)."""
        terms = [q * c * self.score(a) for a, (q, c) in enumerate(zip(self.policy, coefficients, strict=True))]
        return sum(terms[1:], terms[0])

    def moments(self, baseline: sp.Expr, first: tuple[sp.Expr, ...], second: tuple[sp.Expr, ...]) -> Moments:
        """Sum over arms, given each arm's first and second moment of the gate's weight, whatever these are."""
        advantages = tuple(reward - baseline for reward in self.rewards)
        mean = self.mean_gradient(tuple(w * u for w, u in zip(first, advantages, strict=True)))
        gradient = self.mean_gradient(self.rewards)
        direction_squared = gradient.dot(gradient)
        parallel = total = sp.Integer(0)
        for arm, (q, s, u) in enumerate(zip(self.policy, second, advantages, strict=True)):
            score = self.score(arm)
            parallel += q * s * u**2 * score.dot(gradient) ** 2 / direction_squared
            total += q * s * u**2 * score.dot(score)
        mean_parallel = mean.dot(gradient) ** 2 / direction_squared
        return Moments(
            mean=mean,
            gradient=gradient,
            var_parallel=parallel - mean_parallel,
            var_perpendicular=(total - parallel) - (mean.dot(mean) - mean_parallel),
            backward_rate=sum(q * w for q, w in zip(self.policy, first, strict=True)),
        )


def by_sign(correct: sp.Expr, wrong: sp.Expr, n_arms: int) -> tuple[sp.Expr, ...]:
    """Return one value an arm: ``correct`` for arm 0, ``wrong`` for the others."""
    return (correct, *[wrong] * (n_arms - 1))
